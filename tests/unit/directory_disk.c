/* A disk to order; see directory_disk.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory_disk.h"
#include "record/record.h"

struct disk disk;

/* Shared with the workers. */
static volatile struct {
    pid_t hanging;      /* which of them hangs in fsync(2) */
    int64_t listing_ms; /* when the last slow listing began, wall clock */
} *seen;

pid_t disk_hanging(void) { return seen->hanging; }

int64_t disk_listing_ms(void) { return seen->listing_ms; }

int fsync(int fd) {
    struct stat status;
    while (disk.fsync_hangs) {
        seen->hanging = (pid_t)syscall(SYS_getpid);
        (void)pause();
    }
    if (fstat(fd, &status) != 0) return -1;
    errno = S_ISDIR(status.st_mode) ? disk.folder_fsync_errno : disk.fsync_errno;
    return errno != 0 ? -1 : (int)syscall(SYS_fsync, fd);
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags) {
    if (disk.no_proc && strncmp(from, "/proc/", 6) == 0) {
        errno = ENOENT;
        return -1;
    }
    errno = disk.no_link_errno;
    if (errno != 0) return -1;
    int result = (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
    if (result != 0 || disk.link_errno == 0) return result;
    errno = disk.link_errno;
    return -1;
}

int openat64(int fd, const char *path, int flags, ...);

int openat64(int fd, const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (disk.no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    while (disk.opening_hangs) (void)pause();
    if (disk.listing_takes_ms > 0 && strcmp(path, ".") == 0 && (flags & O_TMPFILE) != O_TMPFILE) {
        seen->listing_ms = clock_wall_ms();
        (void)usleep(disk.listing_takes_ms * 1000);
    }
    return (int)syscall(SYS_openat, fd, path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    static bool interrupted;
    struct stat status;
    bool little = disk.writes_little && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    interrupted = little && !interrupted;
    errno = EINTR;
    return interrupted ? -1 : syscall(SYS_write, fd, bytes, little ? 1 : length);
}

int close_range(unsigned first, unsigned last, int flags) {
    bool at_the_end = first == 0 && last == ~0U; /* valgrind counts what is left open */
    errno = ENOSYS;
    if (disk.no_close_range && !at_the_end) return -1;
    return (int)syscall(SYS_close_range, first, last, flags);
}

int kill(pid_t pid, int signal) { return disk.unkillable ? 0 : (int)syscall(SYS_kill, pid, signal); }

/* The kernel's number of a timer is in glibc's, for those that send a signal. */
int timer_settime(timer_t timer, int flags, const struct itimerspec *spec, struct itimerspec *old) {
    if (disk.unkillable) return 0;
    return (int)syscall(SYS_timer_settime, (int)(intptr_t)timer, flags, spec, old);
}

int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char reason[TEXT_REASON_SIZE];
    memset(&disk, 0, sizeof disk);
    if (seen == NULL)
        seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED || fixture == NULL) return -1;
    (void)text_copy(fixture->root, sizeof fixture->root, "/tmp/leaderexec-directory-XXXXXX");
    if (mkdtemp(fixture->root) == NULL || chmod(fixture->root, 0755) != 0) return -1;
    (void)text_format(fixture->directory, sizeof fixture->directory, "%s/bucket", fixture->root);
    (void)text_format(fixture->folder, sizeof fixture->folder, "%s/locks/leader", fixture->directory);
    fixture->store = store_open_directory(fixture->directory, "locks/", "leader", reason);
    *state = fixture;
    return fixture->store != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}

int tear_down(void **state) {
    struct fixture *fixture = *state;
    memset(&disk, 0, sizeof disk);
    store_close(fixture->store);
    while (waitpid(-1, NULL, __WALL) > 0) continue; /* on a busy machine a killed worker may outlive the store */
    (void)signal(SIGCHLD, SIG_DFL);
    (void)nftw(fixture->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

void submit(struct store *store, struct log_request request) {
    if (request.timeout_ms == 0) request.timeout_ms = TIMEOUT_MS;
    assert_int_equal(store_submit(store, &request), 0);
}

bool wait_for_answer(struct store *store, struct log_answer *answer, int timeout_ms) {
    int64_t end_ns = clock_now().wait_ns + timeout_ms * NS_PER_MS;
    while (!store_next(store, answer)) {
        int64_t left_ms = (end_ns - clock_now().wait_ns) / NS_PER_MS;
        if (left_ms < 0) return false;
        assert_int_equal(store_wait(store, NULL, 0, (int)left_ms + 1), 0);
    }
    return true;
}

struct log_answer ask(struct store *store, struct log_request request) {
    struct log_answer answer;
    submit(store, request);
    assert_true(wait_for_answer(store, &answer, TIMEOUT_MS + 5000));
    return answer;
}

struct log_request an_append(int64_t seq) {
    return (struct log_request){
        .op = LOG_APPEND, .seq = seq, .body = RECORD_VACANCY, .body_length = RECORD_VACANCY_LENGTH};
}

struct log_request a_read(int64_t seq) {
    return (struct log_request){.op = LOG_READ, .seq = seq};
}

struct log_request a_listing(void) {
    return (struct log_request){.op = LOG_NEWEST};
}

struct log_request a_trim(int64_t head, int64_t retention_ms) {
    return (struct log_request){.op = LOG_TRIM, .seq = head, .retention_ms = retention_ms, .trim_most = 100};
}

void append_all(struct fixture *fixture, int64_t first, int64_t last) {
    for (int64_t seq = first; seq <= last; seq++)
        assert_int_equal(ask(fixture->store, an_append(seq)).outcome, OUTCOME_DONE);
}

void path_in_folder(const struct fixture *fixture, char out[256], const char *name) {
    (void)text_format(out, 256, "%s/%s", fixture->folder, name);
}

int count_names(const char *path) {
    int count = 0;
    DIR *names = opendir(path);
    if (names == NULL) return -1;
    while (readdir(names) != NULL) count++;
    (void)closedir(names);
    return count - 2;
}

/* The directory store where the disk, the system or somebody else misbehaves. What every store promises is in
 * tests/contract.
 *
 * Some of libc's functions are replaced here, so that a disk can hang, fail and lie; workers inherit what is set when
 * they start. */
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
#include "record/record.h"
#include "store/store.h"

#define NOBODY     65534
#define TIMEOUT_MS 20000
#define STUCK_MOST 8 /* as many workers may hang; see DYING_MAX in directory.c */

/* --- a disk to order --- */

static struct {
    bool fsync_hangs;
    int fsync_errno;        /* of files */
    int folder_fsync_errno; /* of folders */
    int link_errno;         /* after the link was made */
    bool no_proc;           /* /proc/self/fd can't be followed */
    bool no_tmpfile;        /* O_TMPFILE isn't known */
    bool unkillable;        /* workers don't die */
} disk;

/* Shared with the workers: which of them hangs in fsync(2). */
static volatile pid_t *hanging;

int fsync(int fd) {
    struct stat status;
    while (disk.fsync_hangs) {
        *hanging = (pid_t)syscall(SYS_getpid);
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
    return (int)syscall(SYS_openat, fd, path, flags, mode);
}

int kill(pid_t pid, int signal) { return disk.unkillable ? 0 : (int)syscall(SYS_kill, pid, signal); }

/* The kernel's number of a timer is in glibc's, for those that send a signal. */
int timer_settime(timer_t timer, int flags, const struct itimerspec *spec, struct itimerspec *old) {
    if (disk.unkillable) return 0;
    return (int)syscall(SYS_timer_settime, (int)(intptr_t)timer, flags, spec, old);
}

/* --- a store in a folder of its own --- */

struct fixture {
    char root[64];
    char directory[96];
    char folder[128];
    struct store *store;
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char reason[TEXT_REASON_SIZE];
    memset(&disk, 0, sizeof disk);
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

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    memset(&disk, 0, sizeof disk);
    store_close(fixture->store);
    while (waitpid(-1, NULL, __WALL) > 0) continue; /* on a busy machine a killed worker may outlive the store */
    (void)signal(SIGCHLD, SIG_DFL);
    (void)nftw(fixture->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

static void submit(struct store *store, struct log_request request) {
    if (request.timeout_ms == 0) request.timeout_ms = TIMEOUT_MS;
    assert_int_equal(store_submit(store, &request), 0);
}

static bool wait_for_answer(struct store *store, struct log_answer *answer, int timeout_ms) {
    int64_t end_ns = clock_now().wait_ns + timeout_ms * NS_PER_MS;
    while (!store_next(store, answer)) {
        int64_t left_ms = (end_ns - clock_now().wait_ns) / NS_PER_MS;
        if (left_ms < 0) return false;
        assert_int_equal(store_wait(store, NULL, 0, (int)left_ms + 1), 0);
    }
    return true;
}

static struct log_answer ask(struct store *store, struct log_request request) {
    struct log_answer answer;
    submit(store, request);
    assert_true(wait_for_answer(store, &answer, TIMEOUT_MS + 5000));
    return answer;
}

static struct log_request an_append(int64_t seq) {
    return (struct log_request){
        .op = LOG_APPEND, .seq = seq, .body = RECORD_VACANCY, .body_length = RECORD_VACANCY_LENGTH};
}

static struct log_request a_read(int64_t seq) { return (struct log_request){.op = LOG_READ, .seq = seq}; }

static struct log_request a_listing(void) { return (struct log_request){.op = LOG_NEWEST}; }

static struct log_request a_trim(int64_t head, int64_t retention_ms) {
    return (struct log_request){.op = LOG_TRIM, .seq = head, .retention_ms = retention_ms, .trim_most = 100};
}

static void append_all(struct fixture *fixture, int64_t first, int64_t last) {
    for (int64_t seq = first; seq <= last; seq++)
        assert_int_equal(ask(fixture->store, an_append(seq)).outcome, OUTCOME_DONE);
}

static void path_in_folder(const struct fixture *fixture, char out[256], const char *name) {
    (void)text_format(out, 256, "%s/%s", fixture->folder, name);
}

static bool is_there(const struct fixture *fixture, const char *name) {
    char path[256];
    struct stat status;
    path_in_folder(fixture, path, name);
    return lstat(path, &status) == 0;
}

static void put_file(const struct fixture *fixture, const char *name, size_t length) {
    char path[256];
    path_in_folder(fixture, path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)length), 0);
    (void)close(fd);
}

static void set_age(const struct fixture *fixture, const char *name, int64_t age_s) {
    char path[256];
    path_in_folder(fixture, path, name);
    const struct timespec then = {.tv_sec = time(NULL) - age_s};
    const struct timespec times[2] = {then, then};
    assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static int count_names(const char *path) {
    int count = 0;
    DIR *names = opendir(path);
    if (names == NULL) return -1;
    while (readdir(names) != NULL) count++;
    (void)closedir(names);
    return count - 2;
}

/* As root nothing is forbidden; the workers inherit who we are. */
static void become_nobody(void) {
    if (getuid() == 0) assert_int_equal(seteuid(NOBODY), 0);
}

static void become_ourselves(void) { assert_int_equal(seteuid(getuid()), 0); }

/* Our first child, a worker where the tests use it; 0: there is none. */
static pid_t find_worker(void) {
    char path[64];
    int pid = 0;
    (void)text_format(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    assert_non_null(children);
    if (fscanf(children, "%d", &pid) != 1) pid = 0;
    (void)fclose(children);
    return pid;
}

/* Waits until the workers that are about to end are gone, and their zombies, too. */
static void assert_no_worker_stays(struct store *store) {
    for (int i = 0; i < 100 && find_worker() != 0; i++) assert_int_equal(store_wait(store, NULL, 0, 100), 0);
    assert_int_equal(find_worker(), 0);
}

static char process_state(pid_t pid) {
    char path[64], state = 'X';
    (void)text_format(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 'X';
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
    (void)fclose(file);
    return state;
}

static bool ends_soon(pid_t pid) {
    for (int i = 0; i < 1000; i++) {
        char state = process_state(pid);
        if (state == 'X' || state == 'Z') return true;
        (void)usleep(10 * 1000);
    }
    return false;
}

/* --- folders --- */

static void only_an_append_makes_folders(void **state) {
    struct fixture *fixture = *state;
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_true(answer.listing.empty);
    assert_int_equal(ask(fixture->store, a_read(1)).outcome, OUTCOME_ABSENT);
    assert_int_equal(ask(fixture->store, a_trim(1, 0)).outcome, OUTCOME_DONE);
    assert_int_equal(access(fixture->directory, F_OK), -1);
    append_all(fixture, 1, 1);
    assert_int_equal(count_names(fixture->folder), 1);
    assert_true(is_there(fixture, "999999999998-1"));
}

static void a_relative_directory_is_one_below_the_working_directory(void **state) {
    struct fixture *fixture = *state;
    char reason[TEXT_REASON_SIZE], before[1024];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(fixture->root), 0);
    struct store *store = store_open_directory("./here", "", "leader", reason);
    assert_non_null(store);
    assert_int_equal(ask(store, an_append(1)).outcome, OUTCOME_DONE);
    store_close(store);
    assert_int_equal(access("here/leader/999999999998-1", F_OK), 0);
    assert_int_equal(chdir(before), 0);
}

static void names_that_are_no_folder_are_refused_when_it_is_opened(void **state) {
    (void)state;
    char reason[TEXT_REASON_SIZE], longest[5000];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    static const char *const names[] = {"", ".", "..", "a/b", "a\nb"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        reason[0] = '\0';
        assert_null(store_open_directory("/tmp", "locks/", names[i], reason));
        assert_string_not_equal(reason, "");
    }
    assert_null(store_open_directory("", "locks/", "leader", reason));
    assert_null(store_open_directory(longest, "locks/", "leader", reason));
}

static void assert_refused(struct store *store, struct log_request request) {
    struct log_answer answer = ask(store, request);
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    assert_string_not_equal(answer.reason, "");
}

static void a_file_in_place_of_the_folder_is_refused(void **state) {
    struct fixture *fixture = *state;
    int fd = open(fixture->directory, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_refused(fixture->store, a_listing());
    assert_refused(fixture->store, a_read(1));
    assert_refused(fixture->store, an_append(1));
    assert_refused(fixture->store, a_trim(1, 0));
}

static void a_folder_without_permission_is_refused(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 3);
    assert_int_equal(chmod(fixture->folder, 0), 0);
    become_nobody();
    assert_refused(fixture->store, a_listing());
    assert_refused(fixture->store, a_read(1));
    assert_refused(fixture->store, an_append(4));
    assert_refused(fixture->store, a_trim(3, 0));
    become_ourselves();
    assert_int_equal(chmod(fixture->folder, 0755), 0);
}

static void a_read_only_folder_is_listed_but_has_no_clock(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 3);
    assert_int_equal(chmod(fixture->folder, 0555), 0);
    become_nobody();
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.listing.head_seq, 3);
    assert_int_equal(answer.listing.date_ms, 0);
    assert_int_equal(ask(fixture->store, a_read(3)).slot.kind, SLOT_VACANCY);
    assert_refused(fixture->store, an_append(4));
    assert_refused(fixture->store, a_trim(3, 0));
    become_ourselves();
    assert_int_equal(chmod(fixture->folder, 0755), 0);
}

static void a_place_where_nothing_can_be_made_is_refused(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(chmod(fixture->root, 0555), 0);
    become_nobody();
    assert_true(ask(fixture->store, a_listing()).listing.empty);
    assert_refused(fixture->store, an_append(1));
    become_ourselves();
    assert_int_equal(chmod(fixture->root, 0755), 0);
}

/* --- things in the way --- */

static void only_names_of_slots_count(void **state) {
    struct fixture *fixture = *state;
    static const char *const names[] = {
        "0", "leader", ".hidden", "999999999997-2x", "999999999990-8", "000000000000-999999999999", "999999999995-04"};
    append_all(fixture, 1, 2);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) put_file(fixture, names[i], 100);
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.listing.head_seq, 2);
    assert_int_equal(answer.listing.previous_seq, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) set_age(fixture, names[i], 100000);
    assert_int_equal(ask(fixture->store, a_trim(2, 0)).outcome, OUTCOME_DONE);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_true(is_there(fixture, names[i]));
}

static void what_is_no_file_takes_a_slot_unread_and_stays(void **state) {
    struct fixture *fixture = *state;
    static const char *const names[] = {"999999999997-2", "999999999996-3", "999999999995-4", "999999999994-5"};
    char paths[4][256];
    append_all(fixture, 1, 1);
    for (size_t i = 0; i < 4; i++) path_in_folder(fixture, paths[i], names[i]);
    assert_int_equal(mkdir(paths[0], 0755), 0);
    assert_int_equal(mkfifo(paths[1], 0644), 0);
    assert_int_equal(symlink("999999999998-1", paths[2]), 0);
    assert_int_equal(symlink("/dev/zero", paths[3]), 0);
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.listing.head_seq, 5);
    assert_int_equal(answer.listing.head_size, 0);
    for (int64_t seq = 2; seq <= 5; seq++) {
        answer = ask(fixture->store, a_read(seq));
        assert_int_equal(answer.outcome, OUTCOME_DONE);
        assert_int_equal(answer.slot.kind, SLOT_UNREADABLE);
        assert_int_equal(ask(fixture->store, an_append(seq)).outcome, OUTCOME_EXISTS);
    }
    append_all(fixture, 6, 8);
    for (size_t i = 0; i < 4; i++) set_age(fixture, names[i], 100000);
    set_age(fixture, "999999999998-1", 100000);
    set_age(fixture, "999999999993-6", 100000);
    assert_int_equal(ask(fixture->store, a_trim(8, 1000)).outcome, OUTCOME_DONE);
    assert_false(is_there(fixture, "999999999998-1"));
    assert_false(is_there(fixture, "999999999993-6"));
    for (size_t i = 0; i < 4; i++) assert_true(is_there(fixture, names[i]));
}

static void a_megabyte_and_nothing_at_all_are_unreadable(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    put_file(fixture, "999999999997-2", 1 << 20);
    put_file(fixture, "999999999996-3", 0);
    assert_int_equal(ask(fixture->store, a_read(2)).slot.kind, SLOT_UNREADABLE);
    assert_int_equal(ask(fixture->store, a_read(3)).slot.kind, SLOT_UNREADABLE);
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.listing.head_seq, 3);
    assert_int_equal(answer.listing.head_size, 0);
}

/* --- trimming --- */

static void trimming_leaves_no_gap_where_a_young_slot_lies_before_an_old_one(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 6);
    set_age(fixture, "999999999998-1", 1000);
    set_age(fixture, "999999999997-2", 1000);
    set_age(fixture, "999999999995-4", 1000);
    assert_int_equal(ask(fixture->store, a_trim(6, 500000)).outcome, OUTCOME_DONE);
    assert_false(is_there(fixture, "999999999998-1"));
    assert_false(is_there(fixture, "999999999997-2"));
    assert_true(is_there(fixture, "999999999996-3"));
    assert_true(is_there(fixture, "999999999995-4"));
}

static void trimming_a_long_log_goes_on_where_it_stopped(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    for (int64_t seq = 2; seq <= 1200; seq++) {
        char name[64];
        (void)text_format(name, sizeof name, "%012lld-%lld", 999999999999LL - (long long)seq, (long long)seq);
        put_file(fixture, name, 1);
    }
    (void)usleep(20 * 1000);
    for (int i = 0; i < 12; i++) assert_int_equal(ask(fixture->store, a_trim(1200, 1)).outcome, OUTCOME_DONE);
    assert_int_equal(count_names(fixture->folder), 2);
    assert_int_equal(ask(fixture->store, a_listing()).listing.previous_seq, 1199);
}

static void what_a_crash_left_is_removed_after_an_hour(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    put_file(fixture, ".leaderexec-0123456789abcdef.tmp", 5);
    put_file(fixture, ".leaderexec-fedcba9876543210.tmp", 5);
    put_file(fixture, ".leaderexec-notes.tmp", 5);
    put_file(fixture, ".leaderexec-0123456789abcdeg.tmp", 5);
    set_age(fixture, ".leaderexec-0123456789abcdef.tmp", 3700);
    set_age(fixture, ".leaderexec-fedcba9876543210.tmp", 3000);
    set_age(fixture, ".leaderexec-notes.tmp", 3700);
    set_age(fixture, ".leaderexec-0123456789abcdeg.tmp", 3700);
    assert_int_equal(ask(fixture->store, a_trim(1, 1000)).outcome, OUTCOME_DONE);
    assert_false(is_there(fixture, ".leaderexec-0123456789abcdef.tmp"));
    assert_true(is_there(fixture, ".leaderexec-fedcba9876543210.tmp"));
    assert_true(is_there(fixture, ".leaderexec-notes.tmp"));
    assert_true(is_there(fixture, ".leaderexec-0123456789abcdeg.tmp"));
}

/* --- a disk that fails --- */

static void a_write_that_fails_is_unknown_and_leaves_nothing(void **state) {
    struct fixture *fixture = *state;
    static const int errors[] = {EIO, ENOSPC, EDQUOT, ESTALE};
    append_all(fixture, 1, 1);
    for (int named = 0; named < 2; named++) {
        disk.no_tmpfile = named == 1;
        for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
            disk.fsync_errno = errors[i];
            struct log_answer answer = ask(fixture->store, an_append(2));
            assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
            assert_non_null(strstr(answer.reason, "slot 2"));
            assert_non_null(strstr(answer.reason, strerror(errors[i])));
            assert_int_equal(count_names(fixture->folder), 1);
        }
        disk.fsync_errno = 0;
    }
    append_all(fixture, 2, 2);
}

static void a_link_whose_answer_is_lost_is_unknown_and_then_exists(void **state) {
    struct fixture *fixture = *state;
    static const int errors[] = {EIO, EROFS, ESTALE};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        int64_t seq = (int64_t)i + 1;
        disk.link_errno = errors[i];
        assert_int_equal(ask(fixture->store, an_append(seq)).outcome, OUTCOME_UNKNOWN);
        disk.link_errno = 0;
        assert_int_equal(ask(fixture->store, a_read(seq)).slot.kind, SLOT_VACANCY);
        assert_int_equal(ask(fixture->store, an_append(seq)).outcome, OUTCOME_EXISTS);
    }
}

static void a_slot_that_a_power_cut_might_take_is_unknown(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    disk.folder_fsync_errno = EIO;
    assert_int_equal(ask(fixture->store, an_append(2)).outcome, OUTCOME_UNKNOWN);
    assert_int_equal(ask(fixture->store, an_append(2)).outcome, OUTCOME_UNKNOWN); /* there, but no more certain */
    disk.folder_fsync_errno = 0;
    assert_int_equal(ask(fixture->store, an_append(2)).outcome, OUTCOME_EXISTS);
}

static void it_works_without_proc_and_without_files_that_have_no_name(void **state) {
    struct fixture *fixture = *state;
    for (int way = 0; way < 3; way++) {
        disk.no_proc = way != 1;
        disk.no_tmpfile = way != 0;
        append_all(fixture, 2 * way + 1, 2 * way + 2);
        assert_int_equal(ask(fixture->store, an_append(2 * way + 1)).outcome, OUTCOME_EXISTS);
        struct log_answer answer = ask(fixture->store, a_listing());
        assert_int_equal(answer.listing.head_seq, 2 * way + 2);
        assert_true(answer.listing.date_ms >= answer.listing.head_modified_ms);
        assert_int_equal(count_names(fixture->folder), 2 * way + 2);
    }
}

static void a_killed_append_leaves_a_whole_slot_or_none(void **state) {
    struct fixture *fixture = *state;
    char body[RECORD_JSON_MAX];
    int whole = 0;
    memset(body, 'x', sizeof body);
    append_all(fixture, 1, 1);
    for (int64_t seq = 2; seq <= 121; seq++) {
        char name[64], path[256];
        struct stat status;
        struct log_request append = an_append(seq);
        append.body = body;
        append.body_length = sizeof body;
        disk.no_tmpfile = seq % 2 == 0;
        submit(fixture->store, append);
        (void)usleep((useconds_t)(seq * 20)); /* from before its first step to behind its last */
        assert_int_equal(ask(fixture->store, a_read(1)).outcome, OUTCOME_DONE); /* ends the append */
        (void)text_format(name, sizeof name, "%012lld-%lld", 999999999999LL - (long long)seq, (long long)seq);
        path_in_folder(fixture, path, name);
        if (stat(path, &status) != 0) continue;
        assert_int_equal(status.st_size, sizeof body);
        whole++;
    }
    assert_true(count_names(fixture->folder) >= whole + 1); /* and temporary files, which a trim removes */
}

/* --- a disk that hangs --- */

static void a_hanging_append_is_unknown_in_time_and_hinders_no_other_lane(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    struct log_request hopeless = an_append(2);
    hopeless.timeout_ms = 4000;
    hopeless.id = 9;
    disk.fsync_hangs = true;
    int64_t start_ns = clock_now().wait_ns;
    submit(fixture->store, hopeless);
    struct log_answer answer;
    for (int i = 0; i < 5; i++) {
        struct log_request read = a_read(1);
        read.lane = LOG_LANE_1;
        submit(fixture->store, read);
        assert_true(wait_for_answer(fixture->store, &answer, TIMEOUT_MS));
        assert_int_equal(answer.lane, LOG_LANE_1);
        assert_int_equal(answer.slot.kind, SLOT_VACANCY);
    }
    assert_true(wait_for_answer(fixture->store, &answer, TIMEOUT_MS));
    assert_true(clock_now().wait_ns - start_ns >= 4000 * NS_PER_MS);
    assert_int_equal(answer.id, 9);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    char expected[256];
    (void)text_format(expected, sizeof expected, "append of slot 2 to file:%s didn't return within 4s",
                      fixture->directory);
    assert_string_equal(answer.reason, expected);
    assert_no_worker_stays(fixture->store);
    disk.fsync_hangs = false;
    append_all(fixture, 2, 2);
}

/* Appends slot 1, and then hangs in the append of slot 2. Returns the worker that does. */
static pid_t hang(struct fixture *fixture) {
    append_all(fixture, 1, 1);
    assert_no_worker_stays(fixture->store);
    disk.fsync_hangs = true;
    submit(fixture->store, an_append(2));
    disk.fsync_hangs = false;
    pid_t worker = find_worker();
    assert_true(worker > 0);
    for (int i = 0; i < 1000 && *hanging != worker; i++) (void)usleep(10 * 1000);
    assert_int_equal(*hanging, worker);
    return worker;
}

static void a_worker_holds_no_descriptor_of_ours(void **state) {
    struct fixture *fixture = *state;
    int ours[2];
    assert_int_equal(pipe(ours), 0); /* no O_CLOEXEC, as a user's pipe */
    pid_t worker = hang(fixture);
    int pipes = 0, files = 0, folders = 0;
    for (int fd = 0; fd < 256; fd++) {
        char path[64];
        struct stat status;
        (void)text_format(path, sizeof path, "/proc/%d/fd/%d", (int)worker, fd);
        if (stat(path, &status) != 0) continue;
        bool is_pipe = S_ISFIFO(status.st_mode);
        assert_true(fd > STDERR_FILENO || is_pipe);
        pipes += is_pipe;
        folders += S_ISDIR(status.st_mode);
        files += S_ISREG(status.st_mode) && status.st_nlink == 0;
    }
    assert_int_equal(pipes, 4); /* nobody's as 0, 1 and 2, and the answer's */
    assert_int_equal(folders, 1);
    assert_int_equal(files, 1);
    /* The pipe has no writer but us: with our end closed its reader sees the end at once. */
    char byte;
    (void)close(ours[1]);
    assert_int_equal(fcntl(ours[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read(ours[0], &byte, 1), 0);
    (void)close(ours[0]);
}

static void a_worker_has_a_name_and_blocks_signals(void **state) {
    char path[64], line[256], name[64] = "";
    unsigned long long blocked = 0;
    (void)text_format(path, sizeof path, "/proc/%d/status", (int)hang(*state));
    FILE *status = fopen(path, "re");
    assert_non_null(status);
    while (fgets(line, sizeof line, status) != NULL) {
        (void)sscanf(line, "Name: %63s", name);
        (void)sscanf(line, "SigBlk: %llx", &blocked);
    }
    (void)fclose(status);
    assert_string_equal(name, "leaderexec-io");
    assert_true(blocked & (1ULL << (SIGTERM - 1)));
    assert_true(blocked & (1ULL << (SIGINT - 1)));
    assert_true(blocked & (1ULL << (SIGTSTP - 1)));
}

static void note_child(int signal) {
    (void)signal;
    disk.fsync_errno = -1;
}

static void whoever_waits_for_children_sees_no_worker(void **state) {
    struct fixture *fixture = *state;
    assert_ptr_not_equal(signal(SIGCHLD, note_child), SIG_ERR);
    pid_t worker = hang(fixture);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(kill(worker, SIGKILL), 0);
    struct log_answer answer;
    assert_true(wait_for_answer(fixture->store, &answer, TIMEOUT_MS));
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_non_null(strstr(answer.reason, "was killed"));
    assert_no_worker_stays(fixture->store);
    assert_int_equal(disk.fsync_errno, 0);
}

static void somebody_else_may_reap_the_workers(void **state) {
    struct fixture *fixture = *state;
    for (int64_t seq = 1; seq <= 5; seq++) {
        submit(fixture->store, an_append(seq));
        assert_true(waitpid(-1, NULL, __WALL) > 0);
        struct log_answer answer;
        assert_true(wait_for_answer(fixture->store, &answer, TIMEOUT_MS));
        assert_int_equal(answer.outcome, OUTCOME_DONE);
    }
}

static void a_worker_ends_with_the_process_that_started_it(void **state) {
    struct fixture *fixture = *state;
    int tell[2];
    pid_t worker = 0;
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    pid_t keeper = fork();
    assert_true(keeper >= 0);
    if (keeper == 0) {
        worker = hang(fixture);
        if (write(tell[1], &worker, sizeof worker) == sizeof worker) (void)pause();
        _exit(EXIT_FAILURE);
    }
    assert_int_equal(read(tell[0], &worker, sizeof worker), sizeof worker);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(waitpid(keeper, NULL, 0), keeper);
    assert_true(ends_soon(worker));
    (void)close(tell[0]);
    (void)close(tell[1]);
}

static void a_worker_of_a_stopped_process_ends_by_itself(void **state) {
    struct fixture *fixture = *state;
    int tell[2];
    pid_t worker = 0;
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    pid_t keeper = fork();
    assert_true(keeper >= 0);
    if (keeper == 0) {
        struct log_request request = an_append(1);
        request.timeout_ms = 300;
        disk.fsync_hangs = true;
        submit(fixture->store, request);
        worker = find_worker();
        if (write(tell[1], &worker, sizeof worker) == sizeof worker) (void)raise(SIGSTOP);
        _exit(EXIT_FAILURE);
    }
    assert_int_equal(read(tell[0], &worker, sizeof worker), sizeof worker);
    assert_true(ends_soon(worker));
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(waitpid(keeper, NULL, 0), keeper);
    (void)close(tell[0]);
    (void)close(tell[1]);
}

static void closing_ends_what_hangs(void **state) {
    struct fixture *fixture = *state;
    char reason[TEXT_REASON_SIZE];
    pid_t worker = hang(fixture);
    store_close(fixture->store);
    assert_true(ends_soon(worker));
    fixture->store = store_open_directory(fixture->directory, "locks/", "leader", reason);
    assert_non_null(fixture->store);
    assert_int_equal(ask(fixture->store, a_read(2)).outcome, OUTCOME_ABSENT);
}

static void a_disk_that_holds_many_workers_for_ever_gets_no_more(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    assert_no_worker_stays(fixture->store);
    disk.fsync_hangs = disk.unkillable = true;
    for (int i = 0; i < STUCK_MOST; i++) submit(fixture->store, an_append(2)); /* each replaces the one before */
    int64_t start_ns = clock_now().wait_ns;
    struct log_answer answer = ask(fixture->store, an_append(2));
    assert_true(clock_now().wait_ns - start_ns < TIMEOUT_MS * NS_PER_MS / 2);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_non_null(strstr(answer.reason, "hang"));
    disk.fsync_hangs = disk.unkillable = false;
    assert_int_equal(ask(fixture->store, an_append(2)).outcome, OUTCOME_UNKNOWN);
    int killed = 0;
    for (pid_t worker; (worker = find_worker()) != 0; killed++) {
        assert_int_equal(kill(worker, SIGKILL), 0);
        for (int i = 0; i < 100 && find_worker() == worker; i++)
            assert_int_equal(store_wait(fixture->store, NULL, 0, 50), 0);
        assert_int_not_equal(find_worker(), worker);
    }
    assert_int_equal(killed, STUCK_MOST);
    append_all(fixture, 2, 2); /* the disk is back */
}

int main(void) {
    (void)alarm(300);
    hanging = mmap(NULL, sizeof *hanging, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (hanging == MAP_FAILED) return EXIT_FAILURE;
#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        STORE_TEST(only_an_append_makes_folders),
        STORE_TEST(a_relative_directory_is_one_below_the_working_directory),
        STORE_TEST(names_that_are_no_folder_are_refused_when_it_is_opened),
        STORE_TEST(a_file_in_place_of_the_folder_is_refused),
        STORE_TEST(a_folder_without_permission_is_refused),
        STORE_TEST(a_read_only_folder_is_listed_but_has_no_clock),
        STORE_TEST(a_place_where_nothing_can_be_made_is_refused),
        STORE_TEST(only_names_of_slots_count),
        STORE_TEST(what_is_no_file_takes_a_slot_unread_and_stays),
        STORE_TEST(a_megabyte_and_nothing_at_all_are_unreadable),
        STORE_TEST(trimming_leaves_no_gap_where_a_young_slot_lies_before_an_old_one),
        STORE_TEST(trimming_a_long_log_goes_on_where_it_stopped),
        STORE_TEST(what_a_crash_left_is_removed_after_an_hour),
        STORE_TEST(a_write_that_fails_is_unknown_and_leaves_nothing),
        STORE_TEST(a_link_whose_answer_is_lost_is_unknown_and_then_exists),
        STORE_TEST(a_slot_that_a_power_cut_might_take_is_unknown),
        STORE_TEST(it_works_without_proc_and_without_files_that_have_no_name),
        STORE_TEST(a_killed_append_leaves_a_whole_slot_or_none),
        STORE_TEST(a_hanging_append_is_unknown_in_time_and_hinders_no_other_lane),
        STORE_TEST(a_worker_holds_no_descriptor_of_ours),
        STORE_TEST(a_worker_has_a_name_and_blocks_signals),
        STORE_TEST(whoever_waits_for_children_sees_no_worker),
        STORE_TEST(somebody_else_may_reap_the_workers),
        STORE_TEST(a_worker_ends_with_the_process_that_started_it),
        STORE_TEST(a_worker_of_a_stopped_process_ends_by_itself),
        STORE_TEST(closing_ends_what_hangs),
        STORE_TEST(a_disk_that_holds_many_workers_for_ever_gets_no_more),
    };
    return cmocka_run_group_tests_name("directory", tests, NULL, NULL);
}

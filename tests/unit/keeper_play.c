/* Scenes with real keepers and guards; see keeper_play.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "keeper_play.h"
#include "process/procfs.h"

#define PATIENCE_MS 20000
#define FAMILY_MOST 256
#define FAILED      99

struct shared *shared;
int notes_heard;

static char ear[64];
static int nobody_writes[2]; /* what scenes have as standard input: it never becomes ready */
static char heard[256];
extern char **environ;

/* --- what is replaced --- */

/* Whether this call, one of those that a guard needs to set itself up, is to fail. */
static bool fails_now(bool needed) {
    errno = EPERM;
    return needed && shared != NULL && shared->setup_fails_at > 0 && shared->playing != getpid() &&
           --shared->setup_fails_at == 0;
}

static void note_clock(int clock) {
    if (shared != NULL && shared->clock_count < CLOCKS_MOST)
        shared->clocks[shared->clock_count++] = clock;
}

int timerfd_create(int clock, int flags) {
    note_clock(clock);
    if (fails_now(true)) return -1;
    return (int)syscall(SYS_timerfd_create, clock, flags);
}

/* The kernel's number of a timer that sends a signal is in glibc's. */
int timer_create(clockid_t clock, struct sigevent *event, timer_t *timer) {
    int number;
    note_clock(clock);
    if (fails_now(true)) return -1;
    if (syscall(SYS_timer_create, clock, event, &number) != 0) return -1;
    *timer = (timer_t)(intptr_t)number;
    return 0;
}

/* A guard may be held up at any point, and stopped right after it has set all of its timers. */
int timer_settime(timer_t timer, int flags, const struct itimerspec *spec, struct itimerspec *old) {
    bool in_guard = shared->playing != getpid();
    if (in_guard && shared->stall_ms > 0) {
        pause_ms(shared->stall_ms);
        shared->stall_ms = 0;
    }
    int result = (int)syscall(SYS_timer_settime, (int)(intptr_t)timer, flags, spec, old);
    if (in_guard && shared->stop_after > 0 && --shared->stop_after == 0) (void)raise(SIGSTOP);
    return result;
}

int timer_delete(timer_t timer) { return (int)syscall(SYS_timer_delete, (int)(intptr_t)timer); }

/* Who plays forks by fork(2) itself. */
pid_t __wrap_clone_plainly(unsigned long flags, int *pidfd);
pid_t __real_clone_plainly(unsigned long flags, int *pidfd);

pid_t __wrap_clone_plainly(unsigned long flags, int *pidfd) {
    bool of_command = (flags & CSIGNAL) == SIGCHLD;
    if (of_command) shared->forks++;
    errno = EAGAIN;
    return of_command && shared->no_fork ? -1 : __real_clone_plainly(flags, pidfd);
}

int kill(pid_t pid, int signal) {
    errno = EPERM;
    if (pid > 0 && signal != 0 && shared != NULL && shared->untouchable == pid) return -1;
    return (int)syscall(SYS_kill, pid, signal);
}

static int untouchable_fd = -1;

int pidfd_open(pid_t pid, unsigned flags) {
    int fd = (int)syscall(SYS_pidfd_open, pid, flags);
    if (shared->untouchable == pid) untouchable_fd = fd;
    if (shared->untouchable != pid && untouchable_fd == fd) untouchable_fd = -1;
    return fd;
}

int pidfd_send_signal(int fd, int signal, siginfo_t *info, unsigned flags) {
    errno = EPERM;
    if (fd == untouchable_fd) return -1;
    return (int)syscall(SYS_pidfd_send_signal, fd, signal, info, flags);
}

int prctl(int option, ...) {
    va_list arguments;
    va_start(arguments, option);
    unsigned long value = va_arg(arguments, unsigned long);
    va_end(arguments);
    if (fails_now(option == PR_SET_CHILD_SUBREAPER || option == PR_SET_PDEATHSIG)) return -1;
    bool of_command = option == PR_SET_PDEATHSIG && value == SIGKILL;
    if (of_command && shared->guard_dies_first) {
        pid_t guard = getppid();
        (void)kill(guard, SIGKILL);
        while (getppid() == guard) pause_ms(1);
    }
    return (int)syscall(SYS_prctl, option, value, 0, 0, 0);
}

/* --- the stage --- */

void pause_ms(int ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};
    (void)nanosleep(&left, NULL);
}

void scene_failed(const char *file, int line, const char *condition) {
    (void)dprintf(STDERR_FILENO, "%s:%d: not so: %s (errno %d)\n", file, line, condition, errno);
    _exit(FAILED);
}

int open_stage(void **state) {
    (void)state;
    if (shared == NULL)
        shared =
            mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return -1;
    memset(shared, 0, sizeof *shared);
    if (nobody_writes[1] == 0 && pipe2(nobody_writes, O_CLOEXEC) != 0) return -1;
    (void)text_copy(ear, sizeof ear, "/tmp/leaderexec-ear-XXXXXX");
    int fd = mkstemp(ear);
    if (fd < 0 || close(fd) != 0 || setenv("EAR", ear, 1) != 0) return -1;
    return prctl(PR_SET_CHILD_SUBREAPER, 1UL);
}

int close_stage(void **state) {
    (void)state;
    return unlink(ear);
}

static void kill_our_children(void) {
    char path[64], pids[4096] = "";
    (void)text_format(path, sizeof path, "/proc/self/task/%d/children", (int)gettid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, pids, sizeof pids - 1) > 0) {
        for (char *at = pids; *at != '\0'; at += strspn(at, " "))
            (void)kill((pid_t)strtol(at, &at, 10), SIGKILL);
    }
    if (fd >= 0) (void)close(fd);
}

/* Whether all that came to us is gone within patience_ms; what isn't is killed then. */
static bool all_leave(int patience_ms) {
    int waited_ms = 0;
    for (; waitpid(-1, NULL, WNOHANG | __WALL) >= 0; waited_ms++) {
        if (waited_ms >= patience_ms) kill_our_children();
        pause_ms(1);
    }
    return waited_ms < patience_ms;
}

/* As the leader of a session, to get a controlling terminal. Who sits at its other end dies with
 * us. */
static void open_terminal(void) {
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR);
    CHECK(terminal >= 0);
    if (_Fork() == 0) {
        (void)syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
        (void)close(terminal);
        (void)setsid();
        while (!shared->press_interrupt) pause_ms(1);
        if (write(master, "\x03", 1) != 1) _exit(FAILED);
        for (;;) (void)pause();
    }
    (void)close(master);
}

/* A debugger beside the play, which freezes whom it is told to. */
static pid_t start_freezer(void) {
    pid_t pid = _Fork();
    if (pid != 0) return pid;
    (void)syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    for (pid_t last = 0;; pause_ms(1)) {
        pid_t frozen = shared->frozen;
        if (frozen == last) continue;
        last = frozen;
        bool done = ptrace(PTRACE_SEIZE, frozen, NULL, NULL) == 0 &&
                    ptrace(PTRACE_INTERRUPT, frozen, NULL, NULL) == 0 &&
                    waitpid(frozen, NULL, __WALL) == frozen;
        shared->is_frozen = done;
        if (done) (void)waitpid(frozen, NULL, __WALL); /* its end, which its parent hears of then */
    }
}

static void play_somewhere(play_scene *scene, int signal, bool on_terminal) {
    pid_t freezer = start_freezer();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        static struct keeper keeper;
        (void)setsid(); /* no terminal */
        (void)dup2(nobody_writes[0], STDIN_FILENO);
        shared->playing = getpid();
        if (on_terminal) open_terminal();
        scene(&keeper);
        _exit(EXIT_SUCCESS);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)kill(freezer, SIGKILL);
    bool as_wanted = signal == 0 ? status == 0 : WIFSIGNALED(status) && WTERMSIG(status) == signal;
    bool alone = all_leave(as_wanted ? PATIENCE_MS / 4 : 0);
    assert_true(as_wanted);
    assert_true(alone);
}

void play(play_scene *scene, int signal) { play_somewhere(scene, signal, false); }

void play_on_terminal(play_scene *scene) { play_somewhere(scene, 0, true); }

/* --- in a scene --- */

struct keeper_options usual(int64_t ttl_ns, const char *script) {
    static char *argv[] = {"sh", "-c", NULL, NULL};
    argv[2] = strdup(script); /* the process that plays doesn't live long */
    return (struct keeper_options){.argv = argv,
                                   .environment = environ,
                                   .stop_signal = SIGTERM,
                                   .ttl_ns = ttl_ns,
                                   .margin_ns = ttl_ns / 8,
                                   .kill_after_ns = ttl_ns / 8,
                                   .stop_timeout_ns = INT64_MAX};
}

void begin_with(struct keeper *keeper, const struct keeper_options *options) {
    char reason[TEXT_REASON_SIZE];
    CHECK(keeper_init(keeper, options, reason) == 0);
    shared->guard = keeper->guard;
}

void begin(struct keeper *keeper, int64_t ttl_ns, const char *script) {
    struct keeper_options options = usual(ttl_ns, script);
    begin_with(keeper, &options);
}

int64_t start(struct keeper *keeper, int64_t token) {
    int64_t lease_end_ns = clock_now().lease_ns + keeper->options.ttl_ns;
    CHECK(keeper_start(keeper, token, lease_end_ns) == 0);
    return lease_end_ns;
}

/* Waits and takes an event; KEEPER_NOTHING where none came within ns. */
static struct keeper_event turn(struct keeper *keeper, int64_t end_ns) {
    for (;;) {
        struct keeper_event event;
        struct instant now = clock_now();
        CHECK(keeper_next(keeper, now, &event) == 0);
        if (event.type != KEEPER_NOTHING || now.lease_ns >= end_ns) return event;
        struct pollfd fds[KEEPER_POLLFDS];
        keeper_pollfds(keeper, fds);
        int64_t delay_ns = keeper_wake_ns(keeper, now);
        if (delay_ns > end_ns - now.lease_ns) delay_ns = end_ns - now.lease_ns;
        (void)poll(fds, KEEPER_POLLFDS, (int)((delay_ns + NS_PER_MS - 1) / NS_PER_MS));
    }
}

struct keeper_event next_event(struct keeper *keeper) {
    struct keeper_event event = turn(keeper, clock_now().lease_ns + PATIENCE_MS * NS_PER_MS);
    CHECK(event.type != KEEPER_NOTHING);
    return event;
}

struct keeper_event event_within(struct keeper *keeper, int64_t ns) {
    int64_t end_ns = clock_now().lease_ns + ns;
    struct keeper_event event = turn(keeper, end_ns);
    for (; event.type == KEEPER_NOTE; notes_heard++) event = turn(keeper, end_ns);
    return event;
}

struct keeper_event until_event(struct keeper *keeper) {
    struct keeper_event event = event_within(keeper, PATIENCE_MS * NS_PER_MS);
    CHECK(event.type != KEEPER_NOTHING);
    return event;
}

void expect_gone(struct keeper *keeper, enum keeper_end end, int exit_code) {
    struct keeper_event event = until_event(keeper);
    CHECK(event.type == KEEPER_GONE);
    CHECK(event.end == end);
    CHECK(event.exit_code == exit_code);
}

const char *hear(void) {
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms++) {
        int fd = open(ear, O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0);
        ssize_t got = read(fd, heard, sizeof heard - 1);
        bool whole = got > 0 && heard[got - 1] == '\n';
        if (whole) CHECK(ftruncate(fd, 0) == 0);
        (void)close(fd);
        if (whole) {
            heard[got - 1] = '\0';
            return heard;
        }
        pause_ms(1);
    }
    scene_failed(__FILE__, __LINE__, "something is heard");
}

bool nothing_was_heard(void) {
    struct stat status;
    return stat(ear, &status) == 0 && status.st_size == 0;
}

struct count {
    pid_t above[FAMILY_MOST]; /* found so far, the first is the one from which they descend */
    int count;
    bool grew;
};

static bool count_one(void *context, pid_t pid) {
    struct count *c = context;
    struct process_info info;
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = procfs_read(proc, pid, &info);
    (void)close(proc);
    for (int i = 0; i < c->count; i++) {
        if (c->above[i] == pid) return true;
    }
    for (int i = 0; error == 0 && i < c->count && c->count < FAMILY_MOST; i++) {
        if (c->above[i] != info.parent) continue;
        c->above[c->count++] = pid;
        c->grew = true;
        break;
    }
    return true;
}

void await_family(pid_t pid, int count) {
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(proc >= 0);
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 5) {
        struct count c = {.above = {pid}, .count = 1, .grew = true};
        while (c.grew) {
            c.grew = false;
            CHECK(procfs_all(proc, count_one, &c) == 0);
        }
        if (c.count - 1 == count) {
            (void)close(proc);
            return;
        }
        pause_ms(5);
    }
    scene_failed(__FILE__, __LINE__, "the family is there");
}

/* Reads /proc/PID/stat; returns what stands behind the name, and cuts the text there. NULL: gone.
 */
static char *read_stat(pid_t pid, char *text, size_t size) {
    char path[64];
    (void)text_format(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0) (void)close(fd);
    if (got <= 0) return NULL;
    text[got] = '\0';
    char *name_end = strrchr(text, ')');
    if (name_end == NULL || strlen(name_end) < 3) return NULL;
    *name_end = '\0';
    return name_end + 2;
}

static char state_of(pid_t pid) {
    char text[512];
    const char *rest = read_stat(pid, text, sizeof text);
    return rest == NULL ? 'X' : rest[0];
}

const char *name_of(pid_t pid) {
    static char text[512];
    return read_stat(pid, text, sizeof text) == NULL ? "" : strchr(text, '(') + 1;
}

void await_stopped(pid_t pid) {
    for (int waited_ms = 0; state_of(pid) != 'T'; waited_ms++) {
        CHECK(waited_ms < PATIENCE_MS);
        pause_ms(1);
    }
}

bool is_dead(pid_t pid) { return strchr("XZ", state_of(pid)) != NULL; }

void freeze(pid_t pid) {
    shared->is_frozen = false;
    shared->frozen = pid;
    for (int waited_ms = 0; !shared->is_frozen; waited_ms++) {
        CHECK(waited_ms < PATIENCE_MS);
        pause_ms(1);
    }
}

int count_descriptors(pid_t pid) {
    char path[64];
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        struct stat status;
        (void)text_format(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        count += lstat(path, &status) == 0;
    }
    return count;
}

void await_dead(pid_t pid) {
    for (int waited_ms = 0; !is_dead(pid); waited_ms++) {
        CHECK(waited_ms < PATIENCE_MS);
        pause_ms(1);
    }
}

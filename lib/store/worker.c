/* Processes that may hang in our place; see worker.h. */
#include "store/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define WORKER_NAME    "leaderexec-io"
#define FIRST_OWN_FD   3
#define CLOSE_FD_LIMIT 65536 /* where close_range(2) is missing */

/* --- in the worker --- */

static void close_others(int kept_fd) {
    unsigned kept = (unsigned)kept_fd;
    if (close_range(0, kept - 1, 0) == 0 && close_range(kept + 1, ~0U, 0) == 0) return;
    for (int fd = 0; fd < CLOSE_FD_LIMIT; fd++) {
        if (fd != kept_fd) (void)close(fd);
    }
}

/* Takes the numbers 0, 1 and 2 with a pipe that nobody reads: a library that complains on stderr mustn't write into a
 * file that happened to be opened as number 2. */
static bool occupy_standard_fds(void) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0 || fds[0] != STDIN_FILENO || fds[1] != STDOUT_FILENO) return false;
    return dup2(STDOUT_FILENO, STDIN_FILENO) >= 0 && dup2(STDOUT_FILENO, STDERR_FILENO) >= 0;
}

/* SIGKILL from the kernel when the time is over: it comes even where the process that should kill us is stopped. */
static bool limit_lifetime(int64_t lifetime_ms) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec spec = {
        .it_value = {.tv_sec = lifetime_ms / MS_PER_S, .tv_nsec = lifetime_ms % MS_PER_S * NS_PER_MS}};
    timer_t timer;
    return timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &spec, NULL) == 0;
}

static bool settle_in(pid_t parent, int64_t lifetime_ms, int *answer_fd) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) return false;
    (void)prctl(PR_SET_NAME, WORKER_NAME);
    *answer_fd = fcntl(*answer_fd, F_DUPFD_CLOEXEC, FIRST_OWN_FD);
    if (*answer_fd < 0) return false;
    close_others(*answer_fd);
    return occupy_standard_fds() && limit_lifetime(lifetime_ms);
}

/* --- in the caller --- */

/* fork(2), but for two things that it can't do: the child raises no SIGCHLD, and its pidfd comes with it, before
 * anybody can have reaped it. Every signal is blocked in the child, so that no handler of the caller's runs there. */
static pid_t start_process(int *pidfd) {
    sigset_t all, before;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, &before) != 0) return -1;
    *pidfd = -1; /* a kernel before 5.2 leaves it so */
#if defined(__s390x__)
    pid_t pid = (pid_t)syscall(SYS_clone, 0, CLONE_PIDFD, pidfd, NULL, NULL);
#else
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD, 0, pidfd, NULL, NULL);
#endif
    int error = errno;
    if (pid != 0) (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

int worker_start(struct worker *worker, int64_t lifetime_ms, worker_task *task, const void *input, const void *answer,
                 size_t answer_size) {
    *worker = WORKER_NONE;
    if (lifetime_ms <= 0 || answer_size == 0 || answer_size > WORKER_ANSWER_MAX) return -EINVAL;
    int fds[2], pidfd;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return -errno;
    pid_t parent = getpid();
    pid_t pid = start_process(&pidfd);
    if (pid == 0) {
        char result[WORKER_ANSWER_MAX] __attribute__((aligned(16)));
        memcpy(result, answer, answer_size);
        if (!settle_in(parent, lifetime_ms, &fds[1])) _exit(EXIT_FAILURE);
        task(input, result);
        bool told = write(fds[1], result, answer_size) == (ssize_t)answer_size;
        (void)close_range(0, ~0U, 0);
        _exit(told ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int error = pid < 0 ? errno : 0;
    (void)close(fds[1]);
    if (error != 0) {
        (void)close(fds[0]);
        return -error;
    }
    *worker = (struct worker){.pid = pid, .pidfd = pidfd, .answer_fd = fds[0]};
    return 0;
}

static void close_answer(struct worker *worker) {
    if (worker->answer_fd >= 0) (void)close(worker->answer_fd);
    worker->answer_fd = -1;
}

enum worker_state worker_collect(struct worker *worker, void *answer, size_t answer_size) {
    char result[WORKER_ANSWER_MAX];
    ssize_t got = read(worker->answer_fd, result, answer_size);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return WORKER_BUSY;
    close_answer(worker);
    if (got != (ssize_t)answer_size) return WORKER_DIED;
    memcpy(answer, result, answer_size);
    return WORKER_ANSWERED;
}

/* waitid(2) for this worker alone. __WCLONE: whatever became of its number, no child that others wait for is meant. */
static int wait_for(const struct worker *worker, siginfo_t *info, unsigned options) {
    bool by_fd = worker->pidfd >= 0;
    *info = (siginfo_t){.si_pid = 0};
    return waitid(by_fd ? P_PIDFD : P_PID, (id_t)(by_fd ? worker->pidfd : worker->pid), info,
                  (int)(options | WEXITED | WNOHANG | __WCLONE));
}

void worker_dismiss(struct worker *worker) {
    siginfo_t info;
    bool is_needless = worker->answer_fd < 0; /* one that answered ends by itself */
    close_answer(worker);
    /* A child that is still to be reaped has its number to itself, and nobody but us can reap it meanwhile. */
    if (!is_needless && wait_for(worker, &info, WNOWAIT) == 0) (void)kill(worker->pid, SIGKILL);
}

bool worker_reap(struct worker *worker) {
    siginfo_t info;
    if (wait_for(worker, &info, 0) == 0 && info.si_pid == 0) return false;
    worker_forget(worker); /* reaped just now; or ECHILD: by somebody who waits for any child */
    return true;
}

void worker_forget(struct worker *worker) {
    if (worker->pidfd >= 0) (void)close(worker->pidfd);
    *worker = WORKER_NONE;
}

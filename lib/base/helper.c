/* Processes that may hang in our place; see helper.h. */
#include "base/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/clone.h"

#define FIRST_OWN_FD   3
#define CLOSE_FD_LIMIT 65536 /* where close_range(2) is missing */

/* --- in the new process --- */

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

bool helper_settle_in(pid_t parent, const char *name, int64_t lifetime_ms, int *kept_fd) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) return false;
    (void)prctl(PR_SET_NAME, name);
    *kept_fd = fcntl(*kept_fd, F_DUPFD_CLOEXEC, FIRST_OWN_FD);
    if (*kept_fd < 0) return false;
    close_others(*kept_fd);
    return occupy_standard_fds() && limit_lifetime(lifetime_ms);
}

/* --- in the caller --- */

pid_t helper_fork_again(void) { return clone_plainly(SIGCHLD, NULL); }

/* fork(2), but for two things that it can't do: the child raises no SIGCHLD, and its pidfd comes with it, before
 * anybody can have reaped it. */
pid_t helper_fork(struct helper *helper) {
    sigset_t all, before;
    int pidfd = -1; /* a kernel before 5.2 leaves it so */
    *helper = HELPER_NONE;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, &before) != 0) return -1;
    pid_t pid = clone_plainly(CLONE_PIDFD, &pidfd);
    int error = errno;
    if (pid != 0) (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid > 0) *helper = (struct helper){.pid = pid, .pidfd = pidfd};
    errno = error;
    return pid;
}

/* waitid(2) for this one alone. __WCLONE: whatever became of its number, no child that others wait for is meant. */
static int wait_for(const struct helper *helper, siginfo_t *info, unsigned options) {
    bool by_fd = helper->pidfd >= 0;
    *info = (siginfo_t){.si_pid = 0};
    return waitid(by_fd ? P_PIDFD : P_PID, (id_t)(by_fd ? helper->pidfd : helper->pid), info,
                  (int)(options | WEXITED | WNOHANG | __WCLONE));
}

/* A child that is still to be reaped has its number to itself, and nobody but us can reap it meanwhile. */
bool helper_is_ours(const struct helper *helper) {
    siginfo_t info;
    return helper->pid > 0 && wait_for(helper, &info, WNOWAIT) == 0;
}

bool helper_reap(struct helper *helper) {
    siginfo_t info;
    if (helper->pid <= 0) return true;
    if (wait_for(helper, &info, 0) == 0 && info.si_pid == 0) return false;
    helper_forget(helper); /* reaped just now; or ECHILD: by somebody who waits for any child */
    return true;
}

void helper_forget(struct helper *helper) {
    if (helper->pidfd >= 0) (void)close(helper->pidfd);
    *helper = HELPER_NONE;
}

/* Signals and terminal at start; see signals.h. */
#include "process/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "process/descriptors.h"
#include "process/procfs.h"

static const int taken[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};

static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};

#define STOPS_COUNT   (sizeof stops / sizeof stops[0])
#define TAKEN_COUNT   (sizeof taken / sizeof taken[0])
#define ANCESTORS_MAX 64

static bool has_terminal(void) {
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return false;
    bool usable = tcgetpgrp(fd) >= 0;
    (void)close(fd);
    return usable;
}

/* The kernel's notion, but along our own line of parents: a group is looked after by a parent of another group in the
 * session, usually a shell. Our guard would look like one to the kernel, which then stops what it otherwise wouldn't.
 */
static bool is_orphaned(int proc) {
    pid_t session = getsid(0), group = getpgrp(), pid = getppid();
    for (int i = 0; i < ANCESTORS_MAX && pid > 0; i++) {
        if (getsid(pid) != session) return true;
        if (getpgid(pid) != group) return false;
        struct process_info info;
        if (procfs_read(proc, pid, &info) != 0) return false; /* hidden; the usual case is the likely one */
        pid = info.parent;
    }
    return true;
}

int signals_remember(struct signals_origin *origin, int proc) {
    sigset_t all;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, &origin->mask) != 0) return -errno;
    sigemptyset(&origin->ignored);
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN) sigaddset(&origin->ignored, number);
    }
    if (signal(SIGCHLD, SIG_DFL) == SIG_ERR) return -errno;
    origin->terminal = has_terminal();
    origin->leads_session = getsid(0) == getpid();
    origin->orphaned = is_orphaned(proc);
    return 0;
}

int signals_take(const struct signals_origin *origin) {
    sigset_t watched, mask = origin->mask;
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD); /* a child's end, or stop */
    sigaddset(&watched, SIGCONT); /* the guard's end */
    for (size_t i = 0; i < TAKEN_COUNT; i++) {
        if (!sigismember(&origin->ignored, taken[i])) sigaddset(&watched, taken[i]);
    }
    int fd = descriptor_raise(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
    if (fd < 0) return fd;
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGCONT);
    for (size_t i = 0; i < TAKEN_COUNT; i++) sigaddset(&mask, taken[i]);

    /* What stops the command must stop us too, or the shell has no stopped job to continue; but where there is no
     * shell, nothing may. */
    bool failed = signal(SIGPIPE, SIG_IGN) == SIG_ERR;
    for (size_t i = 0; i < STOPS_COUNT && origin->orphaned; i++)
        failed = failed || signal(stops[i], SIG_IGN) == SIG_ERR;
    failed = failed || sigprocmask(SIG_SETMASK, &mask, NULL) != 0;
    if (!failed) return fd;
    int error = -errno;
    (void)close(fd);
    return error;
}

static bool restore(const struct signals_origin *origin, int number) {
    return signal(number, sigismember(&origin->ignored, number) == 1 ? SIG_IGN : SIG_DFL) != SIG_ERR;
}

int signals_give_back(const struct signals_origin *origin) {
    bool restored = restore(origin, SIGPIPE);
    for (size_t i = 0; i < STOPS_COUNT; i++) restored = restored && restore(origin, stops[i]);
    return restored ? 0 : -errno;
}

bool signals_is_shutdown(int signal) { return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT; }

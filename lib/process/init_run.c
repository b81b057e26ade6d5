/* The first process of the command's namespace; see init.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clone.h"
#include "base/text.h"
#include "process/child.h"
#include "process/descriptors.h"
#include "process/guard.h"
#include "process/init.h"
#include "process/message.h"

#define REAPED_A_TURN 256 /* then others are heard: a bomb's dead never end */

struct first_process {
    struct child *child; /* our copy; its pid is the number in here */
    int socket;          /* to the guard */
    int signals;
    int stopped_by; /* a stop to be reported; 0: none */
    bool end_due;   /* the end is to be reported */
    int exit_code;
};

/* Ends the process; what is left in the namespace ends with it. */
static __attribute__((noreturn)) void leave(void) { _exit(EXIT_SUCCESS); }

static bool guard_is_gone(int socket) {
    struct pollfd fds = {.fd = socket, .events = POLLIN};
    return poll(&fds, 1, 0) < 0 || (fds.revents & POLLHUP) != 0;
}

/* Waits for the word to go on. */
static void await_start(int socket) {
    struct message m;
    int got = 0;
    while (got == 0) {
        struct pollfd fds = {.fd = socket, .events = POLLIN};
        (void)poll(&fds, 1, -1);
        got = message_receive(socket, &m);
    }
    if (got < 0 || guard_is_gone(socket)) leave();
}

/* What keeps the command from being run is told as if its exec had failed. */
static __attribute__((noreturn)) void fail(const struct first_process *in, int error) {
    (void)message_send(in->socket, &(struct message){.type = MESSAGE_READY, .error = error});
    (void)message_send(
        in->socket, &(struct message){.type = MESSAGE_ENDED, .exit_code = CHILD_EXIT_CANNOT_RUN});
    leave();
}

static int open_signals(struct first_process *in) {
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    in->signals = descriptor_raise(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
    return in->signals < 0 ? in->signals : 0;
}

static int start_command(struct first_process *in, const struct dead_man *dead_man) {
    struct child *child = in->child;
    pid_t pid = clone_plainly(SIGCHLD, NULL);
    if (pid < 0) return -errno;
    if (pid == 0) {
        struct message failed = {.type = MESSAGE_READY, .error = child_become(child, dead_man)};
        (void)message_send(in->socket, &failed);
        _exit(child_exit_code_of(failed.error));
    }
    if (!child->foreground) (void)setpgid(pid, pid); /* both sides, as child_start() does */
    child->pid = pid;
    return 0;
}

/* A signal for the rest reaches all in here but ourselves. */
static void obey(const struct first_process *in) {
    struct message m;
    int got;
    while ((got = message_receive(in->socket, &m)) > 0) {
        if (m.type == MESSAGE_SIGNAL) child_signal(in->child, m.signal);
        if (m.type != MESSAGE_REST) continue;
        (void)kill(-1, m.signal);
        (void)kill(-1, SIGCONT);
    }
    if (got < 0) leave(); /* the guard is gone, and the kernel is about to kill us */
}

static void command_changed(struct first_process *in, const siginfo_t *info) {
    if (info->si_code == CLD_STOPPED || info->si_code == CLD_TRAPPED) {
        in->stopped_by = info->si_status;
        return;
    }
    in->exit_code =
        info->si_code == CLD_EXITED ? info->si_status : CHILD_EXIT_SIGNALLED + info->si_status;
    in->end_due = true;
    in->stopped_by = 0;
    in->child->pid = 0;
}

enum reaped { REAPED_SOME, REAPED_ALL_FOR_NOW, REAPED_THE_LAST };

static enum reaped reap(struct first_process *in) {
    for (int i = 0; i < REAPED_A_TURN; i++) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | __WALL) != 0) {
            if (errno == ECHILD) return REAPED_THE_LAST;
        } else if (info.si_pid == 0) {
            return REAPED_ALL_FOR_NOW;
        } else if (info.si_pid == in->child->pid) {
            command_changed(in, &info);
        }
    }
    return REAPED_SOME;
}

/* A guard that is stopped reads nothing; it is told when it does again. */
static void report(struct first_process *in) {
    if (in->stopped_by != 0 &&
        message_send(in->socket,
                     &(struct message){.type = MESSAGE_STOPPED, .signal = in->stopped_by}) == 0)
        in->stopped_by = 0;
    if (in->end_due && message_send(in->socket, &(struct message){.type = MESSAGE_ENDED,
                                                                  .exit_code = in->exit_code}) == 0)
        in->end_due = false;
}

static void loop(struct first_process *in) {
    int timeout_ms = 0;
    for (;;) {
        bool owing = in->stopped_by != 0 || in->end_due;
        struct pollfd fds[] = {
            {.fd = in->socket, .events = (short)(POLLIN | (owing ? POLLOUT : 0))},
            {.fd = in->signals, .events = POLLIN}};
        struct signalfd_siginfo info;
        (void)poll(fds, sizeof fds / sizeof fds[0], timeout_ms);
        while (read(in->signals, &info, sizeof info) > 0) continue;
        obey(in);
        enum reaped reaped = reap(in);
        report(in);
        if (reaped == REAPED_THE_LAST && !in->end_due) return;
        timeout_ms = reaped == REAPED_SOME ? 0 : -1;
    }
}

/* The guard's name for itself was written over ours. */
static void rename_process(void) {
    (void)prctl(PR_SET_NAME, INIT_NAME);
    if (strcmp(program_invocation_name, GUARD_NAME) == 0)
        (void)text_copy(program_invocation_name, sizeof GUARD_NAME, INIT_NAME);
}

void init_run(struct child *child, const struct dead_man *dead_man, int socket) {
    struct first_process in = {.child = child, .socket = socket};
    const char *what;
    /* Its end is the end of us; who died before this line has hung up. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) leave();
    rename_process();
    child->shared_group = 0; /* it has no number in here; we are in it, and so will the command be */
    await_start(socket);
    int error = isolate_settle_in(&child->isolate, &what);
    if (error == 0) error = open_signals(&in);
    if (error == 0) error = start_command(&in, dead_man);
    if (error != 0) fail(&in, -error);
    int kept[] = {in.socket, in.signals}; /* the rest is the command's */
    descriptors_close_others(kept, sizeof kept / sizeof kept[0]);
    loop(&in);
    leave();
}

/* Becoming a keeper, and ceasing to be one; see keeper.h. */
#include "process/keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cores.h"
#include "base/text.h"
#include "process/descriptors.h"
#include "process/isolate.h"
#include "process/keeper_guard.h"
#include "process/message.h"
#include "process/procfs.h"
#include "process/signals.h"
#include "process/takeover.h"

#define READY_TIMEOUT_MS    30000
#define KEEPER_RT           1
#define LEAVE_TIMEOUT_MS    3000
#define CLOCKS_TOLERANCE_NS NS_PER_MS /* what several clocks are put together from may be rounded */
#define LEAVE_POLL_MS       5

static int fail(char *reason, int error, const char *what, const char *next) {
    (void)text_format(reason, TEXT_REASON_SIZE, "can't %s: %s%s%s", what, strerror(-error), next[0] == '\0' ? "" : ": ",
                      next);
    return error;
}

static bool spare(void *context, pid_t pid) {
    struct keeper *k = context;
    if (k->spared_count < KEEPER_SPARE_MAX) k->spared[k->spared_count++] = pid;
    return true;
}

/* Deadlines are told as instants of a clock that both must have: one reading of the guard's came between two of ours.
 * So it is for every later guard: where the children go doesn't change any more. */
static int compare_clocks(int64_t before_ns, int64_t guards_ns, int64_t after_ns, char *reason) {
    int64_t ahead_ns = guards_ns > after_ns ? guards_ns - after_ns : guards_ns < before_ns ? guards_ns - before_ns : 0;
    if (-CLOCKS_TOLERANCE_NS <= ahead_ns && ahead_ns <= CLOCKS_TOLERANCE_NS) return 0;
    (void)text_format(
        reason, TEXT_REASON_SIZE,
        "can't rely on the guard process: its clock differs by some %lld ms, since children of this process are "
        "started in another time namespace: enter that first (unshare --time --fork)",
        (long long)(ahead_ns / NS_PER_MS));
    return -EXDEV;
}

/* The guard was started after before_ns, an instant of the lease clock. */
static int await_guard(struct keeper *k, int64_t before_ns, char *reason) {
    struct message m = {.type = MESSAGE_READY};
    struct pollfd fds = {.fd = k->socket, .events = POLLIN};
    int got = 0;
    while (got == 0) {
        if (poll(&fds, 1, READY_TIMEOUT_MS) == 0) return fail(reason, -ETIMEDOUT, "start the guard process", "");
        got = message_receive(k->socket, &m);
    }
    if (got < 0) return fail(reason, got, "start the guard process", "");
    if (m.error != 0) return fail(reason, -m.error, m.text, "the guard process can't work");
    keeper_guard_ready(k, &m);
    return compare_clocks(before_ns, m.lease_now_ns, clock_now().lease_ns, reason);
}

static int look_around(struct keeper *k, struct signals_origin *origin, char *reason) {
    k->proc = procfs_open();
    if (k->proc == -EXDEV)
        return fail(reason, k->proc, "use /proc",
                    "it belongs to another PID namespace; mount its own (unshare --mount-proc)");
    if (k->proc < 0)
        return fail(reason, k->proc, "open /proc", "without it, what the command starts can't be found and stopped");
    int error = signals_remember(origin, k->proc);
    if (error != 0) return fail(reason, error, "block signals", "");
    k->foreground = origin->terminal;
    k->leads_session = origin->leads_session;
    int list = procfs_open_list(k->proc);
    if (list < 0 && list != -ENOTSUP) return fail(reason, list, "open the list of its own children in /proc", "");
    k->list = list < 0 ? 0 : list;
    /* Without the kernel's lists their age has to do. */
    error = procfs_children(k->proc, getpid(), 0, spare, k);
    if (error != 0 && error != -ENOTSUP) return fail(reason, error, "read the list of its own children in /proc", "");
    return 0;
}

/* Before the guard is forked, which so has no less. */
static int raise_priority(struct keeper *k, char *reason) {
    priority_remember(&k->given);
    if (!k->given.may_fork)
        return fail(reason, -EPERM, "start processes in the class SCHED_DEADLINE",
                    "let it be reset in them (chrt --reset-on-fork)");
    int error = priority_raise(&k->given, KEEPER_RT);
    if (error != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "can't get above the real-time priority %u that the command is to have: %s: it could keep "
                          "leaderexec from stopping it: choose a lower one (chrt)%s",
                          (unsigned)k->given.rt, error == -ERANGE ? "there is none" : strerror(-error),
                          error == -ERANGE ? "" : ", or allow one more (RLIMIT_RTPRIO, CAP_SYS_NICE)");
    }
    return error;
}

static int set_up(struct keeper *k, char *reason) {
    struct signals_origin origin;
    int error = look_around(k, &origin, reason);
    if (error != 0) return error;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail(reason, -errno, "become a subreaper", "");
    error = raise_priority(k, reason);
    if (error != 0) return error;
    k->isolate = (struct isolate){.wanted = k->options.isolate, .proc = k->proc};
    if (k->options.isolate) error = isolate_check(&k->isolate, reason);
    if (error != 0) return error;
    error = waker_make(&k->waker);
    if (error != 0) return fail(reason, error, "make timers", "");
    error = keeper_guard_prepare(k, &origin);
    if (error != 0) return fail(reason, error, "keep the command's arguments and descriptors", "");
    int64_t before_ns = clock_now().lease_ns;
    error = keeper_guard_start(k);
    if (error != 0) return fail(reason, error, "start the guard process", "");

    k->signals = signals_take(&origin);
    if (k->signals < 0) return fail(reason, k->signals, "take over signals", "");
    cores_forbid();
    return await_guard(k, before_ns, reason);
}

int keeper_init(struct keeper *keeper, const struct keeper_options *options, char *reason) {
    *keeper = (struct keeper){
        .options = *options, .state = KEEPER_IDLE, .socket = -1, .signals = -1, .proc = -1, .ack_by_ns = INT64_MAX};
    int error = set_up(keeper, reason);
    if (error != 0) keeper_deinit(keeper);
    return error;
}

/* Waits for the guard's end for so long. Returns whether it is over. */
static bool guard_left(struct keeper *k, int timeout_ms) {
    for (int waited_ms = 0;; waited_ms += LEAVE_POLL_MS) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_PID, (id_t)k->guard, &info, WEXITED | WSTOPPED | WNOHANG | __WALL) != 0) return true;
        bool stopped = info.si_pid != 0 && info.si_code == CLD_STOPPED;
        if (info.si_pid != 0 && !stopped) return true;
        if (stopped) (void)kill(k->guard, SIGCONT);
        if (waited_ms >= timeout_ms) return false;
        (void)poll(NULL, 0, LEAVE_POLL_MS);
    }
}

static void close_fd(int *fd) {
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}

/* Whether the guard says that somebody can't be signalled, in reason then. */
static bool guard_complains(const struct keeper *k, char *reason) {
    struct message m;
    while (k->socket >= 0 && message_receive(k->socket, &m) > 0) {
        if (m.type == MESSAGE_NOTE) return text_copy(reason, TEXT_REASON_SIZE, m.text) == 0;
    }
    return false;
}

/* Waits until nothing of the run is left, through the guard for as long as it works: killed, it would leave those that
 * it is killing to us alone. */
static int end_run(struct keeper *k, char *reason) {
    k->complained = 0; /* who is left is said once more */
    reason[0] = '\0';
    for (;;) {
        struct instant now = clock_now();
        struct keeper_event event = {.type = KEEPER_NOTHING};
        takeover_reap(k);
        if (k->state == KEEPER_RUNNING && guard_complains(k, reason)) return -EPERM;
        if (k->state == KEEPER_RUNNING && (k->guard == 0 || now.lease_ns >= takeover_due_ns(k)))
            takeover_begin(k, KEEPER_GUARD_LOST);
        if (k->state == KEEPER_TAKEOVER && takeover_step(k, now, &event)) return 0;
        if (event.type == KEEPER_NOTE) (void)text_copy(reason, TEXT_REASON_SIZE, event.text);
        if (reason[0] != '\0' && takeover_is_stuck(k)) return -EPERM;
        (void)poll(NULL, 0, LEAVE_POLL_MS);
    }
}

int keeper_finish(struct keeper *keeper, char *reason) {
    int result = 0;
    /* Which tells the guard to leave, as our death would; what it has to say is still heard. */
    if (keeper->socket >= 0) (void)shutdown(keeper->socket, SHUT_WR);
    if (keeper->state == KEEPER_RUNNING || keeper->state == KEEPER_TAKEOVER) {
        result = end_run(keeper, reason);
    } else if (keeper->guard > 0 && !guard_left(keeper, LEAVE_TIMEOUT_MS)) { /* it hangs, and nothing is below it */
        (void)kill(keeper->guard, SIGKILL);
        (void)guard_left(keeper, LEAVE_TIMEOUT_MS);
    }
    keeper->guard = 0;
    keeper->state = KEEPER_LOST;
    return result;
}

void keeper_deinit(struct keeper *keeper) {
    char reason[TEXT_REASON_SIZE]; /* who wants to know it has asked before */
    (void)keeper_finish(keeper, reason);
    close_fd(&keeper->socket);
    close_fd(&keeper->signals);
    close_fd(&keeper->proc);
    if (keeper->list > 0) (void)close(keeper->list);
    keeper->list = 0;
    if (keeper->tray > 0) (void)close(keeper->tray);
    keeper->tray = 0;
    waker_delete(&keeper->waker);
    keeper_guard_let_go(keeper);
}

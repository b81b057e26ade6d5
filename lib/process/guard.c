/* The guard's loop: what happened goes into guard_step(), what comes out is done; see guard.h. */
#include "process/guard.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/priority.h"
#include "base/text.h"
#include "process/dead_man.h"
#include "process/descendants.h"
#include "process/descriptors.h"
#include "process/kernel_timer.h"
#include "process/message.h"

#define TIMER_MARGIN_SHARE 8 /* so much of the margin between a deadline and the kernel's timer for it */
#define GUARD_RT           (PRIORITY_RT_MOST - 1) /* above any command that raises itself; its work is short */
#define CHILDREN_A_TURN    64 /* are reaped before anything else has its turn; an orphan comes with each new fork */
#define SIGNALS_A_TURN     16
#define NOTE_AFTER_ROUNDS  64 /* of killing, before somebody who can't be killed is worth a line */

struct guard_process {
    const struct guard_setup *setup;
    struct guard core;
    struct guard_actions actions;
    struct child child;
    struct dead_man dead_man; /* the run's */
    struct process_info self;
    pid_t group; /* the command's own; stays when the command has ended. 0: none */
    int list;    /* of our children; 0: none */
    int signals;
    int timer;
    struct waker waker; /* from just past the deadline on, for whoever stopped us */
    timer_t kill_timer; /* SIGKILL just before the lease's end: whatever else keeps us from working, the command itself
                           dies with us */
    bool more_children; /* may have ended */
    bool keeper_gone;
    bool leaving;
    unsigned sequence; /* the newest message from the keeper */
    bool ack_due;
    bool gone_due;
    struct message gone;
    unsigned kill_rounds;
    pid_t complained; /* about whom */
};

static void step(struct guard_process *g, struct guard_event event);

/* --- talking --- */

static void send_note(struct guard_process *g, const struct descendants_seen *seen) {
    if (seen->refused == 0 || seen->refused == g->complained || g->kill_rounds < NOTE_AFTER_ROUNDS) return;
    struct message note = {.type = MESSAGE_NOTE};
    descendants_describe_refusal(seen, note.text, sizeof note.text);
    if (message_send(g->setup->socket, &note) == 0) g->complained = seen->refused;
}

/* Says what is due and couldn't be said at once. A keeper that is stopped reads nothing; nothing here waits for it. */
static void send_due(struct guard_process *g) {
    if (g->ack_due) {
        struct message ack = {.type = MESSAGE_ACK, .sequence = g->sequence, .group = child_group(&g->child)};
        if (message_send(g->setup->socket, &ack) == 0) g->ack_due = false;
    }
    if (g->gone_due && message_send(g->setup->socket, &g->gone) == 0) g->gone_due = false;
}

static enum guard_event_type event_of(enum message_type type) {
    switch (type) {
    case MESSAGE_START:
        return GUARD_TOLD_START;
    case MESSAGE_EXTEND:
        return GUARD_TOLD_EXTEND;
    case MESSAGE_SHUTDOWN:
        return GUARD_TOLD_SHUTDOWN;
    case MESSAGE_LOST:
        return GUARD_TOLD_LOST;
    case MESSAGE_SIGNAL:
        return GUARD_TOLD_SIGNAL;
    case MESSAGE_READY:
    case MESSAGE_ACK:
    case MESSAGE_GONE:
    case MESSAGE_NOTE:
    case MESSAGE_REST:
    case MESSAGE_STOPPED:
    case MESSAGE_ENDED:
        break; /* those aren't the keeper's to send */
    }
    return GUARD_TICKED;
}

static void read_messages(struct guard_process *g) {
    struct message m;
    for (int read = 0; read < MESSAGES_A_TURN && !g->keeper_gone; read++) {
        int got = message_receive(g->setup->socket, &m);
        if (got == 0) return;
        if (got < 0) { /* the end of file; what else it may be, there is no keeper to obey */
            g->keeper_gone = true;
            return;
        }
        if (m.type != MESSAGE_SIGNAL) {
            g->sequence = m.sequence;
            g->ack_due = true;
        }
        step(g, (struct guard_event){
                    .type = event_of(m.type), .token = m.token, .lease_end_ns = m.lease_end_ns, .signal = m.signal});
    }
}

/* --- keeping the time --- */

/* The kernel's timers run past the deadline. SIGKILL comes as late as the lease allows, since it leaves those that the
 * command started to a keeper that may be stopped: a guard that only waits for its share of a processor must have had
 * it by then. Both are set again at every wake-up, so that a slewed BOOTTIME can't make them go off on a guard that
 * works: clock_arm_timer() wakes us at nine tenths. While it kills, only SIGCONT is left: who stops it once more
 * doesn't stop it for good. */
static void arm(struct guard_process *g) {
    int64_t now_ns = clock_now().lease_ns;
    int64_t wake_ns = g->actions.wake_ns, kill_ns = g->actions.kill_ns;
    (void)clock_arm_timer(g->timer, wake_ns);
    int64_t slack_ns = g->setup->config.margin_ns / TIMER_MARGIN_SHARE, end_ns = g->core.lease_end_ns - slack_ns;
    bool never = kill_ns == GUARD_NEVER, killing = g->core.state == GUARD_KILLING;
    waker_set(&g->waker, killing ? now_ns + g->setup->config.margin_ns : never ? GUARD_NEVER : kill_ns + slack_ns);
    /* Too late already, it is about to kill them all: then it gets as long for that as it ever does at least. */
    kernel_timer_set(g->kill_timer, never ? GUARD_NEVER : end_ns > now_ns + slack_ns ? end_ns : now_ns + slack_ns);
}

/* --- doing what was decided --- */

/* NOLINTNEXTLINE(misc-no-recursion): a start that fails is an event, which starts nothing */
static void launch(struct guard_process *g, int64_t token) {
    arm(g); /* first of all: whoever stops us, and the keeper, right after the fork has the kernel against him */
    if (clock_now().lease_ns >= g->actions.wake_ns) return; /* stopped since that was decided: the next tick ends it */
    int error = dead_man_set(&g->dead_man, g->setup->tray);
    if (error == 0) error = child_start(&g->child, token, &g->dead_man);
    dead_man_let_go(&g->dead_man);
    g->group = child_group(&g->child);
    if (!g->setup
             ->restartable) { /* the command has them now; kept open here, a reader that it closes would never know */
        int kept[] = {g->setup->socket,   g->setup->tray,
                      g->setup->proc,     g->list > 0 ? g->list : g->timer,
                      g->signals,         g->timer,
                      g->child.report,    g->dead_man.own[0],
                      g->dead_man.own[1], g->child.init.socket};
        descriptors_close_others(kept, sizeof kept / sizeof kept[0]);
    }
    if (error == 0) return;
    step(g,
         (struct guard_event){.type = GUARD_COMMAND_ENDED, .exit_code = CHILD_EXIT_CANNOT_RUN, .exec_errno = -error});
}

static void signal_all(struct guard_process *g, int signal) {
    struct descendants who = {.proc = g->setup->proc, .root = getpid(), .list = g->list, .group = g->group};
    struct descendants_seen seen;
    if (signal != SIGKILL && g->child.init.pid != 0) { /* who is below it is its to know */
        init_signal_rest(&g->child.init, signal);
        return;
    }
    if (signal == SIGKILL) child_signal(&g->child, SIGKILL); /* its group first, or its namespace, in one go */
    /* The kernel's turn has passed with that: were it to end us in the middle of the rest, a keeper that is stopped
     * would be all there is to go on. */
    if (signal == SIGKILL) kernel_timer_set(g->kill_timer, GUARD_NEVER);
    descendants_signal(&who, signal, &seen);
    if (signal != SIGKILL) return;
    g->kill_rounds++;
    send_note(g, &seen);
}

/* NOLINTNEXTLINE(misc-no-recursion): see launch() */
static void do_action(struct guard_process *g, const struct guard_action *action) {
    switch (action->type) {
    case GUARD_LAUNCH:
        launch(g, action->token);
        break;
    case GUARD_SIGNAL_COMMAND:
        child_signal(&g->child, action->signal);
        break;
    case GUARD_SIGNAL_GROUP: /* 0 would mean our own group, which is the one meant where it has no number */
        (void)kill(-g->setup->keeper_group, action->signal);
        break;
    case GUARD_SIGNAL_REST:
        signal_all(g, action->signal);
        break;
    case GUARD_KILL:
        signal_all(g, SIGKILL);
        break;
    case GUARD_REPORT:
        g->gone = (struct message){.type = MESSAGE_GONE,
                                   .out_of_time = action->out_of_time,
                                   .exit_code = action->exit_code,
                                   .error = action->exec_errno};
        g->gone_due = true;
        dead_man_release(&g->dead_man);
        g->group = 0;
        g->kill_rounds = 0;
        g->complained = 0;
        break;
    case GUARD_LEAVE:
        g->leaving = true;
        break;
    }
}

/* Actions can lead to events (a start that fails): their actions come first, and the times of the last step count. */
/* NOLINTNEXTLINE(misc-no-recursion): see launch() */
static void step(struct guard_process *g, struct guard_event event) {
    struct guard_actions actions;
    event.now_ns = clock_now().lease_ns;
    guard_step(&g->core, &event, &actions);
    g->actions.wake_ns = actions.wake_ns;
    g->actions.kill_ns = actions.kill_ns;
    for (size_t i = 0; i < actions.count; i++) do_action(g, &actions.item[i]);
}

/* --- noticing --- */

static void init_said(struct guard_process *g, const struct init_news *news) {
    struct guard_event event = {.type = GUARD_COMMAND_STOPPED, .signal = news->signal};
    if (news->type == INIT_NOTHING) return;
    if (news->type == INIT_COMMAND_ENDED)
        event = (struct guard_event){
            .type = GUARD_COMMAND_ENDED, .exit_code = news->exit_code, .exec_errno = news->exec_errno};
    step(g, event);
}

static void hear_init(struct guard_process *g) {
    struct init_news news;
    do {
        init_hear(&g->child.init, &news);
        init_said(g, &news);
    } while (news.type != INIT_NOTHING);
    init_send_owed(&g->child.init);
}

/* The first process of the command's namespace has ended, and so has all in it; or somebody stopped it. */
static void init_changed(struct guard_process *g, const siginfo_t *info) {
    struct init_news news;
    if (info->si_code == CLD_STOPPED || info->si_code == CLD_TRAPPED) {
        (void)kill(info->si_pid, SIGCONT);
        return;
    }
    init_reaped(&g->child.init, &news);
    init_said(g, &news);
}

static void reap(struct guard_process *g) {
    g->more_children = false;
    for (int turns = 0; turns < CHILDREN_A_TURN; turns++) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG) != 0) {
            if (errno == EINTR) continue;
            if (errno == ECHILD) step(g, (struct guard_event){.type = GUARD_ALL_DEAD});
            return;
        }
        if (info.si_pid == 0) return;
        if (info.si_pid == g->child.init.pid) init_changed(g, &info);
        if (info.si_pid != g->child.pid) continue;
        struct guard_event event = {.type = GUARD_COMMAND_STOPPED, .signal = info.si_status};
        if (info.si_code != CLD_STOPPED && info.si_code != CLD_TRAPPED) {
            event.type = GUARD_COMMAND_ENDED;
            child_ended(&g->child, &info, &event.exit_code, &event.exec_errno);
        }
        step(g, event);
    }
    g->more_children = true;
}

/* What is left stays readable. */
static void drain(const struct guard_process *g) {
    struct signalfd_siginfo infos[SIGNALS_A_TURN];
    uint64_t expirations;
    ssize_t signals = read(g->signals, infos, sizeof infos), timer = read(g->timer, &expirations, sizeof expirations);
    (void)signals, (void)timer;
}

static void loop(struct guard_process *g) {
    while (!g->leaving) {
        arm(g);
        short wanted = (short)(POLLIN | (g->ack_due || g->gone_due ? POLLOUT : 0));
        /* A socket whose other end is gone stays ready for ever. */
        struct pollfd fds[] = {
            {.fd = g->keeper_gone ? -1 : g->setup->socket, .events = wanted},
            {.fd = g->signals, .events = POLLIN},
            {.fd = g->timer, .events = POLLIN},
            {.fd = g->child.init.socket, .events = (short)(POLLIN | (init_owes(&g->child.init) ? POLLOUT : 0))}};
        (void)poll(fds, sizeof fds / sizeof fds[0], g->more_children ? 0 : -1);
        drain(g);
        /* The end of the file says so as well, unless a process that the keeper had just cloned holds its end, too. */
        if (getppid() != g->setup->keeper) g->keeper_gone = true;
        read_messages(g);
        if (g->keeper_gone) step(g, (struct guard_event){.type = GUARD_KEEPER_GONE});
        hear_init(g);
        reap(g);
        step(g, (struct guard_event){.type = GUARD_TICKED});
        send_due(g);
    }
}

/* --- setting up --- */

/* A name of our own: who looks for leaderexec by its command line shouldn't find both. */
static void rename_process(const struct process_info *self) {
    (void)prctl(PR_SET_NAME, GUARD_NAME);
    /* Where the kernel has them is where we have them, unless an emulator (valgrind) runs us: those aren't ours to
     * write to. */
    if (self->arguments_start != (uintptr_t)program_invocation_name || self->arguments_end <= self->arguments_start)
        return;
    char *arguments = program_invocation_name;
    size_t size = self->arguments_end - self->arguments_start;
    memset(arguments, 0, size);
    (void)text_copy(arguments, size, GUARD_NAME);
}

static int open_descriptors(struct guard_process *g) {
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGCONT);
    g->signals = descriptor_raise(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
    g->timer = descriptor_raise(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    return g->signals < 0 ? g->signals : g->timer < 0 ? g->timer : 0;
}

/* Returns 0, or -errno with what was tried in *what. */
static int set_up(struct guard_process *g, const char **what) {
    const struct guard_setup *setup = g->setup;
    const int own[] = {setup->socket, setup->tray, setup->proc};
    *what = "be as leaderexec was started";
    int error = inherited_take_back(setup->inherited, own, sizeof own / sizeof own[0]);
    if (error == 0) error = signals_give_back(setup->signals);
    if (error == 0 && setrlimit(RLIMIT_CORE, setup->cores) != 0) error = -errno;
    if (error != 0) return error;

    *what = "read its own /proc/PID/stat";
    error = procfs_read(setup->proc, getpid(), &g->self);
    if (error != 0) return error;
    rename_process(&g->self);

    *what = "open the list of its own children in /proc";
    int list = procfs_open_list(setup->proc);
    if (list < 0 && list != -ENOTSUP) return list;
    g->list = list < 0 ? 0 : list;

    *what = "leave the process group";
    bool group_has_no_number = g->child.foreground && setup->keeper_group == 0;
    if (!group_has_no_number && setpgid(0, 0) != 0) return -errno;

    *what = "become a subreaper";
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return -errno;
    *what = "be told of the keeper's death"; /* SIGCONT: whoever stopped us, we go on and find the keeper gone */
    if (prctl(PR_SET_PDEATHSIG, SIGCONT) != 0) return -errno;

    *what = "keep a real-time priority above the command's";
    error = priority_raise(&setup->child->origin.priority, GUARD_RT);
    if (error != 0) return error;
    *what = "make timers";
    error = waker_make(&g->waker);
    if (error == 0) error = kernel_timer_make(SIGKILL, &g->kill_timer);
    if (error == 0) error = open_descriptors(g);
    return error;
}

static void tear_down(struct guard_process *g) {
    waker_delete(&g->waker);
    (void)timer_delete(g->kill_timer);
    (void)close(g->signals);
    (void)close(g->timer);
    if (g->list > 0) (void)close(g->list);
    dead_man_close(&g->dead_man);
    (void)close(g->setup->proc);
    (void)close(g->setup->tray);
    (void)close(g->setup->socket);
}

void guard_run(const struct guard_setup *setup) {
    struct guard_process g = {
        .setup = setup, .child = *setup->child, .actions = {.wake_ns = GUARD_NEVER, .kill_ns = GUARD_NEVER}};
    guard_init(&g.core, &setup->config);
    const char *what = "";
    struct message ready = {.type = MESSAGE_READY};
    ready.error = -set_up(&g, &what);
    (void)text_copy(ready.text, sizeof ready.text, what);
    ready.lease_now_ns = clock_now().lease_ns;
    int sent = message_send(setup->socket, &ready);
    if (ready.error != 0 || sent != 0) _exit(EXIT_FAILURE);
    memory_lock(setup->memory, setup + 1); /* the keeper needn't wait for that */
    loop(&g);
    tear_down(&g);
    _exit(EXIT_SUCCESS);
}

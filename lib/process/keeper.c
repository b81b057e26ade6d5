/* The keeper's side of a run: what comes from guard, signals and the clock; see keeper.h. Setting up is in
 * keeper_init.c, the killing without a guard in takeover.c. */
#include "process/keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "process/dead_man.h"
#include "process/keeper_guard.h"
#include "process/message.h"
#include "process/signals.h"
#include "process/takeover.h"

#define ACK_TTL_FRACTION 6  /* no acknowledgement within TTL / 6: the guard hangs */
#define SIGNALS_A_TURN   64 /* are read before anything else has its turn */
#define SEND_AGAIN_NS    (10 * NS_PER_MS)

/* --- telling the guard --- */

static void send_unsent(struct keeper *k) {
    size_t sent = 0;
    while (sent < k->unsent_count && message_send(k->socket, &k->unsent[sent]) == 0) sent++;
    k->unsent_count -= sent;
    memmove(k->unsent, k->unsent + sent, k->unsent_count * sizeof k->unsent[0]);
}

/* What can't be sent now is sent later, and nothing before it: the guard acknowledges the newest that it has, so nobody
 * would miss a stop that got lost before an extension. What is acknowledged finds room: the first of them that isn't,
 * for TTL / 6, has the guard taken for lost before there can be many. */
static void post(struct keeper *k, const struct message *message) {
    size_t room = message->type == MESSAGE_SIGNAL ? KEEPER_UNSENT_MAX / 2 : KEEPER_UNSENT_MAX;
    if (k->unsent_count < room) k->unsent[k->unsent_count++] = *message;
    send_unsent(k);
}

/* A message that doesn't get through stays unacknowledged, which keeper_next() acts on, as it does on a guard's end. */
static int tell(struct keeper *k, struct message message) {
    if (k->socket < 0) return 0;
    message.sequence = ++k->sequence;
    if (k->ack_by_ns == INT64_MAX) k->ack_by_ns = clock_now().lease_ns + k->options.ttl_ns / ACK_TTL_FRACTION;
    post(k, &message);
    return 0;
}

int keeper_start(struct keeper *keeper, int64_t token, int64_t lease_end_ns) {
    if (keeper->state == KEEPER_LOST) return -ESRCH;
    if (keeper->state != KEEPER_IDLE) return -EBUSY;
    bool was_last = keeper->started && !keeper->options.restartable;
    if (was_last && !keeper_guard_is_there(keeper)) return -ESRCH;
    if (!keeper->options.restartable) keeper_guard_let_go(keeper); /* the last run: what it inherits is its own */
    keeper->state = KEEPER_RUNNING;
    keeper->started = true;
    keeper->lease_end_ns = lease_end_ns;
    keeper->stopping = false;
    keeper->unsent_count = 0;
    keeper->group = 0;
    return tell(keeper, (struct message){.type = MESSAGE_START, .token = token, .lease_end_ns = lease_end_ns});
}

static bool is_under_way(const struct keeper *k) { return k->state == KEEPER_RUNNING || k->state == KEEPER_TAKEOVER; }

int keeper_extend(struct keeper *keeper, int64_t lease_end_ns) {
    if (!is_under_way(keeper)) return -ESRCH;
    if (keeper->state == KEEPER_TAKEOVER || lease_end_ns <= keeper->lease_end_ns) return 0;
    keeper->lease_end_ns = lease_end_ns;
    return tell(keeper, (struct message){.type = MESSAGE_EXTEND, .lease_end_ns = lease_end_ns});
}

/* What the command is sent for a signal that told us to shut down; 0: it has it already. */
static int stop_signal_for(const struct keeper *k, int signal, bool from_kernel) {
    if (from_kernel && k->foreground) return 0;
    return signal == SIGINT || signal == SIGQUIT ? signal : k->options.stop_signal;
}

int keeper_stop(struct keeper *keeper, enum keeper_stop mode, int signal, bool from_kernel) {
    if (!is_under_way(keeper)) return -ESRCH;
    if (keeper->state == KEEPER_TAKEOVER) return 0; /* it is being killed */
    keeper->stopping = true;
    switch (mode) {
    case KEEPER_STOP_SHUTDOWN:
        return tell(keeper,
                    (struct message){.type = MESSAGE_SHUTDOWN, .signal = stop_signal_for(keeper, signal, from_kernel)});
    case KEEPER_STOP_LOST:
        return tell(keeper, (struct message){.type = MESSAGE_LOST, .signal = keeper->options.stop_signal});
    }
    return -EINVAL;
}

static void pass_on(struct keeper *k, int signal) {
    if (k->state != KEEPER_RUNNING || signal == 0) return;
    struct message message = {.type = MESSAGE_SIGNAL, .signal = signal};
    if (k->socket >= 0) post(k, &message);
}

/* --- what comes from the guard --- */

static void gone(struct keeper *k, struct keeper_event *event) {
    k->state = KEEPER_IDLE;
    k->ack_by_ns = INT64_MAX;
    dead_man_forget(k->tray);
    event->type = KEEPER_GONE;
}

static void note(struct keeper_event *event, const char *text) {
    event->type = KEEPER_NOTE;
    (void)text_copy(event->text, sizeof event->text, text);
}

static void guard_said(struct keeper *k, struct instant now, const struct message *m, struct keeper_event *event) {
    switch (m->type) {
    case MESSAGE_ACK:
        k->group = m->group;
        /* An older one shows that the guard works; the newest has as long again. */
        k->ack_by_ns = m->sequence == k->sequence ? INT64_MAX : now.lease_ns + k->options.ttl_ns / ACK_TTL_FRACTION;
        break;
    case MESSAGE_GONE:
        if (k->state != KEEPER_RUNNING) break;
        event->end = m->out_of_time ? KEEPER_OUT_OF_TIME : KEEPER_ENDED;
        event->exit_code = m->exit_code;
        event->exec_errno = m->error;
        gone(k, event);
        break;
    case MESSAGE_NOTE:
        note(event, m->text);
        break;
    case MESSAGE_READY:
        keeper_guard_ready(k, m);
        break;
    case MESSAGE_START:
    case MESSAGE_EXTEND:
    case MESSAGE_SHUTDOWN:
    case MESSAGE_LOST:
    case MESSAGE_SIGNAL:
    case MESSAGE_REST:
    case MESSAGE_STOPPED:
    case MESSAGE_ENDED:
        break; /* not the guard's to say */
    }
}

static void read_guard(struct keeper *k, struct instant now, struct keeper_event *event) {
    for (int read = 0; read < MESSAGES_A_TURN && k->socket >= 0 && event->type == KEEPER_NOTHING; read++) {
        struct message m;
        int got = message_receive(k->socket, &m);
        if (got == 0) return;
        if (got > 0) {
            guard_said(k, now, &m, event);
            continue;
        }
        (void)close(k->socket);
        k->socket = -1;
    }
}

/* --- signals --- */

static void shutdown_signal(struct keeper *k, int signal, bool from_kernel, struct keeper_event *event) {
    unsigned bit = 1U << signal;
    if ((k->told & bit) != 0) return; /* told twice is told once */
    k->told |= bit;
    /* Who stops the command already needn't be who was told to: after a loss, say, the election must hear of it, or it
     * would run another one. */
    if (k->stopping) pass_on(k, stop_signal_for(k, signal, from_kernel));
    event->type = KEEPER_SIGNALLED;
    event->signal = signal;
    event->from_kernel = from_kernel;
}

static void signal_came(struct keeper *k, const struct signalfd_siginfo *info, struct keeper_event *event) {
    int signal = (int)info->ssi_signo;
    bool from_kernel = info->ssi_code == SI_KERNEL;
    if (signal == SIGCHLD || signal == SIGCONT) { /* of somebody who may have changed since our last look */
        k->look_again = true;
        return;
    }
    if (signals_is_shutdown(signal)) {
        shutdown_signal(k, signal, from_kernel, event);
        return;
    }
    /* The kernel tells the whole foreground group, but for a hang-up: that one only who leads the session. */
    bool has_it = from_kernel && k->foreground && !(signal == SIGHUP && k->leads_session);
    if (!has_it) pass_on(k, signal);
}

static int read_signals(struct keeper *k, struct keeper_event *event) {
    for (int turns = 0; turns < SIGNALS_A_TURN && event->type == KEEPER_NOTHING; turns++) {
        struct signalfd_siginfo info;
        ssize_t got = read(k->signals, &info, sizeof info);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN ? 0 : -errno;
        signal_came(k, &info, event);
    }
    return 0;
}

/* --- time --- */

/* Nothing runs and there is no guard. */
static void replace_guard(struct keeper *k, struct keeper_event *event) {
    char reason[TEXT_REASON_SIZE];
    bool was_last = k->started && !k->options.restartable;
    int error = was_last ? -ECHILD : keeper_guard_again(k, reason);
    if (error == -EAGAIN) return;
    if (error == 0) {
        note(event, "the guard process has died; another has taken its place");
        return;
    }
    k->state = KEEPER_LOST;
    if (was_last) return;
    event->type = KEEPER_BROKEN;
    (void)text_copy(event->text, sizeof event->text, reason);
}

static void judge(struct keeper *k, struct instant now, struct keeper_event *event) {
    switch (k->state) {
    case KEEPER_IDLE:
        if (!keeper_guard_is_there(k)) replace_guard(k, event);
        break;
    case KEEPER_RUNNING:
        if (now.lease_ns >= takeover_due_ns(k)) {
            takeover_begin(k, KEEPER_OUT_OF_TIME);
        } else if (k->guard == 0 || k->socket < 0 || now.lease_ns >= k->ack_by_ns) {
            takeover_begin(k, KEEPER_GUARD_LOST);
        }
        break;
    case KEEPER_TAKEOVER:
    case KEEPER_LOST:
        break;
    }
    if (k->state == KEEPER_TAKEOVER && takeover_step(k, now, event)) gone(k, event);
}

int keeper_next(struct keeper *keeper, struct instant now, struct keeper_event *event) {
    *event = (struct keeper_event){.type = KEEPER_NOTHING};
    takeover_reap(keeper); /* before the messages: what a dead guard said last is still read */
    if (keeper->guard_continued) {
        keeper->guard_continued = false;
        note(event, "the guard process was stopped by somebody; it has been continued");
        return 0;
    }
    if (keeper->state == KEEPER_RUNNING && keeper->socket >= 0) send_unsent(keeper);
    read_guard(keeper, now, event);
    if (event->type != KEEPER_NOTHING) return 0;
    int error = read_signals(keeper, event);
    if (error != 0 || event->type != KEEPER_NOTHING) return error;
    judge(keeper, now, event);
    return 0;
}

void keeper_pollfds(const struct keeper *keeper, struct pollfd out[KEEPER_POLLFDS]) {
    out[0] = (struct pollfd){.fd = keeper->signals, .events = POLLIN};
    out[1] = (struct pollfd){.fd = keeper->socket, .events = POLLIN};
}

int64_t keeper_wake_ns(const struct keeper *keeper, struct instant now) {
    int64_t at_ns = INT64_MAX;
    if (keeper->look_again || keeper->guard_continued) return 0;
    switch (keeper->state) {
    case KEEPER_IDLE:
        if (!keeper_guard_is_there(keeper)) return keeper->guard == 0 ? 0 : SEND_AGAIN_NS; /* it is dying */
        break;
    case KEEPER_RUNNING:
        if (!keeper_guard_is_there(keeper)) return 0;
        at_ns = takeover_due_ns(keeper) < keeper->ack_by_ns ? takeover_due_ns(keeper) : keeper->ack_by_ns;
        if (keeper->unsent_count > 0 && at_ns > now.lease_ns + SEND_AGAIN_NS) at_ns = now.lease_ns + SEND_AGAIN_NS;
        break;
    case KEEPER_TAKEOVER:
        at_ns = keeper->next_sweep_ns;
        break;
    case KEEPER_LOST:
        break;
    }
    if (at_ns == INT64_MAX) return INT64_MAX;
    return at_ns > now.lease_ns ? at_ns - now.lease_ns : 0;
}

/* The guard's decisions; see guard_step.h. */
#include "process/guard_step.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"

/* The killing starts without a pause, against processes that fork as fast as they can, and slows down before what can't
 * be killed. */
#define ROUNDS_AT_ONCE  32
#define ROUNDS_QUICK    256
#define ROUNDS_STEADY   512
#define QUICK_PAUSE_NS  (1 * NS_PER_MS)
#define STEADY_PAUSE_NS (10 * NS_PER_MS)
#define SLOW_PAUSE_NS   (100 * NS_PER_MS)

/* A command that reads a terminal which isn't its to read would be stopped and continued as fast as the machine can. */
#define TERMINAL_ACCESS_PAUSE_NS (100 * NS_PER_MS)

#define LATENESS_ALLOWANCE 2
#define LATENESS_FADES     32 /* by that part from look to look: what isn't seen again is halved in two leases */
#define LOOKS_A_TTL        12
#define EARLY_TTL_FRACTION 6

struct step {
    struct guard *g;
    const struct guard_event *event;
    struct guard_actions *actions;
};

static int64_t earlier(int64_t a_ns, int64_t b_ns) { return a_ns < b_ns ? a_ns : b_ns; }

static int64_t after(int64_t from_ns, int64_t delay_ns) {
    return delay_ns >= GUARD_NEVER - from_ns ? GUARD_NEVER : from_ns + delay_ns;
}

static struct guard_action *act(struct step *s, enum guard_action_type type) {
    assert(s->actions->count < GUARD_ACTIONS_MAX);
    struct guard_action *action = &s->actions->item[s->actions->count++];
    *action = (struct guard_action){.type = type};
    return action;
}

static void signal_command(struct step *s, int signal) { act(s, GUARD_SIGNAL_COMMAND)->signal = signal; }

/* A stopped process doesn't act on a signal before it is continued. */
static void ask_command_to_stop(struct step *s, int signal) {
    if (signal == 0) return;
    if (signal == s->g->config.stop_signal) s->g->stop_signal_sent = true;
    signal_command(s, signal);
    signal_command(s, SIGCONT);
}

static int64_t hard_time_ns(const struct guard *g) { return g->lease_end_ns - g->config.margin_ns; }

/* A guard that got a processor late will get it late again, and so will the dying: it begins earlier by twice that. */
static int64_t stop_time_ns(const struct guard *g) { return hard_time_ns(g) - g->config.kill_after_ns - g->early_ns; }

/* What is known only when it stops the command costs that at most half of its time. */
static int64_t kill_time_ns(const struct guard *g) {
    return hard_time_ns(g) - earlier(LATENESS_ALLOWANCE * g->late_ns, g->early_ns + g->config.kill_after_ns / 2);
}

/* How late this tick is, counted before it is known whether it has the command stopped. More than what can be allowed
 * for is no reason to allow for it longer: a guard that was stopped for an hour isn't late ever after. */
static void measure(struct step *s) {
    struct guard *g = s->g;
    int64_t now_ns = s->event->now_ns;
    if (now_ns >= g->look_ns) g->look_ns = after(now_ns, g->config.look_every_ns);
    if (now_ns < g->due_ns) return;
    int64_t late_ns = earlier(now_ns - g->due_ns, g->config.early_most_ns + g->config.kill_after_ns / 2);
    int64_t faded_ns = g->late_ns - g->late_ns / LATENESS_FADES;
    g->late_ns = late_ns > faded_ns ? late_ns : faded_ns;
    if (g->state != GUARD_RUNNING || now_ns >= stop_time_ns(g)) return;
    g->early_ns = earlier(LATENESS_ALLOWANCE * g->late_ns, g->config.early_most_ns);
}

#define TO(state) (1U << (state))

/* The only writer of the state. */
static void enter(struct step *s, enum guard_state state) {
    static const unsigned allowed[] = {
        [GUARD_IDLE] = TO(GUARD_RUNNING),
        [GUARD_RUNNING] = TO(GUARD_STOPPING) | TO(GUARD_CLEARING) | TO(GUARD_KILLING),
        [GUARD_STOPPING] = TO(GUARD_CLEARING) | TO(GUARD_KILLING),
        [GUARD_CLEARING] = TO(GUARD_KILLING) | TO(GUARD_IDLE),
        [GUARD_KILLING] = TO(GUARD_IDLE),
    };
    assert((allowed[s->g->state] & TO(state)) != 0);
    s->g->state = state;
    s->g->continue_ns = GUARD_NEVER;
}

static void kill_round(struct step *s) {
    struct guard *g = s->g;
    act(s, GUARD_KILL);
    int64_t pause_ns = SLOW_PAUSE_NS;
    if (g->rounds < ROUNDS_STEADY) pause_ns = STEADY_PAUSE_NS;
    if (g->rounds < ROUNDS_QUICK) pause_ns = QUICK_PAUSE_NS;
    if (g->rounds < ROUNDS_AT_ONCE) pause_ns = 0;
    if (g->rounds < ROUNDS_STEADY) g->rounds++;
    g->round_ns = s->event->now_ns + pause_ns;
}

static void begin_killing(struct step *s) {
    enter(s, GUARD_KILLING);
    s->g->rounds = 0;
    kill_round(s);
}

static void told_start(struct step *s) {
    struct guard *g = s->g;
    if (g->state != GUARD_IDLE || g->keeper_gone) return;
    g->lease_end_ns = s->event->lease_end_ns;
    g->patience_ns = GUARD_NEVER;
    g->stop_signal_sent = false;
    g->told = false;
    g->look_ns = g->config.look_every_ns == 0 ? GUARD_NEVER : after(s->event->now_ns, g->config.look_every_ns);
    g->late_ns = 0;
    g->early_ns = 0;
    g->out_of_time = false;
    if (s->event->now_ns >= stop_time_ns(g)) { /* the message came too late to begin anything */
        act(s, GUARD_REPORT)->out_of_time = true;
        return;
    }
    enter(s, GUARD_RUNNING);
    act(s, GUARD_LAUNCH)->token = s->event->token;
}

static void told_stop(struct step *s, int64_t patience_ns) {
    struct guard *g = s->g;
    bool told_before = g->told; /* else it was the deadline that had the command stopped, if it was */
    g->told = true;
    int64_t until_ns = after(s->event->now_ns, patience_ns);
    switch (g->state) {
    case GUARD_IDLE:
    case GUARD_KILLING:
        break;
    case GUARD_RUNNING:
        enter(s, GUARD_STOPPING);
        g->patience_ns = until_ns;
        ask_command_to_stop(s, s->event->signal);
        break;
    case GUARD_STOPPING: { /* told twice is told once, unless there is less time now */
        bool has_it = s->event->signal == g->config.stop_signal ? g->stop_signal_sent : told_before;
        g->patience_ns = earlier(g->patience_ns, until_ns);
        if (!has_it) ask_command_to_stop(s, s->event->signal);
        break;
    }
    case GUARD_CLEARING:
        g->patience_ns = earlier(g->patience_ns, until_ns);
        break;
    }
}

static void command_stopped(struct step *s) {
    struct guard *g = s->g;
    if (!g->config.answer_stops || (g->state != GUARD_RUNNING && g->state != GUARD_STOPPING)) return;
    int signal = s->event->signal;
    if (signal == SIGTSTP) act(s, GUARD_SIGNAL_GROUP)->signal = SIGCONT;
    if (signal == SIGTTIN || signal == SIGTTOU) g->continue_ns = after(s->event->now_ns, TERMINAL_ACCESS_PAUSE_NS);
}

static void command_ended(struct step *s) {
    struct guard *g = s->g;
    g->exit_code = s->event->exit_code;
    g->exec_errno = s->event->exec_errno;
    if (g->state != GUARD_RUNNING && g->state != GUARD_STOPPING) return;
    enter(s, GUARD_CLEARING);
    g->patience_ns = earlier(g->patience_ns, after(s->event->now_ns, g->config.kill_after_ns));
    act(s, GUARD_SIGNAL_REST)->signal = SIGTERM;
}

static void all_dead(struct step *s) {
    struct guard *g = s->g;
    if (g->state != GUARD_CLEARING && g->state != GUARD_KILLING) return;
    enter(s, GUARD_IDLE);
    struct guard_action *action = act(s, GUARD_REPORT);
    action->out_of_time = g->out_of_time;
    action->exit_code = g->exit_code;
    action->exec_errno = g->exec_errno;
    if (g->keeper_gone) act(s, GUARD_LEAVE);
}

static void keeper_gone(struct step *s) {
    struct guard *g = s->g;
    if (g->keeper_gone) return;
    g->keeper_gone = true;
    if (g->state == GUARD_IDLE) {
        act(s, GUARD_LEAVE);
    } else if (g->state != GUARD_KILLING) {
        begin_killing(s);
    }
}

static void ticked_running(struct step *s) {
    struct guard *g = s->g;
    if (s->event->now_ns >= stop_time_ns(g)) {
        g->out_of_time = true;
        enter(s, GUARD_STOPPING);
        /* As long as ever, even if the lease is extended now: what was asked to stop doesn't live on by ignoring it. */
        g->patience_ns = after(s->event->now_ns, g->config.kill_after_ns);
        ask_command_to_stop(s, g->config.stop_signal);
    } else if (s->event->now_ns >= g->continue_ns) {
        g->continue_ns = GUARD_NEVER;
        act(s, GUARD_SIGNAL_GROUP)->signal = SIGCONT;
    }
}

static void ticked_stopping(struct step *s) {
    struct guard *g = s->g;
    if (s->event->now_ns >= g->patience_ns) {
        begin_killing(s);
    } else if (s->event->now_ns >= stop_time_ns(g) && !g->stop_signal_sent) {
        ask_command_to_stop(s, g->config.stop_signal);
    } else if (s->event->now_ns >= g->continue_ns) {
        g->continue_ns = GUARD_NEVER;
        act(s, GUARD_SIGNAL_GROUP)->signal = SIGCONT;
    }
}

static void ticked(struct step *s) {
    struct guard *g = s->g;
    bool alive = g->state != GUARD_IDLE && g->state != GUARD_KILLING;
    if (alive && s->event->now_ns >= kill_time_ns(g)) { /* past the killing time nobody is asked first */
        g->out_of_time = g->out_of_time || g->state != GUARD_CLEARING;
        begin_killing(s);
        return;
    }
    if (alive) measure(s);
    switch (g->state) {
    case GUARD_IDLE:
        break;
    case GUARD_RUNNING:
        ticked_running(s);
        break;
    case GUARD_STOPPING:
        ticked_stopping(s);
        break;
    case GUARD_CLEARING:
        if (s->event->now_ns >= g->patience_ns) begin_killing(s);
        break;
    case GUARD_KILLING:
        if (s->event->now_ns >= g->round_ns) kill_round(s);
        break;
    }
}

static int64_t wake_ns(const struct guard *g) {
    switch (g->state) {
    case GUARD_IDLE:
        break;
    case GUARD_RUNNING:
        return earlier(earlier(stop_time_ns(g), g->continue_ns), g->look_ns);
    case GUARD_STOPPING: {
        int64_t due_ns = earlier(earlier(g->patience_ns, kill_time_ns(g)), earlier(g->continue_ns, g->look_ns));
        return g->stop_signal_sent ? due_ns : earlier(due_ns, stop_time_ns(g));
    }
    case GUARD_CLEARING:
        return earlier(g->patience_ns, kill_time_ns(g));
    case GUARD_KILLING:
        return g->round_ns;
    }
    return GUARD_NEVER;
}

void guard_set_looks(struct guard_config *config, int64_t ttl_ns) {
    config->look_every_ns = ttl_ns / LOOKS_A_TTL;
    config->early_most_ns = ttl_ns / EARLY_TTL_FRACTION;
}

void guard_init(struct guard *guard, const struct guard_config *config) {
    memset(guard, 0, sizeof *guard); /* GUARD_IDLE; a start sets the rest */
    guard->config = *config;
}

void guard_step(struct guard *guard, const struct guard_event *event, struct guard_actions *actions) {
    struct step s = {.g = guard, .event = event, .actions = actions};
    actions->count = 0;
    switch (event->type) {
    case GUARD_TICKED:
        ticked(&s);
        break;
    case GUARD_TOLD_START:
        told_start(&s);
        break;
    case GUARD_TOLD_EXTEND:
        if (event->lease_end_ns > guard->lease_end_ns) guard->lease_end_ns = event->lease_end_ns;
        break;
    case GUARD_TOLD_SHUTDOWN:
        told_stop(&s, guard->config.stop_timeout_ns);
        break;
    case GUARD_TOLD_LOST:
        told_stop(&s, guard->config.kill_after_ns);
        break;
    case GUARD_TOLD_SIGNAL:
        if (guard->state == GUARD_RUNNING || guard->state == GUARD_STOPPING) signal_command(&s, event->signal);
        break;
    case GUARD_COMMAND_STOPPED:
        command_stopped(&s);
        break;
    case GUARD_COMMAND_ENDED:
        command_ended(&s);
        break;
    case GUARD_ALL_DEAD:
        all_dead(&s);
        break;
    case GUARD_KEEPER_GONE:
        keeper_gone(&s);
        break;
    }
    actions->wake_ns = wake_ns(guard);
    /* Whatever else came in this turn, the tick that ends it is the one that was to come. */
    bool asked = event->type == GUARD_TICKED || event->type == GUARD_TOLD_START;
    if (asked) guard->due_ns = actions->wake_ns > event->now_ns ? actions->wake_ns : event->now_ns;
    bool alive = guard->state != GUARD_IDLE && guard->state != GUARD_KILLING;
    actions->kill_ns = alive ? kill_time_ns(guard) : GUARD_NEVER;
}

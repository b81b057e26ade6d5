/* The guard's decisions under any order of events: whatever the keeper says and the command does, nothing is started
 * past its time, nothing outlives it unkilled, and each start has one end.
 *
 * The first eight bytes choose the guard's set-up; then each byte is an event (see happen()), some with a number
 * behind. The bytes play keeper, command and clock; they never say what can't be, such as the end of a command that
 * isn't there.
 */
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "fuzz.h"
#include "process/guard_step.h"

#define EVENTS_MOST 2000
#define SPINS_MOST  64 /* rounds of killing without a pause in between are 32 */

/* A guard and what it guards. */
struct ward {
    struct guard guard;
    struct guard_actions actions; /* of the last step */
    int64_t now_ns;
    int64_t lease_end_ns; /* as far as it was told; it never shrinks */
    bool command;         /* runs */
    bool rest;            /* what it left behind runs */
    bool started;         /* and its end not reported yet */
    bool killed;          /* a round was done since the start */
    bool out_of_time;     /* its time to stop has come */
    bool keeper_gone;
    bool left;
};

static bool alive(const struct ward *w) { return w->command || w->rest; }

static void tell(struct ward *w, struct guard_event event);

static void launch(struct ward *w, const struct guard_action *action, const struct guard_event *event) {
    CHECK(event->type == GUARD_TOLD_START && action->token == event->token, "a start comes from the keeper");
    CHECK(!w->keeper_gone && !alive(w), "nothing starts beside another, or without a keeper");
    CHECK(!w->out_of_time, "nothing starts when its time to stop has come");
    w->command = true;
    w->killed = false;
}

static void report(struct ward *w, const struct guard_action *action) {
    CHECK(w->started, "each start has one end");
    CHECK(!alive(w), "the end is told when nothing is left");
    CHECK(!action->out_of_time || w->out_of_time, "a run is out of time only when it is");
    w->started = false;
}

static void do_actions(struct ward *w, const struct guard_event *event) {
    struct guard_actions actions = w->actions;
    CHECK(actions.count <= GUARD_ACTIONS_MAX, "actions are limited");
    for (size_t i = 0; i < actions.count; i++) {
        const struct guard_action *action = &actions.item[i];
        CHECK(!w->left, "who has left does nothing more");
        switch (action->type) {
        case GUARD_LAUNCH:
            launch(w, action, event);
            break;
        case GUARD_SIGNAL_COMMAND:
        case GUARD_SIGNAL_GROUP:
            CHECK(w->command && action->signal > 0, "a command is signalled while it runs");
            break;
        case GUARD_SIGNAL_REST:
            CHECK(!w->command, "the rest is asked to end after the command");
            break;
        case GUARD_KILL:
            w->killed = true;
            break;
        case GUARD_REPORT:
            report(w, action);
            break;
        case GUARD_LEAVE:
            CHECK(!alive(w) && w->keeper_gone, "a guard leaves when keeper and command are gone");
            w->left = true;
            break;
        }
    }
}

/* What must hold behind every step. */
static void check_times(const struct ward *w) {
    const struct guard *g = &w->guard;
    bool watched = alive(w) && g->state != GUARD_KILLING;
    int64_t kill_ns = w->lease_end_ns - g->config.margin_ns;
    CHECK(g->lease_end_ns <= w->lease_end_ns, "a deadline is never later than it was told");
    int64_t earliest_ns = kill_ns - g->config.early_most_ns - g->config.kill_after_ns / 2; /* where it was late */
    CHECK(!watched || w->actions.kill_ns <= kill_ns, "the kernel is told when all must be dead");
    CHECK(!watched || w->actions.kill_ns >= earliest_ns, "the command keeps half of its time to end in");
    CHECK(!watched || w->actions.wake_ns <= w->actions.kill_ns, "it wakes in time to kill");
    CHECK(!alive(w) || w->actions.wake_ns != GUARD_NEVER, "it never sleeps while something runs");
    CHECK(!alive(w) || !w->keeper_gone || w->killed, "without a keeper everything is killed at once");
}

static int64_t stop_ns(const struct ward *w) {
    return w->lease_end_ns - w->guard.config.margin_ns - w->guard.config.kill_after_ns;
}

static void tell(struct ward *w, struct guard_event event) {
    event.now_ns = w->now_ns;
    if (event.type == GUARD_TOLD_START && w->guard.state == GUARD_IDLE && !w->keeper_gone) {
        w->lease_end_ns = event.lease_end_ns;
        w->out_of_time = w->now_ns >= stop_ns(w);
        w->started = true;
        w->killed = true; /* nothing to kill, unless it is launched */
    }
    if (event.type == GUARD_TOLD_EXTEND && event.lease_end_ns > w->lease_end_ns) w->lease_end_ns = event.lease_end_ns;
    if (event.type == GUARD_KEEPER_GONE) w->keeper_gone = true;
    guard_step(&w->guard, &event, &w->actions);
    do_actions(w, &event);
    if (!w->left) check_times(w);
}

static void tick(struct ward *w) {
    int64_t kill_ns = w->lease_end_ns - w->guard.config.margin_ns;
    if (w->now_ns >= stop_ns(w) - w->guard.config.early_most_ns) w->out_of_time = true;
    bool was_alive = alive(w);
    for (int spins = 0;; spins++) {
        CHECK(spins < SPINS_MOST, "a guard doesn't spin");
        tell(w, (struct guard_event){.type = GUARD_TICKED});
        if (w->left || w->actions.wake_ns > w->now_ns) break;
    }
    CHECK(!was_alive || w->now_ns < kill_ns || w->killed, "past the killing time everything is being killed");
}

/* waitid(2) said that nothing is left; that is asked again and again, whatever the state. */
static void reap(struct ward *w) {
    if (!alive(w)) tell(w, (struct guard_event){.type = GUARD_ALL_DEAD});
}

static void command_ends(struct ward *w, uint8_t how) {
    if (!w->command) return;
    w->command = false;
    w->rest = (how & 1) != 0;
    int error = (how & 2) != 0 ? 2 : 0;
    tell(w, (struct guard_event){.type = GUARD_COMMAND_ENDED, .exit_code = how, .exec_errno = error});
}

static void start(struct ward *w, struct fuzz_input *input) {
    int64_t lease_ns = fuzz_number(input, 700 * NS_PER_S);
    tell(w, (struct guard_event){
                .type = GUARD_TOLD_START, .token = fuzz_byte(input) + 1, .lease_end_ns = w->now_ns + lease_ns});
    if (w->command && fuzz_byte(input) == 1) command_ends(w, 2); /* it couldn't be run */
}

static void pass_time(struct ward *w, int64_t ns) {
    w->now_ns += ns;
    tick(w);
}

static void pass_until_wake(struct ward *w) {
    int64_t wake_ns = w->actions.wake_ns;
    pass_time(w, wake_ns == GUARD_NEVER || wake_ns < w->now_ns ? 0 : wake_ns - w->now_ns);
}

static void happen(struct ward *w, struct fuzz_input *input) {
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU, SIGSTOP, 0};
    uint8_t byte = fuzz_byte(input);
    int signal = signals[byte >> 5];
    switch (byte & 15) {
    case 0:
        start(w, input);
        break;
    case 1:
        tell(w, (struct guard_event){.type = GUARD_TOLD_EXTEND,
                                     .lease_end_ns = w->now_ns + fuzz_number(input, 700 * NS_PER_S)});
        break;
    case 2:
        tell(w, (struct guard_event){.type = GUARD_TOLD_SHUTDOWN, .signal = signal});
        break;
    case 3:
        tell(w, (struct guard_event){.type = GUARD_TOLD_LOST, .signal = signal == 0 ? SIGTERM : signal});
        break;
    case 4:
        tell(w, (struct guard_event){.type = GUARD_TOLD_SIGNAL, .signal = signal == 0 ? SIGHUP : signal});
        break;
    case 5:
        if (w->command) tell(w, (struct guard_event){.type = GUARD_COMMAND_STOPPED, .signal = signal});
        break;
    case 6:
        command_ends(w, fuzz_byte(input));
        break;
    case 7:
        w->rest = w->rest && w->command; /* what was left behind ends */
        break;
    case 8:
        if (byte >= 128) tell(w, (struct guard_event){.type = GUARD_KEEPER_GONE});
        break;
    case 9:
        if (w->killed) command_ends(w, 128 + SIGKILL);
        w->rest = w->rest && !w->killed;
        break;
    case 10:
        pass_time(w, fuzz_byte(input) * NS_PER_MS);
        break;
    case 11:
        pass_time(w, fuzz_byte(input) * NS_PER_S);
        break;
    case 12:
        pass_time(w, fuzz_number(input, 86400 * NS_PER_S)); /* stopped, or the machine suspended */
        break;
    default:
        pass_until_wake(w);
        break;
    }
    if (!w->left) reap(w);
    CHECK(w->left || alive(w) || !w->keeper_gone, "without a keeper, and nothing left to guard, it leaves");
    if (!w->left) tick(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    struct ward w = {.now_ns = 1000 * NS_PER_S};
    uint8_t flags = fuzz_byte(&input);
    struct guard_config config = {.stop_signal = (flags & 1) != 0 ? SIGINT : SIGTERM,
                                  .margin_ns = fuzz_byte(&input) * NS_PER_S / 6,
                                  .kill_after_ns = fuzz_number(&input, 70 * NS_PER_S),
                                  .stop_timeout_ns = (flags & 2) != 0 ? fuzz_byte(&input) * NS_PER_S : GUARD_NEVER,
                                  .answer_stops = (flags & 4) != 0};
    if ((flags & 8) != 0) guard_set_looks(&config, (fuzz_byte(&input) + 1) * NS_PER_S);
    guard_init(&w.guard, &config);
    for (int i = 0; i < EVENTS_MOST && input.left > 0 && !w.left; i++) happen(&w, &input);
    return 0;
}

/* Elections that contend for one lock, on a store that keeps its promises and a network that keeps none: never two
 * children at once, and tokens that only grow.
 *
 * Requests are carried out late, after they were given up, or never; answers are lost; reads and listings are stale;
 * keepers stop and go on, or die and start anew; clocks run at their own rates. The guard is a perfect one: a child is
 * dead at lease end - margin by its machine's clock, or when its keeper dies. The first bytes choose the set-up
 * (configure()), then each is an event (happen()), its upper bits saying whose. */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "contest_log.h"
#include "election/election.h"
#include "election/lease.h"
#include "election_watch.h"
#include "fuzz.h"

#define NODES         3
#define EVENTS_MOST   1500
#define SPINS_MOST    64
#define GHOSTS_MAX    16
#define STALE_MOST_NS (1800 * NS_PER_S)
#define DRIFT_MOST    99 /* of 10,000: two clocks differ by less than 2 % */

/* A request on its way, and perhaps its answer on the way back. */
struct flight {
    bool under_way;
    bool answered;
    int64_t due_ns; /* true time, when the node stops waiting for it */
    struct election_request request;
    struct log_answer answer;
};

struct node {
    struct election_config config;
    struct election election;
    struct watch watch;
    struct flight lane[LOG_LANES];
    int64_t clock_ahead_ns;
    int64_t drift; /* of 10,000: how much faster than true time it goes */
    int64_t slept_ns;
    int64_t wake_ns; /* true time; INT64_MAX */
    bool up;
    bool paused;
    bool child_killed; /* and its keeper not told yet */
};

struct contest {
    struct fuzz_input input;
    struct contest_log *log;
    struct node node[NODES];
    struct election_request ghost[GHOSTS_MAX]; /* appends that were given up and may still arrive */
    size_t ghosts;
    int64_t now_ns;
    int64_t token;
    uint64_t nonce;
    bool full;
};

static int64_t lease_clock_ns(const struct contest *c, const struct node *n) {
    return n->clock_ahead_ns + c->now_ns + c->now_ns / 10000 * n->drift;
}

static struct instant clocks(const struct contest *c, const struct node *n) {
    int64_t lease_ns = lease_clock_ns(c, n);
    return (struct instant){.lease_ns = lease_ns, .wait_ns = lease_ns - n->slept_ns};
}

static int64_t true_delay_ns(const struct node *n, int64_t ns) { return ns / (10000 + n->drift) * 10000 + 10000; }

static int64_t kill_ns(const struct node *n) { return n->watch.lease_end_ns - n->config.margin_ns; }

static bool has_child(const struct node *n) { return n->watch.child && !n->child_killed; }

/* The guards do their work, whatever the keepers do. */
static void guards_kill(struct contest *c) {
    for (int i = 0; i < NODES; i++) {
        struct node *n = &c->node[i];
        if (has_child(n) && lease_clock_ns(c, n) >= kill_ns(n)) n->child_killed = true;
    }
}

static void check_children(struct contest *c, const struct node *starter, int64_t token) {
    int children = 0;
    guards_kill(c);
    for (int i = 0; i < NODES; i++) children += has_child(&c->node[i]) ? 1 : 0;
    CHECK(children <= 1, "there is one child at most");
    CHECK(!has_child(starter) || token > c->token, "tokens only grow");
    if (token > c->token) c->token = token;
}

static void become_ghost(struct contest *c, struct flight *f) {
    if (f->under_way && !f->answered && f->request.op == LOG_APPEND) c->ghost[c->ghosts++ % GHOSTS_MAX] = f->request;
    f->under_way = false;
}

static void do_actions(struct contest *c, struct node *n, const struct election_actions *actions) {
    for (size_t i = 0; i < actions->count; i++) {
        const struct election_action *action = &actions->item[i];
        if (action->type == ELECTION_START_CHILD) {
            n->child_killed = false;
            check_children(c, n, action->token);
        }
        if (action->type == ELECTION_EXIT) n->up = false;
        if (action->type != ELECTION_REQUEST) continue;
        struct flight *f = &n->lane[action->request.lane];
        become_ghost(c, f);
        *f = (struct flight){.under_way = true,
                             .request = action->request,
                             .due_ns = c->now_ns + true_delay_ns(n, action->request.timeout_ns)};
    }
}

static void step_once(struct contest *c, struct node *n, struct election_event *event) {
    static struct election_actions actions; /* too large for the stack of a deep caller; never kept */
    c->nonce++;
    memcpy(event->nonce, &c->nonce, sizeof c->nonce);
    event->jitter = (uint32_t)c->nonce * UINT32_C(2654435761);
    event->now = clocks(c, n);
    election_step(&n->election, event, &actions);
    watch_actions(&n->watch, event->now, &actions);
    do_actions(c, n, &actions);
    n->wake_ns = actions.wake_in_ns == ELECTION_FOREVER ? INT64_MAX
                 : actions.wake_in_ns == 0              ? c->now_ns
                                                        : c->now_ns + true_delay_ns(n, actions.wake_in_ns);
}

static void step(struct contest *c, struct node *n, struct election_event event) {
    if (!n->up || n->paused) return;
    step_once(c, n, &event);
    for (int spins = 0; n->up && n->wake_ns <= c->now_ns; spins++) {
        struct election_event tick = {.type = ELECTION_TICKED};
        CHECK(spins < SPINS_MOST, "it doesn't spin");
        step_once(c, n, &tick);
    }
}

static void child_gone(struct contest *c, struct node *n, int code, enum child_end end) {
    if (!n->up || n->paused || !n->watch.child) return;
    n->watch.child = false;
    n->child_killed = false;
    step(c, n, (struct election_event){.type = ELECTION_CHILD_GONE, .child_exit_code = code, .child_end = end});
}

/* --- the network --- */

static void carry_out(struct contest *c, struct flight *f, int64_t stale_ns) {
    if (!f->under_way || f->answered) return;
    int64_t as_of_ns = c->now_ns > stale_ns ? c->now_ns - stale_ns : 0;
    f->answered = contest_log_do(c->log, &f->request, c->now_ns, as_of_ns, &f->answer);
    c->full = c->full || !f->answered;
}

static void deliver(struct contest *c, struct node *n, int lane, bool lost) {
    struct flight *f = &n->lane[lane];
    if (!f->under_way || n->paused || !n->up) return;
    struct log_answer answer = f->answer;
    if (!f->answered || lost) {
        answer = (struct log_answer){.id = f->request.id, .lane = lane, .op = f->request.op, .seq = f->request.seq};
        answer.outcome = OUTCOME_UNKNOWN;
    }
    become_ghost(c, f);
    watch_answer(&n->watch, clocks(c, n), &answer);
    step(c, n, (struct election_event){.type = ELECTION_ANSWERED, .answer = &answer});
}

static void ghost_arrives(struct contest *c, uint8_t which) {
    struct log_answer answer;
    if (c->ghosts == 0) return;
    size_t among = c->ghosts < GHOSTS_MAX ? c->ghosts : GHOSTS_MAX;
    c->full = !contest_log_do(c->log, &c->ghost[which % among], c->now_ns, c->now_ns, &answer) || c->full;
}

/* --- the machines --- */

static void start(struct contest *c, struct node *n) {
    if (n->up) return;
    for (int lane = 0; lane < LOG_LANES; lane++) become_ghost(c, &n->lane[lane]);
    n->up = true;
    n->paused = n->child_killed = false;
    watch_init(&n->watch, &n->config);
    election_init(&n->election, &n->config);
    step(c, n, (struct election_event){.type = ELECTION_STARTED});
}

/* Its guard kills the child at once. */
static void crash(struct contest *c, struct node *n) {
    n->up = false;
    n->watch.child = n->child_killed = false;
    for (int lane = 0; lane < LOG_LANES; lane++) become_ghost(c, &n->lane[lane]);
}

/* What a node does by itself now. */
static void due(struct contest *c, struct node *n) {
    for (int lane = 0; lane < LOG_LANES; lane++) {
        if (n->lane[lane].under_way && n->lane[lane].due_ns <= c->now_ns) deliver(c, n, lane, true);
    }
    if (n->child_killed) child_gone(c, n, 137, CHILD_OUT_OF_TIME);
    if (n->up && n->wake_ns <= c->now_ns) step(c, n, (struct election_event){.type = ELECTION_TICKED});
}

static int64_t next_ns(const struct contest *c) {
    int64_t next = INT64_MAX;
    for (int i = 0; i < NODES; i++) {
        const struct node *n = &c->node[i];
        if (!n->up || n->paused) continue;
        if (n->wake_ns < next) next = n->wake_ns;
        for (int lane = 0; lane < LOG_LANES; lane++) {
            if (n->lane[lane].under_way && n->lane[lane].due_ns < next) next = n->lane[lane].due_ns;
        }
    }
    return next;
}

/* Time passes in steps, each up to what is due next. A machine that sleeps notices nothing but its lease clock. */
static void pass_time(struct contest *c, int64_t ns) {
    int64_t end_ns = c->now_ns + ns;
    for (int steps = 0; steps < 200 && !c->full; steps++) {
        int64_t next = next_ns(c);
        if (next > end_ns) break;
        if (next > c->now_ns) c->now_ns = next;
        guards_kill(c);
        for (int i = 0; i < NODES; i++) due(c, &c->node[i]);
    }
    if (next_ns(c) > end_ns) c->now_ns = end_ns;
    guards_kill(c);
    for (int i = 0; i < NODES; i++) due(c, &c->node[i]);
}

static void sleep_for(struct contest *c, struct node *n, int64_t ns) {
    bool paused = n->paused;
    int64_t before_ns = lease_clock_ns(c, n);
    n->paused = true;
    pass_time(c, ns);
    n->slept_ns += lease_clock_ns(c, n) - before_ns;
    n->paused = paused;
}

static void happen(struct contest *c) {
    uint8_t byte = fuzz_byte(&c->input);
    struct node *n = &c->node[(byte >> 5) % NODES];
    switch (byte & 31) {
    case 0:
    case 1:
    case 2:
        carry_out(c, &n->lane[byte & 31], 0);
        break;
    case 3:
    case 4:
        carry_out(c, &n->lane[(byte & 31) - 3], fuzz_number(&c->input, STALE_MOST_NS));
        break;
    case 5:
    case 6:
        deliver(c, n, (byte & 31) - 5, false);
        break;
    case 7:
    case 8:
        deliver(c, n, (byte & 31) - 7, true);
        break;
    case 9:
        ghost_arrives(c, fuzz_byte(&c->input));
        break;
    case 10:
        start(c, n);
        break;
    case 11:
        crash(c, n);
        break;
    case 12:
        n->paused = true;
        break;
    case 13:
        n->paused = false;
        due(c, n);
        break;
    case 14:
        child_gone(c, n, fuzz_byte(&c->input), CHILD_ENDED);
        break;
    case 15:
        step(c, n, (struct election_event){.type = ELECTION_SIGNALLED, .signal = 15});
        break;
    case 16:
        pass_time(c, fuzz_byte(&c->input) * NS_PER_MS);
        break;
    case 17:
        pass_time(c, fuzz_byte(&c->input) * NS_PER_S);
        break;
    case 18:
        pass_time(c, fuzz_number(&c->input, 2 * 3600 * NS_PER_S));
        break;
    case 19:
        sleep_for(c, n, fuzz_number(&c->input, 2 * 3600 * NS_PER_S));
        break;
    case 20:
        if (next_ns(c) != INT64_MAX && next_ns(c) > c->now_ns) pass_time(c, next_ns(c) - c->now_ns);
        break;
    default: /* all is well: what is under way is carried out and answered */
        for (int lane = 0; lane < LOG_LANES; lane++) {
            carry_out(c, &n->lane[lane], 0);
        }
        for (int lane = 0; lane < LOG_LANES; lane++) {
            if (n->lane[lane].answered) deliver(c, n, lane, false);
        }
        break;
    }
}

static void configure(struct contest *c, struct node *n) {
    static const int64_t ttls_s[] = {2, 10, 30, 120};
    struct election_config *config = &n->config;
    uint8_t flags = fuzz_byte(&c->input);
    config->ttl_ns = ttls_s[flags & 3] * NS_PER_S;
    config->poll_ns = config->ttl_ns / ((flags & 4) != 0 ? 3 : 10);
    config->margin_ns = lease_margin_ns(config->ttl_ns);
    config->kill_after_ns = (flags & 8) != 0 ? 0 : lease_default_kill_after_ns(config->ttl_ns);
    config->request_timeout_ns = config->ttl_ns / ((flags & 16) != 0 ? 3 : 6);
    config->look_timeout_ns = 10 * NS_PER_S;
    config->retention_ns = 3600 * NS_PER_S;
    config->give_up_ns = (flags & 32) != 0 ? 0 : ELECTION_FOREVER;
    config->rejoin = (flags & 64) != 0;
    config->conflict_exit_code = 124;
    n->drift = fuzz_number(&c->input, 2 * DRIFT_MOST) - DRIFT_MOST;
    n->clock_ahead_ns = (flags + INT64_C(1)) * 100000 * NS_PER_S;
    (void)text_format(config->node, sizeof config->node, "fuzzed-%d", (int)(n - c->node));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct contest
        c; /* these are too large for a stack that is to stay small; all of them that is read is set anew */
    static struct contest_log log;
    memset(&c, 0, sizeof c);
    c.input = (struct fuzz_input){data, size};
    c.log = &log;
    log.count = 0;
    for (int i = 0; i < NODES; i++) configure(&c, &c.node[i]);
    for (int i = 0; i < NODES; i++) start(&c, &c.node[i]);
    for (int i = 0; i < EVENTS_MOST && c.input.left > 0 && !c.full; i++) happen(&c);
    return 0;
}

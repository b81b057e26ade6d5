/* The election's one door: an event comes in, actions go out. Each state has its function; see internal.h for which
 * file. */
#include "election/election.h"

#include <assert.h>
#include <string.h>

#include "election/internal.h"
#include "election/lease.h"

static const char *const state_names[] = {
    [ELECTION_LOOKING] = "looking", [ELECTION_WATCHING] = "watching", [ELECTION_CLAIMING] = "claiming",
    [ELECTION_LEADING] = "leading", [ELECTION_STOPPING] = "stopping", [ELECTION_RELEASING] = "releasing",
    [ELECTION_DONE] = "done",
};

const char *election_state_name(enum election_state state) { return state_names[state]; }

struct election_action *act(struct step *s, enum election_action_type type) {
    assert(s->actions->count < ELECTION_ACTIONS_MAX);
    struct election_action *action = &s->actions->item[s->actions->count++];
    memset(action, 0, sizeof *action);
    action->type = type;
    return action;
}

void report(struct step *s, enum election_report what) { act(s, ELECTION_REPORT)->report = what; }

struct election_action *report_slot(struct step *s, enum election_report what, int64_t seq) {
    struct election_action *action = act(s, ELECTION_REPORT);
    action->report = what;
    action->seq = seq;
    return action;
}

void report_holder(struct step *s, enum election_report what, const struct slot *slot, int64_t seq) {
    struct election_action *action = report_slot(s, what, seq);
    if (slot->kind == SLOT_ENTRY) action->holder = slot->record;
}

#define TO(state) (1U << (state))

void enter(struct step *s, enum election_state state) {
    static const unsigned allowed[] = {
        [ELECTION_LOOKING] = TO(ELECTION_WATCHING) | TO(ELECTION_CLAIMING),
        [ELECTION_WATCHING] = TO(ELECTION_LOOKING) | TO(ELECTION_RELEASING),
        [ELECTION_CLAIMING] = TO(ELECTION_LOOKING) | TO(ELECTION_WATCHING) | TO(ELECTION_LEADING),
        [ELECTION_LEADING] = TO(ELECTION_LOOKING) | TO(ELECTION_STOPPING) | TO(ELECTION_RELEASING),
        [ELECTION_STOPPING] = TO(ELECTION_LOOKING) | TO(ELECTION_RELEASING),
        [ELECTION_RELEASING] = TO(ELECTION_LOOKING),
        [ELECTION_DONE] = 0,
    };
    assert(state == ELECTION_DONE || (allowed[s->e->state] & TO(state)) != 0);
    s->e->state = state;
    if (state != ELECTION_STOPPING) give_up_lanes(s->e); /* a holder that stops its child still renews */
}

void leave(struct step *s, int exit_code) {
    act(s, ELECTION_EXIT)->exit_code = exit_code;
    enter(s, ELECTION_DONE);
}

void election_init(struct election *e, const struct election_config *config) {
    assert(config->ttl_ns > 0 && config->poll_ns > 0 && config->request_timeout_ns > 0 && config->look_timeout_ns > 0);
    assert(config->margin_ns + config->kill_after_ns < config->ttl_ns / 3);
    memset(e, 0, sizeof *e);
    e->config = *config;
    e->newcomer = true;
    e->claim.kind = e->former_claim.kind = SLOT_VACANCY;
    e->not_before_ns = INT64_MIN;
}

void set_patience(struct step *s) {
    struct election *e = s->e;
    int64_t patience_ns = e->config.give_up_ns == 0 ? NO_WAIT_PATIENCE_NS : e->config.give_up_ns;
    e->give_up_ns = patience_ns == ELECTION_FOREVER ? ELECTION_FOREVER : s->event->now.wait_ns + patience_ns;
}

static void start(struct step *s) {
    s->e->next_look_ns = s->e->head.seen_ns = s->event->now.wait_ns;
    set_patience(s);
}

static void absorb(struct step *s) {
    switch (s->event->type) {
    case ELECTION_STARTED:
        start(s);
        break;
    case ELECTION_TICKED:
        break;
    case ELECTION_ANSWERED:
        absorb_answer(s);
        break;
    case ELECTION_CHILD_GONE:
        child_gone(s);
        break;
    case ELECTION_SIGNALLED:
        shut_down(s);
        break;
    }
}

static void advance(struct step *s) {
    switch (s->e->state) {
    case ELECTION_LOOKING:
        advance_looking(s);
        break;
    case ELECTION_WATCHING:
        advance_watching(s);
        break;
    case ELECTION_CLAIMING:
        advance_claiming(s);
        break;
    case ELECTION_LEADING:
        advance_leading(s);
        break;
    case ELECTION_STOPPING:
        advance_stopping(s);
        break;
    case ELECTION_RELEASING:
        advance_releasing(s);
        break;
    case ELECTION_DONE:
        break;
    }
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t until(int64_t at_ns, int64_t now_ns) {
    if (at_ns == ELECTION_FOREVER) return ELECTION_FOREVER;
    return at_ns > now_ns ? at_ns - now_ns : 0;
}

/* When something must happen even if nothing comes in. */
static int64_t wake_in_ns(const struct election *e, struct instant now) {
    int64_t wait_at_ns = ELECTION_FOREVER, lease_at_ns = ELECTION_FOREVER;
    for (int lane = LOG_LANE_0; lane <= LOG_LANE_1; lane++) {
        if (e->lane[lane].phase == LANE_BACKING_OFF) wait_at_ns = earlier(wait_at_ns, e->lane[lane].retry_ns);
    }
    bool idle = e->lane[0].phase == LANE_IDLE && e->lane[1].phase == LANE_IDLE;
    switch (e->state) {
    case ELECTION_WATCHING:
        wait_at_ns = head_due_ns(e); /* fall through */
    case ELECTION_LOOKING:
        wait_at_ns = earlier(wait_at_ns, e->give_up_ns);
        if (idle) wait_at_ns = earlier(wait_at_ns, e->next_look_ns);
        if (e->signal != 0) lease_at_ns = e->release_until_ns;
        break;
    case ELECTION_CLAIMING:
        lease_at_ns = e->claimed_ns + e->config.ttl_ns;
        if (now.wait_ns >= e->give_up_ns) {
            lease_at_ns = earlier(lease_at_ns, claim_patience_ends_ns(e));
        } else {
            wait_at_ns = earlier(wait_at_ns, e->give_up_ns);
        }
        if (e->signal != 0) lease_at_ns = earlier(lease_at_ns, e->release_until_ns);
        break;
    case ELECTION_LEADING:
        if (!e->child_running && e->child_after_ns > now.wait_ns) wait_at_ns = earlier(wait_at_ns, e->child_after_ns);
        lease_at_ns = holder_wake_ns(e);
        break;
    case ELECTION_STOPPING:
    case ELECTION_RELEASING:
        lease_at_ns = holder_wake_ns(e);
        break;
    case ELECTION_DONE:
        break;
    }
    return earlier(until(wait_at_ns, now.wait_ns), until(lease_at_ns, now.lease_ns));
}

void election_step(struct election *e, const struct election_event *event, struct election_actions *actions) {
    struct step s = {.e = e, .event = event, .actions = actions};
    actions->count = 0;
    actions->wake_in_ns = ELECTION_FOREVER;
    if (e->state == ELECTION_DONE) return;
    absorb(&s);
    enum election_state before;
    do { /* a state that is entered acts at once */
        before = e->state;
        advance(&s);
    } while (e->state != before);
    retry_lanes(&s);
    actions->wake_in_ns = wake_in_ns(e, event->now);
}

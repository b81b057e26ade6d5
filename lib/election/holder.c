/* Leading, stopping and releasing: what a holder does from its claim to the vacancy. */
#include <assert.h>

#include "election/internal.h"
#include "election/lease.h"

/* Nothing of ours may run from this on, less the time it takes to stop: "when do we give up leadership". */
static int64_t stop_at_ns(const struct election *e) {
    return e->lease_end_ns - e->config.margin_ns - e->config.kill_after_ns;
}

static void trim(struct step *s) {
    struct election *e = s->e;
    e->appends_since_trim = 0;
    struct election_request *request = &act(s, ELECTION_REQUEST)->request;
    request->id = ++e->next_id;
    request->lane = LOG_LANE_TRIM;
    request->op = LOG_TRIM;
    request->seq = e->head.seq;
    request->timeout_ns = e->config.ttl_ns;
    request->retention_ns = e->config.retention_ns;
    request->trim_most = TRIM_MOST;
}

/* Our append is in the log. */
static void landed(struct step *s) {
    struct election *e = s->e;
    e->appending = false;
    e->head = (struct election_head){.seq = e->append.seq,
                                     .known = true,
                                     .slot = e->append.content,
                                     .reading_seq = e->append.seq,
                                     .ttl_ns = e->append.content.record.ttl_ms * NS_PER_MS,
                                     .seen_ns = s->event->now.wait_ns};
    e->last_sent_ns = e->append.sent_ns;
    e->lease_end_ns = e->append.sent_ns + e->config.ttl_ns; /* from the send, not from the answer */
    if (++e->appends_since_trim >= TRIM_EVERY_APPENDS) trim(s);
}

void begin_leading(struct step *s) {
    struct election *e = s->e;
    enter(s, ELECTION_LEADING);
    landed(s);
    begin_presence(s);
    e->token = e->append.seq;
    e->failed_looks = 0;
    e->waited = true; /* it works here: what is refused from now on is an outage */
    if (e->signal != 0)
        begin_releasing(s);
    else
        trim(s);
}

static void stop_child(struct step *s, enum election_stop how, int signal) {
    struct election_action *action = act(s, ELECTION_STOP_CHILD);
    action->stop = how;
    action->stop_signal = signal;
}

/* Leadership is to end: through the child where one runs, at once where none does. */
static void end_leadership(struct step *s, enum election_ending ending, int signal) {
    struct election *e = s->e;
    bool lost = ending == ENDING_LOST || ending == ENDING_OUT_OF_TIME;
    e->ending = ending;
    if (e->child_running) {
        stop_child(s, lost ? STOP_LOST : STOP_SHUTDOWN, signal);
        if (e->state != ELECTION_STOPPING) enter(s, ELECTION_STOPPING);
        if (lost) give_up_lanes(e);
    } else if (lost) {
        e->ending = ENDING_NONE; /* nothing ran: as if never won */
        enter(s, ELECTION_LOOKING);
    } else {
        begin_releasing(s);
    }
}

void lose_leadership(struct step *s) { end_leadership(s, ENDING_LOST, 0); }

/* A store that was away for TTL / 3 from when the renewal was due is back by then. It is asked at that very instant,
 * not when a try that hangs or a backoff is over, so that such an outage goes unnoticed whatever kill_after and the
 * request's timeout are. */
static int64_t hurry_at_ns(const struct election *e) { return e->last_sent_ns + e->config.ttl_ns / 3 * 2; }

bool owes_a_wait(const struct step *s) { return s->event->now.wait_ns < s->e->child_after_ns; }

int64_t entry_ttl_ns(const struct step *s) {
    const struct election *e = s->e;
    return owes_a_wait(s) && e->former_ttl_ns > e->config.ttl_ns ? e->former_ttl_ns : e->config.ttl_ns;
}

static void append_renewal(struct step *s) {
    struct election *e = s->e;
    e->hurried = s->event->now.lease_ns >= hurry_at_ns(e);
    append_entry(s, LOG_LANE_0, e->head.seq + 1, RECORD_RENEW, e->token, entry_ttl_ns(s));
    e->appending = true;
}

/* The slot of our renewal is taken, and this is by whom. */
static void renewal_met(struct step *s, const struct slot *slot) {
    struct election *e = s->e;
    if (is_ours(slot, &e->append.content)) {
        landed(s);
        if (e->child_running) act(s, ELECTION_EXTEND)->lease_end_ns = e->lease_end_ns;
    } else if (slot->kind == SLOT_ENTRY && slot->record.kind == RECORD_EVICT) {
        e->head.seq = e->append.seq;
        e->appending = false;
        if (e->ending != ENDING_NONE) return; /* already stopping */
        report_holder(s, REPORT_EVICTED, slot, e->append.seq);
        e->evicted = true;
        end_leadership(s, ENDING_EVICTED, 0);
    } else {
        report_holder(s, REPORT_LOST_TO, slot, e->append.seq);
        head_found(s, e->append.seq, NULL, slot);
        lose_leadership(s);
    }
}

/* What came of the append under way, if anything: true where it is taken by slot, or is ours. */
static bool append_answered(struct step *s, const struct slot **slot) {
    struct election *e = s->e;
    for (int lane = LOG_LANE_0; lane <= LOG_LANE_1; lane++) {
        struct election_lane *l = &e->lane[lane];
        if (l->phase != LANE_ANSWERED || l->aside) continue;
        if (l->op == LOG_APPEND && l->outcome == OUTCOME_EXISTS) { /* 412: it may be our own earlier try */
            ask(s, lane, LOG_READ, e->append.seq, e->config.request_timeout_ns, true);
        } else if (l->op == LOG_READ && (l->outcome == OUTCOME_ABSENT || l->slot.kind == SLOT_UNREADABLE)) {
            lane_again(s, lane);
        } else {
            l->phase = LANE_IDLE;
            *slot = l->op == LOG_APPEND ? &e->append.content : &l->slot;
            return true;
        }
    }
    return false;
}

/* Renews at TTL / 3, follows the renewal, and looks whether the log is still ours. */
static void keep_lease(struct step *s) {
    struct election *e = s->e;
    const struct slot *slot;
    if (e->appending && append_answered(s, &slot)) renewal_met(s, slot);
    bool leads = e->state == ELECTION_LEADING || e->state == ELECTION_STOPPING;
    assert(e->ending != ENDING_OUT_OF_TIME); /* who has no time left keeps no lease */
    if (!leads || e->ending == ENDING_LOST) return;
    if (!e->appending && s->event->now.lease_ns >= e->last_sent_ns + e->config.ttl_ns / 3) {
        append_renewal(s);
    } else if (e->appending && !e->hurried && s->event->now.lease_ns >= hurry_at_ns(e)) {
        e->hurried = true;
        hurry_lanes(s);
    }
    check_presence(s);
}

static void run_out_of_time(struct step *s) {
    report(s, REPORT_OUT_OF_TIME);
    end_leadership(s, ENDING_OUT_OF_TIME, 0);
}

void advance_leading(struct step *s) {
    struct election *e = s->e;
    struct instant now = s->event->now;
    /* First the clock: an answer that comes too late isn't believed, for the guard didn't wait for it either. */
    if (now.lease_ns >= (e->child_running ? stop_at_ns(e) : e->lease_end_ns)) {
        run_out_of_time(s);
        return;
    }
    keep_lease(s);
    /* A claim known only late in its lease is being renewed now. */
    if (e->state != ELECTION_LEADING || e->child_running || e->appending) return;
    if (now.wait_ns < e->child_after_ns) return;
    e->child_running = e->child_started = true;
    report_holder(s, REPORT_WON, &e->append.content, e->token);
    struct election_action *action = act(s, ELECTION_START_CHILD);
    action->token = e->token;
    action->lease_end_ns = e->lease_end_ns;
}

void advance_stopping(struct step *s) {
    struct election *e = s->e;
    if (e->ending == ENDING_LOST || e->ending == ENDING_OUT_OF_TIME) return;
    if (s->event->now.lease_ns >= stop_at_ns(e))
        run_out_of_time(s);
    else
        keep_lease(s);
}

/* The run is over: exit, or take one's turn again. */
static void finish(struct step *s) {
    struct election *e = s->e;
    int code = 123;
    bool again = e->config.rejoin && e->signal == 0;
    switch (e->ending) {
    case ENDING_NONE:
        again = e->signal == 0; /* a claim given up and found again, or told while claiming */
        code = 128 + e->signal;
        break;
    case ENDING_CHILD:
        again = false;
        code = e->child_end == CHILD_GUARD_LOST ? 125 : e->child_exit_code;
        break;
    case ENDING_SHUTDOWN:
        code = e->child_started ? e->child_exit_code : 128 + e->signal;
        break;
    case ENDING_EVICTED:
    case ENDING_LOST:
    case ENDING_OUT_OF_TIME:
        break;
    }
    if (!again) {
        leave(s, code);
        return;
    }
    if (e->evicted) e->not_before_ns = s->event->now.wait_ns + e->config.ttl_ns; /* whatever ended it then */
    e->evicted = false;
    if (e->ending != ENDING_NONE) set_patience(s);
    e->next_look_ns = s->event->now.wait_ns;
    e->ending = ENDING_NONE;
    e->child_started = false;
    enter(s, ELECTION_LOOKING);
}

void child_gone(struct step *s) {
    struct election *e = s->e;
    assert(e->child_running); /* it is told once for each start */
    e->child_running = false;
    e->child_exit_code = s->event->child_exit_code;
    e->child_end = s->event->child_end;
    if (s->event->child_never_ran) e->child_started = false; /* nothing was done that a hold would keep others from */
    if (e->child_end == CHILD_GUARD_LOST) report(s, REPORT_GUARD_LOST);
    if (e->ending == ENDING_LOST) { /* the lock is another's: nothing to free */
        finish(s);
        return;
    }
    if (e->child_end == CHILD_OUT_OF_TIME && e->ending != ENDING_OUT_OF_TIME) report(s, REPORT_OUT_OF_TIME);
    if (e->child_end == CHILD_OUT_OF_TIME) e->ending = ENDING_OUT_OF_TIME;
    if (e->child_end == CHILD_GUARD_LOST || e->ending == ENDING_NONE) e->ending = ENDING_CHILD;
    begin_releasing(s);
}

/* What frees the lock: a vacancy, or what is left of --hold. */
static void append_release(struct step *s) {
    struct election *e = s->e;
    assert(keeps_for_us(e, &e->head.slot)); /* nobody else's lock is ever freed */
    int64_t left_ns = e->config.hold_ns - (s->event->now.lease_ns - e->claimed_ns);
    bool hold = left_ns > 0 && e->child_started && (e->ending == ENDING_CHILD || e->ending == ENDING_SHUTDOWN);
    if (owes_a_wait(s)) { /* a hold that we claimed over too early goes on */
        hold = true;
        left_ns = e->child_after_ns - s->event->now.wait_ns;
    }
    if (!hold) {
        append_vacancy(s, LOG_LANE_0, e->head.seq + 1);
        return;
    }
    int64_t left_ms = (left_ns + NS_PER_MS - 1) / NS_PER_MS;
    append_entry(s, LOG_LANE_0, e->head.seq + 1, RECORD_HOLD, e->token, left_ms * NS_PER_MS);
}

void begin_releasing(struct step *s) {
    struct election *e = s->e;
    int64_t patience_ns = 2 * e->config.request_timeout_ns;
    if (patience_ns > RELEASE_MOST_NS) patience_ns = RELEASE_MOST_NS;
    enter(s, ELECTION_RELEASING);
    e->release_until_ns = s->event->now.lease_ns + patience_ns;
    if (owes_a_wait(s) &&
        e->former_ttl_ns > 0) { /* nothing of ours ran; the holder before us may yet: others wait for both */
        report(s, REPORT_NOT_RELEASED);
        finish(s);
        return;
    }
    append_release(s);
}

/* The slot of our release is taken, or the release is in it. */
static void release_met(struct step *s, const struct slot *slot) {
    struct election *e = s->e;
    bool evict = slot->kind == SLOT_ENTRY && slot->record.kind == RECORD_EVICT;
    if (slot->kind == SLOT_VACANCY || is_ours(slot, &e->append.content)) {
        e->head = (struct election_head){.seq = e->append.seq,
                                         .known = true,
                                         .slot = *slot,
                                         .ttl_ns = slot->record.ttl_ms * NS_PER_MS,
                                         .seen_ns = s->event->now.wait_ns,
                                         .reading_seq = e->append.seq};
        report(s, REPORT_RELEASED);
        finish(s);
    } else if (evict || keeps_for_us(e, slot)) { /* a renewal whose answer never came */
        e->head.seq = e->append.seq;
        append_release(s);
    } else {
        head_found(s, e->append.seq, NULL, slot);
        finish(s);
    }
}

void advance_releasing(struct step *s) {
    struct election *e = s->e;
    const struct slot *slot;
    if (append_answered(s, &slot)) {
        struct slot copy = *slot;
        release_met(s, &copy);
    } else if (s->event->now.lease_ns >= e->release_until_ns) {
        report(s, REPORT_NOT_RELEASED);
        finish(s);
    }
}

void shut_down(struct step *s) {
    struct election *e = s->e;
    if (e->signal != 0) return; /* told twice is told once */
    e->signal = s->event->signal;
    switch (e->state) {
    case ELECTION_LOOKING:
    case ELECTION_WATCHING:
        leave(s, 128 + e->signal);
        break;
    case ELECTION_CLAIMING:
        e->release_until_ns = s->event->now.lease_ns + RELEASE_MOST_NS;
        break; /* the claim may be in the log: it is followed by a vacancy */
    case ELECTION_LEADING:
        end_leadership(s, ENDING_SHUTDOWN, e->signal);
        break;
    case ELECTION_STOPPING:
    case ELECTION_RELEASING:
    case ELECTION_DONE:
        break;
    }
}

int64_t holder_wake_ns(const struct election *e) {
    if (e->state == ELECTION_RELEASING) return e->release_until_ns;
    if (e->ending == ENDING_LOST || e->ending == ENDING_OUT_OF_TIME) return ELECTION_FOREVER;
    int64_t end_ns = e->child_running ? stop_at_ns(e) : e->lease_end_ns;
    int64_t renew_ns = e->last_sent_ns + e->config.ttl_ns / 3;
    if (e->appending) renew_ns = e->hurried ? ELECTION_FOREVER : hurry_at_ns(e);
    int64_t list_ns = presence_wake_ns(e);
    if (list_ns < renew_ns) renew_ns = list_ns;
    return end_ns < renew_ns ? end_ns : renew_ns;
}

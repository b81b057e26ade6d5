/* Looking and watching: what a candidate does until it may claim. */
#include <assert.h>

#include "election/internal.h"

static int64_t poll_delay_ns(const struct step *s) {
    const struct election *e = s->e;
    int64_t poll_ns = head_is_hold(&e->head) ? HOLD_POLL_NS : e->config.poll_ns;
    return poll_ns - poll_ns / 10 + jitter_ns(s, poll_ns / 5); /* +-10 % */
}

/* Ends the run where the user doesn't want to wait any longer. */
static bool gave_up(struct step *s) {
    struct election *e = s->e;
    if (e->signal != 0 && s->event->now.lease_ns >= e->release_until_ns) { /* told while claiming */
        report(s, REPORT_NOT_RELEASED);
        leave(s, 128 + e->signal);
        return true;
    }
    if (s->event->now.wait_ns < e->give_up_ns) return false;
    bool in_our_way =
        s->event->now.wait_ns < head_due_ns(e) || e->failed_looks == 0; /* else it is the store that fails */
    if (e->log_read && in_our_way) {
        report_holder(s, REPORT_BUSY, &e->head.slot, e->head.seq);
        leave(s, e->config.conflict_exit_code);
    } else {
        report(s, REPORT_UNREACHABLE);
        leave(s, 125);
    }
    return true;
}

static void look_again(struct step *s) {
    struct election *e = s->e;
    e->next_look_ns = s->event->now.wait_ns + backoff_ns(s, ++e->failed_looks, e->config.poll_ns);
}

/* Both lanes show a log whose head is below the one that we know: somebody deleted slots, or both are stale. What a
 * newcomer may believe, who would know no better, we may: the slot behind a stale head is still there, so a claim of it
 * fails. All the same it takes two looks, a poll apart, unless listings are never stale here. Returns whether it is
 * believed. */
static bool went_back(struct step *s) {
    struct election *e = s->e;
    int64_t now_ns = s->event->now.wait_ns;
    bool again = e->doubted && now_ns >= e->doubted_ns + e->config.poll_ns;
    if (!e->doubted) e->doubted_ns = now_ns;
    e->doubted = !again && !e->config.listings_are_fresh;
    if (e->doubted) return false;
    report_slot(s, REPORT_WENT_BACK, e->head.seq);
    return true;
}

/* Both lanes listed the log. */
static void looked(struct step *s) {
    struct election *e = s->e;
    struct listing high = e->lane[0].listing;
    const struct listing *other = &e->lane[1].listing;
    bool same = listing_newest(&high) == listing_newest(other);
    int64_t date_ms = high.date_ms < other->date_ms ? high.date_ms : other->date_ms;
    if (listing_newest(&high) < listing_newest(other)) high = *other;
    high.date_ms = date_ms;
    give_up_lanes(e);
    e->log_read = true;
    bool lower = same && listing_newest(&high) < e->head.seq;
    e->doubted = e->doubted && lower;
    if (listing_newest(&high) > e->head.seq || (lower && went_back(s)))
        head_found(s, listing_newest(&high), &high, NULL);
    e->newcomer = false;
    if (s->event->now.wait_ns < head_due_ns(e)) {
        e->failed_looks = 0;
        enter(s, ELECTION_WATCHING);
    } else if (e->signal != 0) { /* told while claiming, and the claim isn't what keeps the lock */
        leave(s, 128 + e->signal);
    } else if (same && listing_newest(&high) == e->head.seq) {
        begin_claim(s);
    } else { /* a stale listing is no proof that nobody wrote since */
        look_again(s);
    }
}

void advance_looking(struct step *s) {
    struct election *e = s->e;
    const struct election_lane *a = &e->lane[0], *b = &e->lane[1];
    if (gave_up(s)) return;
    if (a->phase == LANE_IDLE) {
        if (s->event->now.wait_ns < e->next_look_ns) return;
        ask(s, LOG_LANE_0, LOG_NEWEST, 0, e->config.look_timeout_ns, false);
        ask(s, LOG_LANE_1, LOG_NEWEST, 0, e->config.look_timeout_ns, false);
    } else if (a->phase == LANE_ANSWERED && b->phase == LANE_ANSWERED) {
        if (a->outcome == OUTCOME_DONE && b->outcome == OUTCOME_DONE) {
            looked(s);
        } else if ((a->refused || b->refused) && !e->log_read) {
            report(s, REPORT_REFUSED);
            leave(s, 125);
        } else {
            give_up_lanes(e);
            look_again(s);
        }
    }
}

/* The head couldn't be fetched, though the look before found the store well: a warning, once, where that lasts. */
static void warn_of_unreadable(struct step *s) {
    static const struct slot unreadable = {.kind = SLOT_UNREADABLE};
    struct election *e = s->e;
    bool lasts = s->event->now.wait_ns - e->head.seen_ns >= UNREADABLE_AFTER_NS;
    if (!lasts || e->failed_looks > 0 || e->reported == -e->head.seq) return;
    report_holder(s, REPORT_UNREADABLE, &unreadable, e->head.reading_seq);
    e->reported = -e->head.seq;
}

/* A slot that was read while watching. */
static void watched(struct step *s, const struct election_lane *l) {
    struct election *e = s->e;
    int64_t now_ns = s->event->now.wait_ns;
    bool is_next = l->seq == e->head.seq + 1;
    if (l->outcome == OUTCOME_DONE && is_next) { /* and on at once: one slot a poll would fall behind for ever */
        head_found(s, l->seq, NULL, &l->slot);
    } else if (l->outcome == OUTCOME_DONE || (l->outcome == OUTCOME_ABSENT && !is_next)) {
        head_read(s, l->outcome == OUTCOME_DONE ? &l->slot : NULL);
        e->next_look_ns = e->head.known || l->outcome == OUTCOME_ABSENT ? now_ns + poll_delay_ns(s) : now_ns;
    } else {
        if (l->outcome == OUTCOME_UNKNOWN && !is_next) warn_of_unreadable(s);
        /* A head that was garbled on its way once mustn't block everybody: it is read again, behind each look. */
        e->read_again = l->outcome == OUTCOME_ABSENT && head_is_unreadable(&e->head);
        e->next_look_ns = e->read_again ? now_ns : now_ns + poll_delay_ns(s);
    }
    e->failed_looks = l->outcome == OUTCOME_UNKNOWN ? e->failed_looks + 1 : 0;
}

/* The head is known: does it end the watching? */
static bool settled(struct step *s) {
    struct election *e = s->e;
    int64_t now_ns = s->event->now.wait_ns;
    if (!owes_a_wait(s) &&
        keeps_for_us(
            e, &e->head.slot)) { /* a claim or renewal that we gave up got there after all; nothing of ours runs */
        begin_releasing(s);
        return true;
    }
    if (e->signal != 0) { /* told while claiming, and it is another who keeps the lock */
        leave(s, 128 + e->signal);
        return true;
    }
    assert(e->head.seq > 0); /* an empty log has no head that could be known */
    if (now_ns >= head_due_ns(e)) return false;
    int64_t whose = e->head.slot.kind == SLOT_ENTRY ? e->head.slot.record.token : -e->head.seq;
    bool sitting_out = head_is_free(&e->head); /* evicted: nobody is in the way but ourselves */
    if (e->reported != whose && !sitting_out) report_holder(s, REPORT_WAITING, &e->head.slot, e->head.seq);
    e->reported = whose;
    e->waited = true;
    if (e->config.give_up_ns != 0) return false;
    if (head_is_stale(e)) {
        if (e->give_up_ns < head_due_ns(e) + NO_WAIT_PATIENCE_NS) e->give_up_ns = head_due_ns(e) + NO_WAIT_PATIENCE_NS;
        return false;
    }
    e->give_up_ns = now_ns;
    return gave_up(s);
}

void advance_watching(struct step *s) {
    struct election *e = s->e;
    for (int lane = LOG_LANE_0; lane <= LOG_LANE_1; lane++) {
        if (e->lane[lane].phase != LANE_ANSWERED) continue;
        e->lane[lane].phase = LANE_IDLE;
        if (e->lane[lane].refused && !e->head.known && !e->waited) { /* it may list and not read */
            report(s, REPORT_REFUSED);
            leave(s, 125);
            return;
        }
        watched(s, &e->lane[lane]);
    }
    if ((e->head.known && settled(s)) || gave_up(s)) return;
    if (s->event->now.wait_ns >= head_due_ns(e)) {
        e->next_look_ns = s->event->now.wait_ns;
        enter(s, ELECTION_LOOKING);
        return;
    }
    if (e->head.seq >= RECORD_SEQ_MAX) { /* there is no next slot */
        log_full(s);
        return;
    }
    bool idle = e->lane[0].phase == LANE_IDLE && e->lane[1].phase == LANE_IDLE;
    if (!idle || s->event->now.wait_ns < e->next_look_ns) return;
    int lane = (int)(e->failed_looks & 1); /* the other connection, where one failed */
    /* A head that can't be read mustn't hide the next one. */
    bool read_head = (!e->head.known && e->head.seq > 0 && lane == 0) || e->read_again;
    e->read_again = false;
    ask(s, lane, LOG_READ, read_head ? e->head.reading_seq : e->head.seq + 1, e->config.look_timeout_ns, false);
}

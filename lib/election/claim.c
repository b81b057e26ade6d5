/* Claiming: the same claim on two connections at once, and what its answers prove. */
#include <string.h>

#include "election/internal.h"

void log_full(struct step *s) {
    report_holder(s, REPORT_LOG_FULL, &s->e->head.slot, s->e->head.seq);
    leave(s, 125);
}

void begin_claim(struct step *s) {
    struct election *e = s->e;
    if (e->head.seq >= RECORD_SEQ_MAX) {
        log_full(s);
        return;
    }
    enter(s, ELECTION_CLAIMING);
    int64_t seq = e->head.seq + 1;
    bool by_store_clock = s->event->now.wait_ns < head_over_ns(&e->head);
    e->child_after_ns = by_store_clock ? head_over_ns(&e->head) : INT64_MIN;
    e->confirm_apart_ms = by_store_clock ? head_stale_after_ms(&e->head) : 0;
    e->former_ttl_ns = by_store_clock && !head_is_hold(&e->head) ? e->head.ttl_ns : 0;
    append_entry(s, LOG_LANE_0, seq, RECORD_CLAIM, seq, entry_ttl_ns(s));
    ask(s, LOG_LANE_1, LOG_APPEND, seq, e->config.request_timeout_ns, true);
    e->former_claim = e->claim;
    e->claim = e->append.content;
    e->claimed_ns = s->event->now.lease_ns;
    e->checking = false;
}

static void refuse_store(struct step *s) {
    report_holder(s, REPORT_STORE_UNSAFE, &s->e->append.content, s->e->append.seq);
    leave(s, 125);
}

static void abandon_claim(struct step *s) {
    struct election *e = s->e;
    if (e->signal != 0) {
        report(s, REPORT_NOT_RELEASED);
        leave(s, 128 + e->signal);
        return;
    }
    e->next_look_ns = s->event->now.wait_ns + backoff_ns(s, ++e->failed_looks, e->config.poll_ns);
    enter(s, ELECTION_LOOKING);
}

/* Waits until both answers to the claim are known, then looks what they are worth. */
static void await_both(struct step *s) {
    struct election *e = s->e;
    const struct election_lane *a = &e->lane[0], *b = &e->lane[1];
    if (a->phase == LANE_BACKING_OFF && a->refused && b->phase == LANE_BACKING_OFF && b->refused && !e->waited) {
        report(s, REPORT_REFUSED);
        leave(s, 125);
    } else if (a->phase == LANE_ANSWERED && b->phase == LANE_ANSWERED) {
        e->created = (a->outcome == OUTCOME_DONE) + (b->outcome == OUTCOME_DONE);
        if (e->created == 2) {
            refuse_store(s);
            return;
        }
        e->checking = true;
        ask(s, LOG_LANE_0, LOG_NEWEST, 0, e->config.request_timeout_ns, true);
        ask(s, LOG_LANE_1, LOG_READ, e->append.seq, e->config.request_timeout_ns, true);
    }
}

static void claim_stands(struct step *s) {
    struct election *e = s->e;
    const struct listing *listing = &e->lane[0].listing;
    bool confirmed = listing->previous_seq == e->append.seq - 1 && listing->previous_modified_ms > 0 &&
                     listing->head_modified_ms - listing->previous_modified_ms >= e->confirm_apart_ms;
    if (confirmed) e->child_after_ns = INT64_MIN;
    e->claim_modified_ms = listing->head_modified_ms;
    begin_leading(s);
}

/* Listing and slot are known: the verdict. */
static void judge(struct step *s) {
    struct election *e = s->e;
    struct listing listing = e->lane[0].listing;
    struct slot slot = e->lane[1].slot;
    bool absent = e->lane[1].outcome == OUTCOME_ABSENT;
    bool ours = !absent && is_ours(&slot, &e->claim);
    if (!absent && !ours && slot.kind != SLOT_UNREADABLE && e->created > 0) {
        refuse_store(s);
    } else if (listing.head_seq >
               e->append.seq) { /* the log went on without us: the slot had been trimmed, or evicted at once */
        head_found(s, listing.head_seq, &listing, NULL);
        if (e->signal != 0 && !ours)
            leave(s, 128 + e->signal);
        else
            enter(s, ELECTION_LOOKING);
    } else if (ours) {
        claim_stands(s);
    } else { /* another was there first */
        head_found(s, e->append.seq, NULL, &slot);
        if (e->signal != 0)
            leave(s, 128 + e->signal);
        else
            enter(s, ELECTION_WATCHING);
    }
}

static void check_claim(struct step *s) {
    struct election *e = s->e;
    const struct election_lane *list = &e->lane[0], *read = &e->lane[1];
    if ((list->refused || read->refused) && !e->waited) { /* it may write and not read */
        report(s, REPORT_REFUSED);
        leave(s, 125);
        return;
    }
    bool listed = list->phase == LANE_ANSWERED && !list->listing.empty && list->listing.head_seq >= e->append.seq;
    if (list->phase == LANE_ANSWERED && !listed) lane_again(s, LOG_LANE_0); /* a stale listing */
    bool went_on = listed && list->listing.head_seq > e->append.seq;
    bool unclear = read->phase == LANE_ANSWERED &&
                   (read->outcome == OUTCOME_ABSENT || read->slot.kind == SLOT_UNREADABLE) && !went_on;
    if (unclear) lane_again(s, LOG_LANE_1); /* somebody's entry is there: read it until it shows whose it is */
    if (listed && read->phase == LANE_ANSWERED) judge(s);
}

/* A claim that goes well isn't dropped because the user's patience ends meanwhile: the lock would stay blocked. */
int64_t claim_patience_ends_ns(const struct election *e) { return e->claimed_ns + 2 * e->config.request_timeout_ns; }

void advance_claiming(struct step *s) {
    struct election *e = s->e;
    int64_t now_ns = s->event->now.lease_ns;
    /* An answer that comes after the lease it would give is over is not believed. */
    bool over = now_ns >= e->claimed_ns + e->config.ttl_ns || (e->signal != 0 && now_ns >= e->release_until_ns) ||
                (s->event->now.wait_ns >= e->give_up_ns && now_ns >= claim_patience_ends_ns(e));
    if (over)
        abandon_claim(s);
    else if (e->checking)
        check_claim(s);
    else
        await_both(s);
}

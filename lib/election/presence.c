/* Presence: is the head of the log still ours? The rule that makes a claim lead holds for as long as one leads: the
 * holder is who wrote the head. Where somebody deleted slots, a renewal goes through all the same, beside another's new
 * log. So once a TTL the holder lists, on the lane that the renewals leave idle.
 *
 * Another's entry above ours ends leadership, and so does one among our slots: what is written never changes. An older
 * head of our own is a stale listing. Less than our claim is either: our claim's slot tells, where it is still there,
 * and where it isn't, it must be missed twice. No answer proves nothing. Of two leaders with different slots one is
 * above the other, and the lower one finds that out within a TTL and a request. */
#include "election/internal.h"
#include "record/evict.h"

#define TOLD_AFTER_TTLS 2 /* a log that can't be listed for so long is worth a line */

static int lane_aside(const struct election *e) {
    for (int lane = LOG_LANE_0; lane <= LOG_LANE_1; lane++) {
        if (e->lane[lane].aside && e->lane[lane].phase != LANE_IDLE) return lane;
    }
    return -1;
}

/* The lane that no append uses, nor is about to: what has backed off tries the other one next. */
static int idle_lane(const struct election *e) {
    for (int lane = LOG_LANE_1; lane >= LOG_LANE_0; lane--) { /* renewals begin on lane 0 */
        enum lane_phase other = e->lane[1 - lane].phase;
        if (e->lane[lane].phase == LANE_IDLE && other != LANE_BACKING_OFF) return lane;
    }
    return -1;
}

static void ask_aside(struct step *s, int lane, enum log_op op, int64_t seq) {
    struct election *e = s->e;
    ask(s, lane, op, seq, e->config.request_timeout_ns, false);
    e->lane[lane].aside = true;
    e->presence.asking = true;
}

/* Three renewals: a listing goes out beside every third. */
static int64_t period_ns(const struct election *e) { return e->config.ttl_ns / 3 * 3; }

void begin_presence(struct step *s) {
    struct election *e = s->e;
    e->presence = (struct election_presence){.due_ns = e->claimed_ns + period_ns(e), .answered_ns = e->claimed_ns};
}

/* The head is ours. */
static void is_well(struct step *s) {
    struct election *e = s->e;
    e->presence =
        (struct election_presence){.due_ns = e->presence.sent_ns + period_ns(e), .answered_ns = e->presence.sent_ns};
}

/* No answer: asked again, but told where it lasts, for another's log would go unnoticed. */
static void put_off(struct step *s) {
    struct election *e = s->e;
    struct election_presence *p = &e->presence;
    int64_t now_ns = s->event->now.lease_ns;
    p->asking = false;
    p->due_ns = now_ns + backoff_ns(s, ++p->failures, e->config.ttl_ns / 3);
    if (p->told || now_ns - p->answered_ns < TOLD_AFTER_TTLS * e->config.ttl_ns) return;
    report(s, REPORT_UNLISTED);
    p->told = true;
}

/* by: another's slot, where one was read. */
static void lose(struct step *s, int64_t seq, const struct slot *by) {
    struct election *e = s->e;
    const struct listing *listing = &e->presence.listing;
    if (by != NULL) {
        bool next = seq == e->head.seq + 1 && !evict_is(by); /* as where a renewal meets it */
        report_holder(s, next ? REPORT_LOST_TO : REPORT_DELETED, by, seq);
        head_found(s, seq, NULL, by);
    } else {
        report_slot(s, REPORT_DELETED, e->head.seq);
        head_found(s, listing_newest(listing), listing, NULL);
    }
    lose_leadership(s);
}

/* What we wrote can't be found: once may be a stale read, twice it is gone. */
static void doubt(struct step *s) {
    struct election_presence *p = &s->e->presence;
    if (p->doubted) {
        lose(s, 0, NULL);
        return;
    }
    p->doubted = true;
    p->due_ns = s->event->now.lease_ns + BACKOFF_FIRST_NS;
}

static int64_t highest_written(const struct election *e) {
    return e->append.seq > e->head.seq ? e->append.seq : e->head.seq;
}

/* Whether the store's own clock says that what it lists was there before our claim: stale, or laid bare. Either way
 * nobody has led since. */
static bool is_older_than_our_claim(const struct election *e, const struct listing *listing) {
    return !listing->empty && listing->head_modified_ms > 0 &&
           e->claim_modified_ms - listing->head_modified_ms > STORE_CLOCK_SKEW_MS;
}

static void listed(struct step *s, int lane, const struct listing *listing) {
    struct election *e = s->e;
    int64_t seq = listing_newest(listing);
    e->presence.listing = *listing;
    if (seq >= e->presence.least_seq && seq <= highest_written(e))
        is_well(s);
    else if (seq >= e->token)
        ask_aside(s, lane, LOG_READ, seq);
    else if (is_older_than_our_claim(e, listing))
        is_well(s);
    else /* has our claim gone? */
        ask_aside(s, lane, LOG_READ, e->token);
}

/* Whether slot seq, which the listing led us to, fits our log. */
static bool is_of_our_log(const struct election *e, int64_t seq, const struct slot *slot) {
    bool evict = evict_is(slot) && slot->record.token == e->token; /* of us: our next append meets it */
    return evict || (seq <= highest_written(e) && keeps_for_us(e, slot));
}

static void shown(struct step *s, int64_t seq, const struct slot *slot) {
    const struct listing *listing = &s->e->presence.listing;
    if (slot == NULL && !listing->empty && listing->head_seq == seq)
        put_off(s); /* listed, and not there: one of both is stale */
    else if (slot == NULL || slot->kind == SLOT_UNREADABLE)
        doubt(s);
    else if (is_of_our_log(s->e, seq, slot))
        is_well(s);
    else
        lose(s, seq, slot);
}

static void take_answer(struct step *s, int lane) {
    struct election *e = s->e;
    const struct election_lane l = e->lane[lane];
    e->lane[lane].phase = LANE_IDLE;
    e->presence.asking = false;
    if (l.outcome == OUTCOME_UNKNOWN)
        put_off(s);
    else if (l.op == LOG_NEWEST)
        listed(s, lane, &l.listing);
    else
        shown(s, l.seq, l.outcome == OUTCOME_DONE ? &l.slot : NULL);
}

void check_presence(struct step *s) {
    struct election *e = s->e;
    struct election_presence *p = &e->presence;
    int lane = lane_aside(e);
    if (p->asking && lane < 0)
        put_off(s); /* an append needed its lane */
    else if (p->asking && e->lane[lane].phase == LANE_ANSWERED)
        take_answer(s, lane);
    bool leads = (e->state == ELECTION_LEADING || e->state == ELECTION_STOPPING) && e->ending != ENDING_LOST;
    lane = idle_lane(e);
    if (!leads || p->asking || lane < 0 || s->event->now.lease_ns < p->due_ns) return;
    p->sent_ns = s->event->now.lease_ns;
    p->least_seq = e->head.seq;
    ask_aside(s, lane, LOG_NEWEST, 0);
}

int64_t presence_wake_ns(const struct election *e) {
    return e->presence.asking || idle_lane(e) < 0 ? ELECTION_FOREVER : e->presence.due_ns;
}

/* The two lanes: asking, answers, asking again. Knows nothing of why something is asked. */
#include <assert.h>
#include <string.h>

#include "election/internal.h"

static struct election_lane *lane_of(struct step *s, int lane) {
    assert(lane == LOG_LANE_0 || lane == LOG_LANE_1);
    return &s->e->lane[lane];
}

static void send(struct step *s, int lane) {
    struct election *e = s->e;
    struct election_lane *l = lane_of(s, lane);
    l->phase = LANE_BUSY;
    l->id = ++e->next_id;
    l->sent_ns = s->event->now.lease_ns;
    struct election_request *request = &act(s, ELECTION_REQUEST)->request;
    request->id = l->id;
    request->lane = lane;
    request->op = l->op;
    request->seq = l->seq;
    request->timeout_ns = l->timeout_ns;
    if (l->op == LOG_APPEND) {
        assert(l->seq == e->append.seq);
        request->content = e->append.content;
    }
}

void ask(struct step *s, int lane, enum log_op op, int64_t seq, int64_t timeout_ns, bool persistent) {
    *lane_of(s, lane) =
        (struct election_lane){.op = op, .seq = seq, .timeout_ns = timeout_ns, .persistent = persistent};
    send(s, lane);
}

static void append(struct step *s, int lane, int64_t seq) {
    if (seq > RECORD_SEQ_MAX) return; /* there is no such slot: as if nobody ever answered */
    s->e->append.seq = seq;
    s->e->append.sent_ns = s->event->now.lease_ns;
    ask(s, lane, LOG_APPEND, seq, s->e->config.request_timeout_ns, true);
}

void append_vacancy(struct step *s, int lane, int64_t seq) {
    s->e->append.content = (struct slot){.kind = SLOT_VACANCY};
    append(s, lane, seq);
}

void append_entry(struct step *s, int lane, int64_t seq, enum record_kind kind, int64_t token, int64_t ttl_ns) {
    assert(!s->nonce_used);
    s->nonce_used = true;
    struct slot *content = &s->e->append.content;
    *content = (struct slot){.kind = SLOT_ENTRY};
    content->record.kind = kind;
    content->record.seq = seq;
    content->record.token = token;
    content->record.ttl_ms = ttl_ns / NS_PER_MS;
    memcpy(content->record.nonce, s->event->nonce, RECORD_NONCE_SIZE);
    memcpy(content->record.node, s->e->config.node, RECORD_NODE_SIZE);
    append(s, lane, seq);
}

/* Whether outcome is one that op can have when it succeeds or fails for a reason that is known. */
static bool is_known(enum log_op op, enum outcome outcome) {
    switch (outcome) {
    case OUTCOME_DONE:
        return true;
    case OUTCOME_ABSENT:
        return op == LOG_READ;
    case OUTCOME_EXISTS:
        return op == LOG_APPEND;
    case OUTCOME_UNKNOWN:
    case OUTCOME_REFUSED:
        break;
    }
    return false;
}

int64_t jitter_ns(const struct step *s, int64_t span_ns) {
    uint64_t span_us = (uint64_t)(span_ns / 1000); /* in ns the product would overflow from 4 s on */
    return (int64_t)(span_us * s->event->jitter >> 32) * 1000;
}

int64_t backoff_ns(const struct step *s, unsigned failures, int64_t most_ns) {
    int64_t ns = BACKOFF_FIRST_NS;
    for (unsigned i = 1; i < failures && ns < most_ns; i++) ns *= 2;
    if (ns > most_ns) ns = most_ns;
    return ns / 2 + jitter_ns(s, ns / 2);
}

static void back_off(struct step *s, struct election_lane *l) {
    const struct election *e = s->e;
    int64_t most_ns = e->config.request_timeout_ns, hasty_ns = e->config.ttl_ns / RETRIES_A_TTL;
    if (e->state != ELECTION_CLAIMING && hasty_ns < most_ns) most_ns = hasty_ns; /* a lease doesn't wait */
    l->phase = LANE_BACKING_OFF;
    l->tries++;
    l->retry_ns = s->event->now.wait_ns + backoff_ns(s, l->tries, most_ns);
}

void absorb_answer(struct step *s) {
    const struct log_answer *answer = s->event->answer;
    if (answer->lane != LOG_LANE_0 && answer->lane != LOG_LANE_1) return; /* trimming: best effort */
    struct election_lane *l = lane_of(s, answer->lane);
    if (l->phase != LANE_BUSY || l->id != answer->id) return; /* too late: nobody waits for it any more */
    l->refused = answer->outcome == OUTCOME_REFUSED;
    /* What was true long ago (a keeper that was stopped, a machine that slept, between the answer and this step) is no
     * ground for a claim: the log may have gone on, and the slots that showed it may have been trimmed. */
    bool old = s->event->now.lease_ns - l->sent_ns >= 2 * l->timeout_ns;
    bool known = is_known(l->op, answer->outcome) && !old;
    if (!known && l->persistent) {
        back_off(s, l);
        return;
    }
    l->phase = LANE_ANSWERED;
    l->outcome = known ? answer->outcome : OUTCOME_UNKNOWN;
    l->listing = answer->listing;
    l->slot = answer->slot;
}

void lane_again(struct step *s, int lane) { back_off(s, lane_of(s, lane)); }

void retry_lanes(struct step *s) {
    struct election *e = s->e;
    for (int lane = LOG_LANE_0; lane <= LOG_LANE_1; lane++) {
        if (e->lane[lane].phase != LANE_BACKING_OFF || s->event->now.wait_ns < e->lane[lane].retry_ns) continue;
        int other = 1 - lane;
        if (e->state == ELECTION_CLAIMING) {
            send(s, lane);
        } else { /* this connection may be a dead one: try the other */
            /* Only a claim uses both; the holder's look at the head gives way. */
            assert(e->lane[other].phase == LANE_IDLE || e->lane[other].aside);
            e->lane[other] = e->lane[lane];
            e->lane[lane].phase = LANE_IDLE;
            send(s, other);
            return;
        }
    }
}

void hurry_lanes(struct step *s) {
    for (int lane = LOG_LANE_0; lane <= LOG_LANE_1; lane++) {
        const struct election_lane *l = &s->e->lane[lane];
        if (!l->aside && (l->phase == LANE_BUSY || l->phase == LANE_BACKING_OFF)) send(s, lane);
    }
}

void give_up_lanes(struct election *e) {
    for (int lane = LOG_LANE_0; lane <= LOG_LANE_1; lane++) e->lane[lane].phase = LANE_IDLE;
}

bool is_ours(const struct slot *slot, const struct slot *content) {
    return slot->kind == SLOT_ENTRY && content->kind == SLOT_ENTRY &&
           memcmp(slot->record.nonce, content->record.nonce, RECORD_NONCE_SIZE) == 0;
}

bool keeps_for_us(const struct election *e, const struct slot *slot) {
    if (slot->kind != SLOT_ENTRY) return false;
    bool held = slot->record.kind == RECORD_CLAIM || slot->record.kind == RECORD_RENEW;
    bool claimed = is_ours(slot, &e->claim) || is_ours(slot, &e->former_claim);
    /* e->token is that of a claim that was proved ours. */
    bool won = e->token != 0 && slot->record.token == e->token && strcmp(slot->record.node, e->config.node) == 0;
    return held && (claimed || won);
}

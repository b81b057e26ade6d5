/* One election against a store that answers anything: every answer is well-formed, none need be true, and no two need
 * fit together. It may then lead nobody, but it must never do what election_watch.h forbids, nor fail an assertion.
 *
 * The first bytes choose the set-up (configure()); then each is an event (happen()) with what it needs behind it. */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "election/election.h"
#include "election/lease.h"
#include "election_watch.h"
#include "fuzz.h"

#define EVENTS_MOST   1000
#define SPINS_MOST    64
#define STORE_DATE_MS INT64_C(1795471301000)

struct play {
    struct fuzz_input input;
    struct election_config config;
    struct election election;
    struct election_actions actions; /* of the last step */
    struct watch watch;
    struct instant now;
    uint64_t nonce;
};

static void step_once(struct play *p, struct election_event *event) {
    p->nonce++;
    memcpy(event->nonce, &p->nonce, sizeof p->nonce);
    event->now = p->now;
    election_step(&p->election, event, &p->actions);
    watch_actions(&p->watch, p->now, &p->actions);
}

/* Hands event in, and ticks as often as the election wants to be woken at this instant. */
static void step(struct play *p, struct election_event event) {
    event.jitter = (uint32_t)p->nonce * UINT32_C(2654435761);
    step_once(p, &event);
    for (int spins = 0; p->actions.wake_in_ns == 0; spins++) {
        struct election_event tick = {.type = ELECTION_TICKED, .jitter = event.jitter};
        CHECK(spins < SPINS_MOST, "it doesn't spin");
        step_once(p, &tick);
    }
}

static void pass_time(struct play *p, int64_t ns, bool suspended) {
    p->now.lease_ns += ns;
    if (!suspended) p->now.wait_ns += ns;
    step(p, (struct election_event){.type = ELECTION_TICKED});
}

/* A slot's number near those that matter. */
static int64_t some_seq(struct play *p) {
    const struct watch_sent *newest = watch_newest(&p->watch);
    int64_t seq = p->election.head.seq, how = fuzz_byte(&p->input);
    if (how >= 0x80 && newest != NULL) seq = newest->seq;
    seq += (how & 15) - 3;
    if ((how & 0x70) == 0x70) seq = RECORD_SEQ_MAX - (how & 15);
    return seq < 1 ? 1 : seq > RECORD_SEQ_MAX ? RECORD_SEQ_MAX : seq;
}

static int64_t some_date_ms(struct play *p) {
    uint8_t how = fuzz_byte(&p->input);
    return how == 0 ? 0 : STORE_DATE_MS + (how & 0x7f) * (how >= 0x80 ? INT64_C(60000) : INT64_C(500));
}

static void list_anything(struct play *p, struct listing *listing) {
    uint8_t how = fuzz_byte(&p->input);
    listing->empty = (how & 7) == 7;
    if (!listing->empty) {
        listing->head_seq = some_seq(p);
        listing->head_size = (how & 8) != 0 ? RECORD_VACANCY_LENGTH : (how & 16) != 0 ? 0 : 300;
        listing->head_modified_ms = some_date_ms(p);
        listing->previous_seq = (how & 32) != 0 ? listing->head_seq - 1 : 0;
        listing->previous_modified_ms = listing->previous_seq > 0 ? some_date_ms(p) : 0;
    }
    listing->date_ms = some_date_ms(p);
}

static void show_foreign_entry(struct play *p, struct record *record, int64_t seq, uint8_t how) {
    record->kind = (enum record_kind)(how & 3);
    record->seq = seq;
    record->token = (how & 4) != 0 ? seq : 1 + fuzz_number(&p->input, seq - 1);
    if ((how & 8) != 0 && p->election.token >= 1 && p->election.token <= seq) record->token = p->election.token;
    int64_t most_ms = record->kind == RECORD_HOLD ? RECORD_HOLD_MAX_MS : RECORD_TTL_MAX_MS;
    record->ttl_ms = 1 + fuzz_number(&p->input, most_ms - 1);
    memset(record->nonce, 0xee, sizeof record->nonce);
    (void)text_copy(record->node, sizeof record->node, "another");
}

static void show_anything(struct play *p, struct slot *slot, int64_t seq) {
    uint8_t how = fuzz_byte(&p->input);
    const struct watch_sent *own = NULL;
    for (size_t i = 0; i < WATCH_SENT_MAX && i < p->watch.sent_count; i++) {
        const struct watch_sent *sent = &p->watch.sent[i];
        if (sent->seq == seq && (own == NULL || ((how & 0x40) == 0 && sent->first_ns > own->first_ns))) own = sent;
    }
    if (how >= 0x80 && own != NULL) {
        *slot = own->content;
    } else if ((how & 0x30) == 0x10) {
        slot->kind = SLOT_VACANCY;
    } else if ((how & 0x30) == 0x20) {
        slot->kind = SLOT_UNREADABLE;
    } else {
        slot->kind = SLOT_ENTRY;
        show_foreign_entry(p, &slot->record, seq, how);
    }
}

static void answer(struct play *p, int lane) {
    static const enum outcome outcomes[] = {OUTCOME_DONE,   OUTCOME_DONE,    OUTCOME_DONE,    OUTCOME_EXISTS,
                                            OUTCOME_ABSENT, OUTCOME_UNKNOWN, OUTCOME_REFUSED, OUTCOME_EXISTS};
    const struct election_request *asked = &p->watch.lane[lane];
    uint8_t how = fuzz_byte(&p->input);
    if (asked->id == 0) return;
    struct log_answer answer = {
        .id = asked->id, .lane = lane, .op = asked->op, .seq = asked->seq, .outcome = outcomes[how & 7]};
    if (how >= 0xc0) answer.id -= how & 3; /* to one given up */
    if (answer.outcome == OUTCOME_DONE && asked->op == LOG_NEWEST) list_anything(p, &answer.listing);
    if (answer.outcome == OUTCOME_DONE && asked->op == LOG_READ) show_anything(p, &answer.slot, asked->seq);
    watch_answer(&p->watch, p->now, &answer);
    step(p, (struct election_event){.type = ELECTION_ANSWERED, .answer = &answer});
}

/* What a store says to which all is well: so that runs get as far as leading. */
static void answer_well(struct play *p, int lane, bool created) {
    const struct election_request *asked = &p->watch.lane[lane];
    if (!p->watch.waiting[lane]) return;
    struct log_answer answer = {.id = asked->id, .lane = lane, .op = asked->op, .seq = asked->seq};
    const struct watch_sent *newest = watch_newest(&p->watch);
    bool ours = newest != NULL && newest->seq == asked->seq;
    switch (asked->op) {
    case LOG_NEWEST:
        answer.listing.head_seq = newest != NULL ? newest->seq : p->election.head.seq;
        if (p->election.state != ELECTION_CLAIMING) answer.listing.head_seq = p->election.head.seq;
        answer.listing.empty = answer.listing.head_seq == 0;
        answer.listing.head_size = 300;
        break;
    case LOG_READ:
        answer.outcome = ours ? OUTCOME_DONE : OUTCOME_ABSENT;
        if (ours) answer.slot = newest->content;
        break;
    case LOG_APPEND:
        answer.outcome = created ? OUTCOME_DONE : OUTCOME_EXISTS;
        break;
    case LOG_TRIM:
        break;
    }
    watch_answer(&p->watch, p->now, &answer);
    step(p, (struct election_event){.type = ELECTION_ANSWERED, .answer = &answer});
}

static void child_gone(struct play *p) {
    uint8_t how = fuzz_byte(&p->input);
    if (!p->watch.child) return;
    p->watch.child = false;
    step(p, (struct election_event){.type = ELECTION_CHILD_GONE,
                                    .child_exit_code = how,
                                    .child_end = how < 0xc0   ? CHILD_ENDED
                                                 : how < 0xe0 ? CHILD_OUT_OF_TIME
                                                              : CHILD_GUARD_LOST});
}

static void happen(struct play *p) {
    static const int signals[] = {15, 2, 3, 15};
    uint8_t byte = fuzz_byte(&p->input);
    switch (byte & 15) {
    case 0:
    case 1:
    case 2:
        answer(p, byte & 15);
        break;
    case 3:
    case 4:
        answer_well(p, (byte & 15) - 3, true);
        break;
    case 5:
    case 6:
        answer_well(p, (byte & 15) - 5, false);
        break;
    case 7:
        if (p->actions.wake_in_ns != ELECTION_FOREVER) pass_time(p, p->actions.wake_in_ns, false);
        break;
    case 8:
        pass_time(p, fuzz_byte(&p->input) * NS_PER_MS, false);
        break;
    case 9:
        pass_time(p, fuzz_byte(&p->input) * NS_PER_S, false);
        break;
    case 10:
        pass_time(p, fuzz_number(&p->input, 4 * 3600 * NS_PER_S), (byte & 16) != 0);
        break;
    case 11:
        child_gone(p);
        break;
    case 12:
        step(p, (struct election_event){.type = ELECTION_SIGNALLED, .signal = signals[byte >> 6]});
        break;
    default:
        step(p, (struct election_event){.type = ELECTION_TICKED});
        break;
    }
}

/* Any set-up that the program's options allow. */
static void configure(struct play *p) {
    static const int64_t ttls_s[] = {2, 5, 30, 600};
    struct election_config *c = &p->config;
    uint8_t flags = fuzz_byte(&p->input);
    c->ttl_ns = ttls_s[flags & 3] * NS_PER_S + fuzz_byte(&p->input) * (flags & 3 ? 0 : NS_PER_MS);
    c->poll_ns = 100 * NS_PER_MS + fuzz_number(&p->input, c->ttl_ns / 3 - 100 * NS_PER_MS);
    c->margin_ns = lease_margin_ns(c->ttl_ns);
    c->kill_after_ns = fuzz_number(&p->input, lease_most_kill_after_ns(c->ttl_ns));
    c->request_timeout_ns = 50 * NS_PER_MS + fuzz_number(&p->input, c->ttl_ns / 3 - 50 * NS_PER_MS);
    c->look_timeout_ns = 10 * NS_PER_S;
    c->retention_ns = 3600 * NS_PER_S;
    c->give_up_ns = (flags & 4) != 0 ? 0 : (flags & 8) != 0 ? fuzz_byte(&p->input) * NS_PER_S : ELECTION_FOREVER;
    c->hold_ns = (flags & 16) != 0 ? fuzz_number(&p->input, LEASE_HOLD_MAX_MS) * NS_PER_MS : 0;
    c->rejoin = (flags & 32) != 0;
    c->conflict_exit_code = 124;
    (void)text_copy(c->node, sizeof c->node, "fuzzed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct play p; /* too large for a stack that is to stay small; all of it is set anew */
    memset(&p, 0, sizeof p);
    p.input = (struct fuzz_input){data, size};
    p.now = (struct instant){.lease_ns = 1000000 * NS_PER_S, .wait_ns = 5000 * NS_PER_S};
    configure(&p);
    watch_init(&p.watch, &p.config);
    election_init(&p.election, &p.config);
    step(&p, (struct election_event){.type = ELECTION_STARTED});
    for (int i = 0; i < EVENTS_MOST && p.input.left > 0 && !p.watch.exited; i++) happen(&p);
    if (!p.watch.exited) return 0;
    step(&p, (struct election_event){.type = ELECTION_TICKED});
    CHECK(p.actions.count == 0 && p.actions.wake_in_ns == ELECTION_FOREVER, "after the exit nothing happens");
    return 0;
}

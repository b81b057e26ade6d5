/* What no election may ever do; see election_watch.h. */
#include "election_watch.h"

#include <string.h>

#include "fuzz.h"

void watch_init(struct watch *watch, const struct election_config *config) {
    *watch = (struct watch){.config = config};
}

static bool same_nonce(const struct slot *a, const struct slot *b) {
    return memcmp(a->record.nonce, b->record.nonce, RECORD_NONCE_SIZE) == 0;
}

static struct watch_sent *find_sent(struct watch *watch, const struct slot *content) {
    for (size_t i = 0; i < WATCH_SENT_MAX && i < watch->sent_count; i++) {
        if (same_nonce(&watch->sent[i].content, content)) return &watch->sent[i];
    }
    return NULL;
}

const struct watch_sent *watch_newest(const struct watch *watch) {
    return watch->sent_count > 0 ? &watch->sent[(watch->sent_count - 1) % WATCH_SENT_MAX] : NULL;
}

void watch_answer(struct watch *watch, struct instant now, const struct log_answer *answer) {
    const struct election_request *asked = &watch->lane[answer->lane];
    if (!watch->waiting[answer->lane] || asked->id != answer->id) return; /* nobody waits for it */
    watch->waiting[answer->lane] = false;
    bool old =
        now.lease_ns - watch->sent_ns[answer->lane] >= 2 * asked->timeout_ns; /* what was true then may not be now */
    if (answer->outcome != OUTCOME_DONE || old) return;
    struct watch_sent *sent = NULL;
    if (asked->op == LOG_APPEND && asked->content.kind == SLOT_ENTRY) sent = find_sent(watch, &asked->content);
    if (asked->op == LOG_READ && answer->slot.kind == SLOT_ENTRY) sent = find_sent(watch, &answer->slot);
    if (sent != NULL && sent->seq == asked->seq) {
        sent->landed = true;
        sent->created += asked->op == LOG_APPEND;
        sent->read_back = sent->read_back || asked->op == LOG_READ;
    }
    for (size_t i = 0; asked->op == LOG_NEWEST && i < WATCH_SENT_MAX && i < watch->sent_count; i++) {
        if (watch->sent[i].seq == answer->listing.head_seq && !answer->listing.empty) watch->sent[i].listed = true;
    }
}

static void check_append(struct watch *watch, struct instant now, const struct election_request *r) {
    const struct record *record = &r->content.record;
    char json[RECORD_JSON_MAX + 1];
    CHECK(r->seq >= 1 && r->seq <= RECORD_SEQ_MAX, "only slots that there are are written");
    CHECK(r->content.kind == SLOT_ENTRY || r->content.kind == SLOT_VACANCY, "an entry or a vacancy is written");
    bool frees = r->content.kind == SLOT_VACANCY || record->kind == RECORD_HOLD;
    CHECK(!frees || !watch->child, "nothing is freed while a child runs");
    if (r->content.kind == SLOT_VACANCY) return;
    CHECK(record_format(record, json, sizeof json) > 0, "an entry can be written");
    CHECK(record->seq == r->seq, "an entry is for its slot");
    CHECK(record->kind != RECORD_EVICT, "an election evicts nobody");
    CHECK(record->kind != RECORD_CLAIM || (record->token == r->seq && !watch->child), "a claim's token is its slot");
    struct watch_sent *sent = find_sent(watch, &r->content);
    if (sent == NULL) {
        sent = &watch->sent[watch->sent_count++ % WATCH_SENT_MAX];
        *sent = (struct watch_sent){.content = r->content, .seq = r->seq, .first_ns = now.lease_ns};
    }
    CHECK(sent->seq == r->seq && sent->content.record.kind == record->kind &&
              sent->content.record.ttl_ms == record->ttl_ms && sent->content.record.token == record->token,
          "one nonce is one content in one slot");
}

static void check_request(struct watch *watch, struct instant now, const struct election_request *r) {
    CHECK(r->lane >= 0 && r->lane < LOG_LANES && r->timeout_ns > 0, "a request has a lane and a timeout");
    CHECK((r->op == LOG_TRIM) == (r->lane == LOG_LANE_TRIM), "trimming has a lane of its own");
    switch (r->op) {
    case LOG_NEWEST:
        break;
    case LOG_READ:
        CHECK(r->seq >= 1 && r->seq <= RECORD_SEQ_MAX, "only slots that there are are read");
        break;
    case LOG_APPEND:
        check_append(watch, now, r);
        break;
    case LOG_TRIM:
        CHECK(r->retention_ns == watch->config->retention_ns && r->trim_most > 0, "trimming keeps to the retention");
        break;
    }
    watch->lane[r->lane] = *r;
    watch->sent_ns[r->lane] = now.lease_ns;
    watch->waiting[r->lane] = true;
}

/* A lease counts from when the newest entry known to be in the log was first sent. */
static void check_lease(const struct watch *watch, int64_t lease_end_ns) {
    int64_t most_ns = INT64_MIN;
    for (size_t i = 0; i < WATCH_SENT_MAX && i < watch->sent_count; i++) {
        const struct watch_sent *sent = &watch->sent[i];
        bool holds = sent->landed && sent->content.record.kind != RECORD_HOLD;
        if (holds && sent->first_ns > most_ns) most_ns = sent->first_ns;
    }
    CHECK(most_ns != INT64_MIN && lease_end_ns <= most_ns + watch->config->ttl_ns, "a lease counts from a sent entry");
}

static int64_t stop_ns(const struct watch *watch) {
    return watch->lease_end_ns - watch->config->margin_ns - watch->config->kill_after_ns;
}

static void check_start(struct watch *watch, struct instant now, const struct election_action *action) {
    const struct watch_sent *claim = NULL;
    CHECK(!watch->child, "there is one child at most");
    for (size_t i = 0; i < WATCH_SENT_MAX && i < watch->sent_count; i++) {
        const struct watch_sent *sent = &watch->sent[i];
        bool is_it = sent->content.record.kind == RECORD_CLAIM && sent->seq == action->token;
        if (is_it && (claim == NULL || sent->first_ns > claim->first_ns)) claim = sent;
    }
    CHECK(claim != NULL, "a token is the slot of a claim that was sent");
    CHECK(claim->read_back && claim->created <= 1, "the claim's slot showed it, and it was created once at most");
    CHECK(claim->listed, "a listing showed the claim as the head");
    bool newer = action->token > watch->token;
    bool deleted = now.wait_ns - watch->token_wait_ns >= watch->config->retention_ns;
    CHECK(watch->token == 0 || newer || deleted, "tokens grow, unless the log is deleted");
    check_lease(watch, action->lease_end_ns);
    watch->child = true;
    watch->stopped = watch->stop_lost = false;
    watch->token = action->token;
    watch->token_wait_ns = now.wait_ns;
    watch->lease_end_ns = action->lease_end_ns;
    CHECK(now.lease_ns < stop_ns(watch), "nothing starts when its time to stop has come");
}

static void check_action(struct watch *watch, struct instant now, const struct election_action *action) {
    CHECK(!watch->exited, "nothing is done after the exit");
    switch (action->type) {
    case ELECTION_REQUEST:
        check_request(watch, now, &action->request);
        break;
    case ELECTION_START_CHILD:
        check_start(watch, now, action);
        break;
    case ELECTION_EXTEND:
        CHECK(watch->child && !watch->stop_lost, "a lease is extended for a child that may still run");
        CHECK(action->lease_end_ns >= watch->lease_end_ns, "a deadline only moves forward");
        check_lease(watch, action->lease_end_ns);
        watch->lease_end_ns = action->lease_end_ns;
        break;
    case ELECTION_STOP_CHILD:
        CHECK(watch->child, "a child is stopped that runs");
        CHECK(!watch->stop_lost, "leadership is lost once");
        watch->stopped = true;
        watch->stop_lost = action->stop == STOP_LOST;
        break;
    case ELECTION_REPORT:
        break;
    case ELECTION_EXIT:
        CHECK(!watch->child, "it doesn't exit while its child runs");
        CHECK(action->exit_code >= 0 && action->exit_code <= 255, "an exit code is one");
        watch->exited = true;
        watch->exit_code = action->exit_code;
        break;
    }
}

void watch_actions(struct watch *watch, struct instant now, const struct election_actions *actions) {
    CHECK(actions->count <= ELECTION_ACTIONS_MAX, "actions are limited");
    CHECK(actions->wake_in_ns >= 0, "it isn't woken in the past");
    for (size_t i = 0; i < actions->count; i++) check_action(watch, now, &actions->item[i]);
    CHECK(!watch->child || watch->stop_lost || now.lease_ns < stop_ns(watch), "a child is stopped in time");
    bool awaits = watch->child || watch->exited;
    for (int lane = LOG_LANE_0; lane <= LOG_LANE_1; lane++) awaits = awaits || watch->waiting[lane];
    CHECK(awaits || actions->wake_in_ns != ELECTION_FOREVER, "it never sleeps for ever with nothing to come");
}

/* Writers who race; see crew.h. */
#include "crew.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "record/record.h"

#define SLACK_NS     (NS_PER_S * 5) /* for the store to say that its time was over */
#define RACE_WAIT_MS 2              /* of many stores one is waited for, the others are looked at in between */

void crew_close(struct crew *crew) {
    for (int i = 0; i < crew->count; i++) store_close(crew->stores[i]);
    crew->count = 0;
}

/* Lets one store go on for timeout_ms. */
static int wait_for(const struct crew *crew, struct store *store, int timeout_ms) {
    struct pollfd wake = {.fd = crew->wake_fd, .events = POLLIN};
    int r = store_wait(store, &wake, crew->wake_fd >= 0 ? 1 : 0, timeout_ms);
    return r == 0 && crew->wake_fd >= 0 && wake.revents != 0 ? -EINTR : r;
}

int crew_ask(struct crew *crew, int who, const struct log_request *request, struct log_answer *answer,
             int64_t *took_ns) {
    struct store *store = crew->stores[who];
    struct log_request asked = *request;
    asked.id = ++crew->asked;
    asked.lane = LOG_LANE_0;
    asked.timeout_ms = CREW_TIMEOUT_MS;
    int64_t sent_ns = clock_now().wait_ns, end_ns = sent_ns + CREW_TIMEOUT_MS * NS_PER_MS + SLACK_NS;
    int r = store_submit(store, &asked);
    while (r == 0) {
        while (store_next(store, answer)) {
            if (answer->id != asked.id) continue;
            if (took_ns != NULL) *took_ns = clock_now().wait_ns - sent_ns;
            return 0;
        }
        int64_t left_ns = end_ns - clock_now().wait_ns;
        r = left_ns > 0 ? wait_for(crew, store, (int)(left_ns / NS_PER_MS) + 1) : -ETIMEDOUT;
    }
    return r;
}

/* --- entries --- */

static void make_nonce(const struct crew *crew, int who, uint8_t nonce[RECORD_NONCE_SIZE]) {
    memset(nonce, 0, RECORD_NONCE_SIZE);
    memcpy(nonce, &crew->run, sizeof crew->run);
    nonce[RECORD_NONCE_SIZE - 1] = (uint8_t)who;
}

static int format_entry(const struct crew *crew, int who, int64_t seq, char body[RECORD_JSON_MAX + 1]) {
    struct record record = {.kind = RECORD_CLAIM, .seq = seq, .token = seq, .ttl_ms = RECORD_TTL_MIN_MS};
    make_nonce(crew, who, record.nonce);
    (void)text_copy(record.node, sizeof record.node, crew->node);
    (void)text_copy(record.command, sizeof record.command, "leaderexec check");
    record.since_ms = record.timestamp_ms = record.expiry_ms = clock_wall_ms();
    return record_format(&record, body, RECORD_JSON_MAX + 1);
}

int crew_author(const struct crew *crew, const struct slot *slot, int64_t seq) {
    uint8_t nonce[RECORD_NONCE_SIZE];
    if (slot->kind != SLOT_ENTRY || slot->record.seq != seq) return -1;
    for (int who = 0; who < CREW_MOST; who++) {
        make_nonce(crew, who, nonce);
        if (memcmp(nonce, slot->record.nonce, sizeof nonce) == 0) return who;
    }
    return -1;
}

int crew_append(struct crew *crew, int who, int64_t seq, struct log_answer *answer, int64_t *took_ns) {
    char body[RECORD_JSON_MAX + 1];
    int length = format_entry(crew, who, seq, body);
    if (length < 0) return length;
    struct log_request request = {.op = LOG_APPEND, .seq = seq, .body = body, .body_length = (size_t)length};
    return crew_ask(crew, who, &request, answer, took_ns);
}

/* --- the race --- */

struct race {
    struct crew *crew;
    unsigned first_id;
    bool pending[CREW_MOST];
    bool created[CREW_MOST];
    int left;
    struct round *round;
    char *reason;
};

static int submit_all(struct race *race, int64_t seq) {
    struct crew *crew = race->crew;
    race->first_id = crew->asked + 1;
    for (int who = 0; who < crew->count; who++) {
        char body[RECORD_JSON_MAX + 1];
        int length = format_entry(crew, who, seq, body);
        if (length < 0) return length;
        struct log_request request = {.id = ++crew->asked,
                                      .lane = LOG_LANE_0,
                                      .op = LOG_APPEND,
                                      .seq = seq,
                                      .body = body,
                                      .body_length = (size_t)length,
                                      .timeout_ms = CREW_TIMEOUT_MS};
        int r = store_submit(crew->stores[who], &request);
        if (r != 0) return r;
        race->pending[who] = true;
        race->left++;
    }
    return 0;
}

static void take_answer(struct race *race, int who, const struct log_answer *answer) {
    race->pending[who] = false;
    race->left--;
    race->created[who] = answer->outcome == OUTCOME_DONE;
    if (answer->outcome == OUTCOME_DONE) race->round->created++;
    if (answer->outcome == OUTCOME_EXISTS) race->round->exists++;
    if (answer->outcome == OUTCOME_DONE || answer->outcome == OUTCOME_EXISTS) return;
    race->round->unknown++;
    (void)text_copy(race->reason, TEXT_REASON_SIZE, answer->reason);
}

/* Moves every writer's requests on, without waiting. */
static int push_all(struct race *race) {
    struct crew *crew = race->crew;
    int r = 0;
    for (int who = 0; who < crew->count && r == 0; who++) {
        struct log_answer answer;
        if (!race->pending[who]) continue;
        r = store_wait(crew->stores[who], NULL, 0, 0);
        while (r == 0 && race->pending[who] && store_next(crew->stores[who], &answer)) {
            if (answer.id == race->first_id + (unsigned)who) take_answer(race, who, &answer);
        }
    }
    return r;
}

static int first_pending(const struct race *race) {
    int who = 0;
    while (!race->pending[who]) who++;
    return who;
}

static int await_all(struct race *race) {
    int64_t end_ns = clock_now().wait_ns + CREW_TIMEOUT_MS * NS_PER_MS + SLACK_NS;
    int r = push_all(race);
    while (r == 0 && race->left > 0) {
        if (clock_now().wait_ns > end_ns) return -ETIMEDOUT;
        r = wait_for(race->crew, race->crew->stores[first_pending(race)], RACE_WAIT_MS);
        if (r == 0) r = push_all(race);
    }
    return r;
}

static int read_back(struct race *race, int64_t seq) {
    struct log_request request = {.op = LOG_READ, .seq = seq};
    struct log_answer answer;
    int r = crew_ask(race->crew, race->crew->count - 1, &request, &answer, NULL);
    if (r != 0) return r;
    race->round->content = answer.outcome == OUTCOME_ABSENT ? ROUND_EMPTY : ROUND_UNREAD;
    if (answer.outcome != OUTCOME_DONE) return 0;
    int author = crew_author(race->crew, &answer.slot, seq);
    race->round->content = author < 0 || author >= race->crew->count ? ROUND_STRANGE
                           : race->created[author]                   ? ROUND_OF_CREATOR
                                                                     : ROUND_OF_OTHER;
    return 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): reason is written to, through race */
int crew_race(struct crew *crew, int64_t seq, struct round *round, char *reason) {
    struct race race = {.crew = crew, .round = round, .reason = reason};
    *round = (struct round){.created = 0};
    int r = submit_all(&race, seq);
    if (r == 0) r = await_all(&race);
    return r == 0 ? read_back(&race, seq) : r;
}

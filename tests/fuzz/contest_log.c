/* A store's log; see contest_log.h. */
#include "contest_log.h"

#include "base/clock.h"

static const struct contest_object *find(const struct contest_log *log, int64_t seq, int64_t as_of_ns) {
    for (size_t i = 0; i < log->count; i++) {
        const struct contest_object *o = &log->object[i];
        if (o->seq == seq && o->created_ns <= as_of_ns && as_of_ns < o->deleted_ns) return o;
    }
    return NULL;
}

/* The newest object below seq. */
static const struct contest_object *newest_below(const struct contest_log *log, int64_t seq, int64_t as_of_ns) {
    const struct contest_object *newest = NULL;
    for (size_t i = 0; i < log->count; i++) {
        const struct contest_object *o = &log->object[i];
        if (o->seq >= seq || o->created_ns > as_of_ns || as_of_ns >= o->deleted_ns) continue;
        if (newest == NULL || o->seq > newest->seq) newest = o;
    }
    return newest;
}

static int64_t store_ms(int64_t ns) { return CONTEST_EPOCH_MS + ns / NS_PER_MS; }

static void list(const struct contest_log *log, int64_t now_ns, int64_t as_of_ns, struct listing *listing) {
    const struct contest_object *head = newest_below(log, INT64_MAX, as_of_ns);
    listing->empty = head == NULL;
    listing->date_ms = store_ms(now_ns);
    if (head == NULL) return;
    listing->head_seq = head->seq;
    listing->head_size = head->content.kind == SLOT_VACANCY ? RECORD_VACANCY_LENGTH : 300;
    listing->head_modified_ms = store_ms(head->created_ns);
    const struct contest_object *previous = newest_below(log, head->seq, as_of_ns);
    if (previous == NULL) return;
    listing->previous_seq = previous->seq;
    listing->previous_modified_ms = store_ms(previous->created_ns);
}

static bool append(struct contest_log *log, const struct election_request *request, int64_t now_ns,
                   struct log_answer *answer) {
    answer->outcome = OUTCOME_EXISTS;
    if (find(log, request->seq, now_ns) != NULL) return true;
    if (log->count == CONTEST_OBJECTS_MAX) return false;
    answer->outcome = OUTCOME_DONE;
    log->object[log->count++] = (struct contest_object){
        .seq = request->seq, .content = request->content, .created_ns = now_ns, .deleted_ns = INT64_MAX};
    return true;
}

/* Deletes what is older than the retention, but for the head and the slot behind it. */
static void trim(struct contest_log *log, const struct election_request *request, int64_t now_ns) {
    for (size_t i = 0; i < log->count; i++) {
        struct contest_object *o = &log->object[i];
        bool old = now_ns - o->created_ns > request->retention_ns;
        if (old && o->seq < request->seq - 1 && o->deleted_ns > now_ns) o->deleted_ns = now_ns;
    }
}

bool contest_log_do(struct contest_log *log, const struct election_request *request, int64_t now_ns, int64_t as_of_ns,
                    struct log_answer *answer) {
    const struct contest_object *object;
    *answer = (struct log_answer){.id = request->id, .lane = request->lane, .op = request->op, .seq = request->seq};
    switch (request->op) {
    case LOG_NEWEST:
        list(log, now_ns, as_of_ns, &answer->listing);
        return true;
    case LOG_READ:
        object = find(log, request->seq, as_of_ns);
        answer->outcome = object != NULL ? OUTCOME_DONE : OUTCOME_ABSENT;
        if (object != NULL) answer->slot = object->content;
        return true;
    case LOG_APPEND:
        return append(log, request, now_ns, answer);
    case LOG_TRIM:
        trim(log, request, now_ns);
        return true;
    }
    return false;
}

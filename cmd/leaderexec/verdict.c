/* Judging the head of a log; see verdict.h. */
#include "verdict.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "record/rfc3339.h"

#define UNREADABLE_TTL_MS RECORD_TTL_MAX_MS /* design: an unreadable head holds the lock for 10 min */

static int64_t age_of(const struct listing *listing, int64_t seq) {
    int64_t modified_ms = listing->head_modified_ms;
    /* Further behind, the nearest younger slot that the listing shows: a bound on the safe side. */
    if (seq < listing->head_seq && listing->previous_seq > 0) modified_ms = listing->previous_modified_ms;
    if (modified_ms <= 0 || listing->date_ms <= 0) return VERDICT_UNKNOWN_MS;
    int64_t age_ms = listing->date_ms - modified_ms;
    return age_ms > 0 ? age_ms : 0; /* Date has whole seconds, Last-Modified may be finer */
}

void verdict_judge(struct verdict *verdict, const struct listing *listing, const struct slot *slot,
                   int64_t decides_seq) {
    memset(verdict, 0, sizeof *verdict);
    verdict->age_ms = verdict->remaining_ms = VERDICT_UNKNOWN_MS;
    verdict->state = VERDICT_FREE;
    verdict->slot.kind = SLOT_VACANCY;
    if (listing->empty) return;
    verdict->seq = listing->head_seq;
    verdict->age_ms = age_of(listing, decides_seq);
    if (listing->head_size == RECORD_VACANCY_LENGTH || slot->kind == SLOT_VACANCY) return;
    verdict->slot = *slot;
    bool is_entry = slot->kind == SLOT_ENTRY;
    verdict->ttl_ms = is_entry ? slot->record.ttl_ms : UNREADABLE_TTL_MS;
    verdict->state = is_entry && slot->record.kind == RECORD_HOLD ? VERDICT_HOLD : VERDICT_HELD;
    if (verdict->age_ms == VERDICT_UNKNOWN_MS) return;
    verdict->remaining_ms = verdict->ttl_ms - verdict->age_ms;
    if (verdict->remaining_ms <= 0) verdict->state = VERDICT_EXPIRED;
}

const char *verdict_state_name(enum verdict_state state) {
    switch (state) {
    case VERDICT_HELD:
        return "held";
    case VERDICT_HOLD:
        return "hold";
    case VERDICT_EXPIRED:
        return "expired";
    case VERDICT_FREE:
        return "free";
    }
    return "unknown";
}

/* To the second: "2026-11-23T21:00:00Z". */
static void format_time(char out[RFC3339_SIZE], int64_t ms) {
    rfc3339_format(out, ms);
    memcpy(out + sizeof "2026-11-23T21:00:00" - 1, "Z", sizeof "Z");
}

/* Whole seconds, rounded up: "at the latest" is to stay true. */
static int64_t seconds_up(int64_t ms) { return (ms + MS_PER_S - 1) / MS_PER_S; }

/* "NODE (host H, pid P), token 42, since 2026-11-23T21:00:00Z" */
static void format_holder(const struct verdict *verdict, char *out, size_t size) {
    const struct record *record = &verdict->slot.record;
    char node[RECORD_NODE_SIZE], host[RECORD_HOST_SIZE], since[RFC3339_SIZE];
    if (verdict->slot.kind != SLOT_ENTRY) {
        (void)text_format(out, size, "an unreadable entry (slot %" PRId64 ")", verdict->seq);
        return;
    }
    text_copy_printable(node, sizeof node, record->node);
    text_copy_printable(host, sizeof host, record->host);
    format_time(since, record->since_ms);
    (void)text_format(out, size, "%s (host %s, pid %" PRId64 "), token %" PRId64 ", since %s", node, host, record->pid,
                      record->token, since);
}

void verdict_format(const struct verdict *verdict, char *out, size_t size) {
    char holder[RECORD_NODE_SIZE + RECORD_HOST_SIZE + 160], end[64] = "";
    format_holder(verdict, holder, sizeof holder);
    bool known = verdict->remaining_ms != VERDICT_UNKNOWN_MS;
    if (known) (void)text_format(end, sizeof end, " in %" PRId64 "s at the latest", seconds_up(verdict->remaining_ms));
    switch (verdict->state) {
    case VERDICT_HELD:
        (void)text_format(out, size, "held by %s, lease ends%s", holder,
                          known ? end : " at a time that the store doesn't tell");
        return;
    case VERDICT_HOLD:
        (void)text_format(out, size, "on hold by %s, which is done; free%s", holder,
                          known ? end : " at a time that the store doesn't tell");
        return;
    case VERDICT_EXPIRED:
        (void)text_format(out, size, "expired %" PRId64 "s ago and not taken since; last held by %s",
                          -verdict->remaining_ms / MS_PER_S, holder);
        return;
    case VERDICT_FREE:
        (void)text_copy(out, size, "free");
        return;
    }
}

static bool add_text(cJSON *object, const char *name, const char *text) {
    return (text != NULL ? cJSON_AddStringToObject(object, name, text) : cJSON_AddNullToObject(object, name)) != NULL;
}

static bool add_number(cJSON *object, const char *name, bool known, int64_t number) {
    return (known ? cJSON_AddNumberToObject(object, name, (double)number) : cJSON_AddNullToObject(object, name)) !=
           NULL;
}

int verdict_format_json(const struct verdict *verdict, const char *lock, char *out, size_t size) {
    const struct record *record = &verdict->slot.record;
    bool entry = verdict->slot.kind == SLOT_ENTRY, taken = verdict->ttl_ms > 0;
    char since[RFC3339_SIZE];
    format_time(since, record->since_ms);
    cJSON *object = cJSON_CreateObject();
    bool ok = add_text(object, "lock", lock) && add_text(object, "state", verdict_state_name(verdict->state)) &&
              add_number(object, "token", entry, record->token) &&
              add_text(object, "node", entry ? record->node : NULL) &&
              add_text(object, "host", entry ? record->host : NULL) && add_number(object, "pid", entry, record->pid) &&
              add_text(object, "command", entry ? record->command : NULL) &&
              add_text(object, "since", entry ? since : NULL) &&
              add_number(object, "age_ms", verdict->age_ms != VERDICT_UNKNOWN_MS, verdict->age_ms) &&
              add_number(object, "ttl_ms", taken, verdict->ttl_ms) &&
              add_number(object, "remaining_ms", verdict->remaining_ms != VERDICT_UNKNOWN_MS, verdict->remaining_ms) &&
              add_number(object, "seq", verdict->seq > 0, verdict->seq);
    int r = !ok ? -ENOMEM : cJSON_PrintPreallocated(object, out, (int)size, false) ? 0 : -ENOSPC;
    cJSON_Delete(object);
    return r;
}

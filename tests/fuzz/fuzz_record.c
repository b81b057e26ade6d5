/* Records: any bytes are read as some slot, what is read as an entry is sound, and what is written is read back. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "record/record.h"
#include "record/utf8.h"

static int64_t limit_ms(enum record_kind kind) { return kind == RECORD_HOLD ? RECORD_HOLD_MAX_MS : RECORD_TTL_MAX_MS; }

static void check_text(const char *text, size_t size) {
    size_t length = strnlen(text, size);
    CHECK(length < size, "a text ends within its array");
    CHECK(utf8_is_valid(text, length), "a text is valid UTF-8");
    for (size_t i = 0, step; i < length; i += step) {
        uint32_t codepoint;
        step = utf8_next(text + i, length - i, &codepoint);
        CHECK(step > 0 && !utf8_is_control(codepoint), "a text holds no control character");
    }
}

static void check_sound(const struct record *r, int64_t seq) {
    CHECK(r->seq == seq && r->seq >= 1 && r->seq <= RECORD_SEQ_MAX, "an entry is its slot's");
    CHECK(r->token >= 1 && r->token <= r->seq, "a token is a slot at or below its entry");
    CHECK(r->ttl_ms >= RECORD_TTL_MIN_MS && r->ttl_ms <= limit_ms(r->kind), "a TTL is within its limit");
    CHECK(r->pid >= 0, "a pid isn't negative");
    check_text(r->node, sizeof r->node);
    check_text(r->host, sizeof r->host);
    check_text(r->command, sizeof r->command);
}

static bool same(const struct record *a, const struct record *b) {
    return a->kind == b->kind && a->seq == b->seq && a->token == b->token && a->ttl_ms == b->ttl_ms &&
           memcmp(a->nonce, b->nonce, sizeof a->nonce) == 0 && strcmp(a->node, b->node) == 0 &&
           a->since_ms == b->since_ms && a->timestamp_ms == b->timestamp_ms && a->expiry_ms == b->expiry_ms &&
           strcmp(a->host, b->host) == 0 && a->pid == b->pid && strcmp(a->command, b->command) == 0;
}

/* Writes record, which must work, and reads it back. */
static void round_trip(const struct record *record, bool exact) {
    char json[RECORD_JSON_MAX + 1];
    struct slot again;
    int length = record_format(record, json, sizeof json);
    CHECK(length > 0 && (size_t)length == strlen(json), "a sound record can be written");
    slot_parse(&again, json, (size_t)length, record->seq);
    CHECK(again.kind == SLOT_ENTRY, "what was written is read back");
    check_sound(&again.record, record->seq);
    if (exact) CHECK(same(&again.record, record), "what was read, written and read again is the same");
    char shorter[64];
    CHECK(record_format(record, shorter, sizeof shorter) < 0, "what doesn't fit isn't written");
}

/* The slot that the bytes claim to be of, so that the check of it is got past. */
static int64_t claimed_seq(const uint8_t *data, size_t size) {
    static const char name[] = "\"seq\":";
    const uint8_t *at = size > 0 ? memmem(data, size, name, sizeof name - 1) : NULL;
    int64_t seq = 0;
    if (at == NULL) return 42;
    for (at += sizeof name - 1; at < data + size && *at >= '0' && *at <= '9' && seq < RECORD_SEQ_MAX; at++)
        seq = seq * 10 + (*at - '0');
    return seq;
}

static void fill_text(struct fuzz_input *input, char *out, size_t size) {
    char *text = fuzz_text(input, '\n');
    size_t length = strlen(text);
    memcpy(out, text, length < size ? length + 1 : size); /* may be unterminated: that is allowed */
    free(text);
}

/* Any record at all: refused, or written so that it is read back. */
static void write_any(struct fuzz_input input) {
    struct record r = {0};
    r.kind = (enum record_kind)(fuzz_byte(&input) & 3);
    r.seq = fuzz_number(&input, RECORD_SEQ_MAX + 2);
    r.token = fuzz_byte(&input) < 200 ? r.seq : fuzz_number(&input, RECORD_SEQ_MAX);
    r.ttl_ms = fuzz_number(&input, RECORD_HOLD_MAX_MS + 1);
    r.since_ms = (int64_t)(fuzz_number(&input, INT64_MAX - 1) * (fuzz_byte(&input) & 1 ? -1 : 1));
    r.timestamp_ms = fuzz_number(&input, INT64_C(253402300800000));
    r.expiry_ms = r.timestamp_ms + r.ttl_ms;
    r.pid = fuzz_number(&input, INT64_C(1) << 33) - 5;
    for (size_t i = 0; i < sizeof r.nonce; i++) r.nonce[i] = fuzz_byte(&input);
    fill_text(&input, r.node, sizeof r.node);
    fill_text(&input, r.host, sizeof r.host);
    fill_text(&input, r.command, sizeof r.command);
    bool sound = r.seq >= 1 && r.seq <= RECORD_SEQ_MAX && r.token >= 1 && r.token <= r.seq && r.ttl_ms >= 1 &&
                 r.ttl_ms <= limit_ms(r.kind);
    char json[RECORD_JSON_MAX + 1];
    if (sound)
        round_trip(&r, false);
    else
        CHECK(record_format(&r, json, sizeof json) < 0, "a record that breaks its bounds isn't written");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slot slot, other;
    int64_t seq = claimed_seq(data, size);
    slot_parse(&slot, (const char *)data, size, seq);
    slot_parse(&other, (const char *)data, size, seq + 1);
    CHECK(other.kind != SLOT_ENTRY, "an entry of another slot is unreadable");
    if (slot.kind == SLOT_ENTRY) {
        check_sound(&slot.record, seq);
        round_trip(&slot.record, true);
    }
    write_any((struct fuzz_input){data, size});
    return 0;
}

/* Records to and from JSON: what was written reads back the same, and what doesn't pass every check is unreadable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "record/evict.h"
#include "record/record.h"
#include "record/rfc3339.h"
#include "record/utf8.h"

#define NONCE "000102030405060708090a0b0c0d0e0f"

/* A small generator of its own, so that a seed means the same everywhere. */
static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t x = *state;
    return (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
}

static int64_t random_between(uint64_t *state, int64_t least, int64_t most) {
    return least + (int64_t)((next_random(state) >> 8) % (uint64_t)(most - least + 1));
}

static struct slot parse(const char *text, int64_t seq) {
    /* An allocation of the exact size lets the sanitizer see a read past the end. */
    size_t length = strlen(text);
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    struct slot slot;
    memset(&slot, 0x5a, sizeof slot);
    slot_parse(&slot, copy, length, seq);
    free(copy);
    return slot;
}

static struct record sample(void) {
    struct record record = {.kind = RECORD_RENEW,
                            .seq = 42,
                            .token = 40,
                            .ttl_ms = 30000,
                            .node = "host:17:abc",
                            .since_ms = INT64_C(1787304600250),
                            .timestamp_ms = INT64_C(1787304610000),
                            .expiry_ms = INT64_C(1787304640000),
                            .host = "host",
                            .pid = 17,
                            .command = "./job --fast"};
    for (size_t i = 0; i < RECORD_NONCE_SIZE; i++) record.nonce[i] = (uint8_t)i;
    return record;
}

static void assert_same(const struct record *a, const struct record *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->token, b->token);
    assert_int_equal(a->ttl_ms, b->ttl_ms);
    assert_memory_equal(a->nonce, b->nonce, RECORD_NONCE_SIZE);
    assert_string_equal(a->node, b->node);
    assert_int_equal(a->since_ms, b->since_ms);
    assert_int_equal(a->timestamp_ms, b->timestamp_ms);
    assert_int_equal(a->expiry_ms, b->expiry_ms);
    assert_string_equal(a->host, b->host);
    assert_int_equal(a->pid, b->pid);
    assert_string_equal(a->command, b->command);
}

static struct record format_and_parse(const struct record *record) {
    char text[RECORD_JSON_MAX + 1];
    int length = record_format(record, text, sizeof text);
    assert_true(length > 0 && length <= RECORD_JSON_MAX);
    assert_int_equal(length, strlen(text));
    struct slot slot = parse(text, record->seq);
    if (slot.kind != SLOT_ENTRY) print_error("unreadable: %s\n", text);
    assert_int_equal(slot.kind, SLOT_ENTRY);
    return slot.record;
}

static void a_record_is_one_line_of_json_with_the_documented_names(void **state) {
    (void)state;
    struct record record = sample();
    char text[RECORD_JSON_MAX + 1];
    assert_true(record_format(&record, text, sizeof text) > 0);
    assert_string_equal(
        text, "{\"version\":1,\"seq\":42,\"kind\":\"renew\",\"token\":40,\"node\":\"host:17:abc\",\"nonce\":\"" NONCE
              "\",\"ttl\":30000,\"since\":\"2026-08-21T09:30:00.250Z\",\"timestamp\":\"2026-08-21T09:30:10.000Z\","
              "\"expiry\":\"2026-08-21T09:30:40.000Z\",\"host\":\"host\",\"pid\":17,\"command\":\"./job --fast\"}\n");
    struct slot slot = parse(text, 42);
    assert_int_equal(slot.kind, SLOT_ENTRY);
    assert_same(&slot.record, &record);
}

static void fill_text(uint64_t *seed, char *out, size_t size) {
    static const char *const characters[] = {"a", "Z", " ", "\"", "\\", "/", "ä", "€", "😀", "~", "0"};
    out[0] = '\0';
    for (int64_t n = random_between(seed, 0, (int64_t)size); n > 0; n--) {
        const char *c = characters[random_between(seed, 0, 10)];
        if (strlen(out) + strlen(c) < size) strcat(out, c);
    }
}

static void random_records_come_back_as_they_were(void **state) {
    (void)state;
    uint64_t seed = 20260821;
    for (int round = 0; round < 5000; round++) {
        struct record record = {.kind = (enum record_kind)random_between(&seed, 0, 3)};
        record.seq = round % 2 == 0 ? random_between(&seed, 1, RECORD_SEQ_MAX) : random_between(&seed, 1, 1000);
        record.token = random_between(&seed, 1, record.seq);
        record.ttl_ms = random_between(&seed, 1, record.kind == RECORD_HOLD ? RECORD_HOLD_MAX_MS : RECORD_TTL_MAX_MS);
        for (size_t i = 0; i < RECORD_NONCE_SIZE; i++) record.nonce[i] = (uint8_t)next_random(&seed);
        fill_text(&seed, record.node, sizeof record.node);
        fill_text(&seed, record.host, sizeof record.host);
        fill_text(&seed, record.command, sizeof record.command);
        record.since_ms = random_between(&seed, 0, RFC3339_MAX_MS);
        record.timestamp_ms = random_between(&seed, 0, RFC3339_MAX_MS);
        record.expiry_ms = random_between(&seed, 0, RFC3339_MAX_MS);
        record.pid = random_between(&seed, 0, INT32_MAX);
        struct record back = format_and_parse(&record);
        assert_same(&back, &record);
    }
}

static void whatever_bytes_the_texts_hold_the_result_is_readable(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 5000; round++) {
        struct record record = sample();
        /* Unterminated, too: every byte of every array is random. */
        for (size_t i = 0; i < sizeof record.node; i++) record.node[i] = (char)next_random(&seed);
        for (size_t i = 0; i < sizeof record.host; i++) record.host[i] = (char)(next_random(&seed) | 1);
        for (size_t i = 0; i < sizeof record.command; i++) record.command[i] = (char)(next_random(&seed) | 1);
        record.since_ms = (int64_t)next_random(&seed);
        record.timestamp_ms = (int64_t)next_random(&seed);
        record.expiry_ms = INT64_MIN;
        record.pid = (int64_t)next_random(&seed);
        (void)format_and_parse(&record);
    }
}

static void the_longest_record_fits(void **state) {
    (void)state;
    static const char fillers[] = {'"', '\\', '\x01', 'x', '\xff'};
    for (size_t i = 0; i < sizeof fillers; i++) {
        struct record record = sample();
        record.kind = RECORD_HOLD;
        record.seq = record.token = RECORD_SEQ_MAX;
        record.ttl_ms = RECORD_HOLD_MAX_MS;
        record.pid = INT32_MAX;
        memset(record.node, fillers[i], sizeof record.node);
        memset(record.host, fillers[i], sizeof record.host);
        memset(record.command, fillers[i], sizeof record.command);
        (void)format_and_parse(&record);
    }
}

static void bad_bytes_become_question_marks_and_a_cut_character_goes(void **state) {
    (void)state;
    struct record record = sample();
    strcpy(record.node, "a\x80"
                        "b\n\xc3,\x7f\xc2\x85");
    strcpy(record.command, "grüße \xe2\x82");
    struct record back = format_and_parse(&record);
    assert_string_equal(back.node, "a?b??,???");
    assert_string_equal(back.command, "grüße ");
}

static void an_unsound_record_is_not_written(void **state) {
    (void)state;
    char text[RECORD_JSON_MAX + 1];
    struct record record;
    record = sample(), record.seq = 0;
    assert_int_equal(record_format(&record, text, sizeof text), -EINVAL);
    record = sample(), record.seq = RECORD_SEQ_MAX + 1;
    assert_int_equal(record_format(&record, text, sizeof text), -EINVAL);
    record = sample(), record.token = 43;
    assert_int_equal(record_format(&record, text, sizeof text), -EINVAL);
    record = sample(), record.ttl_ms = RECORD_TTL_MAX_MS + 1;
    assert_int_equal(record_format(&record, text, sizeof text), -EINVAL);
    record = sample(), record.kind = (enum record_kind)4;
    assert_int_equal(record_format(&record, text, sizeof text), -EINVAL);
    record = sample();
    assert_int_equal(record_format(&record, text, 100), -ENOSPC);
}

static void a_vacancy_is_five_exact_bytes(void **state) {
    (void)state;
    assert_int_equal(parse(RECORD_VACANCY, 1).kind, SLOT_VACANCY);
    assert_int_equal(strlen(RECORD_VACANCY), RECORD_VACANCY_LENGTH);
    static const char *const others[] = {"", "free", "free\r\n", "free\n\n", "Free\n", "freed", "\n"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(parse(others[i], 1).kind, SLOT_UNREADABLE);
}

/* Slot 42 with one part of a good record replaced by another. */
static enum slot_kind with(const char *part, const char *replacement) {
    static const char good[] =
        "{\"version\":1,\"seq\":42,\"kind\":\"claim\",\"token\":42,\"node\":\"n\",\"nonce\":\"" NONCE
        "\",\"ttl\":30000,\"since\":\"2026-08-21T09:30:00Z\",\"timestamp\":\"2026-08-21T09:30:00.5Z\","
        "\"expiry\":\"2026-08-21T11:30:00+02:00\",\"host\":\"h\",\"pid\":1,\"command\":\"c\"}";
    char text[16384];
    const char *at = strstr(good, part);
    assert_non_null(at);
    assert_int_equal(text_format(text, sizeof text, "%.*s%s%s", (int)(at - good), good, replacement, at + strlen(part)),
                     0);
    return parse(text, 42).kind;
}

struct change {
    const char *part;
    const char *replacement;
};

static const struct change harmless[] = {
    {"{", "{"},
    {"{", "{\"later\":[1,{\"x\":null}],"},
    {"{", "{ \n\t"},
    {"}", "}\r\n  "},
    {"\"since\":\"2026-08-21T09:30:00Z\",", ""},
    {",\"host\":\"h\",\"pid\":1,\"command\":\"c\"}", "}"},
    {"\"n\"", "\"\""},
    {"\"n\"", "\"gr\\u00fc\\u00dfe \\ud83d\\ude00\""},
    {"\"ttl\":30000", "\"ttl\":1"},
    {"\"ttl\":30000", "\"ttl\":600000"},
    {"\"kind\":\"claim\"", "\"kind\":\"renew\""},
    {"\"kind\":\"claim\"", "\"kind\":\"evict\""},
    {"\"token\":42", "\"token\":1"},
    {"\"pid\":1", "\"SEQ\":7,\"pid\":1"},
};

static const struct change broken[] = {
    {"\"version\":1,", ""},
    {"\"seq\":42,", ""},
    {"\"kind\":\"claim\",", ""},
    {"\"token\":42,", ""},
    {"\"node\":\"n\",", ""},
    {"\"nonce\":\"" NONCE "\",", ""},
    {"\"ttl\":30000,", ""},
    {"\"version\":1", "\"version\":2"},
    {"\"version\":1", "\"version\":\"1\""},
    {"\"version\":1", "\"version\":true"},
    {"\"seq\":42", "\"seq\":41"},
    {"\"seq\":42", "\"seq\":\"42\""},
    {"\"seq\":42", "\"SEQ\":42"},
    {"\"seq\":42", "\"seq\":42.5"},
    {"\"seq\":42", "\"seq\":4294967338"},
    {"\"seq\":42", "\"seq\":42,\"seq\":42"},
    {"\"seq\":42", "\"seq\":42,\"s\\u0065q\":41"},
    {"\"seq\":42", "\"seq\\u0000x\":42"},
    {"\"pid\":1", "\"x\":1,\"x\":1,\"pid\":1"},
    {"\"kind\":\"claim\"", "\"kind\":\"Claim\""},
    {"\"kind\":\"claim\"", "\"kind\":\"\""},
    {"\"kind\":\"claim\"", "\"kind\":0"},
    {"\"token\":42", "\"token\":43"},
    {"\"token\":42", "\"token\":0"},
    {"\"token\":42", "\"token\":-1"},
    {"\"token\":42", "\"token\":null"},
    {"\"n\"", "17"},
    {"\"n\"", "[\"n\"]"},
    {"\"n\"", "\"a\nb\""},
    {"\"n\"", "\"a\\nb\""},
    {"\"n\"", "\"a\\u001bb\""},
    {"\"n\"", "\"a\\u0000b\""},
    {"\"n\"", "\"a\x7f"
              "b\""},
    {"\"n\"", "\"a\\u009bb\""},
    {"\"n\"", "\"a\xff"
              "b\""},
    {"\"n\"", "\"a\xc0\xaf"
              "b\""},
    {"\"n\"", "\"\\ud83d\""},
    {"\"n\"", "\"unclosed"},
    {NONCE, "000102030405060708090a0b0c0d0e"},
    {NONCE, NONCE "00"},
    {NONCE, "000102030405060708090A0B0C0D0E0F"},
    {NONCE, ""},
    {"\"ttl\":30000", "\"ttl\":0"},
    {"\"ttl\":30000", "\"ttl\":-1"},
    {"\"ttl\":30000", "\"ttl\":600001"},
    {"\"ttl\":30000", "\"ttl\":1000000000000000000"},
    {"\"ttl\":30000", "\"ttl\":1e300"},
    {"\"ttl\":30000", "\"ttl\":1e999"},
    {"\"ttl\":30000", "\"ttl\":-1e999"},
    {"\"ttl\":30000", "\"ttl\":30000.25"},
    {"\"ttl\":30000", "\"ttl\":NaN"},
    {"\"ttl\":30000", "\"ttl\":0x10"},
    {"\"ttl\":30000", "\"ttl\":\"30000\""},
    {"\"ttl\":30000", "\"ttl\":{}"},
    {"\"2026-08-21T09:30:00Z\"", "5"},
    {"\"2026-08-21T09:30:00Z\"", "\"yesterday\""},
    {"\"2026-08-21T09:30:00Z\"", "\"2026-02-30T09:30:00Z\""},
    {"\"2026-08-21T09:30:00Z\"", "\"2026-08-21T09:30:00\""},
    {"\"h\"", "false"},
    {"\"pid\":1", "\"pid\":-1"},
    {"\"pid\":1", "\"pid\":\"1\""},
    {"\"pid\":1", "\"pid\":1e18"},
    {"\"c\"", "[]"},
    {"}", ""},
    {"}", "}}"},
    {"}", "}x"},
    {"}", "}{}"},
    {"}", ",}"},
    {"}", "}\x01"},
    {"{", ""},
    {"{", "["},
    {"{", "\xef\xbb\xbf{"},
    {"{", "{\x02"},
    {"{", "{\"deep\":[[[[[[[[]]]]]]]],"},
};

static void harmless_differences_are_read(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        if (with(harmless[i].part, harmless[i].replacement) != SLOT_ENTRY)
            fail_msg("unreadable: %s", harmless[i].replacement);
    }
}

static void what_fails_a_check_is_unreadable(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        if (with(broken[i].part, broken[i].replacement) != SLOT_UNREADABLE) {
            fail_msg("read: %s in place of %s", broken[i].replacement, broken[i].part);
        }
    }
}

static void only_a_hold_may_last_a_day(void **state) {
    (void)state;
    assert_int_equal(with("\"claim\",\"token\":42,\"node\":\"n\",\"nonce\":\"" NONCE "\",\"ttl\":30000",
                          "\"hold\",\"token\":42,\"node\":\"n\",\"nonce\":\"" NONCE "\",\"ttl\":86400000"),
                     SLOT_ENTRY);
    assert_int_equal(with("\"claim\",\"token\":42,\"node\":\"n\",\"nonce\":\"" NONCE "\",\"ttl\":30000",
                          "\"hold\",\"token\":42,\"node\":\"n\",\"nonce\":\"" NONCE "\",\"ttl\":86400001"),
                     SLOT_UNREADABLE);
}

static void a_long_command_is_cut_between_characters_and_a_long_node_is_refused(void **state) {
    (void)state;
    char longest[600] = "x"; /* "x" and two-byte characters: the limit of 255 falls on a boundary, that of 79 too */
    while (strlen(longest) < 400) strcat(longest, "ä");
    char json[2000];
    (void)text_format(json, sizeof json,
                      "{\"version\":1,\"seq\":1,\"kind\":\"claim\",\"token\":1,\"node\":\"n\",\"nonce\":\"" NONCE
                      "\",\"ttl\":1,\"host\":\"y%s\",\"command\":\"%s\"}",
                      longest, longest);
    struct slot slot = parse(json, 1);
    assert_int_equal(slot.kind, SLOT_ENTRY);
    assert_int_equal(strlen(slot.record.command), RECORD_COMMAND_SIZE - 1);
    assert_int_equal(strlen(slot.record.host), RECORD_HOST_SIZE - 2); /* one byte short of half a character */
    assert_true(utf8_is_valid(slot.record.host, strlen(slot.record.host)));
    char node[700];
    (void)text_format(node, sizeof node, "\"%s\"", longest);
    assert_int_equal(with("\"n\"", node), SLOT_UNREADABLE);
}

static void longer_than_the_limit_is_unreadable(void **state) {
    (void)state;
    struct record record = sample();
    char text[RECORD_JSON_MAX + 2];
    int length = record_format(&record, text, RECORD_JSON_MAX + 1);
    assert_true(length > 0);
    memset(text + length, ' ', sizeof text - (size_t)length);
    struct slot slot;
    slot_parse(&slot, text, RECORD_JSON_MAX, 42);
    assert_int_equal(slot.kind, SLOT_ENTRY);
    slot_parse(&slot, text, RECORD_JSON_MAX + 1, 42);
    assert_int_equal(slot.kind, SLOT_UNREADABLE);
}

static void an_embedded_nul_is_unreadable(void **state) {
    (void)state;
    struct record record = sample();
    char text[RECORD_JSON_MAX + 1];
    int length = record_format(&record, text, sizeof text);
    assert_true(length > 0);
    struct slot slot;
    slot_parse(&slot, text, (size_t)length + 1, 42); /* the terminator */
    assert_int_equal(slot.kind, SLOT_UNREADABLE);
    *strstr(text, "host") = '\0';
    slot_parse(&slot, text, (size_t)length, 42);
    assert_int_equal(slot.kind, SLOT_UNREADABLE);
}

static void every_cut_of_a_record_is_unreadable(void **state) {
    (void)state;
    struct record record = sample();
    char text[RECORD_JSON_MAX + 1];
    int length = record_format(&record, text, sizeof text);
    for (int i = 0; i < length - 1; i++) {
        struct slot slot;
        slot_parse(&slot, text, (size_t)i, 42);
        assert_int_equal(slot.kind, SLOT_UNREADABLE);
    }
}

static void mutated_records_crash_nothing(void **state) {
    (void)state;
    uint64_t seed = 99;
    struct record record = sample();
    char good[RECORD_JSON_MAX + 1], text[RECORD_JSON_MAX + 1], again[RECORD_JSON_MAX + 1];
    int length = record_format(&record, good, sizeof good);
    for (int round = 0; round < 50000; round++) {
        memcpy(text, good, (size_t)length + 1);
        for (int64_t n = random_between(&seed, 1, 4); n > 0; n--) {
            text[random_between(&seed, 0, length - 1)] = (char)next_random(&seed);
        }
        struct slot slot;
        slot_parse(&slot, text, (size_t)length, 42);
        if (slot.kind == SLOT_ENTRY) assert_true(record_format(&slot.record, again, sizeof again) > 0);
    }
}

static void a_tower_of_brackets_is_unreadable(void **state) {
    (void)state;
    char tower[RECORD_JSON_MAX];
    memset(tower, '[', sizeof tower);
    struct slot slot;
    slot_parse(&slot, tower, sizeof tower, 1);
    assert_int_equal(slot.kind, SLOT_UNREADABLE);
    tower[0] = '{';
    slot_parse(&slot, tower, sizeof tower, 1);
    assert_int_equal(slot.kind, SLOT_UNREADABLE);
}

static int allocations_left; /* then one fails */

static void *allocate_or_fail(size_t size) {
    if (allocations_left-- != 0) return malloc(size);
    errno = ENOMEM; /* as malloc(3) does it */
    return NULL;
}

/* A head that counts as unreadable holds the lock for ten minutes: no moment without memory may lead to that. */
static void a_record_isnt_unreadable_for_want_of_memory(void **state) {
    (void)state;
    struct record record = sample();
    char text[RECORD_JSON_MAX + 1];
    int length = record_format(&record, text, sizeof text);
    struct slot slot;
    int failures = 0;
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = allocate_or_fail, .free_fn = free});
    for (allocations_left = failures; slot_parse(&slot, text, (size_t)length, 42) != 0; allocations_left = failures) {
        assert_int_equal(slot.kind, SLOT_UNREADABLE);
        failures++;
    }
    cJSON_InitHooks(NULL);
    assert_true(failures > 13); /* one for each field at least */
    assert_int_equal(slot.kind, SLOT_ENTRY);
}

static void times_are_read_with_fractions_and_offsets(void **state) {
    (void)state;
    int64_t ms = -1;
    assert_true(rfc3339_parse("1970-01-01T00:00:00Z", &ms) && ms == 0);
    assert_true(rfc3339_parse("2026-08-21T09:30:00.250Z", &ms) && ms == INT64_C(1787304600250));
    assert_true(rfc3339_parse("2026-08-21 11:30:00.250999999+02:00", &ms) && ms == INT64_C(1787304600250));
    assert_true(rfc3339_parse("2026-08-21t05:00:00.25-04:30", &ms) && ms == INT64_C(1787304600250));
    assert_true(rfc3339_parse("2016-12-31T23:59:60Z", &ms) && ms == INT64_C(1483228800000));
    assert_true(rfc3339_parse("2024-02-29T00:00:00Z", &ms));
    static const char *const wrong[] = {"",
                                        "2026-08-21",
                                        "2026-08-21T09:30Z",
                                        "2026-08-21T09:30:00",
                                        "2026-08-21T09:30:00.Z",
                                        "2026-08-21T09:30:00.1234567890123Z",
                                        "2026-13-01T00:00:00Z",
                                        "2026-00-01T00:00:00Z",
                                        "2023-02-29T00:00:00Z",
                                        "2026-04-31T23:59:60Z",
                                        "2026-08-21T24:00:00Z",
                                        "2026-08-21T09:60:00Z",
                                        "2026-08-21T09:30:61Z",
                                        "2026-08-21T09:30:00Zx",
                                        "2026-08-21T09:30:00+2:00",
                                        "2026-08-21T09:30:00+02:60",
                                        "1969-12-31T23:59:59Z",
                                        "1970-01-01T00:00:00+00:01",
                                        "-026-08-21T09:30:00Z",
                                        "12026-08-21T09:30:00Z"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (rfc3339_parse(wrong[i], &ms)) fail_msg("read: %s", wrong[i]);
    }
}

static void kinds_have_names(void **state) {
    (void)state;
    assert_string_equal(record_kind_name(RECORD_CLAIM), "claim");
    assert_string_equal(record_kind_name(RECORD_RENEW), "renew");
    assert_string_equal(record_kind_name(RECORD_EVICT), "evict");
    assert_string_equal(record_kind_name(RECORD_HOLD), "hold");
}

static void evicts_are_looked_through_up_to_a_limit(void **state) {
    (void)state;
    const struct slot evict = {.kind = SLOT_ENTRY, .record = {.kind = RECORD_EVICT}};
    const struct slot others[] = {
        {.kind = SLOT_ENTRY, .record = {.kind = RECORD_HOLD}}, {.kind = SLOT_VACANCY}, {.kind = SLOT_UNREADABLE}};
    int64_t seq = 50;
    struct slot slot = evict;
    for (int i = 0; i < EVICTS_LOOKED_THROUGH; i++) {
        assert_true(evict_look_below(&slot, 50, &seq));
        assert_int_equal(seq, 49 - i);
    }
    assert_false(evict_look_below(&slot, 50, &seq));
    assert_int_equal(slot.kind, SLOT_UNREADABLE);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        slot = others[i];
        seq = 49;
        assert_false(evict_look_below(&slot, 50, &seq));
        assert_int_equal(seq, 49);
        assert_memory_equal(&slot, &others[i], sizeof slot);
    }
    slot = evict;
    seq = 1; /* there is nothing below the first */
    assert_false(evict_look_below(&slot, 1, &seq));
    assert_int_equal(slot.kind, SLOT_UNREADABLE);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_one_line_of_json_with_the_documented_names),
        cmocka_unit_test(random_records_come_back_as_they_were),
        cmocka_unit_test(whatever_bytes_the_texts_hold_the_result_is_readable),
        cmocka_unit_test(the_longest_record_fits),
        cmocka_unit_test(bad_bytes_become_question_marks_and_a_cut_character_goes),
        cmocka_unit_test(an_unsound_record_is_not_written),
        cmocka_unit_test(a_vacancy_is_five_exact_bytes),
        cmocka_unit_test(harmless_differences_are_read),
        cmocka_unit_test(what_fails_a_check_is_unreadable),
        cmocka_unit_test(only_a_hold_may_last_a_day),
        cmocka_unit_test(a_long_command_is_cut_between_characters_and_a_long_node_is_refused),
        cmocka_unit_test(longer_than_the_limit_is_unreadable),
        cmocka_unit_test(an_embedded_nul_is_unreadable),
        cmocka_unit_test(every_cut_of_a_record_is_unreadable),
        cmocka_unit_test(mutated_records_crash_nothing),
        cmocka_unit_test(a_tower_of_brackets_is_unreadable),
        cmocka_unit_test(a_record_isnt_unreadable_for_want_of_memory),
        cmocka_unit_test(times_are_read_with_fractions_and_offsets),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(evicts_are_looked_through_up_to_a_limit),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}

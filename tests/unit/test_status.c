/* What status makes of the head of a log: by the store's clock only, the same in words and in JSON; and how it looks
 * for that head, on a store that plays back what a test says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/text.h"
#include "bucket.h"
#include "options.h"
#include "status.h"
#include "store/store.h"
#include "verdict.h"

#define DATE_MS INT64_C(1790000000000)

static struct slot entry_of(enum record_kind kind, int64_t ttl_ms) {
    struct slot slot = {.kind = SLOT_ENTRY,
                        .record = {.kind = kind,
                                   .seq = 44,
                                   .token = 42,
                                   .ttl_ms = ttl_ms,
                                   .node = "web-1",
                                   .host = "h1",
                                   .pid = 7,
                                   .since_ms = INT64_C(1795467600000), /* 2026-11-23T21:00:00Z */
                                   .command = "./job --now"}};
    return slot;
}

static struct listing listing_of(int64_t age_ms) {
    return (struct listing){.head_seq = 44,
                            .head_size = 300,
                            .head_modified_ms = DATE_MS - age_ms,
                            .previous_seq = 43,
                            .previous_modified_ms = DATE_MS - age_ms - 5000,
                            .date_ms = DATE_MS};
}

static struct verdict judge(int64_t age_ms, struct slot slot) {
    struct verdict verdict;
    struct listing listing = listing_of(age_ms);
    verdict_judge(&verdict, &listing, &slot, listing.head_seq);
    return verdict;
}

static void assert_line(const struct verdict *verdict, const char *expected) {
    char line[1024];
    verdict_format(verdict, line, sizeof line);
    assert_string_equal(line, expected);
}

static void a_young_entry_holds_the_lock(void **state) {
    (void)state;
    struct verdict verdict = judge(12500, entry_of(RECORD_RENEW, 30000));
    assert_int_equal(verdict.state, VERDICT_HELD);
    assert_int_equal(verdict.remaining_ms, 17500);
    assert_line(
        &verdict,
        "held by web-1 (host h1, pid 7), token 42, since 2026-11-23T21:00:00Z, lease ends in 18s at the latest");
}

static void an_entry_past_its_time_has_expired(void **state) {
    (void)state;
    assert_int_equal(judge(29999, entry_of(RECORD_CLAIM, 30000)).state, VERDICT_HELD);
    assert_int_equal(judge(30000, entry_of(RECORD_CLAIM, 30000)).state, VERDICT_EXPIRED);
    struct verdict verdict = judge(42000, entry_of(RECORD_CLAIM, 30000));
    assert_line(&verdict, "expired 12s ago and not taken since; last held by web-1 (host h1, pid 7), token 42, since "
                          "2026-11-23T21:00:00Z");
}

static void a_hold_keeps_the_lock_until_it_is_over(void **state) {
    (void)state;
    struct verdict verdict = judge(1000, entry_of(RECORD_HOLD, 86400000));
    assert_int_equal(verdict.state, VERDICT_HOLD);
    assert_line(&verdict, "on hold by web-1 (host h1, pid 7), token 42, since 2026-11-23T21:00:00Z, which is done; "
                          "free in 86399s at the latest");
    assert_int_equal(judge(86400000, entry_of(RECORD_HOLD, 86400000)).state, VERDICT_EXPIRED);
}

static void a_vacancy_and_an_empty_log_are_free(void **state) {
    (void)state;
    struct listing listing = listing_of(1000);
    struct slot slot = {.kind = SLOT_VACANCY};
    struct verdict verdict;
    listing.head_size = RECORD_VACANCY_LENGTH;
    verdict_judge(&verdict, &listing, &slot, 44);
    assert_int_equal(verdict.state, VERDICT_FREE);
    assert_int_equal(verdict.seq, 44);
    assert_line(&verdict, "free");
    listing = (struct listing){.empty = true};
    verdict_judge(&verdict, &listing, &slot, 0);
    assert_int_equal(verdict.state, VERDICT_FREE);
    assert_int_equal(verdict.seq, 0);
    assert_line(&verdict, "free");
}

static void an_unreadable_head_holds_for_ten_minutes(void **state) {
    (void)state;
    struct slot slot = {.kind = SLOT_UNREADABLE};
    struct verdict verdict = judge(599999, slot);
    assert_int_equal(verdict.state, VERDICT_HELD);
    assert_line(&verdict, "held by an unreadable entry (slot 44), lease ends in 1s at the latest");
    assert_int_equal(judge(600000, slot).state, VERDICT_EXPIRED);
}

static void behind_an_evict_the_evicted_entry_counts(void **state) {
    (void)state;
    struct listing listing = listing_of(1000);
    struct slot slot = entry_of(RECORD_RENEW, 30000);
    struct verdict verdict;
    verdict_judge(&verdict, &listing, &slot, 43);
    assert_int_equal(verdict.age_ms, 6000);
    assert_int_equal(verdict.remaining_ms, 24000);
    assert_int_equal(verdict.seq, 44);
    slot = (struct slot){.kind = SLOT_VACANCY};
    verdict_judge(&verdict, &listing, &slot, 43);
    assert_int_equal(verdict.state, VERDICT_FREE);
}

static void without_the_stores_clock_nothing_is_over(void **state) {
    (void)state;
    struct listing listing = listing_of(1000);
    struct slot slot = entry_of(RECORD_RENEW, 30000);
    struct verdict verdict;
    listing.date_ms = 0;
    verdict_judge(&verdict, &listing, &slot, 44);
    assert_int_equal(verdict.state, VERDICT_HELD);
    assert_true(verdict.remaining_ms == VERDICT_UNKNOWN_MS);
    listing = listing_of(-900); /* Date is cut to whole seconds */
    verdict_judge(&verdict, &listing, &slot, 44);
    assert_int_equal(verdict.age_ms, 0);
}

static void foreign_texts_cannot_drive_a_terminal(void **state) {
    (void)state;
    struct slot slot = entry_of(RECORD_RENEW, 30000);
    (void)text_copy(slot.record.node, sizeof slot.record.node, "\x1b[2Jevil\n");
    struct verdict verdict = judge(0, slot);
    assert_line(
        &verdict,
        "held by ?[2Jevil? (host h1, pid 7), token 42, since 2026-11-23T21:00:00Z, lease ends in 30s at the latest");
}

static void json_says_the_same(void **state) {
    (void)state;
    char out[2048];
    struct verdict verdict = judge(12500, entry_of(RECORD_RENEW, 30000));
    assert_int_equal(verdict_format_json(&verdict, "s3://b/locks/leader", out, sizeof out), 0);
    assert_string_equal(
        out, "{\"lock\":\"s3://b/locks/leader\",\"state\":\"held\",\"token\":42,\"node\":\"web-1\",\"host\":\"h1\","
             "\"pid\":7,\"command\":\"./job --now\",\"since\":\"2026-11-23T21:00:00Z\",\"age_ms\":12500,"
             "\"ttl_ms\":30000,\"remaining_ms\":17500,\"seq\":44}");
    verdict_judge(&verdict, &(struct listing){.empty = true}, &(struct slot){.kind = SLOT_VACANCY}, 0);
    assert_int_equal(verdict_format_json(&verdict, "l", out, sizeof out), 0);
    assert_string_equal(
        out, "{\"lock\":\"l\",\"state\":\"free\",\"token\":null,\"node\":null,\"host\":null,\"pid\":null,"
             "\"command\":null,\"since\":null,\"age_ms\":null,\"ttl_ms\":null,\"remaining_ms\":null,\"seq\":null}");
    assert_int_equal(verdict_format_json(&verdict, "l", out, 20), -ENOSPC);
}

/* A store that gives one prepared answer after the other and notes what was asked. */
struct playback {
    struct store store;
    const struct log_answer *answers;
    size_t count, asked;
    char questions[256]; /* "list read 44 ..." */
    unsigned id;
    bool waiting, closed;
};

static struct playback playback;

static int playback_submit(struct store *store, const struct log_request *request) {
    (void)store;
    size_t used = strlen(playback.questions);
    if (request->op == LOG_NEWEST) {
        (void)text_format(playback.questions + used, sizeof playback.questions - used, "list ");
    } else {
        (void)text_format(playback.questions + used, sizeof playback.questions - used, "read %d ", (int)request->seq);
    }
    playback.id = request->id;
    playback.waiting = true;
    return 0;
}

static int playback_wait(struct store *store, struct pollfd *extra, size_t count, int timeout_ms) {
    (void)store;
    (void)extra;
    (void)timeout_ms;
    assert_int_equal(count, 0);
    return playback.asked < playback.count ? 0 : -EIO;
}

static bool playback_next(struct store *store, struct log_answer *answer) {
    (void)store;
    if (!playback.waiting) return false;
    playback.waiting = false;
    *answer = playback.answers[playback.asked++];
    answer->id = playback.id;
    return true;
}

static void playback_close(struct store *store) {
    (void)store;
    playback.closed = true;
}

struct store *bucket_open(const struct options *options, char *const *environment, const struct priority *priority,
                          char *reason) {
    (void)priority;
    static const struct store_ops ops = {playback_submit, playback_wait, playback_next, NULL, playback_close};
    (void)options;
    (void)environment;
    playback.store.ops = &ops;
    if (playback.count == 0) (void)text_copy(reason, TEXT_REASON_SIZE, "no credentials");
    return playback.count == 0 ? NULL : &playback.store;
}

/* Runs the subcommand; returns its exit code, and what it printed on both outputs in out[size]. */
static int run_status(const struct log_answer *answers, size_t count, char *out, size_t size) {
    static const struct options options = {.mode = OPTIONS_STATUS, .identity = "file:/x/locks/leader"};
    char *const none[] = {NULL};
    FILE *file = tmpfile();
    assert_non_null(file);
    struct log log = {.fd = fileno(file), .level = LOG_LEVEL_WARN};
    playback = (struct playback){.answers = answers, .count = count};
    assert_int_equal(fflush(stdout), 0);
    int saved = dup(STDOUT_FILENO);
    assert_true(saved >= 0);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    int code = status_command(&options, none, &log);
    assert_int_equal(fflush(stdout), 0);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    assert_int_equal(close(saved), 0);
    rewind(file);
    memset(out, 0, size);
    assert_true(fread(out, 1, size - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    return code;
}

static struct log_answer listed(void) {
    return (struct log_answer){.op = LOG_NEWEST, .outcome = OUTCOME_DONE, .listing = listing_of(1000)};
}

static struct log_answer read_as(struct slot slot) {
    return (struct log_answer){.op = LOG_READ, .outcome = OUTCOME_DONE, .slot = slot};
}

static void an_evict_is_looked_through(void **state) {
    (void)state;
    char out[1024];
    const struct log_answer answers[] = {listed(), read_as(entry_of(RECORD_EVICT, 30000)),
                                         read_as(entry_of(RECORD_RENEW, 30000))};
    assert_int_equal(run_status(answers, 3, out, sizeof out), 0);
    assert_string_equal(playback.questions, "list read 44 read 43 ");
    assert_non_null(strstr(out, "held by web-1"));
    assert_true(playback.closed);
}

static void a_vacancy_needs_no_read(void **state) {
    (void)state;
    char out[1024];
    struct log_answer answer = listed();
    answer.listing.head_size = RECORD_VACANCY_LENGTH;
    assert_int_equal(run_status(&answer, 1, out, sizeof out), 1);
    assert_string_equal(playback.questions, "list ");
    assert_string_equal(out, "free\n");
}

static void a_slot_trimmed_in_between_means_another_look(void **state) {
    (void)state;
    char out[1024];
    const struct log_answer gone = {.op = LOG_READ, .outcome = OUTCOME_ABSENT};
    const struct log_answer answers[] = {listed(), gone, listed(), read_as(entry_of(RECORD_RENEW, 30000))};
    assert_int_equal(run_status(answers, 4, out, sizeof out), 0);
    assert_string_equal(playback.questions, "list read 44 list read 44 ");
    const struct log_answer never[] = {listed(), gone, listed(), gone, listed(), gone, listed(), gone, listed(), gone};
    assert_int_equal(run_status(never, 10, out, sizeof out), 125);
    assert_non_null(strstr(out, "try again"));
}

static void what_cannot_be_known_is_125_with_the_reason(void **state) {
    (void)state;
    char out[1024];
    const struct log_answer refused = {.op = LOG_NEWEST, .outcome = OUTCOME_REFUSED, .reason = "the bucket denies it"};
    const struct log_answer unknown = {.op = LOG_NEWEST, .outcome = OUTCOME_UNKNOWN, .reason = "no answer in 10s"};
    assert_int_equal(run_status(&refused, 1, out, sizeof out), 125);
    assert_string_equal(out, "leaderexec: the state of file:/x/locks/leader is unknown: the bucket denies it\n");
    assert_int_equal(run_status(&unknown, 1, out, sizeof out), 125);
    assert_non_null(strstr(out, "no answer in 10s"));
    assert_true(playback.closed);
    assert_int_equal(run_status(NULL, 0, out, sizeof out), 125);
    assert_non_null(strstr(out, "no credentials"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_young_entry_holds_the_lock),
        cmocka_unit_test(an_entry_past_its_time_has_expired),
        cmocka_unit_test(a_hold_keeps_the_lock_until_it_is_over),
        cmocka_unit_test(a_vacancy_and_an_empty_log_are_free),
        cmocka_unit_test(an_unreadable_head_holds_for_ten_minutes),
        cmocka_unit_test(behind_an_evict_the_evicted_entry_counts),
        cmocka_unit_test(without_the_stores_clock_nothing_is_over),
        cmocka_unit_test(foreign_texts_cannot_drive_a_terminal),
        cmocka_unit_test(json_says_the_same),
        cmocka_unit_test(an_evict_is_looked_through),
        cmocka_unit_test(a_vacancy_needs_no_read),
        cmocka_unit_test(a_slot_trimmed_in_between_means_another_look),
        cmocka_unit_test(what_cannot_be_known_is_125_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

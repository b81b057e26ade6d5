/* What every store promises, seen through lib/store/store.h alone: the same test for each.
 *
 * Call it with "file:DIR" or "s3://BUCKET"; without, it makes a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "race.h"
#include "record/record.h"
#include "target.h"

#define LONG_RETENTION_MS INT64_C(3600000)

/* A store on a lock of its own, opened before each test and closed behind it. */
struct fixture {
    struct target target;
    char lock[64];
    struct store *store;
};

static int open_fixture(void **state) {
    struct fixture *fixture = *state;
    target_name_lock(&fixture->target, fixture->lock);
    fixture->store = target_open(&fixture->target, "", fixture->lock);
    return 0;
}

static int close_fixture(void **state) {
    struct fixture *fixture = *state;
    store_close(fixture->store);
    fixture->store = NULL;
    return 0;
}

/* Writes an entry whose nonce tells it from every other. */
static int format_entry(char out[RECORD_JSON_MAX + 1], int64_t seq, uint8_t mark) {
    struct record record = {.kind = RECORD_CLAIM, .seq = seq, .token = seq, .ttl_ms = 30000, .node = "contract"};
    memset(record.nonce, mark, sizeof record.nonce);
    int length = record_format(&record, out, RECORD_JSON_MAX + 1);
    assert_true(length > 0);
    return length;
}

static enum outcome append_entry(struct store *store, int64_t seq, uint8_t mark) {
    char body[RECORD_JSON_MAX + 1];
    int length = format_entry(body, seq, mark);
    return ask_append(store, seq, body, (size_t)length).outcome;
}

static void assert_entry(struct store *store, int64_t seq, uint8_t mark) {
    struct log_answer answer = ask_read(store, seq);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.seq, seq);
    assert_int_equal(answer.slot.kind, SLOT_ENTRY);
    assert_int_equal(answer.slot.record.seq, seq);
    assert_int_equal(answer.slot.record.nonce[0], mark);
}

static struct listing newest(struct store *store) {
    struct log_answer answer = ask_newest(store);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    return answer.listing;
}

static void an_unused_lock_is_an_empty_log(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    assert_true(newest(store).empty);
    assert_int_equal(ask_read(store, 1).outcome, OUTCOME_ABSENT);
    assert_int_equal(ask_read(store, RECORD_SEQ_MAX).outcome, OUTCOME_ABSENT);
    assert_int_equal(ask_trim(store, 1, 0, 100).outcome, OUTCOME_DONE);
    assert_true(newest(store).empty);
}

static void an_append_shows_at_once(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    for (int64_t seq = 1; seq <= 12; seq++) {
        char body[RECORD_JSON_MAX + 1];
        int length = format_entry(body, seq, (uint8_t)seq);
        assert_int_equal(ask_append(store, seq, body, (size_t)length).outcome, OUTCOME_DONE);
        struct listing listing = newest(store);
        assert_false(listing.empty);
        assert_int_equal(listing.head_seq, seq);
        assert_int_equal(listing.head_size, length);
        assert_int_equal(listing.previous_seq, seq - 1);
        assert_entry(store, seq, (uint8_t)seq);
        assert_int_equal(ask_read(store, seq + 1).outcome, OUTCOME_ABSENT);
    }
    assert_entry(store, 1, 1);
}

static void what_one_store_appends_another_reads(void **state) {
    struct fixture *fixture = *state;
    struct store *other = target_open(&fixture->target, "", fixture->lock);
    assert_true(newest(other).empty);
    assert_int_equal(append_entry(fixture->store, 1, 11), OUTCOME_DONE);
    assert_int_equal(newest(other).head_seq, 1);
    assert_entry(other, 1, 11);
    assert_int_equal(append_entry(other, 1, 12), OUTCOME_EXISTS);
    assert_int_equal(append_entry(other, 2, 12), OUTCOME_DONE);
    assert_entry(fixture->store, 2, 12);
    store_close(other);
}

static void a_taken_slot_answers_exists_and_keeps_its_content(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    assert_int_equal(append_entry(store, 7, 1), OUTCOME_DONE);
    assert_int_equal(append_entry(store, 7, 2), OUTCOME_EXISTS);
    assert_int_equal(append_entry(store, 7, 1), OUTCOME_EXISTS); /* the same bytes are refused, too */
    assert_int_equal(ask_append(store, 7, RECORD_VACANCY, RECORD_VACANCY_LENGTH).outcome, OUTCOME_EXISTS);
    assert_entry(store, 7, 1);
}

static void a_vacancy_shows_by_its_size(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    assert_int_equal(append_entry(store, 1, 1), OUTCOME_DONE);
    assert_int_equal(ask_append(store, 2, RECORD_VACANCY, RECORD_VACANCY_LENGTH).outcome, OUTCOME_DONE);
    struct listing listing = newest(store);
    assert_int_equal(listing.head_seq, 2);
    assert_int_equal(listing.head_size, RECORD_VACANCY_LENGTH);
    assert_int_equal(ask_read(store, 2).slot.kind, SLOT_VACANCY);
}

static void the_newest_is_the_highest_number_and_not_the_latest_write(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    static const int64_t numbers[] = {9, 10, 99, 100, 99999, 100000, RECORD_SEQ_MAX - 1, RECORD_SEQ_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_int_equal(append_entry(store, numbers[i], 1), OUTCOME_DONE);
        assert_int_equal(newest(store).head_seq, numbers[i]);
    }
    assert_int_equal(append_entry(store, 11, 1), OUTCOME_DONE);
    struct listing listing = newest(store);
    assert_int_equal(listing.head_seq, RECORD_SEQ_MAX);
    assert_int_equal(listing.previous_seq, RECORD_SEQ_MAX - 1);
}

static void a_listing_tells_the_times_by_the_stores_clock(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    assert_int_equal(append_entry(store, 1, 1), OUTCOME_DONE);
    (void)usleep(1200 * 1000);
    assert_int_equal(append_entry(store, 2, 1), OUTCOME_DONE);
    (void)usleep(1200 * 1000);
    struct listing listing = newest(store);
    /* Some clocks tell whole seconds, so 1.2 s are one second at least. */
    assert_in_range(listing.head_modified_ms - listing.previous_modified_ms, 1000, 60000);
    assert_in_range(listing.date_ms - listing.head_modified_ms, 1, 60000);
}

static void what_is_no_record_is_unreadable_and_takes_its_slot(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    static char big[64 * 1024];
    char entry[RECORD_JSON_MAX + 1];
    memset(big, '{', sizeof big);
    int length = format_entry(entry, 4, 4);
    const struct {
        const char *body;
        size_t length;
    } broken[] = {{"", 0}, {"garbage", 7}, {big, sizeof big}, {entry, (size_t)length / 2}, {entry, (size_t)length}};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        int64_t seq = (int64_t)i + 1; /* the last is the record of slot 4 in slot 5 */
        assert_int_equal(ask_append(store, seq, broken[i].body, broken[i].length).outcome, OUTCOME_DONE);
        struct listing listing = newest(store);
        assert_int_equal(listing.head_seq, seq);
        assert_int_equal(listing.head_size, broken[i].length);
        struct log_answer answer = ask_read(store, seq);
        assert_int_equal(answer.outcome, OUTCOME_DONE);
        assert_int_equal(answer.slot.kind, SLOT_UNREADABLE);
        assert_int_equal(append_entry(store, seq, 1), OUTCOME_EXISTS);
    }
}

/* Appends slots 1 to 3 to a lock whose names only look like those of the fixture's lock. */
static struct store *append_elsewhere(struct fixture *fixture, const char *below, const char *lock) {
    struct store *store = target_open(&fixture->target, below, lock);
    for (int64_t seq = 1; seq <= 3; seq++) assert_int_equal(append_entry(store, seq, 77), OUTCOME_DONE);
    return store;
}

static void other_locks_are_neither_seen_nor_trimmed(void **state) {
    struct fixture *fixture = *state;
    char below[128], longer[128], shorter[128];
    (void)text_format(below, sizeof below, "%s/", fixture->lock);
    (void)text_format(longer, sizeof longer, "%s0", fixture->lock);
    (void)text_format(shorter, sizeof shorter, "%.*s", (int)strlen(fixture->lock) - 1, fixture->lock);
    struct store *others[] = {
        append_elsewhere(fixture, below, "0"), /* sorts before every slot */
        append_elsewhere(fixture, below, "x"),
        append_elsewhere(fixture, "", longer),
        append_elsewhere(fixture, "", shorter),
    };
    assert_true(newest(fixture->store).empty);
    assert_int_equal(append_entry(fixture->store, 1, 1), OUTCOME_DONE);
    assert_int_equal(append_entry(fixture->store, 2, 1), OUTCOME_DONE);
    struct listing listing = newest(fixture->store);
    assert_int_equal(listing.head_seq, 2);
    assert_int_equal(listing.previous_seq, 1);
    (void)usleep(1100 * 1000); /* all are older than the retention now, in whole seconds as well */
    assert_int_equal(ask_trim(fixture->store, 2, 0, 100).outcome, OUTCOME_DONE);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        for (int64_t seq = 1; seq <= 3; seq++) assert_entry(others[i], seq, 77);
        assert_int_equal(newest(others[i]).head_seq, 3);
        store_close(others[i]);
    }
}

/* Returns the lowest slot of 1 to head that is there, and sees that none above it is missing. */
static int64_t lowest_without_gap(struct store *store, int64_t head) {
    int64_t lowest = 0;
    for (int64_t seq = 1; seq <= head; seq++) {
        enum outcome outcome = ask_read(store, seq).outcome;
        assert_true(outcome == OUTCOME_DONE || (outcome == OUTCOME_ABSENT && lowest == 0));
        if (outcome == OUTCOME_DONE && lowest == 0) lowest = seq;
    }
    return lowest;
}

static void trimming_takes_the_oldest_first_and_leaves_the_newest_two(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    for (int64_t seq = 1; seq <= 7; seq++) assert_int_equal(append_entry(store, seq, 1), OUTCOME_DONE);
    (void)usleep(2500 * 1000);
    assert_int_equal(append_entry(store, 8, 1), OUTCOME_DONE); /* the newest slot tells what time it is */
    assert_int_equal(ask_trim(store, 8, LONG_RETENTION_MS, 100).outcome, OUTCOME_DONE);
    assert_int_equal(lowest_without_gap(store, 8), 1);
    assert_int_equal(ask_trim(store, 8, 1000, 0).outcome, OUTCOME_DONE);
    assert_int_equal(lowest_without_gap(store, 8), 1);
    assert_int_equal(ask_trim(store, 8, 1000, 2).outcome, OUTCOME_DONE);
    assert_int_equal(lowest_without_gap(store, 8), 3);
    for (int i = 0; i < 3; i++) assert_int_equal(ask_trim(store, 8, 1000, 100).outcome, OUTCOME_DONE);
    assert_int_equal(lowest_without_gap(store, 8), 7);
    struct listing listing = newest(store);
    assert_int_equal(listing.head_seq, 8);
    assert_int_equal(listing.previous_seq, 7);
}

static void trimming_keeps_what_is_younger_than_the_retention(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    for (int64_t seq = 1; seq <= 4; seq++) assert_int_equal(append_entry(store, seq, 1), OUTCOME_DONE);
    (void)usleep(4500 * 1000);
    for (int64_t seq = 5; seq <= 8; seq++) assert_int_equal(append_entry(store, seq, 1), OUTCOME_DONE);
    assert_int_equal(ask_trim(store, 8, 3000, 100).outcome, OUTCOME_DONE);
    assert_int_equal(lowest_without_gap(store, 8), 5);
}

static void a_trim_by_one_who_knows_an_old_head_goes_no_further(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    for (int64_t seq = 1; seq <= 7; seq++) assert_int_equal(append_entry(store, seq, 1), OUTCOME_DONE);
    (void)usleep(2500 * 1000);
    assert_int_equal(append_entry(store, 8, 1), OUTCOME_DONE);
    assert_int_equal(ask_trim(store, 4, 1000, 100).outcome, OUTCOME_DONE);
    int64_t lowest = lowest_without_gap(store, 8);
    assert_in_range(lowest, 1, 4);
    for (int64_t seq = 4; seq <= 8; seq++) assert_entry(store, seq, 1);
}

static void lanes_work_at_the_same_time(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    assert_int_equal(append_entry(store, 1, 1), OUTCOME_DONE);
    const struct log_request requests[LOG_LANES] = {
        {.id = 100, .lane = LOG_LANE_0, .op = LOG_NEWEST, .timeout_ms = ASK_TIMEOUT_MS},
        {.id = 101, .lane = LOG_LANE_1, .op = LOG_READ, .seq = 1, .timeout_ms = ASK_TIMEOUT_MS},
        {.id = 102,
         .lane = LOG_LANE_TRIM,
         .op = LOG_TRIM,
         .seq = 1,
         .timeout_ms = ASK_TIMEOUT_MS,
         .retention_ms = LONG_RETENTION_MS},
    };
    bool seen[LOG_LANES] = {false};
    for (int i = 0; i < LOG_LANES; i++) assert_int_equal(store_submit(store, &requests[i]), 0);
    for (int i = 0; i < LOG_LANES; i++) {
        struct log_answer answer;
        assert_true(wait_for_answer(store, &answer, ASK_TIMEOUT_MS));
        assert_in_range(answer.lane, 0, LOG_LANES - 1);
        assert_false(seen[answer.lane]);
        seen[answer.lane] = true;
        assert_int_equal(answer.id, requests[answer.lane].id);
        assert_int_equal(answer.op, requests[answer.lane].op);
        assert_int_equal(answer.outcome, OUTCOME_DONE);
    }
}

static void twin_appends_create_a_slot_once(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    for (int64_t seq = 1; seq <= 20; seq++) {
        char body[RECORD_JSON_MAX + 1];
        int length = format_entry(body, seq, 5), created = 0;
        for (int lane = LOG_LANE_0; lane <= LOG_LANE_1; lane++) {
            const struct log_request request = {.id = (unsigned)lane,
                                                .lane = lane,
                                                .op = LOG_APPEND,
                                                .seq = seq,
                                                .body = body,
                                                .body_length = (size_t)length,
                                                .timeout_ms = ASK_TIMEOUT_MS};
            assert_int_equal(store_submit(store, &request), 0);
        }
        memset(body, 'x', sizeof body); /* it was copied */
        for (int i = 0; i < 2; i++) {
            struct log_answer answer;
            assert_true(wait_for_answer(store, &answer, ASK_TIMEOUT_MS));
            created += answer.outcome == OUTCOME_DONE;
            assert_true(answer.outcome == OUTCOME_DONE || answer.outcome == OUTCOME_EXISTS ||
                        answer.outcome == OUTCOME_UNKNOWN);
        }
        assert_int_equal(created, 1);
        assert_entry(store, seq, 5);
    }
}

static void a_replaced_requests_answer_never_comes(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    struct log_answer answer;
    assert_int_equal(append_entry(store, 1, 1), OUTCOME_DONE);
    for (unsigned id = 10; id < 40; id += 2) {
        const struct log_request old = {.id = id, .op = LOG_NEWEST, .timeout_ms = ASK_TIMEOUT_MS};
        const struct log_request new = {.id = id + 1, .op = LOG_READ, .seq = 1, .timeout_ms = ASK_TIMEOUT_MS};
        assert_int_equal(store_submit(store, &old), 0);
        /* In every third round the old one has been answered, but nobody took the answer. */
        if (id % 3 == 0) assert_int_equal(store_wait(store, NULL, 0, 200), 0);
        assert_int_equal(store_submit(store, &new), 0);
        assert_true(wait_for_answer(store, &answer, ASK_TIMEOUT_MS));
        assert_int_equal(answer.id, id + 1);
        assert_int_equal(answer.op, LOG_READ);
        assert_int_equal(answer.outcome, OUTCOME_DONE);
    }
    assert_false(wait_for_answer(store, &answer, 300));
}

static void an_answer_comes_in_time_whatever_it_is(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    assert_int_equal(append_entry(store, 1, 1), OUTCOME_DONE);
    for (int i = 0; i < 20; i++) {
        struct log_answer answer = ask(store, (struct log_request){.op = LOG_READ, .seq = 1, .timeout_ms = 1});
        assert_true(answer.outcome == OUTCOME_DONE || answer.outcome == OUTCOME_UNKNOWN);
    }
    assert_entry(store, 1, 1); /* the store serves on */
}

static void waiting_watches_the_callers_descriptors(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct pollfd extra[] = {{.fd = fds[0], .events = POLLIN, .revents = -1},
                             {.fd = -1, .events = POLLIN, .revents = -1}};
    int64_t before_ns = clock_now().wait_ns;
    for (int64_t end_ns = before_ns + 50 * NS_PER_MS; clock_now().wait_ns < end_ns;) {
        assert_int_equal(store_wait(store, extra, 2, 60), 0);
        assert_int_equal(extra[0].revents, 0);
        assert_int_equal(extra[1].revents, 0);
    }
    assert_int_equal(write(fds[1], "x", 1), 1);
    for (int i = 0; i < 100 && extra[0].revents == 0; i++) assert_int_equal(store_wait(store, extra, 2, 10000), 0);
    assert_true(extra[0].revents & POLLIN);
    assert_int_equal(extra[1].revents, 0);
    assert_true(clock_now().wait_ns - before_ns < 9 * NS_PER_S);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void nonsense_is_refused(void **state) {
    struct store *store = ((struct fixture *)*state)->store;
    static const struct log_request nonsense[] = {
        {.op = LOG_NEWEST, .lane = -1, .timeout_ms = 1000},
        {.op = LOG_NEWEST, .lane = LOG_LANES, .timeout_ms = 1000},
        {.op = LOG_NEWEST, .timeout_ms = 0},
        {.op = LOG_READ, .seq = 0, .timeout_ms = 1000},
        {.op = LOG_READ, .seq = RECORD_SEQ_MAX + 1, .timeout_ms = 1000},
        {.op = LOG_APPEND, .seq = -1, .body = "x", .body_length = 1, .timeout_ms = 1000},
        {.op = LOG_APPEND, .seq = 1, .body = NULL, .body_length = 1, .timeout_ms = 1000},
        {.op = LOG_TRIM, .seq = 1, .retention_ms = -1, .timeout_ms = 1000},
    };
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_int_equal(store_submit(store, &nonsense[i]), -EINVAL);
}

static int count_descriptors(void) {
    int count = 0;
    DIR *fds = opendir("/proc/self/fd");
    assert_non_null(fds);
    while (readdir(fds) != NULL) count++;
    (void)closedir(fds);
    return count;
}

static void closing_in_the_middle_leaves_no_descriptor(void **state) {
    struct fixture *fixture = *state;
    store_close(target_open(&fixture->target, "", fixture->lock)); /* whatever a library opens once and keeps */
    int before = count_descriptors();
    for (int round = 0; round < 5; round++) {
        struct store *store = target_open(&fixture->target, "", fixture->lock);
        for (int lane = 0; lane < LOG_LANES; lane++) {
            const struct log_request request = {.lane = lane, .op = LOG_NEWEST, .timeout_ms = ASK_TIMEOUT_MS};
            assert_int_equal(store_submit(store, &request), 0);
        }
        if (round % 2 == 0) (void)store_wait(store, NULL, 0, 5);
        store_close(store);
    }
    assert_int_equal(count_descriptors(), before);
    store_close(NULL);
}

static void of_eight_processes_that_race_for_a_slot_one_gets_it(void **state) {
    struct fixture *fixture = *state;
    char report[TEXT_REASON_SIZE] = "";
    store_close(fixture->store); /* the racers shouldn't inherit its connections */
    bool fair = race_run(&fixture->target, fixture->lock, report);
    fixture->store = target_open(&fixture->target, "", fixture->lock);
    if (!fair) fail_msg("%s", report);
    assert_int_equal(newest(fixture->store).head_seq, RACE_SLOTS);
}

int main(int argc, char **argv) {
    static struct fixture fixture;
    /* Nobody waits here for ever, whatever hangs. */
    (void)alarm(300);
    if (argc > 2 || !target_init(&fixture.target, argc == 2 ? argv[1] : NULL)) return EXIT_FAILURE;
#define CONTRACT(test) cmocka_unit_test_prestate_setup_teardown(test, open_fixture, close_fixture, &fixture)
    static const struct CMUnitTest tests[] = {
        CONTRACT(an_unused_lock_is_an_empty_log),
        CONTRACT(an_append_shows_at_once),
        CONTRACT(what_one_store_appends_another_reads),
        CONTRACT(a_taken_slot_answers_exists_and_keeps_its_content),
        CONTRACT(a_vacancy_shows_by_its_size),
        CONTRACT(the_newest_is_the_highest_number_and_not_the_latest_write),
        CONTRACT(a_listing_tells_the_times_by_the_stores_clock),
        CONTRACT(what_is_no_record_is_unreadable_and_takes_its_slot),
        CONTRACT(other_locks_are_neither_seen_nor_trimmed),
        CONTRACT(trimming_takes_the_oldest_first_and_leaves_the_newest_two),
        CONTRACT(trimming_keeps_what_is_younger_than_the_retention),
        CONTRACT(a_trim_by_one_who_knows_an_old_head_goes_no_further),
        CONTRACT(lanes_work_at_the_same_time),
        CONTRACT(twin_appends_create_a_slot_once),
        CONTRACT(a_replaced_requests_answer_never_comes),
        CONTRACT(an_answer_comes_in_time_whatever_it_is),
        CONTRACT(waiting_watches_the_callers_descriptors),
        CONTRACT(nonsense_is_refused),
        CONTRACT(closing_in_the_middle_leaves_no_descriptor),
        CONTRACT(of_eight_processes_that_race_for_a_slot_one_gets_it),
    };
    int failed = cmocka_run_group_tests_name(fixture.target.name, tests, NULL, NULL);
    target_deinit(&fixture.target);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

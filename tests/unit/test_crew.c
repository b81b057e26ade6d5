/* Writers who race, and what is tried one at a time, on stores that a test leads by the nose: good ones, ones that
 * create twice, that lose answers, that show late. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "crew.h"
#include "probes.h"
#include "record/record.h"

#define WRITERS   4
#define SLOTS     64
#define SHOW_ASKS 3 /* looks that miss a slot where it shows late */

/* What the writers' stores share. */
static struct {
    enum { GOOD, IGNORES, CHECKS_FIRST, LIES, LOSES_ANSWERS, OVERWRITES_LATER } mode;
    bool shows_late, never_shows;
    char bodies[SLOTS][RECORD_JSON_MAX];
    size_t lengths[SLOTS]; /* 0: not there */
    int looks[SLOTS];
    int64_t head;
    int under_way, most_under_way;
} world;

/* One writer's. */
struct one {
    struct store store;
    struct log_request request;
    char body[RECORD_JSON_MAX];
    bool asked, was_there;
};

static struct one ones[WRITERS];
static struct crew crew;

static int submit(struct store *store, const struct log_request *request) {
    struct one *one = (struct one *)store;
    assert_false(one->asked);
    one->request = *request;
    if (request->op == LOG_APPEND) memcpy(one->body, request->body, request->body_length);
    one->asked = true;
    one->was_there = request->op == LOG_APPEND && world.lengths[request->seq] > 0;
    world.under_way++;
    if (world.under_way > world.most_under_way) world.most_under_way = world.under_way;
    return 0;
}

static int wait_for(struct store *store, struct pollfd *extra, size_t count, int timeout_ms) {
    (void)store;
    (void)timeout_ms;
    return count > 0 && poll(extra, count, 0) < 0 ? -errno : 0;
}

static enum outcome append(const struct one *one, int64_t seq) {
    bool there = world.mode == CHECKS_FIRST ? one->was_there : world.lengths[seq] > 0;
    if (world.mode == LIES || (there && world.mode != IGNORES)) return OUTCOME_EXISTS;
    if (world.mode == OVERWRITES_LATER && one != &ones[0]) return OUTCOME_EXISTS;
    memcpy(world.bodies[seq], one->body, one->request.body_length);
    world.lengths[seq] = one->request.body_length;
    if (world.mode == OVERWRITES_LATER) memcpy(world.bodies[seq], ones[1].body, one->request.body_length);
    if (seq > world.head) world.head = seq;
    return world.mode == LOSES_ANSWERS ? OUTCOME_UNKNOWN : OUTCOME_DONE;
}

static bool shows(int64_t seq) {
    return world.lengths[seq] > 0 && !world.never_shows && (!world.shows_late || ++world.looks[seq] > SHOW_ASKS);
}

static bool next(struct store *store, struct log_answer *answer) {
    struct one *one = (struct one *)store;
    int64_t seq = one->request.seq;
    if (!one->asked) return false;
    one->asked = false;
    world.under_way--;
    *answer = (struct log_answer){.id = one->request.id, .op = one->request.op, .outcome = OUTCOME_DONE, .seq = seq};
    if (one->request.op == LOG_APPEND) {
        answer->outcome = append(one, seq);
        (void)text_copy(answer->reason, sizeof answer->reason, answer->outcome == OUTCOME_UNKNOWN ? "lost" : "");
    } else if (one->request.op == LOG_READ) {
        if (!shows(seq)) answer->outcome = OUTCOME_ABSENT;
        if (answer->outcome == OUTCOME_DONE) slot_parse(&answer->slot, world.bodies[seq], world.lengths[seq], seq);
    } else {
        answer->listing = (struct listing){.head_seq = shows(world.head) ? world.head : world.head - 1,
                                           .head_modified_ms = clock_wall_ms() + 59000,
                                           .date_ms = clock_wall_ms() + 60000};
    }
    return true;
}

static int closed;

static void close_one(struct store *store) {
    (void)store;
    closed++;
}

static int setup(void **state) {
    static const struct store_ops ops = {.submit = submit, .wait = wait_for, .next = next, .close = close_one};
    (void)state;
    memset(&world, 0, sizeof world);
    memset(ones, 0, sizeof ones);
    crew = (struct crew){.count = WRITERS, .wake_fd = -1, .run = 4711, .node = "test"};
    for (int i = 0; i < WRITERS; i++) {
        ones[i].store.ops = &ops;
        crew.stores[i] = &ones[i].store;
    }
    return 0;
}

static struct round race(int64_t seq) {
    struct round round;
    char reason[TEXT_REASON_SIZE];
    assert_int_equal(crew_race(&crew, seq, &round, reason), 0);
    if (round.unknown > 0) assert_string_equal(reason, "lost");
    return round;
}

static void all_race_at_once_and_one_wins(void **state) {
    (void)state;
    struct round round = race(7);
    assert_int_equal(world.most_under_way, WRITERS);
    assert_int_equal(round.created, 1);
    assert_int_equal(round.exists, WRITERS - 1);
    assert_int_equal(round.unknown, 0);
    assert_int_equal(round.content, ROUND_OF_CREATOR);
}

static void every_kind_of_bad_store_shows_in_the_round(void **state) {
    (void)state;
    world.mode = IGNORES;
    struct round round = race(1);
    assert_int_equal(round.created, WRITERS);
    assert_int_equal(round.content, ROUND_OF_CREATOR);
    world.mode = CHECKS_FIRST;
    assert_int_equal(race(2).created, WRITERS);
    world.mode = LIES;
    round = race(3);
    assert_int_equal(round.created, 0);
    assert_int_equal(round.content, ROUND_EMPTY);
    world.mode = OVERWRITES_LATER;
    round = race(4);
    assert_int_equal(round.created, 1);
    assert_int_equal(round.content, ROUND_OF_OTHER);
    world.mode = LOSES_ANSWERS;
    round = race(5);
    assert_int_equal(round.created, 0);
    assert_int_equal(round.unknown, 1);
    assert_int_equal(round.content, ROUND_OF_OTHER);
    (void)text_copy(world.bodies[6], sizeof world.bodies[6], "somebody else's");
    world.lengths[6] = 15;
    world.mode = GOOD;
    assert_int_equal(race(6).content, ROUND_STRANGE);
}

static void an_entry_tells_its_author_and_its_run(void **state) {
    (void)state;
    struct log_answer answer;
    assert_int_equal(crew_append(&crew, 2, 9, &answer, NULL), 0);
    struct slot slot;
    slot_parse(&slot, world.bodies[9], world.lengths[9], 9);
    assert_int_equal(crew_author(&crew, &slot, 9), 2);
    assert_int_equal(crew_author(&crew, &slot, 8), -1);
    crew.run++;
    assert_int_equal(crew_author(&crew, &slot, 9), -1);
    crew_close(&crew);
    assert_int_equal(closed, WRITERS);
}

static bool never_next(struct store *store, struct log_answer *answer) {
    (void)store;
    (void)answer;
    return false;
}

static void a_wake_ends_everything_at_once(void **state) {
    static const struct store_ops silent = {.submit = submit, .wait = wait_for, .next = never_next, .close = close_one};
    static const struct log_request list = {.op = LOG_NEWEST};
    (void)state;
    int fds[2];
    struct round round;
    struct log_answer answer;
    char reason[TEXT_REASON_SIZE];
    int64_t began_ns = clock_now().wait_ns;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    crew.wake_fd = fds[0];
    ones[3].store.ops = &silent;
    assert_int_equal(crew_ask(&crew, 3, &list, &answer, NULL), -EINTR);
    ones[3].asked = false;
    assert_int_equal(crew_race(&crew, 1, &round, reason), -EINTR);
    assert_true(clock_now().wait_ns - began_ns < NS_PER_S);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
}

static void one_after_the_other_is_told_from_a_race(void **state) {
    (void)state;
    int64_t slot = 1;
    struct tally tally = {.rounds = 0};
    assert_int_equal(probe_once(&crew, &slot, 5, &tally), 0);
    assert_int_equal(slot, 6);
    assert_int_equal(tally.rounds, 5);
    assert_int_equal(tally.winners, 5);
    assert_int_equal(tally_bad(&tally), 0);
    world.mode = CHECKS_FIRST; /* right one at a time */
    assert_int_equal(probe_once(&crew, &slot, 5, &tally), 0);
    assert_int_equal(tally_bad(&tally), 0);
    world.mode = IGNORES;
    assert_int_equal(probe_once(&crew, &slot, 5, &tally), 0);
    assert_int_equal(tally.several, 5);
    world.mode = LIES;
    assert_int_equal(probe_once(&crew, &slot, 5, &tally), 0);
    assert_int_equal(tally.none, 5);
    assert_int_equal(slot, 21);
}

static void a_slot_that_shows_late_is_seen_late(void **state) {
    (void)state;
    int64_t slot = 1;
    struct visibility seen = {.lists = true};
    struct samples writes = {.count = 0};
    assert_int_equal(probe_visibility(&crew, &slot, 3, &seen, &writes), 0);
    assert_int_equal(seen.slots, 3);
    assert_int_equal(writes.count, 3);
    assert_int_equal(seen.late_reads + seen.late_lists + seen.never_read + seen.never_listed, 0);
    world.shows_late = true;
    assert_int_equal(probe_visibility(&crew, &slot, 2, &seen, &writes), 0);
    assert_int_equal(seen.late_reads, 2);
    assert_int_equal(seen.never_read, 0);
    assert_true(seen.latest_ms >= 2 * 20);
    assert_int_equal(probe_writes(&crew, &slot, 10, &writes), 0);
    assert_int_equal(writes.count, 15);
    assert_int_equal(slot, 16);
    world.mode = LOSES_ANSWERS; /* at once */
    assert_int_equal(probe_writes(&crew, &slot, 10, &writes), 0);
    assert_int_equal(writes.count, 15);
}

static void a_slot_that_never_shows_ends_the_looking(void **state) {
    (void)state;
    int64_t slot = 1;
    struct visibility seen = {.lists = false};
    struct samples writes = {.count = 0};
    world.never_shows = true;
    assert_int_equal(probe_visibility(&crew, &slot, 20, &seen, &writes), 0);
    assert_int_equal(seen.slots, 1);
    assert_int_equal(seen.never_read, 1);
    assert_int_equal(slot, 2);
}

static void the_stores_clock_is_held_against_ours(void **state) {
    (void)state;
    struct log_answer answer;
    struct clocks clocks = {.known = false};
    assert_int_equal(crew_append(&crew, 0, 1, &answer, NULL), 0);
    assert_int_equal(probe_clock(&crew, 1, false, &clocks), 0);
    assert_true(clocks.known);
    assert_in_range(clocks.offset_ms, 59000, 61000);
    assert_in_range(clocks.date_minus_modified_ms, 900, 1100);
    assert_in_range(clocks.error_ms, 1, 400);
    assert_int_equal(probe_clock(&crew, 1, true, &clocks), 0);
    assert_in_range(clocks.offset_ms, 59500, 61500);
    assert_in_range(clocks.error_ms, 500, 900);
}

int main(void) {
#define CASE(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        CASE(all_race_at_once_and_one_wins),
        CASE(every_kind_of_bad_store_shows_in_the_round),
        CASE(an_entry_tells_its_author_and_its_run),
        CASE(a_wake_ends_everything_at_once),
        CASE(one_after_the_other_is_told_from_a_race),
        CASE(a_slot_that_shows_late_is_seen_late),
        CASE(a_slot_that_never_shows_ends_the_looking),
        CASE(the_stores_clock_is_held_against_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

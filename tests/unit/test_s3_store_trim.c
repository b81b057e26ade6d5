/* Trimming a log in a bucket. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "s3_fixture.h"

#define OLD "2026-11-23T19:00:00.000Z"

/* Answers the look that a trim begins with. */
static void tell_the_time(struct fixture *f) {
    server_answer(&f->server, await_request(f), "200 OK", DATE,
                  LIST("true", SLOT("999999999991-8", "300") SLOT("999999999992-7", "300")));
}

static void a_date_that_runs_ahead_makes_nothing_old(void **state) {
    struct fixture *f = *state;
    static const char tomorrow[] = "Date: Tue, 24 Nov 2026 22:01:41 GMT\r\n";
    submit(f, LOG_LANE_TRIM, LOG_TRIM, 8, NULL);
    server_answer(&f->server, await_request(f), "200 OK", tomorrow,
                  LIST("true", SLOT("999999999991-8", "300") SLOT("999999999992-7", "300")));
    server_answer(&f->server, await_request(f), "200 OK", tomorrow, LIST("false", SLOT("999999999994-5", "300")));
    assert_int_equal(await_answer(f).outcome, OUTCOME_DONE);
    assert_int_equal(f->server.count, 2);
}

static void trimming_deletes_old_slots_from_the_oldest_up(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_TRIM, LOG_TRIM, 8, NULL);
    tell_the_time(f);
    server_answer(&f->server, await_request(f), "200 OK", DATE,
                  LIST("false", SLOT("999999999993-6", "5") OBJECT(FOLDER "999999999994-5", "5", OLD)
                                    OBJECT(FOLDER "999999999995-4", "0", OLD) OBJECT(FOLDER "mine", "5", OLD)
                                        OBJECT(FOLDER "999999999996-4", "5", OLD)));
    struct server_request *first = await_request(f);
    assert_line(first->text, "DELETE /b/locks/leader/999999999995-4 HTTP/1.1\r\n");
    server_answer(&f->server, first, "204 No Content", "", "");
    struct server_request *second = await_request(f);
    assert_line(second->text, "DELETE /b/locks/leader/999999999994-5 HTTP/1.1\r\n");
    server_answer(&f->server, second, "404 Not Found", "", ERROR("NoSuchKey"));
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.op, LOG_TRIM);
    assert_int_equal(f->server.count, 4);
    assert_line(f->server.requests[1].text,
                "&start-after=locks%2Fleader%2F999999999992-7 HTTP"); /* neither 8 nor 7 is even listed */
}

static void the_next_trim_begins_where_the_last_one_ended(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_TRIM, LOG_TRIM, 1000, NULL);
    tell_the_time(f);
    server_answer(&f->server, await_request(f), "200 OK", DATE,
                  LIST("false", OBJECT(FOLDER "999999999949-50", "5", OLD)));
    server_answer(&f->server, await_request(f), "204 No Content", "", "");
    assert_int_equal(await_answer(f).outcome, OUTCOME_DONE);
    submit(f, LOG_LANE_TRIM, LOG_TRIM, 1000, NULL);
    tell_the_time(f);
    server_answer(&f->server, await_request(f), "200 OK", DATE, LIST("false", SLOT("999999999948-51", "5")));
    assert_int_equal(await_answer(f).outcome, OUTCOME_DONE);
    assert_line(f->server.requests[1].text,
                "&start-after=locks%2Fleader%2F999999999598-401 HTTP"); /* the slots 1 to 400 */
    assert_line(f->server.requests[4].text, "&start-after=locks%2Fleader%2F999999999548-451 HTTP"); /* 51 to 450 */
}

static void trimming_stops_where_it_may_not_delete(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_TRIM, LOG_TRIM, 8, NULL);
    tell_the_time(f);
    server_answer(&f->server, await_request(f), "200 OK", DATE,
                  LIST("false", OBJECT(FOLDER "999999999994-5", "5", OLD) OBJECT(FOLDER "999999999995-4", "5", OLD)));
    server_answer(&f->server, await_request(f), "403 Forbidden", "", ERROR("AccessDenied"));
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    assert_line(answer.reason, "s3:DeleteObject");
}

static void what_may_not_be_deleted_is_asked_for_again(void **state) {
    struct fixture *f = *state;
    for (int trim = 0; trim < 2; trim++) {
        submit(f, LOG_LANE_TRIM, LOG_TRIM, 1000, NULL);
        tell_the_time(f);
        struct server_request *listing = await_request(f);
        /* Slot 50 is asked for, whether nothing is known of it or that it was there. */
        assert_line(listing->text, trim == 0 ? "&start-after=locks%2Fleader%2F999999999598-401 HTTP"
                                             : "&start-after=locks%2Fleader%2F999999999549-450 HTTP");
        server_answer(&f->server, listing, "200 OK", DATE,
                      LIST("false", SLOT("999999999948-51", "5")
                                        OBJECT(FOLDER "999999999949-50", "5", OLD)));
        server_answer(&f->server, await_request(f), "403 Forbidden", "", ERROR("AccessDenied"));
        assert_int_equal(await_answer(f).outcome, OUTCOME_REFUSED);
    }
}

static void foreign_keys_in_the_way_end_the_trim(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_TRIM, LOG_TRIM, 1000, NULL);
    tell_the_time(f);
    server_answer(&f->server, await_request(f), "200 OK", DATE,
                  LIST("true", OBJECT(FOLDER "000", "5", OLD)));
    for (int halves = 0; halves < 8; halves++) /* 400, 200, ... 1 */
        server_answer(&f->server, await_request(f), "200 OK", DATE,
                      LIST("true", OBJECT(FOLDER "000", "5", OLD)));
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_line(answer.reason, "no listing shows its oldest slots");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_date_that_runs_ahead_makes_nothing_old),
        CASE(trimming_deletes_old_slots_from_the_oldest_up),
        CASE(the_next_trim_begins_where_the_last_one_ended),
        CASE(trimming_stops_where_it_may_not_delete),
        CASE(what_may_not_be_deleted_is_asked_for_again),
        CASE(foreign_keys_in_the_way_end_the_trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

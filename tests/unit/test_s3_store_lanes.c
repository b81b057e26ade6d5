/* The S3 store's lanes: connections of their own, requests that replace others, time that runs out. */
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

static void silence_is_unknown_when_the_time_is_over(void **state) {
    struct fixture *f = *state;
    struct log_request request = {
        .id = 9, .op = LOG_APPEND, .seq = 43, .body = "free\n", .body_length = 5, .timeout_ms = 300};
    int64_t began_ns = clock_now().wait_ns;
    assert_int_equal(store_submit(f->store, &request), 0);
    struct log_answer answer = await_answer(f);
    int64_t took_ms = (clock_now().wait_ns - began_ns) / NS_PER_MS;
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_true(took_ms >= 290 && took_ms < 3000);
}

static void nobody_listening_is_unknown(void **state) {
    struct fixture *f = *state;
    close(f->server.listener);
    f->server.listener = -1;
    submit(f, LOG_LANE_0, LOG_NEWEST, 0, NULL);
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_line(answer.reason, "127.0.0.1");
}

static void the_two_lanes_of_a_claim_are_two_connections_at_once(void **state) {
    struct fixture *f = *state;
    unsigned first = submit(f, LOG_LANE_0, LOG_APPEND, 43, "free\n");
    unsigned second = submit(f, LOG_LANE_1, LOG_APPEND, 43, "free\n");
    for (int i = 0; i < 500 && f->server.count < 2; i++) turn(f);
    assert_int_equal(f->server.count, 2); /* both are there, none is answered */
    assert_int_not_equal(f->server.requests[0].connection, f->server.requests[1].connection);
    server_answer(&f->server, &f->server.requests[1], "412 Precondition Failed", "", ERROR("PreconditionFailed"));
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_EXISTS);
    unsigned other = answer.id == first ? second : first;
    server_answer(&f->server, &f->server.requests[0], "200 OK", "ETag: \"x\"\r\n", "");
    answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.id, other);
}

static void a_lane_keeps_its_connection_and_never_takes_anothers(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 12; i++) {
        submit(f, i % 3, LOG_READ, 7, NULL);
        server_answer(&f->server, await_request(f), "200 OK", "", "free\n");
        assert_int_equal(await_answer(f).outcome, OUTCOME_DONE);
        assert_int_equal(f->server.requests[i].connection, i % 3);
    }
    assert_int_equal(f->server.opened, 3);
}

static void a_connection_that_the_store_closed_is_opened_again(void **state) {
    struct fixture *f = *state;
    struct log_answer answer = ask(f, LOG_READ, 7, "200 OK", "", "free\n");
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    server_hang_up(&f->server, &f->server.requests[0]);
    answer = ask(f, LOG_APPEND, 8, "200 OK", "ETag: \"x\"\r\n", "");
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(f->server.opened, 2);
}

static void a_put_whose_connection_dies_may_arrive_twice(void **state) {
    struct fixture *f = *state;
    struct log_answer answer = ask(f, LOG_READ, 7, "200 OK", "", "free\n");
    submit(f, LOG_LANE_0, LOG_APPEND, 8, "free\n");
    server_hang_up(&f->server, await_request(f)); /* it was written; the answer is lost */
    server_answer(&f->server, await_request(f), "412 Precondition Failed", "", ERROR("PreconditionFailed"));
    answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_EXISTS); /* by ourselves: so the caller reads and compares nonces */
}

static void a_new_request_in_a_lane_silences_the_old_one(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_0, LOG_READ, 7, NULL);
    struct server_request *old = await_request(f);
    old->answered = true;
    unsigned id = submit(f, LOG_LANE_0, LOG_READ, 8, NULL);
    server_answer(&f->server, await_request(f), "404 Not Found", "", ERROR("NoSuchKey"));
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.id, id);
    assert_int_equal(answer.seq, 8);
    assert_true(server_is_left(&f->server, old));
    assert_false(store_next(f->store, &answer));
}

static void an_answer_not_taken_yet_is_silenced_too(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_0, LOG_READ, 7, NULL);
    server_answer(&f->server, await_request(f), "200 OK", "", "free\n");
    for (int i = 0; i < 10; i++) turn(f);
    unsigned id = submit(f, LOG_LANE_0, LOG_READ, 8, NULL);
    server_answer(&f->server, await_request(f), "200 OK", "", "free\n");
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.id, id);
    assert_false(store_next(f->store, &answer));
}

static void a_hang_up_of_the_callers_descriptor_is_seen(void **state) {
    struct fixture *f = *state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct pollfd extra[2] = {{.fd = pair[0], .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    assert_int_equal(store_wait(f->store, extra, 2, 1), 0);
    assert_int_equal(extra[0].revents, 0);
    close(pair[1]);
    int64_t began_ns = clock_now().wait_ns;
    extra[0].events = 0;
    assert_int_equal(store_wait(f->store, extra, 2, 5000), 0);
    assert_true((clock_now().wait_ns - began_ns) / NS_PER_MS < 4000);
    assert_true((extra[0].revents & POLLHUP) != 0);
    close(pair[0]);
}

static void closing_waits_for_nobody(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_0, LOG_APPEND, 7, "free\n");
    submit(f, LOG_LANE_1, LOG_APPEND, 7, "free\n");
    (void)await_request(f);
    int64_t began_ns = clock_now().wait_ns;
    store_close(f->store);
    assert_true((clock_now().wait_ns - began_ns) / NS_PER_MS < 2000);
    open_store(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(silence_is_unknown_when_the_time_is_over),
        CASE(nobody_listening_is_unknown),
        CASE(the_two_lanes_of_a_claim_are_two_connections_at_once),
        CASE(a_lane_keeps_its_connection_and_never_takes_anothers),
        CASE(a_connection_that_the_store_closed_is_opened_again),
        CASE(a_put_whose_connection_dies_may_arrive_twice),
        CASE(a_new_request_in_a_lane_silences_the_old_one),
        CASE(an_answer_not_taken_yet_is_silenced_too),
        CASE(a_hang_up_of_the_callers_descriptor_is_seen),
        CASE(closing_waits_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the store's answers prove, and that nothing is proved by the answers of what isn't the store: a web server that
 * says 200 to everything, a proxy's page, a captive portal. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "record/record.h"
#include "s3_fixture.h"

#define KEY  FOLDER "999999999992-7"
#define PAGE "<!DOCTYPE html><html><body><h1>It works!</h1></body></html>"
#define ETAG "ETag: \"5e-62b\"\r\n"

/* As ask(); whatever is asked besides is answered likewise. */
static struct log_answer ask_stranger(struct fixture *f, enum log_op op, const char *status, const char *headers,
                                      const char *body) {
    submit(f, LOG_LANE_0, op, 7, op == LOG_APPEND ? "free\n" : NULL);
    struct log_answer answer = {0};
    for (int i = 0; i < 500; i++) {
        struct server_request *request = server_pending(&f->server);
        if (request != NULL) server_answer(&f->server, request, status, headers, body);
        if (store_next(f->store, &answer)) return answer;
        turn(f);
    }
    fail_msg("no answer came");
    return answer;
}

static void what_isnt_the_store_proves_nothing(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *status, *headers, *body;
    } strangers[] = {
        {"200 OK", "", PAGE},
        {"200 OK", ETAG DATE "Last-Modified: Mon, 23 Nov 2026 22:01:40 GMT\r\n", PAGE},
        {"200 OK", ETAG "x-amz-request-id: 1\r\n", PAGE},
        {"200 OK", ETAG, "{\"status\": \"ok\"}"},
        {"200 OK", ETAG, "ok"},
        {"200 OK", ETAG, ERROR("InternalError")},
        {"200 OK", ETAG, ERROR("NoSuchKey")},
        {"200 OK", ETAG, LIST_OF("site/", "false", "")},
        {"200 OK", ETAG, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"},
        {"200 OK", "", ""},
        {"201 Created", ETAG, ""},
        {"202 Accepted", "", PAGE},
        {"204 No Content", "", ""},
        {"301 Moved Permanently", "Location: http://elsewhere.example/\r\n", PAGE},
        {"302 Found", "Location: http://portal.example/login\r\n", ""},
        {"304 Not Modified", ETAG, ""},
        {"307 Temporary Redirect", "Location: http://portal.example/login\r\n", PAGE},
        {"308 Permanent Redirect", "Location: http://elsewhere.example/\r\n", ""},
        {"400 Bad Request", "", PAGE},
        {"401 Unauthorized", "WWW-Authenticate: Basic\r\n", PAGE},
        {"403 Forbidden", "", PAGE},
        {"404 Not Found", "", PAGE},
        {"404 Not Found", "", ""},
        {"404 Not Found", "x-amz-request-id: 1\r\n", ""},
        {"404 Not Found", "", "<html><body><ul><li>Code: NoSuchKey</li></ul></body></html>"}, /* S3's websites */
        {"404 Not Found", "", "<html><Error><Code>NoSuchKey</Code></Error></html>"},
        {"405 Method Not Allowed", "Allow: GET, HEAD\r\n", PAGE},
        {"407 Proxy Authentication Required", "", PAGE},
        {"409 Conflict", "", PAGE},
        {"412 Precondition Failed", "", PAGE},
        {"412 Precondition Failed", "", ""},
        {"412 Precondition Failed", ETAG, ""},
        {"500 Internal Server Error", "", PAGE},
        {"501 Not Implemented", "", PAGE},
        {"502 Bad Gateway", "", PAGE},
        {"503 Service Unavailable", "", PAGE},
        {"504 Gateway Time-out", "", ""},
    };
    static const enum log_op ops[] = {LOG_NEWEST, LOG_READ, LOG_APPEND, LOG_TRIM};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers * 4; i++) {
        const char *status = strangers[i / 4].status, *body = strangers[i / 4].body;
        struct log_answer answer = ask_stranger(f, ops[i % 4], status, strangers[i / 4].headers, body);
        f->server.count = 0;
        if (answer.outcome != OUTCOME_UNKNOWN && answer.outcome != OUTCOME_REFUSED)
            fail_msg("%d is believed of %s %s", (int)answer.outcome, status, body);
        assert_true(answer.reason[0] != '\0');
    }
}

static void a_page_in_place_of_a_deletion_deletes_nothing(void **state) {
    struct fixture *f = *state;
    for (int page = 0; page < 2; page++) {
        submit(f, LOG_LANE_TRIM, LOG_TRIM, 8, NULL);
        server_answer(&f->server, await_request(f), "200 OK", DATE,
                      LIST("true", SLOT("999999999991-8", "300") SLOT("999999999992-7", "300")));
        server_answer(&f->server, await_request(f), "200 OK", DATE,
                      LIST("false", OBJECT(FOLDER "999999999995-4", "0", "2026-11-23T19:00:00.000Z")));
        struct server_request *request = await_request(f);
        assert_line(request->text, "DELETE /b/locks/leader/999999999995-4 HTTP/1.1\r\n"); /* the second time again */
        server_answer(&f->server, request, "200 OK", "", page == 0 ? PAGE : "");
        assert_int_equal(await_answer(f).outcome, page == 0 ? OUTCOME_UNKNOWN : OUTCOME_DONE);
    }
}

static void a_slot_is_read_for_what_it_is(void **state) {
    struct fixture *f = *state;
    struct log_answer answer = ask(f, LOG_READ, 7, "200 OK", "", "free\n");
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.seq, 7);
    assert_int_equal(answer.slot.kind, SLOT_VACANCY);
    assert_line(f->server.requests[0].text, "GET /b/locks/leader/999999999992-7 HTTP/1.1\r\n");
    assert_int_equal(f->server.count, 1);
}

static void what_is_no_slot_is_an_object_if_the_listing_shows_it(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *body, *page;
        enum outcome outcome;
    } cases[] = {
        {"", LIST_OF(KEY, "false", OBJECT(KEY, "0", AT)), OUTCOME_DONE},
        {"free?", LIST_OF(KEY, "true", OBJECT(KEY, "5", AT)), OUTCOME_DONE},
        {PAGE, LIST_OF(KEY, "false", SLOT("999999999992-7", "59")), OUTCOME_DONE}, /* somebody put it there */
        {ERROR("x"), LIST_OF(KEY, "false", OBJECT(KEY, "96", AT)), OUTCOME_DONE},
        {PAGE, LIST_OF(KEY, "false", OBJECT(KEY, "300", AT)), OUTCOME_UNKNOWN},
        {PAGE, LIST_OF(KEY, "false", OBJECT(KEY "1", "59", AT)), OUTCOME_UNKNOWN},
        {PAGE, LIST_OF(KEY, "false", ""), OUTCOME_UNKNOWN},
        {PAGE, LIST_OF(FOLDER, "false", OBJECT(KEY, "59", AT)), OUTCOME_UNKNOWN},
        {PAGE, PAGE, OUTCOME_REFUSED},
        {PAGE, ERROR("InternalError"), OUTCOME_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        submit(f, LOG_LANE_1, LOG_READ, 7, NULL);
        server_answer(&f->server, await_request(f), "200 OK", ETAG, cases[i].body);
        struct server_request *request = await_request(f);
        assert_line(request->text, "&max-keys=1&prefix=locks%2Fleader%2F999999999992-7 HTTP");
        server_answer(&f->server, request, "200 OK", DATE, cases[i].page);
        struct log_answer answer = await_answer(f);
        if (answer.outcome != cases[i].outcome)
            fail_msg("%d for %s: %s", (int)answer.outcome, cases[i].page, answer.reason);
        assert_int_equal(answer.reason[0] == '\0', answer.outcome == OUTCOME_DONE);
        if (strstr(answer.reason, "isn't the object") != NULL) assert_line(answer.reason, "can't read ");
        assert_true(answer.op == LOG_READ && answer.lane == LOG_LANE_1 && answer.slot.kind == SLOT_UNREADABLE);
    }
}

static void a_huge_slot_is_unreadable_and_not_downloaded(void **state) {
    struct fixture *f = *state;
    static char text[8192];
    submit(f, LOG_LANE_0, LOG_READ, 7, NULL);
    struct server_request *request = await_request(f);
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    memset(text, 'x', sizeof text);
    server_send(&f->server, request, head, sizeof head - 1);
    server_send(&f->server, request, text, sizeof text);
    struct server_request *look = await_request(f);
    assert_true(server_is_left(&f->server, request));
    server_answer(&f->server, look, "200 OK", DATE, LIST_OF(KEY, "false", OBJECT(KEY, "1000000", AT)));
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.slot.kind, SLOT_UNREADABLE);
}

static void only_nosuchkey_means_that_a_slot_is_absent(void **state) {
    struct fixture *f = *state;
    struct log_answer answer = ask(f, LOG_READ, 7, "404 Not Found", "", ERROR("NoSuchKey"));
    assert_int_equal(answer.outcome, OUTCOME_ABSENT);
    assert_string_equal(answer.reason, "");
    answer = ask(f, LOG_READ, 7, "404 Not Found", "", ERROR("NoSuchBucket"));
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    assert_line(answer.reason, "bucket \"b\"");
    answer = ask(f, LOG_READ, 7, "404 Not Found", "", "<html>not here</html>");
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    answer = ask(f, LOG_READ, 7, "403 Forbidden", "", ERROR("AccessDenied"));
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    assert_line(answer.reason, "(403 AccessDenied, request r-1)");
    assert_line(answer.reason, "s3:ListBucket");
}

static void every_answer_to_an_append_has_its_meaning(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *status, *headers, *body;
        enum outcome outcome;
    } cases[] = {
        {"200 OK", "ETag: \"x\"\r\n", "", OUTCOME_DONE},
        {"200 OK", "ETag: \"x\"\r\n", "<PutObjectResult/>", OUTCOME_UNKNOWN},
        {"412 Precondition Failed", "", ERROR("PreconditionFailed"), OUTCOME_EXISTS},
        {"412 Precondition Failed", "x-amz-request-id: 1\r\n", "", OUTCOME_EXISTS},
        {"409 Conflict", "", ERROR("ConditionalRequestConflict"), OUTCOME_UNKNOWN},
        {"429 Too Many Requests", "", "", OUTCOME_UNKNOWN},
        {"500 Internal Server Error", "", ERROR("InternalError"), OUTCOME_UNKNOWN},
        {"503 Slow Down", "", ERROR("SlowDown"), OUTCOME_UNKNOWN},
        {"503 Service Unavailable", "", PAGE, OUTCOME_UNKNOWN},
        {"400 Bad Request", "", ERROR("RequestTimeout"), OUTCOME_UNKNOWN},
        {"204 No Content", "", "", OUTCOME_UNKNOWN},
        {"404 Not Found", "", ERROR("NoSuchKey"), OUTCOME_UNKNOWN},
        {"404 Not Found", "", ERROR("NoSuchBucket"), OUTCOME_REFUSED},
        {"501 Not Implemented", "", ERROR("NotImplemented"), OUTCOME_REFUSED},
        {"501 Not Implemented", "", "", OUTCOME_REFUSED},
        {"403 Forbidden", "", ERROR("AccessDenied"), OUTCOME_REFUSED},
        {"403 Forbidden", "", ERROR("SignatureDoesNotMatch"), OUTCOME_REFUSED},
        {"403 Forbidden", "", ERROR("InvalidAccessKeyId"), OUTCOME_REFUSED},
        {"403 Forbidden", "", ERROR("QuotaExceeded"), OUTCOME_REFUSED},
        {"400 Bad Request", "", ERROR("ExpiredToken"), OUTCOME_REFUSED},
        {"401 Unauthorized", "", "", OUTCOME_REFUSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_answer answer = ask(f, LOG_APPEND, 43, cases[i].status, cases[i].headers, cases[i].body);
        if (answer.outcome != cases[i].outcome)
            fail_msg("%d for %s %s", answer.outcome, cases[i].status, cases[i].body);
        bool needs_reason = answer.outcome == OUTCOME_UNKNOWN || answer.outcome == OUTCOME_REFUSED;
        assert_int_equal(answer.reason[0] != '\0', needs_reason);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(what_isnt_the_store_proves_nothing),
        CASE(a_page_in_place_of_a_deletion_deletes_nothing),
        CASE(a_slot_is_read_for_what_it_is),
        CASE(what_is_no_slot_is_an_object_if_the_listing_shows_it),
        CASE(a_huge_slot_is_unreadable_and_not_downloaded),
        CASE(only_nosuchkey_means_that_a_slot_is_absent),
        CASE(every_answer_to_an_append_has_its_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

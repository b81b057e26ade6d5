/* The log in a bucket, against a server that answers as real stores do, or as broken ones do. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http_server.h"
#include "s3/config.h"
#include "store/store.h"

#define FOLDER "locks/leader/"
#define DATE   "Date: Mon, 23 Nov 2026 22:01:41 GMT\r\n"
#define AT     "2026-11-23T22:01:40.500Z"
#define AT_MS  (INT64_C(1795471300500))

static const char secret[] = "not-for-any-log";

struct fixture {
    struct server server;
    struct s3_config config;
    struct store *store;
    unsigned next_id;
};

static void open_store(struct fixture *f) {
    char reason[TEXT_REASON_SIZE];
    f->store = store_open_s3(&f->config, "locks/", "leader", reason);
    assert_non_null(f->store);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    server_init(&f->server);
    (void)snprintf(f->config.endpoint_url, sizeof f->config.endpoint_url, "http://127.0.0.1:%d", f->server.port);
    strcpy(f->config.bucket, "b");
    strcpy(f->config.region, "us-east-1");
    strcpy(f->config.credentials.access_key, "AKID");
    strcpy(f->config.credentials.secret_key, secret);
    open_store(f);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    store_close(f->store);
    server_deinit(&f->server);
    free(f);
    return 0;
}

/* Lets client and server go on for a moment. */
static void turn(struct fixture *f) {
    struct pollfd fds[SERVER_CONNECTIONS + 1];
    size_t count = server_pollfds(&f->server, fds);
    assert_int_equal(store_wait(f->store, fds, count, 20), 0);
    server_step(&f->server);
}

static unsigned submit(struct fixture *f, int lane, enum log_op op, int64_t seq, const char *body) {
    struct log_request request = {.id = ++f->next_id,
                                  .lane = lane,
                                  .op = op,
                                  .seq = seq,
                                  .body = body,
                                  .body_length = body != NULL ? strlen(body) : 0,
                                  .timeout_ms = 5000,
                                  .retention_ms = 3600000,
                                  .trim_most = 100};
    assert_int_equal(store_submit(f->store, &request), 0);
    return request.id;
}

/* The next request that reaches the server unanswered. */
static struct server_request *await_request(struct fixture *f) {
    for (int i = 0; i < 500; i++) {
        struct server_request *request = server_pending(&f->server);
        if (request != NULL) return request;
        turn(f);
    }
    fail_msg("no request came");
    return NULL;
}

static struct log_answer await_answer(struct fixture *f) {
    struct log_answer answer = {0};
    for (int i = 0; i < 500; i++) {
        if (store_next(f->store, &answer)) {
            assert_null(strstr(answer.reason, secret));
            return answer;
        }
        turn(f);
    }
    fail_msg("no answer came");
    return answer;
}

/* Submits in lane 0, has the server say status, headers and body, returns the answer. */
static struct log_answer ask(struct fixture *f, enum log_op op, int64_t seq, const char *status, const char *headers,
                             const char *body) {
    submit(f, LOG_LANE_0, op, seq, op == LOG_APPEND ? "free\n" : NULL);
    server_answer(&f->server, await_request(f), status, headers, body);
    return await_answer(f);
}

static void assert_line(const char *request, const char *line) {
    if (strstr(request, line) == NULL) fail_msg("\"%s\" isn't in:\n%s", line, request);
}

#define ERROR(code)                                                                                                    \
    "<?xml version=\"1.0\"?><Error><Code>" code "</Code><Message>m</Message><RequestId>r-1</RequestId></Error>"
#define LIST(truncated, contents)                                                                                      \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"   \
    "<Name>b</Name><IsTruncated>" truncated "</IsTruncated><EncodingType>url</EncodingType>" contents                  \
    "</ListBucketResult>"
#define OBJECT(key, size, at)                                                                                          \
    "<Contents><Key>" key "</Key><LastModified>" at "</LastModified><Size>" size "</Size></Contents>"
#define SLOT(name, size) OBJECT("locks%2Fleader%2F" name, size, AT)

static void an_empty_log_is_a_whole_listing_without_slots(void **state) {
    struct fixture *f = *state;
    struct log_answer answer = ask(f, LOG_NEWEST, 0, "200 OK", DATE, LIST("false", ""));
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_true(answer.listing.empty);
    assert_line(f->server.requests[0].text,
                "GET /b?encoding-type=url&list-type=2&max-keys=10&prefix=locks%2Fleader%2F HTTP/1.1\r\n");
}

static void the_newest_slot_comes_with_its_size_and_the_stores_times(void **state) {
    struct fixture *f = *state;
    struct log_answer answer = ask(f, LOG_NEWEST, 0, "200 OK", DATE,
                                   LIST("true", SLOT("999999999957-42", "5") OBJECT("locks/leader/999999999958-41",
                                                                                    "300", "2026-11-23T22:01:30Z")));
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_false(answer.listing.empty);
    assert_int_equal(answer.listing.head_seq, 42);
    assert_int_equal(answer.listing.head_size, 5);
    assert_int_equal(answer.listing.head_modified_ms, AT_MS);
    assert_int_equal(answer.listing.previous_seq, 41);
    assert_int_equal(answer.listing.previous_modified_ms, AT_MS - 10500);
    assert_int_equal(answer.listing.date_ms, AT_MS + 500);
}

static void foreign_keys_in_front_are_stepped_over(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_1, LOG_NEWEST, 0, NULL);
    server_answer(&f->server, await_request(f), "200 OK", DATE, LIST("true", SLOT("", "0") SLOT("%21readme", "9")));
    server_answer(&f->server, await_request(f), "200 OK", DATE, LIST("true", SLOT("000+%25", "9") SLOT("0000x", "9")));
    server_answer(&f->server, await_request(f), "200 OK", DATE,
                  LIST("true", SLOT("999999999957-42", "5") SLOT("999999999957-43", "5")));
    server_answer(&f->server, await_request(f), "200 OK", DATE,
                  LIST("true", SLOT("999999999959-40", "5") SLOT("zzz", "5")));
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.lane, LOG_LANE_1);
    assert_int_equal(answer.listing.head_seq, 42);
    assert_int_equal(answer.listing.previous_seq, 40);
    assert_line(f->server.requests[1].text,
                "max-keys=200&prefix=locks%2Fleader%2F&start-after=locks%2Fleader%2F%2F HTTP");
    assert_line(f->server.requests[2].text, "&start-after=locks%2Fleader%2F0000x HTTP");
    assert_line(f->server.requests[3].text, "&start-after=locks%2Fleader%2F999999999957-43 HTTP");
}

static void a_listing_that_cant_be_trusted_shows_nothing(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *body;
        enum outcome outcome;
    } cases[] = {
        {"<ListBucketResult><IsTruncated>false</IsTruncated>", OUTCOME_UNKNOWN}, /* cut off */
        {"<ListBucketResult></ListBucketResult>", OUTCOME_UNKNOWN},              /* doesn't say whether it is all */
        {LIST("false", "<Contents><Key>locks/leader/999999999957-42</Key><Size>5</Size></Contents>"), OUTCOME_UNKNOWN},
        {LIST("false", OBJECT("locks/leader/999999999957-42", "5", "yesterday")), OUTCOME_UNKNOWN},
        {LIST("false", OBJECT("locks/leader/999999999957-42", "-5", AT)), OUTCOME_UNKNOWN},
        {LIST("true", ""), OUTCOME_UNKNOWN}, /* more to come, nowhere to go on */
        {ERROR("InternalError"), OUTCOME_UNKNOWN},
        {"", OUTCOME_REFUSED},
        {"<html><body>It works!</body></html>", OUTCOME_REFUSED},
        {"{\"buckets\": []}", OUTCOME_REFUSED},
        {LIST("false", SLOT("999999999957-42", "5") SLOT("999999999956-43", "5")), OUTCOME_REFUSED}, /* not in order */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_answer answer = ask(f, LOG_NEWEST, 0, "200 OK", DATE, cases[i].body);
        if (answer.outcome != cases[i].outcome) fail_msg("%d for %s: %s", answer.outcome, cases[i].body, answer.reason);
        assert_true(answer.reason[0] != '\0');
    }
}

static void a_listing_without_end_is_given_up(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_0, LOG_NEWEST, 0, NULL);
    struct server_request *request = await_request(f);
    static char chunk[6 + 0x4000 + 2];
    memset(chunk, ' ', sizeof chunk);
    memcpy(chunk, "4000\r\n", 6);
    memcpy(chunk + sizeof chunk - 2, "\r\n", 2);
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    server_send(&f->server, request, head, sizeof head - 1);
    struct log_answer answer = {0};
    int chunks = 0;
    for (; chunks < 100 && !store_next(f->store, &answer); chunks++) {
        if (!server_is_left(&f->server, request)) server_send(&f->server, request, chunk, sizeof chunk);
        turn(f);
    }
    assert_true(chunks > 60 && chunks < 75); /* a MiB is 64 of them */
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_line(answer.reason, "longer than any should be");
}

static void a_slot_is_read_for_what_it_is(void **state) {
    struct fixture *f = *state;
    struct log_answer answer = ask(f, LOG_READ, 7, "200 OK", "", "free\n");
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.seq, 7);
    assert_int_equal(answer.slot.kind, SLOT_VACANCY);
    assert_line(f->server.requests[0].text, "GET /b/locks/leader/999999999992-7 HTTP/1.1\r\n");
    answer = ask(f, LOG_READ, 7, "200 OK", "", "");
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.slot.kind, SLOT_UNREADABLE);
    answer = ask(f, LOG_READ, 7, "200 OK", "", ERROR("InternalError"));
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.slot.kind, SLOT_UNREADABLE);
}

static void a_slot_comes_in_chunks_too(void **state) {
    struct fixture *f = *state;
    static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfr\r\n3\r\nee\n\r\n0\r\n\r\n";
    submit(f, LOG_LANE_0, LOG_READ, 7, NULL);
    server_send(&f->server, await_request(f), text, sizeof text - 1);
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.slot.kind, SLOT_VACANCY);
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
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.slot.kind, SLOT_UNREADABLE);
    assert_true(server_is_left(&f->server, request));
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

static void an_append_is_put_if_absent(void **state) {
    struct fixture *f = *state;
    char body[] = "free\n";
    submit(f, LOG_LANE_0, LOG_APPEND, 43, body);
    memset(body, 'x', sizeof body - 1); /* the store has its copy */
    struct server_request *request = await_request(f);
    server_answer(&f->server, request, "200 OK", "ETag: \"x\"\r\n", "");
    assert_int_equal(await_answer(f).outcome, OUTCOME_DONE);
    assert_line(request->text, "PUT /b/locks/leader/999999999956-43 HTTP/1.1\r\n");
    assert_line(request->text, "\r\nif-none-match: *\r\n");
    assert_line(request->text, "\r\nContent-Length: 5\r\n");
    /* SHA-256 of "free\n". */
    assert_line(request->text,
                "\r\nx-amz-content-sha256: 0cf9340d8bc2f1f7836e0ce6e2178d5fd382bde7fc50dc845dbf228dee3713b4\r\n");
    assert_line(request->text,
                "SignedHeaders=content-type;host;if-none-match;x-amz-checksum-sha256;x-amz-content-sha256;x-amz-date,");
    assert_line(request->text, "\r\n\r\nfree\n");
    assert_null(strstr(request->text, "xpect"));
}

static void every_answer_to_an_append_has_its_meaning(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *status, *headers, *body;
        enum outcome outcome;
    } cases[] = {
        {"200 OK", "ETag: \"x\"\r\n", "", OUTCOME_DONE},
        {"200 OK", "", "", OUTCOME_UNKNOWN}, /* something on the way that says yes to everything */
        {"200 OK", "ETag: \"x\"\r\n", ERROR("InternalError"), OUTCOME_UNKNOWN},
        {"200 OK", "", "<html>please log in</html>", OUTCOME_UNKNOWN},
        {"200 OK", "ETag: \"x\"\r\n", "<PutObjectResult/>", OUTCOME_DONE},
        {"412 Precondition Failed", "", ERROR("PreconditionFailed"), OUTCOME_EXISTS},
        {"412 Precondition Failed", "", "", OUTCOME_EXISTS},
        {"409 Conflict", "", ERROR("ConditionalRequestConflict"), OUTCOME_UNKNOWN},
        {"429 Too Many Requests", "", "", OUTCOME_UNKNOWN},
        {"500 Internal Server Error", "", ERROR("InternalError"), OUTCOME_UNKNOWN},
        {"503 Slow Down", "", ERROR("SlowDown"), OUTCOME_UNKNOWN},
        {"503 Service Unavailable", "", "<html>", OUTCOME_UNKNOWN},
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

static void an_answer_cut_off_is_unknown(void **state) {
    struct fixture *f = *state;
    static const char *const texts[] = {
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfre",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfr",
        "\x15\x03\x01 nonsense\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        submit(f, LOG_LANE_0, LOG_APPEND, 43, "free\n");
        struct log_answer answer = {0};
        /* libcurl asks again by itself where nothing at all came back on a connection it knew; those get the same. */
        for (int turns = 0; turns < 500 && !store_next(f->store, &answer); turns++) {
            struct server_request *request = server_pending(&f->server);
            if (request != NULL) {
                server_send(&f->server, request, texts[i], strlen(texts[i]));
                server_hang_up(&f->server, request);
            }
            turn(f);
        }
        assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
        assert_true(answer.reason[0] != '\0');
    }
}

static void headers_without_end_are_given_up(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_0, LOG_READ, 43, NULL);
    struct server_request *request = await_request(f);
    server_send(&f->server, request, "HTTP/1.1 200 OK\r\n", 17);
    char lines[4096];
    for (size_t i = 0; i < sizeof lines; i++) lines[i] = "X-Filler: 01234567890123456789\r\n"[i % 32];
    struct log_answer answer = {0};
    int i = 0;
    for (; i < 40 && !store_next(f->store, &answer); i++) {
        if (!server_is_left(&f->server, request)) server_send(&f->server, request, lines, sizeof lines);
        turn(f);
    }
    assert_true(i < 40); /* after some 64 KiB, long before the time was over */
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
}

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

#define MOVED "<Error><Code>PermanentRedirect</Code><Message>m</Message></Error>"

static void a_bucket_in_another_region_is_asked_again_signed_for_it(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_0, LOG_READ, 7, NULL);
    server_answer(&f->server, await_request(f), "301 Moved Permanently", "x-amz-bucket-region: eu-west-3\r\n", MOVED);
    server_answer(&f->server, await_request(f), "200 OK", "", "free\n");
    assert_int_equal(await_answer(f).outcome, OUTCOME_DONE);
    assert_line(f->server.requests[0].text, "/us-east-1/s3/aws4_request");
    assert_line(f->server.requests[1].text, "/eu-west-3/s3/aws4_request");
    struct log_answer answer = ask(f, LOG_READ, 7, "200 OK", "", "free\n");
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_line(f->server.requests[2].text, "/eu-west-3/s3/aws4_request"); /* remembered */
}

static void the_region_may_stand_in_the_error(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_0, LOG_APPEND, 7, "free\n");
    server_answer(
        &f->server, await_request(f), "400 Bad Request", "",
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-north-1</Region></Error>");
    server_answer(&f->server, await_request(f), "200 OK", "ETag: \"x\"\r\n", "");
    assert_int_equal(await_answer(f).outcome, OUTCOME_DONE);
    assert_line(f->server.requests[1].text, "/eu-north-1/s3/aws4_request");
    assert_line(f->server.requests[1].text, "\r\n\r\nfree\n");
}

static void redirects_are_followed_once_and_never_to_another_host(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_0, LOG_READ, 7, NULL);
    server_answer(&f->server, await_request(f), "307 Temporary Redirect", "x-amz-bucket-region: eu-west-3\r\n", MOVED);
    server_answer(&f->server, await_request(f), "307 Temporary Redirect", "x-amz-bucket-region: eu-west-4\r\n", MOVED);
    assert_int_equal(await_answer(f).outcome, OUTCOME_REFUSED);
    struct log_answer answer =
        ask(f, LOG_READ, 7, "301 Moved Permanently",
            "Location: http://elsewhere.example/\r\nx-amz-bucket-region: evil.example/\r\n", MOVED);
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    assert_line(answer.reason, "http://elsewhere.example/");
    assert_int_equal(f->server.count, 3);
}

static void a_wrong_clock_is_corrected_for_signing(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_0, LOG_READ, 7, NULL);
    server_answer(&f->server, await_request(f), "403 Forbidden", "Date: Sat, 01 Jan 2000 12:00:00 GMT\r\n",
                  ERROR("RequestTimeTooSkewed"));
    struct server_request *request = await_request(f);
    assert_line(request->text, "\r\nx-amz-date: 20000101T1200");
    server_answer(&f->server, request, "403 Forbidden", "Date: Sat, 01 Jan 2000 12:00:00 GMT\r\n",
                  ERROR("RequestTimeTooSkewed"));
    struct log_answer answer = await_answer(f); /* once only */
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_line(answer.reason, "clock");
}

static void a_session_token_is_sent_and_signed(void **state) {
    struct fixture *f = *state;
    store_close(f->store);
    strcpy(f->config.credentials.session_token, "session/token+with=chars");
    open_store(f);
    struct log_answer answer = ask(f, LOG_READ, 7, "403 Forbidden", "", ERROR("AccessDenied"));
    assert_line(f->server.requests[0].text, "\r\nx-amz-security-token: session/token+with=chars\r\n");
    assert_line(f->server.requests[0].text, "x-amz-date;x-amz-security-token,Signature=");
    assert_null(strstr(answer.reason, "session/token"));
}

static void foreign_text_in_a_reason_is_printable_and_bounded(void **state) {
    struct fixture *f = *state;
    char body[4000], message[3000];
    memset(message, 'm', sizeof message);
    message[sizeof message - 1] = '\0';
    memcpy(message, "a\nb\tc\xc3\xa9", 7);
    (void)snprintf(body, sizeof body, "<Error><Code>Weird&#10;Code</Code><Message>%s</Message></Error>", message);
    struct log_answer answer = ask(f, LOG_READ, 7, "400 Bad Request", "", body);
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    for (const char *p = answer.reason; *p != '\0'; p++) assert_true(*p >= 0x20 && *p < 0x7f);
    assert_line(answer.reason, "Weird?Code");
}

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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    /* The machine's proxies aren't part of the test. */
    static const char *const proxies[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                          "HTTPS_PROXY", "all_proxy",  "ALL_PROXY"};
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) unsetenv(proxies[i]);
    const struct CMUnitTest tests[] = {
        CASE(an_empty_log_is_a_whole_listing_without_slots),
        CASE(the_newest_slot_comes_with_its_size_and_the_stores_times),
        CASE(foreign_keys_in_front_are_stepped_over),
        CASE(a_listing_that_cant_be_trusted_shows_nothing),
        CASE(a_listing_without_end_is_given_up),
        CASE(a_slot_is_read_for_what_it_is),
        CASE(a_slot_comes_in_chunks_too),
        CASE(a_huge_slot_is_unreadable_and_not_downloaded),
        CASE(only_nosuchkey_means_that_a_slot_is_absent),
        CASE(an_append_is_put_if_absent),
        CASE(every_answer_to_an_append_has_its_meaning),
        CASE(an_answer_cut_off_is_unknown),
        CASE(headers_without_end_are_given_up),
        CASE(silence_is_unknown_when_the_time_is_over),
        CASE(nobody_listening_is_unknown),
        CASE(the_two_lanes_of_a_claim_are_two_connections_at_once),
        CASE(a_lane_keeps_its_connection_and_never_takes_anothers),
        CASE(a_connection_that_the_store_closed_is_opened_again),
        CASE(a_put_whose_connection_dies_may_arrive_twice),
        CASE(a_new_request_in_a_lane_silences_the_old_one),
        CASE(an_answer_not_taken_yet_is_silenced_too),
        CASE(a_bucket_in_another_region_is_asked_again_signed_for_it),
        CASE(the_region_may_stand_in_the_error),
        CASE(redirects_are_followed_once_and_never_to_another_host),
        CASE(a_wrong_clock_is_corrected_for_signing),
        CASE(a_session_token_is_sent_and_signed),
        CASE(foreign_text_in_a_reason_is_printable_and_bounded),
        CASE(a_date_that_runs_ahead_makes_nothing_old),
        CASE(trimming_deletes_old_slots_from_the_oldest_up),
        CASE(the_next_trim_begins_where_the_last_one_ended),
        CASE(trimming_stops_where_it_may_not_delete),
        CASE(a_hang_up_of_the_callers_descriptor_is_seen),
        CASE(closing_waits_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The log in a bucket, against a server that answers as real stores do, or as broken ones do. */
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

static void a_flood_of_foreign_keys_is_given_up(void **state) {
    struct fixture *f = *state;
    submit(f, LOG_LANE_0, LOG_NEWEST, 0, NULL);
    for (int page = 0; page < 20; page++) {
        char body[1024];
        (void)snprintf(body, sizeof body, LIST("true", OBJECT("locks%%2Fleader%%2F000%02d", "5", AT)), page);
        server_answer(&f->server, await_request(f), "200 OK", DATE, body);
    }
    struct log_answer answer = await_answer(f);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_line(answer.reason, "locks/leader/ holds thousands of keys that aren't ours");
}

static void a_listing_that_isnt_allowed_names_the_folder(void **state) {
    struct log_answer answer = ask(*state, LOG_NEWEST, 0, "403 Forbidden", "", ERROR("AccessDenied"));
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    assert_line(answer.reason, "s3:ListBucket on locks/leader/");
}

static void names_that_make_no_key_are_refused_when_it_is_opened(void **state) {
    const struct fixture *f = *state;
    char reason[TEXT_REASON_SIZE], longest[2000];
    assert_null(store_open_s3(&f->config, "locks/", "a/b", reason));
    assert_line(reason, "a lock's name can't be empty");
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_null(store_open_s3(&f->config, "locks/", longest, reason));
    assert_line(reason, "too long together");
}

static void it_says_once_whose_keys_it_uses(void **state) {
    const struct fixture *f = *state;
    struct store_notice notice = {.warning = true};
    assert_true(store_take_notice(f->store, &notice));
    assert_false(notice.warning);
    assert_line(notice.text, "credentials: ");
    assert_false(store_take_notice(f->store, &notice));
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

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(an_empty_log_is_a_whole_listing_without_slots),
        CASE(the_newest_slot_comes_with_its_size_and_the_stores_times),
        CASE(foreign_keys_in_front_are_stepped_over),
        CASE(a_listing_that_cant_be_trusted_shows_nothing),
        CASE(a_listing_without_end_is_given_up),
        CASE(a_flood_of_foreign_keys_is_given_up),
        CASE(a_listing_that_isnt_allowed_names_the_folder),
        CASE(names_that_make_no_key_are_refused_when_it_is_opened),
        CASE(it_says_once_whose_keys_it_uses),
        CASE(a_slot_comes_in_chunks_too),
        CASE(an_append_is_put_if_absent),
        CASE(an_answer_cut_off_is_unknown),
        CASE(headers_without_end_are_given_up),
        CASE(a_bucket_in_another_region_is_asked_again_signed_for_it),
        CASE(the_region_may_stand_in_the_error),
        CASE(redirects_are_followed_once_and_never_to_another_host),
        CASE(a_wrong_clock_is_corrected_for_signing),
        CASE(a_session_token_is_sent_and_signed),
        CASE(foreign_text_in_a_reason_is_printable_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Answers: header lines, an empty line and a body become a verdict that errs on the safe side and a line for people.
 *
 * The first byte chooses what libcurl said; the status is that of the last status line. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "s3/dates.h"
#include "s3/endpoint.h"
#include "s3/redirect.h"
#include "s3/response.h"
#include "s3/verdict.h"

#define BODY_MAX    2048
#define YEAR_10K_MS INT64_C(253402300800000)

static const int curl_codes[] = {CURLE_PEER_FAILED_VERIFICATION, CURLE_UNSUPPORTED_PROTOCOL, CURLE_OPERATION_TIMEDOUT,
                                 CURLE_RECV_ERROR};

static void check_dates(const char *text) {
    char signing[17];
    int64_t ms = -1;
    if (s3_date_parse_http(text, &ms) == 0) CHECK(ms >= 0 && ms % 1000 == 0, "HTTP's times are whole seconds");
    if (s3_date_parse_iso8601(text, &ms) != 0 && ms == -1) return;
    CHECK(ms >= 0 && ms < YEAR_10K_MS + 1000, "times are from 1970 to 9999");
    if (ms < YEAR_10K_MS) CHECK(s3_date_format_signing(signing, ms) == 0, "such a time can be signed");
}

static int read_status(const char *line) {
    int status = 0;
    const char *blank = strchr(line, ' ');
    if (blank == NULL) return 0;
    for (const char *p = blank + 1; *p >= '0' && *p <= '9' && status < 1000; p++) status = status * 10 + (*p - '0');
    return status;
}

/* Every line, its end included, in memory of its own, as libcurl hands it in. */
static void take_headers(struct s3_response *response, struct fuzz_input *input) {
    for (;;) {
        size_t length;
        bool ended = memchr(input->next, '\n', input->left) != NULL;
        char *line = fuzz_block(input, '\n', &length);
        bool empty = length == 0 || (length == 1 && line[0] == '\r');
        if (!empty) {
            if (ended) line[length] = '\n'; /* where the terminator stood: nothing ends a header line but its length */
            s3_response_take_header(response, line, length + (ended ? 1 : 0));
            line[length] = '\0';
            if (strncmp(line, "HTTP/", 5) == 0) response->status = read_status(line);
            const char *colon = strchr(line, ':');
            if (colon != NULL) check_dates(colon + 1 + (colon[1] == ' '));
        }
        free(line);
        if (empty || !ended) return;
    }
}

static void check_response(const struct s3_response *r) {
    CHECK(fuzz_is_printable(r->location) && fuzz_is_printable(r->request_id), "what people see is printable");
    CHECK(r->region[0] == '\0' || s3_region_is_valid(r->region), "a region can be part of a host's name");
    CHECK(r->date_ms >= 0 && r->date_ms < YEAR_10K_MS + 1000, "the store's time is from 1970 to 9999");
    CHECK(!r->has_error || r->error.code[0] != '\0', "an error has a code");
    CHECK(fuzz_is_printable(r->error.code) && fuzz_is_printable(r->error.message), "an error's words are printable");
    if (s3_redirect_is_to_time(r)) CHECK(r->status == 403 && r->date_ms != 0, "a time to sign for is there");
    if (s3_redirect_is_to_region(r, "here")) CHECK(strcmp(r->region, "here") != 0, "a redirect leads elsewhere");
}

static void check_verdict(const struct s3_response *r, enum s3_action action, const struct s3_endpoint *endpoint) {
    char reason[TEXT_REASON_SIZE];
    struct s3_subject subject = {
        .action = action, .bucket = "bucket", .key = "locks/leader/\x01key", .endpoint = endpoint};
    enum s3_verdict verdict = s3_judge(r, &subject, reason);
    bool trouble = verdict == S3_UNKNOWN || verdict == S3_REFUSED;
    CHECK(trouble == (reason[0] != '\0'), "trouble has a reason, and nothing else has");
    CHECK(fuzz_is_printable(reason), "a reason is one printable line");
    if (r->curl_code != CURLE_OK) CHECK(trouble, "no answer is no success");
    if (verdict == S3_FINE) CHECK(r->status / 100 == 2, "only 2xx is success");
    if (verdict == S3_FINE && action != S3_READ) CHECK(!r->has_error, "an error with status 200 is no success");
    if (verdict == S3_FINE && action == S3_CREATE) CHECK(r->has_etag, "a write that worked has an ETag");
    if (verdict == S3_FINE && (action == S3_CREATE || action == S3_DELETE))
        CHECK(r->body.length == 0 && !r->too_large, "a page doesn't say that something was written or deleted");
    if (verdict == S3_EXISTS) CHECK(r->has_error || (r->body.length == 0 && r->has_amz), "nor that a slot is taken");
    if (verdict == S3_EXISTS) CHECK(action == S3_CREATE && r->status == 412, "only 412 says that a slot is taken");
    if (verdict == S3_ABSENT) {
        CHECK(r->status == 404 && strcmp(r->error.code, "NoSuchKey") == 0, "only NoSuchKey says that a slot is empty");
        CHECK(action == S3_READ || action == S3_DELETE, "only what is read or deleted can be absent");
    }
    if (action != S3_LIST) return;
    verdict = s3_judge_garbled(r, &subject, reason);
    CHECK((verdict == S3_UNKNOWN || verdict == S3_REFUSED) && reason[0] != '\0', "what is garbled is no success");
    CHECK(fuzz_is_printable(reason), "a reason is one printable line");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    struct s3_endpoint endpoint = {.scheme = "http", .host = "127.0.0.1:7480"};
    struct s3_response response;
    uint8_t how = fuzz_byte(&input);
    if (input.left == 0) return 0;
    s3_response_init(&response);
    s3_response_reset(&response, BODY_MAX);
    take_headers(&response, &input);
    response.too_large = input.left > BODY_MAX;
    if (!response.too_large) CHECK(buffer_append(&response.body, input.next, input.left) == 0, "a body is taken");
    CHECK(s3_response_finish(&response) == 0, "a body can be looked at");
    check_response(&response);
    size_t codes = sizeof curl_codes / sizeof *curl_codes;
    if (how >= 'a' && how - (uint8_t)'a' < (int)codes) response.curl_code = curl_codes[how - 'a'];
    for (int action = S3_LIST; action <= S3_DELETE; action++) {
        check_verdict(&response, (enum s3_action)action, &endpoint);
    }
    s3_response_deinit(&response);
    return 0;
}

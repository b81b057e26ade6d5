/* The chain of credential providers without any network: what each asks for, what it makes of answers, who comes first
 * and who is the end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "credentials_fixture.h"
#include "s3/dates.h"
#include "s3/keys.h"
#include "s3/sts.h"

static void an_ecs_task_asks_its_agent(void **state) {
    struct fixture *f = *state;
    set(f, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1?id=x");
    set(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://unused.example/");
    begin(f, S3_STEP_ASK);
    assert_asks(f, "GET", "http://169.254.170.2/v2/credentials/1?id=x");
    assert_true(f->fetch.errand.direct);
    answer(f, 200, KEYS, S3_STEP_FOUND);
    assert_string_equal(f->fetch.found.access_key, "ASIA1");
    assert_string_equal(f->fetch.found.session_token, "t");
    assert_int_equal(f->fetch.found.expiry_ms, NOW_MS + 3600000);
    assert_false(f->fetch.found.fixed);
    assert_int_equal(f->fetch.errand.kind, S3_ERRAND_NONE);
}

static void only_agents_this_machine_and_https_are_asked(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *url;
        int allowed; /* 0: not, 1: by way of a proxy, 2: directly */
    } urls[] = {
        {"http://169.254.170.2/x", 2},
        {"http://169.254.170.23/v1/credentials", 2},
        {"http://[fd00:ec2::23]/x", 2},
        {"https://example.com/x", 1},
        {"http://127.0.0.1:1/x", 2},
        {"http://127.9.9.9/x", 2},
        {"http://[::1]:80/x", 2},
        {"http://localhost/x", 2},
        {"http://LOCALHOST/x", 2},
        {"http://localhost.example/x", 0},
        {"http://169.254.169.254/x", 0},
        {"http://example.com/x", 0},
        {"http://[fd00:ec2::254]/x", 0},
        {"http://127.0.0.1@example.com/", 0},
        {"http://127.0.0.1.example/", 0},
        {"ftp://127.0.0.1/", 0},
        {"http://example.com#127.0.0.1", 0},
        {"127.0.0.1/x", 0},
        {"http://0x7f.1/x", 2},
        {"", 0},
    };
    for (size_t i = 0; i + 1 < sizeof urls / sizeof *urls; i++) {
        set(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", urls[i].url);
        enum s3_step step = s3_fetch_begin(&f->fetch, NULL, NOW_MS);
        if ((step == S3_STEP_ASK) != (urls[i].allowed > 0)) fail_msg("%s: %d", urls[i].url, (int)step);
        if (step == S3_STEP_ASK) assert_int_equal(f->fetch.errand.direct, urls[i].allowed == 2);
        free(f->environment[--f->count]);
        f->environment[f->count] = NULL;
    }
}

static void metadata_are_asked_for_a_token_a_role_and_its_keys(void **state) {
    struct fixture *f = *state;
    begin(f, S3_STEP_ASK);
    assert_asks(f, "PUT", "http://169.254.169.254/latest/api/token");
    assert_string_equal(header(f, "x-aws-ec2-metadata-token-ttl-seconds"), "21600");
    assert_int_equal(f->fetch.errand.timeout_ms, 1000);
    answer(f, 200, "TOKEN==", S3_STEP_ASK);
    assert_asks(f, "GET", "http://169.254.169.254/latest/meta-data/iam/security-credentials/");
    assert_string_equal(header(f, "x-aws-ec2-metadata-token"), "TOKEN==");
    answer(f, 200, "a-role\n", S3_STEP_ASK);
    assert_asks(f, "GET", "http://169.254.169.254/latest/meta-data/iam/security-credentials/a-role");
    assert_string_equal(header(f, "x-aws-ec2-metadata-token"), "TOKEN==");
    assert_true(f->fetch.errand.direct);
    answer(f, 200, KEYS, S3_STEP_FOUND);
}

static void metadata_can_be_elsewhere(void **state) {
    struct fixture *f = *state;
    configure(f, "[default]\nec2_metadata_service_endpoint_mode = IPv6\n");
    begin(f, S3_STEP_ASK);
    assert_asks(f, "PUT", "http://[fd00:ec2::254]/latest/api/token");
    configure(f, "[default]\nec2_metadata_service_endpoint = http://[::1]:1338/\n");
    begin(f, S3_STEP_ASK);
    assert_asks(f, "PUT", "http://[::1]:1338/latest/api/token");
    set(f, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    begin(f, S3_STEP_ASK);
    assert_asks(f, "PUT", "http://127.0.0.1:1/latest/api/token");
    set(f, "AWS_EC2_METADATA_DISABLED", "TRUE");
    begin(f, S3_STEP_FAILED);
    assert_reason(f, "instance metadata: switched off by AWS_EC2_METADATA_DISABLED");
}

static void a_region_is_asked_for_last_of_all(void **state) {
    struct fixture *f = *state;
    f->config.region[0] = '\0';
    set(f, "AWS_ACCESS_KEY_ID", "AKIA1");
    set(f, "AWS_SECRET_ACCESS_KEY", "s");
    begin(f, S3_STEP_ASK);
    answer(f, 200, "TOKEN", S3_STEP_ASK);
    assert_asks(f, "GET", "http://169.254.169.254/latest/meta-data/placement/region");
    answer(f, 200, "eu-north-1", S3_STEP_FOUND);
    assert_string_equal(f->fetch.region, "eu-north-1");
    assert_string_equal(f->fetch.found.access_key, "AKIA1");
    begin(f, S3_STEP_ASK);
    answer(f, 200, "TOKEN", S3_STEP_ASK);
    answer(f, 200, "evil.example/", S3_STEP_FAILED);
    assert_reason(f, "its region is none");
}

static void who_was_passed_over_is_listed_with_why(void **state) {
    struct fixture *f = *state;
    set(f, "AWS_EC2_METADATA_DISABLED", "true");
    begin(f, S3_STEP_FAILED);
    assert_true(f->fetch.exhausted);
    static const char *const parts[] = {"environment: no AWS_ACCESS_KEY_ID", "profile: no keys for \"default\"",
                                        "web identity: no AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "container: no AWS_CONTAINER_CREDENTIALS_FULL_URI", "--profile"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) assert_reason(f, parts[i]);
}

static void a_role_is_assumed_where_the_region_is(void **state) {
    struct fixture *f = *state;
    configure(f, "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n[profile base]\n"
                 "aws_access_key_id = AKIABASE\naws_secret_access_key = s\naws_session_token = tt\n");
    begin(f, S3_STEP_ASK);
    assert_asks(f, "POST", "https://sts.eu-west-1.amazonaws.com/");
    assert_string_equal(f->fetch.errand.body.data,
                        "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=leaderexec-"
                        "1795471301&Version=2011-06-15");
    assert_non_null(strstr(header(f, "authorization"), "Credential=AKIABASE/20261123/eu-west-1/sts/aws4_request,"
                                                       "SignedHeaders=content-type;host;x-amz-date;"
                                                       "x-amz-security-token,"));
    assert_string_equal(header(f, "x-amz-security-token"), "tt");
    answer(f, 200, STS_KEYS, S3_STEP_FOUND);
    assert_string_equal(f->fetch.found.access_key, "ASIA2");
    assert_string_equal(f->fetch.found.session_token, "t2");
    f->config.region[0] = '\0';
    begin(f, S3_STEP_ASK);
    assert_asks(f, "POST", "https://sts.amazonaws.com/");
}

static void sts_that_is_throttled_is_asked_again_and_not_for_ever(void **state) {
    struct fixture *f = *state;
    static const char busy[] = "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate\nexceeded</Message></Error>"
                               "</ErrorResponse>";
    configure(f, "[default]\nrole_arn = r\ncredential_source = Environment\n");
    set(f, "AWS_ACCESS_KEY_ID", "AKIAENV");
    set(f, "AWS_SECRET_ACCESS_KEY", "s");
    f->config.sources.profile_chosen = true;
    (void)text_copy(f->config.sources.profile, sizeof f->config.sources.profile, "default");
    begin(f, S3_STEP_ASK);
    answer(f, 400, busy, S3_STEP_ASK);
    assert_non_null(strstr(header(f, "authorization"), "AKIAENV"));
    answer(f, 400, busy, S3_STEP_ASK);
    answer(f, 400, busy, S3_STEP_PASSING);
    assert_reason(f, "(400 Throttling): Rate?exceeded");
}

static void sso_asks_with_the_login_where_its_region_is(void **state) {
    struct fixture *f = *state;
    configure(f,
              "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_start_url = u\n"
              "sso_region = us-gov-west-1\n");
    begin(f, S3_STEP_FAILED);
    assert_reason(f, "run aws sso login"); /* in the password database's home */
    set(f, "HOME", "/nonexistent");
    begin(f, S3_STEP_FAILED);
    assert_reason(f, "nobody has logged in yet: run aws sso login");
}

static void answers_of_sts_are_read_strictly(void **state) {
    (void)state;
    struct s3_credentials found;
    struct s3_sts_error error;
    assert_int_equal(s3_sts_parse(&found, &error, STS_KEYS, strlen(STS_KEYS)), 0);
    static const char *const others[] = {
        "", "<a/>", "<AssumeRoleResponse><AssumeRoleResult><Credentials/></AssumeRoleResult></AssumeRoleResponse>",
        "<Credentials><AccessKeyId>a</AccessKeyId></Credentials>", "{\"AccessKeyId\":1}"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(s3_sts_parse(&found, &error, others[i], strlen(others[i])), -EPROTO);
        assert_string_equal(found.access_key, "");
    }
}

static void expiries_are_read_in_all_their_forms(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"2026-11-23T22:01:41Z", NOW_MS},
                {"2026-11-23T22:01:41.5Z", NOW_MS + 500},
                {"2026-11-23T22:01:41+00:00", NOW_MS},
                {"2026-11-24T00:01:41+02:00", NOW_MS},
                {"2026-11-23T16:31:41.250-05:30", NOW_MS + 250},
                {"2026-11-23T22:01:41UTC", NOW_MS},
                {"2026-11-23t22:01:41z", NOW_MS},
                {"2026-11-23 22:01:41Z", NOW_MS},
                {"2026-11-23T22:01:41+0000", NOW_MS},
                {"2026-11-23T22:01:41+00", NOW_MS},
                {"2026-11-23T22:01Z", NOW_MS - 41000},
                {"20261123T220141Z", NOW_MS},
                {"20261123T2201Z", NOW_MS - 41000},
                {"2026-11-23T220141Z", NOW_MS},
                {"2026-11-23T22:01:41,5Z", NOW_MS + 500},
                {"2026-11-23T22:01:41.123456789Z", NOW_MS + 123},
                {"2026-11-23T22:01:41 UTC", NOW_MS},
                {"2026-11-23T22:01:41GMT", NOW_MS},
                {"2026-11-24T00:01:41 +02:00", NOW_MS},
                {"2026-11-23 16:31:41 -0530", NOW_MS},
                {"2026/11/23 22:01:41Z", NOW_MS},
                {"Mon, 23 Nov 2026 22:01:41 GMT", NOW_MS},
                {"Tue, 24 Nov 2026 00:01:41 +0200", NOW_MS}};
    static const char *const bad[] = {"",
                                      "soon",
                                      "2026-11-23T22:01:41",
                                      "2026-11-23",
                                      "2026-11-23T22:01:41.Z",
                                      "2026-11-23T22:01:41+02:00Z",
                                      "2026-11-23T22:01:41+02:0",
                                      "Mon, 23 Nov 2026 22:01:41",
                                      "2026-11-23T22:01:41Zulu",
                                      "2026-11-23T22:01:41+24:00",
                                      "1969-12-31T23:59:59Z"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ms = 0;
        if (s3_date_parse_expiry(good[i].text, &ms) != 0 || ms != good[i].ms) fail_msg("%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ms = 0;
        if (s3_date_parse_expiry(bad[i], &ms) == 0) fail_msg("%s", bad[i]);
    }
}

/* No answer came. */
static void fail_to_answer(struct fixture *f, const char *trouble, bool certificate, enum s3_step expected) {
    s3_reply_deinit(&f->reply);
    f->reply.failed = true;
    f->reply.certificate = certificate;
    (void)text_copy(f->reply.trouble, sizeof f->reply.trouble, trouble);
    enum s3_step step = s3_fetch_answered(&f->fetch, &f->reply, NOW_MS);
    if (step != expected) fail_msg("%d: %s", (int)step, f->fetch.reason);
}

static void an_agent_whose_certificate_is_wrong_is_the_end(void **state) {
    struct fixture *f = *state;
    set(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://agent.example/keys");
    begin(f, S3_STEP_ASK);
    fail_to_answer(f, "it has expired", true, S3_STEP_FAILED);
    assert_reason(f, "the container's agent can't be asked: it has expired");
}

static void a_process_that_cant_be_run_now_is_tried_again_and_says_why(void **state) {
    struct fixture *f = *state;
    configure(f, "[default]\ncredential_process = keys\n");
    begin(f, S3_STEP_ASK);
    fail_to_answer(f, "Too many open files", false, S3_STEP_PASSING);
    assert_reason(f, "profile \"default\" can't be run: Too many open files");
}

static void of_a_key_little_is_shown(void **state) {
    (void)state;
    char out[TEXT_REASON_SIZE];
    struct s3_credentials given = {.access_key = "AKIAIOSFODNN7EXAMPLE", .origin = "the environment"};
    s3_keys_describe(out, sizeof out, &given);
    assert_string_equal(out, "the environment, access key ****************MPLE");
    given.expiry_ms = INT64_C(1764288000500);
    s3_keys_describe(out, sizeof out, &given);
    assert_string_equal(out, "the environment, access key ****************MPLE, until 2025-11-28T00:00:00Z");
    (void)text_copy(given.access_key, sizeof given.access_key, "shortkey");
    given.expiry_ms = 0;
    s3_keys_describe(out, sizeof out, &given);
    assert_string_equal(out, "the environment, access key ****************");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(an_ecs_task_asks_its_agent),
        CASE(only_agents_this_machine_and_https_are_asked),
        CASE(metadata_are_asked_for_a_token_a_role_and_its_keys),
        CASE(metadata_can_be_elsewhere),
        CASE(a_region_is_asked_for_last_of_all),
        CASE(who_was_passed_over_is_listed_with_why),
        CASE(a_role_is_assumed_where_the_region_is),
        CASE(sts_that_is_throttled_is_asked_again_and_not_for_ever),
        CASE(an_agent_whose_certificate_is_wrong_is_the_end),
        CASE(a_process_that_cant_be_run_now_is_tried_again_and_says_why),
        CASE(sso_asks_with_the_login_where_its_region_is),
        CASE(answers_of_sts_are_read_strictly),
        CASE(expiries_are_read_in_all_their_forms),
        CASE(of_a_key_little_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

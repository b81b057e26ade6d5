/* Keys that are had anew come by the way that the old ones came, or not at all; and what else providers must put up
 * with: long tokens, impatient settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "credentials_fixture.h"

/* Takes the keys that came, and begins a fetch that keeps to their way. */
static void begin_again(struct fixture *f, enum s3_step expected) {
    struct s3_way way = f->fetch.found.way;
    assert_true(way.provider > 0);
    enum s3_step step = s3_fetch_begin(&f->fetch, &way, NOW_MS);
    if (step != expected) fail_msg("%d: %s", (int)step, f->fetch.reason);
}

#define STATIC_KEYS "aws_access_key_id = AKIA1\naws_secret_access_key = s\n"
#define ROLE        "role_arn = arn:aws:iam::1:role/r\nsource_profile = base\n[profile base]\n" STATIC_KEYS

static void keys_are_had_anew_by_the_way_that_they_came(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *before, *answer; /* NULL: nobody is asked */
        const char *after;
        enum s3_step step;
        const char *says;
    } cases[] = {
        {"[default]\n" STATIC_KEYS, NULL, "", S3_STEP_PASSING, "nobody else's"},
        {"[default]\n" STATIC_KEYS, NULL, "[default]\nregion = r\n", S3_STEP_PASSING, "nobody else's"},
        {"[default]\n" STATIC_KEYS, NULL, "[default]\naws_access_key_id = AKIA2\naws_secret_access_key = t\n",
         S3_STEP_FOUND, ""},
        {"[default]\n" ROLE, STS_KEYS, "[default]\n" STATIC_KEYS, S3_STEP_PASSING, "another identity"},
        {"[default]\n" ROLE, STS_KEYS, "", S3_STEP_PASSING, "nobody else's"},
        {"[default]\n" ROLE, STS_KEYS, "[default]\n" ROLE, S3_STEP_ASK, ""},
        {"[default]\ncredential_process = x\n", "{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\"}",
         "[default]\n" STATIC_KEYS, S3_STEP_PASSING, "another identity"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        configure(f, cases[i].before);
        begin(f, cases[i].answer == NULL ? S3_STEP_FOUND : S3_STEP_ASK);
        if (cases[i].answer != NULL) answer(f, cases[i].answer[0] == '<' ? 200 : 0, cases[i].answer, S3_STEP_FOUND);
        configure(f, cases[i].after);
        begin_again(f, cases[i].step);
        assert_reason(f, cases[i].says);
    }
    /* A role of the same profile, and another one. */
    configure(f, "[default]\n" ROLE);
    begin(f, S3_STEP_ASK);
    answer(f, 200, STS_KEYS, S3_STEP_FOUND);
    configure(f,
              "[default]\nrole_arn = arn:aws:iam::1:role/other\nsource_profile = base\n[profile base]\n" STATIC_KEYS);
    begin_again(f, S3_STEP_ASK);
    answer(f, 200, STS_KEYS, S3_STEP_PASSING);
    assert_reason(f, "another identity");
}

static void who_gave_keys_is_asked_though_others_have_some_now(void **state) {
    struct fixture *f = *state;
    begin(f, S3_STEP_ASK);
    answer(f, 200, "TOKEN", S3_STEP_ASK);
    answer(f, 200, "a-role", S3_STEP_ASK);
    answer(f, 200, KEYS, S3_STEP_FOUND);
    assert_true(f->fetch.found.outlasting);
    configure(f, "[default]\n" STATIC_KEYS);
    begin_again(f, S3_STEP_ASK);
    assert_asks(f, "PUT", "http://169.254.169.254/latest/api/token");
}

static void metadata_are_asked_as_long_and_as_often_as_is_told(void **state) {
    struct fixture *f = *state;
    configure(f, "[default]\nmetadata_service_timeout = 7\nmetadata_service_num_attempts = 1\n");
    begin(f, S3_STEP_ASK);
    assert_int_equal(f->fetch.errand.timeout_ms, 7000);
    answer(f, 500, "", S3_STEP_PASSING);
    set(f, "AWS_METADATA_SERVICE_TIMEOUT", "3");
    set(f, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "3");
    begin(f, S3_STEP_ASK);
    assert_int_equal(f->fetch.errand.timeout_ms, 3000);
    answer(f, 500, "", S3_STEP_ASK);
    answer(f, 500, "", S3_STEP_ASK);
    answer(f, 500, "", S3_STEP_PASSING);
    static const char *const wrong[] = {"0", "1.5", "-1", "61", "99999999999", "x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        free(f->environment[f->count - 2]);
        assert_true(asprintf(&f->environment[f->count - 2], "AWS_METADATA_SERVICE_TIMEOUT=%s", wrong[i]) > 0);
        begin(f, S3_STEP_FAILED);
        assert_reason(f, "AWS_METADATA_SERVICE_TIMEOUT");
    }
}

/* From every provider that may give one so long. */
static void session_tokens_may_have_sixteen_kibibytes(void **state) {
    struct fixture *f = *state;
    char *token = calloc(1, S3_TOKEN_SIZE), *text = NULL;
    assert_non_null(token);
    memset(token, 't', S3_TOKEN_SIZE - 1);
    assert_true(asprintf(&text, "[default]\n" STATIC_KEYS "aws_session_token = %s\n", token) > 0);
    configure(f, text);
    free(text);
    begin(f, S3_STEP_FOUND);
    assert_string_equal(f->fetch.found.session_token, token);
    configure(f, "[default]\ncredential_process = x\n");
    begin(f, S3_STEP_ASK);
    assert_true(asprintf(&text,
                         "{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"%s\"}",
                         token) > 0);
    answer(f, 0, text, S3_STEP_FOUND);
    free(text);
    assert_string_equal(f->fetch.found.session_token, token);
    configure(f, "[default]\n" ROLE);
    begin(f, S3_STEP_ASK);
    assert_true(asprintf(&text,
                         "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId>"
                         "<SecretAccessKey>s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>"
                         "2026-11-23T23:01:41Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
                         token) > 0);
    answer(f, 200, text, S3_STEP_FOUND);
    free(text);
    assert_string_equal(f->fetch.found.session_token, token);
    configure(f, "");
    set(f, "AWS_ACCESS_KEY_ID", "AKIA1");
    set(f, "AWS_SECRET_ACCESS_KEY", "s");
    set(f, "AWS_SESSION_TOKEN", token);
    begin(f, S3_STEP_FOUND);
    assert_string_equal(f->fetch.found.session_token, token);
    free(token);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(keys_are_had_anew_by_the_way_that_they_came),
        CASE(who_gave_keys_is_asked_though_others_have_some_now),
        CASE(metadata_are_asked_as_long_and_as_often_as_is_told),
        CASE(session_tokens_may_have_sixteen_kibibytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

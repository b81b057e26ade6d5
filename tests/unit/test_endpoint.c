/* Where a bucket's requests go, and what a signed one carries. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "s3/bucket_kind.h"
#include "s3/endpoint.h"
#include "s3/redirect.h"
#include "s3/request.h"

struct place {
    const char *url, *bucket, *region;
    enum s3_addressing addressing;
    const char *expected; /* scheme://host + path of the key "a b/c"; NULL: refused */
    struct s3_variant variant;
};

#define DUAL_STACK                                                                                                     \
    { .dual_stack = true }
#define FIPS                                                                                                           \
    { .fips = true }
#define BOTH                                                                                                           \
    { .dual_stack = true, .fips = true }

static const struct place places[] = {
    {"", "bucket", "eu-west-1", S3_ADDRESSING_AUTO, "https://bucket.s3.eu-west-1.amazonaws.com/a%20b/c"},
    {"", "bucket", "cn-north-1", S3_ADDRESSING_AUTO, "https://bucket.s3.cn-north-1.amazonaws.com.cn/a%20b/c"},
    {"", "dotted.bucket", "eu-west-1", S3_ADDRESSING_AUTO, "https://s3.eu-west-1.amazonaws.com/dotted.bucket/a%20b/c"},
    {"", "OldStyle_Bucket", "us-east-1", S3_ADDRESSING_AUTO,
     "https://s3.us-east-1.amazonaws.com/OldStyle_Bucket/a%20b/c"},
    {"", "bucket", "eu-west-1", S3_ADDRESSING_PATH, "https://s3.eu-west-1.amazonaws.com/bucket/a%20b/c"},
    {"", "dotted.bucket", "eu-west-1", S3_ADDRESSING_VIRTUAL,
     "https://dotted.bucket.s3.eu-west-1.amazonaws.com/a%20b/c"},
    {"http://127.0.0.1:7480", "bucket", "r", S3_ADDRESSING_AUTO, "http://127.0.0.1:7480/bucket/a%20b/c"},
    {"http://[::1]:7480/", "bucket", "r", S3_ADDRESSING_AUTO, "http://[::1]:7480/bucket/a%20b/c"},
    {"https://store.example:443/", "bucket", "r", S3_ADDRESSING_AUTO, "https://store.example/bucket/a%20b/c"},
    {"http://store.example:443", "bucket", "r", S3_ADDRESSING_AUTO, "http://store.example:443/bucket/a%20b/c"},
    {"HTTPS://store.example", "bucket", "r", S3_ADDRESSING_VIRTUAL, "https://bucket.store.example/a%20b/c"},
    {"https://store.example/gate/way/", "bucket", "r", S3_ADDRESSING_AUTO,
     "https://store.example/gate/way/bucket/a%20b/c"},
    {"https://store.example/gate", "bucket", "r", S3_ADDRESSING_VIRTUAL, "https://bucket.store.example/gate/a%20b/c"},
    {"http://127.0.0.1:7480", "bucket", "r", S3_ADDRESSING_VIRTUAL, NULL},
    {"http://[::1]", "bucket", "r", S3_ADDRESSING_VIRTUAL, NULL},
    {"127.0.0.1:7480", "bucket", "r", S3_ADDRESSING_AUTO, NULL},
    {"file:///etc/passwd", "bucket", "r", S3_ADDRESSING_AUTO, NULL},
    {"http://user@store.example", "bucket", "r", S3_ADDRESSING_AUTO, NULL},
    {"http://store.example", "bucket", "r", S3_ADDRESSING_AUTO, "http://store.example/bucket/a%20b/c", BOTH},
    {"", "bucket", "eu-west-1", S3_ADDRESSING_AUTO, "https://bucket.s3.dualstack.eu-west-1.amazonaws.com/a%20b/c",
     DUAL_STACK},
    {"", "bucket", "us-east-1", S3_ADDRESSING_AUTO, "https://bucket.s3-fips.us-east-1.amazonaws.com/a%20b/c", FIPS},
    {"", "dotted.bucket", "us-gov-west-1", S3_ADDRESSING_AUTO,
     "https://s3-fips.dualstack.us-gov-west-1.amazonaws.com/dotted.bucket/a%20b/c", BOTH},
    {"", "bucket", "cn-north-1", S3_ADDRESSING_AUTO, "https://bucket.s3.dualstack.cn-north-1.amazonaws.com.cn/a%20b/c",
     DUAL_STACK},
    {"", "bucket", "cn-north-1", S3_ADDRESSING_AUTO, NULL, FIPS},
    {"", "bucket", "us-iso-east-1", S3_ADDRESSING_AUTO, "https://bucket.s3.us-iso-east-1.c2s.ic.gov/a%20b/c"},
    {"", "bucket", "us-isob-east-1", S3_ADDRESSING_AUTO, "https://bucket.s3.us-isob-east-1.sc2s.sgov.gov/a%20b/c"},
    {"", "bucket", "eusc-de-east-1", S3_ADDRESSING_AUTO, "https://bucket.s3.eusc-de-east-1.amazonaws.eu/a%20b/c"},
};

static void a_bucket_is_addressed_by_name_or_by_path(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const struct place *place = &places[i];
        struct s3_config config = {.addressing = place->addressing, .variant = place->variant};
        struct s3_endpoint endpoint;
        char reason[TEXT_REASON_SIZE] = "", whole[1024];
        struct buffer path;
        strcpy(config.endpoint_url, place->url);
        strcpy(config.bucket, place->bucket);
        int rc = s3_endpoint_resolve(&endpoint, &config, place->region, reason);
        if (place->expected == NULL) {
            assert_int_equal(rc, -EINVAL);
            assert_true(reason[0] != '\0');
            continue;
        }
        assert_int_equal(rc, 0);
        buffer_init(&path, 512);
        assert_int_equal(s3_endpoint_append_path(&endpoint, &path, "a b/c"), 0);
        (void)text_format(whole, sizeof whole, "%s://%s%s", endpoint.scheme, endpoint.host, path.data);
        assert_string_equal(whole, place->expected);
        buffer_deinit(&path);
    }
}

static const struct {
    const char *service, *url, *region;
    struct s3_variant variant;
    const char *expected; /* scheme://host + base path */
} services[] = {
    {"sts", "", "eu-west-1", {0}, "https://sts.eu-west-1.amazonaws.com"},
    {"sts", "", "", {0}, "https://sts.amazonaws.com"},
    {"sts", "", "eu-west-1", DUAL_STACK, "https://sts.eu-west-1.api.aws"},
    {"sts", "", "us-east-1", FIPS, "https://sts-fips.us-east-1.amazonaws.com"},
    {"sts", "", "us-gov-west-1", FIPS, "https://sts.us-gov-west-1.amazonaws.com"},
    {"sts", "", "us-gov-west-1", BOTH, "https://sts-fips.us-gov-west-1.api.aws"},
    {"sts", "", "cn-north-1", DUAL_STACK, "https://sts.cn-north-1.api.amazonwebservices.com.cn"},
    {"portal.sso", "", "eu-west-1", {0}, "https://portal.sso.eu-west-1.amazonaws.com"},
    {"sts", "http://127.0.0.1:5000/x/", "eu-west-1", FIPS, "http://127.0.0.1:5000/x"},
    {"sts", "ftp://x", "eu-west-1", {0}, NULL},
};

static void other_services_have_names_by_the_same_rules(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        struct s3_endpoint endpoint;
        char reason[TEXT_REASON_SIZE] = "", whole[1200];
        int rc = s3_endpoint_of_service(&endpoint, services[i].service, services[i].url, services[i].region,
                                        services[i].variant, reason);
        assert_int_equal(rc, services[i].expected != NULL ? 0 : -EINVAL);
        (void)text_format(whole, sizeof whole, "%s://%s%s", endpoint.scheme, endpoint.host, endpoint.base_path);
        if (rc == 0) assert_string_equal(whole, services[i].expected);
    }
}

static void what_only_looks_like_a_bucket_is_told_by_name(void **state) {
    (void)state;
    static const char *const others[][2] = {
        {"arn:aws:s3:us-west-2:123456789012:accesspoint/mine", "ARN of an access point"},
        {"arn:aws:s3::123456789012:accesspoint/abc.mrap", "multi-region access point"},
        {"arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/mine", "Outposts"},
        {"arn:aws:s3express:us-west-2:123456789012:bucket/b--usw2-az1--x-s3", "S3 Express"},
        {"arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/mine", "Object Lambda"},
        {"arn:aws:s3:::bucket", "name alone"},
        {"bucket--usw2-az1--x-s3", "S3 Express"},
        {"point-abc--op-s3", "Outposts"},
        {"abc.mrap", "multi-region"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const char *words = s3_bucket_other_kind(others[i][0]);
        if (words == NULL || strstr(words, others[i][1]) == NULL) fail_msg("%s: %s", others[i][0], words);
    }
    static const char *const plain[] = {"bucket", "x-s3", "--x-s3", "b--x-s3-b", "point-abc-s3alias", ""};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) assert_null(s3_bucket_other_kind(plain[i]));
}

static void the_bucket_itself_has_a_path_too(void **state) {
    (void)state;
    struct s3_endpoint by_path = {.base_path = "/bucket"}, by_name = {.base_path = ""};
    struct buffer path;
    buffer_init(&path, 64);
    assert_int_equal(s3_endpoint_append_path(&by_path, &path, ""), 0);
    assert_string_equal(path.data, "/bucket");
    buffer_clear(&path);
    assert_int_equal(s3_endpoint_append_path(&by_name, &path, ""), 0);
    assert_string_equal(path.data, "/");
    buffer_deinit(&path);
}

static const char *find_header(const struct s3_request *request, const char *name) {
    size_t length = strlen(name);
    for (const struct curl_slist *line = request->headers; line != NULL; line = line->next) {
        if (strncmp(line->data, name, length) == 0 && line->data[length] == ':') return line->data + length + 1;
    }
    return NULL;
}

static void a_listing_is_signed_as_the_guide_shows(void **state) {
    (void)state;
    /* "Get Bucket (List Objects)" in the S3 API reference's signature examples; values only. */
    struct s3_endpoint endpoint = {.scheme = "https", .host = "examplebucket.s3.amazonaws.com"};
    struct s3_credentials credentials = {.access_key = "AKIAIOSFODNN7EXAMPLE",
                                         .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
    struct s3_signing signing = {
        .endpoint = &endpoint, .credentials = &credentials, .region = "us-east-1", .now_ms = INT64_C(1369353600000)};
    struct s3_call call = {.action = S3_LIST, .key = "", .query = "max-keys=2&prefix=J"};
    struct s3_request request;
    assert_int_equal(s3_request_init(&request, &call, &signing), 0);
    assert_string_equal(request.url.data, "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J");
    const char *authorization = find_header(&request, "authorization");
    assert_non_null(authorization);
    assert_non_null(
        strstr(authorization, "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
    assert_string_equal(find_header(&request, "host"), " examplebucket.s3.amazonaws.com");
    s3_request_deinit(&request);
    s3_request_deinit(&request);
}

static void a_key_as_long_as_they_get_can_be_asked_for(void **state) {
    (void)state;
    char key[S3_KEY_SIZE], token[S3_TOKEN_SIZE];
    memset(key, '%', sizeof key - 1);
    memset(token, 't', sizeof token - 1);
    key[sizeof key - 1] = token[sizeof token - 1] = '\0';
    struct s3_endpoint endpoint = {.scheme = "https", .host = "h"};
    struct s3_credentials credentials = {.access_key = "A", .secret_key = "s"};
    strcpy(credentials.session_token, token);
    struct s3_signing signing = {.endpoint = &endpoint, .credentials = &credentials, .region = "r", .now_ms = 0};
    struct s3_call call = {.action = S3_CREATE, .key = key, .query = "", .body = "free\n", .body_length = 5};
    struct s3_request request;
    assert_int_equal(s3_request_init(&request, &call, &signing), 0);
    assert_int_equal(strlen(find_header(&request, "x-amz-security-token")), sizeof token);
    assert_string_equal(find_header(&request, "if-none-match"), " *");
    s3_request_deinit(&request);
}

static void header(struct s3_response *response, const char *line) {
    s3_response_take_header(response, line, strlen(line));
}

static void of_an_answers_headers_what_matters_is_kept(void **state) {
    (void)state;
    struct s3_response response;
    s3_response_init(&response);
    s3_response_reset(&response, 100);
    header(&response, "HTTP/1.1 100 Continue\r\n");
    header(&response, "ETag: \"early\"\r\n");
    header(&response, "HTTP/1.1 200 OK\r\n");
    assert_false(response.has_etag);
    header(&response, "DATE:  Mon, 23 Nov 2026 22:29:11 GMT \r\n");
    header(&response, "Date: Mon, 23 Nov 2026 22:29:10 GMT\r\n"); /* a proxy's and the store's: the earlier counts */
    header(&response, "Date: tomorrow\r\n");
    header(&response, "etag: \"x\"\r\n");
    header(&response, "X-Amz-Bucket-Region: evil.example/\r\n");
    header(&response, "X-Amz-Bucket-Region: eu-west-1\r\n");
    header(&response, "x-amz-request-id: 4\x7f"
                      "F\r\n");
    header(&response, "no colon\r\n");
    header(&response, "\r\n");
    assert_int_equal(response.date_ms, INT64_C(1795472950000));
    assert_true(response.has_etag);
    assert_string_equal(response.region, "eu-west-1");
    assert_string_equal(response.request_id, "4?F");
    s3_response_deinit(&response);
}

static void only_an_answer_about_regions_leads_to_another(void **state) {
    (void)state;
    struct s3_response response = {.status = 301, .region = "eu-west-1"};
    assert_true(s3_redirect_is_to_region(&response, "us-east-1"));
    assert_false(s3_redirect_is_to_region(&response, "eu-west-1"));
    response.status = 200;
    assert_false(s3_redirect_is_to_region(&response, "us-east-1"));
    response.status = 400;
    assert_false(s3_redirect_is_to_region(&response, "us-east-1"));
    response.has_error = true;
    strcpy(response.error.code, "AuthorizationHeaderMalformed");
    assert_true(s3_redirect_is_to_region(&response, "us-east-1"));
    response.status = 403; /* AWS tells the region with every answer */
    strcpy(response.error.code, "AccessDenied");
    assert_false(s3_redirect_is_to_region(&response, "us-east-1"));
    response.status = 307;
    response.region[0] = '\0';
    assert_false(s3_redirect_is_to_region(&response, "us-east-1"));
}

static void only_an_answer_about_keys_leads_to_others(void **state) {
    (void)state;
    static const struct {
        int status;
        const char *code;
        bool expired, others;
    } answers[] = {{400, "ExpiredToken", true, true},        {403, "ExpiredToken", true, true},
                   {400, "InvalidToken", true, true},        {400, "TokenRefreshRequired", true, true},
                   {403, "InvalidAccessKeyId", false, true}, {403, "SignatureDoesNotMatch", false, false},
                   {403, "AccessDenied", false, false},      {200, "ExpiredToken", false, false}};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct s3_response response = {.status = answers[i].status, .has_error = true};
        strcpy(response.error.code, answers[i].code);
        assert_int_equal(s3_redirect_is_expiry(&response), answers[i].expired);
        assert_int_equal(s3_redirect_is_to_keys(&response), answers[i].others);
    }
}

static void encryption_is_asked_for_where_something_is_written_and_signed(void **state) {
    (void)state;
    struct s3_endpoint endpoint = {.scheme = "https", .host = "h"};
    struct s3_credentials credentials = {.access_key = "A", .secret_key = "s", .session_token = "t"};
    struct s3_signing signing = {.endpoint = &endpoint,
                                 .credentials = &credentials,
                                 .region = "r",
                                 .sse = "aws:kms",
                                 .sse_kms_key_id = "alias/k",
                                 .now_ms = INT64_C(1369353600000)};
    for (int action = S3_LIST; action <= S3_DELETE; action++) {
        struct s3_call call = {.action = (enum s3_action)action, .key = action == S3_LIST ? "" : "k", .query = ""};
        struct s3_request request;
        assert_int_equal(s3_request_init(&request, &call, &signing), 0);
        const char *how = find_header(&request, "x-amz-server-side-encryption");
        const char *key = find_header(&request, "x-amz-server-side-encryption-aws-kms-key-id");
        assert_int_equal(how != NULL && key != NULL, action == S3_CREATE);
        if (action == S3_CREATE) {
            assert_string_equal(how, " aws:kms");
            assert_string_equal(key, " alias/k");
            assert_non_null(strstr(find_header(&request, "authorization"),
                                   ";x-amz-server-side-encryption;x-amz-server-side-encryption-aws-kms-key-id,"));
        }
        s3_request_deinit(&request);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_is_addressed_by_name_or_by_path),
        cmocka_unit_test(other_services_have_names_by_the_same_rules),
        cmocka_unit_test(what_only_looks_like_a_bucket_is_told_by_name),
        cmocka_unit_test(the_bucket_itself_has_a_path_too),
        cmocka_unit_test(a_listing_is_signed_as_the_guide_shows),
        cmocka_unit_test(a_key_as_long_as_they_get_can_be_asked_for),
        cmocka_unit_test(of_an_answers_headers_what_matters_is_kept),
        cmocka_unit_test(only_an_answer_about_regions_leads_to_another),
        cmocka_unit_test(only_an_answer_about_keys_leads_to_others),
        cmocka_unit_test(encryption_is_asked_for_where_something_is_written_and_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

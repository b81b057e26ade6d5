/* Endpoints and keys: an address that is accepted makes requests that go to it and nowhere else.
 *
 * An input is lines: URL, bucket, region, key; the URL's may be empty (AWS). The first byte chooses the addressing and
 * AWS's kind of name. */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "s3/bucket_kind.h"
#include "s3/endpoint.h"
#include "s3/request.h"
#include "s3/response.h"
#include "s3/uri.h"

#define TEXT_MAX 4096

static void check_encoding(const char *text) {
    struct buffer out;
    buffer_init(&out, 3 * TEXT_MAX + 1);
    char *again = malloc(TEXT_MAX + 1);
    CHECK(again != NULL, "there is memory");
    CHECK(s3_uri_append(&out, text, false) == 0, "a text can be encoded");
    CHECK(s3_uri_decode(again, TEXT_MAX + 1, out.data != NULL ? out.data : "", true) == 0, "and decoded again");
    CHECK(strcmp(text, again) == 0, "and is the same then");
    (void)s3_uri_decode(again, TEXT_MAX + 1, text, true);
    (void)s3_uri_decode(again, 8, text, false);
    free(again);
    buffer_deinit(&out);
}

static void check_kind(const char *bucket) {
    const char *other = s3_bucket_other_kind(bucket);
    CHECK(strncmp(bucket, "arn:", 4) != 0 || other != NULL, "an ARN is no bucket's name");
    CHECK(other == NULL || fuzz_is_printable(other), "what it is is said in words");
}

/* The part of url that libcurl would go by. For curl_free(). */
static char *part_of(CURLU *url, CURLUPart part, unsigned flags) {
    char *text = NULL;
    CHECK(curl_url_get(url, part, &text, flags) == CURLUE_OK, "a request's URL has each part");
    return text;
}

static void check_url(const struct s3_endpoint *endpoint, const char *text) {
    CURLU *url = curl_url();
    CHECK(url != NULL, "there is memory");
    CHECK(curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == CURLUE_OK, "a request's URL is one");
    char *scheme = part_of(url, CURLUPART_SCHEME, 0), *host = part_of(url, CURLUPART_HOST, 0);
    size_t length = strlen(host);
    CHECK(strcmp(scheme, endpoint->scheme) == 0, "a request goes by the endpoint's scheme");
    CHECK(strncasecmp(endpoint->host, host, length) == 0, "a request goes to the endpoint's host");
    CHECK(endpoint->host[length] == '\0' || endpoint->host[length] == ':', "and to nothing that begins like it");
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
}

static void check_request(const struct s3_endpoint *endpoint, const char *region, const char *key) {
    static const struct s3_credentials credentials = {.access_key = "AKIDEXAMPLE", .secret_key = "secret"};
    struct s3_signing signing = {
        .endpoint = endpoint, .credentials = &credentials, .region = region, .now_ms = INT64_C(1795471301000)};
    for (int action = S3_LIST; action <= S3_DELETE; action++) {
        bool list = action == S3_LIST;
        struct s3_call call = {.action = (enum s3_action)action,
                               .key = list ? "" : key,
                               .query = list ? "list-type=2" : "",
                               .body = "free\n",
                               .body_length = action == S3_CREATE ? 5 : 0};
        struct s3_request request;
        if (s3_request_init(&request, &call, &signing) == 0) check_url(endpoint, request.url.data);
        s3_request_deinit(&request);
    }
}

static void check_endpoint(const struct s3_endpoint *e, const char *key) {
    struct buffer path;
    CHECK(strcmp(e->scheme, "http") == 0 || strcmp(e->scheme, "https") == 0, "the scheme is HTTP's");
    CHECK(e->host[0] != '\0' && strpbrk(e->host, "/@?# \r\n") == NULL, "the host is one and nothing else");
    CHECK(e->base_path[0] == '\0' || e->base_path[0] == '/', "a path begins with a slash");
    CHECK(strpbrk(e->base_path, "?# \r\n") == NULL, "a path is one and nothing else");
    buffer_init(&path, 4 * TEXT_MAX);
    CHECK(s3_endpoint_append_path(e, &path, key) == 0, "a key's path can be written");
    CHECK(path.data[0] == '/', "a path begins with a slash");
    buffer_deinit(&path);
}

static void resolve(const struct s3_config *config, const char *key) {
    char reason[TEXT_REASON_SIZE] = "";
    struct s3_endpoint endpoint;
    int rc = s3_endpoint_resolve(&endpoint, config, config->region, reason);
    CHECK((rc != 0) == (reason[0] != '\0') && fuzz_is_printable(reason), "trouble has one printable line of reason");
    if (rc != 0) return;
    check_endpoint(&endpoint, key);
    check_request(&endpoint, config->region, key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > TEXT_MAX) return 0;
    struct fuzz_input input = {data, size};
    uint8_t first = fuzz_byte(&input);
    struct s3_config config = {.addressing = (enum s3_addressing)(first % 3),
                               .variant = {.dual_stack = first / 64 % 2 == 1, .fips = first / 128 == 1}};
    char *url = fuzz_text(&input, '\n'), *bucket = fuzz_text(&input, '\n'), *region = fuzz_text(&input, '\n');
    char *key = fuzz_text(&input, '\n');
    check_encoding(url);
    check_encoding(key);
    check_kind(bucket);
    /* What s3_config_load() has let through. */
    size_t plain = strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
    bool good = plain > 0 && bucket[plain] == '\0' && bucket[0] != '.' && s3_region_is_valid(region) &&
                text_copy(config.endpoint_url, sizeof config.endpoint_url, url) == 0 &&
                text_copy(config.bucket, sizeof config.bucket, bucket) == 0 &&
                text_copy(config.region, sizeof config.region, region) == 0;
    if (good) resolve(&config, key);
    free(url);
    free(bucket);
    free(region);
    free(key);
    return 0;
}

/* Signed requests; see request.h. */
#include "s3/request.h"

#include <errno.h>
#include <mbedtls/base64.h>
#include <string.h>

#include "base/text.h"
#include "s3/dates.h"
#include "s3/headers.h"
#include "s3/sigv4.h"

#define URL_MAX       (16 * 1024UL)
#define HEADERS_MAX   10
#define CHECKSUM_SIZE 48 /* 32 bytes in base64 have 44 characters */

/* The values of one request's headers. */
struct headers {
    char hash[SIGV4_HEX_SIZE];
    char checksum[CHECKSUM_SIZE];
    struct sigv4_scope scope;
    struct sigv4_header list[HEADERS_MAX];
    size_t count;
};

const char *s3_action_method(enum s3_action action) {
    switch (action) {
    case S3_LIST:
    case S3_READ:
        return "GET";
    case S3_CREATE:
        return "PUT";
    case S3_DELETE:
        return "DELETE";
    }
    return "";
}

static int hash_body(struct headers *headers, const struct s3_call *call) {
    uint8_t hash[SIGV4_HASH_SIZE];
    size_t length;
    int rc = sigv4_hash(hash, call->body_length > 0 ? call->body : "", call->body_length);
    if (rc != 0) return rc;
    text_to_hex(headers->hash, hash, sizeof hash);
    return mbedtls_base64_encode((unsigned char *)headers->checksum, sizeof headers->checksum, &length, hash,
                                 sizeof hash) == 0
               ? 0
               : -ENOTSUP;
}

static void add(struct headers *headers, const char *name, const char *value) {
    headers->list[headers->count++] = (struct sigv4_header){.name = name, .value = value};
}

static int collect(struct headers *headers, const struct s3_call *call, const struct s3_signing *signing) {
    *headers = (struct headers){.scope = {.region = signing->region, .service = "s3"}};
    int rc = hash_body(headers, call);
    if (rc == 0) rc = s3_date_format_signing(headers->scope.date, signing->now_ms);
    if (rc != 0) return rc;
    /* Sorted by name, as the signature wants them. */
    if (call->action == S3_CREATE) add(headers, "content-type", "text/plain");
    add(headers, "host", signing->endpoint->host);
    if (call->action == S3_CREATE) {
        add(headers, "if-none-match", "*");
        add(headers, "x-amz-checksum-sha256", headers->checksum);
    }
    add(headers, "x-amz-content-sha256", headers->hash);
    add(headers, "x-amz-date", headers->scope.date);
    const char *token = signing->credentials->session_token;
    if (token[0] != '\0') add(headers, "x-amz-security-token", token);
    if (call->action == S3_CREATE && signing->sse != NULL && signing->sse[0] != '\0') {
        add(headers, "x-amz-server-side-encryption", signing->sse);
        const char *key = signing->sse_kms_key_id;
        if (key != NULL && key[0] != '\0') add(headers, "x-amz-server-side-encryption-aws-kms-key-id", key);
    }
    return 0;
}

static int write_lines(struct s3_request *request, const struct headers *headers, const char *authorization) {
    int rc = s3_headers_add(&request->headers, "authorization", authorization);
    for (size_t i = 0; i < headers->count && rc == 0; i++) {
        rc = s3_headers_add(&request->headers, headers->list[i].name, headers->list[i].value);
    }
    if (rc == 0) rc = s3_headers_add(&request->headers, "expect", "");
    if (rc == 0) rc = s3_headers_add(&request->headers, "accept", "");
    return rc;
}

static int sign(struct s3_request *request, const struct s3_call *call, const struct s3_signing *signing,
                const char *path) {
    struct headers headers;
    struct buffer authorization;
    buffer_init(&authorization, SIGV4_AUTHORIZATION_MAX);
    int rc = collect(&headers, call, signing);
    if (rc == 0) {
        struct sigv4_request canonical = {.method = s3_action_method(call->action),
                                          .path = path,
                                          .query = call->query,
                                          .headers = headers.list,
                                          .header_count = headers.count,
                                          .payload_hash = headers.hash};
        rc = sigv4_authorization(&authorization, &canonical, &headers.scope, signing->credentials->access_key,
                                 signing->credentials->secret_key);
    }
    if (rc == 0) rc = write_lines(request, &headers, authorization.data);
    buffer_deinit(&authorization);
    return rc;
}

int s3_request_init(struct s3_request *request, const struct s3_call *call, const struct s3_signing *signing) {
    *request = (struct s3_request){0};
    buffer_init(&request->url, URL_MAX);
    int rc = buffer_append_text(&request->url, signing->endpoint->scheme);
    if (rc == 0) rc = buffer_append_text(&request->url, "://");
    if (rc == 0) rc = buffer_append_text(&request->url, signing->endpoint->host);
    size_t path_at = request->url.length;
    if (rc == 0) rc = s3_endpoint_append_path(signing->endpoint, &request->url, call->key);
    if (rc == 0) rc = sign(request, call, signing, request->url.data + path_at);
    if (rc == 0 && call->query[0] != '\0') {
        rc = buffer_append_text(&request->url, "?");
        if (rc == 0) rc = buffer_append_text(&request->url, call->query);
    }
    if (rc != 0) s3_request_deinit(request);
    return rc;
}

void s3_request_deinit(struct s3_request *request) {
    s3_headers_free(&request->headers);
    buffer_deinit(&request->url);
}

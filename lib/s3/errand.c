/* Errands and replies; see errand.h. */
#include "s3/errand.h"

#include "s3/headers.h"

void s3_errand_init(struct s3_errand *errand) {
    *errand = (struct s3_errand){.kind = S3_ERRAND_NONE};
    buffer_init(&errand->url, S3_ERRAND_URL_MAX);
    buffer_init(&errand->body, S3_ERRAND_BODY_MAX);
}

void s3_errand_deinit(struct s3_errand *errand) {
    s3_headers_free(&errand->headers);
    buffer_deinit(&errand->url);
    buffer_deinit(&errand->body);
    errand->kind = S3_ERRAND_NONE;
    errand->direct = false;
}

int s3_errand_http(struct s3_errand *errand, const char *method, const char *url, int64_t timeout_ms) {
    s3_errand_deinit(errand);
    errand->kind = S3_ERRAND_HTTP;
    errand->method = method;
    errand->timeout_ms = timeout_ms;
    return buffer_append_text(&errand->url, url);
}

void s3_reply_init(struct s3_reply *reply) {
    *reply = (struct s3_reply){.status = 0};
    buffer_init(&reply->body, S3_ERRAND_REPLY_MAX);
}

void s3_reply_deinit(struct s3_reply *reply) {
    buffer_deinit(&reply->body);
    s3_reply_init(reply);
}

/* One request to a bucket, signed: what is asked becomes a URL and headers. Knows nothing of connections or answers. */
#ifndef S3_REQUEST_H
#define S3_REQUEST_H

#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "s3/config.h"
#include "s3/endpoint.h"

enum s3_action {
    S3_LIST,   /* GET on the bucket with a query */
    S3_READ,   /* GET on a key */
    S3_CREATE, /* PUT on a key, refused where it exists (If-None-Match: *) */
    S3_DELETE, /* DELETE on a key */
};

/* What is asked. */
struct s3_call {
    enum s3_action action;
    const char *key;   /* "" for S3_LIST */
    const char *query; /* percent-encoded and sorted, or "" */
    const char *body;  /* S3_CREATE */
    size_t body_length;
};

/* How it is signed. */
struct s3_signing {
    const struct s3_endpoint *endpoint;
    const struct s3_credentials *credentials;
    const char *region;
    const char *sse; /* of what S3_CREATE writes; NULL or "": the bucket's default */
    const char *sse_kms_key_id;
    int64_t now_ms; /* the store's wall clock, as far as we know it */
};

/* The outcome, owned by the caller. */
struct s3_request {
    struct buffer url;
    struct curl_slist *headers; /* for CURLOPT_HTTPHEADER; may hold the session token */
};

/* "GET", "PUT", "DELETE". */
const char *s3_action_method(enum s3_action action);

/* Fills request. Everything that is sent is signed: the body's hash, the condition, the checksum (which buckets under
 * Object Lock demand). Returns 0 or -errno
 * (-ENOMEM, -EMSGSIZE, -ENOTSUP, -EINVAL); on error request is as after s3_request_deinit(). */
int s3_request_init(struct s3_request *request, const struct s3_call *call, const struct s3_signing *signing);

/* Wipes and frees. May be called again. */
void s3_request_deinit(struct s3_request *request);

#endif

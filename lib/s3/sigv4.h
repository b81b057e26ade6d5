/* AWS Signature Version 4: canonical request, string to sign, signature, each a step that a test can look at.
 *
 * Source of the rules: "Signature Calculations for the Authorization Header" in Amazon's S3 API reference. The path is
 * encoded once, as S3 wants it (other services encode it twice). Pure: it reads no clock and knows no HTTP library,
 * bucket or endpoint. */
#ifndef S3_SIGV4_H
#define S3_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define SIGV4_HASH_SIZE         32
#define SIGV4_HEX_SIZE          65
#define SIGV4_DATE_SIZE         17 /* "20130524T000000Z" */
#define SIGV4_TO_SIGN_SIZE      256
#define SIGV4_AUTHORIZATION_MAX 2048 /* a limit for the buffer that sigv4_authorization() appends to */

/* A header as it is sent and signed: its name in lower case, its value without outer or doubled spaces. */
struct sigv4_header {
    const char *name;
    const char *value;
};

struct sigv4_request {
    const char *method;
    const char *path;  /* percent-encoded, from '/' on */
    const char *query; /* percent-encoded, sorted by name, every name with its '='; "" where there is none */
    const struct sigv4_header *headers; /* all that is signed, "host" included, sorted by name, none twice */
    size_t header_count;
    const char *payload_hash; /* hex SHA-256 of the body */
};

struct sigv4_scope {
    char date[SIGV4_DATE_SIZE]; /* "20130524T000000Z"; its first eight characters are the day */
    const char *region;
    const char *service;
};

/* SHA-256 of length bytes, as bytes or as lower-case hex. Return 0, or -ENOTSUP where the crypto library lacks it. */
int sigv4_hash(uint8_t out[SIGV4_HASH_SIZE], const void *bytes, size_t length);
int sigv4_hash_hex(char out[SIGV4_HEX_SIZE], const void *bytes, size_t length);

/* Appends the canonical request. Returns 0, -EINVAL where headers aren't sorted, or buffer_append's error. */
int sigv4_canonical_request(struct buffer *out, const struct sigv4_request *request);

/* Writes the string to sign for a canonical request. Returns 0, -ENOSPC for names too long, or -ENOTSUP. */
int sigv4_string_to_sign(char out[SIGV4_TO_SIGN_SIZE], const struct sigv4_scope *scope, const char *canonical_request);

/* Derives the day's signing key for scope. Returns 0, -ENOSPC for a secret too long, or -ENOTSUP. The caller wipes it.
 */
int sigv4_signing_key(uint8_t key[SIGV4_HASH_SIZE], const char *secret_key, const struct sigv4_scope *scope);

/* Writes the signature in hex. Returns 0, or -ENOTSUP. */
int sigv4_signature(char out[SIGV4_HEX_SIZE], const uint8_t key[SIGV4_HASH_SIZE], const char *string_to_sign);

/* All steps: appends the value of the Authorization header. Returns 0, or one of the steps' errors. Leaves no secret
 * behind. */
int sigv4_authorization(struct buffer *out, const struct sigv4_request *request, const struct sigv4_scope *scope,
                        const char *access_key, const char *secret_key);

#endif

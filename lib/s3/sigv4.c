/* Signature Version 4; see sigv4.h. */
#include "s3/sigv4.h"

#include <errno.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#include "base/text.h"

#define ALGORITHM       "AWS4-HMAC-SHA256"
#define DAY_LENGTH      8
#define SECRET_MAX_SIZE 512
#define CANONICAL_MAX   (64 * 1024UL)

int sigv4_hash(uint8_t out[SIGV4_HASH_SIZE], const void *bytes, size_t length) {
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    if (sha256 == NULL) return -ENOTSUP;
    return mbedtls_md(sha256, bytes, length, out) == 0 ? 0 : -ENOTSUP;
}

int sigv4_hash_hex(char out[SIGV4_HEX_SIZE], const void *bytes, size_t length) {
    uint8_t hash[SIGV4_HASH_SIZE];
    int rc = sigv4_hash(hash, bytes, length);
    if (rc == 0) text_to_hex(out, hash, sizeof hash);
    return rc;
}

static int hmac(uint8_t out[SIGV4_HASH_SIZE], const void *key, size_t key_length, const char *text, size_t length) {
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    if (sha256 == NULL) return -ENOTSUP;
    return mbedtls_md_hmac(sha256, key, key_length, (const unsigned char *)text, length, out) == 0 ? 0 : -ENOTSUP;
}

static int append_headers(struct buffer *out, const struct sigv4_request *request) {
    int rc = 0;
    for (size_t i = 0; i < request->header_count && rc == 0; i++) {
        const struct sigv4_header *header = &request->headers[i];
        if (i > 0 && strcmp(request->headers[i - 1].name, header->name) >= 0) return -EINVAL;
        rc = buffer_append_text(out, header->name);
        if (rc == 0) rc = buffer_append_text(out, ":");
        if (rc == 0) rc = buffer_append_text(out, header->value);
        if (rc == 0) rc = buffer_append_text(out, "\n");
    }
    return rc;
}

static int append_signed_names(struct buffer *out, const struct sigv4_request *request) {
    int rc = 0;
    for (size_t i = 0; i < request->header_count && rc == 0; i++) {
        if (i > 0) rc = buffer_append_text(out, ";");
        if (rc == 0) rc = buffer_append_text(out, request->headers[i].name);
    }
    return rc;
}

int sigv4_canonical_request(struct buffer *out, const struct sigv4_request *request) {
    const char *const lines[] = {request->method, "\n", request->path, "\n", request->query, "\n"};
    int rc = 0;
    for (size_t i = 0; i < sizeof lines / sizeof *lines && rc == 0; i++) rc = buffer_append_text(out, lines[i]);
    if (rc == 0) rc = append_headers(out, request);
    if (rc == 0) rc = buffer_append_text(out, "\n");
    if (rc == 0) rc = append_signed_names(out, request);
    if (rc == 0) rc = buffer_append_text(out, "\n");
    if (rc == 0) rc = buffer_append_text(out, request->payload_hash);
    return rc;
}

int sigv4_string_to_sign(char out[SIGV4_TO_SIGN_SIZE], const struct sigv4_scope *scope, const char *canonical_request) {
    char hash[SIGV4_HEX_SIZE];
    int rc = sigv4_hash_hex(hash, canonical_request, strlen(canonical_request));
    if (rc != 0) return rc;
    return text_format(out, SIGV4_TO_SIGN_SIZE, ALGORITHM "\n%s\n%.*s/%s/%s/aws4_request\n%s", scope->date, DAY_LENGTH,
                       scope->date, scope->region, scope->service, hash);
}

int sigv4_signing_key(uint8_t key[SIGV4_HASH_SIZE], const char *secret_key, const struct sigv4_scope *scope) {
    char secret[SECRET_MAX_SIZE];
    int rc = text_format(secret, sizeof secret, "AWS4%s", secret_key);
    if (rc == 0) rc = hmac(key, secret, strlen(secret), scope->date, DAY_LENGTH);
    if (rc == 0) rc = hmac(key, key, SIGV4_HASH_SIZE, scope->region, strlen(scope->region));
    if (rc == 0) rc = hmac(key, key, SIGV4_HASH_SIZE, scope->service, strlen(scope->service));
    if (rc == 0) rc = hmac(key, key, SIGV4_HASH_SIZE, "aws4_request", strlen("aws4_request"));
    mbedtls_platform_zeroize(secret, sizeof secret);
    return rc;
}

int sigv4_signature(char out[SIGV4_HEX_SIZE], const uint8_t key[SIGV4_HASH_SIZE], const char *string_to_sign) {
    uint8_t mac[SIGV4_HASH_SIZE];
    int rc = hmac(mac, key, SIGV4_HASH_SIZE, string_to_sign, strlen(string_to_sign));
    if (rc == 0) text_to_hex(out, mac, sizeof mac);
    return rc;
}

static int sign(char signature[SIGV4_HEX_SIZE], const struct sigv4_request *request, const struct sigv4_scope *scope,
                const char *secret_key) {
    struct buffer canonical;
    char to_sign[SIGV4_TO_SIGN_SIZE];
    uint8_t key[SIGV4_HASH_SIZE] = {0};
    buffer_init(&canonical, CANONICAL_MAX);
    int rc = sigv4_canonical_request(&canonical, request);
    if (rc == 0) rc = sigv4_string_to_sign(to_sign, scope, canonical.data);
    if (rc == 0) rc = sigv4_signing_key(key, secret_key, scope);
    if (rc == 0) rc = sigv4_signature(signature, key, to_sign);
    mbedtls_platform_zeroize(key, sizeof key);
    /* The canonical request holds the session token. */
    if (canonical.data != NULL) mbedtls_platform_zeroize(canonical.data, canonical.capacity);
    buffer_deinit(&canonical);
    return rc;
}

int sigv4_authorization(struct buffer *out, const struct sigv4_request *request, const struct sigv4_scope *scope,
                        const char *access_key, const char *secret_key) {
    char signature[SIGV4_HEX_SIZE], credential[SIGV4_AUTHORIZATION_MAX];
    int rc = sign(signature, request, scope, secret_key);
    if (rc != 0) return rc;
    rc = text_format(credential, sizeof credential,
                     ALGORITHM " Credential=%s/%.*s/%s/%s/aws4_request,SignedHeaders=", access_key, DAY_LENGTH,
                     scope->date, scope->region, scope->service);
    if (rc == 0) rc = buffer_append_text(out, credential);
    if (rc == 0) rc = append_signed_names(out, request);
    if (rc == 0) rc = buffer_append_text(out, ",Signature=");
    if (rc == 0) rc = buffer_append_text(out, signature);
    return rc;
}

/* STS; see sts.h. */
#include "s3/sts.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "s3/dates.h"
#include "s3/endpoint.h"
#include "s3/headers.h"
#include "s3/sigv4.h"
#include "s3/uri.h"
#include "s3/xml.h"

#define CONTENT_TYPE  "application/x-www-form-urlencoded; charset=utf-8"
#define GLOBAL_REGION "us-east-1" /* that of the name without a region */

/* --- what is asked --- */

static int append_body(struct s3_errand *errand, const char *action, const struct s3_role *role, const char *token,
                       int64_t now_ms) {
    char session[sizeof role->session_name];
    struct s3_parameter list[8];
    size_t count = 0;
    (void)text_format(session, sizeof session, "leaderexec-%lld", (long long)now_ms / MS_PER_S);
    list[count++] = (struct s3_parameter){"Action", action};
    if (role->duration[0] != '\0') list[count++] = (struct s3_parameter){"DurationSeconds", role->duration};
    if (role->external_id[0] != '\0') list[count++] = (struct s3_parameter){"ExternalId", role->external_id};
    list[count++] = (struct s3_parameter){"RoleArn", role->arn};
    list[count++] =
        (struct s3_parameter){"RoleSessionName", role->session_name[0] != '\0' ? role->session_name : session};
    list[count++] = (struct s3_parameter){"Version", "2011-06-15"};
    if (token != NULL) list[count++] = (struct s3_parameter){"WebIdentityToken", token};
    return s3_uri_append_query(&errand->body, list, count);
}

/* Signs the errand as it is, for the host and path of its URL. */
static int sign(struct s3_fetch *fetch, const struct s3_credentials *credentials, const struct s3_endpoint *endpoint) {
    struct s3_errand *errand = &fetch->errand;
    struct sigv4_scope scope = {.region = fetch->sts.region[0] != '\0' ? fetch->sts.region : GLOBAL_REGION,
                                .service = "sts"};
    char hash[SIGV4_HEX_SIZE], path[S3_ENDPOINT_SIZE];
    struct buffer authorization;
    int rc = s3_date_format_signing(scope.date, fetch->now_ms);
    if (rc == 0) rc = sigv4_hash_hex(hash, errand->body.data, errand->body.length);
    if (rc == 0) rc = text_format(path, sizeof path, "%s/", endpoint->base_path);
    if (rc != 0) return rc;
    struct sigv4_header headers[] = {{"content-type", CONTENT_TYPE},
                                     {"host", endpoint->host},
                                     {"x-amz-date", scope.date},
                                     {"x-amz-security-token", credentials->session_token}};
    size_t count = sizeof headers / sizeof *headers - (credentials->session_token[0] == '\0' ? 1 : 0);
    struct sigv4_request request = {
        .method = "POST", .path = path, .query = "", .headers = headers, .header_count = count, .payload_hash = hash};
    buffer_init(&authorization, SIGV4_AUTHORIZATION_MAX);
    rc = sigv4_authorization(&authorization, &request, &scope, credentials->access_key, credentials->secret_key);
    if (rc == 0) rc = s3_headers_add(&errand->headers, "authorization", authorization.data);
    for (size_t i = 2; i < count && rc == 0; i++)
        rc = s3_headers_add(&errand->headers, headers[i].name, headers[i].value);
    buffer_deinit(&authorization);
    return rc;
}

/* credentials NULL: unsigned. */
static int describe(struct s3_fetch *fetch, const char *action, const struct s3_role *role, const char *token,
                    const struct s3_credentials *credentials) {
    struct s3_endpoint endpoint;
    char url[S3_ERRAND_URL_MAX];
    int rc = s3_endpoint_of_service(&endpoint, "sts", fetch->sts.url, fetch->sts.region, fetch->config->variant,
                                    fetch->reason);
    if (rc == 0) rc = text_format(url, sizeof url, "%s://%s%s/", endpoint.scheme, endpoint.host, endpoint.base_path);
    if (rc == 0) rc = s3_errand_http(&fetch->errand, "POST", url, S3_STS_TRY_MS);
    if (rc == 0) rc = append_body(&fetch->errand, action, role, token, fetch->now_ms);
    if (rc == 0) rc = s3_headers_add(&fetch->errand.headers, "content-type", CONTENT_TYPE);
    if (rc == 0 && credentials != NULL) rc = sign(fetch, credentials, &endpoint);
    if (rc == 0) rc = s3_headers_add(&fetch->errand.headers, "expect", "");
    if (rc != 0 && fetch->reason[0] == '\0')
        (void)text_format(fetch->reason, sizeof fetch->reason, "no credentials: STS can't be asked: %s", strerror(-rc));
    return rc;
}

int s3_sts_assume_role(struct s3_fetch *fetch, const struct s3_role *role, const struct s3_credentials *credentials) {
    return describe(fetch, "AssumeRole", role, NULL, credentials);
}

int s3_sts_assume_role_with_token(struct s3_fetch *fetch, const struct s3_role *role, const char *token) {
    return describe(fetch, "AssumeRoleWithWebIdentity", role, token, NULL);
}

/* --- what is answered --- */

struct reading {
    struct s3_credentials *credentials;
    struct s3_sts_error *error;
    bool too_long;
    bool bad_time;
};

static bool ends_with(const char *path, const char *end) {
    size_t length = strlen(path), end_length = strlen(end);
    return length >= end_length && strcmp(path + length - end_length, end) == 0;
}

static void take(struct reading *reading, char *out, size_t size, const char *text) {
    if (text_copy(out, size, text) != 0) reading->too_long = true;
}

static int on_element(void *context, const char *path, const char *text) {
    struct reading *reading = context;
    struct s3_credentials *c = reading->credentials;
    if (ends_with(path, "Result/Credentials/AccessKeyId")) take(reading, c->access_key, sizeof c->access_key, text);
    if (ends_with(path, "Result/Credentials/SecretAccessKey")) take(reading, c->secret_key, sizeof c->secret_key, text);
    if (ends_with(path, "Result/Credentials/SessionToken"))
        take(reading, c->session_token, sizeof c->session_token, text);
    if (ends_with(path, "Result/Credentials/Expiration"))
        reading->bad_time = s3_date_parse_expiry(text, &c->expiry_ms) != 0;
    if (strcmp(path, "ErrorResponse/Error/Code") == 0)
        text_copy_printable(reading->error->code, sizeof reading->error->code, text);
    if (strcmp(path, "ErrorResponse/Error/Message") == 0)
        text_copy_printable(reading->error->message, sizeof reading->error->message, text);
    return 0;
}

int s3_sts_parse(struct s3_credentials *credentials, struct s3_sts_error *error, const char *bytes, size_t length) {
    struct reading reading = {.credentials = credentials, .error = error};
    *credentials = (struct s3_credentials){0};
    *error = (struct s3_sts_error){0};
    int rc = xml_parse(bytes, length, on_element, &reading);
    if (rc == 0 && error->code[0] != '\0') {
        rc = -EACCES;
    } else if (rc == 0 && (reading.too_long || reading.bad_time || credentials->access_key[0] == '\0' ||
                           credentials->secret_key[0] == '\0' || credentials->session_token[0] == '\0')) {
        rc = -EPROTO;
    }
    if (rc != 0) mbedtls_platform_zeroize(credentials, sizeof *credentials);
    return rc;
}

static bool is_passing(const struct s3_reply *reply, const struct s3_sts_error *error) {
    static const char *const codes[] = {"Throttling", "ThrottlingException", "RequestLimitExceeded",
                                        "IDPCommunicationError"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(error->code, codes[i]) == 0) return true;
    }
    return reply->status >= 500 || reply->status == 429;
}

enum s3_step s3_sts_take(struct s3_fetch *fetch, const struct s3_reply *reply, const char *what) {
    struct s3_sts_error error = {.code = ""};
    const char *host = fetch->sts.url[0] != '\0' ? fetch->sts.url : "AWS STS";
    if (reply->failed && reply->certificate) {
        return s3_fetch_fail(fetch, S3_STEP_FAILED,
                             "no credentials: %.100s: the certificate of %.100s can't be verified: "
                             "%.120s",
                             what, host, reply->trouble);
    }
    if (reply->failed) {
        if (++fetch->tries < S3_STS_TRIES) return S3_STEP_ASK;
        return s3_fetch_fail(fetch, S3_STEP_PASSING, "no credentials: %.150s: %.100s can't be asked: %.160s", what,
                             host, reply->trouble);
    }
    int rc = s3_sts_parse(&fetch->found, &error, reply->body.data != NULL ? reply->body.data : "", reply->body.length);
    if (rc == 0 && reply->status == 200) return S3_STEP_FOUND;
    bool passing = is_passing(reply, &error);
    if (passing && ++fetch->tries < S3_STS_TRIES) return S3_STEP_ASK;
    if (rc == -EACCES) {
        return s3_fetch_fail(fetch, passing ? S3_STEP_PASSING : S3_STEP_FAILED,
                             "no credentials: %.150s is refused by %.100s (%d %s): %.180s", what, host, reply->status,
                             error.code, error.message);
    }
    return s3_fetch_fail(fetch, passing ? S3_STEP_PASSING : S3_STEP_FAILED,
                         "no credentials: %.150s: %.100s answered %d, and not as STS does%s", what, host, reply->status,
                         reply->status / 100 == 3 ? "; redirects aren't followed" : "");
}

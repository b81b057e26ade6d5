/* Keys from IAM Identity Center (SSO) for somebody who has logged in by "aws sso login": the token that it left in
 * ~/.aws/sso/cache is exchanged for the keys of the profile's role. Logging in is the AWS CLI's business, renewing the
 * login too. */
#include <errno.h>
#include <mbedtls/md.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "s3/credentials.h"
#include "s3/dates.h"
#include "s3/endpoint.h"
#include "s3/file.h"
#include "s3/headers.h"
#include "s3/json.h"
#include "s3/path.h"
#include "s3/uri.h"

#define TRY_MS         5000
#define TRIES          3
#define CACHE_FILE_MAX (64 * 1024UL)
#define TOKEN_SIZE     (16 * 1024UL)
#define SHA1_SIZE      20

static enum s3_step fail(struct s3_fetch *fetch, enum s3_step step, const char *what) {
    return s3_fetch_fail(fetch, step, "no credentials: profile \"%.64s\" signs in by SSO, and %.340s",
                         fetch->profile.name, what);
}

static enum s3_step not_logged_in(struct s3_fetch *fetch, const char *why) {
    char what[200];
    bool named = strcmp(fetch->profile.name, "default") != 0;
    (void)text_format(what, sizeof what, "%.80s: run aws sso login%s%.64s", why, named ? " --profile " : "",
                      named ? fetch->profile.name : "");
    return fail(fetch, S3_STEP_FAILED, what);
}

/* --- the login --- */

/* ~/.aws/sso/cache/ and the SHA-1 of the session's name, or of the start URL where there is no session. */
static bool find_cache_file(const struct s3_fetch *fetch, char path[S3_PATH_SIZE]) {
    const struct s3_sso *sso = &fetch->profile.sso;
    char home[S3_PATH_SIZE];
    int rc = s3_path_home(home, fetch->config->sources.environment);
    const char *name = sso->session[0] != '\0' ? sso->session : sso->start_url;
    const mbedtls_md_info_t *sha1 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA1);
    uint8_t hash[SHA1_SIZE];
    char hex[2 * SHA1_SIZE + 1];
    if (rc != 0 || home[0] == '\0' || sha1 == NULL || mbedtls_md(sha1, (const uint8_t *)name, strlen(name), hash) != 0)
        return false;
    text_to_hex(hex, hash, sizeof hash);
    return text_format(path, S3_PATH_SIZE, "%s/.aws/sso/cache/%s.json", home, hex) == 0;
}

/* Reads the token. Returns NULL, or why there is none that could be used. */
static const char *read_token(struct s3_fetch *fetch, char token[TOKEN_SIZE]) {
    char path[S3_PATH_SIZE], expiry[48];
    int64_t expiry_ms = 0;
    struct buffer file;
    if (!find_cache_file(fetch, path)) return "there is no home to look for the login in";
    buffer_init(&file, CACHE_FILE_MAX);
    int rc = s3_file_read(path, &file);
    struct cJSON *json = rc == 0 && file.length > 0 ? s3_json_parse(file.data, file.length) : NULL;
    bool whole = json != NULL && s3_json_text(json, "accessToken", token, TOKEN_SIZE) &&
                 s3_json_text(json, "expiresAt", expiry, sizeof expiry) &&
                 s3_date_parse_expiry(expiry, &expiry_ms) == 0;
    s3_json_free(json);
    buffer_deinit(&file);
    if (rc == -ENOENT || rc == -ENOTDIR) return "nobody has logged in yet";
    if (rc != 0) return "the file of the login can't be read";
    if (!whole) return "the file of the login is broken";
    return expiry_ms <= fetch->now_ms ? "the login has expired" : NULL;
}

/* --- what is asked --- */

static int describe(struct s3_fetch *fetch, const char *token) {
    const struct s3_sso *sso = &fetch->profile.sso;
    const struct s3_parameter list[] = {{"account_id", sso->account}, {"role_name", sso->role}};
    struct s3_endpoint endpoint;
    char url[S3_ERRAND_URL_MAX];
    int rc = s3_endpoint_of_service(&endpoint, "portal.sso", fetch->sso.url, sso->region, fetch->config->variant,
                                    fetch->reason);
    if (rc == 0) {
        rc = text_format(url, sizeof url, "%s://%s%s/federation/credentials?", endpoint.scheme, endpoint.host,
                         endpoint.base_path);
    }
    if (rc == 0) rc = s3_errand_http(&fetch->errand, "GET", url, TRY_MS);
    if (rc == 0) rc = s3_uri_append_query(&fetch->errand.url, list, sizeof list / sizeof *list);
    if (rc == 0) rc = s3_headers_add(&fetch->errand.headers, "x-amz-sso_bearer_token", token);
    return rc == 0 ? s3_headers_add(&fetch->errand.headers, "accept", "application/json") : rc;
}

/* What the profile lacks, or NULL. */
static const char *missing(const struct s3_sso *sso) {
    if (sso->session[0] != '\0' && !sso->session_found) return "the config file has no section for its sso_session";
    if (sso->account[0] == '\0') return "sso_account_id is missing";
    if (sso->role[0] == '\0') return "sso_role_name is missing";
    if (sso->region[0] == '\0') return "sso_region is missing";
    return sso->start_url[0] == '\0' ? "sso_start_url is missing" : NULL;
}

static enum s3_step begin(struct s3_fetch *fetch) {
    const char *wrong = missing(&fetch->profile.sso);
    if (wrong != NULL) return fail(fetch, S3_STEP_FAILED, wrong);
    char *token = calloc(1, TOKEN_SIZE);
    if (token == NULL) return fail(fetch, S3_STEP_PASSING, "memory ran out");
    wrong = read_token(fetch, token);
    int rc = wrong == NULL ? describe(fetch, token) : 0;
    explicit_bzero(token, TOKEN_SIZE);
    free(token);
    if (wrong != NULL) return not_logged_in(fetch, wrong);
    return rc == 0 ? S3_STEP_ASK
                   : fail(fetch, S3_STEP_FAILED, "its endpoint can't be asked: correct AWS_ENDPOINT_URL_SSO");
}

/* --- what is answered --- */

static enum s3_step take(struct s3_fetch *fetch, const struct s3_reply *reply) {
    static const struct s3_json_names names = {"accessKeyId", "secretAccessKey", "sessionToken", "expiration"};
    char what[160];
    struct cJSON *json = s3_json_parse(reply->body.data != NULL ? reply->body.data : "", reply->body.length);
    const struct cJSON *keys = json != NULL ? s3_json_object(json, "roleCredentials") : NULL;
    const char *wrong = keys == NULL ? "it holds no keys" : s3_json_credentials(&fetch->found, keys, &names);
    s3_json_free(json);
    (void)text_format(what, sizeof what, "the answer can't be used: %s", wrong != NULL ? wrong : "");
    if (wrong != NULL) return fail(fetch, S3_STEP_FAILED, what);
    (void)text_format(what, sizeof what, "profile \"%.64s\" by SSO, role %.64s", fetch->profile.name,
                      fetch->profile.sso.role);
    text_copy_printable(fetch->found.origin, sizeof fetch->found.origin, what);
    return S3_STEP_FOUND;
}

static enum s3_step answered(struct s3_fetch *fetch, const struct s3_reply *reply) {
    char what[TEXT_REASON_SIZE], message[160] = "";
    if (!reply->failed && reply->status == 200) return take(fetch, reply);
    bool passing = reply->failed ? !reply->certificate : reply->status >= 500 || reply->status == 429;
    if (passing && ++fetch->tries < TRIES) return begin(fetch);
    if (reply->failed) {
        (void)text_format(what, sizeof what, "it can't be asked: %s", reply->trouble);
        return fail(fetch, passing ? S3_STEP_PASSING : S3_STEP_FAILED, what);
    }
    if (reply->status == 401) return not_logged_in(fetch, "the login isn't valid any more");
    struct cJSON *json = s3_json_parse(reply->body.data != NULL ? reply->body.data : "", reply->body.length);
    if (json != NULL) (void)s3_json_text(json, "message", message, sizeof message);
    s3_json_free(json);
    (void)text_format(what, sizeof what, "it answered %d%s%s", reply->status, message[0] != '\0' ? ": " : "", message);
    return fail(fetch, passing ? S3_STEP_PASSING : S3_STEP_FAILED, what);
}

const struct s3_provider s3_provider_sso = {.name = "SSO", .begin = begin, .answered = answered};

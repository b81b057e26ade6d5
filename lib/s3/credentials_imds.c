/* Keys of the instance's role, and the instance's region, from EC2's metadata service (IMDSv2).
 *
 * Version 1, which needs no token, is only tried where the service says that it has no other (403, 404, 405), and not
 * where that is forbidden. Two tries of one second each, unless told otherwise: off EC2 nobody answers, and a start
 * mustn't hang. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "s3/credentials.h"
#include "s3/headers.h"
#include "s3/json.h"
#include "s3/response.h"

#define IPV4_ENDPOINT "http://169.254.169.254"
#define IPV6_ENDPOINT "http://[fd00:ec2::254]"
#define ROLE_PATH     "/latest/meta-data/iam/security-credentials/"
#define TRY_S         1
#define TRY_MOST_S    60
#define TRIES         2
#define TRIES_MOST    100
#define TOKEN_TTL     "21600"

enum stage { STAGE_TOKEN, STAGE_ROLE, STAGE_KEYS };

/* --- what is asked --- */

static const char *endpoint(const struct s3_fetch *fetch) {
    const char *url = s3_fetch_variable(fetch, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = s3_fetch_variable(fetch, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (url != NULL) return url;
    if (fetch->imds.endpoint[0] != '\0') return fetch->imds.endpoint;
    return strcasecmp(mode != NULL ? mode : fetch->imds.mode, "ipv6") == 0 ? IPV6_ENDPOINT : IPV4_ENDPOINT;
}

static bool wants_region(const struct s3_fetch *fetch) { return fetch->provider == &s3_provider_region; }

static int describe(struct s3_fetch *fetch) {
    struct s3_errand *errand = &fetch->errand;
    const char *base = endpoint(fetch);
    const char *path = fetch->stage == STAGE_TOKEN ? "/latest/api/token"
                       : wants_region(fetch)       ? "/latest/meta-data/placement/region"
                                                   : ROLE_PATH;
    int length = (int)strlen(base);
    while (length > 0 && base[length - 1] == '/') length--;
    char url[S3_ENDPOINT_SIZE + 512];
    int rc = text_format(url, sizeof url, "%.*s%s%s", length, base, path,
                         fetch->stage == STAGE_KEYS ? fetch->imds.role : "");
    if (rc == 0) rc = s3_errand_http(errand, fetch->stage == STAGE_TOKEN ? "PUT" : "GET", url, fetch->imds.try_ms);
    errand->direct = true;
    if (rc != 0) return rc;
    if (fetch->stage == STAGE_TOKEN) {
        rc = s3_headers_add(&errand->headers, "x-aws-ec2-metadata-token-ttl-seconds", TOKEN_TTL);
        /* libcurl takes a PUT with a body for a form. */
        return rc == 0 ? s3_headers_add(&errand->headers, "content-type", "") : rc;
    }
    if (fetch->imds.token[0] == '\0') return 0;
    return s3_headers_add(&errand->headers, "x-aws-ec2-metadata-token", fetch->imds.token);
}

static enum s3_step ask(struct s3_fetch *fetch) {
    if (describe(fetch) == 0) return S3_STEP_ASK;
    return s3_fetch_fail(fetch, S3_STEP_FAILED, "the instance metadata's address \"%.100s\" is too long",
                         endpoint(fetch));
}

static enum s3_step ask_next(struct s3_fetch *fetch, enum stage stage) {
    fetch->stage = (int)stage;
    fetch->tries = 0;
    return ask(fetch);
}

/* A number from 1 to most, that the variable or else the profile gives; else usual. Returns whether it is one. */
static bool read_number(const struct s3_fetch *fetch, const char *variable, const char *of_profile, int usual, int most,
                        int *out) {
    const char *text = s3_fetch_variable(fetch, variable);
    if (text == NULL) text = of_profile;
    *out = text[0] == '\0' ? usual : 0;
    for (const char *p = text; *p >= '0' && *p <= '9' && *out <= most; p++) *out = *out * 10 + (*p - '0');
    return *out >= 1 && *out <= most && strspn(text, "0123456789") == strlen(text);
}

static bool read_patience(struct s3_fetch *fetch) {
    struct s3_imds *imds = &fetch->imds;
    bool sound =
        read_number(fetch, "AWS_METADATA_SERVICE_TIMEOUT", imds->timeout, TRY_S, TRY_MOST_S, &imds->try_ms) &&
        read_number(fetch, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", imds->attempts, TRIES, TRIES_MOST, &imds->most_tries);
    imds->try_ms *= 1000;
    return sound;
}

static enum s3_step begin(struct s3_fetch *fetch) {
    const char *disabled = s3_fetch_variable(fetch, "AWS_EC2_METADATA_DISABLED");
    if (disabled != NULL && strcasecmp(disabled, "true") == 0)
        return s3_fetch_pass(fetch, "switched off by AWS_EC2_METADATA_DISABLED");
    if (!read_patience(fetch)) {
        return s3_fetch_fail(fetch, S3_STEP_FAILED,
                             "AWS_METADATA_SERVICE_TIMEOUT isn't a number of seconds from 1 to %d, or "
                             "AWS_METADATA_SERVICE_NUM_ATTEMPTS none of tries from 1 to %d, there or in the profile",
                             TRY_MOST_S, TRIES_MOST);
    }
    fetch->imds.token[0] = fetch->imds.role[0] = '\0';
    return ask_next(fetch, STAGE_TOKEN);
}

/* --- what is answered --- */

/* Copies the answer's first line. Returns whether it is one word that fits. */
static bool take_word(char *out, size_t size, const struct s3_reply *reply) {
    const char *text = reply->body.data != NULL ? reply->body.data : "";
    size_t length = strcspn(text, "\r\n");
    if (reply->too_large || length == 0 || length >= size) return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= 0x20 || text[i] > 0x7e) return false;
    }
    return text_format(out, size, "%.*s", (int)length, text) == 0;
}

static enum s3_step lied(struct s3_fetch *fetch, const char *what) {
    return s3_fetch_fail(fetch, S3_STEP_FAILED,
                         "%s: the instance metadata at %.160s gave an answer that can't be used: %s",
                         wants_region(fetch) ? "no region" : "no credentials", endpoint(fetch), what);
}

static enum s3_step take_keys(struct s3_fetch *fetch, const struct s3_reply *reply) {
    static const struct s3_json_names names = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"};
    char code[64] = "Success", wrong_code[128];
    struct cJSON *json = s3_json_parse(reply->body.data != NULL ? reply->body.data : "", reply->body.length);
    const char *wrong = "it isn't JSON";
    if (json != NULL && s3_json_text(json, "Code", code, sizeof code) && strcmp(code, "Success") != 0) {
        (void)text_format(wrong_code, sizeof wrong_code, "its code is %s", code);
        wrong = wrong_code;
    } else if (json != NULL) {
        wrong = s3_json_credentials(&fetch->found, json, &names);
    }
    s3_json_free(json);
    if (wrong != NULL) return lied(fetch, reply->too_large ? "it is too long" : wrong);
    fetch->found.outlasting = true;
    (void)text_format(fetch->found.origin, sizeof fetch->found.origin, "the instance's role %.100s", fetch->imds.role);
    return S3_STEP_FOUND;
}

static enum s3_step take(struct s3_fetch *fetch, const struct s3_reply *reply) {
    switch ((enum stage)fetch->stage) {
    case STAGE_TOKEN:
        if (!take_word(fetch->imds.token, sizeof fetch->imds.token, reply)) return lied(fetch, "its token is none");
        return ask_next(fetch, STAGE_ROLE);
    case STAGE_ROLE:
        if (wants_region(fetch)) {
            bool is_region = take_word(fetch->region, sizeof fetch->region, reply) && s3_region_is_valid(fetch->region);
            return is_region ? S3_STEP_FOUND : lied(fetch, "its region is none");
        }
        if (!take_word(fetch->imds.role, sizeof fetch->imds.role, reply)) return lied(fetch, "its role's name is none");
        return ask_next(fetch, STAGE_KEYS);
    case STAGE_KEYS:
        return take_keys(fetch, reply);
    }
    return S3_STEP_FAILED;
}

/* No token to be had: version 1, where that is right. */
static enum s3_step without_token(struct s3_fetch *fetch, int status) {
    if (s3_profile_flag(fetch->config->sources.environment, "AWS_EC2_METADATA_V1_DISABLED", fetch->imds.v1_disabled)) {
        return s3_fetch_fail(fetch, S3_STEP_FAILED,
                             "no credentials: the instance metadata at %.200s gives no token (%d), and "
                             "AWS_EC2_METADATA_V1_DISABLED forbids to ask without one",
                             endpoint(fetch), status);
    }
    return ask_next(fetch, STAGE_ROLE);
}

static enum s3_step answered(struct s3_fetch *fetch, const struct s3_reply *reply) {
    int status = reply->status;
    bool again = reply->failed || status >= 500 || status == 429;
    if (again && ++fetch->tries < fetch->imds.most_tries) return ask(fetch);
    if (reply->failed && reply->timed_out) {
        return s3_fetch_pass(fetch, "no answer from %.120s within %d tries of %d s; not on EC2?", endpoint(fetch),
                             fetch->imds.most_tries, fetch->imds.try_ms / 1000);
    }
    if (reply->failed) return s3_fetch_pass(fetch, "%.150s; not on EC2?", reply->trouble);
    if (status == 200) return take(fetch, reply);
    if (fetch->stage == STAGE_TOKEN && (status == 403 || status == 404 || status == 405))
        return without_token(fetch, status);
    if (fetch->stage == STAGE_ROLE && status == 404)
        return s3_fetch_pass(fetch, "%s", wants_region(fetch) ? "no region there" : "the instance has no role");
    return s3_fetch_fail(fetch, again ? S3_STEP_PASSING : S3_STEP_FAILED,
                         "%s: the instance metadata at %.200s answered %d%s",
                         wants_region(fetch) ? "no region" : "no credentials", endpoint(fetch), status,
                         status / 100 == 3 ? "; redirects aren't followed" : "");
}

const struct s3_provider s3_provider_imds = {.name = "instance metadata", .begin = begin, .answered = answered};
const struct s3_provider s3_provider_region = {.name = "instance metadata", .begin = begin, .answered = answered};

/* Verdicts; see verdict.h. */
#include "s3/verdict.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"
#include "s3/certificate.h"
#include "s3/genuine.h"
#include "s3/redirect.h"

#define KEY_SHOWN  120
#define HOST_SHOWN 120
#define NOT_S3     "this isn't how S3 answers"

/* Error codes that mean the same whatever the request was. */
struct rule {
    const char *code;
    enum s3_verdict verdict;
    const char *advice;
};

static const struct rule rules[] = {
    {"NoSuchBucket", S3_REFUSED, "there is no such bucket: create it, or correct --bucket, --region or --endpoint-url"},
    {"InvalidBucketName", S3_REFUSED, "no bucket can have this name: correct --bucket"},
    {"InvalidAccessKeyId", S3_REFUSED, "the store doesn't know the access key: check AWS_ACCESS_KEY_ID or --profile"},
    {"SignatureDoesNotMatch", S3_REFUSED,
     "the secret key isn't the access key's, or something on the way changes requests: check AWS_SECRET_ACCESS_KEY or "
     "--profile"},
    {"ExpiredToken", S3_REFUSED, "the session token is over: get new credentials"},
    {"InvalidToken", S3_REFUSED, "the session token isn't valid: check AWS_SESSION_TOKEN"},
    {"TokenRefreshRequired", S3_REFUSED, "the session token is over: get new credentials"},
    {"AuthorizationHeaderMalformed", S3_REFUSED,
     "the bucket is in another region, or the credentials are malformed: correct --region"},
    {"IllegalLocationConstraintException", S3_REFUSED, "the bucket is in another region: correct --region"},
    {"RequestTimeTooSkewed", S3_UNKNOWN,
     "this machine's clock and the store's differ by more than 15 minutes: set the clock"},
    {"NotImplemented", S3_REFUSED, "the store doesn't know what we need (a PUT with If-None-Match): use another"},
};

/* Codes that come and go, where a store sends them with a status that doesn't show it. */
static const char *const passing_codes[] = {
    "RequestTimeout",
    "IncompleteBody",
    "BadDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
    "OperationAborted",
    "InternalError",
    "ServiceUnavailable",
    "ConditionalRequestConflict",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequests",
    "BandwidthLimitExceeded",
};

/* What each action is called, which permission it needs, and what to do without it. */
struct action_words {
    const char *trying;
    const char *permission;
    const char *denied;
};

static const struct action_words words[] = {
    [S3_LIST] = {"list", "s3:ListBucket", "grant it, or a missing slot can't be told from a hidden one"},
    [S3_READ] = {"read", "s3:GetObject",
                 "grant it, and s3:ListBucket, without which a missing slot can't be told from a hidden one"},
    [S3_CREATE] = {"write", "s3:PutObject", "grant it"},
    [S3_DELETE] = {"delete", "s3:DeleteObject", "grant it, or old slots pile up"},
};

static const struct rule *find_rule(const struct s3_response *response) {
    for (size_t i = 0; response->has_error && i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(response->error.code, rules[i].code) == 0) return &rules[i];
    }
    return NULL;
}

/* "(403 AccessDenied, request 4f2a)" */
static void format_answer(char *out, size_t size, const struct s3_response *response) {
    bool has_id = response->request_id[0] != '\0', has_code = response->error.code[0] != '\0';
    (void)text_format(out, size, "(%d%s%.40s%s%.56s)", response->status, has_code ? " " : "", response->error.code,
                      has_id ? ", request " : "", response->request_id);
}

/* "can't read locks/leader/999999999957-42 in bucket "b" at http://host" */
static void format_subject(char *out, size_t size, const struct s3_subject *subject) {
    char key[KEY_SHOWN];
    text_copy_printable(key, sizeof key, subject->key);
    (void)text_format(out, size, "can't %s %s in bucket \"%.64s\" at %s://%.*s", words[subject->action].trying, key,
                      subject->bucket, subject->endpoint->scheme, HOST_SHOWN, subject->endpoint->host);
}

static void explain(char *reason, const struct s3_response *response, const struct s3_subject *subject,
                    const char *advice) {
    char what[400], answer[240];
    format_subject(what, sizeof what, subject);
    format_answer(answer, sizeof answer, response);
    (void)text_format(reason, TEXT_REASON_SIZE, "%s %s: %s", what, answer, advice);
}

static enum s3_verdict judge_trouble(const struct s3_response *response, const struct s3_subject *subject,
                                     char *reason) {
    char what[400];
    format_subject(what, sizeof what, subject);
    CURLcode code = (CURLcode)response->curl_code;
    if (s3_certificate_is_cause(code)) {
        const char *cause = s3_certificate_words(code, response->verify_result, response->trouble);
        (void)text_format(
            reason, TEXT_REASON_SIZE, "%s: %s%s", what,
            cause != NULL ? cause : "its certificate can't be verified: ", cause != NULL ? "" : response->trouble);
        return S3_REFUSED;
    }
    switch (response->curl_code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        (void)text_format(reason, TEXT_REASON_SIZE, "%s: it doesn't speak HTTP (%s): correct --endpoint-url", what,
                          response->trouble);
        return subject->action == S3_LIST ? S3_REFUSED : S3_UNKNOWN;
    case CURLE_SSL_CONNECT_ERROR:
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "%s: no TLS 1.2 or later is spoken there (%s): correct --endpoint-url", what,
                          response->trouble);
        return S3_UNKNOWN;
    case CURLE_OPERATION_TIMEDOUT:
        (void)text_format(reason, TEXT_REASON_SIZE, "%s: no answer in time (%s)", what, response->trouble);
        return S3_UNKNOWN;
    default:
        (void)text_format(reason, TEXT_REASON_SIZE, "%s: %s", what, response->trouble);
        return S3_UNKNOWN;
    }
}

static enum s3_verdict judge_success(const struct s3_response *response, const struct s3_subject *subject,
                                     char *reason) {
    if (subject->action == S3_READ)
        return S3_FINE; /* what is in an object is its writer's business, an <Error> included */
    const char *doubt = response->too_large                                ? "the answer is longer than any should be"
                        : response->has_error                              ? "it says success and holds an error"
                        : !s3_answer_is_genuine(response, subject->action) ? "it says success, but " NOT_S3
                                                                           : NULL;
    if (doubt == NULL) return S3_FINE;
    explain(reason, response, subject, doubt);
    return S3_UNKNOWN;
}

static bool is_passing(const struct s3_response *response) {
    int status = response->status;
    if (status >= 500 || status == 408 || status == 409 || status == 412 || status == 425 || status == 429) return true;
    for (size_t i = 0; response->has_error && i < sizeof passing_codes / sizeof *passing_codes; i++) {
        if (strcmp(response->error.code, passing_codes[i]) == 0) return true;
    }
    return false;
}

/* The store's own words, or ours. */
static const char *message_or(const struct s3_response *response, const char *otherwise) {
    return response->error.message[0] != '\0' ? response->error.message : otherwise;
}

static bool is_denial(const struct s3_response *response) {
    if (response->status != 403) return false;
    return response->has_error ? strcmp(response->error.code, "AccessDenied") == 0 : response->body.length == 0;
}

/* 4xx, 3xx and what isn't HTTP's to say, without a rule for the code. */
static enum s3_verdict judge_refusal(const struct s3_response *response, const struct s3_subject *subject,
                                     char *reason) {
    char answer[240], key[KEY_SHOWN], advice[320];
    if (response->status / 100 == 3) {
        (void)text_format(advice, sizeof advice, "redirected to \"%s\": correct --region or --endpoint-url",
                          response->location);
    } else if (is_denial(response)) {
        format_answer(answer, sizeof answer, response);
        text_copy_printable(key, sizeof key, subject->key);
        (void)text_format(reason, TEXT_REASON_SIZE, "bucket \"%.64s\" denies %s on %s %s: %s", subject->bucket,
                          words[subject->action].permission, key, answer, words[subject->action].denied);
        return S3_REFUSED;
    } else if (response->has_error) {
        (void)text_copy(advice, sizeof advice, message_or(response, "see the store's documentation"));
    } else {
        (void)text_copy(advice, sizeof advice, NOT_S3 ": correct --endpoint-url");
    }
    explain(reason, response, subject, advice);
    return S3_REFUSED;
}

enum s3_verdict s3_judge(const struct s3_response *response, const struct s3_subject *subject, char *reason) {
    int status = response->status;
    reason[0] = '\0';
    if (response->keyless != S3_KEYLESS_NOT) {
        (void)text_copy(reason, TEXT_REASON_SIZE, response->trouble);
        return response->keyless == S3_KEYLESS_REFUSED ? S3_REFUSED : S3_UNKNOWN;
    }
    if (response->curl_code != CURLE_OK) return judge_trouble(response, subject, reason);
    if (status == 200 || (status == 204 && subject->action == S3_DELETE))
        return judge_success(response, subject, reason);
    bool genuine = s3_answer_is_genuine(response, subject->action);
    if (status == 412 && subject->action == S3_CREATE && genuine) return S3_EXISTS;
    bool no_key = response->has_error && strcmp(response->error.code, "NoSuchKey") == 0;
    if (status == 404 && no_key && (subject->action == S3_READ || subject->action == S3_DELETE)) return S3_ABSENT;
    const struct rule *rule = find_rule(response);
    if (subject->keys_fixed && s3_redirect_is_expiry(response)) {
        explain(reason, response, subject,
                "the keys are over, and those of the environment can't be renewed: start again with new ones");
        return S3_REFUSED;
    }
    if (rule != NULL) {
        explain(reason, response, subject, rule->advice);
        return rule->verdict;
    }
    if (status == 501) {
        explain(reason, response, subject,
                "the store doesn't know what we need (a PUT with If-None-Match): use another");
        return S3_REFUSED;
    }
    if (is_passing(response) || status / 100 <= 2 || (status == 404 && no_key)) {
        const char *otherwise = status / 100 == 4 && !genuine ? NOT_S3 : "done or not, nobody can say";
        explain(reason, response, subject, message_or(response, otherwise));
        return S3_UNKNOWN;
    }
    return judge_refusal(response, subject, reason);
}

void s3_judge_strange(const struct s3_response *response, const struct s3_subject *subject, char *reason) {
    explain(reason, response, subject, "what came isn't the object that the bucket lists: " NOT_S3);
}

enum s3_verdict s3_judge_garbled(const struct s3_response *response, const struct s3_subject *subject, char *reason) {
    bool looks_like_s3 = response->body.length > 0 && strstr(response->body.data, "<ListBucketResult") != NULL;
    explain(reason, response, subject,
            looks_like_s3 ? "the listing is broken, cut off or another's" : NOT_S3 ": correct --endpoint-url");
    return looks_like_s3 ? S3_UNKNOWN : S3_REFUSED;
}

/* Keys from the container's agent: ECS tasks (a path on a fixed address) and EKS Pod Identity (a whole URL, with a
 * token from a file that the agent renews).
 *
 * The URL is only asked where nobody else can listen: over https, on this machine, or at the agents' own link-local
 * addresses; and a redirect from there is never followed. */
#include <arpa/inet.h>
#include <curl/urlapi.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "s3/credentials.h"
#include "s3/file.h"
#include "s3/headers.h"
#include "s3/json.h"

#define ECS_AGENT      "http://169.254.170.2"
#define TRY_MS         2000
#define TRIES          3
#define TOKEN_FILE_MAX (20 * 1024UL)

static const char *const agents[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};

static bool is_loopback(const char *host) {
    struct in_addr v4;
    struct in6_addr v6;
    char bare[INET6_ADDRSTRLEN + 2];
    if (strcasecmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    size_t length = strlen(host);
    if (host[0] != '[' || length < 3 || length >= sizeof bare) return false;
    (void)text_format(bare, sizeof bare, "%.*s", (int)length - 2, host + 1);
    return inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_agent(const char *host) {
    for (size_t i = 0; i < sizeof agents / sizeof *agents; i++) {
        if (strcmp(host, agents[i]) == 0) return true;
    }
    return is_loopback(host);
}

/* Whether url may be asked; *direct: past any proxy. */
static bool is_allowed(const char *url, bool *direct) {
    CURLU *parsed = curl_url();
    char *scheme = NULL, *host = NULL;
    bool ok = parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    *direct = ok && is_agent(host);
    ok = ok && (strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && *direct));
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parsed);
    return ok;
}

/* Writes the URL that the variables name. */
static enum s3_step find_url(struct s3_fetch *fetch, char *url, size_t size) {
    const char *relative = s3_fetch_variable(fetch, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = s3_fetch_variable(fetch, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (relative == NULL && full == NULL) return s3_fetch_pass(fetch, "no AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *name =
        relative != NULL ? "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" : "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    int rc = text_format(url, size, "%s%s", relative != NULL ? ECS_AGENT : "", relative != NULL ? relative : full);
    if (rc != 0 || (relative != NULL && relative[0] != '/') || strpbrk(url, " \t\r\n") != NULL)
        return s3_fetch_fail(fetch, S3_STEP_FAILED, "no credentials: %s is no %s: correct it", name,
                             relative != NULL ? "path" : "URL");
    return S3_STEP_FOUND;
}

/* Adds the authorization that the variables name, if any. */
static enum s3_step authorize(struct s3_fetch *fetch) {
    char *token = calloc(1, TOKEN_FILE_MAX);
    const char *path = s3_fetch_variable(fetch, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *value = s3_fetch_variable(fetch, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    int rc = token != NULL ? 0 : -ENOMEM;
    if (rc == 0 && path != NULL) {
        rc = s3_file_read_token(path, token, TOKEN_FILE_MAX);
    } else if (rc == 0 && value != NULL) {
        rc = text_copy(token, TOKEN_FILE_MAX, value) != 0 || strpbrk(value, "\r\n") != NULL ? -EINVAL : 0;
    }
    if (rc == 0 && token[0] != '\0') rc = s3_headers_add(&fetch->errand.headers, "authorization", token);
    if (token != NULL) explicit_bzero(token, TOKEN_FILE_MAX);
    free(token);
    if (rc == 0) return S3_STEP_FOUND;
    return s3_fetch_fail(fetch, S3_STEP_FAILED, "no credentials: the container's token in %.200s can't be used: %s",
                         path != NULL ? path : "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                         rc == -EINVAL ? "it is empty, or holds a line's end" : strerror(-rc));
}

static enum s3_step begin(struct s3_fetch *fetch) {
    char url[S3_ERRAND_URL_MAX];
    bool direct;
    enum s3_step step = find_url(fetch, url, sizeof url);
    if (step != S3_STEP_FOUND) return step;
    if (!is_allowed(url, &direct)) {
        return s3_fetch_fail(fetch, S3_STEP_FAILED,
                             "no credentials: AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or on this machine, "
                             "169.254.170.2, 169.254.170.23 or fd00:ec2::23; it is %.160s",
                             strchr(url, '@') == NULL ? url : "hidden, for it has an '@'");
    }
    int rc = s3_errand_http(&fetch->errand, "GET", url, TRY_MS);
    fetch->errand.direct = direct;
    if (rc == 0) rc = s3_headers_add(&fetch->errand.headers, "accept", "application/json");
    step = rc == 0 ? authorize(fetch) : s3_fetch_fail(fetch, S3_STEP_PASSING, "no credentials: out of memory");
    return step == S3_STEP_FOUND ? S3_STEP_ASK : step;
}

/* What the agent says about an error, printable: {"code": ..., "message": ...}, or nothing. */
static void read_error(char *out, size_t size, const struct s3_reply *reply) {
    char code[64] = "", message[120] = "", both[200];
    struct cJSON *json = s3_json_parse(reply->body.data != NULL ? reply->body.data : "", reply->body.length);
    if (json != NULL && !s3_json_text(json, "code", code, sizeof code))
        (void)s3_json_text(json, "Code", code, sizeof code);
    if (json != NULL && !s3_json_text(json, "message", message, sizeof message))
        (void)s3_json_text(json, "Message", message, sizeof message);
    s3_json_free(json);
    (void)text_format(both, sizeof both, "%s%s%s%s", code[0] != '\0' ? " " : "", code, message[0] != '\0' ? ": " : "",
                      message);
    text_copy_printable(out, size, both);
}

static enum s3_step take(struct s3_fetch *fetch, const struct s3_reply *reply) {
    static const struct s3_json_names names = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"};
    struct cJSON *json = s3_json_parse(reply->body.data != NULL ? reply->body.data : "", reply->body.length);
    const char *wrong = json == NULL ? "it isn't JSON" : s3_json_credentials(&fetch->found, json, &names);
    s3_json_free(json);
    if (wrong != NULL) {
        return s3_fetch_fail(fetch, S3_STEP_FAILED,
                             "no credentials: the container's agent gave an answer that can't be "
                             "used: %s",
                             reply->too_large ? "it is too long" : wrong);
    }
    (void)text_copy(fetch->found.origin, sizeof fetch->found.origin, "the container's agent");
    return S3_STEP_FOUND;
}

static enum s3_step answered(struct s3_fetch *fetch, const struct s3_reply *reply) {
    char error[200];
    if (!reply->failed && reply->status == 200) return take(fetch, reply);
    bool passing = reply->failed ? !reply->certificate : reply->status >= 500 || reply->status == 429;
    if (passing && ++fetch->tries < TRIES) return begin(fetch);
    if (reply->failed) {
        return s3_fetch_fail(fetch, passing ? S3_STEP_PASSING : S3_STEP_FAILED,
                             "no credentials: the container's agent can't be asked: %s", reply->trouble);
    }
    read_error(error, sizeof error, reply);
    return s3_fetch_fail(fetch, passing ? S3_STEP_PASSING : S3_STEP_FAILED,
                         "no credentials: the container's agent answered %d%s%s", reply->status, error,
                         reply->status / 100 == 3 ? "; redirects aren't followed" : "");
}

const struct s3_provider s3_provider_container = {.name = "container", .begin = begin, .answered = answered};

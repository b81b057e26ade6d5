/* A profile's credential_process: a command that prints keys as JSON, run by /bin/sh with our environment. */
#include <string.h>

#include "base/text.h"
#include "s3/credentials.h"
#include "s3/json.h"

#define PROCESS_MS INT64_C(30000)

/* A value that goes on in further lines is one line for the shell. */
static void join_lines(char *line) {
    for (char *p = line; (p = strchr(p, '\n')) != NULL; p++) {
        *p = ' ';
        if (p > line && p[-1] == '\\') p[-1] = ' ';
    }
}

static enum s3_step begin(struct s3_fetch *fetch) {
    struct s3_errand *errand = &fetch->errand;
    s3_errand_deinit(errand);
    errand->kind = S3_ERRAND_COMMAND;
    errand->timeout_ms = PROCESS_MS;
    join_lines(fetch->profile.credential_process);
    if (buffer_append_text(&errand->url, fetch->profile.credential_process) == 0) return S3_STEP_ASK;
    return s3_fetch_fail(fetch, S3_STEP_PASSING, "no credentials: out of memory");
}

static enum s3_step fail_with(struct s3_fetch *fetch, enum s3_step step, const char *what) {
    return s3_fetch_fail(fetch, step, "no credentials: the credential_process of profile \"%.64s\" %s",
                         fetch->profile.name, what);
}

static enum s3_step fail(struct s3_fetch *fetch, const char *what) { return fail_with(fetch, S3_STEP_FAILED, what); }

static enum s3_step take(struct s3_fetch *fetch, const struct s3_reply *reply) {
    static const struct s3_json_names names = {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"};
    char what[120];
    struct cJSON *json = s3_json_parse(reply->body.data != NULL ? reply->body.data : "", reply->body.length);
    const char *wrong = json == NULL                      ? "it isn't JSON"
                        : !s3_json_is(json, "Version", 1) ? "its Version isn't 1"
                                                          : s3_json_credentials(&fetch->found, json, &names);
    s3_json_free(json);
    (void)text_format(what, sizeof what, "printed what can't be used: %s", wrong != NULL ? wrong : "");
    if (wrong != NULL) return fail(fetch, what);
    (void)text_format(what, sizeof what, "the credential_process of profile \"%.64s\"", fetch->profile.name);
    text_copy_printable(fetch->found.origin, sizeof fetch->found.origin, what);
    return S3_STEP_FOUND;
}

static enum s3_step answered(struct s3_fetch *fetch, const struct s3_reply *reply) {
    char what[TEXT_REASON_SIZE];
    if (reply->timed_out) return fail(fetch, "took longer than 30 s and was killed");
    if (reply->failed) { /* no descriptor, process or memory to be had just now */
        (void)text_format(what, sizeof what, "can't be run: %s", reply->trouble);
        return fail_with(fetch, S3_STEP_PASSING, what);
    }
    if (reply->too_large) return fail(fetch, "printed more than keys could have");
    if (reply->status == 0) return take(fetch, reply);
    (void)text_format(what, sizeof what, "ended with exit code %d%s%s", reply->status,
                      reply->trouble[0] != '\0' ? ": " : "", reply->trouble);
    return fail(fetch, what);
}

const struct s3_provider s3_provider_process = {.name = "credential_process", .begin = begin, .answered = answered};

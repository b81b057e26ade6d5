/* Keys from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, which was AWS_SECURITY_TOKEN once: that
 * goes first, as in the AWS tools. */
#include <errno.h>
#include <stddef.h>

#include "s3/credentials.h"

/* Returns whether the variable fits, an absent one included. */
static bool take(struct s3_fetch *fetch, char *out, size_t size, const char *name) {
    const char *value = s3_fetch_variable(fetch, name);
    if (text_copy(out, size, value != NULL ? value : "") == 0) return true;
    (void)s3_fetch_fail(fetch, S3_STEP_FAILED, "%s is longer than any key: correct it", name);
    return false;
}

static enum s3_step begin(struct s3_fetch *fetch) {
    struct s3_credentials *found = &fetch->found;
    if (fetch->config->sources.profile_chosen && !fetch->bound) return s3_fetch_pass(fetch, "--profile goes before it");
    bool older = s3_fetch_variable(fetch, "AWS_SECURITY_TOKEN") != NULL;
    const char *token = older ? "AWS_SECURITY_TOKEN" : "AWS_SESSION_TOKEN";
    if (!take(fetch, found->access_key, sizeof found->access_key, "AWS_ACCESS_KEY_ID") ||
        !take(fetch, found->secret_key, sizeof found->secret_key, "AWS_SECRET_ACCESS_KEY") ||
        !take(fetch, found->session_token, sizeof found->session_token, token)) {
        return S3_STEP_FAILED;
    }
    (void)text_copy(found->origin, sizeof found->origin, "the environment");
    found->fixed = true;
    int rc = s3_credentials_check(found, found->origin, fetch->reason);
    if (rc == -ENOENT) return s3_fetch_pass(fetch, "no AWS_ACCESS_KEY_ID");
    return rc == 0 ? S3_STEP_FOUND : S3_STEP_FAILED;
}

const struct s3_provider s3_provider_environment = {.name = "environment", .begin = begin};

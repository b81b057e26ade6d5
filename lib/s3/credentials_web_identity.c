/* Keys for a role, had for a token that somebody else vouches for: service accounts of EKS (IRSA) and of other
 * Kubernetes, CI jobs. The token file is read each time, for it is replaced before it expires. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "s3/credentials.h"
#include "s3/file.h"
#include "s3/sts.h"

#define TOKEN_SIZE 20001 /* STS takes 20,000 characters */

/* The role and the token file are those of the profile, where that says so, or the environment's. */
static enum s3_step find_role(struct s3_fetch *fetch, struct s3_role *role, const char **path) {
    const char *arn = s3_fetch_variable(fetch, "AWS_ROLE_ARN"),
               *name = s3_fetch_variable(fetch, "AWS_ROLE_SESSION_NAME");
    *role = fetch->profile.role;
    *path = fetch->profile.token_file;
    if (fetch->bound) {
        if (role->arn[0] != '\0') return S3_STEP_FOUND;
        return s3_fetch_fail(fetch, S3_STEP_FAILED,
                             "no credentials: profile \"%.64s\" has web_identity_token_file and lacks role_arn",
                             fetch->profile.name);
    }
    *role = (struct s3_role){.arn = ""};
    *path = s3_fetch_variable(fetch, "AWS_WEB_IDENTITY_TOKEN_FILE");
    if (fetch->config->sources.profile_chosen) return s3_fetch_pass(fetch, "--profile goes before it");
    if (*path == NULL) return s3_fetch_pass(fetch, "no AWS_WEB_IDENTITY_TOKEN_FILE");
    if (arn == NULL || text_copy(role->arn, sizeof role->arn, arn) != 0 ||
        text_copy(role->session_name, sizeof role->session_name, name != NULL ? name : "") != 0) {
        return s3_fetch_fail(fetch, S3_STEP_FAILED,
                             "no credentials: AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN isn't, or it or "
                             "AWS_ROLE_SESSION_NAME is too long");
    }
    return S3_STEP_FOUND;
}

static enum s3_step begin(struct s3_fetch *fetch) {
    struct s3_role role;
    const char *path;
    enum s3_step step = find_role(fetch, &role, &path);
    if (step != S3_STEP_FOUND) return step;
    char *token = calloc(1, TOKEN_SIZE);
    int rc = token != NULL ? s3_file_read_token(path, token, TOKEN_SIZE) : -ENOMEM;
    if (rc != 0) {
        (void)s3_fetch_fail(fetch, S3_STEP_FAILED, "no credentials: can't use the web identity token in %.250s: %s",
                            path, rc == -EINVAL ? "it is empty, or holds what no token has" : strerror(-rc));
    } else {
        rc = s3_sts_assume_role_with_token(fetch, &role, token);
    }
    if (token != NULL) explicit_bzero(token, TOKEN_SIZE);
    free(token);
    return rc == 0 ? S3_STEP_ASK : S3_STEP_FAILED;
}

static enum s3_step answered(struct s3_fetch *fetch, const struct s3_reply *reply) {
    char what[200];
    const char *arn = fetch->bound ? fetch->profile.role.arn : s3_fetch_variable(fetch, "AWS_ROLE_ARN");
    (void)text_format(what, sizeof what, "role %.120s for a web identity", arn != NULL ? arn : "");
    enum s3_step step = s3_sts_take(fetch, reply, what);
    if (step == S3_STEP_ASK) return begin(fetch);
    if (step == S3_STEP_FOUND) text_copy_printable(fetch->found.origin, sizeof fetch->found.origin, what);
    return step;
}

const struct s3_provider s3_provider_web_identity = {.name = "web identity", .begin = begin, .answered = answered};

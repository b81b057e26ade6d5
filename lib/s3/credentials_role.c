/* A profile's role_arn: the keys found so far are exchanged for the role's. Roles may follow one another; the last of
 * fetch->roles is assumed first. */
#include <string.h>

#include "base/text.h"
#include "s3/credentials.h"
#include "s3/sts.h"

static const struct s3_role *role_of(const struct s3_fetch *fetch) { return &fetch->roles[fetch->role_count - 1]; }

static enum s3_step begin(struct s3_fetch *fetch) {
    return s3_sts_assume_role(fetch, role_of(fetch), &fetch->found) == 0 ? S3_STEP_ASK : S3_STEP_FAILED;
}

static enum s3_step answered(struct s3_fetch *fetch, const struct s3_reply *reply) {
    char what[S3_ORIGIN_SIZE];
    struct s3_credentials source = fetch->found;
    (void)text_format(what, sizeof what, "role %.90s for %.50s", role_of(fetch)->arn, source.origin);
    enum s3_step step = s3_sts_take(fetch, reply, what);
    if (step == S3_STEP_ASK) {
        fetch->found = source;
        step = begin(fetch);
    } else if (step == S3_STEP_FOUND) {
        text_copy_printable(fetch->found.origin, sizeof fetch->found.origin, what);
        fetch->role_count--;
    }
    explicit_bzero(&source, sizeof source);
    return step;
}

const struct s3_provider s3_provider_role = {.name = "role", .begin = begin, .answered = answered};

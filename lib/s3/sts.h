/* Requests to AWS's Security Token Service for temporary keys, and its answers. */
#ifndef S3_STS_H
#define S3_STS_H

#include "s3/credentials.h"

#define S3_STS_TRY_MS 5000
#define S3_STS_TRIES  3

/* What STS says against a request; printable. */
struct s3_sts_error {
    char code[64];
    char message[200];
};

/* Describes AssumeRole for role, signed with credentials, as fetch's errand. Returns 0 or -errno. */
int s3_sts_assume_role(struct s3_fetch *fetch, const struct s3_role *role, const struct s3_credentials *credentials);

/* Describes AssumeRoleWithWebIdentity for role with token as fetch's errand. Returns 0 or -errno. */
int s3_sts_assume_role_with_token(struct s3_fetch *fetch, const struct s3_role *role, const char *token);

/* Reads the answer to either. Returns 0 and fills credentials (but for origin and fixed); -EACCES and fills error; or
 * -EPROTO where it is neither, -ENOMEM. */
int s3_sts_parse(struct s3_credentials *credentials, struct s3_sts_error *error, const char *bytes, size_t length);

/* Takes a reply: s3_fetch's found and S3_STEP_FOUND; S3_STEP_ASK where it is worth asking again (the caller describes
 * the errand anew); or a failure, with what in its reason. */
enum s3_step s3_sts_take(struct s3_fetch *fetch, const struct s3_reply *reply, const char *what);

#endif

/* Where keys come from: the first provider that has some, one file credentials_*.c each. */
#ifndef S3_CREDENTIALS_H
#define S3_CREDENTIALS_H

#include "s3/config.h"
#include "s3/profile.h"

/* What a provider may look at. */
struct s3_credential_sources {
    char *const *environment;
    const struct s3_profile *profile;
    bool profile_chosen; /* by option: then the environment's keys don't count, as in the AWS CLI */
};

/* A provider: fills *credentials. Returns 0; -ENOENT where it has none, which is no error; -EINVAL for half a pair or a
 * value that can't be a key, with a line in reason[TEXT_REASON_SIZE]. */
typedef int s3_credential_provider(struct s3_credentials *credentials, const struct s3_credential_sources *sources,
                                   char *reason);

s3_credential_provider s3_credentials_from_environment;
s3_credential_provider s3_credentials_from_profile;

/* Asks every provider in turn. Returns 0; -ENOENT where none has keys, with a line in reason that says what was looked
 * at; or a provider's error. On error *credentials holds no secret. */
int s3_credentials_find(struct s3_credentials *credentials, const struct s3_credential_sources *sources, char *reason);

/* Checks a pair that came from origin ("the environment", a file's path) for use in headers. Returns 0, -ENOENT where
 * it is empty, or -EINVAL with a line in reason; no part of a key is ever in it. For providers. */
int s3_credentials_check(const struct s3_credentials *credentials, const char *origin, char *reason);

#endif

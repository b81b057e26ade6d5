/* What one profile of the AWS tools' two files says: ~/.aws/config and ~/.aws/credentials, the latter winning. */
#ifndef S3_PROFILE_H
#define S3_PROFILE_H

#include <stdbool.h>

#include "s3/config.h"

/* A key pair as a file has it; fields that were missing are "". */
struct s3_profile {
    char name[S3_PROFILE_NAME_SIZE];
    bool named; /* somebody asked for this profile, so it must exist */
    bool found;
    char config_path[S3_PATH_SIZE]; /* what was looked at, "" where there is no HOME to look in */
    char credentials_path[S3_PATH_SIZE];
    struct s3_credentials of_credentials_file;
    struct s3_credentials of_config_file;
    char other_means[32]; /* a setting that gets keys in a way that isn't supported: "role_arn", "sso_session" ... */
    char region[S3_REGION_SIZE];
    char endpoint_url[S3_ENDPOINT_SIZE];
    char s3_endpoint_url[S3_ENDPOINT_SIZE]; /* of the profile's services section; wins */
    char services[S3_PROFILE_NAME_SIZE];
    char ca_bundle[S3_PATH_SIZE];
    char addressing_style[16];
};

/* Reads the profile that option (NULL: not given) or AWS_PROFILE names, else "default". Files that don't exist are
 * empty. Returns 0, or -errno with a line in reason[TEXT_REASON_SIZE]: a file that can't be read, a value too long, a
 * named profile that neither file has. */
int s3_profile_load(struct s3_profile *profile, const char *option, char *const *environment, char *reason);

/* Wipes the secrets. May be called again. */
void s3_profile_deinit(struct s3_profile *profile);

#endif

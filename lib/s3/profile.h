/* What one profile of the AWS tools' two files says: ~/.aws/config and ~/.aws/credentials, the latter winning. */
#ifndef S3_PROFILE_H
#define S3_PROFILE_H

#include <stdbool.h>

#include "s3/config.h"

#define S3_ARN_SIZE     2049
#define S3_COMMAND_SIZE 4096
#define S3_WORD_SIZE    64 /* "true", "virtual", a number; or whatever stands in their place */

enum s3_service { S3_SERVICE_S3, S3_SERVICE_STS, S3_SERVICE_SSO, S3_SERVICES };

/* A role to assume. Fields that were missing are "". */
struct s3_role {
    char arn[S3_ARN_SIZE];
    char session_name[65];
    char external_id[1225];
    char duration[16];
};

/* Where IAM Identity Center gives keys. */
struct s3_sso {
    char session[S3_PROFILE_NAME_SIZE];
    bool session_found; /* the config file has its section */
    char start_url[S3_ENDPOINT_SIZE];
    char region[S3_REGION_SIZE];
    char account[32];
    char role[128];
};

/* Key pairs as each file has them; fields that were missing are "". */
struct s3_profile {
    char name[S3_PROFILE_NAME_SIZE];
    bool named; /* somebody asked for this profile, so it must exist */
    bool found;
    char config_path[S3_PATH_SIZE]; /* what was looked at, "" where there is no HOME to look in */
    char credentials_path[S3_PATH_SIZE];
    struct s3_credentials of_credentials_file;
    struct s3_credentials of_config_file;
    char region[S3_REGION_SIZE];
    char endpoint_url[S3_ENDPOINT_SIZE];
    char service_url[S3_SERVICES][S3_ENDPOINT_SIZE]; /* of the profile's services section; wins */
    char ignore_endpoint_urls[S3_WORD_SIZE];
    char services[S3_PROFILE_NAME_SIZE];
    char ca_bundle[S3_PATH_SIZE];
    char addressing_style[S3_WORD_SIZE];
    char dual_stack[S3_WORD_SIZE];
    char dual_stack_of_s3[S3_WORD_SIZE]; /* nested below s3; wins */
    char fips[S3_WORD_SIZE];
    char imds_endpoint[S3_ENDPOINT_SIZE];
    char imds_mode[S3_WORD_SIZE];
    char imds_v1_disabled[S3_WORD_SIZE];
    char imds_timeout[S3_WORD_SIZE];
    char imds_attempts[S3_WORD_SIZE];
    char login_session[256]; /* "aws login": not supported, and named */
    char credential_process[S3_COMMAND_SIZE];
    struct s3_role role;
    char mfa_serial[256];
    char source_profile[S3_PROFILE_NAME_SIZE];
    char credential_source[32];
    char token_file[S3_PATH_SIZE];
    struct s3_sso sso;
};

/* Reads the profile that option (NULL: not given), AWS_DEFAULT_PROFILE or AWS_PROFILE names, else "default". Files that
 * don't exist are empty. Returns 0, or -errno with a line in reason[TEXT_REASON_SIZE]: a file that can't be read or
 * parsed, a value too long, a named profile that neither file has. */
int s3_profile_load(struct s3_profile *profile, const char *option, char *const *environment, char *reason);

/* What the variable, or else the profile, says of a flag: "true" in any case is yes. */
bool s3_profile_flag(char *const *environment, const char *variable, const char *of_profile);

/* The URL that environment or profile give for service, from the narrowest on; "" for none. */
const char *s3_profile_endpoint(const struct s3_profile *profile, char *const *environment, enum s3_service service);

/* Wipes the secrets. May be called again. */
void s3_profile_deinit(struct s3_profile *profile);

#endif

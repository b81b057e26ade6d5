/* Keys that stand in the profile: in the credentials file, else in the config file, never half and half. */
#include <errno.h>

#include "s3/credentials.h"

int s3_credentials_from_profile(struct s3_credentials *credentials, const struct s3_credential_sources *sources,
                                char *reason) {
    const struct s3_profile *profile = sources->profile;
    *credentials = profile->of_credentials_file;
    int rc = s3_credentials_check(credentials, profile->credentials_path, reason);
    if (rc != -ENOENT) return rc;
    *credentials = profile->of_config_file;
    return s3_credentials_check(credentials, profile->config_path, reason);
}

/* Keys from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. */
#include <errno.h>
#include <stddef.h>

#include "base/environment.h"

#include "s3/credentials.h"

static int take(char *out, size_t size, char *const *environment, const char *name, char *reason) {
    const char *value = environment_get(environment, name);
    if (text_copy(out, size, value != NULL ? value : "") == 0) return 0;
    (void)text_format(reason, TEXT_REASON_SIZE, "%s is longer than any key: correct it", name);
    return -EINVAL;
}

int s3_credentials_from_environment(struct s3_credentials *credentials, const struct s3_credential_sources *sources,
                                    char *reason) {
    char *const *environment = sources->environment;
    if (sources->profile_chosen) return -ENOENT;
    int rc = take(credentials->access_key, sizeof credentials->access_key, environment, "AWS_ACCESS_KEY_ID", reason);
    if (rc == 0)
        rc =
            take(credentials->secret_key, sizeof credentials->secret_key, environment, "AWS_SECRET_ACCESS_KEY", reason);
    if (rc == 0)
        rc = take(credentials->session_token, sizeof credentials->session_token, environment, "AWS_SESSION_TOKEN",
                  reason);
    return rc == 0 ? s3_credentials_check(credentials, "the environment", reason) : rc;
}

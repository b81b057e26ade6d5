/* The chain of credential providers; see credentials.h. */
#include "s3/credentials.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <stddef.h>

/* In the order of the AWS tools. */
static s3_credential_provider *const providers[] = {s3_credentials_from_environment, s3_credentials_from_profile};

static bool fits_in_header(const char *text) {
    for (; *text != '\0'; text++) {
        if (*text <= 0x20 || *text >= 0x7f) return false;
    }
    return true;
}

int s3_credentials_check(const struct s3_credentials *credentials, const char *origin, char *reason) {
    bool access = credentials->access_key[0] != '\0', secret = credentials->secret_key[0] != '\0';
    if (!access && !secret) return -ENOENT;
    if (access != secret) {
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "half a key pair: %.200s has the %s and lacks the %s: give both from one place", origin,
                          access ? "access key" : "secret key", access ? "secret key" : "access key");
        return -EINVAL;
    }
    const char *broken = !fits_in_header(credentials->access_key)      ? "access key"
                         : !fits_in_header(credentials->secret_key)    ? "secret key"
                         : !fits_in_header(credentials->session_token) ? "session token"
                                                                       : NULL;
    if (broken == NULL) return 0;
    (void)text_format(reason, TEXT_REASON_SIZE,
                      "the %s of %.200s holds a blank, a line's end or another character that no key has: correct it",
                      broken, origin);
    return -EINVAL;
}

static void explain_none(const struct s3_credential_sources *sources, char *reason) {
    const struct s3_profile *profile = sources->profile;
    char name[S3_PROFILE_NAME_SIZE];
    text_copy_printable(name, sizeof name, profile->name);
    if (profile->other_means[0] != '\0') {
        (void)text_format(
            reason, TEXT_REASON_SIZE,
            "no credentials: profile \"%s\" gets them by %s, which isn't supported: set AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY, for instance with aws configure export-credentials",
            name, profile->other_means);
        return;
    }
    (void)text_format(reason, TEXT_REASON_SIZE,
                      "no credentials: looked at %sprofile \"%s\" in %.120s and %.120s: "
                      "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a --profile",
                      sources->profile_chosen ? "" : "AWS_ACCESS_KEY_ID and ", name,
                      profile->credentials_path[0] != '\0' ? profile->credentials_path : "~/.aws/credentials (no HOME)",
                      profile->config_path[0] != '\0' ? profile->config_path : "~/.aws/config (no HOME)");
}

int s3_credentials_find(struct s3_credentials *credentials, const struct s3_credential_sources *sources, char *reason) {
    int rc = -ENOENT;
    for (size_t i = 0; i < sizeof providers / sizeof *providers && rc == -ENOENT; i++) {
        mbedtls_platform_zeroize(credentials, sizeof *credentials);
        rc = providers[i](credentials, sources, reason);
    }
    if (rc == -ENOENT) explain_none(sources, reason);
    if (rc != 0) mbedtls_platform_zeroize(credentials, sizeof *credentials);
    return rc;
}

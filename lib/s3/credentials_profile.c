/* What the profile says about keys: those that stand in the credentials file, else in the config file, never half and
 * half. */
#include <errno.h>
#include <mbedtls/platform_util.h>

#include "s3/credentials.h"

static enum s3_step pass_over(struct s3_fetch *fetch) {
    const struct s3_profile *p = &fetch->profile;
    const char *other = p->role.arn[0] != '\0'             ? "role_arn"
                        : p->sso.session[0] != '\0'        ? "sso_session"
                        : p->sso.start_url[0] != '\0'      ? "sso_start_url"
                        : p->credential_process[0] != '\0' ? "credential_process"
                        : p->token_file[0] != '\0'         ? "web_identity_token_file"
                                                           : NULL;
    if (other != NULL) {
        return s3_fetch_fail(fetch, S3_STEP_FAILED,
                             "no credentials: profile \"%.64s\" gets them by %s, which isn't supported", p->name,
                             other);
    }
    return s3_fetch_pass(fetch, "no keys for \"%.60s\" in %.80s, %.80s", p->name,
                         p->credentials_path[0] != '\0' ? p->credentials_path : "~/.aws/credentials (no HOME)",
                         p->config_path[0] != '\0' ? p->config_path : "~/.aws/config (no HOME)");
}

/* Takes the keys of one file. Returns s3_credentials_check()'s value. */
static int take_file(struct s3_fetch *fetch, const struct s3_credentials *of_file, const char *path) {
    fetch->found = *of_file;
    (void)text_format(fetch->found.origin, sizeof fetch->found.origin, "profile \"%.64s\" in %.80s",
                      fetch->profile.name, path);
    text_copy_printable(fetch->found.origin, sizeof fetch->found.origin, fetch->found.origin);
    return s3_credentials_check(&fetch->found, path, fetch->reason);
}

static enum s3_step begin(struct s3_fetch *fetch) {
    const struct s3_profile *p = &fetch->profile;
    int rc = take_file(fetch, &p->of_credentials_file, p->credentials_path);
    if (rc == -ENOENT) rc = take_file(fetch, &p->of_config_file, p->config_path);
    if (rc == -ENOENT) return pass_over(fetch);
    return rc == 0 ? S3_STEP_FOUND : S3_STEP_FAILED;
}

const struct s3_provider s3_provider_profile = {.name = "profile", .begin = begin};

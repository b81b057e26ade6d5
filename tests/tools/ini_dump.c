/* What leaderexec reads out of the AWS tools' files: for test_ini.py, which has botocore read the same.
 *
 *     ini_dump DIR COUNT PROFILE     for each N < COUNT, what DIR/N.config and DIR/N.credentials say of PROFILE: "error
 *                                    TEXT", or lines "NAME HEX" for what isn't empty; then a line "end" */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "s3/profile.h"

static const struct {
    const char *name;
    size_t offset;
} fields[] = {
#define FIELD(name, member)                                                                                            \
    { name, offsetof(struct s3_profile, member) }
    FIELD("region", region),
    FIELD("endpoint_url", endpoint_url),
    FIELD("ca_bundle", ca_bundle),
    FIELD("s3.addressing_style", addressing_style),
    FIELD("s3.use_dualstack_endpoint", dual_stack_of_s3),
    FIELD("credential_process", credential_process),
    FIELD("login_session", login_session),
    FIELD("role_arn", role.arn),
    FIELD("source_profile", source_profile),
    FIELD("sso_session", sso.session),
    FIELD("sso_account_id", sso.account),
    FIELD("services", services),
    FIELD("services:s3.endpoint_url", service_url[S3_SERVICE_S3]),
    FIELD("config:aws_access_key_id", of_config_file.access_key),
    FIELD("config:aws_secret_access_key", of_config_file.secret_key),
    FIELD("config:token", of_config_file.session_token),
    FIELD("credentials:aws_access_key_id", of_credentials_file.access_key),
    FIELD("credentials:aws_secret_access_key", of_credentials_file.secret_key),
    FIELD("credentials:token", of_credentials_file.session_token),
};

static void dump(const struct s3_profile *profile) {
    if (profile->found) (void)puts("found 31");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *value = (const char *)profile + fields[i].offset;
        if (*value == '\0') continue;
        (void)printf("%s ", fields[i].name);
        for (; *value != '\0'; value++) (void)printf("%02x", (unsigned)(unsigned char)*value);
        (void)puts("");
    }
}

int main(int argc, char **argv) {
    static struct s3_profile profile;
    char reason[TEXT_REASON_SIZE], name[256];
    if (argc != 4) return EXIT_FAILURE;
    (void)snprintf(name, sizeof name, "AWS_PROFILE=%s", argv[3]);
    for (int i = 0; i < atoi(argv[2]); i++) {
        char config[1024], credentials[1024];
        (void)snprintf(config, sizeof config, "AWS_CONFIG_FILE=%s/%d.config", argv[1], i);
        (void)snprintf(credentials, sizeof credentials, "AWS_SHARED_CREDENTIALS_FILE=%s/%d.credentials", argv[1], i);
        char *environment[] = {name, config, credentials, NULL};
        int rc = s3_profile_load(&profile, NULL, environment, reason);
        if (rc == 0)
            dump(&profile);
        else
            (void)printf("%s %s\n", strstr(reason, "is neither in") != NULL ? "absent" : "error", reason);
        (void)puts("end");
        s3_profile_deinit(&profile);
    }
    return EXIT_SUCCESS;
}

/* Profiles; see profile.h. */
#include "s3/profile.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/environment.h"
#include "s3/ini.h"

/* One file's reading. */
struct reading {
    struct s3_profile *profile;
    struct s3_credentials *credentials; /* where this file's keys go */
    bool is_config;                     /* sections are "profile x" there */
};

struct field {
    const char *name;
    size_t offset;
    size_t size;
};

#define PROFILE_FIELD(name, member)                                                                                    \
    { name, offsetof(struct s3_profile, member), sizeof((struct s3_profile *)0)->member }
#define KEY_FIELD(name, member)                                                                                        \
    { name, offsetof(struct s3_credentials, member), sizeof((struct s3_credentials *)0)->member }

static const struct field profile_fields[] = {
    PROFILE_FIELD("region", region),
    PROFILE_FIELD("endpoint_url", endpoint_url),
    PROFILE_FIELD("services", services),
    PROFILE_FIELD("ca_bundle", ca_bundle),
    PROFILE_FIELD("s3.addressing_style", addressing_style),
    PROFILE_FIELD("ignore_configured_endpoint_urls", ignore_endpoint_urls),
    PROFILE_FIELD("use_dualstack_endpoint", dual_stack),
    PROFILE_FIELD("use_fips_endpoint", fips),
    PROFILE_FIELD("ec2_metadata_service_endpoint", imds_endpoint),
    PROFILE_FIELD("ec2_metadata_service_endpoint_mode", imds_mode),
    PROFILE_FIELD("ec2_metadata_v1_disabled", imds_v1_disabled),
    PROFILE_FIELD("credential_process", credential_process),
    PROFILE_FIELD("role_arn", role.arn),
    PROFILE_FIELD("role_session_name", role.session_name),
    PROFILE_FIELD("external_id", role.external_id),
    PROFILE_FIELD("duration_seconds", role.duration),
    PROFILE_FIELD("mfa_serial", mfa_serial),
    PROFILE_FIELD("source_profile", source_profile),
    PROFILE_FIELD("credential_source", credential_source),
    PROFILE_FIELD("web_identity_token_file", token_file),
    PROFILE_FIELD("sso_session", sso.session),
    PROFILE_FIELD("sso_start_url", sso.start_url),
    PROFILE_FIELD("sso_region", sso.region),
    PROFILE_FIELD("sso_account_id", sso.account),
    PROFILE_FIELD("sso_role_name", sso.role),
};

static const struct field session_fields[] = {
    PROFILE_FIELD("sso_start_url", sso.start_url),
    PROFILE_FIELD("sso_region", sso.region),
};

static const struct field service_fields[] = {
    PROFILE_FIELD("s3.endpoint_url", service_url[S3_SERVICE_S3]),
    PROFILE_FIELD("sts.endpoint_url", service_url[S3_SERVICE_STS]),
    PROFILE_FIELD("sso.endpoint_url", service_url[S3_SERVICE_SSO]),
};

static const struct field key_fields[] = {
    KEY_FIELD("aws_access_key_id", access_key),
    KEY_FIELD("aws_secret_access_key", secret_key),
    KEY_FIELD("aws_session_token", session_token),
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Copies value into the field of that name of object. Returns 0, also where there is no such field, or -ENOSPC. */
static int set_field(void *object, const struct field *fields, size_t count, const char *name, const char *value) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0)
            return text_copy((char *)object + fields[i].offset, fields[i].size, value);
    }
    return 0;
}

static bool is_ours(const struct reading *reading, const char *section) {
    const char *name = reading->profile->name;
    static const char word[] = "profile ";
    if (!reading->is_config) return strcmp(section, name) == 0;
    if (strncmp(section, word, sizeof word - 1) == 0) return strcmp(section + sizeof word - 1, name) == 0;
    return strcmp(section, "default") == 0 && strcmp(name, "default") == 0;
}

static int on_setting(void *context, const char *section, const char *name, const char *value) {
    struct reading *reading = context;
    struct s3_profile *profile = reading->profile;
    if (!is_ours(reading, section)) return 0;
    profile->found = true;
    int rc = set_field(profile, profile_fields, COUNT_OF(profile_fields), name, value);
    if (rc == 0) rc = set_field(reading->credentials, key_fields, COUNT_OF(key_fields), name, value);
    return rc == 0 ? 0 : -EMSGSIZE;
}

/* Returns whether section is called "word name". */
static bool is_section(const char *section, const char *word, const char *name) {
    size_t length = strlen(word);
    return name[0] != '\0' && strncmp(section, word, length) == 0 && section[length] == ' ' &&
           strcmp(section + length + 1, name) == 0;
}

/* What stands in sections of the config file that the profile names: [services x] and [sso-session x]. */
static int on_referred(void *context, const char *section, const char *name, const char *value) {
    struct s3_profile *profile = context;
    int rc = 0;
    if (is_section(section, "services", profile->services)) {
        rc = set_field(profile, service_fields, COUNT_OF(service_fields), name, value);
    } else if (is_section(section, "sso-session", profile->sso.session)) {
        profile->sso.session_found = true;
        rc = set_field(profile, session_fields, COUNT_OF(session_fields), name, value);
    }
    return rc == 0 ? 0 : -EMSGSIZE;
}

/* Reads path ("": none). A file that isn't there says nothing; nor does one in a home that isn't ours to read, unless
 * it was named. */
static int read_file(const char *path, bool named, ini_setting *setting, void *context, char *reason) {
    if (path[0] == '\0') return 0;
    int rc = ini_parse_file(path, setting, context);
    if (rc == 0 || rc == -ENOENT || rc == -ENOTDIR || (rc == -EACCES && !named)) return 0;
    char shown[200];
    text_copy_printable(shown, sizeof shown, path);
    if (rc == -EMSGSIZE) {
        (void)text_format(reason, TEXT_REASON_SIZE, "%s has a line or value that is too long: correct it", shown);
    } else {
        (void)text_format(reason, TEXT_REASON_SIZE, "can't read %s: %s", shown, strerror(-rc));
    }
    return rc;
}

/* Where a file is: what variable names, with "~/" for the home, or the usual place in it; "" without a home. */
static int find_file(char path[S3_PATH_SIZE], const char *variable, const char *usual, char *const *environment,
                     bool *named) {
    const char *home = environment_get(environment, "HOME");
    const char *value = environment_get(environment, variable);
    *named = value != NULL;
    path[0] = '\0';
    if (value != NULL && strncmp(value, "~/", 2) != 0) return text_copy(path, S3_PATH_SIZE, value);
    if (home == NULL) return 0;
    return text_format(path, S3_PATH_SIZE, "%s/%s", home, value != NULL ? value + 2 : usual);
}

static int read_files(struct s3_profile *profile, char *const *environment, char *reason) {
    bool config_named, credentials_named;
    int rc = find_file(profile->config_path, "AWS_CONFIG_FILE", ".aws/config", environment, &config_named);
    if (rc == 0) {
        rc = find_file(profile->credentials_path, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", environment,
                       &credentials_named);
    }
    if (rc != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "the path in AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE is too long");
        return -ENAMETOOLONG;
    }
    struct reading config = {.profile = profile, .credentials = &profile->of_config_file, .is_config = true};
    struct reading credentials = {.profile = profile, .credentials = &profile->of_credentials_file};
    rc = read_file(profile->config_path, config_named, on_setting, &config, reason);
    if (rc == 0) rc = read_file(profile->credentials_path, credentials_named, on_setting, &credentials, reason);
    if (rc == 0 && (profile->services[0] != '\0' || profile->sso.session[0] != '\0')) {
        rc = read_file(profile->config_path, config_named, on_referred, profile, reason);
    }
    return rc;
}

int s3_profile_load(struct s3_profile *profile, const char *option, char *const *environment, char *reason) {
    *profile = (struct s3_profile){0};
    const char *name = option != NULL ? option : environment_get(environment, "AWS_PROFILE");
    profile->named = name != NULL;
    if (text_copy(profile->name, sizeof profile->name, name != NULL ? name : "default") != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE, "the profile's name is too long: correct --profile or AWS_PROFILE");
        return -EINVAL;
    }
    int rc = read_files(profile, environment, reason);
    if (rc == 0 && profile->named && !profile->found) {
        char shown[S3_PROFILE_NAME_SIZE];
        text_copy_printable(shown, sizeof shown, profile->name);
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "profile \"%s\" is neither in %.150s nor in %.150s: correct --profile or AWS_PROFILE", shown,
                          profile->config_path[0] != '\0' ? profile->config_path : "~/.aws/config",
                          profile->credentials_path[0] != '\0' ? profile->credentials_path : "~/.aws/credentials");
        rc = -EINVAL;
    }
    if (rc != 0) s3_profile_deinit(profile);
    return rc;
}

bool s3_profile_flag(char *const *environment, const char *variable, const char *of_profile) {
    const char *value = environment_get(environment, variable);
    return strcasecmp(value != NULL ? value : of_profile, "true") == 0;
}

const char *s3_profile_endpoint(const struct s3_profile *profile, char *const *environment, enum s3_service service) {
    static const char *const variables[] = {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO"};
    if (s3_profile_flag(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", profile->ignore_endpoint_urls)) return "";
    const char *narrow = environment_get(environment, variables[service]);
    const char *broad = environment_get(environment, "AWS_ENDPOINT_URL");
    if (narrow != NULL) return narrow;
    if (broad != NULL) return broad;
    return profile->service_url[service][0] != '\0' ? profile->service_url[service] : profile->endpoint_url;
}

void s3_profile_deinit(struct s3_profile *profile) {
    mbedtls_platform_zeroize(&profile->of_credentials_file, sizeof profile->of_credentials_file);
    mbedtls_platform_zeroize(&profile->of_config_file, sizeof profile->of_config_file);
}

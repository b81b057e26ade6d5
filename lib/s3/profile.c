/* Profiles; see profile.h. */
#include "s3/profile.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <stddef.h>
#include <string.h>

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
};

static const struct field key_fields[] = {
    KEY_FIELD("aws_access_key_id", access_key),
    KEY_FIELD("aws_secret_access_key", secret_key),
    KEY_FIELD("aws_session_token", session_token),
};

static const char *const other_means[] = {"role_arn", "sso_session", "sso_start_url", "credential_process",
                                          "web_identity_token_file"};

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
    for (size_t i = 0; i < sizeof other_means / sizeof *other_means; i++) {
        if (strcmp(name, other_means[i]) == 0) (void)text_copy(profile->other_means, sizeof profile->other_means, name);
    }
    int rc = set_field(profile, profile_fields, sizeof profile_fields / sizeof *profile_fields, name, value);
    if (rc == 0) rc = set_field(reading->credentials, key_fields, sizeof key_fields / sizeof *key_fields, name, value);
    return rc == 0 ? 0 : -EMSGSIZE;
}

/* Finds "s3 = / endpoint_url = " in the [services x] that the profile chose. */
static int on_services(void *context, const char *section, const char *name, const char *value) {
    struct s3_profile *profile = context;
    static const char word[] = "services ";
    if (strncmp(section, word, sizeof word - 1) != 0 || strcmp(section + sizeof word - 1, profile->services) != 0)
        return 0;
    if (strcmp(name, "s3.endpoint_url") != 0) return 0;
    return text_copy(profile->s3_endpoint_url, sizeof profile->s3_endpoint_url, value) == 0 ? 0 : -EMSGSIZE;
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
    if (rc == 0 && profile->services[0] != '\0') {
        rc = read_file(profile->config_path, config_named, on_services, profile, reason);
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

void s3_profile_deinit(struct s3_profile *profile) {
    mbedtls_platform_zeroize(&profile->of_credentials_file, sizeof profile->of_credentials_file);
    mbedtls_platform_zeroize(&profile->of_config_file, sizeof profile->of_config_file);
}

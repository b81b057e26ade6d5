/* Profiles; see profile.h. */
#include "s3/profile.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/environment.h"
#include "s3/ini.h"
#include "s3/path.h"

struct field {
    const char *name;
    size_t offset;
    size_t size;
};

#define PROFILE_FIELD(name, member)                                                                                    \
    { name, offsetof(struct s3_profile, member), sizeof((struct s3_profile *)0)->member }
#define KEY_FIELD(name, member)                                                                                        \
    { name, offsetof(struct s3_credentials, member), sizeof((struct s3_credentials *)0)->member }

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const struct field profile_fields[] = {
    PROFILE_FIELD("region", region),
    PROFILE_FIELD("endpoint_url", endpoint_url),
    PROFILE_FIELD("services", services),
    PROFILE_FIELD("ca_bundle", ca_bundle),
    PROFILE_FIELD("s3.addressing_style", addressing_style),
    PROFILE_FIELD("ignore_configured_endpoint_urls", ignore_endpoint_urls),
    PROFILE_FIELD("use_dualstack_endpoint", dual_stack),
    PROFILE_FIELD("s3.use_dualstack_endpoint", dual_stack_of_s3),
    PROFILE_FIELD("use_fips_endpoint", fips),
    PROFILE_FIELD("ec2_metadata_service_endpoint", imds_endpoint),
    PROFILE_FIELD("ec2_metadata_service_endpoint_mode", imds_mode),
    PROFILE_FIELD("ec2_metadata_v1_disabled", imds_v1_disabled),
    PROFILE_FIELD("metadata_service_timeout", imds_timeout),
    PROFILE_FIELD("metadata_service_num_attempts", imds_attempts),
    PROFILE_FIELD("login_session", login_session),
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

/* Both files, and where the profile stands in them. */
struct files {
    struct ini config, credentials;
    size_t in_config, in_credentials; /* INI_NONE: nowhere */
};

/* What section of ini says of field: "name", or "outer.inner" for one that is nested. Copies it into object's field.
 * Returns whether the section has the outermost name at all, or -ENOSPC. */
static int set_field(void *object, const struct field *field, const struct ini *ini, size_t section) {
    char outer[64], *out = (char *)object + field->offset;
    const char *inner = strchr(field->name, '.');
    (void)text_format(outer, sizeof outer, "%.*s", (int)strcspn(field->name, "."), field->name);
    const char *value = ini_get(ini, section, outer);
    if (value == NULL) return 0;
    int rc = inner == NULL ? text_copy(out, field->size, value) : ini_get_nested(value, inner + 1, out, field->size);
    return rc == 0 || rc == -ENOENT ? 1 : rc;
}

static int set_fields(void *object, const struct field *fields, size_t count, const struct ini *ini, size_t section) {
    int rc = 0;
    for (size_t i = 0; i < count && rc >= 0; i++) rc = set_field(object, &fields[i], ini, section);
    return rc < 0 ? rc : 0;
}

/* The credentials file wins, name by name. */
static int take_profile(struct s3_profile *profile, const struct files *files) {
    int rc = 0;
    for (size_t i = 0; i < COUNT_OF(profile_fields) && rc >= 0; i++) {
        rc = set_field(profile, &profile_fields[i], &files->credentials, files->in_credentials);
        if (rc == 0) rc = set_field(profile, &profile_fields[i], &files->config, files->in_config);
    }
    return rc < 0 ? rc : 0;
}

static int take_keys(struct s3_credentials *credentials, const struct ini *ini, size_t section) {
    int rc = set_fields(credentials, key_fields, COUNT_OF(key_fields), ini, section);
    /* The older name of the token goes first, as in the AWS tools. */
    const struct field token = KEY_FIELD("aws_security_token", session_token);
    if (rc == 0) rc = set_field(credentials, &token, ini, section);
    return rc < 0 ? rc : 0;
}

/* The config file's section for word ("profile", "services", "sso-session") and name. The last one counts, as in the
 * AWS tools, which don't ask what begins with the word either. */
static size_t find_named(const struct ini *ini, const char *word, const char *name) {
    size_t found = INI_NONE;
    for (size_t i = INI_NONE; name[0] != '\0' && (i = ini_next_section(ini, i)) != INI_NONE;) {
        const char *section = ini->entries[i].name;
        bool is_profile = strcmp(word, "profile") == 0;
        bool is_default = is_profile && strcmp(section, "default") == 0 && strcmp(name, "default") == 0;
        if (is_default || (strncmp(section, word, strlen(word)) == 0 && ini_is_second_word(section, name))) found = i;
    }
    return found;
}

/* What stands in sections of the config file that the profile names: [services x] and [sso-session x]. */
static int take_referred(struct s3_profile *profile, const struct ini *config) {
    size_t services = find_named(config, "services", profile->services);
    size_t session = find_named(config, "sso-session", profile->sso.session);
    profile->sso.session_found = session != INI_NONE;
    int rc = set_fields(profile, service_fields, COUNT_OF(service_fields), config, services);
    return rc == 0 ? set_fields(profile, session_fields, COUNT_OF(session_fields), config, session) : rc;
}

static int take_all(struct s3_profile *profile, struct files *files) {
    files->in_config = find_named(&files->config, "profile", profile->name);
    files->in_credentials = ini_find_section(&files->credentials, profile->name);
    profile->found = files->in_config != INI_NONE || files->in_credentials != INI_NONE;
    int rc = take_profile(profile, files);
    if (rc == 0) rc = take_keys(&profile->of_config_file, &files->config, files->in_config);
    if (rc == 0) rc = take_keys(&profile->of_credentials_file, &files->credentials, files->in_credentials);
    return rc == 0 ? take_referred(profile, &files->config) : rc;
}

/* Reads path ("": none). A file that isn't there says nothing; nor does one in a home that isn't ours to read, unless
 * it was named. */
static int read_file(struct ini *ini, const char *path, bool named, char *reason) {
    if (path[0] == '\0') return 0;
    int rc = ini_read(ini, path);
    if (rc == 0 || rc == -ENOENT || rc == -ENOTDIR || (rc == -EACCES && !named)) return 0;
    char shown[200];
    text_copy_printable(shown, sizeof shown, path);
    if (rc == -EILSEQ) {
        (void)text_format(reason, TEXT_REASON_SIZE, "can't make sense of line %zu of %s: %s: correct it", ini->line,
                          shown, ini->wrong);
    } else {
        (void)text_format(reason, TEXT_REASON_SIZE, "can't read %s: %s", shown, strerror(-rc));
    }
    return rc;
}

/* Where a file is: what variable names, or the usual place in the home; "" without a home. */
static int find_file(char path[S3_PATH_SIZE], const char *variable, const char *usual, char *const *environment,
                     bool *named) {
    const char *value = environment_get(environment, variable);
    *named = value != NULL;
    return s3_path_expand(path, value != NULL ? value : usual, environment);
}

static int read_files(struct s3_profile *profile, struct files *files, char *const *environment, char *reason) {
    bool config_named, credentials_named;
    int rc = find_file(profile->config_path, "AWS_CONFIG_FILE", "~/.aws/config", environment, &config_named);
    if (rc == 0) {
        rc = find_file(profile->credentials_path, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", environment,
                       &credentials_named);
    }
    if (rc != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "the path in AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE is too long");
        return -ENAMETOOLONG;
    }
    rc = read_file(&files->config, profile->config_path, config_named, reason);
    if (rc == 0) rc = read_file(&files->credentials, profile->credentials_path, credentials_named, reason);
    if (rc != 0) return rc;
    rc = take_all(profile, files);
    if (rc == 0) return 0;
    (void)text_format(reason, TEXT_REASON_SIZE,
                      "profile \"%.60s\" has a value that is too long: correct it in %.150s or %.150s", profile->name,
                      profile->config_path, profile->credentials_path);
    return -EMSGSIZE;
}

/* The name of the profile, in the AWS tools' order. */
static const char *choose(const char *option, char *const *environment) {
    const char *older = environment_get(environment, "AWS_DEFAULT_PROFILE");
    if (option != NULL) return option;
    return older != NULL ? older : environment_get(environment, "AWS_PROFILE");
}

int s3_profile_load(struct s3_profile *profile, const char *option, char *const *environment, char *reason) {
    *profile = (struct s3_profile){0};
    const char *name = choose(option, environment);
    profile->named = name != NULL;
    if (text_copy(profile->name, sizeof profile->name, name != NULL ? name : "default") != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE, "the profile's name is too long: correct --profile or AWS_PROFILE");
        return -EINVAL;
    }
    struct files files;
    ini_init(&files.config);
    ini_init(&files.credentials);
    int rc = read_files(profile, &files, environment, reason);
    ini_deinit(&files.config);
    ini_deinit(&files.credentials);
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

/* What the profile says about keys: its role, its web identity, its SSO, its keys in the credentials file, its
 * credential_process, its keys in the config file; in this order, as the AWS CLI has it, and never half from here and
 * half from there. A profile that says nothing is passed over.
 *
 * A role needs keys of somebody else's first: another profile's, which may have a role itself, or the ones that the
 * environment, the container or the instance has. So the profiles are followed down to where keys are, and the roles
 * are noted on the way; they are assumed in the opposite order (credentials_role.c). */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "s3/credentials.h"

#define PATH_SHOWN 48

static bool is_set(const char *text) { return text[0] != '\0'; }

static bool has_keys(const struct s3_credentials *credentials) {
    return is_set(credentials->access_key) || is_set(credentials->secret_key);
}

/* --- keys that stand in the files --- */

/* Takes the keys of one file. Returns s3_credentials_check()'s value. */
static int take_file(struct s3_fetch *fetch, const struct s3_credentials *of_file, const char *path) {
    char origin[S3_ORIGIN_SIZE];
    fetch->found = *of_file;
    s3_fetch_note(fetch, path);
    (void)text_format(origin, sizeof origin, "profile \"%.64s\" in %.80s", fetch->profile.name, path);
    text_copy_printable(fetch->found.origin, sizeof fetch->found.origin, origin);
    return s3_credentials_check(&fetch->found, path, fetch->reason);
}

static enum s3_step take_keys(struct s3_fetch *fetch) {
    const struct s3_profile *p = &fetch->profile;
    int rc = take_file(fetch, &p->of_credentials_file, p->credentials_path);
    if (rc == -ENOENT) rc = take_file(fetch, &p->of_config_file, p->config_path);
    return rc == 0 ? S3_STEP_FOUND : S3_STEP_FAILED;
}

/* --- roles --- */

static enum s3_step fail_role(struct s3_fetch *fetch, const char *what) {
    return s3_fetch_fail(fetch, S3_STEP_FAILED, "no credentials: profile \"%.64s\" has role_arn and %s",
                         fetch->profile.name, what);
}

static enum s3_step from_source(struct s3_fetch *fetch) {
    static const struct {
        const char *name;
        const struct s3_provider *provider;
    } sources[] = {{"Environment", &s3_provider_environment},
                   {"EcsContainer", &s3_provider_container},
                   {"Ec2InstanceMetadata", &s3_provider_imds}};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if (strcasecmp(fetch->profile.credential_source, sources[i].name) == 0)
            return s3_fetch_delegate(fetch, sources[i].provider);
    }
    return fail_role(fetch, "a credential_source that is neither Environment, EcsContainer nor Ec2InstanceMetadata");
}

/* Notes the role of the profile at hand. */
static enum s3_step note_role(struct s3_fetch *fetch) {
    const struct s3_profile *p = &fetch->profile;
    bool has_profile = is_set(p->source_profile), has_source = is_set(p->credential_source);
    if (is_set(p->mfa_serial))
        return fail_role(fetch, "mfa_serial: nobody is there to type a code; use a role without, or aws sso login");
    if (has_profile && has_source) return fail_role(fetch, "both source_profile and credential_source: give one");
    if (!has_profile && !has_source)
        return fail_role(fetch, "neither source_profile, credential_source nor web_identity_token_file: give one");
    if (fetch->role_count == S3_ROLES_MAX) return fail_role(fetch, "too many roles before it");
    s3_fetch_note(fetch, p->role.arn);
    fetch->roles[fetch->role_count] = p->role;
    (void)text_copy(fetch->role_profiles[fetch->role_count], S3_PROFILE_NAME_SIZE, p->name);
    fetch->role_count++;
    return S3_STEP_FOUND;
}

/* Reads the profile whose keys the role is assumed with. */
static enum s3_step go_to_source_profile(struct s3_fetch *fetch) {
    char name[S3_PROFILE_NAME_SIZE];
    (void)text_copy(name, sizeof name, fetch->profile.source_profile);
    for (size_t i = 0; i < fetch->role_count; i++) {
        if (strcmp(fetch->role_profiles[i], name) == 0)
            return fail_role(fetch, "a source_profile that leads back to it");
    }
    s3_profile_deinit(&fetch->profile);
    int rc = s3_profile_load(&fetch->profile, name, fetch->config->sources.environment, fetch->reason);
    text_copy_printable(fetch->reason, sizeof fetch->reason, fetch->reason);
    return rc == 0 ? S3_STEP_FOUND : S3_STEP_FAILED;
}

/* --- one profile after the other --- */

static bool assumes_role(const struct s3_profile *profile) {
    return is_set(profile->role.arn) && !is_set(profile->token_file);
}

/* The end of a path, which tells more than its beginning: the line names others, too. */
static void show_path(char out[PATH_SHOWN], const char *path, const char *otherwise) {
    size_t length = strlen(path);
    bool is_long = length >= PATH_SHOWN;
    (void)text_format(out, PATH_SHOWN, "%s%s", is_long ? "..." : "",
                      length == 0 ? otherwise : path + (is_long ? length - PATH_SHOWN + 4 : 0));
}

/* What the last profile has, which assumes no role with others' keys. */
static enum s3_step use(struct s3_fetch *fetch) {
    const struct s3_profile *p = &fetch->profile;
    s3_fetch_note(fetch, p->name);
    if (is_set(p->token_file)) s3_fetch_note(fetch, p->role.arn);
    if (is_set(p->token_file)) return s3_fetch_delegate(fetch, &s3_provider_web_identity);
    s3_fetch_note(fetch, p->sso.account);
    s3_fetch_note(fetch, p->sso.role);
    if (is_set(p->sso.account) || is_set(p->sso.role) || is_set(p->sso.session) || is_set(p->sso.start_url))
        return s3_fetch_delegate(fetch, &s3_provider_sso);
    if (has_keys(&p->of_credentials_file)) return take_keys(fetch);
    if (is_set(p->login_session)) {
        return s3_fetch_fail(fetch, S3_STEP_FAILED,
                             "no credentials: profile \"%.64s\" has login_session (aws login), which isn't supported: "
                             "give it keys, a role, SSO or a credential_process",
                             p->name);
    }
    if (is_set(p->credential_process)) return s3_fetch_delegate(fetch, &s3_provider_process);
    if (has_keys(&p->of_config_file)) return take_keys(fetch);
    if (fetch->role_count > 0) {
        return s3_fetch_fail(fetch, S3_STEP_FAILED, "no credentials: source_profile \"%.64s\" has none", p->name);
    }
    char credentials[PATH_SHOWN], config[PATH_SHOWN];
    show_path(credentials, p->credentials_path, "~/.aws/credentials (no home)");
    show_path(config, p->config_path, "~/.aws/config (no home)");
    return s3_fetch_pass(fetch, "no keys for \"%.40s\" in %s, %s", p->name, credentials, config);
}

static enum s3_step begin(struct s3_fetch *fetch) {
    const struct s3_profile *p = &fetch->profile;
    bool keys_win = false; /* over the role, in a source_profile */
    /* A service account's token goes before all but a role, as in the AWS CLI: a file left in an image mustn't hide it.
     */
    bool has_token = s3_fetch_variable(fetch, "AWS_WEB_IDENTITY_TOKEN_FILE") != NULL;
    if (has_token && !assumes_role(p) && !fetch->config->sources.profile_chosen)
        return s3_fetch_pass(fetch, "AWS_WEB_IDENTITY_TOKEN_FILE goes before it");
    while (assumes_role(p) && !keys_win) {
        enum s3_step step = note_role(fetch);
        if (step != S3_STEP_FOUND) return step;
        if (is_set(p->credential_source)) return from_source(fetch);
        bool has_any = has_keys(&p->of_credentials_file) || has_keys(&p->of_config_file);
        if (strcmp(p->source_profile, p->name) == 0 && has_any) break; /* its own keys */
        step = go_to_source_profile(fetch);
        if (step != S3_STEP_FOUND) return step;
        keys_win = has_keys(&p->of_credentials_file) || has_keys(&p->of_config_file);
    }
    return use(fetch);
}

const struct s3_provider s3_provider_profile = {.name = "profile", .begin = begin};

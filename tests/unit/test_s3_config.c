/* Where settings come from and which wins: options, environment, the AWS files. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "s3/config.h"
#include "s3/ini.h"

#define ENV_MAX 16

/* A home of its own, an environment of its own. */
struct fixture {
    char home[64];
    char *environment[ENV_MAX];
    size_t count;
    struct s3_options options;
    struct s3_config config;
    char reason[TEXT_REASON_SIZE];
};

static void set(struct fixture *f, const char *name, const char *value) {
    assert_true(f->count + 1 < ENV_MAX);
    assert_true(asprintf(&f->environment[f->count++], "%s=%s", name, value) > 0);
}

static void write_file(struct fixture *f, const char *name, const char *text) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", f->home, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    char path[128];
    if (f == NULL) return -1;
    strcpy(f->home, "/tmp/test-s3-config-XXXXXX");
    if (mkdtemp(f->home) == NULL) return -1;
    (void)snprintf(path, sizeof path, "%s/.aws", f->home);
    if (mkdir(path, 0700) != 0) return -1;
    set(f, "HOME", f->home);
    set(f, "AWS_EC2_METADATA_DISABLED", "true");
    f->options.bucket = "b.c";
    f->options.endpoint_url = "http://127.0.0.1:7480";
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < f->count; i++) free(f->environment[i]);
    int rc = nftw(f->home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return rc;
}

static int load(struct fixture *f) { return s3_config_load(&f->config, &f->options, f->environment, f->reason); }

static void set_keys(struct fixture *f) {
    set(f, "AWS_ACCESS_KEY_ID", "ENVKEY");
    set(f, "AWS_SECRET_ACCESS_KEY", "envsecret");
}

/* Loads, and expects an error whose line holds words. */
static void assert_refused(struct fixture *f, int rc, const char *words) {
    assert_int_equal(load(f), rc);
    if (strstr(f->reason, words) == NULL) fail_msg("\"%s\" isn't in: %s", words, f->reason);
    assert_null(strchr(f->reason, '\n'));
    assert_string_equal(f->config.credentials.secret_key, "");
}

static void the_environment_is_enough(void **state) {
    struct fixture *f = *state;
    set_keys(f);
    set(f, "AWS_SESSION_TOKEN", "tok/en==");
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.bucket, "b.c");
    assert_string_equal(f->config.endpoint_url, "http://127.0.0.1:7480");
    assert_string_equal(f->config.credentials.access_key, "ENVKEY");
    assert_string_equal(f->config.credentials.secret_key, "envsecret");
    assert_string_equal(f->config.credentials.session_token, "tok/en==");
    assert_string_equal(f->config.region, "us-east-1"); /* a store other than AWS doesn't ask */
    assert_int_equal(f->config.addressing, S3_ADDRESSING_AUTO);
    assert_string_equal(f->config.ca_bundle, "");
}

static const char files_config[] =
    "[default]\nregion = eu-west-1\n\n[profile  dev ]\nregion=eu-west-2 ; London\nendpoint_url = "
    "http://10.0.0.1:9000/\n"
    "s3 =\n    addressing_style = virtual\n    max_concurrent_requests = 20\nca_bundle=/etc/hostname\n"
    "aws_access_key_id = CONFIGKEY\naws_secret_access_key = configsecret\n[profile only]\nregion = x-1\n"
    "[services mine]\ns3 =\n  endpoint_url = http://10.0.0.2:1\n[profile svc]\nservices = mine\nendpoint_url = "
    "http://10.0.0.3:1\n";
static const char files_credentials[] =
    "# keys\r\n[default]\r\naws_access_key_id = DEFAULTKEY\r\naws_secret_access_key = default+/secret=\r\n"
    "[dev]\naws_access_key_id=DEVKEY\naws_secret_access_key=devsecret\naws_session_token=devtoken\n";

static void use_files(struct fixture *f) {
    write_file(f, ".aws/config", files_config);
    write_file(f, ".aws/credentials", files_credentials);
}

static void the_default_profile_gives_what_nobody_else_says(void **state) {
    struct fixture *f = *state;
    use_files(f);
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.credentials.access_key, "DEFAULTKEY");
    assert_string_equal(f->config.credentials.secret_key, "default+/secret=");
    assert_string_equal(f->config.region, "eu-west-1");
}

static void aws_profile_chooses_a_profile_and_the_environments_keys_still_win(void **state) {
    struct fixture *f = *state;
    use_files(f);
    f->options.endpoint_url = NULL;
    set(f, "AWS_PROFILE", "dev");
    f->options.addressing_style = "path";
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.credentials.access_key, "DEVKEY");
    assert_string_equal(f->config.credentials.session_token, "devtoken");
    assert_string_equal(f->config.region, "eu-west-2");
    assert_string_equal(f->config.endpoint_url, "http://10.0.0.1:9000/");
    assert_string_equal(f->config.ca_bundle, "/etc/hostname");
    assert_int_equal(f->config.addressing, S3_ADDRESSING_PATH);
    set_keys(f);
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.credentials.access_key, "ENVKEY");
    assert_string_equal(f->config.credentials.session_token, ""); /* nothing of another pair */
}

static void a_profile_chosen_by_option_wins_over_the_environments_keys(void **state) {
    struct fixture *f = *state;
    use_files(f);
    set_keys(f);
    set(f, "AWS_PROFILE", "nowhere");
    f->options.profile = "dev";
    f->options.addressing_style = "auto";
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.credentials.access_key, "DEVKEY");
}

static void keys_in_the_config_file_serve_where_the_credentials_file_has_none(void **state) {
    struct fixture *f = *state;
    write_file(f, ".aws/config", files_config);
    f->options.profile = "dev";
    f->options.addressing_style = "auto";
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.credentials.access_key, "CONFIGKEY");
}

static void the_files_may_be_elsewhere(void **state) {
    struct fixture *f = *state;
    char path[128];
    write_file(f, "here", "[default]\naws_access_key_id=HERE\naws_secret_access_key=s\n");
    (void)snprintf(path, sizeof path, "%s/here", f->home);
    set(f, "AWS_SHARED_CREDENTIALS_FILE", path);
    set(f, "AWS_CONFIG_FILE", "~/there");
    write_file(f, "there", "[profile default]\nregion=moon-1\n");
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.credentials.access_key, "HERE");
    assert_string_equal(f->config.region, "moon-1");
}

static void options_win_over_variables_and_these_over_files(void **state) {
    struct fixture *f = *state;
    use_files(f);
    set(f, "AWS_DEFAULT_REGION", "default-variable-1");
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.region, "default-variable-1");
    set(f, "AWS_REGION", "variable-1");
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.region, "variable-1");
    f->options.region = "option-1";
    f->options.endpoint_url = NULL;
    set(f, "AWS_ENDPOINT_URL", "http://all:1");
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.region, "option-1");
    assert_string_equal(f->config.endpoint_url, "http://all:1");
    set(f, "AWS_ENDPOINT_URL_S3", "http://s3only:1");
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.endpoint_url, "http://s3only:1");
    set(f, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True");
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.endpoint_url, "");
    f->options.endpoint_url = "https://option";
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.endpoint_url, "https://option");
}

static void a_services_section_names_s3s_endpoint(void **state) {
    struct fixture *f = *state;
    use_files(f);
    set_keys(f);
    set(f, "AWS_PROFILE", "svc");
    f->options.endpoint_url = NULL;
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.endpoint_url, "http://10.0.0.2:1");
}

static void empty_variables_are_not_given(void **state) {
    struct fixture *f = *state;
    use_files(f);
    set(f, "AWS_ACCESS_KEY_ID", "");
    set(f, "AWS_SECRET_ACCESS_KEY", "");
    set(f, "AWS_PROFILE", "");
    set(f, "AWS_REGION", "");
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.credentials.access_key, "DEFAULTKEY");
    assert_string_equal(f->config.region, "eu-west-1");
}

static void half_a_pair_is_an_error(void **state) {
    struct fixture *f = *state;
    use_files(f);
    set(f, "AWS_ACCESS_KEY_ID", "ENVKEY");
    assert_refused(f, -EINVAL, "half a key pair: the environment has the access key and lacks the secret key");
}

static void half_a_pair_in_a_file_isnt_completed_from_the_other(void **state) {
    struct fixture *f = *state;
    write_file(f, ".aws/config", files_config);
    write_file(f, ".aws/credentials", "[dev]\naws_secret_access_key=s\n");
    f->options.profile = "dev";
    f->options.addressing_style = "auto";
    assert_refused(f, -EINVAL, "half a key pair");
}

static void no_keys_anywhere_says_where_they_were_looked_for(void **state) {
    struct fixture *f = *state;
    assert_refused(f, -ENOENT, "AWS_ACCESS_KEY_ID");
    assert_non_null(strstr(f->reason, "/.aws/credentials"));
    assert_non_null(strstr(f->reason, "for \"default\""));
    free(f->environment[0]); /* HOME */
    f->environment[0] = f->environment[1];
    f->environment[1] = NULL;
    f->count = 1;
    assert_refused(f, -ENOENT, "no HOME");
}

static void a_profile_that_signs_in_otherwise_is_named_with_its_way(void **state) {
    struct fixture *f = *state;
    write_file(f, ".aws/config", "[profile sso]\nsso_session = corp\nregion = eu-west-1\n");
    f->options.profile = "sso";
    assert_refused(f, -EINVAL, "signs in by SSO, and the config file has no section");
}

static void a_profile_that_isnt_there_is_an_error(void **state) {
    struct fixture *f = *state;
    use_files(f);
    set_keys(f);
    set(f, "AWS_PROFILE", "nowhere");
    assert_refused(f, -EINVAL, "profile \"nowhere\"");
}

static void a_key_that_could_break_a_header_is_refused_unseen(void **state) {
    struct fixture *f = *state;
    set(f, "AWS_ACCESS_KEY_ID", "ENVKEY");
    set(f, "AWS_SECRET_ACCESS_KEY", "hush hush\r\nx-evil: 1");
    assert_refused(f, -EINVAL, "the secret key of the environment holds");
    assert_null(strstr(f->reason, "hush"));
}

static void no_region_and_no_endpoint_is_an_error(void **state) {
    struct fixture *f = *state;
    set_keys(f);
    f->options.endpoint_url = NULL;
    assert_refused(f, -EINVAL, "--region");
}

static void nonsense_is_refused_with_its_name(void **state) {
    struct fixture *f = *state;
    set_keys(f);
    struct s3_options good = f->options;
    static const char *const buckets[] = {"", "a/b", "..", "a b", "b?x"};
    for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++) {
        f->options.bucket = buckets[i];
        assert_refused(f, -EINVAL, "--bucket");
    }
    f->options = good;
    f->options.region = "evil.example/";
    assert_refused(f, -EINVAL, "--region");
    f->options = good;
    f->options.addressing_style = "sideways";
    assert_refused(f, -EINVAL, "--addressing-style");
    f->options = good;
    f->options.ca_bundle = "/nonexistent/ca.pem";
    assert_refused(f, -ENOENT, "--ca-bundle");
    static const char *const urls[] = {"ftp://x",     "x",           "http://",       "http://u:p@h/",
                                       "http://h/?q", "http://h/#f", "http://h:99999"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        f->options = good;
        f->options.endpoint_url = urls[i];
        assert_refused(f, -EINVAL, "--endpoint-url");
        assert_null(strstr(f->reason, "u:p"));
    }
}

static void values_too_long_are_refused_not_cut(void **state) {
    struct fixture *f = *state;
    static char text[6000];
    memset(text, 'k', sizeof text - 1);
    set(f, "AWS_ACCESS_KEY_ID", "ENVKEY");
    set(f, "AWS_SECRET_ACCESS_KEY", text);
    assert_refused(f, -EINVAL, "AWS_SECRET_ACCESS_KEY is longer");
    char file[7000];
    (void)snprintf(file, sizeof file, "[default]\naws_secret_access_key=%s\n", text);
    write_file(f, ".aws/credentials", file);
    assert_refused(f, -EMSGSIZE, "/.aws/credentials");
}

static void secrets_are_wiped(void **state) {
    struct fixture *f = *state;
    set_keys(f);
    assert_int_equal(load(f), 0);
    s3_config_deinit(&f->config);
    static const struct s3_credentials empty;
    assert_memory_equal(&f->config.credentials, &empty, sizeof empty);
}

static int collect(void *context, const char *section, const char *name, const char *value) {
    char *all = context;
    size_t length = strlen(all);
    (void)snprintf(all + length, 1024 - length, "%s|%s|%s\n", section, name, value);
    return 0;
}

static void ini_files_are_read_as_the_aws_tools_do(void **state) {
    (void)state;
    static const char text[] = "\xef\xbb\xbfstray = 1\n; c\n[ a\t b ] # c\nX = 1 # c\n y=a#b;c\n =none\nnot a "
                               "setting\nouter =\n  In = 2\n  \nplain = \nnext = 3"
                               "\n[broken\nz = 1\n[last]\nend = 1";
    char all[1024] = "";
    assert_int_equal(ini_parse(text, sizeof text - 1, collect, all), 0);
    assert_string_equal(
        all, "a b||\na b|x|1\na b|y|a#b;c\na b|outer|\na b|outer.in|2\na b|plain|\na b|next|3\nlast||\nlast|end|1\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(the_environment_is_enough),
        CASE(the_default_profile_gives_what_nobody_else_says),
        CASE(aws_profile_chooses_a_profile_and_the_environments_keys_still_win),
        CASE(a_profile_chosen_by_option_wins_over_the_environments_keys),
        CASE(keys_in_the_config_file_serve_where_the_credentials_file_has_none),
        CASE(the_files_may_be_elsewhere),
        CASE(options_win_over_variables_and_these_over_files),
        CASE(a_services_section_names_s3s_endpoint),
        CASE(empty_variables_are_not_given),
        CASE(half_a_pair_is_an_error),
        CASE(half_a_pair_in_a_file_isnt_completed_from_the_other),
        CASE(no_keys_anywhere_says_where_they_were_looked_for),
        CASE(a_profile_that_signs_in_otherwise_is_named_with_its_way),
        CASE(a_profile_that_isnt_there_is_an_error),
        CASE(a_key_that_could_break_a_header_is_refused_unseen),
        CASE(no_region_and_no_endpoint_is_an_error),
        CASE(nonsense_is_refused_with_its_name),
        CASE(values_too_long_are_refused_not_cut),
        CASE(secrets_are_wiped),
        CASE(ini_files_are_read_as_the_aws_tools_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

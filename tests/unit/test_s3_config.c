/* Where settings come from and which wins: options, environment, the AWS files. */
#include <errno.h>
#include <ftw.h>
#include <pwd.h>
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
#include "s3/path.h"

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
    "[default]\nregion = eu-west-1\n\n[profile  dev ]\nregion=eu-west-2\n; London\nendpoint_url = "
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

static void paths_are_expanded_as_the_aws_tools_do(void **state) {
    struct fixture *f = *state;
    write_file(f, "here", "[default]\naws_access_key_id=HERE\naws_secret_access_key=s\n");
    set(f, "AWS_CONFIG_FILE", "/nonexistent");
    set(f, "NAME", "her");
    static const char *const paths[] = {"~/here", "$HOME/here", "${HOME}/here", "$HOME/${NAME}e"};
    size_t count = f->count;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        set(f, "AWS_SHARED_CREDENTIALS_FILE", paths[i]);
        if (load(f) != 0) fail_msg("%s: %s", paths[i], f->reason);
        assert_string_equal(f->config.credentials.access_key, "HERE");
        free(f->environment[--f->count]);
        f->environment[count] = NULL;
    }
    char path[S3_PATH_SIZE];
    char *const none[] = {NULL};
    static const char *const stay[] = {"/a/$UNKNOWN/${UNKNOWN}/$", "a~", "$ {", "${HOME", "~no-such-user-here/x"};
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++) {
        assert_int_equal(s3_path_expand(path, stay[i], none), 0);
        assert_string_equal(path, stay[i]);
    }
    const struct passwd *us = getpwuid(getuid()), *root = getpwnam("root");
    assert_int_equal(s3_path_home(path, none), 0); /* no HOME: the password database's */
    assert_string_equal(path, us != NULL ? us->pw_dir : "");
    if (root == NULL) return;
    char expected[S3_PATH_SIZE];
    (void)snprintf(expected, sizeof expected, "%s/x", root->pw_dir);
    assert_int_equal(s3_path_expand(path, "~root/x", none), 0);
    assert_string_equal(path, expected);
}

static void older_names_are_read_and_go_first(void **state) {
    struct fixture *f = *state;
    use_files(f);
    set(f, "AWS_PROFILE", "nowhere");
    set(f, "AWS_DEFAULT_PROFILE", "svc");
    set_keys(f);
    set(f, "AWS_SESSION_TOKEN", "newer");
    set(f, "AWS_SECURITY_TOKEN", "older");
    f->options.endpoint_url = NULL;
    assert_int_equal(load(f), 0);
    assert_string_equal(f->config.endpoint_url, "http://10.0.0.2:1");
    assert_string_equal(f->config.credentials.session_token, "older");
}

static void ways_to_keys_that_arent_supported_are_refused_by_name(void **state) {
    struct fixture *f = *state;
    write_file(f, "boto", "[Credentials]\naws_access_key_id = a\naws_secret_access_key = b\n");
    write_file(f, "gsutil", "[Credentials]\ngs_oauth2_refresh_token = a\n");
    set(f, "AWS_EC2_METADATA_DISABLED", "true");
    write_file(f, ".aws/config", "[default]\nlogin_session = arn:aws:iam::1:user/me\n");
    assert_refused(f, -EINVAL, "login_session");
    write_file(f, ".aws/config", "[default]\nrole_arn = r\nsource_profile = b\n[profile b]\nlogin_session = x\n");
    assert_refused(f, -EINVAL, "login_session");
    write_file(f, ".aws/config", "");
    set(f, "BOTO_CONFIG", "~/gsutil");
    assert_refused(f, -ENOENT, "switched off");
    free(f->environment[--f->count]);
    set(f, "BOTO_CONFIG", "~/boto");
    assert_refused(f, -EINVAL, "boto");
    set(f, "AWS_CREDENTIAL_FILE", "/etc/keys");
    assert_refused(f, -EINVAL, "AWS_CREDENTIAL_FILE");
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

/* tests/integration/test_ini.py has botocore read the same files; this is what a test without it can hold. */
static void ini_files_are_read_as_the_aws_tools_do(void **state) {
    (void)state;
    static const char text[] = "\xef\xbb\xbf[ a ] # c\r\nX = 1 # c\n  y=a#b;c\n\n  more\nouter =\n  In = 2\n  x=\n"
                               "plain:\n# c\n[DEFAULT]\nx = 7\nelse = 8\n[last]\n  end = 1";
    char out[8];
    struct ini ini;
    ini_init(&ini);
    assert_int_equal(ini_parse(&ini, text, sizeof text - 1), 0);
    size_t a = ini_next_section(&ini, INI_NONE), last = ini_next_section(&ini, a);
    assert_string_equal(ini.entries[a].name, " a ");
    assert_int_equal(last, ini_find_section(&ini, "last"));
    assert_int_equal(ini_next_section(&ini, last), INI_NONE);
    assert_string_equal(ini_get(&ini, a, "x"), "1 # c\ny=a#b;c\n\nmore");
    assert_string_equal(ini_get(&ini, a, "plain"), "");
    assert_string_equal(ini_get(&ini, a, "else"), "8");
    assert_string_equal(ini_get(&ini, last, "end"), "1");
    assert_string_equal(ini_get(&ini, last, "x"), "7");
    assert_null(ini_get(&ini, last, "y"));
    assert_null(ini_get(&ini, INI_NONE, "x"));
    assert_int_equal(ini_get_nested(ini_get(&ini, a, "outer"), "In", out, sizeof out), 0);
    assert_string_equal(out, "2");
    assert_int_equal(ini_get_nested(ini_get(&ini, a, "outer"), "in", out, sizeof out), -ENOENT);
    assert_int_equal(ini_get_nested(ini_get(&ini, a, "outer"), "In", out, 1), -ENOSPC);
    assert_int_equal(ini_get_nested("In = 2", "In", out, sizeof out), -ENOENT);
    ini_deinit(&ini);
}

static void an_ini_file_that_cant_be_parsed_says_where(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t line;
    } cases[] = {
        {"stray = 1\n[a]\n", 1},     {"# c\r\n\r\n[a\r\nb = 1", 3},
        {"[a]\nnothing\n", 2},       {"[a]\n= 1\n", 2},
        {"[a]\nx = 1\nX : 2\n", 3},  {"[a]\n[b]\r[a]\n", 3},
        {"[a]\nx =\n  y\n[b]\n", 4}, {"[DEFAULT]\nx=1\n[DEFAULT]\nx=1\n", 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ini ini;
        ini_init(&ini);
        assert_int_equal(ini_parse(&ini, cases[i].text, strlen(cases[i].text)), -EILSEQ);
        if (ini.line != cases[i].line) fail_msg("line %zu (%s) in case %zu", ini.line, ini.wrong, i);
        ini_deinit(&ini);
    }
}

static void a_sections_name_is_read_as_a_shell_would(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool is_second;
    } cases[] = {
        {"profile a b", false},     {"profile \"a b\"", true}, {"profile 'a b'", true},    {"profile a\\ b", true},
        {"profile 'a\" b'", false}, {"profile a' 'b", true},   {"profile \"a b", false},   {"profile \"a\\ b\"", false},
        {" x  'a b' ", true},       {"'a b'", false},          {"profile 'a b' c", false}, {"profile 'a b'\\", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (ini_is_second_word(cases[i].name, "a b") != cases[i].is_second) fail_msg("%s", cases[i].name);
    }
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
        CASE(paths_are_expanded_as_the_aws_tools_do),
        CASE(older_names_are_read_and_go_first),
        CASE(ways_to_keys_that_arent_supported_are_refused_by_name),
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
        CASE(an_ini_file_that_cant_be_parsed_says_where),
        CASE(a_sections_name_is_read_as_a_shell_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The AWS tools' files and variables: whatever they hold, they give a complete configuration or a reason, and nothing
 * of a secret stays behind.
 *
 * An input is lines NAME=VALUE (the environment), a zero byte, the config file, a zero byte, the credentials file. The
 * variables OPTION_PROFILE and OPTION_ENDPOINT stand for options. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/text.h"
#include "fuzz.h"
#include "s3/config.h"
#include "s3/endpoint.h"
#include "s3/ini.h"
#include "s3/response.h"

#define VARIABLES_MOST 16
#define PATH_SIZE      64

/* A file that exists for one input. */
struct file {
    int fd;
    char variable[PATH_SIZE]; /* "AWS_CONFIG_FILE=/proc/self/fd/3" */
};

static void file_init(struct file *file, const char *variable, struct fuzz_input *input) {
    size_t length;
    char *content = fuzz_block(input, '\0', &length);
    file->fd = memfd_create(variable, MFD_CLOEXEC);
    CHECK(file->fd >= 0 && write(file->fd, content, length) == (ssize_t)length, "a file can be written");
    (void)snprintf(file->variable, sizeof file->variable, "%s=/proc/self/fd/%d", variable, file->fd);
    free(content);
}

static void check_ini(const struct fuzz_input *input) {
    struct fuzz_input all = *input;
    struct ini ini;
    size_t length;
    char *text = fuzz_block(&all, '\0', &length);
    ini_init(&ini);
    int rc = ini_parse(&ini, text, length);
    CHECK(rc <= 0, "parsing says 0 or -errno");
    CHECK((rc == -EILSEQ) == (ini.wrong != NULL) && (ini.wrong == NULL || ini.line > 0), "what is wrong has a place");
    for (size_t i = 0; i < ini.count && rc == 0; i++) {
        const struct ini_entry *entry = &ini.entries[i];
        CHECK(strpbrk(entry->name, "\r\n") == NULL, "a name stands in one line");
        if (entry->value == NULL || entry->section == INI_NONE) continue;
        CHECK(strpbrk(entry->name, "=:") == NULL && strchr(entry->value, '\r') == NULL, "a name ends where it ends");
        CHECK(ini_get(&ini, entry->section, entry->name) == entry->value, "a setting is found in its section");
    }
    ini_deinit(&ini);
    free(text);
}

static void check_secrets_gone(const struct s3_config *config) {
    const char *bytes = (const char *)&config->credentials;
    for (size_t i = 0; i < sizeof config->credentials; i++) CHECK(bytes[i] == '\0', "no secret stays in memory");
}

static void check_config(const struct s3_config *config) {
    char reason[TEXT_REASON_SIZE];
    struct s3_endpoint endpoint;
    const struct s3_credentials *c = &config->credentials;
    CHECK(strcmp(config->bucket, "bucket") == 0, "the bucket is the one given");
    CHECK((c->access_key[0] != '\0') == (c->secret_key[0] != '\0'), "keys come in pairs");
    CHECK(fuzz_is_printable(c->access_key) && fuzz_is_printable(c->session_token), "keys can be sent in headers");
    const char *region = config->region[0] != '\0' ? config->region : "us-east-1"; /* that of the instance, perhaps */
    CHECK(s3_region_is_valid(region), "a region can be part of a host's name");
    CHECK(s3_endpoint_resolve(&endpoint, config, region, reason) == 0, "the endpoint that was checked works");
}

static void load(char *const *environment) {
    struct s3_config config;
    char reason[TEXT_REASON_SIZE] = "";
    struct s3_options options = {.bucket = "bucket",
                                 .profile = environment_get(environment, "OPTION_PROFILE"),
                                 .endpoint_url = environment_get(environment, "OPTION_ENDPOINT")};
    int rc = s3_config_load(&config, &options, environment, reason);
    CHECK(rc <= 0 && (rc < 0) == (reason[0] != '\0'), "trouble has a reason, and nothing else has");
    CHECK(fuzz_is_printable(reason), "a reason is one printable line");
    if (rc == 0) check_config(&config);
    s3_config_deinit(&config);
    check_secrets_gone(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    char *variables[VARIABLES_MOST + 3];
    size_t count = 0;
    check_ini(&input);
    while (input.left > 0 && count < VARIABLES_MOST && *input.next != '\0') {
        char *variable = fuzz_text(&input, '\n');
        bool is_path = strncmp(variable, "AWS_CA_BUNDLE", 13) == 0 || strncmp(variable, "HOME", 4) == 0 ||
                       strstr(variable, "_FILE=") != NULL; /* no file of this machine's is part of an input */
        if (is_path)
            free(variable);
        else
            variables[count++] = variable;
    }
    (void)fuzz_byte(&input);
    struct file config, credentials;
    file_init(&config, "AWS_CONFIG_FILE", &input);
    file_init(&credentials, "AWS_SHARED_CREDENTIALS_FILE", &input);
    variables[count] = config.variable;
    variables[count + 1] = credentials.variable;
    variables[count + 2] = NULL;
    load(variables);
    (void)close(config.fd);
    (void)close(credentials.fd);
    for (size_t i = 0; i < count; i++) free(variables[i]);
    return 0;
}

/* Whoever gives keys, whatever they answer: a fetch asks only where it may, ends with a whole pair or one line of
 * reason, and leaves nothing behind.
 *
 * An input is lines NAME=VALUE (the environment), a zero byte, the config file, a zero byte, then replies: a byte that
 * tells how it ended, and the body up to a zero byte. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "fuzz.h"
#include "s3/credentials.h"

#define VARIABLES_MOST 16
#define REPLIES_MOST   64
#define NOW_MS         INT64_C(1795471301000)

static const int statuses[] = {200, 200, 200, 200, 302, 400, 401, 403, 404, 405, 429, 500, 503, 0};

/* No keys are asked of, or tokens sent to, anybody but over https, on this machine or at a metadata address; services
 * with a URL of their own are the user's choice. */
static void check_errand(const struct s3_fetch *fetch) {
    const struct s3_errand *errand = &fetch->errand;
    CHECK(errand->kind != S3_ERRAND_NONE, "who asks says what");
    CHECK(errand->url.length > 0 && errand->timeout_ms > 0, "an errand is whole");
    if (errand->kind != S3_ERRAND_HTTP) return;
    for (const struct curl_slist *line = errand->headers; line != NULL; line = line->next) {
        CHECK(strpbrk(line->data, "\r\n") == NULL, "a header is one line");
    }
    if (fetch->provider != &s3_provider_container) return;
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL;
    CHECK(url != NULL && curl_url_set(url, CURLUPART_URL, errand->url.data, 0) == CURLUE_OK, "an agent's URL is one");
    CHECK(curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK, "it has a scheme");
    CHECK(curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK, "it has a host");
    bool local = strncmp(host, "127.", 4) == 0 || strcasecmp(host, "localhost") == 0 || host[0] == '[' ||
                 strcmp(host, "169.254.170.2") == 0 || strcmp(host, "169.254.170.23") == 0;
    CHECK(strcmp(scheme, "https") == 0 || local, "an agent is asked where nobody else listens");
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
}

static void check_end(const struct s3_fetch *fetch, enum s3_step step) {
    const struct s3_credentials *found = &fetch->found;
    CHECK(step != S3_STEP_ABSENT, "a fetch has an end");
    if (step == S3_STEP_FOUND) {
        CHECK(found->access_key[0] != '\0' && found->secret_key[0] != '\0', "keys come in pairs");
        CHECK(fuzz_is_printable(found->access_key) && fuzz_is_printable(found->session_token), "keys fit in headers");
        CHECK(fuzz_is_printable(found->origin) && found->origin[0] != '\0', "who gave them has a name");
        CHECK(found->expiry_ms >= 0, "they expire in our time");
        CHECK(fetch->role_count == 0, "every role was assumed");
    } else {
        CHECK(fetch->reason[0] != '\0' && fuzz_is_printable(fetch->reason), "trouble is one printable line");
    }
}

static void check_gone(const struct s3_credentials *credentials) {
    const char *bytes = (const char *)credentials;
    for (size_t i = 0; i < sizeof *credentials; i++) CHECK(bytes[i] == '\0', "no secret stays in memory");
}

static void fill_reply(struct s3_reply *reply, struct fuzz_input *input) {
    size_t length, kind = fuzz_byte(input);
    s3_reply_init(reply);
    reply->status = statuses[kind % (sizeof statuses / sizeof *statuses)];
    reply->failed = kind >= 240;
    reply->timed_out = kind >= 248;
    reply->too_large = kind >= 230 && kind < 240;
    char *body = fuzz_block(input, '\0', &length);
    CHECK(reply->too_large || buffer_append(&reply->body, body, length) <= 0, "a body is taken or refused");
    if (reply->failed) text_copy_printable(reply->trouble, sizeof reply->trouble, body);
    free(body);
}

static void run(char *const *environment, bool region, struct fuzz_input *input) {
    struct s3_config config = {.bucket = "bucket", .sources = {.environment = environment}};
    struct s3_fetch *fetch = calloc(1, sizeof *fetch);
    CHECK(fetch != NULL, "there is memory");
    if (region) (void)text_copy(config.region, sizeof config.region, "eu-west-1");
    s3_fetch_init(fetch, &config);
    enum s3_step step = s3_fetch_begin(fetch, NULL, NOW_MS);
    int replies = 0;
    while (step == S3_STEP_ASK && replies++ < REPLIES_MOST) {
        struct s3_reply reply;
        check_errand(fetch);
        fill_reply(&reply, input);
        step = s3_fetch_answered(fetch, &reply, NOW_MS);
        s3_reply_deinit(&reply);
    }
    CHECK(step != S3_STEP_ASK, "nobody is asked for ever");
    check_end(fetch, step);
    s3_fetch_deinit(fetch);
    check_gone(&fetch->found);
    free(fetch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    char *variables[VARIABLES_MOST + 2], config[64];
    size_t count = 0, length;
    bool region = fuzz_byte(&input) % 2 == 0;
    while (input.left > 0 && count < VARIABLES_MOST && *input.next != '\0') {
        char *variable = fuzz_text(&input, '\n');
        bool is_path = strncmp(variable, "HOME", 4) == 0 || strstr(variable, "_CONFIG_FILE=") != NULL ||
                       strstr(variable, "_CREDENTIALS_FILE=") != NULL;
        if (is_path)
            free(variable);
        else
            variables[count++] = variable;
    }
    (void)fuzz_byte(&input);
    char *text = fuzz_block(&input, '\0', &length);
    int fd = memfd_create("config", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, text, length) == (ssize_t)length, "a file can be written");
    (void)snprintf(config, sizeof config, "AWS_CONFIG_FILE=/proc/self/fd/%d", fd);
    variables[count] = config;
    variables[count + 1] = NULL;
    run(variables, region, &input);
    (void)close(fd);
    free(text);
    for (size_t i = 0; i < count; i++) free(variables[i]);
    return 0;
}

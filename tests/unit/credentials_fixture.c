/* The fixture of credential providers; see credentials_fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "credentials_fixture.h"

void set(struct fixture *f, const char *name, const char *value) {
    assert_true(f->count + 1 < ENV_MAX);
    assert_true(asprintf(&f->environment[f->count++], "%s=%s", name, value) > 0);
}

void configure(struct fixture *f, const char *text) {
    assert_int_equal(ftruncate(f->file, 0), 0);
    assert_int_equal(pwrite(f->file, text, strlen(text), 0), (ssize_t)strlen(text));
}

int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    char path[64];
    if (f == NULL) return -1;
    f->file = memfd_create("config", MFD_CLOEXEC);
    if (f->file < 0) return -1;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", f->file);
    set(f, "AWS_CONFIG_FILE", path);
    set(f, "AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials");
    f->config.sources.environment = f->environment;
    (void)text_copy(f->config.region, sizeof f->config.region, "eu-west-1");
    s3_fetch_init(&f->fetch, &f->config);
    s3_reply_init(&f->reply);
    *state = f;
    return 0;
}

int teardown(void **state) {
    struct fixture *f = *state;
    s3_fetch_deinit(&f->fetch);
    s3_reply_deinit(&f->reply);
    for (size_t i = 0; i < f->count; i++) free(f->environment[i]);
    (void)close(f->file);
    free(f);
    return 0;
}

void assert_asks(struct fixture *f, const char *method, const char *url) {
    assert_int_equal(f->fetch.errand.kind, S3_ERRAND_HTTP);
    assert_string_equal(f->fetch.errand.method, method);
    assert_string_equal(f->fetch.errand.url.data, url);
}

void begin(struct fixture *f, enum s3_step expected) {
    enum s3_step step = s3_fetch_begin(&f->fetch, NULL, NOW_MS);
    if (step != expected) fail_msg("%d: %s", (int)step, f->fetch.reason);
}

void answer(struct fixture *f, int status, const char *body, enum s3_step expected) {
    s3_reply_deinit(&f->reply);
    f->reply.status = status;
    assert_int_equal(buffer_append_text(&f->reply.body, body), 0);
    enum s3_step step = s3_fetch_answered(&f->fetch, &f->reply, NOW_MS);
    if (step != expected) fail_msg("%d: %s", (int)step, f->fetch.reason);
}

void assert_reason(const struct fixture *f, const char *words) {
    if (strstr(f->fetch.reason, words) == NULL) fail_msg("\"%s\" isn't in: %s", words, f->fetch.reason);
}

const char *header(const struct fixture *f, const char *name) {
    size_t length = strlen(name);
    for (const struct curl_slist *line = f->fetch.errand.headers; line != NULL; line = line->next) {
        if (strncmp(line->data, name, length) == 0 && line->data[length] == ':') return line->data + length + 2;
    }
    return NULL;
}

/* Carrying out errands; see courier.h. */
#include "s3/courier.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "s3/certificate.h"
#include "s3/handle.h"

static size_t on_body(char *bytes, size_t size, size_t count, void *data) {
    struct s3_reply *reply = data;
    int rc = buffer_append(&reply->body, bytes, size * count);
    reply->too_large = rc == -EMSGSIZE;
    return rc == 0 ? size * count : 0;
}

static bool configure(struct s3_courier *courier, const struct s3_config *config) {
    CURL *easy = courier->easy;
    CURLcode rc = s3_handle_configure(easy, config->ca_bundle) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_PRIVATE, courier);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, courier->error);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_WRITEDATA, &courier->reply);
    return rc == CURLE_OK;
}

int s3_courier_init(struct s3_courier *courier, CURLM *multi, const struct s3_config *config) {
    *courier = (struct s3_courier){.multi = multi, .easy = curl_easy_init()};
    s3_command_init(&courier->command);
    s3_reply_init(&courier->reply);
    if (courier->easy == NULL) return -ENOMEM;
    if (configure(courier, config)) return 0;
    s3_courier_deinit(courier);
    return -ENOTSUP;
}

void s3_courier_deinit(struct s3_courier *courier) {
    if (courier->easy == NULL) return;
    s3_courier_cancel(courier);
    curl_easy_cleanup(courier->easy);
    courier->easy = NULL;
    s3_reply_deinit(&courier->reply);
}

static bool set_request(CURL *easy, const struct s3_errand *errand) {
    /* HTTPGET first: it takes back what POSTFIELDS of an earlier errand had set. */
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (rc == CURLE_OK && strcmp(errand->method, "GET") != 0) {
        rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, errand->body.data != NULL ? errand->body.data : "");
        if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)errand->body.length);
    }
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, errand->method);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_URL, errand->url.data);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, errand->headers);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_NOPROXY, errand->direct ? "*" : NULL);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)errand->timeout_ms);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)errand->timeout_ms);
    return rc == CURLE_OK;
}

static void conclude_failed(struct s3_courier *courier, const char *trouble) {
    courier->reply.failed = true;
    text_copy_printable(courier->reply.trouble, sizeof courier->reply.trouble, trouble);
    courier->done = true;
}

void s3_courier_start(struct s3_courier *courier, const struct s3_errand *errand, const struct s3_sources *sources) {
    s3_courier_cancel(courier);
    courier->deadline_ns = clock_now().wait_ns + errand->timeout_ms * NS_PER_MS;
    if (errand->kind == S3_ERRAND_COMMAND) {
        int rc = s3_command_start(&courier->command, errand->url.data, sources->environment, &sources->priority);
        if (rc != 0) conclude_failed(courier, strerror(-rc));
        return;
    }
    courier->error[0] = '\0';
    if (!set_request(courier->easy, errand) || curl_multi_add_handle(courier->multi, courier->easy) != CURLM_OK) {
        conclude_failed(courier, "it can't be asked: out of memory");
        return;
    }
    courier->busy = true;
}

void s3_courier_cancel(struct s3_courier *courier) {
    if (courier->busy) (void)curl_multi_remove_handle(courier->multi, courier->easy);
    courier->busy = courier->done = false;
    s3_command_cancel(&courier->command);
    s3_reply_deinit(&courier->reply);
}

void s3_courier_finish(struct s3_courier *courier, CURLcode code) {
    struct s3_reply *reply = &courier->reply;
    long status = 0;
    if (!courier->busy) return;
    (void)curl_easy_getinfo(courier->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_multi_remove_handle(courier->multi, courier->easy);
    courier->busy = false;
    courier->done = true;
    reply->status = (int)status;
    if (reply->too_large) buffer_clear(&reply->body);
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && reply->too_large)) return;
    reply->timed_out = code == CURLE_OPERATION_TIMEDOUT;
    reply->certificate = s3_certificate_is_cause(code);
    long verify_result = 0;
    (void)curl_easy_getinfo(courier->easy, CURLINFO_SSL_VERIFYRESULT, &verify_result);
    const char *trouble = courier->error[0] != '\0' ? courier->error : curl_easy_strerror(code);
    const char *words = reply->certificate ? s3_certificate_words(code, verify_result, trouble) : NULL;
    conclude_failed(courier, words != NULL ? words : trouble);
}

bool s3_courier_step(struct s3_courier *courier) {
    struct s3_command *command = &courier->command;
    if (command->fd < 0) (void)helper_reap(&command->helper);
    if (command->fd >= 0 && s3_command_read(command, &courier->reply) == S3_COMMAND_DONE) courier->done = true;
    if (command->fd >= 0 && clock_now().wait_ns >= courier->deadline_ns) {
        s3_command_cancel(command);
        courier->reply.timed_out = true;
        conclude_failed(courier, "it took too long and was killed");
    }
    bool done = courier->done;
    courier->done = false;
    return done;
}

int s3_courier_fd(const struct s3_courier *courier) { return courier->command.fd; }

int64_t s3_courier_wake_ns(const struct s3_courier *courier) {
    if (courier->done) return 0;
    return courier->command.fd >= 0 ? courier->deadline_ns : INT64_MAX;
}

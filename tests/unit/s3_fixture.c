/* The S3 store's fixture; see s3_fixture.h. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "s3_fixture.h"

static const char secret[] = "not-for-any-log";

void open_store(struct fixture *f) {
    char reason[TEXT_REASON_SIZE];
    f->store = store_open_s3(&f->config, "locks/", "leader", reason);
    assert_non_null(f->store);
}

/* Writes to a closed connection raise no signal, and the machine's proxies aren't part of the test. */
static void leave_the_machine_out(void) {
    static const char *const proxies[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                          "HTTPS_PROXY", "all_proxy",  "ALL_PROXY"};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) unsetenv(proxies[i]);
}

int setup(void **state) {
    leave_the_machine_out();
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    server_init(&f->server);
    (void)snprintf(f->config.endpoint_url, sizeof f->config.endpoint_url, "http://127.0.0.1:%d", f->server.port);
    strcpy(f->config.bucket, "b");
    strcpy(f->config.region, "us-east-1");
    strcpy(f->config.credentials.access_key, "AKID");
    strcpy(f->config.credentials.secret_key, secret);
    open_store(f);
    *state = f;
    return 0;
}

int teardown(void **state) {
    struct fixture *f = *state;
    store_close(f->store);
    server_deinit(&f->server);
    free(f);
    return 0;
}

void turn(struct fixture *f) {
    struct pollfd fds[SERVER_CONNECTIONS + 1];
    size_t count = server_pollfds(&f->server, fds);
    assert_int_equal(store_wait(f->store, fds, count, 20), 0);
    server_step(&f->server);
}

unsigned submit(struct fixture *f, int lane, enum log_op op, int64_t seq, const char *body) {
    struct log_request request = {.id = ++f->next_id,
                                  .lane = lane,
                                  .op = op,
                                  .seq = seq,
                                  .body = body,
                                  .body_length = body != NULL ? strlen(body) : 0,
                                  .timeout_ms = 5000,
                                  .retention_ms = 3600000,
                                  .trim_most = 100};
    assert_int_equal(store_submit(f->store, &request), 0);
    return request.id;
}

struct server_request *await_request(struct fixture *f) {
    for (int i = 0; i < 500; i++) {
        struct server_request *request = server_pending(&f->server);
        if (request != NULL) return request;
        turn(f);
    }
    fail_msg("no request came");
    return NULL;
}

struct log_answer await_answer(struct fixture *f) {
    struct log_answer answer = {0};
    for (int i = 0; i < 500; i++) {
        if (store_next(f->store, &answer)) {
            assert_null(strstr(answer.reason, secret));
            return answer;
        }
        turn(f);
    }
    fail_msg("no answer came");
    return answer;
}

struct log_answer ask(struct fixture *f, enum log_op op, int64_t seq, const char *status, const char *headers,
                      const char *body) {
    submit(f, LOG_LANE_0, op, seq, op == LOG_APPEND ? "free\n" : NULL);
    server_answer(&f->server, await_request(f), status, headers, body);
    return await_answer(f);
}

void assert_line(const char *request, const char *line) {
    if (strstr(request, line) == NULL) fail_msg("\"%s\" isn't in:\n%s", line, request);
}

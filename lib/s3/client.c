/* HTTP by libcurl's multi interface; see client.h. */
#include "s3/client.h"

#include <errno.h>
#include <limits.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "s3/handle.h"
#include "s3/redirect.h"

#define QUERY_MAX   (8 * 1024UL)
#define PAYLOAD_MAX (64 * 1024UL)

static size_t on_header(char *bytes, size_t size, size_t count, void *data) {
    struct s3_lane *lane = data;
    lane->header_bytes += size * count;
    if (lane->header_bytes > S3_HEADERS_MAX) return 0;
    s3_response_take_header(&lane->response, bytes, size * count);
    return size * count;
}

static size_t body_limit(const struct s3_lane *lane, long status) {
    if (lane->action == S3_LIST) return S3_LISTING_MAX;
    return lane->action == S3_READ && status / 100 == 2 ? lane->read_limit : S3_ERROR_MAX;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data) {
    struct s3_lane *lane = data;
    long status = 0;
    (void)curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
    lane->response.body.limit = body_limit(lane, status);
    int rc = buffer_append(&lane->response.body, bytes, size * count);
    lane->response.too_large = rc == -EMSGSIZE;
    return rc == 0 ? size * count : 0;
}

/* What is the same for every request of a lane. */
static bool configure(struct s3_lane *lane, const struct s3_config *config) {
    CURL *easy = lane->easy;
    CURLcode rc = s3_handle_configure(easy, config->ca_bundle) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_SHARE, lane->connections);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_PRIVATE, lane);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, lane->error);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_HEADERDATA, lane);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_WRITEDATA, lane);
    return rc == CURLE_OK;
}

static int lane_init(struct s3_lane *lane, const struct s3_config *config) {
    buffer_init(&lane->query, QUERY_MAX);
    buffer_init(&lane->payload, PAYLOAD_MAX);
    s3_response_init(&lane->response);
    lane->easy = curl_easy_init();
    lane->connections = curl_share_init();
    if (lane->easy == NULL || lane->connections == NULL) return -ENOMEM;
    /* Connections of its own: in a common pool the second lane might find the first one's connection free, open none
     * itself, and the two halves of the next claim would not race. */
    if (curl_share_setopt(lane->connections, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) != CURLSHE_OK) return -ENOMEM;
    return configure(lane, config) ? 0 : -ENOTSUP;
}

static void lane_deinit(struct s3_lane *lane) {
    curl_easy_cleanup(lane->easy);
    curl_slist_free_all(lane->addresses);
    lane->addresses = NULL;
    if (lane->connections != NULL) (void)curl_share_cleanup(lane->connections);
    lane->easy = NULL;
    lane->connections = NULL;
    s3_request_deinit(&lane->request);
    s3_response_deinit(&lane->response);
    buffer_deinit(&lane->query);
    buffer_deinit(&lane->payload);
}

static int open_lanes(struct s3_client *client) {
    client->multi = curl_multi_init();
    int rc = client->multi != NULL ? 0 : -ENOMEM;
    if (rc == 0 && curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) != CURLM_OK)
        rc = -ENOTSUP;
    for (int i = 0; i < S3_CLIENT_LANES && rc == 0; i++) rc = lane_init(&client->lanes[i], &client->config);
    if (rc == 0) rc = s3_keys_init(&client->keys, &client->config, client->multi);
    if (rc == 0) rc = s3_names_init(&client->names, client->multi, client->config.sources.environment);
    mbedtls_platform_zeroize(&client->config.credentials, sizeof client->config.credentials); /* they are keys' now */
    return rc;
}

int s3_client_init(struct s3_client *client, const struct s3_config *config, char *reason) {
    *client = (struct s3_client){.config = *config};
    (void)text_copy(client->region, sizeof client->region, config->region);
    int rc =
        s3_endpoint_resolve(&client->endpoint, config, client->region, reason); /* without a region: to be done anew */
    if (rc == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) rc = -ENOMEM;
    if (rc != 0) {
        mbedtls_platform_zeroize(&client->config, sizeof client->config);
        return rc;
    }
    client->open = true;
    rc = open_lanes(client);
    if (rc != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE, "can't set up libcurl: %s", strerror(-rc));
        s3_client_deinit(client);
    }
    return rc;
}

void s3_client_deinit(struct s3_client *client) {
    if (!client->open) return;
    client->open = false;
    for (int i = 0; i < S3_CLIENT_LANES; i++) {
        if (client->lanes[i].easy != NULL) s3_client_cancel(client, i);
    }
    for (int i = 0; i < S3_CLIENT_LANES; i++) lane_deinit(&client->lanes[i]);
    s3_keys_deinit(&client->keys);
    s3_names_deinit(&client->names);
    if (client->multi != NULL) (void)curl_multi_cleanup(client->multi);
    client->multi = NULL;
    curl_global_cleanup();
    mbedtls_platform_zeroize(&client->config, sizeof client->config);
}

static int set_request(struct s3_lane *lane, int64_t timeout_ms) {
    CURL *easy = lane->easy;
    const char *method = s3_action_method(lane->action);
    /* HTTPGET first: it takes back what POSTFIELDS of an earlier request had set. */
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (rc == CURLE_OK && lane->action == S3_CREATE) {
        rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, lane->payload.data != NULL ? lane->payload.data : "");
        if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)lane->payload.length);
    }
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_URL, lane->request.url.data);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lane->request.headers);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    if (rc == CURLE_OK) rc = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
    return rc == CURLE_OK ? 0 : rc == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

/* Puts the lane's call on its way, signed with credentials for the present region and time. */
static int launch_signed(struct s3_client *client, struct s3_lane *lane, const struct s3_credentials *credentials) {
    int64_t timeout_ms = (lane->deadline_ns - clock_now().wait_ns) / NS_PER_MS;
    if (timeout_ms < 1) timeout_ms = 1;
    if (timeout_ms > INT_MAX) timeout_ms = INT_MAX;
    struct s3_call call = {.action = lane->action,
                           .key = lane->key,
                           .query = lane->query.data != NULL ? lane->query.data : "",
                           .body = lane->payload.data,
                           .body_length = lane->payload.length};
    struct s3_signing signing = {.endpoint = &client->endpoint,
                                 .credentials = credentials,
                                 .region = client->region,
                                 .sse = client->config.sse,
                                 .sse_kms_key_id = client->config.sse_kms_key_id,
                                 .now_ms = clock_wall_ms() + client->skew_ms};
    s3_request_deinit(&lane->request);
    s3_response_reset(&lane->response, S3_ERROR_MAX);
    lane->keys_number = client->keys.number;
    lane->header_bytes = 0;
    lane->error[0] = '\0';
    (void)text_copy(lane->region, sizeof lane->region, client->region);
    int rc = s3_request_init(&lane->request, &call, &signing);
    if (rc == 0) rc = set_request(lane, timeout_ms);
    if (rc == 0)
        rc = s3_names_use(&client->names, &client->endpoint, lane->easy, &lane->addresses, clock_now().wait_ns);
    if (rc == 0 && curl_multi_add_handle(client->multi, lane->easy) != CURLM_OK) rc = -ENOMEM;
    lane->busy = rc == 0;
    return rc;
}

/* Ends a call that nothing was sent for. */
static int end_keyless(struct s3_lane *lane, enum s3_keyless keyless, const char *trouble) {
    lane->waiting = false;
    lane->ready = true;
    s3_response_reset(&lane->response, 0);
    lane->response.keyless = keyless;
    (void)text_copy(lane->response.trouble, sizeof lane->response.trouble, trouble);
    return 0;
}

/* A region that came with the keys. Returns 0, or -EINVAL with a line in reason. */
static int settle_region(struct s3_client *client, char *reason) {
    if (client->region[0] != '\0') return 0;
    (void)text_copy(client->config.region, sizeof client->config.region, client->keys.region);
    (void)text_copy(client->region, sizeof client->region, client->keys.region);
    return s3_endpoint_resolve(&client->endpoint, &client->config, client->region, reason);
}

/* Puts the lane's call on its way, or lets it wait for keys. */
static int launch(struct s3_client *client, struct s3_lane *lane) {
    char reason[TEXT_REASON_SIZE];
    const struct s3_credentials *credentials = s3_keys_current(&client->keys, clock_now().lease_ns);
    lane->waiting = credentials == NULL;
    if (credentials != NULL && settle_region(client, reason) != 0) return end_keyless(lane, S3_KEYLESS_REFUSED, reason);
    if (credentials != NULL) return launch_signed(client, lane, credentials);
    lane->keys_failures = client->keys.failures;
    s3_keys_want(&client->keys);
    return 0;
}

int s3_client_start(struct s3_client *client, int number, const struct s3_call *call, size_t read_limit,
                    int64_t timeout_ms) {
    struct s3_lane *lane = &client->lanes[number];
    s3_client_cancel(client, number);
    lane->action = call->action;
    lane->read_limit = read_limit;
    lane->deadline_ns = clock_now().wait_ns + timeout_ms * NS_PER_MS;
    lane->followed = lane->corrected = lane->renewed = false;
    buffer_clear(&lane->query);
    buffer_clear(&lane->payload);
    int rc = text_copy(lane->key, sizeof lane->key, call->key) == 0 ? 0 : -ENAMETOOLONG;
    if (rc == 0) rc = buffer_append_text(&lane->query, call->query);
    if (rc == 0) rc = buffer_append(&lane->payload, call->body, call->body_length);
    return rc == 0 ? launch(client, lane) : rc;
}

void s3_client_cancel(struct s3_client *client, int number) {
    struct s3_lane *lane = &client->lanes[number];
    if (lane->busy) (void)curl_multi_remove_handle(client->multi, lane->easy);
    lane->busy = lane->waiting = lane->ready = false;
}

/* Notes how the transfer ended, in the response. */
static int conclude(struct s3_lane *lane, CURLcode code) {
    struct s3_response *response = &lane->response;
    long status = 0;
    (void)curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
    response->status = (int)status;
    if (response->too_large) {
        buffer_clear(&response->body);
        if (code == CURLE_WRITE_ERROR) code = CURLE_OK; /* it was us who broke it off */
    }
    response->curl_code = (int)code;
    (void)curl_easy_getinfo(lane->easy, CURLINFO_SSL_VERIFYRESULT, &response->verify_result);
    response->timed_out = code == CURLE_OPERATION_TIMEDOUT;
    if (code == CURLE_OK) return s3_response_finish(response);
    text_copy_printable(response->trouble, sizeof response->trouble,
                        lane->error[0] != '\0' ? lane->error : curl_easy_strerror(code));
    return 0;
}

/* Whether the request is worth sending once more, signed for another region or time, or with other keys; notes which.
 */
static bool should_repeat(struct s3_client *client, struct s3_lane *lane) {
    const struct s3_response *response = &lane->response;
    if (response->curl_code != 0 || clock_now().wait_ns >= lane->deadline_ns) return false;
    if (!lane->followed && s3_redirect_is_to_region(response, lane->region)) {
        char reason[TEXT_REASON_SIZE];
        lane->followed = true;
        (void)text_copy(client->region, sizeof client->region, response->region);
        return s3_endpoint_resolve(&client->endpoint, &client->config, client->region, reason) == 0;
    }
    if (!lane->corrected && s3_redirect_is_to_time(response)) {
        lane->corrected = true;
        client->skew_ms = response->date_ms - clock_wall_ms();
        return true;
    }
    if (!lane->renewed && s3_redirect_is_to_keys(response)) {
        lane->renewed = true;
        return s3_keys_reject(&client->keys, lane->keys_number);
    }
    return false;
}

static int finish(struct s3_client *client, struct s3_lane *lane, CURLcode code) {
    (void)curl_multi_remove_handle(client->multi, lane->easy);
    lane->busy = false;
    int rc = conclude(lane, code);
    s3_names_heard(&client->names, lane->easy, (CURLcode)lane->response.curl_code, clock_now().wait_ns);
    if (rc == 0 && should_repeat(client, lane)) return launch(client, lane);
    lane->ready = rc == 0;
    return rc;
}

/* The look-up beside the requests came to something: who still waits for one of its own begins anew with that. */
static int hear_scout(struct s3_client *client) {
    int rc = 0;
    s3_names_finish(&client->names, clock_now().wait_ns);
    for (int i = 0; i < S3_CLIENT_LANES && rc == 0; i++) {
        struct s3_lane *lane = &client->lanes[i];
        curl_off_t looked_up = 0;
        if (!lane->busy || lane->addresses != NULL) continue;
        if (curl_easy_getinfo(lane->easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up) != CURLE_OK || looked_up != 0) continue;
        (void)curl_multi_remove_handle(client->multi, lane->easy);
        lane->busy = false;
        rc = launch(client, lane);
    }
    return rc;
}

/* Moves all transfers on and takes those that ended. */
static int perform(struct s3_client *client) {
    int running, left, rc = 0;
    if (curl_multi_perform(client->multi, &running) != CURLM_OK) return -EIO;
    for (CURLMsg *message; rc == 0 && (message = curl_multi_info_read(client->multi, &left)) != NULL;) {
        struct s3_lane *lane = NULL;
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode code = message->data.result;
        if (message->easy_handle == client->keys.courier.easy) {
            s3_courier_finish(&client->keys.courier, code);
            continue;
        }
        if (message->easy_handle == client->names.scout) {
            rc = hear_scout(client);
            continue;
        }
        if (curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &lane) != CURLE_OK || lane == NULL) return -EIO;
        rc = finish(client, lane, code);
    }
    return rc;
}

/* Sends what waited for keys that have come, and ends what waits in vain. */
static int serve_waiting(struct s3_client *client, struct s3_lane *lane) {
    struct s3_keys *keys = &client->keys;
    bool failed = keys->failures != lane->keys_failures, late = clock_now().wait_ns >= lane->deadline_ns;
    if (s3_keys_current(keys, clock_now().lease_ns) != NULL) return launch(client, lane);
    if (!failed && !late) return 0;
    if (failed || (keys->in_a_row > 0 && !keys->fetching))
        return end_keyless(lane, keys->refused ? S3_KEYLESS_REFUSED : S3_KEYLESS_UNKNOWN, keys->reason);
    char reason[TEXT_REASON_SIZE];
    (void)text_format(reason, sizeof reason, "no credentials yet: waiting for %s", s3_keys_asked(keys));
    return end_keyless(lane, S3_KEYLESS_UNKNOWN, reason);
}

/* Moves all on: transfers, keys, what waits for them. */
static int turn(struct s3_client *client) {
    int rc = perform(client);
    if (rc == 0) s3_keys_step(&client->keys, client->skew_ms);
    for (int i = 0; i < S3_CLIENT_LANES && rc == 0; i++) {
        if (client->lanes[i].waiting) rc = serve_waiting(client, &client->lanes[i]);
    }
    return rc;
}

static bool has_ready(const struct s3_client *client) {
    for (int i = 0; i < S3_CLIENT_LANES; i++) {
        if (client->lanes[i].ready) return true;
    }
    return false;
}

/* How long to sleep at most: until something is due that no descriptor tells of. */
static int limit_sleep(const struct s3_client *client, int timeout_ms) {
    struct instant now = clock_now();
    int64_t most_ms = timeout_ms < 0 ? INT_MAX : timeout_ms, wake_ns = s3_keys_wake_ns(&client->keys, now);
    if (wake_ns != INT64_MAX && (wake_ns - now.lease_ns) / NS_PER_MS + 1 < most_ms)
        most_ms = (wake_ns - now.lease_ns) / NS_PER_MS + 1;
    for (int i = 0; i < S3_CLIENT_LANES; i++) {
        const struct s3_lane *lane = &client->lanes[i];
        int64_t left_ms = (lane->deadline_ns - now.wait_ns) / NS_PER_MS + 1;
        if (lane->waiting && left_ms < most_ms) most_ms = left_ms;
    }
    return has_ready(client) || most_ms < 0 ? 0 : (int)most_ms;
}

int s3_client_wait(struct s3_client *client, struct pollfd *extra, size_t count, int timeout_ms) {
    struct curl_waitfd waits[S3_CLIENT_EXTRA_MAX + 1];
    if (count > S3_CLIENT_EXTRA_MAX) return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        waits[i] = (struct curl_waitfd){.fd = extra[i].fd};
        if ((extra[i].events & POLLIN) != 0) waits[i].events |= CURL_WAIT_POLLIN;
        if ((extra[i].events & POLLPRI) != 0) waits[i].events |= CURL_WAIT_POLLPRI;
        if ((extra[i].events & POLLOUT) != 0) waits[i].events |= CURL_WAIT_POLLOUT;
        extra[i].revents = 0;
    }
    int rc = turn(client);
    if (rc != 0) return rc;
    unsigned waited = (unsigned)count;
    if (s3_keys_fd(&client->keys) >= 0)
        waits[waited++] = (struct curl_waitfd){.fd = s3_keys_fd(&client->keys), .events = CURL_WAIT_POLLIN};
    if (curl_multi_poll(client->multi, waits, waited, limit_sleep(client, timeout_ms), NULL) != CURLM_OK) return -EIO;
    rc = turn(client);
    /* libcurl doesn't tell a hang-up from data; poll(2) does. */
    if (rc == 0 && count > 0 && poll(extra, count, 0) < 0 && errno != EINTR && errno != EAGAIN) rc = -errno;
    return rc;
}

bool s3_client_notice(struct s3_client *client, struct s3_notice *notice) {
    return s3_keys_notice(&client->keys, notice);
}

int s3_client_next(struct s3_client *client) {
    for (int i = 0; i < S3_CLIENT_LANES; i++) {
        if (client->lanes[i].ready) {
            client->lanes[i].ready = false;
            return i;
        }
    }
    return -1;
}

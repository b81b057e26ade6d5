/* Keys, kept fresh; see keys.h. */
#include "s3/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <mbedtls/platform_util.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

#define RETRY_FIRST_NS   (1 * NS_PER_S)
#define RETRY_MOST_NS    (5 * NS_PER_S) /* a short lease may wait for them */
#define REFRESH_LEAST_NS (1 * NS_PER_S)
#define LIFE_MOST_MS     (INT64_C(366) * 24 * 3600 * MS_PER_S) /* whoever says more means for ever */
#define KEY_SHOWN        4UL

/* "****************MPLE": enough to tell one's keys apart. */
static void mask(char out[32], const char *access_key) {
    size_t length = strlen(access_key);
    const char *tail = length >= 4 * KEY_SHOWN ? access_key + length - KEY_SHOWN : "";
    (void)text_format(out, 32, "****************%s", tail);
}

static void tell(struct s3_keys *keys, bool warning, const char *text) {
    keys->notice.warning = warning;
    (void)text_copy(keys->notice.text, sizeof keys->notice.text, text);
    keys->has_notice = true;
}

void s3_keys_describe(char *out, size_t size, const struct s3_credentials *credentials) {
    char key[32], until[32] = "";
    time_t seconds = (time_t)(credentials->expiry_ms / MS_PER_S);
    struct tm utc;
    mask(key, credentials->access_key);
    if (credentials->expiry_ms != 0 && gmtime_r(&seconds, &utc) != NULL) {
        (void)strftime(until, sizeof until, ", until %Y-%m-%dT%H:%M:%SZ", &utc);
    }
    (void)text_format(out, size, "%s, access key %s%s", credentials->origin, key, until);
}

static void tell_found(struct s3_keys *keys) {
    char who[TEXT_REASON_SIZE / 2], text[TEXT_REASON_SIZE];
    s3_keys_describe(who, sizeof who, &keys->current);
    (void)text_format(text, sizeof text, "credentials: %s", who);
    tell(keys, false, text);
}

/* The clock may be wrong, or the metadata late: the store decides. */
static void tell_expired(struct s3_keys *keys) {
    char who[TEXT_REASON_SIZE / 2], text[TEXT_REASON_SIZE];
    s3_keys_describe(who, sizeof who, &keys->current);
    (void)text_format(
        text, sizeof text,
        "the credentials have expired by this machine's clock, and are used until the store refuses them: "
        "%s: check the clock",
        who);
    tell(keys, true, text);
}

/* 5 minutes before they expire; of a shorter life, half. */
static int64_t refresh_after(int64_t left_ns) {
    int64_t early_ns = left_ns / 2 < S3_KEYS_EARLY_NS ? left_ns / 2 : S3_KEYS_EARLY_NS;
    return left_ns - early_ns > REFRESH_LEAST_NS ? left_ns - early_ns : REFRESH_LEAST_NS;
}

static bool looks_expired(const struct s3_credentials *found, int64_t now_ms) {
    return found->expiry_ms != 0 && found->expiry_ms <= now_ms;
}

static void adopt(struct s3_keys *keys, const struct s3_credentials *found, int64_t now_ms) {
    int64_t now_ns = clock_now().lease_ns;
    keys->current = *found;
    keys->usable = true;
    keys->wanted = false;
    keys->number++;
    keys->in_a_row = 0;
    keys->retry_ns = 0;
    keys->expires_ns = keys->refresh_ns = INT64_MAX;
    if (looks_expired(found, now_ms)) {
        keys->refresh_ns = now_ns + S3_KEYS_EARLY_NS;
        tell_expired(keys);
        return;
    }
    if (found->expiry_ms != 0 && found->expiry_ms - now_ms < LIFE_MOST_MS) {
        int64_t left_ns = (found->expiry_ms - now_ms) * NS_PER_MS;
        keys->expires_ns = now_ns + left_ns;
        keys->refresh_ns = now_ns + refresh_after(left_ns);
    }
    tell_found(keys);
}

static void note_failure(struct s3_keys *keys, enum s3_step step) {
    int64_t now_ns = clock_now().lease_ns, pause_ns = RETRY_FIRST_NS;
    for (int i = 0; i < keys->in_a_row && pause_ns < RETRY_MOST_NS; i++) pause_ns *= 2;
    keys->retry_ns = now_ns + (pause_ns < RETRY_MOST_NS ? pause_ns : RETRY_MOST_NS);
    keys->in_a_row++;
    keys->failures++;
    keys->wanted = false;
    keys->refused = step == S3_STEP_FAILED;
    (void)text_copy(keys->reason, sizeof keys->reason, keys->fetch.reason);
    if (s3_keys_current(keys, now_ns) == NULL || keys->in_a_row > 1) return;
    char text[TEXT_REASON_SIZE];
    (void)text_format(text, sizeof text, "can't renew the credentials; the old ones serve meanwhile: %.400s",
                      keys->reason);
    tell(keys, true, text);
}

/* What the fetch says: an errand, keys, or that it failed. */
static void take_step(struct s3_keys *keys, enum s3_step step, int64_t now_ms) {
    struct s3_fetch *fetch = &keys->fetch;
    if (step == S3_STEP_ASK) {
        s3_courier_start(&keys->courier, &fetch->errand, &keys->config->sources);
        return;
    }
    keys->fetching = false;
    s3_courier_cancel(&keys->courier);
    if (step == S3_STEP_FOUND && looks_expired(&fetch->found, now_ms) && !fetch->found.outlasting) {
        step = s3_fetch_fail(fetch, S3_STEP_FAILED,
                             "the credentials of %s are over already: check this machine's clock", fetch->found.origin);
    }
    if (step == S3_STEP_FOUND) {
        (void)text_copy(keys->region, sizeof keys->region, fetch->region);
        adopt(keys, &fetch->found, now_ms);
    } else {
        note_failure(keys, step);
    }
    s3_fetch_deinit(fetch);
}

int s3_keys_init(struct s3_keys *keys, const struct s3_config *config, CURLM *multi) {
    *keys = (struct s3_keys){.config = config, .expires_ns = INT64_MAX, .refresh_ns = INT64_MAX};
    s3_fetch_init(&keys->fetch, config);
    int rc = s3_courier_init(&keys->courier, multi, config);
    if (rc == 0 && config->credentials.access_key[0] != '\0') adopt(keys, &config->credentials, clock_wall_ms());
    return rc;
}

void s3_keys_deinit(struct s3_keys *keys) {
    s3_courier_deinit(&keys->courier);
    s3_fetch_deinit(&keys->fetch);
    mbedtls_platform_zeroize(&keys->current, sizeof keys->current);
    keys->usable = false;
}

const struct s3_credentials *s3_keys_current(struct s3_keys *keys, int64_t now_lease_ns) {
    return keys->usable && now_lease_ns < keys->expires_ns ? &keys->current : NULL;
}

void s3_keys_want(struct s3_keys *keys) { keys->wanted = true; }

bool s3_keys_reject(struct s3_keys *keys, unsigned number) {
    if (number != keys->number) return true; /* others have come since */
    if (keys->current.fixed || keys->config->sources.environment == NULL) return false;
    keys->usable = false;
    return true;
}

void s3_keys_step(struct s3_keys *keys, int64_t skew_ms) {
    int64_t now_ns = clock_now().lease_ns, now_ms = clock_wall_ms() + skew_ms;
    bool replied = s3_courier_step(&keys->courier);
    if (replied && keys->fetching)
        take_step(keys, s3_fetch_answered(&keys->fetch, &keys->courier.reply, now_ms), now_ms);
    bool due = keys->wanted || now_ns >= keys->refresh_ns;
    if (keys->fetching || !due || now_ns < keys->retry_ns || keys->config->sources.environment == NULL) return;
    keys->fetching = true;
    take_step(keys, s3_fetch_begin(&keys->fetch, &keys->current.way, now_ms), now_ms);
}

bool s3_keys_notice(struct s3_keys *keys, struct s3_notice *notice) {
    if (!keys->has_notice) return false;
    *notice = keys->notice;
    keys->has_notice = false;
    return true;
}

int s3_keys_fd(const struct s3_keys *keys) { return s3_courier_fd(&keys->courier); }

int64_t s3_keys_wake_ns(const struct s3_keys *keys, struct instant now) {
    if (keys->fetching) {
        int64_t at_ns = s3_courier_wake_ns(&keys->courier);
        return at_ns == INT64_MAX ? INT64_MAX : now.lease_ns + (at_ns - now.wait_ns);
    }
    if (keys->config->sources.environment == NULL) return INT64_MAX; /* nobody to ask */
    int64_t at_ns = keys->wanted ? now.lease_ns : keys->refresh_ns;
    return at_ns > keys->retry_ns ? at_ns : keys->retry_ns;
}

const char *s3_keys_asked(const struct s3_keys *keys) {
    const struct s3_provider *provider = keys->fetch.provider;
    return keys->fetching && provider != NULL ? provider->name : "whoever has them";
}

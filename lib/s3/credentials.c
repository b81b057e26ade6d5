/* The chain of credential providers; see credentials.h. */
#include "s3/credentials.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/environment.h"

/* In the order of the AWS tools; NULL at the end. */
static const struct s3_provider *const chain[] = {&s3_provider_environment,
                                                  &s3_provider_profile,
                                                  &s3_provider_web_identity,
                                                  &s3_provider_retired,
                                                  &s3_provider_container,
                                                  &s3_provider_imds,
                                                  NULL};

static bool fits_in_header(const char *text) {
    for (; *text != '\0'; text++) {
        if (*text <= 0x20 || *text >= 0x7f) return false;
    }
    return true;
}

int s3_credentials_check(const struct s3_credentials *credentials, const char *origin, char *reason) {
    bool access = credentials->access_key[0] != '\0', secret = credentials->secret_key[0] != '\0';
    if (!access && !secret) return -ENOENT;
    if (access != secret) {
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "half a key pair: %.200s has the %s and lacks the %s: give both from one place", origin,
                          access ? "access key" : "secret key", access ? "secret key" : "access key");
        return -EINVAL;
    }
    const char *broken = !fits_in_header(credentials->access_key)      ? "access key"
                         : !fits_in_header(credentials->secret_key)    ? "secret key"
                         : !fits_in_header(credentials->session_token) ? "session token"
                                                                       : NULL;
    if (broken == NULL) return 0;
    (void)text_format(reason, TEXT_REASON_SIZE,
                      "the %s of %.200s holds a blank, a line's end or another character that no key has: correct it",
                      broken, origin);
    return -EINVAL;
}

/* --- for providers --- */

enum s3_step s3_fetch_fail(struct s3_fetch *fetch, enum s3_step step, const char *format, ...) {
    char text[TEXT_REASON_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_copy_printable(fetch->reason, sizeof fetch->reason, text);
    return step;
}

enum s3_step s3_fetch_pass(struct s3_fetch *fetch, const char *format, ...) {
    char text[TEXT_REASON_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (fetch->bound) return s3_fetch_fail(fetch, S3_STEP_FAILED, "no credentials: %.400s", text);
    size_t used = strlen(fetch->passed);
    char *end = fetch->passed + used;
    (void)text_format(end, sizeof fetch->passed - used, "%s%s: %s", used > 0 ? "; " : "", fetch->provider->name, text);
    text_copy_printable(end, sizeof fetch->passed - used, end);
    return S3_STEP_ABSENT;
}

const char *s3_fetch_variable(const struct s3_fetch *fetch, const char *name) {
    return environment_get(fetch->config->sources.environment, name);
}

/* FNV-1a, of the texts with their ends. */
void s3_fetch_note(struct s3_fetch *fetch, const char *what) {
    for (const char *p = what;; p++) {
        fetch->way.steps = (fetch->way.steps ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
        if (*p == '\0') return;
    }
}

/* --- the chain --- */

static enum s3_step ask_provider(struct s3_fetch *fetch, const struct s3_provider *provider) {
    fetch->provider = provider;
    s3_fetch_note(fetch, provider->name);
    fetch->stage = fetch->tries = 0;
    return provider->begin(fetch);
}

enum s3_step s3_fetch_delegate(struct s3_fetch *fetch, const struct s3_provider *provider) {
    fetch->bound = true;
    return ask_provider(fetch, provider);
}

static enum s3_step explain_none(struct s3_fetch *fetch) {
    return s3_fetch_fail(fetch, S3_STEP_FAILED,
                         "no credentials (%.420s): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a "
                         "--profile",
                         fetch->passed);
}

static enum s3_step explain_no_region(struct s3_fetch *fetch) {
    return s3_fetch_fail(fetch, S3_STEP_FAILED,
                         "no region for bucket \"%.64s\" is known (%.250s): give --region or AWS_REGION, or "
                         "--endpoint-url for a store other than AWS",
                         fetch->config->bucket, fetch->passed);
}

/* Who gave the keys has none any more. */
static enum s3_step explain_gone(struct s3_fetch *fetch) {
    return s3_fetch_fail(fetch, S3_STEP_PASSING,
                         "no credentials where they came from (%.400s), and nobody else's are taken in their place",
                         fetch->passed);
}

/* Keys that no role is to be exchanged for any more. */
static enum s3_step take_found(struct s3_fetch *fetch) {
    if (fetch->kept.provider != 0 && fetch->kept.steps != fetch->way.steps) {
        return s3_fetch_fail(
            fetch, S3_STEP_PASSING,
            "no credentials like those before: %.160s would be another identity; to take it, start again",
            fetch->found.origin);
    }
    fetch->found.way = fetch->way;
    return S3_STEP_FOUND;
}

static enum s3_step ask_next(struct s3_fetch *fetch) {
    mbedtls_platform_zeroize(&fetch->found, sizeof fetch->found); /* nothing of who was passed over */
    const struct s3_provider *provider = chain[fetch->next++];
    fetch->way = (struct s3_way){.provider = fetch->next, .steps = UINT64_C(0xcbf29ce484222325)};
    return ask_provider(fetch, provider);
}

/* Goes on from what the present provider says until there is something to be done or said. */
static enum s3_step advance(struct s3_fetch *fetch, enum s3_step step) {
    for (;;) {
        if (step == S3_STEP_ABSENT) {
            if (fetch->provider == &s3_provider_region) return explain_no_region(fetch);
            if (fetch->kept.provider != 0 && fetch->next == fetch->kept.provider) return explain_gone(fetch);
            fetch->exhausted = chain[fetch->next] == NULL;
            if (fetch->exhausted) return explain_none(fetch);
            step = ask_next(fetch);
        } else if (step == S3_STEP_FOUND) {
            struct s3_credentials *found = &fetch->found;
            if (s3_credentials_check(found, found->origin, fetch->reason) != 0) return S3_STEP_FAILED;
            if (fetch->role_count > 0) {
                step = ask_provider(fetch, &s3_provider_role);
                continue;
            }
            if (fetch->provider != &s3_provider_region && take_found(fetch) != S3_STEP_FOUND) return S3_STEP_PASSING;
            if (fetch->config->region[0] != '\0' || fetch->region[0] != '\0') return step;
            fetch->passed[0] = '\0';
            fetch->bound = false;
            step = ask_provider(fetch, &s3_provider_region);
        } else {
            return step;
        }
    }
}

static void remember_settings(struct s3_fetch *fetch) {
    const struct s3_profile *profile = &fetch->profile;
    char *const *environment = fetch->config->sources.environment;
    (void)text_copy(fetch->sts.url, sizeof fetch->sts.url, s3_profile_endpoint(profile, environment, S3_SERVICE_STS));
    (void)text_copy(fetch->sso.url, sizeof fetch->sso.url, s3_profile_endpoint(profile, environment, S3_SERVICE_SSO));
    (void)text_copy(fetch->sts.region, sizeof fetch->sts.region, fetch->config->region);
    (void)text_copy(fetch->imds.endpoint, sizeof fetch->imds.endpoint, profile->imds_endpoint);
    (void)text_copy(fetch->imds.mode, sizeof fetch->imds.mode, profile->imds_mode);
    (void)text_copy(fetch->imds.v1_disabled, sizeof fetch->imds.v1_disabled, profile->imds_v1_disabled);
    (void)text_copy(fetch->imds.timeout, sizeof fetch->imds.timeout, profile->imds_timeout);
    (void)text_copy(fetch->imds.attempts, sizeof fetch->imds.attempts, profile->imds_attempts);
}

void s3_fetch_init(struct s3_fetch *fetch, const struct s3_config *config) {
    *fetch = (struct s3_fetch){.config = config};
    s3_errand_init(&fetch->errand);
}

enum s3_step s3_fetch_begin(struct s3_fetch *fetch, const struct s3_way *kept, int64_t now_ms) {
    const struct s3_config *config = fetch->config;
    s3_fetch_deinit(fetch);
    s3_fetch_init(fetch, config);
    if (kept != NULL) fetch->kept = *kept;
    if (fetch->kept.provider != 0) fetch->next = fetch->kept.provider - 1;
    fetch->now_ms = now_ms;
    const struct s3_sources *sources = &config->sources;
    if (s3_profile_load(&fetch->profile, sources->profile_chosen ? sources->profile : NULL, sources->environment,
                        fetch->reason) != 0) {
        text_copy_printable(fetch->reason, sizeof fetch->reason, fetch->reason);
        return S3_STEP_FAILED;
    }
    remember_settings(fetch);
    return advance(fetch, S3_STEP_ABSENT);
}

enum s3_step s3_fetch_answered(struct s3_fetch *fetch, const struct s3_reply *reply, int64_t now_ms) {
    fetch->now_ms = now_ms;
    s3_errand_deinit(&fetch->errand);
    return advance(fetch, fetch->provider->answered(fetch, reply));
}

void s3_fetch_deinit(struct s3_fetch *fetch) {
    s3_errand_deinit(&fetch->errand);
    s3_profile_deinit(&fetch->profile);
    mbedtls_platform_zeroize(&fetch->found, sizeof fetch->found);
    mbedtls_platform_zeroize(fetch->imds.token, sizeof fetch->imds.token);
}

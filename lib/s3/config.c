/* Settings from options, environment and files; see config.h. */
#include "s3/config.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/environment.h"
#include "s3/credentials.h"
#include "s3/endpoint.h"
#include "s3/profile.h"

#define DEFAULT_REGION "us-east-1" /* what stores other than AWS expect, or ignore */

/* Writes what is wrong with value, foreign text, into reason. Returns -EINVAL. */
static int refuse(char *reason, const char *what, const char *value, const char *why) {
    char shown[160];
    text_copy_printable(shown, sizeof shown, value);
    (void)text_format(reason, TEXT_REASON_SIZE, "%s \"%s\" %s", what, shown, why);
    return -EINVAL;
}

/* The first that is given, or "". */
static const char *first_of(const char *a, const char *b, const char *c, const char *d) {
    const char *const all[] = {a, b, c, d};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i] != NULL && all[i][0] != '\0') return all[i];
    }
    return "";
}

static int take_bucket(struct s3_config *config, const char *bucket, char *reason) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    if (bucket == NULL || bucket[0] == '\0') {
        (void)text_copy(reason, TEXT_REASON_SIZE, "no bucket given: use --bucket");
        return -EINVAL;
    }
    if (strspn(bucket, allowed) != strlen(bucket) || bucket[0] == '.') {
        return refuse(reason, "bucket name", bucket, "has more than letters, digits, '-', '.', '_': correct --bucket");
    }
    if (text_copy(config->bucket, sizeof config->bucket, bucket) == 0) return 0;
    return refuse(reason, "bucket name", bucket, "is too long: correct --bucket");
}

static int take_endpoint(struct s3_config *config, const struct s3_options *options, char *const *environment,
                         const struct s3_profile *profile, char *reason) {
    const char *url =
        first_of(options->endpoint_url, s3_profile_endpoint(profile, environment, S3_SERVICE_S3), NULL, NULL);
    if (text_copy(config->endpoint_url, sizeof config->endpoint_url, url) == 0) return 0;
    return refuse(reason, "endpoint URL", url, "is too long: correct it");
}

static int take_region(struct s3_config *config, const struct s3_options *options, char *const *environment,
                       const struct s3_profile *profile, char *reason) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    const char *region = first_of(options->region, environment_get(environment, "AWS_REGION"),
                                  environment_get(environment, "AWS_DEFAULT_REGION"), profile->region);
    if (region[0] == '\0' && config->endpoint_url[0] != '\0') region = DEFAULT_REGION;
    if (region[0] == '\0') return 0; /* the instance metadata may know */
    if (strspn(region, allowed) != strlen(region) || text_copy(config->region, sizeof config->region, region) != 0) {
        return refuse(reason, "region", region,
                      "has more than letters, digits, '-' or is too long: correct --region or AWS_REGION");
    }
    return 0;
}

static int take_addressing(struct s3_config *config, const struct s3_options *options, const struct s3_profile *profile,
                           char *reason) {
    static const char *const names[] = {"auto", "path", "virtual"}; /* in the order of enum s3_addressing */
    const char *style = first_of(options->addressing_style, profile->addressing_style, "auto", NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(style, names[i]) == 0) {
            config->addressing = (enum s3_addressing)i;
            return 0;
        }
    }
    return refuse(reason, "addressing style", style,
                  "is neither auto nor path nor virtual: correct --addressing-style");
}

static void take_variant(struct s3_config *config, char *const *environment, const struct s3_profile *profile) {
    config->variant.dual_stack = s3_profile_flag(environment, "AWS_USE_DUALSTACK_ENDPOINT", profile->dual_stack);
    const char *of_s3 = profile->dual_stack_of_s3;
    if (of_s3[0] != '\0') config->variant.dual_stack = strcasecmp(of_s3, "true") == 0;
    config->variant.fips = s3_profile_flag(environment, "AWS_USE_FIPS_ENDPOINT", profile->fips);
}

static int take_ca_bundle(struct s3_config *config, const struct s3_options *options, char *const *environment,
                          const struct s3_profile *profile, char *reason) {
    const char *path =
        first_of(options->ca_bundle, environment_get(environment, "AWS_CA_BUNDLE"), profile->ca_bundle, NULL);
    if (text_copy(config->ca_bundle, sizeof config->ca_bundle, path) == 0) return 0;
    return refuse(reason, "the CA bundle\'s path", path, "is too long: correct --ca-bundle");
}

/* Takes keys that are there at once; those that have to be fetched are keys.c's business. */
static int take_credentials(struct s3_config *config, const struct s3_options *options, char *const *environment,
                            char *reason) {
    struct s3_fetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL) {
        (void)text_copy(reason, TEXT_REASON_SIZE, "out of memory");
        return -ENOMEM;
    }
    config->sources.environment = environment;
    config->sources.profile_chosen = options->profile != NULL;
    (void)text_copy(config->sources.profile, sizeof config->sources.profile,
                    options->profile != NULL ? options->profile : "");
    s3_fetch_init(fetch, config);
    enum s3_step step = s3_fetch_begin(fetch, NULL, clock_wall_ms());
    bool failed = step == S3_STEP_FAILED || step == S3_STEP_PASSING;
    if (step == S3_STEP_FOUND) config->credentials = fetch->found;
    if (failed) (void)text_copy(reason, TEXT_REASON_SIZE, fetch->reason);
    int rc = !failed ? 0 : fetch->exhausted ? -ENOENT : -EINVAL;
    s3_fetch_deinit(fetch);
    free(fetch);
    return rc;
}

static int take_encryption(struct s3_config *config, const struct s3_options *options, char *reason) {
    const char *how = first_of(options->sse, NULL, NULL, NULL),
               *key = first_of(options->sse_kms_key_id, NULL, NULL, NULL);
    for (const char *p = key; *p != '\0'; p++) {
        if (*p <= 0x20 || *p >= 0x7f)
            return refuse(reason, "KMS key", key,
                          "holds a blank or what else no key's name has: correct --sse-kms-key-id");
    }
    if (text_copy(config->sse, sizeof config->sse, how) != 0) return refuse(reason, "encryption", how, "isn't known");
    if (text_copy(config->sse_kms_key_id, sizeof config->sse_kms_key_id, key) == 0) return 0;
    return refuse(reason, "KMS key", key, "is too long: correct --sse-kms-key-id");
}

static int take_all(struct s3_config *config, const struct s3_options *options, char *const *environment,
                    const struct s3_profile *profile, char *reason) {
    struct s3_endpoint endpoint;
    const char *region = config->region;
    int rc = take_bucket(config, options->bucket, reason);
    if (rc == 0) rc = take_endpoint(config, options, environment, profile, reason);
    if (rc == 0) rc = take_region(config, options, environment, profile, reason);
    take_variant(config, environment, profile);
    if (rc == 0) rc = take_addressing(config, options, profile, reason);
    if (rc == 0) rc = take_ca_bundle(config, options, environment, profile, reason);
    if (rc == 0) rc = take_encryption(config, options, reason);
    if (rc == 0) rc = s3_endpoint_resolve(&endpoint, config, region[0] != '\0' ? region : DEFAULT_REGION, reason);
    if (rc == 0) rc = take_credentials(config, options, environment, reason);
    return rc;
}

int s3_config_load(struct s3_config *config, const struct s3_options *options, char *const *environment, char *reason) {
    struct s3_profile profile;
    *config = (struct s3_config){0};
    reason[0] = '\0';
    int rc = s3_profile_load(&profile, options->profile, environment, reason); /* which checks the name, too */
    if (rc == 0) rc = take_all(config, options, environment, &profile, reason);
    if (rc == 0 && config->ca_bundle[0] != '\0' && access(config->ca_bundle, R_OK) != 0) {
        rc = -errno;
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "can't read the CA bundle %.200s: %s: correct --ca-bundle or AWS_CA_BUNDLE",
                          config->ca_bundle, strerror(-rc));
    }
    s3_profile_deinit(&profile);
    if (rc != 0) text_copy_printable(reason, TEXT_REASON_SIZE, reason); /* paths are whatever they are */
    if (rc != 0) s3_config_deinit(config);
    return rc;
}

void s3_config_deinit(struct s3_config *config) {
    mbedtls_platform_zeroize(&config->credentials, sizeof config->credentials);
}

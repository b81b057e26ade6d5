/* Opening the store that a bucket names; see bucket.h. Apart from bucket.c, which needs no store. */
#include "bucket.h"

#include <errno.h>

#include "base/cores.h"
#include "base/text.h"
#include "options.h"
#include "s3/config.h"
#include "store/store.h"

int bucket_load_config(struct s3_config *config, const struct options *options, char *const *environment,
                       char *reason) {
    struct s3_options given = {
        .bucket = options->bucket.name,
        .endpoint_url = options->endpoint_url,
        .region = options->region,
        .profile = options->profile,
        .ca_bundle = options->ca_bundle,
        .addressing_style = options->addressing_style,
        .sse = options->sse,
        .sse_kms_key_id = options->sse_kms_key_id,
    };
    cores_forbid(); /* status and check have no keeper that did */
    return s3_config_load(config, &given, environment, reason);
}

static struct store *open_s3(const struct options *options, char *const *environment, const struct priority *priority,
                             char *reason) {
    struct s3_config config;
    if (bucket_load_config(&config, options, environment, reason) < 0) return NULL;
    config.sources.priority = *priority;
    struct store *store = store_open_s3(&config, options->prefix, options->lock, reason);
    s3_config_deinit(&config);
    return store;
}

struct store *bucket_open(const struct options *options, char *const *environment, const struct priority *priority,
                          char *reason) {
    switch (options->bucket.kind) {
    case BUCKET_S3:
        return open_s3(options, environment, priority, reason);
    case BUCKET_DIRECTORY:
        return store_open_directory(options->bucket.directory, options->prefix, options->lock, reason);
    }
    (void)text_copy(reason, TEXT_REASON_SIZE, "no such kind of bucket");
    return NULL;
}

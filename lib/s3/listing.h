/* The answer to ListObjectsV2: keys in order, their sizes and ages. Knows no slot and no lock. */
#ifndef S3_LISTING_H
#define S3_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3/config.h"

/* One object. Valid during the call only. */
struct s3_object {
    const char *key; /* decoded */
    int64_t size;
    int64_t modified_ms; /* wall clock of the store, ms since 1970 */
};

/* What stands around the objects. */
struct s3_page {
    bool truncated;             /* more keys follow */
    size_t count;               /* objects seen */
    char last_key[S3_KEY_SIZE]; /* of the last of them, decoded; "" where there was none */
};

/* Called for each object in the listing's order. Returns 0 to go on, or -errno to stop. */
typedef int s3_listing_object(void *context, const struct s3_object *object);

/* Parses one page of the keys below prefix, which isn't "". Returns 0, -EPROTO where bytes aren't a whole ListObjectsV2
 * answer that states prefix and IsTruncated, and key, size and a Last-Modified that can be read of every object,
 * -ENOMEM, or what object returned. Nothing may be concluded from the objects seen before an error.
 *
 * A page of another prefix (from a cache that doesn't look at queries, say) mustn't pass for an empty log. The bucket's
 * name isn't compared: gateways that give buckets other names leave the store's own in the page, as Ceph leaves out the
 * tenant. */
int s3_listing_parse(struct s3_page *page, const char *bytes, size_t length, const char *prefix,
                     s3_listing_object *object, void *context);

#endif

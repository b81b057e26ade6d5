/* Where a bucket's requests go: scheme, host and the path in front of a key, by either way of addressing.
 *
 * path:    https://host/bucket/key    IP addresses, custom endpoints, buckets whose name is no DNS label
 * virtual: https://bucket.host/key    AWS; a dot in the bucket's name would leave its wildcard certificate */
#ifndef S3_ENDPOINT_H
#define S3_ENDPOINT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "s3/config.h"

#define S3_HOST_SIZE 512

struct s3_endpoint {
    char scheme[8];          /* "http" or "https" */
    char host[S3_HOST_SIZE]; /* as the Host header has it: with the bucket where it belongs there, without a default
                                port */
    char base_path[S3_ENDPOINT_SIZE]; /* percent-encoded, "" or "/x": the endpoint's own path and the bucket, where it
                                         belongs there */
    bool custom;                      /* not AWS: its region names nothing in the host */
};

/* Works out where config's bucket is, in region rather than config->region. Returns 0, or -EINVAL with a line in
 * reason[TEXT_REASON_SIZE] (no URL; user, query or fragment in it; a scheme other than http and https; virtual
 * addressing of an IP address). */
int s3_endpoint_resolve(struct s3_endpoint *endpoint, const struct s3_config *config, const char *region, char *reason);

/* Works out where another service ("sts") is: at url, or where that is "" at AWS's name for it in region ("": the one
 * name for all). Returns 0, -ENOSPC, or -EINVAL with a line in reason[TEXT_REASON_SIZE]. */
int s3_endpoint_of_service(struct s3_endpoint *endpoint, const char *service, const char *url, const char *region,
                           struct s3_variant variant, char *reason);

/* Appends the percent-encoded path of key, "" for the bucket itself, from '/' on. Returns 0, or buffer_append's error.
 */
int s3_endpoint_append_path(const struct s3_endpoint *endpoint, struct buffer *out, const char *key);

#endif

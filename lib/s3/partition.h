/* AWS's partitions: which domain a region's services are under. */
#ifndef S3_PARTITION_H
#define S3_PARTITION_H

#include <stdbool.h>
#include <stddef.h>

struct s3_partition {
    const char *prefix;     /* of its regions' names; "" for the rest */
    const char *suffix;     /* "amazonaws.com" */
    const char *dual_stack; /* suffix of the names that have IPv6 addresses too */
};

/* The partition that region is in, by its name; a name that isn't known is AWS's own. Never NULL. */
const struct s3_partition *s3_partition_of(const char *region);

/* Which of a region's names of a service is meant. */
struct s3_variant {
    bool dual_stack;
    bool fips;
};

/* Writes the host of an AWS service other than S3 ("sts") in region. Returns 0 or -ENOSPC. */
int s3_partition_host(char *out, size_t size, const char *service, const char *region, struct s3_variant variant);

/* Writes S3's host in region. Returns 0 or -ENOSPC. */
int s3_partition_s3_host(char *out, size_t size, const char *region, struct s3_variant variant);

#endif

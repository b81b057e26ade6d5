/* What a bucket is set to do by itself, read out of S3's XML: versions, object lock, expiry. Nothing here asks a store;
 * nothing knows slots.
 *
 * Each parser returns 0, -EPROTO where the bytes aren't a whole answer of its kind, or -ENOMEM. */
#ifndef S3_SETTINGS_H
#define S3_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "s3/config.h"

#define S3_VERSION_ID_SIZE 1025

enum s3_versioning { S3_VERSIONING_OFF, S3_VERSIONING_ENABLED, S3_VERSIONING_SUSPENDED };

/* GET ?versioning. */
int s3_versioning_parse(enum s3_versioning *versioning, const char *bytes, size_t length);

/* Plain values. */
struct s3_object_lock {
    bool enabled;
    char mode[16]; /* of the default retention, "GOVERNANCE" or "COMPLIANCE"; "" where there is none */
    int64_t days;  /* likewise; 0: none. A year has 365; at most 1000 of them */
};

/* GET ?object-lock. */
int s3_object_lock_parse(struct s3_object_lock *lock, const char *bytes, size_t length);

/* One rule. Valid during the call only. */
struct s3_lifecycle_rule {
    char id[64]; /* printable */
    bool enabled;
    char prefix[S3_KEY_SIZE]; /* of the keys that it is for; "": all */
    bool tagged;              /* only for objects with some tag */
    int64_t larger_than;      /* bytes; -1: no such limit */
    int64_t smaller_than;     /* likewise */
    bool expires;             /* current objects are deleted */
    int64_t days;             /* at this age; 0: on a date */
    int64_t old_version_days; /* old versions are deleted at this age; 0: aren't */
};

/* Returns 0 to go on, or -errno to stop. */
typedef int s3_lifecycle_seen(void *context, const struct s3_lifecycle_rule *rule);

/* GET ?lifecycle. Returns what seen returned, too. */
int s3_lifecycle_parse(const char *bytes, size_t length, s3_lifecycle_seen *seen, void *context);

/* Whether an enabled rule is for untagged objects of up to most bytes, some of whose keys begin with folder. */
bool s3_lifecycle_covers(const struct s3_lifecycle_rule *rule, const char *folder, int64_t most);

/* One version of an object, or one delete marker. Valid during the call only. */
struct s3_version {
    char key[S3_KEY_SIZE];
    char id[S3_VERSION_ID_SIZE];
};

/* Returns 0 to go on, or -errno to stop. */
typedef int s3_version_seen(void *context, const struct s3_version *version);

/* GET ?versions. Whether more follow isn't told: the caller deletes these and asks again. Returns what seen returned,
 * too. */
int s3_versions_parse(const char *bytes, size_t length, s3_version_seen *seen, void *context);

#endif

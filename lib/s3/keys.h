/* The keys that requests are signed with, kept fresh: fetched by the chain (credentials.h) in the event loop, fetched
 * again before they expire and when the store says that they did.
 *
 * Old keys serve until they really expire, whatever becomes of the fetch of new ones; so a request waits for keys only
 * where there are none that could serve. Expiry counts on the lease clock, which a suspend doesn't stop, from when the
 * keys came.
 *
 * How to use it: s3_keys_init(); in every turn of the loop s3_keys_step(), which has to be called when s3_keys_fd() is
 * readable and by s3_keys_wake_ns() at the latest; s3_keys_current(), and where that is NULL, s3_keys_want() and wait.
 * Knows no request to a bucket. */
#ifndef S3_KEYS_H
#define S3_KEYS_H

#include "base/clock.h"
#include "s3/courier.h"
#include "s3/credentials.h"

#define S3_KEYS_EARLY_NS (300 * NS_PER_S) /* before they expire, new ones are fetched */

/* A line for people about the keys. */
struct s3_notice {
    bool warning; /* or else of interest to who asked for details */
    char text[TEXT_REASON_SIZE];
};

/* Must not move between init and deinit. */
struct s3_keys {
    const struct s3_config *config; /* the caller's */
    struct s3_credentials current;
    char region[S3_REGION_SIZE]; /* where config has none: came with them */
    bool usable;                 /* as far as we know */
    unsigned number;             /* how many have come: tells them apart */
    int64_t expires_ns;          /* lease clock; INT64_MAX: never */
    int64_t refresh_ns;          /* lease clock: when to fetch next unless asked to; INT64_MAX: only when asked to */

    bool fetching;
    bool wanted; /* somebody waits */
    struct s3_fetch fetch;
    struct s3_courier courier;

    unsigned failures; /* fetches that failed, ever */
    int in_a_row;
    int64_t retry_ns; /* lease clock: not before */
    bool refused;     /* the last failure is one that somebody has to mend */
    char reason[TEXT_REASON_SIZE];

    bool has_notice;
    struct s3_notice notice;
};

/* Starts with the keys of config, if it has any. Returns 0, -ENOMEM or -ENOTSUP; on error as after s3_keys_deinit(). */
int s3_keys_init(struct s3_keys *keys, const struct s3_config *config, CURLM *multi);

/* Wipes and frees. May be called again. */
void s3_keys_deinit(struct s3_keys *keys);

/* The keys to sign with now, or NULL. */
const struct s3_credentials *s3_keys_current(struct s3_keys *keys, int64_t now_lease_ns);

/* Somebody waits for keys: fetch them, unless that failed a moment ago. */
void s3_keys_want(struct s3_keys *keys);

/* The store doesn't take the keys of this number any more. Returns whether others can be had. */
bool s3_keys_reject(struct s3_keys *keys, unsigned number);

/* Goes on. skew_ms: how far ahead of ours the clocks of others are. */
void s3_keys_step(struct s3_keys *keys, int64_t skew_ms);

/* Takes the line that there is to say. Returns whether there was one. */
bool s3_keys_notice(struct s3_keys *keys, struct s3_notice *notice);

/* Writes who gave credentials, the end of the access key, and until when they serve, for people. */
void s3_keys_describe(char *out, size_t size, const struct s3_credentials *credentials);

/* As s3_courier_fd(); and when to step, on the lease clock, INT64_MAX: only when something comes. */
int s3_keys_fd(const struct s3_keys *keys);
int64_t s3_keys_wake_ns(const struct s3_keys *keys, struct instant now);

/* Who is being asked, for people. */
const char *s3_keys_asked(const struct s3_keys *keys);

#endif

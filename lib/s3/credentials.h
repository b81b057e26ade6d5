/* Where keys come from: a chain of providers, one file credentials_*.c each, in the order of the AWS tools.
 *
 * A provider is a small state machine without I/O: it answers at once (from variables and small files), or names an
 * errand (errand.h) and goes on once that was done. So nobody waits for anybody here: keys.h drives a fetch from the
 * event loop, tests and fuzzers by hand.
 *
 * The rule between providers: who isn't configured is passed over, with why noted; who is configured and fails ends the
 * fetch. There is never a weaker identity in silence. Nor another one when keys are had anew: a fetch that is given the
 * way by which the old ones came asks nobody else, and takes none that came by another way. Files are empty for a
 * moment while somebody rewrites them.
 *
 * How to use it: s3_fetch_init(); s3_fetch_begin(); while that, or s3_fetch_answered(), says S3_STEP_ASK, do
 * fetch.errand and hand the reply to s3_fetch_answered(); s3_fetch_deinit(). */
#ifndef S3_CREDENTIALS_H
#define S3_CREDENTIALS_H

#include <stddef.h>

#include "s3/config.h"
#include "s3/errand.h"
#include "s3/profile.h"

enum s3_step {
    S3_STEP_FOUND,   /* found holds the keys, and region the region where config has none */
    S3_STEP_ASK,     /* errand is to be done */
    S3_STEP_ABSENT,  /* a provider's: it isn't configured. A whole fetch never says that */
    S3_STEP_PASSING, /* failed, and may work soon (no connection, 5xx); why in reason */
    S3_STEP_FAILED,  /* failed, and somebody has to mend it; why in reason */
};

struct s3_fetch;

/* Where and how the instance metadata are asked, and what they have said on the way. */
struct s3_imds {
    char endpoint[S3_ENDPOINT_SIZE]; /* the profile's settings */
    char mode[S3_WORD_SIZE];
    char v1_disabled[S3_WORD_SIZE];
    char timeout[S3_WORD_SIZE];
    char attempts[S3_WORD_SIZE];
    int try_ms;
    int most_tries;
    char token[1024];
    char role[256];
};

/* Another AWS service that is asked. */
struct s3_service_place {
    char url[S3_ENDPOINT_SIZE]; /* "": AWS's name for it in region */
    char region[S3_REGION_SIZE];
};

#define S3_ROLES_MAX 5 /* that follow one another */

/* A provider. Both functions may look at all of fetch. */
struct s3_provider {
    const char *name; /* for people */
    enum s3_step (*begin)(struct s3_fetch *fetch);
    enum s3_step (*answered)(struct s3_fetch *fetch, const struct s3_reply *reply); /* NULL: it never asks */
};

/* One way through the chain. Must not move between init and deinit. */
struct s3_fetch {
    const struct s3_config *config; /* the caller's */
    int64_t now_ms;                 /* wall clock at the last call, as far as those that we ask will agree */
    const struct s3_provider *provider;
    size_t next;        /* of the chain */
    struct s3_way kept; /* no other is taken; provider 0: any is */
    struct s3_way way;  /* so far */
    bool exhausted;
    bool bound; /* the profile names this provider: being absent is a failure, and no other is asked */
    int stage;  /* the provider's own */
    int tries;
    struct s3_profile profile; /* read afresh */
    struct s3_imds imds;
    struct s3_service_place sts; /* of the profile that was chosen, whichever the keys come from */
    struct s3_service_place sso;
    struct s3_role roles[S3_ROLES_MAX]; /* still to be assumed, the last one first */
    char role_profiles[S3_ROLES_MAX][S3_PROFILE_NAME_SIZE];
    size_t role_count;
    struct s3_errand errand;
    struct s3_credentials found;
    char region[S3_REGION_SIZE]; /* where config has none: what was found */
    char reason[TEXT_REASON_SIZE];
    char passed[TEXT_REASON_SIZE]; /* who was passed over, and why */
};

/* config is borrowed and must outlive fetch. Undo with s3_fetch_deinit(), which wipes what was found. */
void s3_fetch_init(struct s3_fetch *fetch, const struct s3_config *config);

/* Starts from the first provider, with the files read again; kept: where keys came by that way before, NULL: the first
 * time. */
enum s3_step s3_fetch_begin(struct s3_fetch *fetch, const struct s3_way *kept, int64_t now_ms);

/* What came of the errand. */
enum s3_step s3_fetch_answered(struct s3_fetch *fetch, const struct s3_reply *reply, int64_t now_ms);

/* Wipes and frees. May be called again. */
void s3_fetch_deinit(struct s3_fetch *fetch);

/* --- for providers --- */

extern const struct s3_provider s3_provider_environment;
extern const struct s3_provider s3_provider_profile;
extern const struct s3_provider s3_provider_container;
extern const struct s3_provider s3_provider_process; /* a profile's; not of the chain by itself */
extern const struct s3_provider s3_provider_sso;     /* likewise */
extern const struct s3_provider s3_provider_web_identity;
extern const struct s3_provider s3_provider_retired; /* never has keys: refuses where the AWS tools would find some */
extern const struct s3_provider s3_provider_imds;
extern const struct s3_provider s3_provider_role;   /* not of the chain: goes on from keys that were found */
extern const struct s3_provider s3_provider_region; /* not of the chain: gives region, last of all */

/* Lets another provider go on, which must have keys. */
enum s3_step s3_fetch_delegate(struct s3_fetch *fetch, const struct s3_provider *provider);

/* Ends with a reason: S3_STEP_FAILED or _PASSING, which it returns. */
enum s3_step s3_fetch_fail(struct s3_fetch *fetch, enum s3_step step, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Notes why this provider has nothing to say; where it is the one that has to, that is a failure. */
enum s3_step s3_fetch_pass(struct s3_fetch *fetch, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Notes a step of the way: what tells the identity at its end from others. Once for each fetch. */
void s3_fetch_note(struct s3_fetch *fetch, const char *what);

/* The environment's variable, or NULL. */
const char *s3_fetch_variable(const struct s3_fetch *fetch, const char *name);

/* Checks a pair that came from origin ("the environment", a file's path) for use in headers. Returns 0, -ENOENT where
 * it is empty, or -EINVAL with a line in reason; no part of a key is ever in it. */
int s3_credentials_check(const struct s3_credentials *credentials, const char *origin, char *reason);

#endif

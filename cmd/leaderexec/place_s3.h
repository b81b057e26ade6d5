/* What the files place_s3*.c share: the bucket to check, and how to ask it something. See place.h for the rest. */
#ifndef PLACE_S3_H
#define PLACE_S3_H

#include "options.h"
#include "place.h"
#include "s3/client.h"
#include "s3/verdict.h"
#include "store/key.h"

#define S3_PLACE_TRIES 3 /* where an answer says neither yes nor no */

struct s3_place {
    struct place place;
    char *const *environment;
    struct s3_config configs[OPTIONS_ENDPOINTS_MOST]; /* one an endpoint */
    struct s3_client client;                          /* over the first of them */
    char folder[KEY_FOLDER_SIZE];                     /* the check's lock's */
    char real_folder[KEY_FOLDER_SIZE];                /* the lock's that it is about */
    bool may_list;
    bool versioned; /* deleting leaves old versions behind */
};

/* Asks one thing in lane and waits for the response, which is in the client's lane then. Returns 0, -EINTR, or another
 * -errno, which is fatal. */
int s3_place_ask(struct s3_place *bucket, int lane, enum s3_action action, const char *key, const char *query);

/* What the response in lane means, with a line in reason[TEXT_REASON_SIZE] where that is trouble. */
enum s3_verdict s3_place_judge(const struct s3_place *bucket, int lane, enum s3_action action, const char *key,
                               char *reason);

/* Waits a moment before the next try. Returns as s3_place_ask(). */
int s3_place_pause(struct s3_place *bucket);

/* Whether it is "you may not", rather than any other trouble. */
bool s3_place_is_denial(const struct s3_response *response);

/* As place_settings(). */
int s3_place_settings(struct place *place, struct report *report, int64_t seq, char *reason);

/* Deletes all versions below the check's folder for good. *allowed: it was; else reason says why not. A reason all
 * the same: what is listed isn't what was asked for, and some may be left. Returns as
 * s3_place_ask(). */
int s3_place_purge(struct s3_place *bucket, bool *allowed, char *reason);

#endif

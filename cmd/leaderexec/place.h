/* Where check keeps the lock that it tries things with: a bucket or a directory. What a log doesn't offer is here:
 * deleting at once, reading settings, telling what was found at the start.
 *
 * Functions return 0, -EINTR where wake_fd became readable, or another -errno with a line in reason[TEXT_REASON_SIZE]:
 * then nothing can be said about the place. */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "report.h"

#define PLACE_LOCK_SIZE (LOCK_NAME_MAX + 32)

struct place;
struct store;

/* One kind of place. Each function as the place_* function of its name. */
struct place_ops {
    int (*look)(struct place *place, struct report *report, char *reason);
    struct store *(*open)(struct place *place, int who, char *reason);
    int (*remove)(struct place *place, int64_t seq, bool *allowed, char *reason);
    int (*settings)(struct place *place, struct report *report, int64_t seq, char *reason);
    int (*clean)(struct place *place, int64_t last, char *reason);
    void (*close)(struct place *place);
};

/* The head of each kind's own struct. */
struct place {
    const struct place_ops *ops;
    const struct options *options;
    char lock[PLACE_LOCK_SIZE]; /* the check's own */
    int wake_fd;
    int endpoints;                         /* that writers are spread over */
    const char *get, *put, *list, *remove; /* what allows it: "s3:GetObject" */
    bool coarse_date;                      /* the store's clock shows whole seconds */
    bool signs;                            /* requests carry our time */
    bool priced;                           /* requests cost what AWS takes for them */
};

/* Opens the place that options names, for lock; nothing is asked yet. Returns NULL with a line in reason. */
struct place *place_open_s3(const struct options *options, char *const *environment, const char *lock, char *reason);
struct place *place_open_directory(const struct options *options, const char *lock, char *reason);

/* Reports who we are and where this is, and sees that it can be reached at all. */
int place_look(struct place *place, struct report *report, char *reason);

/* Opens the log of the check's lock for writer who; over the endpoints in turn. Returns NULL with a line in reason. */
struct store *place_open(struct place *place, int who, char *reason);

/* Deletes slot seq. *allowed: it was; else reason says why not. */
int place_remove(struct place *place, int64_t seq, bool *allowed, char *reason);

/* Reports how the place is set up; slot seq is there to be looked at, 0: none is. */
int place_settings(struct place *place, struct report *report, int64_t seq, char *reason);

/* Deletes slots 1 to last, whichever of them are there, and all that came with them. reason: "", or what is left and
 * why, whatever is returned. */
int place_clean(struct place *place, int64_t last, char *reason);

/* Frees place and wipes the keys that it had; what was written stays (see place_clean()). NULL is fine. */
void place_close(struct place *place);

#endif

/* What the head of a log says about the lock, for people and scripts that ask. Pure: no store, no clock of ours.
 *
 * Ages are the store's own (Date - Last-Modified); the wall-clock times in a record are shown and never counted with.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include <stddef.h>
#include <stdint.h>

#include "record/answer.h"

#define VERDICT_UNKNOWN_MS INT64_MIN /* a time that the store didn't say */

enum verdict_state {
    VERDICT_HELD,
    VERDICT_HOLD,    /* nobody runs; kept by --hold */
    VERDICT_EXPIRED, /* its time is over by the store's clock, and nobody took it */
    VERDICT_FREE,
};

/* Plain values. */
struct verdict {
    enum verdict_state state;
    int64_t seq;          /* the newest slot; 0: the log is empty */
    struct slot slot;     /* what decides: the newest slot that isn't an evict */
    int64_t age_ms;       /* since it was written */
    int64_t ttl_ms;       /* how long it holds the lock; 0 where free */
    int64_t remaining_ms; /* ttl - age; negative where over */
};

/* Judges a listing and the slot at decides_seq that decides in it: the head, or where that is an evict, the newest one
 * behind that isn't (slot is ignored where the listing is empty or shows a vacancy by its size). */
void verdict_judge(struct verdict *verdict, const struct listing *listing, const struct slot *slot,
                   int64_t decides_seq);

/* "held", "hold", "expired", "free". */
const char *verdict_state_name(enum verdict_state state);

/* Writes one line without its end, of printable ASCII only. */
void verdict_format(const struct verdict *verdict, char *out, size_t size);

/* Writes one JSON object without a line end; lock is the lock's identity; what isn't known or doesn't apply is null.
 * Returns 0, -ENOMEM or -ENOSPC. */
int verdict_format_json(const struct verdict *verdict, const char *lock, char *out, size_t size);

#endif

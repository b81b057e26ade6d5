/* What the keeper does about its children, and without a guard: reaping, continuing a stopped guard, and killing all
 * that a lost one started. Part of the keeper; nobody else includes this. */
#ifndef PROCESS_TAKEOVER_H
#define PROCESS_TAKEOVER_H

#include <stdbool.h>

#include "process/keeper.h"

/* Reaps children that have ended (keeper->guard becomes 0 when it was the guard) and continues a stopped guard. Where
 * there are too many for a turn, keeper->look_again is set. */
void takeover_reap(struct keeper *keeper);

/* When the guard should have done its work: from then on the keeper does it. Lease clock. */
int64_t takeover_due_ns(const struct keeper *keeper);

/* The guard can't be relied on any more: it and all that it started are to be killed. */
void takeover_begin(struct keeper *keeper, enum keeper_end end);

/* Some rounds of killing, for a few ms at most. Returns whether nothing is left: then event's end and exit_code are
 * set; it may also carry a KEEPER_NOTE. */
bool takeover_step(struct keeper *keeper, struct instant now, struct keeper_event *event);

/* Whether, after many rounds, somebody is left whom we may not signal. */
bool takeover_is_stuck(const struct keeper *keeper);

#endif

/* What check tries with a crew besides the race: one write after the other, reading what was just written, timing.
 *
 * Each takes the slots from *next on, and leaves *next behind the last that it may have written, whatever happened.
 * Each returns 0, -EINTR, or another -errno, which is fatal. */
#ifndef PROBES_H
#define PROBES_H

#include "check_judge.h"
#include "crew.h"

/* So many slots, each appended to by two writers one after the other, then read. */
int probe_once(struct crew *crew, int64_t *next, int slots, struct tally *tally);

/* So many slots, each looked for by other writers as soon as it was created; by LIST, too, where seen->lists is set.
 * Ends early where one doesn't show within seconds. */
int probe_visibility(struct crew *crew, int64_t *next, int slots, struct visibility *seen, struct samples *writes);

/* So many slots, one after the other, by one writer, for the time that it takes. */
int probe_writes(struct crew *crew, int64_t *next, int slots, struct samples *writes);

/* The store's clock by a listing; also, where slot is the head of the log and was made just now, how far its time is
 * from the answer's. coarse: the answer has whole seconds. */
int probe_clock(struct crew *crew, int64_t slot, bool coarse, struct clocks *clocks);

#endif

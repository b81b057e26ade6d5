/* Evicts are looked through: an operator's evict changes nothing about who holds the lock, so the head of a log means
 * what lies below it. */
#ifndef RECORD_EVICT_H
#define RECORD_EVICT_H

#include <stdbool.h>
#include <stdint.h>

#include "record/record.h"

#define EVICTS_LOOKED_THROUGH 8 /* below more of them nobody looks: the head counts as unreadable */

/* Whether slot is an evict. */
bool evict_is(const struct slot *slot);

/* One step of the walk from the head down: slot is what was read at *seq, the head or a slot below it. Returns true
 * where it is an evict and *seq is now the slot to read next; false where slot is what the head means. Below too many
 * evicts, and below the first slot, it has become SLOT_UNREADABLE. */
bool evict_look_below(struct slot *slot, int64_t head_seq, int64_t *seq);

#endif

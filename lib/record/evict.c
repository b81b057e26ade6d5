/* The walk from a log's head through its evicts; see evict.h. */
#include "record/evict.h"

bool evict_is(const struct slot *slot) { return slot->kind == SLOT_ENTRY && slot->record.kind == RECORD_EVICT; }

bool evict_look_below(struct slot *slot, int64_t head_seq, int64_t *seq) {
    if (!evict_is(slot)) return false;
    if (*seq > 1 && head_seq - *seq < EVICTS_LOOKED_THROUGH) {
        --*seq;
        return true;
    }
    slot->kind = SLOT_UNREADABLE;
    return false;
}

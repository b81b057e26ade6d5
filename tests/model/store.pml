/* The store: a log whose slots are created once, and the writes on their way to it. A write that nobody waits for any
 * more (its sender gave it up or crashed) is a ghost; it may arrive much later, or never. Where the store isn't one
 * that creates once, lanes.pml takes the place of what is behind LANES here. */

byte ghost_what[GHOSTS];
byte ghost_slot[GHOSTS];

#ifdef TRIM
byte fresh[SLOTS + 2]; /* so long until the slot is older than the retention */
bool gone[SLOTS + 2];  /* trimmed; log still has what a stale read would show */
#define is_empty(slot) (log[slot] == NOTHING || gone[slot])
/* Whether a look may show slot as the head: it is, or it was less than STALE ago. */
#define looks_like_head(slot) (top == (slot) || (STALE > 0 && (slot) < top && fresh[(slot) + 1] > RETENTION - STALE))
#else
#define is_empty(slot) (log[slot] == NOTHING)
#endif

/* Creates a slot. Without trimming it stays: what else is under way to it has become nothing. */
inline put(slot, content) {
    log[slot] = content;
    top = (slot > top -> slot : top);
#ifdef TRIM
    fresh[slot] = (gone[slot] -> fresh[slot] : RETENTION);
    gone[slot] = false;
#else
    drop_ghost(0, ghost_slot[0] == slot);
#if GHOSTS > 1
    drop_ghost(1, ghost_slot[1] == slot);
#endif
#endif
    skip
}

inline drop_ghost(g, condition) {
    if
    :: condition -> ghost_what[g] = NOTHING; ghost_slot[g] = 0
    :: else
    fi
}

/* Node i's write may arrive without i. */
inline become_ghost(i) {
    if
    :: ghost_what[0] == NOTHING -> ghost_what[0] = what[i]; ghost_slot[0] = seen[i] + 1
#if GHOSTS > 1
    :: else -> ghost_what[1] = what[i]; ghost_slot[1] = seen[i] + 1
#else
    :: else
#endif
    fi
}

#if GHOSTS > 1
#define room_for_ghost (ghost_what[0] == NOTHING || ghost_what[1] == NOTHING)
#define is_ghost(content) (ghost_what[0] == (content) || ghost_what[1] == (content))
#else
#define room_for_ghost (ghost_what[0] == NOTHING)
#define is_ghost(content) (ghost_what[0] == (content))
#endif

#ifdef LANES
#include "lanes.pml"
#else
/* Whether it matters that node i's write may still arrive after i gave it up. With trimming, one that was answered may
 * arrive again as well: see network(). */
#ifdef TRIM
#define may_linger(i) (false)
#else
#define may_linger(i) (what[i] != NOTHING && seen[i] < SLOTS && is_empty(seen[i] + 1) && room_for_ghost)
#endif
/* A slot that was taken stays what it is, so that it doesn't matter which answer comes first: the write's, which says
 * created or exists, or that of the read after exists. */
#define answered(i) (what[i] != NOTHING && log[seen[i] + 1] != NOTHING)
#define is_created_twice(i) (false)
/* TRIM: a step of its own, CHECKING; else nothing was trimmed, and it is the head when it lands. */
#define lists_own(i) (true)
#ifdef OWN_BY_NAME
#define is_mine(i) (log[seen[i] + 1] == what[i] || (is_claim_of(what[i], i) && is_claim_of(log[seen[i] + 1], i)))
#else
#define is_mine(i) (log[seen[i] + 1] == what[i])
#endif
#define under_way(i) (what[i] != NOTHING && seen[i] < SLOTS)
#define store_is_quick (true)
inline send(i) { skip }
inline forget(i) { what[i] = NOTHING; left[i] = 0 }

proctype network() {
    byte slot;
    do
#define ARRIVES(i) :: d_step { under_way(i) && is_empty(seen[i] + 1) -> put(seen[i] + 1, what[i]); tidy() }
    ARRIVES(0)
    ARRIVES(1)
#if NODES > 2
    ARRIVES(2)
#endif
#define GHOST(g)                                                                                                       \
    :: d_step { ghost_what[g] != NOTHING && is_empty(ghost_slot[g]) ->                                                 \
           slot = ghost_slot[g]; put(slot, ghost_what[g]); slot = 0; tidy() }                                         \
    :: d_step { ghost_what[g] != NOTHING -> drop_ghost(g, true); tidy() }
    GHOST(0)
#if GHOSTS > 1
    GHOST(1)
#endif
#ifdef TRIM
#define DOUBLED(i) :: d_step { under_way(i) && room_for_ghost && !is_ghost(what[i]) -> become_ghost(i) }
    DOUBLED(0)
    DOUBLED(1)
#if NODES > 2
    DOUBLED(2)
#endif
#define TRIMMED(s) :: d_step { (s) + 2 <= top && !gone[s] && fresh[s] == 0 -> gone[s] = true }
    TRIMMED(1)
    TRIMMED(2)
#if SLOTS > 4
    TRIMMED(3)
#endif
#if SLOTS > 5
    TRIMMED(4)
#endif
#endif
    od
}
#endif

inline age_slots() {
#ifdef TRIM
    for (s : 1 .. SLOTS) {
        fresh[s] = less(fresh[s])
    }
    s = 0
#else
    skip
#endif
}

#ifdef EVICTS
/* leaderexec resign. */
proctype operator() {
    byte slot;
    d_step { top > 0 && top < SLOTS && log[top] >= RENEWAL(0) -> slot = top + 1; put(slot, EVICT); slot = 0; tidy() }
}
#endif

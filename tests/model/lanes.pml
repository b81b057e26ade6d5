/* Writes over two connections (lanes), to stores that may not create a slot only once:
 * TWIN alone      puts if absent, as promised; the claim goes out on both lanes
 * RACY            looks whether the slot is there, and writes later: who looks meanwhile writes, too
 * UNCONDITIONAL   writes, whatever is there
 * IF_MATCH        one object, replaced if it hasn't changed since it was read: looks, and writes later
 * The latter two know no log: slot s is the object's version s. SINGLE: one lane, whose answer is believed.
 *
 * No normal forms here, and no ghosts: what is late is late while its sender waits. */

#define IDLE 0
#define SENT 1
#define LOOKED 2 /* the store found the slot free and has yet to write */
#define CREATED 3
#define EXISTS 4
byte lane[2 * NODES];

#define may_linger(i) (false)
#define is_final(i, l) (lane[2 * (i) + (l)] >= CREATED)
#define uses_both(i) (is_claim_of(what[i], i) && TWO_LANES)
#ifdef SINGLE
#define TWO_LANES false
#else
#define TWO_LANES true
#endif

/* Between looking and writing passes less time than a request takes there and back, or any (SLOW). Then a reading
 * of the slot, sent when the answers to both claims are known, finds everything written that had passed the look before. */
#if NODES > 2
#define between (is_between(0) || is_between(1) || is_between(2))
#else
#define between (is_between(0) || is_between(1))
#endif
#define is_between(i) (lane[2 * (i)] == LOOKED || lane[2 * (i) + 1] == LOOKED)
#ifdef SLOW
#define store_is_quick (true)
#else
#define store_is_quick (!between)
#endif

#define answered(i) (is_final(i, 0) && (!uses_both(i) || is_final(i, 1)) && store_is_quick)
#define creations(i) ((lane[2 * (i)] == CREATED -> 1 : 0) + (lane[2 * (i) + 1] == CREATED -> 1 : 0))
#define shows_own(i) (log[seen[i] + 1] == what[i])
/* The listing after the claim; read later than the answers, and so in the same step as the slot. */
#ifdef SINGLE
#define lists_own(i) (true)
#else
#define lists_own(i) (top == seen[i] + 1)
#endif
#ifdef SINGLE
#define is_created_twice(i) (false)
#define is_mine(i) (lane[2 * (i)] == CREATED || shows_own(i))
#else
/* Two creations, or a creation and another's nonce. */
#define is_created_twice(i) (uses_both(i) && (creations(i) == 2 || (creations(i) == 1 && !shows_own(i))))
#define is_mine(i) (shows_own(i) || (!uses_both(i) && lane[2 * (i)] == CREATED))
#endif

inline send(i) {
    lane[2 * i] = SENT;
    lane[2 * i + 1] = (uses_both(i) -> SENT : IDLE)
}

inline forget(i) {
    what[i] = NOTHING;
    left[i] = 0;
    lane[2 * i] = IDLE;
    lane[2 * i + 1] = IDLE
}

#ifdef IF_MATCH
#define is_unchanged(i) (top == seen[i])
inline write(i) { log[seen[i] + 1] = what[i]; top = seen[i] + 1 }
#else
#ifdef UNCONDITIONAL
#define is_unchanged(i) (true)
#else
#define is_unchanged(i) (is_empty(seen[i] + 1))
#endif
inline write(i) { put(seen[i] + 1, what[i]) }
#endif

#if defined(RACY) || defined(IF_MATCH)
#define AFTER_LOOK LOOKED
inline write_at_once(i) { skip }
#else
#define AFTER_LOOK CREATED
inline write_at_once(i) { write(i) }
#endif

/* A write without an answer is sent again, the same bytes to the same slot. */
#define LANE(i, l)                                                                                                     \
    :: d_step { lane[2 * (i) + (l)] == SENT && seen[i] < SLOTS && is_unchanged(i) ->                                   \
           lane[2 * (i) + (l)] = AFTER_LOOK; write_at_once(i) }                                                        \
    :: d_step { lane[2 * (i) + (l)] == SENT && seen[i] < SLOTS && !is_unchanged(i) -> lane[2 * (i) + (l)] = EXISTS }   \
    :: d_step { lane[2 * (i) + (l)] == LOOKED -> lane[2 * (i) + (l)] = CREATED; write(i) }                             \
    :: d_step { is_final(i, l) -> lane[2 * (i) + (l)] = SENT }

proctype network() {
    do
    LANE(0, 0)
    LANE(1, 0)
#ifndef SINGLE
    LANE(0, 1)
    LANE(1, 1)
#endif
#if NODES > 2
    LANE(2, 0)
#ifndef SINGLE
    LANE(2, 1)
#endif
#endif
    od
}

/* Sizes, durations and variants of the model: everything that tests/model/run sets with -D, and what follows from it.
 * A unit of time is a tick. The numbers are small so that all states can be searched. */

#ifndef NODES
#define NODES 3
#endif
#ifndef SLOTS
#define SLOTS 5 /* claim, renewal, claim, renewal, claim: two take-overs */
#endif
#ifndef GHOSTS
#define GHOSTS 1 /* writes at a time that are still under way though nobody waits for them */
#endif

#ifndef TTL
#define TTL 2
#endif
/* Clocks: the holder's is as slow, a candidate's as fast as allowed, all the time. Whoever may act may also dawdle, so
 * that better clocks are among what is searched. */
#define RATES 1
#ifdef NO_DRIFT
#define DRIFT 0
#else
#define DRIFT 1
#endif
#define WAIT (TTL + DRIFT - RATES) /* of a candidate, in real time: TTL * (1 + drift) by its clock */

/* Trimming. A read shows what was true less than STALE ago; 0: what is true. */
#ifdef TRIM
#ifndef STALE
#define STALE 2
#endif
#ifndef RETENTION
#define RETENTION (STALE + TTL)
#endif
#endif

/* What the store does with a write; the lanes are modelled one by one where it isn't put-if-absent, or where TWIN asks
 * for that. */
#if defined(RACY) || defined(UNCONDITIONAL) || defined(IF_MATCH) || defined(TWIN)
#define LANES 1
#endif
#if defined(UNCONDITIONAL) || defined(IF_MATCH)
#define SINGLE 1
#endif

/* What no step depends on is forgotten, where the store keeps its word; REMEMBER: not even then. */
#if !defined(LANES) && !defined(REMEMBER) && (!defined(TRIM) || defined(PAUSES))
#define FORGETFUL 1
#endif

/* What a slot holds. A claim shows its nonce: no two writes under way or in the log have the same. A renewal needs
 * none: one leadership writes one renewal to a slot. */
#define NOTHING 0
#define VACANCY 1
#define EVICT 2
#define PAST 3 /* FORGETFUL: something that doesn't matter any more */
#define RENEWAL(i) (8 + (i))
#define CLAIM(i, nonce) (16 + 4 * (i) + (nonce))
#define NONCES 4
#define NO_NONCE 4
#define is_claim_of(what, i) ((what) >= CLAIM(i, 0) && (what) < CLAIM(i, NONCES))

/* What a node does. */
#define DOWN 1    /* its keeper died; the child may be alive until the guard kills it */
#define WATCHING 2
#define CLAIMING 3
#define CHECKING 4 /* TRIM: the claim is in its slot; the listing after it is still to come */
#define LEADING 5
#define LOST 6    /* another's entry stands where the renewal belongs; the child is being stopped */
#define RELEASING 7
#define REFUSED 8 /* the store creates an object twice: left with exit 125 */

#define less(counter) ((counter) > 0 -> (counter) - 1 : 0)

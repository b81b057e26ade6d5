/* The lock's protocol (design, section 1) as a model for spin: some nodes, a log of slots, messages that are lost, late
 * and doubled, and time. Checked: never two children at once, tokens grow, no child past its lease.
 *
 * Each step of a process below is one d_step: a rule of the protocol, or something that happens to it. A step that can
 * be taken need not be taken now: that is how keepers pause and messages are late. Only one thing is sure to happen in
 * time: the guard kills the child before the tick after its deadline.
 *
 * params.pml: sizes and variants. store.pml: log and messages. node.pml: what a node does.
 * README.md: what it covers. */
#include "params.pml"

byte log[SLOTS + 2]; /* slot s: what it holds; slot 0 and the one behind the last stay empty */
byte top;            /* the log's head */

byte mode[NODES] = WATCHING;
byte seen[NODES];    /* the head as the node knows it; what it writes goes to slot seen + 1 */
byte wait[NODES];    /* so long until it may claim over that head */
byte what[NODES];    /* the write under way, or NOTHING */
byte left[NODES];    /* of the lease that this write would give */
byte lease[NODES];   /* what is left of it, as the node has it */
byte truth[NODES];   /* what is left of it, counted from when the newest entry was first sent */
bool child[NODES];
byte nonce[NODES] = NO_NONCE;   /* of the newest claim; NO_NONCE after a start */
byte term[NODES];    /* the token of its leadership, until its child has started */
byte token;          /* of the newest child */
#ifdef WITNESS
byte overtaken; /* how often a child started behind an entry that had to be waited out */
bool overtakes[NODES];
#endif

#include "tidy.pml"
#include "store.pml"
#include "node.pml"

/* The guard kills a margin before the lease ends. So the last tick of a lease is also the child's. */
#ifdef NO_GUARD
#define guard_kills(i) (false)
#else
#ifdef NO_MARGIN
#define guard_kills(i) (lease[i] == 0) /* just as the lease ends, but not before */
#else
#define guard_kills(i) (lease[i] == 1)
#endif
#endif

#ifdef ONLY_CHILDREN
#define child_in_time(i) (true)
#else
#define child_in_time(i) (!child[i] || truth[i] > 0)
#endif

inline one_tick(i) {
    child[i] = child[i] && !guard_kills(i);
    assert(child_in_time(i)); /* no child past its lease */
    wait[i] = less(wait[i]);
    left[i] = less(left[i]);
    lease[i] = less(lease[i]);
    truth[i] = less(truth[i]);
#ifdef WAIT_FROM_SEND
    look[i] = (look[i] > 1 -> look[i] - 1 : look[i])
#endif
}

proctype passing() {
    byte s;
    do
    :: d_step { store_is_quick ->
           one_tick(0); one_tick(1);
#if NODES > 2
           one_tick(2);
#endif
           age_slots(); tidy() }
    od
}

init {
    atomic {
        run node(0);
        run node(1);
#if NODES > 2
        run node(2);
#endif
        run network();
#ifdef EVICTS
        run operator();
#endif
        run passing()
    }
}

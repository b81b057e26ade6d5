/* Slots that somebody deletes, at any time: how long may two lead? A model of its own, for there nothing of lock.pml's
 * normal forms holds. Node 0 leads with a log that is older than any that begins here; the others are newcomers.
 *
 * Time is counted in ticks, TTL is three of them. Requests are answered within the tick in which they are sent: that is
 * "a request". What isn't due may be left out for as long as one likes: so renewals fail, unless FORCED, and processes
 * die. Reads show what is there.
 *
 * DELETIONS   how often somebody deletes: all of it, or one slot (several: some)
 * PAIR, ALL   the same two may lead for so many ticks, and any two, from when they do or from a deletion since
 * FORCED      every leader renews every TTL / 3: the network is good
 * PRESENCE    what a leader looks at once a TTL; 2: the head of the log, 1: the slot before its own, 0: nothing */
#ifndef NODES
#define NODES 3
#endif
#ifndef SLOTS
#define SLOTS 8
#endif
#ifndef PRESENCE
#define PRESENCE 2
#endif
#define TTL 3
#define WAIT (TTL + 1)
#define FIRST 4 /* node 0's claim; the slot before it is a vacancy */

#define NOTHING 0 /* in a slot; else a node's number and 1 */
#define VACANCY 9

#define NEWCOMER 0
#define WATCHING 1
#define CLAIMING 2
#define LEADING 3
#define GONE 4

byte slot[SLOTS + 2];
byte top;
byte mode[NODES];
byte head[NODES]; /* leaders: their newest slot; who watches: the head that is waited for */
byte left[NODES]; /* of the lease, or of the wait */
byte due[NODES];  /* so long until a leader looks at the log */
bool renewed[NODES];
byte deletions = DELETIONS;
byte together[3]; /* so many ticks two have led: 0 and 1, 0 and 2, 1 and 2 */
byte several;     /* and any two */

#define less(counter) counter = (counter > 0 -> counter - 1 : 0)
#define leads(i) (mode[i] == LEADING)
#define is_free(s) ((s) == 0 || slot[s] == VACANCY)

inline find_top() {
    top = SLOTS;
    do
    :: top > 0 && slot[top] == NOTHING -> top--
    :: else -> break
    od
}

inline end(i) {
    mode[i] = GONE;
    head[i] = 0;
    left[i] = 0;
    due[i] = 0;
    renewed[i] = false
}

inline claim(i) {
    mode[i] = CLAIMING;
    head[i] = top + 1;
    slot[top + 1] = i + 1;
    top = top + 1;
    left[i] = TTL;
    due[i] = TTL
}

inline watch(i) {
    mode[i] = WATCHING;
    head[i] = top;
    left[i] = WAIT
}

inline forget(i) {
    mode[i] = NEWCOMER;
    head[i] = 0;
    left[i] = 0;
    due[i] = 0
}

#define is_ours(i) (slot[top] == (i) + 1 && top <= head[i])
#define fits(i) (PRESENCE == 0 || (PRESENCE == 1 && slot[head[i] - 1] == (i) + 1) || (PRESENCE == 2 && is_ours(i)))

inline look(i) {
    if
    :: fits(i) -> due[i] = TTL
    :: else -> end(i)
    fi
}

inline renew(i) {
    if
    :: slot[head[i] + 1] == NOTHING ->
        head[i] = head[i] + 1;
        slot[head[i]] = i + 1;
        top = (head[i] > top -> head[i] : top);
        left[i] = TTL;
        renewed[i] = true
    :: else -> end(i)
    fi
}

inline release(i) {
    if
    :: slot[head[i] + 1] == NOTHING ->
        slot[head[i] + 1] = VACANCY;
        top = (head[i] + 1 > top -> head[i] + 1 : top)
    :: else
    fi;
    end(i)
}

proctype node(byte i) {
    do
    :: d_step { mode[i] == NEWCOMER && is_free(top) && top < SLOTS -> claim(i) }
    :: d_step { mode[i] == NEWCOMER && !is_free(top) -> watch(i) }
    :: d_step { mode[i] == WATCHING && top > head[i] -> forget(i) }
    :: d_step { mode[i] == WATCHING && left[i] == 0 && top == head[i] && top < SLOTS -> claim(i) }
    :: d_step { mode[i] == WATCHING && left[i] == 0 && top < head[i] -> forget(i) } /* the log went back */
    :: d_step { mode[i] == CLAIMING && left[i] > 0 && top == head[i] && slot[top] == i + 1 -> mode[i] = LEADING }
    :: d_step { mode[i] == CLAIMING && (left[i] == 0 || top != head[i]) -> forget(i) }
    :: d_step { leads(i) && !renewed[i] && head[i] < SLOTS -> renew(i) }
    :: d_step { leads(i) && due[i] == 0 -> look(i) }
    :: d_step { leads(i) && head[i] < SLOTS -> release(i) }
    :: d_step { leads(i) || mode[i] == CLAIMING -> end(i) } /* dies */
    od
}

inline count_anew() {
    together[0] = 0; together[1] = 0; together[2] = 0;
    several = 0
}

proctype somebody() {
    byte s;
    do
    :: d_step { deletions > 0 ->
           for (s : 1 .. SLOTS) { slot[s] = NOTHING }
           s = 0; top = 0; deletions--; count_anew() }
#define DELETED(n) :: d_step { deletions > 0 && slot[n] != NOTHING -> \
           slot[n] = NOTHING; find_top(); deletions--; count_anew() }
    DELETED(1)
    DELETED(2)
    DELETED(3)
    DELETED(4)
    DELETED(5)
    DELETED(6)
    DELETED(7)
    DELETED(8)
    od
}

#define may_pass(i) !(leads(i) && (due[i] == 0 || (is_forced && !renewed[i] && head[i] < SLOTS)))
#ifdef FORCED
#define is_forced (true)
#else
#define is_forced (false)
#endif

inline one_tick(i) {
    less(left[i]);
    less(due[i]);
    renewed[i] = false;
    if
    :: leads(i) && left[i] == 0 -> end(i) /* its lease is over */
    :: else
    fi
}

inline count(pair, i, j) {
    together[pair] = (leads(i) && leads(j) -> together[pair] + 1 : 0);
    assert(together[pair] <= PAIR) /* two children */
}

#if NODES > 2
#define leaders (leads(0) + leads(1) + leads(2))
#define all_may_pass (may_pass(0) && may_pass(1) && may_pass(2))
#else
#define leaders (leads(0) + leads(1))
#define all_may_pass (may_pass(0) && may_pass(1))
#endif

proctype passing() {
    do
    :: d_step { all_may_pass ->
           several = (leaders > 1 -> several + 1 : 0);
           assert(several <= ALL); /* two children */
           count(0, 0, 1);
#if NODES > 2
           count(1, 0, 2);
           count(2, 1, 2);
#endif
           one_tick(0); one_tick(1);
#if NODES > 2
           one_tick(2)
#endif
       }
    od
}

init {
    atomic {
        slot[FIRST - 1] = VACANCY;
        slot[FIRST] = 1;
        top = FIRST;
        mode[0] = LEADING;
        head[0] = FIRST;
        left[0] = TTL;
        due[0] = TTL;
        run node(0);
        run node(1);
#if NODES > 2
        run node(2);
#endif
        run somebody();
        run passing()
    }
}

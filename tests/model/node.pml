/* A node: keeper, guard and child. Each step is a rule of the design's section 1, or what may happen to a machine. */

/* What the head that node i has now seen means for its wait. An evict changes nothing. */
#ifdef NO_WAIT
#define wait_for(i) 0
#else
#ifdef EVICT_ENDS_LEASE
#define wait_for(i) (log[seen[i]] == VACANCY || log[seen[i]] == EVICT -> 0 : WAIT)
#else
#ifdef WAIT_FROM_SEND
#define wait_for(i) (log[seen[i]] == VACANCY -> 0 : (look[i] > 0 -> look[i] - 1 : WAIT))
#else
#define wait_for(i) (log[seen[i]] == VACANCY -> 0 : (log[seen[i]] == EVICT -> wait[i] : WAIT))
#endif
#endif
#endif

/* The last look before a claim. */
#ifdef TRIM
#ifdef NO_LOOK
#define may_claim(i) (true)
#else
#ifdef PAUSES
#define may_claim(i) (looked[i])
#else
#define may_claim(i) (looks_like_head(seen[i]))
#endif
#endif
#else
#ifdef FORGETFUL
#define may_claim(i) (seen[i] == top)
#else
#define may_claim(i) (true) /* nothing was ever trimmed: a look that is stale enough shows any head */
#endif
#endif

#ifdef PAUSES
bool looked[NODES]; /* the last look showed exactly the head that it knows; how long ago doesn't matter */
#define look_used(i) looked[i] = false
#else
#define look_used(i) skip
#endif

#ifdef WAIT_FROM_SEND
byte look[NODES]; /* 0: none is under way; else the wait that begins with it would be over in so long, less 1 */
#define may_see(i) (look[i] > 0)
#define look_answered(i) look[i] = 0
#else
#define may_see(i) (true)
#define look_answered(i) skip
#endif

#define is_own(i, content) ((is_claim_of(content, i) && nonce[i] < NONCES && (content) == CLAIM(i, nonce[i])) || \
    ((content) == RENEWAL(i) && nonce[i] != NO_NONCE))
#define in_log_at(i, slot, content) (seen[i] < (slot) && log[slot] == (content))
#if SLOTS > 4
#define in_log5(i, content) || in_log_at(i, 5, content)
#else
#define in_log5(i, content)
#endif
#if SLOTS > 5
#define in_log6(i, content) || in_log_at(i, 6, content)
#else
#define in_log6(i, content)
#endif
#define in_log(i, content) (in_log_at(i, 1, content) || in_log_at(i, 2, content) || in_log_at(i, 3, content) || \
    in_log_at(i, 4, content) in_log5(i, content) in_log6(i, content))
#define used_nonce(i, n) (is_ghost(CLAIM(i, n)) || in_log(i, CLAIM(i, n)))

#if NODES > 2
#define others_child(i) (child[((i) + 1) % NODES] || child[((i) + 2) % NODES])
#else
#define others_child(i) (child[1 - (i)])
#endif

inline draw_nonce(i) {
    if
    :: !used_nonce(i, 0) -> nonce[i] = 0
    :: else ->
        if
        :: !used_nonce(i, 1) -> nonce[i] = 1
        :: else ->
            if
            :: !used_nonce(i, 2) -> nonce[i] = 2
            :: else -> assert(!used_nonce(i, 3)); nonce[i] = 3
            fi
        fi
    fi
}

#ifdef FORGETFUL
#define see(i) wait[i] = WAIT; seen[i] = top
#else
#define see(i) seen[i] = seen[i] + 1 /* one slot after the other, even where all of them are seen at once */
#endif

/* Node i waits for the lock, with the head in seen[i]. */
inline watch(i) {
    mode[i] = WATCHING;
    lease[i] = 0;
    truth[i] = 0;
    forget(i);
    look_used(i);
    wait[i] = wait_for(i);
    look_answered(i)
}

/* A process that knows nothing. */
inline start(i) {
    mode[i] = WATCHING;
    seen[i] = 0;
    wait[i] = 0;
    lease[i] = 0;
    truth[i] = 0;
    nonce[i] = NO_NONCE;
    look_used(i);
    forget(i)
}

/* The write is in the log. */
inline landed(i) {
    seen[i] = seen[i] + 1;
    truth[i] = left[i];
#ifdef LEASE_FROM_ANSWER
    lease[i] = TTL;
#else
    lease[i] = left[i];
#endif
    forget(i)
}

/* Frees the lock that node i has. */
inline release(i) {
    mode[i] = RELEASING;
    forget(i);
#ifndef RELEASE_EARLY
    lease[i] = 0;
    truth[i] = 0;
#endif
    what[i] = VACANCY;
    send(i)
}

/* Rule 3 of the claim: the listing after it shows our own slot as the head. */
#if defined(TRIM) && !defined(NO_LISTING)
#define AFTER_CLAIM CHECKING
#else
#define AFTER_CLAIM LEADING
#endif

/* Rule "claim twice". Where the store creates once, one lane is like the other, and both come to one write. */
inline claim(i) {
    mode[i] = CLAIMING;
    draw_nonce(i);
    what[i] = CLAIM(i, nonce[i]);
    left[i] = TTL;
#ifdef WITNESS
    overtakes[i] = seen[i] > 0 && log[seen[i]] != VACANCY && !is_own(i, log[seen[i]]);
#endif
    look_used(i);
    send(i)
}

#ifdef RACY
#define STORE_IS_BAD skip
#else
#define STORE_IS_BAD assert(false) /* a store that keeps its word is never refused */
#endif

inline claim_answered(i) {
    if
    :: is_created_twice(i) -> STORE_IS_BAD; mode[i] = REFUSED; seen[i] = 0; forget(i)
    :: else ->
        if
        :: is_mine(i) && lists_own(i) -> mode[i] = AFTER_CLAIM; term[i] = seen[i] + 1; landed(i)
        :: else -> seen[i] = seen[i] + 1; watch(i)
        fi
    fi
}

inline child_starts(i) {
    child[i] = true;
    assert(!others_child(i)); /* never two children */
    assert(term[i] > token);  /* tokens grow */
#ifdef WITNESS
    overtaken = overtaken + (term[i] > 1 && log[term[i] - 1] > EVICT -> 1 : 0);
    assert(overtaken < WITNESS);
#endif
    token = term[i];
    term[i] = 0
}

inline renew(i) {
    what[i] = RENEWAL(i);
    left[i] = TTL;
#ifdef EXTEND_AT_SEND
    lease[i] = TTL;
#endif
    send(i)
}

/* FALSE_YES: something that isn't the store says that the renewal is written, and it never gets there. */
inline false_yes(i) {
    truth[i] = left[i];
    lease[i] = left[i];
    forget(i)
}

inline renewal_answered(i) {
    if
    :: is_mine(i) -> landed(i)
    :: else ->
        if
        :: log[seen[i] + 1] == EVICT -> seen[i] = seen[i] + 1; forget(i) /* it renews until the child is gone */
        :: else ->
            seen[i] = seen[i] + 1;
            if
            :: child[i] -> mode[i] = LOST; forget(i)
            :: else -> term[i] = 0; watch(i)
            fi
        fi
    fi
}

inline release_answered(i) {
    if
    :: is_mine(i) || (log[seen[i] + 1] != EVICT && log[seen[i] + 1] != RENEWAL(i)) -> seen[i] = seen[i] + 1; watch(i)
    :: else -> seen[i] = seen[i] + 1; send(i) /* an evict, or a renewal whose answer never came: the next slot */
    fi
}

/* By itself, or told to. */
inline child_ends(i) { child[i] = false; child_gone(i) }

/* The keeper hears of it. */
inline child_gone(i) {
    if
    :: mode[i] == LEADING -> release(i)
    :: mode[i] == LOST -> watch(i)
    :: mode[i] == DOWN -> start(i)
    :: else
    fi
}

/* The lease is over, and no child was started. */
inline lapse(i) {
    term[i] = 0;
    watch(i)
}

inline crash(i) {
    forget(i);
    term[i] = 0;
    if
    :: child[i] -> mode[i] = DOWN; seen[i] = 0; wait[i] = 0; nonce[i] = NO_NONCE; look_used(i)
    :: else -> start(i)
    fi
}

/* A step that gives up what is under way: it is lost, or goes on by itself. */
#define GIVES_UP(i, condition, step)                                                                                   \
    :: d_step { condition -> step(i); tidy() }                                                                         \
    :: d_step { condition && may_linger(i) -> become_ghost(i); step(i); tidy() }

#ifdef RELEASE_EARLY
#define may_release(i) (mode[i] == LEADING && child[i])
#else
#define may_release(i) (false)
#endif

#define is_bereft(i) (!child[i] && (mode[i] == LOST || mode[i] == DOWN || (mode[i] == LEADING && term[i] == 0)))
#define is_alive(i) (mode[i] > DOWN && mode[i] < REFUSED && (seen[i] > 0 || mode[i] > WATCHING))

proctype node(byte i) {
    do
    /* watch, take over */
    :: d_step { mode[i] == WATCHING && seen[i] < top && may_see(i) && store_is_quick -> see(i); watch(i); tidy() }
    :: d_step { mode[i] == WATCHING && seen[i] > 0 && is_own(i, log[seen[i]]) -> wait[i] = 0; release(i); tidy() }
    :: d_step { mode[i] == WATCHING && wait[i] == 0 && seen[i] < SLOTS && may_claim(i) -> claim(i); tidy() }
#ifdef PAUSES
    :: d_step { mode[i] == WATCHING && wait[i] == 0 && seen[i] == top && !looked[i] -> looked[i] = true; tidy() }
#endif
#ifdef WAIT_FROM_SEND
    :: d_step { mode[i] == WATCHING && look[i] == 0 -> look[i] = WAIT + 1; tidy() }
#endif
    /* claim; an answer that comes after the lease that it would give is ignored */
    :: d_step { mode[i] == CLAIMING && answered(i) && left[i] > 0 -> claim_answered(i); tidy() }
    GIVES_UP(i, mode[i] == CLAIMING && left[i] == 0, watch)
#ifdef TRIM
    :: d_step { mode[i] == CHECKING && lease[i] > 0 && looks_like_head(seen[i]) -> mode[i] = LEADING; tidy() }
    :: d_step { mode[i] == CHECKING && seen[i] < top -> see(i); lapse(i); tidy() }
    :: d_step { mode[i] == CHECKING && lease[i] == 0 -> lapse(i); tidy() }
#endif
    /* lead */
    :: d_step { mode[i] == LEADING && term[i] > 0 && lease[i] > 0 -> child_starts(i); tidy() }
    :: d_step { mode[i] == LEADING && what[i] == NOTHING && seen[i] < SLOTS && lease[i] > 0 && lease[i] < TTL ->
           renew(i); tidy() }
    :: d_step { mode[i] == LEADING && answered(i) && lease[i] > 0 -> renewal_answered(i); tidy() }
#ifdef FALSE_YES
    :: d_step { mode[i] == LEADING && what[i] == RENEWAL(i) && !answered(i) && lease[i] > 0 -> false_yes(i); tidy() }
#endif
    GIVES_UP(i, mode[i] == LEADING && term[i] > 0 && lease[i] == 0, lapse)
    GIVES_UP(i, child[i], child_ends)
    GIVES_UP(i, is_bereft(i), child_gone)
    /* release */
    :: d_step { may_release(i) -> release(i); tidy() }
    :: d_step { mode[i] == RELEASING && answered(i) -> release_answered(i); tidy() }
    GIVES_UP(i, mode[i] == RELEASING, watch)
    /* and all the time */
    GIVES_UP(i, is_alive(i), crash)
    od
}

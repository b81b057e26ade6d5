/* Several writers of one log, each with a store, and so with connections, of its own: they ask one at a time, or all
 * race for one slot.
 *
 * How to use it: fill stores and count, crew_ask() at least once with each (a race is one only between connections that
 * are open), then crew_race(). Each writer's entries tell whose they are. Knows the log, not what keeps it. */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "check_judge.h"
#include "store/store.h"

#define CREW_MOST       64
#define CREW_TIMEOUT_MS INT64_C(10000)

/* The caller's to fill; crew_close() closes the stores. */
struct crew {
    struct store *stores[CREW_MOST];
    int count;
    int wake_fd;      /* readable: everything ends at once, with -EINTR; -1: none */
    uint64_t run;     /* random: tells this run's entries from others' */
    const char *node; /* what the entries say who wrote them */
    unsigned asked;   /* so many requests were made */
};

/* Closes the stores, with whatever is under way in them; whether those writes come to be isn't known. Harmless twice.
 */
void crew_close(struct crew *crew);

/* Has writer who send request (whose id, lane and timeout are set here) and waits for the answer, which came took_ns
 * after it was sent (NULL: not asked). Returns 0, -EINTR, or another -errno, which is fatal. */
int crew_ask(struct crew *crew, int who, const struct log_request *request, struct log_answer *answer,
             int64_t *took_ns);

/* Has writer who append its entry to slot seq, as crew_ask(). */
int crew_append(struct crew *crew, int who, int64_t seq, struct log_answer *answer, int64_t *took_ns);

/* The writer whose entry of this run slot seq holds, or -1. */
int crew_author(const struct crew *crew, const struct slot *slot, int64_t seq);

/* Has all writers append to slot seq at once: every request is signed and ready before the first is sent, and all are
 * sent before an answer is waited for. Then the last one reads the slot. Tells what came of it, and in
 * reason[TEXT_REASON_SIZE] why an answer said nothing. Returns as crew_ask(). */
int crew_race(struct crew *crew, int64_t seq, struct round *round, char *reason);

#endif

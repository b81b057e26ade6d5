/* Holding one election against what no election may ever do, whatever a store answers.
 *
 * How to use it: watch_init(); watch_answer() before an answer is handed to the election, watch_actions() behind every
 * step. It believes nothing that the election says of itself: it keeps its own list of what was sent and what came of
 * it. A broken rule aborts (fuzz.h). */
#ifndef FUZZ_ELECTION_WATCH_H
#define FUZZ_ELECTION_WATCH_H

#include "election/election.h"

#define WATCH_SENT_MAX 64

/* An append, through all its tries. */
struct watch_sent {
    struct slot content;
    int64_t seq;
    int64_t first_ns; /* lease clock */
    bool landed;      /* said to be created, or read back */
    bool read_back;   /* its slot showed it */
    bool listed;      /* a listing asked for after it was sent had it as its head */
    unsigned created; /* answers that said so */
};

struct watch {
    const struct election_config *config;
    struct watch_sent sent[WATCH_SENT_MAX]; /* a ring */
    size_t sent_count;
    struct election_request lane[LOG_LANES]; /* the newest request of each */
    int64_t sent_ns[LOG_LANES];              /* lease clock, of that request */
    bool waiting[LOG_LANES];                 /* and whether its answer is awaited */
    bool child;
    bool stop_lost; /* the child was told that leadership is lost */
    bool stopped;   /* or to stop at all */
    int64_t lease_end_ns;
    int64_t token;
    int64_t token_wait_ns; /* wait clock, when it was won */
    bool exited;
    int exit_code;
};

void watch_init(struct watch *watch, const struct election_config *config);

/* Takes note of an answer that is about to be handed in at now. */
void watch_answer(struct watch *watch, struct instant now, const struct log_answer *answer);

/* Checks what a step at now decided, and takes note of it. */
void watch_actions(struct watch *watch, struct instant now, const struct election_actions *actions);

/* The newest append of an entry, or NULL. */
const struct watch_sent *watch_newest(const struct watch *watch);

#endif

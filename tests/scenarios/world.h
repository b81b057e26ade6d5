/* The world of one election on virtual time: its two clocks, what it asked the log for, its child, and a journal of all
 * it did, in sentences.
 *
 * How to use it: world_init() with a configuration; world_start(); then for each event world_advance() to its time,
 * and world_step() or world_answer(). Time passes as in the real program: the election is ticked whenever it asked to
 * be, and a request that nobody answers is answered "unknown" when its time is over. What no election may ever do
 * (two children, a child past its lease, one nonce for two contents, spinning) is a fault, whatever a transcript
 * expects. */
#ifndef SCENARIOS_WORLD_H
#define SCENARIOS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "election/election.h"

#define WORLD_LINES_MAX   256
#define WORLD_LINE_SIZE   200
#define WORLD_APPENDS_MAX 400

/* One request under way. */
struct world_request {
    bool waiting; /* for its answer */
    struct election_request request;
    int64_t due_ns; /* world time awake, when it times out */
};

/* Owned by the caller; plain values, no deinit. */
struct world {
    struct election election;
    struct election_config config;
    uint32_t jitter;
    int64_t now_ns;    /* since the start; leases count it */
    int64_t asleep_ns; /* how much of it the machine was suspended; waits don't count it */
    int64_t wake_ns;   /* when the election wants a tick; INT64_MAX: never */
    int64_t line_ns;   /* the time of the transcript's line: what happens then needs no time in its sentence */
    unsigned last_id;
    struct world_request lane[LOG_LANES];
    struct world_request former[LOG_LANES]; /* the one before: late answers are to it */
    struct slot append[WORLD_APPENDS_MAX];  /* entries appended so far; "#1" is append[0] */
    size_t appends;
    uint64_t nonces; /* handed in so far */
    bool child_running;
    bool child_lost; /* told to stop as lost, or out of time */
    int64_t lease_end_ns;
    bool exited;
    bool quiet; /* appends are created and reads find nothing, at once; what there are of them is counted, not told */
    unsigned renewals;
    unsigned reads;
    unsigned listings;           /* of a holder */
    char fault[WORLD_LINE_SIZE]; /* what no election may do; empty: nothing */
    size_t lines;
    char line[WORLD_LINES_MAX][WORLD_LINE_SIZE];
};

void world_init(struct world *world, const struct election_config *config, uint32_t jitter);

void world_start(struct world *world);

/* Lets time pass until just before at_ns, then makes it at_ns. */
void world_advance(struct world *world, int64_t at_ns);

/* Lets everything happen that is due by now. */
void world_settle(struct world *world);

/* Hands event in now; time, nonce and jitter are filled in. Then everything that is due now happens. */
void world_step(struct world *world, struct election_event *event);

/* Answers the request that is under way on answer's lane, or with late the one before. Its op says
 * what it answers (unknown and refused answer anything); id and seq are filled in. Returns NULL, or why it can't be. */
const char *world_answer(struct world *world, struct log_answer *answer, bool late);

/* The machine is suspended for so long, and resumes. */
void world_suspend(struct world *world, int64_t ns);

/* Until at_ns nothing new happens: each append is created and each read finds nothing, at once. Tells how many there
 * were. */
void world_quiet_until(struct world *world, int64_t at_ns);

/* Adds a sentence to the journal. */
void world_tell(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The number of the append with content's nonce, from 1 on; 0 where there is none. */
size_t world_append_number(const struct world *world, const struct slot *content);

#endif

/* The vocabulary of a log: what can be asked of it and what it answers.
 *
 * Stores answer in these words and the election understands no others, so neither knows the other. */
#ifndef RECORD_ANSWER_H
#define RECORD_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "record/record.h"

enum log_op {
    LOG_NEWEST, /* list: which slot is the head, and how old by the store's clock */
    LOG_READ,   /* read one slot */
    LOG_APPEND, /* write one slot if absent: the only atomic operation */
    LOG_TRIM,   /* delete what lies far behind the head; best effort */
};

enum outcome {
    OUTCOME_DONE,    /* listed; read; created (the store said so to this very request); trimmed */
    OUTCOME_ABSENT,  /* read: there is no such slot */
    OUTCOME_EXISTS,  /* append: the slot is taken; by whom, a read tells: it may be our own earlier try */
    OUTCOME_UNKNOWN, /* timeout, reset, 5xx, 409, 429, garbage: done or not, nobody can say. Neither success nor failure
                      */
    OUTCOME_REFUSED, /* credentials, permission, no such bucket, not this protocol: asking again won't help soon */
};

/* What the newest page of a listing shows. Times are the store's own, wall-clock ms since 1970; they never mix with
 * ours. */
struct listing {
    bool empty;               /* parsed, not truncated, and no slot in it; then the rest is meaningless */
    int64_t head_seq;         /* the newest slot */
    int64_t head_size;        /* bytes; RECORD_VACANCY_LENGTH means a vacancy, without a read */
    int64_t head_modified_ms; /* its Last-Modified */
    int64_t previous_seq;     /* the slot listed behind the head, 0 where there is none */
    int64_t previous_modified_ms;
    int64_t date_ms; /* the store's clock in the answer (Date header; a fresh temporary file's mtime); 0 unknown */
};

enum {
    LOG_LANE_0, /* two connections for the election: a claim goes out on both at once */
    LOG_LANE_1,
    LOG_LANE_TRIM, /* one more, so that trimming is never in a renewal's way */
    LOG_LANES
};

/* One answer to one request. */
struct log_answer {
    unsigned id; /* the request's */
    int lane;
    enum log_op op;
    enum outcome outcome;
    int64_t seq;            /* the slot asked for: read, append */
    struct listing listing; /* LOG_NEWEST with OUTCOME_DONE */
    struct slot slot;       /* LOG_READ with OUTCOME_DONE */
    char
        reason[TEXT_REASON_SIZE]; /* for UNKNOWN and REFUSED: one line for people, without "leaderexec: "; else empty */
};

#endif

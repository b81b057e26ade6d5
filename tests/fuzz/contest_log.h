/* A log as the design wants it from a store: a slot is created at most once at a time, reads may be of a while ago, old
 * slots can be trimmed.
 *
 * Times are true ones, in nanoseconds; nobody's clock. */
#ifndef FUZZ_CONTEST_LOG_H
#define FUZZ_CONTEST_LOG_H

#include "election/election.h"

#define CONTEST_OBJECTS_MAX 300
#define CONTEST_EPOCH_MS    INT64_C(1795471301000) /* the store's clock at time 0 */

/* One object that was created, and perhaps deleted. */
struct contest_object {
    int64_t seq;
    struct slot content;
    int64_t created_ns;
    int64_t deleted_ns; /* INT64_MAX: it is there */
};

struct contest_log {
    struct contest_object object[CONTEST_OBJECTS_MAX]; /* in the order of their creation */
    size_t count;
};

/* Carries out request at now_ns, as the log was at as_of_ns where it only reads, and fills in the answer's outcome and
 * content. An append is always of now. Returns false where there is no room for another object. */
bool contest_log_do(struct contest_log *log, const struct election_request *request, int64_t now_ns, int64_t as_of_ns,
                    struct log_answer *answer);

#endif

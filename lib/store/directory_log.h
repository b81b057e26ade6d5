/* The operations on a log in a directory, as plain blocking calls. Each slot is a file that appears whole or not at
 * all.
 *
 * They may hang as long as the disk does, so directory.c runs each in a process of its own; nothing here knows of
 * processes, lanes or timeouts. */
#ifndef STORE_DIRECTORY_LOG_H
#define STORE_DIRECTORY_LOG_H

#include <limits.h>

#include "record/answer.h"
#include "store/store.h"

/* Where a log is. Plain values. */
struct directory_log {
    char directory[PATH_MAX]; /* what file:DIR named */
    char folder[PATH_MAX];    /* the lock's folder in it, without a '/' at its end */
};

/* Does request, and puts outcome, listing or slot, and reason into answer, whose id, lane, op and seq are the caller's.
 */
void directory_log_run(const struct directory_log *log, const struct log_request *request, struct log_answer *answer);

#endif

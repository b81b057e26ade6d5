/* A short-lived process that does one thing that may block for ever (a disk's fsync, say) and answers through a pipe.
 *
 * How to use it: worker_start(), poll worker.answer_fd for reading, worker_collect(); worker_dismiss() once it isn't
 * wanted any more, then worker_reap() until that says it is gone. Nothing here blocks. The process holds none of our
 * descriptors, ends with us, and kills itself when its lifetime is over; nobody else who reaps children sees it
 * (base/helper.h). Knows nothing of logs and slots. */
#ifndef STORE_WORKER_H
#define STORE_WORKER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/helper.h"

#define WORKER_ANSWER_MAX PIPE_BUF /* bytes; written at once or not at all */

/* Plain values; WORKER_NONE where there is none. */
struct worker {
    struct helper helper;
    int answer_fd; /* readable once it answered or died; -1: it was collected or dismissed */
};

#define WORKER_NONE ((struct worker){.helper = HELPER_NONE, .answer_fd = -1})

/* What to do: runs in the process, with the caller's memory as it was at worker_start(), and fills answer. */
typedef void worker_task(const void *input, void *answer);

/* Starts a process that runs task(input, answer) and sends the answer_size bytes (at most WORKER_ANSWER_MAX) of answer,
 * which start as what answer holds now. It is killed lifetime_ms ms (> 0) from now at the latest, by its own timer.
 * Returns 0, or -errno (EAGAIN, EMFILE, ENOMEM ...) with *worker WORKER_NONE. The caller has one thread. */
int worker_start(struct worker *worker, int64_t lifetime_ms, worker_task *task, const void *input, const void *answer,
                 size_t answer_size);

enum worker_state {
    WORKER_BUSY,
    WORKER_ANSWERED, /* answer is filled */
    WORKER_DIED,     /* without an answer */
};

/* Takes the answer where it has come. Not after anything but WORKER_BUSY. */
enum worker_state worker_collect(struct worker *worker, void *answer, size_t answer_size);

/* Kills it, unless it has answered, and forgets its answer. What it was doing may still come about. */
void worker_dismiss(struct worker *worker);

/* Reaps a dismissed worker. Returns whether it is gone; *worker is WORKER_NONE then. */
bool worker_reap(struct worker *worker);

/* Closes what is left of a dismissed worker without reaping it. */
void worker_forget(struct worker *worker);

#endif

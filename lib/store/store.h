/* The log of one lock, whatever keeps it: newest, read, append, trim, each asked for now and answered later.
 *
 * How to use it: open one (store_open_directory, store_open_s3), store_submit() requests, wait in store_wait() (which
 * also watches the caller's descriptors), drain store_next(), store_close(). Nothing here blocks but store_wait(). A
 * store knows slots and bytes, not leases, holders or claims; it never retries on its own (an unknown answer is the
 * caller's business) except to follow a redirect to the bucket's region, once. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "record/answer.h"

struct log_request {
    unsigned id; /* comes back in the answer */
    int lane;    /* LOG_LANE_0 ... */
    enum log_op op;
    int64_t seq;      /* read, append: the slot; trim: the head, which stays, and so does the slot behind it */
    const char *body; /* append: copied before store_submit returns */
    size_t body_length;
    bool goes_on;         /* append: to a log that has begun: where its folder is gone, that isn't made anew */
    int64_t timeout_ms;   /* answered OUTCOME_UNKNOWN after that at the latest */
    int64_t retention_ms; /* trim: slots older than this by the store's clock go */
    int trim_most;        /* trim: delete at most this many */
};

/* A line for people about the store's own affairs: whose credentials it uses, say. */
struct store_notice {
    bool warning; /* or else of interest to who asked for details */
    char text[TEXT_REASON_SIZE];
};

struct store;

/* One backend. Each function as the store_* function of its name. */
struct store_ops {
    int (*submit)(struct store *store, const struct log_request *request);
    int (*wait)(struct store *store, struct pollfd *extra, size_t count, int timeout_ms);
    bool (*next)(struct store *store, struct log_answer *answer);
    bool (*notice)(struct store *store, struct store_notice *notice); /* NULL: it never has one */
    void (*close)(struct store *store);
};

/* The head of every backend's own struct. */
struct store {
    const struct store_ops *ops;
};

/* Begins a request. At most one is under way in a lane: a new one aborts the old, whose answer never comes (its append
 * may still reach the store). Requests of different lanes run at the same time, each on a connection of its own.
 * Returns 0, or -errno (-ENOMEM; -EINVAL for nonsense), which is fatal. */
int store_submit(struct store *store, const struct log_request *request);

/* Waits until an answer may have come, one of the count extra descriptors is ready (their revents are set; 0 where
 * nothing happened), or timeout_ms ms are over. Spurious returns happen. Returns 0, or -errno, which is fatal. */
int store_wait(struct store *store, struct pollfd *extra, size_t count, int timeout_ms);

/* Takes one answer that has come. Returns whether there was one. */
bool store_next(struct store *store, struct log_answer *answer);

/* Takes a line that the store has to say. Returns whether there was one. */
bool store_take_notice(struct store *store, struct store_notice *notice);

/* Aborts what is under way and frees store; NULL is fine. Never blocks on the network or a disk. */
void store_close(struct store *store);

/* The log in directory DIR/<prefix><lock>/ on a local disk (put-if-absent is link(2)). Folders are made by an
 * append that may begin the log. Each operation runs in a short-lived process of its own, so that a disk that hangs,
 * hangs that process and not its caller. Returns NULL with a line in reason[TEXT_REASON_SIZE] where memory ran out or a
 * name is too long. */
struct store *store_open_directory(const char *directory, const char *prefix, const char *lock, char *reason);

struct s3_config; /* lib/s3/config.h */

/* The log at <prefix><lock>/ in config's bucket. Copies what it needs of config. Returns NULL with a line in
 * reason[TEXT_REASON_SIZE]. */
struct store *store_open_s3(const struct s3_config *config, const char *prefix, const char *lock, char *reason);

#endif

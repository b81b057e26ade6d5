/* For tests of the directory store: a store in a folder of its own, on a disk that hangs, fails and lies to order.
 *
 * Some of libc's functions are replaced in programs that link this; a worker inherits what disk says when it starts. */
#ifndef UNIT_DIRECTORY_DISK_H
#define UNIT_DIRECTORY_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/store.h"

#define TIMEOUT_MS 20000

struct disk {
    bool fsync_hangs;
    int fsync_errno;        /* of files */
    int folder_fsync_errno; /* of folders */
    int link_errno;         /* after the link was made */
    int no_link_errno;      /* no link is made */
    bool no_proc;           /* /proc/self/fd can't be followed */
    bool no_tmpfile;        /* O_TMPFILE isn't known */
    bool unkillable;        /* workers don't die */
    unsigned listing_takes_ms;
    bool opening_hangs;  /* of anything in a folder */
    bool writes_little;  /* write(2) takes a byte at a time, if it isn't interrupted */
    bool no_close_range; /* as before Linux 5.9 */
};

extern struct disk disk;

struct fixture {
    char root[64];
    char directory[96];
    char folder[128];
    struct store *store;
};

/* Makes the fixture with a disk in order, and removes it with whatever worker is left. */
int set_up(void **state);
int tear_down(void **state);

/* The process that hung in fsync(2) last. */
pid_t disk_hanging(void);

/* When the last listing began that had to take its time, by the wall clock. */
int64_t disk_listing_ms(void);

/* Submits request on its lane; one without a timeout gets TIMEOUT_MS. */
void submit(struct store *store, struct log_request request);

/* Waits for the next answer. Returns whether one came within timeout_ms ms. */
bool wait_for_answer(struct store *store, struct log_answer *answer, int timeout_ms);

/* Submits request and waits for the next answer, which has to come. */
struct log_answer ask(struct store *store, struct log_request request);

struct log_request an_append(int64_t seq); /* of a vacancy */
struct log_request a_read(int64_t seq);
struct log_request a_listing(void);
struct log_request a_trim(int64_t head, int64_t retention_ms);

/* Appends slots first to last, each of which has to be created. */
void append_all(struct fixture *fixture, int64_t first, int64_t last);

/* Writes the path of name in the lock's folder. */
void path_in_folder(const struct fixture *fixture, char out[256], const char *name);

/* Counts the names in path; -1 where it can't be read. */
int count_names(const char *path);

#endif

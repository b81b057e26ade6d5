/* Where the contract test runs: "file:DIR", "s3://BUCKET[/PREFIX]" (keys, region and endpoint from the AWS_ variables),
 * or a folder of its own.
 *
 * And how it asks a store one thing and waits for the answer. Knows no test. */
#ifndef CONTRACT_TARGET_H
#define CONTRACT_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "record/answer.h"
#include "store/store.h"

#define TARGET_TEXT_SIZE 512
#define ASK_TIMEOUT_MS   20000

struct s3_config;

struct target {
    char name[TARGET_TEXT_SIZE];      /* as given */
    char directory[TARGET_TEXT_SIZE]; /* "" for S3 */
    char prefix[TARGET_TEXT_SIZE];
    bool own_directory; /* made by us, removed in the end */
    struct s3_config *s3;
    unsigned locks;    /* how many names were handed out */
    unsigned long run; /* tells this run's names from another's in the same bucket */
};

/* Takes name, or makes a folder where it is NULL. Prints what is wrong and returns false where it can't be used. */
bool target_init(struct target *target, const char *name);

/* Removes what target_init() made. */
void target_deinit(struct target *target);

/* Writes a name for a lock that nobody used before. */
void target_name_lock(struct target *target, char out[64]);

/* Opens the log of lock, below the target's prefix and then below; ends the process where that fails. */
struct store *target_open(const struct target *target, const char *below, const char *lock);

/* Sends request with an id of its own and waits for its answer, and for nothing else to be answered. Ends the process
 * where none comes. */
struct log_answer ask(struct store *store, struct log_request request);

/* ask(), by operation, on lane 0. */
struct log_answer ask_newest(struct store *store);
struct log_answer ask_read(struct store *store, int64_t seq);
struct log_answer ask_append(struct store *store, int64_t seq, const char *body, size_t length);
struct log_answer ask_trim(struct store *store, int64_t head, int64_t retention_ms, int most);

/* Waits for the next answer at most timeout_ms ms. Returns whether one came. */
bool wait_for_answer(struct store *store, struct log_answer *answer, int timeout_ms);

#endif

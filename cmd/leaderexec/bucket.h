/* Where a lock is kept, as the user writes it: NAME, s3://NAME[/PREFIX] or file:DIR; and the store that opens there.
 *
 * Which slots a log has and what they mean is the store's and the election's business. */
#ifndef BUCKET_H
#define BUCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "s3/config.h"
#include "values.h"

#define BUCKET_DIRECTORY_SIZE 1024 /* bytes of an absolute DIR; longer ones are refused */
#define BUCKET_IDENTITY_SIZE  4096 /* room for the longest DIR with every byte escaped, a prefix and a lock */

enum bucket_kind { BUCKET_S3, BUCKET_DIRECTORY };

/* Plain values; copying is fine. */
struct bucket {
    enum bucket_kind kind;
    char name[S3_BUCKET_SIZE];             /* BUCKET_S3 */
    char directory[BUCKET_DIRECTORY_SIZE]; /* BUCKET_DIRECTORY: absolute, without symbolic links as far as it exists */
    bool has_prefix;                       /* s3://NAME/PREFIX: it says what --prefix says */
    char prefix[PREFIX_SIZE];
};

/* Reads text into *bucket. A directory needn't exist yet, but what exists of its path must be directories. Opens no
 * store and no connection. Returns 0, or -EINVAL with what is wrong in problem[VALUES_PROBLEM_SIZE]. */
int bucket_parse(struct bucket *bucket, const char *text, char *problem);

/* Writes what names the lock on this machine, whatever way it was written: "s3://b/locks/leader",
 * "file:/srv/locks/leader". Never holds a space: what isn't plain in a directory's name is written as %20. (The service
 * isn't part of it: two buckets of one name at two services look the same, and nesting their locks is refused though it
 * would do no harm.) Returns 0 or -ENOSPC. */
int bucket_identity(char *out, size_t size, const struct bucket *bucket, const char *prefix, const char *lock);

struct options;
struct priority;
struct store;

/* Opens the log of options' lock. For S3 this is where the environment and the AWS files are read, so that it belongs
 * behind the guard's fork. What runs for it that isn't ours (a credential_process) gets priority. Returns the store,
 * for store_close(), or NULL with a line in reason[TEXT_REASON_SIZE]. */
struct store *bucket_open(const struct options *options, char *const *environment, const struct priority *priority,
                          char *reason);

/* Reads what talks to options' bucket, of BUCKET_S3, from options, environment and the AWS files; as s3_config_load().
 */
int bucket_load_config(struct s3_config *config, const struct options *options, char *const *environment, char *reason);

#endif

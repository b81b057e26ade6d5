/* A command line run by /bin/sh for what it prints, without waiting for it: credential_process.
 *
 * How to use it: s3_command_start(), poll command.fd for reading, s3_command_read() until it isn't S3_COMMAND_BUSY;
 * s3_command_cancel() when it takes too long. The command has a process group of its own, /dev/null as its input, and
 * holds none of our descriptors; when it is cancelled, or we die, the group is killed. Who reaps children here doesn't
 * see it (base/helper.h). */
#ifndef S3_COMMAND_H
#define S3_COMMAND_H

#include "base/buffer.h"
#include "base/helper.h"
#include "base/priority.h"
#include "s3/errand.h"

#define S3_COMMAND_LIFETIME_MS INT64_C(120000) /* by its own timer, should everything else fail */

struct s3_command {
    struct helper helper;
    int fd;               /* -1: none under way */
    struct buffer answer; /* what has come so far */
};

enum s3_command_state { S3_COMMAND_BUSY, S3_COMMAND_DONE };

/* Nothing is under way afterwards; undo with s3_command_cancel(). */
void s3_command_init(struct s3_command *command);

/* Runs line with environment and priority. Returns 0 or -errno. */
int s3_command_start(struct s3_command *command, const char *line, char *const *environment,
                     const struct priority *priority);

/* Reads what has come. When done, reply has status, body and trouble, or failed. */
enum s3_command_state s3_command_read(struct s3_command *command, struct s3_reply *reply);

/* Kills what runs, wipes, and reaps what can be reaped now. May be called again, and again later to reap. */
void s3_command_cancel(struct s3_command *command);

#endif

/* Starting the command, as if by whoever started leaderexec: its mask, dispositions, descriptors and arguments.
 * Everything that needs memory is done in child_prepare(), so that the start itself can't fail for the lack of it.
 * Knows no deadlines. */
#ifndef PROCESS_CHILD_H
#define PROCESS_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/priority.h"
#include "process/dead_man.h"
#include "process/init.h"
#include "process/self_names.h"

#define CHILD_TOKEN_VARIABLE "LEADEREXEC_TOKEN"
#define CHILD_DEFAULT_PATH   "/bin:/usr/bin" /* where a program is looked for without a PATH, as by execvp(3) */

/* As a shell reports them. */
#define CHILD_EXIT_CANNOT_RUN 126
#define CHILD_EXIT_NOT_FOUND  127

/* Added to the number of the signal that ended the command: more than any exit code, so that its own 137 isn't taken
 * for a SIGKILL. */
#define CHILD_EXIT_SIGNALLED 256

/* What leaderexec was given and the command gets back. */
struct child_origin {
    sigset_t mask;
    bool chld_ignored;
    pid_t leaderexec; /* whom LISTEN_PID and its like may name (self_names.h) */
    struct priority priority;
};

/* A command ready to be started, again and again. Copies of everything, so that the originals may be overwritten. */
struct child {
    struct child_origin origin;
    bool foreground; /* in the process group of the keeper, whose terminal it shares; else in one of its own */
    pid_t shared_group;
    char **arguments;       /* NULL-terminated */
    char **shell_arguments; /* for a script without an interpreter line, as execvp(3) does it */
    char **environment;
    char *token; /* where the token is written, in one of environment */
    struct self_names names;
    const char *path; /* PATH, in environment or the usual default */
    char *program;    /* room for a folder of PATH and the name */
    size_t program_size;

    pid_t pid;  /* 0: not running, or reaped; or isolated: then only init knows it */
    int report; /* where the start reports the errno of a failed exec; -1: none */

    struct isolate isolate; /* .wanted: each run in a PID namespace of its own */
    struct init init;       /* its first process */
};

/* Copies argv and environment (its LEADEREXEC_TOKEN left out). Returns 0 or -ENOMEM. */
int child_prepare(struct child *child, char *const *argv, char *const *environment, const struct child_origin *origin);

/* Gives back what child_prepare() took. Idempotent. */
void child_deinit(struct child *child);

/* Forks and execs with token in the environment. The new process dies with the caller (PR_SET_PDEATHSIG), and what
 * becomes of its group is dead_man's, which has been set. Allocates nothing. Returns 0 with child->pid or child->init set, or -errno
 * where it couldn't be forked. */
int child_start(struct child *child, int64_t token, const struct dead_man *dead_man);

/* In a process just forked: becomes the command. Only comes back with why it failed, an errno. */
int child_become(const struct child *child, const struct dead_man *dead_man);

/* The group that is the command's own; 0: it has none with a number here, or doesn't run. */
pid_t child_group(const struct child *child);

/* Sends signal to the command's group, or to the command alone where it shares ours. Nothing where it doesn't run. */
void child_signal(struct child *child, int signal);

/* Takes note of the command's end as waitid(2) had it, which reaped it. Sets its exit code, or CHILD_EXIT_SIGNALLED +
 * N, and the errno of a failed exec (0: it ran). */
void child_ended(struct child *child, const siginfo_t *info, int *exit_code, int *exec_errno);

/* What a shell reports for a command that can't be run because of that errno: 127 where it wasn't found, else 126. */
int child_exit_code_of(int exec_errno);

#endif

/* Short-lived processes of our own, which do in our place what may block for ever: how they are made, what they let go
 * of, how they are waited for. What they do is the caller's.
 *
 * Such a process raises no SIGCHLD, and a plain waitpid(-1) doesn't see it (__WCLONE, see wait(2)): whoever reaps
 * children here needn't know of it, and waits for none that hangs. That lasts until it calls execve(2), which it
 * therefore never does; a child of its own may. */
#ifndef BASE_HELPER_H
#define BASE_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Plain values; HELPER_NONE where there is none. */
struct helper {
    pid_t pid;
    int pidfd; /* readable once it is dead; -1 before Linux 5.2 */
};

#define HELPER_NONE ((struct helper){.pid = 0, .pidfd = -1})

/* As fork(2), with every signal blocked in the new process, so that no handler of the caller's runs there. Where the
 * caller may have threads (libcurl's look up names), the new process calls nothing that isn't async-signal-safe:
 * malloc's locks, say, may be held by a thread that isn't there. Returns as fork(2). */
pid_t helper_fork(struct helper *helper);

/* In the new process: fork(2) for a child of its own, an ordinary one, that may call execve(2). fork(2) itself takes
 * malloc's locks. */
pid_t helper_fork_again(void);

/* In the new process, first of all: it takes name, dies with parent (the caller's pid from before the fork), holds none
 * of our descriptors but *kept_fd (which may move), has a pipe that nobody reads as 0, 1 and 2, and is killed by its
 * own timer lifetime_ms (> 0) from now. Returns whether all of that is so. */
bool helper_settle_in(pid_t parent, const char *name, int64_t lifetime_ms, int *kept_fd);

/* Whether it hasn't been reaped, so that its pid is still its own and may be signalled. */
bool helper_is_ours(const struct helper *helper);

/* Reaps it where it has ended. Returns whether it is gone; *helper is HELPER_NONE then. Doesn't block. */
bool helper_reap(struct helper *helper);

/* Closes what is left of it without reaping it. */
void helper_forget(struct helper *helper);

#endif

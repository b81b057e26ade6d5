/* The descriptors that leaderexec was started with. They are the command's: the keeper keeps them for as long as it may
 * need another guard, out of its own way, and each guard begins with them and nothing else. */
#ifndef PROCESS_INHERITED_H
#define PROCESS_INHERITED_H

#include <stddef.h>

#define INHERITED_OWN_MAX 8 /* descriptors of the guard's own */

/* All zero: none are kept. */
struct inherited {
    int *fds; /* those from 3 on; NULL: none are kept */
    size_t count;
    int standard[3]; /* copies of 0, 1 and 2; -1: it was closed */
};

/* Notes them, by what execve(2) leaves open: everything of ours is close-on-exec. Then 0 and 1 are /dev/null, and so is
 * 2 where it was closed. proc is from procfs_open(). Returns 0 or -errno. */
int inherited_keep(struct inherited *inherited, int proc);

/* In a process cloned from the one that keeps them: 0, 1 and 2 are again what they were, and everything else is closed,
 * but for the other inherited ones and own[count], at most INHERITED_OWN_MAX. What *inherited keeps here is used up.
 * Async-signal-safe. Returns 0 or -errno. */
int inherited_take_back(struct inherited *inherited, const int *own, size_t count);

/* Closes them and frees. Idempotent. */
void inherited_let_go(struct inherited *inherited);

#endif

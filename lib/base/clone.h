/* clone(2) as fork(2) uses it, with the exit signal and flags of one's choice, and without what the C library does
 * around fork(2): that takes malloc's locks, which may be held for ever in the new process, by threads that only the
 * caller has. So the new process calls nothing that isn't async-signal-safe where the caller may have threads. */
#ifndef BASE_CLONE_H
#define BASE_CLONE_H

#include <sys/types.h>

/* flags: CLONE_... of those that need no further argument, and the signal that the caller gets at the new process's
 * end (0: none; with any but SIGCHLD only __WALL and __WCLONE make wait(2) see it). pidfd: for CLONE_PIDFD, else NULL.
 * Returns as fork(2). The C library may still take the caller's thread id for the new process's. */
pid_t clone_plainly(unsigned long flags, int *pidfd);

#endif

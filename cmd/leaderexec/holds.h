/* LEADEREXEC_HOLDS: the locks that this process runs under, so that none waits for its own parent.
 *
 * Entries are separated by one space, the outermost first. Each is IDENTITY#PID.BORN.NAMESPACE: the lock
 * (bucket_identity), and the leaderexec that holds it: its process number, its start in clock ticks since boot as
 * proc(5) has it, and the inode of its PID namespace. A job may hand its environment to work that outlives it (at(1), a
 * tmux server, a batch queue), so an entry counts only while that leaderexec lives above us. */
#ifndef HOLDS_H
#define HOLDS_H

#include <stdbool.h>

#define HOLDS_VARIABLE "LEADEREXEC_HOLDS"

/* Returns whether environment says that identity is held by a leaderexec that we run under. Where that can't be told
 * (it is in another PID namespace, or /proc hides our ancestors) it is taken to be. */
bool holds_contains(char *const *environment, const char *identity);

/* Returns environment with identity, held by the calling process, added, as environment_with(): what the command gets.
 * NULL: no memory. */
char **holds_add(char *const *environment, const char *identity);

#endif

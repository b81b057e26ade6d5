/* LEADEREXEC_HOLDS: the locks that this process runs under, so that none waits for its own parent.
 *
 * Identities (bucket_identity) separated by one space, the outermost first. */
#ifndef HOLDS_H
#define HOLDS_H

#include <stdbool.h>

#define HOLDS_VARIABLE "LEADEREXEC_HOLDS"

/* Returns whether environment says that identity is held by a leaderexec that we run under. */
bool holds_contains(char *const *environment, const char *identity);

/* Returns environment with identity added, as environment_with(): what the command gets. NULL: no memory. */
char **holds_add(char *const *environment, const char *identity);

#endif

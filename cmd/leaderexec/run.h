/* The keeper's event loop: election, store and guard brought together. Knows no option's spelling and no rule of its
 * own. */
#ifndef RUN_H
#define RUN_H

struct options;

/* Runs options->command while leading: forks the guard before it opens anything, then follows the election to its end.
 * environment is what leaderexec was given; the command gets it with LEADEREXEC_HOLDS (holds.h) and LEADEREXEC_TOKEN
 * added. Returns the exit code: the command's, or options.h's; or CHILD_EXIT_SIGNALLED (process/child.h) + N where signal N
 * ended the command, or the wait for the lock. Reports on stderr as options say. */
int run_command(const struct options *options, char *const *environment);

#endif

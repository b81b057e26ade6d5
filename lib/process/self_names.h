/* The variables by which a service manager tells a process that something is meant for it: LISTEN_PID, LISTEN_PIDFDID
 * (sd_listen_fds(3)) and WATCHDOG_PID (sd_watchdog_enabled(3)). Those that name leaderexec name the command when it
 * runs, for it has the descriptors and the duty. */
#ifndef PROCESS_SELF_NAMES_H
#define PROCESS_SELF_NAMES_H

#include <sys/types.h>

#define SELF_NAMES_MOST 3

/* Where the numbers stand, in strings of an environment; NULL: there is no such variable, or it names another. */
struct self_names {
    char *at[SELF_NAMES_MOST];
};

/* Finds the variables that name pid in environment, whose strings are the caller's own from malloc(3), and replaces
 * them by longer ones. Returns 0 or -ENOMEM (environment can still be freed as before). */
int self_names_find(struct self_names *names, char **environment, pid_t pid);

/* Writes the calling process's numbers there. Safe between fork(2) and execve(2). */
void self_names_write(const struct self_names *names);

#endif

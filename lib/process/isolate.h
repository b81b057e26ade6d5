/* A PID namespace for the command: whether one can be had, and becoming the first process in it.
 *
 * When that first process dies, the kernel kills everything in the namespace, and its parent can't
 * reap it before all of that is gone (pid_namespaces(7)). With it come a mount namespace, for a
 * /proc that shows the new numbers, and, for whoever may not make these otherwise, a user namespace
 * in which every number means what it meant outside (user_namespaces(7)). Knows nothing of
 * commands; what the first process does is in init.h. */
#ifndef PROCESS_ISOLATE_H
#define PROCESS_ISOLATE_H

#include <stdbool.h>
#include <sys/types.h>

/* How it is done here. Plain values. */
struct isolate {
    bool wanted;
    bool user_namespace; /* these three by isolate_check(): whether one is needed, */
    uid_t user;          /* and who we are */
    gid_t group;
    int proc; /* from procfs_open(): /proc as it is outside */
};

/* Finds out by trying whether it can be had, and fills in the rest of how; how->proc must be there.
 * For a process without threads that has every signal blocked. Returns 0, or -errno with a line in
 * reason[TEXT_REASON_SIZE]. */
int isolate_check(struct isolate *how, char *reason);

/* As fork(2), but the new process is the first one of namespaces of its own; it calls nothing that
 * isn't async-signal-safe. */
pid_t isolate_fork(const struct isolate *how);

/* In the new process: takes over its user and its /proc. Returns 0, or -errno with what was tried
 * in *what. */
int isolate_settle_in(const struct isolate *how, const char **what);

#endif

/* The guard: the process between keeper and command that sees to it that nothing runs past the deadline (design,
 * section 2). It does what guard_step() decides, and knows nothing of locks or stores. */
#ifndef PROCESS_GUARD_H
#define PROCESS_GUARD_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "process/child.h"
#include "process/guard_step.h"
#include "process/inherited.h"
#include "process/memory.h"
#include "process/signals.h"

#define GUARD_NAME "le-guard"

/* What the keeper hands to the guard, which is cloned from it. */
struct guard_setup {
    struct guard_config config;
    const struct child *child;   /* ready to be started; prepared by the keeper, since the guard allocates nothing */
    struct inherited *inherited; /* the command's descriptors */
    const struct signals_origin *signals; /* how leaderexec was started: so is the command */
    const struct rlimit *cores;           /* its limit of core files */
    const struct memory_map *memory;      /* what the guard runs on */
    bool restartable;                     /* inherited descriptors are needed again after a start */
    pid_t keeper;
    pid_t keeper_group; /* 0: it has no number in this PID namespace */
    int socket;         /* the guard's end */
    int tray;           /* the same, for the keeper's ends of dead man's switches */
    int proc;           /* from procfs_open() */
};

/* Runs the guard in the process just cloned (lib/base/clone.h), with every signal blocked. Its first message is
 * MESSAGE_READY. Ends the process. */
void guard_run(const struct guard_setup *setup) __attribute__((noreturn));

#endif

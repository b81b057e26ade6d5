/* What preload.c tells inject.c: prctl(2) with options that no kernel knows, which inject.c answers in the kernel's
 * place. */
#ifndef FAULTS_MARKS_H
#define FAULTS_MARKS_H

enum mark {
    MARK_ROLE = 0x4c450001, /* second argument: enum role, which the caller has from now on */
    MARK_ALLOCATION,        /* about to allocate; refused where that allocation is to fail */
    MARK_KILLED,            /* second argument: a child that a signal ended; third: the signal */
};

enum role {
    ROLE_OTHER, /* none of leaderexec's processes: what the command is once it runs */
    ROLE_KEEPER,
    ROLE_GUARD,
    ROLE_COMMAND, /* what the guard forks, until it has become the command */
    ROLE_WORKER,  /* what the keeper clones for each request to a directory */
    ROLE_COUNT,
};

#endif

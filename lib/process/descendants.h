/* Finding and signalling everything below a process, without allocation and without ever hitting a stranger (design,
 * section 2 "kill").
 *
 * Own children can't be mistaken, for nobody else reaps them: they are signalled by number. All others are signalled by
 * a pidfd whose parent was read again after it was opened. Who escapes a round because it forks meanwhile is an orphan
 * afterwards, which comes to the caller, a subreaper: so rounds are repeated until nothing is left. */
#ifndef PROCESS_DESCENDANTS_H
#define PROCESS_DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/procfs.h"

/* How many are signalled in one round; the rest is left to the next. */
#define DESCENDANTS_MAX 4096

/* Below whom, and who is left alone with all that is below it. */
struct descendants {
    int proc;            /* from procfs_open() */
    pid_t root;          /* the calling process */
    int64_t born;        /* ticks: children older than that are left alone */
    const pid_t *spared; /* and these */
    size_t spared_count;
    bool spare_quiet; /* and those that waitid(2) doesn't see: the caller's own helpers */
    pid_t guard;      /* who isn't one of these, though not seen either; 0: none */
    int list;         /* from procfs_open_list(): for when nothing can be opened any more; 0: none */
    pid_t group;      /* a process group of their own, killed as one as long as a child of ours is in it; 0: none */
    bool walk_all;    /* don't rely on the kernel's lists of children (tests) */
};

/* What a round found. */
struct descendants_seen {
    size_t children; /* of root, spared ones left out; those that wait to be reaped count */
    size_t spared;   /* children of root left alone that waitid(2) counts */
    bool incomplete; /* not the children of a single moment: there may be more */
    bool failed;     /* they couldn't be read: nothing is known */
    pid_t refused;   /* one that we may not signal; 0: none */
    int refusal;     /* EPERM; or EACCES, by a security module */
    char refused_name[PROCFS_NAME_SIZE];
};

/* One round: sends signal (and SIGCONT after anything but SIGKILL) to all of them. Reap after it, not before: dead
 * children of ours keep their numbers, and a limit on processes that they fill keeps others from being forked. */
void descendants_signal(const struct descendants *who, int signal, struct descendants_seen *seen);

/* A line for people about the one who was refused. */
void descendants_describe_refusal(const struct descendants_seen *seen, char *out, size_t size);

#endif

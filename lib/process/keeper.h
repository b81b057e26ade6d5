/* The keeper's half of running a command: the guard's handle, the signals, the reaping.
 *
 * How to use it: keeper_init() first of all in main, before anything opens a descriptor or links a network library's state;
 * wait on keeper_pollfds() until keeper_wake_ns() at the latest; then keeper_next() until it has nothing more to say.
 * keeper_start(), keeper_extend(), keeper_stop() tell the guard what the election decided. Knows no store and no election: deadlines come in as
 * instants of the lease clock. */
#ifndef PROCESS_KEEPER_H
#define PROCESS_KEEPER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"

struct keeper_options {
    char *const *argv;        /* the command; execvp(3)'s lookup with the PATH of environment */
    char *const *environment; /* what the command gets, but for LEADEREXEC_TOKEN, which the guard adds */
    int stop_signal;          /* --signal */
    int64_t ttl_ns;
    int64_t margin_ns;       /* all is dead at lease end - margin */
    int64_t kill_after_ns;   /* and is asked to stop so long before that */
    int64_t stop_timeout_ns; /* told to shut down: SIGKILL so long after the signal; INT64_MAX: never */
};

enum keeper_stop {
    KEEPER_STOP_SHUTDOWN, /* stop signal now, SIGKILL after stop_timeout_ns */
    KEEPER_STOP_LOST,     /* stop signal now, SIGKILL after kill_after_ns */
};

enum keeper_event_type {
    KEEPER_NOTHING,
    KEEPER_SIGNALLED, /* TERM, INT or QUIT came (those not ignored at start): signal, from_kernel */
    KEEPER_GONE,      /* the command and all it started are dead and reaped */
    KEEPER_NOTE,      /* a line for people in text: a descendant that can't be signalled, a guard continued ... */
};

/* How a run ended; the same order as the election's enum child_end, which this folder doesn't know. */
enum keeper_end { KEEPER_ENDED, KEEPER_OUT_OF_TIME, KEEPER_GUARD_LOST };

struct keeper_event {
    enum keeper_event_type type;
    int signal;
    bool from_kernel; /* SI_KERNEL: a terminal sent it, and reached the command too where it shares our group */
    enum keeper_end end;
    int exit_code;     /* as a shell reports it; 126 and 127 where it couldn't be run */
    int exec_errno;    /* why not; 0 where it ran */
    char text[256];
};

#define KEEPER_POLLFDS 2

struct keeper;
/* prototypes to come with the implementation: keeper_init, keeper_pollfds, keeper_wake_ns, keeper_next, keeper_start, keeper_extend,
 * keeper_stop, keeper_deinit */

#endif

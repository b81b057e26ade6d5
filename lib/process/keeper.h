/* The keeper's half of running a command: the guard's handle, the signals, the reaping (design, section 2).
 *
 * How to use it: keeper_init() first of all after option parsing, before anything opens a descriptor, starts a thread
 * or a process, or links a network library's state; wait on keeper_pollfds() until keeper_wake_ns() at the latest; then
 * keeper_next() until it has nothing more to say. keeper_start(), keeper_extend(), keeper_stop() tell the guard what
 * the election decided; keeper_next() answers a start with one KEEPER_GONE. Knows no store and no election: deadlines
 * come in as instants of the lease clock.
 *
 * What it makes of the calling process: a subreaper; TERM, INT, QUIT, HUP, USR1, USR2, WINCH, CONT and CHLD blocked and
 * read from a descriptor (but for those ignored at start); PIPE ignored; TSTP, TTIN and TTOU left alone, but ignored
 * where no shell is there that would continue it; no core dumps; the best priority that it may have (base/priority.h);
 * descriptors 0 and 1 (and 2, where it was closed) are /dev/null, 2 stays. All that were inherited are kept for the
 * command, by the guard and, for another guard, by the keeper, and let go once it has started (with `restartable`:
 * never, since the next start needs them again).
 *
 * A guard that dies while nothing runs is replaced where something may have to run yet: at the first start, and with
 * `restartable` at the next. A tree that was frozen for longer than its lease loses its guard so, by that one's timer.
 *
 * Children that aren't the command's: those that the process had at keeper_init(), or that are older than the guard,
 * are reaped when they end, never killed. The caller's own short-lived helper processes must be clones without an exit
 * signal (as lib/base/helper.h makes them): the keeper neither reaps, kills nor waits for those, so that one that
 * hangs hangs nothing else. Any other child of this process counts as the command's when the guard is lost. */
#ifndef PROCESS_KEEPER_H
#define PROCESS_KEEPER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/priority.h"
#include "base/text.h"
#include "process/child.h"
#include "process/inherited.h"
#include "process/isolate.h"
#include "process/kernel_timer.h"
#include "process/memory.h"
#include "process/message.h"
#include "process/signals.h"

struct keeper_options {
    char *const *argv;        /* the command; execvp(3)'s lookup with the PATH of environment */
    char *const *environment; /* what the command gets, but for LEADEREXEC_TOKEN, which the guard sets */
    int stop_signal;          /* --signal */
    int64_t ttl_ns;
    int64_t margin_ns;       /* all is dead at lease end - margin */
    int64_t kill_after_ns;   /* and is asked to stop so long before that */
    int64_t stop_timeout_ns; /* told to shut down: SIGKILL so long after the signal; INT64_MAX: never */
    bool isolate;            /* in a PID namespace of its own, each run in a new one */
    bool restartable;        /* keeper_start() may be called again after KEEPER_GONE (--on-loss rejoin) */
};

enum keeper_stop {
    KEEPER_STOP_SHUTDOWN, /* stop signal now, SIGKILL after stop_timeout_ns */
    KEEPER_STOP_LOST,     /* stop signal now, SIGKILL after kill_after_ns */
};

enum keeper_event_type {
    KEEPER_NOTHING,
    KEEPER_SIGNALLED, /* TERM, INT or QUIT came (those not ignored at start): signal, from_kernel. Once for each of the
                         three; after keeper_stop() it has been passed on to the command here */
    KEEPER_GONE, /* the command and all it started are dead and reaped: end, exit_code, exec_errno. Once for each start
                  */
    KEEPER_NOTE, /* a line for people in text: a descendant that can't be signalled, a guard continued ... */
    KEEPER_BROKEN, /* the guard has gone while nothing runs, and no other can be had: the start that may still come
                      can't either; why in text. Once; not after the last run, which needs no guard any more */
};

/* How a run ended; the same order as the election's enum child_end, which this folder doesn't know. */
enum keeper_end {
    KEEPER_ENDED,       /* by itself, or after a keeper_stop() */
    KEEPER_OUT_OF_TIME, /* the deadline came: it was stopped or killed because of that */
    KEEPER_GUARD_LOST,  /* the guard died or hung; the keeper killed all of it */
};

struct keeper_event {
    enum keeper_event_type type;
    int signal;
    bool from_kernel; /* SI_KERNEL: a terminal sent it, and reached the command too where it shares our group */
    enum keeper_end end;
    int exit_code;  /* the command's, 0 to 255; 126 and 127 where it couldn't be run; CHILD_EXIT_SIGNALLED + N (child.h)
                       where signal N ended it */
    int exec_errno; /* why it couldn't be run; 0 where it ran */
    char text[TEXT_REASON_SIZE];
};

#define KEEPER_POLLFDS 2
#define KEEPER_SPARE_MAX                                                                                               \
    64 /* children at start that are remembered by their number; those beyond are told by their age alone */

#define KEEPER_UNSENT_MAX 8 /* messages to the guard that are tried again; half of the room is for signals, too */

/* Who watches the time of a run. */
enum keeper_state {
    KEEPER_IDLE,     /* nothing runs */
    KEEPER_RUNNING,  /* the guard sees to it */
    KEEPER_TAKEOVER, /* the guard is lost; the keeper kills what it started */
    KEEPER_LOST,     /* nothing runs and there is no guard any more */
};

/* Allocated by the caller, filled by keeper_init(); its fields are the keeper's own. */
struct keeper {
    struct keeper_options options;
    enum keeper_state state;
    pid_t guard;        /* 0: gone and reaped */
    int64_t guard_born; /* its start in clock ticks, as /proc has it */
    int socket;         /* to the guard; -1: closed */
    int tray;           /* what the guard puts there dies with us (dead_man.h); 0: none */
    int signals;        /* signalfd */
    int proc;           /* /proc, as it was at start */
    int list;           /* of our children; 0: none */
    bool foreground;    /* the command shares our process group, because there is a terminal */
    bool leads_session;
    struct isolate isolate;

    /* how the process was started, which each guard and the command are to see */
    struct signals_origin origin;
    struct priority given; /* what others' code gets */
    struct rlimit cores;
    struct inherited inherited; /* kept as long as another guard may be needed */
    struct child command;       /* likewise */
    struct memory_map memory;
    unsigned unready;                     /* guards since the last that got ready */
    char trouble[MESSAGE_TEXT_SIZE + 64]; /* why the last one didn't */

    pid_t spared[KEEPER_SPARE_MAX]; /* children that were there before us */
    size_t spared_count;
    bool guard_continued; /* and not yet told */
    bool look_again;      /* at our children: more of them may have changed */
    unsigned told;        /* a bit for each signal reported */
    bool started;         /* a run has begun */

    /* the run under way */
    int64_t lease_end_ns; /* lease clock; what the guard was told last */
    unsigned sequence;    /* of the last message to the guard */
    int64_t ack_by_ns;    /* lease clock, for that message; INT64_MAX: acknowledged */
    bool stopping;        /* keeper_stop() was called */
    pid_t group;          /* the command's own; 0: none, or not known yet */

    /* messages that wait, in their order, for room or memory */
    struct message unsent[KEEPER_UNSENT_MAX];
    size_t unsent_count;

    /* taking over */
    enum keeper_end end;
    int64_t next_sweep_ns; /* lease clock */
    struct waker waker;    /* for whoever stops us meanwhile */
    unsigned sweeps;
    unsigned empty_sweeps; /* in a row */
    pid_t complained;      /* about whom the last note was */
    pid_t refused;         /* one whom the last sweep couldn't signal; 0: none */
};

/* Remembers how the process was started, forks the guard and sets up the rest as above. Copies *options;
 * the strings it points to must stay. Returns 0, or -errno with a line in reason[TEXT_REASON_SIZE]: no usable /proc
 * (another PID namespace's, or none), no memory, a guard that couldn't set itself up, a real-time priority with none
 * above it to be had, no isolation to be had. */
int keeper_init(struct keeper *keeper, const struct keeper_options *options, char *reason);

/* Fills in what to wait for (fd -1 where there is nothing). */
void keeper_pollfds(const struct keeper *keeper, struct pollfd out[KEEPER_POLLFDS]);

/* Nanoseconds until keeper_next() must be called at the latest, even if no descriptor is ready; INT64_MAX: never. */
int64_t keeper_wake_ns(const struct keeper *keeper, struct instant now);

/* Reads what came, reaps, passes signals on, takes over from a lost guard; sets *event. Call again until
 * KEEPER_NOTHING. Returns 0, or -errno where signals can't be read any more, which is fatal. */
int keeper_next(struct keeper *keeper, struct instant now, struct keeper_event *event);

/* Starts the command with token; it and all that it starts are dead by lease_end_ns - margin unless that is moved.
 * Returns 0 (a KEEPER_GONE will come, whatever happens), -ESRCH once an event has said that there is no guard any more,
 * -EBUSY while a command runs. */
int keeper_start(struct keeper *keeper, int64_t token, int64_t lease_end_ns);

/* The lease now ends at lease_end_ns (never earlier than before). Returns 0, or -ESRCH where nothing runs; a guard that
 * can't be told is dealt with by keeper_next(). */
int keeper_extend(struct keeper *keeper, int64_t lease_end_ns);

/* Stops the command. signal and from_kernel as KEEPER_SIGNALLED had them (0: no signal told us): INT and QUIT reach the
 * command as themselves, everything else as the stop signal, and nothing is sent that a terminal sent already. Told
 * again, only a stricter mode changes anything. Returns 0, or -ESRCH where nothing runs; a guard that can't be told is
 * dealt with by keeper_next(). */
int keeper_stop(struct keeper *keeper, enum keeper_stop mode, int signal, bool from_kernel);

/* Kills what still runs, waits until nothing of it is left, however long that takes, and lets the guard end: a caller
 * that can't go on must leave nothing to nobody. Returns 0; or -EPERM with a line in reason[TEXT_REASON_SIZE]: some of
 * it can't be signalled and is left; a guard that is there goes on trying. Nothing can be started any more. */
int keeper_finish(struct keeper *keeper, char *reason);

/* keeper_finish(), unless that is done, and closes the descriptors. Signals stay as keeper_init() set them.
 * Idempotent. */
void keeper_deinit(struct keeper *keeper);

#endif

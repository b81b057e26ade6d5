/* The first process of the command's PID namespace, "le-init", and the guard's handle on it.
 *
 *     guard ── le-init (1 in there) ── command (2)
 *
 * It starts the command, passes on the signals that it is told to, reports the command's stops and
 * its end, and reaps all that is left to it; it knows no deadlines. It dies with the guard, and
 * with it, by the kernel's hand, everything in the namespace; the guard can't reap it before all of
 * that is gone. When it has nothing left to wait for it ends by itself.
 *
 * The command's number in there says nothing to the guard, which therefore signals by way of it:
 * who reaps can't mistake a stranger for the command. SIGKILL goes to itself instead, and needs
 * nobody's help. */
#ifndef PROCESS_INIT_H
#define PROCESS_INIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/isolate.h"

#define INIT_NAME "le-init"

struct child;
struct dead_man;

/* The guard's handle. Plain values, owned by struct child. */
struct init {
    pid_t pid;                    /* 0: none, or reaped */
    int socket;                   /* to it; -1: none */
    bool ended;                   /* the command has, and was reported */
    int exec_errno;               /* of the command, as far as is known */
    uint64_t to_command, to_rest; /* signals that wait for room, by their numbers */
};

#define INIT_NONE ((struct init){.socket = -1})

enum init_news_type {
    INIT_NOTHING,
    INIT_COMMAND_STOPPED, /* by signal */
    INIT_COMMAND_ENDED,   /* exit_code as child_ended() has it, exec_errno (0: it ran) */
};

struct init_news {
    enum init_news_type type;
    int signal;
    int exit_code;
    int exec_errno;
};

/* Starts a namespace as child->isolate says, and in it child, which must be ready to be started.
 * Every signal must be blocked. Allocates nothing. Returns 0, or -errno. What fails later on is the
 * command's end. */
int init_start(struct init *init, struct child *child, const struct dead_man *dead_man);

/* Has signal sent to the command, as child_signal() does it: SIGKILL to everything at once. */
void init_signal(struct init *init, int signal);

/* Has signal, and then SIGCONT, sent to everything in the namespace. */
void init_signal_rest(struct init *init, int signal);

/* Sends what found no room; call it when socket is ready for that and init_owes(). */
void init_send_owed(struct init *init);
bool init_owes(const struct init *init);

/* Takes what it reports. Call it until it has nothing. */
void init_hear(struct init *init, struct init_news *news);

/* It was reaped, and so all is dead: what it hadn't reported is heard now. */
void init_reaped(struct init *init, struct init_news *news);

/* Gives back the socket. Idempotent. */
void init_deinit(struct init *init);

/* In the process that isolate_fork() made: does all of the above, then ends the process. socket:
 * its end. */
void init_run(struct child *child, const struct dead_man *dead_man, int socket)
    __attribute__((noreturn));

#endif

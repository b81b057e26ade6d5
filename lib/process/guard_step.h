/* What the guard decides, and when. A pure state machine: no clock, no system call, no allocation (design, section 2
 * "Guard").
 *
 * How to use it: guard_init(), then guard_step() for everything that happens; do the actions that come back, in order.
 * Hand in all that has happened first (messages, ends of processes) and GUARD_TICKED last: only that compares the time
 * with the deadlines, so that an extension that waits to be read counts. Times are instants of the lease clock in
 * nanoseconds. */
#ifndef PROCESS_GUARD_STEP_H
#define PROCESS_GUARD_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_NEVER       INT64_MAX
#define GUARD_ACTIONS_MAX 6

struct guard_config {
    int stop_signal;
    int64_t margin_ns;
    int64_t kill_after_ns;
    int64_t stop_timeout_ns; /* GUARD_NEVER: none */
    bool answer_stops;       /* nobody else would continue a command that a terminal stopped */
    int64_t look_every_ns;   /* how often it looks how late it gets its turn; 0: only at the stop. guard_set_looks() */
    int64_t early_most_ns;   /* the deadline's stop comes at most so much earlier for that */
};

enum guard_state {
    GUARD_IDLE,     /* nothing runs */
    GUARD_RUNNING,  /* the command runs */
    GUARD_STOPPING, /* it was asked to stop */
    GUARD_CLEARING, /* it has ended; what it left behind was asked to end too */
    GUARD_KILLING,  /* everything is being killed, again and again until nothing is left */
};

enum guard_event_type {
    GUARD_TICKED,
    GUARD_TOLD_START,      /* token, lease_end_ns */
    GUARD_TOLD_EXTEND,     /* lease_end_ns */
    GUARD_TOLD_SHUTDOWN,   /* signal to send now; 0: it has it already */
    GUARD_TOLD_LOST,       /* signal to send now */
    GUARD_TOLD_SIGNAL,     /* signal to pass on */
    GUARD_COMMAND_STOPPED, /* by signal */
    GUARD_COMMAND_ENDED,   /* exit_code, exec_errno; also when it couldn't be started */
    GUARD_ALL_DEAD,        /* nothing below the guard is left, not even to be reaped */
    GUARD_KEEPER_GONE,
};

struct guard_event {
    enum guard_event_type type;
    int64_t now_ns;
    int64_t token;
    int64_t lease_end_ns;
    int signal;
    int exit_code;
    int exec_errno;
};

enum guard_action_type {
    GUARD_LAUNCH,         /* start the command with token */
    GUARD_SIGNAL_COMMAND, /* signal to the command's group, or to the command alone where it shares the keeper's */
    GUARD_SIGNAL_GROUP,   /* signal to the group that the command shares with the keeper */
    GUARD_SIGNAL_REST,    /* signal to everything below the guard, and SIGCONT so that it arrives */
    GUARD_KILL,           /* SIGKILL to everything below the guard, one round */
    GUARD_REPORT,         /* all is dead and reaped: out_of_time, exit_code, exec_errno */
    GUARD_LEAVE,          /* end the guard */
};

struct guard_action {
    enum guard_action_type type;
    int64_t token;
    int signal;
    bool out_of_time;
    int exit_code;
    int exec_errno;
};

/* What a step returns. */
struct guard_actions {
    size_t count;
    struct guard_action item[GUARD_ACTIONS_MAX];
    int64_t wake_ns; /* call with GUARD_TICKED then at the latest; GUARD_NEVER */
    int64_t kill_ns; /* by then all must be being killed, or the kernel should see to it; GUARD_NEVER */
};

/* Owned by the caller; plain values, no deinit. Only guard_step() writes it. */
struct guard {
    struct guard_config config;
    enum guard_state state;
    int64_t lease_end_ns;
    int64_t due_ns;        /* when the last tick wanted the next; GUARD_NEVER */
    int64_t look_ns;       /* the next look at how late that comes */
    int64_t late_ns;       /* how late it came, the latest counting most */
    int64_t early_ns;      /* so much earlier the deadline's stop comes */
    int64_t patience_ns;   /* when those who were asked to stop have had their time; GUARD_NEVER */
    int64_t continue_ns;   /* when to continue a stopped command; GUARD_NEVER */
    int64_t round_ns;      /* the next round of killing */
    unsigned rounds;       /* of killing so far */
    bool stop_signal_sent; /* the command got the stop signal itself, not another in its place */
    bool told;             /* the keeper wants it stopped */
    bool out_of_time;      /* the deadline ended it */
    bool keeper_gone;
    int exit_code;
    int exec_errno;
};

/* Sets config's looks for leases of ttl_ns: twelve a lease, and a stop that comes earlier by up to a sixth of it: then
 * a run whose renewals, at a third, are answered within another sixth goes on however late the guard is, since
 * kill_after and margin leave it half of the lease (lib/election/lease.h). */
void guard_set_looks(struct guard_config *config, int64_t ttl_ns);

/* Prepares guard for its first event. Copies config. */
void guard_init(struct guard *guard, const struct guard_config *config);

/* Takes one event and says what to do: *actions is overwritten. */
void guard_step(struct guard *guard, const struct guard_event *event, struct guard_actions *actions);

#endif

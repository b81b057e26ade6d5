/* The simulated world: machines, their keepers, guards and commands, a network and a store, on one virtual clock.
 *
 * How to use it: scenario_draw() decides a run from its seed, world_init(), world_run(), read failure and counts,
 * world_deinit(). All time is virtual (ns since the run's start); nothing here reads a clock or any randomness but the
 * seed's. The election and the guard's decisions are lib's own object code. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chance.h"
#include "election/election.h"
#include "process/guard_step.h"

#define MACHINES_MAX 5
#define PROCS_MAX    64
#define NEVER        INT64_MAX
#define NODE_SIZE    32
#define OPERATOR     (-1) /* in place of a proc: a person at a keyboard */

enum sim_exit { SIM_FINE = 0, SIM_USAGE = 2, SIM_CRASHED = 3, SIM_BROKEN_PROMISE = 4, SIM_NO_PROGRESS = 5 };

enum profile {
    PROFILE_KIND,    /* a good network; crashes, resigns and signals: progress and requests are checked too */
    PROFILE_HARSH,   /* everything that the promise is said to withstand */
    PROFILE_TRIM,    /* harsh, with a short retention, stale reads just below it, and pauses beyond it */
    PROFILE_CRON,    /* harsh, --hold and --no-wait runs started again and again */
    PROFILE_TWICE,   /* a store that ignores "if absent": overlaps are counted, not failed on */
    PROFILE_RACES,   /* one that checks and then writes, so that races create an object twice: likewise */
    PROFILE_STARVED, /* harsh, on machines where guards get their turn late, and so does the dying */
    PROFILE_FROZEN,  /* machines frozen whole: overlaps by them are counted, any other fails */
    PROFILE_VANISH,  /* kind, but somebody deletes slots: two at once are counted, and fail where they last */
    PROFILES,
    PROFILE_MIXED = PROFILES, /* one of the above but TWICE, RACES and VANISH, by the seed */
};

/* Which slots somebody deletes. */
enum vanish { VANISH_ALL, VANISH_SOME, VANISH_NEWEST, VANISH_NEWER, VANISHES };

enum twice { TWICE_NEVER, TWICE_ALWAYS, TWICE_IN_RACES };

/* What happens to machines now and then; the weights of each in a scenario. */
enum fault {
    FAULT_CRASH,     /* the keeper is killed */
    FAULT_POWER,     /* the machine stops for good; it boots later */
    FAULT_GUARD,     /* the guard is killed */
    FAULT_PAUSE,     /* the keeper is stopped for a while, between two steps */
    FAULT_STALL,     /* the same, between a step and what it asked for */
    FAULT_SUSPEND,   /* the machine sleeps: the lease clock goes on, the wait clock doesn't */
    FAULT_PARTITION, /* requests, answers or both are lost */
    FAULT_STORM,     /* the store answers errors */
    FAULT_RESIGN,    /* an operator evicts the leader, or ends a hold */
    FAULT_SIGNAL,    /* a keeper is told to shut down */
    FAULT_FREEZE,    /* the machine stops whole, child and guard included: not promised */
    FAULT_VANISH,    /* somebody deletes slots: not promised, but bounded */
    FAULTS
};

/* Everything that a seed decides before the run. Chances in millionths. */
struct scenario {
    enum profile profile;
    uint64_t seed;
    int64_t length_ns; /* then the network heals, and a leader must appear */
    int machines;
    struct election_config config[MACHINES_MAX];
    int64_t stop_timeout_ns[MACHINES_MAX];
    int64_t drift_ppm[MACHINES_MAX];
    int64_t late_turn_ns[MACHINES_MAX]; /* a turn comes late by half of that at least; 0: at once */
    bool restarts_at_once;              /* in place of a service manager's seconds */
    int64_t restart_most_ns;

    int64_t leg_least_ns, leg_most_ns; /* one way, most of the time */
    int64_t late_ppm, late_most_ns;    /* one way, sometimes */
    int64_t lose_ppm, error_ppm, refuse_ppm, garbage_ppm, cut_off_ppm;
    int64_t again_ppm, again_most_ns; /* an append that reaches the store twice */

    int64_t stale_ppm, stale_most_ns;
    bool stale_unevenly; /* each slot of a listing is as old as it likes */
    int64_t store_drift_ppm, modified_skew_ms;
    int64_t date_off_ms; /* a proxy's clock, where date_lies */
    bool modified_whole_seconds, date_lies, trims_from_the_top;
    enum twice twice;
    int64_t race_most_ns;
    bool single_claim; /* the claim's second lane is answered without asking the store */

    int64_t fault_every_ns;
    int weight[FAULTS];
    int64_t pause_most_ns;
    int64_t command_least_ns, command_most_ns;
    bool promise_only; /* check overlaps and tokens alone, not the rules that keep them */
};

/* Fills scenario for seed. hours: of simulated time. */
void scenario_draw(struct scenario *scenario, enum profile profile, uint64_t seed, int64_t hours);
const char *profile_name(enum profile profile);

#define GUARD_ORDERS 16 /* more than enum guard_event_type has */

enum event_kind {
    EVENT_ARRIVE,     /* message a reaches the store */
    EVENT_WRITE,      /* message a, checked before, is written (stores that race) */
    EVENT_ANSWER,     /* message a reaches its sender */
    EVENT_TIMEOUT,    /* lane a's request b */
    EVENT_WAKE,       /* the keeper's timer a */
    EVENT_TOLD_GUARD, /* the keeper's order a (enum guard_event_type, and to which guard) with lease end b */
    EVENT_GUARD_WAKE, /* the guard's timer a */
    EVENT_CHILD,      /* what the command does by itself: a is enum child_deed, b the child */
    EVENT_GONE,       /* the guard's report a is the exit code, b the enum child_end */
    EVENT_RESUME,     /* the keeper goes on */
    EVENT_THAW,       /* machine who goes on */
    EVENT_RESTART,    /* machine who starts a keeper */
    EVENT_FAULT,      /* the next fault */
    EVENT_MEND,       /* machine who's network is whole again */
    EVENT_CALM,       /* the store's errors are over */
    EVENT_OPERATOR,   /* operator's message a times out */
    EVENT_LOOK,       /* the checker looks around */
    EVENT_VANISH,     /* more slots are deleted */
    EVENT_HEAL,       /* the end of all faults */
    EVENT_END,
};

struct event {
    int64_t at_ns;
    uint64_t order; /* of those at the same time */
    enum event_kind kind;
    int who;       /* a proc or a machine */
    unsigned life; /* the proc's, so that nothing reaches its successor */
    int64_t a, b;
};

/* A slot's content, small. */
struct content {
    enum slot_kind kind;
    enum record_kind record;
    int64_t size, token, ttl_ms;
    uint8_t nonce[RECORD_NONCE_SIZE];
    int proc; /* who wrote it, for traces */
    char node[NODE_SIZE];
};

struct object {
    int64_t seq, created_ns, deleted_ns, modified_ms;
    struct content content;
    int older; /* the object that had this name before; -1: none */
};

struct store {
    struct object *objects;
    size_t count, room;
    int *latest; /* by seq; -1: none */
    int64_t latest_room;
    int64_t highest, trimmed_to;
    int64_t top; /* what is there is no higher */
};

struct message {
    bool used, answer_wanted;
    int proc;
    unsigned life, id;
    int lane;
    enum log_op op;
    int64_t seq, retention_ns;
    int trim_most;
    struct content content; /* append: to write; read: what was there */
    enum outcome outcome;
    struct listing listing;
};

enum child_deed { CHILD_MAIN_ENDS, CHILD_DIES };

struct child {
    bool alive, main_ended;
    bool slept_past; /* killed on waking, before it ran again */
    int64_t id, token, spawned_ns, dies_ns;
    int64_t after_term_ns; /* NEVER: ignores TERM */
    bool leaves_behind;    /* something of it outlives its main process */
    int exit_code;
};

enum inbox_kind { INBOX_ANSWER, INBOX_GONE, INBOX_SIGNAL };

struct inbox_item {
    enum inbox_kind kind;
    int message, exit_code;
    enum child_end end;
};

#define INBOX_MAX  16
#define SENT_MAX   4
#define TOLD_MAX   16
#define LANES_EVER 3

/* An order to a guard that sleeps. */
struct told {
    enum guard_event_type type;
    int64_t lease_end_ns;
};

/* An entry that a keeper sent, by the simulator's own account of when. */
struct sent {
    int64_t seq, first_sent_ns; /* lease clock */
    uint8_t nonce[RECORD_NONCE_SIZE];
};

/* One run of leaderexec on a machine: keeper, guard and command. */
struct proc {
    bool used, keeper_alive, paused, stall_next;
    bool frozen_once; /* its machine was frozen whole while it lived */
    unsigned life;
    int machine;
    struct election election;
    int64_t timer;
    unsigned busy[LANES_EVER]; /* the id under way; 0: none */
    int64_t busy_until_ns[LANES_EVER];
    struct inbox_item inbox[INBOX_MAX];
    int inbox_count;
    struct election_actions pending; /* of a step whose keeper was stopped behind it */
    bool has_pending;
    bool guard_alive;
    int guards; /* that its keeper has made: what was sent to one doesn't reach the next */
    struct guard guard;
    int64_t guard_timer, told_at_ns; /* the socket keeps the order */
    struct told told[TOLD_MAX];
    int told_count;
    struct child child;
    int64_t to_start;    /* the token */
    int64_t claimed_seq; /* where it sent its newest claim */
    int64_t evicted_ns;  /* when it found that out; 0: never */
    int64_t died_ns;     /* the keeper */
    bool end_said;       /* by the guard, of the child wanted: a death of the guard's comes too late to say it again */
    bool child_wanted;   /* the core started one and hasn't heard of its end */
    struct sent sent[SENT_MAX];
    unsigned sent_count;
    /* requests per time */
    int64_t requests, allowed_micro, highest_at_step, last_step_ns;
    int spins;
};

struct machine {
    int proc; /* -1: none */
    int64_t clock_start_ns, suspended_ns, stopped_ns;
    bool suspended, frozen, cut_requests, cut_answers, frozen_deaf_clock;
    int64_t asleep_since_ns;
    unsigned mends;
    int flaps; /* how often its network still changes */
};

/* A leadership, for the rule that leases never overlap. */
struct lease {
    bool used, released;
    int machine, proc;
    unsigned life;
    int64_t token, end_ns; /* that machine's lease clock */
};

#define LEASES_MAX 16

struct operator_job {
    bool busy, asked_twice;
    int tries;
    int64_t seq, token;
    unsigned id;
};

struct counts {
    int64_t children, requests, claims, faults[FAULTS], evicts, vacancies, holds, unsafe, trimmed, resurrected;
    int64_t overlaps, twice_overlaps, frozen_overlaps, frozen_tokens, exits[6]; /* 0, 123, 124, 125, signal, other */
    int64_t lost_to_deletions, twos; /* reports that the head isn't ours; how often there were two at once */
    int64_t events, longest_gap_ms, longest_two; /* two at once, in thousandths of the longest TTL */
};

struct world {
    struct scenario s;
    struct chance chance;
    int64_t now_ns;
    uint64_t order;
    struct event *queue;
    size_t queued, queue_room;
    struct message *messages;
    int messages_count, messages_room, free_message;
    int *free_messages;
    struct machine machine[MACHINES_MAX];
    struct proc procs[PROCS_MAX];
    struct store store;
    struct operator_job operator_job;
    struct lease leases[LEASES_MAX];
    unsigned next_lease;
    int64_t storm_ppm;
    bool storm_refuses, healed, ended;
    int64_t highest_token, next_child, held_until_ns;
    /* deletions */
    int64_t vanished_ns, two_since_ns; /* 0: never; there aren't two */
    /* progress */
    int64_t idle_since_ns, idle_most_ns, children_when_healed;
    struct counts counts;
    uint64_t digest;
    enum sim_exit failure;
    char failure_text[256];
    void (*trace)(void *context, const char *line); /* NULL: none */
    void *trace_context;
};

/* world.c */
int world_init(struct world *w, const struct scenario *scenario);
void world_deinit(struct world *w);
void world_run(struct world *w);
void world_at(struct world *w, int64_t at_ns, enum event_kind kind, int who, int64_t a, int64_t b);
void world_trace(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the run; the first failure stays. */
void world_fail(struct world *w, enum sim_exit how, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define TRACE(w, ...) ((w)->trace != NULL ? world_trace((w), __VA_ARGS__) : (void)0)

/* clocks.c */
int64_t lease_clock_ns(const struct world *w, int machine);
int64_t wait_clock_ns(const struct world *w, int machine);
/* The first moment at which machine's lease clock, going on like this, shows at least lease_ns. */
int64_t when_lease_shows(const struct world *w, int machine, int64_t lease_ns);
/* How long delay_ns of machine's clock is. */
int64_t true_delay_ns(const struct world *w, int machine, int64_t delay_ns);
/* How late somebody on machine gets a turn that is due now. */
int64_t late_turn_ns(struct world *w, int machine);

/* store.c */
int store_init(struct store *store);
void store_deinit(struct store *store);
/* Message m arrives: does what it asks and sets its outcome. */
void store_take(struct world *w, struct message *m);
/* The write of a store that checked before. */
void store_write(struct world *w, struct message *m);
/* Somebody deletes a slot that is there. */
void store_forget(struct world *w, int64_t seq);
const struct object *store_find(const struct store *store, int64_t seq, int64_t as_of_ns);

/* network.c */
int message_new(struct world *w);
void message_free(struct world *w, int message);
/* Sends message; what becomes of it is the network's business. */
void network_send(struct world *w, int message);
void network_arrive(struct world *w, int message);
void network_write(struct world *w, int message);
void network_answer(struct world *w, int message);

/* keeper.c */
void machine_start(struct world *w, int machine);
void keeper_step(struct world *w, int proc, struct election_event *event);
void keeper_answer(struct world *w, int message);
void keeper_timeout(struct world *w, int proc, int lane, unsigned id);
void keeper_gone(struct world *w, int proc, int exit_code, enum child_end end);
void keeper_signal(struct world *w, int proc);
void keeper_wake(struct world *w, int proc, int64_t timer);
void keeper_resume(struct world *w, int proc);
void keeper_dies(struct world *w, int proc, bool restart);
void proc_free_if_over(struct world *w, int proc);

/* command.c */
void guard_told(struct world *w, int proc, enum guard_event_type type, int64_t lease_end_ns);
void guard_woken(struct world *w, int proc, int64_t timer);
void guard_killed(struct world *w, int proc);
/* A keeper for which nothing runs gets itself another. */
void guard_made(struct world *w, int proc);
void child_deed(struct world *w, int proc, enum child_deed deed, int64_t child);
void child_vanishes(struct world *w, int proc);
void guard_wakes_up(struct world *w, int proc);

/* faults.c */
void fault_next(struct world *w);
void fault_flap(struct world *w, int machine);
void fault_thaw(struct world *w, int machine);
void fault_heal(struct world *w);
void operator_answer(struct world *w, struct message *m);
void operator_timeout(struct world *w, unsigned id);

/* vanish.c */
void vanish(struct world *w);
void check_two(struct world *w);

/* check.c */
void check_spawn(struct world *w, int proc);
void check_thawed(struct world *w, int machine);
void check_dead(struct world *w, int proc);
void check_lease(struct world *w, int proc, int64_t lease_end_ns, bool starts);
void check_request(struct world *w, int proc, const struct election_request *request);
void check_created(struct world *w, const struct object *object);
void check_deleted(struct world *w, const struct object *object);
void check_garbled(struct world *w, const struct content *content);
void check_exit(struct world *w, int proc, int exit_code);
void check_report(struct world *w, int proc, const struct election_action *action);
void check_asleep(struct world *w, int proc, int64_t wake_in_ns);
void check_step(struct world *w, int proc, enum election_state before);
void check_requests_over(struct world *w, int proc);
void check_progress(struct world *w);
void check_disturbed(struct world *w);
void check_end(struct world *w);

#endif

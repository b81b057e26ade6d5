/* The election: who may run a child, and until when. A pure state machine.
 *
 * How to use it: election_init(), then election_step() for every event (an answer, the child's end, a signal, the
 * passing of time), each with the time and fresh random bytes in it; do the actions that come back, in order. It never
 * reads a clock, a socket, a random number or an environment variable, and allocates nothing: the real program drives
 * it from its event loop, the tests from a simulator, and both link the same object file.
 *
 * It knows the log's vocabulary (record/answer.h), not what keeps the log, nor how a child is run. The rules are those
 * of the design's section 1; every time is one of section 2's two clocks: leases on the lease clock, waits on the wait
 * clock. */
#ifndef ELECTION_ELECTION_H
#define ELECTION_ELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "record/answer.h"
#include "record/record.h"

#define ELECTION_FOREVER     INT64_MAX
#define ELECTION_ACTIONS_MAX 12

/* What doesn't change while it runs. Durations in nanoseconds. */
struct election_config {
    int64_t ttl_ns;
    int64_t poll_ns;
    int64_t give_up_ns;         /* how long to wait for the lock: 0 (--no-wait), D (--wait), ELECTION_FOREVER */
    int64_t hold_ns;            /* --hold; 0: none */
    int64_t margin_ns;          /* lease_margin_ns(ttl): everything is dead so long before the lease ends */
    int64_t kill_after_ns;      /* a lost child is asked to stop so long before that */
    int64_t request_timeout_ns; /* one try of one request under a lease */
    int64_t look_timeout_ns;    /* one try of a listing or a read while waiting */
    int64_t retention_ns;       /* slots older than this are trimmed */
    bool listings_are_fresh;    /* the store never lists what was true a while ago */
    bool rejoin;                /* --on-loss rejoin */
    int conflict_exit_code;     /* -E */
    char node[RECORD_NODE_SIZE];
};

enum election_state {
    ELECTION_LOOKING,   /* listing on both lanes: what is the head? */
    ELECTION_WATCHING,  /* the lock is another's: reading slot head + 1 every poll */
    ELECTION_CLAIMING,  /* our claim is out on both lanes, or being checked */
    ELECTION_LEADING,   /* the lease is ours; the child runs, or is about to */
    ELECTION_STOPPING,  /* the child was told to stop; renewing where the lease is still ours */
    ELECTION_RELEASING, /* nothing of ours runs any more; freeing the lock */
    ELECTION_DONE
};

enum election_event_type {
    ELECTION_STARTED,    /* the first event */
    ELECTION_TICKED,     /* time is now; also whenever nothing else happened */
    ELECTION_ANSWERED,   /* *answer arrived */
    ELECTION_CHILD_GONE, /* the command and all that it started are dead and reaped; child_* tell how */
    ELECTION_SIGNALLED,  /* TERM, INT or QUIT told us to shut down */
};

/* How a command's run ended. */
enum child_end {
    CHILD_ENDED,       /* by itself, or after a stop that we asked for; exit code as a shell reports it */
    CHILD_OUT_OF_TIME, /* the guard stopped or killed it because the deadline came (renewals failed, or the keeper
                          stalled) */
    CHILD_GUARD_LOST,  /* the guard died; the keeper killed all of it */
};

struct election_event {
    enum election_event_type type;
    struct instant now;
    uint8_t nonce[RECORD_NONCE_SIZE]; /* fresh random bits in every event; at most one append uses them */
    uint32_t jitter;                  /* likewise */
    const struct log_answer *answer;  /* ELECTION_ANSWERED */
    int signal;                       /* ELECTION_SIGNALLED */
    int child_exit_code;              /* ELECTION_CHILD_GONE: 0 to 255 */
    enum child_end child_end;
    bool child_never_ran; /* ELECTION_CHILD_GONE: there was no such program, or none that could be run */
};

enum election_action_type {
    ELECTION_REQUEST,     /* ask the log: request */
    ELECTION_START_CHILD, /* run the command with token, dead by lease_end_ns - margin */
    ELECTION_EXTEND,      /* the lease now ends at lease_end_ns (lease clock) */
    ELECTION_STOP_CHILD,  /* stop */
    ELECTION_REPORT,      /* something that people may want to read: report */
    ELECTION_EXIT,        /* the run is over: exit_code; election_step needn't be called again */
};

/* A request to the log, without bytes: the driver turns content into them, the same for the same nonce. */
struct election_request {
    unsigned id;
    int lane;
    enum log_op op;
    int64_t seq;
    struct slot content; /* append: a vacancy, or an entry with kind, seq, token, nonce, ttl_ms and node filled in */
    int64_t timeout_ns;
    int64_t retention_ns; /* trim */
    int trim_most;        /* trim */
};

enum election_stop {
    STOP_SHUTDOWN, /* told to (signal, evict): stop signal, then --stop-timeout if any; renewing goes on */
    STOP_LOST,     /* leadership is lost: stop signal, SIGKILL after kill_after */
};

enum election_report {
    REPORT_WAITING,      /* another holds the lock: holder */
    REPORT_WON,          /* leading with token */
    REPORT_LOST_TO,      /* another's entry stands where our renewal belongs: holder */
    REPORT_EVICTED,      /* by holder.node */
    REPORT_OUT_OF_TIME,  /* the lease ran out unrenewed: the store couldn't be reached, or we stalled */
    REPORT_UNREADABLE,   /* slot seq can't be read; taken as held for ten minutes */
    REPORT_BUSY,         /* giving up: held by holder */
    REPORT_UNREACHABLE,  /* giving up: the log could never be read */
    REPORT_REFUSED,      /* giving up: the store refuses us; the driver knows the last reason */
    REPORT_STORE_UNSAFE, /* the store creates one object twice; it can't keep a lock */
    REPORT_LOG_FULL,     /* giving up: slot seq has the highest number there is */
    REPORT_RELEASED,     /* the lock is free again */
    REPORT_NOT_RELEASED, /* it couldn't be freed in time; others wait until the lease is over */
    REPORT_GUARD_LOST,
    REPORT_DELETED,   /* leadership is lost: the head isn't ours. By holder, in slot seq; or slot seq of ours is gone */
    REPORT_UNLISTED,  /* the holder can't list the log, for longer than two TTLs */
    REPORT_WENT_BACK, /* somebody deleted slots, seq among them, the newest one: going on from what is there */
};

struct election_action {
    enum election_action_type type;
    struct election_request request;
    int64_t token;
    int64_t lease_end_ns; /* lease clock */
    enum election_stop stop;
    int stop_signal; /* the signal that told us; 0: an evict, or lost */
    enum election_report report;
    int64_t seq;
    struct record holder; /* REPORT_WAITING, LOST_TO, EVICTED, DELETED, BUSY; node empty where unknown */
    int exit_code;
};

/* What a step returns. wake_in_ns: call with ELECTION_TICKED after so long at the latest, even if nothing happened
 * (INT64_MAX: never). */
struct election_actions {
    size_t count;
    struct election_action item[ELECTION_ACTIONS_MAX];
    int64_t wake_in_ns;
};

/* The log's head as we last knew it. Evicts are looked through: slot is what lies below them. */
struct election_head {
    int64_t seq; /* 0: the log is empty */
    bool known;  /* slot is what the head means; else it is taken as held for ten minutes */
    struct slot slot;
    int64_t reading_seq; /* not known yet: the slot to read next, at seq or, below evicts, less */
    int64_t ttl_ns;      /* how long it holds the lock, without drift */
    int64_t seen_ns;     /* wait clock, when the answer that first showed it arrived */
    int64_t modified_ms; /* the store's clock; 0: unknown */
    int64_t
        date_ms; /* the store's clock in the listing that first showed it to a newcomer; 0: no newcomer, or unknown */
};

enum lane_phase { LANE_IDLE, LANE_BUSY, LANE_BACKING_OFF, LANE_ANSWERED };

/* A lane and its request: under way, waiting to be asked again, or answered and not yet used. */
struct election_lane {
    enum lane_phase phase;
    unsigned id;
    enum log_op op;
    int64_t seq;
    int64_t timeout_ns;
    int64_t sent_ns;  /* lease clock, of this try */
    bool aside;       /* beside an append, and not in its way: the holder's look at the head */
    bool persistent;  /* asked again, with backoff, until the answer is known */
    unsigned tries;   /* failed ones, of this request */
    bool refused;     /* the last try was */
    int64_t retry_ns; /* wait clock */
    enum outcome outcome;
    struct listing listing;
    struct slot slot;
};

/* An append that we want in the log, through all its tries: the same bytes in the same slot. */
struct election_append {
    int64_t seq;
    struct slot content;
    int64_t sent_ns; /* lease clock, when it was first sent */
};

/* The holder's look at the head of the log, once a TTL. */
struct election_presence {
    bool asking;
    bool doubted;           /* the last one didn't show what we wrote */
    bool told;              /* that it can't be had */
    unsigned failures;      /* in a row */
    int64_t due_ns;         /* lease clock, when to list again */
    int64_t sent_ns;        /* lease clock, of the newest listing */
    int64_t answered_ns;    /* lease clock, when the newest one that was answered was sent */
    int64_t least_seq;      /* what the one under way must show: the head when it was asked for */
    struct listing listing; /* while the slot that it shows is read */
};

/* Why leadership ends. */
enum election_ending { ENDING_NONE, ENDING_CHILD, ENDING_SHUTDOWN, ENDING_EVICTED, ENDING_LOST, ENDING_OUT_OF_TIME };

/* Owned by the caller; plain values, no deinit. Read it freely; only election_step() writes it. */
struct election {
    struct election_config config;
    enum election_state state;
    struct election_lane lane[2];
    struct election_head head;
    struct election_head below;    /* the head before it: what an evict leaves as it was */
    struct election_append append; /* the newest one */
    unsigned next_id;
    int signal; /* that told us to shut down; 0: none */

    /* looking and watching */
    bool newcomer;         /* this run hasn't seen a head yet */
    bool log_read;         /* it has been listed once: from now on everything is retried */
    bool waited;           /* had to wait for the lock, or led: then a refused claim is an outage, not a wrong set-up */
    int64_t give_up_ns;    /* wait clock; ELECTION_FOREVER */
    int64_t next_look_ns;  /* wait clock: list, or read head + 1, then */
    unsigned failed_looks; /* in a row */
    bool doubted;          /* the last look showed less than we know to have been there */
    int64_t doubted_ns;    /* wait clock, when one did so first */
    bool read_again;       /* the next look is at the head, which couldn't be read before */
    int64_t not_before_ns; /* wait clock: evicted, it may claim again then */
    int64_t reported;      /* last as waited for: the token, or what can't be read, as -slot */

    /* claiming */
    bool checking;            /* both answers to the claim are known; listing and reading back */
    int created;              /* how many of them said created */
    int64_t child_after_ns;   /* wait clock: claimed by the store's clock, unless the listing confirms it */
    int64_t confirm_apart_ms; /* by so much the listing must show claim and former head apart; 0: not by the store's
                                 clock */
    int64_t former_ttl_ns; /* of the lease that such a claim is over; 0: none, or a hold, behind which no child runs */
    struct slot claim;     /* our newest claim, to know it again; a vacancy before the first */
    struct slot former_claim; /* the one before: given up, it may still get there */

    /* leading to releasing */
    int64_t token;
    int64_t claimed_ns;   /* lease clock, when the claim was first sent */
    int64_t lease_end_ns; /* lease clock */
    int64_t last_sent_ns; /* lease clock, of the newest entry in the log */
    bool appending;       /* leading, stopping: append is wanted and not yet in the log */
    bool hurried;         /* the renewal was sent anew when two thirds of the TTL were over */
    bool child_running;
    bool child_started; /* since the claim */
    enum election_ending ending;
    bool evicted; /* it sits out one TTL, even where the lease ran out before the child was gone */
    int child_exit_code;
    enum child_end child_end;
    int64_t release_until_ns; /* lease clock, or while a claim is dropped */
    unsigned appends_since_trim;
    int64_t claim_modified_ms; /* the store's clock; 0: unknown */
    struct election_presence presence;
};

/* Prepares election for its first event, which must be ELECTION_STARTED. Copies config, whose values must fit together
 * (kill_after_ns at most lease_most_kill_after_ns()). */
void election_init(struct election *election, const struct election_config *config);

/* Takes one event, with the time in it, and says what to do: *actions is overwritten. After ELECTION_EXIT no event
 * changes anything. */
void election_step(struct election *election, const struct election_event *event, struct election_actions *actions);

/* The state's name, for traces. */
const char *election_state_name(enum election_state state);

#endif

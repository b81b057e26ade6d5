/* The election: who may run a child, and until when. A pure state machine.
 *
 * How to use it: election_init(), then election_step() for every event (an answer, the child's end, a signal, the passing
 * of time), each with the time and fresh random bytes in it; do the actions that come back, in order. It never reads a
 * clock, a socket, a random number or an environment variable, and allocates nothing: the real program drives it from its
 * event loop, the tests from a simulator, and both link the same object file.
 *
 * It knows the log's vocabulary (record/answer.h), not what keeps the log, nor how a child is run. The rules are those of
 * the design's section 1; every time is one of section 2's two clocks: leases on the lease clock, waits on the wait clock. */
#ifndef ELECTION_ELECTION_H
#define ELECTION_ELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "record/answer.h"
#include "record/record.h"

#define ELECTION_FOREVER INT64_MAX
#define ELECTION_ACTIONS_MAX 12

/* What doesn't change while it runs. Durations in nanoseconds. */
struct election_config {
    int64_t ttl_ns;
    int64_t poll_ns;
    int64_t give_up_ns;        /* how long to wait for the lock: 0 (--no-wait), D (--wait), ELECTION_FOREVER */
    int64_t hold_ns;           /* --hold; 0: none */
    int64_t margin_ns;         /* lease_margin_ns(ttl): everything is dead so long before the lease ends */
    int64_t kill_after_ns;     /* a lost child is asked to stop so long before that */
    int64_t request_timeout_ns; /* one try of one request under a lease */
    int64_t look_timeout_ns;    /* one try of a listing or a read while waiting */
    int64_t retention_ns;       /* slots older than this are trimmed */
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
    CHILD_OUT_OF_TIME, /* the guard stopped or killed it because the deadline came (renewals failed, or the keeper stalled) */
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
    REPORT_RELEASED,     /* the lock is free again */
    REPORT_NOT_RELEASED, /* it couldn't be freed in time; others wait until the lease is over */
    REPORT_GUARD_LOST,
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
    struct record holder; /* REPORT_WAITING, LOST_TO, EVICTED, BUSY; node empty where unknown */
    int exit_code;
};

/* What a step returns. wake_in_ns: call with ELECTION_TICKED after so long at the latest, even if nothing happened (INT64_MAX: never). */
struct election_actions {
    size_t count;
    struct election_action item[ELECTION_ACTIONS_MAX];
    int64_t wake_in_ns;
};

/* The log as we last knew it. */
struct election_head {
    bool known;         /* its content was read, or is known from its size */
    int64_t seq;        /* 0: the log is empty */
    struct slot slot;   /* what it means, evicts looked through */
    int64_t ttl_ns;     /* how long it holds the lock */
    int64_t seen_ns;    /* wait clock, of the answer that first showed it */
    int64_t modified_ms; /* the store's clock; 0 unknown */
    bool stale;         /* old by the store's own clock when a newcomer first saw it */
};

/* One append that we want to see in the log, through all its tries. */
struct election_append {
    bool wanted;
    struct slot content;
    int64_t seq;
    int64_t sent_ns; /* lease clock, of the first send */
};

/* A lane's request under way. */
struct election_lane {
    bool busy;
    unsigned id;
    enum log_op op;
    int64_t seq;
    int tries;        /* of the present purpose */
    bool retry;       /* waiting until retry_ns to ask again */
    int64_t retry_ns; /* wait clock */
    bool answered;
    enum outcome outcome;
    struct listing listing;
    struct slot slot;
};

/* Owned by the caller; plain values, no deinit. Read, but write only through election_step(). */
struct election;

#endif

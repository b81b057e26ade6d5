/* What check's observations mean: the verdict on each, the TTL that it advises, what a month costs. Pure: no store, no
 * clock, nothing printed.
 *
 * Each judge_* function fills a finding. A rule that isn't plain from the text has its reason in check_judge.c. */
#ifndef CHECK_JUDGE_H
#define CHECK_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "finding.h"
#include "s3/settings.h"

/* --- put-if-absent --- */

/* What became of one slot that several tried to create at once. */
struct round {
    int created; /* told so */
    int exists;  /* told that it was there */
    int unknown; /* told nothing */
    enum {
        ROUND_UNREAD,     /* it couldn't be read afterwards */
        ROUND_EMPTY,      /* nothing is there */
        ROUND_OF_CREATOR, /* it holds what one wrote who was told that it created it */
        ROUND_OF_OTHER,   /* what another of them wrote */
        ROUND_STRANGE,    /* something that none of them wrote */
    } content;
};

/* Many rounds. */
struct tally {
    int rounds;
    int several;   /* more than one winner */
    int none;      /* no winner, and nobody was left in doubt */
    int wrong;     /* the slot doesn't hold what its winner wrote */
    int undecided; /* nobody is known to have won, and somebody was left in doubt */
    int unknown;   /* answers, in all rounds */
    int winners;   /* in all rounds */
};

#define TALLY_HOPELESS 10 /* bad rounds after which more of them tell nothing new */

/* Counts one round. An answer that was lost may have been a win: the slot's content decides then. */
void tally_add(struct tally *tally, const struct round *round);

/* Rounds that a store which keeps its promise doesn't have. */
int tally_bad(const struct tally *tally);

/* One writer at a time: each slot is written, written again by another, and read. */
void judge_once(struct finding *finding, const struct tally *tally);

/* writers at once, spread over so many endpoints. */
void judge_race(struct finding *finding, const struct tally *tally, int writers, int endpoints);

/* --- reading --- */

/* New slots looked for at once by others. */
struct visibility {
    int slots;
    int late_reads, late_lists;     /* not there at the first look */
    int never_read, never_listed;   /* nor within the time given */
    int64_t latest_ms;              /* that any was seen after its creation */
    bool lists;                     /* listing is allowed */
    char trouble[TEXT_REASON_SIZE]; /* what the last answer said that wasn't one; "": all were */
};

/* late is a warning, never is a FAIL; slots 0: nothing was found out, which is a warning, too. */
void judge_visibility(struct finding *finding, const struct visibility *seen);

/* --- time --- */

#define SAMPLES_MOST 512

/* Round trips. */
struct samples {
    int64_t ns[SAMPLES_MOST];
    size_t count;
};

/* More than SAMPLES_MOST are dropped. */
void samples_add(struct samples *samples, int64_t ns);

/* The least value that at least percent of the samples don't exceed (1 to 100); 0 where there is none. Sorts. */
int64_t samples_percentile(struct samples *samples, int percent);

/* The smallest TTL worth advising where 99 of 100 writes take p99_ns at most. */
int64_t advised_ttl_ms(int64_t p99_ns);

/* writes: one at a time on open connections. */
void judge_speed(struct finding *finding, struct samples *writes, int64_t ttl_ms, int64_t request_timeout_ms);

/* The store's clock and ours. */
struct clocks {
    bool known;
    int64_t offset_ms;              /* store's minus ours */
    int64_t error_ms;               /* may be off by so much: half a round trip, whole seconds */
    int64_t date_minus_modified_ms; /* of an object just made; a proxy's Date may be another's */
    bool signs;                     /* requests carry our time */
};

/* Never a FAIL: leases don't go by clock times, only people, signatures and starts after a crash do. */
void judge_clock(struct finding *finding, const struct clocks *clocks);

/* --- cost --- */

#define MONTH_S INT64_C(2592000) /* 30 days */

/* Requests of 30 days. */
struct month {
    int64_t puts, lists, deletes; /* the leader's */
    int64_t gets;                 /* each standby's */
};

/* At these intervals, both above 0, with one leader all the time and no election. */
struct month month_of(int64_t ttl_ms, int64_t poll_ms);

/* In dollars, of S3 Standard in us-east-1; see the README for the source. */
double month_leader_dollars(const struct month *month);
double month_standby_dollars(const struct month *month);

/* priced: the store is AWS. */
void judge_requests(struct finding *finding, int64_t ttl_ms, int64_t poll_ms, bool priced);

/* --- the bucket's settings --- */

/* Whether a setting could be read. */
enum setting_known {
    SETTING_READ,   /* what it says is filled in; "there is none" too */
    SETTING_DENIED, /* not allowed */
    SETTING_ABSENT, /* the store knows no such thing */
    SETTING_FAILED, /* the store gave no answer that says anything */
};

struct versioning_seen {
    enum setting_known known;
    enum s3_versioning versioning;
    bool version_ids;       /* answers to writes name a version */
    bool creates_twice;     /* the race says so */
    bool old_versions_rule; /* a rule deletes the lock's old versions */
};

/* folder: the lock's, "locks/leader/". */
void judge_versioning(struct finding *finding, const struct versioning_seen *seen, const char *folder);

/* lock: filled in where known is SETTING_READ. ttl_ms says how many slots a retention keeps. */
void judge_object_lock(struct finding *finding, enum setting_known known, const struct s3_object_lock *lock,
                       int64_t ttl_ms);

/* rule: the first that expires the folder's slots; NULL: none. */
void judge_expiry(struct finding *finding, enum setting_known known, const struct s3_lifecycle_rule *rule,
                  const char *folder);

#endif

/* Verdicts on a place for locks; see check_judge.h. */
#include "check_judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "election/lease.h"

/* --- put-if-absent --- */

void tally_add(struct tally *tally, const struct round *round) {
    bool is_taken = round->content == ROUND_OF_OTHER || round->content == ROUND_STRANGE;
    /* Told nothing, or "exists" by a library that had asked twice, one may have won all the same. */
    int winners = round->created > 0 ? round->created : round->content == ROUND_OF_OTHER ? 1 : 0;
    tally->rounds++;
    tally->unknown += round->unknown;
    tally->winners += winners;
    if (winners > 1) {
        tally->several++;
    } else if (round->content == ROUND_STRANGE || (round->created == 1 && is_taken) ||
               (round->created == 1 && round->content == ROUND_EMPTY)) {
        tally->wrong++;
    } else if (winners == 0 && (round->unknown > 0 || round->content == ROUND_UNREAD)) {
        tally->undecided++;
    } else if (winners == 0) {
        tally->none++;
    }
}

int tally_bad(const struct tally *tally) { return tally->several + tally->none + tally->wrong; }

static double mean_winners(const struct tally *tally) {
    int decided = tally->rounds - tally->undecided;
    return decided > 0 ? (double)tally->winners / decided : 0;
}

/* " (7 answers said neither yes nor no)", or "". */
static void format_doubt(const struct tally *tally, char *out, size_t size) {
    out[0] = '\0';
    if (tally->unknown > 0) (void)text_format(out, size, " (%d answers said neither yes nor no)", tally->unknown);
}

/* What is wrong with a tally whose rounds aren't all as they should be. */
static void judge_bad(struct finding *finding, const char *item, const struct tally *tally, const char *what) {
    if (tally->several > 0) {
        finding_set(
            finding, item, FINDING_FAIL,
            "%s: a slot was created more than once in %d of %d rounds, %.1f times on average: two would lead at "
            "once; use another store%s",
            what, tally->several, tally->rounds, mean_winners(tally),
            tally->wrong > 0 ? ", and a winner's slot held another's entry" : "");
    } else if (tally->wrong > 0) {
        finding_set(finding, item, FINDING_FAIL,
                    "%s: in %d of %d rounds the slot doesn't hold what its winner wrote: use another store", what,
                    tally->wrong, tally->rounds);
    } else if (tally->none > 0) {
        finding_set(finding, item, FINDING_FAIL,
                    "%s: in %d of %d rounds nobody could create a slot that wasn't there: use another store", what,
                    tally->none, tally->rounds);
    } else {
        finding_set(finding, item, FINDING_FAIL,
                    "%s: none of %d rounds could be decided, %d answers said neither yes "
                    "nor no: try again when the store is well",
                    what, tally->rounds, tally->unknown);
    }
}

static void add_figures(struct finding *finding, const struct tally *tally) {
    finding_add_figure(finding, "rounds", tally->rounds);
    finding_add_figure(finding, "rounds_bad", tally_bad(tally));
    finding_add_figure(finding, "rounds_undecided", tally->undecided);
    finding_add_figure(finding, "winners_mean", mean_winners(tally));
}

void judge_once(struct finding *finding, const struct tally *tally) {
    char doubt[80];
    format_doubt(tally, doubt, sizeof doubt);
    if (tally_bad(tally) > 0 || tally->undecided == tally->rounds) {
        judge_bad(finding, "once", tally, "one write after the other");
    } else {
        finding_set(finding, "once", FINDING_OK, "%d slots were created once each, a second write was refused%s",
                    tally->rounds - tally->undecided, doubt);
    }
    add_figures(finding, tally);
}

void judge_race(struct finding *finding, const struct tally *tally, int writers, int endpoints) {
    char what[80], doubt[80], gateways[48] = "";
    if (endpoints > 1) (void)text_format(gateways, sizeof gateways, " over %d endpoints", endpoints);
    format_doubt(tally, doubt, sizeof doubt);
    (void)text_format(what, sizeof what, "%d writers at once%s", writers, gateways);
    if (tally_bad(tally) > 0 || tally->undecided == tally->rounds) {
        judge_bad(finding, "race", tally, what);
    } else if (tally->unknown > tally->rounds * writers / 2) {
        finding_set(
            finding, "race", FINDING_WARN,
            "%s: most answers said neither yes nor no (%d of %d), so this was hardly a race; try fewer --writers", what,
            tally->unknown, tally->rounds * writers);
    } else {
        finding_set(finding, "race", FINDING_OK, "%s: one winner in each of %d rounds%s", what,
                    tally->rounds - tally->undecided, doubt);
    }
    finding_add_figure(finding, "writers", writers);
    finding_add_figure(finding, "endpoints", endpoints);
    add_figures(finding, tally);
}

/* --- reading --- */

void judge_visibility(struct finding *finding, const struct visibility *seen) {
    int late = seen->late_reads + seen->late_lists;
    if (seen->never_read + seen->never_listed > 0) {
        finding_set(finding, "visible", FINDING_FAIL,
                    "of %d new slots %d couldn't be read and %d weren't listed within %" PRId64
                    " ms: use another store%s%s",
                    seen->slots, seen->never_read, seen->never_listed, seen->latest_ms,
                    seen->trouble[0] != '\0' ? "; " : "", seen->trouble);
    } else if (seen->slots == 0) {
        finding_set(finding, "visible", FINDING_WARN, "isn't known: no write for it was answered with yes");
    } else if (late > 0) {
        /* Safe (the design bears reads that are stale by less than the retention), and it makes elections slower. */
        finding_set(finding, "visible", FINDING_WARN,
                    "of %d new slots %d were read late and %d listed late, by up to %" PRId64
                    " ms: safe, but elections take that much longer",
                    seen->slots, seen->late_reads, seen->late_lists, seen->latest_ms);
    } else {
        finding_set(finding, "visible", FINDING_OK, "%d new slots were there at once for GET%s", seen->slots,
                    seen->lists ? " and LIST" : "");
    }
    finding_add_figure(finding, "slots", seen->slots);
    finding_add_figure(finding, "late_reads", seen->late_reads);
    finding_add_figure(finding, "late_lists", seen->late_lists);
}

/* --- time --- */

void samples_add(struct samples *samples, int64_t ns) {
    if (samples->count < SAMPLES_MOST) samples->ns[samples->count++] = ns;
}

static int compare(const void *a, const void *b) {
    int64_t one = *(const int64_t *)a, two = *(const int64_t *)b;
    return (one > two) - (one < two);
}

int64_t samples_percentile(struct samples *samples, int percent) {
    if (samples->count == 0) return 0;
    qsort(samples->ns, samples->count, sizeof *samples->ns, compare);
    size_t rank = (samples->count * (size_t)percent + 99) / 100;
    return samples->ns[rank > 0 ? rank - 1 : 0];
}

#define QUIET_TTL_MS INT64_C(5000) /* below it a busy machine may miss a renewal, however fast the store is */
#define TTL_PER_TRIP 24 /* --request-timeout is TTL/6: a try may take four times what it nearly always does */

int64_t advised_ttl_ms(int64_t p99_ns) {
    int64_t ttl_ms = (p99_ns * TTL_PER_TRIP + NS_PER_S - 1) / NS_PER_S * MS_PER_S;
    if (ttl_ms < QUIET_TTL_MS) return QUIET_TTL_MS;
    return ttl_ms < LEASE_TTL_MAX_MS ? ttl_ms : LEASE_TTL_MAX_MS;
}

static double ms_of(int64_t ns) { return (double)ns / (double)NS_PER_MS; }

void judge_speed(struct finding *finding, struct samples *writes, int64_t ttl_ms, int64_t request_timeout_ms) {
    int64_t p50_ns = samples_percentile(writes, 50), p99_ns = samples_percentile(writes, 99);
    int64_t advised_ms = advised_ttl_ms(p99_ns);
    char ttl[32], advised[32], timeout[32];
    if (writes->count == 0) {
        finding_set(finding, "round-trip", FINDING_WARN, "isn't known: no write for it was answered with yes");
        return;
    }
    text_format_duration(ttl, sizeof ttl, ttl_ms);
    text_format_duration(advised, sizeof advised, advised_ms);
    text_format_duration(timeout, sizeof timeout, request_timeout_ms);
    if (p99_ns >= request_timeout_ms * NS_PER_MS && ttl_ms >= advised_ms) {
        bool never = p50_ns >= request_timeout_ms * NS_PER_MS;
        finding_set(finding, "round-trip", never ? FINDING_FAIL : FINDING_WARN,
                    "a write takes %.1f ms (p99 %.1f ms), and --request-timeout is %s: %s; leave it out, for TTL/6",
                    ms_of(p50_ns), ms_of(p99_ns), timeout,
                    never ? "no lease would be renewed" : "some renewals would be sent twice");
    } else if (p50_ns >= request_timeout_ms * NS_PER_MS) {
        finding_set(finding, "round-trip", FINDING_FAIL,
                    "a write takes %.1f ms (p99 %.1f ms), and --request-timeout is %s: at --ttl %s no lease would be "
                    "renewed; use --ttl %s or more",
                    ms_of(p50_ns), ms_of(p99_ns), timeout, ttl, advised);
    } else if (ttl_ms < advised_ms) {
        finding_set(finding, "round-trip", FINDING_WARN,
                    "a write takes %.1f ms (p99 %.1f ms): --ttl %s leaves little room; use %s or more", ms_of(p50_ns),
                    ms_of(p99_ns), ttl, advised);
    } else {
        finding_set(finding, "round-trip", FINDING_OK,
                    "a write takes %.1f ms (p99 %.1f ms): --ttl %s is fine, from %s on would do", ms_of(p50_ns),
                    ms_of(p99_ns), ttl, advised);
    }
    finding_add_figure(finding, "samples", (double)writes->count);
    finding_add_figure(finding, "p50_ms", ms_of(p50_ns));
    finding_add_figure(finding, "p99_ms", ms_of(p99_ns));
    finding_add_figure(finding, "ttl_ms", (double)ttl_ms);
    finding_add_figure(finding, "advised_ttl_ms", (double)advised_ms);
}

#define OFFSET_FINE_MS   INT64_C(5000)
#define OFFSET_SIGNED_MS INT64_C(600000) /* S3 refuses signatures that are 15 min off; near that, say so */
#define DATE_FINE_MS     INT64_C(5000)   /* the store-clock rule has 30 s to spare */

static int64_t magnitude(int64_t value) { return value < 0 ? -value : value; }

void judge_clock(struct finding *finding, const struct clocks *clocks) {
    int64_t offset_ms = magnitude(clocks->offset_ms), apart_ms = magnitude(clocks->date_minus_modified_ms);
    if (!clocks->known) {
        finding_set(finding, "clock", FINDING_WARN,
                    "the store's listings don't tell its time: a lock left by a crash is always waited out in full");
        return;
    }
    int64_t tenths = clocks->offset_ms / 100; /* whole ones, so that there is no -0.0 */
    double offset_s = (double)tenths / 10;
    double error_s = (double)clocks->error_ms / (double)MS_PER_S;
    if (apart_ms > DATE_FINE_MS) {
        finding_set(finding, "clock", FINDING_WARN,
                    "answers are dated %.1f s apart from the objects made just then: does a proxy put its own Date on "
                    "them? Set its clock, or after a crash the wait may be wrong by as much",
                    (double)clocks->date_minus_modified_ms / (double)MS_PER_S);
    } else if (clocks->signs && offset_ms > OFFSET_SIGNED_MS) {
        finding_set(
            finding, "clock", FINDING_WARN,
            "the store's clock is %+.1f s off ours: S3 refuses requests from 15 min on; set this machine's clock",
            offset_s);
    } else if (offset_ms > OFFSET_FINE_MS + clocks->error_ms) {
        finding_set(finding, "clock", FINDING_WARN,
                    "the store's clock is %+.1f s off ours: leases don't mind, people who read times will", offset_s);
    } else {
        finding_set(finding, "clock", FINDING_OK, "the store's clock is %+.1f s off ours, to %.1f s", offset_s,
                    error_s);
    }
    finding_add_figure(finding, "offset_ms", (double)clocks->offset_ms);
    finding_add_figure(finding, "error_ms", (double)clocks->error_ms);
}

/* --- cost --- */

#define LIST_EVERY         100 /* appends; see the design's section on trimming */
#define LISTS_OF_A_TRIM    2   /* what time is it, and what is old */
#define RENEWALS_A_LISTING 3   /* is the head still ours */
#define PRICE_OF_1000_PUTS 0.005
#define PRICE_OF_1000_GETS 0.0004

struct month month_of(int64_t ttl_ms, int64_t poll_ms) {
    int64_t renewals = MONTH_S * MS_PER_S * 3 / ttl_ms;
    /* A standby reads each new entry, and each poll ends with a slot that isn't there yet. */
    return (struct month){.puts = renewals,
                          .lists = renewals / LIST_EVERY * LISTS_OF_A_TRIM + renewals / RENEWALS_A_LISTING,
                          .deletes = renewals,
                          .gets = MONTH_S * MS_PER_S / poll_ms + renewals};
}

double month_leader_dollars(const struct month *month) {
    return (double)(month->puts + month->lists) / 1000 * PRICE_OF_1000_PUTS;
}

double month_standby_dollars(const struct month *month) { return (double)month->gets / 1000 * PRICE_OF_1000_GETS; }

void judge_requests(struct finding *finding, int64_t ttl_ms, int64_t poll_ms, bool priced) {
    struct month month = month_of(ttl_ms, poll_ms);
    char ttl[32], poll[32], leader[48] = "", standby[48] = "";
    text_format_duration(ttl, sizeof ttl, ttl_ms);
    text_format_duration(poll, sizeof poll, poll_ms);
    if (priced) {
        (void)text_format(leader, sizeof leader, " ($%.2f)", month_leader_dollars(&month));
        (void)text_format(standby, sizeof standby, " ($%.2f)", month_standby_dollars(&month));
    }
    finding_set(finding, "requests", FINDING_OK,
                "in 30 days the leader sends %" PRId64 " PUT, %" PRId64 " LIST, %" PRId64 " DELETE%s at --ttl %s, each "
                "standby %" PRId64 " GET%s at --poll %s",
                month.puts, month.lists, month.deletes, leader, ttl, month.gets, standby, poll);
    finding_add_figure(finding, "puts", (double)month.puts);
    finding_add_figure(finding, "lists", (double)month.lists);
    finding_add_figure(finding, "deletes", (double)month.deletes);
    finding_add_figure(finding, "gets_of_a_standby", (double)month.gets);
    if (!priced) return;
    finding_add_figure(finding, "dollars_of_the_leader", month_leader_dollars(&month));
    finding_add_figure(finding, "dollars_of_a_standby", month_standby_dollars(&month));
}

/* --- the bucket's settings --- */

#define NO_ANSWER "the store gave no answer to that"

void judge_versioning(struct finding *finding, const struct versioning_seen *seen, const char *folder) {
    bool reads = seen->known == SETTING_READ;
    bool on = seen->version_ids || (reads && seen->versioning == S3_VERSIONING_ENABLED);
    if (on && seen->creates_twice) {
        finding_set(finding, "versioning", FINDING_WARN,
                    "on: some stores, Ceph for one, ignore If-None-Match then; use a bucket that never had it");
    } else if (on && seen->old_versions_rule) {
        finding_set(finding, "versioning", FINDING_OK, "on, and a lifecycle rule deletes old versions below %.200s",
                    folder);
    } else if (on) {
        finding_set(finding, "versioning", FINDING_WARN,
                    "on: each slot that is trimmed stays as an old version. Add a lifecycle rule for the prefix "
                    "%.200s with NoncurrentVersionExpiration NoncurrentDays 1 and Expiration "
                    "ExpiredObjectDeleteMarker true, and no other Expiration",
                    folder);
    } else if (reads && seen->versioning == S3_VERSIONING_SUSPENDED) {
        /* AWS: a DELETE then takes the object and leaves a marker. */
        finding_set(finding, "versioning", seen->old_versions_rule ? FINDING_OK : FINDING_WARN,
                    "suspended: each slot that is trimmed may leave a delete marker%s",
                    seen->old_versions_rule
                        ? ", and a lifecycle rule is there for old versions"
                        : "; a lifecycle rule with Expiration ExpiredObjectDeleteMarker true and no "
                          "other Expiration removes them");
    } else if (reads) {
        finding_set(finding, "versioning", FINDING_OK, "off");
    } else if (seen->known == SETTING_FAILED) {
        finding_set(finding, "versioning", FINDING_WARN, "isn't known (" NO_ANSWER "): off, as far as slots tell");
    } else {
        finding_set(finding, "versioning", FINDING_OK, "off, as far as answers tell (%s)",
                    seen->known == SETTING_DENIED ? "s3:GetBucketVersioning is denied"
                                                  : "the store has no such setting");
    }
}

void judge_object_lock(struct finding *finding, enum setting_known known, const struct s3_object_lock *lock,
                       int64_t ttl_ms) {
    if (known == SETTING_FAILED) {
        finding_set(finding, "object-lock", FINDING_WARN,
                    "isn't known (" NO_ANSWER "); see whether delete and cleanup worked");
    } else if (known == SETTING_DENIED) {
        finding_set(
            finding, "object-lock", FINDING_OK,
            "isn't known (s3:GetBucketObjectLockConfiguration is denied); see whether delete and cleanup worked");
    } else if (known == SETTING_READ && lock->enabled && lock->days > 0) {
        finding_set(finding, "object-lock", FINDING_WARN,
                    "each new object is kept for %" PRId64 " days (%s), and so is each slot: %" PRId64
                    " of them, at this TTL, before the first may be deleted",
                    lock->days, lock->mode, month_of(ttl_ms, ttl_ms).puts / 30 * lock->days);
    } else {
        finding_set(finding, "object-lock", FINDING_OK, "%s",
                    known == SETTING_READ && lock->enabled ? "on, without a default retention" : "off");
    }
}

void judge_expiry(struct finding *finding, enum setting_known known, const struct s3_lifecycle_rule *rule,
                  const char *folder) {
    if (known == SETTING_DENIED || known == SETTING_FAILED) {
        finding_set(finding, "expiry", FINDING_WARN,
                    "can't be read (%s): make sure that no lifecycle rule expires objects below %.200s",
                    known == SETTING_DENIED ? "s3:GetLifecycleConfiguration is denied" : NO_ANSWER, folder);
    } else if (rule != NULL) {
        char when[48] = "on a date";
        if (rule->days > 0) (void)text_format(when, sizeof when, "after %" PRId64 " days", rule->days);
        finding_set(finding, "expiry", FINDING_WARN,
                    "lifecycle rule \"%s\" deletes slots %s: a lock that was free for so long begins anew, with tokens "
                    "from 1 again. Keep the rule off %.200s",
                    rule->id, when, folder);
    } else {
        finding_set(finding, "expiry", FINDING_OK, "no lifecycle rule deletes slots");
    }
}

/* What a run tells people; see journal.h. */
#include "journal.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define FAILURES_TOLD 3 /* a renewal that fails twice and then gets through isn't worth a line */

void journal_init(struct journal *journal, const struct options *options) {
    memset(journal, 0, sizeof *journal);
    journal->log = (struct log){.fd = STDERR_FILENO, .level = options->log_level, .json = options->log_json};
    journal->lock = options->identity;
}

void journal_answer(struct journal *journal, const struct log_answer *answer) {
    bool failed = answer->outcome == OUTCOME_UNKNOWN || answer->outcome == OUTCOME_REFUSED;
    if (answer->lane == LOG_LANE_TRIM) {
        if (failed) log_line(&journal->log, LOG_LEVEL_INFO, "trimming %s: %s", journal->lock, answer->reason);
        return;
    }
    if (!failed) {
        journal->answered = true;
        if (answer->op != journal->failing && answer->op != LOG_APPEND) return; /* a store may list and not write */
        if (journal->told) log_line(&journal->log, LOG_LEVEL_INFO, "%s answers again", journal->lock);
        journal->told = false;
        journal->failures = 0;
        return;
    }
    if (journal->failures++ == 0) journal->failing_since_ms = clock_wall_ms();
    journal->failing = answer->op;
    (void)text_copy(journal->failure, sizeof journal->failure, answer->reason);
    if (answer->outcome == OUTCOME_REFUSED) {
        (void)text_copy(journal->refusal, sizeof journal->refusal, answer->reason);
        if (!journal->answered) return; /* it ends the start, and is told then */
    }
    if (journal->told || (journal->answered && journal->failures < FAILURES_TOLD)) return;
    journal->told = true;
    log_line(&journal->log, LOG_LEVEL_WARN, "%s; trying again", answer->reason);
}

void journal_flush(struct journal *journal) {
    if (journal->repeats > 0)
        log_line(&journal->log, LOG_LEVEL_WARN, "%u times more: %s", journal->repeats, journal->said);
    journal->repeats = 0;
    journal->said[0] = '\0';
}

void journal_warn(struct journal *journal, const char *text) {
    if (strncmp(journal->said, text, sizeof journal->said - 1) == 0) {
        journal->repeats++;
        return;
    }
    journal_flush(journal);
    (void)text_copy(journal->said, sizeof journal->said, text);
    log_line(&journal->log, LOG_LEVEL_WARN, "%s", text);
}

/* "host:1:ab (token 42)", or what can be said where no record could be read. */
static void describe(char *out, size_t size, const struct election_action *action) {
    const struct record *holder = &action->holder;
    if (holder->node[0] == '\0') {
        (void)text_format(out, size, "somebody unknown (slot %" PRId64 ")", action->seq);
    } else {
        (void)text_format(out, size, "%s (token %" PRId64 ")", holder->node, holder->token);
    }
}

/* Why renewals didn't get through in time. */
static void describe_trouble(const struct journal *journal, char *out, size_t size) {
    char since[32] = "?";
    time_t seconds = (time_t)(journal->failing_since_ms / MS_PER_S);
    struct tm utc;
    if (journal->failures == 0) {
        (void)text_copy(out, size, "the keeper stalled (stopped, or without processor time), or the store was slow");
        return;
    }
    if (gmtime_r(&seconds, &utc) != NULL) (void)strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &utc);
    (void)text_format(out, size, "store unreachable since %s: %s", since, journal->failure);
}

static void report_deleted(struct journal *journal, const struct election_action *action, const char *who) {
    bool gone = action->holder.node[0] == '\0';
    log_line(&journal->log, LOG_LEVEL_ERROR,
             "leadership of %s lost: slot %" PRId64 " is %s%s: somebody deleted slots of %s", journal->lock, action->seq,
             gone ? "gone" : "by ", gone ? "" : who, journal->lock);
}

static void report_end(struct journal *journal, const struct election_action *action, const char *who) {
    const struct log *log = &journal->log;
    char trouble[TEXT_REASON_SIZE];
    switch (action->report) {
    case REPORT_LOST_TO:
        log_line(log, LOG_LEVEL_ERROR, "leadership of %s lost: taken by %s", journal->lock, who);
        break;
    case REPORT_DELETED:
        report_deleted(journal, action, who);
        break;
    case REPORT_EVICTED:
        log_line(log, LOG_LEVEL_ERROR, "evicted from %s by %s", journal->lock, who);
        break;
    case REPORT_OUT_OF_TIME:
        describe_trouble(journal, trouble, sizeof trouble);
        log_line(log, LOG_LEVEL_ERROR, "leadership of %s lost: not renewed in time: %s", journal->lock, trouble);
        break;
    case REPORT_GUARD_LOST:
        log_line(log, LOG_LEVEL_ERROR, "the guard process died or hung: its command was killed; see who killed it");
        break;
    case REPORT_UNREACHABLE:
        log_line(log, LOG_LEVEL_ERROR, "giving up: %s",
                 journal->failure[0] != '\0' ? journal->failure : "the store didn't answer");
        break;
    case REPORT_REFUSED:
        log_line(log, LOG_LEVEL_ERROR, "%s", journal->refusal);
        break;
    case REPORT_STORE_UNSAFE:
        log_line(log, LOG_LEVEL_ERROR,
                 "%s: the store created slot %" PRId64
                 " twice, so it can't keep a lock: it ignores \"If-None-Match: *\", at "
                 "least when two writers race (versioning switched on, on Ceph?); use another bucket or store",
                 journal->lock, action->seq);
        break;
    case REPORT_LOG_FULL:
        log_line(log, LOG_LEVEL_ERROR, "%s: slot %" PRId64 " has the highest number there is; choose another --lock",
                 journal->lock, action->seq);
        break;
    case REPORT_WAITING:
    case REPORT_WON:
    case REPORT_UNREADABLE:
    case REPORT_BUSY:
    case REPORT_RELEASED:
    case REPORT_NOT_RELEASED:
    case REPORT_UNLISTED:
    case REPORT_WENT_BACK:
        break; /* journal_report() tells these */
    }
}

void journal_report(struct journal *journal, const struct election_action *action) {
    const struct log *log = &journal->log;
    journal_flush(journal);
    char who[RECORD_NODE_SIZE + 64];
    describe(who, sizeof who, action);
    switch (action->report) {
    case REPORT_WAITING:
        log_line(log, LOG_LEVEL_INFO, "waiting for %s: held by %s", journal->lock, who);
        break;
    case REPORT_BUSY:
        log_line(log, LOG_LEVEL_INFO, "%s is held by %s", journal->lock, who);
        break;
    case REPORT_WON:
        log_line(log, LOG_LEVEL_INFO, "leading %s with token %" PRId64, journal->lock, action->seq);
        break;
    case REPORT_UNREADABLE:
        log_line(log, LOG_LEVEL_WARN, "slot %" PRId64 " of %s is no record; taken as held for 10 min", action->seq,
                 journal->lock);
        break;
    case REPORT_RELEASED:
        log_line(log, LOG_LEVEL_INFO, "released %s", journal->lock);
        break;
    case REPORT_UNLISTED:
        log_line(log, LOG_LEVEL_WARN,
                 "%s can't be listed while it is renewed: should somebody delete its slots, that goes unnoticed: %s",
                 journal->lock, journal->failure);
        break;
    case REPORT_WENT_BACK:
        log_line(log, LOG_LEVEL_WARN,
                 "somebody deleted slots of %s: slot %" PRId64 ", its newest, is gone; going on from what is there",
                 journal->lock, action->seq);
        break;
    case REPORT_NOT_RELEASED:
        log_line(log, LOG_LEVEL_WARN, "%s isn't freed, and others wait until the lease is over%s%s", journal->lock,
                 journal->failures > 0 ? ": " : "", journal->failures > 0 ? journal->failure : "");
        break;
    case REPORT_LOST_TO:
    case REPORT_DELETED:
    case REPORT_EVICTED:
    case REPORT_OUT_OF_TIME:
    case REPORT_UNREACHABLE:
    case REPORT_REFUSED:
    case REPORT_STORE_UNSAFE:
    case REPORT_LOG_FULL:
    case REPORT_GUARD_LOST:
        report_end(journal, action, who);
        break;
    }
}

/* What a run tells people: the election's reports and the store's troubles, as one line each.
 *
 * Silence is the default: only what ends a command early, or a start, and a trouble that lasts are printed without -v.
 * Decides nothing. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/text.h"
#include "election/election.h"
#include "options.h"

/* Owned by the caller; plain values, no deinit. */
struct journal {
    struct log log;
    const char *lock;               /* its identity */
    bool answered;                  /* the store has answered something once */
    unsigned failures;              /* in a row */
    enum log_op failing;            /* what failed; only its success, or an append's, ends the row */
    bool told;                      /* these failures have been reported */
    int64_t failing_since_ms;       /* wall clock */
    char failure[TEXT_REASON_SIZE]; /* the newest */
    char refusal[TEXT_REASON_SIZE]; /* the newest that was the store's no */
    char said[TEXT_REASON_SIZE];    /* the last line of journal_warn() */
    unsigned repeats;               /* so often it came again since */
};

/* Prepares journal to write on standard error as options say; options must outlive it. */
void journal_init(struct journal *journal, const struct options *options);

/* Takes note of an answer: a trouble is said once, when it is the first thing that a store says or goes on for a while.
 */
void journal_answer(struct journal *journal, const struct log_answer *answer);

/* Warns with a line that somebody else's doing may bring again and again: equal ones in a row are said once, then counted. */
void journal_warn(struct journal *journal, const char *text);

/* Says how often the last line came again, if it did: before another one, and at the end. */
void journal_flush(struct journal *journal);

/* Tells an ELECTION_REPORT action. */
void journal_report(struct journal *journal, const struct election_action *action);

#endif

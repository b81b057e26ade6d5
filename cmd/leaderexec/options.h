/* What the user asks for: command line, LEADEREXEC_* variables and defaults, checked and ready to use.
 *
 * Nothing is opened, started or written here, and no other process is needed: bad input ends before anything happens.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "bucket.h"
#include "record/record.h"

#define OPTIONS_NEVER          INT64_MAX /* ms: --stop-timeout not given, waiting for ever */
#define OPTIONS_ENDPOINTS_MOST 8         /* for check, which takes several */

/* What leaderexec exits with where the command's own code isn't it. */
enum {
    EXIT_LEADERSHIP_LOST = 123,
    EXIT_OWN_FAILURE = 125,
};

enum options_mode { OPTIONS_RUN, OPTIONS_STATUS, OPTIONS_CHECK, OPTIONS_HELP, OPTIONS_VERSION };

/* Owned by the caller; no deinit. Texts point into argv and environment, which must outlive it. Durations are in ms. */
struct options {
    enum options_mode mode;
    char *const *command; /* OPTIONS_RUN: argv of the command, at least one word */

    struct bucket bucket;
    char prefix[PREFIX_SIZE]; /* "" or with a slash at its end */
    const char *lock;
    char identity[BUCKET_IDENTITY_SIZE]; /* what LEADEREXEC_HOLDS says of it */
    const char *endpoint_url;            /* these seven: NULL where not given */
    const char *region;
    const char *profile;
    const char *ca_bundle;
    const char *addressing_style; /* "auto", "path", "virtual" */
    const char *sse;              /* "AES256", "aws:kms", "aws:kms:dsse" */
    const char *sse_kms_key_id;   /* never without sse of a kind that takes it */

    int64_t ttl_ms;
    int64_t poll_ms;    /* at most ttl_ms / 3 */
    int64_t give_up_ms; /* 0: --no-wait; OPTIONS_NEVER: wait for ever */
    int64_t hold_ms;    /* 0: none */
    int64_t kill_after_ms;
    int64_t stop_timeout_ms; /* OPTIONS_NEVER: none */
    int64_t request_timeout_ms;
    int64_t retention_ms; /* slots older than this are trimmed: 1 h, but for tests */
    int conflict_exit_code;
    int stop_signal;
    bool rejoin;  /* --on-loss rejoin */
    bool isolate; /* a PID namespace for each run of the command */
    char node[RECORD_NODE_SIZE];
    char host[RECORD_HOST_SIZE]; /* gethostname(2), for people */

    enum log_level log_level; /* -v, -q */
    bool log_json;
    bool json; /* status, check: --json */

    /* OPTIONS_CHECK */
    int writers;
    int rounds;
    const char *endpoint_urls[OPTIONS_ENDPOINTS_MOST]; /* as typed, in their order; endpoint_url is the last of them */
    int endpoint_count;                                /* 0: none was typed */
};

/* Reads argv (options up to the first operand, which begins the command; "status" and "check" only as the first word;
 * behind "--" a command may be called so) and environment; the command line wins over a variable, an empty variable
 * counts as none, of
 * --wait and --no-wait (-v and -q) the last one typed counts. Returns 0, or -EINVAL (-errno where the host's name or
 * random bytes can't be had) with a line in reason[TEXT_REASON_SIZE]; log_json is then set where that much could be
 * read. With OPTIONS_HELP and OPTIONS_VERSION nothing else is set or checked. Not reentrant: getopt_long(3) isn't. */
int options_parse(struct options *options, int argc, char *const *argv, char *const *environment, char *reason);

/* How long the store may be out of reach, at whatever moment that begins, without the command noticing, in ms: the next
 * renewal is due at TTL/3, the stop signal at TTL - margin - kill-after. At least TTL/3. */
int64_t options_outage_ms(const struct options *options);

/* Prints --help from the table of options. */
void options_print_help(FILE *out);

#endif

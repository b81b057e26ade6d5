/* The table of options: one row drives parsing, the variable's name, --help and the default.
 *
 * Only this folder's parser, help and their tests read it. What a value means to an election or a store stands nowhere
 * here. */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include <stdbool.h>
#include <stdint.h>

enum option_id {
    OPTION_BUCKET,
    OPTION_LOCK,
    OPTION_PREFIX,
    OPTION_TTL,
    OPTION_POLL,
    OPTION_NO_WAIT,
    OPTION_WAIT,
    OPTION_CONFLICT_EXIT_CODE,
    OPTION_HOLD,
    OPTION_SIGNAL,
    OPTION_KILL_AFTER,
    OPTION_STOP_TIMEOUT,
    OPTION_ON_LOSS,
    OPTION_ISOLATE,
    OPTION_NODE_ID,
    OPTION_ENDPOINT_URL,
    OPTION_REGION,
    OPTION_PROFILE,
    OPTION_CA_BUNDLE,
    OPTION_ADDRESSING_STYLE,
    OPTION_SSE,
    OPTION_SSE_KMS_KEY_ID,
    OPTION_REQUEST_TIMEOUT,
    OPTION_LOG_FORMAT,
    OPTION_VERBOSE,
    OPTION_QUIET,
    OPTION_JSON,
    OPTION_WRITERS,
    OPTION_ROUNDS,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COUNT
};

/* The subcommands that take an option which a run doesn't; 0: all take it. */
enum { WITH_STATUS = 1, WITH_CHECK = 2 };

/* What a value must look like. */
enum option_kind {
    KIND_FLAG,     /* no value; as a variable 1, true, yes, or 0, false, no */
    KIND_DURATION, /* ms from least to most */
    KIND_NUMBER,   /* a decimal number from least to most */
    KIND_SIGNAL,   /* TERM, SIGTERM, 15 */
    KIND_CHOICE,   /* one of choices */
    KIND_TEXT,     /* not empty, no control character, at most `most` bytes */
    KIND_NAME,     /* a lock's name */
    KIND_PREFIX,   /* folders in a bucket */
};

struct option_spec {
    const char *name; /* --name, and LEADEREXEC_NAME */
    int has_argument; /* as getopt_long(3) wants it */
    char letter;      /* -l; 0: none */
    enum option_kind kind;
    const char *argument; /* how --help calls it; NULL for flags */
    const char *fallback; /* the value where none is given, written as a user would; NULL: none */
    const char *help;
    int64_t least;
    int64_t most;
    const char *choices; /* KIND_CHOICE: "one|two" */
    bool only_typed;     /* has no variable: it asks for something once */
    unsigned only_with;  /* WITH_* */
};

#define OPTION_VARIABLE_SIZE 48

/* One row for each enum option_id, in its order. */
extern const struct option_spec option_table[OPTION_COUNT];

/* Writes the name of id's variable, e.g. LEADEREXEC_KILL_AFTER. */
void option_variable(char out[OPTION_VARIABLE_SIZE], enum option_id id);

#endif

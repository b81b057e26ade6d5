/* The rows of the table of options; see option_table.h. */
#include "option_table.h"

#include <ctype.h>
#include <getopt.h>
#include <stddef.h>

#include "base/text.h"
#include "election/lease.h"
#include "record/record.h"

#define SECOND_MS  INT64_C(1000)
#define LONGEST_MS (INT64_C(366) * 24 * 3600 * SECOND_MS) /* as far as text_parse_duration reads */
#define TEXT_MOST  INT64_C(1000)                          /* bytes of a value that has no limit of its own here */

/* clang-format off */
const struct option_spec option_table[OPTION_COUNT] = {
    [OPTION_BUCKET] = {"bucket", required_argument, 'b', KIND_TEXT, "B", NULL,
        "where the lock is kept: NAME, s3://NAME[/PREFIX] or file:DIR", .most = 4 * TEXT_MOST},
    [OPTION_LOCK] = {"lock", required_argument, 'l', KIND_NAME, "NAME", "leader",
        "which lock; several can share a bucket"},
    [OPTION_PREFIX] = {"prefix", required_argument, 0, KIND_PREFIX, "P", "locks/",
        "the folder in the bucket that holds the locks"},
    [OPTION_TTL] = {"ttl", required_argument, 't', KIND_DURATION, "D", "30s",
        "how long a lease lasts, 2s to 10m; renewed every TTL/3", LEASE_TTL_MIN_MS, LEASE_TTL_MAX_MS},
    [OPTION_POLL] = {"poll", required_argument, 'p', KIND_DURATION, "D", "5s",
        "how often a candidate looks; never more than TTL/3", 100, LONGEST_MS},
    [OPTION_NO_WAIT] = {"no-wait", no_argument, 'n', KIND_FLAG, NULL, NULL,
        "give up at once where the lock is held"},
    [OPTION_WAIT] = {"wait", required_argument, 'w', KIND_DURATION, "D", NULL,
        "give up after D; without -n and -w wait for ever", 0, LONGEST_MS},
    [OPTION_CONFLICT_EXIT_CODE] = {"conflict-exit-code", required_argument, 'E', KIND_NUMBER, "N", "124",
        "exit code for having given up", 0, 255},
    [OPTION_HOLD] = {"hold", required_argument, 0, KIND_DURATION, "D", NULL,
        "keep the lock at least D from winning it on, at most 24h; implies -n", 0, LEASE_HOLD_MAX_MS},
    [OPTION_SIGNAL] = {"signal", required_argument, 's', KIND_SIGNAL, "SIG", "TERM",
        "what stops the command"},
    [OPTION_KILL_AFTER] = {"kill-after", required_argument, 'k', KIND_DURATION, "D", NULL,
        "leadership lost: SIGKILL so long after SIG [TTL/8, at most 10s]", 0, LEASE_TTL_MAX_MS},
    [OPTION_STOP_TIMEOUT] = {"stop-timeout", required_argument, 0, KIND_DURATION, "D", NULL,
        "told to shut down: SIGKILL so long after SIG [never]", 0, LONGEST_MS},
    [OPTION_ON_LOSS] = {"on-loss", required_argument, 0, KIND_CHOICE, "exit|rejoin", "exit",
        "leadership lost: exit, or wait for the next turn", .choices = "exit|rejoin"},
    [OPTION_ISOLATE] = {"isolate", no_argument, 0, KIND_FLAG, NULL, NULL,
        "run the command in a PID namespace of its own"},
    [OPTION_NODE_ID] = {"node-id", required_argument, 0, KIND_TEXT, "ID", NULL,
        "what others see as the holder [host name:pid:random]", .most = RECORD_NODE_SIZE - 1},
    [OPTION_ENDPOINT_URL] = {"endpoint-url", required_argument, 0, KIND_TEXT, "URL", NULL,
        "the S3 service [AWS; environment and files as for the AWS CLI]", .most = TEXT_MOST},
    [OPTION_REGION] = {"region", required_argument, 0, KIND_TEXT, "R", NULL,
        "its region [likewise]", .most = TEXT_MOST},
    [OPTION_PROFILE] = {"profile", required_argument, 0, KIND_TEXT, "P", NULL,
        "which profile of the AWS files [likewise]", .most = TEXT_MOST},
    [OPTION_CA_BUNDLE] = {"ca-bundle", required_argument, 0, KIND_TEXT, "FILE", NULL,
        "the only certificates to trust [likewise]", .most = TEXT_MOST},
    [OPTION_ADDRESSING_STYLE] = {"addressing-style", required_argument, 0, KIND_CHOICE, "STYLE", NULL,
        "auto, path or virtual [likewise]", .choices = "auto|path|virtual"},
    [OPTION_SSE] = {"sse", required_argument, 0, KIND_CHOICE, "HOW", NULL,
        "have S3 encrypt what is written: AES256, aws:kms or aws:kms:dsse", .choices = "AES256|aws:kms|aws:kms:dsse"},
    [OPTION_SSE_KMS_KEY_ID] = {"sse-kms-key-id", required_argument, 0, KIND_TEXT, "ID", NULL,
        "with this key; goes with --sse aws:kms", .most = TEXT_MOST},
    [OPTION_REQUEST_TIMEOUT] = {"request-timeout", required_argument, 0, KIND_DURATION, "D", NULL,
        "one try of one request under a lease [TTL/6, at most 10s]", 50, LEASE_TTL_MAX_MS / 3},
    [OPTION_LOG_FORMAT] = {"log-format", required_argument, 0, KIND_CHOICE, "text|json", "text",
        "how messages on stderr look", .choices = "text|json"},
    [OPTION_VERBOSE] = {"verbose", no_argument, 'v', KIND_FLAG, NULL, NULL,
        "say what happens, on stderr"},
    [OPTION_QUIET] = {"quiet", no_argument, 'q', KIND_FLAG, NULL, NULL,
        "say errors only"},
    [OPTION_JSON] = {"json", no_argument, 0, KIND_FLAG, NULL, NULL,
        "status, check: print one JSON object", .only_typed = true, .only_with = WITH_STATUS | WITH_CHECK},
    [OPTION_WRITERS] = {"writers", required_argument, 0, KIND_NUMBER, "N", "16",
        "check: how many race for a slot at once", 2, 64, .only_with = WITH_CHECK},
    [OPTION_ROUNDS] = {"rounds", required_argument, 0, KIND_NUMBER, "N", "50",
        "check: how many slots they race for", 1, 10000, .only_with = WITH_CHECK},
    [OPTION_HELP] = {"help", no_argument, 'h', KIND_FLAG, NULL, NULL,
        "print this", .only_typed = true},
    [OPTION_VERSION] = {"version", no_argument, 'V', KIND_FLAG, NULL, NULL,
        "print the version", .only_typed = true},
};
/* clang-format on */

void option_variable(char out[OPTION_VARIABLE_SIZE], enum option_id id) {
    (void)text_format(out, OPTION_VARIABLE_SIZE, "LEADEREXEC_%s", option_table[id].name);
    for (char *p = out; *p != '\0'; p++) *p = (char)(*p == '-' ? '_' : toupper((unsigned char)*p));
}

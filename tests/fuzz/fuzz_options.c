/* Command lines and environments: what is accepted makes a configuration that the election takes; what isn't has one
 * line of reason; and getopt's global state carries nothing from one parse to the next.
 *
 * An input is the arguments, a line each, a zero byte, then the environment, NAME=VALUE a line. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "election/election.h"
#include "election/lease.h"
#include "fuzz.h"
#include "options.h"

#define WORDS_MOST 24

struct words {
    char *word[WORDS_MOST + 2];
    int count;
};

static void read_words(struct words *words, struct fuzz_input *input) {
    while (input->left > 0 && *input->next != '\0' && words->count <= WORDS_MOST) {
        words->word[words->count++] = fuzz_text(input, '\n');
    }
    while (input->left > 0 && fuzz_byte(input) != '\0') continue;
    words->word[words->count] = NULL;
}

static void free_words(struct words *words) {
    for (int i = 0; i < words->count; i++) free(words->word[i]);
}

/* The same sums as the program does them. */
static void check_election(const struct options *o) {
    static struct election election;
    struct election_config config = {
        .ttl_ns = o->ttl_ms * NS_PER_MS,
        .poll_ns = o->poll_ms * NS_PER_MS,
        .give_up_ns = o->give_up_ms == OPTIONS_NEVER ? ELECTION_FOREVER : o->give_up_ms * NS_PER_MS,
        .hold_ns = o->hold_ms * NS_PER_MS,
        .margin_ns = lease_margin_ns(o->ttl_ms * NS_PER_MS),
        .kill_after_ns = o->kill_after_ms * NS_PER_MS,
        .request_timeout_ns = o->request_timeout_ms * NS_PER_MS,
        .look_timeout_ns = 10 * NS_PER_S,
        .retention_ns = o->retention_ms * NS_PER_MS,
        .rejoin = o->rejoin,
        .conflict_exit_code = o->conflict_exit_code,
    };
    CHECK(text_copy(config.node, sizeof config.node, o->node) == 0, "a node's name fits");
    election_init(&election, &config); /* which asserts that the durations fit together */
}

static void check_options(const struct options *o, const struct words *arguments) {
    if (o->mode == OPTIONS_HELP || o->mode == OPTIONS_VERSION) return;
    if (o->mode == OPTIONS_RUN) CHECK(o->command[0] != NULL && o->command[0][0] != '\0', "there is a command to run");
    bool within = false;
    for (int i = 0; i <= arguments->count; i++) within = within || o->command == arguments->word + i;
    CHECK(within, "the command is the rest of the arguments");
    CHECK(o->ttl_ms >= LEASE_TTL_MIN_MS && o->ttl_ms <= LEASE_TTL_MAX_MS, "a TTL is within its limits");
    CHECK(o->poll_ms >= 100 && o->poll_ms <= o->ttl_ms / 3, "polls are at most TTL/3 apart");
    CHECK(o->request_timeout_ms >= 50 && o->request_timeout_ms <= o->ttl_ms / 3, "a try ends before the next renewal");
    CHECK(options_outage_ms(o) >= o->ttl_ms / 3, "an outage of TTL/3 goes unnoticed");
    CHECK(o->hold_ms >= 0 && o->hold_ms <= LEASE_HOLD_MAX_MS, "a hold is within its limits");
    CHECK(o->conflict_exit_code >= 0 && o->conflict_exit_code <= 255, "an exit code is one");
    CHECK(o->stop_signal >= 1 && o->lock[0] != '\0' && o->node[0] != '\0', "signal, lock and node are there");
    CHECK(fuzz_is_printable(o->identity) && strchr(o->identity, ' ') == NULL, "an identity is one word");
    check_election(o);
}

/* But for the random part of a node's name. */
static bool same(const struct options *a, const struct options *b) {
    static struct options x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    memset(x.node, 0, sizeof x.node);
    memset(y.node, 0, sizeof y.node);
    return memcmp(&x, &y, sizeof x) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct options options, again; /* too large for a stack that is to stay small; overwritten by each parse */
    struct fuzz_input input = {data, size}, name = {(const uint8_t *)"leaderexec", 10};
    struct words arguments = {0}, environment = {0};
    char reason[TEXT_REASON_SIZE] = "", other[TEXT_REASON_SIZE] = "";
    arguments.word[arguments.count++] = fuzz_text(&name, '\0');
    read_words(&arguments, &input);
    read_words(&environment, &input);
    int rc = options_parse(&options, arguments.count, arguments.word, environment.word, reason);
    int second = options_parse(&again, arguments.count, arguments.word, environment.word, other);
    CHECK(rc == second && strcmp(reason, other) == 0 && same(&options, &again), "the same words mean the same twice");
    CHECK(rc <= 0 && (rc < 0) == (reason[0] != '\0'), "trouble has a reason, and nothing else has");
    CHECK(fuzz_is_printable(reason), "a reason is one printable line");
    if (rc == 0) check_options(&options, &arguments);
    free_words(&arguments);
    free_words(&environment);
    return 0;
}

/* Command line and variables to checked options; see options.h. In three passes: collect what was given, read each
 * value by its row of the table, then check what depends on each other. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/environment.h"
#include "base/text.h"
#include "election/lease.h"
#include "option_table.h"
#include "values.h"

/* For tests, which can't wait for an hour to see slots trimmed; not an option, and not for users: a retention shorter
 * than a stale read lets two lead. See tests/README.md. */
#define RETENTION_VARIABLE   "LEADEREXEC_TEST_RETENTION"
#define RETENTION_DEFAULT_MS INT64_C(3600000)
#define RETENTION_LEAST_MS   100

enum origin { FROM_DEFAULT, FROM_VARIABLE, FROM_COMMAND_LINE };

/* One option's value. */
struct given {
    const char *text; /* NULL: not given and no default; flags: "" */
    enum origin origin;
    int order;      /* among those typed; 0: not typed */
    int64_t number; /* durations in ms, numbers, signals */
};

/* One parse under way. */
struct parse {
    struct options *options;
    char *const *environment;
    char *reason;
    struct given given[OPTION_COUNT];
};

static int fail(const struct parse *parse, const char *what, const char *value, const char *problem) {
    char clean[128]; /* values may be long or binary */
    text_copy_printable(clean, sizeof clean, value);
    (void)text_format(parse->reason, TEXT_REASON_SIZE, "%s \"%s\" %s", what, clean, problem);
    return -EINVAL;
}

/* Writes how the user gave option id: "--ttl" or "LEADEREXEC_TTL". */
static void name_origin(const struct parse *parse, enum option_id id, char out[OPTION_VARIABLE_SIZE]) {
    if (parse->given[id].origin == FROM_VARIABLE) {
        option_variable(out, id);
    } else {
        (void)text_format(out, OPTION_VARIABLE_SIZE, "--%s", option_table[id].name);
    }
}

static int fail_option(const struct parse *parse, enum option_id id, const char *problem) {
    char what[OPTION_VARIABLE_SIZE];
    name_origin(parse, id, what);
    return fail(parse, what, parse->given[id].text, problem);
}

#define LONG_OPTION_BASE 256 /* getopt's value for option id is this plus id */

/* Describes the table to getopt_long. letters: 2 for "+:", 2 an option, a terminator. */
static void describe(struct option longs[OPTION_COUNT + 1], char letters[2 * OPTION_COUNT + 3]) {
    char *p = letters;
    *p++ = '+';
    *p++ = ':';
    for (int id = 0; id < OPTION_COUNT; id++) {
        const struct option_spec *spec = &option_table[id];
        longs[id] = (struct option){spec->name, spec->has_argument, NULL, LONG_OPTION_BASE + id};
        if (spec->letter == '\0') continue;
        *p++ = spec->letter;
        if (spec->has_argument == required_argument) *p++ = ':';
    }
    *p = '\0';
    longs[OPTION_COUNT] = (struct option){0};
}

/* Turns what getopt_long returned into an option's id, or OPTION_COUNT where it is none of ours. */
static int find_id(int found) {
    if (found >= LONG_OPTION_BASE) return found - LONG_OPTION_BASE;
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (option_table[id].letter != '\0' && option_table[id].letter == found) return id;
    }
    return OPTION_COUNT;
}

/* word: what getopt_long stumbled over, for a long option. */
static int fail_getopt(const struct parse *parse, int found, const char *word) {
    char text[64] = {'-', (char)optopt, '\0'};
    bool is_long = optopt == 0 || optopt >= LONG_OPTION_BASE; /* 0: unknown or ambiguous */
    if (is_long) (void)text_copy(text, sizeof text, word);
    if (found == ':') return fail(parse, "option", text, "needs a value: see leaderexec --help");
    if (optopt >= LONG_OPTION_BASE) return fail(parse, "option", text, "takes no value");
    return fail(parse, "option", text, "isn't known: see leaderexec --help");
}

/* The subcommand that the first word names. */
static enum options_mode find_mode(int argc, char *const *argv) {
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "status") == 0) return OPTIONS_STATUS;
    return strcmp(word, "check") == 0 ? OPTIONS_CHECK : OPTIONS_RUN;
}

/* Keeps each endpoint, where an option otherwise counts as typed last. */
static int keep_endpoint(struct parse *parse) {
    struct options *options = parse->options;
    if (options->endpoint_count == OPTIONS_ENDPOINTS_MOST)
        return fail(parse, "--endpoint-url", optarg, "is one too many: check takes eight");
    options->endpoint_urls[options->endpoint_count++] = optarg;
    return 0;
}

static int collect_typed(struct parse *parse, int argc, char *const *argv) {
    struct option longs[OPTION_COUNT + 1];
    char letters[2 * OPTION_COUNT + 3];
    int order = 0, found;
    describe(longs, letters);
    parse->options->mode = find_mode(argc, argv);
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    if (parse->options->mode != OPTIONS_RUN) {
        argc--;
        argv++;
    }
    while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        int id = find_id(found);
        if (id == OPTION_COUNT) return fail_getopt(parse, found, argv[optind > 1 ? optind - 1 : 1]);
        if (id == OPTION_ENDPOINT_URL && parse->options->mode == OPTIONS_CHECK && keep_endpoint(parse) < 0)
            return -EINVAL;
        order++;
        parse->given[id] =
            (struct given){.text = optarg != NULL ? optarg : "", .origin = FROM_COMMAND_LINE, .order = order};
    }
    parse->options->command = argv + optind;
    return 0;
}

/* Adds variables, then defaults, where nothing was typed. */
static void collect_rest(struct parse *parse) {
    for (int id = 0; id < OPTION_COUNT; id++) {
        struct given *given = &parse->given[id];
        const struct option_spec *spec = &option_table[id];
        if (given->origin == FROM_COMMAND_LINE) continue;
        *given = (struct given){.text = spec->fallback};
        if (spec->only_typed) continue;
        char name[OPTION_VARIABLE_SIZE];
        option_variable(name, (enum option_id)id);
        const char *text = environment_get(parse->environment, name);
        if (text != NULL) *given = (struct given){.text = text, .origin = FROM_VARIABLE};
    }
}

static int read_flag(struct given *given, char *problem) {
    bool flag = true;
    int r = given->origin == FROM_VARIABLE ? value_flag(given->text, &flag, problem) : 0;
    given->number = flag;
    return r;
}

static int read_value(struct parse *parse, enum option_id id) {
    const struct option_spec *spec = &option_table[id];
    struct given *given = &parse->given[id];
    char problem[VALUES_PROBLEM_SIZE] = "";
    int signal = 0, r = 0;
    if (given->text == NULL) return 0;
    switch (spec->kind) {
    case KIND_FLAG:
        r = read_flag(given, problem);
        break;
    case KIND_DURATION:
        r = value_duration(given->text, spec->least, spec->most, &given->number, problem);
        break;
    case KIND_NUMBER:
        r = value_number(given->text, spec->least, spec->most, &given->number, problem);
        break;
    case KIND_SIGNAL:
        r = value_signal(given->text, &signal, problem);
        given->number = signal;
        break;
    case KIND_CHOICE:
        r = value_choice(given->text, spec->choices, problem);
        break;
    case KIND_TEXT:
        r = value_text(given->text, spec->most, problem);
        break;
    case KIND_NAME:
        r = value_lock_name(given->text, problem);
        break;
    case KIND_PREFIX:
        r = value_prefix(given->text, parse->options->prefix, problem);
        break;
    }
    return r < 0 ? fail_option(parse, id, problem) : 0;
}

/* Returns whether flag was given and no later other option. */
static bool flag_counts(const struct parse *parse, enum option_id flag, enum option_id other) {
    const struct given *one = &parse->given[flag], *two = &parse->given[other];
    bool other_is_set = two->text != NULL && (option_table[other].kind != KIND_FLAG || two->number != 0);
    return one->text != NULL && one->number != 0 &&
           (!other_is_set || one->origin > two->origin || (one->origin == two->origin && one->order > two->order));
}

static int resolve_place(struct parse *parse) {
    struct options *options = parse->options;
    const struct given *bucket = &parse->given[OPTION_BUCKET], *prefix = &parse->given[OPTION_PREFIX];
    char problem[VALUES_PROBLEM_SIZE];
    if (bucket->text == NULL) {
        (void)text_copy(
            parse->reason, TEXT_REASON_SIZE,
            "no bucket: say where the lock is kept, with --bucket NAME or --bucket file:DIR (or LEADEREXEC_BUCKET)");
        return -EINVAL;
    }
    if (bucket_parse(&options->bucket, bucket->text, problem) < 0) return fail_option(parse, OPTION_BUCKET, problem);
    if (options->bucket.has_prefix && bucket->origin == prefix->origin) {
        return fail_option(parse, OPTION_PREFIX,
                           "contradicts the prefix in --bucket s3://NAME/PREFIX: give one of them");
    }
    if (options->bucket.has_prefix && bucket->origin > prefix->origin) {
        memcpy(options->prefix, options->bucket.prefix, sizeof options->prefix);
    }
    options->lock = parse->given[OPTION_LOCK].text;
    if (bucket_identity(options->identity, sizeof options->identity, &options->bucket, options->prefix, options->lock) <
        0) {
        return fail_option(parse, OPTION_BUCKET, "is too long");
    }
    return 0;
}

/* --kill-after leaves no room in --ttl: says why, with the sums. */
static int fail_kill_after(struct parse *parse) {
    const struct options *options = parse->options;
    int64_t ttl_ns = options->ttl_ms * NS_PER_MS;
    char kill_after[32], ttl[32], margin[32], most[32];
    text_format_duration(kill_after, sizeof kill_after, options->kill_after_ms);
    text_format_duration(ttl, sizeof ttl, options->ttl_ms);
    text_format_duration(margin, sizeof margin, lease_margin_ns(ttl_ns) / NS_PER_MS);
    text_format_duration(most, sizeof most, lease_most_kill_after_ns(ttl_ns) / NS_PER_MS);
    (void)text_format(
        parse->reason, TEXT_REASON_SIZE,
        "--kill-after %s leaves no room in --ttl %s: kill-after + margin (%s) must be at most TTL/3 - 100ms; "
        "choose --kill-after of at most %s, or a longer --ttl",
        kill_after, ttl, margin, most);
    return -EINVAL;
}

static int resolve_durations(struct parse *parse) {
    struct options *options = parse->options;
    const struct given *given = parse->given;
    int64_t ttl_ns = given[OPTION_TTL].number * NS_PER_MS;
    options->ttl_ms = given[OPTION_TTL].number;
    options->poll_ms = given[OPTION_POLL].number;
    if (options->poll_ms > options->ttl_ms / 3) options->poll_ms = options->ttl_ms / 3;
    options->hold_ms = given[OPTION_HOLD].text != NULL ? given[OPTION_HOLD].number : 0;
    options->stop_timeout_ms =
        given[OPTION_STOP_TIMEOUT].text != NULL ? given[OPTION_STOP_TIMEOUT].number : OPTIONS_NEVER;

    bool no_wait = flag_counts(parse, OPTION_NO_WAIT, OPTION_WAIT);
    bool wait = !no_wait && given[OPTION_WAIT].text != NULL;
    options->give_up_ms = wait ? given[OPTION_WAIT].number : no_wait || options->hold_ms > 0 ? 0 : OPTIONS_NEVER;

    const struct given *kill_after = &given[OPTION_KILL_AFTER], *timeout = &given[OPTION_REQUEST_TIMEOUT];
    options->kill_after_ms =
        kill_after->text != NULL ? kill_after->number : lease_default_kill_after_ns(ttl_ns) / NS_PER_MS;
    if (options->kill_after_ms * NS_PER_MS > lease_most_kill_after_ns(ttl_ns)) return fail_kill_after(parse);
    options->request_timeout_ms =
        timeout->text != NULL ? timeout->number : lease_default_request_timeout_ns(ttl_ns) / NS_PER_MS;
    if (options->request_timeout_ms > options->ttl_ms / 3) {
        return fail_option(parse, OPTION_REQUEST_TIMEOUT, "must be at most TTL/3, when the next renewal is due");
    }
    return 0;
}

static int resolve_retention(struct parse *parse) {
    struct options *options = parse->options;
    char problem[VALUES_PROBLEM_SIZE];
    const char *text = environment_get(parse->environment, RETENTION_VARIABLE);
    options->retention_ms = RETENTION_DEFAULT_MS;
    if (text == NULL) return 0;
    int r = value_duration(text, RETENTION_LEAST_MS, RETENTION_DEFAULT_MS, &options->retention_ms, problem);
    return r < 0 ? fail(parse, RETENTION_VARIABLE, text, problem) : 0;
}

static int resolve_node(struct parse *parse) {
    struct options *options = parse->options;
    if (gethostname(options->host, sizeof options->host) != 0) {
        int error = errno;
        (void)text_format(parse->reason, TEXT_REASON_SIZE, "can't read the host's name: %s", strerror(error));
        return -error;
    }
    options->host[sizeof options->host - 1] = '\0';
    const char *text = parse->given[OPTION_NODE_ID].text;
    if (text != NULL) return text_copy(options->node, sizeof options->node, text);
    uint32_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        int error = errno;
        (void)text_format(parse->reason, TEXT_REASON_SIZE, "can't read random bytes: %s", strerror(error));
        return -error;
    }
    return text_format(options->node, sizeof options->node, "%s:%ld:%08" PRIx32, options->host, (long)getpid(), random);
}

static void resolve_rest(struct parse *parse) {
    struct options *options = parse->options;
    const struct given *given = parse->given;
    options->endpoint_url = given[OPTION_ENDPOINT_URL].text;
    options->region = given[OPTION_REGION].text;
    options->profile = given[OPTION_PROFILE].text;
    options->ca_bundle = given[OPTION_CA_BUNDLE].text;
    options->addressing_style = given[OPTION_ADDRESSING_STYLE].text;
    options->sse = given[OPTION_SSE].text;
    options->sse_kms_key_id = given[OPTION_SSE_KMS_KEY_ID].text;
    options->conflict_exit_code = (int)given[OPTION_CONFLICT_EXIT_CODE].number;
    options->stop_signal = (int)given[OPTION_SIGNAL].number;
    options->rejoin = strcmp(given[OPTION_ON_LOSS].text, "rejoin") == 0;
    options->isolate = given[OPTION_ISOLATE].text != NULL && given[OPTION_ISOLATE].number != 0;
    options->json = given[OPTION_JSON].text != NULL;
    options->writers = (int)given[OPTION_WRITERS].number;
    options->rounds = (int)given[OPTION_ROUNDS].number;
    bool quiet = flag_counts(parse, OPTION_QUIET, OPTION_VERBOSE);
    bool verbose = !quiet && given[OPTION_VERBOSE].text != NULL && given[OPTION_VERBOSE].number != 0;
    options->log_level = quiet ? LOG_LEVEL_ERROR : verbose ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
}

/* Refuses what was typed for another subcommand. */
static int check_typed(const struct parse *parse) {
    enum options_mode mode = parse->options->mode;
    unsigned with = mode == OPTIONS_STATUS ? WITH_STATUS : mode == OPTIONS_CHECK ? WITH_CHECK : 0;
    for (int id = 0; id < OPTION_COUNT; id++) {
        unsigned only = option_table[id].only_with;
        if (parse->given[id].origin != FROM_COMMAND_LINE || only == 0 || (only & with) != 0) continue;
        (void)text_format(parse->reason, TEXT_REASON_SIZE, "--%s goes with leaderexec %s%s%s only",
                          option_table[id].name, (only & WITH_STATUS) != 0 ? "status" : "",
                          only == (WITH_STATUS | WITH_CHECK) ? " and " : "", (only & WITH_CHECK) != 0 ? "check" : "");
        return -EINVAL;
    }
    return 0;
}

static int check_encryption(const struct parse *parse) {
    const char *sse = parse->given[OPTION_SSE].text;
    if (parse->given[OPTION_SSE_KMS_KEY_ID].text == NULL) return 0;
    if (sse != NULL && strncmp(sse, "aws:kms", 7) == 0) return 0;
    return fail_option(parse, OPTION_SSE_KMS_KEY_ID, "goes with --sse aws:kms or aws:kms:dsse only");
}

/* What fits the mode, and what doesn't. */
static int check_mode(const struct parse *parse) {
    const struct options *options = parse->options;
    const char *word = options->command[0];
    if (options->mode != OPTIONS_RUN && word != NULL) {
        const char *what = options->mode == OPTIONS_STATUS ? "status takes options only;" : "check takes options only;";
        return fail(parse, what, word, "isn't one");
    }
    int r = check_typed(parse);
    if (r < 0 || options->mode != OPTIONS_RUN) return r;
    if (word == NULL || *word == '\0') {
        (void)text_copy(parse->reason, TEXT_REASON_SIZE, "no command to run: see leaderexec --help");
        return -EINVAL;
    }
    return 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): reason is written to, through parse */
int options_parse(struct options *options, int argc, char *const *argv, char *const *environment, char *reason) {
    struct parse parse = {.options = options, .environment = environment, .reason = reason};
    memset(options, 0, sizeof *options);
    options->log_level = LOG_LEVEL_WARN;
    int r = collect_typed(&parse, argc, argv);
    if (r < 0) return r;
    if (parse.given[OPTION_HELP].text != NULL || parse.given[OPTION_VERSION].text != NULL) {
        options->mode = parse.given[OPTION_HELP].text != NULL ? OPTIONS_HELP : OPTIONS_VERSION;
        return 0;
    }
    collect_rest(&parse);
    r = read_value(&parse, OPTION_LOG_FORMAT); /* first: the other errors are to look like that */
    if (r < 0) return r;
    options->log_json = strcmp(parse.given[OPTION_LOG_FORMAT].text, "json") == 0;
    r = check_mode(&parse);
    for (int id = 0; id < OPTION_COUNT && r == 0; id++) r = read_value(&parse, (enum option_id)id);
    if (r == 0) r = check_encryption(&parse);
    if (r == 0) r = resolve_place(&parse);
    if (r == 0) r = resolve_durations(&parse);
    if (r == 0) r = resolve_retention(&parse);
    if (r == 0) r = resolve_node(&parse);
    if (r == 0) resolve_rest(&parse);
    return r;
}

int64_t options_outage_ms(const struct options *options) {
    int64_t ttl_ns = options->ttl_ms * NS_PER_MS;
    return (ttl_ns - ttl_ns / 3 - lease_margin_ns(ttl_ns)) / NS_PER_MS - options->kill_after_ms;
}

/* The simulator's command line: runs seeds one after the other, tells what it saw, and shows the way to a failure. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define LAST_LINES 60

struct options {
    uint64_t seed;
    int64_t runs, hours;
    enum profile profile;
    bool trace, single_claim, promise_only, keep_going, quiet;
};

/* The end of a trace. */
struct last_lines {
    char line[LAST_LINES][420];
    size_t count;
};

/* Only a signal handler needs these. */
static sigjmp_buf crashed;
static volatile sig_atomic_t crash_signal;

static void on_crash(int signal) {
    crash_signal = signal;
    siglongjmp(crashed, 1);
}

static void print_line(void *context, const char *line) { (void)fprintf(context, "%s\n", line); }

static void keep_line(void *context, const char *line) {
    struct last_lines *last = context;
    (void)snprintf(last->line[last->count++ % LAST_LINES], sizeof last->line[0], "%s", line);
}

static void add(struct counts *sum, const struct counts *c) {
    int64_t *to = (int64_t *)(void *)sum;
    const int64_t *from = (const int64_t *)(const void *)c;
    int64_t longest = sum->longest_gap_ms > c->longest_gap_ms ? sum->longest_gap_ms : c->longest_gap_ms;
    int64_t longest_two = sum->longest_two > c->longest_two ? sum->longest_two : c->longest_two;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) to[i] += from[i];
    sum->longest_gap_ms = longest;
    sum->longest_two = longest_two;
}

/* Runs one seed; a crash of the core comes back as SIM_CRASHED. */
static enum sim_exit run(struct world *w, const struct scenario *s, void (*trace)(void *, const char *),
                         void *context) {
    if (sigsetjmp(crashed, 1) != 0) {
        w->failure = SIM_CRASHED;
        (void)snprintf(w->failure_text, sizeof w->failure_text, "signal %d: an assertion or a bad pointer",
                       (int)crash_signal);
        return SIM_CRASHED;
    }
    if (world_init(w, s) < 0) return SIM_CRASHED;
    w->trace = trace;
    w->trace_context = context;
    world_run(w);
    return w->failure;
}

static void draw(struct scenario *s, const struct options *o, uint64_t seed) {
    scenario_draw(s, o->profile, seed, o->hours);
    s->single_claim = o->single_claim;
    s->promise_only = o->promise_only;
}

static void show_failure(struct world *w, const struct scenario *s, const struct options *o) {
    static struct last_lines last;
    printf("seed %" PRIu64 " (%s): %s\n", s->seed, profile_name(s->profile), w->failure_text);
    last.count = 0;
    world_deinit(w);
    (void)run(w, s, keep_line, &last);
    size_t from = last.count > LAST_LINES ? last.count - LAST_LINES : 0;
    for (size_t i = from; i < last.count; i++) printf("%s\n", last.line[i % LAST_LINES]);
    printf("again: sim --seed %" PRIu64 " --runs 1 --hours %" PRId64 " --profile %s%s%s --trace\n", s->seed, o->hours,
           profile_name(o->profile), o->single_claim ? " --single-claim" : "",
           o->promise_only ? " --promise-only" : "");
}

static void show_counts(const struct counts *c, const struct options *o, int64_t runs, uint64_t digest) {
    static const char *const faults[] = {
        "keepers killed",  "machines lost", "guards killed",    "keepers stopped", "keepers stopped mid-step",
        "suspends",        "partitions",    "storms of errors", "resigns",         "signals",
        "machines frozen", "deletions"};
    printf("%" PRId64 " runs, %" PRId64 " hours, profile %s: %" PRId64 " children, %" PRId64 " claims, %" PRId64
           " requests, %" PRId64 " events, digest %016" PRIx64 "\n",
           runs, runs * o->hours, profile_name(o->profile), c->children, c->claims, c->requests, c->events, digest);
    printf("overlaps %" PRId64 " (store creates twice %" PRId64 ", machine frozen %" PRId64 ", its token late %" PRId64
           "); stores refused %" PRId64 "\n",
           c->overlaps, c->twice_overlaps, c->frozen_overlaps, c->frozen_tokens, c->unsafe);
    printf("evicts %" PRId64 ", vacancies %" PRId64 ", holds %" PRId64 ", trimmed %" PRId64
           ", created again behind the head %" PRId64 ", longest wait in kind runs %.3f s\n",
           c->evicts, c->vacancies, c->holds, c->trimmed, c->resurrected, (double)c->longest_gap_ms / 1e3);
    printf("leaders lost to deletions %" PRId64 "; after deletions two at once %" PRId64 ", for at most %.3f TTL\n",
           c->lost_to_deletions, c->twos, (double)c->longest_two / 1e3);
    for (int i = 0; i < FAULTS; i++) printf("%s%" PRId64 " %s", i > 0 ? ", " : "", c->faults[i], faults[i]);
    printf("\nexits: 0 %" PRId64 ", 123 %" PRId64 ", 124 %" PRId64 ", 125 %" PRId64 ", signal %" PRId64
           ", other %" PRId64 "\n",
           c->exits[0], c->exits[1], c->exits[2], c->exits[3], c->exits[4], c->exits[5]);
}

static enum sim_exit run_all(const struct options *o) {
    static struct world w;
    struct counts sum = {0};
    uint64_t digest = 0;
    enum sim_exit worst = SIM_FINE;
    int64_t done = 0, failed = 0;
    while (done < o->runs) {
        struct scenario s;
        draw(&s, o, o->seed + (uint64_t)done);
        enum sim_exit how = run(&w, &s, o->trace ? print_line : NULL, stdout);
        done++;
        add(&sum, &w.counts);
        digest = digest * UINT64_C(1099511628211) ^ w.digest;
        if (how != SIM_FINE) {
            failed++;
            if (worst == SIM_FINE) worst = how;
            if (o->quiet)
                printf("seed %" PRIu64 " (%s): %s\n", s.seed, profile_name(s.profile), w.failure_text);
            else
                show_failure(&w, &s, o);
        }
        world_deinit(&w);
        if (how != SIM_FINE && !o->keep_going) break;
    }
    show_counts(&sum, o, done, digest);
    if (failed > 0) printf("%" PRId64 " of %" PRId64 " runs failed\n", failed, done);
    return worst;
}

static int usage(void) {
    (void)fputs("usage: sim [--seed N] [--runs N] [--hours H] [--profile "
                "kind|harsh|trim|cron|twice|races|starved|frozen|vanish|mixed]\n"
                "           [--trace] [--single-claim] [--promise-only] [--keep-going] [--quiet]\n",
                stderr);
    return SIM_USAGE;
}

static bool parse_number(const char *text, uint64_t most, uint64_t *number) {
    char *end = NULL;
    if (text == NULL || *text < '0' || *text > '9') return false;
    *number = strtoull(text, &end, 0);
    return *end == '\0' && *number <= most;
}

static bool parse_profile(const char *text, enum profile *profile) {
    for (int i = 0; text != NULL && i <= PROFILE_MIXED; i++) {
        *profile = (enum profile)i;
        if (strcmp(text, profile_name(*profile)) == 0) return true;
    }
    return false;
}

static bool parse_option(struct options *o, char **argv, int *i) {
    struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--trace", &o->trace},
                 {"--single-claim", &o->single_claim},
                 {"--promise-only", &o->promise_only},
                 {"--keep-going", &o->keep_going},
                 {"--quiet", &o->quiet}};
    for (size_t f = 0; f < sizeof flags / sizeof *flags; f++) {
        if (strcmp(argv[*i], flags[f].name) == 0) return *flags[f].flag = true;
    }
    const char *name = argv[*i], *value = argv[++*i];
    uint64_t number = 0;
    if (strcmp(name, "--profile") == 0) return parse_profile(value, &o->profile);
    if (strcmp(name, "--seed") == 0) return parse_number(value, UINT64_MAX, &o->seed);
    if (!parse_number(value, 1000000000, &number) || number == 0) return false;
    if (strcmp(name, "--runs") == 0) o->runs = (int64_t)number;
    if (strcmp(name, "--hours") == 0 && number <= 1000) o->hours = (int64_t)number;
    return strcmp(name, "--runs") == 0 || (strcmp(name, "--hours") == 0 && number <= 1000);
}

int main(int argc, char **argv) {
    struct options o = {.seed = 1, .runs = 10, .hours = 4, .profile = PROFILE_MIXED};
    for (int i = 1; i < argc; i++) {
        if (!parse_option(&o, argv, &i)) return usage();
    }
    struct sigaction action = {.sa_handler = on_crash};
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        if (sigaction(signals[i], &action, NULL) < 0) return SIM_CRASHED;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    return (int)run_all(&o);
}

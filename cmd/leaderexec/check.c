/* leaderexec check; see check.h. What is tried is in probes.c and crew.c, what it means in check_judge.c, where in
 * place_*.c; here is the order of things, and that they end well. */
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "check_judge.h"
#include "crew.h"
#include "options.h"
#include "place.h"
#include "probes.h"
#include "report.h"

#define ONCE_SLOTS    5
#define VISIBLE_SLOTS 20
#define WRITE_SLOTS   40 /* besides the visible ones: for the time that they take */
#define TRIES         3  /* where an answer says neither yes nor no */

struct check {
    const struct options *options;
    const struct log *log;
    struct report report;
    struct place *place;
    struct crew crew;
    int64_t next; /* all slots below may have been written */
    bool may_list, may_get, may_put;
    struct samples writes;
    int signal; /* that ended it; 0: none */
    char reason[TEXT_REASON_SIZE];
};

/* --- signals --- */

/* Has TERM, INT, QUIT and HUP wait in a descriptor, but for those that were ignored at the start. */
static int take_signals(void) {
    static const int taken[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    sigset_t watched;
    sigemptyset(&watched);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct sigaction action;
        if (sigaction(taken[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&watched, taken[i]);
    }
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &watched, NULL) != 0) return -errno;
    int fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

/* Takes what has come, so that only the next one ends what follows. */
static void note_signal(struct check *check) {
    struct signalfd_siginfo came;
    while (read(check->crew.wake_fd, &came, sizeof came) == (ssize_t)sizeof came) {
        if (check->signal == 0) check->signal = (int)came.ssi_signo;
    }
}

/* --- asking --- */

static int cant(struct check *check, int error) {
    if (error != -EINTR && check->reason[0] == '\0')
        (void)text_format(check->reason, sizeof check->reason, "the store can't be asked: %s", strerror(-error));
    return error;
}

/* Has the first writer ask, again where the answer says nothing. Returns 0 with an answer that says something, or an
 * error. */
static int ask(struct check *check, enum log_op op, int64_t seq, struct log_answer *answer) {
    struct log_request request = {.op = op, .seq = seq};
    int r = 0;
    for (int i = 0; i < TRIES && r == 0; i++) {
        r = op == LOG_APPEND ? crew_append(&check->crew, 0, seq, answer, NULL)
                             : crew_ask(&check->crew, 0, &request, answer, NULL);
        if (r == 0 && answer->outcome != OUTCOME_UNKNOWN) return 0;
    }
    if (r == 0) {
        (void)text_copy(check->reason, sizeof check->reason, answer->reason);
        return -EIO;
    }
    return cant(check, r);
}

static struct finding *add(struct check *check) { return report_add(&check->report); }

static void print(struct check *check) { report_print(&check->report); }

/* Reports whether what was asked for is allowed; what: what allows it. */
static bool report_permission(struct check *check, const char *item, const char *what,
                              const struct log_answer *answer) {
    bool allowed = answer->outcome != OUTCOME_REFUSED;
    if (allowed) {
        finding_set(add(check), item, FINDING_OK, "allowed: %s", what);
    } else {
        finding_set(add(check), item, FINDING_FAIL, "%s", answer->reason);
    }
    print(check);
    return allowed;
}

/* --- the items, in their order --- */

static int hire(struct check *check) {
    for (int who = 0; who < check->options->writers; who++) {
        check->crew.stores[who] = place_open(check->place, who, check->reason);
        if (check->crew.stores[who] == NULL) return -EIO;
        check->crew.count++;
    }
    return 0;
}

static int check_delete(struct check *check, int64_t seq) {
    bool allowed;
    int r = place_remove(check->place, seq, &allowed, check->reason);
    if (r != 0) return cant(check, r);
    if (allowed) {
        finding_set(add(check), "delete", FINDING_OK, "allowed: %s", check->place->remove);
    } else {
        finding_set(add(check), "delete", FINDING_WARN, "%s", check->reason);
    }
    check->reason[0] = '\0';
    print(check);
    return 0;
}

static int check_permissions(struct check *check) {
    struct log_answer answer;
    int64_t seq = check->next;
    int r = ask(check, LOG_NEWEST, 0, &answer);
    if (r != 0) return r;
    check->may_list = report_permission(check, "list", check->place->list, &answer);
    check->next++;
    r = ask(check, LOG_APPEND, seq, &answer);
    if (r != 0) return r;
    check->may_put = report_permission(check, "put", check->place->put, &answer);
    if (!check->may_put) check->next = seq; /* it isn't there */
    r = ask(check, LOG_READ, seq, &answer);
    /* What isn't there must be told from what may not be read; without LIST it isn't, and that was said. */
    if (r == 0 && answer.outcome != OUTCOME_REFUSED && check->may_list) r = ask(check, LOG_READ, seq + 1, &answer);
    if (r != 0) return r;
    check->may_get = report_permission(check, "get", check->place->get, &answer);
    return check->may_put ? check_delete(check, seq) : 0;
}

/* Opens every writer's connection: a race between connections yet to be opened would be none. */
static int warm_up(struct check *check) {
    struct log_request request = {.op = LOG_READ, .seq = check->next};
    for (int who = 0; who < check->crew.count; who++) {
        struct log_answer answer = {.outcome = OUTCOME_UNKNOWN};
        int r = 0;
        for (int i = 0; i < TRIES && r == 0 && answer.outcome == OUTCOME_UNKNOWN; i++)
            r = crew_ask(&check->crew, who, &request, &answer, NULL);
        if (r != 0) return cant(check, r);
        if (answer.outcome != OUTCOME_UNKNOWN) continue;
        (void)text_copy(check->reason, sizeof check->reason, answer.reason);
        return -EIO;
    }
    return 0;
}

static int check_once(struct check *check) {
    struct tally tally = {.rounds = 0};
    report_progress(&check->report, "one write after the other", 0, 0);
    int r = probe_once(&check->crew, &check->next, ONCE_SLOTS, &tally);
    if (r != 0) return cant(check, r);
    judge_once(add(check), &tally);
    print(check);
    return 0;
}

static int check_race(struct check *check) {
    struct tally tally = {.rounds = 0};
    char doubt[TEXT_REASON_SIZE] = "";
    for (int i = 0; i < check->options->rounds; i++) {
        struct round round;
        report_progress(&check->report, "race", i + 1, check->options->rounds);
        int r = crew_race(&check->crew, check->next++, &round, doubt);
        if (r != 0) return cant(check, r);
        tally_add(&tally, &round);
        bool hopeless = tally_bad(&tally) >= TALLY_HOPELESS;
        if (hopeless || (tally.undecided == tally.rounds && tally.undecided == TRIES)) break;
    }
    judge_race(add(check), &tally, check->crew.count, check->place->endpoints);
    print(check);
    if (doubt[0] != '\0') log_line(check->log, LOG_LEVEL_INFO, "an answer in the race that said nothing: %s", doubt);
    return 0;
}

static int check_visibility(struct check *check) {
    struct visibility seen = {.lists = check->may_list};
    report_progress(&check->report, "new slots", 0, 0);
    int r = probe_visibility(&check->crew, &check->next, VISIBLE_SLOTS, &seen, &check->writes);
    if (r != 0) return cant(check, r);
    judge_visibility(add(check), &seen);
    print(check);
    return 0;
}

static int check_clock(struct check *check) {
    struct clocks clocks = {.signs = check->place->signs};
    struct log_answer answer;
    int64_t seq = check->next++;
    int r = crew_append(&check->crew, 0, seq, &answer, NULL);
    if (r == 0) r = probe_clock(&check->crew, seq, check->place->coarse_date, &clocks);
    if (r != 0) return cant(check, r);
    judge_clock(add(check), &clocks);
    print(check);
    return 0;
}

static int check_speed(struct check *check) {
    report_progress(&check->report, "round trips", 0, 0);
    int r = probe_writes(&check->crew, &check->next, WRITE_SLOTS, &check->writes);
    if (r != 0) return cant(check, r);
    judge_speed(add(check), &check->writes, check->options->ttl_ms, check->options->request_timeout_ms);
    print(check);
    return 0;
}

static int check_log(struct check *check) {
    int r = warm_up(check);
    if (r == 0) r = check_once(check);
    if (r == 0) r = check_race(check);
    if (r == 0 && check->may_get) r = check_visibility(check);
    if (r == 0 && check->may_list) r = check_clock(check);
    return r == 0 ? check_speed(check) : r;
}

static int check_all(struct check *check) {
    report_progress(&check->report, "looking", 0, 0);
    int r = place_look(check->place, &check->report, check->reason);
    if (r == 0) r = hire(check);
    if (r == 0) r = check_permissions(check);
    if (r == 0 && check->may_put) r = check_log(check);
    if (r == 0) {
        r = place_settings(check->place, &check->report, check->may_put ? check->next - 1 : 0, check->reason);
    }
    if (r != 0 || check->options->bucket.kind == BUCKET_DIRECTORY) return r;
    judge_requests(add(check), check->options->ttl_ms, check->options->poll_ms, check->place->priced);
    print(check);
    return 0;
}

/* --- the end --- */

/* Deletes what was made. finished: a finding says so; else the log does where something is left. */
static void clean_up(struct check *check, bool finished) {
    char left[TEXT_REASON_SIZE];
    crew_close(&check->crew);
    if (check->next == 1) return; /* nothing was written */
    report_progress(&check->report, "cleaning up", 0, 0);
    (void)place_clean(check->place, check->next - 1, left);
    report_quiet(&check->report);
    if (!finished) {
        if (left[0] != '\0') log_line(check->log, LOG_LEVEL_WARN, "%s", left);
        return;
    }
    if (left[0] != '\0') {
        finding_set(add(check), "cleanup", FINDING_WARN, "%s", left);
    } else {
        finding_set(add(check), "cleanup", FINDING_OK, "nothing is left of %s", check->place->lock);
    }
    print(check);
}

static int finish(struct check *check, int r) {
    note_signal(check);
    clean_up(check, r == 0);
    report_quiet(&check->report); /* a line of the log doesn't begin behind it */
    if (r == -EINTR) {
        log_line(check->log, LOG_LEVEL_ERROR, "check of %s ended by signal %d", check->options->identity,
                 check->signal);
        return 128 + check->signal;
    }
    if (r == 0) {
        r = report_end(&check->report, check->options->identity);
        if (r != 0) (void)text_copy(check->reason, sizeof check->reason, "out of memory");
    }
    if (r == 0) return finding_worst(check->report.findings, check->report.count) == FINDING_FAIL ? 1 : 0;
    log_line(check->log, LOG_LEVEL_ERROR, "%s can't be checked: %s", check->options->identity, check->reason);
    return EXIT_OWN_FAILURE;
}

static struct place *open_place(const struct options *options, char *const *environment, uint64_t run, char *reason) {
    char lock[PLACE_LOCK_SIZE];
    (void)text_format(lock, sizeof lock, "%s.check-%08" PRIx32, options->lock, (uint32_t)run);
    switch (options->bucket.kind) {
    case BUCKET_S3:
        return place_open_s3(options, environment, lock, reason);
    case BUCKET_DIRECTORY:
        return place_open_directory(options, lock, reason);
    }
    return NULL;
}

static int begin(struct check *check, char *const *environment) {
    struct crew *crew = &check->crew;
    int fd = take_signals();
    if (fd < 0) return cant(check, fd);
    crew->wake_fd = fd;
    if (getrandom(&crew->run, sizeof crew->run, 0) != (ssize_t)sizeof crew->run) return cant(check, -errno);
    check->place = open_place(check->options, environment, crew->run, check->reason);
    if (check->place == NULL) return -EIO;
    check->place->wake_fd = fd;
    return 0;
}

int check_command(const struct options *options, char *const *environment, const struct log *log) {
    struct check *check = calloc(1, sizeof *check);
    if (check == NULL) {
        log_line(log, LOG_LEVEL_ERROR, "out of memory");
        return EXIT_OWN_FAILURE;
    }
    *check = (struct check){.options = options, .log = log, .next = 1, .crew = {.wake_fd = -1, .node = options->node}};
    report_init(&check->report, options->json, options->log_level < LOG_LEVEL_WARN);
    int r = begin(check, environment);
    if (r == 0) r = check_all(check);
    int code = finish(check, r);
    place_close(check->place);
    if (check->crew.wake_fd >= 0) (void)close(check->crew.wake_fd);
    free(check);
    return code;
}

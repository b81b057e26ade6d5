/* The keeper's event loop; see run.h. Every turn: wait, read the clock once, feed what came to the election, do what it
 * says. */
#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/environment.h"
#include "bucket.h"
#include "election/election.h"
#include "election/lease.h"
#include "holds.h"
#include "journal.h"
#include "notices.h"
#include "options.h"
#include "process/child.h"
#include "process/keeper.h"
#include "process/program.h"
#include "quota.h"
#include "store/store.h"

#define LOOK_TIMEOUT_NS (10 * NS_PER_S)
#define EVENTS_A_TURN   64    /* of the keeper's are taken before anything else has its turn */
#define LOOP_MOST_MS    60000 /* the timer wakes the loop long before */

struct run {
    const struct options *options;
    char *const *environment;
    struct journal journal;
    struct keeper keeper;
    struct store *store;
    int timer;
    struct election election;
    int64_t wake_at_ns;  /* lease clock; INT64_MAX: never */
    int64_t won_wall_ms; /* for people: since when our newest claim */
    struct slot content; /* what body was made from: the same append is the same bytes, however often it is sent */
    char body[RECORD_JSON_MAX];
    size_t body_length;
    struct log_answer unasked[LOG_LANES]; /* what the store couldn't be asked for want of memory counts as unknown */
    bool has_unasked[LOG_LANES];
    bool from_kernel; /* the signal that told us to shut down */
    bool broken;      /* no command can be run any more, and none had been */
    bool done;
    int exit_code;
    const char *tried; /* what failed that can't be done without */
};

/* Returns error, and remembers what it was that failed. */
static int failed(struct run *run, int error, const char *tried) {
    if (error < 0) run->tried = tried;
    return error;
}

/* Turns what is to be appended into bytes, once for each nonce. Returns 0 or -errno. */
static int make_body(struct run *run, const struct slot *content) {
    if (content->kind == SLOT_VACANCY) {
        memcpy(run->body, RECORD_VACANCY, RECORD_VACANCY_LENGTH);
        run->body_length = RECORD_VACANCY_LENGTH;
        run->content.kind = SLOT_VACANCY;
        return 0;
    }
    bool same = run->content.kind == SLOT_ENTRY &&
                memcmp(run->content.record.nonce, content->record.nonce, RECORD_NONCE_SIZE) == 0;
    if (same) return 0;
    struct record record = content->record;
    record.timestamp_ms = clock_wall_ms();
    record.expiry_ms = record.timestamp_ms + record.ttl_ms;
    if (record.kind == RECORD_CLAIM) run->won_wall_ms = record.timestamp_ms;
    record.since_ms = run->won_wall_ms;
    record.pid = getpid();
    (void)text_copy(record.host, sizeof record.host, run->options->host);
    /* The program's name only: arguments may carry secrets, and the bucket's readers aren't this machine's users. */
    (void)text_copy(record.command, sizeof record.command, run->options->command[0]);
    int length = record_format(&record, run->body, sizeof run->body);
    if (length < 0) return length;
    run->body_length = (size_t)length;
    run->content = *content;
    return 0;
}

/* A moment without memory is as good as a lost answer: the election asks again. */
static void put_off(struct run *run, const struct election_request *request) {
    struct log_answer *answer = &run->unasked[request->lane];
    *answer = (struct log_answer){
        .id = request->id, .lane = request->lane, .op = request->op, .outcome = OUTCOME_UNKNOWN, .seq = request->seq};
    (void)text_format(answer->reason, sizeof answer->reason, "can't ask %s: %s", run->options->identity,
                      strerror(ENOMEM));
    run->has_unasked[request->lane] = true;
}

static int submit(struct run *run, const struct election_request *request) {
    struct log_request to_store = {.id = request->id,
                                   .lane = request->lane,
                                   .op = request->op,
                                   .seq = request->seq,
                                   .timeout_ms = request->timeout_ns / NS_PER_MS,
                                   .retention_ms = request->retention_ns / NS_PER_MS,
                                   .trim_most = request->trim_most};
    run->has_unasked[request->lane] = false;
    int error = 0;
    if (request->op == LOG_APPEND) {
        error = make_body(run, &request->content);
        to_store.body = run->body;
        to_store.body_length = run->body_length;
        to_store.goes_on = request->content.kind != SLOT_ENTRY || request->content.record.kind != RECORD_CLAIM;
    }
    if (error >= 0) error = store_submit(run->store, &to_store);
    if (error != -ENOMEM) return failed(run, error, "ask the store");
    put_off(run, request);
    return 0;
}

static int stop_command(struct run *run, const struct election_action *action) {
    if (action->stop == STOP_LOST) return keeper_stop(&run->keeper, KEEPER_STOP_LOST, 0, false);
    int error = keeper_stop(&run->keeper, KEEPER_STOP_SHUTDOWN, action->stop_signal, run->from_kernel);
    if (action->stop_signal != 0) {
        log_line(&run->journal.log, LOG_LEVEL_ERROR, "signal %d (SIG%s): stopping the command", action->stop_signal,
                 sigabbrev_np(action->stop_signal));
    }
    return error;
}

/* Does one thing that the election wants done. Returns 0 or -errno. */
static int perform(struct run *run, const struct election_action *action) {
    switch (action->type) {
    case ELECTION_REQUEST:
        return submit(run, &action->request);
    case ELECTION_START_CHILD:
        return failed(run, keeper_start(&run->keeper, action->token, action->lease_end_ns), "start the command");
    case ELECTION_EXTEND:
        return failed(run, keeper_extend(&run->keeper, action->lease_end_ns), "move the command's deadline");
    case ELECTION_STOP_CHILD:
        return failed(run, stop_command(run, action), "stop the command");
    case ELECTION_REPORT:
        journal_report(&run->journal, action);
        return 0;
    case ELECTION_EXIT:
        run->done = true;
        run->exit_code = run->broken ? EXIT_OWN_FAILURE : action->exit_code;
        /* Nothing ran: the signal ended the wait, as it would have ended the command. */
        if (!run->broken && run->election.signal != 0 && action->exit_code == 128 + run->election.signal)
            run->exit_code = CHILD_EXIT_SIGNALLED + run->election.signal;
        return 0;
    }
    return -EINVAL;
}

/* Fills out[size] with random bytes. Returns 0 or -errno. */
static int get_random(void *out, size_t size) {
    ssize_t got;
    do {
        got = getrandom(out, size, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return -errno;
    return (size_t)got == size ? 0 : -EIO;
}

/* delay_ns: INT64_MAX for never, as the result. */
static int64_t instant_after(int64_t now_ns, int64_t delay_ns) {
    return delay_ns >= INT64_MAX - now_ns ? INT64_MAX : now_ns + delay_ns;
}

/* Feeds one event to the election and does what comes back. Returns 0 or -errno. */
static int step(struct run *run, struct election_event *event) {
    struct {
        uint8_t nonce[RECORD_NONCE_SIZE];
        uint32_t jitter;
    } entropy;
    struct election_actions actions;
    int error = get_random(&entropy, sizeof entropy);
    if (error < 0) return failed(run, error, "get random numbers");
    memcpy(event->nonce, entropy.nonce, sizeof event->nonce);
    event->jitter = entropy.jitter;
    election_step(&run->election, event, &actions);
    run->wake_at_ns = instant_after(event->now.lease_ns, actions.wake_in_ns);
    /* First what must be done, then what is to be said: a line may be long in coming out, on a disk that hangs. */
    for (int saying = 0; saying < 2; saying++) {
        for (size_t i = 0; i < actions.count && error >= 0; i++) {
            if ((actions.item[i].type == ELECTION_REPORT) == saying) error = perform(run, &actions.item[i]);
        }
    }
    return error;
}

static void tell_exec_failure(struct run *run, int exec_errno) {
    char reason[TEXT_REASON_SIZE];
    const char *path = environment_get(run->environment, "PATH");
    program_explain(reason, run->options->command[0], path != NULL ? path : CHILD_DEFAULT_PATH, exec_errno);
    log_line(&run->journal.log, LOG_LEVEL_ERROR, "%s", reason);
}

/* What signals, guard and command have to say. Returns 0 or -errno. */
static int take_keeper_events(struct run *run, struct instant now) {
    for (int events = 0; events < EVENTS_A_TURN && !run->done; events++) {
        struct keeper_event heard;
        struct election_event event = {.type = ELECTION_TICKED, .now = now};
        int error = failed(run, keeper_next(&run->keeper, now, &heard), "read signals");
        if (error < 0) return error;
        switch (heard.type) {
        case KEEPER_NOTHING:
            return 0;
        case KEEPER_NOTE:
            journal_warn(&run->journal, heard.text);
            continue;
        case KEEPER_BROKEN: /* as if told to leave: what we owe to the log is still done */
            log_line(&run->journal.log, LOG_LEVEL_ERROR, "%s", heard.text);
            run->broken = run->election.state != ELECTION_RELEASING; /* that run's end is what counts */
            event.type = ELECTION_SIGNALLED;
            event.signal = SIGTERM;
            break;
        case KEEPER_SIGNALLED:
            run->from_kernel = heard.from_kernel;
            event.type = ELECTION_SIGNALLED;
            event.signal = heard.signal;
            break;
        case KEEPER_GONE:
            event.type = ELECTION_CHILD_GONE;
            event.child_exit_code = heard.exit_code;
            event.child_end = (enum child_end)heard.end;
            event.child_never_ran = heard.exec_errno != 0;
            break;
        }
        error = step(run, &event);
        if (event.type == ELECTION_CHILD_GONE && heard.exec_errno != 0) tell_exec_failure(run, heard.exec_errno);
        if (error < 0) return error;
    }
    return 0;
}

/* What the store answered. All answers are taken before the clock is read, so that none is dated before it came. */
static int take_answers(struct run *run) {
    struct log_answer answers[2 * LOG_LANES];
    size_t count = 0;
    while (count < LOG_LANES && store_next(run->store, &answers[count])) count++;
    for (size_t lane = 0; lane < LOG_LANES; lane++) {
        if (run->has_unasked[lane]) answers[count++] = run->unasked[lane];
        run->has_unasked[lane] = false;
    }
    struct instant now = clock_now();
    for (size_t i = 0; i < count && !run->done; i++) {
        struct election_event event = {.type = ELECTION_ANSWERED, .now = now, .answer = &answers[i]};
        journal_answer(&run->journal, &answers[i]);
        int error = step(run, &event);
        if (error < 0) return error;
    }
    return 0;
}

static int wait_for_more(struct run *run) {
    struct pollfd fds[KEEPER_POLLFDS + 1] = {0};
    struct instant now = clock_now();
    int64_t at_ns = instant_after(now.lease_ns, keeper_wake_ns(&run->keeper, now));
    if (run->wake_at_ns < at_ns) at_ns = run->wake_at_ns;
    for (size_t lane = 0; lane < LOG_LANES; lane++) at_ns = run->has_unasked[lane] ? now.lease_ns : at_ns;
    int error = failed(run, clock_arm_timer(run->timer, at_ns), "set a timer");
    if (error < 0) return error;
    keeper_pollfds(&run->keeper, fds);
    fds[KEEPER_POLLFDS] = (struct pollfd){.fd = run->timer, .events = POLLIN};
    error = failed(run, store_wait(run->store, fds, KEEPER_POLLFDS + 1, LOOP_MOST_MS), "wait for what comes");
    if (error < 0) return error;
    notices_tell(run->store, &run->journal.log);
    uint64_t expirations; /* read only to take the readiness away; where that doesn't work it is tried again */
    if (fds[KEEPER_POLLFDS].revents != 0 && read(run->timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN &&
        errno != EINTR)
        return failed(run, -errno, "read a timer");
    return 0;
}

static int loop(struct run *run) {
    struct election_event event = {.type = ELECTION_STARTED, .now = clock_now()};
    int error = step(run, &event);
    while (error == 0 && !run->done) {
        error = wait_for_more(run);
        if (error == 0) error = take_keeper_events(run, clock_now());
        if (error == 0 && !run->done) error = take_answers(run);
        event = (struct election_event){.type = ELECTION_TICKED, .now = clock_now()};
        if (error == 0 && !run->done) error = step(run, &event);
    }
    return error;
}

static void prepare_election(struct run *run) {
    const struct options *o = run->options;
    struct election_config config = {
        .ttl_ns = o->ttl_ms * NS_PER_MS,
        .poll_ns = o->poll_ms * NS_PER_MS,
        .give_up_ns = o->give_up_ms == OPTIONS_NEVER ? ELECTION_FOREVER : o->give_up_ms * NS_PER_MS,
        .hold_ns = o->hold_ms * NS_PER_MS,
        .margin_ns = lease_margin_ns(o->ttl_ms * NS_PER_MS),
        .kill_after_ns = o->kill_after_ms * NS_PER_MS,
        .request_timeout_ns = o->request_timeout_ms * NS_PER_MS,
        .look_timeout_ns = LOOK_TIMEOUT_NS,
        .retention_ns = o->retention_ms * NS_PER_MS,
        .listings_are_fresh = o->bucket.kind == BUCKET_DIRECTORY,
        .rejoin = o->rejoin,
        .conflict_exit_code = o->conflict_exit_code,
    };
    (void)text_copy(config.node, sizeof config.node, o->node);
    election_init(&run->election, &config);
}

/* Opens what a run needs, the guard first. Returns 0, or -errno with a line in reason. */
static int open_run(struct run *run, char *const *command_environment, char *const *environment, char *reason) {
    const struct options *o = run->options;
    struct keeper_options keeper = {
        .argv = o->command,
        .environment = command_environment,
        .stop_signal = o->stop_signal,
        .ttl_ns = o->ttl_ms * NS_PER_MS,
        .margin_ns = lease_margin_ns(o->ttl_ms * NS_PER_MS),
        .kill_after_ns = o->kill_after_ms * NS_PER_MS,
        .stop_timeout_ns = o->stop_timeout_ms == OPTIONS_NEVER ? INT64_MAX : o->stop_timeout_ms * NS_PER_MS,
        .isolate = o->isolate,
        .restartable = o->rejoin,
    };
    int error = keeper_init(&run->keeper, &keeper, reason);
    if (error < 0) return error;
    quota_explain(o, &run->journal.log);
    prepare_election(run);
    run->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (run->timer < 0) {
        error = -errno;
        (void)text_format(reason, TEXT_REASON_SIZE, "can't make a timer: %s", strerror(-error));
    } else if ((run->store = bucket_open(o, environment, &run->keeper.given, reason)) == NULL) {
        error = -EINVAL;
    }
    return error;
}

static void close_run(struct run *run) {
    char reason[TEXT_REASON_SIZE];
    if (keeper_finish(&run->keeper, reason) < 0) log_line(&run->journal.log, LOG_LEVEL_ERROR, "%s", reason);
    journal_flush(&run->journal);
    store_close(run->store);
    if (run->timer >= 0) (void)close(run->timer);
    keeper_deinit(&run->keeper);
}

int run_command(const struct options *options, char *const *environment) {
    struct run run = {.options = options, .environment = environment, .timer = -1, .exit_code = EXIT_OWN_FAILURE};
    char reason[TEXT_REASON_SIZE];
    journal_init(&run.journal, options);
    run.content.kind = SLOT_VACANCY;
    if (holds_contains(environment, options->identity)) {
        log_line(&run.journal.log, LOG_LEVEL_ERROR,
                 "this command already runs under a leaderexec that holds %s: it would wait for its own parent; use "
                 "another --lock, or run the command directly",
                 options->identity);
        return EXIT_OWN_FAILURE;
    }
    char **command_environment = holds_add(environment, options->identity);
    if (command_environment == NULL) {
        log_line(&run.journal.log, LOG_LEVEL_ERROR, "out of memory");
        return EXIT_OWN_FAILURE;
    }
    if (open_run(&run, command_environment, environment, reason) < 0) {
        log_line(&run.journal.log, LOG_LEVEL_ERROR, "%s", reason);
    } else {
        int error = loop(&run);
        if (error < 0) {
            run.exit_code = EXIT_OWN_FAILURE;
            log_line(&run.journal.log, LOG_LEVEL_ERROR, "stopping: can't %s: %s", run.tried, strerror(-error));
        }
    }
    close_run(&run);
    free(command_environment);
    return run.exit_code;
}

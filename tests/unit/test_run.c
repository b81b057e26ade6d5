/* The loop that brings election, store and guard together, on made-up time, with a store and a
 * keeper that say what they are told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bucket.h"
#include "options.h"
#include "process/keeper.h"
#include "run.h"
#include "store/store.h"

#define TTL_MS       INT64_C(30000)
#define OWED_NS      (TTL_MS * NS_PER_MS * 102 / 100) /* what a candidate waits */
#define THEIR_SLOT   7
#define OUR_SLOT     8
#define EXIT_CODE    5
#define WALL_START_S INT64_C(1795471200)
#define TURNS_MOST   10000 /* of the loop: it may not spin */

static struct {
    int64_t now_ns;
    int64_t timer_at_ns;
    int timer_clock;
    int turns;

    struct log_request asked[LOG_LANES]; /* not yet answered */
    bool is_asked[LOG_LANES];
    struct slot ours;
    int64_t taking_ns; /* the first answer takes so long to be taken: the machine stands still
                          meanwhile */
    int64_t shown_ns;  /* when their slot had been shown first */
    int64_t claimed_ns;
    int64_t started_ns;
    int notes; /* that the keeper has, all the same */
    bool is_told, is_stopped;
    bool is_gone;

    bool is_running;
    char said[4096];
    bool stopped_first;
} world;

/* --- time --- */

int clock_gettime(clockid_t id, struct timespec *out) {
    int64_t ns = world.now_ns + (id == CLOCK_REALTIME ? WALL_START_S * NS_PER_S : 0);
    *out = (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    return 0;
}

int timerfd_create(int clock, int flags) {
    world.timer_clock = clock;
    return (int)syscall(SYS_timerfd_create, clock, flags);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *spec, struct itimerspec *old) {
    (void)fd, (void)old;
    assert_int_equal(flags, TFD_TIMER_ABSTIME);
    world.timer_at_ns = spec->it_value.tv_sec * NS_PER_S + spec->it_value.tv_nsec;
    return 0;
}

/* --- what is said --- */

/* Lines go to another descriptor of the same pipe or terminal, so that any is meant. */
ssize_t write(int fd, const void *bytes, size_t length) {
    if (!world.is_running) return syscall(SYS_write, fd, bytes, length);
    size_t used = strlen(world.said);
    assert_true(used + length < sizeof world.said);
    memcpy(world.said + used, bytes, length);
    return (ssize_t)length;
}

/* --- a keeper whose command ends at once, or when it is stopped --- */

int keeper_init(struct keeper *keeper, const struct keeper_options *options, char *reason) {
    (void)keeper, (void)options, (void)reason;
    return 0;
}

void keeper_pollfds(const struct keeper *keeper, struct pollfd out[KEEPER_POLLFDS]) {
    (void)keeper;
    for (int i = 0; i < KEEPER_POLLFDS; i++) out[i] = (struct pollfd){.fd = -1};
}

int64_t keeper_wake_ns(const struct keeper *keeper, struct instant now) {
    (void)keeper, (void)now;
    return INT64_MAX;
}

int keeper_next(struct keeper *keeper, struct instant now, struct keeper_event *event) {
    (void)keeper, (void)now;
    *event = (struct keeper_event){.type = KEEPER_NOTHING};
    if (world.started_ns == 0 || world.is_gone) return 0;
    if (world.notes > 0) {
        world.notes--;
        *event = (struct keeper_event){.type = KEEPER_NOTE, .text = "the guard was stopped"};
        return 0;
    }
    if (world.is_told) {
        world.is_told = false;
        *event = (struct keeper_event){.type = KEEPER_SIGNALLED, .signal = SIGTERM};
        return 0;
    }
    world.is_gone = true;
    *event =
        (struct keeper_event){.type = KEEPER_GONE, .end = KEEPER_ENDED, .exit_code = EXIT_CODE};
    return 0;
}

int keeper_start(struct keeper *keeper, int64_t token, int64_t lease_end_ns) {
    (void)keeper, (void)lease_end_ns;
    assert_int_equal(token, OUR_SLOT);
    world.started_ns = world.now_ns;
    return 0;
}

int keeper_extend(struct keeper *keeper, int64_t lease_end_ns) {
    (void)keeper, (void)lease_end_ns;
    return 0;
}

int keeper_stop(struct keeper *keeper, enum keeper_stop mode, int signal, bool from_kernel) {
    (void)keeper, (void)mode, (void)signal, (void)from_kernel;
    world.is_stopped = true;
    world.stopped_first = world.said[0] == '\0';
    return 0;
}

int keeper_finish(struct keeper *keeper, char *reason) {
    (void)keeper, (void)reason;
    return 0;
}

void keeper_deinit(struct keeper *keeper) { (void)keeper; }

/* --- a store whose log ends with another's claim --- */

static int submit(struct store *store, const struct log_request *request) {
    (void)store;
    world.asked[request->lane] = *request;
    world.is_asked[request->lane] = true;
    if (request->op != LOG_APPEND || request->seq != OUR_SLOT) return 0;
    if (world.claimed_ns == 0) world.claimed_ns = world.now_ns;
    return slot_parse(&world.ours, request->body, request->body_length, request->seq);
}

static struct slot their_claim(void) {
    struct slot slot = {.kind = SLOT_ENTRY};
    slot.record = (struct record){.kind = RECORD_CLAIM,
                                  .seq = THEIR_SLOT,
                                  .token = THEIR_SLOT,
                                  .ttl_ms = TTL_MS,
                                  .node = "them"};
    return slot;
}

static void list(struct listing *listing) {
    int64_t head = world.claimed_ns != 0 ? OUR_SLOT : THEIR_SLOT;
    *listing = (struct listing){.head_seq = head, .head_size = 200, .previous_seq = head - 1};
}

static void answer(struct log_answer *out, const struct log_request *request) {
    *out = (struct log_answer){
        .id = request->id, .lane = request->lane, .op = request->op, .seq = request->seq};
    if (request->op == LOG_NEWEST) list(&out->listing);
    if (request->op == LOG_READ && request->seq == THEIR_SLOT) out->slot = their_claim();
    if (request->op == LOG_READ && request->seq == OUR_SLOT) {
        out->slot = world.ours;
        if (world.claimed_ns == 0) out->outcome = OUTCOME_ABSENT;
    }
    if (request->op == LOG_APPEND && request->lane == LOG_LANE_1) out->outcome = OUTCOME_EXISTS;
}

static bool next(struct store *store, struct log_answer *out) {
    (void)store;
    for (int lane = 0; lane < LOG_LANES; lane++) {
        if (!world.is_asked[lane]) continue;
        world.is_asked[lane] = false;
        answer(out, &world.asked[lane]);
        world.now_ns += world.taking_ns;
        world.taking_ns = 0;
        if (world.shown_ns == 0) world.shown_ns = world.now_ns;
        return true;
    }
    return false;
}

static int wait_for(struct store *store, struct pollfd *extra, size_t count, int timeout_ms) {
    (void)store, (void)extra, (void)count, (void)timeout_ms;
    assert_true(++world.turns < TURNS_MOST);
    for (int lane = 0; lane < LOG_LANES; lane++) {
        if (world.is_asked[lane]) return 0;
    }
    if (world.timer_at_ns > world.now_ns) world.now_ns = world.timer_at_ns;
    return 0;
}

static void close_store(struct store *store) { (void)store; }

struct store *bucket_open(const struct options *options, char *const *environment, const struct priority *priority,
                          char *reason) {
    (void)priority;
    (void)options, (void)environment, (void)reason;
    static const struct store_ops ops = {
        .submit = submit, .wait = wait_for, .next = next, .close = close_store};
    static struct store store = {.ops = &ops};
    return &store;
}

/* --- runs --- */

static int run(void) {
    static char *const environment[] = {NULL};
    char *const argv[] = {"leaderexec", "--bucket", "file:/nowhere", "--ttl", "30s", "--poll",
                          "5s",         "--",       "job",           NULL};
    struct options options;
    char reason[TEXT_REASON_SIZE];
    assert_int_equal(
        options_parse(&options, sizeof argv / sizeof *argv - 1, argv, environment, reason), 0);
    world.is_running = true;
    int code = run_command(&options, environment);
    world.is_running = false;
    return code;
}

static int begin(void **state) {
    (void)state;
    memset(&world, 0, sizeof world);
    world.now_ns = 1000 * NS_PER_S;
    return 0;
}

static void a_lock_is_waited_for_and_its_command_run(void **state) {
    (void)state;
    assert_int_equal(run(), EXIT_CODE);
    assert_true(world.claimed_ns >= world.shown_ns + OWED_NS);
    assert_true(world.started_ns >= world.claimed_ns);
}

static void no_answer_is_dated_before_it_came(void **state) {
    (void)state;
    world.taking_ns = 20 * NS_PER_S;
    assert_int_equal(run(), EXIT_CODE);
    assert_true(world.claimed_ns >= world.shown_ns + OWED_NS);
}

static void the_loops_timer_runs_on_while_the_machine_is_suspended(void **state) {
    (void)state;
    assert_int_equal(run(), EXIT_CODE);
    assert_int_equal(world.timer_clock, CLOCK_BOOTTIME);
}

/* Standard error may be a file on a disk that hangs. */
static void the_command_is_stopped_before_that_is_said(void **state) {
    (void)state;
    world.is_told = true;
    assert_int_equal(run(), EXIT_CODE);
    assert_true(world.is_stopped && world.stopped_first);
    assert_non_null(strstr(world.said, "SIGTERM"));
}

static void equal_notes_in_a_row_are_said_once_and_counted(void **state) {
    (void)state;
    world.notes = 19;
    assert_int_equal(run(), EXIT_CODE);
    assert_string_equal(world.said, "leaderexec: the guard was stopped\n"
                                    "leaderexec: 18 times more: the guard was stopped\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_lock_is_waited_for_and_its_command_run, begin),
        cmocka_unit_test_setup(no_answer_is_dated_before_it_came, begin),
        cmocka_unit_test_setup(the_command_is_stopped_before_that_is_said, begin),
        cmocka_unit_test_setup(equal_notes_in_a_row_are_said_once_and_counted, begin),
        cmocka_unit_test_setup(the_loops_timer_runs_on_while_the_machine_is_suspended, begin),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}

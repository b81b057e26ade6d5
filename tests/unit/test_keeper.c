/* What the keeper says to its guard and makes of the answers. The guard is a process that does
 * nothing: the other end of the socket is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clone.h"
#include "process/child.h"
#include "process/keeper.h"
#include "process/message.h"
#include "process/procfs.h"
#include "process/takeover.h"

#define TTL_NS      (60 * NS_PER_S)
#define ACK_NS      (TTL_NS / 6) /* for an acknowledgement */
#define MARGIN_NS   (5 * NS_PER_S)
#define FILLERS     100000 /* more than any socket takes */
#define STOP_SIGNAL SIGUSR2

struct stage {
    struct keeper keeper;
    int guards_end;
    int fillers; /* in the socket, in front of what is said */
};

static int set_up(void **state) {
    struct stage *stage = calloc(1, sizeof *stage);
    struct process_info info;
    int ends[2];
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGTERM);
    sigaddset(&watched, SIGUSR1);
    pid_t guard =
        clone_plainly(SIGCONT, NULL); /* before there is a socket that it would hold, too */
    if (guard == 0) {
        for (;;) (void)pause();
    }
    if (stage == NULL || guard < 0 || message_pair(ends) != 0) return -1;
    if (sigprocmask(SIG_BLOCK, &watched, NULL) != 0) return -1;
    stage->guards_end = ends[1];
    stage->keeper = (struct keeper){
        .options = {.stop_signal = STOP_SIGNAL, .ttl_ns = TTL_NS, .margin_ns = MARGIN_NS},
        .state = KEEPER_IDLE,
        .guard = guard,
        .socket = ends[0],
        .signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK),
        .proc = procfs_open(),
        .ack_by_ns = INT64_MAX};
    *state = stage;
    if (procfs_read(stage->keeper.proc, guard, &info) != 0) return -1;
    stage->keeper.guard_born = info.born;
    return 0;
}

static int tear_down(void **state) {
    struct stage *stage = *state;
    if (stage->keeper.guard > 0) {
        (void)kill(stage->keeper.guard, SIGKILL);
        (void)waitpid(stage->keeper.guard, NULL, __WALL);
    }
    if (stage->guards_end >= 0) (void)close(stage->guards_end);
    if (stage->keeper.socket >= 0) (void)close(stage->keeper.socket);
    (void)close(stage->keeper.signals);
    (void)close(stage->keeper.proc);
    free(stage);
    return 0;
}

static void start(struct stage *stage) {
    assert_int_equal(keeper_start(&stage->keeper, 42, clock_now().lease_ns + TTL_NS), 0);
}

/* Some time from now, which is what the keeper is told. */
static struct instant in(int64_t ns) {
    struct instant now = clock_now();
    return (struct instant){.lease_ns = now.lease_ns + ns, .wait_ns = now.wait_ns + ns};
}

static enum keeper_event_type next(struct stage *stage, struct instant now) {
    struct keeper_event event;
    assert_int_equal(keeper_next(&stage->keeper, now, &event), 0);
    return event.type;
}

static void guard_says(struct stage *stage, struct message message) {
    assert_int_equal(message_send(stage->guards_end, &message), 0);
}

static void acknowledge(struct stage *stage, unsigned sequence) {
    guard_says(stage, (struct message){.type = MESSAGE_ACK, .sequence = sequence, .group = 0});
}

static void expect_heard(struct stage *stage, enum message_type type, unsigned sequence) {
    struct message m;
    assert_int_equal(message_receive(stage->guards_end, &m), 1);
    assert_int_equal(m.type, type);
    if (type != MESSAGE_SIGNAL) assert_int_equal(m.sequence, sequence);
}

static void expect_silence(struct stage *stage) {
    struct message m;
    assert_int_equal(message_receive(stage->guards_end, &m), 0);
}

/* A guard that reads nothing. */
static void fill(struct stage *stage) {
    const struct message filler = {.type = MESSAGE_SIGNAL, .signal = SIGWINCH};
    while (message_send(stage->keeper.socket, &filler) == 0)
        assert_true(++stage->fillers < FILLERS);
}

static void drain(struct stage *stage) {
    for (; stage->fillers > 0; stage->fillers--) expect_heard(stage, MESSAGE_SIGNAL, 0);
}

/* --- saying --- */

static void each_message_has_the_next_number(void **state) {
    struct stage *stage = *state;
    start(stage);
    assert_int_equal(keeper_extend(&stage->keeper, clock_now().lease_ns + 2 * TTL_NS), 0);
    assert_int_equal(keeper_stop(&stage->keeper, KEEPER_STOP_LOST, 0, false), 0);
    expect_heard(stage, MESSAGE_START, 1);
    expect_heard(stage, MESSAGE_EXTEND, 2);
    expect_heard(stage, MESSAGE_LOST, 3);
    expect_silence(stage);
}

static void what_cant_be_sent_waits_and_keeps_its_order(void **state) {
    struct stage *stage = *state;
    fill(stage);
    start(stage);
    assert_int_equal(keeper_extend(&stage->keeper, clock_now().lease_ns + 2 * TTL_NS), 0);
    assert_int_equal(keeper_stop(&stage->keeper, KEEPER_STOP_SHUTDOWN, SIGTERM, false), 0);
    assert_int_equal(next(stage, clock_now()), KEEPER_NOTHING);
    assert_true(keeper_wake_ns(&stage->keeper, clock_now()) <
                NS_PER_S);                         /* it is tried again soon */
    for (; stage->fillers > 0; stage->fillers--) { /* there is room for one at a time */
        expect_heard(stage, MESSAGE_SIGNAL, 0);
        assert_int_equal(next(stage, clock_now()), KEEPER_NOTHING);
    }
    expect_heard(stage, MESSAGE_START, 1);
    expect_heard(stage, MESSAGE_EXTEND, 2);
    expect_heard(stage, MESSAGE_SHUTDOWN, 3);
    assert_int_equal(next(stage, clock_now()), KEEPER_NOTHING);
    expect_silence(stage);
    assert_true(keeper_wake_ns(&stage->keeper, clock_now()) > NS_PER_S);
}

static void what_must_be_said_finds_room_behind_many_signals(void **state) {
    struct stage *stage = *state;
    start(stage);
    expect_heard(stage, MESSAGE_START, 1);
    fill(stage);
    for (int i = 0; i < 2 * KEEPER_UNSENT_MAX; i++) {
        assert_int_equal(kill(getpid(), SIGUSR1), 0);
        assert_int_equal(next(stage, clock_now()), KEEPER_NOTHING);
    }
    assert_int_equal(keeper_stop(&stage->keeper, KEEPER_STOP_LOST, 0, false), 0);
    drain(stage);
    assert_int_equal(next(stage, clock_now()), KEEPER_NOTHING);
    for (int i = 0; i < KEEPER_UNSENT_MAX / 2; i++) expect_heard(stage, MESSAGE_SIGNAL, 0);
    expect_heard(stage, MESSAGE_LOST, 2);
    expect_silence(stage);
}

static void nothing_that_was_left_unsent_is_said_in_the_next_run(void **state) {
    struct stage *stage = *state;
    stage->keeper.options.restartable = true;
    start(stage);
    expect_heard(stage, MESSAGE_START, 1);
    fill(stage);
    assert_int_equal(keeper_stop(&stage->keeper, KEEPER_STOP_LOST, 0, false), 0);
    guard_says(stage, (struct message){.type = MESSAGE_GONE, .exit_code = 7});
    drain(stage);
    stage->keeper.state = KEEPER_IDLE; /* as if it had been heard before there was room */
    start(stage);
    expect_heard(stage, MESSAGE_START, 3);
    expect_silence(stage);
}

static void nothing_of_a_run_is_left_to_the_next(void **state) {
    struct stage *stage = *state;
    stage->keeper.options.restartable = true;
    start(stage);
    expect_heard(stage, MESSAGE_START, 1);
    assert_int_equal(keeper_stop(&stage->keeper, KEEPER_STOP_LOST, 0, false), 0);
    expect_heard(stage, MESSAGE_LOST, 2);
    stage->keeper.ack_by_ns = clock_now().lease_ns + NS_PER_S; /* nothing was acknowledged */
    guard_says(stage, (struct message){.type = MESSAGE_GONE});
    assert_int_equal(next(stage, clock_now()), KEEPER_GONE);
    start(stage);
    expect_heard(stage, MESSAGE_START, 3);
    assert_true(stage->keeper.ack_by_ns > clock_now().lease_ns + 2 * NS_PER_S);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(next(stage, clock_now()), KEEPER_SIGNALLED);
    expect_silence(stage); /* nobody stops this one yet */
}

static void what_the_command_is_sent_depends_on_who_sent_it(void **state) {
    static const struct {
        bool foreground, from_kernel;
        int signal, sent;
    } cases[] = {{false, false, SIGTERM, STOP_SIGNAL},
                 {false, false, SIGINT, SIGINT},
                 {false, false, SIGQUIT, SIGQUIT},
                 {false, false, 0, STOP_SIGNAL},
                 {true, true, SIGINT, 0},
                 {true, false, SIGINT, SIGINT},
                 {false, true, SIGINT, SIGINT}};
    struct stage *stage = *state;
    start(stage);
    expect_heard(stage, MESSAGE_START, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct message m;
        stage->keeper.foreground = cases[i].foreground;
        assert_int_equal(keeper_stop(&stage->keeper, KEEPER_STOP_SHUTDOWN, cases[i].signal,
                                     cases[i].from_kernel),
                         0);
        assert_int_equal(message_receive(stage->guards_end, &m), 1);
        assert_int_equal(m.type, MESSAGE_SHUTDOWN);
        assert_int_equal(m.signal, cases[i].sent);
    }
}

/* --- acknowledgements --- */

/* Calls keeper_next() from now on until it has something to say. */
static struct keeper_event until_event(struct stage *stage, struct instant now) {
    struct keeper_event event = {.type = KEEPER_NOTHING};
    for (; event.type == KEEPER_NOTHING; now.lease_ns += NS_PER_S)
        assert_int_equal(keeper_next(&stage->keeper, now, &event), 0);
    return event;
}

static void a_guard_that_never_acknowledges_is_lost(void **state) {
    struct stage *stage = *state;
    start(stage);
    assert_int_equal(next(stage, in(ACK_NS - NS_PER_S)), KEEPER_NOTHING);
    assert_int_equal(stage->keeper.state, KEEPER_RUNNING);
    struct keeper_event event = until_event(stage, in(ACK_NS + NS_PER_S));
    assert_int_equal(event.type, KEEPER_GONE);
    assert_int_equal(event.end, KEEPER_GUARD_LOST);
    assert_int_equal(event.exit_code, CHILD_EXIT_SIGNALLED + SIGKILL);
    assert_int_equal(stage->keeper.guard, 0);
}

static void only_the_newest_acknowledgement_counts(void **state) {
    struct stage *stage = *state;
    start(stage);
    assert_int_equal(keeper_extend(&stage->keeper, clock_now().lease_ns + 10 * TTL_NS), 0);
    acknowledge(stage, 1);
    struct instant then = in(ACK_NS / 2);
    assert_int_equal(next(stage, then), KEEPER_NOTHING);
    /* An older one shows that it works: it has as long again, and no longer. */
    assert_in_range(keeper_wake_ns(&stage->keeper, then), ACK_NS - NS_PER_S, ACK_NS);
    acknowledge(stage, 2);
    assert_int_equal(next(stage, then), KEEPER_NOTHING);
    assert_true(keeper_wake_ns(&stage->keeper, then) > ACK_NS);
    assert_int_equal(next(stage, in(2 * ACK_NS)), KEEPER_NOTHING);
    assert_int_equal(stage->keeper.state, KEEPER_RUNNING);
}

static void the_first_that_isnt_acknowledged_sets_the_time(void **state) {
    struct stage *stage = *state;
    start(stage);
    int64_t by_ns = stage->keeper.ack_by_ns;
    assert_int_equal(keeper_extend(&stage->keeper, clock_now().lease_ns + 2 * TTL_NS), 0);
    assert_int_equal(stage->keeper.ack_by_ns, by_ns);
    acknowledge(stage, 2);
    assert_int_equal(next(stage, clock_now()), KEEPER_NOTHING);
    assert_int_equal(keeper_extend(&stage->keeper, clock_now().lease_ns + 3 * TTL_NS), 0);
    assert_true(stage->keeper.ack_by_ns > by_ns && stage->keeper.ack_by_ns != INT64_MAX);
}

/* --- what else it says --- */

static void its_word_on_the_end_is_passed_on(void **state) {
    struct stage *stage = *state;
    for (int out_of_time = 0; out_of_time < 2; out_of_time++) {
        struct keeper_event event;
        start(stage);
        guard_says(stage, (struct message){.type = MESSAGE_GONE,
                                           .out_of_time = out_of_time == 1,
                                           .exit_code = 5,
                                           .error = 2});
        assert_int_equal(keeper_next(&stage->keeper, clock_now(), &event), 0);
        assert_int_equal(event.type, KEEPER_GONE);
        assert_int_equal(event.end, out_of_time == 1 ? KEEPER_OUT_OF_TIME : KEEPER_ENDED);
        assert_int_equal(event.exit_code, 5);
        assert_int_equal(event.exec_errno, 2);
        assert_int_equal(keeper_wake_ns(&stage->keeper, clock_now()), INT64_MAX);
    }
    guard_says(stage, (struct message){.type = MESSAGE_GONE}); /* of what doesn't run any more */
    assert_int_equal(next(stage, clock_now()), KEEPER_NOTHING);
}

static void its_notes_are_passed_on(void **state) {
    struct stage *stage = *state;
    struct keeper_event event;
    guard_says(stage, (struct message){.type = MESSAGE_NOTE, .text = "look here"});
    assert_int_equal(keeper_next(&stage->keeper, clock_now(), &event), 0);
    assert_int_equal(event.type, KEEPER_NOTE);
    assert_string_equal(event.text, "look here");
}

static void a_guard_that_closes_its_end_is_lost(void **state) {
    struct stage *stage = *state;
    start(stage);
    (void)close(stage->guards_end);
    stage->guards_end = -1;
    struct keeper_event event = until_event(stage, clock_now());
    assert_int_equal(event.type, KEEPER_GONE);
    assert_int_equal(event.end, KEEPER_GUARD_LOST);
    assert_int_equal(stage->keeper.guard, 0);
}

/* --- taking over --- */

static void a_guard_gets_half_of_the_margin_to_kill_in(void **state) {
    struct stage *stage = *state;
    start(stage);
    acknowledge(stage, 1);
    int64_t due_ns = stage->keeper.lease_end_ns - MARGIN_NS / 2;
    assert_int_equal(takeover_due_ns(&stage->keeper), due_ns);
    struct instant then = {.lease_ns = due_ns - 1};
    assert_int_equal(next(stage, then), KEEPER_NOTHING);
    assert_int_equal(keeper_wake_ns(&stage->keeper, then), 1);
    assert_int_equal(stage->keeper.state, KEEPER_RUNNING);
    then.lease_ns = due_ns;
    struct keeper_event event = {.type = KEEPER_NOTHING};
    for (; event.type == KEEPER_NOTHING; then.lease_ns += NS_PER_S) {
        assert_int_equal(keeper_next(&stage->keeper, then, &event), 0);
        assert_true(event.type == KEEPER_GONE || stage->keeper.state == KEEPER_TAKEOVER);
    }
    assert_int_equal(event.type, KEEPER_GONE);
    assert_int_equal(event.end, KEEPER_OUT_OF_TIME);
}

static void what_is_being_killed_neither_lives_longer_nor_is_stopped(void **state) {
    struct stage *stage = *state;
    start(stage);
    expect_heard(stage, MESSAGE_START, 1);
    takeover_begin(&stage->keeper, KEEPER_OUT_OF_TIME);
    assert_int_equal(keeper_extend(&stage->keeper, clock_now().lease_ns + 2 * TTL_NS), 0);
    assert_int_equal(keeper_stop(&stage->keeper, KEEPER_STOP_LOST, 0, false), 0);
    assert_int_equal(keeper_start(&stage->keeper, 43, clock_now().lease_ns + TTL_NS), -EBUSY);
    expect_silence(stage);
    guard_says(stage, (struct message){.type = MESSAGE_GONE, .exit_code = 7}); /* too late */
    assert_int_equal(until_event(stage, clock_now()).end, KEEPER_OUT_OF_TIME);
}

/* Where our children can't be found, the guard at least is known. */
static void the_guard_dies_even_where_nothing_can_be_opened(void **state) {
    struct stage *stage = *state;
    struct rlimit before, none;
    start(stage);
    assert_int_equal(kill(stage->keeper.guard, SIGSTOP), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    takeover_begin(&stage->keeper, KEEPER_GUARD_LOST);
    struct keeper_event event;
    (void)takeover_step(&stage->keeper, clock_now(), &event);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int waited_ms = 0; stage->keeper.guard != 0; waited_ms++) {
        assert_true(waited_ms < 5000);
        (void)usleep(1000);
        takeover_reap(&stage->keeper);
    }
}

int main(void) {
    (void)alarm(120);
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(each_message_has_the_next_number),
        CASE(what_cant_be_sent_waits_and_keeps_its_order),
        CASE(what_must_be_said_finds_room_behind_many_signals),
        CASE(nothing_that_was_left_unsent_is_said_in_the_next_run),
        CASE(nothing_of_a_run_is_left_to_the_next),
        CASE(what_the_command_is_sent_depends_on_who_sent_it),
        CASE(a_guard_that_never_acknowledges_is_lost),
        CASE(only_the_newest_acknowledgement_counts),
        CASE(the_first_that_isnt_acknowledged_sets_the_time),
        CASE(its_word_on_the_end_is_passed_on),
        CASE(its_notes_are_passed_on),
        CASE(a_guard_that_closes_its_end_is_lost),
        CASE(a_guard_gets_half_of_the_margin_to_kill_in),
        CASE(what_is_being_killed_neither_lives_longer_nor_is_stopped),
        CASE(the_guard_dies_even_where_nothing_can_be_opened),
    };
    return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}

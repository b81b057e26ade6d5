/* What befalls keeper and guard: one of the two dies, is stopped, has nothing left to work with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "keeper_play.h"
#include "process/child.h"

#define TEST(name, signal)                                                                         \
    static void name(void **state) {                                                               \
        (void)state;                                                                               \
        play(play_##name, signal);                                                                 \
    }

/* Five processes, three sessions, none of which ends when asked to. */
#define FAMILY                                                                                     \
    "trap '' TERM; sleep 100 & setsid sh -c 'trap \"\" TERM; sleep 100 & setsid sleep 100 & "      \
    "wait; sleep 100' & wait; sleep 100"
#define FAMILY_SIZE 5
#define STALL_MS    1500
#define SETTLING_MS 150 /* until a guard with nothing to do waits for something */

static void begin_family(struct keeper *keeper) {
    begin(keeper, LONG_NS, FAMILY);
    (void)start(keeper, 1);
    await_family(shared->guard, FAMILY_SIZE);
    CHECK(event_within(keeper, 10 * NS_PER_MS).type == KEEPER_NOTHING);
}

/* --- the guard --- */

static void play_all_of_it_dies_with_the_guard(struct keeper *keeper) {
    begin_family(keeper);
    CHECK(kill(shared->guard, SIGKILL) == 0);
    expect_gone(keeper, KEEPER_GUARD_LOST, CHILD_EXIT_SIGNALLED + SIGKILL);
    await_family(getpid(), 0);
    CHECK(keeper_start(keeper, 2, clock_now().lease_ns + LONG_NS) == -ESRCH);
    CHECK(event_within(keeper, 20 * NS_PER_MS).type == KEEPER_NOTHING); /* its last run */
    keeper_deinit(keeper);
}
TEST(all_of_it_dies_with_the_guard, 0)

/* Whose signal may come between the keeper's look at its children and at its signals. */
static void play_a_child_that_changes_right_after_a_look_is_looked_at_again(struct keeper *keeper) {
    begin(keeper, LONG_NS, "exit 0");
    for (int signal = 0; signal < 2; signal++) {
        CHECK(event_within(keeper, 0).type == KEEPER_NOTHING);
        CHECK(keeper_wake_ns(keeper, clock_now()) > 0);
        CHECK(raise(signal == 0 ? SIGCHLD : SIGCONT) == 0);
        CHECK(event_within(keeper, 0).type == KEEPER_NOTHING);
        CHECK(keeper_wake_ns(keeper, clock_now()) == 0);
    }
    keeper_deinit(keeper);
}
TEST(a_child_that_changes_right_after_a_look_is_looked_at_again, 0)

/* Which is the keeper's to hear of, not its caller's: whoever tells it something then is told the run's end. */
static void play_who_tells_a_guard_that_has_just_died_hears_of_the_end(struct keeper *keeper) {
    begin_family(keeper);
    CHECK(kill(shared->guard, SIGKILL) == 0);
    await_dead(shared->guard);
    CHECK(raise(SIGTERM) == 0);
    CHECK(until_event(keeper).type == KEEPER_SIGNALLED);
    CHECK(keeper_stop(keeper, KEEPER_STOP_SHUTDOWN, SIGTERM, false) == 0);
    CHECK(keeper_extend(keeper, clock_now().lease_ns + 2 * LONG_NS) == 0);
    expect_gone(keeper, KEEPER_GUARD_LOST, CHILD_EXIT_SIGNALLED + SIGKILL);
    keeper_deinit(keeper);
    begin(keeper, LONG_NS, "exit 0");
    CHECK(kill(shared->guard, SIGKILL) == 0);
    await_dead(shared->guard);
    (void)start(keeper, 1);
    expect_gone(keeper, KEEPER_GUARD_LOST, CHILD_EXIT_SIGNALLED + SIGKILL);
    keeper_deinit(keeper);
}
TEST(who_tells_a_guard_that_has_just_died_hears_of_the_end, 0)

static void lose_an_idle_guard(const struct keeper *keeper) {
    CHECK(kill(keeper->guard, SIGKILL) == 0);
}

static void play_a_guard_that_will_be_needed_is_replaced(struct keeper *keeper) {
    for (int restarted = 0; restarted < 2; restarted++) {
        struct keeper_options options = usual(LONG_NS, "exit 7");
        options.restartable = restarted == 1;
        begin_with(keeper, &options);
        if (restarted == 1) {
            (void)start(keeper, 1);
            expect_gone(keeper, KEEPER_ENDED, 7);
        }
        for (int i = 0; i < 5; i++) { /* however often */
            lose_an_idle_guard(keeper);
            CHECK(next_event(keeper).type == KEEPER_NOTE);
            CHECK(event_within(keeper, 20 * NS_PER_MS).type == KEEPER_NOTHING);
        }
        (void)start(keeper, 2);
        expect_gone(keeper, KEEPER_ENDED, 7);
        keeper_deinit(keeper);
    }
}
TEST(a_guard_that_will_be_needed_is_replaced, 0)

static void play_where_no_other_guard_can_be_had_that_is_said(struct keeper *keeper) {
    for (int dying = 0; dying < 2; dying++) {
        begin(keeper, LONG_NS, "exit 7");
        struct rlimit limit;
        CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        struct rlimit none = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
        if (dying == 0) CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
        shared->setup_fails_at = dying == 1 ? 1 : 0; /* the new guard can't set itself up, and says so */
        lose_an_idle_guard(keeper);
        struct keeper_event event = until_event(keeper);
        CHECK(event.type == KEEPER_BROKEN);
        CHECK(strstr(event.text, dying == 1 ? "can't be had: can't " : "Too many open files") != NULL);
        CHECK(event_within(keeper, 20 * NS_PER_MS).type == KEEPER_NOTHING);
        CHECK(keeper_start(keeper, 1, clock_now().lease_ns + LONG_NS) == -ESRCH);
        shared->setup_fails_at = 0;
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        keeper_deinit(keeper);
    }
}
TEST(where_no_other_guard_can_be_had_that_is_said, 0)

static void play_a_stopped_guard_is_continued(struct keeper *keeper) {
    begin(keeper, LONG_NS, "echo ready >$EAR; sleep 100");
    (void)start(keeper, 1);
    (void)hear();
    CHECK(kill(shared->guard, SIGSTOP) == 0);
    for (notes_heard = 0; notes_heard == 0;) (void)event_within(keeper, 10 * NS_PER_MS);
    CHECK(keeper_stop(keeper, KEEPER_STOP_SHUTDOWN, 0, false) == 0);
    expect_gone(keeper, KEEPER_ENDED, CHILD_EXIT_SIGNALLED + SIGTERM);
    CHECK(notes_heard == 1);
    keeper_deinit(keeper);
}
TEST(a_stopped_guard_is_continued, 0)

static void forbid_opening(void) {
    struct rlimit none = {.rlim_cur = 3, .rlim_max = 3};
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
}

static void play_nothing_that_was_there_before_is_killed(struct keeper *keeper) {
    pid_t before = fork();
    if (before == 0) {
        for (;;) (void)pause();
    }
    begin_family(keeper);
    pid_t quiet = (pid_t)syscall(SYS_clone, 0, 0, NULL, NULL, NULL); /* as helpers are made */
    if (quiet == 0) {
        for (;;) (void)pause();
    }
    CHECK(kill(shared->guard, SIGKILL) == 0);
    expect_gone(keeper, KEEPER_GUARD_LOST, CHILD_EXIT_SIGNALLED + SIGKILL);
    await_family(getpid(), 2);
    CHECK(kill(before, 0) == 0 && kill(quiet, 0) == 0);
    keeper_deinit(keeper);
    CHECK(kill(before, SIGKILL) == 0 && kill(quiet, SIGKILL) == 0);
}
TEST(nothing_that_was_there_before_is_killed, 0)

/* More than are remembered by number: their age tells. */
static void play_many_that_were_there_before_live_on(struct keeper *keeper) {
    pid_t before[KEEPER_SPARE_MAX + 10];
    size_t count = sizeof before / sizeof *before;
    for (size_t i = 0; i < count; i++) {
        before[i] = fork();
        if (before[i] == 0) {
            for (;;) (void)pause();
        }
    }
    pause_ms(30); /* ages are in ticks */
    begin(keeper, LONG_NS, "exec sleep 100");
    (void)start(keeper, 1);
    await_family(shared->guard, 1);
    CHECK(kill(shared->guard, SIGKILL) == 0);
    expect_gone(keeper, KEEPER_GUARD_LOST, CHILD_EXIT_SIGNALLED + SIGKILL);
    for (size_t i = 0; i < count; i++) CHECK(!is_dead(before[i]) && kill(before[i], SIGKILL) == 0);
    keeper_deinit(keeper);
}
TEST(many_that_were_there_before_live_on, 0)

static void play_they_are_found_where_nothing_can_be_opened(struct keeper *keeper) {
    begin_family(keeper);
    forbid_opening();
    CHECK(kill(shared->guard, SIGKILL) == 0);
    expect_gone(keeper, KEEPER_GUARD_LOST, CHILD_EXIT_SIGNALLED + SIGKILL);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    keeper_deinit(keeper);
}
TEST(they_are_found_where_nothing_can_be_opened, 0)

/* Without the kernel's lists of children, too: nothing is known then, which isn't nothing. */
static void play_who_cant_be_found_isnt_taken_for_dead(struct keeper *keeper) {
    pid_t before = fork();
    if (before == 0) {
        for (;;) (void)pause();
    }
    begin(keeper, LONG_NS, "setsid sh -c 'echo ready >$EAR; sleep 100' & wait");
    (void)start(keeper, 1);
    (void)hear();
    struct rlimit most;
    CHECK(getrlimit(RLIMIT_NOFILE, &most) == 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = most.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    (void)close(keeper->list);
    keeper->list = 0;
    CHECK(kill(shared->guard, SIGSTOP) == 0);
    CHECK(kill(shared->guard, SIGKILL) == 0);
    CHECK(event_within(keeper, 100 * NS_PER_MS).type == KEEPER_NOTHING);
    CHECK(setrlimit(RLIMIT_NOFILE, &most) == 0);
    expect_gone(keeper, KEEPER_GUARD_LOST, CHILD_EXIT_SIGNALLED + SIGKILL);
    await_family(getpid(), 1);
    CHECK(kill(before, SIGKILL) == 0);
    keeper_deinit(keeper);
}
TEST(who_cant_be_found_isnt_taken_for_dead, 0)

/* --- the keeper --- */

static void play_all_of_it_dies_with_the_keeper(struct keeper *keeper) {
    begin_family(keeper);
    (void)raise(SIGKILL);
}
TEST(all_of_it_dies_with_the_keeper, SIGKILL)

/* As a helper does that is held before it has let go of our descriptors. */
static void play_all_of_it_dies_whoever_holds_the_keepers_sockets(struct keeper *keeper) {
    begin_family(keeper);
    if (fork() != 0) (void)raise(SIGKILL);
    await_family(shared->guard, 0);
    await_dead(shared->guard);
    shared->seen_through = true;
}

static void all_of_it_dies_whoever_holds_the_keepers_sockets(void **state) {
    (void)state;
    play(play_all_of_it_dies_whoever_holds_the_keepers_sockets, SIGKILL);
    assert_true(shared->seen_through);
}

static void play_a_guard_finds_them_where_nothing_can_be_opened(struct keeper *keeper) {
    begin_family(keeper);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = 3};
    CHECK(prlimit(shared->guard, RLIMIT_NOFILE, &none, NULL) == 0);
    (void)raise(SIGKILL);
}
TEST(a_guard_finds_them_where_nothing_can_be_opened, SIGKILL)

static void play_a_stopped_guard_goes_on_when_its_keeper_dies(struct keeper *keeper) {
    begin_family(keeper);
    CHECK(kill(shared->guard, SIGSTOP) == 0);
    await_stopped(shared->guard);
    (void)raise(SIGKILL);
}
TEST(a_stopped_guard_goes_on_when_its_keeper_dies, SIGKILL)

static void play_a_guard_without_a_run_leaves_with_its_keeper(struct keeper *keeper) {
    begin(keeper, LONG_NS, "sleep 100");
    (void)raise(SIGKILL);
}
TEST(a_guard_without_a_run_leaves_with_its_keeper, SIGKILL)

/* Who kills it at once all the same may have begun it first. */
static void play_a_start_that_a_dead_keeper_left_begins_nothing(struct keeper *keeper) {
    struct keeper_options options = usual(LONG_NS, "exit 0");
    options.restartable = true;
    begin_with(keeper, &options);
    shared->forks = 0;
    (void)start(keeper, 1);
    expect_gone(keeper, KEEPER_ENDED, 0);
    CHECK(shared->forks == 1);
    CHECK(kill(shared->guard, SIGSTOP) == 0);
    await_stopped(shared->guard);
    (void)start(keeper, 2);
    (void)raise(SIGKILL); /* which continues the guard */
}

static void a_start_that_a_dead_keeper_left_begins_nothing(void **state) {
    (void)state;
    play(play_a_start_that_a_dead_keeper_left_begins_nothing, SIGKILL);
    assert_int_equal(shared->forks, 1);
}

static void play_a_stopped_keepers_command_is_dead_in_time(struct keeper *keeper) {
    begin(keeper, SHORT_NS, FAMILY);
    pid_t self = getpid(), watcher = fork();
    if (watcher == 0) {
        await_stopped(self);
        pause_ms((int)(SHORT_NS / NS_PER_MS));
        (void)kill(self, SIGCONT);
        _exit(EXIT_SUCCESS);
    }
    int64_t end_ns = start(keeper, 1);
    (void)raise(SIGSTOP);
    CHECK(clock_now().lease_ns >= end_ns - keeper->options.margin_ns);
    await_family(shared->guard, 0);
    expect_gone(keeper, KEEPER_OUT_OF_TIME, CHILD_EXIT_SIGNALLED + SIGKILL);
    keeper_deinit(keeper);
}
TEST(a_stopped_keepers_command_is_dead_in_time, 0)

/* Keeper and guard stopped, the kernel's timers are all there is. */
static void play_the_kernel_continues_a_guard_in_time(struct keeper *keeper) {
    begin(keeper, SHORT_NS, FAMILY);
    int64_t end_ns = start(keeper, 1);
    await_family(shared->guard, FAMILY_SIZE);
    CHECK(kill(shared->guard, SIGSTOP) == 0); /* nobody here continues it */
    while (clock_now().lease_ns < end_ns) pause_ms(1);
    CHECK(!is_dead(shared->guard));
    await_family(shared->guard, 0);
    expect_gone(keeper, KEEPER_OUT_OF_TIME, CHILD_EXIT_SIGNALLED + SIGKILL);
    keeper_deinit(keeper);
}
TEST(the_kernel_continues_a_guard_in_time, 0)

/* Stopped between its last look at the clock and the setting of its timers, and once more after that. */
static void play_a_guard_that_is_stopped_while_it_sets_its_timers_is_continued_in_time(struct keeper *keeper) {
    begin(keeper, 3 * NS_PER_S, FAMILY);
    int64_t end_ns = start(keeper, 1);
    await_family(shared->guard, FAMILY_SIZE);
    pause_ms(SETTLING_MS);
    shared->stop_after = WAKER_TIMERS + 1;
    shared->stall_ms = STALL_MS;
    CHECK(kill(shared->guard, SIGCONT) == 0); /* which wakes it */
    await_stopped(shared->guard);
    await_family(shared->guard, 0);
    CHECK(!is_dead(shared->guard)); /* it could do that itself */
    CHECK(clock_now().lease_ns < end_ns + STALL_MS * NS_PER_MS / 2); /* a busy machine's slack */
    expect_gone(keeper, KEEPER_OUT_OF_TIME, CHILD_EXIT_SIGNALLED + SIGKILL);
    keeper_deinit(keeper);
}
TEST(a_guard_that_is_stopped_while_it_sets_its_timers_is_continued_in_time, 0)

/* Until the command would have to be stopped at once. */
static void play_a_start_that_is_held_up_for_too_long_begins_nothing(struct keeper *keeper) {
    begin(keeper, SHORT_NS, "exit 0");
    pause_ms(SETTLING_MS);
    shared->stall_ms = (int)(SHORT_NS * 13 / 16 / NS_PER_MS);
    int64_t end_ns = start(keeper, 1);
    while (clock_now().lease_ns < end_ns) pause_ms(1); /* nor does the keeper put an end to it */
    CHECK(shared->stall_ms == 0 && shared->forks == 0);
    while (until_event(keeper).type != KEEPER_GONE) continue;
    keeper_deinit(keeper);
}
TEST(a_start_that_is_held_up_for_too_long_begins_nothing, 0)

static void play_the_kernel_ends_a_guard_that_hangs(struct keeper *keeper) {
    begin(keeper, SHORT_NS, "exec sleep 100");
    int64_t end_ns = start(keeper, 1);
    await_family(shared->guard, 1);
    freeze(shared->guard);
    while (clock_now().lease_ns < end_ns) {
        bool long_before = clock_now().lease_ns < end_ns - keeper->options.margin_ns;
        CHECK(!long_before || !is_dead(shared->guard)); /* it would leave a family to us */
        pause_ms(1);
    }
    CHECK(is_dead(shared->guard));
    expect_gone(keeper, KEEPER_OUT_OF_TIME, CHILD_EXIT_SIGNALLED + SIGKILL);
    keeper_deinit(keeper);
}
TEST(the_kernel_ends_a_guard_that_hangs, 0)

static void play_a_guards_timers_run_on_while_the_machine_is_suspended(struct keeper *keeper) {
    begin(keeper, LONG_NS, "exit 0");
    CHECK(shared->clock_count ==
          2 * WAKER_TIMERS + 2); /* the keeper's; one to wake up, one to kill */
    for (int i = 0; i < shared->clock_count; i++) CHECK(shared->clocks[i] == CLOCK_BOOTTIME);
    keeper_deinit(keeper);
}
TEST(a_guards_timers_run_on_while_the_machine_is_suspended, 0)

/* --- who can't be signalled --- */

/* Waits for a note about him, and that there is no second one. */
static void expect_named(struct keeper *keeper) {
    char expected[64];
    struct keeper_event event;
    (void)text_format(expected, sizeof expected, "process %d (sleep)", (int)shared->untouchable);
    do {
        event = next_event(keeper);
    } while (event.type != KEEPER_NOTE);
    CHECK(strstr(event.text, expected) != NULL);
    notes_heard = 0;
    CHECK(event_within(keeper, 300 * NS_PER_MS).type == KEEPER_NOTHING);
    CHECK(notes_heard == 0);
}

static void begin_with_untouchable(struct keeper *keeper, bool lost) {
    struct keeper_options options =
        usual(LONG_NS, "setsid sh -c 'echo $$ >$EAR; exec sleep 100' & wait");
    options.kill_after_ns = 100 * NS_PER_MS;
    begin_with(keeper, &options);
    (void)start(keeper, 1);
    pid_t pid = (pid_t)atoi(hear());
    while (strcmp(name_of(pid), "sleep") != 0) pause_ms(1);
    shared->untouchable = pid;
    if (lost) CHECK(kill(shared->guard, SIGKILL) == 0);
    if (!lost) CHECK(keeper_stop(keeper, KEEPER_STOP_LOST, 0, false) == 0);
}

static void play_who_cant_be_signalled_is_named_and_waited_for(struct keeper *keeper) {
    for (int lost = 0; lost < 2; lost++) {
        struct keeper_event event;
        begin_with_untouchable(keeper, lost == 1);
        expect_named(keeper);
        CHECK(!is_dead(shared->untouchable));
        shared->untouchable = 0;
        int64_t begun_ns = clock_now().lease_ns;
        do {
            event = next_event(keeper);
        } while (event.type != KEEPER_GONE);
        CHECK(clock_now().lease_ns - begun_ns < 10 * NS_PER_S); /* it goes on of itself */
        CHECK(event.end == (lost == 1 ? KEEPER_GUARD_LOST : KEEPER_ENDED));
        await_family(getpid(), lost == 1 ? 0 : 1);
        keeper_deinit(keeper);
    }
}
TEST(who_cant_be_signalled_is_named_and_waited_for, 0)

static void play_who_cant_be_signalled_is_left_by_name(struct keeper *keeper) {
    for (int lost = 0; lost < 2; lost++) {
        char reason[TEXT_REASON_SIZE], expected[64];
        begin_with_untouchable(keeper, lost == 1);
        (void)text_format(expected, sizeof expected, "process %d (sleep)",
                          (int)shared->untouchable);
        CHECK(keeper_finish(keeper, reason) == -EPERM);
        CHECK(strstr(reason, expected) != NULL);
        pid_t left = shared->untouchable;
        CHECK(!is_dead(left));
        shared->untouchable = 0;
        keeper_deinit(keeper);
        CHECK(kill(left, SIGKILL) == 0 || errno == ESRCH);
        await_dead(left);
    }
}
TEST(who_cant_be_signalled_is_left_by_name, 0)

/* --- a guard that can't be had --- */

static void play_a_guard_that_cant_set_itself_up_says_what_failed(struct keeper *keeper) {
    static const char *const what[] = {"become a subreaper", "be told of the keeper's death",
                                       "make timers"};
    char reason[TEXT_REASON_SIZE];
    size_t heard = 0;
    for (int call = 1; call < 20; call++) {
        struct keeper_options options = usual(LONG_NS, "exit 0");
        shared->setup_fails_at = call;
        if (keeper_init(keeper, &options, reason) == 0) break;
        CHECK(strstr(reason, strerror(EPERM)) != NULL);
        if (heard + 1 < 3 && strstr(reason, what[heard + 1]) != NULL) heard++;
        CHECK(strstr(reason, what[heard]) != NULL);
        CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    }
    CHECK(heard == 2);
    keeper_deinit(keeper);
}
TEST(a_guard_that_cant_set_itself_up_says_what_failed, 0)

static void play_a_command_that_cant_be_forked_is_an_end_of_its_run(struct keeper *keeper) {
    struct keeper_options options = usual(LONG_NS, "exit 7");
    options.restartable = true;
    begin_with(keeper, &options);
    shared->no_fork = true;
    (void)start(keeper, 1);
    struct keeper_event event = until_event(keeper);
    CHECK(event.type == KEEPER_GONE && event.end == KEEPER_ENDED);
    CHECK(event.exit_code == 126 && event.exec_errno == EAGAIN);
    shared->no_fork = false;
    int descriptors = count_descriptors(shared->guard);
    for (int64_t token = 2; token < 5; token++) {
        (void)start(keeper, token);
        expect_gone(keeper, KEEPER_ENDED, 7);
    }
    CHECK(count_descriptors(shared->guard) == descriptors);
    keeper_deinit(keeper);
}
TEST(a_command_that_cant_be_forked_is_an_end_of_its_run, 0)

/* --- both --- */

static void play_a_command_whose_guard_died_too_early_to_tell_never_runs(struct keeper *keeper) {
    begin(keeper, LONG_NS, "echo begun >$EAR");
    shared->guard_dies_first = true;
    (void)start(keeper, 1);
    for (int ended = 0; ended < 2; ended++) CHECK(waitpid(-1, NULL, __WALL) > 0); /* both */
    CHECK(is_dead(shared->guard) && nothing_was_heard());
}

static void a_command_whose_guard_died_too_early_to_tell_never_runs(void **state) {
    (void)state;
    play(play_a_command_whose_guard_died_too_early_to_tell_never_runs, 0);
    play_on_terminal(play_a_command_whose_guard_died_too_early_to_tell_never_runs);
}

static void play_finishing_kills_what_runs(struct keeper *keeper) {
    char reason[TEXT_REASON_SIZE];
    for (int guard_lost = 0; guard_lost < 2; guard_lost++) {
        begin_family(keeper);
        if (guard_lost == 1) CHECK(kill(shared->guard, SIGKILL) == 0);
        CHECK(keeper_finish(keeper, reason) == 0);
        await_family(getpid(), 0);
        CHECK(keeper_start(keeper, 2, clock_now().lease_ns + LONG_NS) == -ESRCH);
        keeper_deinit(keeper);
    }
}
TEST(finishing_kills_what_runs, 0)

static void play_finishing_waits_for_no_guard_that_hangs(struct keeper *keeper) {
    char reason[TEXT_REASON_SIZE];
    begin(keeper, SHORT_NS, "exec sleep 100");
    int64_t end_ns = start(keeper, 1);
    await_family(shared->guard, 1);
    freeze(shared->guard);
    CHECK(keeper_finish(keeper, reason) == 0);
    CHECK(clock_now().lease_ns >= end_ns - keeper->options.margin_ns); /* it was its turn before */
    await_family(getpid(), 0);
    keeper_deinit(keeper);
}
TEST(finishing_waits_for_no_guard_that_hangs, 0)

static void play_a_guard_leaves_stopped_or_frozen(struct keeper *keeper) {
    for (int frozen = 0; frozen < 2; frozen++) {
        begin(keeper, LONG_NS, "exit 0");
        if (frozen == 1) freeze(shared->guard);
        if (frozen == 0) CHECK(kill(shared->guard, SIGSTOP) == 0);
        if (frozen == 0) await_stopped(shared->guard);
        int64_t begun_ns = clock_now().lease_ns;
        keeper_deinit(keeper);
        if (frozen == 0) CHECK(clock_now().lease_ns - begun_ns < 2 * NS_PER_S); /* of itself */
        CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
    }
}
TEST(a_guard_leaves_stopped_or_frozen, 0)

int main(void) {
    (void)alarm(120);
#define STAGED(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        STAGED(all_of_it_dies_with_the_guard),
        STAGED(a_child_that_changes_right_after_a_look_is_looked_at_again),
        STAGED(who_tells_a_guard_that_has_just_died_hears_of_the_end),
        STAGED(a_guard_that_will_be_needed_is_replaced),
        STAGED(where_no_other_guard_can_be_had_that_is_said),
        STAGED(a_stopped_guard_is_continued),
        STAGED(nothing_that_was_there_before_is_killed),
        STAGED(many_that_were_there_before_live_on),
        STAGED(they_are_found_where_nothing_can_be_opened),
        STAGED(who_cant_be_found_isnt_taken_for_dead),
        STAGED(all_of_it_dies_with_the_keeper),
        STAGED(all_of_it_dies_whoever_holds_the_keepers_sockets),
        STAGED(a_guard_finds_them_where_nothing_can_be_opened),
        STAGED(a_stopped_guard_goes_on_when_its_keeper_dies),
        STAGED(a_guard_without_a_run_leaves_with_its_keeper),
        STAGED(a_start_that_a_dead_keeper_left_begins_nothing),
        STAGED(a_stopped_keepers_command_is_dead_in_time),
        STAGED(the_kernel_continues_a_guard_in_time),
        STAGED(a_guard_that_is_stopped_while_it_sets_its_timers_is_continued_in_time),
        STAGED(a_start_that_is_held_up_for_too_long_begins_nothing),
        STAGED(the_kernel_ends_a_guard_that_hangs),
        STAGED(a_guards_timers_run_on_while_the_machine_is_suspended),
        STAGED(a_command_whose_guard_died_too_early_to_tell_never_runs),
        STAGED(who_cant_be_signalled_is_named_and_waited_for),
        STAGED(who_cant_be_signalled_is_left_by_name),
        STAGED(a_guard_that_cant_set_itself_up_says_what_failed),
        STAGED(a_command_that_cant_be_forked_is_an_end_of_its_run),
        STAGED(finishing_kills_what_runs),
        STAGED(finishing_waits_for_no_guard_that_hangs),
        STAGED(a_guard_leaves_stopped_or_frozen),
    };
    return cmocka_run_group_tests_name("keeper losses", tests, NULL, NULL);
}

/* The guard's decisions, on virtual time: a lease from 0 stops at 7 s and kills at 9 s (guard_scene.h). */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard_scene.h"

static void a_start_launches_the_command_with_its_token(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    expect_actions(&scene, 1);
    assert_int_equal(scene.last.item[0].type, GUARD_LAUNCH);
    assert_int_equal(scene.last.item[0].token, 42);
    assert_int_equal(scene.last.wake_ns, 7 * S);
    assert_int_equal(scene.last.kill_ns, 9 * S);
}

static void a_start_read_too_late_launches_nothing(void **state) {
    (void)state;
    struct scene scene;
    begin_with(&scene, &usual);
    happens(&scene, 7 * S, (struct guard_event){.type = GUARD_TOLD_START, .lease_end_ns = 10 * S});
    expect_actions(&scene, 1);
    expect_report(&scene, true, 0);
    assert_int_equal(scene.guard.state, GUARD_IDLE);
}

static void the_end_of_a_command_alone_is_reported_at_once(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    ended(&scene, 3 * S, 7);
    all_dead(&scene, 3 * S);
    expect_report(&scene, false, 7);
    assert_int_equal(scene.last.wake_ns, GUARD_NEVER);
    assert_int_equal(scene.last.kill_ns, GUARD_NEVER);
}

static void what_kept_a_command_from_being_run_is_reported(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    happens(&scene, 0, (struct guard_event){.type = GUARD_COMMAND_ENDED, .exit_code = 127, .exec_errno = ENOENT});
    all_dead(&scene, 0);
    expect_report(&scene, false, 127);
    assert_int_equal(scene.last.item[0].exec_errno, ENOENT);
}

static void what_a_command_leaves_behind_is_asked_then_killed(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    ended(&scene, 3 * S, 7);
    expect_actions(&scene, 1);
    expect_signal(&scene, 0, GUARD_SIGNAL_REST, SIGTERM);
    assert_int_equal(scene.last.wake_ns, 5 * S);
    tick(&scene, 5 * S - 1);
    expect_actions(&scene, 0);
    tick(&scene, 5 * S);
    expect_kill(&scene);
    all_dead(&scene, 5 * S + 1);
    expect_report(&scene, false, 7); /* the command's own end counts */
}

static void what_is_left_behind_dies_with_the_lease_but_the_command_ended_by_itself(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    ended(&scene, 6 * S, 7);
    assert_int_equal(scene.last.wake_ns, 8 * S);
    tick(&scene, 9 * S);
    expect_kill(&scene);
    all_dead(&scene, 9 * S);
    expect_report(&scene, false, 7);
}

static void a_lease_that_isnt_renewed_stops_then_kills(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    tick(&scene, 7 * S - 1);
    expect_actions(&scene, 0);
    tick(&scene, 7 * S);
    expect_stop(&scene, SIGTERM);
    assert_int_equal(scene.last.wake_ns, 9 * S);
    tick(&scene, 9 * S - 1);
    expect_actions(&scene, 0);
    tick(&scene, 9 * S);
    expect_kill(&scene);
    assert_int_equal(scene.last.kill_ns, GUARD_NEVER); /* the kernel's timer mustn't end the killing */
    ended(&scene, 9 * S + 1, 137);
    all_dead(&scene, 9 * S + 2);
    expect_report(&scene, true, 137);
}

static void a_guard_that_is_late_to_stop_kills_earlier(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    tick(&scene, 7 * S + 300 * NS_PER_MS);
    expect_stop(&scene, SIGTERM);
    assert_int_equal(scene.last.wake_ns, 9 * S - 600 * NS_PER_MS);
    start(&scene);
    tick(&scene, 8 * S); /* but never takes more than half of the time */
    assert_int_equal(scene.last.wake_ns, 8 * S);
    tick(&scene, 8 * S);
    expect_kill(&scene);
}

static void woken_past_the_killing_time_it_kills_without_asking(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    tick(&scene, 60 * S);
    expect_kill(&scene);
    assert_true(scene.guard.out_of_time);
}

static void an_extension_moves_both_times(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    extend(&scene, 3 * S, 13 * S);
    assert_int_equal(scene.last.wake_ns, 10 * S);
    assert_int_equal(scene.last.kill_ns, 12 * S);
    extend(&scene, 4 * S, 5 * S); /* and never back */
    assert_int_equal(scene.last.wake_ns, 10 * S);
}

static void an_extension_that_waits_to_be_read_counts(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    told(&scene, 9 * S + 1, GUARD_TOLD_SIGNAL, SIGUSR1); /* read first, after a long sleep */
    extend(&scene, 9 * S + 2, 19 * S);
    tick(&scene, 9 * S + 3);
    expect_actions(&scene, 0);
    assert_int_equal(scene.guard.state, GUARD_RUNNING);
}

static void an_extension_doesnt_stop_the_killing(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    tick(&scene, 9 * S);
    extend(&scene, 9 * S, 20 * S);
    tick(&scene, 9 * S);
    expect_kill(&scene);
}

static void a_shutdown_without_a_timeout_waits_as_long_as_it_is_renewed(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    told(&scene, 1 * S, GUARD_TOLD_SHUTDOWN, SIGTERM);
    expect_stop(&scene, SIGTERM);
    for (int64_t now_ns = 3 * S; now_ns < 300 * S; now_ns += 3 * S) {
        extend(&scene, now_ns, now_ns + 10 * S);
        tick(&scene, now_ns);
        expect_actions(&scene, 0);
    }
    ended(&scene, 300 * S, 0);
    all_dead(&scene, 300 * S);
    expect_report(&scene, false, 0);
}

static void a_shutdown_with_a_timeout_kills_after_it(void **state) {
    (void)state;
    struct guard_config config = usual;
    config.stop_timeout_ns = 4 * S;
    struct scene scene;
    start_with(&scene, &config);
    told(&scene, 1 * S, GUARD_TOLD_SHUTDOWN, SIGTERM);
    assert_int_equal(scene.last.wake_ns, 5 * S);
    tick(&scene, 5 * S);
    expect_kill(&scene);
    ended(&scene, 5 * S, 137);
    all_dead(&scene, 5 * S);
    expect_report(&scene, false, 137); /* stopped because it was asked to, not by the deadline */
}

static void a_shutdown_dies_with_its_lease(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    told(&scene, 1 * S, GUARD_TOLD_SHUTDOWN, SIGTERM);
    tick(&scene, 7 * S); /* it was asked to stop already */
    expect_actions(&scene, 0);
    tick(&scene, 9 * S);
    expect_kill(&scene);
    all_dead(&scene, 9 * S);
    expect_report(&scene, true, 0);
}

static void told_twice_is_told_once(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    told(&scene, 1 * S, GUARD_TOLD_SHUTDOWN, SIGTERM);
    told(&scene, 2 * S, GUARD_TOLD_SHUTDOWN, SIGTERM);
    expect_actions(&scene, 0);
}

/* The keeper renewed in time, but the guard heard of it too late. */
static void stop_for_the_deadline_and_go_on(struct scene *scene, const struct guard_config *config) {
    start_with(scene, config);
    tick(scene, 7 * S);
    expect_stop(scene, SIGTERM);
    extend(scene, 7 * S, 17 * S);
    tick(scene, 7 * S);
    expect_actions(scene, 0);
    assert_int_equal(scene->last.wake_ns, 9 * S); /* not 16 s: it has kill_after from its signal, as ever */
}

static void what_ignores_the_deadlines_stop_doesnt_live_on_by_an_extension(void **state) {
    (void)state;
    struct scene scene;
    stop_for_the_deadline_and_go_on(&scene, &usual);
    tick(&scene, 9 * S);
    expect_kill(&scene);
    ended(&scene, 9 * S, 137);
    all_dead(&scene, 9 * S);
    expect_report(&scene, true, 137);
}

static void a_shutdown_after_the_deadlines_stop_has_its_timeout(void **state) {
    (void)state;
    struct guard_config config = usual;
    config.stop_timeout_ns = S / 2;
    struct scene scene;
    stop_for_the_deadline_and_go_on(&scene, &config);
    told(&scene, 8 * S, GUARD_TOLD_SHUTDOWN, SIGTERM); /* which it has */
    expect_actions(&scene, 0);
    assert_int_equal(scene.last.wake_ns, 8 * S + S / 2);
    told(&scene, 8 * S + S / 4, GUARD_TOLD_SHUTDOWN, SIGTERM);
    assert_int_equal(scene.last.wake_ns, 8 * S + S / 2);
    tick(&scene, 8 * S + S / 2);
    expect_kill(&scene);
}

static void a_shutdown_after_the_deadlines_stop_sends_a_signal_of_its_own(void **state) {
    (void)state;
    struct scene scene;
    stop_for_the_deadline_and_go_on(&scene, &usual);
    told(&scene, 8 * S, GUARD_TOLD_SHUTDOWN, SIGINT);
    expect_stop(&scene, SIGINT);
    told(&scene, 8 * S, GUARD_TOLD_SHUTDOWN, SIGINT);
    expect_actions(&scene, 0);
}

static void a_shutdown_shortens_the_time_of_what_was_left_behind(void **state) {
    (void)state;
    struct guard_config config = usual;
    config.stop_timeout_ns = NS_PER_S / 2;
    struct scene scene;
    start_with(&scene, &config);
    ended(&scene, 1 * S, 0);
    assert_int_equal(scene.last.wake_ns, 3 * S);
    told(&scene, 1 * S, GUARD_TOLD_SHUTDOWN, SIGTERM);
    expect_actions(&scene, 0);
    assert_int_equal(scene.last.wake_ns, 1 * S + NS_PER_S / 2);
}

static void a_terminals_signal_isnt_sent_again_but_the_stop_signal_follows_at_the_end(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    told(&scene, 1 * S, GUARD_TOLD_SHUTDOWN, 0);
    expect_actions(&scene, 0);
    assert_int_equal(scene.guard.state, GUARD_STOPPING);
    assert_int_equal(scene.last.wake_ns, 7 * S);
    tick(&scene, 7 * S);
    expect_stop(&scene, SIGTERM);
    tick(&scene, 7 * S + 1);
    expect_actions(&scene, 0);
}

static void lost_after_a_shutdown_leaves_less_time(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    told(&scene, 1 * S, GUARD_TOLD_SHUTDOWN, SIGINT);
    expect_stop(&scene, SIGINT);
    told(&scene, 2 * S, GUARD_TOLD_LOST, SIGTERM);
    expect_stop(&scene, SIGTERM);
    assert_int_equal(scene.last.wake_ns, 4 * S);
    tick(&scene, 4 * S);
    expect_kill(&scene);
}

static void lost_never_gets_time_past_the_lease(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    told(&scene, 8 * S, GUARD_TOLD_LOST, SIGTERM);
    assert_int_equal(scene.last.wake_ns, 9 * S);
    tick(&scene, 9 * S);
    expect_kill(&scene);
}

static void lost_shortens_the_time_of_what_was_left_behind(void **state) {
    (void)state;
    struct guard_config config = usual;
    config.kill_after_ns = 2 * S;
    struct scene scene;
    start_with(&scene, &config);
    ended(&scene, 1 * S, 0);
    assert_int_equal(scene.last.wake_ns, 3 * S);
    told(&scene, 2 * S, GUARD_TOLD_LOST, SIGTERM);
    expect_actions(&scene, 0);
    assert_int_equal(scene.last.wake_ns, 3 * S); /* not lengthens */
}

static void without_a_keeper_everything_is_killed_and_the_guard_leaves(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    told(&scene, 1 * S, GUARD_KEEPER_GONE, 0);
    expect_kill(&scene);
    told(&scene, 1 * S, GUARD_KEEPER_GONE, 0); /* said at every turn */
    expect_actions(&scene, 0);
    ended(&scene, 1 * S, 137);
    all_dead(&scene, 1 * S);
    expect_actions(&scene, 2);
    assert_int_equal(scene.last.item[1].type, GUARD_LEAVE);
}

static void without_a_keeper_an_idle_guard_leaves_and_starts_nothing(void **state) {
    (void)state;
    struct scene scene;
    begin_with(&scene, &usual);
    told(&scene, 0, GUARD_KEEPER_GONE, 0);
    expect_actions(&scene, 1);
    assert_int_equal(scene.last.item[0].type, GUARD_LEAVE);
    happens(&scene, 0, (struct guard_event){.type = GUARD_TOLD_START, .lease_end_ns = 10 * S});
    expect_actions(&scene, 0);
}

static void a_keeper_that_goes_while_all_is_killed_starts_no_second_killing(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    tick(&scene, 9 * S);
    expect_kill(&scene);
    told(&scene, 9 * S, GUARD_KEEPER_GONE, 0);
    expect_actions(&scene, 0);
    all_dead(&scene, 9 * S);
    expect_actions(&scene, 2);
    assert_int_equal(scene.last.item[1].type, GUARD_LEAVE);
}

static void an_idle_guard_has_no_deadline_and_nobody_to_bury(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    ended(&scene, 1 * S, 0);
    all_dead(&scene, 1 * S);
    expect_report(&scene, false, 0);
    tick(&scene, 99 * S); /* long past the lease that it had */
    expect_actions(&scene, 0);
    all_dead(&scene, 99 * S);
    expect_actions(&scene, 0);
    assert_int_equal(scene.guard.state, GUARD_IDLE);
}

static void killing_goes_on_in_rounds_that_slow_down(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    tick(&scene, 9 * S);
    assert_int_equal(scene.last.wake_ns, 9 * S); /* at once, again */
    int64_t now_ns = 9 * S;
    int rounds = 0;
    for (; rounds < 2000; rounds++) {
        tick(&scene, now_ns);
        expect_kill(&scene);
        assert_true(scene.last.wake_ns >= now_ns && scene.last.wake_ns <= now_ns + 100 * NS_PER_MS);
        now_ns = scene.last.wake_ns;
        if (rounds == 400) assert_true(now_ns < 12 * S); /* what dies slowly is still met often */
    }
    assert_int_equal(scene.last.wake_ns - scene.guard.round_ns, 0);
    tick(&scene, now_ns - 1);
    expect_actions(&scene, 0);
    assert_true(now_ns > 60 * S); /* an unkillable process costs no whole processor */
}

static void signals_are_passed_on_while_there_is_a_command(void **state) {
    (void)state;
    struct scene scene;
    begin_with(&scene, &usual);
    told(&scene, 0, GUARD_TOLD_SIGNAL, SIGHUP);
    expect_actions(&scene, 0);
    start(&scene);
    told(&scene, 1 * S, GUARD_TOLD_SIGNAL, SIGHUP);
    expect_actions(&scene, 1);
    expect_signal(&scene, 0, GUARD_SIGNAL_COMMAND, SIGHUP);
    ended(&scene, 2 * S, 0);
    told(&scene, 2 * S, GUARD_TOLD_SIGNAL, SIGHUP); /* its number may be another's by now */
    expect_actions(&scene, 0);
}

static void a_terminal_stop_is_answered_where_nobody_else_would(void **state) {
    (void)state;
    struct guard_config config = usual;
    config.answer_stops = true;
    struct scene scene;
    start_with(&scene, &config);
    told(&scene, 1 * S, GUARD_COMMAND_STOPPED, SIGTSTP);
    expect_actions(&scene, 1);
    expect_signal(&scene, 0, GUARD_SIGNAL_GROUP, SIGCONT);
    told(&scene, 1 * S, GUARD_COMMAND_STOPPED, SIGSTOP); /* whoever did that knows why */
    expect_actions(&scene, 0);
    assert_int_equal(scene.last.wake_ns, 7 * S);
    told(&scene, 2 * S, GUARD_COMMAND_STOPPED, SIGTTIN); /* would happen again at once */
    expect_actions(&scene, 0);
    int64_t wake_ns = scene.last.wake_ns;
    assert_true(wake_ns > 2 * S && wake_ns < 3 * S);
    tick(&scene, wake_ns);
    expect_signal(&scene, 0, GUARD_SIGNAL_GROUP, SIGCONT);
    assert_int_equal(scene.last.wake_ns, 7 * S);
}

static void a_terminal_stop_is_answered_while_stopping_too(void **state) {
    (void)state;
    struct guard_config config = usual;
    config.answer_stops = true;
    struct scene scene;
    start_with(&scene, &config);
    told(&scene, 1 * S, GUARD_TOLD_SHUTDOWN, SIGTERM);
    told(&scene, 2 * S, GUARD_COMMAND_STOPPED, SIGTSTP);
    expect_actions(&scene, 1);
    expect_signal(&scene, 0, GUARD_SIGNAL_GROUP, SIGCONT);
    told(&scene, 2 * S, GUARD_COMMAND_STOPPED, SIGTTOU);
    assert_int_equal(scene.last.wake_ns, 2 * S + 100 * NS_PER_MS);
    tick(&scene, scene.last.wake_ns);
    expect_signal(&scene, 0, GUARD_SIGNAL_GROUP, SIGCONT);
    assert_int_equal(scene.last.wake_ns, 9 * S);
}

/* The stop continues it already. What comes later would be for another stop, of which somebody will tell. */
static void a_continuation_that_was_due_is_dropped_by_a_stop(void **state) {
    (void)state;
    struct guard_config config = usual;
    config.answer_stops = true;
    struct scene scene;
    start_with(&scene, &config);
    told(&scene, 2 * S, GUARD_COMMAND_STOPPED, SIGTTIN);
    told(&scene, 2 * S, GUARD_TOLD_SHUTDOWN, SIGTERM);
    expect_stop(&scene, SIGTERM);
    assert_int_equal(scene.last.wake_ns, 9 * S);
    tick(&scene, 3 * S);
    expect_actions(&scene, 0);
}

static void a_stop_is_left_to_the_shell_where_there_is_one(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    told(&scene, 1 * S, GUARD_COMMAND_STOPPED, SIGTSTP);
    expect_actions(&scene, 0);
}

static void a_start_while_something_runs_changes_nothing(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    happens(&scene, 1 * S, (struct guard_event){.type = GUARD_TOLD_START, .token = 43, .lease_end_ns = 99 * S});
    expect_actions(&scene, 0);
    assert_int_equal(scene.last.wake_ns, 7 * S);
}

/* Whatever happens in whatever order: at the killing time all is being killed, or dead; and then nothing but killing is
 * done. */
static void no_order_of_events_lets_the_command_outlive_its_lease(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int run = 0; run < 20000; run++) {
        struct guard_config config = usual;
        config.answer_stops = run % 2 == 0;
        config.stop_timeout_ns = run % 3 == 0 ? 5 * S : GUARD_NEVER;
        struct scene scene;
        start_with(&scene, &config);
        int64_t now_ns = 0;
        bool dead = false;
        for (int i = 0; i < 12 && !dead; i++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            unsigned what = (unsigned)(seed >> 33) % 6, pause = (unsigned)(seed >> 40) % 2000;
            now_ns += pause * NS_PER_MS;
            if (what == 0) extend(&scene, now_ns, now_ns + 10 * S);
            if (what == 1) told(&scene, now_ns, GUARD_TOLD_SHUTDOWN, i % 2 == 0 ? SIGTERM : 0);
            if (what == 2) told(&scene, now_ns, GUARD_TOLD_LOST, SIGTERM);
            if (what == 3) told(&scene, now_ns, GUARD_COMMAND_STOPPED, SIGTTIN);
            if (what == 4) told(&scene, now_ns, GUARD_TOLD_SIGNAL, SIGUSR1);
            if (what == 5 && scene.guard.state != GUARD_CLEARING && seed >> 60 == 0) ended(&scene, now_ns, 0);
            tick(&scene, now_ns);
            bool over = now_ns >= scene.guard.lease_end_ns - config.margin_ns;
            if (over) assert_int_equal(scene.guard.state, GUARD_KILLING);
            if (scene.guard.state != GUARD_KILLING) assert_true(scene.last.wake_ns <= scene.guard.lease_end_ns - 1 * S);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_launches_the_command_with_its_token),
        cmocka_unit_test(a_start_read_too_late_launches_nothing),
        cmocka_unit_test(the_end_of_a_command_alone_is_reported_at_once),
        cmocka_unit_test(what_kept_a_command_from_being_run_is_reported),
        cmocka_unit_test(what_a_command_leaves_behind_is_asked_then_killed),
        cmocka_unit_test(what_is_left_behind_dies_with_the_lease_but_the_command_ended_by_itself),
        cmocka_unit_test(a_lease_that_isnt_renewed_stops_then_kills),
        cmocka_unit_test(a_guard_that_is_late_to_stop_kills_earlier),
        cmocka_unit_test(woken_past_the_killing_time_it_kills_without_asking),
        cmocka_unit_test(an_extension_moves_both_times),
        cmocka_unit_test(an_extension_that_waits_to_be_read_counts),
        cmocka_unit_test(an_extension_doesnt_stop_the_killing),
        cmocka_unit_test(a_shutdown_without_a_timeout_waits_as_long_as_it_is_renewed),
        cmocka_unit_test(a_shutdown_with_a_timeout_kills_after_it),
        cmocka_unit_test(a_shutdown_dies_with_its_lease),
        cmocka_unit_test(told_twice_is_told_once),
        cmocka_unit_test(what_ignores_the_deadlines_stop_doesnt_live_on_by_an_extension),
        cmocka_unit_test(a_shutdown_after_the_deadlines_stop_has_its_timeout),
        cmocka_unit_test(a_shutdown_after_the_deadlines_stop_sends_a_signal_of_its_own),
        cmocka_unit_test(a_shutdown_shortens_the_time_of_what_was_left_behind),
        cmocka_unit_test(a_terminals_signal_isnt_sent_again_but_the_stop_signal_follows_at_the_end),
        cmocka_unit_test(lost_after_a_shutdown_leaves_less_time),
        cmocka_unit_test(lost_never_gets_time_past_the_lease),
        cmocka_unit_test(lost_shortens_the_time_of_what_was_left_behind),
        cmocka_unit_test(without_a_keeper_everything_is_killed_and_the_guard_leaves),
        cmocka_unit_test(without_a_keeper_an_idle_guard_leaves_and_starts_nothing),
        cmocka_unit_test(a_keeper_that_goes_while_all_is_killed_starts_no_second_killing),
        cmocka_unit_test(an_idle_guard_has_no_deadline_and_nobody_to_bury),
        cmocka_unit_test(killing_goes_on_in_rounds_that_slow_down),
        cmocka_unit_test(signals_are_passed_on_while_there_is_a_command),
        cmocka_unit_test(a_terminal_stop_is_answered_where_nobody_else_would),
        cmocka_unit_test(a_terminal_stop_is_answered_while_stopping_too),
        cmocka_unit_test(a_continuation_that_was_due_is_dropped_by_a_stop),
        cmocka_unit_test(a_stop_is_left_to_the_shell_where_there_is_one),
        cmocka_unit_test(a_start_while_something_runs_changes_nothing),
        cmocka_unit_test(no_order_of_events_lets_the_command_outlive_its_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

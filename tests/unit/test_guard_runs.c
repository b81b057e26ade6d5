/* A guard serves one run after the other, and nothing of one sticks to the next. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard_scene.h"

static void a_guard_serves_one_run_after_the_other(void **state) {
    (void)state;
    struct scene scene;
    start(&scene);
    tick(&scene, 9 * S);
    ended(&scene, 9 * S, 137);
    all_dead(&scene, 9 * S);
    happens(&scene, 20 * S, (struct guard_event){.type = GUARD_TOLD_START, .token = 57, .lease_end_ns = 30 * S});
    expect_actions(&scene, 1);
    assert_int_equal(scene.last.item[0].token, 57);
    assert_int_equal(scene.last.wake_ns, 27 * S);
    ended(&scene, 21 * S, 3);
    all_dead(&scene, 21 * S);
    expect_report(&scene, false, 3); /* nothing of the first run sticks */
}

static void start_again(struct scene *scene, int64_t now_ns) {
    happens(scene, now_ns,
            (struct guard_event){.type = GUARD_TOLD_START, .token = 57, .lease_end_ns = now_ns + 10 * S});
    expect_actions(scene, 1);
    assert_int_equal(scene->last.item[0].type, GUARD_LAUNCH);
    assert_int_equal(scene->last.wake_ns, now_ns + 7 * S);
    assert_int_equal(scene->last.kill_ns, now_ns + 9 * S);
}

/* A run with everything in it: stopped late, told to, killed for long. */
static void begin_after_a_bad_run(struct scene *scene) {
    start(scene);
    tick(scene, 7 * S + S / 4);
    told(scene, 8 * S, GUARD_TOLD_SHUTDOWN, SIGINT);
    int64_t now_ns = 9 * S;
    for (int rounds = 0; rounds < 1000; rounds++, now_ns = scene->last.wake_ns) tick(scene, now_ns);
    ended(scene, now_ns, 137);
    all_dead(scene, now_ns);
    expect_report(scene, true, 137);
    start_again(scene, 1000 * S);
}

static void a_bad_run_doesnt_shorten_what_the_next_leaves_behind(void **state) {
    (void)state;
    struct scene scene;
    begin_after_a_bad_run(&scene);
    ended(&scene, 1001 * S, 0);
    assert_int_equal(scene.last.wake_ns, 1003 * S);
}

static void a_bad_run_is_no_stop_of_the_next(void **state) {
    (void)state;
    struct scene scene;
    begin_after_a_bad_run(&scene);
    told(&scene, 1001 * S, GUARD_TOLD_SHUTDOWN, 0);
    assert_int_equal(scene.last.wake_ns, 1007 * S);
    tick(&scene, 1007 * S);
    expect_stop(&scene, SIGTERM);
    tick(&scene, 1009 * S);
    expect_kill(&scene);
    assert_int_equal(scene.last.wake_ns, 1009 * S); /* at once, again */
}

static void a_bad_run_has_told_the_next_nothing(void **state) {
    (void)state;
    struct scene scene;
    begin_after_a_bad_run(&scene);
    tick(&scene, 1007 * S);
    expect_stop(&scene, SIGTERM);
    told(&scene, 1007 * S, GUARD_TOLD_SHUTDOWN, SIGINT);
    expect_stop(&scene, SIGINT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guard_serves_one_run_after_the_other),
        cmocka_unit_test(a_bad_run_doesnt_shorten_what_the_next_leaves_behind),
        cmocka_unit_test(a_bad_run_is_no_stop_of_the_next),
        cmocka_unit_test(a_bad_run_has_told_the_next_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

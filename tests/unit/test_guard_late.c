/* How a guard allows for getting its turn late, on virtual time: it looks twelve times a lease, and stops and kills
 * earlier by twice what it saw (guard_scene.h; TTL 10 s, so at most 1.67 s earlier). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard_scene.h"

#define TTL_NS  (10 * S)
#define LOOK_NS (TTL_NS / 12)
#define MOST_NS (TTL_NS / 6)
#define LATE_NS (100 * NS_PER_MS)

static struct guard_config looking(void) {
    struct guard_config config = usual;
    guard_set_looks(&config, TTL_NS);
    return config;
}

static void start_looking(struct scene *scene) {
    struct guard_config config = looking();
    start_with(scene, &config);
}

/* The next wake-up comes late. Returns when. */
static int64_t wake_late(struct scene *scene, int64_t late_ns) {
    int64_t now_ns = scene->last.wake_ns + late_ns;
    tick(scene, now_ns);
    return now_ns;
}

/* When it would stop the command if it were never late again; so late is left of what it saw. */
static int64_t stop_ns(const struct scene *scene) { return 7 * S - scene->guard.early_ns; }

static void it_looks_twelve_times_a_lease(void **state) {
    (void)state;
    struct scene scene;
    start_looking(&scene);
    for (int64_t now_ns = 0; now_ns + LOOK_NS < 7 * S; now_ns += LOOK_NS) {
        assert_int_equal(scene.last.wake_ns, now_ns + LOOK_NS);
        tick(&scene, now_ns + LOOK_NS - 1);
        assert_int_equal(scene.last.wake_ns, now_ns + LOOK_NS);
        assert_int_equal(wake_late(&scene, 0), now_ns + LOOK_NS);
        expect_actions(&scene, 0);
        assert_int_equal(scene.last.kill_ns, 9 * S);
    }
    assert_int_equal(scene.last.wake_ns, 7 * S);
}

static void one_that_was_late_stops_and_kills_earlier_by_twice_that(void **state) {
    (void)state;
    struct scene scene;
    start_looking(&scene);
    wake_late(&scene, LATE_NS);
    assert_int_equal(scene.last.kill_ns, 9 * S - 2 * LATE_NS);
    while (scene.last.wake_ns < stop_ns(&scene)) wake_late(&scene, LATE_NS);
    assert_int_equal(scene.last.wake_ns, 7 * S - 2 * LATE_NS);
    int64_t stopped_ns = wake_late(&scene, LATE_NS);
    expect_stop(&scene, SIGTERM);
    assert_int_equal(stopped_ns, 7 * S - LATE_NS);
    tick(&scene, 9 * S - 2 * LATE_NS); /* which leaves the command all of its time, but for what came late */
    expect_kill(&scene);
}

static void it_is_measured_whoever_woke_it(void **state) {
    (void)state;
    struct scene scene;
    start_looking(&scene);
    extend(&scene, LOOK_NS + LATE_NS, 14 * S); /* read at the same wake-up, before the tick */
    tick(&scene, LOOK_NS + LATE_NS);
    assert_int_equal(scene.last.kill_ns, 13 * S - 2 * LATE_NS);
    extend(&scene, LOOK_NS + 2 * LATE_NS, 15 * S); /* before anything was due */
    tick(&scene, LOOK_NS + 2 * LATE_NS);
    assert_int_equal(scene.last.kill_ns, 14 * S - 2 * LATE_NS);
}

static void what_it_saw_fades(void **state) {
    (void)state;
    struct scene scene;
    start_looking(&scene);
    wake_late(&scene, LATE_NS);
    wake_late(&scene, 0);
    assert_int_equal(scene.guard.early_ns, 2 * (LATE_NS - LATE_NS / 32));
    int64_t now_ns = wake_late(&scene, LATE_NS / 2); /* the larger counts */
    assert_true(scene.guard.early_ns > LATE_NS && scene.guard.early_ns < 2 * LATE_NS);
    for (int i = 0; i < 96; i++, now_ns = wake_late(&scene, 0)) extend(&scene, now_ns, now_ns + TTL_NS);
    assert_true(scene.guard.early_ns < LATE_NS / 8);
}

static void no_lateness_ends_a_run_that_is_renewed_in_time(void **state) {
    (void)state;
    static const int64_t late_ns[] = {NS_PER_MS, LATE_NS, 2 * S, 3600 * S};
    for (size_t i = 0; i < sizeof late_ns / sizeof late_ns[0]; i++) {
        struct guard_config config = looking();
        config.kill_after_ns = TTL_NS / 3 - 100 * NS_PER_MS - config.margin_ns; /* as much as there may be */
        struct scene scene;
        start_with(&scene, &config);
        scene.guard.due_ns -= late_ns[i]; /* as if it had been due so long ago */
        /* Each renewal is sent a third of a lease after the one before, and answered a sixth later. */
        for (int64_t sent_ns = TTL_NS / 3; sent_ns < 40 * TTL_NS; sent_ns += TTL_NS / 3) {
            for (; scene.last.wake_ns < sent_ns + TTL_NS / 6; scene.guard.due_ns -= late_ns[i]) {
                tick(&scene, scene.last.wake_ns);
                expect_actions(&scene, 0);
            }
            extend(&scene, sent_ns + TTL_NS / 6, sent_ns + TTL_NS);
            tick(&scene, sent_ns + TTL_NS / 6);
            expect_actions(&scene, 0);
            scene.guard.due_ns -= late_ns[i];
        }
        assert_int_equal(scene.guard.early_ns, late_ns[i] < S ? 2 * late_ns[i] : MOST_NS);
    }
}

static void what_shows_only_at_the_stop_costs_half_of_the_time_at_most(void **state) {
    (void)state;
    struct scene scene;
    start_looking(&scene);
    while (scene.last.wake_ns < stop_ns(&scene)) wake_late(&scene, 0);
    wake_late(&scene, 900 * NS_PER_MS);
    expect_stop(&scene, SIGTERM);
    assert_int_equal(scene.last.kill_ns, 8 * S);
}

static void it_looks_while_it_waits_for_a_shutdown_too(void **state) {
    (void)state;
    struct scene scene;
    start_looking(&scene);
    told(&scene, S / 2, GUARD_TOLD_SHUTDOWN, SIGTERM);
    tick(&scene, S / 2);
    assert_int_equal(scene.last.wake_ns, LOOK_NS);
    wake_late(&scene, LATE_NS);
    expect_actions(&scene, 0);
    assert_int_equal(scene.last.kill_ns, 9 * S - 2 * LATE_NS);
}

static void the_next_run_begins_without_it(void **state) {
    (void)state;
    struct scene scene;
    start_looking(&scene);
    wake_late(&scene, LATE_NS);
    ended(&scene, 2 * S, 0);
    all_dead(&scene, 2 * S);
    tick(&scene, 2 * S);
    assert_int_equal(scene.last.wake_ns, GUARD_NEVER);
    happens(&scene, 100 * S, (struct guard_event){.type = GUARD_TOLD_START, .lease_end_ns = 103 * S + 1});
    assert_int_equal(scene.guard.state, GUARD_RUNNING); /* which is just not too late */
    ended(&scene, 100 * S, 0);
    all_dead(&scene, 100 * S);
    happens(&scene, 100 * S, (struct guard_event){.type = GUARD_TOLD_START, .lease_end_ns = 110 * S});
    tick(&scene, 100 * S);
    assert_int_equal(scene.last.wake_ns, 100 * S + LOOK_NS);
    assert_int_equal(scene.last.kill_ns, 109 * S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_looks_twelve_times_a_lease),
        cmocka_unit_test(one_that_was_late_stops_and_kills_earlier_by_twice_that),
        cmocka_unit_test(it_is_measured_whoever_woke_it),
        cmocka_unit_test(what_it_saw_fades),
        cmocka_unit_test(no_lateness_ends_a_run_that_is_renewed_in_time),
        cmocka_unit_test(what_shows_only_at_the_stop_costs_half_of_the_time_at_most),
        cmocka_unit_test(it_looks_while_it_waits_for_a_shutdown_too),
        cmocka_unit_test(the_next_run_begins_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

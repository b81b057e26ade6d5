/* A guard on virtual time; see guard_scene.h. */
#include "guard_scene.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

const struct guard_config usual = {
    .stop_signal = SIGTERM, .margin_ns = 1 * S, .kill_after_ns = 2 * S, .stop_timeout_ns = GUARD_NEVER};

void begin_with(struct scene *scene, const struct guard_config *config) { guard_init(&scene->guard, config); }

void happens(struct scene *scene, int64_t now_ns, struct guard_event event) {
    event.now_ns = now_ns;
    guard_step(&scene->guard, &event, &scene->last);
}

void tick(struct scene *scene, int64_t now_ns) { happens(scene, now_ns, (struct guard_event){.type = GUARD_TICKED}); }

void expect_actions(const struct scene *scene, size_t count) { assert_int_equal(scene->last.count, count); }

void expect_signal(const struct scene *scene, size_t i, enum guard_action_type type, int signal) {
    assert_true(i < scene->last.count);
    assert_int_equal(scene->last.item[i].type, type);
    assert_int_equal(scene->last.item[i].signal, signal);
}

void expect_stop(const struct scene *scene, int signal) {
    expect_actions(scene, 2);
    expect_signal(scene, 0, GUARD_SIGNAL_COMMAND, signal);
    expect_signal(scene, 1, GUARD_SIGNAL_COMMAND, SIGCONT);
}

void expect_kill(const struct scene *scene) {
    expect_actions(scene, 1);
    assert_int_equal(scene->last.item[0].type, GUARD_KILL);
}

void expect_report(const struct scene *scene, bool out_of_time, int exit_code) {
    assert_true(scene->last.count >= 1);
    assert_int_equal(scene->last.item[0].type, GUARD_REPORT);
    assert_int_equal(scene->last.item[0].out_of_time, out_of_time);
    assert_int_equal(scene->last.item[0].exit_code, exit_code);
}

void start_with(struct scene *scene, const struct guard_config *config) {
    begin_with(scene, config);
    happens(scene, 0, (struct guard_event){.type = GUARD_TOLD_START, .token = 42, .lease_end_ns = 10 * S});
}

void start(struct scene *scene) { start_with(scene, &usual); }

void extend(struct scene *scene, int64_t now_ns, int64_t lease_end_ns) {
    happens(scene, now_ns, (struct guard_event){.type = GUARD_TOLD_EXTEND, .lease_end_ns = lease_end_ns});
}

void told(struct scene *scene, int64_t now_ns, enum guard_event_type type, int signal) {
    happens(scene, now_ns, (struct guard_event){.type = type, .signal = signal});
}

void ended(struct scene *scene, int64_t now_ns, int exit_code) {
    happens(scene, now_ns, (struct guard_event){.type = GUARD_COMMAND_ENDED, .exit_code = exit_code});
}

void all_dead(struct scene *scene, int64_t now_ns) {
    happens(scene, now_ns, (struct guard_event){.type = GUARD_ALL_DEAD});
}

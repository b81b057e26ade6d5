/* The guard: a set-up, then any events in any order for ever. */
#include "any.h"
#include "base/clock.h"
#include "process/guard_step.h"

#define FOREVER_NS (INT64_MAX / 8) /* 36 years after the lease clock's start */

int main(void) {
    struct guard guard;
    struct guard_config config = {
        .stop_signal = any_int(1, 64),
        .margin_ns = any_int64(0, 100 * NS_PER_S),
        .kill_after_ns = any_int64(0, 1000 * NS_PER_S),
        .stop_timeout_ns = any_int64(0, GUARD_NEVER),
        .answer_stops = any_bool(),
    };
    if (any_bool()) guard_set_looks(&config, any_int64(0, 1000 * NS_PER_S));
    guard_init(&guard, &config);
    for (;;) {
        struct guard_event event = {
            .type = (enum guard_event_type)any_int(GUARD_TICKED, GUARD_KEEPER_GONE),
            .now_ns = any_int64(0, FOREVER_NS),
            .token = any_int64(INT64_MIN, INT64_MAX),
            .lease_end_ns = any_int64(0, FOREVER_NS),
            .signal = any_int(INT32_MIN, INT32_MAX),
            .exit_code = any_int(INT32_MIN, INT32_MAX),
            .exec_errno = any_int(INT32_MIN, INT32_MAX),
        };
        struct guard_actions actions;
        guard_step(&guard, &event, &actions);
        //@ check actions_fit: actions.count <= GUARD_ACTIONS_MAX;
    }
}

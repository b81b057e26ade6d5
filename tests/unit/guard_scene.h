/* For tests of the guard's decisions: a guard on virtual time, what happens to it, and what is expected of its last
 * step. As usual: TTL 10 s, margin 1 s, kill-after 2 s, so a lease from 0 stops at 7 s and kills at 9 s. */
#ifndef UNIT_GUARD_SCENE_H
#define UNIT_GUARD_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "process/guard_step.h"

#define S NS_PER_S

extern const struct guard_config usual;

/* Owned by the caller; plain values. */
struct scene {
    struct guard guard;
    struct guard_actions last; /* of the last step */
};

void begin_with(struct scene *scene, const struct guard_config *config);
void happens(struct scene *scene, int64_t now_ns, struct guard_event event);
void tick(struct scene *scene, int64_t now_ns);

void expect_actions(const struct scene *scene, size_t count);
void expect_signal(const struct scene *scene, size_t i, enum guard_action_type type, int signal);
void expect_stop(const struct scene *scene, int signal);
void expect_kill(const struct scene *scene);
void expect_report(const struct scene *scene, bool out_of_time, int exit_code);

/* The command is started at 0, with token 42. */
void start_with(struct scene *scene, const struct guard_config *config);
void start(struct scene *scene);

void extend(struct scene *scene, int64_t now_ns, int64_t lease_end_ns);
void told(struct scene *scene, int64_t now_ns, enum guard_event_type type, int signal);
void ended(struct scene *scene, int64_t now_ns, int exit_code);
void all_dead(struct scene *scene, int64_t now_ns);

#endif

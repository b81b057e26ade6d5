/* Scheduling attributes; see priority.h. */
#include "base/priority.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#define CLASS_DEADLINE 6 /* SCHED_DEADLINE, which libc may not know */
#define RESET_ON_FORK  1 /* SCHED_FLAG_RESET_ON_FORK */
#define NICE_BEST      (-20)
#define SHORT_SLICE_NS (NS_PER_MS / 10) /* the shortest that there is, from Linux 6.12 on */

/* The kernel's struct sched_attr, its first version; libc has it from 2.41 on. */
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t rt;
    uint64_t runtime_ns; /* the slice of one that isn't of a real-time class; before Linux 6.12 always 0 */
    uint64_t deadline_ns;
    uint64_t period_ns;
};

static int get(struct attributes *out) {
    *out = (struct attributes){0};
    return syscall(SYS_sched_getattr, 0, out, sizeof *out, 0) == 0 ? 0 : -errno;
}

/* Returns 0 or -errno. */
static int set(struct attributes attributes) {
    attributes.size = sizeof attributes;
    return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0 ? 0 : -errno;
}

static bool is_real_time(uint32_t policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }

static bool is_fair(uint32_t policy) { return policy == SCHED_OTHER || policy == SCHED_BATCH; }

/* The kernel shows no difference between its own slice and a chosen one: so its own is asked for, and compared. */
static uint64_t chosen_slice_ns(const struct attributes *now) {
    struct attributes own = *now;
    own.runtime_ns = 0;
    if (!is_fair(now->policy) || now->runtime_ns == 0 || set(own) != 0 || get(&own) != 0) return now->runtime_ns;
    if (own.runtime_ns == now->runtime_ns) return 0;
    (void)set(*now); /* where this fails, we have lost what we would give back anyway */
    return now->runtime_ns;
}

void priority_remember(struct priority *given) {
    struct attributes now;
    *given = (struct priority){.known = get(&now) == 0, .may_fork = true};
    if (!given->known) return;
    int slack_ns = prctl(PR_GET_TIMERSLACK);
    given->timer_slack_ns = slack_ns > 0 ? (uint64_t)slack_ns : 0;
    bool reset = (now.flags & RESET_ON_FORK) != 0;
    given->may_fork = now.policy != CLASS_DEADLINE || reset;
    if (reset) { /* as the kernel does it for a child */
        bool plain = is_fair(now.policy) || now.policy == SCHED_IDLE;
        given->policy = plain ? now.policy : SCHED_OTHER;
        given->nice = plain && now.nice > 0 ? now.nice : 0;
        return;
    }
    given->policy = now.policy;
    given->rt = is_real_time(now.policy) ? now.rt : 0;
    given->nice = now.nice;
    given->slice_ns = is_real_time(now.policy) ? 0 : chosen_slice_ns(&now);
}

/* What a limit read with error allows. */
static uint64_t allowed_by(int error, const struct rlimit *limit) { return error == 0 ? limit->rlim_cur : 0; }

/* Who may not clear the flag would be refused everything else with it. */
static uint64_t flags_now(void) {
    struct attributes now;
    return get(&now) == 0 ? now.flags & RESET_ON_FORK : 0;
}

static int raise_real_time(const struct priority *given, uint32_t most) {
    uint32_t least = given->rt + 1;
    struct rlimit limit;
    uint64_t allowed = allowed_by(getrlimit(RLIMIT_RTPRIO, &limit), &limit);
    struct attributes wanted = {.policy = given->rt > 0 ? given->policy : SCHED_RR, .flags = flags_now()};
    wanted.rt = most > least ? most : least;
    if (least > PRIORITY_RT_MOST) return -ERANGE;
    int error = set(wanted);
    if (error == 0 || allowed < least || allowed >= wanted.rt) return error;
    wanted.rt = (uint32_t)allowed;
    return set(wanted);
}

static void raise_nice(const struct priority *given) {
    struct attributes wanted = {
        .policy = SCHED_OTHER, .flags = flags_now(), .nice = NICE_BEST, .runtime_ns = SHORT_SLICE_NS};
    if (set(wanted) == 0) return;
    struct rlimit limit;
    int64_t allowed = 20 - (int64_t)allowed_by(getrlimit(RLIMIT_NICE, &limit), &limit); /* setrlimit(2) */
    wanted.nice = allowed < given->nice ? (int32_t)allowed : given->nice;
    (void)set(wanted);
}

int priority_raise(const struct priority *given, uint32_t most) {
    if (!given->known) return 0;
    struct attributes now;
    if (get(&now) == 0 && now.policy == CLASS_DEADLINE) return 0; /* nothing is above that */
    if (given->rt > 0) return raise_real_time(given, most);
    struct rlimit limit;
    bool timed = allowed_by(getrlimit(RLIMIT_RTTIME, &limit), &limit) != RLIM_INFINITY;
    if (timed || raise_real_time(given, most) != 0) raise_nice(given);
    return 0;
}

/* Whether there is nothing to give back. */
static bool is_as_given(const struct priority *given) {
    struct attributes now;
    if (get(&now) != 0 || now.policy != given->policy) return false;
    if (is_real_time(now.policy)) return now.rt == given->rt;
    bool short_slice = now.runtime_ns == (uint64_t)SHORT_SLICE_NS && now.runtime_ns != given->slice_ns;
    return now.nice == given->nice && !short_slice;
}

int priority_restore(const struct priority *given) {
    if (!given->known) return 0;
    struct attributes wanted = {
        .policy = given->policy, .rt = given->rt, .nice = given->nice, .runtime_ns = given->slice_ns};
    if (given->policy == SCHED_IDLE) { /* which keeps the nice value and the slice of the class before */
        wanted.policy = SCHED_OTHER;
        (void)set(wanted);
        wanted.policy = SCHED_IDLE;
    }
    int error = set(wanted);
    bool slack = error == 0 && !is_real_time(given->policy) && given->timer_slack_ns > 0;
    if (slack && prctl(PR_SET_TIMERSLACK, given->timer_slack_ns) != 0) return -errno;
    /* It is never more than we have, so that only a security module refuses it: then ours, too. */
    return error != 0 && is_as_given(given) ? 0 : error;
}

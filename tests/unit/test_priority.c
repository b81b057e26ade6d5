/* Which priority is taken, and what is given back, before a kernel that allows this or that: limits are none here that
 * a test may raise. The kernel's rules are those of sched(7) and setrlimit(2). Its real self is asked by
 * tests/integration/test_starvation.py. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "base/priority.h"

#define OWN_SLICE_NS   1400000
#define SHORT_SLICE_NS 100000

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t rt;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

/* The kernel's side. */
static struct attributes now;
static uint64_t rt_limit, nice_limit, rt_time_limit;
static int refusal; /* every change fails with it; 0: none */

int __wrap_getrlimit(int resource, struct rlimit *limit);
int __wrap_getrlimit64(int resource, struct rlimit *limit);
long __wrap_syscall(long number, int pid, struct attributes *attributes, unsigned size, unsigned flags);

int __wrap_getrlimit(int resource, struct rlimit *limit) {
    limit->rlim_cur = resource == RLIMIT_RTPRIO ? rt_limit : resource == RLIMIT_NICE ? nice_limit : rt_time_limit;
    return 0;
}

/* What glibc calls it where numbers of files have 64 bits. */
int __wrap_getrlimit64(int resource, struct rlimit *limit) { return __wrap_getrlimit(resource, limit); }

static bool is_allowed(const struct attributes *wanted) {
    if (wanted->policy == SCHED_FIFO || wanted->policy == SCHED_RR)
        return wanted->rt <= now.rt || wanted->rt <= rt_limit;
    return wanted->nice >= now.nice || 20 - wanted->nice <= (int64_t)nice_limit;
}

long __wrap_syscall(long number, int pid, struct attributes *attributes, unsigned size, unsigned flags) {
    assert_int_equal(pid, 0);
    if (number == SYS_sched_getattr) {
        assert_int_equal(size, sizeof now);
        assert_int_equal(flags, 0);
        *attributes = now;
        return 0;
    }
    assert_int_equal(number, SYS_sched_setattr);
    errno = refusal != 0 ? refusal : EPERM;
    if (refusal != 0 || !is_allowed(attributes)) return -1;
    int32_t nice = attributes->policy == SCHED_OTHER || attributes->policy == SCHED_BATCH ? attributes->nice : now.nice;
    now = *attributes;
    now.nice = nice;
    if (now.runtime_ns == 0) now.runtime_ns = OWN_SLICE_NS;
    return 0;
}

static struct priority start(uint32_t policy, int nice, uint32_t rt) {
    struct priority given;
    now = (struct attributes){.policy = policy, .nice = nice, .rt = rt, .runtime_ns = OWN_SLICE_NS};
    rt_limit = nice_limit = 0;
    rt_time_limit = RLIM_INFINITY;
    refusal = 0;
    priority_remember(&given);
    assert_true(given.known && given.may_fork);
    return given;
}

static void expect(uint32_t policy, int nice, uint32_t rt, uint64_t slice_ns) {
    assert_int_equal(now.policy, policy);
    assert_int_equal(now.nice, nice);
    assert_int_equal(now.rt, rt);
    assert_int_equal(now.runtime_ns, slice_ns);
}

static void as_much_is_taken_as_the_limits_allow(void **state) {
    (void)state;
    static const struct {
        uint64_t rt_limit, nice_limit;
        uint32_t most, policy;
        int nice;
        uint32_t rt;
    } cases[] = {
        {0, 0, 98, SCHED_OTHER, 3, 0},  {5, 0, 98, SCHED_RR, 3, 5},       {99, 0, 98, SCHED_RR, 3, 98},
        {5, 0, 1, SCHED_RR, 3, 1},      {0, 30, 98, SCHED_OTHER, -10, 0}, {0, 40, 98, SCHED_OTHER, -20, 0},
        {0, 12, 98, SCHED_OTHER, 3, 0}, /* 8, no better than given */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct priority given = start(SCHED_OTHER, 3, 0);
        rt_limit = cases[i].rt_limit;
        nice_limit = cases[i].nice_limit;
        assert_int_equal(priority_raise(&given, cases[i].most), 0);
        expect(cases[i].policy, cases[i].nice, cases[i].rt, cases[i].rt > 0 ? OWN_SLICE_NS : SHORT_SLICE_NS);
        assert_int_equal(priority_restore(&given), 0);
        expect(SCHED_OTHER, 3, 0, OWN_SLICE_NS);
    }
}

static void a_limit_on_real_time_keeps_out_of_it(void **state) {
    (void)state;
    struct priority given = start(SCHED_OTHER, 3, 0);
    rt_limit = 99;
    nice_limit = 25;
    rt_time_limit = 1000000;
    assert_int_equal(priority_raise(&given, 98), 0);
    expect(SCHED_OTHER, -5, 0, SHORT_SLICE_NS);
}

static void a_real_time_priority_needs_a_higher_one(void **state) {
    (void)state;
    struct priority given = start(SCHED_FIFO, 0, 10);
    rt_limit = 10;
    assert_int_equal(priority_raise(&given, 98), -EPERM);
    rt_limit = 11;
    assert_int_equal(priority_raise(&given, 1), 0);
    expect(SCHED_FIFO, 0, 11, OWN_SLICE_NS);
    rt_limit = 20;
    assert_int_equal(priority_raise(&given, 98), 0);
    expect(SCHED_FIFO, 0, 20, OWN_SLICE_NS);
    assert_int_equal(priority_restore(&given), 0);
    expect(SCHED_FIFO, 0, 10, OWN_SLICE_NS);
    given = start(SCHED_RR, 0, 99);
    rt_limit = 99;
    assert_int_equal(priority_raise(&given, 98), -ERANGE);
}

static void a_slice_of_ones_own_is_given_back(void **state) {
    (void)state;
    (void)start(SCHED_BATCH, 4, 0);
    struct priority given;
    now.runtime_ns = 3000000;
    priority_remember(&given);
    assert_int_equal(priority_raise(&given, 1), 0);
    expect(SCHED_OTHER, 4, 0, SHORT_SLICE_NS);
    assert_int_equal(priority_restore(&given), 0);
    expect(SCHED_BATCH, 4, 0, 3000000);
}

static void what_cant_be_given_back_is_an_error(void **state) {
    (void)state;
    struct priority given = start(SCHED_OTHER, 0, 0);
    assert_int_equal(priority_raise(&given, 1), 0);
    refusal = EACCES; /* a security module's */
    assert_int_equal(priority_restore(&given), -EACCES);
    given = start(SCHED_OTHER, 0, 0);
    refusal = EACCES; /* of all, ours too */
    assert_int_equal(priority_raise(&given, 1), 0);
    assert_int_equal(priority_restore(&given), 0);
    struct priority unknown = {.known = false};
    assert_int_equal(priority_raise(&unknown, 1), 0);
    assert_int_equal(priority_restore(&unknown), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_much_is_taken_as_the_limits_allow),
        cmocka_unit_test(a_limit_on_real_time_keeps_out_of_it),
        cmocka_unit_test(a_real_time_priority_needs_a_higher_one),
        cmocka_unit_test(a_slice_of_ones_own_is_given_back),
        cmocka_unit_test(what_cant_be_given_back_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

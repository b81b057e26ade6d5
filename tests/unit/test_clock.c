/* The lease clock and the wait clock, on made-up kernel clocks that suspend, are slewed and jump;
 * and on real ones, in a time namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define HOUR_NS       (3600 * NS_PER_S)
#define SHIFT_S       100000
#define SHIFT_TEXT    "boottime 100000 0"
#define SHIFT_SLACK_S 1000 /* what may pass between two processes' readings */

/* What the kernel says; real: its own words. */
static struct {
    bool real;
    bool missing; /* as before Linux 2.6.39 */
    int64_t raw_ns, monotonic_ns, boottime_ns, wall_ns;
    int64_t reading_takes_ns;
    int stops_at; /* a minute passes after so many readings; 0: it doesn't */
    struct itimerspec armed;
    int armed_flags;
    int arming_errno;
} kernel;

static void pass(int64_t ns) {
    kernel.raw_ns += ns;
    kernel.monotonic_ns += ns;
    kernel.boottime_ns += ns;
    kernel.wall_ns += ns;
}

int clock_gettime(clockid_t id, struct timespec *out) {
    if (kernel.real) return (int)syscall(SYS_clock_gettime, id, out);
    if (kernel.missing) return -1;
    int64_t ns = id == CLOCK_MONOTONIC_RAW ? kernel.raw_ns
                 : id == CLOCK_MONOTONIC   ? kernel.monotonic_ns
                 : id == CLOCK_BOOTTIME    ? kernel.boottime_ns
                                           : kernel.wall_ns;
    *out = (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    pass(kernel.reading_takes_ns);
    if (kernel.stops_at > 0 && --kernel.stops_at == 0) pass(60 * NS_PER_S);
    return 0;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *spec, struct itimerspec *old) {
    (void)fd, (void)old;
    kernel.armed = *spec;
    kernel.armed_flags = flags;
    errno = kernel.arming_errno;
    return errno == 0 ? 0 : -1;
}

static int boot(void **state) {
    (void)state;
    memset(&kernel, 0, sizeof kernel);
    kernel.raw_ns = 3 * HOUR_NS + 1;
    kernel.monotonic_ns = 3 * HOUR_NS + 7 * NS_PER_S;
    kernel.boottime_ns = 9 * HOUR_NS + 5;
    kernel.wall_ns = 500000 * HOUR_NS + 2 * NS_PER_MS + 1;
    return 0;
}

/* --- what a lease and a wait last --- */

static struct instant since(struct instant before) {
    struct instant now = clock_now();
    return (struct instant){.lease_ns = now.lease_ns - before.lease_ns,
                            .wait_ns = now.wait_ns - before.wait_ns};
}

static void both_clocks_run_with_the_hardwares(void **state) {
    (void)state;
    struct instant before = clock_now();
    pass(HOUR_NS + 3);
    struct instant passed = since(before);
    assert_int_equal(passed.lease_ns, HOUR_NS + 3);
    assert_int_equal(passed.wait_ns, HOUR_NS + 3);
}

static void a_suspend_ends_leases_and_shortens_no_wait(void **state) {
    (void)state;
    struct instant before = clock_now();
    kernel.boottime_ns += HOUR_NS;
    kernel.wall_ns += HOUR_NS;
    struct instant passed = since(before);
    assert_int_equal(passed.lease_ns, HOUR_NS);
    assert_int_equal(passed.wait_ns, 0);
}

/* adjtimex(2) makes MONOTONIC and BOOTTIME run by up to 8.3 % faster or slower than the hardware.
 */
static void slewing_changes_neither_clock(void **state) {
    (void)state;
    for (int direction = -1; direction <= 1; direction += 2) {
        struct instant before = clock_now();
        pass(HOUR_NS);
        kernel.monotonic_ns += direction * HOUR_NS / 12;
        kernel.boottime_ns += direction * HOUR_NS / 12;
        struct instant passed = since(before);
        assert_int_equal(passed.lease_ns, HOUR_NS);
        assert_int_equal(passed.wait_ns, HOUR_NS);
    }
}

static void the_wall_clock_may_jump(void **state) {
    (void)state;
    struct instant before = clock_now();
    kernel.wall_ns -= 400000 * HOUR_NS;
    struct instant passed = since(before);
    assert_int_equal(passed.lease_ns, 0);
    assert_int_equal(passed.wait_ns, 0);
    assert_int_equal(clock_wall_ms(), 100000 * HOUR_NS / NS_PER_MS + 2);
}

static void a_reading_that_takes_long_is_late_rather_than_early(void **state) {
    (void)state;
    struct instant before = clock_now();
    kernel.reading_takes_ns = NS_PER_S; /* a machine that is busy, or stopped in between */
    struct instant now = clock_now();
    assert_true(now.lease_ns >= before.lease_ns);
    assert_true(now.wait_ns >= before.wait_ns);
    assert_true(now.lease_ns <= before.lease_ns + 3 * NS_PER_S);
}

/* In a time namespace whose BOOTTIME is SHIFT_S ahead, as after a suspend, clock_now() is written
 * to fd. Exits with what it found: 0, or 1 where no namespace can be had. */
static void read_after_a_suspend(int fd) {
    if (unshare(CLONE_NEWTIME) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWTIME) != 0)
        _exit(EXIT_FAILURE);
    int offsets = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (offsets < 0 || write(offsets, SHIFT_TEXT, strlen(SHIFT_TEXT)) < 0) _exit(EXIT_FAILURE);
    pid_t pid = fork(); /* it is the children's namespace */
    if (pid == 0) {
        struct instant now = clock_now();
        _exit(write(fd, &now, sizeof now) == sizeof now ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status;
    _exit(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void the_kernels_own_clocks_do_as_those_made_up_here(void **state) {
    (void)state;
    int told[2], status;
    struct instant now;
    kernel.real = true;
    struct instant before = clock_now();
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) read_after_a_suspend(told[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(told[1]);
    if (status == 0) assert_int_equal(read(told[0], &now, sizeof now), sizeof now);
    (void)close(told[0]);
    if (status != 0) skip(); /* not allowed here, or not known to the kernel */
    int64_t lease_s = (now.lease_ns - before.lease_ns) / NS_PER_S,
            wait_s = (now.wait_ns - before.wait_ns) / NS_PER_S;
    assert_in_range(lease_s, SHIFT_S, SHIFT_S + SHIFT_SLACK_S);
    assert_in_range(wait_s, 0, SHIFT_SLACK_S);
}

static void nothing_goes_on_without_a_clock(void **state) {
    (void)state;
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit none = {0};
        (void)setrlimit(RLIMIT_CORE, &none);
        kernel.missing = true;
        (void)clock_now();
        _exit(EXIT_SUCCESS);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* --- waking up --- */

/* How long it is until then. */
static int64_t armed_ns(void) {
    assert_int_equal(kernel.armed_flags, TFD_TIMER_ABSTIME);
    assert_int_equal(kernel.armed.it_interval.tv_sec, 0);
    assert_int_equal(kernel.armed.it_interval.tv_nsec, 0);
    int64_t at_ns = kernel.armed.it_value.tv_sec * NS_PER_S + kernel.armed.it_value.tv_nsec;
    return at_ns == 0 ? INT64_MAX : at_ns - kernel.boottime_ns;
}

static void a_timer_fires_in_time_however_the_kernels_clock_is_slewed(void **state) {
    (void)state;
    static const int64_t delays_ns[] = {1,
                                        NS_PER_MS,
                                        20 * NS_PER_MS,
                                        20 * NS_PER_MS + 1,
                                        NS_PER_S,
                                        10 * NS_PER_S + 7,
                                        600 * NS_PER_S,
                                        HOUR_NS,
                                        1000 * HOUR_NS};
    for (size_t i = 0; i < sizeof delays_ns / sizeof *delays_ns; i++) {
        int64_t delay_ns = delays_ns[i];
        assert_int_equal(clock_arm_timer(3, clock_now().lease_ns + delay_ns), 0);
        bool is_long = delay_ns > 20 * NS_PER_MS;
        assert_true(armed_ns() > 0 && armed_ns() <= delay_ns);
        /* A clock slewed to 11 twelfths of its rate takes so long for it. */
        if (is_long) assert_true(armed_ns() * 12 / 11 <= delay_ns);
        assert_true(armed_ns() >=
                    delay_ns - delay_ns / 10); /* it doesn't wake us for nothing all the time */
        if (!is_long) assert_int_equal(armed_ns(), delay_ns);
    }
}

static void what_is_due_fires_at_once_and_what_never_comes_never(void **state) {
    (void)state;
    int64_t now_ns = clock_now().lease_ns;
    int64_t due_ns[] = {now_ns, now_ns - 1, now_ns - HOUR_NS, now_ns - 1000 * HOUR_NS,
                        0,      INT64_MIN};
    for (size_t i = 0; i < sizeof due_ns / sizeof *due_ns; i++) {
        assert_int_equal(clock_arm_timer(3, due_ns[i]), 0);
        assert_true(armed_ns() <= 0);
        assert_true(clock_boottime_of(due_ns[i]) <= kernel.boottime_ns);
        assert_true(clock_boottime_of(due_ns[i]) > 0);
    }
    assert_int_equal(clock_arm_timer(3, INT64_MAX), 0);
    assert_int_equal(armed_ns(), INT64_MAX);
    assert_int_equal(clock_boottime_of(INT64_MAX), INT64_MAX);
    assert_int_equal(clock_boottime_of(INT64_MAX - 1), INT64_MAX);
}

/* The process is stopped, or the machine busy, between one reading and the next. */
static void a_stop_while_the_clock_is_read_makes_no_timer_late(void **state) {
    (void)state;
    for (int reading = 1; reading < 12; reading++) {
        int64_t due_ns = clock_now().lease_ns + HOUR_NS, at_ns = kernel.boottime_ns + HOUR_NS;
        kernel.stops_at = reading;
        int64_t boottime_ns = clock_boottime_of(due_ns);
        assert_true(boottime_ns <= at_ns && boottime_ns >= at_ns - NS_PER_MS);
        kernel.stops_at = 0;
    }
}

static void a_timer_that_cant_be_armed_says_why(void **state) {
    (void)state;
    kernel.arming_errno = EBADF;
    assert_int_equal(clock_arm_timer(3, HOUR_NS), -EBADF);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_clocks_run_with_the_hardwares, boot),
        cmocka_unit_test_setup(a_suspend_ends_leases_and_shortens_no_wait, boot),
        cmocka_unit_test_setup(slewing_changes_neither_clock, boot),
        cmocka_unit_test_setup(the_wall_clock_may_jump, boot),
        cmocka_unit_test_setup(a_reading_that_takes_long_is_late_rather_than_early, boot),
        cmocka_unit_test_setup(the_kernels_own_clocks_do_as_those_made_up_here, boot),
        cmocka_unit_test_setup(nothing_goes_on_without_a_clock, boot),
        cmocka_unit_test_setup(a_timer_fires_in_time_however_the_kernels_clock_is_slewed, boot),
        cmocka_unit_test_setup(what_is_due_fires_at_once_and_what_never_comes_never, boot),
        cmocka_unit_test_setup(a_stop_while_the_clock_is_read_makes_no_timer_late, boot),
        cmocka_unit_test_setup(a_timer_that_cant_be_armed_says_why, boot),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

/* Clock readings; see clock.h for why there are two. */
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>

#define READ_TRIES      8
#define READ_AT_MOST_NS NS_PER_MS /* for a reading of several clocks that counts as one */

static int64_t read_ns(clockid_t id) {
    struct timespec ts;
    if (clock_gettime(id, &ts) != 0) abort();
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

struct instant clock_now(void) {
    /* MONOTONIC is read before BOOTTIME: what passes between the two readings makes the lease clock late, not early,
     * so a holder's lease ends sooner by it. */
    int64_t raw_ns = read_ns(CLOCK_MONOTONIC_RAW);
    int64_t monotonic_ns = read_ns(CLOCK_MONOTONIC);
    int64_t boottime_ns = read_ns(CLOCK_BOOTTIME);
    return (struct instant){.lease_ns = raw_ns + (boottime_ns - monotonic_ns), .wait_ns = raw_ns};
}

int64_t clock_wall_ms(void) { return read_ns(CLOCK_REALTIME) / NS_PER_MS; }

/* One look at both clocks: what passed meanwhile, a stop of this process above all, would count twice or not at all. */
static void read_both(int64_t *lease_ns, int64_t *boottime_ns) {
    for (int tries = 0; tries < READ_TRIES; tries++) {
        *boottime_ns = read_ns(CLOCK_BOOTTIME);
        *lease_ns = clock_now().lease_ns;
        if (read_ns(CLOCK_BOOTTIME) - *boottime_ns <= READ_AT_MOST_NS) return;
    }
}

static int64_t boottime_after(int64_t boottime_ns, int64_t delay_ns) {
    if (delay_ns >= INT64_MAX - boottime_ns) return INT64_MAX;
    return delay_ns > -boottime_ns ? boottime_ns + delay_ns : 1; /* zero would disarm */
}

/* a - b, as far as numbers go. */
static int64_t difference(int64_t a, int64_t b) {
    int64_t result;
    if (!__builtin_sub_overflow(a, b, &result)) return result;
    return a > b ? INT64_MAX : INT64_MIN;
}

int64_t clock_boottime_of(int64_t lease_ns) {
    int64_t now_ns, boottime_ns;
    if (lease_ns == INT64_MAX) return INT64_MAX;
    read_both(&now_ns, &boottime_ns);
    return boottime_after(boottime_ns, difference(lease_ns, now_ns));
}

int clock_arm_timer(int timerfd, int64_t lease_ns) {
    struct itimerspec spec = {0};
    if (lease_ns != INT64_MAX) {
        int64_t now_ns, boottime_ns;
        read_both(&now_ns, &boottime_ns);
        int64_t delay_ns = difference(lease_ns, now_ns);
        if (delay_ns > 20 * NS_PER_MS) delay_ns -= delay_ns / 10;
        int64_t at_ns = boottime_after(boottime_ns, delay_ns);
        spec.it_value.tv_sec = at_ns / NS_PER_S;
        spec.it_value.tv_nsec = at_ns % NS_PER_S;
    }
    return timerfd_settime(timerfd, TFD_TIMER_ABSTIME, &spec, NULL) == 0 ? 0 : -errno;
}

/* Clock readings; see clock.h for why there are two. */
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>

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

int clock_arm_timer(int timerfd, int64_t delay_ns) {
    struct itimerspec spec = {0};
    if (delay_ns != INT64_MAX) {
        if (delay_ns < 1) delay_ns = 1; /* zero would disarm */
        if (delay_ns > 20 * NS_PER_MS) delay_ns -= delay_ns / 10;
        spec.it_value.tv_sec = delay_ns / NS_PER_S;
        spec.it_value.tv_nsec = delay_ns % NS_PER_S;
    }
    return timerfd_settime(timerfd, 0, &spec, NULL) == 0 ? 0 : -errno;
}

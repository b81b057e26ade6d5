/* The one place that reads time.
 *
 * Two clocks, so that every error falls on the safe side (design, section 2):
 *  - the lease clock, MONOTONIC_RAW + (BOOTTIME - MONOTONIC): not slewed by adjtimex(2), and it counts suspends, so a
 *    holder that slept finds its lease over;
 *  - the wait clock, MONOTONIC_RAW: a candidate's wait is never shortened by a resume with a wrong clock.
 * Nothing here knows what a lease is. Wall-clock time is for people and decides nothing. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)
#define MS_PER_S  INT64_C(1000)

/* One reading of both clocks, in nanoseconds since an arbitrary start. Instants of different machines don't compare. */
struct instant {
    int64_t lease_ns;
    int64_t wait_ns;
};

/* Reads both clocks. Can't fail on Linux >= 2.6.39; aborts where the clocks don't exist. Async-signal-safe. */
struct instant clock_now(void);

/* Wall-clock time in ms since 1970, for people to read. */
int64_t clock_wall_ms(void);

/* What CLOCK_BOOTTIME will show at an instant of the lease clock (at least 1; INT64_MAX: never), for timers that are
 * set to a time of day rather than to a delay, which would count from the setting: a process may be stopped between
 * that and its last look at the clock. BOOTTIME may be slewed by up to 8.3 % against the lease clock until then. */
int64_t clock_boottime_of(int64_t lease_ns);

/* Arms timerfd (a CLOCK_BOOTTIME timerfd_create(2) descriptor) to fire early enough for an instant of the lease clock
 * (in the past: at once; INT64_MAX: disarmed). Because of the slewing, what is far away fires at nine tenths of the
 * time until then: the caller reads the clock and arms again. Returns 0 or -errno. */
int clock_arm_timer(int timerfd, int64_t lease_ns);

#endif

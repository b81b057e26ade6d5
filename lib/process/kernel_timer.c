/* POSIX timers; see kernel_timer.h. */
#include "process/kernel_timer.h"

#include <errno.h>

#include "base/clock.h"

#define WAKER_PAUSE_NS (20 * NS_PER_MS)

int kernel_timer_make(int signal, timer_t *timer) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal};
    return timer_create(CLOCK_BOOTTIME, &event, timer) == 0 ? 0 : -errno;
}

static struct timespec timespec_of(int64_t ns) {
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

/* at_ns: CLOCK_BOOTTIME. */
static void set(timer_t timer, int64_t at_ns, int64_t interval_ns) {
    struct itimerspec spec = {0};
    if (at_ns != INT64_MAX) {
        spec.it_value = timespec_of(at_ns);
        spec.it_interval = timespec_of(interval_ns);
    }
    (void)timer_settime(timer, TIMER_ABSTIME, &spec, NULL); /* can't fail with a valid timer and time */
}

void kernel_timer_set(timer_t timer, int64_t lease_ns) { set(timer, clock_boottime_of(lease_ns), 0); }

int waker_make(struct waker *waker) {
    while (waker->count < WAKER_TIMERS) {
        int error = kernel_timer_make(SIGCONT, &waker->timer[waker->count]);
        if (error != 0) return error;
        waker->count++;
    }
    return 0;
}

void waker_set(const struct waker *waker, int64_t lease_ns) {
    int64_t at_ns = clock_boottime_of(lease_ns);
    for (size_t i = 0; i < waker->count; i++) {
        int64_t own_ns = at_ns == INT64_MAX ? INT64_MAX : at_ns + (int64_t)i * WAKER_PAUSE_NS;
        set(waker->timer[i], own_ns, WAKER_TIMERS * WAKER_PAUSE_NS);
    }
}

void waker_delete(struct waker *waker) {
    while (waker->count > 0) (void)timer_delete(waker->timer[--waker->count]);
}

/* Timers by which the kernel signals this process whatever state it is in: SIGKILL ends it, SIGCONT continues it where
 * it was stopped. They run on CLOCK_BOOTTIME. */
#ifndef PROCESS_KERNEL_TIMER_H
#define PROCESS_KERNEL_TIMER_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define WAKER_TIMERS 4

/* SIGCONT to ourselves, again and again. Several timers, since a stop signal takes a SIGCONT away that hasn't been
 * taken yet, and its timer with it (a timer goes on once its signal has been taken). All zero: not made. */
struct waker {
    timer_t timer[WAKER_TIMERS];
    size_t count;
};

/* Makes a timer that sends signal, not running. Returns 0 or -errno. */
int kernel_timer_make(int signal, timer_t *timer);

/* Has it go off at an instant of the lease clock (INT64_MAX: never). */
void kernel_timer_set(timer_t timer, int64_t lease_ns);

/* Makes the timers, not running. Returns 0 or -errno. */
int waker_make(struct waker *waker);

/* SIGCONT at an instant of the lease clock (INT64_MAX: never) and every 20 ms after that. To be called again at every
 * chance: it brings back those that stop signals took away. */
void waker_set(const struct waker *waker, int64_t lease_ns);

/* Deletes what was made. Idempotent. */
void waker_delete(struct waker *waker);

#endif

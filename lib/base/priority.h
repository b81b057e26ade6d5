/* How soon a process gets a processor: class, priority, nice value and slice (sched(7)), and the slack of timers;
 * raising it for ourselves, and giving back what we were started with to those that run others' code. */
#ifndef BASE_PRIORITY_H
#define BASE_PRIORITY_H

#include <stdbool.h>
#include <stdint.h>

#define PRIORITY_RT_MOST 99

/* What a child of the process gets from it. Plain values. */
struct priority {
    bool known; /* else nothing is changed, and there is nothing to give back */
    uint32_t policy;
    uint32_t rt; /* 1 to 99; 0: not of a real-time class */
    int32_t nice;
    uint64_t slice_ns;       /* 0: the kernel's own */
    uint64_t timer_slack_ns; /* which is lost with a real-time class */
    bool may_fork;           /* one of SCHED_DEADLINE may only where its children are reset */
};

/* Notes what the calling process was started with. */
void priority_remember(struct priority *given);

/* Raises the calling process: to real-time priority most, or as much of it as RLIMIT_RTPRIO allows but more than what
 * was given; where it may have none, or where RLIMIT_RTTIME would end it for that, to the best nice value and a short
 * slice. Best effort; but where what was given is of a real-time class, what has the same would keep us from running:
 * -EPERM where no higher priority may be had, -ERANGE where there is none. Else returns 0. */
int priority_raise(const struct priority *given, uint32_t most);

/* Gives the calling process what was given. Returns 0 or -errno: then it mustn't become somebody else's program.
 * Async-signal-safe. */
int priority_restore(const struct priority *given);

#endif

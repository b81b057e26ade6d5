/* An LD_PRELOAD library: a guard without power. The process that names itself "le-guard" sends no signal, arms no timer
 * of the kernel's, and what it starts isn't told of its death. So a campaign can show that it would notice the lack of
 * a guard, with the very program that is shipped. */
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool is_guard; /* a fork of the guard's is one too, until it executes the command */

int prctl(int option, ...) {
    unsigned long given[4];
    va_list arguments;
    va_start(arguments, option);
    for (int i = 0; i < 4; i++) {
        given[i] = va_arg(arguments, unsigned long);
    }
    va_end(arguments);
    if (option == PR_SET_NAME &&
        strcmp((const char *)given[0], "le-guard") == 0) { /* NOLINT: a name comes as a number */
        is_guard = true;
    }
    if (is_guard && option == PR_SET_PDEATHSIG) {
        return 0;
    }
    return (int)syscall(SYS_prctl, option, given[0], given[1], given[2], given[3]);
}

int kill(pid_t pid, int number) {
    int (*real)(pid_t, int) = (int (*)(pid_t, int))dlsym(RTLD_NEXT, "kill");
    return is_guard ? 0 : real(pid, number);
}

int pidfd_send_signal(int fd, int number, siginfo_t *info, unsigned flags) {
    int (*real)(int, int, siginfo_t *, unsigned) =
        (int (*)(int, int, siginfo_t *, unsigned))dlsym(RTLD_NEXT, "pidfd_send_signal");
    return is_guard ? 0 : real(fd, number, info, flags);
}

int timer_settime(timer_t timer, int flags, const struct itimerspec *new, struct itimerspec *old) {
    int (*real)(timer_t, int, const struct itimerspec *, struct itimerspec *) =
        (int (*)(timer_t, int, const struct itimerspec *, struct itimerspec *))dlsym(RTLD_NEXT, "timer_settime");
    return is_guard ? 0 : real(timer, flags, new, old);
}

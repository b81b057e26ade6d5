/* An LD_PRELOAD library for leaderexec under inject.c: says which of leaderexec's processes a process is, asks before
 * each allocation whether it is to fail, and tells which children were ended by a signal. All of that begins with
 * main(). In other programs, and without inject.c, it does nothing. */
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "marks.h"

static enum role role = ROLE_OTHER;
static int (*real_main)(int, char **, char **);
static long (*real_syscall)(long, ...);
static pid_t (*real_fork)(void);
static int (*real_waitid)(idtype_t, id_t, siginfo_t *, int);

static int tell(enum mark mark, long a, long b) {
    int before = errno;
    int refused = prctl((int)mark, a, b, 0L, 0L) != 0;
    errno = before;
    return refused;
}

static void become(enum role which) {
    role = which;
    (void)tell(MARK_ROLE, which, 0);
}

static int main_in_role(int argc, char **argv, char **environment) {
    *(void **)&real_syscall = dlsym(RTLD_NEXT, "syscall");
    *(void **)&real_fork = dlsym(RTLD_NEXT, "fork");
    *(void **)&real_waitid = dlsym(RTLD_NEXT, "waitid");
    become(strcmp(program_invocation_short_name, "leaderexec") == 0 ? ROLE_KEEPER : ROLE_OTHER);
    return real_main(argc, argv, environment);
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*finish)(void), void (*linker_finish)(void), void *stack_end);

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*finish)(void), void (*linker_finish)(void), void *stack_end) {
    __typeof__(__libc_start_main) *real;
    *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = main;
    return real(main_in_role, argc, argv, init, finish, linker_finish, stack_end);
}

/* --- who forks whom --- */

pid_t fork(void) {
    if (real_fork == NULL) *(void **)&real_fork = dlsym(RTLD_NEXT, "fork");
    pid_t pid = real_fork();
    if (pid == 0 && role != ROLE_OTHER) become(ROLE_COMMAND);
    return pid;
}

long syscall(long number, ...) {
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (real_syscall == NULL) *(void **)&real_syscall = dlsym(RTLD_NEXT, "syscall");
    long result = real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == SYS_clone && result == 0 && role != ROLE_OTHER)
        become((a[0] & CSIGNAL) == SIGCONT ? ROLE_GUARD : role == ROLE_GUARD ? ROLE_COMMAND : ROLE_WORKER);
    return result;
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
    if (real_waitid == NULL) *(void **)&real_waitid = dlsym(RTLD_NEXT, "waitid");
    int result = real_waitid(type, id, info, options);
    if (role != ROLE_OTHER && result == 0 && info != NULL && info->si_pid != 0 &&
        (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED))
        (void)tell(MARK_KILLED, info->si_pid, info->si_status);
    return result;
}

/* --- allocations: libc's own, and so those of every library --- */

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static int is_refused(void) {
    if (role == ROLE_OTHER || !tell(MARK_ALLOCATION, 0, 0)) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return is_refused() ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) { return is_refused() ? NULL : __libc_calloc(count, size); }

void *realloc(void *old, size_t size) { return is_refused() ? NULL : __libc_realloc(old, size); }

void *reallocarray(void *old, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

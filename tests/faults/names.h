/* Names of system calls, by their numbers here: those that a run of leaderexec makes, and some more. */
#ifndef FAULTS_NAMES_H
#define FAULTS_NAMES_H

#include <sys/syscall.h>

struct call_name {
    long number;
    const char *name;
};

#define CALL(name)                                                                                                     \
    { SYS_##name, #name }

static const struct call_name call_names[] = {
    CALL(brk),
    CALL(clock_gettime),
    CALL(clock_nanosleep),
    CALL(clone),
    CALL(close),
    CALL(close_range),
    CALL(dup),
    CALL(dup3),
    CALL(execve),
    CALL(exit),
    CALL(exit_group),
    CALL(fcntl),
    CALL(fdatasync),
    CALL(fstat),
    CALL(fstatfs),
    CALL(fsync),
    CALL(futex),
    CALL(getcwd),
    CALL(getdents64),
    CALL(getgid),
    CALL(getpgid),
    CALL(getpid),
    CALL(getppid),
    CALL(getrandom),
    CALL(getsid),
    CALL(gettid),
    CALL(getuid),
    CALL(ioctl),
    CALL(kill),
    CALL(linkat),
    CALL(lseek),
    CALL(madvise),
    CALL(mkdirat),
    CALL(mmap),
    CALL(mprotect),
    CALL(munmap),
    CALL(newfstatat),
    CALL(openat),
    CALL(pidfd_open),
    CALL(pidfd_send_signal),
    CALL(pipe2),
    CALL(ppoll),
    CALL(prctl),
    CALL(prlimit64),
    CALL(read),
    CALL(readlinkat),
    CALL(recvfrom),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(sendmsg),
    CALL(sendto),
    CALL(set_robust_list),
    CALL(setpgid),
    CALL(shutdown),
    CALL(signalfd4),
    CALL(socketpair),
    CALL(statx),
    CALL(timer_create),
    CALL(timer_delete),
    CALL(timer_settime),
    CALL(timerfd_create),
    CALL(timerfd_settime),
    CALL(tgkill),
    CALL(uname),
    CALL(unlinkat),
    CALL(wait4),
    CALL(waitid),
    CALL(write),
#ifdef SYS_poll /* older machines have these as well, and libc uses them */
    CALL(access),
    CALL(dup2),
    CALL(getpgrp),
    CALL(mkdir),
    CALL(poll),
    CALL(readlink),
    CALL(time),
    CALL(unlink),
#endif
};

#endif

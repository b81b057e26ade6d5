"""Which errors each system call is made to fail with. Knows neither leaderexec nor how they are injected."""

import errno

# In turn, one for each occurrence: what the kernel can answer whatever the arguments are. Not what is an answer more
# than an error: ECHILD of waitid, ECONNRESET of recvfrom.
ERRORS = {
    "clone": "EAGAIN ENOMEM",
    "close_range": "ENOSYS",
    "dup2": "EBUSY EMFILE",
    "dup3": "EBUSY EMFILE",
    "execve": "ENOMEM E2BIG EACCES EIO ETXTBSY",
    "fcntl": "EMFILE ENOMEM",
    "fstat": "EIO ENOMEM",
    "fsync": "EIO ENOSPC EDQUOT",
    "getdents64": "EIO ENOMEM ENOENT",
    "getpgid": "EPERM ESRCH",
    "getrandom": "ENOSYS EAGAIN",
    "getsid": "EPERM ESRCH",
    "ioctl": "ENOTTY EIO",
    "kill": "EPERM",
    "linkat": "EIO ENOSPC EMLINK EPERM EXDEV",
    "lseek": "ESPIPE EIO",
    "malloc": "ENOMEM",
    "mkdir": "ENOSPC EACCES EROFS EIO",
    "mmap": "ENOMEM",
    "mprotect": "ENOMEM",
    "munmap": "ENOMEM",
    "newfstatat": "EIO ENOMEM EACCES",
    "openat": "EMFILE EIO EACCES ENOMEM ENFILE",
    "pidfd_open": "EMFILE ENOSYS ENOMEM",
    "pidfd_send_signal": "EPERM ENOSYS",
    "pipe2": "EMFILE ENFILE",
    "poll": "ENOMEM",
    "prctl": "EPERM EINVAL",
    "prlimit64": "EPERM",
    "read": "EIO ENOMEM",
    "readlink": "ENOENT EACCES EIO",
    "readlinkat": "ENOENT EACCES EIO",
    "recvfrom": "ENOMEM",
    "rt_sigaction": "EINVAL",
    "rt_sigprocmask": "EINVAL",
    "sendmsg": "EAGAIN ENOBUFS ENOMEM EPIPE",
    "sendto": "EAGAIN ENOBUFS ENOMEM EPIPE",
    "setpgid": "EPERM EACCES",
    "shutdown": "ENOTCONN",
    "signalfd4": "EMFILE ENOMEM",
    "socketpair": "EMFILE ENFILE ENOMEM",
    "timer_create": "EAGAIN ENOMEM",
    "timer_delete": "EINVAL",
    "timer_settime": "EINVAL",
    "timerfd_create": "EMFILE ENOMEM",
    "timerfd_settime": "EINVAL ECANCELED",
    "uname": "EFAULT",
    "unlinkat": "EIO EACCES EBUSY",
    "waitid": "EINTR",
    "write": "EIO ENOSPC EPIPE",
}

# Of any other: what a filter may answer, and what happens where there is no memory.
OTHERS = "EPERM ENOMEM"

# These can be interrupted as well.
INTERRUPTIBLE = ("dup2", "dup3", "fsync", "getrandom", "openat", "poll", "read", "recvfrom", "sendmsg", "sendto", "write")

# These can't fail (close frees its number whatever it answers; a brk that fails is a malloc that does, for which there
# is one).
INFALLIBLE = ("brk", "close", "exit", "exit_group", "getpgrp", "getpid", "getppid", "gettid", "getuid", "rt_sigreturn")


def errors_of(call, nth, turn=0):
    """The errors, as names, with which the nth occurrence (from 1) of call is to fail; turn shifts the choice."""
    if call in INFALLIBLE:
        return []
    names = ERRORS.get(call, OTHERS).split()
    found = [names[(nth - 1 + turn) % len(names)]]
    return found + ["EINTR"] if call in INTERRUPTIBLE else found


def number_of(name):
    return getattr(errno, name)

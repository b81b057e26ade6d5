"""A place that vanishes with its first process: network, mounts and process ids of its own, and a folder in memory.

The caller forks. The child is process 1 of the new namespaces; what it makes (links, other network namespaces, mounts,
files, processes of whatever parent) is gone when it is, by whatever it ended, for the kernel sees to that. The caller
stays outside and passes signals on. If the caller is killed, the child is too.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import traceback

import cgroups

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
RUN = "/run"  # where ip(8) keeps the names of namespaces: a file system of its own is mounted there
FOLDER = RUN + "/chaos"  # in memory
FAILED = 125  # the exit code when something of the enclosure itself fails


def unshare(flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"can't make namespaces of its own ({os.strerror(error)}): run it as root")


def command(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def raise_exit(number, _frame):
    """The first signal ends us by way of every `finally`; later ones don't disturb that."""
    for each in PASSED_ON:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def enter(megabytes):
    """In the child: builds the place around us."""
    unshare(CLONE_NEWNS | CLONE_NEWNET)
    command("mount", "--make-rprivate", "/")
    command("mount", "-t", "proc", "proc", "/proc")
    command("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "chaos", RUN)
    os.mkdir(FOLDER)
    command("ip", "link", "set", "lo", "up")


def child(parent, megabytes, function, groups):
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    if select.select([parent], [], [], 0)[0]:  # it went before we asked to be told
        os._exit(FAILED)
    os.close(parent)
    code = FAILED
    try:
        enter(megabytes)
        code = function(FOLDER, groups)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else FAILED
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(function, megabytes=3000):
    """Calls function(folder, groups) in there; returns its exit code. groups: see cgroups.Groups."""
    caller = os.getpid()
    parent = os.pidfd_open(caller)
    janitor = cgroups.Janitor()
    try:
        for number in PASSED_ON:
            signal.signal(number, raise_exit)
        unshare(CLONE_NEWPID)
        signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
            child(parent, megabytes, function, cgroups.Groups(cgroups.name_of(caller)))
        janitor.let_go()  # the child has it now
        for number in PASSED_ON:
            signal.signal(number, lambda number, _frame: pass_on(pid, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(parent)
        janitor.wait()


def pass_on(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)

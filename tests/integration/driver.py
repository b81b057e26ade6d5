"""tests/tools/keeper_driver under test: starting it, its family of processes, and ways to meddle with keeper and guard.

Fixtures (to be imported where they are used) are drive, beats, open_driver and become_root. Knows of leaderexec only
what the driver logs.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time

import boxes
import processes
import pytest
import stores
from conftest import is_isolated
from processes import alive, descendants, status, wait_until

NOBODY = 65534
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 17, 0x4206, 0x4207, 0x40000000


def lease_clock():
    read = time.clock_gettime
    return read(time.CLOCK_MONOTONIC_RAW) + read(time.CLOCK_BOOTTIME) - read(time.CLOCK_MONOTONIC)


def lease_times(lines):
    """When these lines of tests/tools/child were written, by the lease clock in seconds."""
    ahead = lease_clock() - processes.boottime()  # clocks that differ by their slewing
    return [line.boottime_ns / 1e9 + ahead for line in lines]


class Driven:
    """A run of the driver and what it logged."""

    def __init__(self, run, log):
        self.run, self.log = run, log
        wait_until(lambda: self.lines("keeper"), "the keeper")
        words = self.lines("keeper")[0].split()
        self.keeper, self.guard, self.foreground = int(words[1]), int(words[3]), words[5] == "1"

    def lines(self, first):
        try:
            with open(self.log) as f:
                return [line for line in f.read().splitlines(keepends=False) if line.startswith(first + " ")]
        except FileNotFoundError:
            return []

    def gone(self):
        """The words after the first event of that name: end, code, errno, at_ms."""
        words = wait_until(lambda: self.lines("gone"), "the command to be gone")[-1].split()
        return dict(zip(words[1::2], map(int, words[2::2])))

    def lease_end(self):
        words = wait_until(lambda: self.lines("start"), "the start")[-1].split()
        return int(words[words.index("lease_end_ms") + 1]) / 1000


@pytest.fixture
def drive(build, tmp_path, tidy):
    """drive(*options, "--", *command): starts the driver. before=: words before it; the log is open to every user."""
    runs = []
    with boxes.open_place() as place:

        def start(*arguments, before=(), binary=None, **more):
            log = os.path.join(place, f"log{len(runs)}")
            with open(log, "w"):
                os.chmod(log, 0o666)
            binary = binary or os.path.join(build, "tests/tools/keeper_driver")
            run = processes.Run(
                [*before, binary, "-o", log, *map(str, arguments)],
                str(tmp_path),
                f"driven{len(runs)}",
                {**environment(), **({"LEADEREXEC_ISOLATE": "1"} if is_isolated(build) else {})},
                **more,
            )
            runs.append(run)
            return Driven(run, log)

        yield start
        for run in runs:
            if run.poll() is None:
                run.signal(signal.SIGKILL)
                run.process.wait()
            assert "Sanitizer" not in run.err() and "runtime error" not in run.err(), run.err()


def environment():
    return {
        "PATH": os.environ["PATH"],
        "ASAN_OPTIONS": "detect_leaks=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }


def margin(ttl_s):
    """Seconds; lease_margin_ns() of lib/election."""
    return 0.02 * ttl_s + max(0.25, 0.05 * ttl_s)


def sh(script):
    return ["sh", "-c", script]


def traced(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("TracerPid:")) != 0


def all_gone(pids, timeout_s=processes.PATIENCE_S):
    """Waits until none of pids lives; returns the lease clock's time then."""
    wait_until(lambda: not any(alive(pid) for pid in pids), "the end of all", timeout_s, step_s=0.005)
    return lease_clock()


class Beats:
    """What tests/tools/child wrote: when the user's code ran. On a busy machine the keeper hears of its end much later."""

    def __init__(self, program, path):
        self.program, self.path = program, path

    def words(self, *options):
        """Its command line."""
        return [self.program, *map(str, options), self.path]

    def lines(self):
        return stores.lines(self.path)


@pytest.fixture
def beats(build, tmp_path):
    return Beats(os.path.join(build, "tests/tools/child"), str(tmp_path / "beats"))


FAMILY = "trap '' TERM; sleep 300 & setsid sh -c 'trap \"\" TERM; sleep 300 & setsid sleep 300 & wait; sleep 300' & wait; sleep 300"


def commanded(driven):
    """The processes that the command has started, itself first; those that have begun to run."""
    return [pid for pid in descendants(driven.guard) if (s := status(pid)) and s[0] not in ("le-init", "le-guard")]


def family(driven):
    """Waits for FAMILY; returns its five processes."""
    return wait_until(lambda: (lambda found: found if len(found) == 5 else None)(commanded(driven)), "the whole family")


@contextlib.contextmanager
def meddled(pid, injection):
    """strace -e inject=INJECTION on a process, for as long as this lasts."""
    tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", f"inject={injection}", "-p", str(pid)])
    try:
        wait_until(lambda: traced(pid), "strace to attach")
        yield
    finally:
        tracer.kill()
        tracer.wait()


@contextlib.contextmanager
def frozen(pid):
    """Stops a process without its parent's hearing of it, as a debugger does. One of our own may not be waited for
    meanwhile: we would hear of it, then."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes, ptrace.restype = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p], ctypes.c_long
    assert ptrace(PTRACE_SEIZE, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    assert ptrace(PTRACE_INTERRUPT, pid, None, None) == 0
    try:
        yield
    finally:
        # While a signal makes it look up from its stop, it can't be let go.
        wait_until(lambda: ptrace(PTRACE_DETACH, pid, None, None) == 0 or not alive(pid), "a debugger to let go")
        if pid not in processes.children(os.getpid()):  # our own is waited for by whoever started it
            with contextlib.suppress(ChildProcessError):  # killed meanwhile: it is the debugger who hears of that first
                os.waitpid(pid, WALL)


@pytest.fixture
def open_driver(build):
    """A copy of the driver where every user can run it."""
    with boxes.open_place() as place:
        yield shutil.copy(os.path.join(build, "tests/tools/keeper_driver"), place)


@pytest.fixture
def become_root(open_driver):
    """Words that let an unprivileged user's process become root's for good."""
    path = os.path.join(os.path.dirname(open_driver), "setpriv")
    shutil.copy(shutil.which("setpriv"), path)
    os.chmod(path, 0o4755)
    return [path, "--reuid=0", "--regid=0", "--clear-groups"]

"""Keeper and guard where memory or processors are short: what they make sure of beforehand, and that the command gets
nothing of it.
"""

import contextlib
import ctypes
import functools
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

import boxes
import pytest
from driver import NOBODY, all_gone, drive, open_driver, sh  # noqa: F401
from processes import descendants, status, wait_until


def mappings(pid):
    """(path, flags) of each mapping of a process."""
    with open(f"/proc/{pid}/smaps") as f:
        text = f.read()
    found = re.findall(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)$|^VmFlags: (.*)$", text, re.M)
    return [(path, flags.split()) for (path, _), (_, flags) in zip(found[::2], found[1::2])]


def locked_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^VmLck:\s+(\d+) kB$", f.read(), re.M)[1])


@pytest.mark.parametrize("limit", ["unlimited", "0", "300000"])
def test_the_guard_stays_in_memory_as_far_as_it_may(drive, open_driver, build_name, limit):  # noqa: F811
    """Its program's disk may be the one that hangs at the deadline. A sanitizer keeps mlock(2) from working."""
    before = [] if limit == "unlimited" else ["prlimit", f"--memlock={limit}:{limit}", *boxes.as_user(NOBODY)]
    driven = drive("--", *sh("sleep 1; exit 7"), before=before, binary=open_driver, cwd="/")
    command = wait_until(lambda: descendants(driven.guard), "the command")[0]
    assert locked_kb(command) == 0
    found = [(path, "lo" in flags) for path, flags in mappings(driven.guard)]
    if limit == "unlimited" and build_name == "plain":
        needed = [lo for path, lo in found if re.search(r"/keeper_driver|/libc[.-]|/ld-linux|/ld-musl", path)]
        assert len(needed) > 8 and all(needed)
        assert locked_kb(driven.guard) < 4096  # not libcurl, nor what else the keeper has
    if build_name == "plain":
        assert any(lo for _, lo in found) == (limit != "0")
    assert driven.run.wait() == 7


# --- priorities ---

OTHER, FIFO, RR = 0, 1, 2
SHORT = 100_000  # ns, the slice
NUMBERS = {"x86_64": (314, 315)}.get(os.uname().machine, (274, 275))  # of sched_setattr(2) and sched_getattr(2)
SHOW = f"""import ctypes, os, resource, struct
attributes = ctypes.create_string_buffer(48)
assert ctypes.CDLL(None).syscall({NUMBERS[1]}, 0, attributes, 48, 0) == 0
limits = [resource.getrlimit(n) for n in (resource.RLIMIT_NICE, resource.RLIMIT_RTPRIO, resource.RLIMIT_MEMLOCK)]
slack = open("/proc/self/timerslack_ns").read()
print(struct.unpack("IIQiIQQQ", attributes), slack, os.getpriority(os.PRIO_PROCESS, 0), limits)
"""


def attributes(pid):
    """(policy, nice, real-time priority, slice in ns) of a process."""
    found = ctypes.create_string_buffer(48)
    assert ctypes.CDLL(None).syscall(NUMBERS[1], pid, found, 48, 0) == 0
    _, policy, _, nice, rt, runtime, _, _ = struct.unpack("IIQiIQQQ", found)
    return policy, nice, rt, runtime


def short_slice():
    wanted = struct.pack("IIQiIQQQ", 48, OTHER, 0, 3, 0, 5_000_000, 0, 0)
    assert ctypes.CDLL(None).syscall(NUMBERS[0], 0, wanted, 0) == 0


STARTS = {
    "usual": [],
    "nice": ["nice", "-n", "5"],
    "nicer": ["nice", "-n", "-5"],
    "fifo": ["chrt", "-f", "10"],
    "rr": ["chrt", "-r", "98"],
    "reset": ["chrt", "-R", "-f", "10"],
    "batch": ["chrt", "-b", "0"],
    "idle": ["nice", "-n", "7", "chrt", "-i", "0"],
    "slice": [],
    "user": boxes.as_user(NOBODY),
    "capable": ["nice", "-n", "3", *boxes.as_user(NOBODY), "--inh-caps=+sys_nice", "--ambient-caps=+sys_nice"],
}


@contextlib.contextmanager
def started(launch, name):
    """leaderexec as STARTS says, in a place where every user can run it: yields that, and start(*arguments, env=...)."""
    more = {"preexec_fn": short_slice} if name == "slice" else {}
    with boxes.open_place() as place:
        binary = shutil.copy(launch.binary, place)
        yield place, functools.partial(launch, before=STARTS[name], binary=binary, cwd="/", **more)


def shown_directly(name):
    """What SHOW says in a child of such a start (a child, because of SCHED_RESET_ON_FORK)."""
    more = {"preexec_fn": short_slice} if name == "slice" else {}
    argv = [*STARTS[name], *sh('"$@"; exit'), "sh", sys.executable, "-S", "-c", SHOW]
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", STARTS)
def test_the_command_has_the_priority_that_leaderexec_was_started_with(launch, name):
    with started(launch, name) as (place, start):
        run = start("-b", f"file:{place}/locks", "--", sys.executable, "-S", "-c", SHOW)
        assert run.wait() == 0, run.err()
    assert run.out() == shown_directly(name)


@pytest.mark.parametrize("name", ["usual", "nicer", "fifo", "slice"])
def test_a_credential_process_has_it_too(launch, name):
    with started(launch, name) as (place, start):
        script, config, shown = (os.path.join(place, file) for file in ("give", "config", "shown"))
        with open(script, "w") as f:
            f.write(f"#!{sys.executable} -S\nimport sys\nsys.stdout = open('{shown}', 'w')\n{SHOW}")
        os.chmod(script, 0o755)
        with open(config, "w") as f:
            f.write(f"[default]\ncredential_process = {script}\n")
        run = start("-b", "bucket", "--", "true", env={"AWS_CONFIG_FILE": config, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
        assert run.wait() == 125
        with open(shown) as f:
            assert f.read() == shown_directly(name)


def raised(pid):
    policy, nice, rt, slice_ns = attributes(pid)
    return (policy, rt) if policy in (FIFO, RR) else (policy, nice, slice_ns)


@pytest.mark.parametrize(
    "before, keeper, guard",
    [
        ([], (RR, 1), (RR, 98)),
        (["chrt", "-f", "10"], (FIFO, 11), (FIFO, 98)),
        (["chrt", "-r", "98"], (RR, 99), (RR, 99)),
        (["prlimit", "--rttime=1000000"], (OTHER, -20, SHORT), (OTHER, -20, SHORT)),
        (["nice", "-n", "3", *boxes.as_user(NOBODY)], (OTHER, 3, SHORT), (OTHER, 3, SHORT)),
    ],
    ids=str,
)
def test_keeper_and_guard_have_the_best_priority_that_they_may(drive, open_driver, before, keeper, guard):  # noqa: F811
    driven = drive("--", "sleep", "300", before=before, binary=open_driver, cwd="/")
    wait_until(lambda: descendants(driven.guard), "the command")
    assert (raised(driven.keeper), raised(driven.guard)) == (keeper, guard)
    driven.run.signal(signal.SIGTERM)
    assert driven.run.wait() == 143


@pytest.mark.parametrize(
    "before, word",
    [
        (["chrt", "-f", "99"], "there is none"),
        (["chrt", "-f", "10", *boxes.as_user(NOBODY)], "CAP_SYS_NICE"),
        (["chrt", "-d", "-T", "5000000", "-P", "100000000", "0"], "reset-on-fork"),
    ],
    ids=str,
)
def test_what_would_have_the_commands_priority_doesnt_run_it(launch, before, word):
    with boxes.open_place() as place:
        binary = shutil.copy(launch.binary, place)
        run = launch(
            *("-b", f"file:{place}/locks", "--", "touch", f"{place}/ran"),
            before=before,
            binary=binary,
            cwd="/",
            env={"ASAN_OPTIONS": "detect_leaks=0"},  # which takes a fork
        )
        assert run.wait() == 125
        assert word in run.err() and run.err().count("\n") == 1
        assert not os.path.exists(f"{place}/ran")


@pytest.mark.parametrize("raises_itself", [False, True])
def test_a_command_that_leaves_no_processor_dies_in_time(drive, raises_itself):  # noqa: F811
    """On one processor, at a real-time priority that it was started with, or has taken. RLIMIT_CPU is for this test's
    machine, should it come to that."""
    pin = ["prlimit", "--cpu=10", "taskset", "-c", str(max(os.sched_getaffinity(0)))]
    fifo, busy = ["chrt", "-f", "10"], sh("echo up; trap '' TERM; while :; do :; done")
    driven = drive(
        *("-t", 2000, "-r", 1200, "--"),
        *(fifo + busy if raises_itself else busy),
        before=pin if raises_itself else pin + fifo,
    )
    command = wait_until(lambda: descendants(driven.guard), "the command")
    wait_until(lambda: "up" in driven.run.out(), "it to be busy")
    gone = all_gone(command)
    # Whoever takes a higher one than the keeper's gets no renewals.
    assert len(driven.lines("extend")) == (0 if raises_itself else 1)
    assert gone < int((driven.lines("extend") or driven.lines("start"))[-1].split()[-1]) / 1000
    assert driven.run.wait() == 123


# --- a processor quota ---


def is_killed(pid):
    """Whether SIGKILL waits for it: then it runs no code of its own any more, however long its end takes."""
    with open(f"/proc/{pid}/status") as f:
        pending = re.findall(r"^(?:SigPnd|ShdPnd):\s+(\w+)$", f.read(), re.M)
    return any(int(mask, 16) >> (signal.SIGKILL - 1) & 1 for mask in pending)


class Runners:
    """Who among the processes of a control group has run its own code, and when at the least."""

    def __init__(self, procs):
        self.procs, self.ran_ns, self.looked_at = procs, {}, 0

    def look(self):
        """Returns (whether any are left, since when some have certainly run, None for none)."""
        before, self.looked_at, ran, left = self.looked_at, time.time(), False, False
        with open(self.procs) as f:
            pids = [int(line) for line in f]
        for pid in pids:
            with contextlib.suppress(OSError, IndexError):
                name, state, _ = status(pid) or ("", "Z", 0)
                if state in "ZX" or name in ("leaderexec", "le-guard", "leaderexec-io"):
                    continue
                left = True
                if is_killed(pid):
                    continue
                with open(f"/proc/{pid}/schedstat") as f:
                    ns = int(f.read().split()[0])
                ran = ran or self.ran_ns.get(pid, ns) != ns
                self.ran_ns[pid] = ns
        return left, before if ran else None


def test_a_leader_on_a_quota_is_gone_before_the_next_leads(launch):
    """Two percent of a processor, for it and thirty busy daemons: too little to renew, and so to be stopped in time. As
    root, who may have a better nice value at least; the README says what is left for others."""
    daemons = "for i in $(seq 30); do setsid sh -c 'while :; do :; done' & done; while :; do :; done"
    with boxes.cgroup("cpu", boxes.PROCESSOR) as procs, boxes.open_place() as place:
        store, binary = ["-b", f"file:{place}/locks", "-t", "6s", "-p", "500ms"], shutil.copy(launch.binary, place)
        first = launch(*store, "--", *sh(daemons), before=boxes.in_cgroup(procs), binary=binary, cwd="/")
        wait_until(lambda: len(descendants(boxes.guard_of(first.pid))) >= 31, "the daemons")
        boxes.limit_processor(procs, 0.02)
        second = launch(*store, "--", *sh("echo >up; sleep 300"), binary=binary, cwd=place)
        seen, up = Runners(procs), os.path.join(place, "up")
        wait_until(lambda: seen.look() and os.path.exists(up), "the second leader", 90)
        began, left = os.stat(up).st_mtime, True
        while left:
            left, ran_since = seen.look()
            assert ran_since is None or ran_since <= began, f"{ran_since - began:.2f} s of two at once"
            time.sleep(0.01)
        boxes.limit_processor(procs, None)
        second.signal(signal.SIGTERM)
        assert second.wait() == 143 and first.wait() in (123, 125)


def test_a_quota_that_is_little_for_the_ttl_is_said(launch):
    with boxes.cgroup("cpu", boxes.PROCESSOR) as procs, boxes.open_place() as place:
        boxes.limit_processor(procs, 0.4)
        binary, before = shutil.copy(launch.binary, place), [*boxes.in_cgroup(procs), *boxes.as_user(NOBODY)]
        for ttl, said in (("2s", True), ("3s", False)):
            run = launch("-v", "-b", f"file:{place}/{ttl}", "-t", ttl, "--", "true", before=before, binary=binary, cwd="/")
            assert run.wait() == 0
            assert ("allows 40 % of a processor" in run.err()) == said
            assert ("800ms in a ttl of 2s" in run.err()) == said

"""Boxes that tests put programs into: control groups, unprivileged users, namespaces; and finding what runs in them.

Knows of leaderexec only that it gives the command LEADEREXEC_TOKEN, which neither keeper nor guard have in their environment.
"""

import contextlib
import os
import shutil
import signal
import tempfile
import time

from processes import PATIENCE_S, children, status, wait_until

UNIFIED, SEPARATE = "/sys/fs/cgroup", "/sys/fs/cgroup/{}"
MARK = "TEST_MARK"
PROCESSOR = {"cpu.cfs_quota_us": "-1", "cpu.max": "max 100000"}
FREEZER = {"freezer.state": "THAWED", "cgroup.freeze": "0"}


def give_up_cgroup(path):
    """Kills, by id, whatever is still in a control group, and removes it."""

    def gone():
        with contextlib.suppress(FileNotFoundError):
            with open(os.path.join(path, "cgroup.procs")) as f:
                for pid in f.read().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.rmdir(path)
        return not os.path.isdir(path)

    wait_until(gone, f"{path} to be empty", step_s=0.05)


@contextlib.contextmanager
def cgroup(controller, settings):
    """A control group of the test's own, version 1 or 2: yields the path of its cgroup.procs, or None where none can be made.
    settings: file name to value, for both versions; names that there aren't are left out."""
    unified = os.path.exists(os.path.join(UNIFIED, "cgroup.controllers"))
    parent = UNIFIED if unified else SEPARATE.format(controller)
    path = os.path.join(parent, f"leaderexec-test-{os.getpid()}-{time.monotonic_ns()}")
    try:
        if unified:
            with open(os.path.join(parent, "cgroup.subtree_control"), "w") as f:
                f.write(f"+{controller}")
        os.mkdir(path)
    except OSError:
        yield None
        return
    try:
        present = [name for name in settings if os.path.exists(os.path.join(path, name))]
        for name in present:
            with open(os.path.join(path, name), "w") as f:
                f.write(settings[name])
        yield os.path.join(path, "cgroup.procs") if present else None
    finally:
        give_up_cgroup(path)


def limit_processor(procs, share):
    """Allows a control group of cgroup("cpu", ...) that share of one processor; None: all."""
    folder, quota = os.path.dirname(procs), -1 if share is None else int(share * 100000)
    old = os.path.join(folder, "cpu.cfs_quota_us")
    path = old if os.path.exists(old) else os.path.join(folder, "cpu.max")
    with open(path, "w") as f:
        f.write(str(quota) if path == old or quota > 0 else "max")


def write_freezer(procs, frozen):
    for name, words in (("freezer.state", ("THAWED", "FROZEN")), ("cgroup.freeze", ("0", "1"))):
        path = os.path.join(os.path.dirname(procs), name)
        if os.path.exists(path):
            with open(path, "w") as f:
                f.write(words[frozen])


@contextlib.contextmanager
def frozen(procs):
    """All that is in a control group of cgroup("freezer", FREEZER) stands still."""
    write_freezer(procs, True)
    try:
        yield
    finally:
        write_freezer(procs, False)


def in_cgroup(procs):
    """Words before a command that put it into the control group; none where there is none."""
    return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', procs] if procs else []


def as_user(uid, most_processes=None):
    """Words before a command that run it as an unprivileged user, who may have so many processes."""
    limit = ["prlimit", f"--nproc={most_processes}:{most_processes}"] if most_processes else []
    return [*limit, "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]


@contextlib.contextmanager
def open_place():
    """A folder that every user may enter and write to, and whose name says nothing."""
    path = tempfile.mkdtemp(prefix="place-", dir="/tmp")
    os.chmod(path, 0o777)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def environment(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return f.read().split(b"\0")
    except OSError:
        return []


def commands_of(mark):
    """The living processes that descend from commands which leaderexec started with TEST_MARK=mark in its environment, whoever
    their parent is by now."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for name in os.listdir("/proc"):
        if name.isdigit() and wanted in (words := environment(name)):
            if any(word.startswith(b"LEADEREXEC_TOKEN=") for word in words):
                s = status(int(name))
                if s and s[1] not in "ZX":
                    found.append(int(name))
    return found


def when_gone(mark, quiet_s=0.4, timeout_s=PATIENCE_S):
    """Waits until no such process was seen for quiet_s; returns the wall-clock time (ms) of the first look that showed none.
    A look that began before the last one ended could have missed it, so its time is taken after it."""
    since, deadline = None, time.monotonic() + timeout_s
    while True:
        seen = commands_of(mark)
        now = time.monotonic()
        if seen:
            since = None
        elif since is None:
            since = (now, time.time() * 1000)
        elif now - since[0] > quiet_s:
            return since[1]
        assert now < deadline, f"{len(seen)} processes of the command are still there after {timeout_s} s"
        time.sleep(0.01)


def guard_of(keeper, timeout_s=PATIENCE_S):
    """The pid of the guard: the one child of the keeper's that has a child."""

    def find():
        return [pid for pid in children(keeper) if children(pid)]

    return wait_until(find, "the guard to have a child", timeout_s)[0]


def zombies(pids):
    return {pid for pid in pids if (s := status(pid)) and s[1] == "Z"}

"""Processes of a test: started, watched, waited for, and none left behind. Knows nothing of leaderexec.

The test process makes itself a subreaper: what a killed process leaves behind becomes its own child and can be found.
"""

import ctypes
import os
import signal
import subprocess
import time

PATIENCE_S = 30  # how long a condition may take that should come true at once; the machine is shared


class Timeout(AssertionError):
    pass


def wait_until(condition, what, timeout_s=PATIENCE_S, step_s=0.01):
    """Waits until condition() is true, and returns its value; fails after timeout_s saying what it waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(step_s)


def boottime():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def become_subreaper():
    if ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def status(pid):
    """(name, state, parent) of a process, or None where there is none."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            text = f.read()
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    state, parent = rest.split()[:2]
    return name, state, int(parent)


def alive(pid):
    """Whether pid runs: neither gone nor a zombie."""
    found = status(pid)
    return found is not None and found[1] not in "ZX"


def stopped(pid):
    found = status(pid)
    return found is not None and found[1] == "T"


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def children(pid):
    """The children of a process, the oldest first."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            s = status(int(name))
            if s and s[2] == pid:
                found.append(int(name))
    return sorted(found, key=start_time)


def children_named(pid, name):
    """Those of them that have this name. One that ends meanwhile has none."""
    return [child for child in children(pid) if (found := status(child)) and found[0] == name]


def start_time(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return int(f.read().rpartition(")")[2].split()[19])
    except OSError:
        return 0


def descendants(pid):
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            s = status(int(name))
            if s:
                parents.setdefault(s[2], []).append(int(name))
    found, todo = [], [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def seen_from_here(pid, root):
    """The number here of a process below root that calls itself pid, be it in a PID namespace of its own."""

    def calls_itself_so(candidate):
        try:
            with open(f"/proc/{candidate}/status") as f:
                return next(int(line.split()[-1]) for line in f if line.startswith("NSpid:")) == pid
        except (OSError, StopIteration):
            return False

    return next(filter(calls_itself_so, descendants(root)))


class Run:
    """One program, its output in files. code is None until wait() or poll() saw its end."""

    def __init__(self, argv, directory, name, env, stdin=subprocess.DEVNULL, stderr=None, cwd=None, **popen):
        self.argv, self.out_path, self.err_path = (
            argv,
            os.path.join(directory, name + ".out"),
            os.path.join(directory, name + ".err"),
        )
        self.started = boottime()
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                argv,
                env=env,
                stdin=stdin,
                stdout=out,
                stderr=err if stderr is None else stderr,
                cwd=cwd or directory,
                **popen,
            )
        self.pid = self.process.pid
        self.ended = None

    def poll(self):
        code = self.process.poll()
        if code is not None and self.ended is None:
            self.ended = boottime()
        return code

    @property
    def code(self):
        """The exit code as a shell reports it, None while it runs."""
        code = self.poll()
        return None if code is None else code if code >= 0 else 128 - code

    def wait(self, timeout_s=PATIENCE_S):
        """Waits for its end; returns the exit code as a shell reports it."""
        try:
            wait_until(lambda: self.poll() is not None, f"the end of {' '.join(self.argv)}", timeout_s)
        except Timeout as timeout:
            raise Timeout(f"{timeout}; stderr: {self.err()}") from None
        return self.code

    def signal(self, number):
        self.process.send_signal(number)

    def out(self):
        with open(self.out_path, "rb") as f:
            return f.read().decode(errors="replace")

    def err(self):
        with open(self.err_path, "rb") as f:
            return f.read().decode(errors="replace")


def sweep(known):
    """Kills and reaps every process below us but those in known (pids). Returns the command lines that it found."""
    found, reaped_nothing_since = {}, time.monotonic()
    while True:
        here = [pid for pid in descendants(os.getpid()) if not belongs(pid, known)]
        for pid in here:
            if alive(pid):
                found.setdefault(pid, command_line(pid))
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            elif (s := status(pid)) and s[2] == os.getpid():
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
        if not here:
            return [line for line in found.values() if line]  # one without a command line was ending already
        if time.monotonic() > reaped_nothing_since + 20:
            raise AssertionError(f"can't get rid of {[(pid, status(pid), command_line(pid)) for pid in here]}")
        time.sleep(0.01)


def belongs(pid, known):
    """Whether pid is in known or below one of them."""
    while pid > 1:
        if pid in known:
            return True
        s = status(pid)
        if s is None:
            return False
        pid = s[2]
    return False

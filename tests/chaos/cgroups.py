"""Control groups of a campaign's own: freezers, processor quotas, and memory whose pages can be evicted.

They lie outside of the enclosure, for the kernel has no namespace that would take them away: each name begins with one
that is the campaign's alone, and a janitor, a process outside of the enclosure, thaws and removes all of them when the
campaign has ended, by whatever it ended.
"""

import contextlib
import glob
import os
import signal
import time

PARENT = "/sys/fs/cgroup"
V2 = "v2"  # the unified hierarchy; others are of version 1 and have their controller's name
HIERARCHIES = ("freezer", V2, "cpu", "memory")
EMPTY_S = 20  # for killed processes to be gone
SETTLE_S = 0.5  # for a freezer; who waits for a hanging disk is late


def folder(hierarchy):
    """Where its root is, or None."""
    if hierarchy != V2:
        path = os.path.join(PARENT, hierarchy)
        return path if os.path.exists(os.path.join(path, "cgroup.procs")) else None
    found = [path for path in (PARENT, PARENT + "/unified") if os.path.exists(os.path.join(path, "cgroup.controllers"))]
    return found[0] if found else None


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def read(path):
    with open(path) as f:
        return f.read()


class Group:
    """A group below a hierarchy's root. Made with make(), ended with remove()."""

    def __init__(self, hierarchy, path):
        self.hierarchy, self.path = hierarchy, path
        self.procs = os.path.join(path, "cgroup.procs")

    def add(self, pid):
        """Takes a process in. Returns whether it could be."""
        try:
            write(self.procs, str(pid))
            return True
        except OSError:
            return False

    def set(self, name, value):
        write(os.path.join(self.path, name), str(value))

    def freeze(self):
        """Returns when all of it is frozen, mostly."""
        self.set(*(("cgroup.freeze", 1) if self.hierarchy == V2 else ("freezer.state", "FROZEN")))
        deadline = time.monotonic() + SETTLE_S
        while not self.frozen() and time.monotonic() < deadline:
            time.sleep(0.001)

    def frozen(self):
        if self.hierarchy == V2:
            return "frozen 1" in read(os.path.join(self.path, "cgroup.events"))
        return read(os.path.join(self.path, "freezer.state")).strip() == "FROZEN"

    def thaw(self):
        if self.hierarchy == V2:
            self.set("cgroup.freeze", 0)
        elif self.hierarchy == "freezer":
            self.set("freezer.state", "THAWED")

    def remove(self, kill=False):
        """Thaws it, lets its processes go back to the root's group, or kills them, and removes it."""
        with contextlib.suppress(FileNotFoundError):
            self.thaw()
        deadline = time.monotonic() + EMPTY_S
        while os.path.isdir(self.path):
            self.empty(kill)
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.path} doesn't get empty")
            time.sleep(0.005)

    def empty(self, kill):
        root = Group(self.hierarchy, folder(self.hierarchy))
        with contextlib.suppress(FileNotFoundError):
            for pid in map(int, read(self.procs).split()):
                if not kill:
                    root.add(pid)
                elif pid:  # 0 is one that can't be seen from here
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)


class Groups:
    """All groups of the campaign whose caller has this name."""

    def __init__(self, name):
        self.name = name

    @staticmethod
    def has(hierarchy):
        """Whether groups can be made there. Version 1's are kept apart from version 2's on purpose: a process may be in
        one of each hierarchy."""
        path = folder(hierarchy)
        return path is not None and os.access(path, os.W_OK)

    def make(self, hierarchy, label):
        path = os.path.join(folder(hierarchy), f"{self.name}-{label}")
        os.mkdir(path)
        return Group(hierarchy, path)

    def remove_all(self):
        for hierarchy in HIERARCHIES:
            for path in glob.glob(f"{folder(hierarchy)}/{self.name}-*"):
                Group(hierarchy, path).remove(kill=True)


def name_of(pid):
    """Of the groups of the campaign that this process has started."""
    return f"leaderexec-chaos-{pid}"


class Janitor:
    """A process that removes this process's groups once everybody who holds its pipe's other end is gone: the process 1
    of an enclosure, say, which can't end before what it left in a freezer is thawed."""

    def __init__(self):
        groups = Groups(name_of(os.getpid()))
        ours, self.end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()  # no signal of a terminal's
                os.close(self.end)
                os.read(ours, 1)
                groups.remove_all()
            finally:
                os._exit(0)
        os.close(ours)

    def let_go(self):
        if self.end is not None:
            os.close(self.end)
        self.end = None

    def wait(self):
        """Until all is removed."""
        self.let_go()
        os.waitpid(self.pid, 0)

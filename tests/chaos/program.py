"""The disk that a node's program lies on, which can hang, and the node's memory, from which the program can be evicted.

The program and libc lie on tests/tools/hangdisk.py, other files for each node, so that no two nodes share a page of
them."""

import contextlib
import os
import subprocess
import sys

import cgroups


def libc():
    with open("/proc/self/maps") as f:
        paths = {line.split()[-1] for line in f}
    return next(path for path in paths if os.path.basename(path).startswith("libc.so"))


class ProgramDisk:
    def __init__(self, world):
        self.folder, self.switch = os.path.join(world.folder, "program"), os.path.join(world.folder, "program-hangs")
        os.mkdir(self.folder)
        tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tools/hangdisk.py")
        words = [sys.executable, tool, self.folder, self.switch, world.binary, libc()]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if not self.process.stdout.readline():
            raise RuntimeError("hangdisk.py doesn't start")
        self.name = os.path.basename(world.binary)

    @staticmethod
    def possible():
        """Whether this machine has what it takes. Pages are evicted by version 1's memory.force_empty."""
        return os.access("/dev/fuse", os.W_OK) and cgroups.Groups.has("memory")

    def binary(self, node):
        return os.path.join(self.folder, node.name, self.name)

    def environment(self, node):
        return {"LD_LIBRARY_PATH": os.path.join(self.folder, node.name)}

    @staticmethod
    def wrap(job):
        """The command's own disk is another."""
        return ["env", "-u", "LD_LIBRARY_PATH", *job]

    def hang(self):
        with open(self.switch, "w"):
            pass

    def hangs(self):
        return os.path.exists(self.switch)

    def heal(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.switch)

    @staticmethod
    def evict(group):
        """Drops what may be dropped of the pages of this group's processes."""
        with contextlib.suppress(OSError):  # so many tries, and something was left
            group.set("memory.force_empty", 1)

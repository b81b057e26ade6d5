"""What an enclosure leaves behind, whatever ends it: nothing, and be it frozen.

/usr/bin/python3 -m pytest -q tests/chaos/test_enclosure.py
"""

import glob
import os
import signal
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = f"""
import os, subprocess, sys
sys.path.insert(0, {HERE!r})
import enclosure

def stay(folder, groups):
    for hierarchy in filter(groups.has, ("freezer", "v2")):
        group = groups.make(hierarchy, "one")
        for _ in range(2):
            assert group.add(subprocess.Popen(["sleep", "300"]).pid)
        group.freeze()
        assert group.frozen()
    print("frozen", flush=True)
    sys.stdin.read()
    if sys.argv[1] == "error":
        raise RuntimeError("by the test")
    return 7

sys.exit(enclosure.run(stay))
"""
PATIENCE_S = 30


def groups_of(pid):
    return glob.glob(f"/sys/fs/cgroup/*/leaderexec-chaos-{pid}-*")


@pytest.mark.parametrize("end, code", [("return", 7), ("error", 125), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_no_group_is_left(end, code):
    words = [sys.executable, "-B", "-c", SCRIPT, str(end)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout.readline() == b"frozen\n"
        groups = groups_of(run.pid)
        assert groups
        if isinstance(end, signal.Signals):
            run.send_signal(end)
        else:
            run.stdin.close()
        assert run.wait(PATIENCE_S) == code
        deadline = time.monotonic() + (PATIENCE_S if end == signal.SIGKILL else 0)
        while groups_of(run.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert groups_of(run.pid) == []

"""Keeper and guard where memory or processors are short: what they make sure of beforehand, and that the command gets
nothing of it.
"""

import re

import boxes
import pytest
from driver import NOBODY, drive, open_driver, sh  # noqa: F401
from processes import descendants, wait_until


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

"""The keeper in a lost guard's place where things are scarce, and what is left of a run when one of the two has gone.

test_process.py's driver; how the whole of leaderexec fares is at the end.
"""
import os
import signal
import subprocess

from processes import alive, children, descendants, wait_until
from test_process import FAMILY, all_gone, drive, family, sh  # noqa: F401

NO_DESCRIPTORS = "--nofile=3:3"  # 0, 1 and 2 are taken, so nothing can be opened
NO_LEAK_CHECK = ["env", "ASAN_OPTIONS=detect_leaks=0"]  # which would need /proc at the end


def starve(pid):
    subprocess.run(["prlimit", f"--pid={pid}", NO_DESCRIPTORS], check=True)


# --- what can't be found ---

def test_a_lost_guards_processes_are_found_where_nothing_can_be_opened(drive):  # noqa: F811
    driven = drive("-t", 60000, "--", *sh(FAMILY), before=NO_LEAK_CHECK)
    found = family(driven)
    starve(driven.keeper)
    os.kill(driven.guard, signal.SIGKILL)
    assert driven.run.wait() == 125
    assert not any(alive(pid) for pid in found)


def test_they_are_found_beside_a_helper_that_stays(drive, tmp_path):  # noqa: F811
    script = 'sleep 317 >/dev/null 2>&1 & echo $! >helper; exec "$@"'
    driven = drive("-q", "-t", 60000, "--", *sh(FAMILY), before=[*sh(script), "sh", *NO_LEAK_CHECK])
    helper = int(wait_until(lambda: (tmp_path / "helper").read_text(), "the helper"))
    found = family(driven)
    try:
        starve(driven.keeper)
        os.kill(driven.guard, signal.SIGKILL)
        assert driven.run.wait() == 125
        assert not any(alive(pid) for pid in found) and alive(helper)
    finally:
        os.kill(helper, signal.SIGKILL)


def test_a_guard_finds_them_where_nothing_can_be_opened(drive):  # noqa: F811
    driven = drive("-t", 60000, "--", *sh(FAMILY))
    found = family(driven)
    starve(driven.guard)
    os.kill(driven.keeper, signal.SIGKILL)
    all_gone([*found, driven.guard])

"""Keeper and guard lost at once, or one of them while the other can do nothing: the kernel ends the command's group.

test_process.py's driver. The commands have changed their user where nothing else is said: whoever does gives up the signal that
the kernel sends at a parent's death (PR_SET_PDEATHSIG).
"""

import os
import pty
import shutil
import signal
import sys
import time

import boxes
import processes
import pytest
from driver import NOBODY, all_gone, become_root, drive, frozen, open_driver, sh  # noqa: F401
from processes import alive, descendants, wait_until

GROUP = "trap '' TERM; sleep 300 & sleep 300"  # three processes
SOON_S = 10  # the lease, which would end it otherwise, is much longer
DELAYS_MS = (0, 0, 0, 0, 1, 2, 3, 5, 8, 12, 17, 23, 31, 40)
EXEC_FROM_A_THREAD = (
    "import os, threading; threading.Thread(target=lambda: os.execvp('sleep', ['sleep', '300'])).start()"
)


def changed_user(script=GROUP):
    return [*boxes.as_user(NOBODY)[:-1], *sh(script)]


def found(driven, count=3):
    return wait_until(
        lambda: pids if len(pids := [p for p in descendants(driven.guard) if alive(p)]) == count else None, "all of it"
    )


def kill_both(driven, first, delay_ms):
    pids = [driven.keeper, driven.guard]
    if first == "guard":
        pids.reverse()
    os.kill(pids[0], signal.SIGKILL)
    if delay_ms:
        time.sleep(delay_ms / 1000)
    os.kill(pids[1], signal.SIGKILL)


@pytest.mark.parametrize("first", ["keeper", "guard"])
def test_the_group_dies_with_both_however_close_their_ends_are(drive, first):  # noqa: F811
    runs = [(drive("-t", 60000, "--", *changed_user()), delay_ms) for delay_ms in DELAYS_MS]
    left = [(driven, delay_ms, found(driven)) for driven, delay_ms in runs]
    for driven, delay_ms, pids in left:
        kill_both(driven, first, delay_ms)
    all_gone([pid for _, _, pids in left for pid in pids], SOON_S)


def test_each_run_has_a_switch_of_its_own(drive):  # noqa: F811
    """Nothing is left of an earlier one: neither descriptors nor somebody else's death."""
    driven = drive("-t", 60000, "-n", 3, "--", *changed_user(f'test $LEADEREXEC_TOKEN -eq 2 && exit 0; {GROUP}'))

    def open_descriptors():
        return [len(os.listdir(f"/proc/{pid}/fd")) for pid in (driven.keeper, driven.guard)]

    first = found(driven)
    before = open_descriptors()
    os.kill(first[0], signal.SIGKILL)
    wait_until(lambda: len(driven.lines("gone")) == 2, "the end of the second")
    pids = found(driven)
    assert open_descriptors() == before
    with frozen(driven.keeper):
        os.kill(driven.guard, signal.SIGKILL)
        all_gone(pids, SOON_S)
    assert driven.run.wait() == 125


def uncatchable(how, place):
    """Words before the driver, and a command that has no signal at its parent's death."""
    if how == "another user":
        return [], changed_user()
    if how == "set-user-ID":
        path = shutil.copy(shutil.which("sleep"), place)
        os.chmod(path, 0o4755)
        return boxes.as_user(NOBODY)[:-1], [path, "300"]
    return [], [sys.executable, "-c", EXEC_FROM_A_THREAD]


@pytest.mark.parametrize("how", ["another user", "set-user-ID", "exec from a thread"])
def test_a_command_without_a_parents_death_signal_dies_with_its_guard(drive, open_driver, how):  # noqa: F811
    before, command = uncatchable(how, os.path.dirname(open_driver))
    driven = drive("-t", 60000, "--", *command, before=before, binary=open_driver, cwd="/")
    pids = found(driven, 3 if how == "another user" else 1)
    wait_until(lambda: processes.command_line(pids[-1]).endswith("300"), "the command")
    with frozen(driven.keeper):
        os.kill(driven.guard, signal.SIGKILL)
        all_gone(pids, SOON_S)
    assert driven.run.wait() == 125


def test_on_a_terminal_it_is_the_command_alone(drive):  # noqa: F811
    """Whose group is the keeper's, too."""
    ours, theirs = pty.openpty()
    try:
        driven = drive("-t", 60000, "--", *changed_user(), before=["setsid", "--ctty"], stdin=theirs)
        assert driven.foreground
        pids = found(driven)
        with frozen(driven.keeper):
            os.kill(driven.guard, signal.SIGKILL)
            all_gone(pids[:1], SOON_S)
            assert alive(driven.keeper)
        assert driven.run.wait() == 125
        assert driven.gone()["end"] == 2
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_debugger_that_holds_both_until_the_guards_own_time_is_over(drive):  # noqa: F811
    driven = drive("-t", 3000, "-r", 0, "--", *changed_user())
    pids = found(driven)
    with frozen(driven.keeper), frozen(driven.guard):
        assert all_gone(pids) - driven.lease_end() < 0.1  # and this process may be late to see it
    assert driven.run.wait() == 123

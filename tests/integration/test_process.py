"""Keeper and guard by themselves: driver.py runs a command under them with a lease that is made up, so no store is
needed.

What the whole of leaderexec shows (signals, streams, terminals) is tested there; here is what needs a hand on the lease
or on the guard.
"""

import contextlib
import os
import signal
import sys
import time

import boxes
import processes
import pytest
from driver import (  # noqa: F401
    FAMILY,
    all_gone,
    beats,
    commanded,
    drive,
    family,
    frozen,
    lease_clock,
    lease_times,
    margin,
    meddled,
    open_driver,
    sh,
)
from processes import alive, children_named, command_line, descendants, status, wait_until

ISOLATED_TOO = True

# --- how a run ends ---


@pytest.mark.parametrize(
    "command, code, errno",
    [
        (sh("exit 0"), 0, 0),
        (sh("exit 7"), 7, 0),
        (sh("exit 255"), 255, 0),
        (sh("kill -SEGV $$"), 139, 0),
        (sh("kill -KILL $$"), 137, 0),
        (["no-such-command"], 127, 2),
        (["./no-such-command"], 127, 2),
        (["/etc/passwd"], 126, 13),
        (["/etc"], 126, 13),
        ([""], 127, 2),
    ],
    ids=str,
)
def test_the_exit_code_is_a_shells(drive, command, code, errno):
    driven = drive("--", *command)
    assert driven.run.wait() == code
    gone = driven.gone()
    assert (gone["end"], gone["code"], gone["errno"]) == (0, code, errno)


def test_a_script_without_an_interpreter_line_is_run_by_the_shell(drive, tmp_path):
    (tmp_path / "script").write_text('echo "ran with $1"; exit 9\n')
    (tmp_path / "script").chmod(0o755)
    driven = drive("--", "./script", "x y")
    assert driven.run.wait() == 9
    assert driven.run.out() == "ran with x y\n"


def test_each_start_has_its_token_and_the_inherited_descriptors(drive, tmp_path):
    r, w = os.pipe()
    os.write(w, b"one\ntwo\nthree\n")
    os.close(w)
    driven = drive(
        "-n",
        3,
        "--",
        *sh(f'read word; echo "$LEADEREXEC_TOKEN $word"; readlink /proc/self/fd/{r} >&2'),
        stdin=r,
        pass_fds=[r],
    )
    pipe = os.readlink(f"/proc/self/fd/{r}")
    os.close(r)
    assert driven.run.wait() == 0
    assert driven.run.out() == "1 one\n2 two\n3 three\n"
    assert driven.run.err() == f"{pipe}\n" * 3


# --- who dies when ---


def test_everything_dies_at_once_with_the_keeper(drive):
    driven = drive("-t", 60000, "--", *sh(FAMILY))
    found = family(driven)
    killed = lease_clock()
    os.kill(driven.keeper, signal.SIGKILL)
    assert all_gone([*found, driven.guard]) - killed < 2


def test_everything_is_dead_before_a_stopped_keepers_lease_ends(drive):
    driven = drive("-t", 3000, "--", *sh(FAMILY))
    found = family(driven)
    os.kill(driven.keeper, signal.SIGSTOP)
    stopped = lease_clock()
    end = all_gone(found)
    # Renewed every second: the newest lease ends 2 to 3 s after the stop, less the margin.
    assert 3 - 1 - 0.25 - margin(3) - 0.3 < end - stopped < 3 - margin(3) / 2
    os.kill(driven.keeper, signal.SIGCONT)
    assert driven.run.wait() == 123


def test_a_lease_that_isnt_renewed_ends_the_command_in_time(drive, beats):
    driven = drive("-t", 3000, "-k", 1500, "-r", 0, "--", *beats.words("-x", 5))
    assert driven.run.wait() == 123
    gone = driven.gone()
    assert (gone["end"], gone["code"]) == (1, 5)
    asked, ended = lease_times(line for line in beats.lines() if line.what in ("15", "end"))
    assert driven.lease_end() - margin(3) - 1.5 - 0.002 < asked <= ended < driven.lease_end() - margin(3)


def test_who_ignores_being_asked_is_killed_in_time(drive, beats):
    driven = drive("-t", 4000, "-r", 0, "--", *beats.words("-i", "-c", 1, "-g", "-s"))
    assert driven.run.wait() == 123
    lines = beats.lines()
    assert {line.name for line in lines if line.what == "15"} >= {"child", "child.1"}
    assert {line.name for line in lines} == {"child", "child.1", "child.orphan", "child.setsid"}
    assert max(lease_times(lines)) < driven.lease_end()
    time.sleep(0.1)
    assert beats.lines() == lines, "something beats on"


def test_everything_dies_when_keeper_and_guard_are_both_stopped(drive):
    driven = drive("-t", 2000, "--", *sh(FAMILY))
    found = family(driven)
    os.kill(driven.keeper, signal.SIGSTOP)
    os.kill(driven.guard, signal.SIGSTOP)
    stopped = lease_clock()
    assert all_gone(found) - stopped < 2
    os.kill(driven.keeper, signal.SIGCONT)
    assert driven.run.wait() == 123


def test_a_guard_that_kills_slowly_lives_to_kill_them_all(drive):
    """Its own end by the kernel's timer would leave the rest to a keeper that is stopped."""
    driven = drive("-t", 2000, "--", *sh(FAMILY))
    found = family(driven)
    with meddled(driven.guard, "kill,pidfd_send_signal:delay_enter=100ms"):
        os.kill(driven.keeper, signal.SIGSTOP)
        all_gone(found)
    os.kill(driven.keeper, signal.SIGCONT)
    assert driven.run.wait() == 123


@pytest.mark.outside_only
def test_a_guard_that_is_stopped_in_the_middle_of_a_start_keeps_the_time(drive):
    """The keeper stops once it has asked for the start, the guard once it has forked: only the kernel's timers are left."""
    driven = drive("-t", 2000, "-w", 3000, "--", *sh("trap '' TERM; sleep 300 & sleep 300"))
    with meddled(driven.guard, "setpgid:signal=STOP:when=1"), meddled(driven.keeper, "sendto:signal=STOP:when=1"):
        found = wait_until(lambda: commanded(driven), "the command")
        started = lease_clock()
    for pid in (driven.keeper, driven.guard):
        wait_until(lambda: processes.stopped(pid), "both to be stopped")
    assert all_gone(found) - started < 2 + 0.5
    os.kill(driven.keeper, signal.SIGCONT)
    assert driven.run.wait() == 123


def test_a_stopped_guard_goes_on_when_its_keeper_dies(drive):
    driven = drive("-t", 60000, "--", *sh(FAMILY))
    found = family(driven)
    os.kill(driven.keeper, signal.SIGSTOP)
    os.kill(driven.guard, signal.SIGSTOP)
    wait_until(lambda: processes.stopped(driven.guard), "the guard to stop")
    killed = lease_clock()
    os.kill(driven.keeper, signal.SIGKILL)
    assert all_gone([*found, driven.guard]) - killed < 2


def test_everything_dies_with_the_guard(drive):
    driven = drive("-q", "-t", 60000, "--", *sh(FAMILY))
    found = family(driven)
    quiet = children_named(driven.keeper, "leaderexec-io")
    assert len(quiet) == 1
    killed = lease_clock()
    os.kill(driven.guard, signal.SIGKILL)
    assert all_gone(found) - killed < 2
    # Nor does a helper process that hangs keep the keeper from saying so.
    assert driven.gone()["end"] == 2
    assert driven.run.wait() == 125


def test_a_stopped_guard_is_continued_and_its_command_notices_nothing(drive):
    driven = drive("-t", 2000, "--", *sh("sleep 3; exit 7"))
    wait_until(lambda: commanded(driven), "the command")
    os.kill(driven.guard, signal.SIGSTOP)
    wait_until(lambda: driven.lines("note"), "a note")
    assert "continued" in driven.lines("note")[0]
    assert not processes.stopped(driven.guard)
    assert driven.run.wait() == 7


def test_a_guard_that_hangs_is_noticed_long_before_the_lease_ends(drive):
    driven = drive("-t", 6000, "--", *sh(FAMILY))
    found = family(driven)
    with frozen(driven.guard):
        hung = lease_clock()
        # The next renewal comes within 2 s, its acknowledgement is missed 1 s later; the lease would have ended after 4 s at the least.
        assert all_gone(found) - hung < 2 + 1 + 0.8
    assert driven.gone()["end"] == 2
    assert driven.run.wait() == 125


def test_a_guard_that_hangs_doesnt_keep_the_keeper_from_leaving(drive):
    driven = drive("-w", 60000, "--", "touch", "ran")
    with frozen(driven.guard):
        driven.run.signal(signal.SIGTERM)
        wait_until(lambda: not alive(driven.guard), "the guard to be killed")
    assert driven.run.wait() == 143


def test_a_keeper_killed_before_the_start_leaves_no_guard(drive):
    driven = drive("-w", 60000, "--", "touch", "ran")
    os.kill(driven.keeper, signal.SIGKILL)
    all_gone([driven.guard])


def test_children_from_before_are_never_killed(build, drive, tmp_path):
    script = 'sleep 317 >/dev/null 2>&1 & echo $! >helper; (sleep 318 >/dev/null 2>&1 & echo $! >helper2); exec "$@"'
    driven = drive("-t", 60000, "--", *sh(FAMILY), before=[*sh(script), "sh"])
    helper, orphan = [int(wait_until(lambda: (tmp_path / name).read_text(), name)) for name in ("helper", "helper2")]
    found = family(driven)
    try:
        os.kill(driven.guard, signal.SIGKILL)
        assert driven.run.wait() == 125
        assert not any(alive(pid) for pid in found)
        assert alive(helper) and command_line(helper) == "sleep 317" and alive(orphan)
    finally:
        for pid in (helper, orphan):
            os.kill(pid, signal.SIGKILL)


# --- what the command leaves behind ---


def test_what_the_command_leaves_behind_is_asked_to_end_and_then_killed(drive):
    listener = "trap 'echo asked' TERM; echo up; while :; do sleep 0.02; done"
    driven = drive(
        "-k", 500, "--", *sh(f'setsid sh -c "{listener}" & while ! grep -q up driven0.out; do sleep 0.01; done; exit 7')
    )
    assert driven.run.wait() == 7
    assert driven.run.out() == "up\nasked\n"
    assert driven.gone()["end"] == 0


def test_orphans_leave_no_zombies(drive):
    driven = drive("--", *sh("for i in $(seq 50); do (true & true &); done; sleep 1"))
    wait_until(lambda: commanded(driven), "the command")
    time.sleep(0.5)
    assert [pid for pid in descendants(driven.guard) if (s := status(pid)) and s[1] == "Z"] == []
    assert driven.run.wait() == 0


def test_orphans_that_end_faster_than_they_are_reaped_keep_the_guard_from_nothing(drive):
    driven = drive("-t", 60000, "-T", 100, "-l", 60000, "--", *sh("trap '' TERM; while :; do (true &); done"))
    wait_until(lambda: descendants(driven.guard), "the command")
    with meddled(driven.guard, "waitid:delay_exit=2ms"):
        driven.run.signal(signal.SIGTERM)
        assert driven.gone()["end"] == 0
        assert alive(driven.guard)  # it wasn't the keeper that had to end it
    driven.run.signal(signal.SIGKILL)
    all_gone([driven.guard])


# Capped twice: by the number of processes that their user may have, and by their patience.
BOMB = """import os, sys, time
group = os.setsid if sys.argv[1] == "apart" else os.getpgrp
while True:
    try:
        if os.fork() == 0:
            group()
    except OSError:
        time.sleep(0.02)
"""
CHAIN = """import os, time
def fork():
    try:
        return os.fork()
    except OSError:
        return None
for i in range(20):
    if os.fork() == 0:
        while True:
            if os.getpid() != os.getsid(0):
                os.setsid()
            time.sleep(0.005)
            while (pid := fork()) is None:
                time.sleep(0.005)
            if pid:
                os._exit(0)
os._exit(0)
"""


def own_processes(uid):
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and owner(name) == uid]


def owner(pid):
    try:
        return os.stat(f"/proc/{pid}").st_uid if alive(int(pid)) else None
    except OSError:
        return None


@pytest.fixture
def rampant():
    """The id of a user of the test's own. Whatever runs as that user is killed at the end."""
    uid = 61000 + os.getpid() % 4000
    yield uid
    pid = os.fork()
    if pid == 0:
        os.setgid(uid)
        os.setuid(uid)
        with contextlib.suppress(OSError):
            os.kill(-1, signal.SIGKILL)
        os._exit(0)
    os.waitpid(pid, 0)
    wait_until(lambda: own_processes(uid) == [], f"the end of user {uid}'s processes")


@pytest.mark.parametrize("how", ["together", "apart"])
def test_a_bomb_is_gone_soon_after_the_stop_timeout(drive, open_driver, rampant, how):
    bomb = [sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + BOMB, how]
    driven = drive("-t", 60000, "-T", 300, "--", *bomb, before=boxes.as_user(rampant, 150), binary=open_driver, cwd="/")
    wait_until(lambda: len(own_processes(rampant)) > 120, "the bomb")
    told = lease_clock()
    os.kill(driven.keeper, signal.SIGTERM)
    assert driven.run.wait() == 137
    assert 0.3 <= driven.gone()["at_ms"] / 1000 - told + 0.001 < 0.3 + 4
    assert own_processes(rampant) == []


@pytest.mark.outside_only
@pytest.mark.parametrize("who", ["keeper", "guard"])
def test_chains_that_fork_and_exit_are_broken(drive, open_driver, rampant, who):
    script = f"setsid {sys.executable} -c '{CHAIN}'; sleep 300"
    driven = drive("-t", 60000, "--", *sh(script), before=boxes.as_user(rampant, 150), binary=open_driver, cwd="/")
    wait_until(lambda: len(own_processes(rampant)) > 8, "the chains")
    os.kill(getattr(driven, who), signal.SIGKILL)
    wait_until(lambda: own_processes(rampant) == [], "the chains to be broken", 5)

"""The keeper in a lost guard's place where things are scarce, and what is left of a run when one of the two has gone.

test_process.py's driver; how the whole of leaderexec fares is at the end.
"""

import os
import signal
import subprocess
import time

import boxes
import processes
import pytest
from processes import alive, command_line, descendants, wait_until
from driver import (  # noqa: F401
    FAMILY,
    NOBODY,
    all_gone,
    become_root,
    commanded,
    drive,
    family,
    frozen,
    lease_clock,
    open_driver,
    sh,
)

ISOLATED_TOO = True
FAST, TTL_S = ("--ttl", "4s", "--poll", "300ms"), 4
NO_DESCRIPTORS = "--nofile=3:3"  # 0, 1 and 2 are taken, so nothing can be opened
NO_LEAK_CHECK = ["env", "ASAN_OPTIONS=detect_leaks=0"]  # which would need /proc at the end


def starve(pid):
    subprocess.run(["prlimit", f"--pid={pid}", NO_DESCRIPTORS], check=True)


def unkillable(drive, become_root, open_driver, *options):  # noqa: F811
    """A driver as an unprivileged user, whose command's descendant "sleep 319" is root's; and that one."""
    script = f"{' '.join(become_root)} sleep 319 & wait"
    driven = drive(*options, "--", *sh(script), before=boxes.as_user(NOBODY)[:-1], binary=open_driver, cwd="/")
    sleeper = wait_until(
        lambda: [p for p in descendants(driven.keeper) if command_line(p) == "sleep 319"], "the sleeper"
    )[0]
    return driven, sleeper


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


# --- what the end of a guard means ---


def test_after_the_last_run_a_guard_may_go(drive):  # noqa: F811
    driven = drive("-l", 1000, "--", *sh("exit 7"))
    driven.gone()
    os.kill(driven.guard, signal.SIGKILL)
    assert driven.run.wait() == 7
    assert not driven.lines("broken")


def idle_guard(keeper, but=None):
    """The guard of a keeper for which nothing runs."""

    def find():
        return [pid for pid in processes.children_named(keeper, "le-guard") if pid != but]

    return wait_until(find, "a guard")[0]


# Who reads, where from, and with which descriptor beside.
READS = "read word; echo $LEADEREXEC_TOKEN $word; readlink /proc/self/fd/7; test $LEADEREXEC_TOKEN -gt 1 || exec sleep 300"


@pytest.mark.parametrize("how", ["frozen whole", "guard killed meanwhile"])
def test_a_leader_that_was_frozen_takes_another_turn(leaderexec, store, tmp_path, how):
    """At the thaw its guard is killed, by its own timer: too late for the kernel, and the keeper gets itself another."""
    with open(tmp_path / "words", "w+") as words, open(tmp_path / "beside", "w") as beside:
        words.write("one\ntwo\n")
        words.seek(0)
        os.dup2(beside.fileno(), 7)
    with boxes.cgroup("freezer", boxes.FREEZER) as procs:
        before = [*boxes.in_cgroup(procs), *sh('exec "$@" 7>beside <words'), "sh"]
        run = leaderexec(*FAST, "--on-loss", "rejoin", "--", *sh(READS), before=before)
        guard = boxes.guard_of(run.pid)
        if how == "frozen whole":
            with boxes.frozen(procs):
                time.sleep(TTL_S + 0.5)
        else:
            with frozen(run.pid):
                os.kill(guard, signal.SIGKILL)
                time.sleep(TTL_S)  # so that the keeper finds the time over, too
        assert run.wait() == 0
    first, second = run.out().split("\n", 2)[:2], run.out().splitlines()[2:]
    assert first == ["1 one", str(tmp_path / "beside")]
    assert second[0].endswith(" two") and second[1] == first[1]
    assert not alive(guard) and "not renewed in time" in run.err()
    assert store.head().body == b"free\n" or "isn't freed" in run.err()  # a loaded machine's disk is slow


def test_who_is_told_to_end_while_the_guard_dies_frees_the_lock(leaderexec, store):
    run = leaderexec(*FAST, "--", "sleep", "300")
    guard = boxes.guard_of(run.pid)
    with frozen(run.pid):  # so that it hears of both at once
        os.kill(guard, signal.SIGKILL)
        os.kill(run.pid, signal.SIGTERM)
        time.sleep(0.2)
    assert run.wait() == 125
    assert "the guard process died" in run.err() and "No such process" not in run.err()
    assert store.head().body == b"free\n"


def test_a_candidate_that_loses_its_guard_gets_another(drive):  # noqa: F811
    driven = drive("-w", 60000, "--", "touch", "ran", before=NO_LEAK_CHECK)
    for _ in range(3):
        os.kill(guard := idle_guard(driven.keeper), signal.SIGKILL)
        idle_guard(driven.keeper, but=guard)
    wait_until(lambda: len(driven.lines("note")) == 3, "a word of each")
    assert all(line.endswith("another has taken its place") for line in driven.lines("note"))
    starve(driven.keeper)
    os.kill(idle_guard(driven.keeper), signal.SIGKILL)
    assert driven.run.wait() == 125
    assert "Too many open files" in driven.lines("broken")[0] and not driven.lines("start")


@pytest.mark.outside_only
def test_a_guard_without_a_keeper_waits_quietly_for_who_cant_be_killed(drive, become_root, open_driver):  # noqa: F811
    driven, sleeper = unkillable(drive, become_root, open_driver, "-t", 60000)
    os.kill(driven.keeper, signal.SIGKILL)
    time.sleep(6)  # its rounds have slowed down by then
    looks = [processes.status(driven.guard)[1] for _ in range(100) if not time.sleep(0.01)]
    os.kill(sleeper, signal.SIGKILL)
    all_gone([driven.guard])
    assert looks.count("S") > 50, looks  # one that spins never sleeps; a round takes its time on a busy machine


@pytest.mark.outside_only
def test_the_kernel_ends_a_command_whose_keeper_and_guard_hang_before_its_lease_ends(drive):  # noqa: F811
    driven = drive("-t", 10000, "-r", 0, "--", "sleep", "300")
    command = wait_until(lambda: commanded(driven), "the command")[0]
    os.kill(driven.keeper, signal.SIGSTOP)
    with frozen(driven.guard):
        gone = all_gone([command])
    assert -0.7 < gone - driven.lease_end() < 0.1  # 0.09 s before it, and this process may be late to see it
    assert driven.run.wait() == 123


# --- a keeper that is stopped ---


def test_a_stopped_keeper_goes_on_when_its_guard_dies(drive):  # noqa: F811
    driven = drive("-q", "-t", 60000, "--", *sh(FAMILY))
    found = family(driven)
    os.kill(driven.keeper, signal.SIGSTOP)
    wait_until(lambda: processes.stopped(driven.keeper), "the keeper to stop")
    killed = lease_clock()
    os.kill(driven.guard, signal.SIGKILL)
    assert all_gone(found) - killed < 2
    assert driven.gone()["end"] == 2
    assert driven.run.wait() == 125


@pytest.mark.outside_only
def test_who_stops_a_keeper_that_takes_over_doesnt_stop_it_for_good(drive, become_root, open_driver):  # noqa: F811
    driven, sleeper = unkillable(drive, become_root, open_driver, "-t", 60000)
    os.kill(driven.guard, signal.SIGKILL)
    wait_until(lambda: driven.lines("note"), "a keeper that kills in vain")
    for _ in range(20):
        for _ in range(3):
            os.kill(driven.keeper, signal.SIGSTOP)
            time.sleep(0.003)
        wait_until(lambda: not processes.stopped(driven.keeper), "it to go on", 2, step_s=0.001)
    os.kill(sleeper, signal.SIGKILL)
    assert driven.run.wait() == 125


# --- a keeper that can't go on ---


def test_a_keeper_that_fails_leaves_nothing_behind(drive):  # noqa: F811
    driven = drive("-f", 1500, "-t", 60000, "--", *sh(FAMILY))
    found = family(driven)
    assert driven.run.wait() == 125
    assert driven.lines("failed") and not any(alive(pid) for pid in [*found, driven.guard])


@pytest.mark.outside_only
def test_a_keeper_that_fails_without_a_guard_kills_what_that_started(drive):  # noqa: F811
    driven = drive("-f", 2000, "-t", 60000, "--", *sh(FAMILY))
    found = family(driven)
    with frozen(driven.keeper):  # so that it fails before it hears of the guard's end
        os.kill(driven.guard, signal.SIGKILL)
        time.sleep(2)
        assert any(alive(pid) for pid in found)
    assert driven.run.wait() == 125
    assert driven.lines("failed") and not any(alive(pid) for pid in found)


@pytest.mark.outside_only
def test_a_keeper_that_fails_names_who_is_left_to_the_guard(drive, become_root, open_driver):  # noqa: F811
    driven, sleeper = unkillable(drive, become_root, open_driver, "-f", 1500, "-t", 60000)
    assert driven.run.wait() == 125
    assert f"{sleeper} (sleep)" in driven.lines("left")[0]
    time.sleep(4)  # longer than an idle guard would get
    assert alive(driven.guard) and alive(sleeper)
    os.kill(sleeper, signal.SIGKILL)
    all_gone([driven.guard])


@pytest.mark.outside_only
def test_a_keeper_that_fails_while_taking_over_names_who_is_left(drive, become_root, open_driver):  # noqa: F811
    driven, sleeper = unkillable(drive, become_root, open_driver, "-f", 2500, "-t", 60000)
    os.kill(driven.guard, signal.SIGKILL)
    assert driven.run.wait() == 125
    assert driven.lines("failed") and f"{sleeper} (sleep)" in driven.lines("left")[0]
    os.kill(sleeper, signal.SIGKILL)

"""Commands that don't want to end: ones that ignore signals, leave others behind, or multiply."""

import os
import random
import signal
import time

import boxes
import pytest
import stores
from processes import PATIENCE_S, command_line, descendants, stopped, wait_until

FAST = ("--ttl", "4s", "--poll", "300ms")
RAMPANT_TTL_MS = 8000
RAMPANT = ("--ttl", "8s", "--poll", "300ms")  # a bomb leaves the keeper little time on a small machine
MOST = 200  # processes that a bomb may have, by its own count
CAP = 300  # by the kernel's


def begun(child, count, what="begin"):
    """Waits for so many lines; returns them."""
    wait_until(lambda: len(child.lines(what)) >= count, f"{count} lines {what}")
    return child.lines(what)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: stopped(pid), f"{pid} to stop")


def runs_at_once(leaderexec):
    """Whether the lock is free."""
    return leaderexec(*FAST, "--no-wait", "--", "true").wait() == 0


def seconds(before, after):
    return (after.boottime_ns - before.boottime_ns) / 1e9


def test_a_command_that_ignores_term_is_killed_after_the_stop_timeout(leaderexec, child, store):
    run = leaderexec(*FAST, "--stop-timeout", "1500ms", "--", *child("-i", "-c", 2, "-g"))
    begun(child, 4)
    run.signal(signal.SIGTERM)
    assert run.wait() == 137
    told = [line for line in child.lines("15") if line.name == "child"]
    last = max(child.lines(), key=lambda line: line.boottime_ns)
    assert len(told) == 1
    assert 1.3 < seconds(told[0], last) < 4
    assert run.err().count("\n") == 1 and "TERM" in run.err()
    assert runs_at_once(leaderexec)
    child.assert_promise(store)


def test_a_command_that_ignores_term_is_killed_kill_after_before_the_lease_ends(leaderexec, child, store):
    """The keeper is stopped, so that nothing renews; the guard does all of it alone."""
    run = leaderexec(
        "--ttl", "6s", "--poll", "300ms", "--kill-after", "1200ms", "--", *child("-i", "-c", 2, "-g", "-s")
    )
    begun(child, 5)
    stop(run.pid)
    told = begun(child, 1, "15")[0]
    time.sleep(2.5)
    last = max(child.lines(), key=lambda line: line.boottime_ns)
    assert 1.0 < seconds(told, last) < 1.6
    assert [pid for pid in descendants(run.pid) if child.binary in command_line(pid)] == []
    child.assert_promise(store)
    run.signal(signal.SIGCONT)
    assert run.wait() == 123
    assert run.err().count("\n") == 1 and "lost" in run.err()


def test_what_a_command_leaves_behind_is_told_to_end_and_waited_for(leaderexec, child, store):
    """Children, an orphan and one in a session of its own beat on for 1.5 s after TERM, and the lock is theirs until then."""
    script = '"$@" & sleep 1; exit 7'
    run = leaderexec(*FAST, "--", "sh", "-c", script, "sh", *child("-l", 1500, "-c", 2, "-g", "-s"))
    begun(child, 5)
    next_one = leaderexec(*FAST, "--", *child("-n", "next", "-d", 100))
    assert run.wait() == 7
    left = [line for line in child.lines() if line.token == 1]
    assert run.err() == ""
    assert {line.name for line in child.lines("15") if line.token == 1} >= {
        "child",
        "child.1",
        "child.2",
        "child.orphan",
        "child.setsid",
    }
    assert next_one.wait() == 0
    assert [
        line for line in child.lines() if line.token == 1
    ] == left, "something of the first one's beat after its end"
    child.assert_promise(store)


def test_what_a_command_leaves_behind_is_killed_where_it_ignores_term(leaderexec, child, store):
    script = '"$@" & sleep 1; exit 7'
    run = leaderexec(*FAST, "--", "sh", "-c", script, "sh", *child("-i", "-c", 2, "-g", "-s"))
    begun(child, 5)
    assert run.wait() == 7
    left = child.lines()
    assert runs_at_once(leaderexec)
    time.sleep(0.3)
    assert child.lines() == left
    child.assert_promise(store)


def test_a_command_that_forks_and_exits_at_once_leaves_nothing_behind(leaderexec, child):
    for _ in range(5):
        run = leaderexec(*FAST, "--", *child("-f", "-x", 3, "-c", 3, "-g", "-s"))
        assert run.wait() == 3
        left = child.lines()
        time.sleep(0.1)
        assert child.lines() == left


def test_a_hundred_orphans_leave_no_zombie(leaderexec, child):
    run = leaderexec(*FAST, "--", *child("-o", 100, "-d", 2500, "-x", 5))
    wait_until(lambda: descendants(run.pid), "a guard")
    begun(child, 1)
    time.sleep(0.3)
    first = boxes.zombies(descendants(run.pid))
    time.sleep(0.7)
    assert first & boxes.zombies(descendants(run.pid)) == set()
    assert len(descendants(run.pid)) < 10
    assert run.wait() == 5
    assert len(child.lines("end")) == 1


@pytest.fixture
def hostile(launch, store, child):
    """Starts leaderexec with a hostile command: as an unprivileged user with few processes to make, and in a control group that allows no
    more. hostile(arguments, child's options) returns the run and its mark."""
    with boxes.open_place() as place, boxes.cgroup("pids", {"pids.max": str(CAP)}) as procs:
        if store.kind == "directory":
            opened = type(store)("directory", place)
            store.folder, store.environment, store.log = opened.folder, opened.environment, opened.log
        child.path = os.path.join(place, "beats")
        uid = random.SystemRandom().randrange(60000, 64000)

        def start(arguments, *options):
            mark = f"{os.getpid()}-{time.monotonic_ns()}"
            before = [*boxes.in_cgroup(procs), *boxes.as_user(uid, CAP)]
            return (
                launch(
                    *arguments, "--", *child(*options), store=store, env={boxes.MARK: mark}, before=before, cwd=place
                ),
                mark,
            )

        yield start


def lease_end_ms(store):
    return max(stores.lease_ends(store.slots()).values())


BOMB, CHAINS = ("-b", MOST), ("-F", 20)


def rampant(run, mark, options):
    """Waits until there are many."""
    enough = MOST * 0.8 if options == BOMB else 15
    wait_until(lambda: run.poll() is not None or len(boxes.commands_of(mark)) >= enough, "the command to multiply")
    assert run.poll() is None, run.err()


@pytest.mark.parametrize("options", [BOMB, CHAINS], ids=["bomb", "chains"])
@pytest.mark.parametrize("what", ["stopped", "killed"])
def test_rampant_processes_are_gone_before_the_lease_of_a_dead_keeper_ends(hostile, child, store, options, what):
    run, mark = hostile(RAMPANT, *options, "-i")
    rampant(run, mark, options)
    if what == "stopped":
        stop(run.pid)
    else:
        run.signal(signal.SIGKILL)
    gone_ms = boxes.when_gone(mark)
    assert gone_ms < lease_end_ms(store)
    child.assert_promise(store)
    if what == "stopped":
        run.signal(signal.SIGCONT)
        assert run.wait() == 123


@pytest.mark.parametrize("options", [BOMB, CHAINS], ids=["bomb", "chains"])
def test_rampant_processes_are_gone_at_the_stop_timeout(hostile, child, store, options):
    run, mark = hostile((*RAMPANT, "--stop-timeout", "1s"), *options, "-i")
    rampant(run, mark, options)
    told_ms = time.time() * 1000
    run.signal(signal.SIGTERM)
    gone_ms = boxes.when_gone(mark)
    assert run.wait() == 137
    assert 900 < gone_ms - told_ms < 1000 + RAMPANT_TTL_MS
    assert store.head().body == b"free\n"


BUSY = 'trap "" TERM; for i in 1 2 3 4; do sh -c "while :; do :; done" & done; wait'


@pytest.mark.parametrize("what", ["stopped", "killed"])
def test_busy_children_with_a_tenth_of_a_processor_are_gone_before_the_lease_ends(leaderexec, store, what):
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    quota = {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "10000", "cpu.max": "10000 100000"}
    with boxes.cgroup("cpu", quota) as procs:
        if procs is None:
            pytest.skip("no control group with a processor quota can be made here")
        run = leaderexec("--ttl", "5s", "--", "sh", "-c", BUSY, before=boxes.in_cgroup(procs), env={boxes.MARK: mark})
        wait_until(lambda: len(boxes.commands_of(mark)) >= 5, "four busy children", 2 * PATIENCE_S)
        first_ms = lease_end_ms(store)
        time.sleep(6)  # it keeps its lease meanwhile
        assert run.poll() is None, run.err()
        assert lease_end_ms(store) > first_ms
        if what == "stopped":
            stop(run.pid)
        else:
            run.signal(signal.SIGKILL)
        assert boxes.when_gone(mark) < lease_end_ms(store)
        if what == "stopped":
            run.signal(signal.SIGCONT)
            assert run.wait() == 123


def test_busy_children_with_a_tenth_of_a_processor_are_told_and_killed_at_the_stop_timeout(leaderexec, store):
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    with boxes.cgroup(
        "cpu", {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "10000", "cpu.max": "10000 100000"}
    ) as procs:
        if procs is None:
            pytest.skip("no control group with a processor quota can be made here")
        run = leaderexec(
            "--ttl",
            "5s",
            "--stop-timeout",
            "1s",
            "--",
            "sh",
            "-c",
            BUSY,
            before=boxes.in_cgroup(procs),
            env={boxes.MARK: mark},
        )
        wait_until(lambda: len(boxes.commands_of(mark)) >= 5, "four busy children", 2 * PATIENCE_S)
        run.signal(signal.SIGTERM)
        assert run.wait() == 137
        assert boxes.commands_of(mark) == []
        assert store.head().body == b"free\n"

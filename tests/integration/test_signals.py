"""Signals: what ends the command, what is passed on, what was ignored at start, and what comes while waiting for the lock."""

import json
import os
import signal
import statistics
import sys
import time

import pytest
from processes import alive, boottime, command_line, descendants, seen_from_here, wait_until

ISOLATED_TOO = True
FAST = ("--ttl", "4s", "--poll", "300ms")
RACE = ("--ttl", "12s", "--poll", "200ms")  # many rounds: none may lose its lease to a slow disk
HERE = os.path.dirname(os.path.abspath(__file__))
BEGUN, OURS = 42, 143  # exit codes of the races below


class Recorder:
    """recorder.py as a command, and what it wrote."""

    def __init__(self, directory):
        self.path = os.path.join(str(directory), "signals")

    def __call__(self, *arguments):
        return [sys.executable, "-ISE", os.path.join(HERE, "recorder.py"), self.path, *map(str, arguments)]

    def words(self):
        try:
            with open(self.path) as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def heard(self):
        return [int(word) for word in self.words() if word != "ready"]

    def wait_ready(self):
        wait_until(lambda: "ready" in self.words(), "the command to be ready")

    def wait_heard(self, *numbers):
        wait_until(lambda: self.heard() == list(numbers), f"signals {numbers}, not {self.heard()}")


@pytest.fixture
def recorder(tmp_path):
    return Recorder(tmp_path)


@pytest.mark.parametrize("name", ["TERM", "INT", "QUIT"])
def test_a_signal_that_ends_reaches_the_command_once_and_its_exit_code_comes_back(leaderexec, store, recorder, name):
    number = signal.Signals[f"SIG{name}"]
    run = leaderexec(*FAST, "--", *recorder(5))
    recorder.wait_ready()
    run.signal(number)
    assert run.wait() == 5
    assert recorder.heard() == [number]
    assert store.head().body == b"free\n"
    assert run.err().count("\n") == 1 and name in run.err()


@pytest.mark.parametrize("name", ["HUP", "USR1", "USR2", "WINCH"])
def test_other_signals_are_passed_on_and_change_nothing_else(leaderexec, recorder, name):
    number = signal.Signals[f"SIG{name}"]
    run = leaderexec(*FAST, "--", *recorder(5, 2))
    recorder.wait_ready()
    run.signal(number)
    recorder.wait_heard(number)
    time.sleep(0.5)
    run.signal(number)
    assert run.wait() == 5
    assert recorder.heard() == [number, number]
    assert run.err() == ""


def test_the_stop_signal_of_ones_choice_takes_the_place_of_term(leaderexec, recorder):
    run = leaderexec(*FAST, "--signal", "USR1", "--stop-timeout", "1s", "--", *recorder(5))
    recorder.wait_ready()
    run.signal(signal.SIGTERM)
    assert run.wait() == 137  # USR1 doesn't end it
    assert recorder.heard() == [signal.SIGUSR1]


@pytest.mark.parametrize("name", ["INT", "QUIT"])
def test_the_stop_signal_of_ones_choice_doesnt_take_the_place_of_others(leaderexec, recorder, name):
    number = signal.Signals[f"SIG{name}"]
    run = leaderexec(*FAST, "--signal", "SIGUSR1", "--", *recorder(5))
    recorder.wait_ready()
    run.signal(number)
    assert run.wait() == 5
    assert recorder.heard() == [number]


def test_told_twice_is_told_once(leaderexec, recorder):
    run = leaderexec(*FAST, "--", *recorder(5))
    recorder.wait_ready()
    run.signal(signal.SIGTERM)
    recorder.wait_heard(signal.SIGTERM)
    run.signal(signal.SIGTERM)
    assert run.wait() == 5
    assert recorder.heard() == [signal.SIGTERM]


def test_a_signal_reaches_the_whole_group_of_the_command(leaderexec, child):
    run = leaderexec(*FAST, "--", *child("-c", 2))
    wait_until(lambda: len(child.lines("begin")) == 3, "three processes")
    run.signal(signal.SIGHUP)
    assert run.wait() == 0
    assert sorted(line.name for line in child.lines("1")) == ["child", "child.1", "child.2"]


def test_a_stopped_command_is_continued_to_end(leaderexec, child):
    run = leaderexec(*FAST, "--", *child("-x", 5))
    child.wait_for_terms(1)
    os.kill(seen_from_here(child.lines()[0].pid, run.pid), signal.SIGSTOP)
    run.signal(signal.SIGTERM)
    assert run.wait() == 5
    assert len(child.lines("15")) == 1


def test_under_nohup_a_hangup_changes_nothing(leaderexec, recorder):
    run = leaderexec(*FAST, "--", *recorder(5, 2), before=["nohup"])
    recorder.wait_ready()
    run.signal(signal.SIGHUP)
    run.signal(signal.SIGUSR1)
    recorder.wait_heard(signal.SIGUSR1)
    assert run.wait() == 5
    assert recorder.heard() == [signal.SIGUSR1]


def test_a_candidate_under_nohup_outlives_a_hangup(leaderexec, child, recorder):
    holder = leaderexec(*FAST, "--", *child())
    child.wait_for_terms(1)
    run = leaderexec("-v", *FAST, "--", *recorder(5, 0.1), before=["nohup"])
    wait_until(lambda: "waiting" in run.err(), "the candidate to wait")
    run.signal(signal.SIGHUP)
    time.sleep(0.5)
    assert run.poll() is None
    holder.signal(signal.SIGTERM)
    assert run.wait() == 5
    assert recorder.heard() == []


def test_a_background_job_of_a_script_ignores_int_and_quit(leaderexec, recorder):
    """Shells without job control start background jobs so."""
    run = leaderexec(*FAST, "--", *recorder(5), before=["sh", "-c", '"$0" "$@" & echo $! >keeper; wait $!'])
    recorder.wait_ready()
    with open(os.path.join(os.path.dirname(run.out_path), "keeper")) as f:
        keeper = int(f.read())
    os.kill(keeper, signal.SIGINT)
    os.kill(keeper, signal.SIGQUIT)
    time.sleep(0.5)
    assert recorder.heard() == [] and alive(keeper)
    os.kill(keeper, signal.SIGTERM)
    assert run.wait() == 5
    assert recorder.heard() == [signal.SIGTERM]


def test_the_exit_code_arrives_where_children_were_ignored_at_start(leaderexec):
    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    assert leaderexec(*FAST, "--", "sh", "-c", "exit 7", preexec_fn=ignore).wait() == 7


def test_signals_that_were_blocked_at_start_are_heard_all_the_same(leaderexec, recorder):
    def block():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM})

    run = leaderexec(*FAST, "--stop-timeout", "1s", "--", *recorder(5, 30), preexec_fn=block)
    recorder.wait_ready()
    run.signal(signal.SIGTERM)
    assert run.wait() == 137  # the command has TERM blocked as well, and never hears it
    assert recorder.heard() == []


@pytest.mark.parametrize("name, code", [("TERM", 143), ("INT", 130), ("QUIT", 131)])
def test_a_signal_while_waiting_ends_with_its_number_and_runs_nothing(leaderexec, child, tmp_path, name, code):
    leaderexec(*FAST, "--", *child())
    child.wait_for_terms(1)
    run = leaderexec("-v", *FAST, "--", "touch", str(tmp_path / "ran"))
    wait_until(lambda: "waiting" in run.err(), "the candidate to wait")
    before = boottime()
    run.signal(signal.Signals[f"SIG{name}"])
    assert run.wait() == code
    assert boottime() - before < 3
    assert not os.path.exists(tmp_path / "ran")


# The trap comes first: where there is a line in the file, TERM gives BEGUN.
RACER = f'trap "exit {BEGUN}" TERM; echo begun >>"$1"; while :; do sleep 0.02; done'


def judge(run, path):
    """What became of a run that was told to end: "begun" or "nothing", and never both."""
    code = run.wait()
    begun = os.path.exists(path)
    assert code in (BEGUN, OURS), f"exit code {code}: {run.err()}"
    assert not (code == OURS and begun), f"the command had begun, and yet: {run.err()}"
    assert not (code == BEGUN and not begun)
    return "begun" if begun else "nothing"


@pytest.mark.outside_only
def test_a_signal_close_to_winning_a_free_lock_starts_nothing_or_ends_what_began(leaderexec, tmp_path):
    def usual_s(number):
        path = str(tmp_path / f"usual{number}")
        run = leaderexec(*RACE, "--", "sh", "-c", RACER, "sh", path)
        wait_until(lambda: os.path.exists(path), "the command to begin", step_s=0.001)
        took = boottime() - run.started
        run.signal(signal.SIGTERM)
        assert run.wait() == BEGUN
        return took

    usual = statistics.median(usual_s(i) for i in range(3))
    seen, rounds = [], 40
    for i in range(rounds):
        path = str(tmp_path / f"raced{i}")
        run = leaderexec(*RACE, "--", "sh", "-c", RACER, "sh", path)
        time.sleep(max(0, run.started + usual * 1.6 * i / rounds - boottime()))
        run.signal(signal.SIGTERM)
        seen.append(judge(run, path))
        after = leaderexec(*RACE, "--no-wait", "--", "true")
        assert after.wait() == 0, f"round {i} left the lock taken: {after.err()}"
    assert {"begun", "nothing"} <= set(seen), f"no race in {rounds} rounds of {usual:.3f} s: {seen}"


@pytest.mark.outside_only
def test_a_signal_close_to_taking_over_from_a_leader_starts_nothing_or_ends_what_began(leaderexec, tmp_path):
    seen, rounds = [], 14
    for i in range(rounds):
        path, ready = str(tmp_path / f"raced{i}"), str(tmp_path / f"held{i}")
        holder = leaderexec(*RACE, "--", "sh", "-c", RACER, "sh", ready)
        wait_until(lambda: os.path.exists(ready), "the holder to hold")
        run = leaderexec("-v", *RACE, "--", "sh", "-c", RACER, "sh", path)
        wait_until(lambda: "waiting" in run.err(), "the candidate to wait")
        holder.signal(signal.SIGTERM)
        assert holder.wait() == BEGUN, holder.err()
        time.sleep(0.4 * i / rounds)
        run.signal(signal.SIGTERM)
        seen.append(judge(run, path))
        assert leaderexec(*RACE, "--no-wait", "--", "true").wait() == 0, f"round {i} left the lock taken"
    assert {"begun", "nothing"} <= set(seen), f"no race in {rounds} rounds: {seen}"


def test_a_command_that_kills_its_own_group_takes_nothing_of_ours_along(leaderexec, store):
    run = leaderexec(*FAST, "--", "sh", "-c", "sleep 30 & kill -KILL 0")
    assert run.wait() == 137
    assert store.head().body == b"free\n"


def test_the_shells_kill_sees_the_signal_that_the_command_died_of(leaderexec):
    run = leaderexec(*FAST, "--", "sleep", "30")
    wait_until(lambda: "sleep 30" in map(command_line, descendants(run.pid)), "the command")
    run.signal(signal.SIGTERM)
    assert run.wait() == 143


def resign(store):
    """Appends an evict, as an operator would, right after a renewal, so that nothing else is in its slot."""
    seq = store.head().seq
    wait_until(lambda: store.head().seq > seq, "a renewal")
    head = store.head()
    evict = {**head.record, "seq": head.seq + 1, "kind": "evict", "nonce": "0123456789abcdef" * 2, "node": "operator"}
    store.log.put(f"{999999999999 - evict['seq']:012}-{evict['seq']}", json.dumps(evict).encode())


@pytest.mark.outside_only
def test_a_signal_while_an_evicted_leader_stops_its_command_keeps_it_from_rejoining(leaderexec, store):
    slow = "trap 'echo asked; sleep 1; echo over; exit 5' TERM; echo up; while :; do sleep 0.02; done"
    run = leaderexec(*FAST, "--on-loss", "rejoin", "--", "sh", "-c", slow)
    wait_until(lambda: "up" in run.out(), "the command")
    resign(store)
    wait_until(lambda: "asked" in run.out(), "the command to be asked to stop")
    run.signal(signal.SIGTERM)
    assert run.wait() == 123  # and not a second command, which no signal could end any more
    assert run.out().count("up") == 1
    assert store.head().body == b"free\n"

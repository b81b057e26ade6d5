"""On a terminal: reading, job control, Ctrl-C and Ctrl-Z, pipelines, as if the command had been run by itself."""

import os
import signal
import sys
import time

import pytest
from processes import alive, children, descendants, wait_until
from console import SHELL, Console
from test_signals import Recorder

ISOLATED_TOO = True
FAST = "--ttl 4s --poll 300ms"
LONG = "--ttl 20s --poll 300ms"
TTL_S = 4
PAGER = """import sys
text = sys.stdin.read()
keys = open("/dev/tty")
print("pager has", len(text), "characters", flush=True)
while (key := keys.readline().strip()) != "q":
    print("pager knows no", key, flush=True)
print("pager quits", flush=True)
"""


@pytest.fixture
def terminal(launch, store, tmp_path):
    """terminal(): a shell on a terminal; terminal(argv): another program. $LEADEREXEC is leaderexec, on the test's store."""
    opened = []

    def start(argv=None):
        opened.append(Console(argv or SHELL, {**launch.base, **store.environment}, str(tmp_path)))
        if argv is None:
            opened[-1].prompt()
        return opened[-1]

    yield start
    for t in opened:
        with t:
            pass


@pytest.fixture
def recorder(tmp_path):
    return Recorder(tmp_path)


@pytest.fixture
def beater(child):
    """Words for the shell: beater("-d", 100)."""
    return lambda *options: " ".join(child(*options))


def beats_on(child):
    count = len(child.lines("beat"))
    wait_until(lambda: len(child.lines("beat")) > count, "a beat")


def silent(child, seconds=0.4):
    """Waits until nothing beats for a while."""

    def quiet():
        count = len(child.lines())
        time.sleep(seconds)
        return len(child.lines()) == count

    wait_until(quiet, "silence", 5)


def test_a_command_reads_from_the_terminal(terminal):
    t = terminal()
    t.line(f"$LEADEREXEC {FAST} -- sh -c 'read answer; echo \"<$answer>\"; exit 6'")
    t.watch(0.5)
    t.line("forty-two")
    t.expect("^<forty-two>")
    t.prompt()
    assert t.exit_code() == 6


def test_a_command_reads_from_the_terminal_as_the_only_program_on_it(terminal, launch):
    t = terminal([launch.binary, *FAST.split(), "--", "sh", "-c", 'echo who; read answer; echo "<$answer>"; exit 6'])
    t.expect("^who$")
    t.line("me")
    t.expect("^<me>")
    assert t.wait() == 6


def test_an_interactive_shell_under_leaderexec_has_job_control(terminal):
    t = terminal()
    t.line(f"PS1='inner> ' $LEADEREXEC {LONG} -- {' '.join(SHELL)}")
    t.expect("inner> ")
    assert "job control" not in t.text and "process group" not in t.text
    t.line("echo $((6 * 7))")
    t.expect("^42$")
    t.line("sleep 100")
    t.watch(0.3)
    t.key("c")
    t.expect("inner> ")
    t.line("echo code=$?")
    t.expect("^code=130")
    t.line("sleep 100")
    t.watch(0.3)
    t.key("z")
    t.expect("Stopped")
    t.line("bg; jobs")
    t.expect("Running")
    t.line("kill %1; wait %1; echo code=$?")
    t.expect("^code=143")
    t.line("cat | cat")
    t.watch(0.3)
    t.line("through")
    t.expect("^through\nthrough")
    t.key("d")
    t.line("exit 3")
    t.prompt()
    assert t.exit_code() == 3


def test_ctrl_c_reaches_the_command_once(terminal, recorder):
    t = terminal()
    t.line(f"$LEADEREXEC {FAST} -- {' '.join(recorder(5))}")
    recorder.wait_ready()
    t.key("c")
    t.prompt()
    assert t.exit_code() == 5
    assert recorder.heard() == [signal.SIGINT]


def test_ctrl_c_ends_a_command_that_knows_nothing_of_it(terminal, store):
    t = terminal()
    t.line(f"$LEADEREXEC {FAST} -- sleep 100")
    wait_until(store.holder_token, "a leader")
    t.watch(0.5)
    t.key("c")
    t.prompt(5)
    assert t.exit_code() == 130
    assert store.head().body == b"free\n"


@pytest.mark.parametrize("waiting", [False, True])
def test_ctrl_c_ends_a_shells_loop_too(terminal, leaderexec, child, waiting):
    """A shell goes on with its loop where a program ends by itself, and leaves it where SIGINT ended that."""
    if waiting:
        leaderexec(*FAST.split(), "--", *child())
        child.wait_for_terms(1)
    t = terminal()
    t.line(f"for i in 1 2 3; do $LEADEREXEC -v {FAST} -- sleep 100; echo turn=$i; done")
    t.expect("waiting" if waiting else "leading")
    t.watch(0.3)
    t.key("c")
    t.prompt(5)
    assert t.exit_code() == 130 and "turn=1\n" not in t.text.replace("\r", "")


def test_ctrl_c_with_another_stop_signal_isnt_followed_by_that(terminal, recorder):
    t = terminal()
    t.line(f"$LEADEREXEC {FAST} --signal USR1 -- {' '.join(recorder(5))}")
    recorder.wait_ready()
    t.key("c")
    t.prompt()
    assert t.exit_code() == 5
    assert recorder.heard() == [signal.SIGINT]


def test_ctrl_backslash_reaches_the_command_once(terminal, recorder):
    t = terminal()
    t.line(f"$LEADEREXEC {FAST} -- {' '.join(recorder(5))}")
    recorder.wait_ready()
    t.send("\x1c")
    t.prompt()
    assert t.exit_code() == 5
    assert recorder.heard() == [signal.SIGQUIT]


def test_ctrl_c_while_waiting_runs_nothing(terminal, leaderexec, child, tmp_path):
    leaderexec(*FAST.split(), "--", *child())
    child.wait_for_terms(1)
    t = terminal()
    t.line(f"$LEADEREXEC -v {FAST} -- touch ran")
    t.expect("waiting")
    t.key("c")
    t.prompt(5)
    assert t.exit_code() == 130
    assert not os.path.exists(tmp_path / "ran")


def test_a_signal_from_elsewhere_reaches_a_command_on_a_terminal(terminal, recorder):
    """Only what the kernel sends reaches it by itself."""
    t = terminal()
    t.line(f"$LEADEREXEC {FAST} -- {' '.join(recorder(5))}")
    recorder.wait_ready()
    keeper = children(t.pid)[0]
    os.kill(keeper, signal.SIGWINCH)
    recorder.wait_heard(signal.SIGWINCH)
    os.kill(keeper, signal.SIGINT)
    t.prompt()
    assert t.exit_code() == 5
    assert recorder.heard() == [signal.SIGWINCH, signal.SIGINT]


def test_a_new_window_size_is_told_once(terminal, recorder):
    t = terminal()
    t.line(f"$LEADEREXEC {FAST} -- {' '.join(recorder(5))}")
    recorder.wait_ready()
    t.resize(50, 120)
    recorder.wait_heard(signal.SIGWINCH)
    time.sleep(0.4)
    assert recorder.heard() == [signal.SIGWINCH]
    t.key("c")
    t.prompt()
    t.line(f"$LEADEREXEC {FAST} -- stty size")
    t.expect("^50 120$")
    t.prompt()


def test_ctrl_z_stops_and_fg_continues(terminal, child, beater):
    t = terminal()
    t.line(f"$LEADEREXEC {LONG} -- {beater('-x', 5)}")
    child.wait_for_terms(1)
    t.key("z")
    t.expect("Stopped")
    t.prompt()
    silent(child)
    t.line("fg")
    beats_on(child)
    t.key("c")
    t.prompt()
    assert t.exit_code() == 5
    assert child.lines("begin")[0].pid == child.lines("end")[0].pid


def test_ctrl_z_stops_and_bg_continues(terminal, child, beater):
    t = terminal()
    t.line(f"$LEADEREXEC {LONG} -- {beater('-x', 5, '-d', 4000)}")
    child.wait_for_terms(1)
    t.key("z")
    t.expect("Stopped")
    t.prompt()
    silent(child)
    t.line("bg")
    t.prompt()
    beats_on(child)
    t.line("wait %1")
    t.prompt()
    assert t.exit_code() == 5


@pytest.mark.outside_only
def test_after_ctrl_z_nothing_beats_past_the_lease(terminal, leaderexec, child, beater, store):
    """Not even what the terminal doesn't stop: a grandchild in a session of its own."""
    t = terminal()
    t.line(f"$LEADEREXEC {FAST} -- {beater('-c', 1, '-s')}")
    wait_until(lambda: len(child.lines("begin")) == 3, "three processes")
    next_one = leaderexec(*FAST.split(), "--", *child("-n", "next", "-d", 300))
    time.sleep(1)
    t.key("z")
    t.expect("Stopped")
    t.prompt()
    t.watch(2 * TTL_S)
    assert next_one.wait() == 0
    assert {line.name for line in child.lines("beat")} == {"child", "child.1", "child.setsid", "next"}
    child.assert_promise(store)
    before = child.lines()
    t.line("fg")
    t.prompt()
    assert t.exit_code() == 123
    assert child.lines() == before
    assert "lost" in t.text


@pytest.mark.outside_only
def test_after_ctrl_z_and_bg_too_late_the_exit_code_says_so(terminal, child, beater, store):
    t = terminal()
    t.line(f"$LEADEREXEC {FAST} -- {beater('-i')}")
    child.wait_for_terms(1)
    t.key("z")
    t.expect("Stopped")
    t.prompt()
    t.watch(1.5 * TTL_S)
    t.line("bg; wait %1")
    t.prompt()
    assert t.exit_code() == 123
    child.assert_promise(store)


@pytest.mark.parametrize("first", ["leaderexec feeds the pager", "leaderexec runs the pager"])
def test_a_pipeline_whose_other_end_reads_the_terminal(terminal, tmp_path, first):
    (tmp_path / "text").write_text("line\n" * 2000)
    (tmp_path / "pager.py").write_text(PAGER)
    pager = f"{sys.executable} -ISE pager.py"
    t = terminal()
    t.line(
        f"$LEADEREXEC {FAST} -- cat text | {pager}"
        if first.endswith("feeds the pager")
        else f"cat text | $LEADEREXEC {FAST} -- {pager}"
    )
    t.expect("^pager has 10000 characters")
    t.line("x")
    t.expect("^pager knows no x")
    t.line("q")
    t.expect("^pager quits")
    t.prompt()
    assert t.exit_code() == 0
    assert "Stopped" not in t.text


def test_a_pager_that_is_left_early_ends_the_command(terminal):
    t = terminal()
    t.line(f'$LEADEREXEC {FAST} -- yes | {{ read first < /dev/tty; echo "<$first>"; }}; echo ${{PIPESTATUS[0]}}=code')
    t.watch(0.7)
    t.line("enough")
    t.expect("^<enough>")
    t.expect("^141=code")


def test_a_background_job_that_reads_the_terminal_stops_and_fg_lets_it_read(terminal):
    """The shell sees the keeper only, which goes on; the command alone stops, and the lease is renewed meanwhile."""
    t = terminal()
    t.line(f"$LEADEREXEC {LONG} -- sh -c 'read answer; echo \"<$answer>\"; exit 6' &")
    t.prompt()
    t.watch(1)
    t.line("fg")
    t.watch(0.5)
    t.line("late")
    t.expect("^<late>")
    t.prompt()
    assert t.exit_code() == 6


def test_the_only_program_on_a_terminal_isnt_stopped_by_ctrl_z(terminal, launch, child):
    """As in a container with a terminal: nobody could continue it."""
    t = terminal([launch.binary, *FAST.split(), "--", *child("-x", 5)])
    child.wait_for_terms(1)
    t.key("z")
    time.sleep(0.5)
    beats_on(child)
    t.watch(1.5 * TTL_S)
    beats_on(child)
    t.key("c")
    assert t.wait() == 5
    assert len(child.lines("2")) == 1


@pytest.mark.parametrize("alone", [False, True], ids=["under a shell", "the only program"])
def test_a_terminal_that_hangs_up_ends_the_command_and_leaves_nothing(terminal, launch, child, beater, store, alone):
    t = terminal([launch.binary, *FAST.split(), "--", *child("-c", 1)] if alone else None)
    if not alone:
        t.line(f"$LEADEREXEC {FAST} -- {beater('-c', 1)}")
    wait_until(lambda: len(child.lines("begin")) == 2, "two processes")
    mine = [t.pid, *descendants(t.pid)]
    t.hang_up()
    wait_until(lambda: store.head().body == b"free\n", "the lock to be freed", 10)
    t.wait()
    wait_until(lambda: not [pid for pid in mine if alive(pid)], "all to be gone", 10)
    child.assert_promise(store)

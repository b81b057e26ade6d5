"""As PID 1 of a PID namespace, as a user without a name on a read-only disk, and among processes that aren't its own."""

import os
import shutil
import signal
import subprocess
import sys
import time

import boxes
import pytest
from processes import alive, children, command_line, descendants, status, stopped, wait_until
from test_signals import Recorder

FAST = ("--ttl", "4s", "--poll", "300ms")
TTL_S = 4
NOBODY = 65534
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


class Container:
    """leaderexec as PID 1 of a namespace of its own. keeper: its pid as seen from outside."""

    def __init__(self, run):
        self.run = run
        self.keeper = wait_until(lambda: children(run.pid), "the namespace")[0]
        wait_until(
            lambda: "leaderexec" in command_line(self.keeper) and "unshare" not in command_line(self.keeper),
            "leaderexec in it",
        )

    def signal(self, number):
        os.kill(self.keeper, number)

    def enter(self, *command):
        """Runs a command in the namespace, from outside."""
        return subprocess.run(
            ["nsenter", "-t", str(self.keeper), "-p", "-m", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
        )


@pytest.fixture
def container(leaderexec):
    """container(*arguments): starts one."""

    def start(*arguments, before=(), **more):
        return Container(leaderexec(*arguments, before=[*NAMESPACE, *before], **more))

    return start


@pytest.fixture
def recorder(tmp_path):
    return Recorder(tmp_path)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: stopped(pid), f"{pid} to stop")


def test_as_pid_1_the_exit_code_arrives(container, store):
    assert container(*FAST, "--", "sh", "-c", "sleep 0.3; exit 7").run.wait() == 7
    assert container(*FAST, "--", "sh", "-c", "sleep 0.3; kill -SEGV $$").run.wait() == 139
    assert store.head().body == b"free\n"


@pytest.mark.parametrize("name", ["TERM", "INT", "QUIT"])
def test_as_pid_1_a_signal_that_ends_reaches_the_command_once(container, store, recorder, name):
    number = signal.Signals[f"SIG{name}"]
    box = container(*FAST, "--", *recorder(5))
    recorder.wait_ready()
    box.signal(number)
    assert box.run.wait() == 5
    assert recorder.heard() == [number]
    assert store.head().body == b"free\n"


@pytest.mark.parametrize("name", ["HUP", "USR1", "USR2", "WINCH"])
def test_as_pid_1_other_signals_are_passed_on(container, recorder, name):
    number = signal.Signals[f"SIG{name}"]
    box = container(*FAST, "--", *recorder(5, 2))
    recorder.wait_ready()
    box.signal(number)
    recorder.wait_heard(number)
    assert box.run.wait() == 5
    assert recorder.heard() == [number]


def test_as_pid_1_a_signal_while_waiting_runs_nothing(container, leaderexec, child, tmp_path):
    leaderexec(*FAST, "--", *child())
    child.wait_for_terms(1)
    box = container("-v", *FAST, "--", "touch", str(tmp_path / "ran"))
    wait_until(lambda: "waiting" in box.run.err(), "the candidate to wait")
    box.signal(signal.SIGTERM)
    assert box.run.wait() == 143
    assert not os.path.exists(tmp_path / "ran")


def test_as_pid_1_a_handover_waits_for_a_child_that_takes_three_ttls(container, child, store):
    box = container(*FAST, "--", *child("-l", 3 * TTL_S * 1000, "-c", 1, "-s"))
    wait_until(lambda: len(child.lines("begin")) == 3, "three processes")
    next_one = container(*FAST, "--", *child("-n", "next", "-d", 200))
    time.sleep(0.5)
    box.signal(signal.SIGTERM)
    assert box.run.wait(5 * TTL_S + 20) == 0
    assert next_one.run.wait() == 0
    first, second = child.terms()
    assert (first.last - first.first) / 1e9 > 3 * TTL_S
    assert (second.first - first.last) / 1e9 < 0.33 + 1 + 1
    child.assert_promise(store)


def test_as_pid_1_a_child_that_ignores_term_is_killed_at_the_stop_timeout(container, child, store):
    box = container(*FAST, "--stop-timeout", "1s", "--", *child("-i", "-c", 2, "-g", "-s"))
    wait_until(lambda: len(child.lines("begin")) == 5, "five processes")
    box.signal(signal.SIGTERM)
    assert box.run.wait() == 137
    child.assert_promise(store)
    assert store.head().body == b"free\n"


def victim(box, what):
    keeper = box.keeper
    return {"keeper": lambda: keeper, "guard": lambda: boxes.guard_of(keeper)}[what]()


@pytest.mark.parametrize("who, how, code", [("keeper", "KILL", None), ("keeper", "STOP", 123), ("guard", "KILL", 125)])
def test_as_pid_1_nothing_outlives_the_lease(container, child, store, who, how, code):
    box = container(*FAST, "--", *child("-c", 1, "-g", "-s"))
    wait_until(lambda: len(child.lines("begin")) == 4, "four processes")
    next_one = container(*FAST, "--", *child("-n", "next", "-d", 200))
    pid = victim(box, who)
    os.kill(pid, signal.Signals[f"SIG{how}"])
    assert next_one.run.wait() == 0
    child.assert_promise(store)
    if how == "STOP":
        os.kill(pid, signal.SIGCONT)
    assert box.run.wait() == code or code is None  # unshare has its own idea of a killed child
    assert child.terms()[1].names == ["next"]


def test_as_pid_1_a_stopped_guard_is_continued(container, child, store):
    box = container(*FAST, "--", *child("-d", 2000, "-x", 5))
    child.wait_for_terms(1)
    guard = boxes.guard_of(box.keeper)
    os.kill(guard, signal.SIGSTOP)
    assert box.run.wait() == 5
    child.assert_promise(store)


def test_as_pid_1_what_the_command_leaves_behind_ends_with_it(container, child, store):
    script = '"$@" & sleep 1; exit 7'
    # A longer TTL than elsewhere, for its eighth is what they have to end in.
    box = container(
        "--ttl", "12s", "--poll", "300ms", "--", "sh", "-c", script, "sh", *child("-l", 300, "-c", 2, "-g", "-s")
    )
    wait_until(lambda: len(child.lines("begin")) == 5, "five processes")
    assert box.run.wait() == 7
    assert len(child.lines("15")) >= 5 and len(child.lines("end")) == 5
    child.assert_promise(store)


def test_as_pid_1_a_hundred_orphans_leave_no_zombie(container, child):
    box = container(*FAST, "--", *child("-o", 100, "-d", 2500, "-x", 5))
    child.wait_for_terms(1)
    time.sleep(0.3)
    first = boxes.zombies(descendants(box.keeper))
    time.sleep(0.7)
    assert first & boxes.zombies(descendants(box.keeper)) == set()
    assert box.run.wait() == 5


def test_as_pid_1_somebody_elses_orphans_are_reaped_and_left_alone(container, child, tmp_path):
    box = container(*FAST, "--", *child("-d", 4000, "-x", 5))
    child.wait_for_terms(1)
    # Their parent ends at once, and they become PID 1's: one that ends soon, and one that doesn't.
    entered = box.enter("sh", "-c", "sleep 0.5 >/dev/null 2>&1 & sleep 314 >/dev/null 2>&1 &")
    assert entered.returncode == 0, entered.stderr
    orphans = wait_until(
        lambda: [pid for pid in children(box.keeper) if command_line(pid).startswith("sleep")], "orphans"
    )
    long = [pid for pid in orphans if command_line(pid) == "sleep 314"]
    assert len(long) == 1
    time.sleep(1.5)
    assert boxes.zombies(descendants(box.keeper)) == set()
    assert alive(long[0]) and box.run.poll() is None
    assert box.run.wait() == 5
    wait_until(lambda: not alive(long[0]), "the end of the namespace to end it")


def test_as_pid_1_somebody_elses_orphan_outlives_the_loss_of_the_guard(container, child):
    """The keeper kills what the command started. What came in from elsewhere can't be told from that, unless it is older than the
    guard; it may be killed, and the exit code is what counts."""
    box = container(*FAST, "--", *child("-c", 1))
    child.wait_for_terms(1)
    box.enter("sh", "-c", "sleep 314 >/dev/null 2>&1 &")
    os.kill(boxes.guard_of(box.keeper), signal.SIGKILL)
    assert box.run.wait() == 125


READ_ONLY = """set -e
mount -t tmpfs -o mode=777 none "$1"
sed "/:65534:/d" /etc/passwd >"$1/.passwd"
echo "passwd: files" >"$1/.nsswitch"
mount --bind "$1/.passwd" /etc/passwd
mount --bind "$1/.nsswitch" /etc/nsswitch.conf
mount -o remount,ro,bind /
shift
exec "$@"
"""


@pytest.fixture
def nobody(launch, store):
    """nobody(*arguments, pid1=False): leaderexec as user 65534 without a passwd entry and a HOME, on a read-only disk. A lock in a
    directory is on a tmpfs."""
    with boxes.open_place() as place:
        if store.kind == "directory":
            store.environment["LEADEREXEC_BUCKET"] = f"file:{place}/locks"

        def start(*arguments, pid1=False, store=store):
            box = [
                *(NAMESPACE if pid1 else ["unshare"]),
                "-m",
                "--propagation",
                "private",
                "sh",
                "-c",
                READ_ONLY,
                "sh",
                place,
            ]
            return launch(
                *arguments,
                store=store,
                env={"HOME": None, "LOGNAME": None, "USER": None},
                before=[*box, *boxes.as_user(NOBODY), "env", "-u", "HOME"],
                cwd="/",
            )

        yield start


WHO = 'id -u; id -un 2>/dev/null || echo nameless; echo "home ${HOME-none}"; touch /touched 2>/dev/null || echo read-only; exit 7'


@pytest.mark.parametrize("pid1", [False, True], ids=["", "pid1"])
def test_as_nobody_on_a_read_only_disk(nobody, pid1):
    run = nobody(*FAST, "--", "sh", "-c", WHO, pid1=pid1)
    assert run.wait() == 7, run.err()
    words = run.out().split()
    assert words[0] == str(NOBODY) and "nameless" in words and words[-1] == "read-only"
    assert run.err() == ""


@pytest.mark.parametrize("pid1", [False, True], ids=["", "pid1"])
def test_as_nobody_a_signal_ends_the_command(nobody, pid1):
    run = nobody(
        *FAST, "--", "sh", "-c", "trap 'echo told; exit 5' TERM; echo begun; while :; do sleep 0.05; done", pid1=pid1
    )
    wait_until(lambda: "begun" in run.out(), "the command to begin")
    os.kill(children(run.pid)[0] if pid1 else run.pid, signal.SIGTERM)
    assert run.wait() == 5
    assert run.out() == "begun\ntold\n"


HELPED = 'sleep "$1" >/dev/null & echo $! >helper; shift; exec "$0" "$@"'


def helper_pid(tmp_path):
    def written():
        try:
            return (tmp_path / "helper").read_text().strip()
        except FileNotFoundError:
            return ""

    return int(wait_until(written, "the helper's pid"))


@pytest.fixture
def helped(launch, store, tmp_path):
    """helped(seconds, *arguments): `helper & exec leaderexec`; gives the run and the helper's pid. The helper ends with the test."""
    pids = []

    def start(seconds, *arguments):
        run = launch(
            *arguments, store=store, before=["sh", "-c", HELPED.replace('"$0" "$@"', '"$@"'), "sh", str(seconds)]
        )
        pids.append(helper_pid(tmp_path))
        return run, pids[-1]

    yield start
    for pid in pids:
        if command_line(pid).startswith("sleep "):
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not alive(pid), "the helper to end")


def test_a_helper_of_the_shell_before_us_is_left_alone(helped, store):
    run, helper = helped(315, *FAST, "--", "sh", "-c", "sleep 0.5; exit 7")
    assert run.wait() == 7
    assert alive(helper) and command_line(helper) == "sleep 315"
    assert store.head().body == b"free\n"


def test_a_helper_of_the_shell_before_us_is_left_alone_when_the_command_is_stopped(helped, child):
    run, helper = helped(315, *FAST, "--stop-timeout", "500ms", "--", *child("-i", "-c", 1, "-g"))
    wait_until(lambda: len(child.lines("begin")) == 3, "three processes")
    run.signal(signal.SIGTERM)
    assert run.wait() == 137
    assert alive(helper) and command_line(helper) == "sleep 315"


@pytest.mark.parametrize("who, how", [("guard", "KILL"), ("keeper", "STOP"), ("keeper", "KILL")])
def test_a_helper_of_the_shell_before_us_is_left_alone_when_one_of_us_dies(helped, child, store, who, how):
    run, helper = helped(315, *FAST, "--", *child("-c", 1, "-g"))
    wait_until(lambda: len(child.lines("begin")) == 3, "three processes")
    guard = boxes.guard_of(run.pid)
    pid = guard if who == "guard" else run.pid
    os.kill(pid, signal.Signals[f"SIG{how}"])
    wait_until(
        lambda: not [
            pid
            for pid in descendants(os.getpid())
            if child.binary in command_line(pid) and "leaderexec" not in command_line(pid)
        ],
        "the command to be gone",
        TTL_S,
    )
    if how == "STOP":
        os.kill(pid, signal.SIGCONT)
    assert run.wait() in (123, 125, 137)
    wait_until(lambda: not alive(guard), "the guard to leave")
    assert alive(helper) and command_line(helper) == "sleep 315"
    child.assert_promise(store)


def test_a_helper_of_the_shell_before_us_is_reaped_when_it_ends(helped, child):
    run, helper = helped(1, *FAST, "--", *child("-d", 3000, "-x", 5))
    child.wait_for_terms(1)
    wait_until(lambda: status(helper) is None, "the helper to be reaped", 2 + 5)
    assert run.poll() is None
    assert run.wait() == 5


PKILL = """"$@" &
until [ -s "$BEATS" ]; do sleep 0.05; done
sleep 0.5
date +%s%N >>"$BEATS.killed"
pkill -9 -f leaderexec
wait
sleep 2
"""


def test_pkill_of_everything_that_has_the_name_leaves_no_command(launch, store, child):
    """PID 1 of the namespace is a shell, which SIGKILL from inside doesn't reach. The command's own line doesn't have the name."""
    with boxes.open_place() as place:
        binary, child.path = os.path.join(place, "beater"), os.path.join(place, "beats")
        shutil.copy(child.binary, binary)
        child.binary = binary
        command = child("-c", 1, "-g", "-s")
        assert "leaderexec" not in " ".join(command)
        run = launch(
            *FAST, "--", *command, store=store, env={"BEATS": child.path}, before=[*NAMESPACE, "sh", "-c", PKILL, "sh"]
        )
        wait_until(lambda: os.path.exists(child.path + ".killed"), "pkill")
        next_one = launch(*FAST, "--", *child("-n", "next", "-d", 200), store=store)
        assert run.wait() == 0
        beats = [line for line in child.lines() if line.token == 1]
        with open(child.path + ".killed") as f:
            assert max(line.realtime_ms for line in beats) - int(f.read()) / 1e6 < TTL_S * 1000 / 2
        assert next_one.wait() == 0
        child.assert_promise(store)

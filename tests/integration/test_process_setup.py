"""Keeper and guard by themselves, as test_process.py: where they can't work, and what they hand on to the command."""

import os
import signal
import subprocess
import sys
import time

import boxes
import processes
import pytest
from driver import NOBODY, become_root, drive, environment, open_driver, sh, commanded  # noqa: F401
from processes import alive, children, command_line, descendants, status, wait_until

ISOLATED_TOO = True

# --- what can't be done ---


@pytest.mark.outside_only
@pytest.mark.parametrize("lost", [False, True], ids=["guard", "keeper"])
def test_who_became_another_user_is_named_and_waited_for(drive, open_driver, become_root, lost):
    box = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    script = f"{' '.join(become_root)} sleep 319 & sleep 0.3; exit 7"
    driven = drive(
        "-k",
        100,
        "-t",
        20000,
        "--",
        *sh(script if not lost else script + "; wait"),
        before=box,
        binary=open_driver,
        cwd="/",
    )
    sleeper = wait_until(
        lambda: [p for p in descendants(driven.keeper) if command_line(p) == "sleep 319"], "the sleeper"
    )[0]
    if lost:
        os.kill(driven.guard, signal.SIGKILL)
    note = wait_until(lambda: driven.lines("note"), "a note")
    assert f"{sleeper} (sleep)" in note[0] and len(note) == 1
    time.sleep(0.3)
    assert not driven.lines("gone") and alive(sleeper)
    os.kill(sleeper, signal.SIGKILL)
    assert driven.run.wait() == (125 if lost else 7)


@pytest.mark.parametrize(
    "setting, word",
    [
        (["unshare", "--pid", "--fork", "--kill-child"], "PID namespace"),
        (["unshare", "--mount", "--propagation", "private", "sh", "-c", 'umount -l /proc; exec "$@"', "sh"], "/proc"),
    ],
    ids=["foreign", "none"],
)
def test_without_a_proc_of_its_own_it_refuses_to_start(build, tmp_path, setting, word):
    driver = os.path.join(build, "tests/tools/keeper_driver")
    done = subprocess.run(
        [*setting, driver, "--", "touch", "ran"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
    )
    assert word in done.stderr and not (tmp_path / "ran").exists()
    if "LeakSanitizer" not in done.stderr:  # which can't work without /proc either
        assert done.returncode == 125 and len(done.stderr.splitlines()) == 1


HIDDEN = 'mount -t proc -o hidepid=2 none /proc && exec "$@"'


@pytest.mark.parametrize("who", ["command", "guard"])
def test_with_a_proc_that_hides_processes(drive, open_driver, who):
    box = [
        "unshare",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        HIDDEN,
        "sh",
    ]
    driven = drive(
        "-t",
        60000,
        "--",
        *sh("setsid sleep 320 & sleep 320"),
        before=[*box, *boxes.as_user(NOBODY)],
        binary=open_driver,
        cwd="/",
    )
    found = wait_until(
        lambda: (lambda all: all if len(all) > 2 else None)(
            [p for p in descendants(driven.run.pid) if "sleep" in command_line(p).split()[:1]] * 2
        ),
        "two sleepers",
    )
    keeper = children(driven.run.pid)[0]
    os.kill(boxes.guard_of(keeper) if who == "guard" else keeper, signal.SIGKILL if who == "guard" else signal.SIGTERM)
    assert driven.run.wait() == (125 if who == "guard" else 143)
    assert not any(alive(pid) for pid in found)


# --- what the command is given ---

SHOW = """import os, resource, signal
lines = [line for line in open("/proc/self/status") if line.startswith(("Sig", "Shd", "Umask"))]
print("".join(line for line in lines if line.startswith(("SigBlk", "SigIgn", "Umask"))), resource.getrlimit(resource.RLIMIT_CORE))
for fd in sorted(int(name) for name in os.listdir("/proc/self/fd")):
    try:
        print(fd, os.readlink(f"/proc/self/fd/{fd}"))
    except OSError:
        pass
"""


def odd_start():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGALRM})
    for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGPIPE, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o027)
    for fd in (0, 2):
        os.close(fd)


@pytest.mark.parametrize("starts, guards", [(1, 1), (2, 1), (1, 2)])
def test_mask_dispositions_limits_and_descriptors_are_those_of_the_start(drive, tmp_path, starts, guards):
    command = [sys.executable, "-S", "-c", SHOW]
    with open(tmp_path / "plain", "wb") as out, open(tmp_path / "extra", "wb") as extra:
        plain = subprocess.Popen(
            command, stdout=out, pass_fds=[extra.fileno()], preexec_fn=odd_start, env=environment()
        )
        assert plain.wait() == 0
        wait_ms = 1500 if guards > 1 else 0
        driven = drive(
            *("-w", wait_ms, "-n", starts, "--", *command), pass_fds=[extra.fileno()], preexec_fn=odd_start
        )
    if guards > 1:
        os.kill(driven.guard, signal.SIGKILL)
    assert driven.run.wait() == 0
    expected = (tmp_path / "plain").read_text().replace(str(tmp_path / "plain"), driven.run.out_path)
    assert driven.run.out() == expected * starts


def test_neither_keeper_nor_guard_holds_what_the_command_got(drive, tmp_path):
    with open(tmp_path / "extra", "wb") as extra:
        driven = drive("--", "sleep", "5", pass_fds=[extra.fileno()])
    wait_until(lambda: driven.lines("start") and commanded(driven), "the command")
    held = {
        pid: {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        for pid in (driven.keeper, driven.guard)
    }
    wait_until(lambda: command_line(commanded(driven)[0]) == "sleep 5", "the exec")
    assert not {driven.run.out_path, str(tmp_path / "extra")} & held[driven.keeper]
    assert not {driven.run.out_path, driven.run.err_path, str(tmp_path / "extra")} & held[driven.guard]
    assert not any(int(fd) < 3 for fd in os.listdir(f"/proc/{driven.guard}/fd"))
    driven.run.signal(signal.SIGTERM)
    assert driven.run.wait() == 143


def test_the_guard_has_a_name_of_its_own(drive):
    driven = drive("--", "sleep", "5")
    assert status(driven.guard)[0] == "le-guard" and command_line(driven.guard) == "le-guard"
    assert os.getpgid(driven.guard) == driven.guard
    with open(f"/proc/{driven.guard}/status") as f:
        blocked = next(int(line.split()[1], 16) for line in f if line.startswith("SigBlk"))
    assert all(blocked >> (number - 1) & 1 for number in range(1, 32) if number not in (signal.SIGKILL, signal.SIGSTOP))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT):
        os.kill(driven.guard, number)
    time.sleep(0.2)
    assert alive(driven.guard) and driven.run.poll() is None
    driven.run.signal(signal.SIGTERM)
    assert driven.run.wait() == 143


@pytest.mark.parametrize("given, arrives", [("TERM", "USR1"), ("INT", "INT"), ("QUIT", "QUIT")])
def test_the_stop_signal_takes_the_place_of_term_alone(drive, given, arrives):
    script = f"trap 'echo {arrives}; exit 5' {arrives}; echo up; while :; do sleep 0.02; done"
    driven = drive("-s", int(signal.SIGUSR1), "--", *sh(script))
    wait_until(lambda: "up" in driven.run.out(), "the trap")
    driven.run.signal(signal.Signals["SIG" + given])
    assert driven.run.wait() == 5
    assert driven.run.out() == f"up\n{arrives}\n"


def test_a_stopped_command_is_continued_so_that_it_can_end(drive):
    driven = drive("--", *sh("trap 'exit 5' TERM; echo up; kill -STOP $$; while :; do sleep 0.02; done"))
    wait_until(lambda: "up" in driven.run.out(), "the trap")
    wait_until(lambda: processes.stopped(commanded(driven)[0]), "it to stop")
    driven.run.signal(signal.SIGTERM)
    assert driven.run.wait() == 5


def test_a_second_signal_of_another_kind_is_passed_on_and_a_repeated_one_dropped(drive):
    script = "trap 'echo int' INT; trap 'echo term; exit 5' TERM; echo up; while :; do sleep 0.02; done"
    driven = drive("--", *sh(script))
    wait_until(lambda: "up" in driven.run.out(), "the trap")
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        driven.run.signal(number)
        time.sleep(0.3)
    assert driven.run.wait() == 5
    assert driven.run.out() == "up\nint\nterm\n"


@pytest.mark.parametrize("ahead_s, code", [(0, 7), (1, 125), (-1, 125), (100000, 125)])
def test_a_guard_whose_clock_is_another_is_refused(build, tmp_path, ahead_s, code):
    driver = os.path.join(build, "tests/tools/keeper_driver")
    run = processes.Run([driver, "-N", str(ahead_s), "--", *sh("exit 7")], str(tmp_path), "driven", environment())
    assert run.wait() == code
    assert ("time namespace" in run.err()) == (code == 125)

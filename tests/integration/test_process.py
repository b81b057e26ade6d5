"""Keeper and guard by themselves: tests/tools/keeper_driver runs a command under them with a lease that is made up, so no store is needed.

What the whole of leaderexec shows (signals, streams, terminals) is tested there; here is what needs a hand on the lease or on the guard.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time

import boxes
import processes
import pytest
from processes import alive, children, command_line, descendants, status, wait_until

NOBODY = 65534
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 17, 0x4206, 0x4207, 0x40000000


def lease_clock():
    read = time.clock_gettime
    return read(time.CLOCK_MONOTONIC_RAW) + read(time.CLOCK_BOOTTIME) - read(time.CLOCK_MONOTONIC)


class Driven:
    """A run of the driver and what it logged."""

    def __init__(self, run, log):
        self.run, self.log = run, log
        wait_until(lambda: self.lines("keeper"), "the keeper")
        words = self.lines("keeper")[0].split()
        self.keeper, self.guard, self.foreground = int(words[1]), int(words[3]), words[5] == "1"

    def lines(self, first):
        try:
            with open(self.log) as f:
                return [line for line in f.read().splitlines(keepends=False) if line.startswith(first + " ")]
        except FileNotFoundError:
            return []

    def gone(self):
        """The words after the first event of that name: end, code, errno, at_ms."""
        words = wait_until(lambda: self.lines("gone"), "the command to be gone")[-1].split()
        return dict(zip(words[1::2], map(int, words[2::2])))

    def lease_end(self):
        words = wait_until(lambda: self.lines("start"), "the start")[-1].split()
        return int(words[words.index("lease_end_ms") + 1]) / 1000


@pytest.fixture
def drive(build, tmp_path, tidy):
    """drive(*options, "--", *command): starts the driver. before=: words before it; the log is open to every user."""
    runs = []
    with boxes.open_place() as place:

        def start(*arguments, before=(), binary=None, **more):
            log = os.path.join(place, f"log{len(runs)}")
            with open(log, "w"):
                os.chmod(log, 0o666)
            binary = binary or os.path.join(build, "tests/tools/keeper_driver")
            run = processes.Run(
                [*before, binary, "-o", log, *map(str, arguments)],
                str(tmp_path),
                f"driven{len(runs)}",
                environment(),
                **more,
            )
            runs.append(run)
            return Driven(run, log)

        yield start
        for run in runs:
            if run.poll() is None:
                run.signal(signal.SIGKILL)
                run.process.wait()
            assert "Sanitizer" not in run.err() and "runtime error" not in run.err(), run.err()


def environment():
    return {
        "PATH": os.environ["PATH"],
        "ASAN_OPTIONS": "detect_leaks=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }


def margin(ttl_s):
    """Seconds; lease_margin_ns() of lib/election."""
    return 0.02 * ttl_s + max(0.25, 0.05 * ttl_s)


def sh(script):
    return ["sh", "-c", script]


def traced(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("TracerPid:")) != 0


def all_gone(pids, timeout_s=processes.PATIENCE_S):
    """Waits until none of pids lives; returns the lease clock's time then."""
    wait_until(lambda: not any(alive(pid) for pid in pids), "the end of all", timeout_s, step_s=0.005)
    return lease_clock()


FAMILY = "trap '' TERM; sleep 300 & setsid sh -c 'trap \"\" TERM; sleep 300 & setsid sleep 300 & wait; sleep 300' & wait; sleep 300"


def family(driven):
    """Waits for FAMILY; returns its six processes."""
    return wait_until(
        lambda: (lambda found: found if len(found) == 5 else None)(descendants(driven.guard)), "the whole family"
    )


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


def test_a_lease_that_isnt_renewed_ends_the_command_in_time(drive):
    driven = drive(
        "-t", 2000, "-k", 500, "-r", 0, "--", *sh("trap 'echo asked; exit 5' TERM; while :; do sleep 0.01; done")
    )
    assert driven.run.wait() == 123
    gone = driven.gone()
    assert (gone["end"], gone["code"]) == (1, 5)
    left = driven.lease_end() - gone["at_ms"] / 1000
    assert margin(2) - 0.002 < left < margin(2) + 0.5 + 0.002
    assert driven.run.out() == "asked\n"


def test_who_ignores_being_asked_is_killed_in_time(drive):
    driven = drive("-t", 4000, "-r", 0, "--", *sh(FAMILY))
    found = family(driven)
    assert driven.run.wait() == 123
    assert driven.gone()["at_ms"] / 1000 < driven.lease_end()
    assert not any(alive(pid) for pid in found)


def test_everything_dies_when_keeper_and_guard_are_both_stopped(drive):
    driven = drive("-t", 2000, "--", *sh(FAMILY))
    found = family(driven)
    os.kill(driven.keeper, signal.SIGSTOP)
    os.kill(driven.guard, signal.SIGSTOP)
    stopped = lease_clock()
    assert all_gone(found) - stopped < 2
    os.kill(driven.keeper, signal.SIGCONT)
    assert driven.run.wait() == 123


@contextlib.contextmanager
def meddled(pid, injection):
    """strace -e inject=INJECTION on a process, for as long as this lasts."""
    tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", f"inject={injection}", "-p", str(pid)])
    try:
        wait_until(lambda: traced(pid), "strace to attach")
        yield
    finally:
        tracer.kill()
        tracer.wait()


def test_a_guard_that_kills_slowly_lives_to_kill_them_all(drive):
    """Its own end by the kernel's timer would leave the rest to a keeper that is stopped."""
    driven = drive("-t", 2000, "--", *sh(FAMILY))
    found = family(driven)
    with meddled(driven.guard, "kill,pidfd_send_signal:delay_enter=100ms"):
        os.kill(driven.keeper, signal.SIGSTOP)
        all_gone(found)
    os.kill(driven.keeper, signal.SIGCONT)
    assert driven.run.wait() == 123


def test_a_guard_that_is_stopped_in_the_middle_of_a_start_keeps_the_time(drive):
    """The keeper stops once it has asked for the start, the guard once it has forked: only the kernel's timers are left."""
    driven = drive("-t", 2000, "-w", 3000, "--", *sh("trap '' TERM; sleep 300 & sleep 300"))
    with meddled(driven.guard, "setpgid:signal=STOP:when=1"), meddled(driven.keeper, "sendto:signal=STOP:when=1"):
        found = wait_until(lambda: descendants(driven.guard), "the command")
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
    quiet = [pid for pid in children(driven.keeper) if status(pid)[0] == "leaderexec-io"]
    assert len(quiet) == 1
    killed = lease_clock()
    os.kill(driven.guard, signal.SIGKILL)
    assert all_gone(found) - killed < 2
    # Nor does a helper process that hangs keep the keeper from saying so.
    assert driven.gone()["end"] == 2
    assert driven.run.wait() == 125


def test_a_stopped_guard_is_continued_and_its_command_notices_nothing(drive):
    driven = drive("-t", 2000, "--", *sh("sleep 3; exit 7"))
    wait_until(lambda: descendants(driven.guard), "the command")
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


@contextlib.contextmanager
def frozen(pid):
    """Stops a process without its parent's hearing of it, as a debugger does."""
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    ptrace.argtypes, ptrace.restype = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p], ctypes.c_long
    assert ptrace(PTRACE_SEIZE, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    assert ptrace(PTRACE_INTERRUPT, pid, None, None) == 0
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH, pid, None, None)
        with contextlib.suppress(ChildProcessError):  # killed meanwhile: it is the debugger who hears of that first
            os.waitpid(pid, WALL)


def test_a_guard_that_dies_before_the_start_is_said_at_once(drive):
    driven = drive("-w", 60000, "--", "touch", "ran")
    os.kill(driven.guard, signal.SIGKILL)
    assert driven.run.wait() == 125
    assert driven.lines("broken") and not driven.lines("start")


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
    wait_until(lambda: descendants(driven.guard), "the command")
    time.sleep(0.5)
    assert [pid for pid in descendants(driven.guard) if (s := status(pid)) and s[1] == "Z"] == []
    assert driven.run.wait() == 0


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
def open_driver(build):
    """A copy of the driver where every user can run it."""
    with boxes.open_place() as place:
        yield shutil.copy(os.path.join(build, "tests/tools/keeper_driver"), place)


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


@pytest.mark.parametrize("who", ["keeper", "guard"])
def test_chains_that_fork_and_exit_are_broken(drive, open_driver, rampant, who):
    script = f"setsid {sys.executable} -c '{CHAIN}'; sleep 300"
    driven = drive("-t", 60000, "--", *sh(script), before=boxes.as_user(rampant, 150), binary=open_driver, cwd="/")
    wait_until(lambda: len(own_processes(rampant)) > 8, "the chains")
    os.kill(getattr(driven, who), signal.SIGKILL)
    wait_until(lambda: own_processes(rampant) == [], "the chains to be broken", 5)


# --- what can't be done ---


@pytest.fixture
def become_root(open_driver):
    """Words that let an unprivileged user's process become root's for good."""
    path = os.path.join(os.path.dirname(open_driver), "setpriv")
    shutil.copy(shutil.which("setpriv"), path)
    os.chmod(path, 0o4755)
    return [path, "--reuid=0", "--regid=0", "--clear-groups"]


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


@pytest.mark.parametrize("starts", [1, 2])
def test_mask_dispositions_limits_and_descriptors_are_those_of_the_start(drive, tmp_path, starts):
    command = [sys.executable, "-S", "-c", SHOW]
    with open(tmp_path / "plain", "wb") as out, open(tmp_path / "extra", "wb") as extra:
        plain = subprocess.Popen(
            command, stdout=out, pass_fds=[extra.fileno()], preexec_fn=odd_start, env=environment()
        )
        assert plain.wait() == 0
        driven = drive("-n", starts, "--", *command, pass_fds=[extra.fileno()], preexec_fn=odd_start)
    assert driven.run.wait() == 0
    expected = (tmp_path / "plain").read_text().replace(str(tmp_path / "plain"), driven.run.out_path)
    assert driven.run.out() == expected * starts


def test_neither_keeper_nor_guard_holds_what_the_command_got(drive, tmp_path):
    with open(tmp_path / "extra", "wb") as extra:
        driven = drive("--", "sleep", "5", pass_fds=[extra.fileno()])
    wait_until(lambda: driven.lines("start") and descendants(driven.guard), "the command")
    held = {
        pid: {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        for pid in (driven.keeper, driven.guard)
    }
    wait_until(lambda: command_line(descendants(driven.guard)[0]) == "sleep 5", "the exec")
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
    wait_until(lambda: processes.stopped(descendants(driven.guard)[0]), "it to stop")
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

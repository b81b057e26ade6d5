"""--isolate: the command in a PID namespace of its own, with which all of it ends.

What holds with and without it is tested by the modules with ISOLATED_TOO; here is what holds with it
alone.
"""

import os
import shutil
import signal
import subprocess
import time

import boxes
import pytest
from driver import NOBODY, all_gone, commanded, drive, lease_clock, sh  # noqa: F401
from processes import alive, children, status, stopped, wait_until

FAST = ("--ttl", "4s", "--poll", "300ms", "--isolate")
FIRST = "le-init"
# A daemon in a session of its own, and one that nobody is the parent of.
SCATTERED = "trap '' TERM; setsid sh -c 'sleep 300 & sleep 300' & (setsid sleep 300 &); sleep 300"
SCATTERED_COUNT = 6


@pytest.fixture
def isolated(drive):  # noqa: F811
    """drive(), isolated."""
    return lambda *arguments: drive(*arguments, before=["env", "LEADEREXEC_ISOLATE=1"])


def first_process(guard):
    """The first process of the command's namespace."""

    def find():
        return [pid for pid in children(guard) if status(pid)[0] == FIRST]

    return wait_until(find, "the namespace")[0]


def scattered(driven):
    wait_until(lambda: len(commanded(driven)) == SCATTERED_COUNT, "all of them")
    return commanded(driven)


# --- nothing outlives it ---


def test_nothing_outlives_keeper_and_guard_whoever_dies_first_and_when(isolated):
    for turn, late_ms in enumerate((0, 0, 0, 1, 2, 5, 10, 20, 40)):
        driven = isolated("-t", 60000, "--", *sh(SCATTERED))
        found = scattered(driven)
        victims = (driven.keeper, driven.guard) if turn % 2 else (driven.guard, driven.keeper)
        killed = lease_clock()
        os.kill(victims[0], signal.SIGKILL)
        time.sleep(late_ms / 1000)
        os.kill(victims[1], signal.SIGKILL)
        assert all_gone(found) - killed < late_ms / 1000 + 1, f"turn {turn}"
        driven.run.wait()


@pytest.mark.parametrize("alone", [False, True], ids=["both-stopped", "keeper-stopped"])
def test_nothing_outlives_a_guard_that_dies_while_the_keeper_is_stopped(isolated, alone):
    driven = isolated("-t", 60000, "--", *sh(SCATTERED))
    found = [*scattered(driven), first_process(driven.guard)]
    for pid in [driven.keeper] + ([] if alone else [driven.guard, found[-1]]):
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: stopped(pid) or not alive(pid), "it to stop")
    killed = lease_clock()
    os.kill(driven.guard, signal.SIGKILL)
    assert all_gone(found) - killed < 1
    os.kill(driven.keeper, signal.SIGCONT)
    assert driven.run.wait() == 125


def test_a_first_process_that_is_killed_takes_the_command_along_and_frees_the_lock(launch, store):
    run = launch(*FAST, "--", *sh(SCATTERED), store=store)
    os.kill(first_process(boxes.guard_of(run.pid)), signal.SIGKILL)
    assert run.wait() == 137
    assert store.head().body == b"free\n"


def test_a_first_process_that_is_stopped_is_continued(isolated):
    driven = isolated("--", *sh("trap 'exit 5' TERM; while :; do sleep 0.02; done"))
    first = first_process(driven.guard)
    wait_until(lambda: commanded(driven), "the command")
    os.kill(first, signal.SIGSTOP)
    driven.run.signal(signal.SIGTERM)
    assert driven.run.wait() == 5


# --- who may, and what becomes of users and mounts ---

WHO = "id -u; id -g; grep ^CapEff /proc/self/status; touch mine; stat -c %u mine; echo /proc/[0-9]*"


@pytest.fixture
def place(launch):
    """A folder that every user may write to, with leaderexec in it."""
    with boxes.open_place() as path:
        shutil.copy(launch.binary, path)
        yield path


def run_in(place, *arguments, box=(), user=NOBODY):
    """leaderexec --isolate as a user, in a box. Returns the finished process."""
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    lock = ["-b", f"file:{place}/locks", "--isolate", "--"]
    return subprocess.run(
        [*box, *become, os.path.join(place, "leaderexec"), *lock, *arguments],
        cwd=place,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=0"},
    )


def test_a_user_without_privileges_stays_who_it_is(place):
    done = run_in(place, *sh(WHO))
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.split() == [str(NOBODY), str(NOBODY), "CapEff:", "0" * 16, str(NOBODY), "/proc/1", "/proc/2"]


def test_there_nobody_becomes_another_user(place):
    shutil.copy(shutil.which("setpriv"), place)
    os.chmod(os.path.join(place, "setpriv"), 0o4755)
    done = run_in(place, *sh("./setpriv --reuid=0 --regid=0 --clear-groups id -u || id -u"))
    assert done.stdout.split() == [str(NOBODY)]


LIMIT = 'echo 0 >/proc/sys/user/max_pid_namespaces; exec "$@"'
NO_PID_NAMESPACES = ["unshare", "--user", "--map-root-user", *sh(LIMIT), "sh"]
MASKED_PROC = ["unshare", "--mount", *sh('mount -t tmpfs none /proc/sys; exec "$@"'), "sh"]


@pytest.mark.parametrize(
    "box, user, says",
    [
        (["setpriv", "--bounding-set=-sys_admin"], 0, "CAP_SYS_ADMIN"),
        (NO_PID_NAMESPACES, 0, "No space left on device"),
        (MASKED_PROC, NOBODY, "mount a /proc of its own"),
    ],
    ids=["capability", "limit", "masked"],
)
def test_where_it_cant_be_had_the_lock_isnt_asked_for(place, box, user, says):
    done = run_in(place, "touch", "ran", box=box, user=user)
    assert done.returncode == 125
    assert says in done.stderr and "without --isolate" in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(os.listdir(place)) == ["leaderexec"]


SHARED = """mkdir there && mount -t tmpfs none there && mount --make-shared there
mkdir there/more
mount --make-shared /proc
"$@"
mountpoint -q there/more && grep -c " /proc " /proc/self/mountinfo"""


def test_what_it_mounts_is_seen_where_it_would_be_without_it_but_for_its_proc(place):
    with open("/proc/self/mountinfo") as f:
        before = sum(" /proc " in line for line in f)
    box = ["unshare", "--mount", "--propagation", "private", *sh(SHARED), "sh"]
    script = "mount -t tmpfs none there/more; mountpoint -q there/more"
    done = run_in(place, *sh(script), box=box, user=0)
    assert done.returncode == 0 and done.stderr == ""
    assert int(done.stdout) == before

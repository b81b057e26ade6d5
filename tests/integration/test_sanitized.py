"""Memory and descriptors: sanitized builds are what they say, and valgrind finds no leak and nothing left open.

(Every other test here runs on the sanitized builds as well, see conftest.py; and any word from a sanitizer fails it.)
"""

import glob
import json
import os
import re
import signal
import subprocess

import pytest
from conftest import TOOLS, Launcher, builds
from processes import wait_until

FAST = ("--ttl", "8s", "--poll", "500ms")
VALGRIND = ["valgrind", "--leak-check=full", "--track-fds=yes", "--trace-children=no"]
VALGRIND += [f"--suppressions={TOOLS}/valgrind.supp"]


def sanitized(folder):
    """What a build is instrumented with, as meson knows it."""
    with open(os.path.join(folder, "meson-info", "intro-buildoptions.json")) as f:
        return next(option["value"] for option in json.load(f) if option["name"] == "b_sanitize")


def plain_build():
    """The build that valgrind runs, None where all are sanitized."""
    return next((folder for folder in builds().values() if os.path.isdir(folder) and sanitized(folder) == "none"), None)


def unit_tests():
    """Name to command of the unit tests of the plain build."""
    folder = plain_build()
    if folder is None:
        return {}
    with open(os.path.join(folder, "meson-info", "intro-tests.json")) as f:
        tests = [test for test in json.load(f) if any(suite.endswith("unit") for suite in test["suite"])]
    # The children of a test with a thread of its own have that thread's memory, which nobody there can free.
    # One of the isolated becomes a user who can't write valgrind's logs.
    return {test["name"]: test for test in tests if test["name"] not in ("command", "isolate")}


def pytest_generate_tests(metafunc):
    if "unit_test" in metafunc.fixturenames:
        metafunc.parametrize("unit_test", sorted(unit_tests()))


def complaints(text):
    """What valgrind found in one process's log: errors and lost memory."""
    return re.findall(
        r"(?:definitely|indirectly|possibly) lost: [1-9].*|Invalid .*|Conditional jump .*|Use of uninit.*|Syscall param .*|"
        r"Mismatched .*|Source and dest.*",
        text,
    )


def left_open(text):
    """Descriptors that were open at the end, but for those that the process was started with; and heap that wasn't freed."""
    found = [
        block.splitlines()[0]
        for block in re.split(r"(?=Open (?:file descriptor|AF_))", text)[1:]
        if "<inherited from parent>" not in block
    ]
    kept = [line for line in re.findall("still reachable: .*", text) if "0 bytes in 0 blocks" not in line]
    return found + ([] if "All heap blocks were freed" in text else kept)


class Valgrind:
    """The logs of one program's processes, in a folder of their own."""

    def __init__(self, directory, name):
        self.folder = os.path.join(str(directory), name)
        os.makedirs(self.folder)
        self.words = [*VALGRIND, f"--log-file={self.folder}/%p"]

    def logs(self):
        """Process to log, of those that came to their end; commands that were started by exec don't."""
        found = {}
        for path in glob.glob(os.path.join(self.folder, "*")):
            with open(path, errors="replace") as f:
                text = f.read()
            if "FILE DESCRIPTORS:" in text:
                found[int(os.path.basename(path))] = re.sub(r"^==\d+== ?", "", text, flags=re.M)
        return found

    def main(self):
        """The pid of the program itself. What it forks without exec ends by _exit(2), where memory and descriptors are the kernel's to
        take back; there only errors and lost memory count."""
        return min(self.logs(), key=lambda pid: "Parent PID: %d\n" % os.getpid() not in self.logs()[pid])

    def assert_clean(self):
        logs = self.logs()
        assert logs, "valgrind wrote nothing"
        assert {pid: complaints(text) for pid, text in logs.items() if complaints(text)} == {}
        assert left_open(logs[self.main()]) == []


@pytest.fixture
def checked(store, tmp_path, tidy):
    """checked(name, *arguments): leaderexec under valgrind; gives the run and its logs."""
    if plain_build() is None:
        pytest.skip("valgrind needs a build without sanitizers")
    launcher = Launcher(plain_build(), tmp_path, tidy)

    def start(name, *arguments):
        valgrind = Valgrind(tmp_path, name)
        return launcher(*arguments, store=store, before=valgrind.words), valgrind

    yield start
    launcher.kill()


def test_a_build_that_is_called_sanitized_is(build, build_name):
    libraries = subprocess.run(
        ["ldd", os.path.join(build, "cmd/leaderexec/leaderexec")], capture_output=True, text=True, check=True
    ).stdout
    assert ("asan" in build_name) == ("libasan" in libraries) == ("libubsan" in libraries)
    assert sanitized(build) == ("address,undefined" if "asan" in build_name else "none")


def test_valgrind_finds_nothing_in_unit_tests(unit_test, tmp_path):
    test, valgrind = unit_tests()[unit_test], Valgrind(tmp_path, "logs")
    run = subprocess.run(
        [*valgrind.words, *test["cmd"]],
        cwd=test.get("workdir") or tmp_path,
        env={**os.environ, **test["env"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-2000:]
    valgrind.assert_clean()


def test_valgrind_finds_nothing_in_a_whole_run(checked, store):
    """One leads, renews and is told to end; another waits, leads and ends; a third finds the lock held; and status looks on."""
    asked = 'trap "exit 3" TERM; sleep 60 & wait'  # a command that a signal ends has us end by it, without a last look
    first, first_logs = checked("first", *FAST, "--", "sh", "-c", asked)
    wait_until(store.holder_token, "the first to lead")
    second, second_logs = checked("second", "-v", *FAST, "--", "sh", "-c", "sleep 4; exit 7")
    third, third_logs = checked("third", *FAST, "--no-wait", "--", "true")
    status, status_logs = checked("status", "status", "--json")
    assert third.wait(60) == 124
    assert status.wait(60) == 0
    wait_until(lambda: "waiting" in second.err(), "the second to wait", 60)
    wait_until(lambda: len(store.slots()) >= 3, "the first to renew twice")
    first.signal(signal.SIGTERM)
    assert first.wait(60) == 3
    assert second.wait(60) == 7
    assert store.head().body == b"free\n"
    for logs in (first_logs, second_logs, third_logs, status_logs):
        logs.assert_clean()
    assert len(second_logs.logs()) >= 2, "the guard's log is missing"

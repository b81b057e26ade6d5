"""What the command sees of the world: streams, descriptors, signals' state, environment, as if it had been run by itself."""

import fcntl
import hashlib
import os
import random
import re
import resource
import signal
import subprocess
import time

import pytest
from conftest import ASAN_OPTIONS
from processes import wait_until

ISOLATED_TOO = True
FAST = ("--ttl", "4s", "--poll", "300ms")
BIG = 10_000_000


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A file of random bytes."""
    path = tmp_path_factory.mktemp("big") / "bytes"
    path.write_bytes(random.Random(4).randbytes(BIG))
    return str(path)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def test_ten_megabytes_go_from_a_pipe_through_the_command_to_stdout(leaderexec, big):
    with subprocess.Popen(["cat", big], stdout=subprocess.PIPE) as feeder:
        run = leaderexec(*FAST, "--", "cat", stdin=feeder.stdout)
        feeder.stdout.close()
        assert run.wait() == 0
    assert digest(run.out_path) == digest(big)
    assert run.err() == ""


def test_ten_megabytes_go_from_a_file_through_the_command_to_stderr(leaderexec, big):
    with open(big, "rb") as f:
        run = leaderexec(*FAST, "--", "sh", "-c", "cat >&2", stdin=f)
        assert run.wait() == 0
    assert digest(run.err_path) == digest(big)
    assert os.path.getsize(run.out_path) == 0


def test_ten_megabytes_go_through_pipes_on_both_sides(leaderexec, big, tmp_path):
    run = leaderexec(*FAST, "--", "cat", before=["sh", "-c", f'cat "{big}" | "$0" "$@" | cat >"{tmp_path}/copy"'])
    assert run.wait() == 0
    assert digest(tmp_path / "copy") == digest(big)


def test_input_that_the_command_doesnt_read_stays_in_the_pipe(leaderexec):
    run = leaderexec(*FAST, "--", "true", before=["sh", "-c", 'echo mine | { "$0" "$@"; cat; }'])
    assert run.wait() == 0
    assert run.out() == "mine\n"


def stamp(name):
    return f"date +%s.%N >{name}"


def stamped(run, name):
    """When stamp(name) ran; waits for it."""
    path = os.path.join(os.path.dirname(run.out_path), name)

    def text():
        if os.path.exists(path):
            with open(path) as f:
                return f.read().strip()
        return None

    return float(wait_until(text, name))


def test_a_writer_learns_at_once_that_the_command_closed_its_input(leaderexec):
    script = '{ yes; %s; } | "$0" "$@"' % stamp("writer")
    run = leaderexec(
        *FAST,
        "--",
        "sh",
        "-c",
        "exec <&-; %s; sleep 3; %s" % (stamp("closed"), stamp("end")),
        before=["sh", "-c", script],
    )
    assert run.wait() == 0
    assert stamped(run, "writer") - stamped(run, "closed") < 1.5
    assert stamped(run, "end") - stamped(run, "closed") >= 2.9


def test_a_reader_learns_at_once_that_the_command_closed_its_output(leaderexec):
    script = '"$0" "$@" | { cat; %s; }' % stamp("reader")
    run = leaderexec(
        *FAST,
        "--",
        "sh",
        "-c",
        "exec >&-; %s; sleep 3; %s" % (stamp("closed"), stamp("end")),
        before=["sh", "-c", script],
    )
    assert stamped(run, "reader") - stamped(run, "closed") < 1.5
    assert run.wait() == 0
    assert stamped(run, "end") - stamped(run, "closed") >= 2.9


def test_flags_of_descriptions_that_are_shared_with_others_stay_as_they_were(leaderexec):
    r, w = os.pipe()
    er, ew = os.pipe()
    before = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (r, ew)]
    run = leaderexec("-v", *FAST, "--", "sleep", "1", stdin=r, stderr=ew)
    during = []
    while run.poll() is None:
        during.append([fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (r, ew)])
        time.sleep(0.02)
    assert run.wait() == 0
    assert len(during) > 10 and all(flags == before for flags in during)
    for fd in (r, w, er, ew):
        os.close(fd)


class Comparison:
    """The same command run directly and by leaderexec, after the same preparations."""

    def __init__(self, launch, store):
        self.launch, self.store = launch, store
        self.directory = store.directory

    def run(self, command, prepare="", **more):
        """prepare: shell commands. Returns the two outputs, with what must differ taken out."""
        outputs = []
        for prefix in ("", '"$0" %s -- ' % " ".join(FAST)):
            run = self.launch(*command, store=self.store, before=["sh", "-c", f'{prepare}\nexec {prefix}"$@"'], **more)
            assert run.wait() == 0, run.err()
            outputs.append(run.out().replace(run.out_path, "OUT").replace(run.err_path, "ERR"))
        return outputs

    def assert_same(self, command, prepare="", clean=lambda text: text, **more):
        direct, through = (clean(text) for text in self.run(command, prepare, **more))
        assert through == direct
        return direct


@pytest.fixture
def comparison(launch, store):
    return Comparison(launch, store)


def descriptors(text):
    """ls -l's lines without times, and with no process's number."""
    names = [line.partition(" -> ") for line in text.splitlines() if " -> " in line]
    found = {int(left.split()[-1]): (left.split()[0], right) for left, _, right in names}
    return {fd: (mode, re.sub(r"/proc/\d+/", "/proc/N/", target)) for fd, (mode, target) in found.items()}


LIST = ["ls", "-l", "/proc/self/fd"]


def test_the_command_has_the_descriptors_that_leaderexec_was_given(comparison):
    found = comparison.assert_same(LIST, "exec 7</dev/zero 9>>/dev/null", descriptors)
    assert {0, 1, 2, 7, 9} < set(found)


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1", "0 1 2"])
def test_descriptors_that_were_closed_at_start_are_closed_for_the_command(comparison, tmp_path, closed):
    prepare = "; ".join(f"exec {fd}>&-" for fd in closed.split())
    results = []
    for prefix in ("", '"$0" %s -- ' % " ".join(FAST)):
        list_ = f"ls -l /proc/self/fd >{tmp_path}/list 2>{tmp_path}/errors"
        run = comparison.launch(
            "sh", "-c", list_, store=comparison.store, before=["sh", "-c", f'{prepare}\nexec {prefix}"$@"']
        )
        assert run.wait() in (0, 1, 2)
        with open(tmp_path / "list") as f:
            results.append(descriptors(f.read().replace(run.out_path, "OUT").replace(run.err_path, "ERR")))
    assert results[1] == results[0]


STATUS = (
    "Umask",
    "Uid",
    "Gid",
    "Groups",
    "SigPnd",
    "ShdPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Cpus_allowed_list",
    "Threads",
)


def status_lines(text):
    return {
        name: value.split() for name, _, value in (line.partition(":") for line in text.splitlines()) if name in STATUS
    }


def unusual_signals():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGTERM, signal.SIGCHLD, signal.SIGRTMIN + 3})


@pytest.mark.parametrize("given", [None, unusual_signals], ids=["usual", "unusual"])
def test_the_command_has_the_signals_and_rights_that_leaderexec_was_given(comparison, given):
    found = comparison.assert_same(["cat", "/proc/self/status"], "umask 027", status_lines, preexec_fn=given)
    assert set(found) == set(STATUS) and found["Umask"] == ["0027"]
    assert (given is None) == (int(found["SigBlk"][0], 16) == 0)


def test_sigpipe_is_as_leaderexec_was_given_it(leaderexec):
    """The keeper ignores it; a command that inherited that would write on for ever."""
    run = leaderexec(*FAST, "--", "sh", "-c", "yes; echo $? >code", before=["sh", "-c", '"$0" "$@" | head -1'])
    assert run.wait() == 0
    with open(os.path.join(os.path.dirname(run.out_path), "code")) as f:
        assert f.read().strip() == "141"


def test_the_command_has_the_limits_that_leaderexec_was_given(comparison):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
        resource.setrlimit(resource.RLIMIT_CORE, (4096, 8192))
        resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, 8 << 20))

    # A sanitizer would forbid core dumps by itself.
    env = {"ASAN_OPTIONS": ASAN_OPTIONS + ":disable_coredump=0"}
    found = comparison.assert_same(["cat", "/proc/self/limits"], env=env, preexec_fn=limit)
    assert re.search(r"Max open files +200 +300 ", found) and re.search(r"Max core file size +4096 +8192 ", found)


def test_the_command_has_the_nice_value_that_leaderexec_was_given(comparison):
    fields = ["awk", "{print $18, $19, $40, $41}", "/proc/self/stat"]  # priority, nice, realtime priority, policy
    assert comparison.assert_same(fields, preexec_fn=lambda: os.nice(5)).split()[1] == "5"


@pytest.mark.parametrize("name", ["oom_score_adj", "timerslack_ns", "coredump_filter", "personality"])
def test_the_command_has_what_proc_shows_as_leaderexec_was_given_it(comparison, name):
    comparison.assert_same(["cat", f"/proc/self/{name}"])


def test_the_command_works_where_leaderexec_does(comparison, tmp_path):
    (tmp_path / "there").mkdir()
    assert comparison.assert_same(["readlink", "/proc/self/cwd"], cwd=str(tmp_path / "there")).strip() == str(
        tmp_path / "there"
    )


def test_the_environment_gains_the_token_and_the_lock_and_nothing_else(comparison):
    extra = {
        "AWS_PROFILE": "",
        "ODD": "line\nline=\xff",
        "EMPTY": "",
        "LEADEREXEC_LOCK": "leader",
        "LEADEREXEC_STOP_TIMEOUT": "20s",
    }

    def variables(text):
        words = text.split("\0")[:-1]
        found = dict(word.partition("=")[::2] for word in words)
        assert len(found) == len(words), "a variable twice"
        return found

    direct, through = (variables(text) for text in comparison.run(["env", "-0"], env=extra))
    gained = {name: through.pop(name) for name in set(through) - set(direct)}
    assert through == direct
    assert set(gained) == {"LEADEREXEC_TOKEN", "LEADEREXEC_HOLDS"}
    assert gained["LEADEREXEC_TOKEN"].isdigit()


@pytest.mark.parametrize("named", ["us", "another"])
def test_what_a_service_manager_means_for_us_is_meant_for_the_command(leaderexec, named):
    """LISTEN_PID (sockets handed over), LISTEN_PIDFDID and WATCHDOG_PID name the process that is to care."""
    of = {"us": "$$", "another": "1"}[named]
    start = f'LISTEN_PID={of} WATCHDOG_PID={of} LISTEN_PIDFDID=17 LISTEN_FDS=1 exec "$@"'
    run = leaderexec(*FAST, "--", "python3", "-c", WHO_IS_MEANT, before=("sh", "-c", start, "sh"))
    assert run.wait() == 0, run.err()
    listen, watchdog, inode, fds, pid, own_inode = run.out().split()
    assert fds == "1"
    if named == "us":
        assert listen == watchdog == pid and inode == own_inode
    else:
        assert (listen, watchdog, inode) == ("1", "1", "17")


WHO_IS_MEANT = """
import os
names = ("LISTEN_PID", "WATCHDOG_PID", "LISTEN_PIDFDID", "LISTEN_FDS")
print(*(os.environ[name] for name in names), os.getpid(), os.fstat(os.pidfd_open(os.getpid())).st_ino)
"""


def test_arguments_reach_the_command_as_they_are(comparison):
    odd = ["", " ", "two\nlines", "--ttl", "-v", "--", "*", "\xff\udcfe"]
    direct = comparison.assert_same(["printf", "<%s>", *odd])
    assert direct.startswith("<>< ><two\nlines><--ttl><-v><--><*>")


@pytest.mark.outside_only
def test_the_command_is_no_session_leader_and_has_leaderexecs_session(leaderexec):
    run = leaderexec(*FAST, "--", "sh", "-c", "cut -d' ' -f5,6 /proc/self/stat", start_new_session=True)
    assert run.wait() == 0
    group, session = map(int, run.out().split())
    assert session == run.pid and group != run.pid


def test_a_message_that_nobody_reads_delays_nothing(leaderexec, child):
    """stderr is a full pipe."""
    r, w = os.pipe()
    os.set_blocking(w, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(w, b"x" * 65536)
    os.set_blocking(w, True)
    run = leaderexec("-v", *FAST, "--", *child("-x", 5), stderr=w)
    os.close(w)
    child.wait_for_terms(1)
    run.signal(signal.SIGTERM)
    wait_until(lambda: run.poll() is not None, "its end", 10)
    assert run.code == 5
    os.close(r)

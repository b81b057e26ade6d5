"""Exit codes: the command's own where it ran, one clear line where it couldn't."""

import os
import platform
import signal
import struct
import time

import pytest
from processes import boottime, wait_until

ISOLATED_TOO = True
FAST = ("--ttl", "20s", "--poll", "300ms")


def one_line(run):
    """The only line on stderr."""
    text = run.err()
    assert text.startswith("leaderexec: ") and text.count("\n") == 1 and text.endswith("\n") and len(text) > 30, text
    return text


@pytest.mark.parametrize("code", [0, 7, 255])
def test_the_commands_exit_code_is_passed_on(leaderexec, code):
    run = leaderexec(*FAST, "--", "sh", "-c", f"exit {code}")
    assert run.wait() == code
    assert run.err() == ""


@pytest.mark.parametrize("name", ["SEGV", "KILL", "INT", "QUIT", "USR1", "RTMIN"])
def test_where_a_signal_ends_the_command_it_ends_us(leaderexec, tmp_path, name):
    """A shell shows 128 + N for that."""
    number = getattr(signal, "SIG" + name)
    run = leaderexec(*FAST, "--", "sh", "-c", f"kill -{int(number)} $$", cwd=tmp_path)
    run.wait()
    assert run.process.returncode == -number
    assert not [name for name in os.listdir(tmp_path) if name.startswith("core")]


def test_an_exit_code_above_128_stays_one(leaderexec):
    run = leaderexec(*FAST, "--", "sh", "-c", "exit 137")
    run.wait()
    assert run.process.returncode == 137


def test_a_command_that_isnt_found_gives_127(leaderexec, store):
    run = leaderexec(*FAST, "--", "no-such-command-anywhere")
    assert run.wait() == 127
    assert "no-such-command-anywhere" in one_line(run)
    assert store.head().body == b"free\n"


def test_a_command_that_cant_be_run_gives_126(leaderexec, tmp_path):
    (tmp_path / "job").write_text("not for running")
    run = leaderexec(*FAST, "--", str(tmp_path / "job"))
    assert run.wait() == 126
    assert "job" in one_line(run)


def elf(machine, interpreter=b"/no/such/loader\0"):
    """A program for that machine: as little of one as the kernel looks at before it looks for the loader."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, 0x400000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(interpreter), len(interpreter), 1) + interpreter


EM_X86_64, EM_AARCH64 = 62, 183
OURS, OTHER = (EM_X86_64, EM_AARCH64) if platform.machine() == "x86_64" else (EM_AARCH64, EM_X86_64)


@pytest.mark.parametrize(
    "content, code, says",
    [
        (elf(OTHER), 126, "on this machine"),
        (b"\0binary", 126, "on this machine"),
        (elf(OURS), 127, "the loader that it names"),
        (b"#!/no/such/interpreter -x\necho no\n", 127, "its interpreter /no/such/interpreter isn't there"),
        (b"#!/bin/sh\r\necho no\r\n", 127, "CRLF"),
    ],
    ids=["other machine", "binary", "no loader", "no interpreter", "CRLF"],
)
@pytest.mark.parametrize("by_path", [False, True])
def test_a_program_that_cant_be_run_says_what_it_lacks(leaderexec, tmp_path, content, code, says, by_path):
    job = tmp_path / "odd-job"
    job.write_bytes(content)
    job.chmod(0o755)
    env = {"PATH": f"/usr/bin:{tmp_path}:/bin"} if by_path else None
    run = leaderexec(*FAST, "--", "odd-job" if by_path else str(job), env=env)
    assert run.wait() == code
    assert says in one_line(run) and "odd-job" in one_line(run), run.err()


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("--no-such-option",), "no-such-option"),
        (("--ttl", "soon"), "soon"),
        (("--ttl", "1s"), "2s"),
        (("--ttl", "30s", "--kill-after", "9s"), "kill-after"),
        (("--lock", "a/b"), "/"),
        (("--on-loss", "shrug"), "rejoin"),
    ],
)
def test_an_option_that_makes_no_sense_gives_125(leaderexec, child, store, arguments, says):
    run = leaderexec(*arguments, "--", *child("-d", 10))
    assert run.wait() == 125
    assert says in one_line(run)
    assert child.lines() == [] and store.slots() == []


def test_no_bucket_gives_125(launch):
    run = launch("--", "true")
    assert run.wait() == 125
    assert "bucket" in one_line(run)


@pytest.mark.parametrize(
    "bucket, says",
    [
        ("arn:aws:s3:us-west-2:123456789012:accesspoint/mine", "is the ARN of an access point"),
        ("s3://arn:aws:s3::123456789012:accesspoint/abc.mrap", "is a multi-region access point"),
        ("fast--usw2-az1--x-s3", "is a directory bucket of S3 Express"),
        ("s3://fast--usw2-az1--x-s3/locks", "is a directory bucket of S3 Express"),
        ("arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/mine", "is an ARN of S3 on Outposts"),
    ],
)
def test_what_only_looks_like_a_bucket_gives_125(launch, bucket, says):
    run = launch("--bucket", bucket, "--", "true")
    assert run.wait() == 125
    assert says in one_line(run)


def test_no_command_gives_125(leaderexec):
    run = leaderexec(*FAST)
    assert run.wait() == 125
    one_line(run)


def test_a_directory_that_cant_be_one_gives_125(launch, tmp_path):
    (tmp_path / "file").write_text("")
    run = launch("--bucket", f"file:{tmp_path}/file/locks", "--", "true")
    assert run.wait() == 125
    assert "file" in one_line(run)


def leader(leaderexec, child, *options):
    """A leader whose child beats."""
    run = leaderexec(*FAST, *options, "--", *child())
    child.wait_for_terms(1)
    return run


def test_a_busy_lock_gives_124_at_once_with_no_wait(leaderexec, child):
    holder = leader(leaderexec, child)
    run = leaderexec(*FAST, "--no-wait", "--", "false")
    assert run.wait() == 124
    assert run.err() == ""
    holder.signal(signal.SIGTERM)
    assert holder.wait() == 0


def test_a_busy_lock_gives_124_after_the_time_that_wait_says(leaderexec, child):
    leader(leaderexec, child)
    before = boottime()
    run = leaderexec(*FAST, "--wait", "2s", "--", "false")
    assert run.wait() == 124
    assert 1.95 <= boottime() - before < 8


def test_a_busy_lock_gives_the_code_that_the_user_chose(leaderexec, child):
    leader(leaderexec, child)
    assert leaderexec(*FAST, "--no-wait", "-E", "0", "--", "false").wait() == 0
    assert leaderexec(*FAST, "--no-wait", "--conflict-exit-code", "42", "--", "true").wait() == 42


def test_a_wait_that_is_long_enough_ends_with_the_command_run(leaderexec):
    first = leaderexec(*FAST, "--", "sleep", "1")
    time.sleep(0.3)
    assert leaderexec(*FAST, "--wait", "20s", "--", "sh", "-c", "exit 5").wait() == 5
    assert first.wait() == 0


def test_a_leaderexec_under_its_own_lock_gives_125_and_doesnt_wait_for_itself(leaderexec):
    run = leaderexec(*FAST, "--", leaderexec.binary, *FAST, "--", "true")
    assert run.wait() == 125
    assert "LEADEREXEC_HOLDS" in run.err() or "already" in run.err() or "runs under" in run.err(), run.err()


def test_what_outlives_its_leaderexec_may_lead_the_same_lock(leaderexec, tmp_path):
    """As a job does that is planned by at(1): the environment is that of a run which has ended."""
    first = leaderexec(*FAST, "--", "sh", "-c", 'echo "$LEADEREXEC_HOLDS"')
    assert first.wait() == 0
    held = first.out().strip()
    assert "#" in held
    run = leaderexec(*FAST, "--", "sh", "-c", "exit 9", env={"LEADEREXEC_HOLDS": held})
    assert run.wait() == 9, run.err()


def test_a_leaderexec_under_another_lock_runs(leaderexec):
    run = leaderexec(*FAST, "--", leaderexec.binary, "--lock", "another", *FAST, "--", "sh", "-c", "exit 9")
    assert run.wait() == 9


def test_a_signal_while_waiting_gives_128_and_its_number_and_runs_nothing(leaderexec, child, tmp_path):
    leader(leaderexec, child)
    run = leaderexec("-v", *FAST, "--", "touch", str(tmp_path / "ran"))
    wait_until(lambda: "waiting for" in run.err(), "the candidate to say that it waits")
    run.signal(signal.SIGTERM)
    assert run.wait() == 143 and run.process.returncode == -signal.SIGTERM
    assert not os.path.exists(tmp_path / "ran")


def test_help_and_version_go_to_stdout_and_give_0(launch):
    run = launch("--help")
    assert run.wait() == 0
    assert run.err() == "" and "--ttl" in run.out() and run.out().count("\n") < 70
    assert launch("--version").wait() == 0


def test_the_child_gets_its_token_and_what_it_runs_under(leaderexec, store):
    run = leaderexec(*FAST, "--", "sh", "-c", 'echo "$LEADEREXEC_TOKEN $LEADEREXEC_HOLDS"')
    assert run.wait() == 0
    token, holds = run.out().split()
    assert int(token) == 1 and holds.split("#")[0].endswith("leader")


def test_status_tells_held_from_free(leaderexec, child, store):
    assert leaderexec("status").wait() == 1
    holder = leader(leaderexec, child, "--node-id", "node-of-mine")
    run = leaderexec("status")
    assert run.wait() == 0
    assert "node-of-mine" in run.out()
    run = leaderexec("status", "--json")
    assert run.wait() == 0
    import json

    assert json.loads(run.out())["token"] == 1
    holder.signal(signal.SIGTERM)
    holder.wait()
    assert leaderexec("status").wait() == 1

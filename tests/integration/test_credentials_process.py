"""A command gives keys, hangs, lies, leaves things behind."""

import json
import os
import signal
import time

import pytest
from givers import FAST, asked, assert_refused, configure, metadata, signers
from processes import command_line, descendants, wait_until

ONE_BUILD = True

KEYS = "AKIAPROCESS000000001"


def process(home, tmp_path, script, more=""):
    """A profile whose credential_process is a script."""
    path = tmp_path / "give keys.sh"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    configure(home, f"[default]\ncredential_process = '{path}' one \"two words\"\n{more}")
    return path


def printed(expiry=None, key=KEYS):
    fields = {
        "Version": 1,
        "AccessKeyId": key,
        "SecretAccessKey": "secret-of-process",
        "SessionToken": "token-of-process",
    }
    if expiry:
        fields["Expiration"] = expiry
    return json.dumps(fields)


def test_a_credential_process_gives_keys(start, bad, home, tmp_path):
    process(home, tmp_path, f"test \"$1+$2\" = 'one+two words' && test -z \"$(cat)\" && echo '{printed()}'\n")
    run = start("-v", *FAST, "--", "env")
    assert run.wait() == 0, run.err()
    assert signers(bad) == [KEYS] and {entry["token"] for entry in bad.log()} == {"token-of-process"}
    assert 'the credential_process of profile "default", access key ****************0001' in run.err()
    assert "secret-of" not in run.err() and KEYS not in run.out()


def test_a_credential_process_is_run_again_before_its_keys_expire(start, bad, home, tmp_path, child):
    process(
        home,
        tmp_path,
        f"echo x >>{tmp_path}/runs\nn=$(wc -l <{tmp_path}/runs)\n"
        "expiry=$(date -u -d '+6 seconds' +%Y-%m-%dT%H:%M:%S+00:00)\n"
        'printf \'{"Version":1,"AccessKeyId":"AKIA%s","SecretAccessKey":"s","Expiration":"%s"}\' "$n" "$expiry"\n',
    )
    run = start(*FAST, "--", *child())
    child.wait_for_terms(1)
    wait_until(lambda: len(signers(bad)) >= 3, "the third pair")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0 and run.err().count("\n") == 1
    assert child.lines("15") and signers(bad)[:3] == ["AKIA1", "AKIA2", "AKIA3"]


@pytest.mark.parametrize(
    "script, says",
    [
        ("echo oh dear >&2; echo all is lost >&2; exit 3", "ended with exit code 3: all is lost"),
        ("exit 1", "ended with exit code 1"),
        ("kill -9 $$", "ended with exit code 137"),
        ("echo hello", "it isn't JSON"),
        ("true", "it isn't JSON"),
        ("echo '{\"Version\":2}'", "Version isn't 1"),
        ('echo \'{"Version":1,"AccessKeyId":"a"}\'', "no secret key"),
        ('echo \'{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"}\'', "expiry is no time"),
        ("head -c 10000000 /dev/zero", "printed more than keys could have"),
        ("yes x", "printed more than keys could have"),
        ("yes word >&2", None),
    ],
)
def test_a_credential_process_that_fails_is_the_end(start, giver, home, tmp_path, script, says):
    process(home, tmp_path, script + "\n")
    run = start(*FAST, "--", "true", env=metadata(giver))
    if says is None:  # it hangs, and is killed at our end
        time.sleep(1)
        run.signal(signal.SIGTERM)
        assert run.wait() == 143
    else:
        assert_refused(run, says)
    assert giver.log() == []


def test_a_command_that_isnt_there_is_named(start, home):
    configure(home, "[default]\ncredential_process = /no/such/command\n")
    assert_refused(start(*FAST, "--", "true"), "exit code 127", "/no/such/command")


def test_a_credential_process_that_hangs_goes_with_all_that_it_started(start, bad, home, tmp_path):
    """With us, at the latest; and when it takes longer than 30 s."""
    process(
        home,
        tmp_path,
        f"trap '' TERM INT HUP\nsleep 1000 &\nsleep 1001 | cat &\necho started >{tmp_path}/started\nwait\n",
    )
    for ending in (signal.SIGTERM, signal.SIGKILL):
        run = start(*FAST, "--", "true")
        wait_until(lambda: (tmp_path / "started").exists(), "the command to start")
        (tmp_path / "started").unlink()
        run.signal(ending)
        run.wait()
        wait_until(
            lambda: not any("sleep 100" in command_line(pid) for pid in descendants(os.getpid())), "them to be gone"
        )
    run = start(*FAST, "--", "true")
    run.wait(60)
    lines = run.err().splitlines()
    assert len(lines) == 2 and "waiting for credential_process; trying again" in lines[0], lines
    assert run.code == 125 and "took longer than 30 s and was killed" in lines[1]
    assert 28 < run.ended - run.started < 40


def test_a_credential_process_that_has_closed_its_output_goes_with_us(start, home, tmp_path):
    script = process(home, tmp_path, f"echo started >{tmp_path}/started\nsleep 1002\n")
    configure(home, f"[default]\ncredential_process = exec '{script}' >&- 2>&-\n")
    run = start(*FAST, "--", "true")
    wait_until(lambda: (tmp_path / "started").exists(), "the command to start")
    time.sleep(1)
    run.signal(signal.SIGKILL)
    run.wait()
    wait_until(lambda: not any("sleep 1002" in command_line(pid) for pid in descendants(os.getpid())), "it to be gone")


def test_what_a_credential_process_leaves_behind_isnt_waited_for(start, bad, home, tmp_path):
    chatter = "while echo x; do sleep 0.05; done >&2"
    process(home, tmp_path, f"echo '{printed()}'\n( {chatter} ) &\n")
    run = start(*FAST, "--", "true")
    assert run.wait() == 0, run.err()
    assert run.ended - run.started < 20 and signers(bad) == [KEYS]


def test_a_hanging_credential_process_disturbs_no_leader(start, bad, home, tmp_path, child):
    expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 40))
    path = process(home, tmp_path, f"echo '{printed(expiry)}'\n")
    run = start(*FAST, "--", *child())
    child.wait_for_terms(1)
    path.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nsleep 1000\n")
    wait_until(lambda: (tmp_path / "asked").exists(), "it to be run again")
    renewals = len(bad.log())
    time.sleep(9)
    assert len(bad.log()) >= renewals + 3 and run.poll() is None and child.lines("15") == []
    run.signal(signal.SIGTERM)
    assert run.wait() == 0


def test_nothing_of_ours_reaches_a_credential_process(start, home, tmp_path):
    process(
        home,
        tmp_path,
        f"ls -l /proc/self/fd >{tmp_path}/fds\ngrep -E '^Sig(Blk|Ign)' /proc/self/status >{tmp_path}/signals\n"
        f"echo '{printed()}'\n",
    )
    assert start(*FAST, "--", "true").wait() == 0
    assert "socket:" not in (tmp_path / "fds").read_text() and "anon_inode" not in (tmp_path / "fds").read_text()
    assert (tmp_path / "signals").read_text().split()[1::2] == ["0000000000000000"] * 2

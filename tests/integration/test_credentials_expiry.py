"""Keys that expire: new ones are had beside the renewals, the old ones serve until their end."""

import re
import resource
import signal
import time

import pytest
from givers import FAST, agent, assert_refused, configure, given, metadata, one_line, signers
from processes import boottime, wait_until

ONE_BUILD = True


def test_a_store_that_says_expired_is_asked_again_with_new_keys(start, bad, giver, child):
    run = start("-v", *FAST, "--", *child(), env=agent(giver))
    child.wait_for_terms(1)
    for turn in range(3):
        bad.mode("expired " + " ".join(given(giver)))
        wait_until(
            lambda: signers(bad)[-1] == given(giver)[-1] and len(given(giver)) == turn + 2, "new keys to be used"
        )
        time.sleep(1)
    assert run.poll() is None and child.lines("15") == []
    run.signal(signal.SIGTERM)
    assert run.wait() == 0 and "trying again" not in run.err()


def test_keys_of_the_environment_that_expire_cant_be_replaced_and_that_is_said(start, bad, child):
    env = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    bad.mode("expired AKIAENV")
    assert_refused(start(*FAST, "--", "true", env=env), "ExpiredToken", "those of the environment can't be renewed")
    bad.mode("correct")
    run = start(*FAST, "--", *child(), env=env)
    child.wait_for_terms(1)
    bad.mode("expired AKIAENV")
    assert run.wait() == 123
    assert "can't be renewed" in run.err()


@pytest.mark.parametrize("how", ["expired", "unknown"])
def test_keys_of_a_file_are_read_again_when_they_have_expired_or_were_exchanged(start, bad, home, child, how):
    configure(home, "", "[default]\naws_access_key_id = AKIAONE\naws_secret_access_key = s\naws_session_token = t\n")
    run = start("-v", *FAST, "--", *child())
    child.wait_for_terms(1)
    configure(home, "", "[default]\naws_access_key_id = AKIATWO\naws_secret_access_key = s\n")
    bad.mode(f"{how} AKIAONE")
    wait_until(lambda: signers(bad)[-1] == "AKIATWO", "the new keys to be used")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0 and child.lines("15") and "trying again" not in run.err()


@pytest.mark.parametrize("what", ["", "[default]\nregion = us-east-1\n", "[default]\naws_access_key_id = AKIA"])
def test_a_file_that_is_being_rewritten_makes_nobody_sign_as_somebody_else(start, bad, giver, home, child, what):
    """Empty, without keys, cut off: the instance's role would serve, and isn't asked."""
    keys = "[default]\naws_access_key_id = %s\naws_secret_access_key = s\naws_session_token = t\n"
    configure(home, "", keys % "AKIAONE")
    run = start(*FAST, "--", *child(), env=metadata(giver))
    child.wait_for_terms(1)
    configure(home, "", what)
    bad.mode("expired AKIAONE")
    wait_until(lambda: "trying again" in run.err(), "a line about it")
    configure(home, "", keys % "AKIATWO")
    wait_until(lambda: signers(bad)[-1] == "AKIATWO", "the new keys to be used")
    assert child.lines("15") == [] and run.poll() is None
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert signers(bad) == ["AKIAONE", "AKIATWO"] and giver.log() == []


def test_keys_that_cant_be_renewed_serve_until_they_expire_and_not_longer(start, bad, giver, child):
    giver.mode("life=12")
    run = start("-v", *FAST, "--", *child(), env=agent(giver))
    child.wait_for_terms(1)
    began = boottime()
    giver.mode("status=403")
    assert run.wait() == 123
    used = [entry["t"] for entry in bad.log() if entry["status"] == 200]
    assert 6 < used[-1] - began < 12.5
    assert "the old ones serve meanwhile" in run.err() and "403 TestError" in run.err().splitlines()[-1]


def test_status_waits_for_keys_too(start, bad, giver):
    giver.mode("delay=1")
    run = start("status", "-v", env=agent(giver))
    assert run.wait() == 1 and "credentials: the container's agent" in run.err()
    giver.mode("status=403")
    run = start("status", env=agent(giver))
    assert run.wait() == 125 and "403 TestError" in one_line(run)


@pytest.mark.parametrize("command", ["status", "check"])
def test_who_may_hold_keys_leaves_no_core_file(start, giver, command):
    giver.mode("hang")
    run = start(command, env=agent(giver), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (4096, 8192)))

    def forbidden():
        with open(f"/proc/{run.pid}/limits") as limits:
            return re.search(r"Max core file size +[01] ", limits.read())

    wait_until(forbidden, "core files to be forbidden")
    run.signal(signal.SIGTERM)
    run.wait()

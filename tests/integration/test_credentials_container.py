"""The container's agent gives keys: ECS and EKS Pod Identity."""

import signal

import pytest
from givers import AGENT_PATH, FAST, agent, asked, assert_refused, assert_works, given, signers
from processes import wait_until

ONE_BUILD = True


def test_a_containers_agent_gives_keys(start, bad, giver, tmp_path):
    run = start("-v", *FAST, "--", "sh", "-c", "env", env=agent(giver))
    assert_works(run, giver, bad, "the container's agent")
    (request,) = giver.log()
    assert request["headers"]["accept"] == "application/json" and "authorization" not in request["headers"]
    # What leaderexec fetched is its own.
    assert given(giver)[-1] not in run.out() and "token-of" not in run.out() and "AWS_SECRET" not in run.out()


def test_pod_identity_sends_what_its_token_file_holds_at_that_time(start, bad, giver, child, tmp_path):
    token = tmp_path / "pod-token"
    token.write_text("first-pod-token\n")
    giver.mode("life=4")
    env = agent(giver, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token), AWS_CONTAINER_AUTHORIZATION_TOKEN="unused")
    run = start(*FAST, "--", *child(), env=env)
    child.wait_for_terms(1)
    token.write_text("second-pod-token")
    wait_until(lambda: len(given(giver)) >= 3, "keys to be fetched again")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    sent = [entry["headers"]["authorization"] for entry in giver.log()]
    assert sent[0] == "first-pod-token" and sent[-1] == "second-pod-token"


def test_a_token_file_that_isnt_there_is_named(start, giver, tmp_path):
    env = agent(giver, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "gone"))
    assert_refused(start(*FAST, "--", "true", env=env), str(tmp_path / "gone"), "No such file")
    assert giver.log() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "http://10.0.0.1/x",
        "http://169.254.169.254/x",
        "ftp://127.0.0.1/x",
        "http://127.0.0.1@10.0.0.1/",
        "x",
    ],
)
def test_an_agent_elsewhere_isnt_asked(start, url):
    run = start(*FAST, "--", "true", env={"AWS_CONTAINER_CREDENTIALS_FULL_URI": url})
    assert_refused(run, "AWS_CONTAINER_CREDENTIALS_FULL_URI must be")


def test_a_redirect_of_the_agent_isnt_followed(start, giver):
    giver.mode("redirect=" + giver.endpoint + "/elsewhere")
    assert_refused(start(*FAST, "--", "true", env=agent(giver)), "302", "aren't followed")
    assert [entry["path"] for entry in giver.log()] == [AGENT_PATH]


def test_an_agent_that_is_asked_past_the_proxy(start, bad, giver):
    env = agent(giver, http_proxy="http://127.0.0.1:9", no_proxy=bad.endpoint.removeprefix("http://").split(":")[0])
    assert_works(start("-v", *FAST, "--", "true", env=env), giver, bad, "agent")
    env = agent(giver, http_proxy="http://127.0.0.1:9")
    run = start("status", env=env)
    assert run.wait() == 125 and "127.0.0.1" in run.err()  # the store is asked through it


@pytest.mark.parametrize(
    "mode, says",
    [
        ("status=403", "403 TestError: told to fail"),
        ("auth=another", "401 Unauthorized: wrong token"),
        ("body=garbage", "isn't JSON"),
        ("body=nothing", "isn't JSON"),
        ("body=huge", "too long"),
        ("body=half", "no secret key"),
        ("body=control", "holds a blank"),
        ("life=-5", "over already"),
    ],
)
def test_an_agent_that_is_asked_and_fails_is_the_end(start, giver, mode, says):
    """There is never a weaker identity in its place."""
    giver.mode(mode)
    env = agent(giver, AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=giver.endpoint)
    assert_refused(start(*FAST, "--", "true", env=env), says)
    assert not any("/latest/" in entry["path"] for entry in giver.log())


@pytest.mark.parametrize("mode", ["status=500", "hang"])
def test_an_agent_that_fails_for_a_while_is_waited_for(start, bad, giver, mode):
    giver.mode(mode)
    run = start("-v", *FAST, "--", "true", env=agent(giver))
    wait_until(lambda: "trying again" in run.err(), "a line about it")
    giver.mode("correct")
    assert run.wait() == 0
    assert signers(bad) == given(giver)
    assert run.err().count("container's agent") <= 3


def test_with_no_wait_an_agent_that_hangs_is_given_ten_seconds(start, giver):
    giver.mode("hang")
    run = start(*FAST, "--no-wait", "--", "true", env=agent(giver))
    assert run.wait() == 125
    assert 5 < run.ended - run.started < 20
    assert "the container's agent" in run.err()

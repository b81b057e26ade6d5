"""Where the keys come from: everybody who gives some, asked by the program itself through stand-ins on loopback, and what happens when
they are slow, hang, lie or fail; and that none of it disturbs a leader.

The store is tools/badstore.py, which notes whose key signed each request; who gives keys is tools/credserver.py.
"""
import os
import signal
import socket
import time

import pytest
from processes import PATIENCE_S, boottime, wait_until

FAST = ("--ttl", "9s", "--poll", "300ms")
AGENT_PATH = "/agent/credentials"


def one_line(run):
    text = run.err()
    assert text.startswith("leaderexec: ") and text.count("\n") == 1, text
    assert text[:-1].isprintable(), text
    return text


@pytest.fixture
def bad(tools, tidy):
    return tools("badstore.py")


@pytest.fixture
def giver(tools, tidy):
    return tools("credserver.py")


@pytest.fixture
def home(tmp_path):
    """A home with an empty .aws."""
    folder = tmp_path / "home"
    (folder / ".aws").mkdir(parents=True)
    return folder


@pytest.fixture
def start(launch, bad, home):
    """start(*arguments, env={...}): leaderexec on the store, with a home and no keys but those that env leads to."""

    def start(*arguments, env=None, **more):
        base = {
            "LEADEREXEC_BUCKET": "anything",
            "AWS_ENDPOINT_URL_S3": bad.endpoint,
            "AWS_REGION": "us-east-1",
            "HOME": str(home),
        }
        return launch(*arguments, env={**base, **(env or {})}, **more)

    return start


def signers(bad):
    """The access keys that signed requests, in the order of their first."""
    return list(dict.fromkeys(entry["key"] for entry in bad.log()))


def given(giver):
    return [entry["given"] for entry in giver.log() if entry["given"]]


def secrets_of(giver):
    return ("secret-", "token-of-", "static-secret", "jwt", "sso-token", "imds-token")


def assert_works(run, giver, bad, says):
    """The job ran, the requests were signed with the keys given, -v names who gave them, nothing secret was said."""
    assert run.wait() == 0, run.err()
    assert signers(bad) == [given(giver)[-1]]
    assert {entry["token"] for entry in bad.log()} == {f"token-of-{given(giver)[-1]}"}
    line = [line for line in run.err().splitlines() if "credentials: " in line]
    assert len(line) == 1 and says in line[0] and "****" + given(giver)[-1][-4:] in line[0], run.err()
    assert not any(secret in run.err() for secret in secrets_of(giver)), run.err()


def assert_refused(run, *says, code=125):
    assert run.wait() == code, run.err()
    text = one_line(run)
    for words in says:
        assert words in text, text
    assert not any(secret in text for secret in ("secret-", "token-of-", "static-secret"))
    return text


# --- containers ---


def agent(giver, **more):
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": giver.endpoint + AGENT_PATH, **more}


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


# --- EC2's instance metadata ---


def metadata(giver, **more):
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": giver.endpoint, **more}


def asked(giver):
    return [(entry["method"], entry["path"]) for entry in giver.log()]


TOKEN = ("PUT", "/latest/api/token")
ROLES = "/latest/meta-data/iam/security-credentials/"


def test_the_instances_role_gives_keys(start, bad, giver):
    run = start("-v", *FAST, "--", "env", env=metadata(giver, http_proxy="http://127.0.0.1:9", no_proxy="x,127.0.0.1"))
    assert_works(run, giver, bad, "the instance's role role-of-the-instance")
    assert asked(giver) == [TOKEN, ("GET", ROLES), ("GET", ROLES + "role-of-the-instance")]
    assert given(giver)[-1] not in run.out()


@pytest.mark.parametrize("status", [403, 404, 405])
def test_version_1_serves_where_there_is_no_other(start, bad, giver, status):
    giver.mode(f"v1 status={status} only=/latest/api/token")
    assert_works(start("-v", *FAST, "--", "true", env=metadata(giver)), giver, bad, "the instance's role")


def test_version_1_can_be_forbidden(start, giver):
    giver.mode("v1 status=404 only=/latest/api/token")
    run = start(*FAST, "--", "true", env=metadata(giver, AWS_EC2_METADATA_V1_DISABLED="true"))
    assert_refused(run, "AWS_EC2_METADATA_V1_DISABLED")
    assert asked(giver) == [TOKEN]


@pytest.mark.parametrize(
    "mode, says",
    [
        ("status=400", "400"),
        ("status=404 v1 only=security-credentials/", "the instance has no role"),
        ("redirect=http://127.0.0.1:9/ only=/latest/api/token", "302; redirects aren't followed"),
        ("body=garbage only=/latest/api/token", "its token is none"),
        ("body=huge only=/latest/meta-data", "its role's name is none"),
        ("body=garbage only=role-of", "isn't JSON"),
        ("body=half only=role-of", "no secret key"),
        ("life=-1", "over already"),
    ],
)
def test_metadata_that_fail_give_one_line(start, giver, mode, says):
    giver.mode(mode)
    assert_refused(
        start(*FAST, "--", "true", env=metadata(giver)), "no credentials" if says != "over already" else "", says
    )


def black_hole():
    """A listening socket that takes no connection: its queue is full, and who knocks isn't answered."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    for _ in range(4):
        knock = socket.socket()
        knock.setblocking(False)
        knock.connect_ex(full.getsockname())
        waiting.append(knock)
    return full, waiting


@pytest.mark.parametrize("how", ["no connection", "no answer", "nobody there"])
def test_a_machine_without_metadata_says_so_within_three_seconds(start, giver, how):
    env = metadata(giver)
    if how == "no answer":
        giver.mode("hang")
    if how == "no connection":
        full, waiting = black_hole()
        env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:%d" % full.getsockname()[1]
    if how == "nobody there":
        env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:9"
    run = start(*FAST, "--", "true", env=env)
    text = assert_refused(
        run, "no credentials", "instance metadata: ", "not on EC2?", "environment: no AWS_ACCESS_KEY_ID"
    )
    assert run.ended - run.started < 3
    assert how == "nobody there" or "within 2 tries of 1 s" in text


def test_with_the_container_variables_set_metadata_arent_asked(start, giver):
    giver.mode("status=401 only=/agent/")
    assert_refused(start(*FAST, "--", "true", env=metadata(giver, **agent(giver))), "401")
    assert not any("/latest/" in path for _, path in asked(giver))


def test_metadata_know_the_region_where_nobody_else_does(start, bad, giver):
    env = metadata(giver, AWS_REGION=None, AWS_ENDPOINT_URL_S3=None, http_proxy=bad.endpoint, https_proxy=bad.endpoint)
    run = start("-v", *FAST, "--no-wait", "--", "true", env=env)
    assert run.wait() == 125
    assert ".s3.test-region-1.amazonaws.com" in run.err()  # the proxy refuses to connect to it
    assert ("GET", "/latest/meta-data/placement/region") in asked(giver)


def test_keys_of_the_environment_and_no_region_ask_the_metadata_for_it(start, bad, giver):
    env = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": None}
    env = metadata(giver, AWS_ENDPOINT_URL_S3=None, **env)
    giver.mode("status=404 only=placement")
    assert_refused(start(*FAST, "--", "true", env=env), "no region for bucket", "--region or AWS_REGION")


def test_keys_of_metadata_are_fetched_again_and_a_leader_doesnt_notice(start, bad, giver, child):
    """Whether that works, fails or hangs: each pair lasts 6 s, and a renewal is due every 3 s."""
    giver.mode("life=6")
    run = start("-v", *FAST, "--", *child(), env=metadata(giver))
    child.wait_for_terms(1)
    wait_until(lambda: len(given(giver)) >= 3, "keys to be fetched again")
    for mode in ("hang", "status=500", "body=garbage", "life=6"):
        giver.mode(mode)
        time.sleep(2.5)
    giver.mode("correct")
    wait_until(lambda: signers(bad)[-1] == given(giver)[-1], "the newest keys to be used")
    time.sleep(4)
    assert run.poll() is None and child.lines("15") == []
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert run.err().count("can't renew the credentials; the old ones serve meanwhile") >= 1
    assert all(entry["status"] in (200, 404, 412) for entry in bad.log())

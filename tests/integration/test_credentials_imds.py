"""EC2's instance metadata give keys and the region, or say within three seconds that nobody is there."""

import signal
import socket
import time

import pytest
from givers import FAST, agent, asked, assert_refused, assert_works, given, metadata, signers
from processes import wait_until

ONE_BUILD = True

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
    ],
)
def test_metadata_that_fail_give_one_line(start, giver, mode, says):
    giver.mode(mode)
    assert_refused(start(*FAST, "--", "true", env=metadata(giver)), "no credentials", says)


def test_keys_of_metadata_that_look_expired_are_used_and_that_is_said(start, bad, giver):
    """This machine's clock may be ahead, or the metadata late: the store decides."""
    giver.mode("life=-60")
    run = start(*FAST, "--", "true", env=metadata(giver))
    assert run.wait() == 0, run.err()
    assert signers(bad) == given(giver) and len(given(giver)) == 1
    assert "expired by this machine's clock" in run.err()


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

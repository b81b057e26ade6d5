"""Stores that can't keep a lock are refused before any child starts. Stores that refuse us are named at start; later that
is an outage."""

import signal
import time

import pytest
from conftest import Store
from processes import boottime, wait_until

FAST = ("--ttl", "9s", "--poll", "300ms")
UNSAFE = "can't keep a lock"


def one_line(run):
    text = run.err()
    assert text.startswith("leaderexec: ") and text.count("\n") == 1, text
    return text


@pytest.fixture
def bad(tools, tidy):
    return tools("badstore.py")


def environment_of(bad):
    return {
        "LEADEREXEC_BUCKET": "anything",
        "AWS_ENDPOINT_URL": bad.endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }


@pytest.fixture
def bad_env(bad):
    return environment_of(bad)


def versioning(owner, bucket):
    owner.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def test_ceph_with_versioning_is_refused(launch, child, owner, bucket_of, tmp_path, tidy):
    bucket = bucket_of()
    versioning(owner, bucket)
    run = launch(*FAST, "--", *child("-d", 10), store=Store("ceph", tmp_path, bucket))
    assert run.wait() == 125
    assert UNSAFE in one_line(run)
    assert child.lines() == []


def test_ceph_with_versioning_switched_on_later_is_refused_at_the_next_election(
    launch, child, owner, bucket_of, tmp_path, tidy
):
    store = Store("ceph", tmp_path, bucket_of())
    holder = launch(*FAST, "--", *child("-n", "holder"), store=store)
    child.wait_for_terms(1)
    candidate = launch(*FAST, "--", *child("-n", "candidate"), store=store)
    versioning(owner, store.environment["LEADEREXEC_BUCKET"])
    time.sleep(4)
    assert child.lines("15") == []
    holder.signal(signal.SIGTERM)
    assert holder.wait() == 0
    assert candidate.wait() == 125
    assert UNSAFE in one_line(candidate)
    assert {line.name for line in child.lines()} == {"holder"}


def test_the_stand_in_is_good_when_it_is_told_to_be(launch, child, bad, bad_env):
    assert launch(*FAST, "--", *child("-d", 100), env=bad_env).wait() == 0
    assert len(child.terms()) == 1


@pytest.mark.parametrize("mode", ["ignore", "race"])
def test_a_store_that_creates_twice_is_refused(launch, child, bad, bad_env, mode):
    bad.mode(mode)
    run = launch(*FAST, "--", *child("-d", 10), env=bad_env)
    assert run.wait() == 125
    assert UNSAFE in one_line(run)
    assert child.lines() == []


@pytest.mark.parametrize("mode", ["ignore", "race"])
def test_a_store_that_begins_to_create_twice_is_refused_at_the_next_election(launch, child, bad, bad_env, mode):
    holder = launch(*FAST, "--", *child("-n", "holder"), env=bad_env)
    child.wait_for_terms(1)
    candidate = launch(*FAST, "--", *child("-n", "candidate"), env=bad_env)
    bad.mode(mode)
    time.sleep(4)
    assert child.lines("15") == []
    holder.signal(signal.SIGTERM)
    assert holder.wait() == 0
    assert candidate.wait() == 125
    assert UNSAFE in one_line(candidate)
    assert {line.name for line in child.lines()} == {"holder"}


def test_contenders_on_a_store_that_races_never_lead_together(launch, child, bad, bad_env):
    bad.mode("race")
    runs = [launch(*FAST, "--", *child("-d", 100, "-n", f"n{i}"), env=bad_env) for i in range(6)]
    for run in runs:
        assert run.wait(60) in (0, 125)
    terms = child.terms()
    assert all(after.first > before.last for before, after in zip(terms, terms[1:]))


@pytest.mark.parametrize("options", [(), ("--no-wait",)])
@pytest.mark.parametrize(
    "wrong, env, says",
    [
        ("secret", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
        ("key", {"AWS_ACCESS_KEY_ID": "NOSUCHKEY00000000000"}, "InvalidAccessKeyId"),
        ("bucket", {"LEADEREXEC_BUCKET": "there-is-no-such-bucket"}, "there-is-no-such-bucket"),
        ("no keys", {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_store_that_refuses_us_is_named_at_start(launch, child, ceph_store, options, wrong, env, says):
    run = launch(*FAST, *options, "--", *child("-d", 10), store=ceph_store, env=env)
    assert run.wait() == 125
    assert says in one_line(run)
    assert "ownersecret" not in run.err()
    assert child.lines() == []


def allow(owner, bucket, *actions):
    """Lets the other user do no more than these."""
    import json

    statement = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": ["arn:aws:iam:::user/guest"]},
            "Action": [f"s3:{a}" for a in actions],
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        }
    ]
    owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))


@pytest.mark.parametrize("missing", ["ListBucket", "PutObject", "GetObject"])
def test_a_missing_permission_is_named_at_start(launch, child, owner, bucket_of, tmp_path, tidy, missing):
    bucket = bucket_of()
    allow(owner, bucket, *{"ListBucket", "GetObject", "PutObject", "DeleteObject"} - {missing})
    store = Store("ceph", tmp_path, bucket, user="guest")
    if missing == "GetObject":  # what the guest wrote itself, it could read
        folder = store.environment["LEADEREXEC_PREFIX"] + "leader/"
        owner.put_object(Bucket=bucket, Key=folder + "999999999998-1", Body=b"a record, perhaps")
    run = launch(*FAST, "--", *child("-d", 10), store=store)
    assert run.wait() == 125
    assert f"s3:{missing}" in one_line(run)
    assert child.lines() == []


def test_the_three_permissions_are_enough(launch, child, owner, bucket_of, tmp_path, tidy):
    bucket = bucket_of()
    allow(owner, bucket, "ListBucket", "GetObject", "PutObject")
    run = launch(*FAST, "--", *child("-d", 100), store=Store("ceph", tmp_path, bucket, user="guest"))
    assert run.wait() == 0 and run.err() == ""


def test_an_endpoint_that_speaks_no_s3_is_refused(launch, child, bad, bad_env):
    bad.mode("html")
    run = launch(*FAST, "--", *child("-d", 10), env=bad_env)
    assert run.wait() == 125
    assert "S3" in one_line(run)
    assert child.lines() == []


REFUSALS = [
    "error 403 AccessDenied",
    "error 403 SignatureDoesNotMatch",
    "error 403 InvalidAccessKeyId",
    "error 404 NoSuchBucket",
    "html",
]


@pytest.mark.parametrize("mode", REFUSALS)
def test_a_refusal_in_mid_lease_is_an_outage(launch, child, bad, bad_env, mode):
    """Shorter than TTL/3: the job doesn't notice."""
    run = launch(*FAST, "--", *child(), env=bad_env)
    child.wait_for_terms(1)
    for pause in (1, 2.9):
        bad.mode(mode)
        time.sleep(3)
        bad.mode("correct")
        time.sleep(pause)
    assert child.lines("15") == [] and run.poll() is None
    run.signal(signal.SIGTERM)
    assert run.wait() == 0


@pytest.mark.parametrize("mode", ["error 403 AccessDenied", "html"])
def test_a_refusal_that_lasts_ends_the_job_at_the_end_of_its_lease_not_before(launch, child, bad, bad_env, mode):
    run = launch(*FAST, "--", *child(), env=bad_env)
    child.wait_for_terms(1)
    since = boottime()
    bad.mode(mode)
    assert run.wait() == 123
    # The last renewal was TTL/3 ago at most; margin and --kill-after come off the lease.
    assert boottime() - since > 9 * 2 / 3 - 2
    assert len(child.lines("15")) == 1 and run.err().strip()


def test_an_endpoint_that_refuses_connections_is_waited_for_and_said_once(launch, child, ceph_store, tools):
    proxy = tools("proxy.py", ceph_store.endpoint)
    ceph_store.through(proxy.endpoint)
    proxy.mode("refuse")
    run = launch(*FAST, "--", *child("-d", 100), store=ceph_store)
    wait_until(lambda: run.err(), "a line about it")
    time.sleep(4)
    one_line(run)
    proxy.mode("pass")
    assert run.wait() == 0
    one_line(run)
    assert len(child.terms()) == 1


def test_with_no_wait_an_endpoint_that_refuses_connections_is_given_ten_seconds(launch, child, ceph_store, tools):
    proxy = tools("proxy.py", ceph_store.endpoint)
    ceph_store.through(proxy.endpoint)
    proxy.mode("refuse")
    run = launch(*FAST, "--no-wait", "--", *child("-d", 100), store=ceph_store)
    assert run.wait() == 125
    assert 8 < run.ended - run.started < 20
    assert run.err().count("leaderexec: ") in (1, 2)
    assert child.lines() == []

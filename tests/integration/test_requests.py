"""What leaderexec asks of an S3 store, counted in a proxy: two lanes for a claim, few requests, connections used
again."""

import collections
import signal
import time

import pytest
from processes import wait_until


@pytest.fixture
def proxy(ceph_store, tools):
    proxy = tools("proxy.py", ceph_store.endpoint)
    ceph_store.through(proxy.endpoint)
    return proxy


def asked(proxy, since=0):
    """What was asked, in order: LIST, GET, PUT, DELETE."""
    return [
        "LIST" if "list-type=2" in e["path"] else e["method"] for e in proxy.log()[since:] if e["event"] == "request"
    ]


def test_both_claims_are_at_the_store_before_either_is_answered(launch, child, ceph_store, proxy):
    proxy.mode("gather 20")
    run = launch("--ttl", "30s", "--", *child("-d", 1000), store=ceph_store)
    child.wait_for_terms(1)
    proxy.mode("pass")
    assert run.wait() == 0
    log = proxy.log()
    assert [e["event"] for e in log if e["event"] in ("gathered", "alone")] == ["gathered"]
    puts = [e for e in log if e["event"] == "request" and e["method"] == "PUT"]
    assert puts[0]["path"] == puts[1]["path"] and puts[0]["connection"] != puts[1]["connection"]
    assert all(e["if_none_match"] == "*" for e in puts)


def test_a_free_lock_takes_six_requests_and_the_release_one(launch, ceph_store, proxy):
    assert launch("--ttl", "30s", "--", "true", store=ceph_store).wait() == 0
    counts = collections.Counter(asked(proxy))
    # Trimming after the claim looks at what lies behind the head, best effort.
    assert counts["PUT"] == 3 and counts["GET"] <= 2 and 3 <= counts["LIST"] <= 5 and counts["DELETE"] == 0, counts


def test_a_renewal_takes_one_write_a_ttl_one_listing_and_no_new_connection(launch, child, ceph_store, proxy):
    run = launch("--ttl", "3s", "--", *child(), store=ceph_store)
    child.wait_for_terms(1)
    time.sleep(0.5)
    since, slots = len(proxy.log()), len(ceph_store.slots())
    wait_until(lambda: len(ceph_store.slots()) >= slots + 6, "six renewals")
    time.sleep(0.5)
    counts = collections.Counter(asked(proxy, since))
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    log = [e for e in proxy.log() if e["event"] == "request"]
    assert set(counts) == {"PUT", "LIST"} and abs(counts["PUT"] - 3 * counts["LIST"]) <= 3, counts
    assert len({e["connection"] for e in log if e["method"] == "PUT"}) == 2
    assert len({e["connection"] for e in log}) <= 3


def test_a_candidate_asks_once_a_poll(launch, child, ceph_store, proxy):
    direct = type(ceph_store)(
        "ceph",
        ceph_store.directory,
        ceph_store.environment["LEADEREXEC_BUCKET"],
        ceph_store.environment["LEADEREXEC_PREFIX"],
    )
    holder = launch("--ttl", "60s", "--", *child(), store=direct)
    child.wait_for_terms(1)
    candidate = launch("--ttl", "60s", "--poll", "500ms", "-v", "--", "true", store=ceph_store)
    wait_until(lambda: "waiting for" in candidate.err(), "the candidate to say that it waits")
    since = len(proxy.log())
    wait_until(lambda: len(asked(proxy, since)) >= 5, "five looks")
    assert set(asked(proxy, since)) == {"GET"}
    times = [e["t"] for e in proxy.log()[since:] if e["event"] == "request"]
    assert all(after - before > 0.4 for before, after in zip(times, times[1:])), times
    holder.signal(signal.SIGTERM)
    assert candidate.wait() == 0

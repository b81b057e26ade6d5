"""The endpoint's address begins to lead to something that isn't the store, and says yes to everything. Nobody renews,
leads or releases by that, and nobody is held up by it."""

import signal
import time

import pytest
from processes import wait_until

FAST = ("--ttl", "6s", "--poll", "300ms")
ONE_BUILD = True


@pytest.fixture
def proxy(tools, ceph_store):
    return tools("proxy.py", ceph_store.endpoint)


@pytest.fixture
def behind(proxy):
    """What a run's environment has besides, to reach the store by way of the proxy."""
    return {"AWS_ENDPOINT_URL": proxy.endpoint}


@pytest.mark.parametrize("told", [False, True])
def test_nothing_is_renewed_or_released_into_a_web_server(launch, child, ceph_store, proxy, behind, told):
    holder = launch(*FAST, "--", *child("-n", "holder"), store=ceph_store, env=behind)
    child.wait_for_terms(1)
    candidate = launch(*FAST, "--", *child("-n", "next", "-d", 300), store=ceph_store)
    wait_until(lambda: len(ceph_store.slots()) == 2, "a renewal")
    proxy.mode("web")
    if told:
        holder.signal(signal.SIGTERM)
    assert holder.wait() == (0 if told else 123)
    assert "can't write" in holder.err() and "this isn't how S3 answers" in holder.err(), holder.err()
    assert candidate.wait() == 0
    assert [slot.record["kind"] for slot in ceph_store.slots()[:3]] == ["claim", "renew", "claim"]
    assert [term.token for term in child.terms()] == [1, 3]
    child.assert_promise(ceph_store)


def test_a_candidate_that_looked_at_a_web_server_isnt_held_up(launch, child, ceph_store, proxy, behind):
    """A page isn't an object that nobody can read, which would keep the lock for ten minutes."""
    holder = launch(*FAST, "--", *child("-n", "holder"), store=ceph_store)
    child.wait_for_terms(1)
    candidate = launch(*FAST, "--", *child("-n", "next", "-d", 300), store=ceph_store, env=behind)
    wait_until(lambda: any(e["event"] == "answer" and e["status"] == 404 for e in proxy.log()), "the candidate to poll")
    for stranger in ("web", "web 404", "web 412"):
        proxy.mode(stranger)
        time.sleep(1)
    proxy.mode("pass")
    holder.signal(signal.SIGTERM)
    assert holder.wait() == 0
    assert candidate.wait() == 0
    assert len(child.terms()) == 2
    child.assert_promise(ceph_store)

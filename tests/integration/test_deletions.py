"""Somebody deletes slots: two may lead then, for at most a TTL and the requests that find it out; the lock is led again,
and somebody says why."""

import shutil
import signal
import time

import pytest
from processes import wait_until
from stores import slot_of

ONE_BUILD = True  # as slow as its leases; other tests have both
TTL_S = 4
LEASE = ("--ttl", f"{TTL_S}s", "--poll", "300ms")
OLD_HEAD = 1000  # a log that is older than any that begins in a test


def key(seq):
    return f"{999999999999 - seq:012d}-{seq}"


def delete_all(store):
    if store.kind == "directory":
        shutil.rmtree(store.log.folder)
    for name in store.log.names():
        store.log.delete(name)


def delete_newest(store):
    """Back to the vacancy that the first leader claimed over: the next claim has its token."""
    for name in store.log.names():
        if slot_of(name, b"").seq > OLD_HEAD:
            store.log.delete(name)


def beats_of(child, name):
    return [line for line in child.lines() if line.name == name]


def wait_for_second(store, child, first):
    """Until a second one leads. What the first one renews meanwhile is deleted, too: this machine may be slow."""
    while not beats_of(child, "second"):
        for slot in store.slots():
            if slot.record and slot.record["pid"] == first.process.pid:
                store.log.delete(slot.key)
        time.sleep(0.05)


def lead_an_old_log(leaderexec, child, store, *options):
    """A leader whose newest entry is just in the log."""
    store.log.put(key(OLD_HEAD), b"free\n")
    first = leaderexec(*LEASE, *options, "--", *child("-n", "first"))
    assert child.wait_for_terms(1).token == OLD_HEAD + 1
    head = store.head().seq
    wait_until(lambda: store.head().seq > head, "a renewal")
    return first


def two_at_once_s(child):
    """For how long the first leader and the second both beat."""
    first, second = (beats_of(child, name) for name in ("first", "second"))
    return (min(first[-1].boottime_ns, second[-1].boottime_ns) - second[0].boottime_ns) / 1e9


@pytest.mark.parametrize("which", ["all", "newest"])
def test_of_two_leaders_after_a_deletion_one_ends_within_a_ttl(leaderexec, child, store, which):
    first = lead_an_old_log(leaderexec, child, store)
    (delete_all if which == "all" else delete_newest)(store)
    second = leaderexec(*LEASE, "--", *child("-n", "second"))
    wait_for_second(store, child, first)
    lost = wait_until(lambda: next((r for r in (first, second) if r.poll() is not None), None), "one of both to end")
    assert lost.wait() == 123 and "lost" in lost.err()
    if which == "all":
        assert "somebody deleted slots of" in lost.err()
    assert two_at_once_s(child) < 1.4 * TTL_S  # a TTL, the time to stop (an eighth of it), and a busy machine
    left = second if lost is first else first
    assert left.poll() is None
    third = leaderexec(*LEASE, "--", *child("-n", "third"))
    left.signal(signal.SIGTERM)
    assert left.wait() == 0
    wait_until(lambda: beats_of(child, "third"), "the lock to be led again")
    third.signal(signal.SIGTERM)
    assert third.wait() == 0


def test_a_deleted_folder_is_not_made_anew_by_its_holder(leaderexec, child, store):
    """On S3 there are no folders: the next renewal begins the log again, and who wrote its head leads on."""
    first = lead_an_old_log(leaderexec, child, store)
    delete_all(store)
    if store.kind == "directory":
        assert first.wait(3 * TTL_S) == 123 and "somebody deleted" in first.err()
        assert store.log.names() == []
        return
    wait_until(lambda: store.head(), "a renewal")
    time.sleep(1.5 * TTL_S)
    assert leaderexec(*LEASE, "--no-wait", "--", "true").wait() == 124
    assert first.poll() is None and first.err() == ""


def test_a_candidate_believes_a_log_that_went_back(leaderexec, child, store):
    """It waited for an hour, and said nothing, while a newcomer led at once."""
    first = lead_an_old_log(leaderexec, child, store)
    candidate = leaderexec(*LEASE, "-v", "--", *child("-n", "candidate", "-d", 100))
    wait_until(lambda: "waiting for" in candidate.err(), "the candidate to wait")
    first.signal(signal.SIGKILL)
    first.process.wait()
    delete_all(store)
    second = leaderexec(*LEASE, "--", *child("-n", "second"))
    wait_until(lambda: beats_of(child, "second"), "the newcomer to lead")
    wait_until(lambda: "somebody deleted slots of" in candidate.err(), "the candidate to believe it")
    wait_until(lambda: candidate.err().count("waiting for") == 2, "the candidate to wait for the newcomer")
    second.signal(signal.SIGTERM)
    assert second.wait() == 0
    assert candidate.wait() == 0
    turns = [line.name for line in child.lines("begin")]
    assert turns == ["first", "second", "candidate"]
    assert two_at_once_s(child) < 0


def test_a_log_that_cant_be_listed_is_told_and_proves_nothing(launch, child, ceph_store, tools):
    proxy = tools("proxy.py", ceph_store.endpoint)
    run = launch(*LEASE, "--", *child(), store=ceph_store.through(proxy.endpoint))
    child.wait_for_terms(1)
    proxy.mode("status 503 GET")
    wait_until(lambda: "can't be listed" in run.err(), "the leader to say so")
    time.sleep(2)
    proxy.mode("pass")
    assert run.poll() is None and run.err().count("can't be listed") == 1
    run.signal(signal.SIGTERM)
    assert run.wait() == 0

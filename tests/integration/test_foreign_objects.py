"""Foreign and broken things among a lock's slots: they neither crash leaderexec, nor give it the lock early, nor
disappear."""

import json
import signal
import time

import pytest
from processes import wait_until

FAST = ("--ttl", "12s", "--poll", "300ms")
RECORD = {
    "version": 1,
    "seq": 1,
    "kind": "claim",
    "token": 1,
    "node": "elsewhere",
    "nonce": "00112233445566778899aabbccddeeff",
    "ttl": 30000,
    "since": "2026-01-01T00:00:00.000Z",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "expiry": "2026-01-01T00:00:30.000Z",
    "host": "elsewhere",
    "pid": 1,
    "command": "job",
}


def key(seq):
    return f"{999999999999 - seq:012d}-{seq}"


def record(**changes):
    return json.dumps({**RECORD, **changes}).encode()


BROKEN = {
    "one megabyte": b"x" * (1 << 20),
    "one megabyte that begins well": record()[:-1] + b" " * (1 << 20) + b"}",
    "cut off": record()[:40],
    "nothing": b"",
    "ttl -1": record(ttl=-1),
    "ttl 10^18": record(ttl=10**18),
    "ttl as text": record(ttl="30000"),
    "another slot's record": record(seq=2, token=2),
    "a version to come": record(version=2),
    "deep": b"[" * 100000,
    "not JSON": b"free",
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_unreadable_head_holds_the_lock(leaderexec, child, store, what):
    store.log.put(key(1), BROKEN[what])
    run = leaderexec(*FAST, "--no-wait", "--", *child("-d", 10))
    assert run.wait() == 124, run.err()
    waiting = leaderexec("--ttl", "2s", "--wait", "3s", "--", *child("-d", 10))
    assert waiting.wait() == 124, waiting.err()
    assert child.lines() == []
    assert store.log.objects() == {key(1): BROKEN[what]}
    assert leaderexec("status").wait() == 0


def test_a_head_that_becomes_readable_counts_at_the_next_poll(leaderexec, child, store):
    """Garbled on its way once, it would block everybody for ten minutes."""
    store.log.put(key(1), BROKEN["cut off"])
    run = leaderexec(*FAST, "-v", "--", *child("-d", 10))
    wait_until(lambda: "no record" in run.err(), "the candidate to say that it can't read the head")
    store.log.put(key(1), b"free\n")
    assert run.wait() == 0 and [t.token for t in child.terms()] == [2]


def test_unreadable_slots_behind_a_vacancy_are_left_alone(leaderexec, child, store):
    for seq, body in enumerate(BROKEN.values(), 1):
        store.log.put(key(seq), body)
    store.log.put(key(len(BROKEN) + 1), b"free\n")
    before = store.log.objects()
    run = leaderexec(*FAST, "--", *child("-d", 1500))
    assert run.wait() == 0 and run.err() == ""
    assert [t.token for t in child.terms()] == [len(BROKEN) + 2]
    after = store.log.objects()
    assert {name: after.get(name) for name in before} == before
    child.assert_promise(store)


def strangers(store):
    """Keys that are no slots: sorting before every slot, between and behind them, and another lock's inside ours."""
    found = {f"{n:03d}": b"?" for n in range(60)}
    found.update(
        {
            "!": b"",
            "000000000000": b"{}",
            "000000000000-1": b"free\n",
            "999999999998-2": b"free\n",
            "999999999999-0": b"free\n",
            "99999999999a-1": b"free\n",
            "999999999998-01": b"free\n",
            "zzz": b"?",
            f"x/{key(7)}": record(seq=7, token=7),
        }
    )
    if store.kind == "ceph":
        found.update({"": b"", "x/": b"", "a b+c&d%": b"?", "é\U0001f600": b"?"})
    return found


def everything(store):
    """All objects of the lock's folder, those in folders below included."""
    if store.kind == "ceph":
        return store.log.objects()
    import os

    found = {}
    for folder, _, names in os.walk(store.log.folder):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                found[os.path.relpath(os.path.join(folder, name), store.log.folder)] = f.read()
    return found


def test_foreign_objects_are_skipped_and_stay(leaderexec, child, store):
    foreign = strangers(store)
    for name, body in foreign.items():
        store.log.put(name, body)
    run = leaderexec(*FAST, "--", *child("-d", 1500, "-n", "first"), env={"LEADEREXEC_TEST_RETENTION": "200ms"})
    child.wait_for_terms(1)
    assert leaderexec(*FAST, "--no-wait", "--", "true").wait() == 124
    assert run.wait() == 0 and run.err() == ""
    assert leaderexec(*FAST, "--", *child("-d", 100), env={"LEADEREXEC_TEST_RETENTION": "200ms"}).wait() == 0
    assert child.terms()[0].token == 1
    child.assert_promise(store)
    left = everything(store)
    assert {name: left.get(name) for name in foreign} == foreign


def test_a_locks_folder_inside_anothers_is_another_lock(leaderexec, store):
    """Held by the record of a lock "leader/x", "leader" is free."""
    store.log.put(f"x/{key(1)}", record())
    assert leaderexec(*FAST, "--no-wait", "--", "true").wait() == 0


def test_a_proxy_whose_clock_is_an_hour_ahead_doesnt_end_a_live_lease(launch, child, ceph_store, tools):
    from conftest import Store

    holder = launch(*FAST, "--", *child("-n", "holder"), store=ceph_store)
    child.wait_for_terms(1)
    proxy = tools("proxy.py", ceph_store.endpoint)
    proxy.mode("date 3600")
    ahead = Store(
        "ceph",
        ceph_store.directory,
        ceph_store.environment["LEADEREXEC_BUCKET"],
        ceph_store.environment["LEADEREXEC_PREFIX"],
    )
    ahead.through(proxy.endpoint)
    newcomer = launch(*FAST, "--", *child("-n", "newcomer"), store=ahead)
    for _ in range(5):
        run = launch(*FAST, "--no-wait", "--", *child("-n", "cron", "-d", 10), store=ahead)
        assert run.wait() == 124, run.err()
        time.sleep(1)
    assert {line.name for line in child.lines()} == {"holder"} and child.lines("15") == []
    holder.signal(signal.SIGTERM)
    holder.wait()
    wait_until(lambda: len(child.terms()) == 2, "the newcomer's turn")
    newcomer.signal(signal.SIGTERM)
    assert newcomer.wait() == 0
    child.assert_promise(ceph_store)

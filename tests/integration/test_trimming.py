"""Old slots go, the lock stays held, a listing shows no gap, and nobody leads by claiming a slot that was written and
trimmed."""

import concurrent.futures
import signal
import time

from processes import stopped, wait_until

FAST = ("--ttl", "2100ms", "--poll", "300ms")  # renewed every 700 ms
SOON = {"LEADEREXEC_TEST_RETENTION": "2s"}
COUNTS = {
    "directory": 8640,
    "ceph": 1500,
}  # a day's slots at a TTL of 30 s; over HTTP fewer, for the time that it takes to make them


def key(seq):
    return f"{999999999999 - seq:012d}-{seq}"


def gaps(store):
    seqs = [s.seq for s in store.slots()]
    return [(a, b) for a, b in zip(seqs, seqs[1:]) if b != a + 1]


def test_a_days_slots_shrink_to_the_retention_while_the_lock_is_in_use(leaderexec, child, store):
    count = COUNTS[store.kind]
    store.log.put(key(1), b"free\n")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seq: store.log.put(key(seq), b"free\n"), range(2, count + 1)))
    time.sleep(3)
    assert len(store.log.names()) == count
    for turn in range(80):
        if len(store.log.names()) < 40:
            break
        # Each claim trims as many as a hundred appends may; that goes on beside the job.
        assert leaderexec(*FAST, "--", *child("-d", 300 if store.kind == "directory" else 1500), env=SOON).wait(60) == 0
    assert len(store.log.names()) < 60
    holder = leaderexec("--ttl", "6s", "--", *child(), env=SOON)
    token = child.wait_for_terms(turn + 1).token
    for _ in range(6):
        assert gaps(store) == []
        assert leaderexec(*FAST, "--no-wait", "--", "true", env=SOON).wait() == 124
        time.sleep(0.5)
    assert child.lines("15") == [] and token > count
    holder.signal(signal.SIGTERM)
    assert holder.wait() == 0
    child.assert_promise(store)


def churn(leaderexec, child, times):
    """So many short leaderships; each claim trims what is older than the retention."""
    for _ in range(times):
        assert (
            leaderexec("--ttl", "2100ms", "--poll", "100ms", "--", *child("-n", "short", "-d", 30), env=SOON).wait(60)
            == 0
        )


def test_a_candidate_stopped_for_longer_than_the_retention_claims_no_trimmed_slot(leaderexec, child, store):
    first = leaderexec(*FAST, "--", *child("-n", "first"), env=SOON)
    child.wait_for_terms(1)
    sleeper = leaderexec(*FAST, "-v", "--", *child("-n", "sleeper"), env=SOON)
    wait_until(lambda: "waiting for" in sleeper.err(), "the candidate to say that it waits")
    time.sleep(1)
    sleeper.signal(signal.SIGSTOP)
    wait_until(lambda: stopped(sleeper.pid), "the candidate to stop")
    seen = store.head().seq
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    time.sleep(2.5)
    churn(leaderexec, child, 3)
    last = leaderexec("--ttl", "6s", "--", *child("-n", "last"), env=SOON)
    wait_until(lambda: any(line.name == "last" for line in child.lines()), "the last leader")
    wait_until(
        lambda: min(s.seq for s in store.slots()) > seen + 1,
        "the slot after the one that the sleeper saw to be trimmed",
    )
    sleeper.signal(signal.SIGCONT)
    time.sleep(4)
    assert not any(line.name == "sleeper" for line in child.lines()) and child.lines("15") != []
    assert last.poll() is None
    last.signal(signal.SIGTERM)
    assert last.wait() == 0
    wait_until(lambda: any(line.name == "sleeper" for line in child.lines()), "the sleeper's turn")
    sleeper.signal(signal.SIGTERM)
    assert sleeper.wait() == 0
    child.assert_promise(store)


def test_a_candidate_that_looks_less_often_than_slots_are_kept_leads_in_its_turn_only(leaderexec, child, store):
    """It polls every 10 s; leaders renew every 700 ms, take turns, and keep a slot for 2 s."""
    holder = leaderexec(*FAST, "--", *child("-n", "holder", "-d", 3000), env=SOON)
    child.wait_for_terms(1)
    slow = leaderexec(
        "--ttl", "30s", "--poll", "10s", "--kill-after", "1s", "--", *child("-n", "slow", "-d", 1000), env=SOON
    )
    for _ in range(6):
        run = leaderexec(*FAST, "--", *child("-n", "holder", "-d", 3000), env=SOON)
        assert holder.wait(60) in (0, 123)  # on a busy machine a lease so short isn't always renewed in time
        holder = run
    assert holder.wait(60) in (0, 123)
    assert slow.wait(60) == 0
    child.assert_promise(store)

"""An append reaches the store and its answer doesn't come back. Claim, renewal and release are each recognised as
leaderexec's own."""

import os
import signal
import time

import pytest
from processes import wait_until

LONG = ("--ttl", "12s", "--poll", "300ms")  # renewed every 4 s


class Losing:
    """Loses the answers to the next appends: a proxy cuts them on Ceph, link(2) lies in a directory."""

    def __init__(self, store, build, tools, directory):
        self.store, self.env = store, {}
        if store.kind == "directory":
            self.path = os.path.join(str(directory), "lose")
            self.env = {
                "PRELOAD_LINK_EIO": self.path,
                "LD_PRELOAD": os.path.join(build, "tests/tools/preload_link_eio.so"),
            }
            self.lose(0)
        else:
            self.proxy = tools("proxy.py", store.endpoint)
            store.through(self.proxy.endpoint)

    def lose(self, count):
        if self.store.kind == "directory":
            with open(self.path + ".new", "w") as f:
                f.write(f"{count}\n")
            os.replace(self.path + ".new", self.path)
        else:
            self.proxy.mode(f"cut PUT 1 {count}" if count else "pass")

    def lost(self):
        """Whether an append has got through without its answer."""
        if self.store.kind == "directory":
            with open(self.path) as f:
                return f.read().strip() == "0"
        return any(entry.get("cut") for entry in self.proxy.log())


@pytest.fixture
def losing(store, build, tools, tmp_path):
    return Losing(store, build, tools, tmp_path)


def kinds(store):
    """What the log says, slot by slot, and that none is missing."""
    slots = store.slots()
    assert [s.seq for s in slots] == list(range(1, len(slots) + 1))
    return [s.record["kind"] if s.record else s.body.decode().strip() for s in slots]


@pytest.mark.parametrize("count", [1, 2])
def test_a_claim_whose_answer_is_lost_is_won_all_the_same(leaderexec, child, store, losing, count):
    losing.lose(count)
    run = leaderexec(*LONG, "--", *child("-d", 300), env=losing.env)
    assert run.wait() == 0
    assert losing.lost() or count > 1
    # A claim known only late in its lease is renewed before the child starts.
    assert [kind for kind in kinds(store) if kind != "renew"] == ["claim", "free"] and run.err() == ""
    assert [t.token for t in child.terms()] == [1]
    child.assert_promise(store)


def test_a_renewal_whose_answer_is_lost_goes_unnoticed(leaderexec, child, store, losing):
    run = leaderexec(*LONG, "--", *child(), env=losing.env)
    child.wait_for_terms(1)
    losing.lose(1)
    wait_until(losing.lost, "a renewal's answer to get lost", 15)
    slots = len(store.slots())
    wait_until(lambda: len(store.slots()) > slots, "the renewal after it", 15)
    assert child.lines("15") == []
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert kinds(store) == ["claim"] + ["renew"] * (len(store.slots()) - 2) + ["free"]
    assert run.err().count("\n") == 1 and "SIGTERM" in run.err()
    child.assert_promise(store)


def test_a_release_whose_answer_is_lost_frees_the_lock_once(leaderexec, child, store, losing):
    run = leaderexec(*LONG, "--", *child(), env=losing.env)
    child.wait_for_terms(1)
    wait_until(lambda: len(store.slots()) == 2, "a renewal", 15)
    losing.lose(1)
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert losing.lost()
    assert kinds(store) == ["claim", "renew", "free"]
    assert run.err().count("\n") == 1 and "SIGTERM" in run.err()


def test_answers_lost_again_and_again_dont_end_a_leadership(leaderexec, child, store, losing):
    run = leaderexec("--ttl", "6s", "--poll", "300ms", "--", *child(), env=losing.env)
    child.wait_for_terms(1)
    for _ in range(4):
        losing.lose(0)
        losing.lose(1)
        time.sleep(2.2)
    losing.lose(0)
    assert child.lines("15") == []
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert kinds(store)[0] == "claim" and set(kinds(store)[1:-1]) == {"renew"}
    child.assert_promise(store)

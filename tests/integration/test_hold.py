"""--hold: a cron job runs once, however many hosts start it around that time; and nothing is printed while all goes
well."""

import time

from processes import boottime


def test_eleven_later_starts_find_the_lock_on_hold_and_the_first_after_them_runs(leaderexec, child, store):
    first = leaderexec("--hold", "10s", "--", *child("-n", "first", "-d", 10))
    child.wait_for_terms(1)
    won = boottime()
    assert first.wait() == 0
    late = []
    for _ in range(11):
        late.append(leaderexec("--hold", "10s", "--", *child("-n", "late", "-d", 10)))
        time.sleep(0.6)
    assert boottime() - won < 9, "the machine is too slow for this test"
    for run in late:
        assert run.wait() == 124
        assert run.err() == ""
    # A store's Date has whole seconds.
    time.sleep(max(0, won + 11.5 - boottime()))
    run = leaderexec("--hold", "10s", "--", *child("-n", "next", "-d", 10))
    assert run.wait() == 0, run.err()
    assert [line.name for line in child.lines("begin")] == ["first", "next"]
    child.assert_promise(store)


def test_a_command_that_cant_be_run_leaves_no_hold_and_one_that_fails_does(leaderexec, store):
    assert leaderexec("--hold", "10m", "--", "no-such-command").wait() == 127
    assert store.head().body == b"free\n"
    assert leaderexec("--hold", "10m", "--", "false").wait() == 1
    assert store.head().record["kind"] == "hold"


def test_a_waiting_candidate_gets_its_turn_when_the_hold_is_over(leaderexec, child):
    assert leaderexec("--ttl", "4s", "--hold", "4s", "--", *child("-n", "first", "-d", 10)).wait() == 0
    ended = child.terms()[0].last / 1e9
    # It polls once a minute behind a hold, and wakes when it is over.
    assert (
        leaderexec("--ttl", "4s", "--wait", "30s", "--hold", "4s", "--", *child("-n", "second", "-d", 10)).wait(60) == 0
    )
    assert 3.5 < child.terms()[1].first / 1e9 - ended < 15


def test_a_hold_shorter_than_the_job_frees_the_lock_with_its_end(leaderexec, child, store):
    assert leaderexec("--ttl", "4s", "--hold", "1s", "--", *child("-d", 1500)).wait() == 0
    assert store.head().body == b"free\n"


def test_a_start_a_wait_a_run_and_an_end_print_nothing(leaderexec, child):
    options = ("--ttl", "4s", "--poll", "300ms", "--")
    first = leaderexec(*options, *child("-d", 2000))
    child.wait_for_terms(1)
    second = leaderexec(*options, *child("-d", 100))
    for run in (first, second):
        assert run.wait() == 0
        assert run.out() == "" and run.err() == ""

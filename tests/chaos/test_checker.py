"""The judge itself: logs made by hand, with what it must find in them, and what it mustn't.

/usr/bin/python3 -m pytest -q tests/chaos/test_checker.py
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pytest  # noqa: E402
from checker import (  # noqa: E402
    Beats,
    DEAD,
    DELETED,
    Deletion,
    FROZEN,
    ITSELF,
    NS,
    OTHER,
    STALLED,
    STARVED,
    Window,
    gaps,
    judge,
    overlapped,
    read_resource,
)

MS = 1_000_000


def beat(token, name, ms):
    """A line at so many milliseconds, by both clocks."""
    return f"beat {token} {name} 77 {ms * MS} {ms}\n"


@pytest.fixture
def terms_of(tmp_path):
    def read(*lines, by_token=True):
        path = tmp_path / "beats"
        path.write_text("".join(lines))
        beats = Beats(str(path), by_token)
        beats.read()
        return beats.terms()

    return read


def found(terms, ends=None, windows=(), tokens=True, deletions=()):
    """ends: token to the end of its lease, whoever has it."""
    leases = {(t.token, t.run): ends[t.token] for t in terms if t.token in (ends or {})}
    return [(f.kind, f.window) for f in judge(terms, leases, windows, tokens, (), deletions)]


ONE_AFTER_THE_OTHER = (beat(1, "n1-1", 1000), beat(1, "n1-1", 1010), beat(4, "n2-1", 1020), beat(4, "n2-1", 1030))
LATE_BEAT = (beat(1, "n1-1", 1000), beat(4, "n2-1", 1020), beat(1, "n1-1", 1030), beat(4, "n2-1", 1040))


def test_one_after_the_other_is_fine(terms_of):
    assert found(terms_of(*ONE_AFTER_THE_OTHER), {1: 1010, 4: 1030}) == []


def test_a_late_beat_is_an_overlap(terms_of):
    assert found(terms_of(*LATE_BEAT)) == [("overlap", OTHER)]


def test_a_beat_at_the_very_first_moment_of_the_next_is_an_overlap(terms_of):
    assert found(terms_of(beat(1, "n1-1", 1000), beat(1, "n1-1", 1020), beat(4, "n2-1", 1020))) == [("overlap", OTHER)]


def test_a_descendant_that_outlives_its_leader_is_an_overlap(terms_of):
    terms = terms_of(beat(1, "n1-1", 1000), beat(4, "n2-1", 1020), beat(1, "n1-1.orphan", 1030), beat(4, "n2-1", 1040))
    assert found(terms) == [("overlap", OTHER)]
    assert "n1-1.orphan" in judge(terms, {}, ())[0].text and "(n1-1," not in judge(terms, {}, ())[0].text


def test_one_that_goes_on_through_two_successors_overlaps_both(terms_of):
    lines = beat(1, "n1-1", 1000), beat(4, "n2-1", 1020), beat(7, "n3-1", 1040), beat(1, "n1-1", 1050)
    assert found(terms_of(*lines)) == [("overlap", OTHER)] * 2
    assert overlapped(terms_of(*lines))[0] == 2


def test_order_in_the_file_doesnt_matter(terms_of):
    assert found(terms_of(*reversed(LATE_BEAT))) == [("overlap", OTHER)]


def test_an_overlap_in_a_window_of_its_node_is_counted_apart(terms_of):
    window = Window("n1-1", 900 * MS, 1025 * MS, FROZEN)
    assert found(terms_of(*LATE_BEAT), windows=[window]) == [("overlap", FROZEN + ITSELF)]
    starved = Window("n1-1", 900 * MS, 1025 * MS, STARVED)
    assert found(terms_of(*LATE_BEAT), windows=[starved]) == [("overlap", STARVED + ITSELF)]
    assert found(terms_of(*LATE_BEAT), windows=[starved, window]) == [("overlap", FROZEN + ITSELF)]
    by_a_child = (line.replace("1 n1-1", "1 n1-1.1") for line in LATE_BEAT)
    assert found(terms_of(*by_a_child), windows=[window]) == [("overlap", FROZEN)]


@pytest.mark.parametrize(
    "name, window", [("", OTHER), (".1", OTHER), (".orphan", OTHER), (".setsid", DEAD), (".daemon", DEAD)]
)
def test_only_daemons_may_outlive_keeper_and_guard(terms_of, name, window):
    lines = beat(1, "n1-1", 1000), beat(4, "n2-1", 1020), beat(1, "n1-1" + name, 1030), beat(4, "n2-1", 1040)
    killed = Window("n1-1", 900 * MS, 1025 * MS, DEAD)
    assert found(terms_of(*lines), windows=[killed]) == [("overlap", window)]
    both = [*lines, beat(1, "n1-1.setsid", 1031)]
    assert found(terms_of(*both), windows=[killed]) == [("overlap", window)]


@pytest.mark.parametrize(
    "window",
    [
        Window("n2-1", 900 * MS, 1100 * MS, FROZEN),
        Window("n1-2", 900 * MS, 1100 * MS, FROZEN),
        Window("n1-1", 800 * MS, 1019 * MS, FROZEN),
        Window("n1-1", 1031 * MS, 1100 * MS, FROZEN),
    ],
)
def test_another_runs_window_or_another_time_excuses_nothing(terms_of, window):
    assert found(terms_of(*LATE_BEAT), windows=[window]) == [("overlap", OTHER)]


@pytest.mark.parametrize("second", [1, 3])
def test_tokens_that_dont_grow_are_found(terms_of, second):
    lines = beat(3, "n1-1", 1000), beat(second, "n2-1", 1020)
    assert ("token", OTHER) in found(terms_of(*lines))


def test_no_token_at_all_is_found(terms_of):
    assert ("token", OTHER) in found(terms_of(beat(3, "n1-1", 1000), beat("-", "n2-1", 1020)))


def test_a_token_given_twice_is_found(terms_of):
    assert found(terms_of(beat(3, "n1-1", 1000), beat(3, "n1-2", 1020))) == [("token", OTHER)] * 2  # nor does it grow


# --- deleted slots ---

AGAIN = (
    beat(7, "n1-1", 1000),
    beat(1, "n2-1", 1020),
    beat(7, "n1-1", 1030),
    beat(1, "n2-1", 1060),
    beat(3, "n3-1", 1070),
)


def test_after_a_deletion_two_may_lead_until_the_bound_and_tokens_begin_again(terms_of):
    deletion = Deletion(1010 * MS, 1030 * MS)
    assert found(terms_of(*AGAIN), deletions=[deletion]) == [("overlap", DELETED)]
    starved = Window("n1-1", 900 * MS, 1100 * MS, STARVED)
    assert found(terms_of(*AGAIN), windows=[starved], deletions=[deletion]) == [("overlap", DELETED)]


@pytest.mark.parametrize(
    "begin, end, kinds",
    [
        (1010, 1029, ["overlap"]),  # not so long
        (1021, 1090, ["overlap", "token"]),  # nor before
        (900, 990, ["overlap", "token"]),  # nor by an older one
    ],
)
def test_a_deletion_excuses_nothing_else(terms_of, begin, end, kinds):
    assert found(terms_of(*AGAIN), deletions=[Deletion(begin * MS, end * MS)]) == [(kind, OTHER) for kind in kinds]


def test_a_token_given_again_after_a_deletion_isnt_given_twice(terms_of):
    lines = beat(1, "n1-1", 1000), beat(1, "n1-1", 1010), beat(1, "n2-1", 1020), beat(1, "n2-1", 1030)
    assert found(terms_of(*lines), deletions=[Deletion(1015 * MS, 1018 * MS)]) == []
    assert found(terms_of(*lines)) == [("token", OTHER)] * 2


def test_two_starts_of_one_run_with_the_same_token_are_two_terms(terms_of):
    def begin(ms):
        return beat(1, "n1-1", ms).replace("beat", "begin")

    lines = begin(1000), beat(1, "n1-1", 1010), beat(2, "n2-1", 1020), beat(2, "n2-1", 1030), begin(1040)
    terms = terms_of(*lines)
    assert [(t.token, t.run) for t in terms] == [(1, "n1-1"), (2, "n2-1"), (1, "n1-1")]
    assert found(terms, deletions=[Deletion(1035 * MS, 1038 * MS)]) == []


def test_the_resource_begins_again_with_an_era(tmp_path):
    (tmp_path / "journal").write_text("accepted 7 n1-1 5\nera\naccepted 1 n2-1 6\naccepted 1 n2-1 7\n")
    assert read_resource(str(tmp_path / "journal"))[1] == []
    (tmp_path / "journal").write_text("accepted 7 n1-1 5\nera\naccepted 3 n2-1 6\naccepted 1 n2-1 7\n")
    assert len(read_resource(str(tmp_path / "journal"))[1]) == 1


# --- leases ---


def test_a_beat_past_the_lease_is_found_though_nobody_followed(terms_of):
    terms = terms_of(beat(1, "n1-1", 1000), beat(1, "n1-1", 1011))
    assert found(terms, {1: 1011}) == []
    assert found(terms, {1: 1010}) == [("past lease", OTHER)]
    assert found(terms, {1: 1010}, [Window("n1-1", 0, 1010 * MS, FROZEN)]) == [("past lease", FROZEN + ITSELF)]


def test_a_machine_that_stood_still_excuses_a_late_beat_but_no_overlap(terms_of):
    terms, still = terms_of(beat(1, "n1-1", 1000), beat(1, "n1-1", 1500)), [(1010 * MS, 1499 * MS)]
    assert [f.window for f in judge(terms, {(1, "n1-1"): 1400}, (), stalls=still)] == [STALLED]
    assert [f.window for f in judge(terms, {(1, "n1-1"): 1400}, (), stalls=[(500 * MS, 1100 * MS)])] == [OTHER]
    assert [f.window for f in judge(terms, {(1, "n1-1"): 1400}, (), stalls=[(1501 * MS, 2000 * MS)])] == [OTHER]
    assert [f.window for f in judge(terms_of(*LATE_BEAT), {}, (), stalls=[(900 * MS, 1029 * MS)])] == [OTHER]


def test_without_tokens_runs_are_compared(terms_of):
    lines = beat("-", "n1-1", 1000), beat("-", "n2-1", 1020), beat("-", "n1-1", 1030)
    assert found(terms_of(*lines, by_token=False), tokens=False) == [("overlap", OTHER)]


def test_half_a_line_isnt_read(terms_of):
    assert found(terms_of(*ONE_AFTER_THE_OTHER, beat(1, "n1-1", 1040).rstrip("\n"))) == []


def test_a_file_that_grows_is_read_on(tmp_path):
    path, whole = tmp_path / "beats", "".join(LATE_BEAT).encode()
    beats = Beats(str(path))
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        beats.read()
    assert [f.kind for f in judge(beats.terms(), {}, ())] == ["overlap"]


def test_time_without_a_leader_is_between_terms(terms_of):
    lines = beat(1, "n1-1", 1000), beat(1, "n1-1", 2000), beat(4, "n2-1", 3500), beat(7, "n3-1", 3600)
    assert gaps(terms_of(*lines)) == pytest.approx([1.5, 0.1])


def test_the_overlaps_seconds_are_those_with_two(terms_of):
    lines = beat(1, "n1-1", 1000), beat(1, "n1-1", 2000), beat(4, "n2-1", 1500), beat(4, "n2-1", 4000)
    count, seconds = overlapped(terms_of(*lines))
    assert count == 1 and seconds == pytest.approx(0.5)


def test_a_resource_that_takes_an_old_token_is_found(tmp_path):
    (tmp_path / "good").write_text("accepted 1 n1-1 5\naccepted 4 n2-1 6\nrefused 1 n1-1 7\naccepted 4 n2-1 8\n")
    counts, wrong = read_resource(str(tmp_path / "good"))
    assert dict(counts) == {"accepted": 3, "refused": 1} and wrong == []
    (tmp_path / "bad").write_text("accepted 4 n2-1 6\naccepted 1 n1-1 7\n")
    assert [f.kind for f in read_resource(str(tmp_path / "bad"))[1]] == ["resource"]


def test_times_are_in_seconds_in_the_text(terms_of):
    assert f"at {1020 * MS / NS:.3f} s" in judge(terms_of(*LATE_BEAT), {}, ())[0].text

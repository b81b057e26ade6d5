"""Judges a campaign by what it left in files: who led when, what was accepted, what the log says. Starts nothing.

A term is what ran after one start of the command: all lines of one token by one run, or, for a lock without tokens, of
one run. Two terms overlap where a line of the one isn't older than the first line of the other. A window is a span of
time in which keeper and guard of one run were both out of action: what a finding owes to one is counted apart. Where
slots were deleted, a new era begins: tokens may begin again, and two may lead until a bound.
"""

import collections
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tools"))

import stores  # noqa: E402

OTHER = "any other"
FROZEN = "keeper and guard in a freezer"
DEAD = "keeper and guard not there"  # both killed, or one killed and the other in a freezer: daemons go on
STARVED = "processor quota"
ITSELF = ", the command itself"  # added to these where not only what it had started went on
DELETED = "slots were deleted"
STALLED = "machine stood still"  # for all alike, longer than a lease's margin: excuses no overlap
STALL_GRACE_NS = 250_000_000  # after it, everybody wants to run at once
NS = 1_000_000_000
DAEMONS = (".setsid", ".daemon")  # how the names of those end that tests/tools/child puts into sessions of their own

# token: None where there are none. names: who wrote, to the time of its last line (boottime, ns).
Term = collections.namedtuple("Term", "token run first last last_realtime_ms names")
Window = collections.namedtuple("Window", "run begin end how")  # boottime, ns; how: FROZEN, DEAD or STARVED
Deletion = collections.namedtuple("Deletion", "begin end")  # boottime, ns; end: when there must be one leader again
Finding = collections.namedtuple("Finding", "kind window text")  # window: one of the classes above


def run_of(name):
    """The run of "n1-17.orphan" is "n1-17": node 1's 17th."""
    return name.split(".")[0]


class Beats:
    """The file that all commands write to, read as it grows. by_token: False for a lock that gives no tokens."""

    def __init__(self, path, by_token=True):
        self.path, self.by_token, self.read_to, self.found = path, by_token, 0, {}

    def read(self):
        """Reads what has come since, whole lines only."""
        if not os.path.exists(self.path):
            return
        with open(self.path, "rb") as f:
            f.seek(self.read_to)
            whole = f.read().rpartition(b"\n")
        self.read_to += len(whole[0]) + len(whole[1])
        for text in (whole[0] + whole[1]).decode(errors="replace").splitlines(keepends=True):
            line = stores.line_of(text)
            if line:
                self.add(line)

    def add(self, line):
        run, token = run_of(line.name), line.token if self.by_token else None
        starts = self.found.setdefault((token, run), [])  # more than one where a run got the same token again
        begins = self.by_token and line.what == "begin" and line.name == run
        if not starts or begins and starts[-1]["begun"]:
            starts.append({"token": token, "run": run, "begun": False, "first": line.boottime_ns, "last": 0})
            starts[-1].update(last_realtime_ms=0, names={})
        term = starts[-1]
        term["begun"] |= begins
        term["first"] = min(term["first"], line.boottime_ns)
        term["last"] = max(term["last"], line.boottime_ns)
        term["last_realtime_ms"] = max(term["last_realtime_ms"], line.realtime_ms)
        term["names"][line.name] = max(term["names"].get(line.name, 0), line.boottime_ns)

    def terms(self):
        """In order of their first line."""
        found = [Term(*(term[field] for field in Term._fields)) for starts in self.found.values() for term in starts]
        return sorted(found, key=lambda term: term.first)


def title(term):
    return term.run if term.token is None else f"token {term.token} of {term.run}"


def window_of(run, begin, end, windows, names):
    """The class of a finding that ran from begin to end, by these names. Daemons alone outlive a keeper and a guard
    that were killed."""
    daemons = all(name.endswith(DAEMONS) for name in names)
    found = [
        w.how for w in windows if w.run == run and w.begin <= end and begin <= w.end and (daemons or w.how != DEAD)
    ]
    if not found:
        return OTHER
    itself = any("." not in name for name in names)
    return max(found, key=(STARVED, DEAD, FROZEN).index) + (ITSELF if itself else "")


def new_era(before, after, deletions):
    """Whether slots were deleted after the one term had begun, or while it did, and before the other."""
    return any(d.begin <= after.first and before.first <= d.end for d in deletions)


def overlaps(terms, windows, deletions=()):
    """Every pair of terms that ran at the same time."""
    found, running = [], []
    for term in terms:
        running = [before for before in running if before.last >= term.first]
        for before in running:
            end = min(before.last, term.last)
            who = sorted(name for name, last in before.names.items() if last >= term.first)
            allowed = any(d.begin <= term.first and end <= d.end for d in deletions)
            window = DELETED if allowed else window_of(before.run, term.first, before.last, windows, who)
            text = (
                f"two at once for {(end - term.first) / 1e6:.0f} ms: {title(before)} ({', '.join(who)}) went on after "
                f"{title(term)} began at {term.first / NS:.3f} s"
            )
            found.append(Finding("overlap", window, text))
        running.append(term)
    return found


def overlapped(terms):
    """How many terms began while an earlier one still ran, and for how many seconds more than one ran."""
    count, seconds, end = 0, 0.0, None
    for term in terms:
        if end is not None and term.first <= end:
            count += 1
            seconds += (min(end, term.last) - term.first) / NS
        end = max(end or 0, term.last)
    return count, seconds


def token_order(terms, deletions=()):
    wrong = [(a, b) for a, b in zip(terms, terms[1:]) if a.token is None or b.token is None or b.token <= a.token]
    return [
        Finding("token", OTHER, f"tokens don't grow: {title(a)}, then {title(b)}")
        for a, b in wrong
        if b.token is None or not new_era(a, b, deletions)
    ]


def past_lease(terms, lease_ends_ms, windows, stalls=()):
    """What ran past its lease's end as the log tells it, by the wall clock, which both sides wrote. lease_ends_ms: by
    token and run."""
    found = []
    for term in terms:
        late_ms = term.last_realtime_ms - lease_ends_ms.get((term.token, term.run), term.last_realtime_ms)
        if late_ms > 0:
            begin = term.last - late_ms * 1_000_000
            who = sorted(name for name, last in term.names.items() if last > begin)
            text = f"{title(term)} ({', '.join(who)}) beat {late_ms} ms past its lease, at {term.last / NS:.3f} s"
            window = window_of(term.run, begin, term.last, windows, who)
            if window == OTHER and any(a <= term.last and begin <= b + STALL_GRACE_NS for a, b in stalls):
                window = STALLED
            found.append(Finding("past lease", window, text))
    return found


def twice_given(terms, deletions=()):
    """A token belongs to one start."""
    found, seen = [], {}
    for term in terms:
        for before in seen.setdefault(term.token, []):
            if not new_era(before, term, deletions):
                text = f"token {term.token} was given to {before.run} and to {term.run}"
                found.append(Finding("token", OTHER, text))
        seen[term.token].append(term)
    return found


def gaps(terms):
    """Seconds without any leader, one number for each time."""
    found, end = [], None
    for term in terms:
        if end is not None and term.first > end:
            found.append((term.first - end) / NS)
        end = max(end or 0, term.last)
    return found


def read_resource(path):
    """What the fenced resource wrote: counts, and a finding for each write that it took after one with a newer token of
    the same era."""
    counts, found, newest = collections.Counter(), [], 0
    if os.path.exists(path):
        with open(path) as f:
            for text in f:
                words = text.split()
                if words == ["era"]:
                    newest = 0
                if len(words) != 4 or not text.endswith("\n"):
                    continue
                verdict, token, name = words[0], int(words[1]), words[2]
                counts[verdict] += 1
                if verdict == "accepted" and token < newest:
                    found.append(
                        Finding("resource", OTHER, f"a write of token {token} ({name}) was taken after {newest}")
                    )
                if verdict == "accepted":
                    newest = max(newest, token)
    return counts, found


def read_stalls(path):
    """(begin, end) in ns, from the metronome."""
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [tuple(map(int, text.split())) for text in f if text.endswith("\n")]


def judge(terms, lease_ends_ms, windows, tokens=True, stalls=(), deletions=()):
    """All findings about the terms."""
    found = overlaps(terms, windows, deletions)
    if tokens:
        found += token_order(terms, deletions) + twice_given(terms, deletions)
        found += past_lease(terms, lease_ends_ms, windows, stalls)
    return found

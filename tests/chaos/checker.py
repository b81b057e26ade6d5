"""Judges a campaign by what it left in files: who led when, what was accepted, what the log says. Starts nothing.

A term is what ran under one win of the lock: all lines of one token, or, for a lock without tokens, of one run. Two
terms overlap where a line of the one isn't older than the first line of the other. A window is a span of time in which
keeper and guard of one node were frozen together, or the keeper frozen and the guard dead: what an overlap owes to one
is counted apart.
"""

import collections
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tools"))

import stores  # noqa: E402

FROZEN, GUARD_KILLED, OTHER = "both frozen", "keeper frozen and guard killed", "any other"
ITSELF = ", the command itself"  # added to these two where not only what it had started went on
STALLED = "machine stood still"  # for all alike, longer than a lease's margin: excuses no overlap
STALL_GRACE_NS = 250_000_000  # after it, everybody wants to run at once
NS = 1_000_000_000

# names: who wrote, to the time of its last line (boottime, ns). node: whose run it is.
Term = collections.namedtuple("Term", "key token node first last last_realtime_ms names")
Window = collections.namedtuple("Window", "node begin end how")  # boottime, ns; how: FROZEN or GUARD_KILLED
Finding = collections.namedtuple("Finding", "kind window text")  # window: one of the classes above


def run_of(name):
    """The run of "n1-17.orphan" is "n1-17": node 1's 17th."""
    return name.split(".")[0]


def node_of(name):
    return run_of(name).split("-")[0]


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
        key = line.token if self.by_token else run_of(line.name)
        term = self.found.get(key)
        if term is None:
            term = self.found[key] = {"token": line.token, "node": node_of(line.name), "first": line.boottime_ns}
            term.update(last=0, last_realtime_ms=0, names={})
        term["first"] = min(term["first"], line.boottime_ns)
        term["last"] = max(term["last"], line.boottime_ns)
        term["last_realtime_ms"] = max(term["last_realtime_ms"], line.realtime_ms)
        term["names"][line.name] = max(term["names"].get(line.name, 0), line.boottime_ns)

    def terms(self):
        """In order of their first line."""
        return sorted((Term(key, **term) for key, term in self.found.items()), key=lambda term: term.first)


def window_of(node, begin, end, windows, names=()):
    """The class of a finding that ran from begin to end, by these names."""
    found = [w.how for w in windows if w.node == node and w.begin <= end and begin <= w.end]
    if not found:
        return OTHER
    itself = any("." not in name for name in names)
    return (GUARD_KILLED if GUARD_KILLED in found else FROZEN) + (ITSELF if itself else "")


def overlaps(terms, windows):
    """Every pair of terms that ran at the same time."""
    found, running = [], []
    for term in terms:
        running = [before for before in running if before.last >= term.first]
        for before in running:
            late = min(before.last, term.last) - term.first
            who = sorted(name for name, last in before.names.items() if last >= term.first)
            window = window_of(before.node, term.first, before.last, windows, who)
            text = (
                f"two at once for {late / 1e6:.0f} ms: {before.key} ({', '.join(who)}) went on after {term.key} "
                f"({term.node}) began at {term.first / NS:.3f} s"
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


def token_order(terms):
    wrong = [(a, b) for a, b in zip(terms, terms[1:]) if a.token is None or b.token is None or b.token <= a.token]
    return [
        Finding("token", OTHER, f"tokens don't grow: {a.token} ({a.node}), then {b.token} ({b.node})") for a, b in wrong
    ]


def past_lease(terms, lease_ends_ms, windows, stalls=()):
    """What ran past its lease's end as the log tells it, by the wall clock, which both sides wrote."""
    found = []
    for term in terms:
        late_ms = term.last_realtime_ms - lease_ends_ms.get(term.token, term.last_realtime_ms)
        if late_ms > 0:
            begin = term.last - late_ms * 1_000_000
            who = sorted(name for name, last in term.names.items() if last > begin)
            text = f"token {term.token} ({', '.join(who)}) beat {late_ms} ms past its lease, at {term.last / NS:.3f} s"
            window = window_of(term.node, begin, term.last, windows, who)
            if window == OTHER and any(a <= term.last and begin <= b + STALL_GRACE_NS for a, b in stalls):
                window = STALLED
            found.append(Finding("past lease", window, text))
    return found


def two_nodes(terms):
    """A token belongs to one run."""
    shared = [(t, runs) for t in terms if len(runs := {run_of(name) for name in t.names}) > 1]
    return [Finding("token", OTHER, f"{t.key} was given to {', '.join(sorted(runs))}") for t, runs in shared]


def gaps(terms):
    """Seconds without any leader, one number for each time."""
    found, end = [], None
    for term in terms:
        if end is not None and term.first > end:
            found.append((term.first - end) / NS)
        end = max(end or 0, term.last)
    return found


def read_resource(path):
    """What the fenced resource wrote: counts, and a finding for each write that it took after one with a newer
    token."""
    counts, found, newest = collections.Counter(), [], 0
    if os.path.exists(path):
        with open(path) as f:
            for text in f:
                words = text.split()
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


def judge(terms, lease_ends_ms, windows, tokens=True, stalls=()):
    """All findings about the terms."""
    found = overlaps(terms, windows)
    if tokens:
        found += token_order(terms) + two_nodes(terms) + past_lease(terms, lease_ends_ms, windows, stalls)
    return found

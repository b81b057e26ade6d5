"""A lock's log as the judge knows it: until when each run's lease was, also by slots that are gone; and how to make
them go, behind leaderexec's back."""

import collections
import contextlib

import processes
import stores

Gone = collections.namedtuple("Gone", "begin end")  # boottime, s


class Leases:
    def __init__(self, log):
        self.log, self.known, self.ends, self.deletions = log, set(), {}, []

    def read(self):
        """What is new since: it is trimmed after an hour, and the nemesis deletes. A store that is broken raises."""
        if self.log is not None:
            self.take_in(stores.contents(self.log, [name for name in self.log.names() if name not in self.known]))

    def take_in(self, contents):
        found = [stores.slot_of(name, body) for name, body in contents.items()]
        self.known.update(contents)
        for slot in filter(None, found):
            for token, end in stores.lease_ends([slot]).items():
                key = token, slot.record.get("node")
                self.ends[key] = max(end, self.ends.get(key, 0))

    def delete(self, choose):
        """Deletes those that choose(names, the newest first) picks. Returns how many; what they said stays known."""
        names = choose(sorted(name for name in self.log.names() if stores.slot_of(name, b"")))
        self.take_in(stores.contents(self.log, [name for name in names if name not in self.known]))
        begin = processes.boottime()
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # trimmed meanwhile
                self.log.delete(name)
        self.known.difference_update(names)
        if names:
            self.deletions.append(Gone(begin, processes.boottime()))
        return len(names)

    def deadlines(self, bound_s, outages):
        """For each deletion, until when two may lead: so long after it, and so long after each outage (begin, end) of
        network or store that came meanwhile, for what nobody is told proves nothing."""
        found = []
        for begin, end in self.deletions:
            deadline = end + bound_s
            for broken, healed in sorted(outages):
                if broken <= deadline and healed >= end:
                    deadline = max(deadline, healed + bound_s)
            found.append(Gone(begin, deadline))
        return found

"""Decides what breaks when: storms of overlapping faults, each followed by a calm in which everything is healed and a
leader must appear. From one seed come the kinds, times and lengths; whom a fault hits depends on who leads then.

Kinds are dealt from a shuffled deck, so that none is rare. A fault that finds nothing to hit tries again until its time
is over, and its kind comes up again in the next storm.
"""

import collections
import heapq
import itertools
import random
import traceback

import processes
from faults import OFTEN, OUTAGES

RETRY_S = 0.1
PATIENCE_S = 30  # for a leader, once all is healed, and five TTLs more


class Nemesis:
    def __init__(self, world, seed, kinds):
        self.world, self.kinds = world, kinds
        self.chance = random.Random(f"{seed}-nemesis")
        self.deck, self.again = [], []
        self.events, self.order = [], itertools.count()  # (time, order, what to do)
        self.counts, self.missed, self.errors = collections.Counter(), collections.Counter(), []
        self.running, self.storms = {}, 0
        self.outages = []  # (begin, end), boottime in s: of network or store
        self.storm_end = self.calm_until = 0.0
        self.healed = processes.boottime()  # None in a storm

    def deal(self):
        if self.again:
            return self.again.pop()
        if not self.deck:
            self.deck = [*self.kinds, *(kind for kind in OFTEN if kind in self.kinds)]
            self.chance.shuffle(self.deck)
        return self.deck.pop()

    def at(self, time, action):
        heapq.heappush(self.events, (time, next(self.order), action))

    def plan_storm(self, now):
        chance, ttl_s = self.chance, self.world.ttl_s
        self.storms += 1
        self.healed = None
        length = chance.uniform(1.0, 3.0) * ttl_s
        self.storm_end = now + length
        for _ in range(chance.randint(4, 7)):
            begin = now + chance.uniform(0, 0.7) * length
            end = begin + chance.uniform(0.15, 1.0) * (self.storm_end - begin)
            self.at(begin, self.beginning(self.deal(), end))

    def beginning(self, kind, end):
        """Returns what begins a fault of this kind, and sees to its end."""

        def begin(now):
            fault = self.kinds[kind](self.world, self.chance)
            self.world.picked = None
            if self.step(kind, fault):
                self.counts[kind] += 1
                self.world.note(f"{kind} begins, {self.world.picked or 'nobody in particular'}")
                self.running[id(fault)] = (kind, fault, now)
                self.at(end, lambda _now: self.finish(kind, fault))
            elif now + RETRY_S < end:
                self.at(now + RETRY_S, begin)
            else:
                self.missed[kind] += 1
                self.again.append(kind)

        return begin

    def finish(self, kind, fault):
        begun = self.running.pop(id(fault))[2]
        self.step(kind, fault)
        if kind in OUTAGES:
            self.outages.append((begun, processes.boottime()))
        self.world.note(f"{kind} ends")

    def step(self, kind, fault):
        """Whether the generator goes on. An error of ours is kept, and fails the campaign at its end, not now."""
        try:
            next(fault)
            return True
        except StopIteration:
            return False
        except Exception:
            self.errors.append(f"{kind}: {traceback.format_exc()}")
            return False

    def poll(self, now):
        while self.events and self.events[0][0] <= now:
            heapq.heappop(self.events)[2](now)
        if self.healed is None:
            if not self.events and now >= self.storm_end:
                self.heal(now)
        elif now >= self.calm_until and self.led_since(now):
            self.world.calm()
            self.plan_storm(processes.boottime())

    def heal(self, now):
        self.world.heal()
        self.healed = now
        self.calm_until = now + self.chance.uniform(0.3, 1.0) * self.world.ttl_s
        self.world.note("calm")

    def led_since(self, now):
        """Whether somebody has led since all was healed. Not for too long: that is a finding."""
        if self.world.newest_beat() > self.healed:
            return True
        if now - self.healed < PATIENCE_S + 5 * self.world.ttl_s:
            return False
        self.world.no_leader(now - self.healed)
        return True

    def stop(self):
        """Ends every fault at once."""
        self.events.clear()
        for kind, fault, _ in list(self.running.values()):
            self.finish(kind, fault)
        self.heal(processes.boottime())

"""One campaign: nodes, a store, a nemesis; then a verdict. It runs inside an enclosure.

The world that nodes, services and faults see is the Campaign itself.
"""

import collections
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
import traceback

import checker
import faults
import processes
from checker import OTHER, Finding
from leases import Leases
from leftovers import Leftovers, Zombies
from nemesis import Nemesis
from network import Network
from nodes import Node, crash_of, leading_node, newest_line
from program import ProgramDisk
from services import CephService, DirectoryService, EtcdService

SERVICES = {s.name: s for s in (DirectoryService, CephService, EtcdService)}
STEP_S = 0.01
ERRORS_MAX = 20
END_S = 20  # for all nodes to end when told to
REPORT_S = 60
LATE_S = 0.3  # of whoever must notice that slots were deleted
OVERTIME = 1.5  # so many times the minutes asked for, to come to the minimum on a slow machine
FAULTS_A_MINUTE, LEAST_FAULTS = 0.8, 2  # of each kind
ELECTIONS_A_MINUTE, LEAST_ELECTIONS = 6, 15  # at a TTL of 2 s
SHORT_MINUTES = 1.5  # that have LEAST_ELECTIONS


class Campaign:
    def __init__(self, options, folder, groups):
        self.options, self.folder, self.groups = options, folder, groups
        self.ttl_s, self.count, self.no_guard = options.ttl, options.nodes, options.no_guard
        self.binary = options.binary
        self.child = self.tool("child")
        self.chance = random.Random(f"{options.seed}-nodes")
        self.beats, self.journal = os.path.join(folder, "beats"), os.path.join(folder, "resource.journal")
        self.socket, self.stalls, self.helpers = os.path.join(folder, "resource"), os.path.join(folder, "stalls"), []
        self.windows, self.findings, self.eras_due = [], [], []
        self.exits, self.told, self.notes = collections.Counter(), collections.Counter(), collections.deque(maxlen=4000)
        self.hogs, self.full_disks, self.broken_links, self.broken_proxies = 0, 0, set(), set()
        self.picked = None  # for the notes: whom the last fault that asked for a node got
        self.ending, self.begun = False, processes.boottime()
        self.next_report = self.next_look = 0.0
        self.seen_zombies = set()

    # --- what nodes, services and faults ask ---

    def tool(self, name):
        return os.path.join(self.options.tools, name)

    def wrap(self, node, job):
        return self.service.wrap(node, job)

    def environment(self, node):
        base = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}
        return {**base, **self.service.environment(node), **(self.program.environment(node) if self.program else {})}

    def job_options(self):
        return ["-r", self.socket] if self.service.tokens else []

    @staticmethod
    def mark(run):
        return f"chaos-{run}"

    @property
    def guarded(self):
        return self.service.guarded

    def pick(self, chance, leading=False):
        """A node to hit: mostly the leading one, or only that. None where there is none."""
        leader = leading_node(self.nodes, self.beats)
        if leading or leader and chance.random() < 0.6:
            node = leader
        else:
            running = [node for node in self.nodes if node.keeper()]
            node = chance.choice(running) if running else None
        self.picked = node and node.run_name
        return node

    def note(self, text):
        self.notes.append(f"{processes.boottime():.3f} {text}")
        if self.options.verbose:
            print(self.notes[-1], flush=True)

    def newest_beat(self):
        line = newest_line(self.beats)
        return int(line[4]) / checker.NS if line else 0.0

    def no_leader(self, seconds):
        self.add(Finding("no leader", OTHER, f"nobody led for {seconds:.0f} s after everything was healed"))

    def run_ended(self, node):
        self.exits[node.run.code] += 1
        self.note(f"{node.run_name} ended with {node.run.code}")
        if node.run.code == 125:
            last = (node.run.err().splitlines() or [""])[-1].removeprefix("leaderexec: ")
            self.told[re.sub("[0-9]+", "N", last)[:160]] += 1  # the same whatever the slot, port or time
        if crash := crash_of(node):
            self.add(Finding("crash", OTHER, crash))
        self.leftovers.add(node)

    def add(self, finding):
        self.findings.append(finding)
        self.note(f"FOUND {finding.kind}: {finding.text}")

    # --- healing, and what is only looked at in a calm ---

    def heal(self):
        self.service.heal()
        if self.program:
            self.program.heal()

    def calm(self):
        self.zombies.poll()
        self.read_leases()

    def read_leases(self):
        try:
            self.leases.read()
        except Exception as error:  # the store may be what is broken; the next calm reads the same again
            self.note(f"can't read the log: {error!r}")

    @property
    def bound_s(self):
        """For how long two may lead after slots were deleted: a TTL and a request, and what a busy machine adds."""
        return self.ttl_s + self.ttl_s / 6 + LATE_S

    def delete_slots(self, choose):
        """The fenced resource begins anew, too; and once more when whoever wrote last of the old era is gone."""
        count = self.leases.delete(choose)
        if count:
            self.eras_due += [processes.boottime(), processes.boottime() + self.bound_s]
        return count

    def begin_eras(self, now):
        while self.eras_due and min(self.eras_due) <= now:
            self.eras_due.remove(min(self.eras_due))
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.sendto(b"era", self.socket)

    def reap(self):
        """Orphans become ours when a keeper was killed. Only those that nobody has reaped for a second, for the others
        belong to somebody here."""
        mine = {pid for pid in processes.children(os.getpid()) if (s := processes.status(pid)) and s[1] == "Z"}
        for pid in mine & self.seen_zombies:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
        self.seen_zombies = mine

    # --- its course ---

    def helper(self, script, *arguments):
        """Starts one of the programs here, which says when it is ready, and ends with us."""
        words = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), script), *arguments]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if not process.stdout.readline():
            raise RuntimeError(f"{script} doesn't start")
        self.helpers.append(process)

    def set_up(self):
        processes.become_subreaper()
        self.network = Network(self.count)
        self.helper("resource.py", self.socket, self.journal)
        margin_s = 0.02 * self.ttl_s + max(0.25, 0.05 * self.ttl_s)
        self.helper("metronome.py", str(margin_s), self.stalls)
        self.service = SERVICES[self.options.peer or self.options.store](self)
        self.program = ProgramDisk(self) if self.guarded and ProgramDisk.possible() else None
        self.leases = Leases(self.service.log)
        self.nodes = [Node(self, index) for index in range(1, self.count + 1)]
        self.leftovers, self.zombies = Leftovers(self), Zombies(self)
        self.lines = checker.Beats(self.beats, self.service.tokens)
        self.kinds, left_out = faults.kinds(self.service.name, self)
        if left_out:
            print(f"can't be done on this machine, and left out: {', '.join(left_out)}", flush=True)
        if self.options.only:
            self.kinds = {kind: self.kinds[kind] for kind in self.options.only}
        if self.no_guard:  # what only a guard withstands, so that it is missed soon
            self.kinds = {kind: self.kinds[kind] for kind in ("keeper killed", "keeper stopped")}
        self.nemesis = Nemesis(self, self.options.seed, self.kinds)
        self.begun = processes.boottime()

    def tick(self):
        """One turn of what goes on by itself. An error of ours is kept, and fails the campaign at its end."""
        now = processes.boottime()
        try:
            self.look_after(now)
        except Exception:
            self.nemesis.errors.append(traceback.format_exc())
            if len(self.nemesis.errors) > ERRORS_MAX:
                raise
        time.sleep(STEP_S)
        return now

    def look_after(self, now):
        for node in self.nodes:
            node.poll(now)
        self.leftovers.poll()
        self.begin_eras(now)
        if now >= self.next_look:
            self.next_look = now + 1
            self.reap()
            self.lines.read()
        if now >= self.next_report:
            self.next_report = now + REPORT_S
            self.report_progress(now)

    def report_progress(self, now):
        leader = leading_node(self.nodes, self.beats)
        print(
            f"{now - self.begun:5.0f} s: {self.nemesis.storms} storms, {sum(self.nemesis.counts.values())} faults, "
            f"{sum(node.number for node in self.nodes)} runs, {leader.run_name if leader else 'nobody'} leads",
            flush=True,
        )

    def minimum_faults(self):
        return max(LEAST_FAULTS, int(FAULTS_A_MINUTE * self.options.minutes * 2 / self.ttl_s))

    def minimum_elections(self):
        turns = self.options.minutes * 2 / self.ttl_s  # minutes, at a TTL of 2 s
        return max(int(ELECTIONS_A_MINUTE * turns), round(LEAST_ELECTIONS * min(1, turns / SHORT_MINUTES)))

    def lacking(self):
        """What there was too little of so far."""
        least = self.minimum_faults()
        found = [
            f"{kind}: {self.nemesis.counts[kind]} of {least}"
            for kind in self.kinds
            if self.nemesis.counts[kind] < least
        ]
        fates = self.service.fates() if "answers garbled" in self.kinds else {}
        found += [f"answers {fate}: {count} of {least}" for fate, count in fates.items() if count < least]
        elections = len(self.terms())
        least = self.minimum_elections()
        return found + ([f"elections: {elections} of {least}"] if elections < least else [])

    def go(self):
        """Until its time is over and there was enough of everything, or that can't be hoped for any more."""
        end = self.begun + self.options.minutes * 60
        latest = self.begun + self.options.minutes * 60 * OVERTIME
        while (now := self.tick()) < end or now < latest and self.lacking():
            self.nemesis.poll(now)
            if self.no_guard and self.nemesis.healed is not None and self.broken_already():
                return
            if now >= end:
                end = now + 2  # look again then

    def broken_already(self):
        """A campaign that only shows that it would notice ends when it has."""
        return any(f.kind == "overlap" and f.window == OTHER for f in self.judged(self.terms()))

    def terms(self):
        self.lines.read()
        return self.lines.terms()

    def judged(self, terms):
        stalls = checker.read_stalls(self.stalls)
        found = self.leases.deadlines(self.bound_s, self.nemesis.outages)
        deletions = [checker.Deletion(int(d.begin * checker.NS), int(d.end * checker.NS)) for d in found]
        return checker.judge(terms, self.leases.ends, self.windows, self.service.tokens, stalls, deletions)

    def end_nodes(self):
        """Tells all nodes to end; what doesn't, or leaves something, is a finding."""
        self.ending = True
        self.nemesis.stop()
        for node in self.nodes:
            if node.run:
                node.run.signal(15)
        deadline = processes.boottime() + END_S
        while any(node.run for node in self.nodes) and processes.boottime() < deadline:
            self.tick()
        for node in self.nodes:
            if node.run:
                self.add(Finding("hangs", OTHER, f"{node.run_name} doesn't end on SIGTERM: {node.describe()}"))
                node.end_window()
        deadline = processes.boottime() + self.ttl_s + 0.5
        while self.leftovers.due and processes.boottime() < deadline:
            self.tick()
        self.read_leases()

    def run(self):
        """Returns the summary."""
        self.set_up()
        self.go()
        lacking = self.lacking()
        counts = dict(self.nemesis.counts)
        if self.no_guard:  # nothing ends as it should there
            self.nemesis.stop()
        else:
            self.end_nodes()
        terms = self.terms()
        written, refused_late = checker.read_resource(self.journal)
        found = self.findings + self.leftovers.findings + self.zombies.findings + self.judged(terms) + refused_late
        return self.summary(counts, terms, written, found, lacking)

    def summary(self, counts, terms, written, found, lacking):
        pauses = checker.gaps(terms)
        late, seconds = checker.overlapped(terms)
        stalls = [(end - begin) / checker.NS for begin, end in checker.read_stalls(self.stalls)]
        by_class = collections.Counter(f"{f.kind}, {f.window}" for f in found)
        return {
            "store": self.service.name,
            "guard": self.guarded and not self.no_guard,
            "seed": self.options.seed,
            "nodes": self.count,
            "ttl_s": self.ttl_s,
            "seconds": round(processes.boottime() - self.begun),
            "faults": counts,
            "faults_missed": dict(self.nemesis.missed),
            "fates_of_answers": self.service.fates(),
            "windows": dict(collections.Counter(window.how for window in self.windows)),
            "machine_stood_still": len(stalls),
            "longest_standstill_s": round(max(stalls, default=0), 2),
            "storms": self.nemesis.storms,
            "elections": len(terms),
            "elections_while_another_ran": late,
            "seconds_of_two": round(seconds, 2),
            "leases_known": sum((term.token, term.run) in self.leases.ends for term in terms),
            "deletions": len(self.leases.deletions),
            "runs": sum(node.number for node in self.nodes),
            "exit_codes": {str(code): count for code, count in sorted(self.exits.items())},
            "last_words_of_125": dict(self.told.most_common(8)),
            "without_leader_s": round(sum(pauses), 1),
            "longest_without_leader_s": round(max(pauses, default=0), 1),
            "resource": dict(written),
            "findings": {name: count for name, count in sorted(by_class.items())},
            "found": [f"{f.kind} ({f.window}): {f.text}" for f in found][:200],
            "broken": sum(f.window == OTHER for f in found),
            "lacking": lacking,
            "errors_of_its_own": self.nemesis.errors,
        }

    def evidence(self, keep):
        """Copies what a finding would be looked into with."""
        os.makedirs(keep, exist_ok=True)
        with open(os.path.join(keep, "notes"), "w") as f:
            f.writelines(note + "\n" for note in self.notes)
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if os.path.isfile(path) and not name.endswith(".out"):
                shutil.copy(path, keep)


def save(summary, path):
    with open(path, "w") as f:
        json.dump(summary, f, indent=1)
        f.write("\n")

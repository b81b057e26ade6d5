"""The nodes of a campaign: each runs one wrapper (leaderexec, or a peer) over and over.

A node's parts: the keeper (the process that we start), its guard where it has one, and the command below that. Knows
which part is stopped, frozen or dead, and so when keeper and guard were out of action together.
"""

import collections
import os
import signal

import boxes
import processes
from checker import DEAD, FROZEN, NS, Window, run_of

GUARD_NAME, INIT_NAME = "le-guard", "le-init"
GRACE_NS = NS  # what goes on after a freeze needs a moment to kill
CRASHES = [getattr(signal, "SIG" + name) for name in ("ILL", "TRAP", "ABRT", "BUS", "FPE", "SEGV", "SYS")]
CRASH_SAYS = ("Assertion", "AddressSanitizer", "LeakSanitizer", "runtime error:")
EFFECT_S = 0.02  # for a signal
KEPT_RUNS = 20  # whose output files are kept, a node
CPU_SHARES = 1 << 18  # the most there are
DAEMON_COUNT = 300  # made when told to


def now_ns():
    return int(processes.boottime() * NS)


class Frozen:
    """Processes of one run in a freezer. fast: one that not even SIGKILL leaves. thawed: when they went on, None until
    then."""

    def __init__(self, pids, fast):
        self.pids, self.fast, self.thawed = pids, fast, None


class Node:
    def __init__(self, world, index):
        self.world, self.index, self.name = world, index, f"n{index}"
        self.number, self.run, self.start_due = 0, None, 0.0
        self.starved = False  # has a quota now
        self.quota = self.make_quota()
        self.memory = world.groups.make("memory", self.name) if world.program else None
        self.forget()

    def make_quota(self):
        """A group that may get a quota, and that otherwise isn't worse off than who is in none; None where there are none."""
        if not self.world.groups.has("cpu"):
            return None
        group = self.world.groups.make("cpu", self.name)
        group.set("cpu.shares", CPU_SHARES)
        return group

    def forget(self):
        """What is known of the run before."""
        self.was_killed = self.guard_killed = self.has_daemons = False  # by the nemesis
        self.known_guard = None  # once seen
        self.window = None  # (how, since when), while keeper and guard are out of action
        self.frozen = None
        self.has_quota = False  # whether it is in the group that may get one
        self.isolated = False  # whether the command has a PID namespace, which dies with the guard

    @property
    def run_name(self):
        return f"{self.name}-{self.number}"

    def start(self):
        self.number += 1
        self.forget()
        world = self.world
        command = world.wrap(self, self.job())
        boxed = self.boxed()
        where = "where it can get a quota" if self.has_quota else "in no group"
        world.note(f"{self.run_name} starts, {where}{', isolated' if self.isolated else ''}")
        environment = {**world.environment(self), boxes.MARK: world.mark(self.run_name)}
        self.run = processes.Run(
            [*boxed, *world.network.words(self.index), *command],
            world.folder,
            self.run_name,
            environment,
            start_new_session=True,
        )
        for suffix in (".out", ".err"):
            old = os.path.join(world.folder, f"{self.name}-{self.number - KEPT_RUNS}{suffix}")
            if os.path.exists(old):
                os.unlink(old)

    def boxed(self):
        """Words that put it into its groups. Only half of the runs are in one for processors, where no real-time
        priority is given."""
        self.has_quota = self.quota is not None and self.world.chance.random() < 0.5
        groups = [self.quota] * self.has_quota + [self.memory] * (self.memory is not None)
        return [word for group in groups for word in boxes.in_cgroup(group.procs)]

    def job(self):
        """A command that behaves one way or another."""
        chance, world = self.world.chance, self.world
        words = [world.child, "-n", self.run_name, *world.job_options(), "-l", str(chance.choice((0, 0, 100, 400)))]
        if chance.random() < 0.7:
            words += ["-d", str(int(chance.uniform(0.2, 2.5) * world.ttl_s * 1000))]
        if world.guarded:
            words += [option for option, share in (("-i", 0.2), ("-g", 0.3), ("-s", 0.3)) if chance.random() < share]
            words += ["-c", str(chance.choice((0, 0, 1, 2))), "-D", str(DAEMON_COUNT)]
        else:  # a peer says nothing of what the command starts; and what it loses mustn't disturb for minutes
            words += ["-d", str(int(chance.uniform(0.5, 4) * world.ttl_s * 1000))]
        return [*words, world.beats]

    # --- its parts ---

    def keeper(self):
        return self.run.pid if self.run and processes.alive(self.run.pid) else None

    def guard(self):
        keeper = self.keeper()
        if self.known_guard is None and keeper:
            found = processes.children_named(keeper, GUARD_NAME)
            self.known_guard = found[0] if found else None
        return self.known_guard if keeper and self.known_guard and processes.alive(self.known_guard) else None

    def command(self):
        found = self.living_children(self.guard() if self.world.guarded else self.keeper())
        if found and (processes.status(found[0]) or [""])[0] == INIT_NAME:
            found = self.living_children(found[0])
        return found[0] if found else None

    @staticmethod
    def living_children(pid):
        return [child for child in processes.children(pid) if processes.alive(child)] if pid else []

    def family(self):
        keeper = self.keeper()
        return [keeper, *processes.descendants(keeper)] if keeper else []

    def describe(self):
        """What its processes do, and the last that it said."""
        states = collections.Counter()
        for pid in self.family():
            if found := processes.status(pid):
                states[f"{'keeper' if pid == self.run.pid else found[0]} {found[1]}"] += 1
        words = ", ".join(f"{state} x {count}" for state, count in states.items())
        return f"{words}; {self.run.err()[-300:]}"

    # --- what is done to it ---

    def signal(self, pid, number):
        """Whether there was anyone to get it. Returns when it has had its effect, mostly."""
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        deadline = processes.boottime() + EFFECT_S
        while processes.boottime() < deadline and processes.alive(pid) and not processes.stopped(pid):
            pass
        self.look_for_window()
        return True

    def out_of_action(self):
        """How keeper and guard both are, now; None where one of them can keep time. A guard that SIGSTOP stopped can: the
        kernel's timers continue it. So can a keeper, when its guard dies. A guard that thaws may find that its own timer
        has killed it meanwhile."""
        keeper, guard = self.run.pid, self.known_guard
        guard_dead = not processes.alive(guard)
        if self.isolated and (guard_dead or self.is_frozen(guard) and not self.frozen.fast):
            return None  # the namespace ends with the guard, which SIGKILL by its own timer ends in time
        if not processes.alive(keeper):
            lost = self.guard_killed or self.frozen and guard in self.frozen.pids
            return DEAD if self.was_killed and lost else None
        if self.is_frozen(keeper):
            return DEAD if guard_dead else FROZEN if self.is_frozen(guard) else None
        return FROZEN if self.is_frozen(guard) and not guard_dead and processes.stopped(keeper) else None

    def is_frozen(self, pid):
        return self.frozen is not None and self.frozen.thawed is None and pid in self.frozen.pids

    def look_for_window(self):
        if not self.known_guard or not self.run:
            return
        how = self.out_of_action()
        if how != (self.window and self.window[0]):
            self.end_window()
            self.window = (how, now_ns()) if how else None

    def end_window(self):
        if self.window:
            how, begin = self.window
            self.world.windows.append(Window(self.run_name, begin, now_ns() + GRACE_NS, how))
            self.window = None

    def go_on(self, pids):
        """Continues these."""
        for pid in pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except (ProcessLookupError, TypeError):
                pass
        self.look_for_window()

    def poll(self, now):
        """Sees whether the run has ended, and starts the next one when it is time to."""
        if self.run is None:
            if now >= self.start_due and not self.world.ending:
                self.start()
            return
        self.look_for_window()
        if self.run.poll() is not None:
            self.look_for_window()
            self.world.run_ended(self)
            self.run = None
            self.start_due = now + self.world.chance.uniform(0.05, 0.5) * self.world.ttl_s


def leading_node(nodes, path):
    """The node whose current run wrote the newest line; None where it is gone."""
    line = newest_line(path)
    run = run_of(line[2]) if line else None
    return next((n for n in nodes if n.run and n.run_name == run), None)


def newest_line(path):
    try:
        with open(path, "rb") as f:
            f.seek(max(0, os.path.getsize(path) - 1000))
            whole = f.read().rpartition(b"\n")[0].rpartition(b"\n")[2]
    except OSError:
        return None
    words = whole.decode(errors="replace").split()
    return words if len(words) == 6 else None


def crash_of(node):
    """What a run's end says of a bug, or None."""
    code, told = node.run.process.returncode, node.run.err()
    if -code in CRASHES:  # any other signal may have ended the command, and we show what that showed
        return f"{node.run_name} was ended by signal {-code}: {told[-300:]}"
    words = next((w for w in CRASH_SAYS if w in told), None)
    return f"{node.run_name} said {told[-300:]}" if words else None

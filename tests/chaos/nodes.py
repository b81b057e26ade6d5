"""The nodes of a campaign: each runs one wrapper (leaderexec, or a peer) over and over.

A node's parts: the keeper (the process that we start), its guard where it has one, and the command below that. Knows
which part is stopped or dead, and so when keeper and guard were out of action together.
"""

import os
import signal

import boxes
import processes
from checker import FROZEN, GUARD_KILLED, NS, OTHER, Finding, Window, run_of, window_of

GUARD_NAME = "le-guard"
WINDOW_GRACE_S = 1.0  # what continues after a freeze needs a moment to kill
CRASHES = [getattr(signal, "SIG" + name) for name in ("ILL", "TRAP", "ABRT", "BUS", "FPE", "SEGV", "SYS")]
CRASH_SAYS = ("Assertion", "AddressSanitizer", "LeakSanitizer", "runtime error:")
EFFECT_S = 0.02  # for a signal
KEPT_RUNS = 20  # whose output files are kept, a node


def now_ns():
    return int(processes.boottime() * NS)


class Node:
    def __init__(self, world, index):
        self.world, self.index, self.name = world, index, f"n{index}"
        self.number, self.run, self.start_due = 0, None, 0.0
        self.window_begin = None
        self.was_killed = self.guard_killed = False  # this run's keeper, and guard, by the nemesis
        self.known_guard = None  # this run's, once seen

    @property
    def run_name(self):
        return f"{self.name}-{self.number}"

    def start(self):
        self.number += 1
        self.was_killed, self.guard_killed, self.known_guard = False, False, None
        world = self.world
        command = world.wrap(self, self.job())
        environment = {**world.environment(self), boxes.MARK: world.mark(self.run_name)}
        self.run = processes.Run(
            [*world.network.words(self.index), *command],
            world.folder,
            self.run_name,
            environment,
            start_new_session=True,
        )
        for suffix in (".out", ".err"):
            old = os.path.join(world.folder, f"{self.name}-{self.number - KEPT_RUNS}{suffix}")
            if os.path.exists(old):
                os.unlink(old)

    def job(self):
        """A command that behaves one way or another."""
        chance, world = self.world.chance, self.world
        words = [world.child, "-n", self.run_name, *world.job_options(), "-l", str(chance.choice((0, 0, 100, 400)))]
        if chance.random() < 0.7:
            words += ["-d", str(int(chance.uniform(0.2, 2.5) * world.ttl_s * 1000))]
        if world.guarded:
            words += [option for option, share in (("-i", 0.2), ("-g", 0.3), ("-s", 0.3)) if chance.random() < share]
            words += ["-c", str(chance.choice((0, 0, 1, 2)))]
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
        above = self.guard() if self.world.guarded else self.keeper()
        found = [pid for pid in processes.children(above) if processes.alive(pid)] if above else []
        return found[0] if found else None

    def family(self):
        keeper = self.keeper()
        return [keeper, *processes.descendants(keeper)] if keeper else []

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

    def look_for_window(self):
        """Whether nobody is there now who could keep time: the keeper stopped, and the guard stopped or dead."""
        if self.window_begin is not None or not self.known_guard or not self.run or not processes.stopped(self.run.pid):
            return
        if not processes.alive(self.known_guard) or processes.stopped(self.known_guard):
            self.window_begin = now_ns()

    def go_on(self, pids):
        """Continues these, and with that ends a window."""
        for pid in pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except (ProcessLookupError, TypeError):
                pass
        self.end_window()

    def end_window(self):
        if self.window_begin is not None:
            end = now_ns() + int(WINDOW_GRACE_S * NS)
            how = GUARD_KILLED if self.guard_killed else FROZEN
            self.world.windows.append(Window(self.name, self.window_begin, end, how))
            self.window_begin = None

    def poll(self, now):
        """Sees whether the run has ended, and starts the next one when it is time to."""
        if self.run is None:
            if now >= self.start_due and not self.world.ending:
                self.start()
            return
        self.look_for_window()
        if self.run.poll() is not None:
            self.end_window()
            self.world.run_ended(self)
            self.run = None
            self.start_due = now + self.world.chance.uniform(0.05, 0.5) * self.world.ttl_s


class Leftovers:
    """Looks whether a run that has ended left anything running: at once, or where its keeper was killed, when its lease
    is over at the latest."""

    def __init__(self, world):
        self.world, self.due, self.findings = world, [], []

    def add(self, node):
        after_s = self.world.ttl_s if node.was_killed else 0
        self.due.append((processes.boottime() + after_s, node.name, node.run_name, node.was_killed))

    def poll(self):
        now = processes.boottime()
        ready = [entry for entry in self.due if entry[0] <= now]
        self.due = [entry for entry in self.due if entry[0] > now]
        for due, node, run, killed in ready:
            found = boxes.commands_of(self.world.mark(run))
            if found:
                how = "was killed" if killed else "ended"
                window = window_of(node, int((due - 2 * self.world.ttl_s) * NS), now_ns(), self.world.windows)
                text = f"{run} {how}, and {len(found)} processes of its command still ran {now - due:.2f} s too long"
                self.findings.append(Finding("left behind", window, text))


class Zombies:
    """Dead processes that a living, running keeper or guard doesn't reap: seen twice, more than a second apart."""

    def __init__(self, world):
        self.world, self.seen, self.findings = world, {}, []

    def poll(self):
        now, seen = processes.boottime(), {}
        for node in self.world.nodes:
            for pid in node.family():
                state = processes.status(pid)
                parent = processes.status(state[2]) if state else None
                if state and state[1] == "Z" and parent and parent[1] not in "TtD":
                    seen[pid] = self.seen.get(pid, now)
                    if now - seen[pid] > 1.0:
                        self.findings.append(
                            Finding("zombie", OTHER, f"{node.run_name}: {pid} ({state[0]}) isn't reaped by {parent[0]}")
                        )
                        seen[pid] = now + 3600
        self.seen = seen


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

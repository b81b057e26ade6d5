"""What is left of a run that has ended, and what isn't reaped while one goes on."""

import os
import signal

import boxes
import processes
from checker import DAEMONS, NS, OTHER, Finding, Window, window_of
from nodes import GRACE_NS, now_ns

DEAD_S = 1.0  # for the kernel to kill what it can without keeper and guard


class Ended:
    """A run that has ended, and when what it left must be gone: at once; or where its keeper was killed, when its lease
    is over at the latest; or soon, where nobody but the kernel was left to see to that."""

    def __init__(self, node):
        self.run, self.session, self.killed = node.run_name, node.run.pid, node.was_killed
        self.window, self.frozen = node.window, node.frozen
        self.due = processes.boottime()
        if node.window:
            self.due += DEAD_S
        elif node.was_killed:
            self.due += node.world.ttl_s

    def ready(self, now):
        if self.frozen is None:
            return now >= self.due
        return self.frozen.thawed is not None and now >= max(self.due, self.frozen.thawed + DEAD_S)


class Leftovers:
    """Looks whether a run that has ended left anything running."""

    def __init__(self, world):
        self.world, self.due, self.findings = world, [], []

    def add(self, node):
        self.due.append(Ended(node))

    def poll(self):
        now = processes.boottime()
        ready = [ended for ended in self.due if ended.ready(now)]
        self.due = [ended for ended in self.due if ended not in ready]
        for ended in ready:
            self.look(ended)

    def look(self, ended):
        found = boxes.commands_of(self.world.mark(ended.run))
        daemons = [pid for pid in found if session_of(pid) not in (ended.session, None)]
        if ended.window:  # they would go on for minutes
            for pid in daemons:
                kill(pid)
            how, begin = ended.window
            self.world.windows.append(Window(ended.run, begin, now_ns() + GRACE_NS, how))
        self.tell(ended, set(found) - set(daemons), ended.run)
        self.tell(ended, daemons, ended.run + DAEMONS[0])

    def tell(self, ended, found, name):
        if not found:
            return
        late_s = processes.boottime() - ended.due
        begin = int((ended.due - 2 * self.world.ttl_s) * NS)
        window = window_of(ended.run, begin, now_ns(), self.world.windows, [name])
        how = "was killed" if ended.killed else "ended"
        text = f"{ended.run} {how}, and {len(found)} processes like {name} still ran {late_s:.2f} s too long"
        self.findings.append(Finding("left behind", window, text))


def session_of(pid):
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


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
                if state and state[1] == "Z" and parent and parent[1] not in "TtD" and not node.is_frozen(state[2]):
                    seen[pid] = self.seen.get(pid, now)
                    if now - seen[pid] > 1.0:
                        self.findings.append(
                            Finding("zombie", OTHER, f"{node.run_name}: {pid} ({state[0]}) isn't reaped by {parent[0]}")
                        )
                        seen[pid] = now + 3600
        self.seen = seen

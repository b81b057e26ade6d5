"""The faults, one generator function each: up to its `yield` it begins, after that it ends. One that finds nothing to
hit returns before, and doesn't count.

A fault takes (world, chance): chance is a random.Random of the nemesis.
"""

import os
import signal
import subprocess
import sys
import time

import boxes
import processes
from cgroups import V2
from checker import STARVED, Window
from nodes import GRACE_NS, Frozen, now_ns

FREEZERS = ("freezer", V2)
QUOTA_PERIOD_US = 100_000  # the kernel's default
STOP, CONT, KILL = signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL


# --- processes ---


def keeper_kill(world, chance):
    node = world.pick(chance)
    if node is None:
        return
    node.was_killed = True
    if node.signal(node.keeper(), KILL):
        yield


def keeper_stop(world, chance):
    node = world.pick(chance)
    keeper = node and node.keeper()
    if keeper is None or processes.stopped(keeper) or not node.signal(keeper, STOP):
        return
    yield
    node.go_on([keeper])


def guard_kill(world, chance):
    node = world.pick(chance, leading=True)
    if node is None or node.was_killed or node.guard() is None:
        return
    node.guard_killed = True
    if node.signal(node.guard(), KILL):
        yield


def guard_stop(world, chance):
    node = world.pick(chance, leading=True)
    guard = node and node.guard()
    if guard is None or node.was_killed or not node.signal(guard, STOP):
        return
    yield
    if node.guard() == guard:
        node.go_on([guard])


def both_kill(world, chance):
    """kill -9 of the two, at once or within 40 ms."""
    node = world.pick(chance, leading=True)
    pids = [node.keeper(), node.guard()] if node else [None]
    if None in pids or node.was_killed:
        return
    chance.shuffle(pids)
    node.was_killed = node.guard_killed = True
    os.kill(pids[0], KILL)
    time.sleep(chance.choice((0, chance.uniform(0, 0.04))))
    node.signal(pids[1], KILL)
    yield


def command_kill(world, chance):
    node = world.pick(chance, leading=True)
    if node is not None and node.signal(node.command(), KILL):
        yield


def command_stop(world, chance):
    node = world.pick(chance, leading=True)
    command = node and node.command()
    if command is None or not node.signal(command, STOP):
        return
    yield
    if node.command() == command:
        node.go_on([command])


def stop_both(world, chance):
    node = world.pick(chance, leading=True)
    yield from stop_all(node, chance, [node.keeper(), node.guard()] if node else [None])


def stop_node(world, chance):
    """Everything of the node, the command and its descendants too."""
    node = world.pick(chance, leading=True)
    yield from stop_all(node, chance, [node.guard(), *node.family()] if node else [None])


def stop_all(node, chance, pids):
    if None in pids or node.was_killed or any(processes.stopped(pid) for pid in pids):
        return
    chance.shuffle(pids)
    for pid in pids:
        node.signal(pid, STOP)
    yield
    node.go_on(pids)  # also who comes to be stopped only later, by a freezer's or a quota's doing


def freeze(world, chance):
    """Any of a node's processes in a freezer of either version: no signal reaches them there, in one of version 1 not
    even SIGKILL."""
    node = world.pick(chance, leading=chance.random() < 0.8)
    if node is None or node.frozen is not None or node.guard() is None:
        return
    both, rest = [node.keeper(), node.guard()], [
        pid for pid in node.family() if pid not in (node.keeper(), node.guard())
    ]
    some = [pid for pid in rest if chance.random() < 0.5]
    pids = chance.choice(
        (both[:1], both[1:], both, both + rest, both[:1] + rest, both[1:] + some, both + some, some or rest)
    )
    hierarchy = chance.choice([name for name in FREEZERS if world.groups.has(name)])
    group = world.groups.make(hierarchy, f"{node.run_name}-frozen")
    world.note(f"{node.run_name}: {len(pids)} of {len(both + rest)} processes into a freezer of {hierarchy}")
    pids = [pid for pid in pids if pid and group.add(pid)]
    group.freeze()
    node.frozen = frozen = Frozen(pids, hierarchy != V2)
    node.look_for_window()
    yield
    group.remove()
    frozen.thawed = processes.boottime()
    if node.frozen is frozen:
        node.look_for_window()


def daemons(world, chance):
    """The command makes as many as DAEMON_COUNT says."""
    node = world.pick(chance, leading=True)
    if node is None or node.has_daemons or not node.signal(node.command(), signal.SIGUSR2):
        return
    node.has_daemons = True
    yield


def quota(world, chance):
    """A few percent of a processor for all of a node, whose command is busy."""
    node = world.pick(chance, leading=True)
    if node is None or not node.has_quota or node.starved:
        return
    node.starved, run, begin, share = True, node.run_name, now_ns(), chance.uniform(0.02, 0.15)
    busy = [*boxes.in_cgroup(node.quota.procs), "sh", "-c", "while :; do :; done"]
    started = [subprocess.Popen(busy, stdin=subprocess.DEVNULL) for _ in range(chance.randint(5, 30))]
    node.quota.set("cpu.cfs_quota_us", int(share * QUOTA_PERIOD_US))
    yield
    node.quota.set("cpu.cfs_quota_us", -1)
    for process in started:
        process.kill()
        process.wait()
    node.starved = False
    world.windows.append(Window(run, begin, now_ns() + GRACE_NS, STARVED))


def hog(world, chance):
    """Something else wants the processor."""
    if world.hogs >= 2:
        return
    world.hogs += 1
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.DEVNULL)
    yield
    process.kill()
    process.wait()
    world.hogs -= 1


# --- the network ---


def link(begin, end):
    """A fault of one node's link; each link has one at a time."""

    def fault(world, chance):
        node = world.pick(chance)
        if node is None or node.index in world.broken_links:
            return
        world.broken_links.add(node.index)
        getattr(world.network, begin)(node.index)
        yield
        getattr(world.network, end)(node.index)
        world.broken_links.discard(node.index)

    return fault


def proxy(mode):
    """A fault of the proxies of one node, or of all; each has one at a time. mode(world, chance): theirs."""

    def fault(world, chance):
        node = world.pick(chance)
        hit = [node] if node and chance.random() < 0.2 else world.nodes
        hit = [node for node in hit if node.index not in world.broken_proxies]
        if not hit:
            return
        world.broken_proxies.update(node.index for node in hit)
        for node, words in zip(hit, mode(world, chance, len(hit))):
            world.service.proxy(node).mode(words)
        yield
        for node in hit:
            world.service.proxy(node).mode("pass")
            world.broken_proxies.discard(node.index)

    return fault


def garbled(world, chance, count):
    """Answers are delayed, cut, truncated, requests doubled, at random."""
    share, seconds = chance.uniform(0.5, 0.95), chance.uniform(0.2, 1.5) * world.ttl_s
    return [f"mix {chance.randrange(1 << 30)} {share:.2f} {seconds:.2f}" for _ in range(count)]


def web(_world, chance, count):
    """The endpoint's name leads to a web server, which says the same to everything."""
    return [f"web {chance.choice((200, 200, 200, 403, 404, 409, 412))}"] * count


# --- stores ---


def stop_of(find):
    """SIGSTOP and SIGCONT of a daemon of the store's."""

    def fault(world, chance):
        process = find(world.service)
        if process.poll() is not None or processes.stopped(process.pid):
            return
        process.send_signal(STOP)
        yield
        process.send_signal(CONT)

    return fault


def gateway_restart(world, chance):
    gateway = world.service.gateway
    if gateway.process.poll() is not None:
        return
    gateway.stop()
    yield
    if gateway.process.poll() is not None:
        gateway.start()


def disk_full(world, chance):
    if world.full_disks:
        return
    world.full_disks = 1
    world.service.fill()
    yield
    world.service.empty()
    world.full_disks = 0


def disk_hang(world, chance):
    with open(world.service.hang, "w"):
        pass
    yield
    world.service.heal_hang()


def pages_evict(world, chance):
    """Memory is short, and the disk that the program lies on hangs."""
    node = world.pick(chance, leading=True)
    if node is None or world.program.hangs():
        return
    world.program.hang()
    world.program.evict(node.memory)
    yield
    world.program.heal()


def slots_delete(world, chance):
    """Somebody deletes slots of the log: all, some, or the newest."""
    if not world.service.log_is_there():
        return
    how = chance.choice(
        (
            lambda names: names,
            lambda names: [name for name in names if chance.random() < 0.5],
            lambda names: names[: chance.randint(1, 3)],
        )
    )
    count = world.delete_slots(how)
    if count == 0:
        return
    world.note(f"{count} slots deleted")
    yield


PROCESSES = {
    "keeper killed": keeper_kill,
    "keeper stopped": keeper_stop,
    "guard killed": guard_kill,
    "guard stopped": guard_stop,
    "both killed": both_kill,
    "both stopped": stop_both,
    "command killed": command_kill,
    "command stopped": command_stop,
    "node stopped": stop_node,
    "some in a freezer": freeze,
    "300 daemons": daemons,
    "processor hogged": hog,
    "processor quota": quota,
    "pages evicted": pages_evict,
}
UNGUARDED = ("keeper killed", "keeper stopped", "command killed", "command stopped", "processor hogged")
LINKS = {
    "cable pulled": link("cut", "joined"),
    "interface down": link("down", "up"),
    "requests lost": link("mute", "unmute"),
    "answers lost": link("deafen", "undeafen"),
}
LOG = {"slots deleted": slots_delete}
OFTEN = ("answers garbled",)  # for it is four faults in one
KINDS = {
    "directory": {**PROCESSES, **LOG, "disk full": disk_full, "disk hangs": disk_hang},
    "ceph": {
        **PROCESSES,
        **LOG,
        **LINKS,
        "answers garbled": proxy(garbled),
        "a web server answers": proxy(web),
        "gateway stopped": stop_of(lambda service: service.gateway.process),
        "gateway restarted": gateway_restart,
        "OSD stopped": stop_of(lambda service: service.ceph.osd),
    },
    "etcdctl": {**{kind: PROCESSES[kind] for kind in UNGUARDED}, **LINKS},
}
# While one of these lasts, a leader may be told nothing of what happened to the log.
OUTAGES = {"disk full", "disk hangs", *KINDS["ceph"]} - {*PROCESSES, *LOG}


def kinds(service, world):
    """What can be done to a service on this machine; and the names of what can't."""
    lacking = set()
    if not any(world.groups.has(name) for name in FREEZERS):
        lacking.add("some in a freezer")
    if not world.groups.has("cpu"):
        lacking.add("processor quota")
    if world.program is None:
        lacking.add("pages evicted")
    all_of_them = KINDS[service]
    return {kind: all_of_them[kind] for kind in all_of_them if kind not in lacking}, sorted(
        lacking & all_of_them.keys()
    )

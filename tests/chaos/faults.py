"""The faults, one generator function each: up to its `yield` it begins, after that it ends. One that finds nothing to
hit returns before, and doesn't count.

A fault takes (world, chance): chance is a random.Random of the nemesis.
"""

import signal
import subprocess
import sys

import processes

STOP, CONT, KILL = signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL


# --- processes ---


def keeper_kill(world, chance):
    """kill -9 of the keeper. Not where there is no guard any more: killing both is what nobody can survive."""
    node = world.pick(chance)
    if node is None or node.window_begin is not None or world.guarded and node.guard() is None:
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


def freeze_both(world, chance):
    """Keeper and guard stopped together: a window of its own."""
    node = world.pick(chance, leading=True)
    parts = [node.keeper(), node.guard()] if node else [None]
    if None in parts or node.was_killed or any(processes.stopped(pid) for pid in parts):
        return
    chance.shuffle(parts)
    for pid in parts:
        node.signal(pid, STOP)
    yield
    node.go_on(parts)


def freeze_node(world, chance):
    """Everything of the node stopped, the command and its descendants too: the same window."""
    node = world.pick(chance, leading=True)
    parts = node.family() if node else []
    if node is None or node.guard() is None or node.was_killed or any(processes.stopped(pid) for pid in parts):
        return
    chance.shuffle(parts)
    for pid in parts:
        node.signal(pid, STOP)
    yield
    node.go_on(pid for pid in parts if processes.stopped(pid))


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


def proxy_mix(world, chance):
    """Answers are delayed, cut, truncated, requests doubled, at random: one node's, or all nodes'."""
    node = world.pick(chance)
    hit = [node] if node and chance.random() < 0.2 else world.nodes
    hit = [node for node in hit if node.index not in world.broken_proxies]
    if not hit:
        return
    world.broken_proxies.update(node.index for node in hit)
    share, seconds = chance.uniform(0.5, 0.95), chance.uniform(0.2, 1.5) * world.ttl_s
    for node in hit:
        world.service.proxy(node).mode(f"mix {chance.randrange(1 << 30)} {share:.2f} {seconds:.2f}")
    yield
    for node in hit:
        world.service.proxy(node).mode("pass")
        world.broken_proxies.discard(node.index)


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


PROCESSES = {
    "keeper killed": keeper_kill,
    "keeper stopped": keeper_stop,
    "guard killed": guard_kill,
    "guard stopped": guard_stop,
    "command killed": command_kill,
    "command stopped": command_stop,
    "both frozen": freeze_both,
    "node frozen": freeze_node,
    "processor hogged": hog,
}
LINKS = {
    "cable pulled": link("cut", "joined"),
    "interface down": link("down", "up"),
    "requests lost": link("mute", "unmute"),
    "answers lost": link("deafen", "undeafen"),
}
OFTEN = ("answers garbled",)  # for it is four faults in one
KINDS = {
    "directory": {**PROCESSES, "disk full": disk_full, "disk hangs": disk_hang},
    "ceph": {
        **PROCESSES,
        **LINKS,
        "answers garbled": proxy_mix,
        "gateway stopped": stop_of(lambda service: service.gateway.process),
        "gateway restarted": gateway_restart,
        "OSD stopped": stop_of(lambda service: service.ceph.osd),
    },
    "etcdctl": {**{k: v for k, v in PROCESSES.items() if "guard" not in k and "frozen" not in k}, **LINKS},
}

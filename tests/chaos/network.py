"""The nodes' network: a network namespace each, joined by a bridge in the namespace of the campaign, and its breakage.

Made inside an enclosure, so its names and addresses are nobody else's, and it ends with the campaign.
"""

import subprocess

HUB = "10.77.0.1"  # the bridge: where proxies and servers listen
NOBODY = "02:00:00:00:00:fe"  # a hardware address that no one has


def ip(*words):
    """Runs ip(8); what fails says so in full."""
    done = subprocess.run(["ip", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def address(index):
    return f"10.77.0.{10 + index}"


class Network:
    """Nodes are numbered from 1."""

    def __init__(self, count):
        ip("link", "add", "hub", "type", "bridge")
        ip("address", "add", f"{HUB}/24", "dev", "hub")
        ip("link", "set", "hub", "up")
        for index in range(1, count + 1):
            space = f"n{index}"
            ip("netns", "add", space)
            ip("link", "add", f"v{index}", "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", f"v{index}", "master", "hub", "up")
            ip("-n", space, "address", "add", f"{address(index)}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", space, "link", "set", "eth0", "up")

    @staticmethod
    def words(index):
        """Words before a command that run it on this node, in the same process."""
        return ["nsenter", f"--net=/run/netns/n{index}", "--"]

    @staticmethod
    def cut(index):
        """Pulls the cable: nothing goes either way, and the node isn't told."""
        ip("link", "set", f"v{index}", "down")

    @staticmethod
    def joined(index):
        ip("link", "set", f"v{index}", "up")

    @staticmethod
    def down(index):
        """The node's own interface is down: sending fails at once."""
        ip("-n", f"n{index}", "link", "set", "eth0", "down")

    @staticmethod
    def up(index):
        ip("-n", f"n{index}", "link", "set", "eth0", "up")

    @staticmethod
    def mute(index):
        """What the node sends is lost; what is sent to it arrives."""
        ip("-n", f"n{index}", "neigh", "replace", HUB, "lladdr", NOBODY, "dev", "eth0", "nud", "permanent")

    @staticmethod
    def unmute(index):
        ip("-n", f"n{index}", "neigh", "flush", "dev", "eth0", "nud", "permanent")

    @staticmethod
    def deafen(index):
        """What is sent to the node is lost: its requests arrive, and no answer comes back."""
        ip("neigh", "replace", address(index), "lladdr", NOBODY, "dev", "hub", "nud", "permanent")

    @staticmethod
    def undeafen(index):
        ip("neigh", "flush", "to", address(index), "dev", "hub", "nud", "permanent")

"""What the nodes lock by: a directory, a Ceph behind a proxy for each node, or, for comparison, an etcd.

Each has name, guarded (whether its wrapper has a guard), tokens (whether the command gets one), environment(node),
wrap(node, job), log (to read leases from, or None), log_is_there() (whether it can be reached at once), heal(),
fates(), stop()."""

import os
import subprocess
import time

import ceph as ceph_tool
import processes
import stores
from control import Tool
from network import HUB

DISK_MB = 64
LOCK = "leader"


def file_of(folder, *names):
    path = os.path.join(folder, *names)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


class LeaderexecService:
    guarded = tokens = True

    def __init__(self, world):
        self.world = world

    def wrap(self, node, job):
        world = self.world
        words = [
            world.program.binary(node) if world.program else world.binary,
            "--ttl",
            f"{int(world.ttl_s * 1000)}ms",
            "--poll",
            f"{int(world.ttl_s * 150)}ms",
            "--stop-timeout",
            "1s",
        ]
        words += ["--node-id", node.run_name, "-v"]
        words += ["--on-loss", "rejoin"] if world.chance.random() < 0.3 else []
        node.isolated = not world.no_guard and world.chance.random() < 0.3
        words += ["--isolate"] if node.isolated else []
        return [*words, "--", *(world.program.wrap(job) if world.program else job)]

    def log_is_there(self):
        return True

    def fates(self):
        """How many answers a proxy has spoilt, by how."""
        return {}

    def preloads(self):
        return [self.world.tool("preload_no_guard.so")] if self.world.no_guard else []


class DirectoryService(LeaderexecService):
    """A small disk of its own, that can be full, and that can hang."""

    name = "directory"

    def __init__(self, world):
        super().__init__(world)
        self.disk = file_of(world.folder, "disk", "locks")
        self.hang = os.path.join(world.folder, "hang")
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "disk", os.path.dirname(self.disk)], check=True
        )
        self.filler = os.path.join(os.path.dirname(self.disk), "filler")
        self.log = stores.DirectoryLog(self.disk, "locks/", LOCK)

    def environment(self, node):
        preloads = [self.world.tool("preload_fsync_hang.so"), *self.preloads()]
        return {
            "LEADEREXEC_BUCKET": f"file:{self.disk}",
            "LD_PRELOAD": ":".join(preloads),
            "PRELOAD_FSYNC_HANG": self.hang,
        }

    def fill(self):
        with open(self.filler, "wb", buffering=0) as f:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        f.write(b"\0" * size)
                except OSError:
                    pass

    def empty(self):
        if os.path.exists(self.filler):
            os.unlink(self.filler)

    def heal_hang(self):
        if os.path.exists(self.hang):
            os.unlink(self.hang)

    def heal(self):
        self.empty()
        self.heal_hang()

    def stop(self):
        self.heal()


class CephService(LeaderexecService):
    name = "ceph"

    def __init__(self, world):
        super().__init__(world)
        self.ceph = ceph_tool.Ceph(os.path.join(world.folder, "ceph"))
        target = self.ceph.endpoint.removeprefix("http://")
        self.proxies = [
            Tool("proxy.py", world.folder, f"proxy{n}", target, HUB, address=HUB) for n in range(1, world.count + 1)
        ]
        key, secret = ceph_tool.USERS["owner"]
        self.common = {
            "LEADEREXEC_BUCKET": ceph_tool.BUCKET,
            "LEADEREXEC_PREFIX": "chaos/",
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
        }
        self.log = stores.S3Log(stores.s3_client(self.ceph.endpoint, key, secret), ceph_tool.BUCKET, "chaos/", LOCK)

    def environment(self, node):
        preloads = self.preloads()
        return {
            **self.common,
            "AWS_ENDPOINT_URL": self.proxy(node).endpoint,
            **({"LD_PRELOAD": ":".join(preloads)} if preloads else {}),
        }

    def proxy(self, node):
        return self.proxies[node.index - 1]

    def log_is_there(self):
        daemons = self.gateway.process, self.ceph.osd
        return all(process.poll() is None and not processes.stopped(process.pid) for process in daemons)

    @property
    def gateway(self):
        return self.ceph.main_gateway

    def heal(self):
        if self.gateway.process.poll() is not None:
            self.gateway.start()

    def fates(self):
        """Of the mode "mix"."""
        found = dict.fromkeys(("delayed", "cut", "truncate", "double"), 0)
        for proxy in self.proxies:
            for entry in proxy.log():
                fate = entry.get("fate")
                if entry["event"] == "answer" and fate in found:
                    found[fate] += 1
        return found

    def stop(self):
        for proxy in self.proxies:
            proxy.stop()
        self.ceph.stop()


class EtcdService:
    """One etcd, and `etcdctl lock` as the wrapper."""

    name, guarded, tokens, log = "etcdctl", False, False, None

    def __init__(self, world):
        self.world = world
        client, peer = f"http://{HUB}:2379", f"http://{HUB}:2380"
        with open(os.path.join(world.folder, "etcd.out"), "wb") as out:
            words = ["etcd", "--data-dir", os.path.join(world.folder, "etcd"), "--initial-cluster", f"default={peer}"]
            for option in ("--listen-client-urls", "--advertise-client-urls"):
                words += [option, client]
            for option in ("--listen-peer-urls", "--initial-advertise-peer-urls"):
                words += [option, peer]
            self.server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.common = {"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": client}
        deadline = time.monotonic() + processes.PATIENCE_S
        ask = ["etcdctl", "endpoint", "health"]
        while subprocess.run(ask, env={**os.environ, **self.common}, capture_output=True).returncode != 0:
            if time.monotonic() > deadline or self.server.poll() is not None:
                raise RuntimeError("etcd doesn't start")
            time.sleep(0.2)

    def environment(self, node):
        return self.common

    def fates(self):
        return {}

    def wrap(self, node, job):
        return ["etcdctl", "lock", f"--ttl={max(2, round(self.world.ttl_s))}", "--", LOCK, *job]

    def heal(self):
        pass

    def stop(self):
        self.server.kill()
        self.server.wait()

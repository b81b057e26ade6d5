"""The ways to run a command under a lock that tests/bench/run compares, and the place where they run."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

import ceph as ceph_tool
import processes

HERE = os.path.dirname(os.path.abspath(__file__))
BUCKET = "bench"


class Place:
    """A temporary folder, and the processes started there. At the end all of it is gone."""

    def __enter__(self):
        processes.become_subreaper()
        self.before = set(processes.descendants(os.getpid()))
        self.directory = tempfile.mkdtemp(prefix="leaderexec-bench-")
        self.closing, self.counter = [], 0
        self.first = os.path.join(self.directory, "first")
        subprocess.run(["cc", "-O2", "-o", self.first, os.path.join(HERE, "first.c")], check=True)
        return self

    def __exit__(self, *exc):
        for close in reversed(self.closing):
            close()
        processes.sweep(self.before)
        shutil.rmtree(self.directory, ignore_errors=True)

    def count(self):
        self.counter += 1
        return self.counter

    def file(self):
        return os.path.join(self.directory, f"file{self.count()}")

    def start(self, argv, environment):
        """Starts a program with nothing to read; what it says goes to a file."""
        path = self.file()
        with open(path, "wb") as out:
            process = subprocess.Popen(
                argv,
                env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.directory,
                start_new_session=True,
            )
        process.output = path
        return process

    @staticmethod
    def errors(process):
        with open(process.output, errors="replace") as f:
            return f.read().strip()

    @staticmethod
    def lines(path):
        """(pid, seconds of CLOCK_BOOTTIME) for each command that began."""
        if not os.path.exists(path):
            return []
        with open(path) as f:
            return [(int(pid), int(ns) / 1e9) for pid, ns in (line.split() for line in f if line.endswith("\n"))]

    def wait_line(self, path, number, timeout_s=processes.PATIENCE_S):
        processes.wait_until(lambda: len(self.lines(path)) >= number, f"command {number} to begin", timeout_s, 0.001)
        return self.lines(path)[number - 1]

    @staticmethod
    def kill(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def end_all(self, runs):
        """Ends what these runs and those killed before have left, by their sessions."""
        sessions = {run.pid for run in runs}
        for pid in processes.descendants(os.getpid()):
            try:
                if os.getsid(pid) in sessions:
                    self.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for run in runs:
            run.wait()
        while True:  # those that became ours
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return

    @staticmethod
    def memory_kb(pid, field):
        with open(f"/proc/{pid}/smaps_rollup") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(field + ":"))

    def stripped_kb(self, program):
        copy = self.file()
        subprocess.run(["strip", "-o", copy, program], check=True)
        return os.path.getsize(copy) / 1000


class DirectWay:
    """No lock at all: what starting a process costs."""

    name, environment = "direct", {}

    def __init__(self, place):
        self.place = place

    def command(self, lock, ttl_s, poll_s, words):
        return words

    def size_kb(self):
        return 0


class FlockWay(DirectWay):
    """flock(1) on a local file. A second one waits, without -n."""

    name = "flock"

    def command(self, lock, ttl_s, poll_s, words):
        return [
            "flock",
            *([] if lock.startswith("handover") else ["-n"]),
            os.path.join(self.place.directory, lock),
            *words,
        ]

    def size_kb(self):
        return self.place.stripped_kb(shutil.which("flock"))


class EtcdWay(DirectWay):
    """etcdctl lock, on a single etcd on loopback."""

    name = "etcdctl"

    def __init__(self, place):
        super().__init__(place)
        client, peer = (f"http://127.0.0.1:{ceph_tool.free_port()}" for _ in range(2))
        self.environment = {"ETCDCTL_API": "3", "ETCDCTL_ENDPOINTS": client}
        server = place.start(
            [
                "etcd",
                "--data-dir",
                os.path.join(place.directory, "etcd"),
                "--listen-client-urls",
                client,
                "--advertise-client-urls",
                client,
                "--listen-peer-urls",
                peer,
                "--initial-advertise-peer-urls",
                peer,
                "--initial-cluster",
                f"default={peer}",
            ],
            {},
        )
        place.closing.append(lambda: (server.kill(), server.wait()))
        deadline = time.monotonic() + processes.PATIENCE_S
        while place.start(["etcdctl", "endpoint", "health"], self.environment).wait() != 0:
            if time.monotonic() > deadline or server.poll() is not None:
                raise RuntimeError(f"etcd doesn't start: {place.errors(server)[-500:]}")
            time.sleep(0.2)

    def command(self, lock, ttl_s, poll_s, words):
        return ["etcdctl", "lock", f"--ttl={ttl_s}", lock, *words]

    def size_kb(self):
        return self.place.stripped_kb(shutil.which("etcdctl"))


class LeaderexecWay(DirectWay):
    """leaderexec, on a directory or on a Ceph of its own."""

    def __init__(self, place, binary, name):
        super().__init__(place)
        self.name, self.binary = name, binary
        self.environment = {"LEADEREXEC_BUCKET": f"file:{place.directory}/locks", "AWS_EC2_METADATA_DISABLED": "true"}
        if name == "ceph":
            self._start_ceph()

    def _start_ceph(self):
        cluster = ceph_tool.Ceph(os.path.join(self.place.directory, "ceph"))
        self.place.closing.append(cluster.stop)
        self.endpoint = cluster.endpoint
        key, secret = ceph_tool.USERS["owner"]
        self.environment.update(
            LEADEREXEC_BUCKET=BUCKET,
            AWS_ACCESS_KEY_ID=key,
            AWS_SECRET_ACCESS_KEY=secret,
            AWS_REGION="us-east-1",
            AWS_ENDPOINT_URL=cluster.endpoint,
        )
        import stores

        stores.s3_client(cluster.endpoint, key, secret).create_bucket(Bucket=BUCKET)

    def command(self, lock, ttl_s, poll_s, words):
        return [self.binary, "--lock", lock, "--ttl", f"{ttl_s}s", "--poll", f"{poll_s}s", "--", *words]

    def size_kb(self):
        return self.place.stripped_kb(self.binary)

#!/usr/bin/python3
"""A real Ceph with S3 on loopback: one monitor, one OSD in memory, one or more radosgw, in a folder of its own.

    ceph.py serve DIR       start it, print its environment lines, run until the parent is gone or TERM/INT comes,
                            then stop it and remove DIR

From Python: with Ceph(DIR) as ceph: ... ceph.endpoint, ceph.environment(), ceph.gateway().
The daemons die with the process that started them (PR_SET_PDEATHSIG), so nothing stays behind whatever happens.
Knows nothing of leaderexec.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stores  # noqa: E402

USERS = {"owner": ("OWNERKEY000000000000", "ownersecret"), "guest": ("GUESTKEY000000000000", "guestsecret")}
BUCKET = "first-bucket"  # there from the start, for the first bucket and the first object take seconds to make
START_S = 90

CONF = """[global]
fsid = {fsid}
mon host = {mon}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
run dir = {dir}
keyring = {dir}/keyring
pid file = {dir}/$name.$pid.pid
admin socket = {dir}/$name.$pid.asok
log file = {dir}/$name.log
crash dir = {dir}
mon data = {dir}/mon
osd data = {dir}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
mon allow pool delete = true
debug mon = 1/1
debug osd = 1/1
debug ms = 0/0
rgw data = {dir}/rgw
rgw enable usage log = false
rgw run sync thread = false
rgw enable ops log = false
rgw thread pool size = 64
"""


def free_port():
    """A port that was free a moment ago, outside the range that the kernel hands to connecting sockets."""
    for _ in range(200):
        port = 12000 + int.from_bytes(os.urandom(2), "big") % 18000
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port on 127.0.0.1")


def die_with_parent():
    """Run in a fresh child before exec: SIGKILL when the thread that made it ends, and no terminal signals."""
    os.setsid()
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)


def trusting_all():
    """For seeing whether somebody answers; what is said is worth nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Gateway:
    """One radosgw. endpoint, pid; stop() kills it, start() starts it again at the same place."""

    def __init__(self, ceph, name, cached, pem=None):
        """pem: a file with a certificate and its key; then it speaks TLS only."""
        self.port = free_port()
        self.endpoint = f"http{'s' if pem else ''}://127.0.0.1:{self.port}"
        self.where = f"endpoint=127.0.0.1:{self.port}"
        if pem:
            self.where = f"ssl_{self.where} ssl_certificate={pem} ssl_private_key={pem}"
        self.ceph, self.name, self.cached = ceph, name, cached
        self.start()
        self.wait()

    def start(self):
        """Doesn't wait for it to answer."""
        # A gateway with a cache is told of every change of a bucket; while it is stopped, the others would wait for it.
        self.process = self.ceph.daemon(
            [
                "radosgw",
                "-f",
                "-n",
                "client.admin",
                f"--log-file={self.ceph.dir}/{self.name}.log",
                f"--rgw-cache-enabled={str(self.cached).lower()}",
                f"--rgw-frontends=beast {self.where}",
            ]
        )
        self.pid = self.process.pid

    def wait(self):
        """Until it answers."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
                    s.settimeout(5)
                    if self.endpoint.startswith("https:"):
                        s = trusting_all().wrap_socket(s)
                    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    if s.recv(12).startswith(b"HTTP/1."):
                        return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"radosgw doesn't answer on {self.endpoint}; see {self.ceph.dir}/{self.name}.log")
            time.sleep(0.05)

    def stop(self):
        end(self.process)
        if self.process in self.ceph.processes:
            self.ceph.processes.remove(self.process)


def end(process):
    """SIGKILL, also where it is stopped, and reap. Nothing in memory is worth a clean shutdown."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait()


class Ceph:
    def __init__(self, directory, conf=None):
        """Starts a cluster in directory, or with conf attaches to a running one, to add gateways to it."""
        self.dir = os.path.abspath(directory)
        self.processes = []
        self.gateways = 0
        self.conf = conf or os.path.join(self.dir, "ceph.conf")
        os.makedirs(self.dir, exist_ok=True)
        if conf is None:
            try:
                self._start()
            except BaseException:
                self.stop(keep=os.environ.get("LEADEREXEC_TEST_KEEP") is not None)
                raise

    def daemon(self, argv):
        with open(os.path.join(self.dir, "daemons.out"), "ab") as out:
            process = subprocess.Popen(
                [argv[0], "-c", self.conf, "--setuser", "root", "--setgroup", "root"] + argv[1:],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                preexec_fn=die_with_parent,
            )
        self.processes.append(process)
        return process

    def tool(self, *argv):
        """Runs a Ceph command to its end; returns its stdout."""
        done = subprocess.run(
            [argv[0], "-c", self.conf, *argv[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_S,
            preexec_fn=die_with_parent,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()[-600:]}")
        return done.stdout

    def _start(self):
        fsid, mon = str(uuid.uuid4()), f"[v2:127.0.0.1:{free_port()}/0]"
        with open(self.conf, "w") as f:
            f.write(CONF.format(fsid=fsid, mon=mon, dir=self.dir))
        keyring = os.path.join(self.dir, "keyring")
        open(keyring, "w").close()
        for entity, caps in (("mon.", ("mon",)), ("osd.0", ("mon", "osd")), ("client.admin", ("mon", "osd"))):
            self.tool(
                "ceph-authtool", "--gen-key", "-n", entity, keyring, *[a for c in caps for a in ("--cap", c, "allow *")]
            )
        monmap = os.path.join(self.dir, "monmap")
        self.tool("monmaptool", "--create", "--fsid", fsid, "--addv", "a", mon, monmap)
        self.tool(
            "ceph-mon",
            "--mkfs",
            "-i",
            "a",
            "--monmap",
            monmap,
            "--keyring",
            keyring,
            "--setuser",
            "root",
            "--setgroup",
            "root",
        )
        self.daemon(["ceph-mon", "-f", "-i", "a"])
        osd = str(uuid.uuid4())
        os.makedirs(os.path.join(self.dir, "osd"))
        number = self.tool("ceph", "osd", "new", osd).strip()
        self.tool("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", osd, "--setuser", "root", "--setgroup", "root")
        self.osd = self.daemon(["ceph-osd", "-f", "-i", number])
        self.main_gateway = self.gateway(cached=True)
        self.endpoint = self.main_gateway.endpoint
        for name, (key, secret) in USERS.items():
            self.tool(
                "radosgw-admin",
                "user",
                "create",
                f"--uid={name}",
                f"--display-name={name}",
                f"--access-key={key}",
                f"--secret-key={secret}",
                "--max-buckets=100000",
            )
        client = stores.s3_client(self.endpoint, *USERS["owner"])
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="first", Body=b"first")
        client.close()

    def gateway(self, cached=False, pem=None):
        """Starts one more radosgw over the same data. One that a test stops had better have no cache."""
        self.gateways += 1
        return Gateway(self, f"rgw.{os.getpid()}.{self.gateways}", cached, pem)

    def environment(self):
        """What finds it: for the tests, and for anything that reads AWS's variables."""
        key, secret = USERS["owner"]
        return {
            "LEADEREXEC_TEST_CEPH_CONF": self.conf,
            "LEADEREXEC_TEST_CEPH_ENDPOINT": self.endpoint,
            "LEADEREXEC_TEST_CEPH_BUCKET": BUCKET,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
        }

    def stop(self, keep=False):
        for process in reversed(self.processes):
            end(process)
        self.processes = []
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


def serve(directory):
    parent = os.pidfd_open(os.getppid())
    wake_r, wake_w = os.pipe()
    os.set_blocking(wake_w, False)
    signal.set_wakeup_fd(wake_w)

    def told(number, frame):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, told)
    with Ceph(directory) as ceph:
        for name, value in ceph.environment().items():
            print(f"{name}={value}")
        print("ready", flush=True)
        while True:
            select.select([parent, wake_r], [], [])
            return


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "serve":
        sys.exit(__doc__)
    serve(sys.argv[2])

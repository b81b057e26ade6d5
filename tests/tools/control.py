"""How tests steer a running tool: through a file that holds one line, its mode, such as "pass" or "cut PUT 1".

The tool polls the file and confirms each mode in FILE.now, so a shell script steers it as well as a test does:
    echo refuse >control; until grep -qx refuse control.now; do sleep 0.05; done
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

POLL_S = 0.02
HERE = os.path.dirname(os.path.abspath(__file__))


def write_whole(path, text):
    """Replaces a file in one step: a reader sees the old text or the new, never half of it."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w") as f:
        f.write(text)
    os.replace(temporary, path)


class Control:
    """The tool's side."""

    def __init__(self, path, mode):
        self.path, self.mode, self.changes = path, mode, 0
        if not os.path.exists(path):
            write_whole(path, mode + "\n")

    def poll(self):
        """Reads the file; returns whether the mode has changed. The caller acts, then calls confirm()."""
        try:
            with open(self.path) as f:
                mode = f.read().strip()
        except OSError:
            return False
        if not mode or mode == self.mode and self.changes:
            return False
        self.mode, self.changes = mode, self.changes + 1
        return True

    def confirm(self):
        write_whole(self.path + ".now", self.mode + "\n")


class Tool:
    """The test's side: a tool running as a process of ours. Ends with us, whatever happens."""

    def __init__(self, script, directory, name, *arguments, address="127.0.0.1"):
        self.path = os.path.join(directory, name)
        self.log_path = self.path + ".log"
        self.output = open(self.path + ".out", "ab")
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, script), self.path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.output,
        )
        line = self.process.stdout.readline().decode().strip()
        if not line:
            self.stop()
            raise RuntimeError(f"{script} didn't start; see {self.path}.out")
        self.port = int(line)
        self.endpoint = f"http://{address}:{self.port}"

    def mode(self, mode, timeout_s=10):
        """Sets the mode and returns once it is in force."""
        write_whole(self.path, mode + "\n")
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                with open(self.path + ".now") as f:
                    if f.read().strip() == mode:
                        return
            except OSError:
                pass
            time.sleep(POLL_S / 2)
        raise RuntimeError(f"{self.path} doesn't take the mode {mode!r}")

    def log(self):
        """What it logged so far, one dictionary a line."""
        import json

        try:
            with open(self.log_path) as f:
                return [json.loads(line) for line in f if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.output.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


def die_with_parent():
    """For tools: called first of all, so that none outlives its test."""
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def serve(server):
    """Runs a tool that is a socketserver with a control: prints its port, then serves for ever."""

    def steer():
        while True:
            if server.control.poll():
                server.control.confirm()
            time.sleep(POLL_S)

    threading.Thread(target=steer, daemon=True).start()
    print(server.socket.getsockname()[1], flush=True)
    server.serve_forever()


def listen(port=0, address="127.0.0.1"):
    """A listening socket, on loopback. Port 0 picks one below the range that connecting sockets get, so that no outgoing
    connection takes it while it is closed."""
    for attempt in range(200):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((address, port or 12000 + int.from_bytes(os.urandom(2), "big") % 18000))
            s.listen(256)
            return s
        except OSError:
            s.close()
            if port and attempt > 100:
                raise
            if port:
                time.sleep(0.02)
    raise RuntimeError(f"no free port on {address}")

"""A shell on a terminal, typed at by a test. Knows nothing of leaderexec."""

import os
import pty
import select
import signal
import time

import processes


class Terminal:
    """An interactive bash on a pty of its own. type() text, wait_for() what it prints."""

    def __init__(self, env, directory):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execve(
                "/bin/bash",
                ["bash", "--norc", "--noprofile", "-i"],
                {**env, "PS1": "ready> ", "TERM": "dumb", "HISTFILE": ""},
            )
        self.wait_for("ready> ")

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, timeout_s=0):
        while select.select([self.fd], [], [], timeout_s)[0]:
            try:
                chunk = os.read(self.fd, 65536)
            except OSError:
                return
            if not chunk:
                return
            self.seen += chunk
            timeout_s = 0

    def wait_for(self, text, timeout_s=processes.PATIENCE_S):
        """Waits for text among what was printed since the last wait; forgets what was before its end."""
        deadline = time.monotonic() + timeout_s
        while text.encode() not in self.seen:
            self.read(0.1)
            if time.monotonic() > deadline:
                raise processes.Timeout(f"{text!r} not on the terminal within {timeout_s} s; there is {self.seen!r}")
        before, _, self.seen = self.seen.partition(text.encode())
        return before.decode(errors="replace")

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)

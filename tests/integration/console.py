"""A terminal with any program on it, as a user would sit in front of it: keys, window sizes, hanging up. Knows nothing of leaderexec.

(terminal.py is the smaller one: a shell that is typed at.)
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from processes import PATIENCE_S, Timeout, descendants, status, wait_until

PROMPT = "ready> "
SHELL = ["bash", "--norc", "--noprofile", "-i"]


class Console:
    """A session of its own on a pty. Use as a context manager: at its end everything on it is killed."""

    def __init__(self, argv, env, directory, rows=24, columns=80):
        environment = {**env, "PS1": PROMPT, "TERM": "dumb", "HISTFILE": ""}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            self._become(argv, environment, directory)
        self.text, self.read_to = "", 0
        self.code = None
        self.resize(rows, columns)

    @staticmethod
    def _become(argv, environment, directory):
        try:
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
                signal.signal(number, signal.SIG_DFL)
            os.chdir(directory)
            os.execvpe(argv[0], argv, environment)
        finally:
            os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        mine = [self.pid, *descendants(self.pid)] if self.code is None else []
        self.hang_up()
        for pid in mine:
            with contextlib.suppress(ProcessLookupError):
                if status(pid) and os.getsid(pid) == self.pid:
                    os.kill(pid, signal.SIGKILL)
        self.wait()

    def hang_up(self):
        """The user closes the window."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def line(self, text):
        self.send(text + "\n")

    def key(self, letter):
        """Ctrl and a letter."""
        self.send(chr(ord(letter.upper()) - 64))

    def read(self, timeout_s):
        """Takes in what is on the screen by now, or comes within timeout_s."""
        if self.fd < 0 or not select.select([self.fd], [], [], timeout_s)[0]:
            return
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            time.sleep(timeout_s)  # nobody has the other side open
            return
        self.text += data.decode(errors="replace").replace("\r", "")

    def expect(self, pattern, timeout_s=PATIENCE_S):
        """Waits until pattern comes up behind what was expected before; returns the match."""
        deadline = time.monotonic() + timeout_s
        while not (found := re.compile(pattern, re.M).search(self.text, self.read_to)):
            if time.monotonic() > deadline:
                raise Timeout(
                    f"{pattern!r} doesn't come up; on the screen: {self.text[self.read_to:]!r}, before: {self.text[:self.read_to]!r}"
                )
            self.read(0.05)
        self.read_to = found.end()
        return found

    def prompt(self, timeout_s=PATIENCE_S):
        self.expect(re.escape(PROMPT), timeout_s)

    def exit_code(self):
        """Asks the shell for the last exit code."""
        self.line("echo code=$?")
        code = int(self.expect(r"^code=(\d+)").group(1))
        self.prompt()
        return code

    def watch(self, seconds):
        """Goes on taking in the screen for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(min(left, 0.05))

    def wait(self, timeout_s=PATIENCE_S):
        """Waits for the end of the program that the console was made for; returns its exit code as a shell reports it."""

        def ended():
            self.read(0)
            if self.code is None and (found := os.waitpid(self.pid, os.WNOHANG))[0]:
                code = os.waitstatus_to_exitcode(found[1])
                self.code = code if code >= 0 else 128 - code
            return self.code is not None

        wait_until(ended, f"the end of the console's program; on the screen: {self.text[-500:]!r}", timeout_s)
        return self.code

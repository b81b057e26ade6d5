"""A command that writes down the signals it gets: recorder.py FILE [EXIT_CODE [SECONDS]]

One line for each signal's number, after a first line "ready". TERM, INT and QUIT end it with EXIT_CODE (default 0), 0.3 s later, so that
a second one would be seen; so does the end of SECONDS (default 60).
"""

import os
import signal
import sys
import time

LISTENED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def record(fd, end):
    def heard(number, frame):
        os.write(fd, b"%d\n" % number)
        if number in ENDS:
            end[0] = min(end[0], time.monotonic() + 0.3)

    for number in LISTENED:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, heard)


if __name__ == "__main__":
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 60
    ending = [time.monotonic() + seconds]
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    record(log, ending)
    os.write(log, b"ready\n")
    while time.monotonic() < ending[0]:
        time.sleep(0.01)
    os._exit(int(sys.argv[2]) if len(sys.argv) > 2 else 0)

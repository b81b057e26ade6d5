#!/usr/bin/python3
"""A resource that is fenced by tokens: takes a write unless one with a larger token was here before.

    resource.py SOCKET JOURNAL      datagrams "TOKEN NAME BOOTTIME_NS" (tests/tools/child -r) to SOCKET; says "ready"

JOURNAL gets a line "accepted|refused TOKEN NAME BOOTTIME_NS" for each. A datagram "era" makes it forget the newest
token, and is noted."""

import os
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tools"))

import control  # noqa: E402


def main(path, journal):
    control.die_with_parent()
    newest = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox, open(journal, "a", buffering=1) as out:
        inbox.bind(path)
        print("ready", flush=True)
        while True:
            words = inbox.recv(512).decode(errors="replace").split()
            if words == ["era"]:
                newest = 0
                out.write("era\n")
            if len(words) == 3 and words[0].isdigit():
                token = int(words[0])
                out.write(f"{'accepted' if token >= newest else 'refused'} {' '.join(words)}\n")
                newest = max(newest, token)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

#!/usr/bin/python3
"""A store whose name leads now here, now there, and whose name server is slow, in a network of its own.

    unshare -n -m --propagation private namelab.py CONTROL

The network and mount namespaces are the caller's (unshare(1)); processes come into them by nsenter(1). There a store
(badstore.py) answers on port 8000 of every address, /etc/resolv.conf names one server, ours, and the file CONTROL (see
control.py) holds two words: the store's address, which is taken away from the machine when it changes, as a gateway
is that fails over; and after how many seconds the server answers. AAAA queries find nothing.
"""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import badstore  # noqa: E402
import control  # noqa: E402

PORT = 8000
A, IN = 1, 1
HEADER = struct.Struct("!6H")
ANSWERED, NO_TTL = 0x8180, 1


def answer(query, address):
    """The bytes that answer a query: address where that was asked for."""
    (number,) = struct.unpack_from("!H", query)
    end = query.index(b"\0", HEADER.size) + 5
    question, kind = query[HEADER.size : end], struct.unpack_from("!H", query, end - 4)[0]
    count = 1 if kind == A else 0
    found = struct.pack("!HHHIH", 0xC00C, A, IN, NO_TTL, 4) + socket.inet_aton(address) if count else b""
    return HEADER.pack(number, ANSWERED, 1, count, 0, 0) + question + found


class Lab:
    def __init__(self, path):
        self.control = control.Control(path, "10.9.0.1 0")
        self.address, self.delay_s = None, 0.0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def ip(self, *words):
        subprocess.run(["ip", *words], check=True)

    def set_up(self):
        self.ip("link", "set", "lo", "up")
        for name, text in {"resolv.conf": "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n",
                           "nsswitch.conf": "hosts: dns\n"}.items():
            with open(self.control.path + "." + name, "w") as f:
                f.write(text)
            subprocess.run(["mount", "--bind", f.name, f"/etc/{name}"], check=True)
        self.udp.bind(("127.0.0.1", 53))
        store = badstore.BadStore(self.control.path + ".store")
        store.socket.close()
        store.socket = socket.create_server(("0.0.0.0", PORT), backlog=64)
        for serve in (self.serve_names, store.serve_forever):
            threading.Thread(target=serve, daemon=True).start()

    def serve_names(self):
        while True:
            query, asker = self.udp.recvfrom(4096)
            threading.Timer(self.delay_s, self.reply, (query, asker, self.address)).start()

    def reply(self, query, asker, address):
        self.udp.sendto(answer(query, address), asker)

    def obey(self):
        address, delay_s = self.control.mode.split()
        if address != self.address:
            if self.address:
                self.ip("address", "del", f"{self.address}/32", "dev", "lo")
            self.ip("address", "add", f"{address}/32", "dev", "lo")
        self.address, self.delay_s = address, float(delay_s)
        self.control.confirm()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    control.die_with_parent()
    lab = Lab(sys.argv[1])
    lab.set_up()
    while True:
        if lab.control.poll():
            lab.obey()
        time.sleep(control.POLL_S)

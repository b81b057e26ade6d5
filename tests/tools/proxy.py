#!/usr/bin/python3
"""A proxy on loopback between leaderexec and a store, which makes networks fail on demand.

    proxy.py CONTROL TARGET_HOST:PORT [ADDRESS]     prints its port; its mode is the line in the file CONTROL (see
                                                    control.py). ADDRESS: where it listens if not on loopback

Modes:
    pass                       forward everything
    blackhole                  accept and read, never forward, never answer
    refuse                     no listener, and open connections are reset
    delay SECONDS              forward each request so much later
    cut METHOD N [COUNT]       counted from now on, the Nth (to N+COUNT-1th) request of METHOD reaches the store, and
                               its answer doesn't come back: the connection is closed instead
    status CODE METHOD         answer METHOD with CODE instead of forwarding ("*": any method)
    web [STATUS]               be a web server: answer everything, PUT and DELETE too, with STATUS (200), an ETag and a
                               page; forward nothing
    date SECONDS               shift the Date header of answers
    mix SEED SHARE SECONDS     at random, of this share of the requests the answer is delayed by up to SECONDS, cut
                               (dropped, and the connection closed) or truncated (half of its bytes come), or the
                               request is doubled (sent to the store twice, and both answers come back)
    gather SECONDS             hold each PUT until another is here on another connection (or SECONDS are over), then
                               forward both

CONTROL.log has a JSON line for each request and each answer: t (CLOCK_BOOTTIME, s), event, connection, method,
path, and so on.
"""

import asyncio
import email.utils
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import control  # noqa: E402

HEAD_MAX = 1 << 16
PAGE = b"<!DOCTYPE html><html><body><h1>It works!</h1></body></html>"


class Message:
    """A request or an answer, as bytes."""

    def __init__(self, head, body):
        self.head, self.body = head, body
        self.first = head.split(b"\r\n", 1)[0].decode("latin-1")

    def header(self, name):
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip().decode("latin-1")
        return None

    def bytes(self):
        return self.head + self.body


async def read_message(reader, method=None, writer=None):
    """One HTTP/1.1 message; method is the request's, where this is the answer. None at the end of the connection.
    A client that waits for "100 Continue" is told so through writer."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    message = Message(head, b"")
    if writer and message.header(b"expect"):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        message.head = b"".join(l for l in head.splitlines(True) if not l.lower().startswith(b"expect:"))
    status = message.first.split(" ")[1] if method else None
    if method == "HEAD" or status in ("204", "304"):
        return message
    if (message.header(b"transfer-encoding") or "").lower() == "chunked":
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            message.body += line + await reader.readexactly(size + 2)
            if size == 0:
                return message
    length = message.header(b"content-length")
    if length is not None:
        message.body = await reader.readexactly(int(length))
    elif method:
        message.body = await reader.read()
    return message


def web_answer(status="200"):
    head = f'HTTP/1.1 {status} Because\r\nETag: "5e-62b"\r\nContent-Type: text/html\r\n'
    return f"{head}Content-Length: {len(PAGE)}\r\n\r\n".encode() + PAGE


def shift_date(answer, seconds):
    date = answer.header(b"date")
    if date is None:
        return
    moved = email.utils.formatdate(email.utils.parsedate_to_datetime(date).timestamp() + seconds, usegmt=True)
    answer.head = answer.head.replace(date.encode(), moved.encode())


class Proxy:
    def __init__(self, path, host, port, address="127.0.0.1"):
        self.control = control.Control(path, "pass")
        self.target, self.address = (host, port), address
        self.chance = random.Random(0)
        self.log_file = open(path + ".log", "a", buffering=1)
        self.writers = set()
        self.connections = 0
        self.counts = {}
        self.waiting = None  # gather: (connection, event) of the PUT that waits for company
        self.server = None

    def log(self, event, **more):
        self.log_file.write(json.dumps({"t": time.clock_gettime(time.CLOCK_BOOTTIME), "event": event, **more}) + "\n")

    async def run(self):
        listener = control.listen(0, self.address)
        self.port = listener.getsockname()[1]
        self.server = await asyncio.start_server(self.serve, sock=listener, limit=HEAD_MAX)
        print(self.port, flush=True)
        while True:
            if self.control.poll():
                await self.enter(self.control.mode.split())
                self.control.confirm()
                self.log("mode", mode=self.control.mode)
            await asyncio.sleep(control.POLL_S)

    async def enter(self, words):
        self.counts = {}
        if words[0] == "mix":
            self.chance = random.Random(int(words[1]))
        if words[0] == "refuse":
            if self.server:
                self.server.close()
                self.server = None
            for writer in list(self.writers):
                writer.transport.abort()
        elif self.server is None:
            self.server = await asyncio.start_server(
                self.serve, sock=control.listen(self.port, self.address), limit=HEAD_MAX
            )

    async def serve(self, reader, writer):
        self.connections += 1
        connection = self.connections
        self.writers.add(writer)
        upstream = None
        try:
            while (request := await read_message(reader, writer=writer)) is not None:
                method, path = request.first.split(" ")[:2]
                self.log(
                    "request",
                    connection=connection,
                    method=method,
                    path=path,
                    length=len(request.body),
                    if_none_match=request.header(b"if-none-match"),
                    mode=self.control.mode,
                )
                verdict = await self.hinder(connection, method)
                if isinstance(verdict, bytes):
                    writer.write(verdict)
                    await writer.drain()
                    continue
                if upstream is None:
                    upstream = await asyncio.open_connection(*self.target, limit=HEAD_MAX)
                answers = []
                for first in [True, False] if verdict == "double" else [True]:
                    upstream[1].write(request.bytes())
                    answers.append(await read_message(upstream[0], method))
                    if answers[-1] is None:
                        return
                    status = int(answers[-1].first.split(" ")[1])
                    self.log(
                        "answer",
                        connection=connection,
                        method=method,
                        path=path,
                        status=status,
                        cut=verdict == "cut",
                        fate=verdict if first else "second",
                    )
                if not await self.deliver(writer, answers, verdict):
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            writer.transport.abort()
            if upstream:
                upstream[1].transport.abort()

    async def deliver(self, writer, answers, verdict):
        """Passes the answers on, as the verdict says. Returns whether the connection lives on."""
        if verdict == "cut":
            return False
        await self.not_blackholed()
        words = self.control.mode.split()
        if words[0] == "date":
            shift_date(answers[0], float(words[1]))
        if verdict == "delayed" and words[0] == "mix":
            await asyncio.sleep(self.chance.random() * float(words[3]))
        whole = b"".join(answer.bytes() for answer in answers)
        writer.write(whole[: len(whole) // 2] if verdict == "truncate" else whole)
        await writer.drain()
        if verdict == "truncate":
            writer.close()  # not abort(), which takes back what wasn't sent yet
            await writer.wait_closed()
        return verdict != "truncate"

    async def not_blackholed(self):
        while self.control.mode == "blackhole":
            await asyncio.sleep(control.POLL_S)

    async def hinder(self, connection, method):
        """Does to a request what the mode says. Returns None: forward it; bytes: answer with them; "cut":
        forward it and drop the answer; "delayed", "truncate", "double": see mix."""
        # What came while blackholed stays lost: the connection is left hanging until its client gives up.
        if self.control.mode == "blackhole":
            await asyncio.sleep(3600)
        words = self.control.mode.split()
        if words[0] == "delay":
            await asyncio.sleep(float(words[1]))
        elif words[0] == "status" and words[2] in ("*", method):
            return f"HTTP/1.1 {words[1]} Because\r\nContent-Length: 0\r\n\r\n".encode()
        elif words[0] == "web":
            return web_answer(*words[1:])
        elif words[0] == "cut" and words[1] == method:
            first, count = int(words[2]), int(words[3]) if len(words) > 3 else 1
            self.counts[method] = self.counts.get(method, 0) + 1
            return "cut" if first <= self.counts[method] < first + count else None
        elif words[0] == "mix" and self.chance.random() < float(words[2]):
            return self.chance.choice(["cut", "delayed", "truncate", "double"])
        elif words[0] == "gather" and method == "PUT":
            await self.gather(connection, float(words[1]))
        return None

    async def gather(self, connection, seconds):
        if self.waiting and self.waiting[0] != connection:
            self.waiting[1].set()
            self.waiting = None
            self.log("gathered", connection=connection)
            return
        mine = (connection, asyncio.Event())
        self.waiting = mine
        try:
            await asyncio.wait_for(mine[1].wait(), seconds)
        except asyncio.TimeoutError:
            self.log("alone", connection=connection)
            if self.waiting is mine:
                self.waiting = None


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    control.die_with_parent()
    target_host, _, target_port = sys.argv[2].rpartition(":")
    asyncio.run(Proxy(sys.argv[1], target_host.removeprefix("http://"), int(target_port), *sys.argv[3:]).run())

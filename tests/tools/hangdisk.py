#!/usr/bin/python3
"""A disk whose reads hang on demand, to keep programs on: a file system in user space, read-only, of a few files.

    hangdisk.py MOUNTPOINT SWITCH FILE...     mounts; prints its process id when it is there

Every folder below MOUNTPOINT holds the FILEs (by their last names), as files of its own: MOUNTPOINT/a/libc.so.6 and
MOUNTPOINT/b/libc.so.6 share no page in memory. While the file SWITCH exists, what isn't in memory isn't read.

It ends with its parent, and then the kernel takes the file system down. Mount it in a mount namespace of your own. It
talks to the kernel by the messages of <linux/fuse.h>, protocol 7.31; it needs no library.
"""

import ctypes
import errno
import os
import select
import stat
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import control  # noqa: E402

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH = 1, 2, 3, 14, 15, 17, 18, 25
INIT, OPENDIR, RELEASEDIR, ACCESS, INTERRUPT, BATCH_FORGET = 26, 27, 29, 34, 36, 42
IN_HEADER, OUT_HEADER = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ")
ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
VERSION = 7, 31
KEEP_CACHE = 1 << 1  # FOPEN_KEEP_CACHE: what was read stays in memory when the file is opened again
REQUEST_MAX = 1 << 18
FOR_EVER_S = 1 << 30
ROOT = 1
MS_NOSUID, MS_RDONLY, MS_NODEV = 2, 1, 4


class Disk:
    """Inodes: the root is 1; folders and files get numbers as they are looked up."""

    def __init__(self, paths):
        self.files = {}
        for path in paths:
            with open(path, "rb") as f:
                self.files[os.path.basename(path)] = f.read()
        self.nodes = {ROOT: ()}  # number to names from the root
        self.numbers = {(): ROOT}

    def number(self, names):
        number = self.numbers.setdefault(names, len(self.numbers) + 1)
        self.nodes[number] = names
        return number

    def content(self, number):
        names = self.nodes[number]
        return self.files[names[1]] if len(names) == 2 else None

    def attributes(self, number):
        content = self.content(number)
        mode, size = (stat.S_IFDIR | 0o755, 0) if content is None else (stat.S_IFREG | 0o755, len(content))
        return ATTR.pack(number, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def lookup(self, number, body):
        names = (*self.nodes[number], body.rstrip(b"\0").decode())
        if len(names) == 2 and names[1] not in self.files or len(names) > 2:
            return errno.ENOENT
        child = self.number(names)
        return struct.pack("<QQQQII", child, 0, FOR_EVER_S, FOR_EVER_S, 0, 0) + self.attributes(child)

    def read(self, number, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        return self.content(number)[offset : offset + size]

    def answer(self, code, number, body):
        """The bytes to answer a request with, an error's number, or None for one that gets no answer."""
        if code == INIT:
            readahead = struct.unpack_from("<I", body, 8)[0]
            return struct.pack("<IIIIHHIIHHI28x", *VERSION, readahead, 0, 16, 12, 1 << 16, 1, 0, 0, 0)
        if code == LOOKUP:
            return self.lookup(number, body)
        if code == GETATTR:
            return struct.pack("<QII", FOR_EVER_S, 0, 0) + self.attributes(number)
        if code in (OPEN, OPENDIR):
            return struct.pack("<QII", 0, KEEP_CACHE, 0)
        if code == READ:
            return self.read(number, body)
        if code == STATFS:
            return struct.pack("<QQQQQIIII24x", 1, 0, 0, 1, 0, 4096, 255, 4096, 0)
        if code in (RELEASE, RELEASEDIR, FLUSH, ACCESS):
            return b""
        return None if code in (FORGET, BATCH_FORGET, INTERRUPT) else errno.ENOSYS


def mount(folder):
    """Returns the descriptor that the kernel asks by."""
    fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"hangdisk", folder.encode(), b"fuse.hangdisk", MS_RDONLY | MS_NOSUID | MS_NODEV, options) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), folder)
    return fd


def serve(fd, disk, switch):
    waiting = []  # reads
    while True:
        ready = select.select([fd], [], [], control.POLL_S if waiting else None)[0]
        requests, hanging = waiting, os.path.exists(switch)
        waiting = []
        if ready:
            try:
                requests = [*requests, os.read(fd, REQUEST_MAX)]
            except OSError as error:
                if error.errno == errno.ENODEV:  # unmounted
                    return
                if error.errno not in (errno.ENOENT, errno.EINTR):  # one that was taken back
                    raise
        for request in requests:
            _, code, unique, number = IN_HEADER.unpack_from(request)[:4]
            if code == READ and hanging:
                waiting.append(request)
            else:
                reply(fd, unique, disk.answer(code, number, request[IN_HEADER.size :]))


def reply(fd, unique, answer):
    if answer is None:
        return
    error, body = (-answer, b"") if isinstance(answer, int) else (0, answer)
    try:
        os.write(fd, OUT_HEADER.pack(OUT_HEADER.size + len(body), error, unique) + body)
    except OSError as problem:
        if problem.errno != errno.ENOENT:  # who asked has been killed meanwhile
            raise


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    control.die_with_parent()
    device = mount(sys.argv[1])
    print(os.getpid(), flush=True)
    serve(device, Disk(sys.argv[3:]), sys.argv[2])

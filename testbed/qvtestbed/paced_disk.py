"""A disk with a mechanism: one file, served through FUSE, one request at a time.

Purpose: give a loop device the service times of a disk. A limit of the blkio cgroup is a quota
(so many operations in each slice of 100 ms): below it the disk costs nothing, above it everybody
waits for the next slice. A disk is a queue: every operation takes its time, and operations wait
for one another. Here each operation takes

    positioning (none if it starts where the last one ended) + length / transfer rate

with positioning = seek time (grows with the square root of the distance) + a uniformly drawn
part of a revolution. Requests are served in order of arrival. The data themselves lie in an
ordinary file, so what is measured on the loop device is this mechanism, not the machine's disk.

Usage (the testbed starts it): paced_disk.py BACKING MOUNTPOINT PARAMETERS.json
    BACKING and MOUNTPOINT are regular files; the mount hides MOUNTPOINT behind the served file.
    SIGUSR1: serve at the paced speed; SIGUSR2: serve without delay (as after the start: booting
    a guest from a slow disk would only cost time). SIGTERM: unmount and end.
Needs: root, /dev/fuse, Python >= 3.9, nothing else.
Overhead: about 0.1 ms of one CPU for each operation, beside the guests' CPU; runs with real-time
priority where that is allowed, so that the drawn service times are kept.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import math
import os
import random
import select
import signal
import struct
import sys
import time
from pathlib import Path

IN_HEADER = struct.Struct("<IIQQIIIHH")
OUT_HEADER = struct.Struct("<IiQ")
ATTR = struct.Struct("<6Q10I")
MAX_TRANSFER = 1 << 20

FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE = 2, 3, 4, 14, 15, 16, 17, 18
FSYNC, FLUSH, INIT, ACCESS, INTERRUPT, DESTROY, BATCH_FORGET = 20, 25, 26, 34, 36, 38, 42
SERVED_AT_ONCE = {FLUSH, RELEASE, ACCESS}
WITHOUT_ANSWER = {FORGET, INTERRUPT, BATCH_FORGET}

ASYNC_READ, BIG_WRITES, ASYNC_DIO, MAX_PAGES = 1 << 0, 1 << 5, 1 << 15, 1 << 22
OPEN_DIRECT, OPEN_PARALLEL_DIRECT_WRITES = 1 << 0, 1 << 6


class Mechanism:
    """How long each operation takes: the arm, the platter, the channel."""

    def __init__(self, parameters: dict, size: int) -> None:
        self.seek_min_s = parameters["seek_min_ms"] / 1e3
        self.seek_max_s = parameters["seek_max_ms"] / 1e3
        self.revolution_s = parameters["revolution_ms"] / 1e3
        self.bytes_per_s = float(parameters["bytes_per_s"])
        self.flush_s = parameters["flush_ms"] / 1e3
        self.size = max(size, 1)
        self.head = 0
        self.random = random.Random(parameters.get("seed", 1))

    def access_s(self, offset: int, length: int) -> float:
        """Service time of a read or write, in seconds; moves the arm."""
        positioning = 0.0
        if offset != self.head:
            distance = min(abs(offset - self.head) / self.size, 1.0)
            seek = self.seek_min_s + (self.seek_max_s - self.seek_min_s) * math.sqrt(distance)
            positioning = seek + self.revolution_s * self.random.random()
        self.head = offset + length
        return positioning + length / self.bytes_per_s


class PacedFile:
    """Answers the kernel's FUSE requests for one regular file."""

    def __init__(self, fuse: int, backing: int, mechanism: Mechanism) -> None:
        self.fuse, self.backing, self.mechanism = fuse, backing, mechanism
        self.size = os.fstat(backing).st_size
        self.paced = False
        self.idle_at = 0.0  # when the mechanism has finished what it was given
        self.queued = False  # was the present request waiting already when the last one ended?

    def serve(self) -> None:
        """Serve until the file system is unmounted."""
        poll = select.poll()
        poll.register(self.fuse, select.POLLIN)
        while True:
            try:
                self.queued = bool(poll.poll(0))
                request = os.read(self.fuse, MAX_TRANSFER + 4096)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                raise
            if not self.answer(request):
                return

    def answer(self, request: bytes) -> bool:
        """Answer one request; False when the kernel says goodbye."""
        _, opcode, unique, *_ = IN_HEADER.unpack_from(request)
        body = memoryview(request)[IN_HEADER.size :]
        if opcode in WITHOUT_ANSWER:
            return True
        error, reply = 0, b""
        try:
            if opcode == READ:
                offset, length = struct.unpack_from("<8xQI", body)
                reply = os.pread(self.backing, length, offset)
                self.take(self.mechanism.access_s(offset, length))
            elif opcode == WRITE:
                offset, length = struct.unpack_from("<8xQI", body)
                written = os.pwrite(self.backing, body[40 : 40 + length], offset)
                reply = struct.pack("<II", written, 0)
                self.take(self.mechanism.access_s(offset, length))
            elif opcode == FSYNC:
                self.take(self.mechanism.flush_s)
            elif opcode in (GETATTR, SETATTR):
                reply = struct.pack("<QII", 3600, 0, 0) + self.attributes()
            elif opcode == OPEN:
                reply = struct.pack("<QII", 1, OPEN_DIRECT | OPEN_PARALLEL_DIRECT_WRITES, 0)
            elif opcode == STATFS:
                reply = struct.pack("<5Q10I", 0, 0, 0, 1, 0, 4096, 255, 4096, *([0] * 7))
            elif opcode == INIT:
                reply = self.init(body)
            elif opcode == DESTROY:
                self.reply(unique, 0, b"")
                return False
            elif opcode not in SERVED_AT_ONCE:
                error = errno.ENOSYS
        except OSError as failure:
            error = failure.errno or errno.EIO
        self.reply(unique, error, reply)
        return True

    def take(self, service_s: float) -> None:
        """Hold the answer back until the mechanism would have done the work."""
        if not self.paced:
            return
        now = time.monotonic()
        start = self.idle_at if self.queued and self.idle_at > now - 0.005 else now
        self.idle_at = start + service_s
        if self.idle_at > now:
            time.sleep(self.idle_at - now)

    def reply(self, unique: int, error: int, data: bytes) -> None:
        """Send an answer."""
        if error:
            data = b""
        try:
            os.write(self.fuse, OUT_HEADER.pack(OUT_HEADER.size + len(data), -error, unique) + data)
        except OSError as failure:
            if failure.errno not in (errno.ENOENT, errno.EINTR):
                raise

    def init(self, body: memoryview) -> bytes:
        """Agree on the protocol."""
        major, minor, readahead, offered = struct.unpack_from("<IIII", body)
        flags = offered & (ASYNC_READ | BIG_WRITES | ASYNC_DIO | MAX_PAGES)
        head = struct.pack(
            "<IIIIHHIIHH",
            major,
            min(minor, 31),
            readahead,
            flags,
            64,
            48,
            MAX_TRANSFER,
            1,
            MAX_TRANSFER // 4096,
            0,
        )
        return head + bytes(64 - len(head))

    def attributes(self) -> bytes:
        """The file's attributes as stat would show them."""
        return ATTR.pack(
            1, self.size, self.size // 512, 0, 0, 0, 0, 0, 0, 0o100600, 1, 0, 0, 0, 4096, 0
        )


def mount(fuse: int, mountpoint: str) -> None:
    """Mount the FUSE connection on a regular file."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={fuse},rootmode=100000,user_id=0,group_id=0,allow_other"
    if libc.mount(b"queuevisor-disk", os.fsencode(mountpoint), b"fuse", 0, options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), mountpoint)


def prefer_this_process() -> None:
    """Real-time priority and exact timers, as far as the machine allows."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, -20)
    ctypes.CDLL(None).prctl(29, 1, 0, 0, 0)  # PR_SET_TIMERSLACK, in ns
    # PR_SET_IO_FLUSHER: memory needed here must not wait for a disk that we serve ourselves
    ctypes.CDLL(None).prctl(57, 1, 0, 0, 0)


def main(arguments: list[str]) -> int:
    """Serve one file."""
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    backing_path, mountpoint, parameters_path = arguments
    with Path(parameters_path).open(encoding="utf-8") as stream:
        parameters = json.load(stream)
    backing = os.open(backing_path, os.O_RDWR)
    fuse = os.open("/dev/fuse", os.O_RDWR)
    served = PacedFile(fuse, backing, Mechanism(parameters, os.fstat(backing).st_size))
    signal.signal(signal.SIGUSR1, lambda *_: setattr(served, "paced", True))
    signal.signal(signal.SIGUSR2, lambda *_: setattr(served, "paced", False))
    prefer_this_process()
    mount(fuse, mountpoint)
    served.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

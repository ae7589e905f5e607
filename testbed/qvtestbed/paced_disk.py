"""A paced disk: one file, served through FUSE by a single FCFS server with the service times of a disk.

It gives a loop device the service times of a disk. A limit of the blkio control group is a quota, a number of
operations in each slice of 100 ms: below it an operation is not delayed, above it all wait for the next slice. A disk
is a queue: each operation has a service time, and the others wait for it. Here the service time of an operation is

    positioning (0 if it starts where the previous one ended) + length / transfer rate

with positioning = seek time (proportional to the square root of the distance, between two bounds) + rotational latency
(uniform between 0 and one revolution). Requests are served in order of arrival. The data are in an ordinary file, so
that the loop device's counters describe this disk model, not the machine's disk.

Usage (by the testbed): paced_disk.py BACKING MOUNTPOINT PARAMETERS.json
    BACKING and MOUNTPOINT are regular files; MOUNTPOINT is hidden by the served file while it is mounted.
    SIGUSR1 switches the delays on; SIGUSR2 switches them off, as they are at the start, so that guests boot fast.
    SIGTERM ends it.
Requirements: root, /dev/fuse, Python >= 3.9.
Overhead: about 0.1 ms of CPU time per operation, on a CPU that the guests do not use. It runs with real-time priority
if that is permitted, so that the service times are exact.
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
MAX_TRANSFER_BYTES = 1 << 20

FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE = 2, 3, 4, 14, 15, 16, 17, 18
FSYNC, FLUSH, INIT, ACCESS, INTERRUPT, DESTROY, BATCH_FORGET = 20, 25, 26, 34, 36, 38, 42
NO_DATA_REPLY = {FLUSH, RELEASE, ACCESS}
NO_REPLY = {FORGET, INTERRUPT, BATCH_FORGET}

ASYNC_READ, BIG_WRITES, ASYNC_DIO, MAX_PAGES = 1 << 0, 1 << 5, 1 << 15, 1 << 22
OPEN_DIRECT, OPEN_PARALLEL_DIRECT_WRITES = 1 << 0, 1 << 6


class DiskModel:
    """Service times of a disk with one arm: seek, rotational latency, transfer."""

    def __init__(self, parameters: dict, size_bytes: int) -> None:
        self.seek_min_s = parameters["seek_min_ms"] / 1e3
        self.seek_max_s = parameters["seek_max_ms"] / 1e3
        self.revolution_s = parameters["revolution_ms"] / 1e3
        self.bytes_per_s = float(parameters["bytes_per_s"])
        self.flush_s = parameters["flush_ms"] / 1e3
        self.size_bytes = max(size_bytes, 1)
        self.position = 0
        self.generator = random.Random(parameters.get("seed", 1))

    def draw_service_s(self, offset: int, length: int) -> float:
        """Draw the service time of a read or write, in seconds, and move the arm to its end."""
        positioning_s = 0.0
        if offset != self.position:
            distance = min(abs(offset - self.position) / self.size_bytes, 1.0)
            seek_s = self.seek_min_s + (self.seek_max_s - self.seek_min_s) * math.sqrt(distance)
            positioning_s = seek_s + self.revolution_s * self.generator.random()
        self.position = offset + length
        return positioning_s + length / self.bytes_per_s


class PacedFile:
    """Serves the kernel's FUSE requests for one regular file, with delays if ``is_paced``."""

    def __init__(self, fuse: int, backing: int, model: DiskModel) -> None:
        self.fuse, self.backing, self.model = fuse, backing, model
        self.size_bytes = os.fstat(backing).st_size
        self.is_paced = False
        self.busy_until_s = 0.0  # end of the last service, on the monotonic clock
        self.was_queued = (
            False  # whether the present request arrived before the last one was completed
        )

    def serve(self) -> None:
        """Serve until the file system is unmounted."""
        poll = select.poll()
        poll.register(self.fuse, select.POLLIN)
        while True:
            try:
                self.was_queued = bool(poll.poll(0))
                request = os.read(self.fuse, MAX_TRANSFER_BYTES + 4096)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                raise
            if not self.handle(request):
                return

    def handle(self, request: bytes) -> bool:
        """Handle one request; False if the file system is being unmounted."""
        _, opcode, unique, *_ = IN_HEADER.unpack_from(request)
        body = memoryview(request)[IN_HEADER.size :]
        if opcode in NO_REPLY:
            return True
        error, reply = 0, b""
        try:
            if opcode == READ:
                offset, length = struct.unpack_from("<8xQI", body)
                reply = os.pread(self.backing, length, offset)
                self.delay(self.model.draw_service_s(offset, length))
            elif opcode == WRITE:
                offset, length = struct.unpack_from("<8xQI", body)
                written = os.pwrite(self.backing, body[40 : 40 + length], offset)
                reply = struct.pack("<II", written, 0)
                self.delay(self.model.draw_service_s(offset, length))
            elif opcode == FSYNC:
                self.delay(self.model.flush_s)
            elif opcode in (GETATTR, SETATTR):
                reply = struct.pack("<QII", 3600, 0, 0) + self.pack_attributes()
            elif opcode == OPEN:
                reply = struct.pack("<QII", 1, OPEN_DIRECT | OPEN_PARALLEL_DIRECT_WRITES, 0)
            elif opcode == STATFS:
                reply = struct.pack("<5Q10I", 0, 0, 0, 1, 0, 4096, 255, 4096, *([0] * 7))
            elif opcode == INIT:
                reply = self.negotiate(body)
            elif opcode == DESTROY:
                self.send_reply(unique, 0, b"")
                return False
            elif opcode not in NO_DATA_REPLY:
                error = errno.ENOSYS
        except OSError as failure:
            error = failure.errno or errno.EIO
        self.send_reply(unique, error, reply)
        return True

    def delay(self, service_s: float) -> None:
        """Wait until a disk would have completed an operation of this service time."""
        if not self.is_paced:
            return
        now = time.monotonic()
        # a queued request starts at the end of the last service, so that late timers do not add up
        start = self.busy_until_s if self.was_queued and self.busy_until_s > now - 0.005 else now
        self.busy_until_s = start + service_s
        if self.busy_until_s > now:
            time.sleep(self.busy_until_s - now)

    def send_reply(self, unique: int, error: int, data: bytes) -> None:
        """Send the reply to one request."""
        if error:
            data = b""
        try:
            os.write(self.fuse, OUT_HEADER.pack(OUT_HEADER.size + len(data), -error, unique) + data)
        except OSError as failure:
            if failure.errno not in (errno.ENOENT, errno.EINTR):
                raise

    def negotiate(self, body: memoryview) -> bytes:
        """Return the reply to FUSE_INIT: protocol version and flags that both sides support."""
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
            MAX_TRANSFER_BYTES,
            1,
            MAX_TRANSFER_BYTES // 4096,
            0,
        )
        return head + bytes(64 - len(head))

    def pack_attributes(self) -> bytes:
        """Pack the attributes of the file for FUSE_GETATTR."""
        return ATTR.pack(
            1,
            self.size_bytes,
            self.size_bytes // 512,
            0,
            0,
            0,
            0,
            0,
            0,
            0o100600,
            1,
            0,
            0,
            0,
            4096,
            0,
        )


def mount_fuse(fuse: int, mountpoint: str) -> None:
    """Mount the FUSE connection on a regular file."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={fuse},rootmode=100000,user_id=0,group_id=0,allow_other"
    if libc.mount(b"queuevisor-disk", os.fsencode(mountpoint), b"fuse", 0, options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), mountpoint)


def raise_priority() -> None:
    """Set real-time priority and exact timers, as far as the machine permits."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, -20)
    ctypes.CDLL(None).prctl(29, 1, 0, 0, 0)  # PR_SET_TIMERSLACK, in ns
    # PR_SET_IO_FLUSHER: a memory allocation here must not wait for the disk that this process serves
    ctypes.CDLL(None).prctl(57, 1, 0, 0, 0)


def main(arguments: list[str]) -> int:
    """Serve one file until it is unmounted."""
    if len(arguments) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    backing_path, mountpoint, parameters_path = arguments
    with Path(parameters_path).open(encoding="utf-8") as stream:
        parameters = json.load(stream)
    backing = os.open(backing_path, os.O_RDWR)
    fuse = os.open("/dev/fuse", os.O_RDWR)
    file = PacedFile(fuse, backing, DiskModel(parameters, os.fstat(backing).st_size))
    signal.signal(signal.SIGUSR1, lambda *_: setattr(file, "is_paced", True))
    signal.signal(signal.SIGUSR2, lambda *_: setattr(file, "is_paced", False))
    raise_priority()
    mount_fuse(fuse, mountpoint)
    file.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

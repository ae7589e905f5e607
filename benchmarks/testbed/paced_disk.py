"""Overhead of the paced disk: reads without delays against pread, reads with delays against plain sleeps.

    .venv/bin/python benchmarks/testbed/paced_disk.py [--reads 1000] [--json FILE]

The disk of the first server (testbed/servers.json) reads 16 KiB at offsets drawn with a fixed seed. Nothing is mounted
and no root is needed: the requests have the kernel's format and the replies go into a pipe. In the testbed the kernel's
FUSE adds to this. The first ratio is of CPU time of this process, since the machine may be busy with other work. The
second is of wall time: its peer sleeps for the service time of each read, reads and sleeps in turn, so that timers that
fire late on a busy machine affect both.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "testbed"))

from qvtestbed import paced_disk, servers

READ_BYTES = 16 << 10
FILE_BYTES = 64 << 20
READ_BODY = struct.Struct("<QQIIQII")
HEADER = paced_disk.IN_HEADER.pack(
    paced_disk.IN_HEADER.size + READ_BODY.size, paced_disk.READ, 77, 1, 0, 0, 0, 0, 0
)
MAX_CPU_RATIO, MAX_TIME_RATIO = 10.0, 1.1


class Reader:
    """Reads the same offsets of one file by pread, and by requests to the paced file."""

    def __init__(self, folder: str, reads: int) -> None:
        path = Path(folder) / "backing"
        path.write_bytes(os.urandom(1 << 20) * (FILE_BYTES >> 20))
        self.backing = os.open(path, os.O_RDONLY)
        self.read_end, write_end = os.pipe()
        self.file = paced_disk.PacedFile(write_end, self.backing, build_disk_model())
        generator = random.Random(1)
        self.offsets = [generator.randrange(0, FILE_BYTES - READ_BYTES, 4096) for _ in range(reads)]

    def read_by_pread(self) -> None:
        """Read all offsets by pread."""
        for offset in self.offsets:
            assert len(os.pread(self.backing, READ_BYTES, offset)) == READ_BYTES

    def request(self, offset: int) -> None:
        """Read one offset by a request to the paced file."""
        self.file.handle(HEADER + READ_BODY.pack(1, offset, READ_BYTES, 0, 0, 0, 0))
        reply = os.read(self.read_end, 2 * READ_BYTES)
        assert len(reply) == READ_BYTES + paced_disk.OUT_HEADER.size

    def read_by_requests(self) -> None:
        """Read all offsets by requests to the paced file."""
        for offset in self.offsets:
            self.request(offset)

    def measure_delays(self) -> tuple[float, float, float]:
        """Measure wall time with delays.

        Returns
        -------
        tuple of float
            Seconds of all reads, seconds of as many sleeps of the same lengths, and the sum of the service times.
        """
        self.file.model, model = build_disk_model(), build_disk_model()  # the same service times
        self.file.is_paced = True
        reads_s = sleeps_s = service_times_s = 0.0
        for offset in self.offsets:
            service_s = model.draw_service_s(offset, READ_BYTES)
            service_times_s += service_s
            reads_s += measure(time.monotonic, lambda offset=offset: self.request(offset))
            sleeps_s += measure(time.monotonic, lambda service_s=service_s: time.sleep(service_s))
        return reads_s, sleeps_s, service_times_s


def build_disk_model() -> paced_disk.DiskModel:
    """Build the model of the first server's disk."""
    return paced_disk.DiskModel(servers.read_server("first")["disk"], FILE_BYTES)


def measure(clock: Callable[[], float], function: Callable[[], None], repeats: int = 1) -> float:
    """Call a function and return the median of its times by a clock, in seconds."""
    times_s = []
    for _ in range(repeats):
        started = clock()
        function()
        times_s.append(clock() - started)
    return sorted(times_s)[repeats // 2]


def main() -> int:
    """Measure and print; return 0 if both ratios are within their limits, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--reads", type=int, default=1000, help="number of reads (default: 1000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measured times here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(folder, options.reads)
        reader.read_by_pread()
        requests_before_s = measure(time.process_time, reader.read_by_requests, 9)
        pread_s = measure(time.process_time, reader.read_by_pread, 9)
        requests_s = max(requests_before_s, measure(time.process_time, reader.read_by_requests, 9))
        delayed_s, sleeps_s, service_times_s = reader.measure_delays()
    us_per_read = 1e6 / options.reads
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print(f"| {options.reads:,} reads of 16 KiB | per read | peer | per read | ratio |")
    print("|---|---|---|---|---|")
    print(
        f"| without delays, CPU time | {requests_s * us_per_read:.1f} µs | pread at the same offsets | "
        f"{pread_s * us_per_read:.1f} µs | {requests_s / pread_s:.2f} |"
    )
    print(
        f"| with delays, wall time | {delayed_s * us_per_read:,.0f} µs | "
        f"sleeps of {service_times_s * us_per_read:,.0f} µs | "
        f"{sleeps_s * us_per_read:,.0f} µs | {delayed_s / sleeps_s:.3f} |"
    )
    if options.json:
        times = {
            "requests_s": requests_s,
            "pread_s": pread_s,
            "delayed_s": delayed_s,
            "sleeps_s": sleeps_s,
            "service_times_s": service_times_s,
        }
        options.json.write_text(json.dumps(times, indent=1) + "\n")
    print(f"\nLimits: {MAX_CPU_RATIO:g} times pread, {MAX_TIME_RATIO:g} times the sleeps.")
    return (
        0 if requests_s / pread_s <= MAX_CPU_RATIO and delayed_s / sleeps_s <= MAX_TIME_RATIO else 1
    )


if __name__ == "__main__":
    sys.exit(main())

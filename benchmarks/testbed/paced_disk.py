"""What the paced disk adds to a read: served without delay beside a plain pread, paced beside plain sleeps.

    .venv/bin/python benchmarks/testbed/paced_disk.py [--reads 1000] [--json FILE]

The first server's disk of testbed/envelopes.json reads 16 KiB at places drawn by a seed. No file system is mounted
and no root needed: requests as the kernel sends them are answered into a pipe; in the testbed the kernel's FUSE
comes on top. The first ratio is of CPU seconds of this process, since the machine may be at other work. The second
is of wall time: its peer sleeps as long as the mechanism says that each read takes, read by read in turn, so that
timers that fire late on a busy machine are in both.
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

from qvtestbed import paced_disk, paths

BYTES = 16 << 10
SIZE = 64 << 20
REQUEST = struct.Struct("<QQIIQII")
HEAD = paced_disk.IN_HEADER.pack(
    paced_disk.IN_HEADER.size + REQUEST.size, paced_disk.READ, 77, 1, 0, 0, 0, 0, 0
)
ADDS_AT_MOST, LATE_AT_MOST = 10.0, 1.1


class Reader:
    """The same places of one file, read plainly and by requests to the paced file."""

    def __init__(self, folder: str, reads: int) -> None:
        path = Path(folder) / "backing"
        path.write_bytes(os.urandom(1 << 20) * (SIZE >> 20))
        self.backing = os.open(path, os.O_RDONLY)
        self.end, into = os.pipe()
        self.file = paced_disk.PacedFile(into, self.backing, mechanism())
        dice = random.Random(1)
        self.places = [dice.randrange(0, SIZE - BYTES, 4096) for _ in range(reads)]

    def plain(self) -> None:
        """Each place by pread."""
        for place in self.places:
            assert len(os.pread(self.backing, BYTES, place)) == BYTES

    def ask(self, place: int) -> None:
        """One place by a request to the paced file."""
        self.file.answer(HEAD + REQUEST.pack(1, place, BYTES, 0, 0, 0, 0))
        assert len(os.read(self.end, 2 * BYTES)) == BYTES + paced_disk.OUT_HEADER.size

    def served(self) -> None:
        """Each place by a request to the paced file."""
        for place in self.places:
            self.ask(place)

    def paced(self) -> tuple[float, float, float]:
        """Wall seconds of all reads at the disk's pace and of as long sleeps; what the mechanism was given."""
        self.file.mechanism, same = mechanism(), mechanism()  # of one seed: the same service times
        self.file.paced = True
        waited = slept = given = 0.0
        for place in self.places:
            service_s = same.access_s(place, BYTES)
            given += service_s
            waited += taken(time.monotonic, lambda place=place: self.ask(place))
            slept += taken(time.monotonic, lambda service_s=service_s: time.sleep(service_s))
        return waited, slept, given


def mechanism() -> paced_disk.Mechanism:
    """The first server's disk, its head at the start."""
    return paced_disk.Mechanism(paths.envelope("first")["disk"], SIZE)


def taken(clock: Callable[[], float], run: Callable[[], None], times: int = 1) -> float:
    """The median of seconds by a clock."""
    found = []
    for _ in range(times):
        began = clock()
        run()
        found.append(clock() - began)
    return sorted(found)[times // 2]


def main() -> int:
    """Measure, print, and say whether it is enough."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--reads", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(folder, options.reads)
        reader.plain()
        before = taken(time.process_time, reader.served, 9)
        plain = taken(time.process_time, reader.plain, 9)
        served = max(before, taken(time.process_time, reader.served, 9))
        paced, slept, given = reader.paced()
    each = 1e6 / options.reads
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print(f"| {options.reads:,} reads of 16 KiB | a read | peer | a read | ratio |")
    print("|---|---|---|---|---|")
    print(
        f"| served without delay, CPU time | {served * each:.1f} µs | pread of the same places | "
        f"{plain * each:.1f} µs | {served / plain:.2f} |"
    )
    print(
        f"| served at the disk's pace, wall time | {paced * each:,.0f} µs | sleeps of {given * each:,.0f} µs | "
        f"{slept * each:,.0f} µs | {paced / slept:.3f} |"
    )
    if options.json:
        figures = {
            "served_s": served,
            "plain_s": plain,
            "paced_s": paced,
            "slept_s": slept,
            "given_s": given,
        }
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(
        f"\nSet: at most {ADDS_AT_MOST:g} times pread, at most {LATE_AT_MOST:g} times the sleeps."
    )
    return 0 if served / plain <= ADDS_AT_MOST and paced / slept <= LATE_AT_MOST else 1


if __name__ == "__main__":
    sys.exit(main())

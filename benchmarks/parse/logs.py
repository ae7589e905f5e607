"""Generated logs of any size for the benchmark, the same for the same seed, in the format of each tool.

A log is records of a head, which has a time or a number, and a body. The bodies of the first ``DISTINCT_BYTES`` are
drawn at random; a longer log has them again and again, as drawing 10 GB takes longer than reading them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

SECOND = 1_000_000_000
EPOCH = 1_795_383_360
DISTINCT_BYTES = 60_000_000
BLOCK_BYTES = 1_000_000
"""Written at a time."""

SIZES = ("10.6g", "125.1m", "0", "0", "0", "1520", "9796", "61200", "988140", "27896")
"""RES as top prints it: mostly KiB, a few with a unit letter."""


def tick(number: int) -> str:
    """The collectors' sentinel line before a snapshot."""
    return f"#T {(EPOCH + number) * SECOND} {number * SECOND} {number} 5f1c\n"


def clock(number: int) -> str:
    """Hours, minutes and seconds."""
    return f"{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}"


def no_head(_: int) -> str:
    """Of a record without a time."""
    return ""


def top(dice: random.Random) -> Iterator[str]:
    """procps 3.3.10 with 600 processes."""
    tasks = [
        (pid, dice.choice(("root", "qemu", "mysql", "systemd+")), dice.choice(("S", "S", "S", "R", "D")),
         dice.choice(("qemu-kvm", "kworker/0:1H", "/usr/sbin/mysqld --basedir=/usr", "sshd")))
        for pid in sorted(dice.sample(range(1, 99999), 600))
    ]  # fmt: skip
    while True:
        rows = "".join(
            f"{pid:5d} {user:8s}  20   0 {dice.randrange(10**7):7d} {dice.choice(SIZES):>6s} "
            f"{dice.randrange(10**5):6d} {state} {dice.randrange(999) / 10:4.1f} {dice.randrange(99) / 10:4.1f} "
            f"{dice.randrange(999):3d}:{dice.randrange(60):02d}.{dice.randrange(100):02d} {command}\n"
            for pid, user, state, command in tasks
        )
        yield (
            " up 2 days, 17:39,  2 users,  load average: 0.41, 0.51, 0.68\n"
            "Tasks: 600 total,   1 running, 599 sleeping,   0 stopped,   0 zombie\n"
            "%Cpu(s): 18.7 us,  4.6 sy,  0.0 ni, 76.0 id,  0.2 wa,  0.0 hi,  0.5 si,  0.0 st\n"
            "KiB Mem :  3861332 total,  3446476 free,   216940 used,   197916 buff/cache\n"
            "KiB Swap:  4194300 total,  4194300 free,        0 used.  3412094 avail Mem \n\n"
            "  PID USER      PR  NI    VIRT    RES    SHR S %CPU %MEM     TIME+ COMMAND\n"
            f"{rows}\n"
        )


def iotop(dice: random.Random) -> Iterator[str]:
    """iotop.py 0.6 with 100 tasks."""
    while True:
        rows = "".join(
            f"{tid:7d} be/4 mysql    {dice.randrange(10**5) / 100:8.2f} K/s {dice.randrange(10**5) / 100:8.2f} K/s "
            f" 0.00 % {dice.randrange(9999) / 100:5.2f} % mysqld --basedir=/usr\n"
            for tid in range(1000, 1100)
        )
        yield (
            "Total DISK READ :     365.81 K/s | Total DISK WRITE :       2.24 M/s\n"
            "Actual DISK READ:     365.81 K/s | Actual DISK WRITE:       1.10 M/s\n"
            f"    TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND\n{rows}"
        )


def block(dice: random.Random) -> Iterator[str]:
    """20 devices of 17 fields, as ``grep -H '' /sys/block/*/stat`` prints them."""
    while True:
        yield "".join(
            f"/sys/block/vd{letter}/stat:" + "".join(f" {dice.randrange(10**9):8d}" for _ in range(17)) + "\n"
            for letter in "abcdefghijklmnopqrst"
        )  # fmt: skip


def diskstats(dice: random.Random) -> Iterator[str]:
    """The same 20 devices of 17 fields, as /proc/diskstats has them."""
    while True:
        yield "".join(
            f" 254 {16 * number:7d} vd{letter}" + "".join(f" {dice.randrange(10**9)}" for _ in range(17)) + "\n"
            for number, letter in enumerate("abcdefghijklmnopqrst")
        )  # fmt: skip


def tasks(dice: random.Random) -> Iterator[str]:
    """The collectors' counters of 10 processes of 10 threads."""
    while True:
        lines = [
            "cpu  120 0 80 5000000 9 0 1 0 0 0\n",
            "cpu0 120 0 80 5000000 9 0 1 0 0 0\n",
        ]
        for pid in range(800, 900, 10):
            lines.append(
                f"p {pid} 4411 1 S 10 {dice.randrange(10**6)} 40 0 0 20 7 51200 qemu-system-x86\n"
            )
            lines.append(f"i {pid} 4411 900 800 12 11 {dice.randrange(10**9)} 8192 0\n")
            lines += (
                f"t {pid} {pid + n} 4411 S 0 {dice.randrange(10**6)} 10 0 2 CPU {n}/KVM\n" for n in range(10)
            )  # fmt: skip
        yield "".join(lines)


def access(dice: random.Random) -> Iterator[str]:
    """Combined form."""
    while True:
        yield (
            f'192.0.2.{dice.randrange(256)} - - [22/Nov/2026:21:{dice.randrange(60):02d}:00 +0000] "GET /page/'
            f'{dice.randrange(10**6)}.html HTTP/1.1" 200 {dice.randrange(10**5)} "-" "httperf/0.9.0"\n'
        )


def general(dice: random.Random) -> Iterator[str]:
    """MariaDB: a time, then blanks."""
    while True:
        yield f"{dice.randrange(99):5d} Query\tBEGIN\n" + "".join(
            f"\t\t{dice.randrange(99):5d} Query\tSELECT c FROM sbtest1 WHERE id={dice.randrange(10**6)}\n"
            for _ in range(100)
        )


def sysbench(dice: random.Random) -> Iterator[str]:
    """Interval lines of 1.0."""
    while True:
        yield (
            f"thds: 16 tps: {dice.randrange(10**5) / 100:.2f} qps: {dice.randrange(10**6) / 100:.2f} "
            f"(r/w/o: 1.00/2.00/3.00) lat (ms,95%): {dice.randrange(10**4) / 100:.2f} err/s: 0.00 reconn/s: 0.00\n"
        )


def httperf(dice: random.Random) -> Iterator[str]:
    """Consecutive reports."""
    while True:
        n = dice.randrange(1, 10_000)
        yield f"""\
httperf --client=0/1 --server=h --port=80 --uri=/ --rate=5 --send-buffer=4096 --num-conns={n} --num-calls=1
Maximum connect burst length: 1

Total: connections {n} requests {n} replies {n} test-duration 6.602 s

Connection rate: 1.7 conn/s (600.2 ms/conn, <=1 concurrent connections)
Connection time [ms]: min 1.0 avg 1.2 max 1.7 median 1.5 stddev 0.2
Connection time [ms]: connect 0.1
Connection length [replies/conn]: 1.000

Request rate: 1.7 req/s (600.2 ms/req)
Request size [B]: 62.0

Reply rate [replies/s]: min 1.6 avg 1.6 max 1.6 stddev 0.0 (1 samples)
Reply time [ms]: response 1.1 transfer 0.3
Reply size [B]: header 155.0 content 304.0 footer 0.0 (total 459.0)
Reply status: 1xx=0 2xx={n} 3xx=0 4xx=0 5xx=0

CPU time [s]: user 0.39 system 5.75 (user 5.9% system 87.1% total 93.0%)
Net I/O: 0.9 KB/s (0.0*10^6 bps)

Errors: total 0 client-timo 0 socket-timo 0 connrefused 0 connreset 0
Errors: fd-unavail 0 addrunavail 0 ftab-full 0 other 0
"""


def statements(dice: random.Random) -> Iterator[str]:
    """A general log with statements of two lines."""
    while True:
        yield f"Z\t   12 Query\tSELECT c\n  FROM sbtest1 WHERE id={dice.randrange(10**6)}\n"


Maker = tuple[Callable[[int], str], Callable[[random.Random], Iterator[str]]]
"""The head of a record by its number, and the bodies."""

LOGS: dict[str, Maker] = {
    "top": (lambda number: f"top - {clock(number)}", top),
    "iotop": (tick, iotop),
    "block": (tick, block),
    "tasks": (tick, tasks),
    "access": (no_head, access),
    "general": (lambda number: f"261122 {clock(number)}\t", general),
    "httperf": (no_head, httperf),
    "sysbench": (lambda number: f"[ {number + 1}s ] ", sysbench),
}
"""Kind of log → its records."""
OTHERS: dict[str, Maker] = {
    "diskstats": (tick, diskstats),
    "statements": (lambda number: f"2026-11-22T21:36:00.{number % 10**6:06d}", statements),
}
"""Other forms of a kind."""
KIND_OF = {"diskstats": "block", "statements": "general"}
"""Other form → its kind."""


def write_log(kind: str, path: Path, size: int, seed: int = 1) -> int:
    """Write at least ``size`` bytes of a kind or form, whole records; the number of bytes."""
    head, make = (LOGS | OTHERS)[kind]
    length, pending, block = 0, 0, []
    with path.open("w") as file:
        for number, body in enumerate(_repeated(make(random.Random(f"{kind} {seed}")))):
            record = head(number) + body
            block.append(record)
            length += len(record)
            pending += len(record)
            if length >= size or pending >= BLOCK_BYTES:
                file.write("".join(block))
                block.clear()
                pending = 0
            if length >= size:
                return length
    raise AssertionError("a generator of a log ended")


def _repeated(bodies: Iterator[str]) -> Iterator[str]:
    """The bodies of ``DISTINCT_BYTES``, then the same from the beginning, for ever."""
    kept, length = [], 0
    for body in bodies:
        yield body
        kept.append(body)
        length += len(body)
        if length >= DISTINCT_BYTES:
            break
    yield from cycle(kept)


if __name__ == "__main__":
    print(write_log(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))

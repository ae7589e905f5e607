#!/usr/bin/env python3
"""How fast the memory is just now: a walk from cell to cell, each telling where the next one lies.

Other virtual machines of the same physical processor share its last cache. What they take of it shows in no counter
of this machine: no time is stolen, a loop that fits into a core's own caches takes as long as ever, and yet an
emulator, whose translated code is larger than those, needs up to twice the time for the same work. A walk over more
than a core's own caches hold tells it: near 20 ns a step where the last cache keeps it (plus the interpreter's own
time), 150 ns where each step goes to memory.

    cache_walk.py FILE    one line a second: epoch in ns, ns a step of the second of two walks
"""

from __future__ import annotations

import random
import sys
import time
from array import array
from pathlib import Path
from statistics import median, quantiles

WALK_BYTES = 4 << 20
"""More than a core's own caches (1 or 2 MiB), less than its share of the last one."""
LINE_BYTES = 64
INTERVAL_S = 1.0


def ring(bytes_: int = WALK_BYTES, seed: int = 1) -> array:
    """An array whose cells, one in a cache line, lead through all lines in one circle, in random order."""
    step = LINE_BYTES // 8
    order = list(range(0, bytes_ // 8, step))
    random.Random(seed).shuffle(order)
    cells = array("q", bytes(bytes_))
    for here, there in zip(order, order[1:] + order[:1], strict=True):
        cells[here] = there
    return cells


def walk(cells: array) -> int:
    """Once around; returns the steps taken. No step can begin before the one before it has ended."""
    at, steps = cells[0], 1
    while at:
        at = cells[at]
        steps += 1
    return steps


def step_ns(cells: array) -> float:
    """Nanoseconds a step, of a second walk right after a first: what the cache keeps meanwhile, it keeps for both."""
    walk(cells)
    started = time.thread_time_ns()  # not the time in which others had this CPU
    steps = walk(cells)
    return (time.thread_time_ns() - started) / steps


def now_ns(walks: int = 5) -> float:
    """Nanoseconds a step just now: the median of some walks, a second or two in all."""
    cells = ring()
    return median(step_ns(cells) for _ in range(walks))


def main(path: str) -> None:
    """A line a second, until ended by a signal."""
    cells = ring()
    with Path(path).open("w") as log:
        while True:
            log.write(f"{time.time_ns()} {step_ns(cells):.1f}\n")
            log.flush()
            time.sleep(INTERVAL_S - time.time() % INTERVAL_S)


def note(text: str, window: dict) -> str | None:
    """What a log of walks says of the seconds of a load, for run.json; None if it has too few of them."""
    lines = [line.split() for line in text.splitlines() if line.count(" ") == 1]
    during = [float(ns) for at, ns in lines if window["start_ns"] <= int(at) <= window["end_ns"]]
    if len(during) < 4:
        return None
    low, middle, high = quantiles(during, n=4)
    return (
        f"cache walk over {WALK_BYTES >> 20} MiB under load: {middle:.0f} ns a step "
        f"(quartiles {low:.0f} and {high:.0f}, {len(during)} walks)"
    )


if __name__ == "__main__":
    main(sys.argv[1])

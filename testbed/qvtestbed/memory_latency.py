#!/usr/bin/env python3
"""Memory latency by pointer chasing: nanoseconds per access to a buffer of 4 MiB.

Virtual machines of one physical processor share its last-level cache. How much of it the other machines occupy is in
no counter of this one: there is no steal time, and a loop that fits into a core's own caches takes as long as before.
An emulator, whose translated code is larger than those caches, needs up to twice the time for the same work. Accesses
to a buffer that is larger than a core's own caches show it: about 20 ns per access (plus the interpreter's own time)
if the last-level cache holds the buffer, 150 ns if every access goes to memory.

    memory_latency.py FILE    write one line per second: epoch time in ns, ns per access
"""

from __future__ import annotations

import random
import sys
import time
from array import array
from pathlib import Path
from statistics import median, quantiles

BUFFER_BYTES = 4 << 20
"""More than a core's own caches (1 or 2 MiB), less than its share of the last-level cache."""
LINE_BYTES = 64
INTERVAL_S = 1.0
MIN_SAMPLES = 4


def build_pointer_chain(size_bytes: int = BUFFER_BYTES, seed: int = 1) -> array:
    """Build a cyclic chain through all cache lines of a buffer, in random order.

    Returns
    -------
    array
        64-bit integers. The first cell of each cache line holds the index of the next line's first cell.
    """
    cells_per_line = LINE_BYTES // 8
    order = list(range(0, size_bytes // 8, cells_per_line))
    random.Random(seed).shuffle(order)
    chain = array("q", bytes(size_bytes))
    for cell, next_cell in zip(order, order[1:] + order[:1], strict=True):
        chain[cell] = next_cell
    return chain


def chase_pointers(chain: array) -> int:
    """Follow the chain once round; return the number of accesses. Each access needs the value of the one before."""
    cell, accesses = chain[0], 1
    while cell:
        cell = chain[cell]
        accesses += 1
    return accesses


def measure_latency_ns(chain: array) -> float:
    """Measure nanoseconds per access, in the second of two rounds: the first one fills the cache."""
    chase_pointers(chain)
    started = time.thread_time_ns()  # excludes the time in which other threads had this CPU
    accesses = chase_pointers(chain)
    return (time.thread_time_ns() - started) / accesses


def measure_median_latency_ns(samples: int = 5) -> float:
    """Measure the present latency: the median of some samples, which take 1 to 2 s in all."""
    chain = build_pointer_chain()
    return median(measure_latency_ns(chain) for _ in range(samples))


def main(path: str) -> None:
    """Write one sample per second, until ended by a signal."""
    chain = build_pointer_chain()
    with Path(path).open("w") as log:
        while True:
            log.write(f"{time.time_ns()} {measure_latency_ns(chain):.1f}\n")
            log.flush()
            time.sleep(INTERVAL_S - time.time() % INTERVAL_S)


def summarize_log(text: str, window: dict) -> str | None:
    """Summarize the samples within a run's window, for the notes of run.json; None if they are too few."""
    lines = [line.split() for line in text.splitlines() if line.count(" ") == 1]
    in_window = [
        float(latency_ns)
        for time_ns, latency_ns in lines
        if window["start_ns"] <= int(time_ns) <= window["end_ns"]
    ]
    if len(in_window) < MIN_SAMPLES:
        return None
    lower, middle, upper = quantiles(in_window, n=4)
    return (
        f"memory latency under load, pointer chasing over {BUFFER_BYTES >> 20} MiB: {middle:.0f} ns "
        f"per access (quartiles {lower:.0f} and {upper:.0f}, {len(in_window)} samples)"
    )


if __name__ == "__main__":
    main(sys.argv[1])

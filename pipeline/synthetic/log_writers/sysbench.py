"""sysbench.log: the report of sysbench 1.0.20 running oltp_read_write, with interval lines and histogram."""

from __future__ import annotations

import math

import numpy as np

from pipeline.synthetic.event_history import Floats, Guest, Ints

READS, WRITES, OTHERS = 14, 4, 2
"""Statements of one transaction of oltp_read_write; the others are BEGIN and COMMIT."""
STATEMENTS = "o" + READS * "r" + WRITES * "w" + "o"
"""Their order."""
PERCENTILE = 95
BUCKETS = 1024
LEAST_MS, MOST_MS = 0.001, 100_000.0
WIDTH = 40
"""Of the histogram's longest bar."""
SCALE = (BUCKETS - 1) / (math.log(MOST_MS) - math.log(LEAST_MS))


def command(guest: Guest, seconds: float, seed: int) -> list[str]:
    """The command that makes such a load."""
    return [
        "sysbench", "oltp_read_write", "--db-driver=mysql", "--mysql-host=127.0.0.1",
        "--mysql-port=23306", "--mysql-user=sbtest", "--mysql-password=sbtest", "--mysql-db=sbtest",
        "--tables=1", "--table-size=1000000", "--rand-type=uniform", f"--rand-seed={seed}",
        f"--threads={guest.load.threads}", f"--time={seconds:g}", "--report-interval=1",
        f"--percentile={PERCENTILE}", "--histogram", "run",
    ]  # fmt: skip


def sysbench_log(guest: Guest, seconds: float, seed: int) -> str:
    """The report of a finished load that was to run for ``seconds``."""
    threads = guest.load.threads
    latency_ms = 1000 * guest.response_s
    began = guest.arrival_s - guest.arrival_s.min()
    ended = began + guest.response_s
    number, length = len(ended), float(ended.max())
    counted = [number * each for each in (READS, WRITES, OTHERS)]
    queries = sum(counted)
    events = np.bincount(guest.worker, minlength=threads)
    spent = np.bincount(guest.worker, weights=guest.response_s, minlength=threads)
    counts = buckets(latency_ms)
    intervals = "\n".join(interval_lines(began, ended, latency_ms, threads, int(seconds)))
    return f"""\
sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

Running the test with following options:
Number of threads: {threads}
Report intermediate results every 1 second(s)
Initializing random number generator from seed ({seed}).


Initializing worker threads...

Threads started!

{intervals}
Latency histogram (values are in milliseconds)
       value  ------------- distribution ------------- count
{histogram(counts)}
 
SQL statistics:
    queries performed:
        read:                            {counted[0]}
        write:                           {counted[1]}
        other:                           {counted[2]}
        total:                           {queries}
    transactions:                        {number:<6d} ({number / length:.2f} per sec.)
    queries:                             {queries:<6d} ({queries / length:.2f} per sec.)
    ignored errors:                      {0:<6d} ({0:.2f} per sec.)
    reconnects:                          {0:<6d} ({0:.2f} per sec.)

General statistics:
    total time:                          {length:.4f}s
    total number of events:              {number}

Latency (ms):
         min:                            {latency_ms.min():>15.2f}
         avg:                            {latency_ms.mean():>15.2f}
         max:                            {latency_ms.max():>15.2f}
         {PERCENTILE}th percentile:                {percentile(counts):>15.2f}
         sum:                            {latency_ms.sum():>15.2f}

Threads fairness:
    events (avg/stddev):           {events.mean():.4f}/{events.std():.2f}
    execution time (avg/stddev):   {spent.mean():.4f}/{spent.std():.2f}

"""


def interval_lines(
    began_s: Floats, ended_s: Floats, latency_ms: Floats, threads: int, seconds: int
) -> list[str]:
    """One line a second: transactions that ended in it, statements that did, and their percentile."""
    order = np.argsort(ended_s, kind="stable")
    edges = np.searchsorted(ended_s[order], np.arange(seconds + 1), side="right")
    length = ended_s - began_s
    # Statements are taken to follow each other evenly within their transaction.
    done: dict[str, Ints] = {}
    for kind in "rwo":
        share = (np.flatnonzero(np.array(list(STATEMENTS)) == kind) + 1) / len(STATEMENTS)
        at = began_s[:, None] + length[:, None] * share
        done[kind] = np.histogram(at, np.arange(seconds + 1))[0]
    lines = []
    for second in range(seconds):
        mine = order[edges[second] : edges[second + 1]]
        read, write, other = (int(done[kind][second]) for kind in "rwo")
        latency = percentile(buckets(latency_ms[mine])) if len(mine) else 0.0
        lines.append(
            f"[ {second + 1}s ] thds: {threads} tps: {len(mine):.2f} qps: {read + write + other:.2f} "
            f"(r/w/o: {read:.2f}/{write:.2f}/{other:.2f}) lat (ms,{PERCENTILE}%): {latency:.2f} "
            "err/s: 0.00 reconn/s: 0.00"
        )
    return lines


def buckets(latency_ms: Floats) -> Ints:
    """How many latencies fall into each bucket of sysbench's logarithmic histogram."""
    at = np.floor((np.log(np.maximum(latency_ms, LEAST_MS)) - math.log(LEAST_MS)) * SCALE + 0.5)
    return np.bincount(np.clip(at, 0, BUCKETS - 1).astype(np.int64), minlength=BUCKETS)


def value_ms(bucket: int) -> float:
    """What a bucket stands for."""
    return math.exp(bucket / SCALE + math.log(LEAST_MS))


def percentile(counts: Ints) -> float:
    """The value of the bucket in which the percentile lies."""
    wanted = math.floor(counts.sum() * PERCENTILE / 100 + 0.5)
    return value_ms(int(np.argmax(np.cumsum(counts) >= wanted)))


def histogram(counts: Ints) -> str:
    """A line for each bucket that is not empty."""
    most = counts.max()
    return "\n".join(
        f"{value_ms(int(at)):12.3f} |{'*' * math.floor(counts[at] * WIDTH / most + 0.5):<{WIDTH}s} {counts[at]}"
        for at in np.flatnonzero(counts)
    )

"""sysbench.log: the report of sysbench 1.0.20 running oltp_read_write, with interval lines and histogram."""

from __future__ import annotations

import math

import numpy as np

from pipeline.synthetic.event_history import Floats, GuestHistory, Ints

READS, WRITES, OTHERS = 14, 4, 2
"""Statements of one transaction of oltp_read_write; the others are BEGIN and COMMIT."""
STATEMENTS = "o" + READS * "r" + WRITES * "w" + "o"
"""Their order."""
PERCENTILE = 95
BUCKETS = 1024
MIN_MS, MAX_MS = 0.001, 100_000.0
BAR_WIDTH = 40
"""Width of the histogram's longest bar."""
SCALE = (BUCKETS - 1) / (math.log(MAX_MS) - math.log(MIN_MS))


def command(guest: GuestHistory, seconds: float, seed: int) -> list[str]:
    """The command that generates the load."""
    return [
        "sysbench", "oltp_read_write", "--db-driver=mysql", "--mysql-host=127.0.0.1",
        "--mysql-port=23306", "--mysql-user=sbtest", "--mysql-password=sbtest", "--mysql-db=sbtest",
        "--tables=1", "--table-size=1000000", "--rand-type=uniform", f"--rand-seed={seed}",
        f"--threads={guest.load.threads}", f"--time={seconds:g}", "--report-interval=1",
        f"--percentile={PERCENTILE}", "--histogram", "run",
    ]  # fmt: skip


def sysbench_log(guest: GuestHistory, seconds: float, seed: int) -> str:
    """The report of a load of ``seconds``."""
    threads = guest.load.threads
    latency_ms = 1000 * guest.response_s
    began = guest.arrival_s - guest.arrival_s.min()
    ended = began + guest.response_s
    number, length = len(ended), float(ended.max())
    statement_counts = [number * each for each in (READS, WRITES, OTHERS)]
    queries = sum(statement_counts)
    events = np.bincount(guest.worker, minlength=threads)
    busy_s = np.bincount(guest.worker, weights=guest.response_s, minlength=threads)
    counts = bucket_counts(latency_ms)
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
        read:                            {statement_counts[0]}
        write:                           {statement_counts[1]}
        other:                           {statement_counts[2]}
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
    execution time (avg/stddev):   {busy_s.mean():.4f}/{busy_s.std():.2f}

"""


def interval_lines(
    began_s: Floats, ended_s: Floats, latency_ms: Floats, threads: int, seconds: int
) -> list[str]:
    """One line per second: rates of completed transactions and statements, and the latency percentile."""
    order = np.argsort(ended_s, kind="stable")
    edges = np.searchsorted(ended_s[order], np.arange(seconds + 1), side="right")
    length = ended_s - began_s
    # Statements are evenly spaced within their transaction.
    done: dict[str, Ints] = {}
    for kind in "rwo":
        share = (np.flatnonzero(np.array(list(STATEMENTS)) == kind) + 1) / len(STATEMENTS)
        times_s = began_s[:, None] + length[:, None] * share
        done[kind] = np.histogram(times_s, np.arange(seconds + 1))[0]
    lines = []
    for second in range(seconds):
        ended_now = order[edges[second] : edges[second + 1]]
        read, write, other = (int(done[kind][second]) for kind in "rwo")
        latency = percentile(bucket_counts(latency_ms[ended_now])) if len(ended_now) else 0.0
        lines.append(
            f"[ {second + 1}s ] thds: {threads} tps: {len(ended_now):.2f} qps: {read + write + other:.2f} "
            f"(r/w/o: {read:.2f}/{write:.2f}/{other:.2f}) lat (ms,{PERCENTILE}%): {latency:.2f} "
            "err/s: 0.00 reconn/s: 0.00"
        )
    return lines


def bucket_counts(latency_ms: Floats) -> Ints:
    """Number of latencies in each bucket of sysbench's logarithmic histogram."""
    positions = np.floor((np.log(np.maximum(latency_ms, MIN_MS)) - math.log(MIN_MS)) * SCALE + 0.5)
    return np.bincount(np.clip(positions, 0, BUCKETS - 1).astype(np.int64), minlength=BUCKETS)


def bucket_value_ms(bucket: int) -> float:
    """The value that represents a bucket."""
    return math.exp(bucket / SCALE + math.log(MIN_MS))


def percentile(counts: Ints) -> float:
    """The value of the bucket that contains the percentile."""
    rank = math.floor(counts.sum() * PERCENTILE / 100 + 0.5)
    return bucket_value_ms(int(np.argmax(np.cumsum(counts) >= rank)))


def histogram(counts: Ints) -> str:
    """One line per non-empty bucket."""
    max_count = counts.max()
    lines = []
    for bucket in np.flatnonzero(counts).tolist():
        bar = "*" * math.floor(counts[bucket] * BAR_WIDTH / max_count + 0.5)
        lines.append(f"{bucket_value_ms(bucket):12.3f} |{bar:<{BAR_WIDTH}s} {counts[bucket]}")
    return "\n".join(lines)

"""Arrival traces: arrival times of a load generator that are known before the load is run.

httperf draws the gaps of ``--period=e`` (exponential ones, a Poisson stream) from a generator that always begins at
the same seed: each run has the same sequence, scaled by its rate. The sequence is an input of the
model: it has bursts of ten seconds and more, so that its rate in one minute differs from the mean rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.measure.window import NS_PER_S
from pipeline.raw import Window

Array = NDArray[np.float64]

HTTPERF = "httperf"
"""The name of httperf's sequence of exponential gaps, as its client number 0 sends it."""
HTTPERF_SEED = 0x1234 | 0x5678 << 16 | (0x9ABC ^ 0xFFFF) << 32
"""httperf 0.8 and 0.9: the state of its generator of gaps at the start, client 0 of 1."""
MULTIPLIER, INCREMENT, BITS = 0x5DEECE66D, 0xB, 48
"""The linear congruential generator of POSIX's erand48."""
MATCH_RATIO = 0.3
"""A log matches the trace if the variance of its counts per second about it is below this part of the variance for
another Poisson stream. Evenly spaced arrivals would be at a half, the right ones near 0 (0.25 near saturation)."""
MIN_SECONDS = 10


def interarrival_s(trace: str | None, rate_per_s: float, requests: int) -> Array | None:
    """Times between the arrivals, the first from the load's start, seconds, shape (requests,); None without a trace."""
    if trace != HTTPERF:
        return None
    return _exponential(requests) / rate_per_s


@lru_cache(maxsize=16)
def _exponential(count: int) -> Array:
    uniform = np.fromiter(islice(_erand48(HTTPERF_SEED), count), float, count)
    return -np.log1p(-uniform)


def _erand48(state: int) -> Iterator[float]:
    """POSIX's erand48: uniform numbers in [0, 1) from a 48-bit state."""
    while True:
        state = (MULTIPLIER * state + INCREMENT) % (1 << BITS)
        yield state / (1 << BITS)


def matches_trace(gaps: Array, at_ns: NDArray[np.int64], window: Window) -> bool:
    """Whether a server's log matches a trace with interarrival times ``gaps``, by its counts in whole seconds.

    ``at_ns``: the log's times, ``window``: the load's, both by the server's clock.
    """
    counts = counts_per_second(at_ns, window)
    if len(counts) < MIN_SECONDS:
        return False
    trace_ns = (window.start_ns + np.cumsum(gaps) * NS_PER_S).astype(np.int64)
    errors = counts - counts_per_second(trace_ns, window)
    # two independent streams differ by a variance of twice the mean
    return bool(np.mean(errors**2) < MATCH_RATIO * 2 * counts.mean())


def count_dispersion(counts: np.ndarray) -> float:
    """Variance over mean of counts in equal windows: for renewal arrivals it nears c_a² (Cox 1962, page 40)."""
    if counts.size < 2 or counts.mean() == 0:
        return float("nan")
    return float(counts.var(ddof=1) / counts.mean())


def counts_per_second(at_ns: np.ndarray, window: Window) -> np.ndarray:
    """Arrivals in each whole second of the window, without a margin of one second on both sides."""
    seconds = at_ns // NS_PER_S
    first, last = window.start_ns // NS_PER_S + 2, window.end_ns // NS_PER_S - 2
    if last <= first:
        return np.zeros(0)
    return np.bincount(
        (seconds[(seconds >= first) & (seconds <= last)] - first).astype(np.int64),
        minlength=int(last - first + 1),
    ).astype(float)


def access_times_ns(rows: pl.DataFrame) -> np.ndarray:
    """Times of the requests in an access log, by the server's clock."""
    return rows.filter(pl.col("log") == "access")["time"].drop_nulls().dt.epoch("ns").to_numpy()

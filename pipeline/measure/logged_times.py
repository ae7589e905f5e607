"""Response times that a server measured itself and wrote into its access log.

A server's time begins when it has the request and ends when the last byte of the reply is handed to the kernel: it has
no share of the network and of the accept queue, so that it is at most the client's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.measure import texts
from pipeline.measure.clients import time_step_ns
from pipeline.measure.counters import BoundedValue
from pipeline.measure.run_tables import RunTables
from pipeline.measure.window import MissingData, load_window
from pipeline.raw import VirtualServer, Window

PERCENTILES = (50, 90, 95, 99)
RESOLUTIONS_S = (1.0, 1e-3, 1e-6)
"""Units of servers' logs: ``%T``, ``$request_time`` and ``%{ms}T``, ``%D``."""
MAX_ROUNDING = 1e-6
"""Share of the unit by which a multiple of it may differ in binary."""


@dataclass(frozen=True)
class LoggedTimes:
    """Response times of the requests in a window, as the server logged them."""

    requests: BoundedValue
    """Number of requests with a time; its bounds: those whose time of day is certainly, or possibly, in the window."""
    mean_s: BoundedValue
    percentiles_s: Mapping[int, float]
    """Percentile → response time of the request at that rank (inverse of the empirical distribution)."""
    resolution_s: float
    """The coarsest of ``RESOLUTIONS_S`` that all times are multiples of."""
    untimed: int
    """Requests in the window without a time."""


def has_logged_times(tables: RunTables, server: VirtualServer) -> bool:
    """Whether the access log of a virtual server has response times."""
    rows = tables.table("requests", server.role)
    return "response_time_s" in rows.columns and rows["response_time_s"].null_count() < rows.height


def logged_times(tables: RunTables, server: VirtualServer) -> LoggedTimes:
    """Response times that the server logged in the window of its load.

    Parameters
    ----------
    tables : RunTables
    server : VirtualServer

    Returns
    -------
    LoggedTimes

    Raises
    ------
    MissingData
        If the log has no request with a response time in the window, or the clock of its machine is unknown.
    """
    rows = tables.sampled("requests", server.role).filter(pl.col("log") == "access")
    return times_in_window(rows, load_window(tables.run, server))


def times_in_window(rows: pl.DataFrame, window: Window) -> LoggedTimes:
    """Summary of the response times of the requests in ``window``.

    Parameters
    ----------
    rows : polars.DataFrame
        ``client_ns`` and ``response_time_s``.
    window : Window

    Returns
    -------
    LoggedTimes

    Raises
    ------
    MissingData
        Without a request that has a response time in the window.

    Examples
    --------
    >>> rows = pl.DataFrame({"client_ns": [2 * 10**9] * 4, "response_time_s": [0.001, 0.002, 0.003, 0.010]})
    >>> times = times_in_window(rows, Window(10**9, 5 * 10**9))
    >>> times.mean_s, times.percentiles_s[50], times.resolution_s
    (BoundedValue(value=0.004, low=0.003, high=0.005, flags=()), 0.002, 0.001)
    """
    step_ns = time_step_ns(rows["client_ns"])
    at_ns = pl.col("client_ns")
    possible = rows.filter((at_ns > window.start_ns - step_ns) & (at_ns <= window.end_ns))
    timed = possible.drop_nulls("response_time_s")
    if timed.is_empty():
        raise MissingData(texts.NO_LOGGED_TIME)
    certain = timed.filter((at_ns >= window.start_ns) & (at_ns <= window.end_ns - step_ns)).height
    times_s = timed["response_time_s"].to_numpy()
    resolution_s = _resolution_s(times_s)
    mean_s = float(times_s.mean())
    ranks = np.percentile(times_s, PERCENTILES, method="inverted_cdf")
    return LoggedTimes(
        BoundedValue(float(timed.height), float(certain), float(timed.height)),
        BoundedValue(mean_s, max(0.0, mean_s - resolution_s), mean_s + resolution_s),
        dict(zip(PERCENTILES, ranks.tolist(), strict=True)),
        resolution_s,
        possible.height - timed.height,
    )


def _resolution_s(times_s: np.ndarray) -> float:
    for unit_s in RESOLUTIONS_S[:-1]:
        multiples = times_s / unit_s
        if np.all(
            np.abs(multiples - np.round(multiples)) <= MAX_ROUNDING * np.maximum(multiples, 1)
        ):
            return unit_s
    return RESOLUTIONS_S[-1]

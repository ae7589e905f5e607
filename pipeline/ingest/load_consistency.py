"""Loads of run.json against the load generators' logs and the servers' own logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import Any

import polars as pl

from pipeline.ingest import texts
from pipeline.raw import Run, VirtualServer, Window, Workload
from pipeline.tables.requests import IS_REQUEST

MAX_RATE_FACTOR = 2.0
"""Between the requests of an open load and its rate: a client that lags behind offers less, and the quality checks
compare the rates closely; an error in run.json is off by a factor."""
POISSON_ERRORS = 5.0
"""Standard deviations of a number of Poisson arrivals that are allowed beyond that."""
MIN_WINDOW_SHARE = 0.9
MAX_WINDOW_FACTOR, MAX_WINDOW_MARGIN_S = 2.0, 60.0
"""The window of a load over the time that its client measured: it includes the client's start and its waiting for
the last replies."""
MAX_CYCLE_ERROR = 0.5
"""Error of a closed load's think time, as a share of the time between the requests of one thread."""
MIN_LOGGED_SHARE, MAX_LOST = 0.95, 3
"""Requests in the server's log over those that its client completed."""
NS_PER_S = 10**9


def find_load_contradictions(run: Run, frames: Mapping[str, pl.LazyFrame]) -> Iterator[str]:
    """Values of a load in run.json that its client's log, or its server's, contradicts; one sentence per value.

    A load whose client's log has no summary, or several, is not compared.
    """
    for server in run.virtual_servers.values():
        work, log = server.workload, run.client_log(server.name)
        window = None if work is None else work.window or run.window
        if work is None or log is None or window is None:
            continue
        summaries = pl.DataFrame()
        if "client" in frames:
            of_log = frames["client"].filter(role=log.role, tool=log.kind, kind="summary")
            summaries = of_log.collect(engine="streaming")
        if summaries.is_empty() or summaries["completions"].null_count() == summaries.height:
            yield texts.no_summary(log.name)
        elif summaries.height == 1:
            summary = summaries.row(0, named=True)
            where = f"virtual_servers.{server.name}.workload"
            yield from _duration(where, summary, window, run)
            yield from _rate(where, work, summary)
            yield from _closed(where, work, summary)
            yield from _requests(run, frames, server, window, summary)


def _duration(where: str, summary: Mapping[str, Any], window: Window, run: Run) -> Iterator[str]:
    """The load's window against the client's time; an inferred window is made of that time."""
    elapsed_s = summary["elapsed_s"]
    if not elapsed_s or run.is_imported:
        return
    longest_s = MAX_WINDOW_FACTOR * elapsed_s + MAX_WINDOW_MARGIN_S
    if not MIN_WINDOW_SHARE * elapsed_s <= window.duration_s <= longest_s:
        yield texts.other_duration(where, window.duration_s, elapsed_s)


def _rate(where: str, work: Workload, summary: Mapping[str, Any]) -> Iterator[str]:
    """The rate of an open load against the number of requests that the client sent."""
    sent = summary["connections"] or summary["requests"]
    sent = sent or (summary["completions"] or 0) + (summary["errors"] or 0)
    elapsed_s = summary["elapsed_s"]
    if work.kind != "open" or not work.rate_per_s or not elapsed_s:
        return
    expected = work.rate_per_s * elapsed_s
    error = POISSON_ERRORS * sqrt(expected) + 1
    if not expected / MAX_RATE_FACTOR - error <= sent <= MAX_RATE_FACTOR * expected + error:
        yield texts.other_rate(where, work.rate_per_s, sent / elapsed_s)


def _closed(where: str, work: Workload, summary: Mapping[str, Any]) -> Iterator[str]:
    """The threads of a closed load, and its think time by the interactive response time law, Z = N / X - R."""
    if work.kind != "closed":
        return
    threads, population = summary["threads"], work.population
    if threads is not None and population is not None and threads != population:
        yield texts.other_population(where, population, threads)
        return
    rate, response_s = summary["throughput_per_s"], summary["response_time_mean_s"]
    if population is None or not rate or response_s is None or work.think_time_s is None:
        return
    cycle_s = population / rate
    if abs(work.think_time_s - (cycle_s - response_s)) > MAX_CYCLE_ERROR * cycle_s:
        yield texts.other_think_time(where, work.think_time_s, max(0.0, cycle_s - response_s))


def _requests(
    run: Run,
    frames: Mapping[str, pl.LazyFrame],
    server: VirtualServer,
    window: Window,
    summary: Mapping[str, Any],
) -> Iterator[str]:
    """Requests in the server's log, in the load's window, against those that the client completed."""
    kinds = ("access", "general")
    log = next((log for kind in kinds if (log := run.log(server.role, kind)) is not None), None)
    offset_ns, completed = run.clock_offset_ns(server.role), summary["completions"]
    if log is None or offset_ns is None or not completed or run.is_imported:
        return
    local_window = window.shifted(offset_ns)
    at_ns = pl.col("time").dt.epoch("ns")
    # the times of a log are whole seconds, of the request's start or end
    inside = (at_ns > local_window.start_ns - NS_PER_S) & (at_ns <= local_window.end_ns + NS_PER_S)
    is_counted = (pl.col("role") == server.role) & (pl.col("log") == log.kind) & IS_REQUEST & inside
    count = 0
    if "requests" in frames:
        count = (
            frames["requests"]
            .filter(is_counted)
            .select(pl.len())
            .collect(engine="streaming")
            .item()
        )
    if count < MIN_LOGGED_SHARE * completed - MAX_LOST:
        yield texts.few_requests(
            log.name, count, server.name, completed,
            has_format=log.kind == "access" and server.access_format is not None,
        )  # fmt: skip

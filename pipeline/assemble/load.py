"""The load that a client's report states: which tool, how long, open or closed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.assemble import texts
from pipeline.assemble.sources import AssembleError, Machine, Source

REQUESTS = {"httperf": "HTTP request", "sysbench": "transaction"}
PERIOD = r"--period[= ]([a-z]?)[0-9.]"
SPECIFICATION = r"(closed|open):([0-9]+(?:\.[0-9]+)?)(?::(even|poisson))?"


@dataclass(frozen=True)
class Load:
    """One client's report."""

    source: Source
    duration_s: float | None
    completions: int | None
    workload: dict[str, Any] | None
    """``kind`` and ``rate_per_s`` or ``population``, as in run.json; None where the report does not say."""
    notes: tuple[str, ...] = ()
    mean_response_s: float | None = None
    """Of its requests, as the report prints it."""

    @property
    def tool(self) -> str:
        """The load generator."""
        return self.source.kind


def read_load(machine: Machine, source: Source) -> Load:
    """The load that a client's report states.

    Parameters
    ----------
    machine : Machine
        The client.
    source : Source
        One of its files.
    """
    number = machine.of_kind(source.kind).index(source)
    rows = machine.parsed[source.kind][number].tables["client"]
    summaries = rows.filter(pl.col("kind") == "summary").sort("line")
    notes = []
    if summaries.is_empty():
        elapsed = rows["elapsed_s"].drop_nulls()
        notes.append(texts.no_summary(source.path))
        last = rows.drop_nulls("threads").row(-1, named=True) if rows["threads"].count() else None
        workload = None if last is None else _closed(last["threads"])
        return Load(source, elapsed.max() if elapsed.len() else None, None, workload, tuple(notes))
    row = summaries.row(-1, named=True)
    if summaries.height > 1:
        notes.append(texts.several_reports(source.path, summaries.height))
    if row["errors"]:
        notes.append(texts.client_errors(source.path, row["errors"]))
    text = "\n".join(source.log.lines["text"].to_list())
    return Load(
        source,
        row["elapsed_s"],
        row["completions"],
        _workload(row, source.kind, text),
        tuple(notes),
        row["response_time_mean_s"],
    )


def _workload(row: dict[str, Any], tool: str, text: str) -> dict[str, Any] | None:
    rate = row["offered_rate_per_s"]
    if rate:
        period = re.search(PERIOD, text)
        arrivals = {"e": "poisson", "u": None}.get(period[1], "even") if period else "even"
        if tool == "sysbench":  # its event queue draws exponential times
            arrivals = "poisson"
        return {"kind": "open", "rate_per_s": rate} | ({"arrivals": arrivals} if arrivals else {})
    if row["threads"]:
        return _closed(row["threads"])
    # httperf without --rate opens each connection after the last
    return _closed(1) if tool == "httperf" and "--num-conns" in text else None


def _closed(population: int) -> dict[str, Any]:
    return {"kind": "closed", "population": population, "think_time_s": 0.0}


def workload_of(specification: str) -> dict[str, Any]:
    """A workload as it is given on the command line.

    Examples
    --------
    >>> workload_of("closed:16")
    {'kind': 'closed', 'population': 16, 'think_time_s': 0.0}
    >>> workload_of("open:5:poisson")
    {'kind': 'open', 'rate_per_s': 5.0, 'arrivals': 'poisson'}
    """
    match = re.fullmatch(SPECIFICATION, specification)
    if match is None or float(match[2]) <= 0:
        raise AssembleError(texts.bad_workload(specification))
    if match[1] == "closed":
        if not match[2].isdigit() or match[3]:
            raise AssembleError(texts.bad_workload(specification))
        return _closed(int(match[2]))
    return {"kind": "open", "rate_per_s": float(match[2])} | (
        {"arrivals": match[3]} if match[3] else {}
    )

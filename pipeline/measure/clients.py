"""The client's report, and numbers of requests in the client's and the server's logs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.measure import texts
from pipeline.measure.run_tables import RunTables
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.raw import VirtualServer, Window
from pipeline.tables.requests import IS_REQUEST


@dataclass(frozen=True)
class ClientResult:
    """The summary of one load generator."""

    completions: int
    throughput_per_s: float | None
    response_time_mean_s: float | None
    errors: int | None
    connections: int | None = None
    """Number of connections opened (httperf)."""
    flags: tuple[str, ...] = ()


def client_rows(tables: RunTables, server: VirtualServer) -> pl.DataFrame:
    """Table client: rows of the load generator's log of one virtual server. ``MissingData`` without one."""
    log = tables.run.client_log(server.name)
    if log is None:
        raise MissingData(texts.NO_CLIENT_LOG)
    return tables.rows("client", log.role).filter(pl.col("tool") == log.kind)


def client_result(rows: pl.DataFrame) -> ClientResult:
    """The summary of a client's log: table client, rows of one log. Raises ``MissingData`` without one."""
    summary = rows.filter(pl.col("kind") == "summary").sort("line")
    if summary.is_empty():
        raise MissingData(texts.NO_CLIENT_SUMMARY)
    row = summary.row(-1, named=True)
    if row["completions"] is None:
        raise MissingData(texts.NO_COMPLETIONS)
    flags = []
    if summary.height > 1:
        flags.append(texts.several_summaries(summary.height))
    if row["errors"]:
        flags.append(texts.client_errors(row["errors"]))
    return ClientResult(
        row["completions"],
        row["throughput_per_s"],
        row["response_time_mean_s"],
        row["errors"],
        row["connections"],
        tuple(flags),
    )


def completions_per_window(rows: pl.DataFrame, edges_s: np.ndarray) -> np.ndarray:
    """Requests completed between ``edges_s`` (s since the load began), from the client's interval lines."""
    lines = rows.filter(pl.col("kind") == "interval").sort("elapsed_s")
    lines = lines.drop_nulls("throughput_per_s")
    if lines.height < 2:
        raise MissingData(texts.NO_INTERVAL_LINES)
    ends = np.concatenate(([0.0], lines["elapsed_s"].to_numpy()))
    done = np.concatenate(([0.0], np.cumsum(np.diff(ends) * lines["throughput_per_s"].to_numpy())))
    return np.diff(np.interp(edges_s, ends, done))


def requests_logged(rows: pl.DataFrame, window: Window) -> int:
    """User requests in the server's own log inside ``window``: its lines (access), its COMMITs (general).

    A request counts if the second in which it was logged overlaps the window; where an access log has fractions of
    seconds, if its time is in the window.
    """
    at_ns, is_access = pl.col("client_ns"), pl.col("log") == "access"
    access_step_ns = time_step_ns(rows.filter(is_access)["client_ns"])
    step_ns = pl.when(is_access).then(access_step_ns).otherwise(NS_PER_S)
    inside = rows.filter((at_ns > window.start_ns - step_ns) & (at_ns <= window.end_ns))
    return inside.filter(IS_REQUEST).height


def time_step_ns(at_ns: pl.Series) -> int:
    """Resolution of the times of a log: a second if all are the same fraction of one, else 0.

    On the client's clock whole seconds of the server are all shifted by the same offset.
    """
    return NS_PER_S if (at_ns.drop_nulls() % NS_PER_S).n_unique() <= 1 else 0

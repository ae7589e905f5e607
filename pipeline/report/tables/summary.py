"""What the index page shows of a run: one row per virtual server with a load."""

from __future__ import annotations

import polars as pl

from pipeline.api import RunData, VirtualServer, value_of
from pipeline.api.response_time import model_result
from pipeline.api.stations import busiest_station, stations
from pipeline.evaluate.acceptance import ACCEPT_REL_ERROR_R
from pipeline.report.tables.checks import model_check_result
from pipeline.report.tables.quality import warnings

SUMMARY = pl.Schema(
    {
        "server": pl.String,
        "run": pl.String,
        "virtual_server": pl.String,
        "load": pl.String,
        "load_level": pl.Float64,
        "date": pl.String,
        "result": pl.String,
        "R_client_ms": pl.Float64,
        "R_model_ms": pl.Float64,
        "error_R": pl.Float64,
        "is_beyond_tolerance": pl.Boolean,
        "X_client_per_s": pl.Float64,
        "busiest": pl.String,
        "utilization": pl.Float64,
        "warnings": pl.Int64,
    }
)
"""One row per virtual server with a load: the load as text and as a number (arrivals per second, or threads), the
start of the load (ISO 8601, UTC), the result of the model check, R and X of the client and R of the host model, its
relative error and whether it exceeds the accepted one, the busiest of its stations and the utilization of that, and
the number of warnings of the run."""


def df_summary(data: RunData) -> pl.DataFrame:
    """One row per loaded virtual server of a run, schema ``SUMMARY``; null where a number is missing."""
    run, of_run = data.run, stations(data)
    count = len(warnings(data))
    rows = []
    for vs in data.loaded:
        model = model_result(data, vs.name)
        error = model["error_R"]
        response_s = value_of(data.ledger, vs.name, "R_client")
        busiest = busiest_station([s for s in of_run if s.virtual_server in (None, vs.name)])
        load, level = load_label(vs)
        rows.append(
            {
                "server": run.server,
                "run": run.run,
                "virtual_server": data.title(vs.name),
                "load": load,
                "load_level": level,
                "date": None if run.window is None else _iso(run.window.start_ns),
                "result": model_check_result(data, vs.name),
                "R_client_ms": None if response_s is None else response_s * 1e3,
                "R_model_ms": model["R_ms"],
                "error_R": error,
                "is_beyond_tolerance": None if error is None else abs(error) > ACCEPT_REL_ERROR_R,
                "X_client_per_s": value_of(data.ledger, vs.name, "X_client"),
                "busiest": None if busiest is None else busiest.name,
                "utilization": None if busiest is None else busiest.utilization,
                "warnings": count,
            }
        )
    return pl.DataFrame(rows, schema=SUMMARY, orient="row")


def load_label(server: VirtualServer) -> tuple[str | None, float | None]:
    """The load of a virtual server as text (``16 threads``, ``20/s Poisson``) and as threads or arrivals per second."""
    work = server.workload
    if work is None:
        return None, None
    if work.kind == "closed":
        threads = work.population
        text = "1 thread" if threads == 1 else f"{'?' if threads is None else threads} threads"
        return text, None if threads is None else float(threads)
    spacing = {"poisson": "Poisson"}.get(work.arrivals or "", work.arrivals or "")
    rate = "?" if work.rate_per_s is None else f"{work.rate_per_s:g}"
    return f"{rate}/s {spacing}".strip(), work.rate_per_s


def _iso(ns: int) -> str:
    return str(pl.Series([ns]).cast(pl.Datetime("ns")).dt.to_string("%Y-%m-%dT%H:%M:%SZ")[0])

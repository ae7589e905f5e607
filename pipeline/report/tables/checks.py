"""Quality checks of a run, the check of the host model, and the run's key figures."""

from __future__ import annotations

import polars as pl

from pipeline.api import (
    FAILED,
    NOT_EVALUATED,
    RunData,
    StudyData,
    result_counts_text,
    value_of,
)
from pipeline.api.response_time import model_result
from pipeline.api.stations import busiest_station, stations
from pipeline.evaluate.single_run import Verdict
from pipeline.report import texts as page_texts
from pipeline.tables import of_rows, texts
from pipeline.units import format_percent, format_short

CALLOUT_KINDS = {
    "passed": "good",
    "passed with warnings": "warning",
    "failed": "error",
    NOT_EVALUATED: "error",
}
"""Result of a model check → the kind of its callout."""


def df_checks(data: RunData) -> pl.DataFrame:
    """The quality checks, failed ones first, passed ones last.

    Columns: ``virtual_server`` (where several had a load), ``check``, ``result`` (one of ``check.RESULTS``),
    ``measured`` (with its interval where it has one), ``expected`` (with its tolerance), ``message``, ``flagged`` (how
    many of the run's numbers a failed check flags), ``rule`` (by which the result follows).
    """
    rows = []
    for row in data.checks.iter_rows(named=True):
        unit = "" if row["unit"] == "1" else f" {row['unit']}"
        measured = expected = "–"
        if row["value"] is not None:
            interval = ""
            if row["low"] is not None:
                interval = f" ({format_short(row['low'])} to {format_short(row['high'])})"
            own_unit = (
                unit.removesuffix("s") if row["value"] == 1 and unit == " disagreements" else unit
            )
            measured = f"{format_short(row['value'])}{interval}{own_unit}"
            expected = (
                f"{format_short(row['expected'])} ± {format_short(row['tolerance'], 2)}{unit}"
            )
        flagged = _flagged(data, row) if row["result"] == FAILED else 0
        rule = "" if row["result"] == NOT_EVALUATED else row["rule"]
        values = (row["check"], row["result"], measured, expected, row["message"], flagged, rule)
        rows.append((data.title(row["virtual_server"]), *values))
    schema = texts("virtual_server", "check", "result", "measured", "expected", "message")
    return data.drop_single_server(of_rows(rows, schema | {"flagged": pl.Int64} | texts("rule")))


def _flagged(data: RunData, check: dict) -> int:
    return data.ledger.filter(
        (pl.col("virtual_server") == check["virtual_server"])
        & pl.col("flags").list.join("; ").str.contains(check["flag"], literal=True)
    ).height


def model_check(data: RunData, virtual_server: str) -> Verdict:
    """The verdict on the host model for a virtual server of this run, its error against the client included."""
    row = model_result(data, virtual_server)
    if row["R_client_ms"] is None:
        return Verdict("no", (row["reasons"],))
    reasons = row["reasons"].split("; ") if row["reasons"] else ()
    return Verdict(row["usable"], tuple(reasons))


def model_check_result(data: RunData, virtual_server: str) -> str:
    """``passed``, ``passed with warnings``, ``failed``, or ``not evaluated`` without the client's figures."""
    if model_result(data, virtual_server)["R_client_ms"] is None:
        return NOT_EVALUATED
    return page_texts.MODEL_CHECKS[model_check(data, virtual_server).answer]


def model_check_title(data: RunData, virtual_server: str) -> str:
    """Title of the reasons of a model check, with its result."""
    result = model_check_result(data, virtual_server)
    return page_texts.model_check_title(data.title(virtual_server), result)


def df_host_model(data: RunData) -> pl.DataFrame:
    """R and X of the host model and of the client, one row per quantity and virtual server.

    Columns: ``virtual_server`` (where several had a load), ``quantity``, ``model``, ``interval`` (95 %), ``client``,
    ``error``. The model uses no time that the client measured.
    """
    rows = []
    for row in data.model_results.iter_rows(named=True):
        if row["R_client_ms"] is None:
            continue
        for name, unit, value, low, high, client, error in (
            ("response time", "ms", "R_ms", "R_low_ms", "R_high_ms", "R_client_ms", "error_R"),
            ("throughput", "1/s", "X_per_s", "X_low_per_s", "X_high_per_s", "X_client_per_s", "error_X"),
        ):  # fmt: skip
            rows.append(
                (
                    data.title(row["virtual_server"]),
                    f"{name} ({unit})",
                    page_texts.UNBOUNDED_RESPONSE
                    if row[value] is None
                    else format_short(row[value]),
                    "–"
                    if row[low] is None
                    else f"{format_short(row[low])} to {format_short(row[high])}",
                    format_short(row[client]),
                    format_percent(row[error]) or "–",
                )
            )
    form = texts("virtual_server", "quantity", "model", "interval", "client", "error")
    return data.drop_single_server(of_rows(rows, form))


def model_check_text(data: RunData, virtual_server: str) -> list[str]:
    """The reasons against the model of a virtual server, and the number of its checks per result."""
    checks = data.checks.filter(pl.col("virtual_server") == virtual_server)
    reasons = model_check(data, virtual_server).reasons
    return [*reasons, f"checks of this run: {result_counts_text(checks)}"]


def run_key_figures(data: RunData) -> dict[str, str]:
    """Result of the model check, R and X of the host model and of the client, and the busiest station."""
    figures: dict[str, str] = {}
    for vs in data.loaded:
        subject = f"{data.title(vs.name)}: " if len(data.loaded) > 1 else ""
        row = model_result(data, vs.name)
        figures[f"{subject}model check"] = model_check_result(data, vs.name)
        for name, unit, key in (("response time", "ms", "ms"), ("throughput", "/s", "per_s")):
            symbol = "R" if key == "ms" else "X"
            model, low, high = (row[f"{symbol}_{end}{key}"] for end in ("", "low_", "high_"))
            client = row[f"{symbol}_client_{key}"]
            # X of an open load below saturation is the given rate, without an interval
            is_exact = low is None or format_short(low) == format_short(high)
            interval = "" if is_exact else f" ({format_short(low)} to {format_short(high)})"
            no_value = "missing" if client is None else "infinite"
            figures[f"{subject}{name}, host model{' (95 %)' if interval else ''}"] = (
                no_value if model is None else f"{format_short(model)}{interval} {unit}"
            )
            figures[f"{subject}{name}, client"] = (
                _client_value(data, vs.name, symbol)
                if client is None
                else f"{format_short(client)} {unit}"
            )
    top = busiest_station(stations(data))
    if top is not None:
        figures["busiest station"] = f"{top.title}, {format_short(top.utilization * 100)} %"
    return figures


def _client_value(data: RunData, virtual_server: str, symbol: str) -> str:
    """The client's R or X from the ledger, for a run without a result of the host model."""
    value = value_of(data.ledger, virtual_server, f"{symbol}_client")
    if value is None:
        return "missing"
    return f"{format_short(value * 1e3)} ms" if symbol == "R" else f"{format_short(value)} /s"


def df_model_checks(data: StudyData) -> pl.DataFrame:
    """The check of the host model for every run that a study compares.

    Columns: ``server``, ``run``, ``virtual_server``, ``model_check`` (its result), ``reasons`` (against the model).
    """
    runs = {run.run.id: run for run in (*data.case_study_runs.values(), *data.colocated.values())}
    rows = []
    for run in runs.values():
        for vs in run.loaded:
            reasons = "; ".join(model_check(run, vs.name).reasons)
            values = (run.title(vs.name), model_check_result(run, vs.name), reasons)
            rows.append((run.run.server, run.run.run, *values))
    return of_rows(rows, texts("server", "run", "virtual_server", "model_check", "reasons"))

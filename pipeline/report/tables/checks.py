"""What the gate says of a run: its checks, and whether the model may be believed."""

from __future__ import annotations

import polars as pl

from pipeline.api import (
    FAILED,
    INCONCLUSIVE,
    NOT_EVALUATED,
    PASSED,
    RunData,
    StudyData,
    result_counts_text,
    value_of,
)
from pipeline.evaluate.single_run import Verdict
from pipeline.report.tables.equations import busiest, df_model_vs_client, df_stations
from pipeline.tables import of_rows, texts
from pipeline.units import format_percent, format_short

CALLOUT_KINDS = {"yes": "good", "with caveats": "warning", "no": "error"}
"""A verdict's answer → the kind of notice that tells it."""


def df_checks(data: RunData) -> pl.DataFrame:
    """The gate's checks, failed ones first, those that passed last.

    Columns: ``virtual_server`` (where several had a load), ``check``, ``result`` (one of ``checks.RESULTS``),
    ``measured`` (with its interval where it has one), ``expected`` (with its tolerance), ``remark``, ``marks`` (how
    many of the run's numbers a failed check marks), ``rule`` (which gives the result).
    """
    order = {FAILED: 0, INCONCLUSIVE: 1, NOT_EVALUATED: 2, PASSED: 3}
    rows = []
    for row in sorted(data.checks.iter_rows(named=True), key=lambda r: order[r["result"]]):
        unit = "" if row["unit"] == "1" else f" {row['unit']}"
        measured = expected = "–"
        if row["value"] is not None:
            spread = row["low"] is not None
            within = (
                f" ({format_short(row['low'])} to {format_short(row['high'])})" if spread else ""
            )
            measured = f"{format_short(row['value'])}{within}{unit}"
            expected = (
                f"{format_short(row['expected'])} ± {format_short(row['tolerance'], 2)}{unit}"
            )
        said = (row["check"], row["result"], measured, expected, row["message"])
        marks = _marks(data, row) if row["result"] == FAILED else 0
        rule = "" if row["result"] == NOT_EVALUATED else row["rule"]
        rows.append((data.title(row["virtual_server"]), *said, marks, rule))
    form = texts("virtual_server", "check", "result", "measured", "expected", "remark")
    return data.drop_single_server(of_rows(rows, form | {"marks": pl.Int64} | texts("rule")))


def _marks(data: RunData, check: dict) -> int:
    marked = data.ledger.filter(
        (pl.col("virtual_server") == check["virtual_server"])
        & pl.col("flags").list.join("; ").str.contains(check["flag"], literal=True)
    )
    return marked.height


def model_check(data: RunData, virtual_server: str) -> Verdict:
    """Whether our model may be believed for a virtual server of this run, its error against the client included."""
    row = _modelled(data, virtual_server)
    if row["R_client_ms"] is None:
        return Verdict("no", (row["reasons"],))
    return Verdict(
        row["usable"], tuple((row["reasons"] or "").split("; ")) if row["reasons"] else ()
    )


def _modelled(data: RunData, virtual_server: str) -> dict:
    return data.model_results.row(
        by_predicate=pl.col("virtual_server") == virtual_server, named=True
    )


def df_host_model(data: RunData) -> pl.DataFrame:
    """Our model of the host beside the client, a row a quantity and virtual server.

    Columns: ``virtual_server`` (where several had a load), ``quantity``, ``model``, ``interval`` (95 %), ``client``,
    ``error``. The client's own times are not in the model.
    """
    rows = []
    for row in data.model_results.iter_rows(named=True):
        if row["R_client_ms"] is None:
            continue
        for name, unit, value, low, high, client, error in (
            ("response time", "ms", "R_ms", "R_low_ms", "R_high_ms", "R_client_ms", "error_R"),
            ("throughput", "1/s", "X_per_s", "X_low_per_s", "X_high_per_s", "X_client_per_s", "error_X"),
        ):  # fmt: skip
            model = "unbounded: the CPU cannot take this load"
            rows.append(
                (
                    data.title(row["virtual_server"]),
                    f"{name} ({unit})",
                    model if row[value] is None else format_short(row[value]),
                    "–"
                    if row[low] is None
                    else f"{format_short(row[low])} to {format_short(row[high])}",
                    format_short(row[client]),
                    format_percent(row[error]) or "–",
                )
            )
    form = texts("virtual_server", "quantity", "model", "interval", "client", "error")
    return data.drop_single_server(of_rows(rows, form))


def df_models_vs_client(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Rows of ``charts.model_against_client``: those of ``df_model_vs_client``, and the model of the verdict.

    ``low``, ``high``: 95 % intervals only; the resolution of the instruments is none.
    """
    row = _modelled(data, virtual_server)
    ours = [row[name] for name in ("R_ms", "R_low_ms", "R_high_ms")]
    frame = df_model_vs_client(data, virtual_server)
    paper = frame.with_columns(low=pl.lit(None, pl.Float64), high=pl.lit(None, pl.Float64))
    model = pl.DataFrame([("host model", *ours, False)], schema=frame.schema, orient="row")
    return pl.concat([paper, model])


def model_check_text(data: RunData, virtual_server: str) -> list[str]:
    """The reasons against the model of a virtual server, and how many of its checks have which result."""
    mine = data.checks.filter(pl.col("virtual_server") == virtual_server)
    return [
        *model_check(data, virtual_server).reasons,
        f"checks of this run: {result_counts_text(mine)}",
    ]


def run_key_figures(data: RunData) -> dict[str, str]:
    """The key figures of a run's page: the verdict, X and R of the model that it is about, and the client's."""
    figures: dict[str, str] = {}
    for vs in data.loaded:
        before = f"{data.title(vs.name)}: " if len(data.loaded) > 1 else ""
        row = _modelled(data, vs.name)
        figures[f"{before}model believed"] = model_check(data, vs.name).answer
        for name, unit, key in (("response time", "ms", "ms"), ("throughput", "/s", "per_s")):
            symbol = "R" if key == "ms" else "X"
            model, low, high = (row[f"{symbol}_{end}{key}"] for end in ("", "low_", "high_"))
            client = row[f"{symbol}_client_{key}"]
            is_known = low is None or format_short(low) == format_short(
                high
            )  # an open load's X below saturation
            within = "" if is_known else f" ({format_short(low)} to {format_short(high)})"
            lost = "missing" if client is None else "unbounded"
            figures[f"{before}{name}, host model{' (95 %)' if within else ''}"] = (
                lost if model is None else f"{format_short(model)}{within} {unit}"
            )
            figures[f"{before}{name}, client"] = (
                _measured(data, vs.name, symbol)
                if client is None
                else f"{format_short(client)} {unit}"
            )
    top = busiest(df_stations(data))
    if top is not None:
        figures["busiest station"] = f"{top[0]}, {format_short(top[1] * 100)} %"
    return figures


def _measured(data: RunData, virtual_server: str, symbol: str) -> str:
    """The client's R or X by the ledger, for a run that our model says nothing of."""
    value = value_of(data.ledger, virtual_server, f"{symbol}_client")
    if value is None:
        return "missing"
    return f"{format_short(value * 1e3)} ms" if symbol == "R" else f"{format_short(value)} /s"


def df_model_checks(data: StudyData) -> pl.DataFrame:
    """The gate's verdict on every run that a study compares.

    Columns: ``server``, ``run``, ``virtual_server``, ``believed`` (the answer), ``why`` (the reasons against it).
    """
    runs = {run.run.id: run for run in (*data.runs.values(), *data.colocated.values())}
    rows = []
    for run in runs.values():
        for vs in run.loaded:
            found = model_check(run, vs.name)
            said = (found.answer, "; ".join(found.reasons))
            rows.append((run.run.server, run.run.run, run.title(vs.name), *said))
    return of_rows(rows, texts("server", "run", "virtual_server", "believed", "why"))

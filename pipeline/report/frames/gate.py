"""What the gate says of a run: its checks, and whether the model may be believed."""

from __future__ import annotations

import polars as pl

from pipeline.charts import short
from pipeline.report.frames.run import TITLES, RunData
from pipeline.report.frames.study import StudyData
from pipeline.validate.gate import Verdict

ANSWERS = {"yes": "good", "with doubt": "doubt", "no": "bad"}
"""A verdict's answer → the kind of notice that tells it."""

PASSED = {True: "holds", False: "fails", None: "cannot be told"}


def df_checks(data: RunData) -> pl.DataFrame:
    """The gate's checks, failed ones first.

    Columns: ``virtual_server`` (where several had a load), ``check``, ``result`` (holds, fails, cannot be told),
    ``measured``, ``expected`` (with its tolerance), ``remark``, ``marks`` (how many of the run's numbers it marks).
    """
    order = {False: 0, None: 1, True: 2}
    rows = []
    for row in sorted(data.checks.iter_rows(named=True), key=lambda r: order[r["passed"]]):
        unit = "" if row["unit"] == "1" else f" {row['unit']}"
        known = row["value"] is not None
        rows.append(
            {
                "virtual_server": TITLES.get(row["virtual_server"], row["virtual_server"]),
                "check": row["check"],
                "result": PASSED[row["passed"]],
                "measured": f"{short(row['value'])}{unit}" if known else "–",
                "expected": f"{short(row['expected'])} ± {short(row['tolerance'], 2)}{unit}"
                if known
                else "–",
                "remark": row["sentence"],
                "marks": _marks(data, row) if row["passed"] is False else 0,
            }
        )
    names = ("virtual_server", "check", "result", "measured", "expected", "remark")
    schema = {**dict.fromkeys(names, pl.String), "marks": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema)
    return frame if len(data.loaded) > 1 else frame.drop("virtual_server")


def _marks(data: RunData, check: dict) -> int:
    marked = data.ledger.filter(
        (pl.col("virtual_server") == check["virtual_server"])
        & pl.col("flags").list.join("; ").str.contains(check["mark"], literal=True)
    )
    return marked.height


def believed(data: RunData, virtual_server: str) -> Verdict:
    """Whether our model may be believed for a virtual server of this run, its error against the client included."""
    row = data.modelled.row(by_predicate=pl.col("virtual_server") == virtual_server, named=True)
    if row["R_client_ms"] is None:
        return Verdict("no", (row["why"],))
    return Verdict(row["believe"], tuple((row["why"] or "").split("; ")) if row["why"] else ())


def df_modelled(data: RunData) -> pl.DataFrame:
    """Our model of the host beside the client, a row a quantity and virtual server.

    Columns: ``virtual_server`` (where several had a load), ``quantity``, ``model``, ``interval`` (95 %), ``client``,
    ``error``. The client's own times are not in the model.
    """
    rows = []
    for row in data.modelled.iter_rows(named=True):
        if row["R_client_ms"] is None:
            continue
        for name, unit, value, low, high, client in (
            ("response time", "ms", "R_ms", "R_low_ms", "R_high_ms", "R_client_ms"),
            ("throughput", "1/s", "X_per_s", "X_low_per_s", "X_high_per_s", "X_client_per_s"),
        ):
            known = row[value] is not None
            rows.append(
                {
                    "virtual_server": data.title(row["virtual_server"]),
                    "quantity": f"{name} ({unit})",
                    "model": short(row[value])
                    if known
                    else "unbounded: the CPU cannot take this load",
                    "interval": f"{short(row[low])} to {short(row[high])}"
                    if row[low] is not None
                    else "–",
                    "client": short(row[client]),
                    "error": f"{100 * (row[value] / row[client] - 1):+.0f} %" if known else "–",
                }
            )
    names = ("virtual_server", "quantity", "model", "interval", "client", "error")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))
    return frame if len(data.loaded) > 1 else frame.drop("virtual_server")


def verdict_headlines(data: RunData) -> dict[str, str]:
    """Whether the model may be believed, for the top of a run's page."""
    several = len(data.loaded) > 1
    return {
        f"{data.title(vs.name)}: model believed" if several else "model believed": believed(
            data, vs.name
        ).answer
        for vs in data.loaded
    }


def df_verdicts(data: StudyData) -> pl.DataFrame:
    """The gate's verdict on every run that a study compares.

    Columns: ``server``, ``run``, ``virtual_server``, ``believed`` (the answer), ``why`` (the reasons against it).
    """
    runs = {run.run.id: run for run in (*data.runs.values(), *data.together.values())}
    rows = []
    for run in runs.values():
        for vs in run.loaded:
            found = believed(run, vs.name)
            rows.append(
                (
                    run.run.server,
                    run.run.run,
                    run.title(vs.name),
                    found.answer,
                    "; ".join(found.reasons),
                )
            )
    names = ("server", "run", "virtual_server", "believed", "why")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")

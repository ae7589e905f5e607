"""What the gate says of a run: its checks, and whether the model may be believed."""

from __future__ import annotations

import polars as pl

from pipeline.charts import short
from pipeline.report.frames.numbers import CORRECTED, value_of
from pipeline.report.frames.run import TITLES, RunData
from pipeline.report.frames.study import StudyData
from pipeline.validate.gate import Verdict, verdict

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
        & pl.col("flags").str.contains(check["mark"], literal=True)
    )
    return marked.height


def believed(data: RunData, virtual_server: str) -> Verdict:
    """Whether the corrected model may be believed for a virtual server of this run, its error included."""
    error = value_of(data.ledger, virtual_server, "error_R", CORRECTED)
    return verdict(data.checks, virtual_server, error)


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

"""One run by our model: its own demands in, the response time out, beside what the client measured.

Nothing of the client's times goes in, so the difference is the model's error, not a fit's. It is the model of
:mod:`pipeline.model.host` in its logs-only form: its demands are those of this run, so what loaded neighbours
do to them is in them; its CPU is what the neighbours left in this run; its arrivals are the client's own sequence where
that is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from pipeline.evaluate.acceptance import ACCEPT_REL_ERROR_R, compare_prediction
from pipeline.measure.window import MissingData
from pipeline.model.fit import model_of_run
from pipeline.model.observation import observe
from pipeline.quality.check import FAILED, NOT_EVALUATED
from pipeline.raw import Run, Study

SINGLE_RUN = pl.Schema(
    {
        "virtual_server": pl.String,
        "load": pl.String,
        "X_client_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "X_low_per_s": pl.Float64,
        "X_high_per_s": pl.Float64,
        "error_X": pl.Float64,
        "R_client_ms": pl.Float64,
        "R_ms": pl.Float64,
        "R_low_ms": pl.Float64,
        "R_high_ms": pl.Float64,
        "error_R": pl.Float64,
        "usable": pl.String,
        "reasons": pl.String,
    }
)
"""One row a loaded virtual server: X and R of the model that the verdict is about, with 95 % intervals, and their
relative errors. ``usable`` is yes, with caveats or no."""


def evaluate_run(
    study: Study, run: Run, processed: Path | str, checks: pl.DataFrame
) -> pl.DataFrame:
    """Modelled X and R with 95 % intervals, the client's, the error, and whether to believe it.

    ``checks``: the gate's, form ``checks.CHECKS``. An open load that the CPU cannot take has no R: null.
    """
    rows = []
    for name, server in sorted(run.virtual_servers.items()):
        if server.workload is None:
            continue
        try:
            one = observe(study, run, server, processed)
            found = model_of_run(one).predict(one.load)
        except MissingData as reason:
            rows.append({"virtual_server": name, "usable": "no", "reasons": str(reason)})
            continue
        figures = compare_prediction(found, one.throughput_per_s, one.response_time_s)
        if figures["R_high_ms"] is None:  # no interval without an upper limit
            figures["R_low_ms"] = None
        error = figures["error_R"]
        answer = model_usable(checks, name, math.inf if error is None else error)
        rows.append(
            {
                "virtual_server": name,
                "load": one.load.label,
                "X_client_per_s": figures.pop("X_measured_per_s"),
                "R_client_ms": figures.pop("R_measured_ms"),
                **figures,
                "usable": answer.answer,
                "reasons": "; ".join(answer.reasons) or None,
            }
        )
    return pl.DataFrame(rows, schema=SINGLE_RUN, orient="row")


Answer = Literal["yes", "with caveats", "no"]

REJECT_REL_ERROR = 0.5
"""A model whose response time is off by more than this share is not believed."""


@dataclass(frozen=True)
class Verdict:
    """Whether the model may be believed for one virtual server in one run, and the reasons against it."""

    answer: Answer
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.answer}: {'; '.join(self.reasons)}" if self.reasons else self.answer


def model_usable(
    checks: pl.DataFrame,
    virtual_server: str | None = None,
    error_R: float | None = None,  # noqa: N803
) -> Verdict:
    """Whether the model is usable for a run: ``yes``, ``with caveats`` or ``no``, blocking reasons first.

    ``no``: a blocking check failed, or the relative error of R exceeds ``REJECT_REL_ERROR``. ``with caveats``: another
    check failed, a blocking one was not evaluated, or the error exceeds ``ACCEPT_REL_ERROR_R``. Inconclusive checks
    have no effect.

    Parameters
    ----------
    checks
        Schema ``quality.check.CHECKS``.
    virtual_server
        Only its checks are used; all if None.
    error_R
        (modelled − measured) / measured response time; None where there is none.
    """
    mine = checks
    if virtual_server is not None:
        mine = checks.filter(pl.col("virtual_server") == virtual_server)
    failed = mine.filter(pl.col("result") == FAILED)
    against = [_reason(row) for row in failed.filter("blocking").iter_rows(named=True)]
    doubts = [_reason(row) for row in failed.filter(~pl.col("blocking")).iter_rows(named=True)]
    blind = mine.filter((pl.col("result") == NOT_EVALUATED) & pl.col("blocking"))
    doubts += [
        f"{row['check']} not evaluated: {row['message']}" for row in blind.iter_rows(named=True)
    ]
    if error_R is not None:
        size = f"the model's response time is off by {100 * error_R:+.3g} %"
        if not np.isfinite(error_R) or abs(error_R) > REJECT_REL_ERROR:
            against.append(size)
        elif abs(error_R) > ACCEPT_REL_ERROR_R:
            doubts.append(size)
    if mine.is_empty():
        doubts.append("nothing could be checked")
    answer: Answer = "no" if against else "with caveats" if doubts else "yes"
    return Verdict(answer, (*against, *doubts))


def _reason(row: dict) -> str:
    return row["flag"] or f"{row['check']}: {row['message']}"

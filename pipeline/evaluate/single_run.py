"""Prediction of a single run from its own demands, against the client's measurement.

No response time of the client enters, so the difference is the model's error. The model is :mod:`pipeline.model.host`
from the logs alone: the run's demands include the effect of loaded neighbours; its CPU is what the neighbours leave in
the run; its arrivals are the client's trace where that is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from pipeline.evaluate import texts
from pipeline.evaluate.acceptance import ACCEPT_REL_ERROR_R, compare_prediction, finite
from pipeline.measure.window import MissingData
from pipeline.model.fit import model_of_run
from pipeline.model.observation import observe
from pipeline.model.prediction import PARTS
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
        **{f"R_{part}_ms": pl.Float64 for part in PARTS},
        "usable": pl.String,
        "reasons": pl.String,
    }
)
"""One row per loaded virtual server: X and R of the client and of the model, with 95 % intervals and relative errors;
the parts of the modelled R (``model.prediction.PARTS``; null where infinite). ``usable`` is yes, with caveats or no."""


def evaluate_run(
    study: Study, run: Run, processed: Path | str, checks: pl.DataFrame
) -> pl.DataFrame:
    """Predict X and R of each loaded virtual server of a run, and judge whether the model is usable.

    Parameters
    ----------
    study, run
        The run and its study.
    processed
        Folder of the ingested tables.
    checks
        Quality checks of the run, schema ``quality.check.CHECKS``.

    Returns
    -------
    DataFrame
        Schema ``SINGLE_RUN``; R of an open load that saturates the CPU is null.
    """
    rows = []
    for name, server in sorted(run.virtual_servers.items()):
        if server.workload is None:
            continue
        try:
            observation = observe(study, run, server, processed)
            prediction = model_of_run(observation).predict(observation.load)
        except MissingData as reason:
            rows.append({"virtual_server": name, "usable": "no", "reasons": str(reason)})
            continue
        figures = compare_prediction(
            prediction, observation.throughput_per_s, observation.response_time_s
        )
        if figures["R_high_ms"] is None:  # no interval without an upper limit
            figures["R_low_ms"] = None
        error = figures["error_R"]
        verdict = model_usable(checks, name, math.inf if error is None else error)
        rows.append(
            {
                "virtual_server": name,
                "load": observation.load.label,
                "X_client_per_s": figures.pop("X_measured_per_s"),
                "R_client_ms": figures.pop("R_measured_ms"),
                **figures,
                **{
                    f"R_{part}_ms": finite(float(seconds[0]) * 1e3)
                    for part, seconds in prediction.parts_s.items()
                },
                "usable": verdict.answer,
                "reasons": "; ".join(verdict.reasons) or None,
            }
        )
    return pl.DataFrame(rows, schema=SINGLE_RUN, orient="row")


Answer = Literal["yes", "with caveats", "no"]

REJECT_REL_ERROR = 0.5
"""Relative error of R above which the model is not usable."""


@dataclass(frozen=True)
class Verdict:
    """Whether the model is usable for one virtual server in one run, and the reasons against it."""

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
    own_checks = checks
    if virtual_server is not None:
        own_checks = checks.filter(pl.col("virtual_server") == virtual_server)
    failed = own_checks.filter(pl.col("result") == FAILED)
    blocking_reasons = [_reason(row) for row in failed.filter("blocking").iter_rows(named=True)]
    caveats = [_reason(row) for row in failed.filter(~pl.col("blocking")).iter_rows(named=True)]
    not_evaluated = own_checks.filter((pl.col("result") == NOT_EVALUATED) & pl.col("blocking"))
    caveats += [
        texts.check_not_evaluated(row["check"], row["message"])
        for row in not_evaluated.iter_rows(named=True)
    ]
    if error_R is not None:
        error_text = texts.model_error(error_R)
        if not np.isfinite(error_R) or abs(error_R) > REJECT_REL_ERROR:
            blocking_reasons.append(error_text)
        elif abs(error_R) > ACCEPT_REL_ERROR_R:
            caveats.append(error_text)
    if own_checks.is_empty():
        caveats.append(texts.NOTHING_CHECKED)
    answer: Answer = "no" if blocking_reasons else "with caveats" if caveats else "yes"
    return Verdict(answer, (*blocking_reasons, *caveats))


def _reason(row: dict) -> str:
    return row["flag"] or f"{row['check']}: {row['message']}"

"""One run by our model: its own demands in, the response time out, beside what the client measured.

Nothing of the client's times goes in, so the difference is the model's error, not a fit's. It is the model of
:mod:`pipeline.model.host` in its logs-only form: its demands are those of this run, so what loaded neighbours
do to them is in them; its CPU is what the neighbours left in this run; its arrivals are the client's own sequence where
that is known.
"""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl

from pipeline.bundle import Run, Study
from pipeline.evaluate.acceptance import compared
from pipeline.measure.window import Unmeasured
from pipeline.model.fit import own_model
from pipeline.model.observation import observe
from pipeline.quality.assess import verdict

RUN_MODEL = pl.Schema(
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
        "believe": pl.String,
        "why": pl.String,
    }
)
"""One row a loaded virtual server: X and R of the model that the verdict is about, with 95 % intervals, and their
relative errors. ``believe`` is yes, with doubt or no."""


def run_model(study: Study, run: Run, processed: Path | str, checks: pl.DataFrame) -> pl.DataFrame:
    """Modelled X and R with 95 % intervals, the client's, the error, and whether to believe it.

    ``checks``: the gate's, form ``checks.CHECKS``. An open load that the CPU cannot take has no R: null.
    """
    rows = []
    for name, server in sorted(run.virtual_servers.items()):
        if server.workload is None:
            continue
        try:
            one = observe(study, run, server, processed)
            found = own_model(one).predict(one.load)
        except Unmeasured as reason:
            rows.append({"virtual_server": name, "believe": "no", "why": str(reason)})
            continue
        figures = compared(found, one.throughput_per_s, one.response_time_s)
        if figures["R_high_ms"] is None:  # no interval without an upper limit
            figures["R_low_ms"] = None
        error = figures["error_R"]
        answer = verdict(checks, name, math.inf if error is None else error)
        rows.append(
            {
                "virtual_server": name,
                "load": one.load.words,
                "X_client_per_s": figures.pop("X_measured_per_s"),
                "R_client_ms": figures.pop("R_measured_ms"),
                **figures,
                "believe": answer.answer,
                "why": "; ".join(answer.reasons) or None,
            }
        )
    return pl.DataFrame(rows, schema=RUN_MODEL, orient="row")

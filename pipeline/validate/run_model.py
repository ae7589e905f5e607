"""One run by our model: its own demands in, the response time out, beside what the client measured.

Nothing of the client's times goes in, so the difference is the model's error, not a fit's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.bundle import Run, Study
from pipeline.demands.bootstrap import interval
from pipeline.measure.window import Unmeasured
from pipeline.validate.gate import verdict
from pipeline.validate.host_fit import own_model
from pipeline.validate.observation import Observation, observe

RUN_MODEL = pl.Schema(
    {
        "virtual_server": pl.String,
        "load": pl.String,
        "X_client_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "X_low_per_s": pl.Float64,
        "X_high_per_s": pl.Float64,
        "R_client_ms": pl.Float64,
        "R_ms": pl.Float64,
        "R_low_ms": pl.Float64,
        "R_high_ms": pl.Float64,
        "error_R": pl.Float64,
        "believe": pl.String,
        "why": pl.String,
    }
)
"""One row a loaded virtual server. ``error_R`` is (R − R_client) / R_client; ``believe`` is yes, with doubt or no."""


def run_model(study: Study, run: Run, processed: Path | str, checks: pl.DataFrame) -> pl.DataFrame:
    """Modelled X and R with 95 % intervals, the client's, the error, and whether to believe it.

    ``checks``: the gate's, form ``checks.CHECKS``. An open load that the CPU cannot take has no R: null.
    """
    return pl.DataFrame(list(_rows(study, run, processed, checks)), schema=RUN_MODEL, orient="row")


def _rows(study: Study, run: Run, processed: Path | str, checks: pl.DataFrame) -> Iterator[dict]:
    for name, server in sorted(run.virtual_servers.items()):
        if server.workload is None:
            continue
        try:
            one = observe(study, run, server, processed)
            found = own_model(one).predict(one.load)
        except Unmeasured as reason:
            yield {"virtual_server": name, "believe": "no", "why": str(reason)}
            continue
        yield {
            "virtual_server": name,
            **_row(one, found.throughput_per_s, found.response_time_s, checks),
        }


def _row(
    one: Observation, throughput: np.ndarray, response: np.ndarray, checks: pl.DataFrame
) -> dict:
    error = float(response[0] / one.response_time_s - 1)
    answer = verdict(checks, one.virtual_server, error)
    low, high = interval(response[1:]) if np.isfinite(response[1:]).all() else (None, None)
    x_low, x_high = interval(throughput[1:])
    return {
        "load": one.load.words,
        "X_client_per_s": one.throughput_per_s,
        "X_per_s": float(throughput[0]),
        "X_low_per_s": x_low,
        "X_high_per_s": x_high,
        "R_client_ms": one.response_time_s * 1e3,
        "R_ms": float(response[0]) * 1e3 if np.isfinite(response[0]) else None,
        "R_low_ms": None if low is None else low * 1e3,
        "R_high_ms": None if high is None else high * 1e3,
        "error_R": error if np.isfinite(error) else None,
        "believe": answer.answer,
        "why": "; ".join(answer.reasons) or None,
    }

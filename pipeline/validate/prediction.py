"""Fitted at some loads, compared at others: how well loads that were not run are predicted.

Runs held out are those that study.json names. Repetitions of one load count as one load: its measured X and R are
those of its typical run, the geometric means over the repetitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.measure.window import Unmeasured
from pipeline.validate.host_fit import explain, fit_host, steady
from pipeline.validate.observation import Load, Observation, Place
from pipeline.validate.predictors import CALIBRATED, Prediction
from pipeline.validate.replicates import typical, typical_interval
from pipeline.validate.rivals import OURS, OURS_CALIBRATED, PREDICTORS, WITHOUT
from pipeline.validate.verdict import MOST_UTILIZATION, finite, relative_error

Array = NDArray[np.float64]

PREDICTIONS = pl.Schema(
    {
        "server": pl.String,
        "virtual_server": pl.String,
        "kind": pl.String,
        "load": pl.String,
        "size": pl.Float64,
        "held_out": pl.Boolean,
        "runs": pl.Int64,
        "predictor": pl.String,
        "label": pl.String,
        "utilization": pl.Float64,
        "X_measured_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "X_low_per_s": pl.Float64,
        "X_high_per_s": pl.Float64,
        "error_X": pl.Float64,
        "R_measured_ms": pl.Float64,
        "R_ms": pl.Float64,
        "R_low_ms": pl.Float64,
        "R_high_ms": pl.Float64,
        "error_R": pl.Float64,
        "note": pl.String,
    }
)
"""One row a load and predictor. ``utilization`` is what our model, fitted, predicts for the load; a null R is
unbounded: the load is more than the server can take, says the predictor. Errors are relative to the measured, the
typical one of ``runs``."""


@dataclass(frozen=True)
class Group:
    """One virtual server on one server, loaded alone: what is fitted to, and all that there is."""

    server: str
    virtual_server: str
    fitted: tuple[Observation, ...]
    everything: tuple[Observation, ...]

    @property
    def place(self) -> Place:
        """Server and virtual server."""
        return self.server, self.virtual_server

    def loads(self) -> Iterator[tuple[Load, bool, list[Observation]]]:
        """Each load once, from little to much, with its repetitions, and whether it is held out."""

        def key(one: Observation) -> tuple[float, str]:
            return (one.load.size, one.load.arrivals or "")

        for _, some in groupby(sorted(self.everything, key=key), key):
            runs = list(some)
            yield runs[0].load, any(one.held_out for one in runs), runs


def groups(observations: Iterable[Observation]) -> list[Group]:
    """The study by server and virtual server; runs with several loads are not in it."""
    alone = [one for one in observations if one.alone]
    found = []
    for place in sorted({one.place for one in alone}):
        mine = tuple(one for one in alone if one.place == place)
        fitted = tuple(steady([one for one in mine if not one.held_out]))
        found.append(Group(*place, fitted, mine))
    return found


def predictions(observations: Sequence[Observation], *, seed: int = 0) -> pl.DataFrame:
    """Every predictor at every load, held out or not. Schema: ``PREDICTIONS``."""
    rows = [row for group in groups(observations) for row in _group_rows(group, seed)]
    return pl.DataFrame(rows, schema=PREDICTIONS, orient="row")


def _group_rows(group: Group, seed: int) -> Iterator[dict]:
    try:
        ours = fit_host(group.fitted)
    except Unmeasured:
        return
    point = ours.estimate_only()
    for predictor in PREDICTORS:
        kind = group.fitted[0].load.kind
        if kind not in predictor.kinds:
            continue
        if predictor.name in (OURS, OURS_CALIBRATED):
            model = fit_host(group.fitted, calibrated=predictor.label == CALIBRATED)
            fitted = model.with_run_scatter(np.random.default_rng(seed)).predict
        else:
            fitted = predictor.fit(group.fitted)
        for load, out, runs in group.loads():
            found = fitted(load)
            measured_x = typical(one.throughput_per_s for one in runs)
            measured_r = typical(one.response_time_s for one in runs)
            yield {
                "server": group.server,
                "virtual_server": group.virtual_server,
                "kind": kind,
                "load": load.words,
                "size": load.size,
                "held_out": out,
                "runs": len(runs),
                "predictor": predictor.name,
                "label": predictor.label,
                "utilization": float(point.utilization(load)[0]),
                "X_measured_per_s": measured_x,
                "R_measured_ms": measured_r * 1e3,
                **_figures(found, measured_x, measured_r),
                "note": _note(found, runs),
            }


def typical_response_interval(runs: Sequence[Observation]) -> tuple[float, float] | None:
    """Where the typical R (s) of a load lies by its repetitions (95 %).

    None where it cannot be said: one run, or a server that kept up in some runs and not in others.
    """
    if any(one.saturated for one in runs):
        return None
    return typical_interval([one.response_time_s for one in runs])


def _figures(found: Prediction, measured_x: float, measured_r: float) -> dict[str, float | None]:
    x, r = found.throughput, found.response_time
    figures = {
        "X_per_s": x.value,
        "error_X": relative_error(x.value, measured_x),
        "R_ms": finite(r.value * 1e3),
        "error_R": relative_error(r.value, measured_r),
    }
    if found.response_time_s.size > 1:
        figures |= {"X_low_per_s": finite(x.low), "X_high_per_s": finite(x.high)}
        figures |= {"R_low_ms": finite(r.low * 1e3), "R_high_ms": finite(r.high * 1e3)}
    return figures


def _note(found: Prediction, runs: Sequence[Observation]) -> str | None:
    said = []
    if not np.isfinite(found.response_time_s[0]):
        said.append("more than the server can take, says the predictor")
    broken = sum(one.saturated for one in runs)
    if broken:
        said.append(f"the server did not keep up in {broken} of {len(runs)} runs")
    return "; ".join(said) or None


def summary(frame: pl.DataFrame, most_utilization: float = MOST_UTILIZATION) -> pl.DataFrame:
    """Mean absolute errors over the held-out loads, a row a predictor, server and virtual server.

    Open loads count up to ``most_utilization`` of saturation, by our model's own prediction. ``unbounded`` tells
    how many of them the predictor called impossible; they are not in its means.
    """
    held = frame.filter(
        pl.col("held_out")
        & ((pl.col("kind") == "closed") | (pl.col("utilization") <= most_utilization))
    )
    return held.group_by("server", "virtual_server", "predictor", "label", maintain_order=True).agg(
        loads=pl.len(),
        mean_abs_error_X=pl.col("error_X").abs().mean(),
        mean_abs_error_R=pl.col("error_R").abs().mean(),
        worst_error_R=pl.col("error_R").abs().max(),
        unbounded=pl.col("R_ms").is_null().sum(),
    )


def ablation(
    observations: Sequence[Observation], most_utilization: float = MOST_UTILIZATION
) -> pl.DataFrame:
    """What each correction of our model is worth: its error with all of them, and without each.

    The form is calibrated at the fitted loads anew for each. ``error_R`` is the mean absolute error of R over the
    loads held out, demands predicted, too; ``error_R_own`` is that over the runs held out with each run's own demands,
    so that what is told is the form alone. Columns server, virtual_server, model, loads, error_X, error_R,
    error_R_own, unbounded.
    """
    rows = []
    for group in groups(observations):
        try:
            scope = fit_host(group.fitted).estimate_only()
            models = {
                name: fit_host(group.fitted, calibrated=True, **switches).estimate_only()
                for name, switches, kinds in WITHOUT
                if group.fitted[0].load.kind in kinds
            }
        except Unmeasured:
            continue
        held = [
            (load, runs)
            for load, out, runs in group.loads()
            if out and (load.kind == "closed" or scope.utilization(load)[0] <= most_utilization)
        ]
        for name, model in models.items():
            found = [(model.predict(load), runs) for load, runs in held]
            good = [
                (guess, runs) for guess, runs in found if np.isfinite(guess.response_time.value)
            ]
            own = [
                (explain(one, model).estimate_only().predict(one.load), [one])
                for _, runs in held
                for one in runs
            ]
            rows.append(
                {
                    "server": group.server,
                    "virtual_server": group.virtual_server,
                    "model": name,
                    "loads": len(good),
                    "error_X": _mean_abs(
                        relative_error(
                            guess.throughput.value, typical(o.throughput_per_s for o in runs)
                        )
                        for guess, runs in good
                    ),
                    "error_R": _mean_abs(_errors_of_r(good)),
                    "error_R_own": _mean_abs(_errors_of_r(own)),
                    "unbounded": len(found) - len(good),
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def _errors_of_r(
    answers: Iterable[tuple[Prediction, Sequence[Observation]]],
) -> Iterator[float | None]:
    for guess, runs in answers:
        yield relative_error(guess.response_time.value, typical(o.response_time_s for o in runs))


def _mean_abs(errors: Iterable[float | None]) -> float | None:
    sizes = [abs(error) for error in errors if error is not None]
    return float(np.mean(sizes)) if sizes else None

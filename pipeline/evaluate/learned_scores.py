"""Who predicts best: errors of the predictors with bootstrap intervals, and the comparison of the best ones.

Scores are the median and the 90th percentile over loads of the absolute relative error, as Kundu et al. give them. The
bootstrap draws loads, and runs of each load drawn: an interval holds what another choice of loads and other
replications would change. Predictions stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluate.acceptance import finite, relative_error
from pipeline.evaluate.learned import LEARNED, MissingLibraryError, one_thread, require_scikit_learn
from pipeline.evaluate.learned_comparison import (
    NOT_LEARNED,
    Predicted,
    ScoredLoad,
    join_predictions,
    predict_task,
    prediction_tasks,
    quantile_errors,
)
from pipeline.evaluate.learning_curves import LEARNING_CURVES, learning_curves
from pipeline.evaluate.replication import geometric_mean
from pipeline.ingest.fingerprint import code_version
from pipeline.model.observation import Observation
from pipeline.model.stored import result_key, stored_or_computed
from pipeline.raw import Study

Array = NDArray[np.float64]

DRAWS = 2000
"""Bootstrap samples of the loads."""
MIN_LOADS = 3
"""Loads that an interval needs: with fewer the samples are nearly all the same."""
TAIL = 0.025
"""Of each side of a 95 % interval."""
CODE = (
    "evaluate/learned.py",
    "evaluate/learned_comparison.py",
    "evaluate/learning_curves.py",
    "evaluate/transfer.py",
)
"""Modules of ``pipeline`` that decide a comparison, besides those of every stored result."""

PREDICTED_LOADS = pl.Schema(
    dict.fromkeys(("setting", "server", "virtual_server", "load"), pl.String)
    | {"level": pl.Float64, "runs": pl.Int64, "predictor": pl.String}
    | dict.fromkeys(("R_measured_ms", "R_ms", "error_R"), pl.Float64)
    | dict.fromkeys(("X_measured_per_s", "X_per_s", "error_X"), pl.Float64)
)
"""One row per load and predictor; of the neural nets, the median over seeds. R is null where it is infinite, X is null
for open loads. Errors are relative to the measured typical run."""

SCORES = pl.Schema(
    {"setting": pl.String, "virtual_server": pl.String, "predictor": pl.String}
    | {"loads": pl.Int64, "runs": pl.Int64}
    | dict.fromkeys(
        (
            *("median_R", "median_R_low", "median_R_high", "p90_R", "p90_R_low", "p90_R_high"),
            *("lowest_seed", "highest_seed", "median_R_of_runs", "p90_R_of_runs"),
            *("median_X", "median_X_low", "median_X_high", "p90_X", "p90_X_low", "p90_X_high"),
        ),
        pl.Float64,
    )
)
"""One row per setting, virtual server (null: all) and predictor. ``median_R``, ``p90_R``: median and 90th percentile
over loads of the absolute relative error of R, with 95 % intervals, null below ``MIN_LOADS`` loads and where infinite.
``lowest_seed``, ``highest_seed``: the range of ``median_R`` over the seeds of the neural net, null for the others.
``_of_runs``: over single runs. X: of closed loads, null without one."""

WINNERS = pl.Schema(
    {"setting": pl.String, "virtual_server": pl.String, "loads": pl.Int64, "runs": pl.Int64}
    | {"best": pl.String, "best_error": pl.Float64, "next": pl.String, "next_error": pl.Float64}
    | dict.fromkeys(("difference", "low", "high"), pl.Float64)
    | {"is_significant": pl.Boolean}
)
"""One row per setting and virtual server (null: all). Of the queueing model, the linear baseline and the learned
predictor with the lowest median error here: ``best`` has the lowest median error of R, ``next`` the lowest of the
others. ``difference``: of the two, with its 95 % interval. ``is_significant``: whether the interval excludes 0; null
without an interval."""


@dataclass(frozen=True, eq=False)
class PredictorComparison:
    """Predictions of a study's loads by every predictor, and what follows from them."""

    predicted: Predicted = field(repr=False)
    curves: pl.DataFrame = field(repr=False)
    """Errors by the number of training runs (``learning_curves.LEARNING_CURVES``)."""
    learned: tuple[str, ...]
    """The learned predictors; none without scikit-learn."""

    @cached_property
    def loads(self) -> pl.DataFrame:
        """Predictions and errors of each load. Schema: ``PREDICTED_LOADS``."""
        rows = [
            _load_row(load, name, self.predicted, i)
            for i, load in enumerate(self.predicted.loads)
            for name in self.predicted.response_s
        ]
        return pl.DataFrame(rows, schema=PREDICTED_LOADS, orient="row")

    @cached_property
    def scores(self) -> pl.DataFrame:
        """Errors by setting, virtual server and predictor. Schema: ``SCORES``."""
        rows = [
            {"setting": setting, "virtual_server": name, **row}
            for setting, name, part in self._parts()
            for row in score_predictors(part)
        ]
        return pl.DataFrame(rows, schema=SCORES, orient="row")

    @cached_property
    def winners(self) -> pl.DataFrame:
        """Who has the lowest error, by setting and virtual server. Schema: ``WINNERS``."""
        rows = [
            {"setting": setting, "virtual_server": name, **compare_best(part)}
            for setting, name, part in self._parts()
        ]
        return pl.DataFrame(rows, schema=WINNERS, orient="row")

    def _parts(self) -> list[tuple[str, str | None, Predicted]]:
        """Setting, virtual server or None for all, and the predictions of its loads."""
        parts = []
        for setting in dict.fromkeys(load.setting for load in self.predicted.loads):
            of_setting = self.predicted.where(lambda load, name=setting: load.setting == name)
            names = sorted({load.virtual_server for load in of_setting.loads})
            parts.append((setting, None, of_setting))
            parts += [
                (
                    setting,
                    name,
                    of_setting.where(lambda load, name=name: load.virtual_server == name),
                )
                for name in names
            ]
        return parts


def compare_predictors(
    observations: Sequence[Observation], study: Study, *, with_curves: bool = True
) -> PredictorComparison:
    """Fit and score every predictor on the runs of a study; without scikit-learn only those that are not learned.

    The result is stored, and read if the runs, the resources and the code are the same, where the runs have a folder
    for it.
    """
    try:
        version, learned = require_scikit_learn(), LEARNED
    except MissingLibraryError:
        version, learned = "", ()
    tasks = prediction_tasks(observations)

    def compute() -> dict[str, Any]:
        with one_thread() if learned else nullcontext():
            parts = [predict_task(task, study, learned=learned) for task in tasks]
            curves = learning_curves(tasks, parts, study, learned=learned) if with_curves else None
        return {
            "predicted": [
                {
                    "response_s": {name: v.tolist() for name, v in part.response_s.items()},
                    "throughput_per_s": {
                        name: v.tolist() for name, v in part.throughput_per_s.items()
                    },
                }
                for part in parts
            ],
            "curves": [] if curves is None else [list(row) for row in curves.iter_rows()],
        }

    alone = [run for run in observations if run.is_alone]
    folder = alone[0].results if alone else None
    if folder is None:
        result = compute()
    else:
        code = code_version(Path(__file__).parent.parent, CODE)
        key = result_key(code, version, with_curves, study.manifest, [run.digest for run in alone])
        result = stored_or_computed(folder / "learned.json", key, compute)
    parts = [
        Predicted(
            task.loads,
            *(
                {name: np.array(values, float) for name, values in part[quantity].items()}
                for quantity in ("response_s", "throughput_per_s")
            ),
        )
        for task, part in zip(tasks, result["predicted"], strict=True)
    ]
    curves = pl.DataFrame(result["curves"], schema=LEARNING_CURVES, orient="row")
    return PredictorComparison(join_predictions(parts), curves, tuple(learned))


# -- scores ----------------------------------------------------------------------------------------------------


def score_predictors(predicted: Predicted, draws: int = DRAWS) -> list[dict[str, Any]]:
    """Errors of each predictor over some loads, with intervals: rows of ``SCORES`` without its keys."""
    loads, closed = predicted.loads, predicted.where(lambda load: load.load.kind == "closed")
    of_runs = np.array([run.response_time_s for load in loads for run in load.runs])
    load_of_run = [i for i, load in enumerate(loads) for _ in load.runs]
    measures = {
        "R": (predicted.response_s, _Samples.draw(loads, "response_time_s", draws)),
        "X": (closed.throughput_per_s, _Samples.draw(closed.loads, "throughput_per_s", draws)),
    }
    rows = []
    for name, values in predicted.response_s.items():
        row: dict[str, Any] = {"predictor": name, "loads": len(loads), "runs": len(of_runs)}
        for label, q in (("median", 0.5), ("p90", 0.9)):
            for symbol, (by_predictor, samples) in measures.items():
                if samples.measured.size:
                    row |= _score(f"{label}_{symbol}", by_predictor[name], samples, q)
            row[f"{label}_R_of_runs"] = finite(
                np.median(quantile_errors(values[:, load_of_run], of_runs, q))
            )
        if len(values) > 1:
            seeds = quantile_errors(values, measures["R"][1].measured, 0.5)
            row["lowest_seed"], row["highest_seed"] = finite(seeds.min()), finite(seeds.max())
        rows.append(row)
    return rows


def _score(label: str, values: Array, samples: _Samples, q: float) -> dict[str, float | None]:
    low, high = _interval(samples.errors(values, q))
    error = np.median(quantile_errors(values, samples.measured, q))
    return {label: finite(error), f"{label}_low": low, f"{label}_high": high}


def compare_best(predicted: Predicted, draws: int = DRAWS) -> dict[str, Any]:
    """The predictor with the lowest median error of R, and its lead: a row of ``WINNERS`` without its place.

    The queueing model, the linear baseline and the best of the learned predictors are compared. The best of the learned
    is chosen by the same loads, which favours it.
    """
    loads, samples = predicted.loads, _Samples.draw(predicted.loads, "response_time_s", draws)
    errors = {
        name: float(np.median(quantile_errors(values, samples.measured, 0.5)))
        for name, values in predicted.response_s.items()
    }
    learned = sorted((name for name in errors if name not in NOT_LEARNED), key=errors.__getitem__)
    best, runner_up, *_ = sorted([*NOT_LEARNED, *learned[:1]], key=errors.__getitem__)
    sampled = [samples.errors(predicted.response_s[name], 0.5) for name in (runner_up, best)]
    with np.errstate(invalid="ignore"):
        difference = np.nan_to_num(sampled[0] - sampled[1], nan=0.0, posinf=np.inf, neginf=-np.inf)
        lead = errors[runner_up] - errors[best]
    low, high = _interval(difference)
    return {
        "loads": len(loads),
        "runs": sum(len(load.runs) for load in loads),
        "best": best,
        "best_error": finite(errors[best]),
        "next": runner_up,
        "next_error": finite(errors[runner_up]),
        "difference": finite(lead),
        "low": low,
        "high": high,
        "is_significant": None
        if len(difference) == 0
        else bool(np.quantile(difference, TAIL, method="lower") > 0),
    }


def replication_error(loads: Sequence[ScoredLoad]) -> float | None:
    """Median relative deviation of R of a run from the typical run of its load's other runs; None without two runs.

    No predictor of a load can have a lower error over single runs, however much it knows of the load.
    """
    deviations = [
        abs(
            run.response_time_s
            / geometric_mean(o.response_time_s for o in load.runs if o is not run)
            - 1
        )
        for load in loads
        if len(load.runs) > 1
        for run in load.runs
    ]
    return float(np.median(deviations)) if deviations else None


@dataclass(frozen=True)
class _Samples:
    """Bootstrap samples of loads: their numbers, and the typical run of runs drawn of each, shape (draws, loads)."""

    measured: Array
    """The typical runs of the study, shape (loads,)."""
    loads: NDArray[np.int64]
    drawn: Array

    @classmethod
    def draw(cls, loads: Sequence[ScoredLoad], quantity: str, draws: int) -> _Samples:
        """Draw loads, and runs of each load drawn. Without samples where there are fewer than ``MIN_LOADS``.

        ``quantity``: ``response_time_s`` or ``throughput_per_s``.
        """
        measured = np.array([getattr(load, quantity) for load in loads])
        shape = (draws if len(loads) >= MIN_LOADS else 0, len(loads))
        random = np.random.default_rng(len(loads))
        chosen = random.integers(max(len(loads), 1), size=shape)
        drawn = np.empty(shape)
        for i, load in enumerate(loads):
            logs = np.log([getattr(run, quantity) for run in load.runs])
            is_chosen = chosen == i
            runs = random.choice(logs, (int(is_chosen.sum()), len(logs)))
            drawn[is_chosen] = np.exp(runs.mean(axis=1))
        return cls(measured, chosen, drawn)

    def errors(self, predicted: Array, q: float) -> Array:
        """A quantile of the errors in each sample, shape (draws,): of the neural nets, the median over seeds."""
        if not len(self.loads):
            return np.empty(0)
        return np.median(quantile_errors(predicted[:, self.loads], self.drawn, q), axis=0)


def _interval(samples: Array) -> tuple[float | None, float | None]:
    """The 95 % interval; None without samples, and where an end is infinite."""
    if not len(samples):
        return None, None
    return (
        finite(np.quantile(samples, TAIL, method="lower")),
        finite(np.quantile(samples, 1 - TAIL, method="higher")),
    )


def _load_row(load: ScoredLoad, name: str, predicted: Predicted, i: int) -> dict[str, Any]:
    r, x = load.response_time_s, load.throughput_per_s
    modelled_r, modelled_x = (
        finite(np.median(values[name][:, i]))
        for values in (predicted.response_s, predicted.throughput_per_s)
    )
    return {
        "setting": load.setting,
        "server": load.server,
        "virtual_server": load.virtual_server,
        "load": load.load.label,
        "level": load.load.level,
        "runs": len(load.runs),
        "predictor": name,
        "R_measured_ms": r * 1e3,
        "R_ms": None if modelled_r is None else modelled_r * 1e3,
        "error_R": relative_error(modelled_r, r),
        "X_measured_per_s": x,
        "X_per_s": modelled_x,
        "error_X": relative_error(modelled_x, x),
    }

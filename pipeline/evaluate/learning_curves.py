"""Errors of every predictor by the number of training runs, on random subsets that all predictors share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluate.acceptance import finite
from pipeline.evaluate.learned import LEARNED
from pipeline.evaluate.learned_comparison import Predicted, Task, predict_task, quantile_errors
from pipeline.model.observation import Observation
from pipeline.raw import Study

Array = NDArray[np.float64]

SIZES = (10, 20, 40, 80, 160, 320)
MAX_SHARE = 0.8
"""Numbers of training runs, up to this share of all of them: subsets of nearly all runs are nearly the same."""
DRAWS = 3
"""Random subsets of each size."""

LEARNING_CURVES = pl.Schema(
    {
        "task": pl.String,
        "virtual_server": pl.String,
        "training_runs": pl.Int64,
        "draw": pl.Int64,
        "predictor": pl.String,
        "median_error_R": pl.Float64,
    }
)
"""One row per task, virtual server, number of training runs, subset and predictor: the median over the task's loads of
the relative error of R. ``draw``: the subset; with all runs in training, the seed of a neural net. Null where the
median is infinite."""


def learning_curves(
    tasks: Sequence[Task],
    fitted_to_all: Sequence[Predicted],
    study: Study,
    *,
    learned: Sequence[str] = LEARNED,
    draws: int = DRAWS,
    sizes: Sequence[int] = SIZES,
) -> pl.DataFrame:
    """Median error of R over the number of training runs.

    Parameters
    ----------
    tasks
        What is fitted and predicted.
    fitted_to_all
        The predictions of each task from all of its training runs.
    study
        States the resources of the servers.
    learned
        The learned predictors.
    draws
        Random subsets of each size: from each server in proportion to its runs, the same for every predictor. A neural
        net has one seed per subset.
    sizes
        Numbers of training runs, in ascending order, up to ``MAX_SHARE`` of all; and all of them.

    Returns
    -------
    DataFrame
        Schema ``LEARNING_CURVES``.
    """
    rows: list[list[Any]] = []
    for task, complete in zip(tasks, fitted_to_all, strict=True):
        for size in [size for size in sizes if size <= MAX_SHARE * len(task.training)]:
            for draw in range(draws):
                # the size and the draw name the subset: further sizes, draws or tasks do not change it
                subset = draw_subset(task.training, size, np.random.default_rng([size, draw]))
                predicted = predict_task(
                    task, study, subset, learned=learned, seeds=(draw,), with_throughput=False
                )
                rows += _rows(task, size, predicted, draw)
        rows += _rows(task, len(task.training), complete, 0)
    return pl.DataFrame(rows, schema=LEARNING_CURVES, orient="row")


def draw_subset(
    runs: Sequence[Observation], size: int, random: np.random.Generator
) -> list[Observation]:
    """Draw training runs without replacement, from each server in proportion to its runs, and at least one.

    The runs keep their order.

    Examples
    --------
    >>> draw_subset([], 0, np.random.default_rng(0))
    []
    """
    servers = sorted({run.server for run in runs})
    members = [[i for i, run in enumerate(runs) if run.server == name] for name in servers]
    shares = np.array([size * len(indices) / len(runs) for indices in members])
    counts = np.clip(np.floor(shares).astype(int), 1, None)
    for i in np.argsort(counts - shares, kind="stable"):  # largest remainders first
        counts[i] += int(counts.sum() < size)
    chosen = [
        int(i)
        for indices, count in zip(members, counts, strict=True)
        for i in random.choice(indices, count, replace=False)
    ]
    return [runs[i] for i in sorted(chosen)]


def _rows(task: Task, size: int, predicted: Predicted, draw: int) -> Iterator[list[Any]]:
    measured = np.array([load.response_time_s for load in predicted.loads])
    for name, values in predicted.response_s.items():
        for i, median in enumerate(quantile_errors(values, measured, 0.5)):
            yield [task.name, task.virtual_server, size, draw + i, name, finite(median)]


def summarize_curves(curves: pl.DataFrame) -> pl.DataFrame:
    """The median over subsets (seeds, with all runs in training) of each median error, and the range over them.

    Columns task, virtual_server, training_runs, predictor, subsets, error, low, high, unbounded. An infinite error
    counts as larger than any other; null where the figure is infinite.
    """

    def over_subsets(q: float) -> pl.Expr:
        errors = pl.col("median_error_R").fill_null(float("inf"))
        return errors.quantile(q, "higher").replace(float("inf"), None)

    return curves.group_by(
        "task", "virtual_server", "training_runs", "predictor", maintain_order=True
    ).agg(
        subsets=pl.len(),
        error=over_subsets(0.5),
        low=over_subsets(0.0),
        high=over_subsets(1.0),
        unbounded=pl.col("median_error_R").null_count(),
    )

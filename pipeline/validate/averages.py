"""How the verdicts depend on the average that is taken over a load's runs.

Demand curves are fitted to logarithms, so a prediction speaks of the typical run; R is convex in the demand, so the
mean over runs lies above it, the more the nearer to saturation. A true model is therefore judged too quick by the mean,
less so by the geometric mean, and not at all by the median, which scatters most with few runs. Loads are judged by the
geometric mean, and the verdicts by the others are shown beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import polars as pl

from pipeline.validate.observation import Observation
from pipeline.validate.replicates import typical
from pipeline.validate.verdict import judge

AVERAGES: dict[str, Callable[[list[float]], float]] = {
    "mean": np.mean,
    "geometric mean": typical,
    "median": np.median,
}

BY_AVERAGE = pl.Schema(
    {
        "average": pl.String,
        "server": pl.String,
        "virtual_server": pl.String,
        "load": pl.String,
        "alone": pl.Boolean,
        "error_X": pl.Float64,
        "error_R": pl.Float64,
        "explained": pl.Float64,
        "judged": pl.String,
    }
)
"""One row an average and load held out whose prediction has a bound. ``alone``: whether no other virtual server was
loaded."""

Place = tuple[str, str, str]
"""Server, virtual server and load in words."""


def judged_by_average(
    observations: Iterable[Observation],
    budget_of_runs: pl.DataFrame,
    utilizations: Mapping[Place, float],
) -> pl.DataFrame:
    """Every load held out, judged by each average over its runs. Schema: ``BY_AVERAGE``.

    ``budget_of_runs``: form ``validate.budget.BUDGET``; ``utilizations``: as predicted, of open loads that were there
    alone.
    """
    seen = {(one.server, one.run, one.virtual_server): one for one in observations}
    loads: dict[tuple[Place, bool], list[tuple[Observation, dict]]] = {}
    for row in budget_of_runs.iter_rows(named=True):
        one = seen[row["server"], row["run"], row["virtual_server"]]
        place = (one.server, one.virtual_server, one.load.words)
        loads.setdefault((place, one.alone), []).append((one, row))
    rows = []
    for name, average in AVERAGES.items():
        for (place, alone), runs in loads.items():
            if all(row["predicted_ms"] is not None for _, row in runs):
                utilization = utilizations.get(place) if alone else None
                keys = dict(zip(("server", "virtual_server", "load"), place, strict=True))
                figures = _judged(runs, average, utilization)
                rows.append({"average": name, **keys, "alone": alone, **figures})
    return pl.DataFrame(rows, schema=BY_AVERAGE, orient="row")


def _judged(
    runs: list[tuple[Observation, dict]],
    average: Callable[[list[float]], float],
    utilization: float | None,
) -> dict[str, float | str | None]:
    measured, predicted, own, rates, guessed = (
        float(average(values))
        for values in zip(*(_of_run(one, row) for one, row in runs), strict=True)
    )
    miss = measured - predicted
    error_x, error_r = guessed / rates - 1, predicted / measured - 1
    explained = max(0.0, 1 - abs((measured - own) / miss)) if miss else None
    kind = runs[0][0].load.kind
    judged = judge(kind, utilization, error_x, error_r, explained)
    return {"error_X": error_x, "error_R": error_r, "explained": explained, "judged": judged}


def _of_run(one: Observation, row: dict) -> tuple[float, float, float, float, float]:
    """R measured, predicted and by the run's own demands (ms); X measured and predicted (1/s)."""
    measured, predicted = row["measured_ms"], row["predicted_ms"]
    own = measured - row["unexplained_ms"]
    rate = one.throughput_per_s
    if one.load.kind == "open":  # X is given
        return measured, predicted, own, rate, rate
    guessed = (one.load.population or 0) / (predicted / 1e3 + one.load.think_time_s)
    return measured, predicted, own, rate, guessed

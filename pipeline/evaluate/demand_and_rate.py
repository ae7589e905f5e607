"""Whether service demands depend on the load: RahimiZadeh's assumption, tested on sweeps.

RahimiZadeh et al. (reference [10] of the paper) take the CPU and disk demand of a request as independent of the request
rate. A sweep is one virtual server on one server under one kind of load at several levels. The logarithm of the demand
is regressed on the logarithm of the load (requests per second of an open load, threads of a closed one: a closed
load's throughput is itself a result of the demand). A slope of 0 is the claim; 0.1 is a demand that grows by a tenth
of the load's growth.

Runs of a batch share the state of the machine, so each batch has an intercept of its own (it is a block): only runs of
one batch are compared with each other, and a batch with a single load is not used. A drift within a batch is not
separated from the load where the loads were run in ascending order.

Each sweep and station is a test; the p-values are corrected for all of them (Holm, Scandinavian Journal of Statistics
6, 1979, page 65), the intervals are not.

The demands are those of the observations (:mod:`pipeline.demands.service_demand`); how they depend on the load, where
they do, is fitted by :mod:`pipeline.demands.load_curve`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluate import texts
from pipeline.evaluate.replication import geometric_mean
from pipeline.factors.fit import holm
from pipeline.measure.window import MissingData
from pipeline.model.fit import recording_batches
from pipeline.model.observation import Observation

Array = NDArray[np.float64]

STATIONS = ("host_cpu", "disk")
"""Stations of the claim: the host's CPU and disk."""
LEVEL = 0.95
"""Of the intervals; 1 − this is the level of the tests."""
MIN_LEVELS = 3
"""Levels of the load that a slope needs: of two, a single deviating level makes one."""

DEMAND_AND_RATE = pl.Schema(
    {
        "server": pl.String,
        "virtual_server": pl.String,
        "load": pl.String,
        "station": pl.String,
        "lowest_load": pl.Float64,
        "highest_load": pl.Float64,
        "levels": pl.Int64,
        "runs": pl.Int64,
        "batches": pl.Int64,
        "slope": pl.Float64,
        "slope_low": pl.Float64,
        "slope_high": pl.Float64,
        "ratio_measured": pl.Float64,
        "ratio": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "p": pl.Float64,
        "p_family": pl.Float64,
        "p_lack_of_fit": pl.Float64,
        "verdict": pl.String,
        "largest_change": pl.Float64,
        "reason": pl.String,
    }
)
"""One row per sweep and station. ``load``: the kind of load, ``lowest_load`` and ``highest_load`` in requests per
second or threads; ``levels``, ``runs`` and ``batches``: those that are used. ``slope``: of log demand over log load
with its 95 % interval. ``ratio_measured``: geometric mean of the demands at the highest load over that at the lowest.
``ratio``: the same by the slope, with its interval ``low`` to ``high``. ``p``: of a slope of 0, ``p_family``: after
Holm's correction over all rows. ``p_lack_of_fit``: of a straight line against a mean per level. ``largest_change``:
ratio − 1 at the end of the interval that is farther from 1 (on a logarithmic scale), the largest change that the data
allow. ``reason``: why a number is missing, or runs are left out."""


def demand_and_rate(observations: Iterable[Observation]) -> pl.DataFrame:
    """Test on every sweep of a study whether the demands depend on the load.

    Parameters
    ----------
    observations
        Runs of a study. Used are those of a virtual server loaded alone; not those of an open load that saturated the
        server, which has no steady state.

    Returns
    -------
    DataFrame
        Schema ``DEMAND_AND_RATE``, one row per server, virtual server, kind of load and station; a kind of load with a
        single level is no sweep.

    Examples
    --------
    >>> import pipeline as qv
    >>> demand_and_rate(qv.open_holdout("kvm-case-study").observations)         # doctest: +SKIP
    """

    def key(run: Observation) -> tuple[str, str, str]:
        return (*run.deployment, run.load.arrivals or run.load.kind)

    usable = [run for run in observations if run.is_alone and not run.is_saturated]
    rows = []
    for (server, virtual_server, load), group in groupby(sorted(usable, key=key), key):
        runs = list(group)
        levels = np.array([run.load.level for run in runs])
        if len(set(levels)) < 2:
            continue
        for station in STATIONS:
            names = {
                "server": server,
                "virtual_server": virtual_server,
                "load": load,
                "station": station,
            }
            rows.append(names | _sweep(levels, _demands(runs, station), recording_batches(runs)))
    return _with_verdicts(rows)


def published_demand_and_rate(mysql: pl.DataFrame) -> pl.DataFrame:
    """The same test on published sweeps: CPU demand of MySQL's transactions over the number of threads.

    Parameters
    ----------
    mysql
        Of :func:`pipeline.evaluate.published_studies.read_mysql`: ``platform``, ``population``, ``demand_ms``; one row
        per level, a mean of ten runs. The printed table has no variation of the CPU's use from run to run, so what
        deviates from the line is the error.

    Returns
    -------
    DataFrame
        Schema ``DEMAND_AND_RATE``, one row per platform (``virtual_server``); ``runs`` are the printed levels.
    """
    rows = []
    for (platform,), sweep in mysql.group_by("platform", maintain_order=True):
        names = {
            "server": texts.FELTER,
            "virtual_server": platform,
            "load": "closed",
            "station": "host_cpu",
        }
        loads, demands = (
            sweep[name].cast(pl.Float64).to_numpy() for name in ("population", "demand_ms")
        )
        rows.append(names | _sweep(loads, demands, np.zeros(len(sweep), np.int64)))
    return _with_verdicts(rows)


def _demands(runs: Sequence[Observation], station: str) -> Array:
    """Seconds per request, NaN where the demand is missing."""
    values = []
    for run in runs:
        try:
            values.append(run.run_demands.demand(station).value_s)
        except MissingData:
            values.append(np.nan)
    return np.array(values)


def _sweep(loads: Array, demands: Array, batches: NDArray[np.int64]) -> dict[str, object]:
    """Numbers of a row, from runs of one sweep and station."""
    is_usable = np.isfinite(demands) & (demands > 0)
    left_out = int((~is_usable).sum())
    in_batch = is_usable & (batches[:, None] == batches)
    is_used = is_usable & [len(set(loads[row])) > 1 for row in in_batch]
    loads, demands, batches = loads[is_used], demands[is_used], batches[is_used]
    counts = {"levels": len(set(loads)), "runs": len(loads), "batches": len(set(batches))}
    reason = texts.demands_left_out(left_out) if left_out else None
    degrees_of_freedom = counts["runs"] - counts["batches"] - 1
    if counts["levels"] < MIN_LEVELS or degrees_of_freedom < 1:
        too_few = texts.too_few_levels(MIN_LEVELS)
        return counts | {"reason": f"{too_few}; {reason}" if reason else too_few}
    lowest, highest = float(loads.min()), float(loads.max())
    numbers = _regress(np.log(loads), np.log(demands), batches)
    ratios = {
        name: float(np.exp(numbers[slope] * np.log(highest / lowest)))
        for name, slope in (("ratio", "slope"), ("low", "slope_low"), ("high", "slope_high"))
    }
    ratios["ratio_measured"] = geometric_mean(demands[loads == highest]) / geometric_mean(
        demands[loads == lowest]
    )
    farther = max(ratios["low"], ratios["high"], key=lambda ratio: abs(np.log(ratio)))
    ends = {"lowest_load": lowest, "highest_load": highest}
    return counts | ends | numbers | ratios | {"largest_change": farther - 1, "reason": reason}


def _regress(load: Array, demand: Array, batches: NDArray[np.int64]) -> dict[str, float | None]:
    """Slope of the logarithms with an intercept for each batch."""
    from statsmodels.regression.linear_model import OLS  # slow to import

    intercepts = (batches[:, None] == np.unique(batches)).astype(float)
    line = np.column_stack((load - load.mean(), intercepts))
    fit = OLS(demand, line).fit()
    low, high = fit.conf_int(1 - LEVEL)[0]
    per_level = (load[:, None] == np.unique(load)[1:]).astype(float)
    levels = np.column_stack((per_level, intercepts))
    lack_of_fit = None
    rank = np.linalg.matrix_rank(levels)
    if line.shape[1] < rank == levels.shape[1] < len(load):
        lack_of_fit = float(OLS(demand, levels).fit().compare_f_test(fit)[1])
    return {
        "slope": float(fit.params[0]),
        "slope_low": float(low),
        "slope_high": float(high),
        "p": float(fit.pvalues[0]),
        "p_lack_of_fit": lack_of_fit,
    }


def _with_verdicts(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Rows with p-values corrected for all of them, and verdicts."""
    p_values = holm([row.get("p") for row in rows])
    for row, p in zip(rows, p_values, strict=True):
        row["p_family"] = p
        row["verdict"] = (
            texts.NOT_TESTED if p is None else texts.REFUTED if p < 1 - LEVEL else texts.NOT_REFUTED
        )
    return pl.DataFrame(rows, schema=DEMAND_AND_RATE)

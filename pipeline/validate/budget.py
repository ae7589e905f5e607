"""Where a prediction's error comes from, in milliseconds, by what the missed run's own logs show.

The prediction is changed step by step into the model with what was measured in that run, apart from its response
times: how many requests came, what they took of the CPU, of the disks, what the neighbours took and when. Each
step's difference is one line; what is left is the model's own error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.measure.window import Unmeasured
from pipeline.validate.across import loaded_together
from pipeline.validate.host_fit import explain, fit_host, form_scatter
from pipeline.validate.host_model import HostModel
from pipeline.validate.observation import Observation
from pipeline.validate.prediction import groups
from pipeline.validate.replicates import typical_of

Array = NDArray[np.float64]

BUDGET = pl.Schema(
    {
        "server": pl.String,
        "virtual_server": pl.String,
        "run": pl.String,
        "load": pl.String,
        "predicted_ms": pl.Float64,
        "arrivals_ms": pl.Float64,
        "cpu_demand_ms": pl.Float64,
        "disk_demand_ms": pl.Float64,
        "surroundings_ms": pl.Float64,
        "course_ms": pl.Float64,
        "unexplained_ms": pl.Float64,
        "unexplained_error_ms": pl.Float64,
        "measured_ms": pl.Float64,
        "miss_ms": pl.Float64,
        "explained": pl.Float64,
        "note": pl.String,
    }
)
"""One row a run held out. predicted + the five steps + unexplained = measured; ``explained`` is 1 − |unexplained| /
|miss|. A null step is unbounded: it and the next finite one are told together in the latter. ``course_ms``: that
the neighbours used more at one time and less at another; 0 but for arrivals that are known one by one.
``unexplained_error_ms``: standard error of what is unexplained, by what runs that were fitted to are off by with their
own demands; null with too few of them."""

SURE = 1.96
"""Standard errors on either side of a 95 % interval."""


def budgets(observations: Iterable[Observation]) -> pl.DataFrame:
    """The budget of every run held out, of one load or of several. Schema: ``BUDGET``."""
    everything = list(observations)
    rows, forms = [], {}
    for group in groups(everything):
        with suppress(Unmeasured):
            model = fit_host(group.fitted, calibrated=True).estimate_only()
            forms[group.server, group.virtual_server] = form = form_scatter(model, group.fitted)
            rows += list(_rows(((model, one) for one in group.everything), form))
    for pairs in loaded_together(everything).values():
        for model, one in pairs:
            rows += list(_rows([(model, one)], forms.get((one.server, one.virtual_server))))
    return pl.DataFrame(rows, schema=BUDGET, orient="row")


def by_load(budget_of_runs: pl.DataFrame) -> pl.DataFrame:
    """Budgets of the repetitions of a load together, by its typical run: what share of its miss is explained.

    ``own_ms`` is R with the runs' own demands; predicted, own and measured are geometric means over the runs.
    ``explained_low`` and ``explained_high`` are the 95 % interval by ``unexplained_error_ms``.
    """
    own = (pl.col("measured_ms") - pl.col("unexplained_ms")).alias("own_ms")
    relative = pl.col("unexplained_error_ms") / own
    left, miss = pl.col("unexplained_ms"), pl.col("miss_ms").abs()
    wide = SURE * pl.col("unexplained_error_ms")
    nearest = pl.max_horizontal(left.abs() - wide, 0.0)
    return (
        budget_of_runs.group_by("server", "virtual_server", "load", maintain_order=True)
        .agg(
            pl.len().alias("runs"),
            *(typical_of(each) for each in (pl.col("predicted_ms"), own, pl.col("measured_ms"))),
            # runs err independently; one without an error leaves their typical one without one
            pl.when(relative.is_not_null().all())
            .then((relative**2).sum().sqrt() / pl.len())
            .alias("relative"),
        )
        .with_columns(
            miss_ms=pl.col("measured_ms") - pl.col("predicted_ms"),
            unexplained_ms=pl.col("measured_ms") - pl.col("own_ms"),
            unexplained_error_ms=pl.col("relative") * pl.col("own_ms"),
        )
        .drop("relative")
        .with_columns(
            explained=(1 - left.abs() / miss).clip(0, 1),
            explained_low=(1 - (left.abs() + wide) / miss).clip(0, 1),
            explained_high=(1 - nearest / miss).clip(0, 1),
            error_R=-pl.col("miss_ms") / pl.col("measured_ms"),
        )
    )


def _rows(pairs: Iterable[tuple[HostModel, Observation]], form: float | None) -> Iterator[dict]:
    for model, one in pairs:
        if not one.held_out:
            continue
        steps, note = budget(model, one)
        measured = one.response_time_s * 1e3
        predicted = steps.pop("predicted_ms")
        reached = sum(value for value in (predicted, *steps.values()) if value is not None)
        miss = measured - (predicted if predicted is not None else np.nan)
        left = measured - reached
        yield {
            "server": one.server,
            "virtual_server": one.virtual_server,
            "run": one.run,
            "load": one.load.words,
            "predicted_ms": predicted,
            **steps,
            "unexplained_ms": left,
            "unexplained_error_ms": None if form is None else form * reached,
            "measured_ms": measured,
            "miss_ms": None if np.isnan(miss) else miss,
            "explained": None
            if np.isnan(miss) or miss == 0
            else max(0.0, 1 - abs(left) / abs(miss)),
            "note": note,
        }


def budget(model: HostModel, one: Observation) -> tuple[dict[str, float | None], str | None]:
    """The steps from the prediction for a run to the model with what was measured in it, and a remark."""
    own = explain(one, model).estimate_only()
    came = one.load
    if came.kind == "open" and came.gaps_s is None and not one.errors:
        came = replace(came, rate_per_s=max(one.throughput_per_s, 1e-9))
    stages = {
        "predicted_ms": (model, one.load),
        "arrivals_ms": (model, came),
        "cpu_demand_ms": (replace(model, cpu=own.cpu, before=own.before), came),
        "disk_demand_ms": (replace(own, surroundings=model.surroundings), came),
        "surroundings_ms": (own, came),
    }
    steps: dict[str, float | None] = {}
    reached = 0.0
    for name, (tried, load) in stages.items():
        found = float(tried.predict(load).response_time_s[0]) * 1e3
        steps[name] = found - reached if np.isfinite(found) else None
        reached = found if np.isfinite(found) else reached
    note = None
    if steps["surroundings_ms"] is None:
        note = "by its own demands the server was saturated: it had no steady state"
    steps["course_ms"] = _course_s(own, one) * 1e3
    return steps, note


def _course_s(own: HostModel, one: Observation) -> float:
    """How much longer requests wait since the neighbours did not use the same of the CPU all the time."""
    gaps = one.load.gaps_s
    if gaps is None or one.others_course is None:
        return 0.0
    others = np.interp(np.cumsum(gaps), *one.others_course)
    moving, still = (
        own.wait_in_course(one.load, x) for x in (others, np.full_like(others, others.mean()))
    )
    return moving - still

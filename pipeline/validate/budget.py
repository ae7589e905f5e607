"""Where a prediction's error comes from, in milliseconds, by what the missed run's own logs show.

The prediction is changed step by step into the model with what was measured in that run, apart from its response
times: how many requests came, what they took of the CPU, of the disks, what the neighbours took, and how the CPU
demand wandered within the run. Each step's difference is one line; what is left is the model's own error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.bundle import Study
from pipeline.demands.kalman import track
from pipeline.demands.series import Counters, load_series
from pipeline.measure.window import Unmeasured
from pipeline.validate.across import loaded_together
from pipeline.validate.host_fit import explain, fit_host
from pipeline.validate.host_model import HostModel
from pipeline.validate.observation import Observation
from pipeline.validate.prediction import groups

Array = NDArray[np.float64]

WINDOW_S = 2.0
"""Windows over which a demand is followed: shorter ones hold too few requests, longer ones hide a stumble."""
REPLICAS = 20

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
        "measured_ms": pl.Float64,
        "miss_ms": pl.Float64,
        "explained": pl.Float64,
        "note": pl.String,
    }
)
"""One row a run held out. predicted + the five steps + unexplained = measured; ``explained`` is 1 − |unexplained| /
|miss|. A null step is unbounded: it and the next finite one are told together in the latter."""


@dataclass(frozen=True)
class Course:
    """A run's CPU demand over time: what a request took in each window."""

    middle_s: Array
    """The windows' middles, seconds since the load began."""
    demand_s: Array


def budgets(observations: Iterable[Observation], study: Study, processed: str) -> pl.DataFrame:
    """The budget of every run held out, of one load or of several. Schema: ``BUDGET``."""
    everything = list(observations)
    rows = []
    for group in groups(everything):
        with suppress(Unmeasured):
            model = fit_host(group.fitted, calibrated=True).estimate_only()
            rows += list(_rows(((model, one) for one in group.everything), study, processed))
    for pairs in loaded_together(everything).values():
        rows += list(_rows(pairs, study, processed))
    return pl.DataFrame(rows, schema=BUDGET, orient="row")


def by_load(budget_of_runs: pl.DataFrame) -> pl.DataFrame:
    """Budgets of the repetitions of a load together: means of every step, and what share of the miss is explained."""
    steps = [name for name in BUDGET if name.endswith("_ms")]
    return (
        budget_of_runs.group_by("server", "virtual_server", "load", maintain_order=True)
        .agg(pl.len().alias("runs"), *(pl.col(name).mean() for name in steps))
        .with_columns(
            explained=(1 - pl.col("unexplained_ms").abs() / pl.col("miss_ms").abs()).clip(0, 1),
            error_R=-pl.col("miss_ms") / pl.col("measured_ms"),
        )
    )


def _rows(
    pairs: Iterable[tuple[HostModel, Observation]], study: Study, processed: str
) -> Iterator[dict]:
    for model, one in pairs:
        if not one.held_out:
            continue
        course = None
        if one.load.kind == "open":
            course = course_of(study, one, processed)
        steps, note = budget(model, one, course)
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
            "measured_ms": measured,
            "miss_ms": None if np.isnan(miss) else miss,
            "explained": None
            if np.isnan(miss) or miss == 0
            else max(0.0, 1 - abs(left) / abs(miss)),
            "note": note,
        }


def budget(
    model: HostModel, one: Observation, course: Course | None = None
) -> tuple[dict[str, float | None], str | None]:
    """The steps from the prediction for a run to the model with what was measured in it, and a remark."""
    own = explain(one, model).estimate_only()
    came = one.load
    if came.kind == "open":
        came = replace(
            came, rate_per_s=max(one.throughput_per_s, 1e-9) if not one.errors else came.rate_per_s
        )
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
    unbounded = not np.isfinite(own.predict(came).response_time_s[0])
    if unbounded:
        note = "by its own demands the server was saturated: it had no steady state"
    steps["course_ms"] = 0.0
    if course is not None and came.kind == "open":
        moving, still = (waits(own, one, came.rate_per_s or 0.0, how) for how in (course, None))
        if unbounded:
            calm = float(own.predict(replace(came, rate_per_s=1e-6)).response_time_s[0])
            steps["course_ms"] = (calm + moving) * 1e3 - reached
        else:
            steps["course_ms"] = (moving - still) * 1e3
    return steps, note


def course_of(study: Study, one: Observation, processed: str) -> Course | None:
    """How the CPU demand went in a run, window by window; None where it did not wander beyond its scatter.

    Only windows within the load: at its ends a window has the background of its whole length, and few requests.
    """
    run = study.runs(one.server, one.run)[0]
    counters = Counters(run, run.virtual_servers[one.virtual_server], processed)
    end = pl.col("start_s") + pl.col("length_s")
    frame = load_series(counters, WINDOW_S).frame.filter(
        (pl.col("completions") > 0) & (pl.col("start_s") >= 0) & (end <= counters.window.duration_s)
    )
    idle = one.estimate.demand("host_cpu").background_per_s
    busy = (frame["host_cpu"] - idle * frame["length_s"]).to_numpy()
    done = frame["completions"].to_numpy()
    try:
        drifts = track(busy, done, frame["length_s"].to_numpy()).drifts
    except ValueError:
        return None
    # the filter says whether the demand wandered at all; its smoothed course would cut the peaks that matter
    if not drifts:
        return None
    middle = frame["start_s"] + frame["length_s"] / 2
    return Course(middle.to_numpy(), np.maximum(busy / frame["completions"].to_numpy(), 0))


def waits(
    model: HostModel, one: Observation, rate_per_s: float, course: Course | None, *, seed: int = 0
) -> float:
    """Mean wait for the CPU, simulated customer by customer (Lindley 1952: W' = max(0, W + S − A)).

    Arrivals and service times have the model's variability (gamma distributions); with a course the mean service
    time is what it was at that moment of the run, without one it is the run's mean.
    """
    around = model.surroundings
    customers = max(2, round(rate_per_s * one.load.seconds))
    random = np.random.default_rng(seed)
    gained = model.shape.gained_scv
    scv = gained + (1 - gained) * model.arrival_scv(one.load)
    slow = around.stretch / min(around.capacity_cpus, 1.0) / max(around.capacity_cpus, 1.0)
    # what the guest does without requests is in the way, too
    slow = slow / max(1 - around.idle * around.stretch / around.capacity_cpus, 0.05)
    total = 0.0
    for _ in range(REPLICAS):
        gaps = _gamma(random, 1 / rate_per_s, scv, customers)
        at = np.cumsum(gaps)
        mean = float(model.cpu.busy_s[0])
        demand = (
            np.full(customers, mean)
            if course is None
            else np.interp(at, course.middle_s, course.demand_s)
        )
        served = demand * slow * _gamma(random, 1.0, model.shape.cpu_scv, customers)
        # the waiting times of Lindley's recursion are a random walk less its running minimum
        walk = np.concatenate(([0.0], np.cumsum(served[:-1] - gaps[1:])))
        total += float(np.mean(walk - np.minimum.accumulate(np.minimum(walk, 0.0))))
    return total / REPLICAS


def _gamma(random: np.random.Generator, mean: float, scv: float, size: int) -> Array:
    if scv < 1e-6:
        return np.full(size, mean)
    return random.gamma(1 / scv, mean * scv, size)

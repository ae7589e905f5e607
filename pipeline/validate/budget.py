"""Where a prediction's error comes from, in milliseconds, by what the missed run's own logs show.

The prediction is changed step by step into the model with what was measured in that run, apart from its response
times: how many requests came, what they took of the CPU, of the disks, what the neighbours took, and how the CPU
demand wandered within the run. Each step's difference is one line; what is left is the model's own error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.bundle import Study
from pipeline.demands.series import Counters, load_series
from pipeline.measure.window import Unmeasured
from pipeline.validate.across import loaded_together, shared
from pipeline.validate.host_fit import explain, fit_host
from pipeline.validate.host_model import HostModel
from pipeline.validate.observation import Observation
from pipeline.validate.prediction import SATURATED, groups

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
        "kind": pl.String,
        "utilization": pl.Float64,
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
"""One row a run held out; ``utilization`` as predicted for it. predicted + the five steps + unexplained = measured;
``explained`` is 1 − |unexplained| / |miss|. A null step is unbounded: it and the next finite one are told together in
the latter."""


@dataclass(frozen=True)
class Course:
    """How a run went: what its windows were busier, or less busy, than their requests at the mean demand explain."""

    start_s: Array
    extra_cpus: Array
    """CPU seconds a second: what the demand wandered, and the background with it."""
    done_per_s: Array
    """Requests completed a second; a queue that builds up shows as fewer than came."""

    def itself(self) -> tuple[Array, Array]:
        """Times, and what a request took beyond the mean demand in this run: seconds."""
        some = self.done_per_s > 0
        return self.start_s[some], self.extra_cpus[some] / self.done_per_s[some]

    def at_rate(self, rate_per_s: float) -> tuple[Array, Array]:
        """The same if as much wandered under another load, whose requests share it."""
        return self.start_s, self.extra_cpus / rate_per_s


STILL = Course(np.zeros(1), np.zeros(1), np.ones(1))
"""A run in which nothing wandered."""


def budgets(observations: Iterable[Observation], study: Study, processed: str) -> pl.DataFrame:
    """The budget of every run held out, of one load or of several. Schema: ``BUDGET``."""
    everything = list(observations)
    rows = []
    for group in groups(everything):
        with suppress(Unmeasured):
            model = fit_host(group.fitted, calibrated=True, paced=True).estimate_only()
            usual = [
                course_of(study, one, processed) for one in group.fitted if one.load.kind == "open"
            ]
            pairs = ((model.beside(one.others_cpu), one) for one in group.everything)
            rows += list(_rows(pairs, study, processed, usual))
    for pairs in loaded_together(everything).values():
        shares = shared(pairs)
        beside = [
            (replace(model, surroundings=share), one)
            for (model, one), share in zip(pairs, shares, strict=True)
        ]
        rows += list(_rows(beside, study, processed, [STILL]))
    return pl.DataFrame(rows, schema=BUDGET, orient="row")


def by_load(budget_of_runs: pl.DataFrame) -> pl.DataFrame:
    """Budgets of the repetitions of a load together: means of every step, and what share of the miss is explained.

    ``beyond`` tells the repetitions of an open load in which the server was near saturation; they are by themselves.
    """
    steps = [name for name in BUDGET if name.endswith("_ms")]
    beyond = (pl.col("kind") == "open") & (pl.col("utilization") > SATURATED)
    return (
        budget_of_runs.group_by(
            "server", "virtual_server", "load", beyond.alias("beyond"), maintain_order=True
        )
        .agg(pl.len().alias("runs"), *(pl.col(name).mean() for name in steps))
        .with_columns(
            explained=(1 - pl.col("unexplained_ms").abs() / pl.col("miss_ms").abs()).clip(0, 1),
            error_R=-pl.col("miss_ms") / pl.col("measured_ms"),
        )
    )


def _rows(
    pairs: Iterable[tuple[HostModel, Observation]],
    study: Study,
    processed: str,
    usual: Sequence[Course],
) -> Iterator[dict]:
    for model, one in pairs:
        if not one.held_out:
            continue
        course = course_of(study, one, processed) if one.load.kind == "open" else STILL
        steps, note = budget(model, one, course, usual)
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
            "kind": one.load.kind,
            "utilization": float(model.utilization(one.load)[0]),
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
    model: HostModel,
    one: Observation,
    course: Course = STILL,
    usual: Sequence[Course] = (STILL,),
) -> tuple[dict[str, float | None], str | None]:
    """The steps from the prediction for a run to the model with what was measured in it, and a remark.

    ``course``: how the run went. ``usual``: how those went that the model's shape was calibrated with: only what a
    course makes requests wait beyond them is a step.
    """
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
    if course is not STILL and came.kind == "open":
        rate = came.rate_per_s or 0.0
        moving = waits(own, one, rate, course.itself())
        if unbounded:
            calm = float(own.predict(replace(came, rate_per_s=1e-6)).response_time_s[0])
            steps["course_ms"] = (calm + moving) * 1e3 - reached
        else:
            as_ever = np.mean([waits(own, one, rate, other.at_rate(rate)) for other in usual])
            steps["course_ms"] = float(moving - as_ever) * 1e3
    return steps, note


def course_of(study: Study, one: Observation, processed: str) -> Course:
    """How a run went, in windows of 2 s."""
    run = study.runs(one.server, one.run)[0]
    counters = Counters(run, run.virtual_servers[one.virtual_server], processed)
    frame = load_series(counters, WINDOW_S).frame
    cpu = one.estimate.demand("host_cpu")
    expected = cpu.background_per_s * frame["length_s"] + cpu.value_s * frame["completions"]
    extra = (frame["host_cpu"] - expected) / frame["length_s"]
    return Course(
        (frame["start_s"] - frame["start_s"][0]).to_numpy(),
        extra.to_numpy(),
        (frame["completions"] / frame["length_s"]).to_numpy(),
    )


def waits(
    model: HostModel,
    one: Observation,
    rate_per_s: float,
    extra: tuple[Array, Array] | None = None,
    *,
    seed: int = 0,
) -> float:
    """Mean wait for the CPU, simulated customer by customer (Lindley 1952: W' = max(0, W + S − A)).

    Arrivals and service times have the model's variability (gamma distributions); ``extra`` tells
    times of the run and what a request takes there beyond the mean demand (seconds).
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
        more = 0.0 if extra is None else np.interp(at, *extra)
        demand = np.maximum(mean + more, 0)
        served = demand * slow * _gamma(random, 1.0, model.shape.cpu_scv, customers)
        # the waiting times of Lindley's recursion are a random walk less its running minimum
        walk = np.concatenate(([0.0], np.cumsum(served[:-1] - gaps[1:])))
        total += float(np.mean(walk - np.minimum.accumulate(np.minimum(walk, 0.0))))
    return total / REPLICAS


def _gamma(random: np.random.Generator, mean: float, scv: float, size: int) -> Array:
    if scv < 1e-6:
        return np.full(size, mean)
    return random.gamma(1 / scv, mean * scv, size)

"""Verdicts by the average that is taken over a load's runs."""

from dataclasses import replace

import polars as pl
import pytest
from synthetic_runs import closed_load, observation, open_load

from pipeline.evaluate.acceptance import (
    ATTRIBUTED,
    AVERAGES,
    BY_AVERAGE,
    NOT_SCORED,
    OUTSIDE_TOLERANCE,
    WITHIN_TOLERANCE,
    score_by_average,
)
from pipeline.evaluate.error_decomposition import ERROR_DECOMPOSITION


def runs(load, *times_ms: float, **changed):
    return [
        replace(
            observation(load, response_time_s=ms / 1e3, held_out=True, **changed), run=f"run-{i}"
        )
        for i, ms in enumerate(times_ms)
    ]


def budget_of(
    some,
    predicted_ms: float | None,
    residual_ms: float = 0.0,
    x_per_s: float = 20.0,
    utilization: float | None = None,
) -> pl.DataFrame:
    rows = [
        {"server": one.server, "virtual_server": one.virtual_server, "run": one.run,
         "load": one.load.label, "kind": one.load.kind, "is_alone": one.is_alone, "kept_up": True,
         "utilization": utilization if one.is_alone else None, "X_measured_per_s": one.throughput_per_s,
         "X_per_s": x_per_s, "predicted_ms": predicted_ms, "residual_ms": residual_ms,
         "measured_ms": one.response_time_s * 1e3}
        for one in some
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=ERROR_DECOMPOSITION)


def by_average(found: pl.DataFrame, column: str) -> dict:
    return dict(zip(found["average"], found[column], strict=True))


def test_one_slow_run_moves_the_mean_most():
    some = runs(open_load(20), 10, 20, 60)
    found = score_by_average(budget_of(some, 20.0, 3.0))
    assert found.schema == BY_AVERAGE and list(by_average(found, "outcome")) == list(AVERAGES)
    errors = by_average(found, "error_R")
    assert errors["mean"] == pytest.approx(20 / 30 - 1)
    assert errors["geometric mean"] == pytest.approx(20 / 12000 ** (1 / 3) - 1)
    assert errors["median"] == 0
    assert by_average(found, "outcome") == {
        "mean": OUTSIDE_TOLERANCE,
        "geometric mean": WITHIN_TOLERANCE,
        "median": WITHIN_TOLERANCE,
    }
    explained = by_average(found, "attributed")
    assert explained["mean"] == pytest.approx(1 - 3 / 10)
    assert explained["median"] is None  # nothing was missed


def test_x_of_a_closed_load_is_judged_too():
    load = closed_load(4, think_time_s=0.1)
    some = runs(load, 100, 100, throughput_per_s=20.0)
    found = score_by_average(budget_of(some, 100.0, x_per_s=16.0))
    assert found["error_X"].to_list() == pytest.approx([-0.2] * 3)
    assert found["outcome"].to_list() == [OUTSIDE_TOLERANCE] * 3


def test_loads_beyond_and_loads_without_a_bound():
    load = open_load(20)
    some = runs(load, 10, 20, 60)
    beyond = score_by_average(budget_of(some, 20.0, utilization=0.95))
    assert set(beyond["outcome"]) == {NOT_SCORED}
    unbounded = score_by_average(budget_of(some, None))
    assert unbounded["R_ms"].null_count() == unbounded["error_R"].null_count() == 3
    assert set(unbounded["outcome"]) == {OUTSIDE_TOLERANCE}


def test_a_load_beside_another_is_a_load_of_its_own():
    load = open_load(20)
    some = [*runs(load, 20, 20), replace(runs(load, 40)[0], run="both", is_alone=False)]
    found = score_by_average(budget_of(some, 20.0, utilization=0.95))
    mean = found.filter(average="mean").sort("is_alone")
    assert mean["error_R"].to_list() == [-0.5, 0.0]
    assert mean["outcome"].to_list() == [ATTRIBUTED, NOT_SCORED]

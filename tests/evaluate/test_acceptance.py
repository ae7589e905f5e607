"""Scores and outcomes of held-out loads."""

import math
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
    attributed_share,
    classify,
    relative_error,
    score,
    score_by_average,
)
from pipeline.evaluate.error_decomposition import ERROR_DECOMPOSITION


@pytest.mark.parametrize(
    ("kind", "utilization", "error_x", "error_r", "attributed", "outcome"),
    [
        ("open", 0.5, 0.3, 0.15, None, WITHIN_TOLERANCE),  # X is given to an open load
        ("closed", None, -0.10, -0.15, None, WITHIN_TOLERANCE),
        ("closed", None, 0.101, 0.0, 0.2, OUTSIDE_TOLERANCE),
        ("closed", None, 0.101, 0.0, 0.8, ATTRIBUTED),
        ("open", 0.9, 0.0, 0.151, 0.79, OUTSIDE_TOLERANCE),
        ("open", 0.9, 0.0, -0.151, 0.80, ATTRIBUTED),
        ("open", 0.901, 0.0, 0.0, 1.0, NOT_SCORED),
        ("closed", 0.99, 0.0, 0.0, None, WITHIN_TOLERANCE),  # a closed load is never beyond
        ("open", None, 0.0, 0.0, None, WITHIN_TOLERANCE),
        ("open", 0.5, 0.0, None, None, OUTSIDE_TOLERANCE),
        ("open", 0.5, 0.0, None, 0.9, ATTRIBUTED),
    ],
)
def test_outcomes_by_error_and_attributed_share(
    kind, utilization, error_x, error_r, attributed, outcome
):
    assert classify(kind, utilization, error_x, error_r, attributed) == outcome


def test_errors_are_relative_to_the_measured():
    assert relative_error(1.1, 1.0) == pytest.approx(0.1)
    assert relative_error(math.inf, 1.0) is None and relative_error(None, 1.0) is None


@pytest.mark.parametrize(
    ("miss", "rest", "share"),
    [(10.0, 3.0, 0.7), (-10.0, 3.0, 0.7), (10.0, -30.0, 0.0), (0.0, 1.0, None), (None, 1.0, None)],
)
def test_the_attributed_share_of_an_error(miss, rest, share):
    assert attributed_share(miss, rest) == (share if share is None else pytest.approx(share))


def test_a_score_has_errors_share_and_outcome():
    found = score("closed", (9.0, 10.0), (12.0, 10.0), 10.3)
    assert (found.error_x, found.error_r) == pytest.approx((-0.1, 0.2))
    assert found.attributed == pytest.approx(0.85) and found.outcome == ATTRIBUTED
    unbounded = score("open", (10.0, 10.0), (math.inf, 10.0), 10.4, 0.5)
    assert (unbounded.error_r, unbounded.attributed, unbounded.outcome) == (
        None,
        None,
        OUTSIDE_TOLERANCE,
    )


# -- by each average over a load's runs -----------------------------------------------------------------


def runs(load, *times_ms: float, **changed):
    return [
        replace(
            observation(load, response_time_s=ms / 1e3, held_out=True, **changed), run=f"run-{i}"
        )
        for i, ms in enumerate(times_ms)
    ]


def decomposition_of(
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
    found = score_by_average(decomposition_of(some, 20.0, 3.0))
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


def test_x_of_a_closed_load_is_scored():
    load = closed_load(4, think_time_s=0.1)
    some = runs(load, 100, 100, throughput_per_s=20.0)
    found = score_by_average(decomposition_of(some, 100.0, x_per_s=16.0))
    assert found["error_X"].to_list() == pytest.approx([-0.2] * 3)
    assert found["outcome"].to_list() == [OUTSIDE_TOLERANCE] * 3


def test_loads_beyond_max_utilization_and_loads_with_infinite_r():
    load = open_load(20)
    some = runs(load, 10, 20, 60)
    beyond = score_by_average(decomposition_of(some, 20.0, utilization=0.95))
    assert set(beyond["outcome"]) == {NOT_SCORED}
    unbounded = score_by_average(decomposition_of(some, None))
    assert unbounded["R_ms"].null_count() == unbounded["error_R"].null_count() == 3
    assert set(unbounded["outcome"]) == {OUTSIDE_TOLERANCE}


def test_a_colocated_load_is_scored_separately():
    load = open_load(20)
    some = [*runs(load, 20, 20), replace(runs(load, 40)[0], run="both", is_alone=False)]
    found = score_by_average(decomposition_of(some, 20.0, utilization=0.95))
    mean = found.filter(average="mean").sort("is_alone")
    assert mean["error_R"].to_list() == [-0.5, 0.0]
    assert mean["outcome"].to_list() == [ATTRIBUTED, NOT_SCORED]

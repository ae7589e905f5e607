"""Sweeps over the population: a planted closed network, and which levels each model is fitted to."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from synthetic_runs import closed_load, observation, open_load

from pipeline import charts
from pipeline.charts.theme import SPEC_MIME
from pipeline.evaluate.scalability import (
    MODELS,
    compare_sweeps,
    law_parameters,
    list_sweeps,
    pooled_intervals,
    summarize_sweeps,
)
from pipeline.evaluate.scalability_texts import (
    ALL_LEVELS,
    CLOSED_NETWORK,
    LAW,
    LOW_LEVELS,
    STUDY_LEVELS,
)
from pipeline.evaluate.texts import HOST_MODEL
from pipeline.network.closed import sweep_populations
from pipeline.report.tables import scalability as tables

LEVELS = (1, 2, 4, 8, 16, 32)
CPU_S, DISK_S = 0.05, 0.03
"""Bottleneck analysis: X is at most 20/s, and 12.5/s with one thread."""
HELD_OUT = (2, 8, 32)
EXACT = sweep_populations(np.array([CPU_S, DISK_S]), max(LEVELS), 0.0).throughput


def sweep(levels=LEVELS, replicates=2, held_out=()):
    runs = []
    for n in levels:
        for replicate in range(replicates):
            x = float(EXACT[n]) * (1 + 0.01 * (-1) ** replicate)
            run = observation(
                closed_load(n),
                host_cpu_s=CPU_S,
                disk_s=DISK_S,
                vdisk_s=DISK_S,
                throughput_per_s=x,
                response_time_s=n / x,
                relative_sd=0.01,
            )
            name = f"db-{n:02}-{replicate}"
            runs.append(replace(run, run=name, virtual_server="db", held_out=n in held_out))
    return runs


@pytest.fixture(scope="module")
def compared():
    return compare_sweeps(sweep(held_out=HELD_OUT))


def row_of(frame, split, model):
    return frame.filter(levels_fitted=split, model=model).row(0, named=True)


def test_exact_throughputs_of_the_planted_network():
    assert EXACT[1] == pytest.approx(1 / (CPU_S + DISK_S))
    assert EXACT[32] == pytest.approx(1 / CPU_S, rel=1e-6)


def test_four_populations_make_a_sweep():
    assert [group.deployment for group in list_sweeps(sweep((1, 2, 4, 8)))] == [("first", "db")]
    assert list_sweeps(sweep((1, 2, 4))) == []
    assert list_sweeps([observation(open_load(rate)) for rate in (1, 2, 3, 4, 5)]) == []
    assert compare_sweeps(sweep((1, 2, 4))).is_empty()
    assert law_parameters([]).is_empty()


def test_levels_fitted_to(compared):
    fitted = compared.filter("is_fitted", model=LAW).group_by("levels_fitted").agg("population")
    assert {name: sorted(levels) for name, levels in fitted.rows()} == {
        ALL_LEVELS: [1, 2, 4, 8, 16, 32],
        LOW_LEVELS: [1, 2, 4],
        STUDY_LEVELS: [1, 4, 16],
    }
    # nothing held out, or too little that is not
    for held_out in ((), (2, 4, 8, 16)):
        frame = compare_sweeps(sweep(held_out=held_out))
        assert set(frame["levels_fitted"]) == {ALL_LEVELS, LOW_LEVELS}


def test_models_that_know_the_demands_predict_high_levels(compared):
    summary = summarize_sweeps(compared)
    for model in (HOST_MODEL, CLOSED_NETWORK):
        row = row_of(summary, LOW_LEVELS, model)
        assert row["levels"] == 3 and row["fitted_up_to"] == 4
        assert abs(row["max_error_X"]) < 0.01 and row["mean_abs_error_R"] < 0.01
        assert row["leaves_at"] is None


def test_the_law_follows_every_level_and_misses_high_ones(compared):
    summary = summarize_sweeps(compared)
    assert row_of(summary, ALL_LEVELS, LAW)["mean_abs_error_X"] < 0.05
    row = row_of(summary, LOW_LEVELS, LAW)
    errors = compared.filter(levels_fitted=LOW_LEVELS, model=LAW).sort("population")
    assert row["max_error_X"] == pytest.approx(float(errors["error_X"][-1]))
    assert row["max_error_population"] == 32
    assert row["leaves_at"] == errors.filter("is_outside")["population"].min()


def test_rows_have_measured_and_modelled_values(compared):
    assert set(compared["model"]) == set(MODELS)
    rows = compared.filter(levels_fitted=ALL_LEVELS, model=HOST_MODEL).sort("population")
    # the geometric mean of 1 % more and 1 % less
    assert rows["X_measured_per_s"].to_numpy() == pytest.approx(
        [EXACT[n] * np.sqrt(0.9999) for n in LEVELS]
    )
    assert rows["R_measured_ms"].to_numpy() == pytest.approx(
        LEVELS / rows["X_measured_per_s"].to_numpy() * 1e3
    )
    for low, value, high in (
        ("X_measured_low_per_s", "X_measured_per_s", "X_measured_high_per_s"),
        ("X_low_per_s", "X_per_s", "X_high_per_s"),
        ("R_low_ms", "R_ms", "R_high_ms"),
    ):
        assert (compared[low] <= compared[value]).all()
        assert (compared[value] <= compared[high]).all()


def test_pooled_intervals_share_one_standard_deviation():
    values = [np.exp([0.0, 0.2]), np.exp([1.0, 1.0])]
    # variance (0.02 + 0) / 2 = 0.01 with two degrees of freedom: t = 4.302653
    half = 4.302653 * np.sqrt(0.01 / 2)
    first, second = pooled_intervals(values)
    assert np.log(first) == pytest.approx([0.1 - half, 0.1 + half], rel=1e-6)
    assert np.log(second) == pytest.approx([1 - half, 1 + half], rel=1e-6)
    assert pooled_intervals([[1.0], [2.0]]) == [None, None]
    assert pooled_intervals([[1.0, 0.0], [2.0, 2.0]]) == [None, None]


def test_page_shows_intervals_and_errors():
    study = SimpleNamespace(title_of=lambda name: "Database server")
    page = tables.Scalability(SimpleNamespace(study=study, observations=sweep(held_out=HELD_OUT)))
    (place,) = page.sweeps
    (sentence,), kind = tables.headline(page)
    assert kind == "good"
    assert "8, 16 and 32" in sentence
    figures = tables.key_figures(page)
    assert len(figures) == 3 and all("(" in value for value in figures.values())
    throughput = tables.df_throughput(page, place)
    assert throughput.filter("is_measured").height == len(LEVELS)
    assert throughput.filter(~pl.col("is_measured")).height == len(LEVELS) * len(MODELS)
    errors = tables.df_errors(page, place).filter(levels_fitted=LOW_LEVELS)
    assert (errors["low"] <= errors["error"]).all() and (errors["error"] <= errors["high"]).all()
    bundle, _ = charts.mime_bundle(charts.sweep_errors(errors, title="Errors", limit=10.0))
    assert len(bundle[SPEC_MIME]["layer"]) == 3
    assert tables.df_summary(page, place).height == 3 * len(MODELS)
    assert tables.df_parameters(page, place).height == 5
    assert tables.df_consolidation(page).is_empty()
    assert tables.df_total_law(page).is_empty()

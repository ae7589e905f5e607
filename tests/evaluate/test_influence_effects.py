"""Effects of a designed experiment: planted ones are recovered, verdicts are as often wrong as they say."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from designed_experiment import make_experiment, make_frame, planned_runs, planted

from pipeline.evaluate import texts
from pipeline.evaluate.influence_effects import (
    EFFECTS,
    block_levels,
    describe_noise,
    main_effects,
    response_effects,
)
from pipeline.measure.window import MissingData
from pipeline.raw import FactorRun

RATIOS = {"a": 2.2, "b": 1.5, "e": 0.7, "a:b": 1.2}
BLOCKS = {1: 1.0, 2: 1.3, 3: 0.8, 4: 1.1}


@pytest.fixture(scope="module")
def experiment():
    return make_experiment(planned_runs())


def fit(experiment, values, response="R_ms", **options):
    frame = make_frame(experiment, **{response: values})
    return response_effects(experiment, frame, response, **options)


def by_effect(fitted):
    return {row["effect"]: row for row in fitted.table.iter_rows(named=True)}


def estimated(fitted):
    return {name: row for name, row in by_effect(fitted).items() if row["value"] is not None}


def test_planted_effects_are_recovered_exactly_whatever_the_blocks_did(experiment):
    fitted = fit(experiment, planted(experiment, RATIOS, block_ratios=BLOCKS, sd=1e-9))
    assert fitted.table.schema == EFFECTS
    rows = estimated(fitted)
    assert set(rows) == {*"abcdefgh", "a:b", "a:c", "a:d", "a:e", "a:f", "a:g"}
    for name, row in rows.items():
        assert row["value"] == pytest.approx(RATIOS.get(name, 1.0), rel=1e-6)
    assert fitted.degrees_of_freedom == 32 - 1 - 8 - 6 - 3


def test_of_noisy_runs_the_intervals_hold_the_planted_effects(experiment):
    covered = []
    for seed in range(12):
        values = planted(experiment, RATIOS, block_ratios=BLOCKS, sd=0.15, seed=seed)
        fitted = fit(experiment, values)
        covered += [
            row["low"] <= RATIOS.get(name, 1.0) <= row["high"]
            for name, row in estimated(fitted).items()
        ]
        assert fitted.residual_sd == pytest.approx(0.15, rel=0.6)
    assert 0.90 <= np.mean(covered) <= 0.99  # of 168 intervals of 95 %


def test_without_an_effect_a_verdict_beyond_noise_is_rare(experiment):
    wrong = [
        (fit(experiment, planted(experiment, {}, sd=0.1, seed=seed)).table["verdict"] == texts.BEYOND_NOISE).any()
        for seed in range(40)
    ]  # fmt: skip
    assert sum(wrong) <= 6  # of 40 families at 5 %: 2 expected


def test_a_large_effect_is_beyond_noise_and_a_small_one_has_its_limit(experiment):
    rows = by_effect(fit(experiment, planted(experiment, {"a": 2.0}, sd=0.1, seed=3)))
    assert rows["a"]["verdict"] == texts.BEYOND_NOISE
    within = [row for row in rows.values() if row["verdict"] == texts.WITHIN_NOISE]
    assert len(within) > 8
    for row in within:
        assert row["low"] < 1 < row["high"]
        assert row["limit"] == pytest.approx(max(1 - row["low"], row["high"] - 1))


def test_interactions_have_their_aliases_and_those_of_the_blocks_are_not_estimated(experiment):
    rows = by_effect(fit(experiment, planted(experiment, RATIOS, sd=0.1)))
    assert rows["a:b"]["aliases"] == ["c:e", "d:f", "g:h"]
    assert rows["a"]["aliases"] == []
    (confounded,) = [row for row in rows.values() if row["value"] is None]
    assert (confounded["effect"], confounded["aliases"]) == ("a:h", ["b:g", "c:f", "d:e"])
    assert confounded["reason"] is not None and confounded["verdict"] not in texts.VERDICTS


# -- other designs, and incomplete ones ------------------------------------------------------------------------


def test_effects_of_a_full_design_without_blocks_and_replicates():
    runs = [
        FactorRun("host", f"r{i}", "shop", {"a": 2 * (i & 1) - 1, "b": (i & 2) - 1, "c": (i >> 1 & 2) - 1})
        for i in range(8)
    ]  # fmt: skip
    experiment = make_experiment(runs)
    fitted = fit(experiment, planted(experiment, {"a": 3.0}, sd=0.05, seed=1))
    rows = by_effect(fitted)
    assert set(rows) == {"a", "b", "c"}  # one degree of freedom would be left for interactions
    assert (fitted.degrees_of_freedom, fitted.share_blocks) == (4, None)
    assert rows["a"]["verdict"] == texts.BEYOND_NOISE
    assert rows["a"]["low"] < 3 < rows["a"]["high"]


def test_of_one_block_pairs_of_factors_are_estimated_together(experiment):
    """Where abcd = -1, e = -d, f = -c, g = -b and h = -a."""
    values = planted(experiment, {"a": 2.0, "e": 1.5}, sd=1e-9)
    values[[i for i, run in enumerate(experiment.planned) if run.block != 1]] = np.nan
    fitted = fit(experiment, values)
    rows = by_effect(fitted)
    assert {name: main_effects(rows[name]["aliases"]) for name in "abcd"} == {
        "a": ["-h"],
        "b": ["-g"],
        "c": ["-f"],
        "d": ["-e"],
    }
    assert not set(rows) & set("efgh")
    assert rows["a"]["value"] == pytest.approx(2.0, rel=1e-6)
    assert rows["d"]["value"] == pytest.approx(1 / 1.5, rel=1e-6)
    assert (fitted.runs, fitted.method) == (8, "lenth")


def test_too_few_runs_have_no_effects(experiment):
    values = planted(experiment, RATIOS)
    values[3:] = np.nan
    with pytest.raises(MissingData, match="3 runs with a value \\(32 planned\\)"):
        fit(experiment, values)
    with pytest.raises(MissingData, match="the 0 runs"):
        fit(experiment, np.full(32, np.nan))


def test_an_incomplete_design_is_estimated_from_the_runs_that_there_are(experiment):
    values = planted(experiment, {"a": 2.0, "b": 1.5}, block_ratios=BLOCKS, sd=1e-9)
    values[[3, 7, 19, 30]] = np.nan
    fitted = fit(experiment, values)
    assert fitted.runs == 28
    assert by_effect(fitted)["a"]["value"] == pytest.approx(2.0, rel=1e-6)
    assert by_effect(fitted)["b"]["value"] == pytest.approx(1.5, rel=1e-6)


def test_a_factor_with_one_level_in_the_runs_has_no_effect():
    experiment = make_experiment([replace(run, block=None) for run in planned_runs()])
    values = planted(experiment, {"a": 2.0}, sd=1e-9)
    half = np.where([run.signs["h"] > 0 for run in experiment.planned], values, np.nan)
    fitted = fit(experiment, half)
    assert fitted.constant == ("h",) and "h" not in by_effect(fitted)
    assert by_effect(fitted)["a"]["value"] == pytest.approx(2.0, rel=1e-6)


def test_a_response_of_zero_has_differences(experiment):
    random = np.random.default_rng(1)
    values = np.array([10.0 + 3 * r.signs["a"] for r in experiment.planned])
    values = values + random.normal(0, 0.1, 32)
    values[0] = 0.0
    fitted = fit(experiment, values)
    assert not fitted.is_ratio
    row = by_effect(fitted)["a"]
    assert row["limit"] is None and not row["is_ratio"]
    assert row["value"] == pytest.approx(6.0, abs=1.5)
    assert row["low"] < row["value"] < row["high"]


# -- noise -----------------------------------------------------------------------------------------------------


def test_noise_by_hand():
    """Two cells, twice each in two blocks: 10 and 12, then 20 and 24."""
    runs = [
        FactorRun("host", f"r{i}", "shop", {"a": sign}, block, block)
        for i, (sign, block) in enumerate([(-1, 1), (-1, 2), (1, 1), (1, 2)])
    ]
    experiment = make_experiment(runs)
    frame = make_frame(experiment, R_ms=np.array([10.0, 12.0, 20.0, 24.0]))
    fitted = response_effects(experiment, frame, "R_ms")
    noise = describe_noise(experiment, frame, fitted)
    assert noise["replicates"] == pytest.approx(np.exp(np.log(1.2) / np.sqrt(2)) - 1)
    assert noise["replicated_cells"] == 2
    assert noise["drift"] == pytest.approx(1.2)
    levels = block_levels(frame, ["a"], pl.col("R_ms").log())
    assert levels == pytest.approx({"1": -np.log(1.2) / 2, "2": np.log(1.2) / 2})
    assert by_effect(fitted)["a"]["value"] == pytest.approx(2.0)
    assert noise["residual"] == pytest.approx(0.0, abs=1e-9)

"""Effects of the model's predictions beside the measured ones, on numbers computed by hand."""

import numpy as np
import polars as pl
import pytest
from designed_experiment import make_experiment, make_frame, planned_runs, planted

from pipeline.evaluate import texts
from pipeline.evaluate.influence_model import COMPARED, PREDICTED, classify_effect, compare_effects
from pipeline.measure.window import MissingData


@pytest.fixture(scope="module")
def experiment():
    return make_experiment(planned_runs())


def predictions(experiment, **columns):
    frame = pl.DataFrame({"server": ["host"] * 32, "run": [r.run for r in experiment.planned]})
    return frame.with_columns(
        pl.Series(name, columns.get(name, [None] * 32), pl.Float64) for name in list(PREDICTED)[2:]
    )


def compared(experiment, measured, **columns):
    frame = make_frame(experiment, R_ms=measured)
    table = compare_effects(experiment, frame, predictions(experiment, **columns), "R_ms")
    assert table.schema == COMPARED
    return {row["effect"]: row for row in table.iter_rows(named=True)}


def test_effects_that_the_model_predicts_given_what_it_knows(experiment):
    """Of a = 2, b = 1.5 and c = 1.3 the model knows a; b is in the runs' own demands; c in neither."""
    measured = planted(experiment, {"a": 2.0, "b": 1.5, "c": 1.3}, sd=0.02, seed=1)
    rows = compared(
        experiment, measured,
        R_ms=planted(experiment, {"a": 2.0}, base=25.0),
        R_own_ms=planted(experiment, {"a": 2.0, "b": 1.5}, base=28.0),
    )  # fmt: skip
    assert rows["a"]["predicted"] == pytest.approx(2.0)
    assert rows["b"]["predicted"] == pytest.approx(1.0)
    assert rows["b"]["predicted_own"] == pytest.approx(1.5)
    for name in "abc":
        row = rows[name]
        assert row["unexplained"] == pytest.approx(row["measured"] / row["predicted"])
        assert row["unexplained_own"] == pytest.approx(row["measured"] / row["predicted_own"])
        assert row["unexplained_low"] < row["unexplained"] < row["unexplained_high"]
    outcome = {name: rows[name]["outcome"] for name in rows}
    assert outcome["a"] == texts.PREDICTED
    assert outcome["b"] == texts.GIVEN_DEMAND
    assert outcome["c"] == texts.NOT_IN_MODEL
    assert outcome["d"] == texts.WITHIN_NOISE
    assert rows["a"]["runs"] == 32


def test_an_effect_that_is_predicted_and_not_measured(experiment):
    measured = planted(experiment, {"a": 2.0}, sd=0.02, seed=2)
    rows = compared(experiment, measured, R_ms=planted(experiment, {"a": 2.0, "d": 1.4}))
    assert rows["d"]["outcome"] == texts.NOT_MEASURED
    assert rows["d"]["unexplained"] == pytest.approx(1 / 1.4, rel=0.05)
    assert rows["a"]["predicted_own"] is None


def test_four_fifths_of_a_certain_effect_are_enough(experiment):
    measured = planted(experiment, {"a": 2.0}, sd=0.001, seed=3)
    for power, outcome in ((0.85, texts.PREDICTED), (0.75, texts.NOT_IN_MODEL)):
        predicted = planted(experiment, {"a": 2.0**power})
        assert compared(experiment, measured, R_ms=predicted)["a"]["outcome"] == outcome


def test_runs_without_a_prediction_are_in_no_comparison(experiment):
    measured = planted(experiment, {"a": 2.0}, sd=0.02)
    predicted = planted(experiment, {"a": 2.0})
    predicted[[0, 5, 21]] = np.nan
    column = [None if np.isnan(value) else value for value in predicted]
    rows = compared(experiment, measured, R_ms=column)
    assert rows["a"]["runs"] == 29 and rows["a"]["outcome"] == texts.PREDICTED
    with pytest.raises(MissingData):
        compared(experiment, measured)


def test_a_small_effect_is_not_compared(experiment):
    measured = planted(experiment, {"a": 1.03}, sd=0.001, seed=4)
    rows = compared(experiment, measured, R_ms=planted(experiment, {"d": 1.04}))
    assert rows["a"]["verdict"] == texts.BEYOND_NOISE
    assert (rows["a"]["outcome"], rows["d"]["outcome"]) == (texts.SMALL, texts.WITHIN_NOISE)


def test_without_an_interval_there_is_no_outcome():
    effect = {"verdict": texts.BEYOND_NOISE, "value": 2.0, "is_ratio": True}
    assert classify_effect(effect, {}, {}) == texts.NO_PREDICTION

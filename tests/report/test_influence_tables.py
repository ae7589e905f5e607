"""Tables of influence factors: what the recorded runs do not separate is never ascribed to one factor."""

import numpy as np
import pytest
from designed_experiment import make_experiment, make_frame, planned_runs, planted

from pipeline.api import ExperimentData, InfluenceData
from pipeline.charts import influence_diagram
from pipeline.report.tables import influence, influence_noise

RATIOS = {"a": 3.0, "b": 1.4}


def data_of(blocks):
    """The experiment with the response time of the runs of some blocks."""
    experiment = make_experiment(planned_runs())
    values = planted(experiment, RATIOS, sd=0.05, seed=2)
    is_recorded = np.array([run.block in blocks for run in experiment.planned])
    frame = make_frame(experiment, R_ms=np.where(is_recorded, values, np.nan))
    frame = frame.with_columns(is_recorded=is_recorded)
    return InfluenceData(None, [ExperimentData(experiment, frame.fill_nan(None), [])])


@pytest.fixture(scope="module")
def half():
    return data_of({1})


@pytest.fixture(scope="module")
def complete():
    return data_of({1, 2, 3, 4})


def test_of_one_block_effects_belong_to_pairs_of_factors(half):
    (data,) = half.experiments
    assert data.confounded == {"a": ["-h"], "b": ["-g"], "c": ["-f"], "d": ["-e"]}
    table = influence.df_effects(data, ("R_ms",))
    assert table["factor"][0] == "Factor a or Factor h"
    assert table["levels"][0] == "low → high or high → low"
    (answer,), kind = influence.headline(half)
    assert "pairs of factors" in answer and "Factor a or Factor h (×" in answer
    assert kind == "warning"
    lines = influence.warnings(half)
    assert any("8 of 32 planned runs" in line for line in lines)
    assert any("do not separate Factor a or Factor h" in line for line in lines)
    assert influence.df_branches(half).is_empty()


def test_the_diagram_of_one_block_says_which_factors_are_not_separated(half):
    (data,) = half.experiments
    leaves = {leaf.title: leaf for leaf in influence.leaves(data)}
    assert leaves["Factor a"].note == "or Factor h: high → low" and leaves["Factor a"].cells
    assert leaves["Factor h"].note == "not separated from Factor a" and not leaves["Factor h"].cells
    metrics = list(influence.METRICS.values())
    drawing = influence_diagram(list(leaves.values()), metrics, title="Factors")
    assert "Factor h (low → high): not separated from Factor a" in drawing.description


def test_of_all_blocks_each_factor_has_its_effect(complete):
    (data,) = complete.experiments
    assert data.confounded == {}
    (answer,), kind = influence.headline(complete)
    assert answer.startswith("Shop front: 2 of 8 factors change the response time beyond noise: ")
    assert "Factor a (×" in answer and "Factor b (×" in answer and kind == "good"
    assert influence.warnings(complete) == []
    figures = influence.key_figures(complete)
    assert figures["shop front: runs recorded"] == "32 of 32"
    branches = influence.df_branches(complete)
    assert branches.filter(response="R")["factor"].to_list()[:2] == ["Factor a", "Factor b"]
    aliases = influence.df_aliases(data)
    assert "Factor c × Factor e" in aliases.filter(effect="Factor a × Factor b")["aliases"].item()


def test_noise_is_relative_and_says_how_intervals_are_made(half, complete):
    (few,), (every,) = half.experiments, complete.experiments
    assert "Lenth" in influence_noise.method_text(few)
    assert "Student" in influence_noise.method_text(every)
    row = influence_noise.df_noise(every).row(0, named=True)
    assert row["response"] == "R" and row["residual"].startswith("± ")
    assert 2 < float(row["residual"].split()[1]) < 9  # planted: 5 %

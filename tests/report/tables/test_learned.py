"""The page of learned predictors: its answer, its tables, and figures that are missing or infinite."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from synthetic_runs import closed_load, observation

from pipeline.evaluate import texts as evaluate_texts
from pipeline.evaluate.learned import NEURAL_NET
from pipeline.evaluate.learned_comparison import Predicted, ScoredLoad
from pipeline.evaluate.learned_scores import PredictorComparison
from pipeline.evaluate.learning_curves import LEARNING_CURVES
from pipeline.evaluate.texts import BEYOND_RANGE, LINEAR, QUEUEING, WITHIN_RANGE
from pipeline.report import learned_texts as texts
from pipeline.report.tables import learned

TITLES = {"web": "web server"}


def comparison(*, is_learned: bool = True) -> PredictorComparison:
    """Four loads within range, at which the queueing model is exact, and one beyond, where it has no finite R."""
    loads = [
        ScoredLoad(
            BEYOND_RANGE if n == 9 else WITHIN_RANGE,
            closed_load(n),
            (observation(closed_load(n), response_time_s=float(n)),),
        )
        for n in (1, 2, 3, 4, 9)
    ]
    measured = np.array([[load.response_time_s for load in loads]])
    response_s = {QUEUEING: measured.copy(), LINEAR: 1.5 * measured}
    response_s[QUEUEING][0, -1] = np.inf
    if is_learned:
        response_s[NEURAL_NET] = np.concatenate([1.2 * measured, 1.4 * measured])
    x = {name: np.full_like(values, 10.0) for name, values in response_s.items()}
    rows = [
        [evaluate_texts.HELD_OUT_LOADS, "web", runs, 0, QUEUEING, error]
        for runs, error in ((10, 0.2), (20, None))
    ]
    curves = pl.DataFrame(rows, schema=LEARNING_CURVES, orient="row")
    names = (NEURAL_NET,) if is_learned else ()
    return PredictorComparison(Predicted(tuple(loads), response_s, x), curves, names)


@pytest.fixture(scope="module")
def data() -> PredictorComparison:
    return comparison()


def test_the_answer_names_the_best_and_says_where_chance_is_enough(data):
    sentences, kind = learned.headline(data)
    within, beyond = (
        texts.setting_with_errors(WITHIN_RANGE, QUEUEING, "0 %", NEURAL_NET, "30 %"),
        texts.setting_with_errors(BEYOND_RANGE, NEURAL_NET, "30 %", LINEAR, "50 %"),
    )
    assert sentences == [texts.beyond_chance(QUEUEING, [within]), texts.not_beyond_chance([beyond])]
    assert kind == "good"
    assert learned.headline(comparison(is_learned=False))[1] == "warning"
    nothing = PredictorComparison(Predicted((), {}, {}), data.curves, ())
    assert learned.headline(nothing) == ([texts.NOTHING_SCORED], "warning")


def test_the_tables_have_intervals_or_the_reason_why_not(data):
    within, beyond = learned.df_winners(data).rows(named=True)
    assert within["best"] == f"{QUEUEING}: 0 %" and within["difference"] == "30 (30 to 30)"
    assert within["verdict"] == texts.verdict(True)
    assert (beyond["difference"], beyond["verdict"]) == ("20", texts.NO_INTERVAL)
    assert learned.df_winners(data, TITLES)["virtual_server"].to_list() == ["web server"] * 2
    model, _, nets = learned.df_scores(data, BEYOND_RANGE).rows(named=True)
    assert model["median_R"] == "infinite" and model["seeds"] is None
    assert nets["seeds"] == "20 to 40 %"
    assert learned.df_scores(data, WITHIN_RANGE)["median_R"][0] == "0 % (0 to 0 %)"
    assert learned.key_figures(data)[f"{BEYOND_RANGE}: {LINEAR}"] == "50\N{NO-BREAK SPACE}%"
    x = learned.df_throughput_scores(data)
    assert x.height == 6 and x["median_X"][0] == "0 % (0 to 0 %)"
    modelled_ms = learned.df_loads(data, TITLES)[QUEUEING].to_list()
    assert modelled_ms[:-1] == pytest.approx([1e3, 2e3, 3e3, 4e3]) and modelled_ms[-1] is None


def test_charts_get_percents(data):
    errors = learned.df_errors(data).filter(setting=WITHIN_RANGE)
    assert errors["error"].to_list() == pytest.approx([0, 50, 30])
    curves = learned.df_curves(data, TITLES)
    assert curves["error"].to_list() == [20, None]
    assert curves["panel"].unique().to_list() == ["web server: held-out loads"]


def test_without_scikit_learn_there_is_no_column_of_seeds():
    assert "seeds" not in learned.df_scores(comparison(is_learned=False), WITHIN_RANGE).columns


def test_the_variation_of_runs_is_said_where_there_is_one(data):
    assert learned.variation_text(data, []) == []
    load = data.predicted.loads[0]
    run = load.runs[0]
    twice = replace(load, runs=(run, replace(run, response_time_s=2.0)))
    predicted = replace(data.predicted, loads=(twice,))
    sentences = learned.variation_text(replace(data, predicted=predicted), ["40/s of web on first"])
    assert sentences == [texts.replication(0.75), texts.not_scored(["40/s of web on first"])]


def test_numbers_with_intervals():
    assert texts.with_interval(0.09, 0.055, 0.27) == "9.0 % (5.5 to 27 %)"
    assert texts.with_interval(None, 0.055, None) == "infinite (5.5 % to infinite)"
    assert texts.with_interval(0.5, None, None) == "50 %"
    assert texts.points(0.0004, -0.36, 18.67) == "0.0 (-36 to 1,867)"
    assert texts.points(None, 0.05, None) == "infinite (5.0 to infinite)"

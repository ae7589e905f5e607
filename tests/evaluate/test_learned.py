"""Learned predictors: planted functions, what is in training, scores by hand, and scikit-learn missing."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_runs import closed_load, observation, open_load

from pipeline.errors import Error
from pipeline.evaluate import learned, learned_scores, texts
from pipeline.evaluate.learned import (
    GAUSSIAN_PROCESS,
    LEARNED,
    LINEAR_REGRESSION,
    NEURAL_NET,
    QUADRATIC,
    MissingLibraryError,
    features,
    fit_learned,
    informative,
)
from pipeline.evaluate.learned_comparison import (
    Predicted,
    ScoredLoad,
    predict_task,
    prediction_tasks,
    quantile_errors,
    saturated_loads,
)
from pipeline.evaluate.learned_scores import (
    compare_best,
    compare_predictors,
    replication_error,
    score_predictors,
)
from pipeline.evaluate.learning_curves import draw_subset, learning_curves, summarize_curves
from pipeline.evaluate.texts import LINEAR, QUEUEING

DISK = {"seek_min_ms": 0.1, "seek_max_ms": 0.8, "revolution_ms": 1.0, "bytes_per_s": 120_000_000}
STUDY = SimpleNamespace(
    manifest={
        "servers": {
            "first": {
                "envelope": {
                    "cpu_quota": 1.0,
                    "disk": DISK,
                    "memory_bytes": {"db": 512, "web": 512},
                }
            },
            "second": {
                "envelope": {
                    "cpu_quota": 0.5,
                    "disk": DISK,
                    "memory_bytes": {"db": 320, "web": 320},
                }
            },
        }
    }
)
CPUS = {"first": 1.0, "second": 0.5}
FITTED, HELD = (1, 4, 16), (2, 8, 32)


def planted_r(population: int, cpus: float) -> float:
    """R of the planted database: linear in the logarithms."""
    return 0.05 * population**0.9 / cpus**1.5


def run(server: str, population: int, number: int = 0, **changed):
    response = planted_r(population, CPUS[server])
    fields = {
        "server": server,
        "virtual_server": "db",
        "capacity_cpus": CPUS[server],
        "held_out": population in HELD,
        "response_time_s": response,
        "throughput_per_s": population / response,
        "disk_s": 0.008,
        "vdisk_s": 0.009,
    }
    made = observation(closed_load(population), **{**fields, **changed})
    return replace(made, run=f"{population}-{number}")


def database(runs: int = 2, servers=("first", "second")):
    return [
        run(server, population, number)
        for server in servers
        for population in (*FITTED, *HELD)
        for number in range(runs)
    ]


@pytest.fixture(scope="module")
def compared():
    return compare_predictors(database(runs=1), STUDY)


# -- fits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "within", "beyond"),
    [
        (LINEAR_REGRESSION, 1e-9, 1e-9),
        (QUADRATIC, 0.01, 0.05),
        (GAUSSIAN_PROCESS, 0.01, 0.1),
        (NEURAL_NET, 0.1, 0.5),
    ],
)
def test_a_planted_function_is_recovered(name, within, beyond):
    rows, response = [], []
    for server, cpus in CPUS.items():
        for n in FITTED:
            rows.append(features(closed_load(n), STUDY, server, "db", cpus))
            response.append(planted_r(n, cpus))
    predict = fit_learned(name, rows, response)
    for n in HELD:
        for server, cpus in CPUS.items():
            row = features(closed_load(n), STUDY, server, "db", cpus)
            error = predict([row])[0] / planted_r(n, cpus) - 1
            assert abs(error) <= (within if n < max(FITTED) else beyond), (n, server)


def test_features_that_do_not_vary_or_repeat_another_are_left_out():
    both = [features(closed_load(n), STUDY, s, "db", c) for n in (1, 4) for s, c in CPUS.items()]
    assert informative(both) == ["load_per_cpu", "cpus"]
    one = [features(closed_load(n), STUDY, "first", "db", 1.0) for n in (1, 4)]
    assert informative(one) == ["load_per_cpu"]
    web = [
        features(open_load(r, s), STUDY, "first", "web", 1.0)
        for r in (5, 9)
        for s in ("even", "poisson")
    ]
    assert informative(web) == ["load_per_cpu", "is_poisson"]
    assert informative([*web[:1], {"load_per_cpu": 9.0}]) == ["load_per_cpu"]
    assert set(both[0]) | set(web[0]) == set(texts.FEATURES)
    assert web[0]["load_per_cpu"] == np.log(5.0)


def test_without_a_feature_that_varies_the_geometric_mean_is_predicted():
    rows = [{"load_per_cpu": 1.0}] * 2
    assert fit_learned(NEURAL_NET, rows, [2.0, 8.0])([{"load_per_cpu": 7.0}]) == pytest.approx(
        [4.0]
    )


def test_only_neural_nets_depend_on_the_seed():
    rows = [{"load_per_cpu": float(x)} for x in (0, 1, 2, 4)]
    response = [1.0, 2.5, 2.0, 9.0]
    for name in LEARNED:
        one, other = (fit_learned(name, rows, response, seed)(rows) for seed in (0, 1))
        assert np.array_equal(one, other) == (name != NEURAL_NET)
        assert np.array_equal(one, fit_learned(name, rows, response, 0)(rows))


# -- what is in training -------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(marks=st.lists(st.booleans(), min_size=24, max_size=24))
def test_no_run_of_a_predicted_load_is_in_training(marks):
    runs = [replace(r, held_out=held) for r, held in zip(database(), marks, strict=True)]
    for task in prediction_tasks(runs):
        predicted = {id(r) for load in task.loads for r in load.runs}
        training = {id(r) for r in task.training}
        assert not predicted & training
        assert not any(r.held_out for r in task.training)
        if task.name == texts.HELD_OUT_LOADS:
            assert all(r.held_out for load in task.loads for r in load.runs)
        else:
            assert {r.server for r in task.training}.isdisjoint(load.server for load in task.loads)


def test_what_is_measured_in_held_out_runs_changes_no_prediction():
    odd = observation(closed_load(2), host_cpu_s=0.5, disk_s=0.2, vdisk_s=0.3).run_demands
    changed = {"response_time_s": 9.0, "throughput_per_s": 0.1, "run_demands": odd, "errors": 3}
    moved = [replace(r, **changed) if r.held_out else r for r in database()]
    for one, other in zip(
        prediction_tasks(database())[:1], prediction_tasks(moved)[:1], strict=True
    ):
        plain, after = (predict_task(task, STUDY, seeds=(0,)) for task in (one, other))
        for name in (QUEUEING, LINEAR, *LEARNED):
            assert np.array_equal(plain.response_s[name], after.response_s[name])
            assert np.array_equal(plain.throughput_per_s[name], after.throughput_per_s[name])


def test_a_held_out_load_is_within_or_beyond_the_loads_in_training_of_its_server():
    (task, *others) = prediction_tasks(database())
    by_level = {load.load.level: load.setting for load in task.loads}
    assert by_level == {2: texts.WITHIN_RANGE, 8: texts.WITHIN_RANGE, 32: texts.BEYOND_RANGE}
    assert [other.name for other in others] == [
        texts.other_server("first", "second"),
        texts.other_server("second", "first"),
    ]
    assert [len(other.loads) for other in others] == [6, 6]


def test_loads_with_a_saturated_run_are_not_scored():
    web = [observation(open_load(r), held_out=r > 20) for r in (10, 20, 30, 40)]
    web[-1] = replace(web[-1], throughput_per_s=20.0)
    (task,) = prediction_tasks(web)
    assert [load.load.level for load in task.loads] == [30]
    assert saturated_loads(web) == ["40/s poisson of web on first"]


# -- scores --------------------------------------------------------------------------------------------------


def scored(level: int, *responses: float) -> ScoredLoad:
    runs = tuple(run("first", level, response_time_s=r) for r in responses)
    return ScoredLoad(texts.WITHIN_RANGE, runs[0].load, runs)


def predictions(**response_s) -> Predicted:
    """Loads whose typical runs take 1, 2, 4 and 4 s; X is 1 / R."""
    loads = scored(1, 1.0), scored(2, 2.0), scored(4, 4.0), scored(8, 2.0, 8.0)
    values = {name.replace("_", " "): np.array(v, float) for name, v in response_s.items()}
    return Predicted(loads, values, {name: np.full_like(v, np.nan) for name, v in values.items()})


EXACT = [[1.1, 2.4, 4.0, 3.6]]
"""Errors 10, 20, 0 and 10 %."""
DOUBLE = [[2.0, 4.0, 8.0, 8.0]]


def test_scores_are_the_quantiles_computed_by_hand():
    row, nets = score_predictors(
        predictions(queueing_model=EXACT, neural_net=[[1.2, 2.4, 4.8, 4.8], *DOUBLE, *DOUBLE])
    )
    assert row["median_R"] == pytest.approx(0.10) and row["p90_R"] == pytest.approx(0.17)
    # runs: errors 0.1, 0.2, 0, 0.8 and 0.55
    assert row["median_R_of_runs"] == pytest.approx(0.2) and row["p90_R_of_runs"] == pytest.approx(
        0.7
    )
    assert (row["loads"], row["runs"]) == (4, 5)
    assert nets["median_R"] == pytest.approx(1.0)
    assert (nets["lowest_seed"], nets["highest_seed"]) == pytest.approx((0.2, 1.0))
    assert row["median_R_low"] <= row["median_R"] <= row["median_R_high"]
    assert "lowest_seed" not in row


def test_an_infinite_prediction_counts_as_the_largest_error():
    predicted, measured = np.array([[1.5, np.inf, 1.0, np.inf, 1.25]]), np.ones(5)
    assert quantile_errors(predicted, measured, 0.5) == pytest.approx([0.5])
    assert quantile_errors(predicted, measured, 0.9) == np.inf
    (row,) = score_predictors(predictions(queueing_model=[[1.0, np.inf, np.inf, np.inf]]))
    assert row["median_R"] is None and row["median_R_high"] is None


def test_the_predictor_with_the_lowest_error_is_best_and_its_lead_has_an_interval():
    row = compare_best(
        predictions(queueing_model=DOUBLE, linear_baseline=[[np.inf] * 4], neural_net=EXACT)
    )
    assert (row["best"], row["next"]) == (NEURAL_NET, QUEUEING)
    assert row["best_error"] == pytest.approx(0.1) and row["difference"] == pytest.approx(0.9)
    assert 0 < row["low"] <= 0.9 <= row["high"] and row["is_significant"]
    equal = compare_best(predictions(queueing_model=EXACT, linear_baseline=EXACT))
    assert (equal["low"], equal["high"], equal["is_significant"]) == (0.0, 0.0, False)
    two = predictions(queueing_model=EXACT, linear_baseline=DOUBLE).where(
        lambda load: load.load.level < 4
    )
    few = compare_best(two)
    assert few["best"] == QUEUEING and few["low"] is None and few["is_significant"] is None


def test_runs_are_compared_with_the_other_runs_of_their_load():
    # 2 against 8, 8 against 2: −75 and +300 %
    assert replication_error([scored(1, 1.0), scored(8, 2.0, 8.0)]) == pytest.approx(1.875)
    assert replication_error([scored(1, 1.0)]) is None


def test_the_planted_function_is_best_and_significant_where_it_is_in_the_form(compared):
    row = compared.winners.filter(pl.col("virtual_server").is_null(), setting=texts.WITHIN_RANGE)
    assert row["best"].item() == LINEAR_REGRESSION
    assert row["best_error"].item() < 1e-9
    loads = compared.loads.filter(predictor=LINEAR_REGRESSION, setting=texts.BEYOND_RANGE)
    assert loads["error_R"].abs().max() < 1e-9 and loads["error_X"].abs().max() < 1e-9
    assert loads["R_measured_ms"].to_list() == pytest.approx(
        [1e3 * planted_r(32, cpus) for cpus in CPUS.values()]
    )
    x = compared.scores.filter(predictor=LINEAR_REGRESSION, setting=texts.WITHIN_RANGE)
    assert x["median_X"].to_list() == pytest.approx([0.0, 0.0], abs=1e-9)


# -- by the number of training runs ------------------------------------------------------------------------


@given(size=st.integers(2, 11), seed=st.integers(0, 99))
def test_a_subset_has_its_size_each_server_and_no_run_twice(size, seed):
    runs = database()[:14]  # 12 of the first server, 2 of the second
    subset = draw_subset(runs, size, np.random.default_rng(seed))
    assert len(subset) == len({id(r) for r in subset}) == size
    assert {r.server for r in subset} == {"first", "second"}


def test_curves_are_over_subsets_and_end_with_all_runs():
    task = prediction_tasks(database(runs=3))[0]
    complete = predict_task(task, STUDY, learned=(LINEAR_REGRESSION,))
    curves = learning_curves(
        [task], [complete], STUDY, learned=(LINEAR_REGRESSION,), draws=2, sizes=(6, 12, 40)
    )
    again = learning_curves(
        [task], [complete], STUDY, learned=(LINEAR_REGRESSION,), draws=2, sizes=(6, 12, 40)
    )
    assert curves.equals(again)
    counts = curves.group_by("training_runs").len().sort("training_runs")
    assert counts.rows() == [(6, 6), (12, 6), (18, 3)]  # two subsets by three predictors, then all
    summary = summarize_curves(curves).filter(predictor=LINEAR_REGRESSION)
    assert summary["subsets"].to_list() == [2, 2, 1]
    assert (summary["error"].drop_nulls() < 0.5).all()
    lost = curves.with_columns(median_error_R=pl.lit(None, pl.Float64))
    assert summarize_curves(lost)["error"].null_count() == summarize_curves(lost).height


# -- the whole comparison ------------------------------------------------------------------------------------


def test_two_comparisons_are_equal(compared):
    again = compare_predictors(database(runs=1), STUDY)
    for name in ("loads", "scores", "winners", "curves"):
        assert getattr(compared, name).equals(getattr(again, name)), name


def test_a_stored_comparison_is_read_until_a_run_changes(tmp_path, monkeypatch):
    runs = [replace(r, results=tmp_path) for r in database(servers=("first",))]
    first = compare_predictors(runs, STUDY, with_curves=False)
    calls = []
    monkeypatch.setattr(
        learned_scores, "predict_task", lambda *a, **k: calls.append(a) or predict_task(*a, **k)
    )
    assert compare_predictors(runs, STUDY, with_curves=False).loads.equals(first.loads)
    assert calls == []
    runs[0] = replace(runs[0], response_time_s=2 * runs[0].response_time_s)
    assert not compare_predictors(runs, STUDY, with_curves=False).loads.equals(first.loads)
    assert len(calls) == 1


def test_without_scikit_learn_the_rest_is_compared(monkeypatch, compared):
    for name in [name for name in sys.modules if name.split(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)  # an import of it fails
    with pytest.raises(MissingLibraryError, match=r"pip install 'queuevisor\[learn\]'") as error:
        learned.fit_learned(LINEAR_REGRESSION, [{"load_per_cpu": 0.0}], [1.0])
    assert isinstance(error.value, Error)
    rest = compare_predictors(database(runs=1), STUDY, with_curves=False)
    assert rest.learned == () and set(rest.loads["predictor"]) == {QUEUEING, LINEAR}
    same = compared.loads.filter(pl.col("predictor").is_in([QUEUEING, LINEAR]))
    assert rest.loads.equals(same)


def test_a_study_without_a_task_has_empty_tables():
    empty = compare_predictors([], STUDY)
    assert empty.winners.is_empty() and empty.scores.is_empty() and empty.loads.is_empty()

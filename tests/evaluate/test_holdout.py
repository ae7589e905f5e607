"""Hold-out evaluation: held-out runs have no effect, replications are one load, summaries and ablations."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from synthetic_runs import (
    EVEN,
    POISSON,
    by_spacing,
    closed_load,
    observation,
    open_load,
    simulate_response,
)

from pipeline.evaluate import texts
from pipeline.evaluate.holdout import (
    ABLATIONS,
    HOST_MODEL,
    HOST_MODEL_CALIBRATED,
    PREDICTIONS,
    PREDICTORS,
    ablate_model,
    predict_loads,
    summarize_predictors,
)
from pipeline.model.fit import fit_host, group_by_deployment
from pipeline.network.closed import mean_value_analysis

KNOWN = {"guest_cpu_s": 0.006, "vdisk_s": 0.004, "disk_s": 0.003, "relative_sd": 0.02}
FITTED = (10, 25, 45, 60)
HELD = (35, 75)


def web(**held_changes):
    """A web server with the response times of a calibrated host model; ``HELD`` rates are held out."""
    plain = [observation(open_load(r, s), **KNOWN) for r in FITTED for s in (EVEN, POISSON)]
    fitted = fit_host(plain)
    calibration = replace(fitted.calibration, service_scv=0.6, arrival_scv_gain=0.2)
    true = replace(fitted, calibration=calibration, arrival_scv=by_spacing)
    out = [
        replace(
            simulate_response(observation(open_load(r, s), **KNOWN), true),
            held_out=True,
            **held_changes,
        )
        for r in HELD
        for s in (EVEN, POISSON)
    ]
    return [*(simulate_response(one, true) for one in plain), *out]


def database(server: str = "first", slow: float = 1.0):
    known = {"host_cpu_s": 0.02 * slow, "disk_s": 0.008, "vdisk_s": 0.010, "relative_sd": 0.02}
    true = fit_host([observation(closed_load(n), **known) for n in (1, 4, 16)])
    runs = [simulate_response(observation(closed_load(n), **known), true) for n in (1, 2, 4, 8, 16)]
    return [
        replace(one, held_out=one.load.level in (2, 8), server=server, virtual_server="db")
        for one in runs
    ]


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return predict_loads([*web(), *database()])


def test_every_predictor_answers_every_load_of_its_kind(frame):
    assert frame.schema == PREDICTIONS
    for kind, loads in (("open", 12), ("closed", 5)):
        mine = frame.filter(pl.col("kind") == kind)
        names = [p.name for p in PREDICTORS if kind in p.kinds]
        assert mine["predictor"].unique(maintain_order=True).to_list() == names
        assert mine.height == loads * len(names)
    held = frame.filter(pl.col("held_out"))
    assert set(held["level"]) == {35.0, 75.0, 2.0, 8.0}
    assert set(frame["label"]) == {"logs-only", "calibrated"}


def test_the_host_model_without_overheads_is_the_textbook_queue():
    """Open: M/M/1, R = D/(1 − λD). Closed: the network solver's mean value analysis."""
    runs = [observation(open_load(r), host_cpu_s=0.010) for r in (10, 30, 50)]
    runs.append(observation(open_load(70), host_cpu_s=0.5, held_out=True))
    database_runs = [
        observation(
            closed_load(n), host_cpu_s=0.02, vdisk_s=0.008, disk_s=0.008, virtual_server="db",
            held_out=n == 8,
        )
        for n in (1, 4, 16, 8)
    ]  # fmt: skip
    held = predict_loads([*runs, *database_runs]).filter(held_out=True, predictor=HOST_MODEL)
    open_row, closed_row = held.sort("kind", descending=True).iter_rows(named=True)
    assert open_row["R_ms"] == pytest.approx(1e3 * 0.010 / (1 - 0.70))
    solved = mean_value_analysis(np.array([0.02, 0.008]), 8)
    assert closed_row["X_per_s"] == pytest.approx(float(solved.throughput), rel=1e-6)
    assert closed_row["R_ms"] == pytest.approx(1e3 * 8 / float(solved.throughput), rel=1e-6)


def test_the_host_model_predicts_runs_of_its_own_form(frame):
    held = frame.filter(pl.col("held_out"))
    calibrated = held.filter(pl.col("predictor") == HOST_MODEL_CALIBRATED)
    assert calibrated.height == 4
    assert calibrated["error_R"].abs().max() < 0.01
    db = held.filter((pl.col("predictor") == HOST_MODEL) & (pl.col("kind") == "closed"))
    assert db["error_R"].abs().max() < 1e-3 and db["error_X"].abs().max() < 1e-3
    uncalibrated = held.filter((pl.col("predictor") == HOST_MODEL) & (pl.col("kind") == "open"))
    assert uncalibrated["error_R"].abs().max() > 0.05


def test_errors_are_relative_to_the_measured_and_intervals_hold_the_value(frame):
    known = frame.filter(pl.col("R_ms").is_not_null())
    assert known["error_R"].to_numpy() == pytest.approx(
        (known["R_ms"] / known["R_measured_ms"] - 1).to_numpy()
    )
    ours = known.filter(pl.col("predictor").str.starts_with("host"))
    assert (ours["R_low_ms"] <= ours["R_high_ms"]).all()
    assert (ours["R_low_ms"] > 0.5 * ours["R_ms"]).all() and (
        ours["R_high_ms"] < 2 * ours["R_ms"]
    ).all()
    line = known.filter(pl.col("predictor") == "linear baseline")
    assert line["R_low_ms"].null_count() == line.height


def test_held_out_runs_have_no_effect_on_predictions():
    """Whatever they say of their own, what is predicted for their loads stays the same."""
    said = (
        "X_per_s",
        "X_low_per_s",
        "X_high_per_s",
        "R_ms",
        "R_low_ms",
        "R_high_ms",
        "utilization",
    )
    plain = predict_loads(web())
    odd = observation(open_load(35), host_cpu_s=0.05, guest_cpu_s=0.05, vdisk_s=0.02, disk_s=0.02)
    moved = predict_loads(
        web(
            response_time_s=0.5,
            throughput_per_s=3.0,
            run_demands=odd.run_demands,
            arrival_scv=0.0,
            errors=9,
        )
    )
    assert plain.select(said).equals(moved.select(said))
    assert not plain["R_measured_ms"].equals(moved["R_measured_ms"])


def test_the_same_observations_give_the_same_table():
    assert predict_loads(web()).equals(predict_loads(web()))
    assert predict_loads(database()).equals(predict_loads(database()))


def test_replications_are_one_load_with_geometric_means():
    runs = web()
    again = [
        replace(one, run=one.run + "-b", response_time_s=3 * one.response_time_s) for one in runs
    ]
    one, two = predict_loads(runs), predict_loads([*runs, *again])
    assert one.height == two.height
    assert set(one["runs"]) == {1} and set(two["runs"]) == {2}
    typical = 3**0.5 * one["R_measured_ms"].to_numpy()
    assert two["R_measured_ms"].to_numpy() == pytest.approx(typical)
    # one repetition held out keeps the load out of the comparison's fitted part
    half = [replace(one, held_out=one.held_out or one.load.level == 25) for one in runs]
    assert set(predict_loads([*half, *again]).filter(pl.col("held_out"))["level"]) == {25, 35, 75}


def test_deployments_are_runs_loaded_alone():
    both = [replace(one, is_alone=False) for one in web()]
    found = group_by_deployment([*web(), *both, *database(), *database("second", 2.0)])
    names = [(g.server, g.virtual_server) for g in found]
    assert names == [("first", "db"), ("first", "web"), ("second", "db")]
    assert [len(g.all_runs) for g in found] == [5, 12, 5]
    assert not any(one.held_out for g in found for one in g.fitted_runs)
    nothing = [replace(one, held_out=True) for one in database("third")]
    assert predict_loads(nothing).is_empty()
    assert predict_loads([]).schema == PREDICTIONS


def test_servers_are_fitted_separately():
    found = predict_loads([*database(), *database("second", 2.0)])
    alone = predict_loads(database("second", 2.0))
    assert found.filter(pl.col("server") == "second").equals(alone)


def test_saturated_runs_are_shown_with_a_note_and_not_fitted():
    broken = observation(
        open_load(150), errors=7, response_time_s=2.0, throughput_per_s=90.0, **KNOWN
    )
    found = predict_loads([*web(), broken])
    mine = found.filter(pl.col("level") == 150)
    ours = mine.filter(pl.col("predictor") == HOST_MODEL).row(0, named=True)
    assert ours["R_ms"] is None and ours["error_R"] is None
    assert ours["note"].split("; ") == [texts.UNBOUNDED, texts.saturated_runs(1, 1)]
    assert ours["utilization"] > 1
    rest = found.filter(pl.col("level") != 150).drop("note")
    assert rest.equals(predict_loads(web()).drop("note"))


def test_the_summary_counts_loads_held_out_up_to_90_percent():
    heavy = observation(open_load(97), response_time_s=0.1, held_out=True, **KNOWN)
    light = observation(open_load(20), response_time_s=99.0, **KNOWN)
    found = summarize_predictors(predict_loads([*web(), heavy, light, *database()]))
    assert set(found.filter(pl.col("virtual_server") == "web")["loads"]) == {4}
    assert set(found.filter(pl.col("virtual_server") == "db")["loads"]) == {2}
    everything = summarize_predictors(predict_loads([*web(), heavy]), max_utilization=2.0)
    assert set(everything["loads"]) == {5}
    row = found.filter(pl.col("predictor") == HOST_MODEL_CALIBRATED).row(0, named=True)
    assert row["mean_abs_error_R"] <= row["max_abs_error_R"]


def test_the_summary_counts_infinite_predictions():
    rows = predict_loads(web()).filter(pl.col("held_out") & (pl.col("predictor") == HOST_MODEL))
    lost = rows.with_columns(
        R_ms=pl.when(pl.col("level") == 75).then(None).otherwise("R_ms"),
        error_R=pl.when(pl.col("level") == 75).then(None).otherwise(pl.lit(0.25)),
    )
    row = summarize_predictors(lost).row(0, named=True)
    assert (row["loads"], row["unbounded"], row["mean_abs_error_R"]) == (4, 2, 0.25)


def test_each_correction_is_left_out_in_turn():
    found = ablate_model([*web(), *database()])
    web_rows = found.filter(pl.col("virtual_server") == "web")
    mine = {row["model"]: row for row in web_rows.iter_rows(named=True)}
    assert list(mine) == [name for name, _, kinds in ABLATIONS if "open" in kinds]
    closed = found.filter(pl.col("virtual_server") == "db")["model"].to_list()
    assert closed == [name for name, _, kinds in ABLATIONS if "closed" in kinds]
    whole = mine[texts.COMPLETE]
    assert (whole["loads"], whole["unbounded"]) == (4, 0)
    assert whole["error_R"] < 0.01 and whole["error_R_run_demands"] < 0.01
    for switch in ("split_reply_work", "use_arrival_scv"):
        assert mine[texts.WITHOUT[switch]]["error_R"] > 2 * whole["error_R"], switch
    assert mine[texts.WITHOUT["load_dependent"]]["error_R"] < 0.01
    assert np.isfinite(found["error_R"].to_numpy()).all()

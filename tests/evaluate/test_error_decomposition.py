"""Error decomposition: terms add up, and a changed input is found."""

from dataclasses import replace

import polars as pl
import pytest
from scipy.stats import gmean
from synthetic_runs import EVEN, POISSON, closed_load, observation, open_load, simulate_response

from pipeline.evaluate import texts
from pipeline.evaluate.acceptance import score_by_average
from pipeline.evaluate.error_decomposition import ERROR_DECOMPOSITION, decompose_error
from pipeline.evaluate.error_decomposition import decompose_errors as decompose
from pipeline.model.colocation import fit_deployments
from pipeline.model.fit import fit_host, with_run_demands

STEPS = ("arrivals_ms", "cpu_demand_ms", "disk_demand_ms", "contention_ms", "contention_timing_ms")
KNOWN = {"host_cpu_s": 0.010, "guest_cpu_s": 0.006, "vdisk_s": 0.004, "disk_s": 0.003}


def fitted(kind: str = "open"):
    loads = [open_load(r, s) for r in (10, 30, 50, 70) for s in (EVEN, POISSON)]
    if kind == "closed":
        loads = [closed_load(n) for n in (1, 4, 16)]
    plain = [observation(load, **KNOWN) for load in loads]
    model = fit_host(plain)
    return [simulate_response(one, model) for one in plain], model


def decompose_errors(runs) -> pl.DataFrame:
    return decompose(runs, fit_deployments(runs))


def geometric_mean(runs) -> dict:
    """The one load held out, by its typical run."""
    (row,) = (
        score_by_average(decompose_errors(runs))
        .filter(average="geometric mean")
        .iter_rows(named=True)
    )
    return row


def reached(steps: dict) -> float:
    return sum(value for value in steps.values() if value is not None)


# -- steps --------------------------------------------------------------------------------------------------


def test_a_run_as_predicted_has_zero_terms():
    _, model = fitted()
    one = simulate_response(observation(open_load(40), **KNOWN), model)
    steps, note = decompose_error(model, one)
    assert note is None
    assert steps.pop("predicted_ms") == pytest.approx(one.response_time_s * 1e3)
    assert list(steps) == list(STEPS)
    assert all(value == pytest.approx(0, abs=1e-9) for value in steps.values())


@pytest.mark.parametrize(
    ("step", "changed"),
    [
        ("arrivals_ms", {"throughput_per_s": 44.0}),
        ("cpu_demand_ms", {"host_cpu_s": 0.015, "guest_cpu_s": 0.009}),
        ("disk_demand_ms", {"vdisk_s": 0.009}),
        ("contention_ms", {"neighbour_cpu": 0.3}),
        ("contention_ms", {"background_cpus": 0.2}),
    ],
)
def test_a_changed_input_changes_its_term_only(step, changed):
    """And the whole difference is in it."""
    _, model = fitted()
    one = observation(open_load(40), **{**KNOWN, **changed})
    own = with_run_demands(one, model).predict(replace(one.load, rate_per_s=one.throughput_per_s))
    steps, _ = decompose_error(model, one)
    assert reached(steps) == pytest.approx(own.response_time_s[0] * 1e3)
    moved = {name for name in STEPS if abs(steps[name]) > 1e-6}
    assert moved == {step}


def test_a_saturated_run_has_null_terms_and_a_note():
    _, model = fitted()
    one = observation(open_load(40), **{**KNOWN, "host_cpu_s": 0.030}, response_time_s=2.0)
    steps, note = decompose_error(model, one)
    assert steps["cpu_demand_ms"] is None and steps["contention_ms"] is None
    assert note == texts.NO_STEADY_STATE


def test_the_terms_of_an_m_m_1_queue_are_those_of_its_formula():
    """R = D/(1 − λD): 10 ms at 40/s was predicted; 15 ms and 44/s were measured."""
    alone = [observation(open_load(r), host_cpu_s=0.010) for r in (10, 30, 50)]
    run = observation(open_load(40), host_cpu_s=0.015, throughput_per_s=44.0)
    steps, _ = decompose_error(fit_host(alone), run)
    predicted, at_rate, at_demand = (
        1e3 * d / (1 - rate * d) for rate, d in ((40, 0.010), (44, 0.010), (44, 0.015))
    )
    assert steps["predicted_ms"] == pytest.approx(predicted)
    assert steps["arrivals_ms"] == pytest.approx(at_rate - predicted)
    assert steps["cpu_demand_ms"] == pytest.approx(at_demand - at_rate)


# -- tables -------------------------------------------------------------------------------------------------


def adds_up(frame: pl.DataFrame) -> None:
    steps = sum(frame[name].fill_null(0) for name in ("predicted_ms", *STEPS, "residual_ms"))
    assert steps.to_numpy() == pytest.approx(frame["measured_ms"].to_numpy(), rel=1e-12)
    miss = (frame["measured_ms"] - frame["predicted_ms"]).to_numpy()
    assert frame["error_ms"].to_numpy() == pytest.approx(miss)


@pytest.mark.parametrize(
    ("kind", "load"), [("open", open_load(40)), ("closed", closed_load(8))], ids=["open", "closed"]
)
def test_the_error_of_a_doubled_demand_is_attributed(kind, load):
    runs, model = fitted(kind)
    doubled = {**KNOWN, "host_cpu_s": 0.020, "guest_cpu_s": 0.012}
    one = replace(simulate_response(observation(load, **doubled), model), held_out=True, run="odd")
    found = decompose_errors([*runs, one])
    assert found.schema == ERROR_DECOMPOSITION and found.height == 1
    adds_up(found)
    row = found.row(0, named=True)
    assert row["error_ms"] > 0.4 * row["measured_ms"]
    assert row["cpu_demand_ms"] == pytest.approx(row["error_ms"], rel=0.05)
    assert row["attributed"] > 0.95


def test_an_error_without_a_cause_in_the_logs_is_residual():
    """A run with the demands that were predicted, and answers that took 30 ms more."""
    runs, model = fitted()
    one = simulate_response(observation(open_load(40), **KNOWN), model)
    slow = replace(one, held_out=True, response_time_s=one.response_time_s + 0.030)
    found = decompose_errors([*runs, slow])
    adds_up(found)
    row = found.row(0, named=True)
    assert row["residual_ms"] == pytest.approx(30, rel=0.05)
    assert row["attributed"] < 0.05


def test_only_held_out_runs_are_decomposed():
    runs, _ = fitted()
    assert decompose_errors(runs).is_empty()


def test_replications_of_a_load_are_scored_together():
    runs, model = fitted()
    rows = []
    for name, cpu in (("odd-a", 0.012), ("odd-b", 0.014)):
        one = observation(open_load(40), **{**KNOWN, "host_cpu_s": cpu})
        rows.append(replace(simulate_response(one, model), held_out=True, run=name))
    found = decompose_errors([*runs, *rows])
    together = geometric_mean([*runs, *rows])
    assert together["runs"] == 2
    measured, predicted = (gmean(found[name]) for name in ("measured_ms", "predicted_ms"))
    assert together["R_measured_ms"] == pytest.approx(measured)
    assert together["R_ms"] == pytest.approx(predicted)
    assert together["attributed"] > 0.95
    assert together["error_R"] == pytest.approx(predicted / measured - 1)


def test_the_interval_of_the_attributed_share_comes_from_the_fitted_runs():
    """Fitted runs whose R is 4 % off to either side: a rest of 4 % of R is within two of its standard errors."""
    plain, model = fitted()
    runs = [
        replace(one, response_time_s=one.response_time_s * (1.04 if i % 2 else 0.96))
        for i, one in enumerate(plain)
    ]
    odd = simulate_response(observation(open_load(40), **{**KNOWN, "host_cpu_s": 0.014}), model)
    held = [
        replace(odd, held_out=True, run=name, response_time_s=odd.response_time_s * 1.04)
        for name in ("odd-a", "odd-b")
    ]
    found = decompose_errors([*runs, *held])
    reached = found["measured_ms"] - found["residual_ms"]
    relative = (found["residual_se_ms"] / reached).to_numpy()
    assert relative == pytest.approx(0.04 / 0.6745, rel=0.15)
    together = geometric_mean([*runs, *held])
    # the rest's standard error, of two runs that err independently, is 1 / sqrt(2) of one's
    miss = together["R_measured_ms"] - together["R_ms"]
    rest = together["R_measured_ms"] - gmean(reached)
    wide = 1.96 * gmean(found["residual_se_ms"]) / 2**0.5
    assert together["attributed_low"] == pytest.approx(1 - (rest + wide) / miss)
    assert together["attributed_low"] < together["attributed"] < 1 == together["attributed_high"]


def test_too_few_runs_give_no_interval_of_the_attributed_share():
    plain, model = fitted()
    one = simulate_response(observation(open_load(40), **{**KNOWN, "host_cpu_s": 0.014}), model)
    found = decompose_errors([*plain[:2], replace(one, held_out=True, run="odd")])
    assert found["residual_se_ms"].null_count() == 1
    together = geometric_mean([*plain[:2], replace(one, held_out=True, run="odd")])
    assert together["attributed"] is not None and together["attributed_low"] is None

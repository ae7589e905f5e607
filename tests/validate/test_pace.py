"""The pace of the machine: a slope that is there is found, one that is not is none, and predictions use it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from synthetic_runs import EVEN, POISSON, answered, closed_load, observation, open_load

from pipeline.validate.budget import BUDGET, by_load
from pipeline.validate.host_fit import explain, fit_host
from pipeline.validate.pace import UNPACED, Pace
from pipeline.validate.prediction import at_their_pace, parts, predictions
from pipeline.validate.rivals import OURS_CALIBRATED, OURS_PACED

REFERENCE = 0.07
SLOPES = {"cpu": 1.5, "before": 1.2, "vdisk": 0.8}
RATES = (5, 10, 20, 30, 40, 50)


def run(rate: float, others_cpu: float, name: str, spacing: str = POISSON, **changed):
    """A run whose demands go with its neighbours' CPU time as ``SLOPES`` says."""
    slow = others_cpu / REFERENCE
    demands = {
        "host_cpu_s": 0.010 * slow ** SLOPES["cpu"],
        "guest_cpu_s": 0.006 * slow ** SLOPES["before"],
        "vdisk_s": 0.004 * slow ** SLOPES["vdisk"],
        "disk_s": 0.002,
    }
    one = observation(open_load(rate, spacing), **{**demands, **changed}, others_cpu=others_cpu)
    return replace(one, run=name)


def runs(others=(0.060, 0.080, 0.066, 0.074, 0.085, 0.0625)):
    """Fast and slow runs in turn, so that the pace is not the load's; answered by their own demands."""
    found = []
    for i, rate in enumerate(RATES):
        for spacing in (EVEN, POISSON):
            cpu = others[(i + (spacing == EVEN) * 3) % len(others)]
            one = run(rate, cpu, f"{rate}-{spacing}", spacing)
            found.append(answered(one, explain(one, fit_host([one]))))
    return found


def test_slopes_that_are_there_are_found():
    pace = fit_host(runs(), paced=True).pace
    assert dict(pace.slopes) == pytest.approx(SLOPES, rel=1e-3)
    others = [one.others_cpu for one in runs()]
    assert pace.reference_cpus == pytest.approx(np.exp(np.log(others).mean()))


def test_at_the_pace_of_a_run_the_model_has_the_demands_of_the_run():
    model = fit_host(runs(), paced=True)
    slow = model.beside(0.100)
    for name, known in (("cpu", 0.010), ("before", 0.006), ("vdisk", 0.004)):
        expected = known * (0.100 / REFERENCE) ** SLOPES[name]
        assert getattr(slow, name).at(1000.0, 0.5)[0] == pytest.approx(expected, rel=1e-3)
    assert slow.disk.at(1000.0, 0.5)[0] == pytest.approx(0.002)
    assert slow.surroundings.others_cpus == 0.100


def test_demands_that_do_not_go_with_the_neighbours_have_no_slope():
    random = np.random.default_rng(4)
    kept = 0
    for _ in range(40):
        some = [
            run(rate, REFERENCE, f"{i}-{rate}", host_cpu_s=0.010 * np.exp(random.normal(0, 0.1)))
            for i in range(2)
            for rate in RATES
        ]
        # the neighbours' clock is drawn after the demands: it cannot know of them
        some = [replace(one, others_cpu=REFERENCE * np.exp(random.normal(0, 0.1))) for one in some]
        kept += "cpu" in fit_host(some, paced=True).pace.slopes
    assert kept <= 6  # one in forty is beyond two standard errors above 0 by chance


def test_a_neighbour_that_does_less_when_requests_take_longer_tells_nothing():
    turned = [replace(one, others_cpu=REFERENCE**2 / one.others_cpu) for one in runs()]
    assert not fit_host(turned, paced=True).pace.slopes


@pytest.mark.parametrize(
    "some",
    [
        [replace(observation(closed_load(n), others_cpu=0.06 + n / 1000), run=str(n)) for n in range(1, 9)],
        [replace(one, alone=False) for one in runs()],
        [replace(one, others_cpu=0.0) for one in runs()],
        [replace(one, others_cpu=0.07) for one in runs()],
        runs()[:5],
    ],
    ids=["closed", "company", "no neighbours", "all alike", "few"],
)  # fmt: skip
def test_where_the_pace_cannot_be_told_the_model_stays_as_it_is(some):
    model = fit_host(some, paced=True)
    assert model.pace == UNPACED
    assert model.beside(0.2) is model


def test_without_a_reading_the_pace_is_the_usual_one():
    assert Pace(0.07, {"cpu": 2.0}).factors(0.0) == {"cpu": 1.0}
    assert Pace(0.07, {"cpu": 2.0}).factors(0.14) == {"cpu": pytest.approx(4.0)}


def test_a_runs_own_demands_have_its_pace_already():
    one = runs()[3]
    own = explain(one, fit_host(runs(), paced=True))
    assert own.beside(0.3) is own


# -- predictions ---------------------------------------------------------------------------------------------


def held(others_cpu: float, name: str, rate: float = 45):
    one = run(rate, others_cpu, name)
    return replace(answered(one, explain(one, fit_host([one]))), held_out=True)


def test_slow_runs_are_predicted_where_the_usual_pace_misses_them():
    frame = predictions([*runs(), held(0.095, "slow-a"), held(0.098, "slow-b")]).filter("held_out")
    errors = dict(zip(frame["predictor"], frame["error_R"], strict=True))
    assert abs(errors[OURS_PACED]) < 0.05
    assert errors[OURS_CALIBRATED] < -0.2
    assert frame["runs"].unique().to_list() == [2] == frame["repetitions"].unique().to_list()


def test_repetitions_at_different_paces_are_the_mean_of_each():
    model = fit_host(runs(), paced=True)
    some = [held(0.060, "a"), held(0.090, "b")]
    each = [model.beside(one.others_cpu).predict(one.load).response_time_s for one in some]
    both = at_their_pace(model, some[0].load, some).response_time_s
    assert both == pytest.approx((each[0] + each[1]) / 2)


def test_a_run_too_slow_for_its_load_is_a_row_by_itself():
    """At 0.07 the CPU is busy for two thirds of the time; at 0.10 for all of it."""
    quick, slow = held(0.065, "quick", 60), held(0.100, "slow", 60)
    model = fit_host(runs(), paced=True)
    assert parts(model, quick.load, [quick, slow]) == [[quick], [slow]]
    closed = [observation(closed_load(4)), observation(closed_load(4))]
    assert parts(model, closed[0].load, closed) == [closed]
    frame = predictions([*runs(), quick, slow]).filter(held_out=True, predictor=OURS_PACED)
    assert frame["runs"].to_list() == [1, 1] and frame["repetitions"].to_list() == [2, 2]
    low, high = frame["utilization"].to_list()
    assert low < 0.9 < high


def test_a_budget_keeps_what_is_beyond_saturation_by_itself():
    rows = [
        ("60/s poisson", "open", 0.7),
        ("60/s poisson", "open", 0.95),
        ("60/s poisson", "open", 0.8),
        ("8 threads", "closed", 1.0),
    ]
    blank = {name: 1.0 for name, kind in BUDGET.items() if kind == pl.Float64}
    place = {"server": "first", "virtual_server": "web", "note": None}
    frame = pl.DataFrame(
        [
            {**blank, **place, "run": str(i), "load": load, "kind": kind, "utilization": busy}
            for i, (load, kind, busy) in enumerate(rows)
        ],
        schema=BUDGET,
    )
    assert by_load(frame).select("load", "beyond", "runs").rows() == [
        ("60/s poisson", False, 2),
        ("60/s poisson", True, 1),
        ("8 threads", False, 1),
    ]

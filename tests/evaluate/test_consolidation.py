"""Consolidation series: which runs belong to one, and a planted host that serves one to four web servers."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_runs import closed_load, observation, open_load

from pipeline.evaluate.consolidation import (
    compare_consolidation,
    demand_growth,
    list_series,
    software_of,
    total_throughput_law,
)

CPU_S, BACKGROUND, RATE = 0.020, 0.01, 10.0
GUESTS = 4


def planted(counts=(1, 2, 3, 4), rate=RATE, growth=0.0, replicates=2):
    """A host of one CPU, four guests, M/M/1: R = s / (1 − U) with U by all of them."""
    runs = []
    for count in counts:
        demand = CPU_S * (1 + growth * (count - 1))
        for replicate in range(1, replicates + 1):
            noise = 1 + 0.01 * (-1) ** replicate
            # a request cannot get more than the CPU
            x = min(rate, (1 - GUESTS * BACKGROUND) / demand / count)
            used = x * demand * noise + BACKGROUND
            neighbours = (count - 1) * used + (GUESTS - count) * BACKGROUND
            busy = min(used + neighbours, 0.99)
            runs += [
                replace(
                    observation(
                        open_load(rate),
                        host_cpu_s=demand * noise,
                        background_cpus=BACKGROUND,
                        throughput_per_s=x,
                        response_time_s=demand * noise / (1 - busy),
                        neighbour_cpu=neighbours,
                        relative_sd=0.01,
                    ),
                    run=f"web-{count}-{replicate}",
                    virtual_server=f"web{guest}",
                    is_alone=count == 1,
                )
                for guest in range(1, count + 1)
            ]
    return runs


def test_names_of_numbered_virtual_servers():
    assert [software_of(n) for n in ("web1", "web-12", "db", "v2ray", "1")] == [
        "web", "web", "db", "v2ray", "1",
    ]  # fmt: skip


def test_a_series_has_equal_loads_of_numbered_virtual_servers():
    runs = planted()
    (series,) = list_series(runs)
    assert (series.server, series.virtual_servers, series.guests) == ("first", "web", GUESTS)
    assert {count: len(each) for count, each in series.runs.items()} == dict.fromkeys(
        (1, 2, 3, 4), 2
    )
    assert [run.virtual_server for run in series.alone] == ["web1", "web1"]
    unequal = [replace(r, load=open_load(20)) if r.virtual_server == "web2" else r for r in runs]
    (rest,) = list_series([r for r in unequal if r.run[4] in "12"] + planted(counts=(3,))) or [None]
    assert list(rest.runs) == [1, 3]


def test_other_runs_are_no_series():
    alone = planted(counts=(1,))
    database = [
        replace(observation(closed_load(4)), run="both", virtual_server="db", is_alone=False),
        replace(observation(open_load(RATE)), run="both", virtual_server="web1", is_alone=False),
    ]
    threads = [replace(observation(closed_load(n)), virtual_server=f"db{n}") for n in (1, 2)]
    assert list_series([*alone, *database, *threads]) == []
    assert compare_consolidation(alone).is_empty()


def test_host_model_of_one_predicts_two_to_four():
    frame = compare_consolidation(planted())
    assert frame["loaded"].to_list() == [1, 2, 3, 4]
    # utilization: 4 backgrounds, and 0.2 of each that is loaded
    expected = [0.04 + 0.2 * n for n in (1, 2, 3, 4)]
    assert frame["busy_measured"].to_list() == pytest.approx(expected, rel=2e-3)
    assert frame["busy_model"].to_list() == pytest.approx(expected, rel=2e-2)
    assert frame["cpu_model"].to_list() == pytest.approx([CPU_S * 1e3] * 4, rel=1e-2)
    assert frame["X_model"].to_list() == pytest.approx([RATE] * 4)
    assert frame["error_cpu"].abs().max() < 0.02
    # the neighbours' CPU makes requests slower, as processor sharing does
    r = frame["R_model"].to_numpy()
    assert (np.diff(r) > 0).all()
    assert frame["error_R"].abs().max() < 0.35
    assert frame["reason"].null_count() == 4
    for name in ("X_measured", "R_measured", "cpu_measured", "R_model"):
        assert (frame[f"{name}_low"] <= frame[name]).all()
        assert (frame[name] <= frame[f"{name}_high"]).all()


def test_demand_that_grows_with_the_neighbours_is_seen_and_not_predicted():
    frame = compare_consolidation(planted(growth=0.1))
    assert frame["error_cpu"].to_list() == pytest.approx([0, -1 / 11, -1 / 6, -3 / 13], abs=0.02)
    (growth,) = demand_growth(frame).iter_rows(named=True)
    assert growth["ratio"] == pytest.approx(1.3, rel=1e-6)
    assert growth["low"] < 1.3 < growth["high"]


def test_saturation_has_a_throughput_and_no_response_time():
    frame = compare_consolidation(planted(rate=15.0))
    last = frame.row(-1, named=True)
    # 4 × 15 × 0.02 = 1.2 CPUs: a quarter of what the backgrounds leave
    assert last["X_model"] == pytest.approx(0.96 / 4 / CPU_S, rel=0.02)
    assert last["X_measured"] == pytest.approx(0.96 / 4 / CPU_S)
    assert last["R_model"] is None and last["error_R"] is None
    assert last["reason"]
    assert last["saturated"] == 2 and frame["saturated"][0] == 0


def test_law_of_the_total_throughput():
    (linear,) = list_series(planted())
    fit = total_throughput_law(linear)
    assert (fit.sigma, fit.kappa) == (0, 0)
    assert fit.lambda_per_s == pytest.approx(RATE)
    (saturated,) = list_series(planted(rate=30.0))
    # 30, 48, 48 and 48 per second: the law has no such corner, and takes it for a peak
    fit = total_throughput_law(saturated)
    assert 2 < fit.peak_n < 4 and 46 < fit.max_throughput < 52
    (two,) = list_series(planted(counts=(1, 2)))
    assert total_throughput_law(two) is None


def test_without_a_run_with_one_loaded_there_is_no_model():
    frame = compare_consolidation(planted(counts=(2, 3)))
    assert frame["X_model"].null_count() == frame["R_model"].null_count() == 2
    assert frame["reason"].null_count() == 0
    assert frame["cpu_measured"].to_list() == pytest.approx([CPU_S * 1e3] * 2, rel=1e-3)

"""Whether a demand depends on the load: planted slopes, blocks, and the published sweeps."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from synthetic_runs import closed_load, observation, open_load

from pipeline.evaluate.demand_and_rate import (
    DEMAND_AND_RATE,
    demand_and_rate,
    published_demand_and_rate,
)
from pipeline.evaluate.published_studies import read_mysql
from pipeline.raw import Window

RATES = (5, 10, 20, 40, 80)
HOUR_NS = 3_600_000_000_000
MINUTE_NS = 60_000_000_000


def sweep(slope: float, *, sd: float = 0.05, batches: int = 3, shift: float = 0.4, **changed):
    """A batch per hour with every rate: demands of 10 ms at 10 requests per second, and a shift for each batch."""
    random = np.random.default_rng(3)
    runs = []
    for batch in range(batches):
        for i, rate in enumerate(RATES):
            start = batch * HOUR_NS + i * 2 * MINUTE_NS
            log = slope * np.log(rate / 10) + shift * batch + sd * random.normal()
            demand = 0.010 * float(np.exp(log))
            runs.append(
                observation(
                    open_load(rate, "even"),
                    host_cpu_s=demand,
                    disk_s=0.002 * float(np.exp(sd * random.normal())),
                    window=Window(start, start + MINUTE_NS),
                    **changed,
                )
            )
    return runs


@pytest.mark.parametrize("slope", [-0.3, 0.2])
def test_a_planted_slope_is_found_within_its_interval_and_refutes_the_claim(slope):
    frame = demand_and_rate(sweep(slope))
    assert frame.schema == DEMAND_AND_RATE
    cpu, disk = frame.sort("station", descending=True).iter_rows(named=True)
    assert (cpu["station"], cpu["verdict"]) == ("host_cpu", "refuted")
    assert cpu["slope_low"] < slope < cpu["slope_high"]
    assert (
        cpu["ratio"] == pytest.approx(16 ** cpu["slope"]) and cpu["low"] < 16**slope < cpu["high"]
    )
    assert cpu["ratio_measured"] == pytest.approx(16**slope, rel=0.1)
    assert (cpu["lowest_load"], cpu["highest_load"]) == (5, 80)
    assert (cpu["levels"], cpu["runs"], cpu["batches"]) == (5, 15, 3)
    assert disk["verdict"] == "not refuted" and disk["low"] < 1 < disk["high"]
    assert disk["largest_change"] in (disk["low"] - 1, disk["high"] - 1)
    assert disk["p_family"] >= disk["p"]


def test_the_shift_of_a_batch_is_no_effect_of_the_load():
    """Without blocks, these runs would show a slope: the later batch is slower and has the higher rates."""
    runs = [
        run
        for run in sweep(0.0, batches=2, shift=1.0)
        if run.load.level <= 20 or run.window.start_ns >= HOUR_NS
    ]
    row = demand_and_rate(runs).row(by_predicate=pl.col("station") == "host_cpu", named=True)
    assert row["verdict"] == "not refuted" and row["slope_low"] < 0 < row["slope_high"]
    assert row["ratio_measured"] > 1.3


def test_a_curve_is_noticed_beside_the_line():
    bent = [
        replace_demand(run, 1.5 if run.load.level == 20 else 1.0) for run in sweep(0.0, sd=0.02)
    ]
    row = demand_and_rate(bent).row(by_predicate=pl.col("station") == "host_cpu", named=True)
    assert row["p_lack_of_fit"] < 1e-6
    straight = demand_and_rate(sweep(0.3)).row(
        by_predicate=pl.col("station") == "host_cpu", named=True
    )
    assert straight["p_lack_of_fit"] > 0.01


def replace_demand(run, factor: float):
    demand = run.run_demands.demand("host_cpu")
    changed = {
        **run.run_demands.demands,
        "host_cpu": replace(demand, value_s=demand.value_s * factor),
    }
    return replace(run, run_demands=replace(run.run_demands, demands=changed))


def test_runs_that_no_batch_compares_and_saturated_and_co_located_ones_are_not_used():
    alone = observation(
        open_load(160, "even"), host_cpu_s=0.5, disk_s=0.5, window=Window(9 * HOUR_NS, 10 * HOUR_NS)
    )
    saturated = replace(sweep(0.0)[4], throughput_per_s=1.0)
    co_located = replace(sweep(0.0)[4], is_alone=False)
    with_them = demand_and_rate([*sweep(0.2), alone, saturated, co_located])
    assert with_them.equals(demand_and_rate(sweep(0.2)))


def test_a_demand_without_a_logarithm_is_left_out_with_the_reason():
    runs = [replace_demand(run, 0.0 if i == 0 else 1.0) for i, run in enumerate(sweep(0.2))]
    row = demand_and_rate(runs).row(by_predicate=pl.col("station") == "host_cpu", named=True)
    assert row["runs"] == 14 and "1 run " in row["reason"] and row["verdict"] == "refuted"
    none = demand_and_rate([replace_demand(run, 0.0) for run in runs])
    row = none.row(by_predicate=pl.col("station") == "host_cpu", named=True)
    assert row["verdict"] == "not tested" and row["slope"] is row["p_family"] is None
    assert row["reason"]


def test_a_single_level_is_no_sweep_and_no_run_no_row():
    one_level = [observation(closed_load(4), window=Window(i, i + 1)) for i in range(3)]
    for runs in (one_level, []):
        frame = demand_and_rate(runs)
        assert frame.is_empty() and frame.schema == DEMAND_AND_RATE


def test_published_demands_grow_with_the_threads(root):
    """Felter et al.: +76 % natively and +20 % under KVM between 10 and 290 threads."""
    frame = published_demand_and_rate(read_mysql(root / "data/raw"))
    native, kvm = frame.iter_rows(named=True)
    assert (native["virtual_server"], kvm["virtual_server"]) == ("native", "kvm")
    assert native["ratio_measured"] == pytest.approx(1.764, abs=0.001)
    assert kvm["ratio_measured"] == pytest.approx(1.200, abs=0.001)
    for row in (native, kvm):
        assert row["verdict"] == "refuted" and row["low"] > 1
        assert (row["lowest_load"], row["highest_load"], row["runs"]) == (10, 290, 15)

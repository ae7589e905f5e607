"""The whole line: raw text → tables → ledger gives the known demands back; and the driver that counts how often."""

import coverage
import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from pipeline import equations
from pipeline.synthetic.plan import Monitoring


@pytest.fixture(scope="module")
def cases() -> pl.DataFrame:
    return coverage.cases(12, 1, "estimates:by_ledger", workers=1)


def test_the_ledger_gives_the_demands_back(cases):
    """Within chance and rounding: no station is off by much for any host, nor by a little on average."""
    off = cases.with_columns(
        true=pl.col("demand_s") / pl.col("true_s") - 1,
        realised=pl.col("demand_s") / pl.col("realised_s") - 1,
    )
    assert off.height == 36
    assert off["demand_s"].is_not_null().all()
    for station, mine in off.group_by("station"):
        assert abs(mine["true"].mean()) < 0.015, station
        assert abs(mine["realised"].mean()) < 0.01, station
        assert mine["realised"].abs().max() < 0.08, station
        # Were the truth another, this test would see it: demands differ from host to host.
        assert mine["true_s"].max() > 2 * mine["true_s"].min()


def test_hosts_are_drawn_from_the_whole_range(cases):
    drawn = [coverage.host(seed) for seed in range(1, 301)]
    servers = [server for plan in drawn for server in plan.virtual_servers.values()]
    cpu = np.array([server.cpu_s + server.cpu_after_reply_s for server in servers])
    vdisk = np.array([server.disk_operations * server.vdisk_s for server in servers])
    disk = np.array([server.disk_operations * server.disk_s for server in servers])
    for demands, low, high in ((cpu, 1e-3, 0.03), (vdisk, 1e-3, 0.02), (disk, 5e-4, 0.015)):
        assert demands.min() >= low * 0.999 and demands.max() <= high * 1.001
        assert demands.min() < 1.5 * low and demands.max() > 0.8 * high
    assert (disk <= vdisk).all()
    kinds = [server.kind for server in servers]
    assert 100 < kinds.count("open") < 200
    loads = [load for plan in drawn for load in plan.runs["run"].values()]
    used = [
        load.rate_per_s * max(one, two)
        for load, one, two in zip(loads, cpu, vdisk, strict=True)
        if load.rate_per_s
    ]
    assert min(used) < 0.06 and max(used) > 0.8
    assert cases["utilization"].max() < 0.95


def test_a_closed_load_reaches_the_utilization_that_was_drawn(cases):
    closed = (
        cases.filter(pl.col("workload") == "closed")
        .group_by("seed")
        .agg(pl.col("utilization").max())
    )
    assert closed.height > 3
    assert closed["utilization"].is_between(0.02, 0.95).all()


def estimate_of(seen: coverage.Recorded, low: float, high: float) -> pl.DataFrame:
    """R_cpu of the tables in memory, without Parquet and without the background taken off."""
    ((name, server),) = seen.run.virtual_servers.items()
    rows = seen.tables["top_processes"].filter(pl.col("role") == server.role)
    mine = rows.filter(pl.col("command").str.contains(server.server_processes))
    first, last = mine["snapshot"].min(), mine["snapshot"].max()
    ends = (
        mine.filter(pl.col("snapshot").is_in([first, last]))
        .group_by("snapshot")
        .agg(pl.col("cpu_time_s").sum())
        .sort("snapshot")["cpu_time_s"]
    )
    requests = seen.tables["client"].filter(pl.col("kind") == "summary")["completions"][0]
    demand = float(equations.cpu_residence_time(ends[1] - ends[0], requests))
    return pl.DataFrame(
        {
            "virtual_server": [name],
            "station": ["cpu"],
            "demand": [demand],
            "low": [demand * low],
            "high": [demand * high],
        }
    )


def wide(seen: coverage.Recorded) -> pl.DataFrame:
    return estimate_of(seen, 0.5, 1.5)


def low(seen: coverage.Recorded) -> pl.DataFrame:
    return estimate_of(seen, 0.1, 0.2)


def test_the_driver_counts(tmp_path):
    few = coverage.cases(4, 5, wide, workers=1)
    table = coverage.summary(few).filter(pl.col("workload") == "all")
    by_station = {row["station"]: row for row in table.iter_rows(named=True)}
    cpu = by_station["cpu"]
    assert (cpu["n"], cpu["answered"], cpu["covered"]) == (4, 4, 1.0)
    assert cpu["half_width"] == pytest.approx(0.5, rel=0.2)
    assert by_station["disk"]["answered"] == 0 and by_station["disk"]["covered"] is None
    missed = coverage.coverage(2, 5, low, workers=1).filter(
        (pl.col("station") == "cpu") & (pl.col("workload") == "all")
    )
    assert missed["covered"][0] == 0 and missed["above"][0] == 1 and missed["below"][0] == 0


def test_two_processes_count_the_same():
    one = coverage.cases(2, 21, "estimates:by_ledger", workers=1)
    two = coverage.cases(2, 21, "estimates:by_ledger", workers=2)
    assert one.equals(two)


def test_instruments_that_count_worse_give_worse_answers():
    """Kernels whose io_ticks are sampled read short operations long: the estimate is not blind to it."""

    def vdisk_off(how: str) -> float:
        monitoring = Monitoring(disk_counter=how, server_logs=False)
        found = coverage.cases(3, 31, "estimates:by_ledger", workers=1, monitoring=monitoring)
        mine = found.filter(pl.col("station") == "vdisk")
        return float((mine["demand_s"] / mine["realised_s"] - 1).abs().mean())

    assert vdisk_off("exact") < 0.02 < 0.1 < vdisk_off("sampled")


def test_intervals_of_the_law_hold_the_truth_as_often_as_they_say():
    """A sample of ``make coverage``: 40 hosts from raw text, 95 % intervals."""
    found = coverage.cases(40, 5000, "estimates:by_law", workers=1)
    assert found.height == 120 and found["low_s"].null_count() == 0
    held = found.filter(pl.col("true_s").is_between(pl.col("low_s"), pl.col("high_s")))
    # half a chance in a hundred on either side, if 95 % is what they hold
    low, high = binom.ppf([0.005, 0.995], found.height, 0.95)
    assert low <= held.height <= high < found.height
    table = coverage.summary(found).filter(pl.col("workload") == "all")
    for row in table.iter_rows(named=True):
        assert row["covered"] * 40 >= binom.ppf(0.005, 40, 0.95), row["station"]
        # an interval as wide as a barn covers everything: 20 % is allowed, these are far narrower
        assert row["half_width"] <= 0.05, row["station"]
        assert abs(row["bias"]) < 0.02, row["station"]

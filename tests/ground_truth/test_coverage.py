"""End to end: raw text → tables → demands agree with the true values; and the coverage of the intervals."""

import coverage
import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from pipeline import equations
from pipeline.synthetic.plan import Monitoring


@pytest.fixture(scope="module")
def cases() -> pl.DataFrame:
    return coverage.evaluate_hosts(12, 1, "estimates:by_ledger", workers=1)


def test_ledger_agrees_with_the_true_demands(cases):
    """Within sampling error and rounding: a small error per host, and a smaller one on average."""
    errors = cases.with_columns(
        true=pl.col("demand_s") / pl.col("true_s") - 1,
        realised=pl.col("demand_s") / pl.col("realised_s") - 1,
    )
    assert errors.height == 36
    assert errors["demand_s"].is_not_null().all()
    for station, rows_of_station in errors.group_by("station"):
        assert abs(rows_of_station["true"].mean()) < 0.015, station
        assert abs(rows_of_station["realised"].mean()) < 0.01, station
        assert rows_of_station["realised"].abs().max() < 0.08, station
        # True demands differ between hosts, so that an estimate without information would fail.
        assert rows_of_station["true_s"].max() > 2 * rows_of_station["true_s"].min()


def test_hosts_are_drawn_from_the_whole_range(cases):
    plans = [coverage.random_host(seed) for seed in range(1, 301)]
    servers = [server for plan in plans for server in plan.virtual_servers.values()]
    cpu = np.array([server.cpu_s + server.cpu_after_reply_s for server in servers])
    vdisk = np.array([server.disk_operations * server.vdisk_s for server in servers])
    disk = np.array([server.disk_operations * server.disk_s for server in servers])
    for demands, low, high in ((cpu, 1e-3, 0.03), (vdisk, 1e-3, 0.02), (disk, 5e-4, 0.015)):
        assert demands.min() >= low * 0.999 and demands.max() <= high * 1.001
        assert demands.min() < 1.5 * low and demands.max() > 0.8 * high
    assert (disk <= vdisk).all()
    kinds = [server.kind for server in servers]
    assert 100 < kinds.count("open") < 200
    loads = [load for plan in plans for load in plan.runs["run"].values()]
    utilization = [
        load.rate_per_s * max(one, two)
        for load, one, two in zip(loads, cpu, vdisk, strict=True)
        if load.rate_per_s
    ]
    assert min(utilization) < 0.06 and max(utilization) > 0.8
    assert cases["utilization"].max() < 0.95


def test_closed_load_reaches_the_drawn_utilization(cases):
    closed = (
        cases.filter(pl.col("workload") == "closed")
        .group_by("seed")
        .agg(pl.col("utilization").max())
    )
    assert closed.height > 3
    assert closed["utilization"].is_between(0.02, 0.95).all()


def estimate_of(recorded_run: coverage.Recorded, low: float, high: float) -> pl.DataFrame:
    """R_cpu from the tables in memory, without Parquet and not net of background."""
    ((name, server),) = recorded_run.run.virtual_servers.items()
    rows = recorded_run.tables["top_processes"].filter(pl.col("role") == server.role)
    processes = rows.filter(pl.col("command").str.contains(server.server_processes))
    first, last = processes["snapshot"].min(), processes["snapshot"].max()
    ends = (
        processes.filter(pl.col("snapshot").is_in([first, last]))
        .group_by("snapshot")
        .agg(pl.col("cpu_time_s").sum())
        .sort("snapshot")["cpu_time_s"]
    )
    requests = recorded_run.tables["client"].filter(pl.col("kind") == "summary")["completions"][0]
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


def wide(recorded_run: coverage.Recorded) -> pl.DataFrame:
    return estimate_of(recorded_run, 0.5, 1.5)


def low(recorded_run: coverage.Recorded) -> pl.DataFrame:
    return estimate_of(recorded_run, 0.1, 0.2)


def test_summary_counts_covered_intervals(tmp_path):
    rows = coverage.evaluate_hosts(4, 5, wide, workers=1)
    table = coverage.summarize(rows).filter(pl.col("workload") == "all")
    by_station = {row["station"]: row for row in table.iter_rows(named=True)}
    cpu = by_station["cpu"]
    assert (cpu["n"], cpu["answered"], cpu["covered"]) == (4, 4, 1.0)
    assert cpu["half_width"] == pytest.approx(0.5, rel=0.2)
    assert by_station["disk"]["answered"] == 0 and by_station["disk"]["covered"] is None
    summary = coverage.summarize_hosts(2, 5, low, workers=1).filter(
        (pl.col("station") == "cpu") & (pl.col("workload") == "all")
    )
    assert summary["covered"][0] == 0 and summary["above"][0] == 1 and summary["below"][0] == 0


def test_results_do_not_depend_on_workers():
    one = coverage.evaluate_hosts(2, 21, "estimates:by_ledger", workers=1)
    two = coverage.evaluate_hosts(2, 21, "estimates:by_ledger", workers=2)
    assert one.equals(two)


def test_sampled_io_ticks_increase_the_error():
    """Sampled io_ticks overestimate short operations, which the estimate's error shows."""

    def vdisk_off(how: str) -> float:
        monitoring = Monitoring(disk_counter=how, server_logs=False)
        rows = coverage.evaluate_hosts(
            3, 31, "estimates:by_ledger", workers=1, monitoring=monitoring
        )
        rows_of_station = rows.filter(pl.col("station") == "vdisk")
        return float((rows_of_station["demand_s"] / rows_of_station["realised_s"] - 1).abs().mean())

    assert vdisk_off("exact") < 0.02 < 0.1 < vdisk_off("sampled")


def test_intervals_of_the_law_have_their_coverage():
    """A sample of ``make coverage``: 40 hosts from raw text, 95 % intervals."""
    rows = coverage.evaluate_hosts(40, 5000, "estimates:by_law", workers=1)
    assert rows.height == 120 and rows["low_s"].null_count() == 0
    covered = rows.filter(pl.col("true_s").is_between(pl.col("low_s"), pl.col("high_s")))
    # 0.5 % on either side if the coverage is 95 %
    low, high = binom.ppf([0.005, 0.995], rows.height, 0.95)
    assert low <= covered.height <= high < rows.height
    table = coverage.summarize(rows).filter(pl.col("workload") == "all")
    for row in table.iter_rows(named=True):
        assert row["covered"] * 40 >= binom.ppf(0.005, 40, 0.95), row["station"]
        # a wide interval would contain everything
        assert row["half_width"] <= 0.05, row["station"]
        assert abs(row["bias"]) < 0.02, row["station"]

"""Prediction of another server's loads, and of runs in which several virtual servers were loaded."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic_runs import closed_load, colocated_study, observation, open_load

from pipeline.evaluate.transfer import (
    COLOCATED_RUNS,
    REQUEST_BYTES,
    TRANSFER,
    colocated_runs,
    mean_disk_service_ms,
    transfer,
)
from pipeline.measure.window import MissingData
from pipeline.model.colocation import fit_deployments
from pipeline.network.closed import mean_value_analysis

DISK = {"seek_min_ms": 2.0, "seek_max_ms": 17.0, "revolution_ms": 8.0, "bytes_per_s": 16_384_000}
SLOW_DISK = {
    "seek_min_ms": 4.0,
    "seek_max_ms": 34.0,
    "revolution_ms": 16.0,
    "bytes_per_s": 8_192_000,
}
STUDY = SimpleNamespace(
    manifest={
        "servers": {
            "first": {"envelope": {"disk": DISK, "cpu_quota": 1.0}},
            "second": {"envelope": {"disk": SLOW_DISK, "cpu_quota": 0.5}},
            "bare": {},
        }
    }
)


def test_the_mean_seek_is_that_of_two_random_positions():
    """A seek takes min + (max − min) √distance; its mean by simulation."""
    random = np.random.default_rng(1)
    distance = np.abs(np.subtract(*random.uniform(size=(2, 1_000_000))))
    seek = DISK["seek_min_ms"] + (DISK["seek_max_ms"] - DISK["seek_min_ms"]) * np.sqrt(distance)
    expected = seek.mean() + 8.0 / 2 + 1e3 * REQUEST_BYTES / DISK["bytes_per_s"]
    assert mean_disk_service_ms(STUDY, "first") == pytest.approx(expected, rel=1e-3)


def test_a_server_of_half_the_cpu_and_half_the_disk_is_the_textbook_queue():
    """Open: the wait of M/M/1 with twice the service time. Closed: mean value analysis with twice the disk demand."""
    web = [
        observation(open_load(r), host_cpu_s=0.010, response_time_s=0.010 / (1 - r * 0.010))
        for r in (10, 20, 30)
    ]
    db = [
        observation(
            closed_load(n), host_cpu_s=1e-9, vdisk_s=0.008, disk_s=0.008, virtual_server="db"
        )
        for n in (1, 4, 16)
    ]
    target = [
        replace(run, server="second", response_time_s=2 * run.response_time_s)
        for run in (*web, *db)
    ]
    found = transfer([*web, *db, *target], fit_deployments([*web, *db]), STUDY, "first", "second")
    assert found.schema == TRANSFER and found.height == 6
    assert found["R_ratio_measured"].to_list() == [pytest.approx(2.0)] * 6
    for row, rate in zip(
        found.filter(virtual_server="web").iter_rows(named=True), (10, 20, 30), strict=True
    ):
        m_m_1_wait_s = rate * 0.020**2 / (1 - rate * 0.020)
        assert row["R_ms"] == pytest.approx(1e3 * (0.010 + m_m_1_wait_s), rel=1e-4)
    solved = mean_value_analysis(np.array([0.016]), 4)
    (row,) = found.filter(virtual_server="db", load="4 threads").iter_rows(named=True)
    assert row["X_per_s"] == pytest.approx(float(solved.throughput), rel=1e-6)


@pytest.mark.parametrize("target", ["bare", "unknown"])
def test_a_server_without_resources_is_not_predicted(target):
    with pytest.raises(MissingData):
        transfer([], {}, STUDY, "first", target)


def test_interference_fitted_to_one_run_predicts_the_next():
    found = colocated_runs(colocated_study(), fit_deployments(colocated_study()))
    assert found.schema == COLOCATED_RUNS and found.height == 4
    assert np.isfinite(found["error_R"].to_numpy()).all()
    row = found.filter(run="both-b", virtual_server="web").row(0, named=True)
    assert row["held_out"] and row["demand_inflation"] == pytest.approx(2, rel=0.02)
    assert abs(row["error_R"]) < 0.05
    assert abs(row["error_R_alone"]) > 2 * abs(row["error_R"])

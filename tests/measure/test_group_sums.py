"""Sums by group: nulls, order of groups and of additions."""

import os
import subprocess
import sys

import polars as pl
import pytest

from pipeline.measure.group_sums import sum_by_group


def test_groups_keep_the_order_of_their_first_rows_and_null_is_a_key():
    frame = pl.DataFrame({"a": ["x", None, "x", "y", None], "v": [1.0, 2.0, None, 4.0, 0.5]})
    sums = sum_by_group(frame, ["a"], total=pl.col("v"), rows=pl.lit(1))
    assert sums.rows() == [("x", 1.0, 2.0), (None, 2.5, 2.0), ("y", 4.0, 1.0)]


def test_without_rows_there_is_no_group():
    frame = pl.DataFrame(schema={"a": pl.Int64, "v": pl.Float64})
    sums = sum_by_group(frame, ["a"], total=pl.col("v"))
    assert sums.schema == {"a": pl.Int64, "total": pl.Float64} and sums.is_empty()


def test_values_are_added_in_the_order_of_the_rows():
    frame = pl.DataFrame({"a": [1, 1, 1], "v": [1e16, 1.0, -1e16]})
    assert sum_by_group(frame, ["a"], total=pl.col("v"))["total"].item() == 0.0
    assert sum_by_group(frame[[0, 2, 1]], ["a"], total=pl.col("v"))["total"].item() == 1.0


DIGEST = """
import sys
sys.path.insert(0, {helpers!r})
import numpy as np, polars as pl
from synthetic_runs import observation, open_load
from pipeline.measure.group_sums import sum_by_group
from pipeline.model.colocation import fit_deployments
from pipeline.model.stored import digest_of
random = np.random.default_rng(0)
rows = pl.DataFrame({{"u": random.integers(0, 60, 60_000), "v": random.random(60_000)}})
runs = [
    observation(open_load(rate, spacing), guest_cpu_s=0.006, vdisk_s=0.004, disk_s=0.003,
                relative_sd=0.1, response_time_s=0.01 + rate / 5000)
    for rate in (10, 30, 50) for spacing in ("even", "poisson")
]
models = fit_deployments(runs)["first", "web"].with_run_variation()
answer = models.alone.predict(open_load(40))
totals = sum_by_group(rows, ["u"], x=pl.col("v"))["x"].to_numpy()
for value in (totals, models.alone.cpu, models.alone.calibration, answer.response_time_s):
    print(digest_of(value))
"""


@pytest.fixture(scope="module")
def digests(root):
    """Of sums, a fit and a prediction, by processes with 1, 2 and 4 threads."""
    source = DIGEST.format(helpers=str(root / "tests" / "helpers"))
    outputs = []
    for threads in ("1", "2", "4"):
        limits = {"POLARS_MAX_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        process = subprocess.run(
            [sys.executable, "-c", source],
            env={**os.environ, **limits, "PYTHONHASHSEED": threads, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.append(process.stdout.split())
    return outputs


def test_numbers_are_the_same_with_any_number_of_threads(digests):
    assert len(digests[0]) == 4 and digests[0] == digests[1] == digests[2]

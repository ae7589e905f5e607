"""Histogram and percentile of recorded sysbench reports, computed again, are the same."""

import re

import numpy as np
import pytest

from pipeline.synthetic.log_writers import sysbench


@pytest.mark.parametrize("run", ["both-005-16-a", "db-04-sweep"])
def test_histogram_and_percentile_of_sysbench(recorded, run):
    """Buckets, bars and percentile, from the counts in the report."""
    text = recorded("client/sysbench.log", run)
    rows = re.findall(r"^ *([0-9.]+) \|(\**) +(\d+)$", text, re.M)
    counts = np.zeros(sysbench.BUCKETS, np.int64)
    for value, _, count in rows:
        counts += int(count) * sysbench.bucket_counts(np.array([float(value)]))
    assert sysbench.histogram(counts) in text
    printed = re.search(r"95th percentile: +([0-9.]+)", text)[1]
    assert f"{sysbench.percentile(counts):.2f}" == printed

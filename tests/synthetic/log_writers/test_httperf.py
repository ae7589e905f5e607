"""httperf's median is the middle of a histogram bin."""

import re

import numpy as np

from pipeline.synthetic.log_writers import httperf


def test_the_median_of_httperf_is_the_middle_of_a_bin(recorded):
    printed = re.search(r"median ([0-9.]+)", recorded("client/httperf.log"))[1]
    assert f"{1000 * httperf.reported_median(np.array([float(printed) / 1000])):.1f}" == printed

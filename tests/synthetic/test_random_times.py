"""Random times have the mean and c² asked for."""

import numpy as np
import pytest

from pipeline.synthetic.random_times import draw_times


@pytest.mark.parametrize("scv", [0.0, 0.3, 1.0, 3.0])
def test_mean_and_scv(scv):
    drawn = draw_times(np.random.default_rng(1), 0.004, scv, 400_000)
    assert drawn.mean() == pytest.approx(0.004, rel=0.02)
    assert drawn.var() / drawn.mean() ** 2 == pytest.approx(scv, rel=0.05, abs=1e-12)
    assert drawn.min() >= 0

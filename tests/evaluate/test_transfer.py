"""Prediction of runs in which several virtual servers were loaded, and of another server's loads."""

import numpy as np
import pytest
from synthetic_runs import colocated_study

from pipeline.evaluate.transfer import COLOCATED_RUNS, colocated_runs
from pipeline.model.colocation import fit_deployments


def test_interference_fitted_to_one_run_predicts_the_next():
    found = colocated_runs(colocated_study(), fit_deployments(colocated_study()))
    assert found.schema == COLOCATED_RUNS and found.height == 4
    assert np.isfinite(found["error_R"].to_numpy()).all()
    row = found.filter(run="both-b", virtual_server="web").row(0, named=True)
    assert row["held_out"] and row["demand_inflation"] == pytest.approx(2, rel=0.02)
    assert abs(row["error_R"]) < 0.05
    assert abs(row["error_R_alone"]) > 2 * abs(row["error_R"])

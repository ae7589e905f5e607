"""What every test shares."""

import os
from pathlib import Path

import hypothesis
import pytest

# The same examples in every run, so that a run's colour tells of the change and not of the dice;
# `HYPOTHESIS_PROFILE=explore` throws them anew, and what that finds is kept as a case. No deadline: no test
# asserts how long something takes (benchmarks/ measures that).
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", derandomize=False, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

# Before anything imports Polars: tests read small tables, and the workers of pytest share the processors.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT

"""A small study of its own for the command line: one recorded run, copied so that it can be damaged."""

import pytest
from recorded_run import RecordedRun, copy_run


@pytest.fixture(scope="session")
def one_run(root, tmp_path_factory) -> RecordedRun:
    """One run, ingested once for all tests that do not change it."""
    return copy_run(root, tmp_path_factory.mktemp("one_run"))


@pytest.fixture
def own_run(root, tmp_path) -> RecordedRun:
    """One run that the test may damage."""
    return copy_run(root, tmp_path)

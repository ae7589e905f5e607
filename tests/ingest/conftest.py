"""Fixtures of the tests of ingesting."""

import pytest
from ingest_runs import make_run


@pytest.fixture
def raw(tmp_path):
    raw = tmp_path / "raw"
    for number, run in enumerate(("db-1", "db-2", "db-3")):
        make_run(raw, "pair", "first", run, seed=number * 100)
    return raw


@pytest.fixture
def processed(tmp_path):
    return tmp_path / "processed"

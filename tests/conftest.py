"""What every test shares."""

import os
from pathlib import Path

import pytest

# Before anything imports Polars: tests read small tables, and the workers of pytest share the processors.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT

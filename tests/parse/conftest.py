"""Thousands of small logs: what makes each of them cheaper."""

import gc
import os

import pytest


@pytest.fixture(autouse=True)
def one_processor():
    """Python and Polars take turns on a small log: on one processor that costs a third less."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    gc.disable()
    if allowed:
        os.sched_setaffinity(0, {sorted(allowed)[worker % len(allowed)]})
    yield
    if allowed:
        os.sched_setaffinity(0, allowed)
    gc.enable()

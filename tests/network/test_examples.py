"""Examples in docstrings give the printed results."""

import doctest
from importlib import import_module

import pytest

MODULES = ["equations"] + [
    f"network.{name}"
    for name in ("bounds", "closed", "gg1", "convolution.convolve", "mixed", "open", "solve")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    results = doctest.testmod(import_module(f"pipeline.{name}"))
    assert results.attempted > 0
    assert results.failed == 0

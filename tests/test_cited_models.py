"""Menascé's slowdown: its limits, its inverses, and what published slowdowns imply."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline as qv
from pipeline import cited_models as cited

fraction = st.floats(0, 1)
cost = st.floats(1, 1e6)


@given(cost)
def test_no_privileged_instruction_is_no_slowdown(instructions):
    assert cited.privileged_instruction_slowdown(0, instructions) == 1


@given(cost)
def test_privileged_instructions_only_take_the_instructions_of_each(instructions):
    assert cited.privileged_instruction_slowdown(1, instructions) == pytest.approx(instructions)


@given(fraction)
def test_a_privileged_instruction_of_one_instruction_is_no_slowdown(privileged):
    assert cited.privileged_instruction_slowdown(privileged, 1) == pytest.approx(1)


@given(fraction, fraction, cost, cost)
def test_slowdown_grows_with_both_inputs_and_stays_between_1_and_n_e(f, g, n, m):
    low_f, high_f, low_n, high_n = min(f, g), max(f, g), min(n, m), max(n, m)
    slowdown = cited.privileged_instruction_slowdown(low_f, low_n)
    assert 1 - 1e-9 <= slowdown <= low_n * (1 + 1e-9)
    for more in ((high_f, low_n), (low_f, high_n)):
        assert cited.privileged_instruction_slowdown(*more) >= slowdown * (1 - 1e-9)


@given(st.floats(1e-4, 1), st.floats(1.5, 1e4))
def test_inverses_give_what_was_put_in(f, n):
    slowdown = cited.privileged_instruction_slowdown(f, n)
    assert cited.instructions_from_slowdown(slowdown, f) == pytest.approx(n, rel=1e-6)
    # rounding can put f = 1 above N_e
    assert cited.privileged_fraction_from_slowdown(slowdown * (1 - 1e-12), n) == pytest.approx(
        f, rel=1e-6
    )


def test_arrays_are_computed_element_by_element():
    slowdowns = cited.privileged_instruction_slowdown(np.array([0, 0.01, 1]), 101)
    assert slowdowns.tolist() == pytest.approx([1, 2, 101])


@pytest.mark.parametrize(
    "value",
    [
        cited.privileged_instruction_slowdown(1.1, 10),
        cited.privileged_instruction_slowdown(-0.1, 10),
        cited.privileged_instruction_slowdown(0.5, 0.9),
        cited.privileged_fraction_from_slowdown(0.9, 10),
        cited.privileged_fraction_from_slowdown(11, 10),
        cited.privileged_fraction_from_slowdown(1, 1),
        cited.instructions_from_slowdown(0.9, 0.5),
        cited.instructions_from_slowdown(1, 0),
        cited.instructions_from_slowdown(2, 1.1),
    ],
)
def test_outside_of_the_domain_there_is_no_number(value):
    assert math.isnan(value)


def test_published_slowdowns_imply_few_privileged_instructions(root):
    """CPU-bound Linpack under KVM, and fork, by (native / KVM) of the printed means."""
    printed = pl.read_csv(root / "data/raw/published/influence_factors.csv")

    def mean(platform: str, benchmark: str) -> float:
        return printed.filter(
            source="jjanczur", platform=platform, benchmark=benchmark
        )["value"].mean()  # fmt: skip

    linpack = mean("native", "Linpack") / mean("kvm", "Linpack")
    fork = mean("kvm", "fork sum") / mean("native", "fork sum")
    assert qv.privileged_fraction_from_slowdown(linpack, 1000) == pytest.approx(1.07e-6, rel=0.01)
    assert qv.privileged_fraction_from_slowdown(fork, 1000) == pytest.approx(2.60e-4, rel=0.01)
    emulated = mean("qemu", "fork sum") / mean("native", "fork sum")
    assert qv.instructions_from_slowdown(emulated, 1) == pytest.approx(17.93 / 0.81)

"""Designs: resolution, aliases, blocks, order."""

import numpy as np
import polars as pl
import pytest

from pipeline.factors import FactorError
from pipeline.factors.design import design, max_fraction


def names(k):
    return list("ABCDEFGHJKLMNOP"[:k])


@pytest.mark.parametrize(
    ("k", "p", "resolution", "shortest"),
    [(3, 1, 3, 1), (4, 1, 4, 1), (5, 1, 5, 1), (5, 2, 3, 2), (6, 2, 4, 3), (7, 3, 4, 7), (7, 4, 3, 7),
     (8, 3, 4, 3), (8, 4, 4, 14), (9, 4, 4, 6), (15, 11, 3, 35)],
)  # fmt: skip
def test_minimum_aberration(k, p, resolution, shortest):
    """Resolution and number of shortest effects of Fries and Hunter's and Montgomery's table of designs."""
    plan = design(names(k), fraction=p)
    assert (plan.resolution, plan.runs.height) == (resolution, 2 ** (k - p))
    assert sum(word.count(":") + 1 == resolution for word in plan.defining_relation) == shortest


def test_no_fewer_runs_than_pydoe_needs_for_the_resolution():
    """pyDOE's smallest design of a resolution has as many runs as ours of that resolution, or fewer factors fit."""
    from pydoe import fracfact_by_res

    for k, p in ((4, 1), (6, 2), (7, 3), (7, 4), (8, 4)):
        plan = design(names(k), fraction=p)
        assert len(fracfact_by_res(k, plan.resolution)) == plan.runs.height
        assert len(fracfact_by_res(k, plan.resolution + 1)) > plan.runs.height


def test_columns_are_balanced_and_orthogonal():
    runs = design(names(7), fraction=3).runs.select(names(7)).to_numpy()
    assert (runs.T @ runs == 16 * np.eye(7)).all()


def test_recorded_design_of_influence_factors():
    """2^(8−4) of resolution IV, two replicates in four blocks by ABCD, as the testbed's plan has it."""
    generators = {"E": "ABC", "F": "ABD", "G": "ACD", "H": "BCD"}
    plan = design(names(8), generators=generators, replicates=2, blocks=["A:B:C:D"])
    assert plan.resolution == 4 and plan.runs.height == 32 and plan.runs["block"].n_unique() == 4
    aliases = dict(plan.aliases.iter_rows())
    assert aliases["A:B"][:3] == ["C:E", "D:F", "G:H"]
    assert plan.with_blocks == ["A:H"]  # = A:B:C:D


@pytest.mark.parametrize(("replicates", "blocks"), [(2, 2), (4, 2), (1, 2), (1, 4), (2, 4), (3, 6)])
def test_blocks_are_balanced_and_spare_main_effects(replicates, blocks):
    plan = design(names(4), replicates=replicates, blocks=blocks)
    sizes = plan.runs.group_by("block").len()
    assert sizes.height == blocks and sizes["len"].n_unique() == 1
    sums = plan.runs.group_by("block").agg(pl.col(names(4)).sum()).select(names(4))
    assert (sums.to_numpy() == 0).all()
    assert all(":" in effect for effect in plan.with_blocks)


def test_order_is_random_within_blocks_and_reproducible():
    first, again, other = (design(names(4), replicates=2, blocks=2, seed=s).runs for s in (1, 1, 2))
    assert first.equals(again) and not first.equals(other)
    assert first["order"].to_list() == list(range(1, 33))
    assert first["block"].is_sorted()
    assert first.group_by("cell").len()["len"].to_list() == [2] * 16


def test_levels_are_those_given():
    runs = design({"threads": (2, 16), "cache": ("none", "writeback")}).runs
    assert set(runs["threads"]) == {2, 16} and set(runs["cache"]) == {"none", "writeback"}


@pytest.mark.parametrize(
    ("factors", "arguments", "text"),
    [
        ([], {}, "0 factors"),
        (["A", "A"], {}, "twice"),
        (["A", "order"], {}, "order"),
        ({"A": (1, 1)}, {}, "two different levels"),
        (["A", "B"], {"fraction": 1}, "0 to 0"),
        (["A", "B", "C"], {"generators": {"C": ["A", "Q"]}}, "different factors"),
        (["A", "B", "C"], {"generators": {"Z": ["A", "B"]}}, "Z is no factor"),
        (["A", "B"], {"blocks": 3}, "3 blocks"),
        (["A", "B"], {"blocks": 4}, "4 blocks"),
        (["A", "B"], {"replicates": 0}, "at least 1"),
        ([*names(15), "Q", "R"], {}, "use a fraction"),
    ],
)
def test_what_is_no_design_is_an_error(factors, arguments, text):
    with pytest.raises(FactorError, match=text):
        design(factors, **arguments)


def test_largest_fraction():
    assert [max_fraction(k) for k in (2, 3, 4, 5, 6, 7, 8, 15)] == [0, 1, 1, 2, 3, 4, 4, 11]

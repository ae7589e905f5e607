"""Effects of designed experiments against printed analyses."""

from itertools import product

import polars as pl
import pytest

from pipeline.factors import effects


def table_of(responses, factors, names="y"):
    """Responses in standard order (the first factor changes fastest), replications in a list each."""
    rows = []
    for signs, values in zip(product([-1, 1], repeat=len(factors)), responses, strict=True):
        cell = dict(zip(factors, signs[::-1], strict=True))
        rows += [
            cell | {names: value} for value in (values if isinstance(values, list) else [values])
        ]
    return pl.DataFrame(rows)


def test_printed_analysis_of_a_2x2x2x3_factorial(root):
    """gttm/eth-advanced-systems-lab, milestone 3: effects, allocation of variation, s_e as printed."""
    frame = pl.read_csv(root / "data/raw/published/touloupas_factorial.csv")
    factors = ["servers", "replication", "writes"]
    fitted = effects(frame, "X_per_s", factors=factors)
    assert [round(value) for value in fitted.estimates.values()] == [
        -931,
        -339,
        -703,
        -31,
        81,
        -87,
        -242,
    ]
    shares = [round(100 * share, 2) for share in fitted.table["share"]]
    assert shares == [52.29, 6.95, 29.83, 0.06, 0.40, 0.46, 3.54]
    assert round(fitted.residual_sd) == 401
    assert fitted.degrees_of_freedom == 16
    assert sum(fitted.table["share"]) + fitted.share_error == pytest.approx(1, abs=1e-12)
    assert fitted.levels == {"servers": (3, 7), "replication": ("none", "full"), "writes": (1, 10)}


def test_jain_memory_cache_2_2():
    """Jain, Example 17.1: q0 40, qA 20, qB 10, qAB 5; shares of the 2100 recomputed: 1600, 400, 100."""
    fitted = effects(table_of([15, 45, 25, 75], "AB"), "y", factors=["A", "B"])
    assert fitted.mean == pytest.approx(40)
    assert fitted.estimates == pytest.approx({"A": 20, "B": 10, "A:B": 5})
    assert fitted.table["share"].to_list() == pytest.approx([16 / 21, 4 / 21, 1 / 21])
    assert fitted.sum_of_squares == pytest.approx(2100)

"""Effects of designed experiments against printed analyses, and what holds for any table."""

from itertools import combinations, product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.factors import FactorError, effects
from pipeline.factors.scale import compare_scales


def table_of(responses, factors):
    """Responses in standard order (the first factor changes fastest), replications in a list each."""
    rows = []
    for signs, values in zip(product([-1, 1], repeat=len(factors)), responses, strict=True):
        cell = dict(zip(factors, signs[::-1], strict=True))
        rows += [cell | {"y": float(v)} for v in (values if isinstance(values, list) else [values])]
    return pl.DataFrame(rows)


def fit(responses, factors, **arguments):
    return effects(table_of(responses, factors), "y", factors=list(factors), **arguments)


def column(fitted, name):
    return dict(zip(fitted.table["effect"], fitted.table[name].to_list(), strict=True))


# -- printed analyses ----------------------------------------------------------------------------------------


def test_printed_analysis_of_a_2x2x2x3_factorial(root):
    """gttm/eth-advanced-systems-lab, milestone 3: effects, allocation of variation, s_e as printed."""
    frame = pl.read_csv(root / "data/raw/published/touloupas_factorial.csv")
    fitted = effects(frame, "X_per_s", factors=["servers", "replication", "writes"])
    printed = [-931, -339, -703, -31, 81, -87, -242]
    assert [round(value) for value in fitted.estimates.values()] == printed
    shares = [round(100 * share, 2) for share in fitted.table["share"]]
    assert shares == [52.29, 6.95, 29.83, 0.06, 0.40, 0.46, 3.54]
    assert (round(fitted.residual_sd), fitted.degrees_of_freedom) == (401, 16)
    assert sum(fitted.table["share"]) + fitted.share_error == pytest.approx(1, abs=1e-12)
    assert fitted.levels == {"servers": (3, 7), "replication": ("none", "full"), "writes": (1, 10)}


def test_jain_memory_cache_2_2():
    """Jain, Example 17.1: q0 40, qA 20, qB 10, qAB 5; shares recomputed: 1600, 400, 100 of 2100."""
    fitted = fit([15, 45, 25, 75], "AB")
    assert fitted.mean == pytest.approx(40)
    assert fitted.estimates == pytest.approx({"A": 20, "B": 10, "A:B": 5})
    assert fitted.table["share"].to_list() == pytest.approx([16 / 21, 4 / 21, 1 / 21])
    assert fitted.share_error is None and fitted.sum_of_squares == pytest.approx(2100)
    assert compare_scales(fitted).recommended == "multiplicative"  # 15 × 75 = 25 × 45


def test_jain_memory_cache_2_2_3():
    """Jain, Examples 18.1 to 18.4: effects, s_e 3.57, sums of squares 5547, 1083, 300, 102, 90 % intervals."""
    fitted = fit([[15, 18, 12], [45, 48, 51], [25, 28, 19], [75, 75, 81]], "AB", level=0.9)
    assert fitted.mean == pytest.approx(41)
    assert fitted.estimates == pytest.approx({"A": 21.5, "B": 9.5, "A:B": 5})
    assert fitted.residual_sd == pytest.approx(3.57, abs=0.005)
    shares = [*fitted.table["share"], fitted.share_error]
    assert [round(share * 7032) for share in shares] == [5547, 1083, 300, 102]
    half = 1.860 * 1.031
    assert (fitted.mean_low, fitted.mean_high) == pytest.approx((41 - half, 41 + half), abs=0.01)
    for name, estimate in {"A": 21.5, "B": 9.5, "A:B": 5.0}.items():
        limits = column(fitted, "low")[name], column(fitted, "high")[name]
        assert limits == pytest.approx((estimate - half, estimate + half), abs=0.01)


def test_jain_multiplicative_model():
    """Jain, Example 18.8 (two processors, two workloads): log10 effects 0.03, −0.97, −0.97, 0.03; recomputed."""
    responses = [
        [85.10, 79.50, 147.90], [0.891, 1.047, 1.072], [0.955, 0.933, 1.122], [0.0148, 0.0126, 0.0118],
    ]  # fmt: skip
    fitted = fit(responses, "AB", log=True)
    log10 = [fitted.mean / np.log(10), *(q / np.log(10) for q in fitted.estimates.values())]
    assert [round(q, 2) for q in log10] == [0.03, -0.97, -0.97, 0.03]
    assert column(fitted, "ratio")["A"] == pytest.approx(10 ** (2 * log10[1]))
    for log in (False, True):
        assert compare_scales(fit(responses, "AB", log=log)).recommended == "multiplicative"


def test_jain_2_7_4():
    """Jain, Example 19.1: contrasts 317, 101, 35, 109, 43, 1, 47, 3 of 20 … 82, recomputed by hand; D = AB, ….

    Shares are the squares of the contrasts over their sum, 27375.
    """
    frame = table_of([20, 35, 7, 42, 36, 50, 45, 82], "ABC").with_columns(
        D=pl.col("A") * pl.col("B"), E=pl.col("A") * pl.col("C"), F=pl.col("B") * pl.col("C"),
        G=pl.col("A") * pl.col("B") * pl.col("C"),
    )  # fmt: skip
    fitted = effects(frame, "y", factors=list("ABCDEFG"))
    assert fitted.mean * 8 == pytest.approx(317)
    contrasts = [101, 35, 109, 43, 1, 47, 3]
    assert list(fitted.estimates) == list("ABCDEFG")
    assert [q * 8 for q in fitted.estimates.values()] == pytest.approx(contrasts)
    shares = [contrast**2 / 27375 for contrast in contrasts]
    assert fitted.table["share"].to_list() == pytest.approx(shares)
    assert column(fitted, "aliases")["A"][:3] == ["B:D", "C:E", "F:G"]
    assert min(word.count(":") for word in fitted.defining_relation) == 2


def test_filtration_rate_2_4_unreplicated():
    """Montgomery, Example 6.2: effects as differences; PSE 2.625 of the differences recomputed by hand."""
    responses = [45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96]
    fitted = fit(responses, "ABCD")
    differences = column(fitted, "difference")
    printed = {
        "A": 21.625, "B": 3.125, "C": 9.875, "D": 14.625, "A:B": 0.125, "A:C": -18.125, "A:D": 16.625,
    }  # fmt: skip
    assert {name: differences[name] for name in printed} == pytest.approx(printed)
    assert fitted.method == "lenth"
    assert 2 * fitted.pseudo_standard_error == pytest.approx(2.625)
    assert 2 * fitted.simultaneous_margin == pytest.approx(13.699, abs=0.1)
    assert 2 * (column(fitted, "high")["A"] - fitted.estimates["A"]) == pytest.approx(6.748, 1e-3)
    beyond = [
        name for name, verdict in column(fitted, "verdict").items() if verdict == "beyond noise"
    ]
    assert beyond == ["A", "D", "A:C", "A:D"]
    assert column(fitted, "verdict")["C"] == "inconclusive"


def test_pilot_plant_2_3():
    """Box, Hunter and Hunter: temperature 23, concentration −5, catalyst 1.5, TK 10, as differences."""
    differences = column(fit([60, 72, 54, 68, 52, 83, 45, 80], "TCK"), "difference")
    assert [differences[n] for n in ("T", "C", "K", "T:K")] == pytest.approx([23, -5, 1.5, 10])


def test_half_of_the_reactor_2_5_1():
    """Box, Hunter and Hunter: half of the 2^5 reactor; 20.5, 12.25, −6.25, 24 10.75, 45 −9.5, as differences."""
    runs = ["e", "a", "b", "abe", "c", "ace", "bce", "abc", "d", "ade", "bde", "abd", "cde", "acd"]
    runs += ["bcd", "abcde"]
    y = [56, 53, 63, 65, 53, 55, 67, 61, 69, 45, 78, 93, 49, 60, 95, 82]
    frame = pl.DataFrame(
        [{f: 1 if f in run else -1 for f in "abcde"} for run in runs]
    ).with_columns(y=pl.Series(y))
    fitted = effects(frame, "y", factors=list("abcde"))
    differences = column(fitted, "difference")
    printed = {"b": 20.5, "d": 12.25, "e": -6.25, "b:d": 10.75, "d:e": -9.5}
    assert {name: differences[name] for name in printed} == pytest.approx(printed)
    assert fitted.defining_relation == ["a:b:c:d:e"]
    assert column(fitted, "aliases")["d:e"] == ["a:b:c"]


# -- what holds for any table --------------------------------------------------------------------------------


@st.composite
def experiments(draw):
    k, r = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    value = st.integers(-1000, 1000)
    return "ABCD"[:k], draw(
        st.lists(st.lists(value, min_size=r, max_size=r), min_size=2**k, max_size=2**k)
    )


@settings(max_examples=30, deadline=None)
@given(experiments())
def test_estimates_are_contrasts_and_shares_add_to_1(experiment):
    factors, responses = experiment
    frame = table_of(responses, factors)
    fitted = effects(frame, "y", factors=list(factors))
    y = frame["y"].to_numpy()
    for order in range(1, len(factors) + 1):
        for group in combinations(factors, order):
            contrast = np.prod([frame[f].to_numpy() for f in group], axis=0) @ y / len(y)
            assert fitted.estimates[":".join(group)] == pytest.approx(contrast, abs=1e-9)
    if fitted.sum_of_squares:
        assert sum(fitted.table["share"]) + (fitted.share_error or 0) == pytest.approx(1)
    shuffled = effects(frame.sample(fraction=1, shuffle=True, seed=1), "y", factors=list(factors))
    for name in ("estimate", "low", "high", "share"):
        pairs = zip(fitted.table[name], shuffled.table[name], strict=True)
        assert all(a == b or a == pytest.approx(b, rel=1e-6, abs=1e-6) for a, b in pairs)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.2, 5), min_size=3, max_size=3))
def test_logarithms_of_products_have_no_interactions(factors_of):
    responses = [
        np.prod([a**s for a, s in zip(factors_of, signs, strict=True)])
        for signs in product([-1, 1], repeat=3)
    ]
    fitted = fit(responses, "ABC", log=True)
    for name, a in zip("CBA", factors_of, strict=True):
        assert fitted.estimates[name] == pytest.approx(np.log(a), abs=1e-9)
    assert all(abs(q) < 1e-9 for name, q in fitted.estimates.items() if ":" in name)


# -- damaged and unusual tables ------------------------------------------------------------------------------


def test_unbalanced_rows_are_fitted_by_least_squares():
    frame = table_of([[1, 2, 3], [5, 6], [2, 4], [9]], "AB")
    fitted = effects(frame, "y", factors=["A", "B"])
    means = np.array([2.0, 5.5, 3.0, 9.0])  # saturated in the cells
    assert fitted.estimates["A"] == pytest.approx((-means[0] + means[1] - means[2] + means[3]) / 4)
    assert not fitted.is_orthogonal and any("not balanced" in note for note in fitted.notes)


def test_rows_without_a_value_are_counted():
    frame = table_of([[1, 2], [5, 6], [2, 4], [9, 8]], "AB")
    frame = frame.with_columns(y=pl.Series([1.0, None, 5.0, float("nan"), 2.0, 4.0, 9.0, 8.0]))
    fitted = effects(frame, "y", factors=["A", "B"])
    assert (fitted.rows, fitted.omitted) == (6, {"no value of y": 2})


def test_a_missing_cell_leaves_the_interaction_out_and_says_so():
    frame = table_of([[1, 2], [5, 6], [2, 4], [9, 8]], "AB").head(6)
    fitted = effects(frame, "y", factors=["A", "B"])
    assert list(fitted.estimates) == ["A", "B"]
    assert any("not fitted" in note for note in fitted.notes)


def test_a_constant_response_has_no_shares_and_no_verdict():
    fitted = fit([[5, 5], [5, 5], [5, 5], [5, 5]], "AB")
    assert set(fitted.estimates.values()) == {0.0}
    assert fitted.table["share"].null_count() == 3
    assert (
        set(fitted.table["verdict"]) == {"not estimated"}
        and fitted.table["reason"].null_count() == 0
    )


def test_equal_replications_are_noted():
    fitted = fit([[1, 1], [5, 5], [2, 2], [9, 9]], "AB")
    assert fitted.residual_sd == 0 and any("residuals are 0" in note for note in fitted.notes)


def test_two_effects_have_no_interval_without_replications():
    fitted = fit([1, 2, 4, 8], "AB", interactions=["A:B"])
    assert fitted.method == "lenth"
    fitted = fit([1, 2], "A")
    assert fitted.method is None and fitted.table["low"].null_count() == 1
    assert "replicate" in fitted.table["reason"][0]


def test_factors_with_the_same_column_are_aliases():
    frame = table_of([[1, 2], [5, 6], [2, 4], [9, 8]], "AB").with_columns(C=-pl.col("A"))
    fitted = effects(frame, "y", factors=["A", "B", "C"])
    assert column(fitted, "aliases")["A"][0] == "-C"
    assert any("A = -C" in note for note in fitted.notes)


def test_an_interaction_confounded_with_blocks_is_not_estimated():
    frame = table_of([1, 5, 2, 9, 3, 8, 4, 7], "ABC")
    frame = frame.with_columns(block=pl.col("A") * pl.col("B") * pl.col("C"))
    fitted = effects(frame, "y", factors=list("ABC"), block="block")
    assert "A:B:C" not in fitted.estimates
    assert column(fitted, "verdict")["A:B:C"] == "not estimated"
    assert sum(fitted.table["share"].drop_nulls()) + fitted.share_blocks == pytest.approx(1)


def test_a_covariate_is_removed_from_the_error():
    rng = np.random.default_rng(5)
    frame = table_of([[0, 0, 0, 0], [2, 2, 2, 2], [4, 4, 4, 4], [6, 6, 6, 6]], "AB")
    drift = rng.normal(size=16)
    frame = frame.with_columns(
        drift=pl.Series(drift), y=pl.col("y") + pl.Series(3 * drift + rng.normal(0, 0.01, 16))
    )
    fitted = effects(frame, "y", factors=["A", "B"], covariates=["drift"])
    assert fitted.covariates["drift"] == pytest.approx(3, abs=0.05)
    assert fitted.estimates["A"] == pytest.approx(1, abs=0.02)
    assert fitted.residual_sd < 0.05 < effects(frame, "y", factors=["A", "B"]).residual_sd


@pytest.mark.parametrize(
    ("change", "arguments", "text"),
    [
        ({}, {"factors": ["A", "Z"]}, "no column Z"),
        ({"A": pl.lit(1)}, {}, "A has 1 level"),
        ({"A": pl.Series([1, 2, 3, 4])}, {}, "A has 4 levels"),
        ({"y": pl.lit("x")}, {}, "no column of numbers"),
        ({"y": pl.lit(None, dtype=pl.Float64)}, {}, "no row has all values"),
        ({"y": pl.col("y") - 3}, {"log": True}, "has no logarithm"),
        ({}, {"factors": []}, "no factors"),
        ({}, {"factors": ["A", "y"]}, "more than once"),
        ({}, {"level": 1.0}, "level"),
        ({}, {"low": {"A": 7}}, "A=7: no such level"),
        ({}, {"interactions": ["A:Q"]}, "Q is no factor"),
        ({"c": pl.lit(1.0)}, {"covariates": ["c"]}, "in all rows"),
    ],
)
def test_what_cannot_be_analysed_is_an_error(change, arguments, text):
    frame = table_of([1, 2, 4, 8], "AB").with_columns(**change)
    with pytest.raises(FactorError, match=text):
        effects(frame, "y", **{"factors": ["A", "B"], **arguments})


def test_the_low_level_can_be_given():
    assert fit([15, 45, 25, 75], "AB", low={"A": 1}).estimates["A"] == pytest.approx(-20)


def test_interactions_that_are_not_requested_are_part_of_the_error():
    fitted = fit([[1, 2], [5, 6], [2, 4], [9, 8]], "AB", interactions=1)
    assert list(fitted.estimates) == ["A", "B"] and fitted.degrees_of_freedom == 5
    assert any("A:B" in note for note in fitted.notes)


def test_main_effects_of_a_plackett_burman_design_are_fitted_alone():
    signs = [
        "++-++",
        "-++-+",
        "+-++-",
        "-+-++",
        "--+-+",
        "---+-",
        "+---+",
        "++---",
        "+++--",
        "-+++-",
        "+-+++",
        "-----",
    ]
    frame = pl.DataFrame(
        [dict(zip("ABCDE", (1 if s == "+" else -1 for s in row), strict=True)) for row in signs]
    ).with_columns(y=3.0 * pl.col("A") + pl.Series(range(12)) * 0.01)
    fitted = effects(frame, "y", factors=list("ABCDE"))
    assert list(fitted.estimates) == list("ABCDE") and fitted.degrees_of_freedom == 6
    assert any("do not separate" in note for note in fitted.notes)


def test_a_large_mean_costs_no_digits():
    offset = 2.0**40
    small, large = (
        fit([[0, 1], [2, 5], [1, 1], [7, 4]], "AB"),
        fit([[offset + v for v in cell] for cell in ([0, 1], [2, 5], [1, 1], [7, 4])], "AB"),
    )
    for name in ("estimate", "low", "share", "p"):
        assert large.table[name].to_list() == pytest.approx(small.table[name].to_list(), rel=1e-9)


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_values_whose_squares_are_no_numbers_are_an_error(scale):
    with pytest.raises(FactorError, match="another unit"):
        fit([scale, 2 * scale, 3 * scale, 5 * scale], "AB")

"""Additive or multiplicative: whether the values or their logarithms fit the model better.

Jain, section 18.8: logarithms where effects are factors, where the response spans a large range, or where the spread of
the residuals grows with the fitted value. Measured by the power λ of Box and Cox (Journal of the Royal Statistical
Society B 26, 1964): λ = 1 is the values themselves, λ = 0 their logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.factors import texts
from pipeline.factors.effects import Effects
from pipeline.factors.fit import projection_basis
from pipeline.factors.levels import Array

POWERS = np.round(np.arange(-2, 2.01, 0.05), 2)
MIN_DEGREES_OF_FREEDOM = 3
"""Of the residuals, below which no power is estimated."""
MIN_REPLICATIONS = 3
"""Of a cell, below which its standard deviation says little."""
LARGE_RATIO = 3.0
"""Largest over smallest value, below which logarithms are nearly linear in the values."""
LARGE_GAIN = 2.0
"""Ratio of the shares of the interactions in the two models that counts as a difference."""


@dataclass(frozen=True)
class ScaleComparison:
    """The evidence, and what follows."""

    recommended: str
    """``additive``, ``multiplicative``, or ``other`` where neither fits."""
    reason: str
    ratio: float | None
    """Largest over smallest value; None if one is not above 0."""
    power: float | None
    """λ of Box and Cox with its 95 % interval; None without degrees of freedom."""
    power_low: float | None
    power_high: float | None
    spread_slope: float | None
    """Slope of the logarithm of the cells' standard deviations over that of their means: 0 additive, 1 multiplicative;
    None without replications."""
    interactions_additive: float | None
    """Share of the interactions in the total sum of squares, of the values."""
    interactions_multiplicative: float | None
    """The same, of the logarithms."""

    @property
    def evidence(self) -> str | None:
        """A sentence about the range and the spread; None if there is no logarithm."""
        return None if self.ratio is None else texts.scale_evidence(self.ratio, self.spread_slope)


def compare_scales(fitted: Effects) -> ScaleComparison:
    """The scale on which the model fits the response of ``fitted``, whichever it was fitted on.

    Examples
    --------
    Jain's memory-cache study: 15 × 75 = 25 × 45, so there is no interaction of the logarithms.

    >>> from pipeline.factors import effects
    >>> frame = pl.DataFrame({"A": [-1, 1, -1, 1], "B": [-1, -1, 1, 1], "y": [15, 45, 25, 75]})
    >>> compare_scales(effects(frame, "y", factors=["A", "B"])).recommended
    'multiplicative'
    """
    y = (
        np.exp(fitted.data["response"].to_numpy())
        if fitted.log
        else fitted.data["response"].to_numpy()
    )
    if y.min() <= 0 or np.ptp(y) <= 1e-12 * np.abs(y).max():
        reason = texts.NO_LOGARITHM if y.min() <= 0 else texts.CONSTANT
        return ScaleComparison("additive", reason, None, None, None, None, None, None, None)
    ratio = float(y.max() / y.min())
    model = fitted.model
    if len(y) - model.shape[1] < MIN_DEGREES_OF_FREEDOM:
        model = model[:, : fitted.n_base + fitted.n_main]  # main effects
    power = low = high = None
    if len(y) - model.shape[1] >= MIN_DEGREES_OF_FREEDOM:
        power, low, high = box_cox(y, model)
    shares = [_interaction_share(values, fitted) for values in (y, np.log(y))]
    recommended, reason = _recommend(ratio, power, low, high, *shares)
    slope = _spread_slope(fitted.data, y)
    return ScaleComparison(recommended, reason, ratio, power, low, high, slope, *shares)


def box_cox(y: Array, model: Array) -> tuple[float, float | None, float | None]:
    """λ of the highest likelihood and its 95 % interval; a limit beyond −2 or 2 is None."""
    from scipy import stats

    relative = np.log(y / np.exp(np.log(y).mean()))
    scaled = np.column_stack(
        [relative if power == 0 else np.expm1(power * relative) / power for power in POWERS]
    )
    q = projection_basis(model)
    residuals = scaled - q @ (q.T @ scaled)
    free = len(y) - model.shape[1]
    smallest = 1e-24 * (relative**2).sum()
    likelihood = -free / 2 * np.log(np.maximum((residuals**2).sum(axis=0), smallest))
    inside = POWERS[likelihood >= likelihood.max() - stats.chi2.ppf(0.95, 1) / 2]
    low, high = float(inside[0]), float(inside[-1])
    best = float(POWERS[likelihood.argmax()])
    return best, None if low == POWERS[0] else low, None if high == POWERS[-1] else high


def _interaction_share(y: Array, fitted: Effects) -> float | None:
    """Share of all interactions in the total sum of squares; None if none is fitted."""
    main = fitted.n_base + fitted.n_main
    if main == fitted.model.shape[1]:
        return None
    errors = []
    for model in (fitted.model[:, :main], fitted.model):
        q = projection_basis(model)
        errors.append(float(((y - q @ (q.T @ y)) ** 2).sum()))
    return max(0.0, errors[0] - errors[1]) / float(((y - y.mean()) ** 2).sum())


def _spread_slope(data: pl.DataFrame, y: Array) -> float | None:
    """Least-squares slope over the cells with replications that differ; None of fewer than three cells."""
    signs = [name for name in data.columns if name not in ("response", "fitted", "residual")]
    cells = (
        data.with_columns(pl.Series("y", y))
        .group_by(signs)
        .agg(mean=pl.col("y").mean(), sd=pl.col("y").std(), rows=pl.len())
        .filter((pl.col("sd") > 0) & (pl.col("rows") >= MIN_REPLICATIONS))
    )
    if cells.height < 3 or cells["mean"].n_unique() < 2:
        return None
    slope, _ = np.polyfit(cells["mean"].log().to_numpy(), cells["sd"].log().to_numpy(), 1)
    return float(slope)


def _recommend(
    ratio: float,
    power: float | None,
    low: float | None,
    high: float | None,
    additive: float | None,
    multiplicative: float | None,
) -> tuple[str, str]:
    """The scale, and the reason."""
    if power is None:
        if additive is None or multiplicative is None:
            return "additive", texts.NO_EVIDENCE
        if ratio >= LARGE_RATIO and additive > LARGE_GAIN * multiplicative:
            return "multiplicative", texts.fewer_interactions(additive, multiplicative)
        return "additive", texts.no_gain(ratio)
    holds_one = (low is None or low <= 1) and (high is None or high >= 1)
    holds_zero = (low is None or low <= 0) and (high is None or high >= 0)
    interval = texts.power_interval(power, low, high)
    if holds_one:
        return "additive", texts.either_scale(interval) if holds_zero else texts.values_fit(
            interval
        )
    if holds_zero:
        return "multiplicative", texts.logarithms_fit(interval)
    return "other", texts.neither_fits(interval)

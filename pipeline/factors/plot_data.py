"""Frames of the plots of an experiment: half-normal plot, means of an interaction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.factors.effects import Effects
from pipeline.factors.levels import FactorError


def half_normal(fitted: Effects) -> pl.DataFrame:
    """The half-normal plot (Daniel, Technometrics 1, 1959): effects of noise alone are on a line through the origin.

    Returns
    -------
    polars.DataFrame
        ``effect``, ``size`` (absolute estimate), ``quantile`` of the half-normal distribution at (i − ½)/m,
        ``verdict``; from the smallest to the largest effect.

    Examples
    --------
    >>> from pipeline.factors import effects
    >>> frame = pl.DataFrame({"A": [-1, 1, -1, 1], "B": [-1, -1, 1, 1], "y": [15, 45, 25, 75]})
    >>> half_normal(effects(frame, "y", factors=["A", "B"]))["effect"].to_list()
    ['A:B', 'B', 'A']
    """
    from scipy import stats

    rows = fitted.table.drop_nulls("estimate").select(
        "effect", size=pl.col("estimate").abs(), verdict="verdict"
    )
    rows = rows.sort("size", maintain_order=True)
    ranks = (np.arange(rows.height) + 0.5) / rows.height
    return rows.with_columns(quantile=pl.Series(stats.norm.ppf((1 + ranks) / 2)))


def variation(fitted: Effects) -> pl.DataFrame:
    """Allocation of variation: ``source`` (effects, the largest first; blocks, covariates, error) and ``share``."""
    rows = fitted.table.drop_nulls("share").sort("share", descending=True, maintain_order=True)
    others = {
        "blocks": fitted.share_blocks,
        "covariates": fitted.share_covariates,
        "error": fitted.share_error,
    }
    shares = {name: share for name, share in others.items() if share is not None}
    return pl.DataFrame(
        {
            "source": [*rows["effect"], *shares],
            "share": [*rows["share"], *shares.values()],
        },
        schema={"source": pl.String, "share": pl.Float64},
    )


def interaction_means(fitted: Effects, factors: Sequence[str]) -> pl.DataFrame:
    """Means of the response at each combination of levels of two factors, over the rows in the model.

    Returns
    -------
    polars.DataFrame
        ``x`` and ``line`` (the levels of the first and of the second factor as text, low ones first), ``mean``, ``low``
        and ``high`` (of a single mean with the model's error; null without degrees of freedom), ``rows``. Of a
        multiplicative model, geometric means.

    Raises
    ------
    FactorError
        Not two factors of the model.
    """
    from scipy import stats

    if len(factors) != 2 or not set(factors) <= set(fitted.levels):
        raise FactorError(f"{', '.join(factors)}: give two of {', '.join(fitted.levels)}")
    first, second = factors
    names = {-1.0: 0, 1.0: 1}
    means = (
        fitted.data.group_by(first, second)
        .agg(mean=pl.col("response").mean(), rows=pl.len())
        .sort(first, second)
    )
    margin = None
    if fitted.residual_sd is not None:
        quantile = stats.t.ppf((1 + fitted.level) / 2, fitted.degrees_of_freedom)
        margin = float(quantile * fitted.residual_sd)
    half = pl.lit(margin, dtype=pl.Float64) / pl.col("rows").sqrt()
    values = [pl.col("mean"), pl.col("mean") - half, pl.col("mean") + half]
    if fitted.log:
        values = [value.exp() for value in values]
    texts_of = {name: [str(level) for level in fitted.levels[name]] for name in factors}
    return means.select(
        pl.Series("x", [texts_of[first][names[sign]] for sign in means[first]]),
        pl.Series("line", [texts_of[second][names[sign]] for sign in means[second]]),
        *(value.alias(name) for value, name in zip(values, ("mean", "low", "high"), strict=True)),
        "rows",
    )

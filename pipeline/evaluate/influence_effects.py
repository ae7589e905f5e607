"""Effects of influence factors on a response, their verdicts, and the noise that they are compared with.

Times and rates differ by factors, so effects are ratios: the geometric mean of the response at the high level over
that at the low one, all else balanced. Where a response is 0 in a run, effects are differences. The statistics are
those of :mod:`pipeline.factors`.

Each effect has a 95 % interval of its own (comparison-wise). Of many effects some exclude "no effect" by chance, so the
verdict *beyond noise* needs a p-value below 5 % after Holm's correction over all effects of the response in the
experiment (family-wise). *Inconclusive*: the interval excludes no effect, the corrected p-value does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluate import texts
from pipeline.evaluate.influence import Experiment, factor_columns
from pipeline.factors import Effects, FactorError
from pipeline.factors import effects as fit_effects
from pipeline.measure.window import MissingData

Array = NDArray[np.float64]

LEVEL = 0.95
"""Of the intervals; 1 − LEVEL is the level of the verdicts."""
MIN_DEGREES_OF_FREEDOM = 3
"""Of the residuals, below which interactions are left out."""
MAX_ORDER = 2
"""Factors of an interaction, also of aliases that are listed."""
RESPONSE, BLOCK = " response", " block"
"""Columns of a fit; no factor has such a name."""

EFFECTS = pl.Schema(
    {
        "response": pl.String,
        "effect": pl.String,
        "factors": pl.List(pl.String),
        "aliases": pl.List(pl.String),
        "is_ratio": pl.Boolean,
        "value": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "share": pl.Float64,
        "p_family": pl.Float64,
        "limit": pl.Float64,
        "verdict": pl.String,
        "reason": pl.String,
    }
)
"""One row per effect: main effects by their factor, interactions ``A:B``. ``aliases``: effects that the design does not
separate from this one. ``value``, ``low``, ``high``: the response at the high level over that at the low one, or minus
it, in its unit; of an interaction, where the product of the signs is +1 over (or minus) where it is −1. ``share`` of
the total sum of squares, 0 to 1. ``p_family``: after Holm's correction. ``limit``: the largest relative change that
the interval contains. ``reason``: why an effect is not estimated."""


@dataclass(frozen=True)
class ResponseEffects:
    """The effects on one response, and its noise."""

    response: str
    table: pl.DataFrame
    """Schema: ``EFFECTS``."""
    runs: int
    """Runs with a value."""
    is_ratio: bool
    method: str | None
    """Of the intervals: ``t``, ``lenth`` (without degrees of freedom), or None without intervals."""
    residual_sd: float | None
    """Of the logarithm where effects are ratios, else in the response's unit; None without degrees of freedom."""
    degrees_of_freedom: int
    share_error: float | None
    share_blocks: float | None
    share_covariates: float | None
    constant: tuple[str, ...] = ()
    """Factors with one level in all runs with a value."""


# -- effects -------------------------------------------------------------------------------------------------


def response_effects(
    experiment: Experiment,
    frame: pl.DataFrame,
    response: str,
    *,
    values: pl.Series | None = None,
    is_ratio: bool | None = None,
    covariates: Sequence[str] = (),
    level: float = LEVEL,
) -> ResponseEffects:
    """Effects of every factor, and of the interactions that the runs separate.

    Parameters
    ----------
    experiment, frame
        The experiment and its runs (:func:`pipeline.evaluate.influence.measure_runs`).
    response
        A column of the frame.
    values
        Other values of that response, one per row of the frame, such as predictions.
    is_ratio
        Whether effects are ratios; by default where all values are above 0.
    covariates
        Columns of the frame that the effects are adjusted for.
    level
        Of the intervals.

    Raises
    ------
    MissingData
        A main effect is estimated neither alone nor together with another one that has the same or the opposite column.
    """
    names = factor_columns(experiment)
    column = frame[response] if values is None else values
    rows = frame.with_columns(column.cast(pl.Float64).alias(RESPONSE), pl.col("block").alias(BLOCK))
    rows = rows.filter(pl.col(RESPONSE).is_finite()).drop_nulls([*names.values(), *covariates])
    varied = [name for name in names if rows[names[name]].n_unique() == 2]
    if not varied:
        raise MissingData(texts.not_estimable(rows.height, len(experiment.planned)))
    if is_ratio is None:
        is_ratio = bool((rows[RESPONSE] > 0).all())
    has_blocks = rows[BLOCK].null_count() == 0 and rows[BLOCK].n_unique() > 1
    used = rows.select(
        *(pl.col(names[name]).alias(name) for name in varied), RESPONSE, BLOCK, *covariates
    )

    def fit(order: int) -> Effects:
        try:
            return fit_effects(
                used,
                RESPONSE,
                factors=varied,
                block=BLOCK if has_blocks else None,
                covariates=covariates,
                interactions=order,
                log=is_ratio,
                level=level,
            )
        except FactorError as error:
            raise MissingData(str(error)) from None

    fitted = fit(2)
    if 0 < fitted.degrees_of_freedom < MIN_DEGREES_OF_FREEDOM:
        fitted = fit(1)
    estimated = fitted.table.drop_nulls("estimate").filter(pl.col("effect").is_in(varied))
    covered = set(estimated["effect"])
    for aliases in estimated["aliases"]:
        covered |= {alias.removeprefix("-") for alias in main_effects(aliases)}
    if not covered >= set(varied):
        raise MissingData(texts.not_estimable(rows.height, len(experiment.planned)))
    return ResponseEffects(
        response=response,
        table=_table(response, fitted.table, is_ratio),
        runs=rows.height,
        is_ratio=is_ratio,
        method=fitted.method,
        residual_sd=fitted.residual_sd,
        degrees_of_freedom=fitted.degrees_of_freedom,
        share_error=fitted.share_error,
        share_blocks=fitted.share_blocks,
        share_covariates=fitted.share_covariates,
        constant=tuple(name for name in names if name not in varied),
    )


def main_effects(effects: Sequence[str]) -> list[str]:
    """Those of ``effects`` (``A``, ``-A``, ``A:B``) that are main effects."""
    return [effect for effect in effects if ":" not in effect]


def _table(response: str, fitted: pl.DataFrame, is_ratio: bool) -> pl.DataFrame:
    rows = []
    for row in fitted.iter_rows(named=True):
        if is_ratio:
            value, low, high = row["ratio"], row["ratio_low"], row["ratio_high"]
        else:
            value, low, high = row["difference"], _doubled(row["low"]), _doubled(row["high"])
        rows.append(
            {
                "response": response,
                "effect": row["effect"],
                "factors": row["effect"].split(":"),
                "aliases": [alias for alias in row["aliases"] if alias.count(":") < MAX_ORDER],
                "is_ratio": is_ratio,
                "value": value,
                "low": low,
                "high": high,
                "share": row["share"],
                "p_family": row["p_family"],
                "limit": _limit(low, high) if is_ratio else None,
                "verdict": row["verdict"],
                "reason": row["reason"],
            }
        )
    table = pl.DataFrame(rows, schema=EFFECTS, orient="row")
    return table.filter(pl.col("factors").list.len() <= MAX_ORDER)


def _doubled(value: float | None) -> float | None:
    return None if value is None else 2 * value


def _limit(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else max(abs(low - 1), abs(high - 1))


# -- noise -----------------------------------------------------------------------------------------------------

NOISE = pl.Schema(
    {
        "response": pl.String,
        "runs": pl.Int64,
        "degrees_of_freedom": pl.Int64,
        "residual": pl.Float64,
        "replicates": pl.Float64,
        "replicated_cells": pl.Int64,
        "drift": pl.Float64,
        "share_error": pl.Float64,
        "share_blocks": pl.Float64,
        "detectable": pl.Float64,
    }
)
"""One row per response: standard deviations of a run (relative where effects are ratios, else in the response's unit)
about the fitted effects (``residual``) and between the replicates of a cell, blocks included (``replicates``); the
slowest block over the fastest, or minus (``drift``); shares of the total sum of squares; and the half-width of a main
effect's interval (``detectable``), relative where effects are ratios."""


def describe_noise(
    experiment: Experiment, frame: pl.DataFrame, fitted: ResponseEffects
) -> dict[str, object]:
    """The noise of a response, a row of ``NOISE``."""
    columns = list(factor_columns(experiment).values())
    rows = frame.filter(pl.col(fitted.response).is_finite()).drop_nulls(columns)
    values = pl.col(fitted.response).log() if fitted.is_ratio else pl.col(fitted.response)
    cells = rows.group_by(columns).agg(pl.len(), values.var().alias("variance"))
    cells = cells.filter(pl.col("len") > 1)
    degrees = float((cells["len"] - 1).sum())
    between = None
    if degrees:
        between = float(np.sqrt((cells["variance"] * (cells["len"] - 1)).sum() / degrees))
    relative = np.expm1 if fitted.is_ratio else float
    return {
        "response": fitted.response,
        "runs": fitted.runs,
        "degrees_of_freedom": fitted.degrees_of_freedom,
        "residual": None if fitted.residual_sd is None else float(relative(fitted.residual_sd)),
        "replicates": None if between is None else float(relative(between)),
        "replicated_cells": cells.height,
        "drift": _drift(rows, columns, values, is_ratio=fitted.is_ratio),
        "share_error": fitted.share_error,
        "share_blocks": fitted.share_blocks,
        "detectable": _half_width(fitted),
    }


def _half_width(fitted: ResponseEffects) -> float | None:
    """Median half-width of the main effects' intervals; relative where effects are ratios."""
    mains = fitted.table.filter(pl.col("factors").list.len() == 1)
    if mains["high"].null_count():
        return None
    if fitted.is_ratio:
        return float((mains["high"] / mains["value"]).median()) - 1
    return float((mains["high"] - mains["value"]).median())


def _drift(
    rows: pl.DataFrame, columns: Sequence[str], values: pl.Expr, *, is_ratio: bool
) -> float | None:
    """The slowest block over (or minus) the fastest, the main effects taken off."""
    blocks = block_levels(rows, columns, values)
    if len(blocks) < 2:
        return None
    spread = max(blocks.values()) - min(blocks.values())
    return float(np.exp(spread)) if is_ratio else float(spread)


def block_levels(rows: pl.DataFrame, columns: Sequence[str], values: pl.Expr) -> dict[str, float]:
    """Each block's level of a response about the mean of all, the main effects taken off."""
    if rows["block"].null_count() or rows["block"].n_unique() < 2:
        return {}
    labels = sorted(set(rows["block"].to_list()))
    blocks = [(rows["block"] == label).to_numpy().astype(float) for label in labels]
    design = np.column_stack([*(rows[name] for name in columns), *blocks])
    logs = rows.select(values).to_series().to_numpy()
    levels = np.linalg.lstsq(design, logs, rcond=None)[0][-len(blocks) :]
    return dict(zip(labels, (levels - levels.mean()).tolist(), strict=True))

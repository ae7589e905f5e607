"""Effects of factors with two levels: estimates, intervals, allocation of variation.

The model is y = q0 + Σ q x, x = −1 or +1, with blocks and covariates (Jain, chapters 17 to 19); fitted by least squares
(statsmodels). ``estimate`` is Jain's q, half the difference between the two levels. Unreplicated designs, whose error
has no degrees of freedom, get the intervals of Lenth (Technometrics 31, 1989).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline.factors import texts
from pipeline.factors.fit import Fit, holm
from pipeline.factors.levels import Array, FactorError, code
from pipeline.factors.terms import Interactions, Terms, find_terms

LEVEL = 0.95
MAX_VALUE = 1e100
"""Of the response, so that sums of squares are within the range of a double."""

SCHEMA = pl.Schema(
    {
        "effect": pl.String,
        "aliases": pl.List(pl.String),
        "estimate": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "difference": pl.Float64,
        "share": pl.Float64,
        "p": pl.Float64,
        "p_family": pl.Float64,
        "verdict": pl.String,
        "reason": pl.String,
        "ratio": pl.Float64,
        "ratio_low": pl.Float64,
        "ratio_high": pl.Float64,
    }
)
"""One row per effect, main effects first. ``aliases``: effects that the rows do not separate from it, of opposite sign
with ``-`` in front. ``estimate``: q, half of ``difference``, with the interval ``low`` to ``high``; of logarithms, also
the ``ratio`` of the high to the low level, exp(2 q). ``share`` of the total sum of squares, 0 to 1. ``p_family``: the
p-value after Holm's correction over all effects; of Lenth's method none. ``reason``: why a value is missing."""


@dataclass(frozen=True)
class Effects:
    """The fitted model."""

    response: str
    table: pl.DataFrame
    """Schema: ``SCHEMA``."""
    mean: float
    """q0, of the logarithms of a multiplicative model."""
    mean_low: float | None
    mean_high: float | None
    levels: dict[str, tuple[Any, Any]]
    """Factor → its low and its high level."""
    log: bool
    """Whether the model is multiplicative: of the natural logarithms."""
    level: float
    """Of the intervals, 0 to 1."""
    method: str | None
    """Of the intervals: ``t``, ``lenth``, or None without intervals."""
    residual_sd: float | None
    """s_e; None without degrees of freedom."""
    pseudo_standard_error: float | None
    """Of an estimate, by Lenth; None by the other method."""
    simultaneous_margin: float | None
    """Margin of error for all effects together, by Lenth."""
    standard_error: float | None
    """Of an estimate, the median over the effects; Lenth's pseudo standard error without degrees of freedom."""
    degrees_of_freedom: int
    """Of the error."""
    sum_of_squares: float
    """SST, around the mean."""
    share_error: float | None
    """None without degrees of freedom."""
    share_blocks: float | None
    share_covariates: float | None
    is_orthogonal: bool
    """Whether the estimates are independent of each other and the shares add to 1."""
    rows: int
    """Rows in the model."""
    omitted: dict[str, int]
    """Why rows are not in the model → number of them."""
    defining_relation: list[str]
    """Effects that are constant in all rows."""
    covariates: dict[str, float]
    """Covariate → its coefficient, in units of the response per unit."""
    notes: tuple[str, ...]
    """What a reader of the numbers must know."""
    data: pl.DataFrame
    """Rows in the model: ``response``, ``fitted``, ``residual`` (logarithms of a multiplicative model), the signs."""
    model: Array
    """Columns of the mean, blocks and covariates (``n_base``), main effects (``n_main``), interactions."""
    n_base: int
    n_main: int

    @property
    def estimates(self) -> dict[str, float]:
        """Effect → estimate, without those that are not estimated."""
        rows = self.table.drop_nulls("estimate")
        return dict(zip(rows["effect"], rows["estimate"], strict=True))


def effects(
    frame: pl.DataFrame,
    response: str,
    *,
    factors: Sequence[str],
    block: str | None = None,
    covariates: Sequence[str] = (),
    interactions: Interactions = "all",
    log: bool = False,
    level: float = LEVEL,
    low: Mapping[str, Any] | None = None,
) -> Effects:
    """Effects of ``factors`` and their interactions on the ``response``.

    Parameters
    ----------
    frame
        One row per observation.
    response
        Column of numbers. Rows without a finite value are left out, as are those without a level, block or covariate.
    factors
        Columns with two levels each; :func:`~pipeline.factors.levels.level_order` says which is the low one.
    block
        Column of blocks; their differences are removed from the error.
    covariates
        Columns of numbers that the effects are adjusted for.
    interactions
        ``"all"``: every order that the rows separate. A number: up to that order, 1 is none. Or the interactions
        themselves: ``["A:B"]`` or ``[("A", "B")]``.
    log
        Fit the natural logarithms: a multiplicative model.
    level
        Of the intervals, 0 to 1.
    low
        Factor → its low level, where the default order is not the wanted one.

    Returns
    -------
    Effects
        Its ``table`` has one row per effect.

    Raises
    ------
    FactorError
        No such column, a factor without two levels, a logarithm of a value that is not above 0, no rows, or too few of
        them for the main effects.

    Examples
    --------
    Jain's memory-cache study, Example 17.1:

    >>> frame = pl.DataFrame({"A": [-1, 1, -1, 1], "B": [-1, -1, 1, 1], "y": [15, 45, 25, 75]})
    >>> fitted = effects(frame, "y", factors=["A", "B"])
    >>> {name: round(q, 9) for name, q in fitted.estimates.items()}
    {'A': 20.0, 'B': 10.0, 'A:B': 5.0}
    """
    names = list(dict.fromkeys(factors))
    _check(frame, response, names, block, covariates, level, low or {})
    rows, omitted = _complete_rows(frame, response, names, block, covariates)
    y = rows[response].cast(pl.Float64).to_numpy()
    if np.abs(y).max() != 0 and not 1 / MAX_VALUE < np.abs(y).max() < MAX_VALUE:
        raise FactorError(texts.out_of_range(response, MAX_VALUE))
    if log and (y <= 0).any():
        raise FactorError(texts.not_positive(response, float(y.min())))
    y = np.log(y) if log else y
    signs, levels = code(rows, names, low or {})
    base, n_blocks = _base(rows, block, covariates)
    columns = {name: signs[name].to_numpy() for name in names}
    terms = find_terms(columns, base, interactions)
    if not terms.columns:
        raise FactorError(texts.nothing_estimated(len(y)))
    fit = Fit(y, base, terms, n_blocks, level)
    notes = [*(texts.rows_omitted(count, reason) for reason, count in omitted.items())]
    notes += _notes(fit, terms, names)
    data = signs.with_columns(
        response=pl.Series(y), fitted=pl.Series(fit.fitted), residual=pl.Series(y - fit.fitted)
    )
    coefficients = fit.params[1 + n_blocks : base.shape[1]].tolist()
    return Effects(
        response=response,
        table=_table(fit, terms, log),
        mean=float(fit.params[0]),
        mean_low=fit.interval(0)[0],
        mean_high=fit.interval(0)[1],
        levels=levels,
        log=log,
        level=level,
        method=fit.method,
        residual_sd=fit.residual_sd,
        pseudo_standard_error=fit.pse,
        simultaneous_margin=fit.simultaneous_margin,
        standard_error=fit.standard_error,
        degrees_of_freedom=fit.degrees_of_freedom,
        sum_of_squares=fit.sst,
        share_error=fit.share(fit.sse) if fit.degrees_of_freedom else None,
        share_blocks=fit.share(fit.sum_of_squares(range(1, 1 + n_blocks))) if n_blocks else None,
        share_covariates=fit.share(fit.sum_of_squares(range(1 + n_blocks, base.shape[1])))
        if covariates
        else None,
        is_orthogonal=fit.is_orthogonal,
        rows=len(y),
        omitted=omitted,
        defining_relation=terms.defining_relation,
        covariates=dict(zip(covariates, coefficients, strict=True)),
        notes=tuple(notes),
        data=data,
        model=fit.model,
        n_base=fit.n_base,
        n_main=sum(name in columns for name in terms.columns),
    )


def _check(
    frame: pl.DataFrame,
    response: str,
    factors: Sequence[str],
    block: str | None,
    covariates: Sequence[str],
    level: float,
    low: Mapping[str, Any],
) -> None:
    """Raise ``FactorError`` if a column does not exist or is no number, or an argument has no meaning."""
    used = [response, *factors, *([] if block is None else [block]), *covariates]
    for name in used:
        if name not in frame.columns:
            raise FactorError(texts.no_such_column(name, frame.columns))
        if used.count(name) > 1:
            raise FactorError(texts.used_twice(name))
    for name in (response, *covariates):
        if not (frame.schema[name].is_numeric() or frame.schema[name] in (pl.Boolean, pl.Null)):
            raise FactorError(texts.no_number(name, frame[name].drop_nulls().head(3).to_list()))
    for name in low:
        if name not in factors:
            raise FactorError(texts.no_such_factor(name, factors))
    if not factors:
        raise FactorError(texts.NO_FACTORS)
    if not 0 < level < 1:
        raise FactorError(f"level {level}: it must be between 0 and 1")


def _complete_rows(
    frame: pl.DataFrame,
    response: str,
    factors: Sequence[str],
    block: str | None,
    covariates: Sequence[str],
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Rows with all values, and the number of rows that lack which."""
    omitted: dict[str, int] = {}
    for name in (response, *factors, *([] if block is None else [block]), *covariates):
        column = pl.col(name)
        is_complete = column.is_not_null()
        if frame.schema[name].is_float():
            is_complete &= column.is_finite()
        kept = frame.filter(is_complete)
        if kept.height < frame.height:
            omitted[f"no value of {name}"] = frame.height - kept.height
        frame = kept
    if frame.is_empty():
        raise FactorError(texts.no_rows(omitted))
    return frame, omitted


def _base(rows: pl.DataFrame, block: str | None, covariates: Sequence[str]) -> tuple[Array, int]:
    """Columns of the mean, the blocks (they sum to 0) and the covariates (around their means); number of blocks − 1."""
    columns = [np.ones(rows.height)]
    if block is not None:
        labels = rows[block].unique(maintain_order=True).to_list()
        last = (rows[block] == labels[-1]).to_numpy().astype(float)
        columns += [(rows[block] == label).to_numpy().astype(float) - last for label in labels[:-1]]
    n_blocks = len(columns) - 1
    for name in covariates:
        values = rows[name].cast(pl.Float64).to_numpy()
        if np.ptp(values) == 0:
            raise FactorError(texts.constant_covariate(name, float(values[0])))
        columns.append(values - values.mean())
    base = np.column_stack(columns)
    if np.linalg.matrix_rank(base / np.linalg.norm(base, axis=0)) < base.shape[1]:
        raise FactorError(texts.DEPENDENT_COVARIATES)
    return base, n_blocks


def _table(fit: Fit, terms: Terms, log: bool) -> pl.DataFrame:
    """The effects that are fitted, then those that are not."""
    p_values = fit.p_values()
    p_family = [None] * len(p_values) if fit.method == "lenth" else holm(p_values)
    verdicts = fit.verdicts(p_family)
    rows = []
    for i, name in enumerate(terms.columns):
        index = fit.n_base + i
        estimate = float(fit.params[index])
        low, high = fit.interval(index)
        rows.append(
            {
                "effect": name,
                "aliases": terms.aliases[name],
                "estimate": estimate,
                "low": low,
                "high": high,
                "difference": 2 * estimate,
                "share": fit.share(fit.sum_of_squares([index])),
                "p": p_values[i],
                "p_family": p_family[i],
                "verdict": verdicts[i] or None,
                "reason": fit.reason,
                "ratio": _ratio(estimate) if log else None,
                "ratio_low": _ratio(low) if log else None,
                "ratio_high": _ratio(high) if log else None,
            }
        )
    for names, reason in (
        (terms.with_blocks, texts.WITH_BLOCKS),
        (terms.dependent, texts.DEPENDENT),
    ):
        rows += [
            {
                "effect": name,
                "aliases": terms.aliases[name],
                "verdict": texts.NOT_ESTIMATED,
                "reason": reason,
            }
            for name in names
        ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _ratio(q: float | None) -> float | None:
    if q is None:
        return None
    with np.errstate(over="ignore"):
        ratio = float(np.exp(2 * q))
    return ratio if np.isfinite(ratio) else None


def _notes(fit: Fit, terms: Terms, factors: Sequence[str]) -> list[str]:
    notes = []
    pairs = [
        f"{name} = {alias}"
        for name in factors
        for alias in terms.aliases.get(name, [])
        if alias.removeprefix("-") in factors
    ]
    if pairs:
        notes.append(texts.main_effects_aliased(pairs))
    notes += [texts.order_omitted(order, reason) for order, reason in terms.omitted_orders.items()]
    if terms.not_requested and fit.degrees_of_freedom:
        notes.append(texts.error_includes(terms.not_requested))
    if fit.method == "lenth":
        notes.append(texts.SATURATED)
    if reason := fit.reason:
        notes.append(reason)
    if fit.method == "t" and fit.sse == 0 and not fit.is_constant:
        notes.append(texts.EXACT_FIT)
    if not fit.is_orthogonal:
        notes.append(texts.NOT_ORTHOGONAL)
    return notes

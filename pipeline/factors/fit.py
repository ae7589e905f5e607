"""Least squares of the model of a designed experiment, and the intervals of its parameters.

With degrees of freedom for the error, intervals are Student's t. Without, the spread of the effects themselves is the
measure of the error (Lenth, Technometrics 31, 1989).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.factors import texts
from pipeline.factors.levels import Array
from pipeline.factors.terms import Terms

MIN_EFFECTS_LENTH = 3
"""Effects below which Lenth's method has less than one degree of freedom."""


class Fit:
    """Least squares of the mean, blocks, covariates (``base``) and effects."""

    def __init__(self, y: Array, base: Array, terms: Terms, n_blocks: int, level: float):
        from statsmodels.regression.linear_model import OLS  # slow to import

        x = np.column_stack([base, *terms.columns.values()])
        center = float(y.mean())  # else a large mean costs digits of the effects
        fitted = OLS(y - center, x).fit(method="qr")
        self.model = x
        self.n_base, self.n_blocks, self._level = base.shape[1], n_blocks, level
        tiny = 100 * np.finfo(float).eps * np.abs(y - center).max()
        self.params: Array = np.where(np.abs(fitted.params) > tiny, fitted.params, 0.0)
        self.params[0] += center
        self.fitted: Array = fitted.fittedvalues + center
        self._inverse: Array = fitted.normalized_cov_params
        self.degrees_of_freedom = len(y) - x.shape[1]
        self.sst = float(((y - y.mean()) ** 2).sum())
        rounding = (np.finfo(float).eps * len(y) * np.abs(y).max()) ** 2 * len(y)
        self.is_constant = self.sst <= rounding
        self.sse = float(((y - self.fitted) ** 2).sum())
        if self.sse <= rounding or self.degrees_of_freedom == 0:
            self.sse = 0.0
        if self.is_constant:
            self.sst = self.sse = 0.0
            self.params = np.concatenate([[y[0]], np.zeros(x.shape[1] - 1)])
            self.fitted = y
        lengths = np.linalg.norm(x, axis=0)
        products = x.T @ x / np.outer(lengths, lengths)
        blocks = slice(1, 1 + n_blocks)
        products[blocks, blocks] = np.eye(n_blocks)
        self.is_orthogonal = bool(np.abs(products - np.eye(len(products))).max() < 1e-9)
        self.residual_sd: float | None = None
        self.pse: float | None = None
        self.margins: Array | None = None
        self.simultaneous_margin: float | None = None
        self.method: str | None = None
        self._set_margins()

    @property
    def standard_errors(self) -> Array:
        """Of each parameter, in units of the error's standard deviation."""
        return np.sqrt(np.diag(self._inverse))

    @property
    def standard_error(self) -> float | None:
        """Of an estimate, the median over the effects; None without a measure of the error."""
        if self.residual_sd is None:
            return self.pse
        return float(self.residual_sd * np.median(self.standard_errors[self.n_base :]))

    def _set_margins(self) -> None:
        from scipy import stats

        if self.is_constant:
            return
        if self.degrees_of_freedom > 0:
            self.method = "t"
            self.residual_sd = float(np.sqrt(self.sse / self.degrees_of_freedom))
            quantile = stats.t.ppf((1 + self._level) / 2, self.degrees_of_freedom)
            self.margins = quantile * self.residual_sd * self.standard_errors
            return
        effects_of, scales = self.params[self.n_base :], self.standard_errors[self.n_base :]
        if len(effects_of) < MIN_EFFECTS_LENTH:
            return
        pse = lenth(effects_of / scales)
        if pse == 0:
            return
        self.method = "lenth"
        d = len(effects_of) / 3
        simultaneous = (1 + self._level ** (1 / len(effects_of))) / 2
        unit = pse * self.standard_errors
        self.margins = stats.t.ppf((1 + self._level) / 2, d) * unit
        self.pse = float(pse * np.median(scales))
        self.simultaneous_margin = float(stats.t.ppf(simultaneous, d) * self.pse)
        self._simultaneous = stats.t.ppf(simultaneous, d) * unit

    def interval(self, index: int) -> tuple[float | None, float | None]:
        """The interval of a parameter; without one (None, None). Lenth's method has none for the mean."""
        if self.margins is None or (self.method == "lenth" and index < self.n_base):
            return None, None
        estimate, margin = self.params[index], self.margins[index]
        return float(estimate - margin), float(estimate + margin)

    def p_values(self) -> list[float | None]:
        """Of each effect."""
        from scipy import stats

        estimates, errors = self.params[self.n_base :], self.standard_errors[self.n_base :]
        if self.method is None or self.is_constant:
            return [None] * len(estimates)
        if self.method == "lenth":
            scale, d = lenth(estimates / errors), len(estimates) / 3
        else:
            scale, d = self.residual_sd or 0.0, self.degrees_of_freedom
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(estimates == 0, 0.0, np.abs(estimates) / (scale * errors))
        return [float(p) for p in 2 * stats.t.sf(t, d)]

    def verdicts(self, p_family: Sequence[float | None]) -> list[str]:
        """Of each effect: whether its interval excludes 0, and whether the one for all effects together does."""
        if self.margins is None:
            return [texts.NOT_ESTIMATED if self.is_constant else ""] * len(p_family)
        verdicts = []
        for i, p in enumerate(p_family, self.n_base):
            size = abs(self.params[i])
            if size <= self.margins[i]:
                verdicts.append(texts.WITHIN_NOISE)
            elif self.method == "lenth":
                is_beyond = size > self._simultaneous[i]
                verdicts.append(texts.BEYOND_NOISE if is_beyond else texts.INCONCLUSIVE)
            else:
                is_beyond = p is not None and p < 1 - self._level
                verdicts.append(texts.BEYOND_NOISE if is_beyond else texts.INCONCLUSIVE)
        return verdicts

    def sum_of_squares(self, indices: Sequence[int] | range) -> float:
        """By which the error's sum of squares grows without these parameters (type III)."""
        listed = list(indices)
        part = self.params[listed]
        return float(part @ np.linalg.solve(self._inverse[np.ix_(listed, listed)], part))

    def share(self, sum_of_squares: float) -> float | None:
        """Of the total sum of squares; None if that is 0."""
        return None if self.is_constant else sum_of_squares / self.sst

    @property
    def reason(self) -> str | None:
        """Why the intervals or shares are missing; None if they are not."""
        if self.is_constant:
            return texts.CONSTANT
        if self.margins is not None:
            return None
        count = len(self.params) - self.n_base
        return texts.NO_ERROR.format(count=count) if count < MIN_EFFECTS_LENTH else texts.ZERO_PSE


def lenth(contrasts: Array) -> float:
    """Lenth's pseudo standard error of contrasts with the same variance.

    1.5 times the median of the absolute values below 2.5 times 1.5 their median.

    Examples
    --------
    >>> lenth(np.array([1.0, -2.0, 3.0, 50.0, -1.0]))
    2.25
    """
    sizes = np.abs(contrasts)
    first = 1.5 * np.median(sizes)
    small = sizes[sizes < 2.5 * first]
    return float(1.5 * np.median(small)) if len(small) else 0.0


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values after Holm's step-down correction for several tests; None stays.

    Examples
    --------
    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    tested = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        corrected[i] = largest
    return corrected


def projection_basis(model: Array) -> Array:
    """An orthonormal basis of the columns of ``model``."""
    return np.linalg.qr(model)[0]

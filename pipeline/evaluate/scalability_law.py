"""The Universal Scalability Law (Gunther, Guerrilla Capacity Planning, 2007), fitted to measured throughputs.

X(N) = λ N / (1 + σ (N − 1) + κ N (N − 1)), with N customers (threads, processors, virtual servers). λ is the throughput
of one, σ the contention (the part of the work that is serial) and κ the coherency (the cost of each pair of customers).
With κ = 0 it is Amdahl's law. X is largest at N = √((1 − σ) / κ).

The three parameters are fitted by least squares, 0 ≤ σ ≤ 1 and 0 ≤ κ ≤ 1, as the R package usl does. Intervals are
profile likelihoods (Venzon and Moolgavkar, Applied Statistics 37 (1988) 87): the peak's may reach to infinity. They
contain the scatter about the law, not the error of its form.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares, nnls

from pipeline.distributions import t_quantile
from pipeline.errors import Error
from pipeline.evaluate import scalability_texts as texts
from pipeline.network.arrays import Array

MIN_LEVELS = 3
"""Different N that three parameters need."""
RAYS, STEPS = 360, 50
"""Directions in which the region of an interval is explored, and points on each."""
PARAMETERS = ("sigma", "kappa", "lambda", "peak_N", "max_X")

Parameters = tuple[float, float, float]
"""σ, κ, λ."""


class ScalabilityError(Error, ValueError):
    """Numbers that the law cannot be fitted to; the text gives the place and the reason."""


@dataclass(frozen=True)
class UslFit:
    """The law, fitted."""

    sigma: float
    """Contention σ."""
    kappa: float
    """Coherency κ."""
    lambda_per_s: float
    """Throughput of one customer λ, in the unit of the throughputs given."""
    parameters: pl.DataFrame = field(repr=False)
    """``parameter`` (one of ``PARAMETERS``), ``value``, ``low``, ``high`` (infinite where the data set no limit),
    ``reason`` (why there is no interval)."""
    populations: Array = field(repr=False)
    """The N given."""
    throughput: Array = field(repr=False)
    """The X given."""
    weights: Array = field(repr=False)
    """Of the residuals: one over the standard deviation of each X, up to a factor; 1 where ``is_relative``."""
    sum_of_squares: float
    """Of the weighted residuals of X; of log X where ``is_relative``."""
    degrees_of_freedom: int
    """Points less three parameters."""
    level: float = 0.95
    """Of the intervals."""
    is_relative: bool = False
    """Whether all X have the same relative standard deviation: logarithms are fitted."""
    has_sd: bool = False
    """Whether the standard deviations of the throughputs were given."""

    def throughput_at(self, n: ArrayLike) -> Array:
        """X at N."""
        return _throughput(np.asarray(n, float), self.sigma, self.kappa, self.lambda_per_s)

    def response_time_at(self, n: ArrayLike, think_time: float = 0.0) -> Array:
        """R = N / X(N) − Z, Little's law; in the unit of time of the throughput."""
        return np.asarray(n, float) / self.throughput_at(n) - think_time

    @property
    def peak_n(self) -> float:
        """N at which X is largest; infinite with κ = 0."""
        return _peak(self.sigma, self.kappa)

    @property
    def max_throughput(self) -> float:
        """X at the peak; with κ = 0 its limit λ / σ."""
        share = float(_cost_at_peak(self.sigma, self.kappa))
        return self.lambda_per_s / share if share > 0 else np.inf

    @property
    def errors(self) -> Array:
        """(modelled − measured) / measured of each point given."""
        return self.throughput_at(self.populations) / self.throughput - 1

    def prediction_interval(self, n: ArrayLike) -> tuple[Array, Array]:
        """Interval of the throughput of a new run at N: scatter, and uncertainty of the parameters.

        By linearization at the fitted parameters; a parameter at its limit counts as certain. The scatter is that of
        the fit: relative, or absolute (the mean of the standard deviations given).

        Returns
        -------
        low, high : ndarray
            NaN without degrees of freedom.
        """
        at, x = np.atleast_1d(np.asarray(n, float)), self.throughput_at(n)
        if self.degrees_of_freedom < 1:
            return np.full_like(x, np.nan), np.full_like(x, np.nan)
        free = [0 < self.sigma < 1, self.kappa > 0, True]
        law = self.sigma, self.kappa, self.lambda_per_s

        def gradient(counts: Array) -> Array:
            scale = _throughput(counts, *law)[:, None] if self.is_relative else 1.0
            return _gradient(counts, *law)[:, free] / scale

        fitted, new = gradient(self.populations) * self.weights[:, None], gradient(at)
        of_law = np.einsum("ij,jk,ik->i", new, np.linalg.pinv(fitted.T @ fitted), new)
        of_run = np.mean(1 / self.weights) ** 2
        spread = np.sqrt((of_law.reshape(x.shape) + of_run) * self._variance())
        half = t_quantile(0.5 + self.level / 2, self.degrees_of_freedom) * spread
        if self.is_relative:
            return x * np.exp(-half), x * np.exp(np.minimum(half, 700.0))
        return np.maximum(x - half, 0.0), x + half

    def _variance(self) -> float:
        variance = self.sum_of_squares / self.degrees_of_freedom
        return max(variance, 1.0) if self.has_sd else variance


def fit_usl(
    n: ArrayLike,
    x: ArrayLike,
    *,
    sd: ArrayLike | None = None,
    relative: bool = False,
    level: float = 0.95,
) -> UslFit:
    """Fit the Universal Scalability Law to throughputs.

    Parameters
    ----------
    n : array_like, shape (points,)
        N: threads, processors, virtual servers; at least three different numbers, each above 0. Replications are
        separate points.
    x : array_like, shape (points,)
        X(N) in any unit, above 0; the unit of λ.
    sd : array_like, shape (points,), optional
        Standard deviation of each X. Without it all have the same one, estimated from the residuals.
    relative : bool, optional
        Whether all have the same relative standard deviation instead; the logarithms are fitted, as runs of a load
        differ by factors.
    level : float, optional
        Of the intervals.

    Returns
    -------
    UslFit
        With ``sigma``, ``kappa``, ``lambda_per_s``, ``peak_n``, ``max_throughput``, and ``parameters``, a frame of
        them with intervals.

    Raises
    ------
    ScalabilityError
        With fewer than three different N, or numbers that are not positive.

    Examples
    --------
    >>> fit = fit_usl([1, 18, 36, 72, 108, 144, 216], [64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2])
    >>> round(fit.peak_n, 5), round(fit.sigma, 6), round(fit.kappa, 8)
    (96.51956, 0.027728, 0.00010437)

    From a CSV file with the columns ``threads`` and ``X``:

    >>> frame = pl.read_csv("measured.csv")                              # doctest: +SKIP
    >>> fit_usl(frame["threads"], frame["X"]).parameters                 # doctest: +SKIP
    """
    counts, throughput = _numbers(n, x)
    weights = np.ones_like(counts)
    if sd is not None:
        weights = 1 / _positive("standard deviation", sd, len(counts))
    is_relative = relative and sd is None
    problem = _Problem(counts, throughput, weights, is_relative)
    (sigma, kappa, rate), squares = problem.minimize()
    degrees = len(counts) - 3
    share = float(_cost_at_peak(sigma, kappa))
    values = (
        *(sigma, kappa, rate, _peak(sigma, kappa)),
        rate / share if share > 0 else np.inf,
    )
    intervals, reason = {}, texts.NO_DEGREES_OF_FREEDOM
    if degrees > 0:
        variance = squares / degrees if sd is None else max(squares / degrees, 1.0)
        # not 0, so that rounding is inside
        allowed = max(
            variance * t_quantile(0.5 + level / 2, degrees) ** 2,
            1e-20 * problem.scale,
        )
        intervals, reason = problem.intervals((sigma, kappa, rate), squares + allowed), None
    rows = [
        (name, value, *intervals.get(name, (None, None)), reason)
        for name, value in zip(PARAMETERS, values, strict=True)
    ]
    columns = {"parameter": pl.String, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    return UslFit(
        sigma=sigma,
        kappa=kappa,
        lambda_per_s=rate,
        parameters=pl.DataFrame(rows, columns | {"reason": pl.String}, orient="row"),
        populations=counts,
        throughput=throughput,
        weights=weights,
        sum_of_squares=squares,
        degrees_of_freedom=degrees,
        level=level,
        is_relative=is_relative,
        has_sd=sd is not None,
    )


def _numbers(n: ArrayLike, x: ArrayLike) -> tuple[Array, Array]:
    counts = _positive("N", n, None)
    throughput = _positive("X", x, len(counts))
    levels = len(np.unique(counts))
    if levels < MIN_LEVELS:
        raise ScalabilityError(texts.too_few_levels(levels, MIN_LEVELS))
    return counts, throughput


def _positive(name: str, values: ArrayLike, size: int | None) -> Array:
    try:
        numbers = np.asarray(values, float)
    except (TypeError, ValueError):
        raise ScalabilityError(texts.not_numbers(name)) from None
    if numbers.ndim != 1 or (size is not None and len(numbers) != size):
        raise ScalabilityError(texts.not_of_one_length(name, numbers.shape, size))
    bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers > 0)))
    if bad.size:
        raise ScalabilityError(texts.not_positive(name, int(bad[0]) + 1, float(numbers[bad[0]])))
    return numbers


# -- the law ------------------------------------------------------------------------------------------------


def _cost(n: Array, sigma: float, kappa: float) -> Array:
    return 1 + sigma * (n - 1) + kappa * n * (n - 1)


def _throughput(n: Array, sigma: float, kappa: float, rate: float) -> Array:
    return rate * n / _cost(n, sigma, kappa)


def _peak(sigma: float, kappa: float) -> float:
    """N of the largest X; at least 1, from which on the law holds."""
    return max(1.0, float(np.sqrt((1 - sigma) / kappa))) if kappa > 0 else np.inf


def _cost_at_peak(sigma: Array | float, kappa: Array | float) -> Array:
    """λ over the largest X: (1 + σ (N − 1) + κ N (N − 1)) / N at the peak N; 0 with σ = κ = 0."""
    share = sigma - kappa + 2 * np.sqrt(kappa * (1 - np.asarray(sigma)))
    return np.where(kappa > 1 - np.asarray(sigma), 1.0, share)


# -- least squares ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    """Points and weights, and the least squares of the law."""

    n: Array
    x: Array
    weights: Array
    is_log: bool
    """Whether log X is fitted."""

    @property
    def scale(self) -> float:
        """A sum of squares of the size of the values."""
        return float(self.n.size if self.is_log else np.sum((self.weights * self.x) ** 2))

    def minimize(self) -> tuple[Parameters, float]:
        """Parameters and the sum of squares; σ or κ are 0 where nothing speaks for more."""
        start = self._linear_start()
        solutions = [self._solve(free, start) for free in ([0, 1], [0], [1], [])]
        best = min(squares for _, squares in solutions)
        # the solver stops a little above a bound
        slack = best * 1e-9 + 1e-24 * self.scale
        return next(each for each in reversed(solutions) if each[1] <= best + slack)

    def _linear_start(self) -> Array:
        """σ and κ by non-negative least squares of N / X, which is linear in 1/λ, σ/λ and κ/λ."""
        n, target = self.n, self.n / self.x
        weights = (1 / self.x if self.is_log else self.weights) * self.x / target
        columns = np.stack((np.ones_like(n), n - 1, n * (n - 1)), axis=1) * weights[:, None]
        # the columns differ by orders of magnitude
        scale = np.maximum(np.linalg.norm(columns, axis=0), 1e-300)
        first, serial, pairs = nnls(columns / scale, target * weights)[0] / scale
        if first <= 0:
            return np.array([0.5, 0.01])
        return np.clip([serial / first, pairs / first], 1e-6, 0.999)

    def _solve(self, free: list[int], start: Array) -> tuple[Parameters, float]:
        """Least squares over log λ and those of σ and κ that are free; the others are 0."""
        full = np.zeros(3)
        columns = [*free, 2]

        def residuals(values: Array) -> Array:
            full[columns] = values
            modelled = _throughput(self.n, full[0], full[1], np.exp(full[2]))
            return self.weights * (np.log(modelled / self.x) if self.is_log else modelled - self.x)

        def jacobian(values: Array) -> Array:
            full[columns] = values
            return self._gradient(full[0], full[1], np.exp(full[2]))[:, columns]

        first = np.zeros(2)
        first[free] = start[free]
        rate = float(self.rates(*first[:, None])[0][0])
        solved = least_squares(
            residuals,
            [*start[free], np.log(rate)],
            jac=jacobian,
            bounds=([0.0] * len(free) + [-np.inf], [1.0] * len(free) + [np.inf]),
            x_scale="jac",
            **dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15),
            max_nfev=200,
        )
        full[columns] = solved.x
        return (float(full[0]), float(full[1]), float(np.exp(full[2]))), float(2 * solved.cost)

    def _gradient(self, sigma: float, kappa: float, rate: float) -> Array:
        """Derivatives of the residuals by σ, κ and log λ, shape (points, 3)."""
        scale = _throughput(self.n, sigma, kappa, rate) if self.is_log else 1.0
        return _gradient(self.n, sigma, kappa, rate) * (self.weights / scale)[:, None]

    def rates(self, sigma: Array, kappa: Array) -> tuple[Array, Array, Array]:
        """With these σ and κ: the λ of least squares, its sum of squares, and the curvature of that.

        The sum of squares grows with the square of the change of λ (of log λ for logarithms) times the curvature.
        """
        shape = _throughput(self.n, sigma[..., None], kappa[..., None], 1.0)
        if self.is_log:
            logs = np.log(self.x / shape)
            mean = logs.mean(axis=-1)
            squares = ((logs - mean[..., None]) ** 2).sum(axis=-1)
            return np.exp(mean), squares, np.full_like(mean, self.n.size)
        shape, x = shape * self.weights, self.x * self.weights
        curvature = (shape**2).sum(axis=-1)
        rate = (shape * x).sum(axis=-1) / curvature
        squares = ((shape * rate[..., None] - x) ** 2).sum(axis=-1)
        return rate, squares, curvature

    def intervals(self, best: Parameters, threshold: float) -> dict[str, tuple[float, float]]:
        """Range of each of ``PARAMETERS`` over all parameters with a sum of squares up to ``threshold``.

        These are the limits of the profile likelihoods. The region of σ and κ is explored along rays from the best
        fit, λ within it is known from the curvature.
        """
        origin = np.array(best[:2])
        gradient = self._gradient(*best)
        # the region is nearly round in coordinates in which the sum of squares is
        _, triangle = np.linalg.qr(gradient[:, [2, 0, 1]])
        basis = np.linalg.pinv(triangle[1:, 1:])
        angles = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
        rays = np.stack((np.cos(angles), np.sin(angles)), axis=1) @ basis.T
        with np.errstate(divide="ignore", invalid="ignore"):
            to_edge = np.where(rays > 0, (1 - origin) / rays, -origin / rays)
        edge = np.where(rays == 0, np.inf, to_edge).min(axis=1)

        def is_inside(radius: Array) -> NDArray[np.bool_]:
            sigma, kappa = self._clip(origin + rays * radius[:, None])
            return self.rates(sigma, kappa)[1] <= threshold

        squares = float(self.rates(*origin[:, None])[1][0])
        radius = np.full(RAYS, np.sqrt(max(threshold - squares, 0.0)) / 4)
        inside = np.zeros(RAYS)
        radius = np.minimum(radius, edge)
        for _ in range(200):
            grows = is_inside(radius) & (inside < edge)
            inside = np.where(grows, radius, inside)
            radius = np.where(grows, np.minimum(2 * radius, edge), radius)
            if not grows.any():
                break
        outside = radius
        for _ in range(40):
            middle = (inside + outside) / 2
            grows = is_inside(middle)
            inside, outside = np.where(grows, middle, inside), np.where(grows, outside, middle)
        # on the rays, and at their ends, where the edge counts as reached
        fractions = np.linspace(0, 1, STEPS)[:, None, None]
        ends = np.where(inside >= edge * (1 - 1e-9), edge, inside)
        sigma, kappa = self._clip(origin + fractions * ends[:, None] * rays)
        rate, squares, curvature = self.rates(sigma, kappa)
        half = np.sqrt(np.maximum(threshold - squares, 0.0) / curvature)
        with np.errstate(divide="ignore", invalid="ignore"):
            peak = np.where(kappa > 0, np.sqrt((1 - sigma) / kappa), np.inf)
            share = _cost_at_peak(sigma, kappa)
            rates = rate - half, rate + half
            if self.is_log:
                rates = rate * np.exp(-half), rate * np.exp(half)
            maxima = rates[0] / share, rates[1] / share
        ranges = {
            "sigma": (sigma, sigma),
            "kappa": (kappa, kappa),
            "lambda": rates,
            "peak_N": (np.maximum(peak, 1.0),) * 2,
            "max_X": maxima,
        }
        return {name: (float(low.min()), float(high.max())) for name, (low, high) in ranges.items()}

    @staticmethod
    def _clip(points: Array) -> tuple[Array, Array]:
        """σ and κ of points; rounding puts some a little beyond the edge."""
        inside = np.clip(points, 0.0, 1.0)
        return inside[..., 0], np.where(inside[..., 1] < 1e-15, 0.0, inside[..., 1])


def _gradient(n: Array, sigma: float, kappa: float, rate: float) -> Array:
    """Derivatives of X by σ, κ and log λ, shape (points, 3)."""
    cost = _cost(n, sigma, kappa)
    parts = (-(n - 1) / cost, -n * (n - 1) / cost, np.ones_like(n))
    return _throughput(n, sigma, kappa, rate)[:, None] * np.stack(parts, axis=1)

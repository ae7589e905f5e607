"""Is a station missing in the model of a closed system? Judged from X(N), R(N) and the CPU's utilization.

Two things are computed. First the model of the CPU alone: m servers with the measured demand and a delay. Second, from
X(N) alone, the station that limits the throughput: a delay and one station, which serves one customer at a time. Its
rate may rise with the number of customers n at it, as n^γ (γ = 0: a single server; a station that handles several
requests per interrupt or notification has γ > 0). Where the model of the CPU fails, the CPU has time to spare and the
station needs more time than the CPU, a station is missing: nothing that was measured has it.

Intervals are profile likelihoods (Venzon and Moolgavkar, Applied Statistics 37 (1988) 87) of the throughputs as
independent, with the standard deviations given, widened where the residuals are larger. Levels of a sweep are not quite
independent: drift of the machine between levels is in no interval.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.optimize import brentq, least_squares

from pipeline.distributions import t_quantile
from pipeline.evaluate import texts
from pipeline.evaluate.acceptance import (
    ACCEPT_REL_ERROR_R,
    ACCEPT_REL_ERROR_X,
    MAX_UTILIZATION,
)
from pipeline.network.arrays import Array
from pipeline.network.convolution import sweep_closed
from pipeline.network.service import Service

MAX_LITTLE_ERROR = 0.01
"""Relative difference of N and X R up to which the three belong together."""
MIN_SHARE = 1e-3
"""Smallest demand of the station that is looked for, as a share of 1 / X."""
MAX_EXPONENT = 0.95
"""Largest γ: at 1 the station is a delay."""


# -- the limiting station, from X(N) alone -----------------------------------------------------------------


@dataclass(frozen=True)
class StationFit:
    """A closed network of a delay and one station, fitted to X(N); times in seconds per customer."""

    delay_s: float
    """Time outside the station."""
    demand_s: float
    """Demand at the station with the largest population at it."""
    demand_low_s: float
    demand_high_s: float
    """95 % interval; the lower end is 0 where the data do not show a station."""
    exponent: float
    """γ: the rate of the station is proportional to n^γ."""
    exponent_low: float
    exponent_high: float
    """95 % interval; equal to ``exponent`` where γ = 0 was assumed."""
    populations: Array
    throughput: Array
    """X of the fitted network at the populations, customers per second."""
    errors: Array
    """Relative errors of it."""
    chi_squared: float
    degrees_of_freedom: int

    @property
    def demand_of_single_s(self) -> float:
        """Demand at the station with one customer at it."""
        return self.demand_s * float(self.populations.max()) ** self.exponent

    @property
    def max_error(self) -> float:
        """Largest relative error of X, without sign."""
        return float(np.abs(self.errors).max())

    def predict(self, populations: ArrayLike) -> Array:
        """X of the fitted network at other populations, customers per second."""
        counts = np.asarray(populations, np.int64)
        service = station_service(self.exponent, int(counts.max()))
        return sweep_closed([self.demand_of_single_s], int(counts.max()), self.delay_s, [service])[
            counts
        ]

    def customers_at_station(self, population: int) -> float:
        """Mean number of customers at the station."""
        index = int(np.flatnonzero(self.populations == population)[0])
        return population - float(self.throughput[index]) * self.delay_s


def station_service(exponent: float, population: int) -> Service:
    """A station whose rate is proportional to n^γ, for up to ``population`` customers."""
    if not exponent:
        return Service.queue()
    return Service.load_dependent(tuple(np.arange(1.0, population + 1) ** exponent))


def fit_station(
    populations: ArrayLike,
    throughput: ArrayLike,
    sd: ArrayLike | None = None,
    *,
    load_dependent: bool = True,
    level: float = 0.95,
) -> StationFit:
    """Fit a delay and one station to the throughput of a closed system.

    Parameters
    ----------
    populations : array_like of int, shape (levels,)
        N, customers; at least five levels.
    throughput : array_like, shape (levels,)
        X(N), customers per second.
    sd : array_like, shape (levels,), optional
        Standard deviation of each X (of a mean: of the mean). Without it all levels have the same relative one,
        estimated from the residuals.
    load_dependent : bool
        Whether γ is fitted; otherwise it is 0, a single server.
    level : float
        Of the intervals.

    Returns
    -------
    StationFit

    Raises
    ------
    ValueError
        With fewer than five levels, or numbers that are not positive.

    Examples
    --------
    >>> n = np.array([1, 5, 10, 20, 40])
    >>> x = sweep_closed([0.002], 40, 0.02, [Service.queue()])[n]
    >>> fit = fit_station(n, x, load_dependent=False)
    >>> round(fit.demand_s * 1e3, 3), round(fit.delay_s * 1e3, 3)
    (2.0, 20.0)
    """
    counts, x = np.asarray(populations, np.int64), np.asarray(throughput, float)
    weights = np.ones(len(x)) if sd is None else x / np.asarray(sd, float)
    if len(x) < 5 or not np.all((counts > 0) & (x > 0) & np.isfinite(weights)):
        raise ValueError("needs five levels or more, with populations and throughputs above 0")
    top = int(counts.max())

    @functools.lru_cache(maxsize=4096)
    def model(log_delay: float, log_demand: float, exponent: float) -> Array:
        single_s = float(np.exp(log_demand)) * top**exponent
        station = station_service(exponent, top)
        return sweep_closed([single_s], top, float(np.exp(log_delay)), [station])[counts]

    cycle_s = counts / x
    limits = np.array(
        [
            [np.log(cycle_s.min() * 1e-4), np.log(1 / x.max() * MIN_SHARE), 0.0],
            [np.log(cycle_s.max() * 2), np.log(2 / x.max()), MAX_EXPONENT],
        ]
    )
    start = np.array([np.log(cycle_s.min() * 0.8), np.log(1 / x.max()), 0.1])
    is_free = np.array([True, True, load_dependent])
    start[~is_free] = 0.0

    def minimize(fixed: dict[int, float], first: Array) -> tuple[Array, float]:
        """Parameters and the sum of squares, with those of ``fixed`` kept."""
        free = [i for i in range(3) if is_free[i] and i not in fixed]
        full = first.copy()
        for i, value in fixed.items():
            full[i] = value

        def residuals(values: Array) -> Array:
            full[free] = values
            return weights * np.log(model(*full.tolist()) / x)

        inside = np.clip(full[free], limits[0, free] + 1e-9, limits[1, free] - 1e-9)
        solved = least_squares(
            residuals, inside, bounds=limits[:, free], diff_step=1e-5, xtol=1e-10, ftol=1e-12
        )
        full[free] = solved.x
        return full, float(2 * solved.cost)

    best, sum_of_squares = minimize({}, start)
    degrees = len(x) - int(is_free.sum())
    variance = sum_of_squares / degrees
    if sd is not None:
        variance = max(variance, 1.0)
    threshold = sum_of_squares + max(variance, 1e-12) * t_quantile(0.5 + level / 2, degrees) ** 2

    def interval(index: int, step: float) -> tuple[float, float]:
        return tuple(  # type: ignore[return-value]
            _crossing(
                lambda value: minimize({index: value}, best)[1] - threshold,
                best[index],
                sign * step,
                limits[0 if sign < 0 else 1, index],
            )
            for sign in (-1, 1)
        )

    demand_low, demand_high = np.exp(interval(1, 0.01))
    exponents = interval(2, 0.02) if load_dependent else (0.0, 0.0)
    fitted = model(*best.tolist())
    return StationFit(
        delay_s=float(np.exp(best[0])),
        demand_s=float(np.exp(best[1])),
        demand_low_s=float(demand_low) if demand_low > np.exp(limits[0, 1]) * 1.001 else 0.0,
        demand_high_s=float(demand_high),
        exponent=float(best[2]),
        exponent_low=float(exponents[0]),
        exponent_high=float(exponents[1]),
        populations=counts,
        throughput=fitted,
        errors=fitted / x - 1,
        chi_squared=sum_of_squares,
        degrees_of_freedom=degrees,
    )


def _crossing(excess: Callable[[float], float], start: float, step: float, limit: float) -> float:
    """Where ``excess`` becomes positive on the way from ``start`` to ``limit`` by growing steps."""
    inside, outside = start, start + step
    while abs(outside - start) < abs(limit - start) and excess(outside) < 0:
        inside, step = outside, step * 2
        outside = outside + step
    if abs(outside - start) >= abs(limit - start):
        if excess(limit) < 0:
            return limit
        outside = limit
    return float(brentq(excess, inside, outside, xtol=1e-4))


# -- the model of the CPU ----------------------------------------------------------------------------------


def predict_cpu_model(
    sweep: pl.DataFrame, processors: int, *, load_dependent: bool = False
) -> pl.DataFrame:
    """X and R of a closed network of the CPU and a delay, both taken from the lowest level.

    Parameters
    ----------
    sweep
        ``population``, ``X_per_s``, ``R_ms``, ``busy`` (share of the processors, 0 to 1), by rising population.
    processors
        m, servers of the CPU.
    load_dependent
        Whether the demand rises with the busy processors as measured over the sweep: rate α(n) = n D(1) / D(n) with n
        of them busy, D(n) by linear interpolation. Otherwise it is the demand of the lowest level.

    Returns
    -------
    DataFrame
        ``population``, ``X_model_per_s``, ``R_model_ms``, ``error_X``, ``error_R``.
    """
    x, n = sweep["X_per_s"].to_numpy(), sweep["population"].to_numpy()
    busy = sweep["busy"].to_numpy() * processors
    demand_s = busy / x
    delay_s = float(sweep["R_ms"][0] / 1e3 - demand_s[0])
    if delay_s < 0:
        raise ValueError("R of the lowest level is less than the CPU time of a request")
    service = Service.queue(processors)
    if load_dependent:
        servers = np.arange(1.0, processors + 1)
        order = np.argsort(busy)
        risen = np.interp(servers, busy[order], demand_s[order]) / demand_s[0]
        service = Service.load_dependent(tuple(servers / risen))
    modelled = sweep_closed([demand_s[0]], int(n.max()), delay_s, [service])[n]
    response_ms = n / modelled * 1e3
    return pl.DataFrame(
        {
            "population": n,
            "X_model_per_s": modelled,
            "R_model_ms": response_ms,
            "error_X": modelled / x - 1,
            "error_R": response_ms / sweep["R_ms"].to_numpy() - 1,
        }
    )


# -- verdict -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StationVerdict:
    """Whether the model of the CPU is accepted, and if not, whether a station is missing."""

    outcome: str
    """``texts.NO_STATION_MISSING``, ``STATION_MISSING``, ``CPU_LIMITS`` or ``UNDECIDED``."""
    criteria: pl.DataFrame
    """``criterion``, ``value``, ``limit``, ``holds``; null where it was not evaluated."""
    cpu_model: pl.DataFrame
    """Of :func:`predict_cpu_model`, demand of the lowest level."""
    station: StationFit | None
    """The limiting station; None where the model of the CPU is accepted."""
    constant: StationFit | None
    """The same with γ = 0."""

    @property
    def is_model_accepted(self) -> bool:
        """Whether the model of the CPU is within the limits."""
        return self.outcome == texts.NO_STATION_MISSING


def judge_stations(sweep: pl.DataFrame, processors: int) -> StationVerdict:
    """Judge whether a closed model of the CPU and a delay lacks a station.

    Parameters
    ----------
    sweep
        As of :func:`predict_cpu_model`, optionally with ``X_sd_per_s``, the standard deviation of the mean.
    processors
        m, servers of the CPU.

    Returns
    -------
    StationVerdict
        No station is missing where N = X R holds and the model is within the limits of
        :mod:`pipeline.evaluate.acceptance` at every level. The CPU limits the throughput where it is busier than
        ``MAX_UTILIZATION`` at the highest level: its demand then explains the maximum. A station is missing where the
        model fails with the CPU below that, and a limiting station fits X(N) within the limit of X and needs more time
        than the CPU, D_cpu / m, by its whole interval. Otherwise nothing is decided.
    """
    sweep = sweep.sort("population")
    x, n = sweep["X_per_s"].to_numpy(), sweep["population"].to_numpy()
    busy = float(sweep["busy"][-1])
    little = float(np.abs(n / x * 1e3 / sweep["R_ms"].to_numpy() - 1).max())
    cpu_model = predict_cpu_model(sweep, processors)
    worst_x, worst_r = (float(cpu_model[c].abs().max()) for c in ("error_X", "error_R"))
    rows = [
        (texts.CRITERION_LITTLE, little, MAX_LITTLE_ERROR, little <= MAX_LITTLE_ERROR),
        (texts.CRITERION_X, worst_x, ACCEPT_REL_ERROR_X, worst_x <= ACCEPT_REL_ERROR_X),
        (texts.CRITERION_R, worst_r, ACCEPT_REL_ERROR_R, worst_r <= ACCEPT_REL_ERROR_R),
        (texts.CRITERION_CPU, busy, MAX_UTILIZATION, busy <= MAX_UTILIZATION),
    ]
    station = constant = None
    holds = [row[3] for row in rows]
    if not holds[0]:
        outcome = texts.UNDECIDED
    elif holds[1] and holds[2]:
        outcome = texts.NO_STATION_MISSING
    elif not holds[3]:
        outcome = texts.CPU_LIMITS
    else:
        sd = sweep["X_sd_per_s"].to_numpy() if "X_sd_per_s" in sweep.columns else None
        station = fit_station(n, x, sd)
        constant = fit_station(n, x, sd, load_dependent=False)
        # a CPU that limits the throughput has busy = 1, and a demand of 1 / X per processor
        cpu_ratio = station.demand_low_s / (busy / float(x[-1]))
        rows += [
            (
                texts.CRITERION_FIT,
                station.max_error,
                ACCEPT_REL_ERROR_X,
                station.max_error <= ACCEPT_REL_ERROR_X,
            ),
            (texts.CRITERION_SLOWER, cpu_ratio, 1.0, cpu_ratio > 1),
        ]
        is_missing = rows[-1][3] and rows[-2][3]
        outcome = texts.STATION_MISSING if is_missing else texts.UNDECIDED
    schema = ["criterion", "value", "limit", "holds"]
    return StationVerdict(
        outcome, pl.DataFrame(rows, schema=schema, orient="row"), cpu_model, station, constant
    )

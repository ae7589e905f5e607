"""Streams of requests for lesson 4: dispersion of logged ones, waits of D/M/1, bursts of httperf's Poisson stream."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq

from pipeline.course import raw_logs
from pipeline.course.given import Given, NoValue
from pipeline.course.question import Slip, Value
from pipeline.measure.arrivals import HTTPERF, interarrival_s

BURST_S = 10.0


def root(utilization: float) -> float:
    """The root σ below 1 of σ = exp(−(1 − σ)/U), D/M/1's share of requests that wait."""
    return float(
        brentq(lambda s: math.exp(-(1 - s) / utilization) - s, 1e-12, 1 - (1 - utilization) / 2)
    )


@lru_cache(maxsize=8)
def trace(rate_per_s: float, requests: int) -> np.ndarray:
    """Arrival times of httperf's Poisson stream, seconds since the load's start."""
    return np.cumsum(interarrival_s(HTTPERF, rate_per_s, requests))


def burst(rate_per_s: float, requests: int, width_s: float = BURST_S) -> float:
    """Requests per second in the busiest interval of a given width; raises ``NoValue`` where the load is shorter."""
    at = trace(rate_per_s, requests)
    starts = np.arange(0.0, at[-1] - width_s, 0.1)
    if not starts.size:
        raise NoValue(f"the load is shorter than {width_s:g} s")
    counts = np.searchsorted(at, starts + width_s) - np.searchsorted(at, starts)
    return float(counts.max() / width_s)


def most_after_an_arrival(rate_per_s: float, requests: int, width_s: float) -> float:
    """Requests per second in the busiest interval that begins with a request."""
    at = trace(rate_per_s, requests)
    counts = np.searchsorted(at, at + width_s) - np.arange(requests)
    return float(counts.max() / width_s)


def rate_of_other_gaps(rate_per_s: float, requests: int) -> float:
    """The rate if −log u is taken for −log(1 − u)."""
    uniform = -np.expm1(-interarrival_s(HTTPERF, rate_per_s, requests) * rate_per_s)
    return float(requests / (-np.log(uniform) / rate_per_s).sum())


def counts_of(g: Given, role: str, *, is_whole: bool = False) -> np.ndarray:
    """Requests per second in the access.log of a run; raises ``NoValue`` where there is none."""
    try:
        virtual_server = g.run(role).name.rsplit("/", 1)[-1]
        counts = raw_logs.requests_per_second(g.folder(role), virtual_server, is_whole=is_whole)
    except (OSError, LookupError) as error:
        raise NoValue(f"no access.log: {error}") from error
    if counts.size < 3:
        raise NoValue("the load is too short")
    return counts


def of_counts(
    role: str, formula: Callable[[np.ndarray], float], *, is_whole: bool = False
) -> Value:
    """A formula of the requests per second that the web server of a run logged."""
    return lambda g: float(formula(counts_of(g, role, is_whole=is_whole)))


def dispersion(counts: np.ndarray) -> float:
    """Variance over mean."""
    return float(counts.var(ddof=1) / counts.mean())


def dispersion_slips(role: str, other: str) -> tuple[Slip, ...]:
    """Slips in the index of dispersion of the run ``role``; ``other`` is the run that it is compared with."""
    return (
        (
            of_counts(role, lambda n: np.abs(n - n.mean()).mean() / n.mean()),
            "that is the mean deviation over the mean; square the deviations",
        ),
        (
            of_counts(role, lambda n: n.mean() ** 0.5),
            "that is the root of the mean; variance over mean is asked for",
        ),
        (
            of_counts(role, lambda n: 2 * n.var() / n.mean()),
            "that is two times too large; variance over mean",
        ),
        (
            of_counts(role, lambda n: n.std(ddof=1) / np.sqrt(len(n))),
            "that is the standard error of the mean; variance over mean is asked for",
        ),
        (
            of_counts(role, lambda n: n.max() - n.min()),
            "that is the range; variance over mean is asked for",
        ),
        (of_counts(role, np.sum), "that is the sum of the counts; variance over mean is asked for"),
        (
            of_counts(role, lambda n: ((n - n.mean()) ** 2).sum() / n.mean()),
            "the squared deviations are added; the variance is their mean",
        ),
        (
            of_counts(role, lambda n: n.var(ddof=1) / len(n)),
            "you divided the variance by the number of seconds; divide by the mean",
        ),
        (lambda g: 0.0, "0 would be without any difference; compute variance over mean"),
        (of_counts(role, lambda n: n.var(ddof=1)), "that is the variance; divide it by the mean"),
        (
            of_counts(role, lambda n: n.std(ddof=1)),
            "that is the standard deviation; the variance over the mean is asked for",
        ),
        (
            of_counts(role, lambda n: n.std(ddof=1) / n.mean()),
            "that is the coefficient of variation; the variance over the mean is asked for",
        ),
        (
            of_counts(role, lambda n: n.var(ddof=1) / n.mean() ** 2),
            "that is the variance over the squared mean; over the mean is asked for",
        ),
        (
            of_counts(role, lambda n: (n.var(ddof=1) / n.mean()) ** 0.5),
            "that is a root too many: variance over mean",
        ),
        (of_counts(role, np.mean), "that is the mean; the variance over it is asked for"),
        (
            of_counts(role, dispersion, is_whole=True),
            "the first and last seconds are in it, which hold only part of the load; leave them out",
        ),
        (lambda g: 1.0, "1 is what a Poisson stream has on the mean; compute it for this log"),
        (of_counts(other, dispersion), "that is the other run"),
        (
            of_counts(other, lambda n: n.std(ddof=1) / n.mean()),
            "that is the coefficient of variation of the other run",
        ),
        (of_counts(role, np.var), "that is the variance; divide it by the mean"),
    )

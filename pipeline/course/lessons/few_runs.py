"""Intervals of few runs, a 2² design and blocks: what lesson 10 computes its answers by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.charts.teaching.interaction import variation_shares
from pipeline.course.given import Given, NoValue
from pipeline.distributions import t_quantile

Scale = Callable[[np.ndarray], np.ndarray]
LEVEL = 0.975
WISHED = 0.15
"""Half-width on the logarithm that is asked for."""
NORMAL = 1.96
CELLS = ("first_alone", "first_both", "second_alone", "second_both")
SERVER, NEIGHBOUR = np.array([-1, -1, 1, 1]), np.array([-1, 1, -1, 1])
"""Signs of the two factors in the order of ``CELLS``: second server, loaded neighbour."""
BLOCKED = ("even_16", "poisson_16", "even_26", "poisson_26")
POISSON = np.array([-1, 1, -1, 1])


def student_t(degrees: int) -> float:
    """The 97.5 % quantile of Student's t."""
    return t_quantile(LEVEL, degrees)


def times(g: Given, family: str) -> np.ndarray:
    """Mean response times of the runs of a family, seconds."""
    return g.family(family, "R_client_s")


def half_width(values: np.ndarray) -> float:
    """Half-width of the 95 % interval of a mean."""
    return student_t(len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))


def logs(g: Given) -> np.ndarray:
    """Logarithms of the six response times at the middle rate."""
    return np.log(times(g, "even_21"))


def open_network(g: Given, role: str) -> float:
    """R = Σ D_k / (1 − λ D_k) at the middle rate, with the demands of a quiet run, seconds.

    Raises ``NoValue`` where a station is saturated.
    """
    row, rate = g.run(role), g.value("lambda")
    demands = row["R_cpu_net_s"], row["D_vdisk_net_s"]
    if rate * max(demands) >= 1:
        raise NoValue(f"{row.name}: a station is saturated at {rate:g} requests/s")
    return sum(d / (1 - rate * d) for d in demands)


def upper(g: Given, quantile: float, runs: float = 6) -> float:
    """exp(mean + quantile s / √runs) of the logarithms."""
    y = logs(g)
    return math.exp(y.mean() + quantile * y.std(ddof=1) / math.sqrt(runs))


@dataclass(frozen=True)
class Design:
    """Effects of a 2² design with two runs per cell, each half of a difference, and the shares of the variation."""

    server: float
    neighbour: float
    both: float
    shares: tuple[float, ...]
    """Of the variation: server, neighbour, interaction, error."""


def design(g: Given, scale: Scale = np.log) -> Design:
    """The 2² design of server and neighbour on that scale."""
    y = np.array([scale(times(g, cell)) for cell in CELLS])
    means = y.mean(axis=1)
    effects = [float((sign * means).mean()) for sign in (SERVER, NEIGHBOUR, SERVER * NEIGHBOUR)]
    shares = variation_shares(y.reshape(2, 2, -1))
    return Design(
        *effects, tuple(shares[part] for part in ("server", "neighbour", "both", "error"))
    )


def share_slips(scale: Scale) -> tuple[tuple[Callable[[Given], float], str], ...]:
    """Wrong shares of the interaction, on that scale, and what each of them is."""
    read = {
        "that is the error's share": lambda d: d.shares[3],
        "that is the server's share": lambda d: d.shares[0],
        "that is the neighbour's share": lambda d: d.shares[1],
        "those are both factors without their interaction": lambda d: d.shares[0] + d.shares[1],
        "the error is not the interaction's": lambda d: d.shares[2] + d.shares[3],
        "the error belongs to the whole variation, too": lambda d: d.shares[2] / (1 - d.shares[3]),
        "divide by the whole variation, the interaction and the error included": (
            lambda d: d.shares[2] / (d.shares[0] + d.shares[1])
        ),
        "divide by the whole variation, the interaction included": (
            lambda d: d.shares[2] / (1 - d.shares[2])
        ),
        "divide by the whole variation, not by the error": lambda d: d.shares[2] / d.shares[3],
        "SS = 2² r q² with r = 2 runs in a cell: 8 q², not 4 q²": lambda d: d.shares[2] / 2,
        "SS = 8 q²; the 8 is missing": lambda d: d.shares[2] / 8,
        "8 q², not 16 q²": lambda d: 2 * d.shares[2],
        "q is half of the difference; the whole one was squared": lambda d: 4 * d.shares[2],
        "divide by the sum of squares, not by the variance": lambda d: 7 * d.shares[2],
        "divide by the sum of squares, not by the mean square": lambda d: 8 * d.shares[2],
        "that is the root: shares are of squares": lambda d: math.sqrt(d.shares[2]),
        "shares are of squares: q², not q": (
            lambda d: abs(d.both) / sum(abs(q) for q in (d.server, d.neighbour, d.both))
        ),
        "that is the sum of squares; divide it by the whole one": lambda d: 8 * d.both**2,
    }
    return tuple((lambda g, f=f: f(design(g, scale)), hint) for hint, f in read.items())


def blocked(g: Given) -> np.ndarray:
    """Logarithms of the response times, (4 loads, 6 repetitions)."""
    return np.log([times(g, family) for family in BLOCKED])


def half_of_effect(g: Given, *, blocks: bool, quantile: float | None = None) -> float:
    """Half-width of the 95 % interval of the arrivals' effect q, with or without the repetitions as blocks."""
    y = blocked(g)
    degrees = (len(y) - 1) * (y.shape[1] - 1) if blocks else y.size - len(y)
    variance = (residuals(g, blocks=blocks) ** 2).sum() / degrees
    return (quantile or student_t(degrees)) * math.sqrt(variance / y.size)


def residuals(g: Given, *, blocks: bool) -> np.ndarray:
    """The logarithms of :func:`blocked` less the mean of their load, and of their repetition if it is a block."""
    y = blocked(g)
    residual = y - y.mean(axis=1, keepdims=True)
    return residual - y.mean(axis=0) + y.mean() if blocks else residual


def effect_of_arrivals(g: Given) -> float:
    """q: half of the mean difference of Poisson and even arrivals, on logarithms."""
    return float((POISSON * blocked(g).mean(axis=1)).mean())


def pairs(g: Given, rate: str = "26") -> np.ndarray:
    """Logarithms of Poisson over even at one rate, pair by pair."""
    return np.log(times(g, f"poisson_{rate}") / times(g, f"even_{rate}"))


def unpaired_low(g: Given) -> float:
    """The lower end if the pairs are torn apart."""
    even, poisson = (np.log(times(g, name)) for name in ("even_26", "poisson_26"))
    error = math.sqrt((even.var(ddof=1) + poisson.var(ddof=1)) / len(even))
    return math.exp(poisson.mean() - even.mean() - student_t(2 * len(even) - 2) * error)


def ratio_of_means(g: Given, with_neighbour: tuple[str, ...], alone: tuple[str, ...]) -> float:
    """Arithmetic mean of runs over that of others."""
    return float(
        np.mean([times(g, name) for name in with_neighbour])
        / np.mean([times(g, name) for name in alone])
    )

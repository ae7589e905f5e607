"""Simulations of one queue for lesson 3, by Lindley's recursion: as asked, and with frequent mistakes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pipeline.course.formula import Formula, given
from pipeline.course.given import Given, NoValue
from pipeline.network.gg1 import waiting_times

REQUESTS, SEED = 20_000, 1
"""Of the first simulation."""
RUNS, RUN_REQUESTS = 30, 10_000
"""Of the repeated one; its seeds are 0, 1, …"""
HIGH_UTILIZATION = 0.9

D, RATE = given("D"), given("lambda")


def _utilization(g: Given) -> float:
    """λ D; a queue that is always busy has no mean."""
    utilization = RATE(g) * D(g)
    if utilization >= 1:
        raise NoValue("the utilization is 1 or more: the queue grows without limit")
    return utilization


U = Formula(_utilization)


@lru_cache(maxsize=256)
def draw(
    rate_per_s: float, demand_s: float, seed: int, requests: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate a queue with exponential gaps and services; the gaps are drawn first.

    Parameters
    ----------
    rate_per_s : float
        Arrivals per second.
    demand_s : float
        Mean service time, seconds.
    seed, requests : int

    Returns
    -------
    tuple of ndarray, each shape (requests,)
        Gap before each request, its service time and its wait, seconds.

    Examples
    --------
    >>> gaps, services, waits = draw(50.0, 0.008, 1, 1000)
    >>> float(waits[0])
    0.0
    """
    random = np.random.default_rng(seed)
    gaps = random.exponential(1 / rate_per_s, requests)
    services = random.exponential(demand_s, requests)
    return gaps, services, waiting_times(gaps, services)


def of_waits(
    statistic: Callable[[np.ndarray], float], seed: int = SEED, requests: int = REQUESTS
) -> Formula:
    """A statistic of the waits of one simulation at the given rate: ``of_waits(np.mean)``."""
    return Formula(lambda g: float(statistic(_simulated(g, seed, requests)[2])))


def of_draws(statistic: Callable[[np.ndarray, np.ndarray], float]) -> Formula:
    """A number from the gaps and the service times of the simulation at the given rate."""
    return Formula(lambda g: float(statistic(*_simulated(g, SEED, REQUESTS)[:2])))


def _simulated(g: Given, seed: int, requests: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    U(g)
    return draw(RATE(g), D(g), seed, requests)


def mean_wait_drawn(
    draws: Callable[[np.random.Generator, float, float, int], tuple[np.ndarray, np.ndarray]],
    generator: Callable[[int], np.random.Generator] = np.random.default_rng,
) -> Formula:
    """The mean wait with gaps and service times drawn in another way, from mean gap, demand and number of requests."""

    def wait(g: Given) -> float:
        U(g)
        gaps, services = draws(generator(SEED), 1 / RATE(g), D(g), REQUESTS)
        return float(np.mean(waiting_times(gaps, services)))

    return Formula(wait)


def services_first(random, gap_s: float, demand_s: float, requests: int):
    """Service times drawn before the gaps."""
    services = random.exponential(demand_s, requests)
    return random.exponential(gap_s, requests), services


def gaps_first(random, gap_s: float, demand_s: float, requests: int):
    """As asked."""
    return random.exponential(gap_s, requests), random.exponential(demand_s, requests)


def alternately(random, gap_s: float, demand_s: float, requests: int):
    """Each gap followed by the service of its request."""
    return random.exponential([gap_s, demand_s], (requests, 2)).T


def equal_services(random, gap_s: float, demand_s: float, requests: int):
    """Service times that are all equal."""
    return random.exponential(gap_s, requests), np.full(requests, demand_s)


def equal_gaps(random, gap_s: float, demand_s: float, requests: int):
    """Gaps that are all equal, service times as asked."""
    random.exponential(gap_s, requests)
    return np.full(requests, gap_s), random.exponential(demand_s, requests)


def reflected_mean(gaps: np.ndarray, services: np.ndarray) -> float:
    """Mean wait with the absolute value in place of max(0, …), seconds."""
    wait, total = 0.0, 0.0
    for step in services[:-1] - gaps[1:]:
        wait = abs(wait + step)
        total += wait
    return total / len(gaps)


def mean_waits(
    utilization: float = HIGH_UTILIZATION, requests: int = RUN_REQUESTS
) -> Callable[[Given], np.ndarray]:
    """The mean wait of each of the repeated simulations at a utilization, seconds."""

    def waits(g: Given) -> np.ndarray:
        rate = utilization / D(g)
        return np.array([draw(rate, D(g), seed, requests)[2].mean() for seed in range(RUNS)])

    return waits


def mean_responses(g: Given) -> np.ndarray:
    """The mean response time of each of the repeated simulations, seconds."""
    draws = [draw(HIGH_UTILIZATION / D(g), D(g), seed, RUN_REQUESTS) for seed in range(RUNS)]
    return np.array([(services + waits).mean() for _, services, waits in draws])


def scatter(means: np.ndarray) -> float:
    """Standard deviation over mean."""
    return float(means.std(ddof=1) / means.mean())


def scatter_of_requests(g: Given) -> float:
    """Standard deviation over mean of the single waits of one of the repeated simulations."""
    return scatter(draw(HIGH_UTILIZATION / D(g), D(g), 0, RUN_REQUESTS)[2])


def scatter_of_one_generator(g: Given) -> float:
    """Standard deviation over mean of the mean waits if one generator, of seed 0, draws for all simulations."""
    random, gap_s, demand_s = np.random.default_rng(0), D(g) / HIGH_UTILIZATION, D(g)
    draws = (gaps_first(random, gap_s, demand_s, RUN_REQUESTS) for _ in range(RUNS))
    return scatter(np.array([waiting_times(gaps, services).mean() for gaps, services in draws]))


SCATTER = Formula(lambda g: scatter(mean_waits()(g)))
MEAN_WAIT = Formula(lambda g: float(mean_waits()(g).mean()))
"""Of the repeated simulations."""

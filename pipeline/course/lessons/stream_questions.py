"""Questions of lesson 4: dispersion of streams, D/M/1, pairs of runs, httperf's stream."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pipeline.course.given import Given
from pipeline.course.lessons.even_arrivals import EVEN_ARRIVALS
from pipeline.course.question import (
    Choice,
    OpenQuestion,
    Question,
)
from pipeline.course.streams import (
    BURST_S,
    burst,
    dispersion,
    dispersion_slips,
    most_after_an_arrival,
    of_counts,
    rate_of_other_gaps,
    trace,
)

Formula = Callable[[Given], float]


def _pairs(g: Given) -> tuple[np.ndarray, np.ndarray]:
    return g.family("even", "R_client_s"), g.family("poisson", "R_client_s")


def pair(formula: Callable[[np.ndarray, np.ndarray], float]) -> Formula:
    """A formula of the response times of the pairs: evenly spaced, Poisson."""
    return lambda g: float(formula(*_pairs(g)))


def geometric_mean(values: np.ndarray) -> float:
    """Exponential of the mean logarithm."""
    return math.exp(float(np.log(values).mean()))


def _slow(role: str) -> Callable[[Callable[[float, int], float]], Formula]:
    """A formula of the asked rate and the number of requests of a run."""
    return lambda formula: (
        lambda g: float(formula(g.run(role)["rate_per_s"], int(g.run(role)["lambda_total"])))
    )


def _n_26(g: Given) -> int:
    """Requests of a run at the busier rate."""
    return int(g.value("n_26"))


_at_20, _at_26 = _slow("twenty"), _slow("burst")


QUESTIONS = (
    Question(
        "I_even",
        "Requests per second in the access.log of the evenly spaced run: what is their index of dispersion, "
        "variance over mean?",
        of_counts("even_110", dispersion),
        unit="1",
        tolerance=0.02,
        slips=dispersion_slips("even_110", "poisson_110"),
    ),
    Question(
        "I_poisson",
        "And that of the Poisson run?",
        of_counts("poisson_110", dispersion),
        unit="1",
        tolerance=0.02,
        slips=dispersion_slips("poisson_110", "even_110"),
    ),
    *EVEN_ARRIVALS,
    Question(
        "ratio",
        "Six pairs of runs, each pair recorded minutes apart: what is the geometric mean of R under Poisson "
        "arrivals over R under even ones?",
        pair(lambda even, poisson: geometric_mean(poisson / even)),
        unit="1",
        slips=(
            (
                pair(lambda e, p: math.exp(float(np.log(p / e).std(ddof=1)))),
                "that is the geometric standard deviation; the geometric mean is asked for",
            ),
            (pair(lambda e, p: geometric_mean((p / e)[:3])), "these are three pairs; take all six"),
            (
                pair(lambda e, p: math.log(p.mean() / e.mean())),
                "that is the logarithm of the ratio of the means; average the logarithms of the pairs",
            ),
            (
                pair(lambda e, p: float((p - e).mean())),
                "that is the mean difference, in seconds; a ratio is asked for",
            ),
            (pair(lambda e, p: float((p / e).min())), "that is the smallest pair"),
            (
                pair(lambda e, p: float(np.sqrt(((p / e) ** 2).mean()))),
                "that is the root mean square; the geometric mean is asked for",
            ),
            (
                pair(lambda e, p: float(np.prod(p / e) ** 0.5)),
                "six factors: take the sixth root, not the square root",
            ),
            (
                pair(lambda e, p: float(np.prod(p / e) ** 0.2)),
                "six factors: take the sixth root, not the fifth",
            ),
            (
                pair(lambda e, p: float(np.log(p / e).sum())),
                "that is the sum of the logarithms; take the mean, then the exponential",
            ),
            (
                pair(lambda e, p: float(np.log10(p / e).mean())),
                "that is the mean of the logarithms; take the power of 10",
            ),
            (
                pair(lambda e, p: geometric_mean(p)),
                "that is the Poisson runs alone; divide by the even ones",
            ),
            (
                pair(lambda e, p: geometric_mean(e)),
                "that is the even runs alone; the ratio is asked for",
            ),
            (
                pair(lambda e, p: float(np.max(p) / np.max(e))),
                "that is of the slowest runs of each kind; take all six pairs",
            ),
            (
                pair(lambda e, p: float((p / e).mean())),
                "that is the arithmetic mean of the ratios, which the largest one rules",
            ),
            (
                pair(lambda e, p: p.mean() / e.mean()),
                "that is the ratio of the means: the pairs are lost, and slow repetitions count most",
            ),
            (
                pair(lambda e, p: float(np.median(p / e))),
                "that is the median of the ratios; the geometric mean is asked for",
            ),
            (
                pair(lambda e, p: float(np.median(p) / np.median(e))),
                "that is the ratio of the medians: the pairs are lost",
            ),
            (pair(lambda e, p: geometric_mean(e / p)), "upside down: Poisson over even"),
            (
                pair(lambda e, p: float(np.log(p / e).mean())),
                "that is the mean of the logarithms; take its exponential",
            ),
            (pair(lambda e, p: float((p / e).max())), "that is the largest pair"),
            (pair(lambda e, p: float((p / e)[0])), "that is the first pair alone"),
            (
                pair(lambda e, p: float(1 / (e / p).mean())),
                "that is the harmonic mean; the geometric mean is asked for",
            ),
            (
                pair(lambda e, p: float(np.prod(p / e))),
                "that is the product; the sixth root is missing",
            ),
            (
                pair(lambda e, p: geometric_mean(p / e) - 1),
                "that is by how much longer; the ratio itself is asked for",
            ),
            (
                pair(lambda e, p: 10 ** float(np.log(p / e).mean())),
                "the logarithm was natural, the power of 10 is not its inverse: exp",
            ),
            (
                pair(lambda e, p: math.exp(float(np.log10(p / e).mean()))),
                "the logarithm was to base 10, exp is not its inverse: use log",
            ),
        ),
    ),
    Question(
        "sd_X",
        "Poisson streams of n_20 requests at X_20 per second: by how much should the achieved rate differ from run "
        "to run (standard deviation)?",
        lambda g: g.value("X_20") / math.sqrt(g.value("n_20")),
        unit="1/s",
        tolerance=0.03,
        slips=(
            (
                lambda g: 100 / math.sqrt(g.value("n_20")),
                "that is the relative scatter in percent; multiply it by X",
            ),
            (
                lambda g: g.value("X_20") / math.sqrt(3 * g.value("n_20")),
                "that is of the mean of three runs; single runs are asked for",
            ),
            (
                lambda g: g.value("X_20") ** 2 / g.value("n_20"),
                "that is the variance; its root is asked for",
            ),
            (
                lambda g: 1 / g.value("X_20"),
                "that is the mean gap, and its standard deviation; the rate's is asked for",
            ),
            (
                lambda g: math.sqrt(g.value("n_20")) / g.value("X_20"),
                "that is the scatter of the run's length, in seconds; the rate's is asked for",
            ),
            (
                lambda g: 2 * g.value("X_20") / math.sqrt(g.value("n_20")),
                "that is two standard deviations",
            ),
            (lambda g: 0.0, "equal streams would differ by nothing; random ones do"),
            (lambda g: 1 / g.value("n_20"), "the root is missing, and X: X/√n"),
            (
                lambda g: math.sqrt(g.value("X_20")),
                "that is the scatter of a count in one second; a rate over the whole run is asked for",
            ),
            (
                lambda g: g.value("X_20") / g.value("n_20"),
                "the root is missing: relative scatter of n counts is 1/√n",
            ),
            (
                lambda g: math.sqrt(g.value("n_20")),
                "that is the scatter of the count n; divide it by the run's time",
            ),
            (
                lambda g: 1 / math.sqrt(g.value("n_20")),
                "that is the relative scatter; multiply it by X",
            ),
            (
                lambda g: 1.96 * g.value("X_20") / math.sqrt(g.value("n_20")),
                "that is half of a 95 % interval; one standard deviation is asked for",
            ),
            (
                lambda g: g.value("rate_26") / math.sqrt(g.value("n_26")),
                "that is of the busier runs; take X_20 and n_20",
            ),
            (
                lambda g: math.sqrt(g.value("X_20") / g.value("n_20")),
                "X stands before the root: X/√n",
            ),
            (
                _at_20(lambda rate, n: rate / math.sqrt(n)),
                "that is with the rate asked for; X came",
            ),
            (
                lambda g: float(g.family("twenty", "X_per_s").std(ddof=1)),
                "that is how the recorded runs do scatter; how should a Poisson stream?",
            ),
        ),
    ),
    Question(
        "X_httperf",
        "Build httperf's stream from its generator: which rate do its n gaps give?",
        _at_20(lambda rate, n: n / trace(rate, n)[-1]),
        unit="1/s",
        tolerance=0.002,
        slips=(
            (
                _at_26(lambda rate, n: n / trace(rate, n)[-1]),
                "that is the stream at the other rate",
            ),
            (
                lambda g: _n_26(g) / trace(g.value("rate_20"), _n_26(g))[-1],
                "that is from n_26 gaps; take n_20",
            ),
            (
                _at_20(lambda rate, n: trace(rate, n)[-1] / rate),
                "that is the stream's length over the rate; divide n by the length",
            ),
            (
                lambda g: 26 / 20 * _at_20(lambda rate, n: n / trace(rate, n)[-1])(g),
                "that is with the other rate that was asked for",
            ),
            (
                _at_20(lambda rate, n: rate * trace(1, n)[-1] / n),
                "you multiplied by the mean gap; divide by it",
            ),
            (
                _at_20(
                    lambda rate, n: n / (-np.expm1(-np.diff(trace(1, n), prepend=0.0)) / rate).sum()
                ),
                "you took the numbers themselves for gaps; a gap is −ln(1 − u)/rate",
            ),
            (
                _at_20(
                    lambda rate, n: n / (np.diff(trace(rate, n), prepend=0.0) / math.log(10)).sum()
                ),
                "you took the logarithm to base 10; the gaps need the natural one",
            ),
            (
                _at_20(lambda rate, n: 1 / trace(rate, n)[0]),
                "that is of the first gap alone; take all n",
            ),
            (
                _at_20(lambda rate, n: float(np.mean(1 / np.diff(trace(rate, n), prepend=0.0)))),
                "that is the mean of 1/gap; divide n by the sum of the gaps",
            ),
            (
                _at_20(lambda rate, n: rate),
                "that is the rate asked for; divide n by the sum of the gaps",
            ),
            (
                _at_20(lambda rate, n: trace(rate, n)[-1]),
                "that is the sum of the gaps, in seconds; n divided by it is the rate",
            ),
            (_at_20(lambda rate, n: trace(rate, n)[-1] / n), "upside down: that is the mean gap"),
            (_at_20(rate_of_other_gaps), "you took −log u; httperf's gap is −log(1 − u)"),
            (
                _at_20(lambda rate, n: n / trace(rate, n)[-1] / rate),
                "these are gaps of mean 1; divide each by the rate asked for",
            ),
            (
                _at_20(lambda rate, n: n / trace(rate, n)[-1] * rate),
                "the gaps were multiplied by the mean gap twice",
            ),
        ),
    ),
    Choice(
        "why_same",
        "The achieved rates of the Poisson runs differ a hundred times less than chance allows. Why?",
        {
            "a": "the clocks are very good",
            "b": "the server slows its clients down",
            "c": "httperf begins each run with the same seed: it is the same stream again",
            "d": "the runs are long, and the law of large numbers holds",
        },
        right="c",
        reasons={
            "a": "a good clock shows how streams differ; it does not make them equal",
            "b": "an open client sends whatever the server does",
            "d": "the law is in the standard deviation that you computed already, and they differ a hundred times less",
        },
    ),
    Question(
        "X_burst",
        "In httperf's stream at the busier rate: how many requests per second come in its busiest ten seconds, "
        "wherever they begin?",
        _at_26(burst),
        unit="1/s",
        tolerance=0.03,
        slips=(
            (
                _at_26(
                    lambda rate, n: float(
                        np.bincount((trace(rate, n) // 10).astype(int))[:-1].max() / 10
                    )
                ),
                "these are fixed intervals from 0, 10, 20 … seconds; let the ten seconds begin anywhere",
            ),
            (
                _at_26(lambda rate, n: burst(rate, n, 5.0)),
                "that is the busiest five seconds; ten are asked for",
            ),
            (
                _at_26(lambda rate, n: burst(rate, n, 20.0)),
                "these are the busiest twenty seconds; ten are asked for",
            ),
            (
                _at_26(
                    lambda rate, n: float(
                        np.bincount((trace(rate, n) // 10).astype(int))[:-1].min() / 10
                    )
                ),
                "that is the quietest interval; the busiest is asked for",
            ),
            (
                _at_26(lambda rate, n: burst(rate, n, 1.0) / 10),
                "that is the count of the busiest second over ten; count ten seconds",
            ),
            (
                _at_26(lambda rate, n: n / 10),
                "that is all requests over ten; only those of the busiest ten seconds count",
            ),
            (
                _at_26(lambda rate, n: rate),
                "that is the rate asked for, a mean (or the burst of the stream at the lower rate)",
            ),
            (
                _at_26(lambda rate, n: n / trace(rate, n)[-1]),
                "that is the mean rate of the whole stream",
            ),
            (
                _at_26(lambda rate, n: burst(rate, n) / (n / trace(rate, n)[-1])),
                "that is relative to the mean rate; the rate itself is asked for",
            ),
            (
                _at_26(lambda rate, n: burst(rate, n) * BURST_S),
                "that is the count of ten seconds; divide it by 10",
            ),
            (
                _at_26(lambda rate, n: burst(rate, n, 1.0)),
                "that is the busiest single second; ten are asked for",
            ),
            (
                _at_26(lambda rate, n: most_after_an_arrival(rate, n, 1.0)),
                "that is the busiest single second; ten are asked for",
            ),
            (
                _at_26(lambda rate, n: float(np.bincount(trace(rate, n).astype(int)).max())),
                "that is the busiest of the seconds 0 to 1, 1 to 2, …; ten are asked for, wherever they begin",
            ),
            (
                _at_26(lambda rate, n: rate + math.sqrt(rate)),
                "that is a standard deviation above the mean; count the stream itself",
            ),
        ),
    ),
    OpenQuestion(
        "evenly",
        "A test with evenly spaced requests met its target. What do you still not know about the users to come?",
        "Users come at random and in bursts. At U = 0.5 evenly spaced requests wait a quarter of the time of a "
        "Poisson stream, at 0.9 nearly half: the test says little about the wait of users, least at moderate load. "
        "And a test that repeats one stream has one sample of its bursts, however often it is repeated.",
    ),
)

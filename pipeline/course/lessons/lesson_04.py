"""Lesson 4: how evenly requests arrive, and what that does to their waits."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pipeline.course.given import Given
from pipeline.course.question import (
    Choice,
    Lesson,
    OpenQuestion,
    Prediction,
    Quantity,
    Question,
)
from pipeline.course.streams import (
    BURST_S,
    burst,
    dispersion,
    dispersion_slips,
    of_counts,
    rate_of_other_gaps,
    root,
    trace,
)

Formula = Callable[[Given], float]


def _pairs(g: Given) -> tuple[np.ndarray, np.ndarray]:
    return g.family("even", "R_client_s"), g.family("poisson", "R_client_s")


def _pair(formula: Callable[[np.ndarray, np.ndarray], float]) -> Formula:
    return lambda g: float(formula(*_pairs(g)))


def _typical(values: np.ndarray) -> float:
    return math.exp(float(np.log(values).mean()))


def _slow(role: str) -> Callable[[Callable[[float, int], float]], Formula]:
    """A formula of the asked rate and the number of requests of a run."""
    return lambda formula: (
        lambda g: float(formula(g.run(role)["rate_per_s"], int(g.run(role)["lambda_total"])))
    )


_at_20, _at_26 = _slow("twenty"), _slow("burst")


LOW, HIGH = 0.5, 0.9
"""Utilizations that the exercises on D/M/1 ask for."""
LOW_ROOT, HIGH_ROOT = root(LOW), root(HIGH)

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
    Question(
        "sigma",
        "D/M/1 at U = 0.5: the root σ < 1 of σ = exp(−(1 − σ)/U)?",
        lambda g: LOW_ROOT,
        unit="1",
        tolerance=0.001,
        slips=(
            (lambda g: 1.0, "1 is always a root; find the other one, between 0 and 1"),
            (
                lambda g: math.exp(-1 / LOW),
                "that is one step of the iteration from 0; go on until it stands still",
            ),
            (
                lambda g: math.exp(-(1 - math.exp(-1 / LOW)) / LOW),
                "these are two steps of the iteration from 0; go on until it stands still",
            ),
            (lambda g: LOW, "σ = U is the root of M/M/1; put U into D/M/1's equation"),
            (
                lambda g: math.exp(-(1 - LOW) / LOW),
                "that is one step of the iteration from U; go on until it stands still",
            ),
            (lambda g: math.exp(-LOW), "that is exp(−U); the exponent is −(1 − σ)/U"),
            (lambda g: HIGH_ROOT, "that is the root at U = 0.9"),
            (lambda g: LOW_ROOT / (1 - LOW_ROOT), "that is the wait; the root itself is asked for"),
        ),
    ),
    Question(
        "W_dm1",
        "What is its mean wait, in units of the mean service time S? (W = S σ/(1 − σ))",
        lambda g: g.answer("sigma") / (1 - g.answer("sigma")),
        unit="1",
        needs=("sigma",),
        slips=(
            (
                lambda g: LOW,
                "that is half of M/M/1's wait, by (c_a² + c_s²)/2: a good rule for bursts, twice too much here",
            ),
            (lambda g: LOW / (1 - LOW), "that is M/M/1's wait, U/(1 − U); put σ in its place"),
            (lambda g: g.answer("sigma"), "that is σ; W = S σ/(1 − σ)"),
            (
                lambda g: 1 / (1 - g.answer("sigma")),
                "that is the response time, the service included; the wait is asked for",
            ),
            (
                lambda g: g.answer("sigma") * LOW / (1 - g.answer("sigma")),
                "that is the mean number waiting, U W; the wait is asked for",
            ),
            (
                lambda g: LOW / (1 - g.answer("sigma")),
                "above the line stands σ, not U: D/M/1's share of requests that wait",
            ),
            (
                lambda g: g.answer("sigma") / (1 + g.answer("sigma")),
                "divide by 1 − σ, not by 1 + σ",
            ),
            (lambda g: g.answer("sigma") / (1 - LOW), "below the line stands 1 − σ, not 1 − U"),
        ),
    ),
    Question(
        "left_90",
        "At U = 0.9: which share of M/M/1's wait is left with evenly spaced arrivals?",
        lambda g: HIGH_ROOT / (1 - HIGH_ROOT) / (HIGH / (1 - HIGH)),
        unit="1",
        slips=(
            (
                lambda g: HIGH_ROOT / (1 - HIGH_ROOT),
                "that is the wait in units of S; M/M/1's is 9 S",
            ),
            (lambda g: LOW_ROOT / (1 - LOW_ROOT), "that is the share at U = 0.5"),
            (lambda g: HIGH_ROOT, "that is σ; the share is W of D/M/1 over W of M/M/1"),
            (lambda g: 0.5, "that is the rule (c_a² + c_s²)/2; use D/M/1's root"),
            (
                lambda g: HIGH_ROOT / (1 - HIGH_ROOT) / (1 / (1 - HIGH)),
                "you divided by M/M/1's response time, 10 S; its wait is 9 S",
            ),
            (
                lambda g: 1 / (1 - HIGH_ROOT) * (1 - HIGH),
                "these are response times, the service included; waits are asked for",
            ),
            (
                lambda g: HIGH_ROOT / HIGH,
                "that is σ over U; compare the waits σ/(1 − σ) and U/(1 − U)",
            ),
            (lambda g: HIGH / (1 - HIGH), "that is M/M/1's wait in units of S"),
        ),
        note="evenness helps most where it is needed least: 0.255 at U = 0.5",
    ),
    Question(
        "ratio",
        "Six pairs of runs, each pair recorded minutes apart: what is the geometric mean of R under Poisson "
        "arrivals over R under even ones?",
        _pair(lambda even, poisson: _typical(poisson / even)),
        unit="1",
        slips=(
            (
                _pair(lambda e, p: float((p / e).mean())),
                "that is the arithmetic mean of the ratios, which the largest one rules",
            ),
            (
                _pair(lambda e, p: p.mean() / e.mean()),
                "that is the ratio of the means: the pairs are lost, and slow repetitions count most",
            ),
            (
                _pair(lambda e, p: float(np.median(p / e))),
                "that is the median of the ratios; the geometric mean is asked for",
            ),
            (
                _pair(lambda e, p: float(np.median(p) / np.median(e))),
                "that is the ratio of the medians: the pairs are lost",
            ),
            (_pair(lambda e, p: _typical(e / p)), "upside down: Poisson over even"),
            (
                _pair(lambda e, p: float(np.log(p / e).mean())),
                "that is the mean of the logarithms; take its exponential",
            ),
            (_pair(lambda e, p: float((p / e).max())), "that is the largest pair"),
            (_pair(lambda e, p: float((p / e)[0])), "that is the first pair alone"),
            (
                _pair(lambda e, p: float(1 / (e / p).mean())),
                "that is the harmonic mean; the geometric mean is asked for",
            ),
            (
                _pair(lambda e, p: float(np.prod(p / e))),
                "that is the product; the sixth root is missing",
            ),
            (
                _pair(lambda e, p: _typical(p / e) - 1),
                "that is by how much longer; the ratio itself is asked for",
            ),
            (
                _pair(lambda e, p: 10 ** float(np.log(p / e).mean())),
                "the logarithm was natural, the power of 10 is not its inverse: exp",
            ),
            (
                _pair(lambda e, p: math.exp(float(np.log10(p / e).mean()))),
                "the logarithm was to base 10, exp is not its inverse: use log",
            ),
        ),
    ),
    Question(
        "sd_X",
        "Poisson streams of n requests at X per second: by how much should the achieved rate differ from run to "
        "run (standard deviation)?",
        lambda g: g.value("X_20") / math.sqrt(g.value("n_20")),
        unit="1/s",
        tolerance=0.03,
        slips=(
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
        "In httperf's stream at the busier rate: how many requests per second come in its busiest ten seconds?",
        _at_26(burst),
        unit="1/s",
        tolerance=0.03,
        slips=(
            (_at_26(lambda rate, n: rate), "that is the rate asked for, a mean"),
            (
                _at_26(lambda rate, n: n / trace(rate, n)[-1]),
                "that is the mean rate of the whole stream",
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

SIX = ("", "-2", "-3", "-4", "-5", "-6")

LESSON = Lesson(
    number=4,
    name="04_arrivals",
    title="Arrivals matter",
    opening="Two streams of 26 requests per second, the same server, the same pages. One is answered in 36.5 ms, the "
    "other in 150. What is different?",
    minutes=75,
    outcomes=(
        "Measure how even a stream of requests is.",
        "Compute the wait of D/M/1 and say when evenly spaced arrivals help.",
        "Compare runs in pairs, on logarithms; ask whether repetitions are independent.",
    ),
    runs={
        "even_110": "first/web-110-even/web",
        "poisson_110": "first/web-110-poisson/web",
        "twenty": "first/web-020-poisson/web",
        "burst": "second/web-026-poisson/web",
    },
    families={
        "even": tuple(f"second/web-026-even{suffix}/web" for suffix in SIX),
        "poisson": tuple(f"second/web-026-poisson{suffix}/web" for suffix in SIX),
        "twenty": tuple(f"first/web-020-poisson{suffix}/web" for suffix in SIX[:3]),
    },
    quantities=(
        Quantity(
            "X_20",
            lambda g: g.run("twenty")["X_per_s"],
            "1/s",
            "Poisson runs at the lower rate: requests per second that came",
        ),
        Quantity(
            "n_20", lambda g: g.run("twenty")["lambda_total"], "1", "… number of requests of a run"
        ),
        Quantity(
            "rate_20",
            lambda g: g.run("twenty")["rate_per_s"],
            "1/s",
            "… requests per second that were asked of httperf",
        ),
        Quantity(
            "rate_26",
            lambda g: g.run("burst")["rate_per_s"],
            "1/s",
            "pairs of runs: requests per second that were asked of httperf",
        ),
        Quantity(
            "n_26", lambda g: g.run("burst")["lambda_total"], "1", "… number of requests of a run"
        ),
    ),
    questions=(
        Prediction(
            "pairs",
            "By which factor is a request's time longer, on the mean, if requests come at random (a Poisson "
            "stream) and "
            "not evenly spaced, at the same rate?",
            _pair(lambda even, poisson: _typical(poisson / even)),
            "1",
        ),
        *QUESTIONS,
    ),
    books=(
        "Kleinrock (1975), Queueing Systems I, page 251: GI/M/1; a request waits with probability σ, and W = S "
        "σ/(1 − σ).",
        "Bolch et al. (2006), page 270: approximations of G/G/1, among them that of Krämer and Langenbach-Belz.",
        "Cox (1962), Renewal Theory, page 40: the index of dispersion of counts nears c_a², the squared coefficient of "
        "variation of the gaps.",
        "Schroeder, Wierman and Harchol-Balter (2006), Open versus closed: a cautionary tale, NSDI: the same "
        "load on the "
        "mean, other arrivals, other waits.",
        "httperf's manual, --rate and --period: evenly spaced connections, or exponential gaps with a fixed seed.",
    ),
    exam=(
        (
            "Counts of requests in 60 seconds have mean 50 and variance 48. What kind of stream may that be? And with "
            "variance 0.5?",
            "Index of dispersion 0.96: as of a Poisson stream. 0.01: nearly evenly spaced.",
        ),
        (
            "At U = 0.5 the root of D/M/1 is 0.203. How long is the mean wait for S = 8 ms, and how long is M/M/1's?",
            "8 ms · 0.203/0.797 = 2.0 ms; M/M/1: 8 ms · 0.5/0.5 = 8 ms.",
        ),
        (
            "Three runs with Poisson arrivals of 1,200 requests reach 21.66, 21.66 and 21.65 requests per second. What "
            "is suspicious?",
            "The standard deviation should be 21.66/√1200 = 0.63 per second. The runs share one random stream: they "
            "are one sample of arrivals.",
        ),
    ),
    surprise="Three Poisson runs that should differ by 0.6 requests per second differ by 0.01: httperf begins each of "
    "them with the same seed.",
    before_surprise="How far apart will the achieved rates of three random streams of 1,200 requests be?",
    stuck="Let the group draw ten arrivals on a line, evenly and then by throwing coins, with services of half a gap; "
    "count who waits.",
)

"""Lesson 4: how evenly requests arrive, and what that does to their waits."""

from __future__ import annotations

from pipeline.course.lessons.stream_questions import QUESTIONS, geometric_mean, pair
from pipeline.course.question import Lesson, Prediction, Quantity

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
            pair(lambda even, poisson: geometric_mean(poisson / even)),
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

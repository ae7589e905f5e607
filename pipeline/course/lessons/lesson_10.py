"""Lesson 10: is it true? Intervals of few runs, a 2² design, blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pipeline.course.given import Given
from pipeline.course.question import Choice, Lesson, OpenQuestion, Prediction, Quantity, Question

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
    return float(stats.t.ppf(LEVEL, degrees))


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
    """R = Σ D_k / (1 − λ D_k) at the middle rate, with the demands of a quiet run, seconds."""
    row, rate = g.run(role), g.value("lambda")
    return sum(d / (1 - rate * d) for d in (row["R_cpu_s"], row["D_vdisk_s"]))


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
    error: float
    """Sum of squares within the cells."""

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Of the variation: server, neighbour, interaction, error."""
        parts = (*(8 * q**2 for q in (self.server, self.neighbour, self.both)), self.error)
        return tuple(part / sum(parts) for part in parts)


def design(g: Given, scale: Callable[[np.ndarray], np.ndarray] = np.log) -> Design:
    """The 2² design of server and neighbour on that scale."""
    y = np.array([scale(times(g, cell)) for cell in CELLS])
    means = y.mean(axis=1)
    effects = [float((sign * means).mean()) for sign in (SERVER, NEIGHBOUR, SERVER * NEIGHBOUR)]
    return Design(*effects, float(((y - means[:, None]) ** 2).sum()))


def blocked(g: Given) -> np.ndarray:
    """Logarithms of the response times, (4 loads, 6 repetitions)."""
    return np.log([times(g, family) for family in BLOCKED])


def half_of_effect(g: Given, *, blocks: bool, quantile: float | None = None) -> float:
    """Half-width of the 95 % interval of the arrivals' effect q, with or without the repetitions as blocks."""
    y = blocked(g)
    residual = y - y.mean(axis=1, keepdims=True)
    degrees = y.size - len(y)
    if blocks:
        residual = residual - y.mean(axis=0) + y.mean()
        degrees = (len(y) - 1) * (y.shape[1] - 1)
    variance = (residual**2).sum() / degrees
    return (quantile or student_t(degrees)) * math.sqrt(variance / y.size)


def effect_of_arrivals(g: Given) -> float:
    """q: half of the mean difference of Poisson and even arrivals, on logarithms."""
    return float((POISSON * blocked(g).mean(axis=1)).mean())


def pairs(g: Given) -> np.ndarray:
    """Logarithms of Poisson over even at the highest rate, pair by pair."""
    return np.log(times(g, "poisson_26") / times(g, "even_26"))


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


QUANTITIES = (
    Quantity("lambda", lambda g: g.run("middle")["rate_per_s"], "1/s", "middle rate, `second/web-021-even`: evenly spaced requests"),
    Quantity("D_cpu", lambda g: g.run("quiet")["R_cpu_s"], "s", "`second/web-005-a`: CPU of the guest per request"),
    Quantity("D_vdisk", lambda g: g.run("quiet")["D_vdisk_s"], "s", "… and its disk"),
    Quantity("n", lambda g: float(len(times(g, "even_21"))), "1", "runs at each rate"),
    Quantity("t_5", lambda g: student_t(5), "1", "Student's t, 97.5 %, 5 degrees of freedom"),
    Quantity("t_15", lambda g: student_t(15), "1", "… 15 degrees of freedom"),
    Quantity("t_20", lambda g: student_t(20), "1", "… 20 degrees of freedom"),
)  # fmt: skip

INTERVALS = (
    Prediction(
        "R_high",
        "Six runs of one load, the same server, the same pages. Between which limits is the typical response time, with 95 % "
        "confidence? Estimate the upper limit.",
        lambda g: upper(g, student_t(5)),
    ),
    Question(
        "R_model",
        "The model: an open network of two stations, CPU and disk of the guest, with the demands of the quiet run. R at the rate λ",
        lambda g: open_network(g, "quiet"),
        slips=(
            (lambda g: g.value("D_cpu") + g.value("D_vdisk"), "those are the demands; each waits: D/(1 − λ D)"),
            (lambda g: (g.value("D_cpu") + g.value("D_vdisk")) / (1 - g.value("lambda") * (g.value("D_cpu") + g.value("D_vdisk"))), "that is one station with both demands; the disk works while the CPU does"),
            (lambda g: sum(d * (1 + g.value("lambda") * d) for d in (g.value("D_cpu"), g.value("D_vdisk"))), "D (1 + U); it is D/(1 − U)"),
            (lambda g: sum(d / (1 + g.value("lambda") * d) for d in (g.value("D_cpu"), g.value("D_vdisk"))), "1 + U; it is 1 − U"),
            (lambda g: g.value("D_cpu") / (1 - g.value("lambda") * g.value("D_cpu")), "the disk is missing"),
            (lambda g: g.value("D_vdisk") / (1 - g.value("lambda") * g.value("D_vdisk")), "the CPU is missing"),
            (lambda g: open_network(g, "quiet_again"), "those are the demands of the other quiet run, `web-005-b`"),
            (lambda g: g.run("quiet")["R_client_s"], "that is what the client measured in the quiet run"),
            (lambda g: times(g, "even_21").mean(), "that is the mean of the six runs; compute the model's"),
            (lambda g: g.value("D_cpu") / (1 - g.value("lambda") * g.value("D_cpu")) + g.value("D_vdisk"), "the disk has a queue, too"),
            (lambda g: g.value("D_cpu") + g.value("D_vdisk") / (1 - g.value("lambda") * g.value("D_vdisk")), "the CPU has a queue, too"),
        ),
    ),
    Question(
        "R_typical",
        "The typical response time of the six runs: their geometric mean",
        lambda g: math.exp(logs(g).mean()),
        slips=(
            (lambda g: times(g, "even_21").mean(), "that is the arithmetic mean; slow runs weigh most in it"),
            (lambda g: np.median(times(g, "even_21")), "that is the median"),
            (lambda g: times(g, "even_21").min(), "that is the best of the six"),
            (lambda g: times(g, "even_21").max(), "that is the worst of the six"),
            (lambda g: 1 / (1 / times(g, "even_21")).mean(), "that is the harmonic mean"),
            (lambda g: 10 ** logs(g).mean(), "the natural logarithm goes back by exp, not by 10 to the power of it"),
            (lambda g: math.exp(np.log10(times(g, "even_21")).mean()), "log10 goes back by 10 to the power of it, not by exp"),
            (lambda g: logs(g).mean(), "that is the mean of the logarithms; take exp of it"),
            (lambda g: np.prod(times(g, "even_21")), "the sixth root is missing"),
            (lambda g: math.sqrt(np.prod(times(g, "even_21"))), "that is the square root; six numbers need the sixth root"),
            (lambda g: math.exp(np.log(times(g, "even_16")).mean()), "those are the runs of the lowest rate, `web-016-even`"),
            (lambda g: math.exp(np.log(times(g, "even_26")).mean()), "those are the runs of the highest rate, `web-026-even`"),
            (lambda g: math.sqrt((times(g, "even_21") ** 2).mean()), "that is the root mean square"),
        ),
    ),
    Question(
        "R_high_t",
        "The upper end of its 95 % interval, by Student's t on the logarithms",
        lambda g: upper(g, student_t(5)),
        slips=(
            (lambda g: upper(g, NORMAL), "1.96 is of the normal distribution; with six runs take t with 5 degrees of freedom"),
            (lambda g: upper(g, student_t(5), 1), "that is for a single run: √6 is missing"),
            (lambda g: times(g, "even_21").mean() + half_width(times(g, "even_21")), "that is without logarithms"),
            (lambda g: upper(g, -student_t(5)), "that is the lower end"),
            (lambda g: upper(g, student_t(6)), "that is t with 6 degrees of freedom; six runs have 5"),
            (lambda g: upper(g, float(stats.t.ppf(0.95, 5))), "that is the 95 % quantile; an interval of 95 % leaves 2.5 % above"),
            (lambda g: upper(g, student_t(5), 5), "divide by √6, the number of runs, not by √5"),
            (lambda g: upper(g, student_t(5), 36), "divide by √6, not by 6"),
            (lambda g: math.exp(logs(g).mean() + student_t(5) * logs(g).std() / math.sqrt(6)), "the standard deviation divides by n − 1 (ddof=1)"),
            (lambda g: math.exp(logs(g).mean()) + half_width(times(g, "even_21")), "the half-width belongs to the logarithms: add it before exp"),
            (lambda g: math.exp(logs(g).mean()) + half_width(logs(g)), "the half-width belongs to the logarithms: add it before exp"),
            (lambda g: math.exp(logs(g).mean()) * (1 + half_width(logs(g))), "multiply by exp of the half-width, not by 1 plus it"),
            (lambda g: logs(g).mean() + half_width(logs(g)), "that is the logarithm; take exp of it"),
            (lambda g: math.exp(half_width(logs(g))), "that is the factor; multiply the geometric mean by it"),
            (lambda g: math.exp(logs(g).mean() + student_t(5) * logs(g).var(ddof=1) / math.sqrt(6)), "that takes the variance; it is the standard deviation"),
            (lambda g: times(g, "even_21").max(), "that is the slowest run"),
            (lambda g: upper(g, student_t(5) * math.sqrt(7), 6), "that is for a seventh run; the typical R is asked for"),
        ),
    ),
    Choice(
        "verdict",
        "An interval contains the model's value, and the mean of the runs is not equal to it. What may you say?",
        {
            "a": "The model is right.",
            "b": "The model is wrong by the difference to the mean.",
            "c": "These runs do not contradict the model; more runs might.",
            "d": "The runs are useless.",
        },
        "c",
        {
            "a": "every other value in the interval is compatible with the runs, too",
            "b": "another six runs would have another mean; the difference is within what runs differ by",
            "d": "they exclude all values outside the interval",
        },
    ),
    Question(
        "n_runs",
        "How many runs would make the half-width 0.15 on the logarithm, about ±15 %? (With 1.96 in place of t; not rounded)",
        lambda g: (NORMAL * logs(g).std(ddof=1) / WISHED) ** 2,
        unit="1",
        tolerance=0.025,
        slips=(
            (lambda g: NORMAL * logs(g).std(ddof=1) / WISHED, "that is √n; square it"),
            (lambda g: (logs(g).std(ddof=1) / WISHED) ** 2, "1.96 is missing"),
            (lambda g: (student_t(5) * logs(g).std(ddof=1) / WISHED) ** 2, "t with 5 degrees belongs to six runs; so many more have 1.96"),
            (lambda g: (NORMAL * logs(g).std(ddof=1) / math.log(1.15)) ** 2, "that takes ln 1.15; here the half-width on the logarithm is 0.15"),
            (lambda g: (NORMAL * logs(g).std(ddof=1) / (2 * WISHED)) ** 2, "0.15 is the half-width, not the width"),
            (lambda g: (NORMAL * times(g, "even_21").std(ddof=1) / times(g, "even_21").mean() / WISHED) ** 2, "that is without logarithms"),
            (lambda g: (NORMAL * logs(g).std() / WISHED) ** 2, "the standard deviation divides by n − 1 (ddof=1)"),
            (lambda g: (NORMAL * logs(g).std(ddof=1) / WISHED) ** 2 - 6, "that is how many more; all together are asked for"),
            (lambda g: 6 * NORMAL * logs(g).std(ddof=1) / math.sqrt(6) / WISHED, "the half-width falls with √n: square the ratio"),
            (lambda g: 6 * (NORMAL * logs(g).std(ddof=1) / WISHED) ** 2, "s is of single runs already: do not multiply by six"),
            (lambda g: (NORMAL * logs(g).std(ddof=1) / math.sqrt(6) / WISHED) ** 2, "take s of single runs, not the error of the mean of six"),
            (lambda g: (NORMAL * logs(g).var(ddof=1) / WISHED) ** 2, "that takes the variance; it is the standard deviation"),
        ),
    ),
)  # fmt: skip

FACTORS = (
    Question(
        "f_neighbour",
        "A 2² design, server by neighbour, two runs in each cell, the web at 5 requests per second. On logarithms: by which factor "
        "does a loaded neighbour multiply R?",
        lambda g: math.exp(2 * design(g).neighbour),
        unit="1",
        slips=(
            (lambda g: math.exp(design(g).neighbour), "q is half of the effect, from the mean to one side: the factor is exp(2 q)"),
            (lambda g: math.exp(2 * design(g).server), "that is the factor of the server"),
            (lambda g: math.exp(2 * design(g).both), "that is the interaction"),
            (lambda g: 2 * design(g, np.asarray).neighbour, "those are seconds, not a factor"),
            (lambda g: 2e3 * design(g, np.asarray).neighbour, "those are milliseconds, not a factor"),
            (lambda g: 2 * design(g).neighbour, "that is the logarithm of the factor; take exp of it"),
            (lambda g: design(g).neighbour, "that is q; the factor is exp(2 q)"),
            (lambda g: math.exp(4 * design(g).neighbour), "that is twice the effect: q is half of it, so exp(2 q)"),
            (lambda g: ratio_of_means(g, CELLS[1::2], CELLS[::2]), "that is a ratio of arithmetic means; on logarithms each server counts alike"),
            (lambda g: math.exp(np.log(times(g, CELLS[1])).mean() - np.log(times(g, CELLS[0])).mean()), "that is the first server alone"),
            (lambda g: math.exp(np.log(times(g, CELLS[3])).mean() - np.log(times(g, CELLS[2])).mean()), "that is the second server alone"),
            (lambda g: (ratio_of_means(g, CELLS[1:2], CELLS[:1]) + ratio_of_means(g, CELLS[3:], CELLS[2:3])) / 2, "that is the arithmetic mean of two ratios; take the mean of logarithms"),
        ),
    ),
    Question(
        "share_both",
        "Which share of the variation of R itself, in seconds, does the interaction explain?",
        lambda g: design(g, np.asarray).shares[2],
        unit="1",
        tolerance=0.01,
        slips=(
            (lambda g: design(g).shares[2], "that is of the logarithms"),
            (lambda g: design(g, np.asarray).shares[3], "that is the error's share"),
            (lambda g: design(g, np.asarray).shares[0], "that is the server's share"),
            (lambda g: design(g, np.asarray).shares[1], "that is the neighbour's share"),
            (lambda g: design(g, np.asarray).shares[2] / 2, "SS = 2² r q² with r = 2 runs in a cell: 8 q², not 4 q²"),
            (lambda g: design(g, np.asarray).shares[2] / 8, "SS = 8 q²; the 8 is missing"),
            (lambda g: abs(design(g, np.asarray).both) / sum(abs(q) for q in (design(g, np.asarray).server, design(g, np.asarray).neighbour, design(g, np.asarray).both)), "shares are of squares: q², not q"),
            (lambda g: design(g, np.asarray).shares[2] + design(g, np.asarray).shares[3], "the error is not the interaction's"),
            (lambda g: design(g, np.asarray).both, "that is q of the interaction, in seconds"),
            (lambda g: design(g, np.asarray).shares[2] / (design(g, np.asarray).shares[0] + design(g, np.asarray).shares[1]), "divide by the whole variation, the interaction and the error included"),
        ),
    ),
    Question(
        "share_both_log",
        "… and of the variation of log R?",
        lambda g: design(g).shares[2],
        unit="1",
        tolerance=0.01,
        slips=(
            (lambda g: design(g, np.asarray).shares[2], "that is without logarithms"),
            (lambda g: design(g).shares[3], "that is the error's share"),
            (lambda g: design(g).shares[0], "that is the server's share"),
            (lambda g: design(g).shares[1], "that is the neighbour's share"),
            (lambda g: design(g).shares[2] / 2, "SS = 2² r q² with r = 2 runs in a cell: 8 q², not 4 q²"),
            (lambda g: design(g).shares[2] / 8, "SS = 8 q²; the 8 is missing"),
            (lambda g: abs(design(g).both) / sum(abs(q) for q in (design(g).server, design(g).neighbour, design(g).both)), "shares are of squares: q², not q"),
            (lambda g: design(g).both, "that is q of the interaction"),
            (lambda g: design(g).shares[2] + design(g).shares[3], "the error is not the interaction's"),
        ),
        note="On the scale of logarithms factors that multiply add: an interaction in seconds need be none",
    ),
)  # fmt: skip

BLOCKS = (
    Question(
        "half",
        "Arrivals, even against Poisson, at two rates, six repetitions each: 24 runs, log R. The effect q is half of the difference. "
        "The half-width of its 95 % interval, all runs taken as independent",
        lambda g: half_of_effect(g, blocks=False),
        unit="1",
        tolerance=0.01,
        slips=(
            (lambda g: half_of_effect(g, blocks=True), "that is with the repetitions as blocks"),
            (lambda g: half_of_effect(g, blocks=False, quantile=NORMAL), "t with 20 degrees of freedom, not 1.96"),
            (lambda g: half_of_effect(g, blocks=False, quantile=student_t(5)), "t has the degrees of freedom of the error: 24 runs minus 4 loads"),
            (lambda g: half_of_effect(g, blocks=False, quantile=student_t(15)), "15 degrees of freedom are those with blocks; here 24 − 4"),
            (lambda g: 2 * half_of_effect(g, blocks=False), "twice too wide: q is half of the difference, and all 24 runs are in it"),
            (lambda g: math.sqrt(24) * half_of_effect(g, blocks=False), "that is for a single run: divide by √24"),
            (lambda g: math.sqrt(2) * half_of_effect(g, blocks=False), "that divides by √12; all 24 runs are in q"),
            (lambda g: half_of_effect(g, blocks=False) / student_t(20), "that is the standard error; t is missing"),
            (lambda g: effect_of_arrivals(g), "that is the effect q itself"),
            (lambda g: 2 * effect_of_arrivals(g), "that is the difference, 2 q, itself"),
            (lambda g: student_t(23) * blocked(g).std(ddof=1) / math.sqrt(24), "that is the spread of all 24 runs; take each from the mean of its own load"),
            (lambda g: math.exp(half_of_effect(g, blocks=False)), "that is the factor; the half-width on the logarithm is asked for"),
        ),
    ),
    Question(
        "half_blocked",
        "… and with the six repetitions as blocks",
        lambda g: half_of_effect(g, blocks=True),
        unit="1",
        tolerance=0.01,
        slips=(
            (lambda g: half_of_effect(g, blocks=False), "that is without blocks"),
            (lambda g: half_of_effect(g, blocks=True, quantile=NORMAL), "t with 15 degrees of freedom, not 1.96"),
            (lambda g: half_of_effect(g, blocks=True, quantile=student_t(20)) * math.sqrt(15 / 20), "the blocks take 5 degrees of freedom from the 20"),
            (lambda g: half_of_effect(g, blocks=True) * math.sqrt(15 / 20), "the variance divides by 15, the degrees of freedom of the error, not by 20"),
            (lambda g: half_of_effect(g, blocks=True, quantile=student_t(20)), "t with 15 degrees of freedom: (4 − 1)(6 − 1)"),
            (lambda g: half_of_effect(g, blocks=True, quantile=student_t(5)), "t has the degrees of freedom of the error: (4 − 1)(6 − 1)"),
            (lambda g: 2 * half_of_effect(g, blocks=True), "twice too wide: q is half of the difference, and all 24 runs are in it"),
            (lambda g: math.sqrt(24) * half_of_effect(g, blocks=True), "that is for a single run: divide by √24"),
            (lambda g: half_of_effect(g, blocks=True) / student_t(15), "that is the standard error; t is missing"),
            (lambda g: effect_of_arrivals(g), "that is the effect q itself"),
            (lambda g: math.exp(half_of_effect(g, blocks=True)), "that is the factor; the half-width on the logarithm is asked for"),
        ),
        note="Compare it with q: what was noise between repetitions is not noise between the runs of one repetition",
    ),
    Question(
        "ratio_low",
        "The highest rate alone, six pairs: the lower end of the 95 % interval of Poisson over even, paired, on logarithms, as a factor",
        lambda g: math.exp(pairs(g).mean() - half_width(pairs(g))),
        unit="1",
        slips=(
            (unpaired_low, "that is unpaired: how fast the machine was on that day is in it"),
            (lambda g: math.exp(pairs(g).mean() + half_width(pairs(g))), "that is the upper end"),
            (lambda g: math.exp(pairs(g).mean()), "that is the mean ratio; the lower end of its interval is asked for"),
            (lambda g: math.exp(pairs(g).mean() - NORMAL * pairs(g).std(ddof=1) / math.sqrt(6)), "1.96 is of the normal distribution; six pairs have t with 5 degrees of freedom"),
            (lambda g: math.exp(pairs(g).mean() - student_t(5) * pairs(g).std(ddof=1)), "that is for a single pair: √6 is missing"),
            (lambda g: pairs(g).mean() - half_width(pairs(g)), "that is the logarithm; take exp of it"),
            (lambda g: np.exp(pairs(g)).mean() - half_width(np.exp(pairs(g))), "that is without logarithms"),
            (lambda g: math.exp(-pairs(g).mean() - half_width(pairs(g))), "that is even over Poisson"),
            (lambda g: math.exp(pairs(g).mean() - student_t(6) * pairs(g).std(ddof=1) / math.sqrt(6)), "six pairs have 5 degrees of freedom, not 6"),
            (lambda g: math.exp(pairs(g).mean() - half_width(pairs(g)) * math.sqrt(5 / 6)), "the standard deviation divides by n − 1 (ddof=1)"),
            (lambda g: math.exp(-half_width(pairs(g))), "that is the factor below the mean ratio; multiply them"),
            (lambda g: math.exp(pairs(g).mean()) - half_width(pairs(g)), "the half-width belongs to the logarithms: subtract it before exp"),
            (lambda g: float(np.exp(pairs(g)).min()), "that is the smallest of the six ratios"),
        ),
        note="Above 1 the effect of the arrivals is significant; below, it is not",
    ),
    OpenQuestion(
        "honest",
        "Some loads were repeated six times, others two or three times, and somebody decided so after the first results. What does "
        "that do to an interval, and what should be written down before the runs?",
        "If runs are added because of what was seen, the interval promises too much: one stops when it looks as wished. Before the "
        "runs: the loads, the number of repetitions, the order (randomized or balanced over time, with blocks), the scale, "
        "the question, and when to stop. After them: report all runs, and which were decided on later.",
    ),
)  # fmt: skip


def repetitions(load: str) -> tuple[str, ...]:
    """The six runs of a load of the second web server."""
    suffixes = ("", "-2", "-3", "-4", "-5", "-6")
    return tuple(f"second/web-{load}{suffix}/web" for suffix in suffixes)


LESSON = Lesson(
    number=10,
    name="10_is_it_true",
    title="Is it true?",
    opening="The model says 24 ms, the mean of six runs is 29 ms. Is the model wrong?",
    minutes=90,
    outcomes=(
        "Give an interval to the mean of few and skewed runs.",
        "Analyse a 2² design with replications, choose its scale, and use blocks.",
        "Say what a validation proves, and what it does not.",
    ),
    runs={
        "quiet": "second/web-005-a/web",
        "quiet_again": "second/web-005-b/web",
        "middle": "second/web-021-even/web",
    },
    families={
        "even_16": repetitions("016-even"),
        "poisson_16": repetitions("016-poisson"),
        "even_21": repetitions("021-even"),
        "even_26": repetitions("026-even"),
        "poisson_26": repetitions("026-poisson"),
        "first_alone": ("first/web-005-a/web", "first/web-005-b/web"),
        "first_both": ("first/both-005-16-a/web", "first/both-005-16-b/web"),
        "second_alone": ("second/web-005-a/web", "second/web-005-b/web"),
        "second_both": ("second/both-005-16-a/web", "second/both-005-16-b/web"),
    },
    quantities=QUANTITIES,
    questions=(*INTERVALS, *FACTORS, *BLOCKS),
    surprise="Six runs do not tell the model's value from another one a third larger. An interaction that seems to explain a good "
    "part of R explains next to nothing of log R: the factors multiply. And the same 24 numbers make the effect of the arrivals "
    "significant or not, depending on whether the repetitions are blocks.",
    before_surprise="How many of the six runs were faster than the model says? What would a seventh one take?",
    stuck="Write the six logarithms in a column and compute mean, standard deviation and the half-width by hand. For the design "
    "draw the 2 by 2 table of cell means and compute each effect as half of a difference of two means. For blocks: subtract from each run "
    "the mean of its load and the mean of its repetition, add the mean of all.",
    books=(
        "Intervals and paired observations: Jain, The Art of Computer Systems Performance Analysis (1991), chapter 13.",
        "2² designs with replications and multiplicative models: the same, chapters 17 and 18.",
        "Blocking, randomization and the choice of a scale: Box, Hunter and Hunter, Statistics for Experimenters (2nd ed. "
        "2005), chapters 4 and 5.",
        "Small samples and resampling: Efron and Tibshirani, An Introduction to the Bootstrap (1993), page 53.",
        "Validation of a model against measurements: Lazowska et al., Quantitative System Performance (1984), chapter 2.",
    ),
    exam=(
        (
            "Four runs took 10, 20, 20 and 40 ms. Give the geometric mean and its 95 % interval (t = 3.18 for 3 degrees of freedom).",
            "The logarithms are 2.303, 2.996, 2.996, 3.689: mean 2.996, standard deviation 0.566, half-width 3.18 · 0.566/2 = "
            "0.900. Geometric mean 20 ms, interval 8.1 to 49 ms.",
        ),
        (
            "Server A takes 10 ms alone and 20 ms beside a neighbour, server B 30 and 60. Is there an interaction?",
            "In milliseconds yes (the neighbour costs 10 or 30 ms), on logarithms no: it doubles both.",
        ),
        (
            "A model meets the measured mean of one run to 0.05 %. What has been shown?",
            "That the model is compatible with that run. Other models may be as well; errors may cancel. It takes other loads, "
            "runs that the model was not fitted to, and another model to compare with.",
        ),
    ),
)  # fmt: skip

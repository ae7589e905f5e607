"""Lesson 3: one queue, simulated by Lindley's recursion and computed by M/M/1 and M/G/1."""

from __future__ import annotations

import numpy as np

from pipeline.course.formula import Formula, answer, column
from pipeline.course.given import Given, NoValue
from pipeline.course.lessons import simulated_queue as queue
from pipeline.course.lessons.simulated_queue import (
    HIGH_UTILIZATION,
    MEAN_WAIT,
    RATE,
    RUNS,
    SCATTER,
    D,
    U,
)
from pipeline.course.question import Choice, Lesson, OpenQuestion, Prediction, Quantity, Question
from pipeline.network.gg1 import waiting_times

R = D / (1 - U)
W = U * R
MEAN = queue.of_waits(np.mean)


def _median_wait(g: Given) -> float:
    """Median wait, seconds; none where it is 0."""
    median = queue.of_waits(np.median)(g)
    if not median:
        raise NoValue("most requests do not wait")
    return median


def _repeated(statistic) -> Formula:
    """A statistic of the mean waits of the repeated simulations."""
    return Formula(lambda g: float(statistic(queue.mean_waits()(g))))


def _constant(value: float) -> Formula:
    return Formula(lambda g: value)


QUANTITIES = (
    Quantity("lambda", column("open", "X_per_s"), "1/s", "arrival rate λ of the requests"),
    Quantity("D", column("open", "R_cpu_s"), "s", "service demand of a request at the guest's CPU"),
)  # fmt: skip

QUESTIONS = (
    Prediction(
        "share_waiting",
        "Requests come at random, λ per second, and each needs the CPU for D seconds on the mean. Which share of them "
        "finds it busy and waits?",
        unit="1",
        right=U,
    ),
    Prediction("wait", "And how long does a request wait, on the mean of all?", W, unit="s"),
    Question(
        "P_wait",
        "Poisson arrivals: which share of the requests has to wait?",
        U,
        unit="1",
        slips=(
            (1 - U, "those find the CPU idle and do not wait"),
            (U**2, "that is the chance of two or more in the system; one is enough to wait for"),
            (U / (1 - U), "that is the mean number in the system, not a share"),
            (U * (1 - U), "that is the chance of exactly one in the system; one or more are to be waited for"),
            (U**2 / (1 - U), "that is the mean number of waiting requests, not a share"),
            (1 - np.e ** (-1 * U), "that is the chance of an arrival within D; earlier ones may still be there, too"),
            (np.e ** (-1 * U), "that is the chance of no arrival within D; earlier ones may still be there"),
            (U / 2, "no half is needed: a request waits whenever it finds the CPU busy"),
            (D / RATE, "you divided; the utilization is λ D"),
            (RATE / D, "you divided; the utilization is λ D"),
            (U / (1 + U), "that is a server that turns requests away when busy"),
            (U**2 * (1 - U), "that is the chance of exactly two in the system; one or more are to be waited for"),
            (1 - U**2, "that is the chance of at most one in the system; a request waits if there is one or more"),
            (1 / (1 - U), "that is R/D, not a share"),
            (1 / (1 + U), "that is the share of served requests if a busy server turned the others away"),
            (U**3, "that is the chance of three or more in the system; one is enough to wait for"),
        ),
        note="Poisson arrivals see time averages (PASTA): they find the CPU busy as often as it is busy.",
    ),
    Question(
        "R_mm1",
        "M/M/1: the mean response time, waiting and service together.",
        R,
        slips=(
            (D * (1 + U), "with D (1 + U) a request finds at most one other; it finds U/(1 − U) on the mean"),
            (D / (1 + U), "you divided by 1 + U; it is 1 − U"),
            (W, "that is the wait alone; the service D is still missing"),
            (D / U, "D/U is 1/λ, the time between two arrivals; divide by the share that is free, 1 − U"),
            (D * (1 - U), "you multiplied by 1 − U: that is less than the service alone; divide"),
            (D, "that is the service alone; a request that finds others waits"),
            (U / (1 - U), "that is the mean number in the system; multiply it by 1/λ"),
            (1 / (1 - U), "that is R in units of D; multiply by D"),
            (D + W / 2, "that is the response time with equal services (M/D/1); here they are exponential"),
            (D + R, "R = D/(1 − U) has the service in it already; do not add D again"),
            (1 / (RATE - 1 / D), "the sign: it is 1/(μ − λ) with μ = 1/D"),
            (D / (1 - U) ** 2, "you divided by 1 − U twice"),
            (
                D * (1 + U / 2),
                "that adds half of a service to a busy CPU; queues behind it are missing, and an exponential service "
                "in progress has all of D still before it",
            ),
            (D + U * D / (1 + U), "the wait is U D/(1 − U), not U D/(1 + U)"),
            (D / (1 - D), "you took D for U: it is 1 − U, with U = λ D"),
            (D / (1 - RATE), "you took λ for U: it is 1 − U, with U = λ D"),
            (D + 1 / RATE, "you added the gap between two arrivals; add the wait, U D/(1 − U)"),
            (2 * D, "that is so at U = 0.5 only"),
            (1 / RATE / (1 - U), "you took the gap 1/λ; it is D that is divided by 1 − U"),
            (U * D, "that is what a request would wait if a busy CPU had one request and no queue"),
            (D * (1 + U + U**2), "you stopped after two terms: 1 + U + U² + … is 1/(1 − U)"),
            (D / (1 - U / 2), "no half is needed: D/(1 − U)"),
            (1 / RATE - D, "that is the mean gap less the service"),
        ),
    ),
    Question(
        "N",
        "M/M/1: the mean number of requests in the system, by Little's law.",
        RATE * answer("R_mm1"),
        unit="1",
        needs=("R_mm1",),
        slips=(
            (U**2 / (1 - U), "that is the number that wait; the one in service belongs to the system"),
            (U, "that is the mean number in service; those who wait are missing"),
            (1 - U, "that is the chance that the system is empty"),
            (
                1 / (1 - U),
                "that is R/D, the number that a request sees including itself; the mean over time is one less",
            ),
            (RATE / R, "you divided; Little's law is N = λ R"),
            (R / RATE, "you divided; Little's law is N = λ R"),
            ((1 - U) / U, "upside down: it is U/(1 − U)"),
            (U / (1 + U), "you divided by 1 + U; it is 1 − U"),
            (R / D + U, "you added U to R/D; Little's law is N = λ R"),
            (U + U**2 / (1 - U) / 2, "that is with equal services; here they are exponential"),
            (U**2, "that is the chance of two or more in the system"),
            (1 + U, "that counts the request itself; Little's law is N = λ R"),
            (U / (1 - U) ** 2, "you divided by 1 − U twice"),
            (RATE * D * R, "you multiplied by D, too; Little's law is N = λ R"),
            (_constant(1.0), "that is so at U = 0.5 only"),
            (RATE * (R + D), "R has the service in it already: do not add D"),
            (R / D - U, "that is the number that wait plus 1; the CPU serves U requests on the mean, not 1"),
        ),
    ),
    Choice(
        "presumes",
        "R = D/(1 − U) is exact for one queue, first come first served, with Poisson arrivals and …",
        {
            "a": "any independent service times of mean D",
            "b": "independent, exponentially distributed service times of mean D",
            "c": "equal service times D",
            "d": "nothing else: it is an operational law",
        },
        "b",
        {
            "a": "with first come first served the wait also depends on the variance of the services (Pollaczek and "
            "Khinchine); only under processor sharing any distribution will do",
            "c": "equal services halve the wait",
            "d": "it rests on what an arriving request finds and on how long the service in progress still lasts; the "
            "laws of lesson 2 rest on neither",
        },
        note="Under processor sharing, which is nearer to a CPU, it holds for any service times (M/G/1-PS).",
    ),
    Question(
        "W_sim",
        "Lindley's recursion over 20,000 requests: the mean wait. Draw with default_rng(1) all gaps first, then all "
        "services; gap k lies before request k, and the first request does not wait.",
        MEAN,
        tolerance=0.001,
        slips=(
            (
                MEAN + queue.of_draws(lambda gaps, s: s.mean()),
                "that is the response time; the wait ends where the service begins",
            ),
            (
                queue.of_waits(lambda w: w[w > 0].mean()),
                "that is the mean of those who wait; the mean of all requests is asked for",
            ),
            (Formula(_median_wait), "that is the median of the waits; the mean is asked for"),
            (queue.of_waits(np.max), "that is the longest wait; the mean is asked for"),
            (queue.of_waits(lambda w: np.percentile(w, 95)), "that is the 95th percentile; the mean is asked for"),
            (queue.of_waits(np.sum), "that is the sum of all waits; divide it by the number of requests"),
            (queue.of_waits(np.std), "that is the standard deviation of the waits; the mean is asked for"),
            (
                queue.of_waits(lambda w: (w > 0).mean()),
                "that is the share of requests that wait; their mean wait is asked for",
            ),
            (
                queue.of_waits(lambda w: (w > 0).mean()) * MEAN,
                "the mean of all has those with no wait in it already: do not multiply",
            ),
            (W, "that is not the mean of these 20,000 waits: is it the theory, or a part of them?"),
            (R, "that is the response time by theory; the simulated wait is asked for"),
            (queue.mean_wait_drawn(queue.services_first), "you drew the services first; draw the gaps first"),
            (queue.mean_wait_drawn(queue.alternately), "you drew gap and service in turn; draw all gaps first"),
            (
                queue.mean_wait_drawn(queue.gaps_first, np.random.RandomState),
                "that is with numpy's old generator; take default_rng(1)",
            ),
            (
                queue.mean_wait_drawn(queue.equal_services),
                "your services are all equal; draw them from an exponential distribution",
            ),
            (
                queue.mean_wait_drawn(queue.equal_gaps),
                "your gaps are all equal; draw them from an exponential distribution",
            ),
            (queue.of_draws(queue.reflected_mean), "a negative wait becomes 0, not positive: max(0, …), not abs(…)"),
            (
                queue.of_draws(lambda gaps, s: waiting_times(np.roll(gaps, 1), s).mean()),
                "your gap and service are of the same request; W(k+1) takes service k and gap k+1",
            ),
            (queue.of_waits(np.mean, seed=0), "that is with seed 0; take default_rng(1)"),
            (queue.of_waits(np.mean, requests=10_000), "that is with 10,000 requests; take 20,000"),
            (queue.of_waits(np.mean, requests=1000), "that is with 1,000 requests; take 20,000"),
            (
                queue.of_draws(lambda gaps, s: np.cumsum(s[:-1] - gaps[1:]).mean()),
                "the wait never falls below 0: where is max(0, …)?",
            ),
            (
                queue.of_draws(lambda gaps, s: np.maximum(0, s[:-1] - gaps[1:]).mean()),
                "you left out the wait of the request before: W(k+1) = max(0, W(k) + S(k) − A(k+1))",
            ),
            (queue.of_draws(lambda gaps, s: s.mean()), "that is the mean service time; the wait is before it"),
            (queue.of_draws(lambda gaps, s: gaps.mean()), "that is the mean gap between two requests"),
            (
                MEAN - queue.of_draws(lambda gaps, s: s.mean()),
                "you subtracted the service; the wait does not contain it",
            ),
            (
                queue.of_waits(np.sum) / queue.of_draws(lambda gaps, s: gaps.sum()),
                "that is the mean number of waiting requests; divide the sum of the waits by the number of requests",
            ),
            (
                _constant(0.0),
                "is that the median (most do not wait), or were the gaps drawn with mean λ in place of 1/λ?",
            ),
            (queue.of_waits(lambda w: w[:10_000].mean()), "that is not the mean of these 20,000 waits: is it the theory, or a part of them?"),
            (MEAN / D, "that is in units of D; multiply by D"),
            (MEAN * RATE, "you multiplied by the rate: that is a number of requests"),
            (queue.of_waits(np.var), "that is the variance of the waits; the mean is asked for"),
            (queue.of_draws(lambda gaps, s: (waiting_times(gaps, s) + s).max()), "that is the longest response time"),
            (queue.mean_wait_drawn(lambda r, a, d, n: (r.exponential(1 / a, n), r.exponential(d, n))), "the mean gap is 1/λ"),
            (queue.mean_wait_drawn(lambda r, a, d, n: (r.exponential(a, n), r.exponential(1 / d, n))), "the mean service is D"),
            (queue.mean_wait_drawn(lambda r, a, d, n: (r.exponential(a, n), r.uniform(0, 2 * d, n))), "the services are exponential"),
        ),
    ),
    Question(
        "W_md1",
        "All services take exactly D, arrivals as before (M/D/1): the mean wait, by Pollaczek and Khinchine.",
        W / 2,
        slips=(
            (W, "that is with exponential services; with equal ones c² is 0: half of it"),
            (W / 2 + D, "that is the response time; the wait alone is asked for"),
            (W / 4, "you halved twice"),
            (2 * W, "you divided by a half: (1 + c²)/2 is 0.5 for equal services, and multiplies"),
            (R / 2, "that is half of M/M/1's response time; only the wait is halved, U D/(1 − U)/2"),
            (U * D / 2, "the division by 1 − U is missing"),
            (U * D, "the factor (1 + c²)/2 and the division by 1 − U are missing"),
            (D**2 / 2 / (1 - U), "λ is missing: W = λ D² (1 + c²)/(2 (1 − U))"),
            (RATE * D / 2 / (1 - U), "one D is missing: W = λ D² (1 + c²)/(2 (1 − U))"),
            (_constant(0.0), "requests still meet, because the arrivals are random; only D/D/1 has no wait"),
            (D, "that is the service; the wait is asked for"),
            (R, "that is M/M/1's response time; M/D/1's wait is asked for"),
            (1.5 * W, "that is with c² = 2; services that are all equal have c² = 0"),
            (D / 2, "that is what is left of an equal service on the mean; U D/(1 − U)/2 has the queue in it"),
            (U * D / 2 / (1 + U), "you divided by 1 + U; it is 1 − U"),
            (U**2 * D / 2 / (1 - U), "one U is enough: U D/(1 − U)/2"),
            (U * D / 2 / (1 - U) ** 2, "you divided by 1 − U twice"),
            (U * D * (1 - U) / 2, "you multiplied by 1 − U; divide"),
            (RATE * W / 2, "that is the mean number of waiting requests, λ W; the time is asked for"),
            (W * 0.75, "that is with c² = 0.5; services that are all equal have c² = 0"),
            (R - D / 2, "only the wait is halved, not the service"),
            (W / 3, "the factor (1 + c²)/2 is a half for equal services"),
            (W - D / 2, "M/D/1 waits half as long as M/M/1, not D/2 less"),
        ),
        note="Half of the wait comes from the arrivals, half from the services: (1 + c²)/2.",
    ),
    Question(
        "rate_10x",
        "M/M/1: at which arrival rate is the mean response time ten times D?",
        HIGH_UTILIZATION / D,
        unit="1/s",
        slips=(
            (1 / D, "that is the rate at which the CPU is always busy: there R has no bound at all"),
            (0.1 / D, "there U is 0.1; it is 1 − U that has to be 0.1"),
            (10 * RATE, "R is not proportional to the rate: D/(1 − U) = 10 D"),
            (1 / D / 9, "there U is 1/9; R = 10 D needs U = 0.9"),
            (10 / D, "that is ten times the largest possible rate; U would be 10"),
            (_constant(HIGH_UTILIZATION), "that is the utilization; the rate is U/D"),
            (HIGH_UTILIZATION * D, "you multiplied U by D; the rate is U/D"),
            (D / HIGH_UTILIZATION, "upside down: that is the mean gap; the rate is U/D"),
            (10 / 11 / D, "there the wait alone is ten times D; the response time has the service in it"),
            (HIGH_UTILIZATION * RATE, "that is 0.9 of the given rate; the rate at which U is 0.9 is 0.9/D"),
            ((1 - (1 - U) / 10) / D, "there R is ten times the R at the given rate; ten times D is asked for"),
            (HIGH_UTILIZATION / D - RATE, "that is how much the rate grows; the rate itself is asked for"),
            (1 / (1 - 0.1) / D, "that is above 1/D, where there is no steady state: U = 1 − 0.1, not 1/(1 − 0.1)"),
            (9 * RATE, "that is nine times the given rate; R is not proportional to the rate"),
            (HIGH_UTILIZATION / U, "that is how many times the rate grows; multiply by λ"),
            (1 / D - RATE, "that is how far the given rate is from the largest one, 1/D"),
            (9 / D, "there U would be 9; it is 1 − U = 0.1, so U = 0.9"),
            (HIGH_UTILIZATION / R, "you divided by R; the rate is U/D"),
            (10 * U, "that is ten times the utilization; the rate is 0.9/D"),
            (RATE / HIGH_UTILIZATION, "you divided the given rate by 0.9; the rate is 0.9/D"),
            (0.99 / D, "there R is a hundred times D"),
            (0.95 / D, "there R is twenty times D"),
            (1.1 / D, "there U is above 1, and the queue grows without limit"),
            (0.8 / D, "there R is five times D"),
            (0.1 * RATE, "you took a tenth of the given rate; 1 − U has to be 0.1"),
            (HIGH_UTILIZATION / D + RATE, "0.9/D is the whole rate: do not add the given one"),
        ),
    ),
    Question(
        "scatter",
        "30 simulations of 10,000 requests each at that rate (seeds 0 to 29, drawn as before): the standard deviation "
        "of their mean waits, relative to the mean of the 30.",
        SCATTER,
        unit="1",
        tolerance=0.01,
        slips=(
            (
                SCATTER / RUNS**0.5,
                "that is the standard error of the mean of all 30; the scatter of single simulations is asked for",
            ),
            (SCATTER**2, "that is the variance; its root is asked for"),
            (Formula(queue.scatter_of_one_generator), "you made one generator for all 30; each has a seed of its own"),
            (SCATTER * MEAN_WAIT, "that is in seconds; divide it by the mean of the 30"),
            (
                SCATTER * ((RUNS - 1) / RUNS) ** 0.5,
                "you divided by 30 in the variance; an estimate divides by 29 (ddof=1)",
            ),
            (MEAN_WAIT, "that is the mean of the 30 mean waits; their scatter is asked for"),
            (_repeated(lambda m: np.ptp(m) / m.mean()), "that is the range, largest less smallest, not the standard deviation"),
            (1 / SCATTER, "upside down: standard deviation over mean"),
            (
                Formula(lambda g: queue.scatter(queue.mean_responses(g))),
                "that is the scatter of the response times; of the waits is asked for",
            ),
            (
                Formula(lambda g: queue.scatter(queue.mean_waits(U(g))(g))),
                "that is at the given rate; take the rate at which R is ten times D",
            ),
            (
                1.96 * SCATTER,
                "that is the half-width for 95 % of the simulations; one standard deviation is asked for",
            ),
            (
                _constant(1 / queue.RUN_REQUESTS**0.5),
                "that would be so if waits were independent and as scattered as their mean; neighbours wait alike",
            ),
            (
                Formula(queue.scatter_of_requests),
                "that is the scatter of single requests within one simulation; of the 30 means is asked for",
            ),
            (
                Formula(lambda g: queue.scatter(queue.mean_waits(requests=20_000)(g))),
                "that is with 20,000 requests each; take 10,000",
            ),
            (
                Formula(lambda g: queue.scatter(queue.mean_waits(requests=1000)(g))),
                "that is with 1,000 requests each; take 10,000",
            ),
            (_repeated(lambda m: np.abs(m / m.mean() - 1).mean()), "that is the mean absolute deviation, not the standard one"),
            (_repeated(lambda m: np.median(np.abs(m / np.median(m) - 1))), "that is a median deviation, not the standard one"),
            (_repeated(lambda m: m.max() / m.min()), "that is the largest over the smallest, not the standard deviation"),
            (_repeated(lambda m: m.max() / m.mean() - 1), "that is how far the largest is off, not the standard deviation"),
            (_repeated(lambda m: 1 - m.min() / m.mean()), "that is how far the smallest is off, not the standard deviation"),
            (_constant(0.0), "each simulation needs a seed of its own, 0 to 29: are all yours equal?"),
            (2 * SCATTER, "those are two standard deviations; one is asked for"),
            (SCATTER / queue.RUN_REQUESTS**0.5, "do not divide by the root of the requests: the means scatter as they are"),
            (SCATTER * MEAN_WAIT / D, "that is in units of D; divide by the mean of the 30"),
            (_repeated(lambda m: np.ptp(m) / m.mean() / 2), "that is half of the range; the standard deviation is asked for"),
            (_repeated(lambda m: np.subtract(*np.percentile(m, (75, 25))) / m.mean()), "that is the interquartile range"),
            (_repeated(lambda m: np.log(m).std(ddof=1)), "that is the standard deviation of the logarithms"),
            (_repeated(lambda m: abs(m[0] / m.mean() - 1)), "that is how far the first one is off"),
            (2.045 * SCATTER / RUNS**0.5, "that is the half-width of an interval for the mean of all 30"),
        ),
        note="Ten thousand requests, and one simulation is commonly off by a fifth: requests that follow each other wait alike.",
    ),
    OpenQuestion(
        "how_sure",
        "A recorded run has some thousand requests at a utilization like that. What do you say about a mean response "
        "time that was measured once?",
        "That its error may be tens of percent by chance alone, although every single request was measured exactly: "
        "requests that follow each other wait in the same queue, so that at U = 0.9 ten thousand of them tell as much as "
        "some twenty independent ones (the coefficient of variation of one wait is 1.1, that of the mean 0.23). Repeat "
        "the run, give an interval from the repetitions (not from the requests of one), and do not call a model wrong "
        "for a difference within it.",
    ),
    OpenQuestion(
        "unseen",
        "On your host: which answers of this lesson are different, and which is the same to the last digit, and why?",
        "All but the relative scatter: at U = 0.9 all times are D times those of a queue with D = 1 and the same "
        "draws, so that the ratio of standard deviation and mean does not depend on D. (Where λ D is 1 or more, there"
        " is no mean.)",
    ),
)  # fmt: skip

LESSON = Lesson(
    number=3,
    name="03_one_queue",
    title="One queue: by simulation, then by theory",
    opening="The server is free for six tenths of the time. How often do you wait, and how long?",
    minutes=75,
    outcomes=(
        "Write Lindley's recursion in one line and simulate a queue with it.",
        "Derive R = D/(1 − U) from what a request finds and from Little's law, and state what it presumes: Poisson "
        "arrivals, and exponential services or processor sharing.",
        "Say how uncertain the mean of a simulation, or of a recorded run, is.",
    ),
    runs={"open": "first/web-080-poisson/web"},
    quantities=QUANTITIES,
    questions=QUESTIONS,
    books=(
        "Lindley, *The Theory of Queues with a Single Server*, Proceedings of the Cambridge Philosophical Society 48 "
        "(1952), page 277: the recursion.",
        "Kleinrock, *Queueing Systems*, volume I (1975), page 190: Pollaczek and Khinchine's formula.",
        "Harchol-Balter, *Performance Modeling and Design of Computer Systems* (2013), chapter 13: M/M/1 and PASTA; "
        "chapter 23: M/G/1 and the service in progress.",
        "Jain, *The Art of Computer Systems Performance Analysis* (1991), chapter 31: M/M/1 with its formulas in one "
        "box; chapter 25: how long a simulation must be.",
        "Lazowska, Zahorjan, Graham and Sevcik, *Quantitative System Performance* (1984), chapter 6: R = D/(1 − U) for "
        "an open service center, from the arrival theorem.",
    ),
    exam=(
        (
            "Requests arrive at random, 30 per second; each needs 20 ms, exponentially distributed. Give U, the share "
            "that waits, R and the mean number in the system.",
            "U = 0.6; share that waits 0.6 (PASTA); R = 20/(1 − 0.6) = 50 ms; N = 30 × 0.05 = 1.5.",
        ),
        (
            "The same with services of exactly 20 ms. Give the mean wait and R.",
            "W = U D/(1 − U)/2 = 0.6 × 20/0.4/2 = 15 ms; R = 35 ms.",
        ),
        (
            "From 80 to 90 % utilization the mean number in an M/M/1 queue grows by which factor? What does that mean "
            "for a single measurement at 90 %?",
            "From 0.8/0.2 = 4 to 0.9/0.1 = 9, by 2.25. Near saturation small changes of rate or demand move the mean "
            "much, and its estimate from one run scatters widely.",
        ),
    ),
    surprise="Thirty simulations of ten thousand requests each, of the same queue at U = 0.9, scatter by 23 %.",
    before_surprise="You simulate 10,000 requests. How close to the true mean will the result be: 0.1 %, 1 %, 10 %?",
    stuck="Draw three requests as bars on paper, with gap, wait and service, and let the group compute the third wait "
    "from the second by hand before it writes the loop.",
)  # fmt: skip

"""Questions of lesson 7: the published numbers against operational laws and bounds."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.course.audit import THREADS, Published, published
from pipeline.course.given import Given
from pipeline.course.question import (
    Choice,
    Question,
)


def paper(
    formula: Callable[[Published], float], server: str = "first", virtual_server: str = "db"
) -> Callable[[Given], float]:
    """A formula of a row of the published tables."""
    return lambda g: formula(published(g, server, virtual_server))


def one_thread(p: Published) -> float:
    """Transactions per second of a thread that meets nobody."""
    return 1 / sum(p.demands)


SECOND = "that is the second server; take the first"

LAWS = (
    Choice(
        "same_rate",
        "The published throughput of the web server is the same on both servers. What does that prove?",
        {
            "a": "that both servers are equally fast",
            "b": "that neither is saturated; else nothing: httperf was set to send that rate",
            "c": "that the network is the bottleneck",
            "d": "that the measurement is repeatable",
        },
        right="b",
        reasons={
            "a": "an open load of a given rate is answered at that rate by every server that can keep up",
            "c": "an open load has the throughput of its arrivals, wherever the bottleneck is",
            "d": "the client sets the rate; it is not measured at the server",
        },
    ),
    Question(
        "N",
        "Little's law: how many transactions of the database are in the system, by the published X and the sum of "
        "the published residence times?",
        paper(lambda p: p.throughput * p.response),
        unit="1",
        slips=(
            (
                paper(lambda p: THREADS * p.response),
                "N follows from the throughput: N = X R; the number of threads is compared afterwards",
            ),
            (
                paper(lambda p: p.throughput * p.response + 1),
                "N = X R counts all that are inside already: add nothing",
            ),
            (
                paper(
                    lambda p: sum(
                        p.throughput * r / (1 - p.throughput * r) for r in (p.cpu, p.vdisk, p.disk)
                    )
                ),
                "U/(1 − U) is of an open queue, and U = X D; N = X R needs neither",
            ),
            (
                lambda g: published(g, "second").throughput * published(g).response,
                "you took X of the second server; both numbers from the first",
            ),
            (
                lambda g: published(g).throughput * published(g, "second").response,
                "you took R of the second server; both numbers from the first",
            ),
            (
                paper(lambda p: p.throughput * p.response / 3),
                "that is with the mean of the three times; a transaction needs all three",
            ),
            (
                paper(lambda p: p.throughput * (p.cpu + p.vdisk - p.disk)),
                "you took the host's disk off; test the paper's own sum of three",
            ),
            (
                paper(lambda p: p.throughput * (p.vdisk + p.disk)),
                "the CPU's time is missing; take all three times",
            ),
            (
                paper(lambda p: p.throughput * (p.cpu + p.disk)),
                "the guest's disk is missing; take all three times",
            ),
            (
                paper(lambda p: p.throughput * p.disk),
                "that is at the host's disk alone; take all three times",
            ),
            (
                paper(lambda p: p.throughput * p.response / THREADS),
                "the threads are not in the law: N = X R",
            ),
            (
                paper(lambda p: p.throughput * p.response * THREADS),
                "the threads are not in the law: N = X R",
            ),
            (
                paper(lambda p: p.throughput * sum(p.demands)),
                "you took demands; take the published residence times",
            ),
            (paper(lambda p: p.response), "that is R, in seconds; N = X R"),
            (
                paper(lambda p: p.throughput * (p.cpu + p.vdisk)),
                "you left the host's disk out, as it is nested in the guest's; here test the paper's own sum of three",
            ),
            (
                paper(lambda p: p.throughput * p.vdisk),
                "that is at the guest's disk alone; take all three times",
            ),
            (
                paper(lambda p: p.throughput * p.cpu),
                "that is at the CPU alone; take all three times",
            ),
            (
                paper(lambda p: p.throughput / p.response),
                "multiply: N = X R, and the units cancel",
            ),
            (
                paper(lambda p: p.response / p.throughput),
                "multiply: N = X R, and the units cancel",
            ),
            (paper(lambda p: p.throughput * p.response, "second"), SECOND),
            (
                paper(lambda p: p.throughput * p.response, "first", "web"),
                "that is the web server; take the database",
            ),
            (lambda g: THREADS, "that is how many threads sysbench had; what do X and R say?"),
        ),
        note="sysbench had 16 threads without a pause: all 16 are in the system, always",
    ),
    Question(
        "gap",
        "By which factor does that miss the number of threads?",
        lambda g: THREADS / g.answer("N"),
        unit="1",
        needs=("N",),
        slips=(
            (
                paper(lambda p: THREADS / (p.throughput * sum(p.demands))),
                "N takes the published residence times, not the demands",
            ),
            (
                lambda g: THREADS - round(g.answer("N")),
                "that is the difference; a factor is asked for",
            ),
            (paper(lambda p: THREADS / (p.throughput * p.response), "second"), SECOND),
            (
                paper(lambda p: THREADS / (p.throughput * p.vdisk)),
                "that is with the guest's disk alone in N; take all three times",
            ),
            (
                lambda g: 1 - g.answer("N") / THREADS,
                "that is the share that is missing; the factor is asked for: threads over N",
            ),
            (
                lambda g: (THREADS - 1) / g.answer("N"),
                "all 16 threads count, also the one that you look at",
            ),
            (
                lambda g: 100 * (THREADS / g.answer("N") - 1),
                "that is by how many percent; the factor itself is asked for",
            ),
            (lambda g: g.answer("N") / THREADS, "upside down: threads over N"),
            (lambda g: THREADS - g.answer("N"), "that is the difference; a factor is asked for"),
            (
                lambda g: THREADS / g.answer("N") - 1,
                "that is by how much more; the factor itself is asked for",
            ),
            (
                paper(lambda p: THREADS / (p.throughput * (p.cpu + p.vdisk))),
                "you left the host's disk out of N",
            ),
        ),
    ),
    Question(
        "Z",
        "Which think time would correct it? (Interactive Response Time Law)",
        lambda g: THREADS / published(g).throughput - published(g).response,
        slips=(
            (
                lambda g: 1 - g.answer("N") / THREADS,
                "that is the share of the threads that pause; Z is a time, N/X − R",
            ),
            (
                paper(lambda p: 1 / p.throughput - p.response / THREADS),
                "that is a sixteenth of it: each of the 16 threads pauses for Z",
            ),
            (
                paper(lambda p: p.response - 1 / p.throughput),
                "one thread's N, and upside down: Z = N/X − R, N is 16",
            ),
            (
                paper(lambda p: THREADS * p.response - 1 / p.throughput),
                "Z = N/X − R: the 16 belongs to 1/X, not to R",
            ),
            (
                paper(lambda p: p.response - THREADS / p.throughput),
                "the sign is turned: Z = N/X − R",
            ),
            (
                paper(lambda p: THREADS / p.throughput - sum(p.demands)),
                "you took demands off; take the published R off",
            ),
            (
                paper(lambda p: THREADS / p.throughput - p.vdisk),
                "you took the guest's disk alone for R; take the sum of three",
            ),
            (
                paper(lambda p: THREADS - p.throughput * p.response),
                "that is the number of threads that pause; Z is that over X",
            ),
            (
                paper(lambda p: THREADS * p.throughput - p.response),
                "N over X, not times: the units must be seconds",
            ),
            (
                paper(lambda p: THREADS / p.throughput),
                "that is N/X, a thread's whole cycle; take R off",
            ),
            (
                paper(lambda p: THREADS / p.throughput + p.response),
                "take R off, do not add it: N/X = R + Z",
            ),
            (
                paper(lambda p: (THREADS - 1) / p.throughput - p.response),
                "all 16 threads count, also the one that you look at",
            ),
            (
                paper(lambda p: THREADS / p.throughput - p.cpu - p.vdisk),
                "you left the host's disk out of R; here test the paper's own sum of three",
            ),
            (paper(lambda p: THREADS * p.response), "that is N R; the law is Z = N/X − R"),
            (paper(lambda p: 1 / p.throughput - p.response), "one thread's N; there are 16"),
            (paper(lambda p: THREADS / p.throughput - p.response, "second"), SECOND),
        ),
        note="sysbench's threads do not pause",
    ),
    Question(
        "D_vdisk",
        "Equation (10) backwards: which demand at the guest's disk is behind the published residence time?",
        paper(lambda p: p.demands[1]),
        slips=(
            (
                paper(lambda p: p.vdisk / 2),
                "that is as if the disk were busy for half of the time; U = X D is unknown, too: solve for D",
            ),
            (
                paper(lambda p: (1 - p.throughput * p.vdisk) / p.vdisk),
                "that is upside down, and in R = D/(1 − U) the U is X D, not X R",
            ),
            (
                paper(lambda p: p.vdisk / (1 - p.vdisk)),
                "X is missing, and the sign is plus: D = R/(1 + X R)",
            ),
            (
                lambda g: (
                    published(g).vdisk
                    / (1 + published(g, "second").throughput * published(g).vdisk)
                ),
                "you took X of the second server; both numbers from the first",
            ),
            (
                paper(lambda p: p.disk / (1 + p.throughput * p.vdisk)),
                "R is of the host's disk, X R of the guest's; take both of the guest's",
            ),
            (paper(lambda p: p.vdisk / (1 + p.vdisk)), "X is missing: D = R/(1 + X R)"),
            (
                paper(lambda p: p.cpu / (1 + p.throughput * p.cpu)),
                "that is of the CPU's time, which is a demand already; the guest's disk is asked for",
            ),
            (
                paper(lambda p: p.vdisk - p.disk),
                "that is the guest's time without the host's; turn equation (10) round",
            ),
            (
                paper(lambda p: p.vdisk / (1 + THREADS)),
                "an open formula has no threads: D = R/(1 + X R)",
            ),
            (paper(lambda p: p.vdisk / THREADS), "an open formula has no threads: D = R/(1 + X R)"),
            (
                paper(lambda p: p.response / (1 + p.throughput * p.response)),
                "you took the sum of three times; take the guest's disk",
            ),
            (
                paper(lambda p: p.vdisk / (1 + p.throughput * p.response)),
                "you took X R of the sum; take that of the guest's disk",
            ),
            (
                paper(lambda p: p.vdisk / (2 - p.throughput * p.vdisk)),
                "solve R (1 − X D) = D for D: R = D (1 + X R)",
            ),
            (
                paper(lambda p: p.vdisk * (1 - p.throughput * p.vdisk)),
                "in R = D/(1 − U) the U is X D, not X R: solve for D",
            ),
            (paper(lambda p: p.vdisk), "that is R, waiting included; D is smaller"),
            (
                paper(lambda p: p.vdisk / (1 - p.throughput * p.vdisk)),
                "D = R/(1 + X R): plus, and D is smaller than R",
            ),
            (
                paper(lambda p: p.vdisk * (1 + p.throughput * p.vdisk)),
                "divide by 1 + X R, do not multiply: D is smaller than R",
            ),
            (
                paper(lambda p: p.throughput * p.demands[1]),
                "that is the utilization X D; D itself is asked for",
            ),
            (
                paper(lambda p: p.throughput * p.vdisk),
                "that is X R, the mean number at the disk; D is asked for",
            ),
            (paper(lambda p: p.demands[2]), "that is the host's disk; the guest's is asked for"),
            (paper(lambda p: p.demands[1], "second"), SECOND),
            (
                paper(lambda p: 1 / p.throughput),
                "that is 1/X, the largest D that any station can have",
            ),
        ),
    ),
)

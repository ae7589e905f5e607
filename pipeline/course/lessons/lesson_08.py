"""Lesson 8: closed systems and Mean Value Analysis."""

from __future__ import annotations

import numpy as np

from pipeline.course.given import Given
from pipeline.course.question import (
    Choice,
    Lesson,
    OpenQuestion,
    Order,
    Prediction,
    Quantity,
    Question,
)
from pipeline.network.closed import ClosedSolution, mean_value_analysis

BOOK_DEMANDS_S, BOOK_THINK_TIME_S = (0.605, 2.1, 1.35), 15.0
"""The example of Lazowska et al., chapter 6."""


def demands(g: Given, role: str = "closed") -> np.ndarray:
    """Service demands of a run, net of background: CPU, host's disk, virtualization layer; seconds."""
    row = g.run(role)
    layer = max(row["D_vdisk_net_s"] - row["D_disk_net_s"], 0.0)
    return np.array([row["R_cpu_net_s"], row["D_disk_net_s"], layer])


def threads(g: Given, role: str = "closed") -> int:
    """Threads of a closed load."""
    return int(g.run(role)["threads"])


def solved(g: Given, population: int, role: str = "closed") -> ClosedSolution:
    """The network with the demands of a run and that many threads, by Mean Value Analysis."""
    return mean_value_analysis(demands(g, role), population)


def response_of_two(g: Given) -> float:
    """R(2) = Σ D_k (1 + D_k / R(1))."""
    d = demands(g)
    return float((d * (1 + d / g.answer("R_1"))).sum())


def queues_of_two(g: Given) -> np.ndarray:
    """Q_k(2) = 2 R_k(2) / R(2)."""
    residence = residence_of_two(g)
    return 2 * residence / residence.sum()


def residence_of_two(g: Given) -> np.ndarray:
    """R_k(2) = D_k (1 + Q_k(1))."""
    d = demands(g)
    return d * (1 + d / d.sum())


def book(population: int) -> ClosedSolution:
    """The textbook's network."""
    return mean_value_analysis(BOOK_DEMANDS_S, population, BOOK_THINK_TIME_S)


def host_response(g: Given, cpu_s: float, cpus: float) -> float:
    """R = N/X of a closed load whose throughput the host's CPU limits to cpus / cpu_s."""
    return threads(g) * cpu_s / cpus


def host_cpu(g: Given) -> float:
    """CPU time of the host per transaction, all of QEMU."""
    return g.value("T_qemu") / g.value("C")


QUANTITIES = (
    Quantity("N", lambda g: threads(g), "1", "threads of `first/db-16-a`, without think time"),
    Quantity("D_cpu", lambda g: demands(g)[0], "s", "CPU of the guest per transaction, net of background"),
    Quantity("D_disk", lambda g: demands(g)[1], "s", "the host's disk per transaction"),
    Quantity("D_layer", lambda g: demands(g)[2], "s", "the virtualization layer above it, per transaction"),
    Quantity("C", lambda g: g.run("closed")["lambda_total"], "1", "transactions completed"),
    Quantity("T_qemu", lambda g: g.run("closed")["T_qemu_s"], "s", "CPU time that the host gave to the guest's QEMU"),
    Quantity("U_idle", lambda g: g.run("neighbour")["U_qemu"], "1", "share of the host's CPU that the idle neighbour uses"),
    Quantity("D_cpu_1", lambda g: demands(g, "one")[0], "s", "`db-01-sweep`, one thread: CPU"),
    Quantity("D_disk_1", lambda g: demands(g, "one")[1], "s", "… the host's disk"),
    Quantity("D_layer_1", lambda g: demands(g, "one")[2], "s", "… the layer"),
    Quantity("D_cpu_7", lambda g: demands(g, "one_7")[0], "s", "`db-01-sweep-7`, one thread on another day: CPU"),
    Quantity("D_disk_7", lambda g: demands(g, "one_7")[1], "s", "… the host's disk"),
    Quantity("D_layer_7", lambda g: demands(g, "one_7")[2], "s", "… the layer"),
    Quantity("N_7", lambda g: threads(g, "all_7"), "1", "threads of `db-32-sweep-7`, recorded on that day, too"),
)  # fmt: skip

ONE_THREAD = (
    Prediction(
        "R_N",
        "Before any computation: how long does a transaction take, on the mean, when all N threads compete?",
        lambda g: g.run("closed")["R_client_s"],
    ),
    Question(
        "R_1",
        "One thread is alone in the system. What is its response time R(1)?",
        lambda g: demands(g).sum(),
        slips=(
            (lambda g: demands(g).max(), "that is the largest demand alone; a transaction visits all three stations"),
            (lambda g: demands(g)[:2].sum(), "the layer is missing"),
            (lambda g: demands(g)[1:].sum(), "the CPU is missing"),
            (lambda g: demands(g)[0] + demands(g)[2], "the host's disk is missing"),
            (lambda g: demands(g).sum() + demands(g)[1], "the host's disk is in there two times: the guest's disk contains it"),
            (lambda g: demands(g).mean(), "that is the mean demand; the times at the stations are added"),
            (lambda g: g.run("closed")["threads"] / g.run("closed")["X_per_s"], "that is N/X, of all N threads; here one thread is alone"),
            (lambda g: g.run("closed")["R_client_s"], "that was measured with all N threads; here one thread is alone"),
            (lambda g: (demands(g) / (1 - g.run("closed")["X_per_s"] * demands(g))).sum(), "nobody queues: one thread alone never waits, so R_k(1) = D_k"),
            (lambda g: demands(g, "one").sum(), "those are the demands of `db-01-sweep`; take D_cpu, D_disk and D_layer"),
            (lambda g: demands(g, "one_7").sum(), "those are the demands of `db-01-sweep-7`; take D_cpu, D_disk and D_layer"),
            (lambda g: threads(g) * demands(g).sum(), "that is N times too much: one thread is alone"),
            (lambda g: demands(g).sum() / threads(g), "the demands are of one transaction already: do not divide by N"),
            (lambda g: host_cpu(g) + demands(g)[1:].sum(), "that takes the CPU time of QEMU; the station is the guest's CPU, D_cpu"),
        ),
    ),
    Question(
        "Q_cpu_1",
        "How many transactions are at the CPU, on the mean, while one thread runs? Little's law: Q_k = X R_k.",
        lambda g: demands(g)[0] / g.answer("R_1"),
        unit="1",
        needs=("R_1",),
        slips=(
            (lambda g: 1.0, "the thread is at the disk and in the layer for a part of its time"),
            (lambda g: demands(g)[1] / demands(g).sum(), "that is the host's disk"),
            (lambda g: demands(g)[2] / demands(g).sum(), "that is the layer"),
            (lambda g: demands(g)[1:].sum() / demands(g).sum(), "that is the disk and the layer together"),
            (lambda g: 1 / 3, "the three stations are not visited for equally long: weight them by their demands"),
            (lambda g: 1 / demands(g).sum(), "that is the throughput X(1); multiply it by the residence time at the CPU"),
            (lambda g: g.run("closed")["X_per_s"] * demands(g)[0], "that X is the throughput of N threads; one thread completes 1/R(1)"),
            (lambda g: threads(g) * demands(g)[0] / demands(g).sum(), "that is for N threads; one thread runs"),
            (lambda g: demands(g)[0] / demands(g)[:2].sum(), "the layer is missing in R(1)"),
            (lambda g: demands(g)[0] / demands(g)[1:].sum(), "that is U/(1 − U), of an open queue; one thread never waits: Q = X D"),
            (lambda g: demands(g)[0] / g.run("closed")["R_client_s"], "R is that of one thread, not of N"),
        ),
    ),
)  # fmt: skip

FEW_THREADS = (
    Question(
        "R_2",
        "And the response time R(2) of two threads?",
        response_of_two,
        needs=("R_1",),
        slips=(
            (lambda g: 2 * demands(g).sum(), "only if both were always at the same station"),
            (lambda g: demands(g).sum(), "that is one thread alone; the second one makes it wait at times"),
            (lambda g: (demands(g) / (1 - demands(g) / demands(g).sum())).sum(), "that is D/(1 − U), the formula of an open queue"),
            (lambda g: demands(g).sum() + demands(g).max(), "that waits for a whole service at the largest station; each station has its own queue Q_k(1), which is less than one"),
            (lambda g: (demands(g) * (1 + solved(g, 2).throughput * demands(g))).sum(), "an arriving thread finds what one thread leaves, Q_k(1), not the utilization of two"),
            (lambda g: (demands(g) * (1 + solved(g, 2).queue_lengths)).sum(), "that takes Q_k(2), its own presence included; an arriving thread finds Q_k(1)"),
            (lambda g: demands(g).sum() + demands(g).max() ** 2 / demands(g).sum(), "only the largest station has a queue there; all three have one"),
            (lambda g: 2 / g.run("closed")["X_per_s"], "that takes the throughput of N threads for that of two"),
            (lambda g: (demands(g) ** 2).sum() / demands(g).sum(), "that is the waiting alone; the services are missing: 1 + Q_k(1)"),
            (lambda g: 1.5 * demands(g).sum(), "that lets it wait for half of R(1); each station has its own queue Q_k(1)"),
            (lambda g: (demands(g) * (1 + demands(g) / demands(g).sum() / 2)).sum(), "it waits for all that it finds, not for half of it"),
            (lambda g: (demands(g)[:2] * (1 + demands(g)[:2] / demands(g).sum())).sum(), "the layer is missing"),
            (lambda g: demands(g).sum() + 1, "demands and queue lengths cannot be added: R_k = D_k (1 + Q_k)"),
            (lambda g: (demands(g) * (1 - demands(g) / demands(g).sum())).sum(), "it is 1 + Q_k, not 1 − Q_k"),
            (lambda g: (demands(g) * (1 + 2 * demands(g) / demands(g).sum())).sum(), "it finds the other thread alone: Q_k(1), not 2 Q_k(1)"),
        ),
    ),
    Question(
        "R_3",
        "And of three, R(3)? First X(2) = 2/R(2), then the queues Q_k(2) that two threads leave.",
        lambda g: solved(g, 3).response_time,
        slips=(
            (lambda g: solved(g, 2).response_time, "that is R(2): the queues are still those of one thread"),
            (lambda g: solved(g, 4).response_time, "that is R(4): one step too many"),
            (lambda g: 3 * demands(g).sum(), "only if all three were always at the same station"),
            (lambda g: (demands(g) * (1 + residence_of_two(g) / residence_of_two(g).sum())).sum(), "the queues are X(2) R_k(2) with X(2) = 2/R(2); the 2 is missing"),
            (lambda g: (demands(g) * (1 + 2 * demands(g) / demands(g).sum())).sum(), "two threads do not leave twice the queue of one: Q_k(2) = X(2) R_k(2)"),
            (lambda g: (demands(g) * (1 + 2 * demands(g) / residence_of_two(g).sum())).sum(), "X(2) D_k is the utilization; the queue is X(2) R_k(2)"),
            (lambda g: (demands(g) * (1 + 3 * residence_of_two(g) / residence_of_two(g).sum())).sum(), "three threads are one too many: an arriving thread finds the queues of the other two"),
            (lambda g: (residence_of_two(g) * (1 + queues_of_two(g))).sum(), "the factor is the demand D_k, not the residence time R_k(2)"),
            (lambda g: 1.5 * solved(g, 2).response_time, "that takes X(3) = X(2): true of a saturated system only"),
            (lambda g: (demands(g) * (1 + residence_of_two(g) / demands(g).sum())).sum(), "that takes X(1); two threads complete X(2) = 2/R(2)"),
            (lambda g: (demands(g) * (1 + queues_of_two(g) + demands(g) / demands(g).sum())).sum(), "it finds Q_k(2); Q_k(1) is not added to it"),
            (lambda g: (demands(g)[:2] * (1 + queues_of_two(g)[:2])).sum(), "the layer is missing"),
            (lambda g: (residence_of_two(g) * (1 + demands(g) / demands(g).sum())).sum(), "the factor is the demand D_k, and the queue Q_k(2)"),
            (lambda g: solved(g, 3).throughput, "that is X(3); R(3) = 3/X(3)"),
            (lambda g: demands(g).sum() + 2 * demands(g).max(), "that waits for two whole services at the largest station; each station has its own queue Q_k(2)"),
        ),
    ),
    Order(
        "mva",
        "Put the algorithm into its order.",
        (
            "begin with empty queues: Q_k(0) = 0",
            "residence time at each station: R_k(n) = D_k (1 + Q_k(n − 1))",
            "response time of the system: R(n) = Σ R_k(n)",
            "throughput: X(n) = n / (Z + R(n))",
            "queue lengths: Q_k(n) = X(n) R_k(n)",
            "the next n, until N",
        ),
        {
            "begin with empty queues: Q_k(0) = 0": "it is needed before the first thread, and only once",
            "residence time at each station: R_k(n) = D_k (1 + Q_k(n − 1))": "it takes the queues of the step before",
            "response time of the system: R(n) = Σ R_k(n)": "it is the sum of the residence times",
            "throughput: X(n) = n / (Z + R(n))": "it takes R(n)",
            "queue lengths: Q_k(n) = X(n) R_k(n)": "they take X(n)",
            "the next n, until N": "it takes the queue lengths of this n",
        },
    ),
    Question(
        "X_book",
        "Test your function on a textbook's network: demands 0.605, 2.1 and 1.35 s, think time Z = 15 s, three customers. "
        "Throughput X(3)?",
        lambda g: book(3).throughput,
        unit="1/s",
        slips=(
            (lambda g: mean_value_analysis(BOOK_DEMANDS_S, 3).throughput, "the think time is missing: X(n) = n / (Z + R(n))"),
            (lambda g: book(2).throughput, "that is X(2): the loop ends one step early"),
            (lambda g: book(4).throughput, "that is X(4): the loop ends one step late"),
            (lambda g: 3 / (BOOK_THINK_TIME_S + sum(BOOK_DEMANDS_S)), "as if nobody ever waited"),
            (lambda g: book(1).throughput, "that is X(1)"),
            (lambda g: mean_value_analysis([*BOOK_DEMANDS_S, BOOK_THINK_TIME_S], 3).throughput, "thinking is no station with a queue; nobody waits to think"),
            (lambda g: book(3).response_time, "that is R(3), in seconds"),
            (lambda g: 1 / max(BOOK_DEMANDS_S), "that is the most that any number of customers can reach"),
            (lambda g: 3 / book(3).response_time, "R(3) alone; a customer thinks for Z between two: X(n) = n / (Z + R(n))"),
            (lambda g: 3 / (BOOK_THINK_TIME_S + 3 * sum(BOOK_DEMANDS_S)), "that is the lower bound: each waits for the two others everywhere"),
            (lambda g: mean_value_analysis(BOOK_DEMANDS_S[:2], 3, BOOK_THINK_TIME_S).throughput, "the third station is missing"),
            (lambda g: 3 / BOOK_THINK_TIME_S, "R(3) is missing: X(n) = n / (Z + R(n))"),
            (lambda g: mean_value_analysis(BOOK_DEMANDS_S, threads(g), BOOK_THINK_TIME_S).throughput, "three customers, not N"),
            (lambda g: mean_value_analysis(BOOK_DEMANDS_S, 3, BOOK_THINK_TIME_S / 3).throughput, "each customer thinks for all of Z"),
        ),
    ),
)  # fmt: skip

ALL_THREADS = (
    Question(
        "X_N",
        "Throughput X(N) of all N threads, by your function",
        lambda g: solved(g, threads(g)).throughput,
        unit="1/s",
        tolerance=0.002,
        slips=(
            (lambda g: 1 / demands(g).sum(), "that is one thread alone"),
            (lambda g: threads(g) / demands(g).sum(), "as if nobody waited"),
            (lambda g: 1 / demands(g)[1], "that is the limit of the host's disk"),
            (lambda g: 1 / demands(g)[1:].sum(), "that is the limit of the guest's disk"),
            (lambda g: g.run("closed")["X_per_s"], "that is what was measured; the model's is asked for"),
            (lambda g: solved(g, 2).throughput, "that is X(2)"),
            (lambda g: solved(g, 3).throughput, "that is X(3)"),
            (lambda g: solved(g, threads(g), "one").throughput, "those are the demands of `db-01-sweep`"),
            (lambda g: solved(g, threads(g), "one_7").throughput, "those are the demands of `db-01-sweep-7`"),
            (lambda g: threads(g) / g.run("closed")["R_client_s"], "that is N over the measured response time; the model's throughput is asked for"),
            (lambda g: (1 - g.value("U_idle")) / host_cpu(g), "that is what the host's CPU allows; the loop is asked for"),
            (lambda g: threads(g) / (demands(g).sum() + (threads(g) - 1) * demands(g).max()), "that is a bound; the loop is asked for"),
        ),
    ),
    Question(
        "R_N_model",
        "Response time R(N) of all N threads",
        lambda g: solved(g, threads(g)).response_time,
        slips=(
            (lambda g: threads(g) * demands(g).sum(), "that is the upper bound: every thread waits for all the others at every station"),
            (lambda g: g.run("closed")["R_as_printed_s"], "those are the paper's equations, an open formula"),
            (lambda g: g.run("closed")["R_sum_s"], "that is an open formula"),
            (lambda g: g.run("closed")["R_nested_s"], "that is an open formula"),
            (lambda g: g.run("closed")["R_client_s"], "that is what the client measured"),
            (lambda g: threads(g) / g.run("closed")["X_per_s"], "that is N over the measured throughput; the model's is asked for"),
            (lambda g: solved(g, threads(g) - 1).response_time, "the loop ends one step early: that is R(N − 1)"),
            (lambda g: solved(g, threads(g) + 1).response_time, "the loop ends one step late: that is R(N + 1)"),
            (lambda g: demands(g).sum() * (1 + solved(g, threads(g) - 1).queue_lengths.max()), "the longest queue was used at every station; each has its own"),
            (lambda g: solved(g, threads(g), "one").response_time, "those are the demands of `db-01-sweep`"),
            (lambda g: solved(g, threads(g), "one_7").response_time, "those are the demands of `db-01-sweep-7`"),
            (lambda g: demands(g).sum() + (threads(g) - 1) * demands(g).max(), "that is a bound: it waits for all others at the largest station"),
            (lambda g: threads(g) * demands(g).mean(), "that would be so if the stations had equal demands and no queue were longer than another"),
            (lambda g: threads(g) * host_cpu(g), "that is from the host's CPU; the loop with D_cpu, D_disk and D_layer is asked for"),
            (lambda g: (demands(g) * (1 + threads(g))).sum(), "an arriving thread does not find all threads at every station, but Q_k(N − 1)"),
        ),
    ),
    Choice(
        "open",
        "Why is R = D/(1 − U) no formula for this load?",
        {
            "a": "The utilization is close to 1, where the formula is not accurate.",
            "b": "A new transaction begins only when another one ends: at most N are inside, and the queue limits the arrivals.",
            "c": "There are three stations, and the formula holds for one.",
            "d": "It takes the mean demand, but transactions differ.",
        },
        "b",
        {
            "a": "for Poisson arrivals it is exact at every U below 1; these are no Poisson arrivals",
            "c": "it can be applied to each station of an open network; this one is closed",
            "d": "so does Mean Value Analysis; what differs is who arrives, and when",
        },
        note="U is an outcome here, not an input",
    ),
    Question(
        "error",
        "By which share does R(N) differ from what the client measured? (model minus measured, relative to measured)",
        lambda g: solved(g, threads(g)).response_time / g.run("closed")["R_client_s"] - 1,
        unit="1",
        tolerance=0.02,
        slips=(
            (lambda g: 1 - g.run("closed")["R_client_s"] / solved(g, threads(g)).response_time, "relative to the measured time, not to the model's"),
            (lambda g: g.run("closed")["R_client_s"] / solved(g, threads(g)).response_time - 1, "model minus measured, relative to measured; that is the other way round"),
            (lambda g: solved(g, threads(g)).response_time - g.run("closed")["R_client_s"], "that is the difference in seconds; divide it by the measured time"),
            (lambda g: solved(g, threads(g)).response_time / g.run("closed")["R_client_s"], "that is the ratio; subtract 1"),
            (lambda g: g.run("closed")["X_per_s"] / solved(g, threads(g)).throughput - 1, "that compares with N/X; the client's mean response time is asked for"),
            (lambda g: 1 - solved(g, threads(g)).response_time / g.run("closed")["R_client_s"], "the sign: model minus measured"),
            (lambda g: g.run("closed")["R_client_s"] - solved(g, threads(g)).response_time, "that is the difference in seconds; divide it by the measured time"),
            (lambda g: 2 * (solved(g, threads(g)).response_time - g.run("closed")["R_client_s"]) / (solved(g, threads(g)).response_time + g.run("closed")["R_client_s"]), "relative to the measured time, not to the mean of both"),
            (lambda g: demands(g).sum() / g.run("closed")["R_client_s"] - 1, "that is R(1); take R(N)"),
            (lambda g: g.run("closed")["R_client_s"] / solved(g, threads(g)).response_time, "that is measured over model; subtract 1 from model over measured"),
        ),
    ),
)  # fmt: skip

HOST_AND_SWEEPS = (
    Question(
        "R_N_host",
        "The CPU that limits is the host's. What its QEMU used per transaction is a demand, too; the idle neighbour takes its "
        "share of that CPU first. Which R(N) follows?",
        lambda g: host_response(g, host_cpu(g), 1 - g.value("U_idle")),
        tolerance=0.003,
        slips=(
            (lambda g: host_response(g, host_cpu(g), 1), "the neighbour takes its part of the CPU, too"),
            (lambda g: host_cpu(g) / (1 - g.value("U_idle")), "that is the time between two completions; N threads wait for them"),
            (lambda g: host_response(g, host_cpu(g), 1 / (1 - g.value("U_idle"))), "the neighbour leaves less CPU: divide by 1 − U_idle"),
            (lambda g: host_response(g, host_cpu(g), 1 / (1 + g.value("U_idle"))), "divide by what is free, 1 − U_idle"),
            (lambda g: host_response(g, host_cpu(g), g.value("U_idle")), "divide by what is free, 1 − U_idle, not by what the neighbour uses"),
            (lambda g: host_response(g, demands(g)[0], 1 - g.value("U_idle")), "that is the guest's own CPU time; QEMU's is asked for"),
            (lambda g: g.value("N") / (g.run("closed")["T_qemu_s"] / g.run("closed")["T_s"]), "divide QEMU's CPU time by the transactions, not by the seconds"),
            (lambda g: (1 - g.value("U_idle")) / host_cpu(g), "that is X; R = N/X"),
            (lambda g: 1 / host_cpu(g), "that is X, without the neighbour; R = N/X"),
            (lambda g: host_response(g, host_cpu(g) + demands(g)[1:].sum(), 1 - g.value("U_idle")), "while the CPU limits, the disk works meanwhile: add nothing"),
            (lambda g: host_response(g, host_cpu(g), 1 - g.value("U_idle")) * (1 - 1 / threads(g)), "all N threads count, also the one that is served"),
            (lambda g: threads(g) / g.run("closed")["X_per_s"], "that is N over the measured throughput; compute X from T_qemu, C and U_idle"),
        ),
        note="Compare it with what the client measured: the error of R(N) was in a demand, not in the form of the model",
    ),
    Question(
        "X_most",
        "From the run of one thread, `db-01-sweep`: the largest throughput that any number of threads can reach",
        lambda g: 1 / demands(g, "one").max(),
        unit="1/s",
        slips=(
            (lambda g: 1 / demands(g, "one").sum(), "that is one thread's own throughput"),
            (lambda g: 1 / demands(g, "one").min(), "that is the limit of the smallest demand; the largest limits"),
            (lambda g: 1 / np.sort(demands(g, "one"))[1], "that is the limit of another station; the largest demand limits"),
            (lambda g: 1 / demands(g).max(), "that is from the demands of `db-16-a`"),
            (lambda g: 1 / demands(g, "one_7").max(), "that is from the other sweep, `db-01-sweep-7`"),
            (lambda g: 32 / demands(g, "one").sum(), "as if nobody waited"),
            (lambda g: g.run("one")["X_per_s"], "that is what one thread reached"),
            (lambda g: g.run("all")["X_per_s"], "that is what was measured with 32 threads; compute the bound"),
            (lambda g: 1 / demands(g, "one").mean(), "that takes the mean demand; the largest limits"),
            (lambda g: 1 / demands(g, "one")[1:].sum(), "that is the limit of the guest's disk; the largest demand limits"),
            (lambda g: 32 / demands(g, "one").max(), "32 threads share one CPU: the bound does not grow with them"),
            (lambda g: 1 / demands(g, "one")[:2].sum(), "that is a thread alone, without the layer; the largest demand alone limits"),
        ),
        note="Compare it with the throughput that 32 threads reached a few minutes later",
    ),
    Question(
        "R_N_7",
        "From the run of one thread `db-01-sweep-7`, by your function: the response time of N_7 threads",
        lambda g: solved(g, threads(g, "all_7"), "one_7").response_time,
        tolerance=0.003,
        slips=(
            (lambda g: threads(g, "all_7") * demands(g, "one_7").sum(), "that is the upper bound: everyone waits for everyone"),
            (lambda g: solved(g, threads(g, "all_7"), "one").response_time, "those are the demands of the other sweep"),
            (lambda g: solved(g, threads(g, "all_7"), "closed").response_time, "those are the demands of `db-16-a`"),
            (lambda g: solved(g, threads(g), "one_7").response_time, "that is for the N threads of `db-16-a`; N_7 are asked for"),
            (lambda g: demands(g, "one_7").sum(), "that is one thread"),
            (lambda g: solved(g, threads(g, "all_7") - 1, "one_7").response_time, "the loop ends one step early"),
            (lambda g: solved(g, threads(g, "all_7") + 1, "one_7").response_time, "the loop ends one step late"),
            (lambda g: solved(g, threads(g, "all_7"), "all_7").response_time, "those are the demands of `db-32-sweep-7` itself; take those of one thread"),
            (lambda g: g.run("all_7")["R_client_s"], "that is what the client measured; compute it"),
            (lambda g: solved(g, threads(g, "all_7"), "one_7").throughput, "that is the throughput"),
            (lambda g: threads(g) * demands(g, "one_7").sum(), "that is the upper bound for the N threads of `db-16-a`"),
            (lambda g: threads(g, "all_7") * demands(g, "one_7").mean(), "that would be so if the stations had equal demands"),
        ),
        note="Compare it with what the client measured",
    ),
    OpenQuestion(
        "form",
        "The same theorem is close for one sweep and impossible for the other. Is that an error of the model's form or of its "
        "demands? How would you tell them apart?",
        "The form is the same, so the demands differ: they are not constants, they fell between the run of one thread and that "
        "of 32. With each run's own demands, what is left is an error of form or of a missing demand: it has the same sign in "
        "all runs, because no demand of the guest includes QEMU's own CPU time. A test: take the demands of the run itself, or "
        "the host's CPU.",
    ),
)  # fmt: skip

LESSON = Lesson(
    number=8,
    name="08_closed_systems",
    title="Closed systems and Mean Value Analysis",
    opening="Sixteen threads, no pause. If I know what one transaction needs, do I know how long it takes when sixteen "
    "compete?",
    minutes=90,
    outcomes=(
        "Do Mean Value Analysis by hand for one, two and three threads, and write it as a loop.",
        "Say why R = D/(1 − U) does not hold for a closed load.",
        "Tell an error of the model's form from an error of its demands.",
    ),
    runs={
        "closed": "first/db-16-a/db",
        "neighbour": "first/db-16-a/web",
        "one": "first/db-01-sweep/db",
        "all": "first/db-32-sweep/db",
        "one_7": "first/db-01-sweep-7/db",
        "all_7": "first/db-32-sweep-7/db",
    },
    families={
        "sweep": tuple(f"first/db-{n:02d}-sweep/db" for n in (1, 2, 4, 8, 16, 32)),
        "sweep_7": tuple(f"first/db-{n:02d}-sweep-7/db" for n in (1, 2, 4, 8, 16, 32)),
    },
    quantities=QUANTITIES,
    questions=(*ONE_THREAD, *FEW_THREADS, *ALL_THREADS, *HOST_AND_SWEEPS),
    surprise="From one thread's run of one day, Mean Value Analysis gives the response time up to 32 threads within a few "
    "percent; from that of another day it calls a throughput impossible that was recorded minutes later. The theorem is "
    "the same; the demands are not constants.",
    before_surprise="Both sweeps ran on the same machine. Will the run of one thread predict 32 threads equally well in both?",
    stuck="Let the group play it: one person is a thread, three chairs are the stations. Ask the second person what she finds "
    "at the CPU when she arrives, on the mean. If the loop fails, print n, R, X and the queues of n = 1, 2, 3 and compare "
    "them with those computed by hand.",
    books=(
        "Mean Value Analysis and the arrival theorem: Reiser and Lavenberg, J. ACM 27 (1980) 313.",
        "The algorithm: Lazowska et al., Quantitative System Performance (1984), algorithm 6.2, page 113.",
        "Closed networks with measured demands: Menascé, Almeida and Dowdy, Performance by Design (2004), chapter 12.",
        "The same with examples by hand: Jain, The Art of Computer Systems Performance Analysis (1991), chapter 34.",
        "Why an arriving customer finds the network without itself: Harchol-Balter, Performance Modeling and Design of "
        "Computer Systems (2013), chapters 17 and 18.",
    ),
    exam=(
        (
            "Two stations with demands 20 and 10 ms, no think time. Compute R(1), R(2) and X(2).",
            "R(1) = 30 ms; Q(1) = 2/3 and 1/3; R(2) = 20 · 5/3 + 10 · 4/3 = 46.7 ms; X(2) = 2/R(2) = 42.9 per second.",
        ),
        (
            "Why does an arriving thread find the queues of a system with one thread fewer?",
            "It is not in a queue itself while it arrives; the other n − 1 threads form the same network, and in a product-form "
            "network they are seen in their own steady state (arrival theorem).",
        ),
        (
            "Mean Value Analysis is 12 % below the measured response time in every run. Someone multiplies all demands by 1.13. "
            "What is wrong with that?",
            "It fits the runs at hand, but it says that every station is slower; if CPU time of the hypervisor is missing, only "
            "one demand is too small, and the correction fails as soon as another station limits.",
        ),
    ),
)

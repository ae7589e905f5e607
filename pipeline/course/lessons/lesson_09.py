"""Lesson 9: bounds, what if, capacity."""

from __future__ import annotations

import itertools
import math

import numpy as np

from pipeline.course.given import Given
from pipeline.course.lessons.closed_network import demands, threads
from pipeline.course.question import Choice, Lesson, OpenQuestion, Prediction, Quantity, Question
from pipeline.network.closed import mean_value_analysis, sweep_populations

FEW_THREADS = 4
TARGET_S = 0.6
MAX_THREADS = 1_000
AMONG = (
    "that is among the six (one of the pairs, their mean or their median); the lowest is asked for"
)
TOO_MANY = "that is too many: its R(N) is above R_target"
TOO_FEW = "one thread more is still within R_target"


def response(g: Given, population: int, cpu: float = 1.0, disk: float = 1.0) -> float:
    """R(n) by Mean Value Analysis, with the demands at the CPU and the host's disk multiplied; seconds."""
    return mean_value_analysis(demands(g) * [cpu, disk, 1.0], population).response_time


def threads_within(g: Given, target_s: float, cpu: float = 1.0, disk: float = 1.0) -> int:
    """The largest number of threads with R(n) ≤ target."""
    sweep = sweep_populations(demands(g) * [cpu, disk, 1.0], MAX_THREADS)
    within = np.flatnonzero(sweep.response_times[1:] <= target_s)
    return int(within[-1]) + 1 if within.size else 0


def line(g: Given) -> tuple[float, float]:
    """Intercept and slope of U = b + X D through the quiet and the busy run."""
    slope = (g.value("U_busy") - g.value("U_quiet")) / (g.value("X_busy") - g.value("X_quiet"))
    return g.value("U_quiet") - slope * g.value("X_quiet"), slope


def saturation_rate(g: Given, slope: float) -> float:
    """The rate at which b + X D and the idle neighbour fill one CPU."""
    intercept = g.value("U_quiet") - slope * g.value("X_quiet")
    return (1 - g.value("U_idle") - intercept) / slope


def points(g: Given) -> list[tuple[float, float, float]]:
    """Slope, X and U of the quiet run for every pair of a quiet and a busy run, in their order."""
    quiet, busy = (
        list(zip(g.family(name, "X_per_s"), g.family(name, "U_qemu"), strict=True))
        for name in ("quiet", "busy")
    )
    pairs = itertools.product(quiet, busy)
    return [((u_1 - u_0) / (x_1 - x_0), x_0, u_0) for (x_0, u_0), (x_1, u_1) in pairs]


def slopes(g: Given) -> list[float]:
    """The host's CPU per request by every pair."""
    return [slope for slope, _, _ in points(g)]


def saturation_rates(g: Given, limit: float | None = None) -> list[float]:
    """The rate that fills the CPU by every pair; ``limit``: what the guest can have."""
    limit = 1 - g.value("U_idle") if limit is None else limit
    return [float((limit - u + slope * x) / slope) for slope, x, u in points(g)]


def guest_saturation_rate(g: Given) -> float:
    """The rate at which the guest's own CPU time per request fills a CPU."""
    return 1 / g.run("quiet")["R_cpu_s"]


def requests_per_s(g: Given) -> float:
    """Completed requests of the overloaded run per second."""
    return g.value("C_over") / g.value("T_over")


QUANTITIES = (
    Quantity("N", lambda g: threads(g), "1", "threads of first/db-16-a, without think time"),
    Quantity("D_cpu", lambda g: demands(g)[0], "s", "CPU of the guest per transaction, net of background"),
    Quantity("D_disk", lambda g: demands(g)[1], "s", "the host's disk per transaction"),
    Quantity("D_layer", lambda g: demands(g)[2], "s", "the virtualization layer above it, per transaction"),
    Quantity("R_N", lambda g: response(g, threads(g)), "s", "response time of N threads by Mean Value Analysis (lesson 8)"),
    Quantity("R_target", lambda g: TARGET_S, "s", "what the shop allows for a transaction"),
    Quantity("X_quiet", lambda g: g.run("quiet")["X_per_s"], "1/s", "web server, first/web-005-a: throughput"),
    Quantity("U_quiet", lambda g: g.run("quiet")["U_qemu"], "1", "… and share of the host's CPU that its QEMU used"),
    Quantity("X_busy", lambda g: g.run("busy")["X_per_s"], "1/s", "first/web-110-even: throughput"),
    Quantity("U_busy", lambda g: g.run("busy")["U_qemu"], "1", "… and share of the host's CPU"),
    Quantity("U_idle", lambda g: g.run("neighbour")["U_qemu"], "1", "share of the host's CPU that the idle neighbour uses"),
    Quantity("rate_over", lambda g: g.run("over")["rate_per_s"], "1/s", "first/web-240-even: rate that the client was set to"),
    Quantity("C_over", lambda g: g.run("over")["lambda_total"], "1", "… requests answered"),
    Quantity("T_over", lambda g: g.run("over")["T_s"], "s", "… length of the load"),
    Quantity("T_qemu_over", lambda g: g.run("over")["T_qemu_s"], "s", "… CPU time that the host gave to its QEMU"),
)  # fmt: skip

BOUNDS = (
    Prediction(
        "R_disk_x2",
        "Before any computation: the host's disk becomes twice as fast. How long does a transaction of N threads take then?",
        lambda g: response(g, threads(g), disk=0.5),
    ),
    Question(
        "N_star",
        "From which number of threads N* = ΣD / D_max on must some of them wait?",
        lambda g: demands(g).sum() / demands(g).max(),
        unit="1",
        slips=(
            (lambda g: 1 / demands(g).max(), "that is the largest throughput; N* = ΣD / D_max"),
            (lambda g: 1 / demands(g).sum(), "that is the throughput of one thread; N* = ΣD / D_max"),
            (lambda g: threads(g), "that is how many threads there were"),
            (lambda g: demands(g).sum() / demands(g).min(), "that divides by the smallest demand; the largest one limits"),
            (lambda g: demands(g).sum() / demands(g)[1], "that divides by the host's disk; the largest demand limits"),
            (lambda g: demands(g)[:2].sum() / demands(g).max(), "the layer is missing in ΣD"),
            (lambda g: demands(g)[0] / demands(g)[1], "that is D_cpu / D_disk; N* = ΣD / D_max"),
            (lambda g: (demands(g).sum() + demands(g)[1]) / demands(g).max(), "the host's disk is in ΣD two times"),
            (lambda g: (demands(g).sum() - demands(g).max()) / demands(g).max(), "the bottleneck itself belongs to ΣD, too"),
            (lambda g: math.ceil(demands(g).sum() / demands(g).max()), "do not round: N* is where the two bounds meet"),
            (lambda g: math.floor(demands(g).sum() / demands(g).max()), "do not round: N* is where the two bounds meet"),
            (lambda g: threads(g) * demands(g).max() / demands(g).sum(), "that is N / N*"),
            (lambda g: float(len(demands(g))), "that is the number of stations; they do not all take equally long"),
            (lambda g: demands(g).sum() / demands(g)[1:].sum(), "that divides by the guest's disk; the largest demand limits"),
            (lambda g: demands(g)[0] / demands(g)[1:].sum(), "that is the CPU over the guest's disk; N* = ΣD / D_max"),
            (lambda g: g.run("closed")["R_client_s"] / demands(g).max(), "that takes the measured response time of N threads; ΣD is that of one"),
            (lambda g: threads(g) - demands(g).sum() / demands(g).max(), "that is N − N*"),
        ),
    ),
    Question(
        "X_low",
        "Asymptotic bounds: the least throughput of 4 threads",
        lambda g: 1 / demands(g).sum(),
        unit="1/s",
        slips=(
            (lambda g: threads(g) / demands(g).sum(), "4 threads, not N; and at worst each waits for all others"),
            (lambda g: 2 / demands(g).sum(), "that is a balanced job bound, with the mean demand: the upper one"),
            (lambda g: 1 / demands(g).max(), "that is the upper bound of many threads"),
            (lambda g: FEW_THREADS / demands(g).sum(), "that is the upper bound of few threads, as if nobody waited"),
            (lambda g: 1 / (FEW_THREADS * demands(g).sum()), "that is one of the four threads; all four complete transactions"),
            (lambda g: mean_value_analysis(demands(g), FEW_THREADS).throughput, "that is Mean Value Analysis; the bound needs no recursion"),
            (lambda g: FEW_THREADS / (demands(g).sum() + (FEW_THREADS - 1) * demands(g).max()), "that is the balanced job bound, true and tighter; the asymptotic one is asked for"),
            (lambda g: FEW_THREADS * demands(g).sum(), "that is the largest response time; X = 4/R"),
            (lambda g: g.run("closed")["X_per_s"], "that is the measured throughput of N threads"),
            (lambda g: 1 / demands(g)[:2].sum(), "the layer is missing in ΣD"),
            (lambda g: 1 / demands(g).min(), "that is the limit of the smallest demand"),
            (lambda g: 1 / demands(g)[1], "that is the limit of the host's disk"),
            (lambda g: 1 / demands(g)[1:].sum(), "that is the limit of the guest's disk"),
            (lambda g: 1 / (FEW_THREADS * demands(g).max()), "that is one of four threads at one station; four threads, all stations"),
            (lambda g: 1 / response(g, FEW_THREADS), "that is one of four threads, by Mean Value Analysis"),
            (lambda g: 1 / (threads(g) * demands(g).sum()), "that is one of N threads; all four complete transactions"),
        ),
    ),
    Question(
        "X_high",
        "… and the most",
        lambda g: min(FEW_THREADS / demands(g).sum(), 1 / demands(g).max()),
        unit="1/s",
        slips=(
            (lambda g: max(FEW_THREADS / demands(g).sum(), 1 / demands(g).max()), "there are two upper bounds, N/ΣD and 1/D_max; the smaller one holds"),
            (lambda g: 1 / demands(g).sum(), "that is the lower bound"),
            (lambda g: FEW_THREADS / demands(g).max(), "as if each of the four had a bottleneck of its own"),
            (lambda g: 1 / demands(g).min(), "the largest demand limits, not the smallest"),
            (lambda g: 1 / demands(g)[1], "that is the limit of the host's disk; the largest demand limits"),
            (lambda g: 1 / demands(g)[1:].sum(), "that is the limit of the guest's disk; the largest demand limits"),
            (lambda g: (1 / demands(g)).sum(), "a transaction visits all stations: the slowest one limits, rates are not added"),
            (lambda g: mean_value_analysis(demands(g), FEW_THREADS).throughput, "that is Mean Value Analysis; the bound needs no recursion"),
            (lambda g: FEW_THREADS / (demands(g).sum() + (FEW_THREADS - 1) * demands(g).mean()), "that is the balanced job bound of light load; the asymptotic one is asked for"),
            (lambda g: g.run("closed")["X_per_s"], "that is the measured throughput of N threads"),
            (lambda g: 1 / demands(g).mean(), "that takes the mean demand; the largest limits"),
            (lambda g: FEW_THREADS / (demands(g).sum() + (FEW_THREADS - 1) * demands(g).max()), "that is a lower bound, the balanced one"),
            (lambda g: threads(g) / demands(g).sum(), "4 threads, not N; and there is a second upper bound"),
            (lambda g: 1 / demands(g)[:2].sum(), "CPU and disk work at the same time for different threads: the larger demand alone limits"),
        ),
    ),
)  # fmt: skip

WHAT_IF = (
    Question(
        "R_disk",
        "The host's disk becomes twice as fast. The response time of N threads, by Mean Value Analysis",
        lambda g: response(g, threads(g), disk=0.5),
        slips=(
            (lambda g: response(g, threads(g) - 1, disk=0.5), "that is R(N − 1): the loop ends one step early"),
            (lambda g: response(g, threads(g)) * (1 - 0.5 * demands(g)[1] / demands(g).sum()), "that is Amdahl's law, which holds for one thread alone"),
            (lambda g: response(g, threads(g)) / 2, "only if the disk were all there is"),
            (lambda g: response(g, threads(g)) - demands(g)[1] / 2, "one thread alone saves that; N threads wait at the bottleneck instead"),
            (lambda g: response(g, threads(g), disk=2.0), "twice as fast halves the demand; it was doubled"),
            (lambda g: demands(g).sum() - demands(g)[1] / 2, "that is one thread alone; N compete"),
            (lambda g: threads(g) * (demands(g).sum() - demands(g)[1] / 2), "that is the upper bound: everyone waits for everyone"),
            (lambda g: response(g, threads(g), cpu=0.5), "that is a CPU twice as fast"),
            (lambda g: response(g, threads(g)) - threads(g) * demands(g)[1] / 2, "N times the saving would be right at the bottleneck only"),
            (lambda g: response(g, threads(g)) * (1 - 0.5 * demands(g)[1:].sum() / demands(g).sum()), "that is Amdahl's law, which holds for one thread alone"),
            (lambda g: g.run("closed")["R_client_s"], "that was measured with the old disk; solve the model"),
            (lambda g: g.run("closed")["R_client_s"] / 2, "only if the disk were all there is"),
            (lambda g: response(g, threads(g)) * 0.75, "a quarter less: solve the model instead of an estimate"),
            (lambda g: response(g, threads(g)) - demands(g)[1], "twice as fast halves the demand; and with N threads the queue matters"),
        ),
        note="The bottleneck decides; compare it with R_N",
    ),
    Question(
        "R_cpu",
        "A CPU twice as fast instead: the response time of N threads",
        lambda g: response(g, threads(g), cpu=0.5),
        slips=(
            (lambda g: response(g, threads(g) - 1, cpu=0.5), "that is R(N − 1): the loop ends one step early"),
            (lambda g: response(g, threads(g)) / 2, "that halves all of R; only the demand at the CPU is halved, the disk stays as it is and its queue grows"),
            (lambda g: threads(g) * demands(g)[1], "that is N times the disk's demand, a lower bound; both stations queue"),
            (lambda g: response(g, threads(g)) * (1 - 0.5 * demands(g)[0] / demands(g).sum()), "that is Amdahl's law, which holds for one thread alone"),
            (lambda g: response(g, threads(g)) - demands(g)[0] / 2, "one thread alone saves that; with N threads the whole queue gets shorter"),
            (lambda g: response(g, threads(g), cpu=2.0), "twice as fast halves the demand; it was doubled"),
            (lambda g: response(g, threads(g), disk=0.5), "that is a disk twice as fast"),
            (lambda g: demands(g).sum() - demands(g)[0] / 2, "that is one thread alone; N compete"),
            (lambda g: threads(g) * (demands(g).sum() - demands(g)[0] / 2), "that is the upper bound: everyone waits for everyone"),
            (lambda g: g.run("closed")["R_client_s"] / 2, "that halves the measured time; only the demand at the CPU is halved"),
            (lambda g: threads(g) * demands(g)[1:].sum(), "that is N times the guest's disk; disk and layer are two stations"),
            (lambda g: response(g, threads(g), cpu=2 / 3), "twice as fast is half of the demand, not two thirds"),
            (lambda g: response(g, threads(g)) - demands(g)[0], "twice as fast halves the demand; and with N threads the queue matters"),
            (lambda g: threads(g) * demands(g)[0] / 2 + demands(g)[1:].sum(), "after the change CPU and disk have nearly equal demands, and both queue: solve the model"),
        ),
    ),
    Question(
        "N_target",
        "As it is now: how many threads at most keep R(N) within R_target?",
        lambda g: threads_within(g, g.value("R_target")),
        unit="1",
        tolerance=0,
        slips=(
            (lambda g: demands(g).sum() / demands(g).max(), "that is N*, from which threads wait; how long they may wait is asked for"),
            *((lambda g, d=d: threads_within(g, g.value("R_target")) + d, TOO_MANY) for d in range(1, 24)),
            *((lambda g, d=d: threads_within(g, g.value("R_target")) - d, TOO_FEW) for d in range(1, 9)),
        ),
    ),
    Choice(
        "buy",
        "Many threads, no think time. Which part lowers the response time of all of them?",
        {
            "a": "every part, in proportion to its share of ΣD",
            "b": "the one with the largest demand per transaction, until another one has the largest",
            "c": "the one whose single operation is slowest",
            "d": "a second virtual machine on the same host",
        },
        "b",
        {
            "a": "that is Amdahl's law for one thread; with many, those at the other stations only reach the queue of the bottleneck earlier",
            "c": "a slow operation that is rare is no bottleneck: visits times service time count",
            "d": "it would share the same CPU and disk; no demand gets smaller",
        },
    ),
)  # fmt: skip

CAPACITY = (
    Question(
        "D_host",
        "The web server. The line U = b + X D through its quiet and its busy run: the host's CPU per request, D",
        lambda g: line(g)[1],
        slips=(
            (lambda g: g.value("U_busy") / g.value("X_busy"), "that has the background in it; take the differences of U and of X"),
            (lambda g: g.value("U_quiet") / g.value("X_quiet"), "that is nearly all background; take the differences of U and of X"),
            (lambda g: (g.value("U_busy") - g.value("U_quiet")) / g.value("X_busy"), "the divisor is the difference of X, too"),
            (lambda g: g.value("U_busy") - g.value("U_quiet"), "that is the difference of U; divide it by the difference of X"),
            (lambda g: line(g)[0], "that is b, the share of the idle guest"),
            (lambda g: (g.value("U_busy") + g.value("U_quiet")) / (g.value("X_busy") + g.value("X_quiet")), "that is the mean of both, background included; a slope is a difference"),
            (lambda g: (g.value("U_busy") - g.value("U_quiet") - g.value("U_idle")) / (g.value("X_busy") - g.value("X_quiet")), "the neighbour is not in U_busy or U_quiet: take nothing off"),
            (lambda g: g.run("quiet")["R_cpu_s"], "that is the guest's own CPU time per request; the host's is asked for"),
            (lambda g: (g.value("U_busy") - g.value("U_idle")) / g.value("X_busy"), "take the quiet run off, U and X; the neighbour is not in U_busy"),
            (lambda g: g.value("U_busy") / (g.value("X_busy") - g.value("X_quiet")), "the dividend is the difference of U"),
            (lambda g: g.run("busy")["R_cpu_s"], "that is the guest's own CPU time per request; the host's is asked for"),
            (lambda g: (g.value("U_busy") / g.value("X_busy") + g.value("U_quiet") / g.value("X_quiet")) / 2, "that is the mean of two ratios, background included"),
            (lambda g: g.value("U_quiet") / g.value("X_quiet") - g.value("U_busy") / g.value("X_busy"), "take the differences first, then one quotient"),
            (lambda g: g.value("T_qemu_over") / g.value("C_over"), "that is the overloaded run"),
            (lambda g: (g.value("U_busy") - g.value("U_quiet")) / (g.value("X_busy") + g.value("X_quiet")), "the divisor is the difference of X"),
        ),
    ),
    Question(
        "X_full",
        "At which rate is the host's CPU full? The idle neighbour takes its share, too.",
        lambda g: saturation_rate(g, g.answer("D_host")),
        unit="1/s",
        tolerance=0.01,
        needs=("D_host",),
        slips=(
            (lambda g: (1 - g.value("U_idle") - g.value("U_quiet")) * g.value("X_busy") / g.value("U_busy"), "U_busy / X_busy has the background in it, and U_quiet the requests of the quiet run: (1 − U_idle − b) / D"),
            (lambda g: (1 - g.value("U_quiet")) / line(g)[1], "the neighbour's share is missing; and U_quiet is b plus the requests of the quiet run"),
            (lambda g: (1 - 2 * g.value("U_idle") - line(g)[0]) / line(g)[1], "the neighbour's share was subtracted two times"),
            (lambda g: (1 - line(g)[0]) / line(g)[1], "the neighbour's share is missing"),
            (lambda g: (1 - g.value("U_idle")) / line(g)[1], "b, the share of the idle guest itself, is missing"),
            (lambda g: 1 / line(g)[1], "no guest is alone on the host, and an idle guest uses CPU, too: b and U_idle"),
            (lambda g: guest_saturation_rate(g), "that is from the guest's own CPU time; the host's CPU is asked for"),
            (lambda g: g.value("X_busy") / g.value("U_busy"), "that takes all of U_busy for requests; b is background"),
            (lambda g: (1 - g.value("U_idle")) * g.value("X_busy") / g.value("U_busy"), "that takes all of U_busy for requests; b is background"),
            (lambda g: (1 + g.value("U_idle") - line(g)[0]) / line(g)[1], "the neighbour leaves less CPU: subtract its share"),
            (lambda g: (1 - g.value("U_idle") + line(g)[0]) / line(g)[1], "b leaves less CPU for requests: subtract it"),
            (lambda g: (1 - g.value("U_idle") - g.value("U_quiet")) / line(g)[1], "U_quiet is b plus the requests of the quiet run; subtract b alone"),
            (lambda g: (1 - g.value("U_idle") - g.value("U_busy")) / line(g)[1], "that is how much more than X_busy fits"),
            (lambda g: g.value("rate_over"), "that rate was sent once; compute the one that fills the CPU"),
            (lambda g: (1 - g.value("U_busy")) / line(g)[1], "that is how much more than X_busy fits, without the neighbour"),
            (lambda g: (0.9 - g.value("U_idle") - line(g)[0]) / line(g)[1], "full means 1; a reserve comes later"),
            (lambda g: (1 - g.value("U_idle") - line(g)[0]) * g.value("X_busy") / g.value("U_busy"), "U_busy / X_busy has the background in it; divide by D"),
            (lambda g: g.run("high")["rate_per_s"], "that rate was recorded; compute the one that fills the CPU"),
            (lambda g: (1 - g.value("U_idle")) / g.value("U_busy") * (g.value("X_busy") - g.value("X_quiet")), "U grows by D for each request per second: (1 − U_idle − b) / D"),
            (lambda g: g.value("X_busy") / (g.value("U_busy") + g.value("U_idle")), "that takes all of U_busy for requests; b is background"),
        ),
    ),
    Question(
        "X_full_low",
        "There are two quiet runs and three busy ones. The lowest rate that any pair of them gives",
        lambda g: min(saturation_rates(g)),
        unit="1/s",
        tolerance=0.01,
        slips=(
            (lambda g: max(saturation_rates(g)), "that is the highest"),
            (lambda g: float(np.mean(saturation_rates(g))), AMONG),
            (lambda g: float(np.median(saturation_rates(g))), AMONG),
            (lambda g: max(saturation_rates(g)) - min(saturation_rates(g)), "that is the range of the six"),
            (lambda g: min(saturation_rates(g)[::3]), AMONG),
            *((lambda g, i=i: sorted(saturation_rates(g))[i], AMONG) for i in (2, 3, 4)),
            (lambda g: min(saturation_rates(g, 1.0)), "the neighbour's share is missing"),
            (lambda g: 1 / max(slopes(g)), "b and the neighbour's share are missing"),
        ),
        note="A capacity is an interval: between the lowest and the highest of the six anything may happen",
    ),
    Question(
        "X_over",
        "More was sent than fits (rate_over). How many requests per second did the server answer?",
        requests_per_s,
        unit="1/s",
        slips=(
            (lambda g: g.value("rate_over") * 60 / g.value("T_over"), "that is of the requests that were sent; count those that were answered"),
            (lambda g: g.value("rate_over"), "that is what the client sent; divide the answers by the time"),
            (lambda g: g.value("C_over"), "that is the count; divide it by the time"),
            (lambda g: saturation_rate(g, line(g)[1]), "that is the model's limit; the measured throughput is asked for"),
            (lambda g: g.value("C_over") / g.value("rate_over"), "divide the answers by the length of the load, not by the rate"),
            (lambda g: g.value("C_over") / g.value("T_qemu_over"), "that is per second of CPU time; divide by the length of the load"),
            (lambda g: g.value("rate_over") * g.value("T_over"), "that is how many were to be sent"),
            (lambda g: g.value("C_over") / (g.value("rate_over") * g.value("T_over")), "that is the share that was answered"),
            (lambda g: g.value("X_busy"), "that is the busy run"),
            (lambda g: g.run("over")["X_client_per_s"], "that is what httperf printed, over a shorter time; divide C_over by T_over"),
            (lambda g: g.value("rate_over") - requests_per_s(g), "that is what was not answered"),
            (lambda g: 1 - g.value("C_over") / (g.value("rate_over") * g.value("T_over")), "that is the share that was not answered"),
            (lambda g: g.run("high")["rate_per_s"], "that it can do when no more is sent; here rate_over was sent"),
            (lambda g: g.value("C_over") / 60, "the load lasted T_over, not a minute"),
            (lambda g: g.value("C_over") / g.run("quiet")["T_s"], "the overloaded run lasted T_over"),
        ),
    ),
    Question(
        "D_over",
        "And how much CPU of the host did one answered request cost then?",
        lambda g: g.value("T_qemu_over") / g.value("C_over"),
        slips=(
            (lambda g: (g.value("T_qemu_over") - g.value("U_idle") * g.value("T_over")) / g.value("C_over"), "that leaves out a part of what QEMU used: the guest's CPU time alone, or less the neighbour, who has a QEMU of its own"),
            (lambda g: (1 - g.value("U_idle")) / requests_per_s(g), "that takes the host's CPU for full; what its QEMU used was recorded"),
            (lambda g: g.value("T_qemu_over") / g.value("T_over"), "that is a utilization; divide by the answered requests"),
            (lambda g: g.value("T_qemu_over") / (g.value("rate_over") * g.value("T_over")), "that divides by the requests that were to be sent; few of them were answered"),
            (lambda g: line(g)[1], "that is the request of the busy run"),
            (lambda g: g.value("T_over") / g.value("C_over"), "that is the time between two answers; CPU time is asked for"),
            (lambda g: g.value("T_qemu_over") / requests_per_s(g), "that divides by the rate; divide by the number of answers"),
            (lambda g: (g.value("T_qemu_over") - line(g)[0] * g.value("T_over")) / g.value("C_over"), "that takes the background off; here the whole cost is asked for"),
            (lambda g: g.run("over")["R_cpu_s"], "that leaves out a part of what QEMU used: the guest's CPU time alone, or less the neighbour, who has a QEMU of its own"),
            (lambda g: g.value("T_qemu_over") / g.value("C_over") - line(g)[1], "that is how much more it cost than below saturation"),
            (lambda g: g.value("T_qemu_over") / g.value("C_over") / line(g)[1], "that is how many times more it cost; seconds are asked for"),
        ),
        note="Compare it with D_host: under overload a request costs more",
    ),
    OpenQuestion(
        "advice",
        "Write three sentences to the shop: which part you would buy, which rate and how many threads you would promise, and what "
        "could make you wrong.",
        "The part with the largest demand, and that the next station limits soon after; a promise below the lowest of the six "
        "rates with a reserve, because above it the server may tip over and then answers less than before; the number of threads "
        "for the target. What may be wrong: demands that change from day to day, a neighbour that is not idle, the guest's CPU "
        "time without QEMU's.",
    ),
)  # fmt: skip

LESSON = Lesson(
    number=9,
    name="09_capacity",
    title="Bounds, what if, capacity",
    opening="The shop wants 600 ms with as many threads as possible, and 200 pages per second. Which part do you buy?",
    minutes=75,
    outcomes=(
        "Bound throughput and response time from the demands and the number of threads alone.",
        "Say before computing which upgrade is worthless.",
        "Give a capacity as an interval, and know what happens beyond saturation.",
    ),
    runs={
        "closed": "first/db-16-a/db",
        "quiet": "first/web-005-a/web",
        "busy": "first/web-110-even/web",
        "neighbour": "first/web-140-even/db",
        "over": "first/web-240-even/web",
        "high": "first/web-140-even/web",
        "high_again": "first/web-140-even-2/web",
    },
    families={
        "quiet": ("first/web-005-a/web", "first/web-005-b/web"),
        "busy": ("first/web-110-even/web", "first/web-110-even-2/web", "first/web-110-even-3/web"),
    },
    quantities=QUANTITIES,
    questions=(*BOUNDS, *WHAT_IF, *CAPACITY),
    surprise="A disk twice as fast changes nothing for many threads when the CPU is the bottleneck. And a server that is sent "
    "more than it can take answers less than it could: under overload each request costs more.",
    before_surprise="The server answers 140 pages per second when 140 are sent. How many when 240 are sent?",
    stuck="Draw the two asymptotes by hand: N/ΣD from the origin, 1/D_max flat; N* is where they meet. For the what-if questions "
    "use the function of lesson 8 with one demand halved. For the line write down two points (X, U).",
    books=(
        "N* and asymptotic bounds: Lazowska et al., Quantitative System Performance (1984), chapter 5, pages 75 and 77.",
        "Balanced job bounds, which are tighter: the same, page 91.",
        "Modification analysis, which upgrade helps: Harchol-Balter, Performance Modeling and Design of Computer Systems "
        "(2013), chapter 7.",
        "Capacity planning step by step: Menascé, Almeida and Dowdy, Performance by Design (2004), chapter 5.",
        "A model with a maximum, after which throughput falls: Gunther, Guerrilla Capacity Planning (2007), the universal "
        "scalability law.",
    ),
    exam=(
        (
            "Demands 40, 25 and 10 ms, no think time. Give N*, and the bounds of X and R for 8 threads.",
            "N* = 75/40 = 1.875. X between 1/0.075 = 13.3 and 1/0.040 = 25 per second; R between 8 · 40 = 320 ms and "
            "8 · 75 = 600 ms.",
        ),
        (
            "In that system the station with 25 ms is replaced by one with 12.5 ms. What does R of 20 threads gain, about?",
            "Next to nothing: R is about 20 · 40 = 800 ms before and after, because the bottleneck is unchanged.",
        ),
        (
            "A server answers 140 requests per second when 140 are sent, and 83 when 240 are sent. Name two mechanisms, and "
            "say what to do.",
            "Under overload each request costs more (more processes and context switches, connections given up after work was "
            "spent on them), and work is done for clients that no longer wait. Limit what is let in: a bounded queue, "
            "admission control, back-pressure.",
        ),
    ),
)  # fmt: skip

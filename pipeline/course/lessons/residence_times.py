"""Questions of lesson 6 on demands, residence times and the response time: equations (9) and (10), and their sum."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.course.lessons.httperf_report import connection_time
from pipeline.course.lessons.slips_of_logs import Formula, misread_value, of, unlike
from pipeline.course.question import Choice, Question

D_AS_PRINTED = Question(
    "D_as_printed",
    "Equation (9) as printed, where X is the throughput of the disk (operations per second): what is D?",
    lambda g: g.answer("U_vdisk_req") / g.run("run")["X_vdisk_per_s"],
    needs=("U_vdisk_req",),
    slips=(
        (unlike(lambda g: g.run("run")["U_vdisk_req"] / g.run("run")["X_disk_per_s"], of("D_vdisk_as_printed_s")), "X counts reads and writes of the guest's disk, fields 1 and 5: yours has a part of them, or the host's"),
        (lambda g: g.run("run")["U_vdisk_req"] * g.run("run")["T_s"] / misread_value(g, "reads"), "X counts reads and writes of the guest's disk, fields 1 and 5: yours has a part of them, or the host's"),
        (of("D_vdisk_s"), "you divided by the requests of users; as printed, X counts operations of the disk"),
        (unlike(lambda g: g.run("run")["U_vdisk_total"] / g.run("run")["X_vdisk_per_s"], of("D_vdisk_as_printed_s")), "that is the whole disk's time per operation; equation (9) takes U_vdisk_req"),
        (unlike(lambda g: g.run("run")["U_vdisk_req"] / g.run("run")["X_per_s"], lambda g: g.run("run")["D_vdisk_s"]), "you divided by the requests of users; as printed, X counts operations of the disk"),
        (lambda g: g.run("run")["U_vdisk_req"] * g.run("run")["X_vdisk_per_s"], "divide, do not multiply: U = X D"),
        (lambda g: g.run("run")["U_vdisk_req"] / g.run("run")["operations_vdisk"], "you divided by the number of operations; X is a rate, operations per second"),
        (lambda g: g.run("run")["U_vdisk_req"] * g.run("run")["X_per_s"], "divide, do not multiply: U = X D; and as printed, X counts operations of the disk"),
        (lambda g: 1 / g.run("run")["X_vdisk_per_s"], "that is the time from one operation to the next; multiply it by U_vdisk_req"),
        (lambda g: g.run("run")["U_vdisk_req"] * g.run("run")["T_s"] / g.run("run")["sectors_vdisk"], "those are sectors; X counts operations, fields 1 and 5"),
    ),
)  # fmt: skip

D = Question(
    "D",
    "The same as a service demand: how long does one request of a user keep the guest's disk busy?",
    lambda g: g.answer("U_vdisk_total") * g.answer("T") / g.answer("lambda_total"),
    needs=("U_vdisk_total", "T", "lambda_total"),
    slips=(
        (unlike(lambda g: g.run("run")["N_vdisk"] / g.run("run")["X_per_s"], of("D_vdisk_s")), "that is of field 11, in which waiting counts; a demand is of busy time, field 10"),
        (of("D_vdisk_as_printed_s"), "that is per disk operation; a demand is per request of a user"),
        (unlike(lambda g: g.run("run")["U_vdisk_total"] / g.run("run")["X_vdisk_per_s"], of("D_vdisk_as_printed_s")), "that is per disk operation; a demand is per request of a user"),
        (unlike(lambda g: g.run("run")["U_vdisk_req"] / g.run("run")["X_per_s"], of("D_vdisk_s")), "you took iotop's share; no other server uses this disk, so all of its busy time counts"),
        (lambda g: g.run("run")["U_vdisk_total"] / g.answer("lambda_total"), "you divided a utilization by a count; divide it by the rate X, or the busy time by the count"),
        (lambda g: g.run("run")["U_vdisk_total"] * g.run("run")["X_per_s"], "divide, do not multiply: U = X D"),
        (lambda g: g.run("run")["X_vdisk_per_s"] / g.run("run")["X_per_s"], "these are the visits, operations per request; their time is asked for"),
        (of("D_disk_s"), "that is the host's disk; here the guest's is asked for"),
        (of("T_vdisk_s"), "that is the busy time in all; divide it by the number of requests"),
        (lambda g: g.run("run")["D_vdisk_s"] + g.run("run")["D_disk_s"], "these are both disks; the guest's alone is asked for"),
        (lambda g: 1 / g.run("run")["X_per_s"], "that is the time from one request to the next; multiply it by U"),
    ),
)  # fmt: skip

R_VDISK = Question(
    "R_vdisk",
    "Equation (10): how long is a request at the guest's disk (its residence time), waiting included?",
    lambda g: g.answer("D") / (1 - g.answer("U_vdisk_total")),
    tolerance=0.003,
    needs=("D", "U_vdisk_total"),
    slips=(
        (lambda g: g.answer("D") / g.run("run")["X_per_s"], "X belongs into U = X D; the time is D/(1 − U)"),
        (lambda g: g.answer("D") / (1 - g.answer("D")), "U is not D: it is X D, a number without a unit"),
        (lambda g: g.answer("D") / (1 - g.answer("U_vdisk_total")) ** 2, "1 − U once, not squared: was it in your D already?"),
        (lambda g: g.answer("D") + g.answer("U_vdisk_total"), "a time and a utilization cannot be added: divide D by 1 − U"),
        (unlike(lambda g: g.run("run")["N_vdisk"] / g.run("run")["X_per_s"], of("R_vdisk_s")), "that is measured, by field 11 and Little's law; equation (10) computes it from D"),
        (lambda g: 1 / (1 - g.answer("U_vdisk_total")), "that is the factor by which waiting stretches; multiply D by it"),
        (of("D_vdisk_s"), "that is the demand; the wait is missing: divide by 1 − U"),
        (lambda g: g.run("run")["D_vdisk_s"] / (1 + g.run("run")["U_vdisk_total"]), "the time must come out longer than D: divide by 1 − U"),
        (of("R_vdisk_as_printed_s"), "you took D as printed, per disk operation; take the demand of a request"),
        (lambda g: g.run("run")["R_vdisk_s"] - g.run("run")["D_vdisk_s"], "that is the wait alone; the service is missing"),
        (lambda g: g.run("run")["D_vdisk_s"] / g.run("run")["U_vdisk_total"], "divide by what is free, 1 − U, not by what is busy"),
        (of("R_disk_s"), "that is the host's disk; here the guest's is asked for"),
        (lambda g: g.run("run")["U_vdisk_total"] / (1 - g.run("run")["U_vdisk_total"]), "that is the mean number in the disk, U/(1 − U); the time is D/(1 − U)"),
        (lambda g: g.answer("D") / (1 - g.run("run")["X_per_s"]), "U is not X: it is X D, a number without a unit"),
        (unlike(lambda g: g.answer("D") / (1 - g.run("run")["U_disk_total"]), of("R_vdisk_s")), "divide by 1 − U with U of the guest's disk, whole: not the host's, and not half of it"),
        (lambda g: g.run("run")["R_vdisk_s"] + g.run("run")["D_vdisk_s"], "D/(1 − U) holds the service already: do not add D to it"),
    ),
)  # fmt: skip


def _busy(formula: Callable[[float, float], float]) -> Formula:
    """A formula of D and U of the busy run's disk, both given."""
    return lambda g: formula(g.value("D_busy"), g.value("X_busy") * g.value("D_busy"))


R_BUSY = Question(
    "R_busy",
    "The same on the busy run: D and X are given. How long is a request at its disk, waiting included?",
    of("R_vdisk_s", "busy"),
    tolerance=0.003,
    slips=(
        (lambda g: g.value("D_busy") / (1 - g.value("X_busy")), "U is not X: it is X D, a number without a unit"),
        (lambda g: g.value("D_busy") / g.value("X_busy"), "X belongs into U = X D; the time is D/(1 − U)"),
        (lambda g: g.value("D_busy") / (1 - g.run("busy")["U_disk_total"]), "you took the utilization of the host's disk; U = X D"),
        (_busy(lambda d, u: d / (1 - 1000 * u)), "you took D in milliseconds for U; in seconds U = X D is below 1"),
        (_busy(lambda d, u: d / (1 - d)), "U is not D: it is X D, a number without a unit"),
        (_busy(lambda d, u: d / (1 - u / 2)), "U counts whole, not half: divide by 1 − U"),
        (_busy(lambda d, u: d / (1 - u) ** 2), "1 − U once, not squared"),
        (_busy(lambda d, u: u / (1 - u)), "that is the mean number in the disk, U/(1 − U); the time is D/(1 − U)"),
        (_busy(lambda d, u: d), "that is the demand; the wait is missing: divide by 1 − U, U = X D"),
        (_busy(lambda d, u: d / (1 + u)), "you divided by 1 + U; it is 1 − U"),
        (_busy(lambda d, u: d * (1 + u)), "D (1 + U) is too short: those who are found waiting wait behind others, too"),
        (_busy(lambda d, u: d * (1 - u)), "divide by 1 − U, do not multiply"),
        (_busy(lambda d, u: d * u / (1 - u)), "that is the wait alone; the service is missing"),
        (_busy(lambda d, u: d / u), "divide by what is free, 1 − U, not by what is busy"),
        (_busy(lambda d, u: d * (1 + u / (1 - u) / 2)), "that is for services that all take the same time; equation (10) is D / (1 − U)"),
        (lambda g: g.value("D_busy") / (1 - g.run("busy")["U_vdisk_req"]), "you took U_req by iotop's share; the utilization that belongs to this D is X D"),
        (lambda g: g.value("D_busy") / (1 - g.run("run")["U_vdisk_total"]), "you took the utilization of the first run; here U = X D of the busy one"),
        (of("R_vdisk_as_printed_s", "busy"), "that is with D as printed, per disk operation; the given D is of a request"),
        (_busy(lambda d, u: u), "that is U = X D; the time is D/(1 − U)"),
        (_busy(lambda d, u: 1 / (1 - u)), "that is the factor by which waiting stretches; multiply D by it"),
        (_busy(lambda d, u: u / d), "that is the given X; the time is D/(1 − U)"),
        (_busy(lambda d, u: d + d / (1 - u)), "D/(1 − U) holds the service already: do not add D to it"),
        (lambda g: g.value("D_busy") / (1 - g.value("D_busy") * g.run("run")["X_per_s"]), "you took X of the first run; here X is given"),
        (lambda g: g.run("run")["D_vdisk_s"] / (1 - g.value("D_busy") * g.value("X_busy")), "you took D of the first run; here D is given"),
        (lambda g: g.run("run")["D_vdisk_s"] / (1 - g.run("run")["D_vdisk_s"] * g.value("X_busy")), "you took D of the first run; here D is given"),
    ),
)  # fmt: skip

ABOVE_1 = Choice(
    "above_1",
    "On the host, the bytes that iotop charges to QEMU can exceed those that the disk counts. Why?",
    {
        "a": "each byte is counted once for QEMU and once for its guest",
        "b": "iotop charges a write when a page in memory is changed, the disk counts it when it is flushed, and "
        "both read at other moments",
        "c": "the host's disk compresses",
        "d": "QEMU moves bytes for the other guest, too",
    },
    right="b",
    reasons={
        "a": "iotop has one row per task, and the guest's tasks are none of the host's",
        "c": "the counters count sectors that were asked for, whatever the device does with them",
        "d": "each guest has a QEMU of its own, and the rows of the other one are not in the sum",
    },
)

D_DISK = Question(
    "D_disk",
    "Equations (3) and (9) on the host: how long does one request of a user keep the host's disk busy?",
    of("D_disk_s"),
    slips=(
        (lambda g: g.run("run")["U_disk_total"] / g.answer("lambda_total"), "you divided a utilization by a count; divide it by the rate X, or the busy time by the count"),
        (lambda g: g.run("run")["U_disk_total"] * g.run("run")["X_per_s"], "divide, do not multiply: U = X D"),
        (of("D_disk_as_printed_s"), "that is per disk operation; a demand is per request of a user"),
        (of("U_disk_total"), "that is the utilization; divide it by X, the requests of users per second"),
        (of("T_disk_s"), "that is the busy time in all; divide it by the number of requests"),
        (lambda g: g.run("run")["N_disk"] / g.run("run")["X_per_s"], "these are field 11's request-seconds, waiting included; io_ticks is field 10"),
        (lambda g: g.run("run")["U_disk_total"] / g.run("run")["X_vdisk_per_s"], "you divided by the operations of the guest's disk; a demand is per request of a user"),
        (of("D_vdisk_s"), "that is the guest's disk; read the host's logs"),
        (lambda g: g.run("run")["D_vdisk_s"] + g.run("run")["D_disk_s"], "these are both disks; the host's alone is asked for"),
        (unlike(lambda g: g.run("run")["D_vdisk_s"] - g.run("run")["D_disk_s"], of("D_disk_s")), "that is what the guest's disk takes more than the host's; the host's is asked for"),
        (lambda g: misread_value(g, "host_io_ticks_s") / g.answer("lambda_total"), "that is io_ticks since boot; take the growth between the two snapshots"),
        (lambda g: g.run("run")["operations_disk"] / g.answer("lambda_total"), "these are the visits, operations per request; their time is asked for"),
        (lambda g: 1 / g.run("run")["X_per_s"], "that is the time from one request to the next; multiply it by U"),
    ),
)  # fmt: skip

R_DISK = Question(
    "R_disk",
    "Equation (10) on the host: how long is a request at the host's disk, waiting included?",
    lambda g: g.answer("D_disk") / (1 - g.run("run")["X_per_s"] * g.answer("D_disk")),
    needs=("D_disk",),
    slips=(
        (unlike(lambda g: g.answer("D_disk") / (1 - g.run("run")["U_vdisk_total"]), of("R_disk_s")), "you took the utilization of the guest's disk; take the host's"),
        (unlike(lambda g: g.answer("D_disk") / (1 + g.run("run")["U_disk_total"]), of("R_disk_s")), "the time must come out longer than D: divide by 1 − U"),
        (unlike(of("D_disk_s"), of("R_disk_s")), "that is the demand; the wait is missing: divide by 1 − U"),
        (of("R_disk_as_printed_s"), "you took D as printed, per disk operation; take the demand of a request"),
        (of("R_vdisk_s"), "that is the guest's disk; read the host's logs"),
        (unlike(lambda g: g.run("run")["D_vdisk_s"] / (1 - g.run("run")["U_disk_total"]), of("R_vdisk_s")), "you took D of the guest's disk; take the host's"),
        (lambda g: g.run("run")["R_disk_s"] - g.run("run")["D_disk_s"], "that is the wait alone; the service is missing"),
        (lambda g: g.run("run")["U_disk_total"] / (1 - g.run("run")["U_disk_total"]), "that is the mean number in the disk, U/(1 − U); the time is D/(1 − U)"),
        (lambda g: g.answer("D_disk") / g.run("run")["U_disk_total"], "divide by what is free, 1 − U, not by what is busy"),
        (lambda g: 1 / (1 - g.run("run")["U_disk_total"]), "that is the factor by which waiting stretches; multiply D by it"),
    ),
)  # fmt: skip

R_SUM = Question(
    "R_sum",
    "The paper adds the three residence times up. What is their sum?",
    lambda g: g.answer("R_cpu") + g.answer("R_vdisk") + g.answer("R_disk"),
    tolerance=0.003,
    needs=("R_cpu", "R_vdisk", "R_disk"),
    slips=(
        (lambda g: g.run("run")["R_cpu_s"] + g.run("run")["D_vdisk_as_printed_s"] + g.run("run")["D_disk_as_printed_s"], "that is with demands as printed, per disk operation; add R of a request"),
        (lambda g: g.run("run")["T_cpu_s"] + g.run("run")["T_vdisk_s"] + g.run("run")["T_disk_s"], "these are busy times of all requests; add the times of one"),
        (lambda g: g.run("run")["T_cpu_s"] + g.run("run")["R_vdisk_s"] + g.run("run")["R_disk_s"], "you took T_cpu, of all requests; take R_cpu, of one"),
        (of("R_nested_s"), "the paper adds all three, R_cpu, R_vdisk and R_disk, each of a request: here the host's disk is missing, or a time is per operation"),
        (unlike(lambda g: (g.run("run")["R_cpu_s"] + g.run("run")["D_vdisk_s"] + g.run("run")["D_disk_s"]), of("R_sum_s"), 0.005), "you added demands; add residence times, R of equation (10)"),
        (lambda g: g.run("run")["R_cpu_s"] + g.run("run")["R_disk_s"], "the paper adds all three: here the guest's disk is missing, or the host's was taken off"),
        (lambda g: g.run("run")["R_vdisk_s"] + g.run("run")["R_disk_s"], "the CPU is missing"),
        (lambda g: unlike(of("R_as_printed_s"), of("R_sum_s"))(g), "that is the sum of the times as printed, per disk operation, or the client's time; add R of a request"),
        (unlike(of("R_client_s"), of("R_as_printed_s"), 0.004), "that is what the client measured; add up what the equations say"),
        (lambda g: g.run("run")["R_sum_s"] / 3, "that is the mean of the three; their sum is asked for"),
        (lambda g: g.run("run")["R_cpu_s"] / (1 - g.run("run")["R_cpu_s"] * g.run("run")["X_per_s"]) + g.run("run")["R_vdisk_s"] + g.run("run")["R_disk_s"], "the paper's R_cpu has no wait in it: equation (10) is for the disks"),
    ),
)  # fmt: skip

R_NESTED = Question(
    "R_nested",
    "The guest's time at its disk ends when the host's disk has answered, so it contains the host's. "
    "What is the response time if that is counted once?",
    lambda g: g.answer("R_cpu") + max(g.answer("R_vdisk"), g.answer("R_disk")),
    tolerance=0.003,
    needs=("R_cpu", "R_vdisk", "R_disk"),
    slips=(
        (unlike(lambda g: g.run("run")["R_cpu_s"] + g.run("run")["R_vdisk_as_printed_s"], lambda g: g.run("run")["R_cpu_s"] + g.run("run")["R_disk_s"], 0.003), "you took R_vdisk as printed, per disk operation; take that of a request"),
        (lambda g: g.run("run")["R_vdisk_s"] + g.run("run")["R_disk_s"], "the CPU is missing, and the disks are added"),
        (lambda g: g.run("run")["R_cpu_s"] + (g.run("run")["R_vdisk_s"] + g.run("run")["R_disk_s"]) / 2, "not the mean of both disks: the outer time contains the inner one, keep it whole"),
        (of("R_sum_s"), "that is the sum, in which the host's disk is included two times"),
        (lambda g: g.run("run")["R_cpu_s"] + abs(g.run("run")["R_vdisk_s"] - g.run("run")["R_disk_s"]), "the outer time, at the guest's disk, contains the inner one: keep it whole, and leave the inner one out"),
        (lambda g: g.run("run")["R_cpu_s"] + min(g.run("run")["R_vdisk_s"], g.run("run")["R_disk_s"]), "the outer time, at the guest's disk, contains the inner one: keep it whole, and leave the inner one out"),
        (unlike(lambda g: g.run("run")["R_cpu_s"] + g.run("run")["D_vdisk_s"], of("R_nested_s"), 0.005), "you took the demand; take the residence time at the guest's disk"),
        (lambda g: max(g.run("run")["R_vdisk_s"], g.run("run")["R_disk_s"]), "the CPU is missing"),
        (lambda g: g.run("run")["R_sum_s"] / 2, "only the host's disk is included two times, not everything"),
    ),
)  # fmt: skip

R_CLIENT = Question(
    "R_client",
    "What did the client measure? (httperf: response and transfer; sysbench: the mean latency)",
    of("R_client_s"),
    slips=(
        (of("response_s"), "that is the response alone; the user waits for the transfer, too"),
        (of("transfer_s"), "that is the transfer alone; the response comes before it"),
        (of("R_median_s"), "that is the median of the connection times; a mean is asked for"),
        (of("R_sd_s"), "that is the standard deviation; a mean is asked for"),
        (of("connection_interval_s"), "that is the time from one connection to the next, not the time of one"),
        (of("R_sum_s"), "that is the paper's sum; read the client's report, response + transfer"),
        (of("R_nested_s"), "that is what the equations say, or the transfer two times; read the client's report, response + transfer once"),
        (lambda g: g.run("run")["response_s"] - g.run("run")["transfer_s"], "the transfer follows the response: add it, do not take it off"),
        (connection_time("min", "run"), "that is the shortest connection; a mean is asked for"),
        (connection_time("max", "run"), "that is the longest connection; a mean is asked for"),
        (lambda g: 1 / g.run("run")["X_per_s"], "that is the time from one connection to the next, not the time of one"),
        (lambda g: g.run("run")["R_client_s"] + g.run("run")["R_sd_s"], "you added the standard deviation; the mean is asked for"),
        (lambda g: g.run("run")["R_client_s"] + g.run("run")["response_s"], "the connection time holds the response already: do not add it again"),
        (lambda g: (connection_time("min", "run")(g) + connection_time("max", "run")(g)) / 2, "that is the middle of the shortest and the longest; a mean weighs all requests"),
    ),
)  # fmt: skip

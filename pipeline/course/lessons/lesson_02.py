"""Lesson 2: three operational laws on the counters of a closed load: Utilization Law, Forced Flow Law, Little's law."""

from __future__ import annotations

from pipeline.course.formula import Formula, answer, column, given
from pipeline.course.given import Given, NoValue
from pipeline.course.question import Choice, Lesson, OpenQuestion, Prediction, Quantity, Question

T, C, B, N_THREADS, R_CLIENT = map(given, ("T", "C", "B", "N_threads", "R_client"))
C_VDISK, N_VDISK, R_PAPER = map(given, ("C_vdisk", "N_vdisk", "R_paper"))
X_OTHER, U_OTHER = given("X_other"), given("U_other")
X, U, V, S, D = map(answer, "XUVSD")
X_VDISK = C_VDISK / T
U_PREDICTED = D * X_OTHER
D_OWN = column("closed", "U_vdisk_req") / X
"""Service demand from the share of the disk's time that the paper's equation 8 gives to the server."""
MIN_DIFFERENCE = 0.006
"""Relative difference from the right answer, below which a slip cannot be recognized."""


def _planned_length(g: Given) -> float:
    """T to the full ten seconds, as it was planned; none where T is as long as that."""
    length_s = T(g)
    planned_s = 10.0 * round(length_s / 10)
    if abs(planned_s / length_s - 1) < MIN_DIFFERENCE:
        raise NoValue("the window is as long as planned")
    return planned_s


PLANNED = Formula(_planned_length)

QUANTITIES = (
    Quantity("T", column("closed", "T_s"), "s", "length of the observation window"),
    Quantity("C", column("closed", "lambda_total"), "1", "transactions completed in the window"),
    Quantity("N_threads", column("closed", "threads"), "1", "threads of the client, none of which pauses"),
    Quantity("R_client", column("closed", "R_client_s"), "s", "mean time of a transaction, measured by the client"),
    Quantity("B", column("closed", "T_vdisk_s"), "s", "growth of io_ticks: the guest's disk was busy so long"),
    Quantity("C_vdisk", column("closed", "operations_vdisk"), "1", "operations that the guest's disk completed"),
    Quantity("N_vdisk", column("closed", "N_vdisk"), "1", "mean number of operations in the guest's disk"),
    Quantity("R_paper", column("closed", "R_as_printed_s"), "s", "response time by the paper's equations"),
    Quantity("X_other", column("other", "X_per_s"), "1/s", "throughput of another run, same threads"),
    Quantity("U_other", column("other", "U_vdisk_total"), "1", "utilization measured in that run"),
)  # fmt: skip

QUESTIONS = (
    Prediction(
        "stretch",
        "The guest's disk is busy for B of the T seconds. How many times its service time does an operation spend "
        "at the disk, waiting included?",
        unit="1",
        right=N_VDISK / (B / T),
    ),
    Question(
        "X",
        "The throughput of the system, in transactions per second.",
        C / T,
        unit="1/s",
        tolerance=0.004,
        slips=(
            (T / C, "upside down: that is the mean time between two completions, T/C"),
            (C, "that is the count C; a throughput is the count divided by T"),
            (N_THREADS, "that is the number of threads; throughput counts what is completed"),
            (X_VDISK, "that is the disk's throughput: operations, not transactions"),
            (C / B, "you divided by the disk's busy time B; the window is T seconds long"),
            (C / T / N_THREADS, "that is the throughput of one thread; all of them together are asked for"),
            (C / T * N_THREADS, "C counts the transactions of all threads already: do not multiply by their number"),
            (C / B / N_THREADS, "you divided by busy time and threads; C over T is for all threads together"),
            (60 * C / T, "that is per minute, not per second"),
            (N_THREADS / T, "you divided the number of threads by T; divide the completions C"),
            (C * T, "you multiplied by T; a rate is a count divided by time"),
            (C / PLANNED, "you divided by the planned length; T is the length that was measured"),
            (C / N_THREADS, "that is how many transactions one thread completed; a rate is per second"),
            (C / (T - B), "you divided by the time in which the disk was idle; the window is T seconds long"),
            ((C - N_THREADS) / T, "C counts completed transactions only: do not subtract those in progress"),
            (N_VDISK / T, "you divided the number in the disk; divide the completions C"),
        ),
    ),
    Question(
        "U",
        "The utilization of the guest's disk: the share of the window in which it was busy.",
        B / T,
        unit="1",
        tolerance=0.004,
        slips=(
            (B, "that is the busy time B itself; divide it by T"),
            (N_VDISK, "that is the mean number in the disk (field 11); busy time comes from io_ticks, field 10"),
            (B / C, "you divided by the transactions: that is a demand; a utilization is busy time over T"),
            (B / C_VDISK, "you divided by the operations: that is a service time; a utilization is busy time over T"),
            (1 - B / T, "that is the share of time in which the disk was idle"),
            (T / B, "upside down: it is B/T"),
            (column("closed", "U_disk_total"), "that is the host's disk; the guest's is asked for"),
            (
                column("closed", "io_ticks_boot_vdisk_s") / T,
                "that is io_ticks since the guest was booted; only its growth in the window counts",
            ),
            (
                column("closed", "rw_ticks_vdisk_s") / T,
                "those are fields 4 and 8, which add up the waiting of every operation; busy time is field 10",
            ),
            (B / (T - B), "that is busy time over idle time; divide by the whole window T"),
            (B / T / N_THREADS, "the disk is one device: its busy time is not shared out among the threads"),
            (B / PLANNED, "you divided by the planned length; T is the length that was measured"),
            (B / (T + B), "the busy time is a part of T: do not add it to the divisor"),
            (N_VDISK / N_THREADS, "that is the share of the transactions that is in the disk; take busy time over T"),
            (S * X, "S is of one operation and X counts transactions; U = X_vdisk S"),
            (N_VDISK / (1 + N_VDISK), "that is U from N by a formula for random arrivals; it is measured, B/T"),
            ((B / T) ** 2, "you squared it; a utilization is B/T"),
        ),
    ),
    Question(
        "V",
        "The visits of a transaction to the guest's disk: how many operations does one transaction make?",
        C_VDISK / C,
        unit="1",
        slips=(
            (C / C_VDISK, "upside down: those are transactions per operation"),
            (X_VDISK, "those are operations per second; per transaction are asked for"),
            (column("closed", "operations_disk") / C, "that is the host's disk; the guest's is asked for"),
            (
                column("closed", "sectors_vdisk") / C,
                "those are sectors per transaction; one operation moves several sectors",
            ),
            (C_VDISK / C / N_THREADS, "C counts the transactions of all threads: do not divide by their number again"),
            (C_VDISK / N_THREADS, "those are operations per thread; per transaction are asked for"),
            (C_VDISK / X, "you divided a count by a rate; divide count by count, or rate by rate"),
            (X_VDISK / C, "you divided a rate by a count; divide count by count, or rate by rate"),
            (C_VDISK * U / C, "a visit counts whether the disk is busy or not: leave U out"),
            (C_VDISK, "that is the count of all operations; divide it by the transactions"),
            (X_VDISK / N_THREADS, "those are operations per second and thread; divide by the throughput X"),
            (C_VDISK - C, "you subtracted; operations per transaction are a quotient"),
            (C_VDISK / C - 1, "all operations count as visits, also the first"),
            (C_VDISK / (C - N_THREADS), "C counts completed transactions only: do not subtract those in progress"),
            (C_VDISK / C * (T / B), "a visit counts whether the disk is busy or not: leave U out"),
        ),
        note="By the Forced Flow Law, X_vdisk = V X: the disk's throughput is V times the system's.",
    ),
    Question(
        "S",
        "The mean service time of one operation at the guest's disk.",
        B / C_VDISK,
        slips=(
            (B / C, "you divided by the transactions: that is a service demand D = V S, not one operation"),
            (N_VDISK / X_VDISK, "that is the residence time of an operation, waiting included"),
            (
                column("closed", "T_disk_s") / column("closed", "operations_disk"),
                "that is the host's disk; the guest's is asked for",
            ),
            (T / C_VDISK, "that is the time between two operations: divide the busy time B, not the window"),
            (C_VDISK / B, "upside down: those are operations per busy second"),
            (B / T / C_VDISK, "you divided U by a count; it is U over the rate X_vdisk, or B over the count C_vdisk"),
            (B / X_VDISK, "you divided B by a rate; it is U over the rate X_vdisk, or B over the count C_vdisk"),
            (B / T * X_VDISK, "you multiplied U by X_vdisk; the Utilization Law U = X_vdisk S is solved by dividing"),
            (
                R_CLIENT / V,
                "that spreads the whole transaction over its operations; the service time is the disk's work alone",
            ),
            (
                column("closed", "rw_ticks_vdisk_s") / C_VDISK,
                "that is from fields 4 and 8: waiting is in them; busy time is field 10",
            ),
            ((T - B) / C_VDISK, "that is from the idle time T − B; divide the busy time"),
            (B / C_VDISK / N_THREADS, "B and C_vdisk are those of all threads: do not divide by their number"),
            (R_CLIENT / C_VDISK, "you divided the client's time; divide the busy time B of the disk"),
            (B / C / N_THREADS, "that is the demand of a transaction over the threads; divide B by the operations"),
            (S / V, "you divided by the visits, too; B over the operations is one operation already"),
            (S * N_THREADS, "the service of one operation does not depend on the number of threads"),
            (N_VDISK / X_VDISK - S, "that is the waiting of an operation; its service is asked for"),
        ),
        note="This is the Utilization Law, U = X_vdisk S.",
    ),
    Question(
        "D",
        "The service demand of a transaction at the guest's disk: how long does the disk work for one transaction?",
        U / X,
        needs=("U", "X"),
        slips=(
            (S, "that is the service of one operation; a transaction makes V of them"),
            (D_OWN, "that is the server's own part of the disk's work (the paper's equation 8); take the whole disk"),
            (U / C, "you divided U by the count C; U goes with the rate X, B with the count C"),
            (B / X, "you divided B by the rate X; U goes with the rate X, B with the count C"),
            (S * X, "you multiplied S by the throughput; multiply it by the visits V"),
            (U * X, "you multiplied; the Service Demand Law U = X D is solved by dividing"),
            (X / U, "upside down: it is U/X"),
            (S / V, "you divided by the visits; a transaction makes V visits of S each: multiply"),
            (T / C, "that is 1/X, the time between two completions; the disk is not busy all of it"),
            (N_THREADS / X, "that is N/X, a response time; a demand has no waiting in it"),
            (N_VDISK / X, "that is the residence time of a transaction at the disk: waiting is in it"),
            (column("closed", "T_disk_s") / C, "that is the host's disk; the guest's is asked for"),
            (U / X_VDISK * N_THREADS, "you multiplied S by the number of threads; multiply it by the visits V"),
            (U * R_CLIENT, "the disk is busy for a share of the window, not of a transaction"),
            (D / N_THREADS, "C counts the transactions of all threads already: do not divide by their number"),
            (D * N_THREADS, "that is the demand of N transactions; one is asked for"),
            (R_CLIENT / V, "that is the client's time over the visits; a demand is busy time over transactions"),
            (D / (1 - U), "that is a residence time under random arrivals, D/(1 − U); a demand has no waiting in it"),
            (S * N_VDISK, "you multiplied S by the number in the disk; multiply it by the visits V"),
            (S * C, "you multiplied S by the count of transactions; multiply it by the visits V"),
            ((T - B) / C, "that is from the idle time T − B; divide the busy time"),
            (U / X_OTHER, "you took the throughput of the other run"),
            (D - S, "all V operations of a transaction count, also the first"),
        ),
        note="U/X = B/C = V S: the Service Demand Law.",
    ),
    Question(
        "N",
        "Little's law for the whole system: the mean number of transactions in it, from the throughput and the "
        "client's mean time.",
        X * R_CLIENT,
        unit="1",
        tolerance=0.01,
        needs=("X",),
        slips=(
            (X * R_PAPER, "you took the time by the paper's equations; take the client's"),
            (X / R_CLIENT, "you divided; Little's law is N = X R"),
            (R_CLIENT / X, "you divided; Little's law is N = X R"),
            (X_VDISK * R_CLIENT, "X and R must be of the same thing: transactions, not operations of the disk"),
            (C * R_CLIENT, "those are all times added up; Little's law takes the rate X, not the count"),
            (N_VDISK, "that is the number in the guest's disk; the whole system is asked for"),
            (X * D, "that is the Service Demand Law: the number in service at the disk, its utilization"),
            (X * S, "you took the service time of a disk operation; take the whole time of a transaction"),
            (N_THREADS * R_CLIENT, "you multiplied the number of threads; Little's law takes the throughput X"),
            (N_THREADS / X, "that is N/X, the time that Little's law gives; the number is asked for"),
            (X * R_CLIENT / N_THREADS, "that is per thread; all transactions in the system are asked for"),
            (N_THREADS + N_VDISK, "those in the disk are among the threads' transactions already; compute X R"),
            (N_THREADS - N_VDISK, "those in the disk are in the system, too; compute X R"),
            (U / (1 - U), "that is a formula for random arrivals at one device; Little's law is N = X R"),
            (N_THREADS * U, "you multiplied by the disk's utilization; Little's law is N = X R"),
            (N_THREADS - 1, "the one that you look at counts, too; compute X R"),
            (X_OTHER * R_CLIENT, "you took the throughput of the other run"),
            (X * N_VDISK / X_VDISK, "you took the stay of one disk operation; take the whole time of a transaction"),
            (X * R_CLIENT - 1, "all transactions count, also the one that you look at"),
            (X * R_CLIENT + 1, "the one that you look at is among them: do not add it"),
            (X * (R_CLIENT + R_PAPER), "the client's time is the whole time: do not add the paper's"),
            (X * R_CLIENT / V, "you divided by the visits; X and R are both of transactions"),
        ),
        note="Compare it with the number of threads: the client measured what the law says.",
    ),
    Question(
        "R_op",
        "Little's law for a part of the system, the guest's disk: the mean residence time of one operation there.",
        N_VDISK / X_VDISK,
        slips=(
            (N_VDISK / X, "that is the stay of all operations of a transaction; divide by operations per second"),
            (S, "that is the service alone; an operation that finds others in the disk waits, too"),
            (S / (1 - U), "that is S/(1 − U), a model of random arrivals; Little's law needs no model"),
            (N_VDISK * S, "that is N S, or U N/X_vdisk: N = X R has neither S nor U in it"),
            (
                U / X_VDISK * (1 + N_VDISK),
                "that is S (1 + N), which supposes what an operation finds; Little's law supposes nothing",
            ),
            (N_VDISK * X_VDISK, "you multiplied; N = X R is solved for R by dividing"),
            (X_VDISK / N_VDISK, "upside down: R = N/X"),
            (N_THREADS * S, "all N threads are not at the disk, one behind the other; compute N_vdisk/X_vdisk"),
            (N_VDISK / C_VDISK, "you divided by the count of operations; Little's law takes their rate"),
            (N_VDISK / U, "that is R in units of S; multiply it by S"),
            (N_VDISK / X_VDISK - S, "that is the waiting alone; the service belongs to the stay"),
            (
                R_CLIENT / V,
                "that spreads a transaction's whole time over its operations; only N_vdisk operations are at the disk",
            ),
            (N_THREADS / X_VDISK, "all N threads are not at the disk; only N_vdisk operations are"),
            (D, "that is the service demand of a transaction; the stay of one operation is asked for"),
            (R_CLIENT, "that is a whole transaction; the stay of one operation at the disk is asked for"),
            (
                column("closed", "N_disk") / (column("closed", "operations_disk") / T),
                "that is the host's disk; the guest's is asked for",
            ),
            (D / (1 - U), "that is the demand of a transaction under random arrivals; compute N/X of the disk"),
            (S * (1 + U), "that is S (1 + U), which supposes what an operation finds; compute N/X of the disk"),
            ((N_VDISK - 1) / X_VDISK, "all N_vdisk operations count, also the one that you look at"),
            (R_CLIENT * N_VDISK / N_THREADS, "that is a transaction's time at the disk; divide it by the visits V"),
            (T / C_VDISK, "that is the time between two operations; several are in the disk at the same time"),
            (N_VDISK / X_VDISK / V, "you divided by the visits, too; N over operations per second is one operation already"),
        ),
        note="Compare R_op/S with 1/(1 − U), which operations that come independently of each other would meet.",
    ),
    Question(
        "Z",
        "The Interactive Response Time Law: which think time would make the paper's response time R_paper possible?",
        N_THREADS / X - R_PAPER,
        tolerance=0.01,
        needs=("X",),
        slips=(
            (N_THREADS / X, "that is N/X, the whole cycle R + Z; take R_paper off"),
            (N_THREADS / X + R_PAPER, "you added R_paper; R + Z = N/X, so it comes off"),
            ((N_THREADS - 1) / X - R_PAPER, "all threads count, also the one that you look at: N, not N − 1"),
            (N_THREADS / X - R_CLIENT, "you took the client's time; with R_paper is asked for"),
            (1 / X - R_PAPER, "1/X is the cycle of a system with one thread; here it is N/X"),
            (R_PAPER, "that is R_paper itself; the think time is what is missing of the cycle N/X"),
            (X / N_THREADS - R_PAPER, "you took X/N; the cycle is N/X"),
            (N_THREADS * X - R_PAPER, "you multiplied N by X; the cycle is N/X"),
            (N_THREADS - X * R_PAPER, "that is the number of threads that would be thinking; divide it by X"),
            (R_PAPER - N_THREADS / X, "the sign: Z = N/X − R"),
            (R_CLIENT + R_PAPER, "you added the client's time; Z = N/X − R_paper"),
            (N_THREADS / X_OTHER - R_PAPER, "you took the throughput of the other run"),
            (R_CLIENT, "that is the client's time, the whole cycle R + Z; take R_paper off"),
            (Formula(lambda g: 0.0), "that is what the run had; which Z would be needed for R_paper to be right?"),
            (N_THREADS / (X * R_PAPER), "that is N/(X R), a ratio; R_paper is subtracted from N/X"),
            (N_THREADS / X * R_PAPER, "you multiplied; R_paper is subtracted from N/X"),
            (N_THREADS / X - 1000 * R_PAPER, "you subtracted milliseconds from seconds"),
        ),
        note="Nobody paused between transactions: Z is 0. X, N and R_paper cannot all be right.",
    ),
    Question(
        "U_miss",
        "The Service Demand Law with the D of this run and the throughput X_other of the other run predicts a "
        "utilization. Its relative error, against U_other as measured?",
        D * X_OTHER / U_OTHER - 1,
        unit="1",
        tolerance=0.02,
        needs=("D",),
        slips=(
            (U_PREDICTED - U_OTHER, "that is the difference; divide it by the measured utilization"),
            (1 - U_OTHER / U_PREDICTED, "you divided by the predicted utilization; divide by the measured one"),
            (1 - U_PREDICTED / U_OTHER, "an error is predicted minus measured; yours has the other sign"),
            (U_PREDICTED, "that is the predicted utilization itself; compare it with the measured one"),
            (U_PREDICTED / U_OTHER, "that is the ratio of predicted to measured; take 1 off"),
            (U_OTHER / U_PREDICTED, "that is measured over predicted; the relative error is predicted/measured − 1"),
            (U / U_OTHER - 1, "you compared two measured utilizations; predict the other run's with its X"),
            (X_OTHER / X - 1, "that is how much X grew; the error of the utilization is asked for"),
            (
                (D_OWN * X_OTHER / U_OTHER - 1),
                "that is with the server's own part of the demand; take the D that you computed",
            ),
            (S * X_OTHER / U_OTHER - 1, "S is of one operation; X_other counts transactions, so take D"),
            (U_PREDICTED - 1, "take U_other off, and divide by it; 1 is taken off a ratio only"),
            (U_OTHER - U, "that is the difference of the two measured utilizations; predict the other with D X_other"),
            (U_OTHER / U - 1, "that is how much the measured utilization grew; predict the other with D X_other"),
            (U_OTHER / U_PREDICTED - 1, "you took the prediction as the base; divide by the measured one"),
            (
                2 * (U_PREDICTED - U_OTHER) / (U_PREDICTED + U_OTHER),
                "that is relative to the mean of both; divide by the measured one",
            ),
            (U_PREDICTED - U, "you compared with the utilization of this run; compare with U_other"),
            (D - U_OTHER / X_OTHER, "that is the difference of the two demands; an error of U is asked for"),
        ),
        note="The law holds in each run by definition; what changed is D. A demand is a measured number, not a "
        "constant of the machine.",
    ),
    Choice(
        "why_miss",
        "Why does the prediction miss?",
        {
            "a": "The Service Demand Law does not hold when operations queue.",
            "b": "The demand D was another one in the other run.",
            "c": "A closed load violates the law's assumption of independent arrivals.",
            "d": "The throughput X_other is that of the client and not that of the disk.",
        },
        "b",
        {
            "a": "the law counts busy time only; whether operations wait changes neither U nor X nor D",
            "c": "the law assumes nothing about arrivals: it follows from U = B/T, X = C/T and D = B/C",
            "d": "D is per transaction, and so is X_other: they belong together",
        },
        note="U_other/X_other is the demand of the other run; in each run, D = U/X.",
    ),
    Choice(
        "impossible",
        "Four reports of a monitoring tool. Each device serves one operation at a time. Which report cannot be true?",
        {
            "a": "A disk completes 400 operations per second of 2 ms each and is 80 % busy.",
            "b": "16 threads without think time complete 20 transactions per second; one takes 0.8 s.",
            "c": "A disk completes 300 operations per second of 4 ms each.",
            "d": "Transactions need 50 ms of a CPU that is 50 % busy; 10 end per second.",
        },
        "c",
        {
            "a": "U = X S = 400 × 0.002 = 0.8: possible",
            "b": "N = X R = 20 × 0.8 = 16: possible",
            "d": "U = X D = 10 × 0.05 = 0.5: possible",
        },
        note="U = X S = 1.2: a device cannot be busy for more than all of the time.",
    ),
    OpenQuestion(
        "why_queue",
        "The guest's disk is idle for much of the time. Why do its operations nevertheless wait for several service "
        "times?",
        "A mean utilization says nothing about when the operations come. The database writes many pages at once, so "
        "that operations arrive in bursts and queue, and then it sends nothing for a while. S/(1 − U) would be right "
        "only if they came independently of each other (and their services were exponential, or the disk shared "
        "itself out equally). Little's law holds all the same: it assumes nothing about arrivals.",
    ),
    OpenQuestion(
        "unseen",
        "Which numbers of this lesson are different on your host, and which relations between them are the same?",
        "All counts and what follows from them differ; the laws hold on both: U = X_vdisk S = X D, N = X R within "
        "about 1 % of the number of threads (the window cuts a few transactions). How far R_op/S is from 1/(1 − U) "
        "depends on how the operations arrive, and so on the host.",
    ),
)  # fmt: skip

LESSON = Lesson(
    number=2,
    name="02_three_laws",
    title="Three laws that need no model",
    opening="Sixteen customers are in the shop, always; fourteen or fifteen leave per second. Nobody has measured how "
    "long one stays. Do you know it nevertheless?",
    minutes=60,
    outcomes=(
        "Compute throughput, utilization, visits, service time and service demand from counters, and name the law "
        "that each follows from.",
        "Apply Little's law to a whole system and to a part of it.",
        "Find measurements that cannot all be true.",
    ),
    runs={"closed": "first/db-16-a/db", "other": "first/db-16-sweep-7/db"},
    families={},
    quantities=QUANTITIES,
    questions=QUESTIONS,
    books=(
        "Denning and Buzen, *The Operational Analysis of Queueing Network Models*, Computing Surveys 10 (1978) "
        "225–261: all laws of this lesson, from counts alone; the Service Demand Law is on page 236.",
        "Lazowska, Zahorjan, Graham and Sevcik, *Quantitative System Performance* (1984), chapter 3: the same laws "
        "with worked examples; a device is a *service center* there.",
        "Menascé, Almeida and Dowdy, *Performance by Design* (2004), chapter 3: V, S and D for each resource, and a "
        "table of the laws.",
        "Jain, *The Art of Computer Systems Performance Analysis* (1991), chapter 33: operational laws; the residence "
        "time at a device is called its *response time*.",
        "Harchol-Balter, *Performance Modeling and Design of Computer Systems* (2013), chapter 6: Little's law with "
        "its proof by areas, and why it needs neither Poisson arrivals nor a queueing discipline.",
    ),
    exam=(
        (
            "A web shop answers 50 requests per second; on the mean 20 requests are in it. How long does one take?",
            "Little's law: R = N/X = 20/50 = 0.4 s.",
        ),
        (
            "In 60 s a disk was busy for 36 s and completed 4,500 operations; the system completed 300 transactions. "
            "Give U, S, V and D, and the largest throughput that this disk allows.",
            "U = 36/60 = 0.6; S = 36/4500 = 8 ms; V = 4500/300 = 15; D = V S = 120 ms (= U/X = 0.6/5). "
            "At U = 1, X = 1/D = 8.33 transactions per second.",
        ),
        (
            "A report says: 16 threads, no think time, 77.5 transactions per second, mean response time 15.7 ms. "
            "What is wrong?",
            "N = X R = 77.5 × 0.0157 = 1.2, but 16 transactions are in the system at any time. With 16 threads and "
            "that X the response time is 16/77.5 = 206 ms; or there is a think time of 191 ms.",
        ),
    ),
    surprise="An operation spends about seven times its service time at a disk that is idle for nearly half of the "
    "time; and the demand of one run misses the utilization of another by a fifth.",
    before_surprise="The disk is busy for half of the time. How much longer than its service does an operation stay?",
    stuck="Let the group write the unit of each given number beside it (s, transactions, operations) and cancel units: "
    "only one quotient has the unit that is asked for.",
)  # fmt: skip

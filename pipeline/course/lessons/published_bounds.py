"""Questions of lesson 7: one thread, the least of sixteen, and the equations beside a client."""

from __future__ import annotations

from pipeline.course.audit import THREADS, Published
from pipeline.course.lessons.published_numbers import SECOND, one_thread, paper
from pipeline.course.question import Choice, OpenQuestion, Question
from pipeline.network.bounds import asymptotic, balanced


def _lower_bound(p: Published) -> float:
    return float(balanced(p.demands, [THREADS]).x_lower[0])


BOUNDS = (
    Question(
        "X_one",
        "With these demands (R_cpu, by equation (2), is a demand already), how many transactions per second would ONE thread complete?",
        paper(one_thread),
        unit="1/s",
        slips=(
            (
                paper(lambda p: 3 / p.response),
                "the times are added; and R has the waiting in it: use the demands",
            ),
            (paper(lambda p: one_thread(p) / THREADS), "one thread is alone: do not divide by 16"),
            (
                paper(lambda p: 1 / (p.vdisk + p.disk)),
                "the CPU is missing, and R has the waiting for others in it: use the demands",
            ),
            (
                paper(lambda p: THREADS / p.response),
                "R has the waiting in it, and it is one thread: 1 over the sum of the demands",
            ),
            (
                paper(lambda p: 1 / (p.cpu + p.vdisk + p.demands[2])),
                "that has R of the guest's disk in it; turn equation (10) round for both disks",
            ),
            (paper(lambda p: 1 / p.cpu), "that is the CPU alone; one thread visits all stations"),
            (
                paper(lambda p: 1 / p.demands[2]),
                "that is the host's disk alone; one thread visits all stations",
            ),
            (
                paper(lambda p: sum(1 / d for d in p.demands)),
                "add the demands first, then take the reciprocal",
            ),
            (paper(lambda p: 1 / sum(p.demands[:1]) / 3), "the demands are not equal: add them up"),
            (
                paper(lambda p: 3 / sum(p.demands)),
                "that is of the mean demand; a thread needs all three, one after the other",
            ),
            (
                paper(lambda p: 1 / (p.cpu + p.vdisk)),
                "R has the waiting for others in it, and the host's disk is missing: use the demands",
            ),
            (paper(lambda p: p.throughput), "that is what 16 threads are said to complete"),
            (
                paper(lambda p: 1 / p.response),
                "R has the waiting for others in it; one thread meets nobody: use the demands",
            ),
            (
                paper(lambda p: 1 / max(p.demands)),
                "that is the most that many threads can reach; one thread visits all stations",
            ),
            (
                paper(lambda p: p.throughput / THREADS),
                "that is a sixteenth of the published X; is that what one thread alone does?",
            ),
            (
                paper(lambda p: THREADS / sum(p.demands)),
                "that is 16 threads that never meet; one thread is asked for",
            ),
            (
                paper(lambda p: 1 / (p.cpu + p.demands[1])),
                "the host's disk is missing; the paper has three stations",
            ),
            (paper(lambda p: 1 / (p.demands[1] + p.demands[2])), "the CPU is missing"),
            (
                paper(lambda p: 1 / (p.cpu + p.demands[1] + p.disk)),
                "that has R of the host's disk in it; turn equation (10) round for both disks",
            ),
            (
                paper(
                    lambda p: 1 / (p.cpu / (1 + p.throughput * p.cpu) + p.demands[1] + p.demands[2])
                ),
                "R_cpu of equation (2) is a demand already; equation (10) is for the disks",
            ),
            (paper(one_thread, "second"), SECOND),
        ),
        note="that is more than the published throughput of 16 threads",
    ),
    Question(
        "X_least",
        "And what is the least that 16 threads would complete per second? (balanced job bounds, lower)",
        paper(_lower_bound),
        unit="1/s",
        slips=(
            (
                paper(lambda p: THREADS / (sum(p.demands) + (THREADS - 1) * sum(p.demands) / 2)),
                "you took the half of D for D_max; it is the largest of the three demands",
            ),
            (
                paper(lambda p: THREADS * p.throughput),
                "the published X is that of 16 threads already; bound it by the demands",
            ),
            (
                paper(lambda p: THREADS / (sum(p.demands) + (THREADS - 1) * p.cpu)),
                "you took the CPU for the slowest station; D_max is the largest of the three demands",
            ),
            (
                paper(lambda p: THREADS / (sum(p.demands) + (THREADS - 1) * p.demands[2])),
                "you took the host's disk for the slowest station; D_max is the largest of the three demands",
            ),
            (
                paper(lambda p: THREADS / (sum(p.demands) + (THREADS - 1) * p.vdisk)),
                "you took the published R for D_max; take the demand",
            ),
            (
                paper(lambda p: THREADS / (p.response + (THREADS - 1) * p.vdisk)),
                "you took the published times; take the demands",
            ),
            (
                paper(lambda p: THREADS / (THREADS * p.response)),
                "you took the published times, and as if all three were queued for: use demands, and D_max once "
                "per other thread",
            ),
            (
                paper(lambda p: 1 / ((THREADS - 1) * max(p.demands))),
                "16 threads complete in that time, and their own demands D are missing",
            ),
            (
                paper(lambda p: (THREADS - 1) / (sum(p.demands) + (THREADS - 1) * max(p.demands))),
                "all 16 threads complete, not 15",
            ),
            (
                paper(lambda p: sum(p.demands) + (THREADS - 1) * max(p.demands)),
                "that is the longest time of a transaction; 16 threads divided by it is the throughput",
            ),
            (
                paper(lambda p: float(asymptotic(p.demands, [THREADS]).x_lower[0])),
                "that is the pessimistic asymptotic bound, N/(N D): true, but weaker",
            ),
            (
                paper(lambda p: 1 / max(p.demands)),
                "that is the most, 1/D_max; the least is asked for",
            ),
            (
                paper(lambda p: THREADS / (sum(p.demands) * (1 + (THREADS - 1) / 3))),
                "you took the mean demand; the lower bound has the largest, D_max",
            ),
            (
                paper(lambda p: THREADS / sum(p.demands)),
                "that is as if nobody waited; 15 others are there",
            ),
            (
                paper(lambda p: THREADS / (sum(p.demands) + THREADS * max(p.demands))),
                "a thread meets the 15 others, not 16: (N − 1) D_max",
            ),
            (
                paper(lambda p: 1 / (sum(p.demands) + (THREADS - 1) * max(p.demands))),
                "that is one thread's share; 16 of them complete",
            ),
            (
                paper(lambda p: THREADS / ((THREADS - 1) * max(p.demands))),
                "the thread's own demands D are missing below the line",
            ),
            (
                paper(lambda p: THREADS / (p.response + (THREADS - 1) * max(p.demands))),
                "you took the published R; D is the sum of the demands",
            ),
            (
                paper(lambda p: p.throughput),
                "that is the published one; what is the least by the bound?",
            ),
            (paper(_lower_bound, "second"), SECOND),
        ),
    ),
    Choice(
        "nesting",
        "The guest's time at its disk contains the host's. Which of the four published rows cannot be true then?",
        {
            "a": "first server, web",
            "b": "first server, database",
            "c": "first server, web, and second server, database",
            "d": "second server, both",
        },
        right="c",
        reasons={
            "a": "right, but it is not the only one: compare R_vdisk and R_disk in each row",
            "b": "there R_vdisk is the larger one, as it must be",
            "d": "in one of these two rows R_vdisk is the larger one, as it must be",
        },
    ),
    Question(
        "spread",
        "The equations leave choices open. In the recorded closed run, by which factor does the client's time exceed "
        "even the largest R that any combination of them gives?",
        lambda g: g.run("closed")["R_client_s"] / g.run("closed")["R_variants_max_s"],
        unit="1",
        slips=(
            (
                lambda g: g.run("closed")["R_client_s"] / g.run("closed")["R_corrected_s"],
                "that is the corrected variant, a closed model; the combinations of the paper's equations are meant",
            ),
            (
                lambda g: (
                    2
                    * g.run("closed")["R_client_s"]
                    / (g.run("closed")["R_variants_max_s"] + g.run("closed")["R_variants_min_s"])
                ),
                "that is the middle of the combinations; even the largest is asked for",
            ),
            (
                lambda g: g.run("closed")["R_client_s"] / g.run("closed")["R_nested_s"],
                "that is the nested one; take the largest of all combinations",
            ),
            (
                lambda g: 1 - g.run("closed")["R_variants_max_s"] / g.run("closed")["R_client_s"],
                "that is the share that is missing; a factor is asked for",
            ),
            (
                lambda g: g.run("open")["R_client_s"] / g.run("open")["R_variants_max_s"],
                "that is the open run; the closed one is asked for",
            ),
            (
                lambda g: g.run("closed")["R_client_s"] / g.run("closed")["R_cpu_s"],
                "that is the CPU's time alone; take the largest R of all combinations",
            ),
            (
                lambda g: g.run("closed")["R_client_s"] / g.run("closed")["R_variants_min_s"],
                "that is the smallest R; even the largest is asked for",
            ),
            (
                lambda g: g.run("closed")["R_variants_max_s"] / g.run("closed")["R_client_s"],
                "upside down: the client's time over the largest R",
            ),
            (
                lambda g: g.run("closed")["R_client_s"] - g.run("closed")["R_variants_max_s"],
                "that is the difference; a factor is asked for",
            ),
            (
                lambda g: g.run("closed")["R_variants_max_s"] / g.run("closed")["R_variants_min_s"],
                "that is how far the combinations lie apart; compare with the client",
            ),
            (
                lambda g: g.run("closed")["R_client_s"] / g.run("closed")["R_as_printed_s"],
                "that is the R as printed; take the largest of all combinations",
            ),
            (
                lambda g: g.run("closed")["R_client_s"] / g.run("closed")["R_variants_max_s"] - 1,
                "that is by how much more; the factor itself is asked for",
            ),
        ),
    ),
    Question(
        "lucky",
        "And in the recorded open run: R as printed over the client's time?",
        lambda g: g.run("open")["R_as_printed_s"] / g.run("open")["R_client_s"],
        unit="1",
        tolerance=0.002,
        slips=(
            (
                lambda g: g.run("open")["R_as_printed_s"] / g.run("open")["R_client_s"] - 1,
                "that is the relative error; the quotient itself is asked for",
            ),
            (
                lambda g: g.run("open")["R_as_printed_s"] - g.run("open")["R_client_s"],
                "that is the difference; the quotient is asked for",
            ),
            (
                lambda g: g.run("open")["R_variants_min_s"] / g.run("open")["R_client_s"],
                "that is the smallest of all combinations; take the one as printed",
            ),
            (
                lambda g: g.run("open")["R_as_printed_s"] / g.run("closed")["R_client_s"],
                "that is the closed run's client; divide by R_open",
            ),
            (
                lambda g: g.run("closed")["R_as_printed_s"] / g.run("open")["R_client_s"],
                "you took R of the closed run",
            ),
            (
                lambda g: g.run("open")["R_corrected_s"] / g.run("open")["R_client_s"],
                "that is the corrected variant; take the one as printed",
            ),
            (
                lambda g: g.run("open")["R_sum_s"] / g.run("open")["R_client_s"],
                "that is the sum of service demands per request; take the one as printed",
            ),
            (
                lambda g: g.run("open")["R_nested_s"] / g.run("open")["R_client_s"],
                "that is counted once and per request; take the one as printed",
            ),
            (
                lambda g: g.run("closed")["R_as_printed_s"] / g.run("closed")["R_client_s"],
                "that is the closed run",
            ),
            (
                lambda g: g.run("open")["R_as_printed_s"],
                "that is the time; divide it by R_client",
            ),
        ),
    ),
    OpenQuestion(
        "report",
        "Write a referee's report of one page: what is wrong, what would correct it, what remains.",
        "Laws (3 points): N = X R misses 16 threads by the factor 13; one thread alone would do more than the "
        "published X; the balanced job bound is twice the published X. Formula (2): D/(1 − U) is that of an open "
        "queue with random arrivals; 16 threads without a pause are closed, and D is per operation while R is added "
        "per request. Double counting (2): the guest's time at its disk contains the host's; two of four rows break "
        "even that. What a comparison can prove (2): both servers come out in the right order by any number that "
        "grows with the machine's age; order is no test of a model, the client's time is. Fairness (1): the method "
        "needs no agent in the application, counters and equations are named, the error would have been seen had the "
        "client's report been printed.",
    ),
)

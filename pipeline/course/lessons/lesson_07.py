"""Lesson 7: the paper's published numbers against laws that no system can break."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.course.audit import THREADS, Published, published
from pipeline.course.given import Given
from pipeline.course.question import (
    Choice,
    Lesson,
    OpenQuestion,
    Prediction,
    Quantity,
    Question,
)
from pipeline.network.bounds import asymptotic, balanced


def _paper(
    formula: Callable[[Published], float], server: str = "first", virtual_server: str = "db"
) -> Callable[[Given], float]:
    return lambda g: formula(published(g, server, virtual_server))


def _alone(p: Published) -> float:
    return 1 / sum(p.demands)


def _lower_bound(p: Published) -> float:
    return float(balanced(p.demands, [THREADS]).x_lower[0])


SECOND = "that is the second server; take the first"

QUESTIONS = (
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
        _paper(lambda p: p.throughput * p.response),
        unit="1",
        slips=(
            (
                _paper(lambda p: p.throughput * (p.cpu + p.vdisk)),
                "you left the host's disk out, as it is nested in the guest's; here test the paper's own sum of three",
            ),
            (
                _paper(lambda p: p.throughput * p.vdisk),
                "that is at the guest's disk alone; take all three times",
            ),
            (
                _paper(lambda p: p.throughput * p.cpu),
                "that is at the CPU alone; take all three times",
            ),
            (
                _paper(lambda p: p.throughput / p.response),
                "multiply: N = X R, and the units cancel",
            ),
            (
                _paper(lambda p: p.response / p.throughput),
                "multiply: N = X R, and the units cancel",
            ),
            (_paper(lambda p: p.throughput * p.response, "second"), SECOND),
            (
                _paper(lambda p: p.throughput * p.response, "first", "web"),
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
            (lambda g: g.answer("N") / THREADS, "upside down: threads over N"),
            (lambda g: THREADS - g.answer("N"), "that is the difference; a factor is asked for"),
            (
                lambda g: THREADS / g.answer("N") - 1,
                "that is by how much more; the factor itself is asked for",
            ),
            (
                _paper(lambda p: THREADS / (p.throughput * (p.cpu + p.vdisk))),
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
                _paper(lambda p: THREADS / p.throughput),
                "that is N/X, a thread's whole cycle; take R off",
            ),
            (
                _paper(lambda p: THREADS / p.throughput + p.response),
                "take R off, do not add it: N/X = R + Z",
            ),
            (
                _paper(lambda p: (THREADS - 1) / p.throughput - p.response),
                "all 16 threads count, also the one that you look at",
            ),
            (
                _paper(lambda p: THREADS / p.throughput - p.cpu - p.vdisk),
                "you left the host's disk out of R; here test the paper's own sum of three",
            ),
            (_paper(lambda p: THREADS * p.response), "that is N R; the law is Z = N/X − R"),
            (_paper(lambda p: 1 / p.throughput - p.response), "one thread's N; there are 16"),
            (_paper(lambda p: THREADS / p.throughput - p.response, "second"), SECOND),
        ),
        note="sysbench's threads do not pause",
    ),
    Question(
        "D_vdisk",
        "Equation (10) backwards: which demand at the guest's disk is behind the published residence time?",
        _paper(lambda p: p.demands[1]),
        slips=(
            (
                _paper(lambda p: p.vdisk * (1 - p.throughput * p.vdisk)),
                "in R = D/(1 − U) the U is X D, not X R: solve for D",
            ),
            (_paper(lambda p: p.vdisk), "that is R, waiting included; D is smaller"),
            (
                _paper(lambda p: p.vdisk / (1 - p.throughput * p.vdisk)),
                "D = R/(1 + X R): plus, and D is smaller than R",
            ),
            (
                _paper(lambda p: p.vdisk * (1 + p.throughput * p.vdisk)),
                "divide by 1 + X R, do not multiply: D is smaller than R",
            ),
            (
                _paper(lambda p: p.throughput * p.demands[1]),
                "that is the utilization X D; D itself is asked for",
            ),
            (
                _paper(lambda p: p.throughput * p.vdisk),
                "that is X R, the mean number at the disk; D is asked for",
            ),
            (_paper(lambda p: p.demands[2]), "that is the host's disk; the guest's is asked for"),
            (_paper(lambda p: p.demands[1], "second"), SECOND),
            (
                _paper(lambda p: 1 / p.throughput),
                "that is 1/X, the largest D that any station can have",
            ),
        ),
    ),
    Question(
        "X_one",
        "With these demands (R_cpu is one already), how many transactions per second would ONE thread complete?",
        _paper(_alone),
        unit="1/s",
        slips=(
            (
                _paper(lambda p: 1 / p.response),
                "R has the waiting for others in it; one thread meets nobody: use the demands",
            ),
            (
                _paper(lambda p: 1 / max(p.demands)),
                "that is the most that many threads can reach; one thread visits all stations",
            ),
            (
                _paper(lambda p: p.throughput / THREADS),
                "that is a sixteenth of the published X; is that what one thread alone does?",
            ),
            (
                _paper(lambda p: THREADS / sum(p.demands)),
                "that is 16 threads that never meet; one thread is asked for",
            ),
            (
                _paper(lambda p: 1 / (p.cpu + p.demands[1])),
                "the host's disk is missing; the paper has three stations",
            ),
            (_paper(lambda p: 1 / (p.demands[1] + p.demands[2])), "the CPU is missing"),
            (
                _paper(lambda p: 1 / (p.cpu + p.demands[1] + p.disk)),
                "that has R of the host's disk in it; turn equation (10) round for both disks",
            ),
            (
                _paper(
                    lambda p: 1 / (p.cpu / (1 + p.throughput * p.cpu) + p.demands[1] + p.demands[2])
                ),
                "R_cpu of equation (2) is a demand already; equation (10) is for the disks",
            ),
            (_paper(_alone, "second"), SECOND),
        ),
        note="that is more than the published throughput of 16 threads",
    ),
    Question(
        "X_least",
        "And what is the least that 16 threads would complete per second? (balanced job bounds, lower)",
        _paper(_lower_bound),
        unit="1/s",
        slips=(
            (
                _paper(lambda p: float(asymptotic(p.demands, [THREADS]).x_lower[0])),
                "that is the pessimistic asymptotic bound, N/(N D): true, but weaker",
            ),
            (
                _paper(lambda p: 1 / max(p.demands)),
                "that is the most, 1/D_max; the least is asked for",
            ),
            (
                _paper(lambda p: THREADS / (sum(p.demands) * (1 + (THREADS - 1) / 3))),
                "you took the mean demand; the lower bound has the largest, D_max",
            ),
            (
                _paper(lambda p: THREADS / sum(p.demands)),
                "that is as if nobody waited; 15 others are there",
            ),
            (
                _paper(lambda p: THREADS / (sum(p.demands) + THREADS * max(p.demands))),
                "a thread meets the 15 others, not 16: (N − 1) D_max",
            ),
            (
                _paper(lambda p: 1 / (sum(p.demands) + (THREADS - 1) * max(p.demands))),
                "that is one thread's share; 16 of them complete",
            ),
            (
                _paper(lambda p: THREADS / ((THREADS - 1) * max(p.demands))),
                "the thread's own demands D are missing below the line",
            ),
            (
                _paper(lambda p: THREADS / (p.response + (THREADS - 1) * max(p.demands))),
                "you took the published R; D is the sum of the demands",
            ),
            (
                _paper(lambda p: p.throughput),
                "that is the published one; what is the least by the bound?",
            ),
            (_paper(_lower_bound, "second"), SECOND),
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

LESSON = Lesson(
    number=7,
    name="07_paper_audited",
    title="The paper audited",
    opening="Both servers come out in the right order, so the method is right. Do you buy it?",
    minutes=60,
    outcomes=(
        "Test published numbers against laws that no system can break.",
        "Turn a formula round to see what it implies.",
        "Write a fair referee's report: what is wrong, what would correct it, what remains.",
    ),
    runs={"open": "first/web-005-a/web", "closed": "first/db-16-a/db"},
    families={},
    quantities=(
        Quantity(
            "R_cpu",
            _paper(lambda p: p.cpu),
            "s",
            "Table I, database: residence time at the CPU (a demand, equation (2))",
        ),
        Quantity(
            "R_vdisk", _paper(lambda p: p.vdisk), "s", "… at the guest's disk (equation (10))"
        ),
        Quantity("R_disk", _paper(lambda p: p.disk), "s", "… at the host's disk (equation (10))"),
        Quantity("X", _paper(lambda p: p.throughput), "1/s", "… transactions per second"),
        Quantity(
            "threads",
            lambda g: float(THREADS),
            "1",
            "threads of sysbench, without a pause between transactions",
        ),
        Quantity(
            "R_max",
            lambda g: g.run("closed")["R_variants_max_s"],
            "s",
            "recorded closed run: largest R of all combinations of choices",
        ),
        Quantity("R_min", lambda g: g.run("closed")["R_variants_min_s"], "s", "… smallest R"),
        Quantity(
            "R_closed", lambda g: g.run("closed")["R_client_s"], "s", "… the client's mean time"
        ),
        Quantity(
            "R_printed",
            lambda g: g.run("open")["R_as_printed_s"],
            "s",
            "recorded open run: R as printed",
        ),
        Quantity("R_open", lambda g: g.run("open")["R_client_s"], "s", "… the client's mean time"),
    ),
    questions=(
        Prediction(
            "one_thread",
            "Sixteen threads complete 77.5 transactions per second, says the paper. With the paper's own times, how "
            "many would a single thread complete? (Guess.)",
            _paper(_alone),
            "1/s",
        ),
        *QUESTIONS,
    ),
    books=(
        "Little (1961), Operations Research 9, page 383: N = X R needs no assumption about arrivals or services, only "
        "that all three are means over the same system and time.",
        "Lazowska et al. (1984), chapter 5: asymptotic bounds (page 77) and balanced job bounds (page 91) hold for any "
        "product-form network, with nothing but the demands.",
        "Zahorjan, Sevcik, Eager and Galler (1982), Communications of the ACM 25: balanced job bounds.",
        "Jain (1991), chapter 2: common mistakes in performance evaluation; the ones here are an unrepresentative "
        "metric and a model that was not validated.",
        "Denning and Buzen (1978), Computing Surveys 10: operational laws can be checked on any published measurement.",
    ),
    exam=(
        (
            "A report says: 20 clients without think time, 50 requests per second, mean response time 100 ms. What is "
            "wrong with it?",
            "N = X R = 5, but 20 are in the system. Either R is 400 ms, or X is 200 per second, or the clients pause "
            "for Z = 20/50 − 0.1 = 0.3 s.",
        ),
        (
            "Demands are 5, 3 and 2 ms. Between which values does the throughput of 4 customers lie (balanced job "
            "bounds)?",
            "Lower: 4/(10 + 3 · 5) ms = 160 per second. Upper: the smaller of 1/5 ms = 200 and "
            "4/(10 + 3 · 10/3) ms = 200 per second.",
        ),
        (
            "A model meets the measured mean of one run to 0.05 %. Name two reasons why that may prove nothing.",
            "Two errors may cancel (here a time per operation, too small, and a disk included two times, too "
            "large); at low "
            "load every model gives nearly the sum of the demands. A test needs loads at which models differ.",
        ),
    ),
    surprise="The published throughput of sixteen threads is less than one thread alone would reach with the "
    "published times.",
    before_surprise="Can sixteen threads complete less than one thread does alone? What would have to happen for that?",
    stuck="Draw one thread's way: CPU, guest's disk, host's disk, and round again. Alone it never waits, so a "
    "round takes "
    "the sum of the demands. Then ask which of the published times are demands.",
)

"""Lesson 7: the paper's published numbers against laws that no system can break."""

from __future__ import annotations

from pipeline.course.audit import THREADS
from pipeline.course.lessons.published_bounds import BOUNDS
from pipeline.course.lessons.published_numbers import LAWS, one_thread, paper
from pipeline.course.question import Lesson, Prediction, Quantity

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
            paper(lambda p: p.cpu),
            "s",
            "Table I, database: residence time at the CPU (a demand, equation (2))",
        ),
        Quantity("R_vdisk", paper(lambda p: p.vdisk), "s", "… at the guest's disk (equation (10))"),
        Quantity("R_disk", paper(lambda p: p.disk), "s", "… at the host's disk (equation (10))"),
        Quantity("X", paper(lambda p: p.throughput), "1/s", "… transactions per second"),
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
            paper(one_thread),
            "1/s",
        ),
        *LAWS,
        *BOUNDS,
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

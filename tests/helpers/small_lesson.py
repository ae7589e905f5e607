"""A lesson of two runs, for tests of questions, verdicts and checks."""

from pathlib import Path

import polars as pl

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

RUNS = pl.DataFrame(
    [
        {
            "server": "first", "run": "db-16-a", "virtual_server": "db", "lambda_total": 1765.0, "T_s": 120.851545,
            "busy_s": 63.98, "operations": 52538.0, "R_client_s": 1.08986, "R_disk_s": None,
        },
        {
            "server": "first", "run": "web-005-a", "virtual_server": "web", "lambda_total": 600.0, "T_s": 119.84,
            "busy_s": 2.508, "operations": 1132.0, "R_client_s": 0.0107, "R_disk_s": None,
        },
    ]
)  # fmt: skip


def column(name):
    return lambda g: g.run("closed")[name]


LESSON = Lesson(
    number=2,
    name="02_small",
    title="Three laws",
    opening="How long does a transaction stay?",
    minutes=60,
    outcomes=("Compute X, U, S",),
    runs={"closed": "first/db-16-a/db"},
    families={"both": ("first/db-16-a/db", "first/web-005-a/web")},
    quantities=(
        Quantity("C", column("lambda_total"), "1", "transactions completed"),
        Quantity("T", column("T_s"), "s", "length of the measurement"),
        Quantity("B", column("busy_s"), "s", "busy time of the disk"),
        Quantity("C_disk", column("operations"), "1", "disk operations completed"),
        Quantity("R_disk", column("R_disk_s"), "s", "not measured"),
    ),
    questions=(
        Prediction("X_guess", "Predict X", lambda g: g.answer("X"), unit="1/s"),
        Question("X", "Throughput", lambda g: g.value("C") / g.value("T"), unit="1/s", note="By its definition"),
        Question("U", "Utilization", lambda g: g.value("B") / g.value("T"), unit="1"),
        Question(
            "D",
            "Service demand",
            lambda g: g.answer("U") / g.answer("X"),
            needs=("U", "X"),
            slips=((lambda g: g.value("B") / g.value("C_disk"), "that is one operation"),),
        ),
        Question("operations", "Operations", lambda g: g.value("C_disk"), unit="1", tolerance=0),
        Question("R_disk", "Response time of the disk", lambda g: g.value("R_disk")),
        Choice(
            "why", "Which law?", {"a": "Little's", "b": "Utilization Law"}, "b", {"a": "it has no N"}, note="U = X S"
        ),
        Order("way", "Order", ("arrive", "wait", "be served"), {"wait": "one waits before the service"}),
        OpenQuestion("because", "Why?", "Because of the definition"),
    ),
    surprise="s", before_surprise="b", stuck="t", books=("L ch. 3",), exam=(("q", "a"),),
)  # fmt: skip


def given(**own: float) -> Given:
    return Given(LESSON, RUNS, LESSON.runs, pl.DataFrame(), Path("study"), own)

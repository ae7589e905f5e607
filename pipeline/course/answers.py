"""Answers of the lesson on the ten equations, checked with a hint."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import ingest, ledger
from pipeline.files import project_path
from pipeline.ledger.catalogue import AS_PRINTED, CATALOGUE, KEPT, SERVICE
from pipeline.ledger.lookup import LedgerView
from pipeline.units import format_short

TOLERANCE = 1e-6
"""Largest relative difference of a right answer: floating-point rounding only."""


class Hint(Exception):  # noqa: N818 - shown to a student, not a failure
    """An answer that is not there yet or not right; the text says what to do."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the hint alone."""
        return [str(self)]


@dataclass(frozen=True)
class Question:
    """One quantity of the catalogue that a lesson asks for, and frequent slips."""

    symbol: str
    slips: tuple[tuple[Callable[[Answers], float | None], str], ...]
    choice: dict[str, str]
    """Choices that differ from ``LESSON``."""

    @property
    def choices(self) -> dict[str, str]:
        """The choices that the quantity depends on, as the question means them."""
        return {name: {**LESSON, **self.choice}[name] for name in CATALOGUE[self.symbol].choices}


LESSON = {"demand": SERVICE, "denominator": "own", "background": KEPT, "sum": "sum"}
"""The choices of the lessons: demands per user request, the background kept."""


def _question(
    symbol: str, *slips: tuple[Callable[[Answers], float | None], str], **choice: str
) -> Question:
    return Question(symbol, slips, choice)


def _slip(formula: Callable[..., float], *names: str) -> Callable[[Answers], float | None]:
    """The value of a formula applied to right answers; None if one is missing or the formula has no value."""

    def wrong(answers: Answers) -> float | None:
        values = [answers.value(name) for name in names]
        try:
            return None if None in values else formula(*values)
        except ZeroDivisionError:
            return None

    return wrong


def _of(name: str) -> Callable[[Answers], float | None]:
    return _slip(lambda value: value, name)


def _ratio(dividend: str, divisor: str) -> Callable[[Answers], float | None]:
    return _slip(lambda a, b: a / b, dividend, divisor)


def _disk_questions(disk: str, where: str) -> dict[str, Question]:
    everything = (
        f"did you leave out the sum over the server's own tasks? That is all that {where} moved"
    )
    slips: dict[str, tuple] = {
        f"T_{disk}": (),
        f"U_{disk}_total": (
            (_of(f"T_{disk}"), "that is the busy time itself; divide it by T"),
            (
                _of(f"L_{disk}"),
                "that is time_in_queue (field 11) over T, the mean number of requests in the disk; "
                "io_ticks is field 10",
            ),
        ),
        f"Read_{disk}_total": ((_of(f"Write_{disk}_total"), "that is what was written"),),
        f"Write_{disk}_total": ((_of(f"Read_{disk}_total"), "that is what was read"),),
        f"IO_{disk}_total": (
            (_of(f"Read_{disk}_total"), "that is the reads alone"),
            (_of(f"Write_{disk}_total"), "that is the writes alone"),
        ),
        f"IO_{disk}_req": ((_of(f"IO_{disk}_total"), everything),),
        f"R_{disk}": (
            (_of(f"D_{disk}"), "that is the demand; the queue is still missing: divide by 1 − U"),
            (
                _slip(lambda d, u: d / (1 + u), f"D_{disk}", f"U_{disk}_own"),
                "you divided by 1 + U; it is 1 − U",
            ),
            (
                _slip(lambda d, u: d / (1 - u), f"D_{disk}", f"U_{disk}_req"),
                "you took U_req by iotop's share; the utilization that belongs to this D is X D",
            ),
        ),
    }
    return {
        **{name: _question(name, *of_name) for name, of_name in slips.items()},
        f"U_{disk}_req": _question(
            f"U_{disk}_req",
            (_of(f"share_{disk}"), f"that is the share; multiply it by U_{disk}_total"),
            (
                _of(f"U_{disk}_total"),
                "that is the whole disk; equation (8) takes the server's share of it",
            ),
            demand=AS_PRINTED,
        ),
        f"D_{disk}_as_printed": _question(
            f"D_{disk}_req",
            (
                _of(f"D_{disk}"),
                "you divided by the requests of users; as printed, equation (9) divides by the disk's own "
                "operations per second",
            ),
            demand=AS_PRINTED,
        ),
        f"D_{disk}": _question(
            f"D_{disk}_req",
            (
                _of(f"D_{disk}_as_printed"),
                "you divided by disk operations per second; a demand is per request of a user",
            ),
            (
                _ratio(f"U_{disk}_req", "X_req"),
                f"you took U_{disk}_req, iotop's share of the disk; no other virtual server uses it, so all "
                "of its busy time counts",
            ),
            (
                _ratio(f"U_{disk}_total", "lambda_total"),
                "you divided by the count of requests; X is a rate, requests per second",
            ),
        ),
        # Not asked; the slips above need them.
        f"L_{disk}": _question(f"L_{disk}"),
        f"share_{disk}": _question(f"share_{disk}", demand=AS_PRINTED),
        f"U_{disk}_own": _question(f"U_{disk}_req"),
    }


QUESTIONS: dict[str, Question] = {
    "lambda_total": _question(
        "lambda_total", (_of("X_req"), "that is a rate, requests per second; λ_total is a count")
    ),
    "T": _question("T"),
    "T_cpu": _question(
        "T_cpu", (_of("R_cpu"), "that is the time of one request already; T_cpu is that of all")
    ),
    "R_cpu": _question(
        "R_cpu",
        (_ratio("T_cpu", "T"), "you divided by T: that is a utilization; divide by the requests"),
        (_ratio("T_cpu", "X_req"), "did you use the rate λ for the count λ_total?"),
    ),
    "X_req": _question(
        "X_req",
        (_ratio("T", "lambda_total"), "that is the reciprocal: the time between two requests"),
    ),
    **_disk_questions("vdisk", "the guest's disk"),
    **_disk_questions("disk", "the host's disk"),
    "R_req_sum": _question("R_req"),
    "R_req_nested": _question("R_req", sum="nested"),
    "R_client": _question("R_client"),
}

FACTORS = (
    (1000.0, "1000 times the right answer: convert milliseconds to seconds."),
    (
        1e-3,
        "1/1000 of the right answer: the answer is in seconds, not milliseconds.",
    ),
    (1e9, "10⁹ times the right answer: nanoseconds, not seconds."),
    (100.0, "100 times the right answer: give a ratio, not a percentage."),
    (512.0, "512 times the right answer: the counter was in bytes already."),
    (1 / 512, "1/512 of the right answer: convert sectors of 512 bytes to bytes."),
    (2.0, "twice the right answer: is a contribution included two times?"),
    (0.5, "half of the right answer: is one of two parts missing?"),
    (
        -1.0,
        "the negative of the right answer: an increase is after minus before (the paper prints before minus after).",
    ),
    (1024.0, "1024 times the right answer: K of iotop is 1024 bytes; was it applied twice?"),
    (1 / 1024, "1/1024 of the right answer: K of iotop is 1024 bytes."),
)
"""Factor to the right answer → the likely slip."""


@dataclass(frozen=True)
class Answers:
    """Right answers of a lesson on one virtual server of one run: rows of the ledger."""

    frame: pl.DataFrame
    virtual_server: str

    @classmethod
    def of(
        cls,
        study: str,
        server: str,
        run: str,
        virtual_server: str,
        *,
        raw: str | Path = "data/raw",
        processed: str | Path = "data/processed",
    ) -> Answers:
        """Answers from the pipeline's own ledger of that run."""
        raw, processed = project_path(raw), project_path(processed)
        recorded = ingest.ensure_ingested_run(raw, processed, study, server, run)
        return cls(ledger.run_ledger(recorded, processed), virtual_server)

    @cached_property
    def _numbers(self) -> LedgerView:
        return LedgerView(self.frame, self.virtual_server)

    def value(self, name: str) -> float | None:
        """The right answer to a question; None if the run has no value."""
        question = QUESTIONS[name]
        return self._numbers.value(question.symbol, **question.choices)

    def unit(self, name: str) -> str:
        """The unit of the answer; empty for a ratio."""
        unit = CATALOGUE[QUESTIONS[name].symbol].unit
        return "" if unit == "1" else unit

    def check(self, name: str, answer: Any) -> None:
        """Print that ``answer`` is right, or raise a ``Hint``."""
        if name not in QUESTIONS:
            raise ValueError(f"no question {name!r}; choose from {', '.join(QUESTIONS)}")
        if answer is ...:
            raise Hint(f"{name}: replace the three dots by your answer and run the cell again.")
        right = self.value(name)
        if right is None:
            print(f"{name}: this run has no value, so your answer is not checked.")
            return
        try:
            given = float(answer)
        except (TypeError, ValueError):
            raise Hint(
                f"{name}: the answer must be a number, not {type(answer).__name__}."
            ) from None
        if math.isclose(given, right, rel_tol=TOLERANCE, abs_tol=1e-12):
            print(f"{name} = {format_short(right, 6)} {self.unit(name)}".rstrip() + ": right.")
            return
        raise Hint(f"{name}: {self._why(name, given, right)}")

    def _why(self, name: str, given: float, right: float) -> str:
        if not math.isfinite(given):
            return "that is not a finite number; was something divided by zero?"
        for wrong, slip in QUESTIONS[name].slips:
            value = wrong(self)
            if value is not None and math.isclose(given, value, rel_tol=1e-4, abs_tol=1e-12):
                return f"not yet: {slip}."
        for factor, slip in FACTORS:
            if right and math.isclose(given, right * factor, rel_tol=1e-3):
                return f"your answer is {slip}"
        if right and given and math.isclose(given, 1 / right, rel_tol=1e-3):
            return "your answer is the reciprocal of the right answer."
        if right and math.isclose(given, right, rel_tol=0.02):
            return (
                f"close, but not equal: yours is {format_short(given, 6)}. Look at the ends of the window: the last "
                "snapshot at or before its start, the first at or after its end."
            )
        unit = f" {self.unit(name)}".rstrip()
        times = f", {format_short(given / right, 3)} times the right answer" if right else ""
        return f"not yet: yours is {format_short(given, 4)}{unit}{times}."

"""The verdict on an answer: right, or the likely mistake by its name.

An answer is compared with, in this order: the right answer; the slips of the question; what follows from the student's
own earlier answers; all of these in another unit; a usual factor, reciprocal or complement of the right answer;
other numbers of the lesson; products, quotients, sums and differences of two of them. ``templates/lesson.js`` does the
same on the course's pages from :func:`question_table`; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Literal

from pipeline.course import texts
from pipeline.course.given import Given, NoValue, right_value, slip_values
from pipeline.course.number import Number, number_of, parse_number
from pipeline.course.question import THREE_FIGURES, Question
from pipeline.units import format_short

Kind = Literal["right", "wrong", "blank", "unchecked"]

SLIP_TOLERANCE = 0.004
"""Largest relative difference of a slip from its computed value."""
FACTOR_TOLERANCE = 0.002
TWO_FIGURES = 0.01
"""Resolution up to which a rounded answer is compared with a multiple of the right one."""
CLOSE = 0.05
"""Relative difference of a close answer."""
MAX_FIGURES = 6
"""An answer rounded to three up to this number of significant figures is right."""

UNIT_FACTORS: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1e3, texts.MILLISECONDS), (1e6, texts.MICROSECONDS), (1e9, texts.NANOSECONDS), (1e-3, texts.DIVIDED_1000)),
    "1": ((100.0, texts.PERCENT), (0.01, texts.DIVIDED_100), (1000.0, texts.TIMES_1000), (1e-3, texts.DIVIDED_1000_1)),
    "1/s": ((1e-3, texts.PER_MILLISECOND), (60.0, texts.PER_MINUTE), (1e3, texts.TIMES_1000)),
    "B": (
        (1 / 512, texts.SECTORS), (512.0, texts.TIMES_512), (8.0, texts.SECTORS_4096), (1 / 1024, texts.KIBIBYTES),
        (1024.0, texts.TIMES_1024), (1024 / 1000, texts.KILO), (1000 / 1024, texts.KILO), (1e-6, texts.MEGABYTES),
    ),
}  # fmt: skip
"""Unit → factor to the right answer, and what it stands for."""

FACTORS = ((-1.0, texts.NEGATIVE), (2.0, texts.TWICE), (0.5, texts.HALF))


@dataclass(frozen=True)
class Verdict:
    """What is said of one answer."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class QuestionTable:
    """All that an answer to one question is compared with, as numbers: the data of a page's input box."""

    key: str
    ask: str
    unit: str
    tolerance: float
    note: str
    right: float | None
    slips: list[tuple[float, str]] = field(default_factory=list)
    factors: list[tuple[float, str]] = field(default_factory=list)
    quantities: list[tuple[str, float, str, str]] = field(default_factory=list)
    """Given numbers: symbol, value, unit, meaning."""
    answers: list[tuple[str, float, str]] = field(default_factory=list)
    """Right answers of the lesson's other questions: key, value, unit."""

    def to_json(self) -> dict[str, Any]:
        """Plain data for the page."""
        return {"kind": "number"} | self.__dict__


def question_table(question: Question, given: Given) -> QuestionTable:
    """What an answer to ``question`` is compared with on one study; computed once per ``given``."""
    if question not in given.tables:
        given.tables[question] = _question_table(question, given)
    return given.tables[question]


def _question_table(question: Question, given: Given) -> QuestionTable:
    quantities = []
    for quantity in given.lesson.quantities:
        try:
            value = float(quantity.value(given))
        except (NoValue, ArithmeticError):
            continue
        quantities.append((quantity.symbol, value, quantity.unit, quantity.meaning))
    others = [
        (other.key, value, other.unit)
        for other in given.lesson.questions
        if isinstance(other, Question) and other.key != question.key
        for value in [right_value(other, given)]
        if value is not None
    ]
    return QuestionTable(
        question.key,
        question.ask,
        question.unit,
        question.tolerance,
        question.note,
        right_value(question, given),
        slip_values(question, given),
        [*UNIT_FACTORS.get(question.unit, ()), *FACTORS],
        quantities,
        others,
    )


def judge(
    question: Question, given: Given, answer: Any, own: Mapping[str, float] | None = None
) -> Verdict:
    """Judge an answer.

    Parameters
    ----------
    question, given
    answer : float or str
        In the unit of the question, or a text with a unit; ``...`` is a blank.
    own : mapping of str to float, optional
        The student's answers to earlier questions that were not right, by key.

    Returns
    -------
    Verdict
        ``right``, ``wrong`` with a hint, ``blank``, or ``unchecked`` where the study has no value.
    """
    table = question_table(question, given)
    numbers = read_answer(answer, question.unit)
    if isinstance(numbers, Verdict):
        return numbers
    if table.right is None:
        return Verdict("unchecked", texts.UNCHECKED)
    if not any(math.isfinite(number.value) for number in numbers):
        return Verdict("wrong", texts.NOT_FINITE)
    carried = _carried(question, given, own or {})
    verdicts = [_judge_number(table, number, carried) for number in numbers]
    return next((verdict for verdict in verdicts if verdict.kind == "right"), verdicts[0])


def read_answer(answer: Any, unit: str) -> tuple[Number, ...] | Verdict:
    """The readings of an answer, or the verdict that it is none."""
    if answer is ... or answer is None or (isinstance(answer, str) and not answer.strip()):
        return Verdict("blank", texts.BLANK)
    if isinstance(answer, str):
        return parse_number(answer, unit) or Verdict("wrong", texts.not_a_number(unit))
    try:
        return (number_of(float(answer)),)
    except (TypeError, ValueError, OverflowError):
        return Verdict("wrong", texts.not_a_number_type(type(answer).__name__))


def _carried(question: Question, given: Given, own: Mapping[str, float]) -> list[tuple[float, str]]:
    """What follows from the student's own wrong answers: value, and key of the first of them."""
    wrong = {key: own[key] for key in question.needs if key in own}
    if not wrong:
        return []
    value = right_value(question, given.with_own(wrong))
    return [] if value is None else [(value, next(iter(wrong)))]


def is_near(value: float, target: float, tolerance: float) -> bool:
    """Whether two numbers differ by at most ``tolerance`` of the second (absolutely below 1e-12)."""
    return abs(value - target) <= max(tolerance * abs(target), 1e-12)


def is_right(number: Number, right: float, tolerance: float) -> bool:
    """Whether an answer is right: within the tolerance, or the right answer rounded to three figures or more."""
    if tolerance == 0:
        return number.value == right or is_near(number.value, right, 1e-9)
    if is_near(number.value, right, tolerance * (1 + 1e-9)):
        return True
    return any(
        is_near(number.value, float(f"{right:.{n - 1}e}"), 1e-9) for n in range(3, MAX_FIGURES + 1)
    )


def _judge_number(
    table: QuestionTable, number: Number, carried: Iterable[tuple[float, str]]
) -> Verdict:
    value, right = number.value, table.right
    if is_right(number, right, table.tolerance):
        return Verdict("right", _right_text(table, value))
    tolerance = min(SLIP_TOLERANCE, table.tolerance or SLIP_TOLERANCE)
    slip = _nearest(value, table.slips, max(tolerance, _relative(number)))
    if slip:
        return _wrong(slip)
    for target, key in carried:
        if is_right(number, target, table.tolerance):
            return _wrong(texts.follows_from(key))
    tolerance = max(FACTOR_TOLERANCE, _relative(number, TWO_FIGURES))
    for factor, text in table.factors:
        if is_near(value, right * factor, tolerance):
            return _wrong(text)
    for factor, text in UNIT_FACTORS.get(table.unit, ()):
        slip = _nearest(value, [(v * factor, hint) for v, hint in table.slips], tolerance)
        if slip:
            return _wrong(texts.and_also(slip, text))
    if right and is_near(value, 1 / right, SLIP_TOLERANCE):
        return _wrong(texts.RECIPROCAL)
    if table.unit == "1" and is_near(value, 1 - right, SLIP_TOLERANCE):
        return _wrong(texts.COMPLEMENT)
    other = _other_number(table, number)
    if other:
        return _wrong(other)
    if is_near(value, right, CLOSE):
        return _wrong(texts.close(value / right - 1))
    return _wrong(texts.ratio(value / right) if right else texts.NOT_YET)


def _wrong(text: str) -> Verdict:
    return Verdict("wrong", texts.not_yet(text))


def _right_text(table: QuestionTable, value: float) -> str:
    unit = "" if table.unit == "1" else f" {table.unit}"
    exact = (
        ""
        if is_near(value, table.right, 1e-6)
        else texts.exactly(format_short(table.right, 5) + unit)
    )
    return texts.RIGHT + exact + (f". {table.note}" if table.note else "")


def _relative(number: Number, limit: float = THREE_FIGURES) -> float:
    """The resolution of an answer, relative, at most ``limit``."""
    return min(number.resolution / abs(number.value), limit) if number.value else 0.0


def _nearest(value: float, slips: Iterable[tuple[float, str]], tolerance: float) -> str | None:
    """The hint of the slip that is nearest to the answer, within the tolerance."""
    near = [
        (abs(value - target), hint) for target, hint in slips if is_near(value, target, tolerance)
    ]
    return min(near)[1] if near else None


def _other_number(table: QuestionTable, number: Number) -> str | None:
    """The answer as another number of the lesson, or as a product, quotient, sum or difference of two.

    Compared to as many digits as the answer has, at most four: a coincidence would mislead.
    """
    value = number.value
    tolerance = max(min(_relative(number), 5e-4), 1e-9)
    for symbol, target, unit, meaning in table.quantities:
        if is_near(value, target, tolerance):
            return texts.given_number(symbol, meaning, unit)
    for key, target, _ in table.answers:
        if is_near(value, target, tolerance):
            return texts.other_answer(key)
    if _figures(number) < 4:
        return None
    numbers = {symbol: (target, unit) for symbol, target, unit, _ in table.quantities if target}
    for key, target, unit in table.answers:
        if target:
            numbers.setdefault(key, (target, unit))
    for (a, (x, unit)), (b, (y, other_unit)) in permutations(numbers.items(), 2):
        if is_near(value, x / y, tolerance):
            return texts.combination(f"{a} / {b}")
        if a < b and is_near(value, x * y, tolerance):
            return texts.combination(f"{a} · {b}")
        if unit == other_unit == table.unit:
            if is_near(value, x - y, tolerance):
                return texts.combination(f"{a} − {b}")
            if a < b and is_near(value, x + y, tolerance):
                return texts.combination(f"{a} + {b}")
    return None


def _figures(number: Number) -> int:
    """Significant figures of an answer."""
    if not number.value:
        return 0
    return max(
        0,
        1
        + math.floor(math.log10(abs(number.value)))
        - math.floor(math.log10(2 * number.resolution)),
    )

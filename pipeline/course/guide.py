"""The instructor's guide, printed from the lessons: one Markdown page for each.

A page holds the timetable, what to ask before the surprise, every question with its right answer and the values of its
slips on a study, what to do when a group is stuck, and exam questions.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.course import guide_texts as texts
from pipeline.course.given import Given
from pipeline.course.judge import question_table
from pipeline.course.question import (
    AnyQuestion,
    Choice,
    Lesson,
    OpenQuestion,
    Order,
    Prediction,
    Question,
)
from pipeline.course.session import Session
from pipeline.units import format_short

OPENING_MINUTES, SURPRISE_MINUTES, CLOSING_MINUTES = 5, 10, 5
DIGITS = 4


def lesson_page(session: Session) -> str:
    """The guide's page of one lesson, with the numbers of the session's study.

    Parameters
    ----------
    session : Session
        As of ``open_lesson``.

    Returns
    -------
    str
        Markdown.
    """
    lesson, given = session.lesson, session.given
    parts = [
        f"# Lesson {lesson.number}: {lesson.title}",
        texts.printed(f"{lesson.name}.ipynb", given.study.name),
        f"*{lesson.opening}*",
        f"## Outcomes\n\n{bullets(lesson.outcomes)}",
        f"## Timetable: {lesson.minutes} minutes\n\n{timetable(lesson)}",
        f"## The surprise\n\n{texts.BEFORE}: *{lesson.before_surprise}*\n\n{texts.SURPRISE}: {lesson.surprise}",
        f"## If a group is stuck\n\n{lesson.stuck}",
        f"## Given numbers\n\n{given_table(session)}",
        f"## Questions\n\n{texts.QUESTIONS}",
        *(question_text(question, given) for question in lesson.questions),
        f"## What the books say\n\n{bullets(lesson.books)}",
        "## Exam questions\n\n"
        + "\n\n".join(f"**{ask}**\n\n{answer}" for ask, answer in lesson.exam),
    ]
    return "\n\n".join(parts) + "\n"


def bullets(lines: Iterable[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def timetable(lesson: Lesson) -> str:
    """A plan of the minutes: fixed ones for opening, surprise and end, the rest shared by the questions."""
    questions = [q for q in lesson.questions if not isinstance(q, Prediction)]
    rest = lesson.minutes - OPENING_MINUTES - SURPRISE_MINUTES - CLOSING_MINUTES
    rows = [
        (OPENING_MINUTES, texts.OPENING),
        (rest, texts.work(len(questions), rest / max(len(questions), 1))),
        (SURPRISE_MINUTES, texts.SURPRISE_STEP),
        (CLOSING_MINUTES, texts.CLOSING),
    ]
    lines, begin = ["| minutes | what |", "|---|---|"], 0
    for minutes, what in rows:
        lines.append(f"| {begin}–{begin + minutes} | {what} |")
        begin += minutes
    return "\n".join(lines)


def given_table(session: Session) -> str:
    """The given numbers as a Markdown table."""
    lines = ["| symbol | value | meaning |", "|---|---:|---|"]
    for symbol, value, unit, meaning in session.quantities().iter_rows():
        lines.append(f"| `{symbol}` | {number(value, unit)} | {cell(meaning)} |")
    return "\n".join(lines)


def number(value: float | None, unit: str) -> str:
    """A number with its unit; a word where there is none."""
    if value is None:
        return texts.NO_VALUE
    text = (
        f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else format_short(value, 6)
    )
    return f"{text} {unit}".strip() if unit != "1" else text


def cell(text: str) -> str:
    """A text for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def question_text(question: AnyQuestion, given: Given) -> str:
    """One question with its answer and the mistakes that get a hint."""
    head = f"### `{question.key}`: {question.ask}"
    points = getattr(question, "points", None)
    lines = [head + (f" ({points} points)" if points and points > 1 else "")]
    if isinstance(question, Question):
        lines += _number_answer(question, given)
    elif isinstance(question, Prediction):
        lines.append(texts.predicted(_right(question, given)))
    elif isinstance(question, Choice):
        lines.append(bullets(_option(question, letter) for letter in question.options))
    elif isinstance(question, Order):
        steps = (
            step + (f" ({question.reasons[step]})" if step in question.reasons else "")
            for step in question.steps
        )
        lines.append("\n".join(f"{place}. {step}" for place, step in enumerate(steps, 1)))
    elif isinstance(question, OpenQuestion):
        lines.append(f"{texts.GOOD_ANSWER}: {question.answer}")
    if getattr(question, "note", ""):
        lines.append(f"{texts.NOTE}: {question.note}")
    return "\n\n".join(lines)


def _right(question: Prediction, given: Given) -> str:
    from pipeline.course.given import right_value

    return short(right_value(question, given), question.unit)


def short(value: float | None, unit: str) -> str:
    """A computed number to four figures."""
    if value is None:
        return texts.NO_VALUE
    return f"{format_short(value, DIGITS)}{'' if unit == '1' else f' {unit}'}"


def _number_answer(question: Question, given: Given) -> list[str]:
    table = question_table(question, given)
    lines = [
        f"{texts.RIGHT}: **{short(table.right, question.unit)}**, {texts.tolerance(question.tolerance)}."
    ]
    if table.slips:
        lines.append(
            "| answer | hint |\n|---:|---|\n"
            + "\n".join(
                f"| {short(value, question.unit)} | {cell(hint)} |" for value, hint in table.slips
            )
        )
    return lines


def _option(question: Choice, letter: str) -> str:
    text = f"({letter}) {question.options[letter]}"
    if letter == question.right:
        return f"**{text}**: {texts.RIGHT_OPTION}"
    return f"{text}: {question.reasons[letter]}"

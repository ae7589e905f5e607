"""The exam bank: questions of the lessons to answer on paper, with a study's numbers printed in.

A lesson's question belongs to it if its right answer is computed from the lesson's given numbers and answers alone; one
that reads runs, raw logs or the published tables needs a computer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.course import guide_texts as texts
from pipeline.course.given import Given, NoValue
from pipeline.course.guide import given_table, short
from pipeline.course.question import Choice, Question
from pipeline.course.session import Session

_BY_PROGRAM = re.compile(r"default_rng|simulations|recursion")
"""In a question that is answered by a program, though from given numbers."""


@dataclass
class OnPaper:
    """What a student has on paper: given numbers and earlier answers. Takes the place of ``Given``."""

    given: Given
    used: set[str] = field(default_factory=set)
    """Symbols of the given numbers that were used."""

    def value(self, symbol: str) -> float:
        """A given number."""
        self.used.add(symbol)
        return self.given.value(symbol)

    def answer(self, key: str) -> float:
        """The right answer to an earlier question, if it can be computed on paper."""
        return self.given.lesson.question(key).right(self)

    def __getattr__(self, name: str) -> float:
        raise NoValue(f"{name}: not on paper")


def paper_value(question: Question, given: Given) -> float | None:
    """The right answer, if it follows from the given numbers; else None."""
    if _BY_PROGRAM.search(question.ask):
        return None
    paper = OnPaper(given)
    try:
        value = float(question.right(paper))
    except (NoValue, ArithmeticError):
        return None
    return value if paper.used and math.isfinite(value) else None


def exam_bank(sessions: Sequence[Session], command: str, *, solutions: bool = True) -> str:
    """The exam questions of lessons opened on one study, and their solutions.

    Parameters
    ----------
    sessions : sequence of Session
    command : str
        What prints the same for another study.
    solutions : bool
        Whether to print the solutions, too.

    Returns
    -------
    str
        Markdown.
    """
    study = sessions[0].given.study.name
    parts = [f"# {texts.EXAM_TITLE}", texts.exam_intro(study, command)]
    answers = [f"# {texts.SOLUTIONS}"]
    for session in sessions:
        heading = f"Lesson {session.lesson.number}: {session.lesson.title}"
        tasks, solved = _of_lesson(session)
        parts += [f"## {heading}", *tasks]
        answers += [f"## Solutions to lesson {session.lesson.number}", "\n".join(solved)]
    return "\n\n".join([*parts, *(answers if solutions else [])]) + "\n"


def _of_lesson(session: Session) -> tuple[list[str], list[str]]:
    """The questions of one lesson as Markdown, and lines of their solutions."""
    lesson, given = session.lesson, session.given
    tasks, solved = [], []

    def add(ask: str, answer: str) -> None:
        solved.append(f"{len(solved) + 1}. {answer}")
        tasks.append(f"{len(solved)}. {ask}")

    for ask, answer in lesson.exam:
        add(ask, answer)
    own = len(tasks)
    for question in lesson.questions:
        if isinstance(question, Choice):
            options = " · ".join(f"({letter}) {text}" for letter, text in question.options.items())
            note = f" {question.note}" if question.note else ""
            add(f"{question.ask} {options}", f"({question.right}).{note}")
        elif isinstance(question, Question):
            value = paper_value(question, given)
            if value is not None:
                unit = "" if question.unit == "1" else f" (in {question.unit})"
                add(f"{question.ask}{unit}", f"{short(value, question.unit)}")
    parts = ["\n".join(tasks[:own])] if own else []
    if len(tasks) > own:
        parts += [f"{texts.GIVEN}:\n\n{given_table(session)}", "\n".join(tasks[own:])]
    return parts, solved

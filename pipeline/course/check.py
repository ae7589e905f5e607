"""``check``: what a lesson's notebook calls with the student's answers.

Every call shows its verdict, with the data of the question for the course's page, and keeps the answer; a wrong answer
raises :class:`Hint`, which IPython shows as one line.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from IPython.display import display

from pipeline.course import texts
from pipeline.course.given import Given, right_value
from pipeline.course.judge import Kind, Verdict, judge, question_table, read_answer
from pipeline.course.question import (
    AnyQuestion,
    Choice,
    Lesson,
    OpenQuestion,
    Order,
    Prediction,
    Question,
)
from pipeline.errors import Error
from pipeline.units import format_short

QUESTION_MIME = "application/vnd.queuevisor.question+json"
"""Of the data of one question, for the input box of a page."""


class Hint(Error):  # noqa: N818 - shown to a student, not a failure
    """An answer that is missing or not right; the text says what to do."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the hint alone."""
        return [str(self)]


@dataclass
class Record:
    """What a student has answered to one question."""

    key: str
    ask: str
    answers: list[Any] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    points: int = 0

    @property
    def kind(self) -> Kind:
        """Of the last answer."""
        return self.verdicts[-1].kind


class Check:
    """Checks the answers to one lesson on one study.

    Examples
    --------
    >>> lesson = open_lesson(2)  # doctest: +SKIP
    >>> lesson.check("X", 14.6)  # doctest: +SKIP
    X = 14.6 1/s: right
    """

    def __init__(self, given: Given):
        self._given = given
        self.records: dict[str, Record] = {}
        """Key → what was answered, in the order of the first answers."""

    @property
    def _lesson(self) -> Lesson:
        return self._given.lesson

    def __call__(self, key: str, answer: Any) -> None:
        """Check a number.

        Parameters
        ----------
        key : str
            Of the question.
        answer : float or str
            In the question's unit, or a text with a unit: ``"1.218 ms"``, ``"52.9 %"``, ``"14,6"``.

        Raises
        ------
        Hint
            If the answer is missing or not right.
        """
        question = self._question(key, Question)
        verdict = judge(question, self._given, answer, self._own_wrong_answers())
        if verdict.kind == "right" and not isinstance(answer, str):
            unit = "" if question.unit == "1" else f" {question.unit}"
            label = f"{key} = {format_short(float(answer), 6)}{unit}"
        else:
            label = key
        page = question_table(question, self._given).to_json()
        self._show(question, answer, verdict, label, page)

    def choose(self, key: str, letter: Any) -> None:
        """Check the letter of an option; raises ``Hint`` with the reason if it is wrong."""
        question = self._question(key, Choice)
        verdict = _judge_choice(question, letter)
        page = {
            "kind": "choice", "key": key, "ask": question.ask, "options": dict(question.options),
            "right": question.right, "reasons": dict(question.reasons), "note": question.note,
        }  # fmt: skip
        self._show(question, letter, verdict, key, page)

    def order(self, key: str, steps: Any) -> None:
        """Check the order of steps; raises ``Hint`` that names the first one that is out of place."""
        question = self._question(key, Order)
        page = {
            "kind": "order", "key": key, "ask": question.ask, "steps": sorted(question.steps),
            "right": list(question.steps), "reasons": dict(question.reasons), "note": question.note,
        }  # fmt: skip
        self._show(question, steps, _judge_order(question, steps), key, page)

    def say(self, key: str, text: Any) -> None:
        """Keep a text for the teacher; raises ``Hint`` if it is missing."""
        question = self._question(key, OpenQuestion)
        verdict = _judge_text(text)
        self._show(question, text, verdict, key, {"kind": "open", "key": key, "ask": question.ask})

    def predict(self, key: str, value: Any) -> None:
        """Keep a prediction; it is shown again by ``reveal`` and never judged."""
        question = self._question(key, Prediction)
        numbers = read_answer(value, question.unit)
        verdict = numbers if isinstance(numbers, Verdict) else Verdict("unchecked", texts.KEPT)
        kept = value if isinstance(numbers, Verdict) else numbers[0].value
        self._show(question, kept, verdict, key, self._prediction_page(question))

    def reveal(self, key: str) -> None:
        """Show a prediction beside the value that was measured or computed."""
        question = self._question(key, Prediction)
        record = self.records.get(key)
        unit = "" if question.unit == "1" else f" {question.unit}"
        right = right_value(question, self._given)
        own = f"{format_short(record.answers[-1], 4)}{unit}" if record else texts.NO_PREDICTION
        value = texts.NO_VALUE if right is None else f"{format_short(right, 4)}{unit}"
        text = texts.prediction(key, own, value)
        page = self._prediction_page(question) | {"kind": "reveal"}
        _display(f"<p>{html.escape(text)}</p>", text, page)

    def so_far(self) -> pl.DataFrame:
        """The questions of the lesson: what was asked, answered, how often, and whether it is right."""
        rows = [
            {
                "question": question.key,
                "answer": None if record is None else str(record.answers[-1]),
                "tries": 0 if record is None else len(record.answers),
                "right": None if record is None else record.kind == "right",
            }
            for question in self._lesson.questions
            if isinstance(question, Question | Choice | Order)
            for record in [self.records.get(question.key)]
        ]
        return pl.DataFrame(
            rows,
            schema={
                "question": pl.String,
                "answer": pl.String,
                "tries": pl.Int64,
                "right": pl.Boolean,
            },
        )

    # -- common ---------------------------------------------------------------------------------------------

    def _question(self, key: str, kind: type) -> Any:
        question: AnyQuestion | None = next(
            (q for q in self._lesson.questions if q.key == key and isinstance(q, kind)), None
        )
        if question is None:
            keys = [q.key for q in self._lesson.questions if isinstance(q, kind)]
            raise Hint(texts.unknown_question(key, keys))
        return question

    def _own_wrong_answers(self) -> Mapping[str, float]:
        """Key → last answer of each numeric question whose last answer was wrong."""
        own = {}
        for key, record in self.records.items():
            question = self._lesson.question(key)
            if record.kind != "wrong" or not isinstance(question, Question):
                continue
            numbers = read_answer(record.answers[-1], question.unit)
            if not isinstance(numbers, Verdict):
                own[key] = numbers[0].value
        return own

    def _show(
        self, question: AnyQuestion, answer: Any, verdict: Verdict, label: str, page: dict[str, Any]
    ) -> None:
        if verdict.kind != "blank":
            record = self.records.setdefault(question.key, Record(question.key, question.ask))
            record.answers.append(answer)
            record.verdicts.append(verdict)
            record.points = getattr(question, "points", 0) if verdict.kind == "right" else 0
        text = f"{label}: {verdict.text}"
        if verdict.kind in ("wrong", "blank"):
            _display("", "", page)
            raise Hint(text)
        _display(f'<p class="verdict {verdict.kind}">{html.escape(text)}</p>', text, page)

    def _prediction_page(self, question: Prediction) -> dict[str, Any]:
        return {
            "kind": "prediction", "key": question.key, "ask": question.ask, "unit": question.unit,
            "right": right_value(question, self._given),
        }  # fmt: skip


def _display(markup: str, text: str, page: dict[str, Any]) -> None:
    display({"text/html": markup, "text/plain": text, QUESTION_MIME: page}, raw=True)


def judge_answer(
    question: Question | Choice | Order | OpenQuestion,
    given: Given,
    answer: Any,
    own: Mapping[str, float] | None = None,
) -> Verdict:
    """Judge an answer to a question of any kind; see :func:`pipeline.course.judge.judge`."""
    if isinstance(question, Choice):
        return _judge_choice(question, answer)
    if isinstance(question, Order):
        return _judge_order(question, answer)
    if isinstance(question, OpenQuestion):
        return _judge_text(answer)
    return judge(question, given, answer, own)


def _judge_choice(question: Choice, letter: Any) -> Verdict:
    if letter is ...:
        return Verdict("blank", texts.BLANK)
    if letter == question.right:
        return Verdict("right", texts.RIGHT + (f". {question.note}" if question.note else ""))
    if letter in question.options:
        return Verdict("wrong", texts.not_yet(question.reasons[letter]))
    return Verdict("wrong", texts.unchosen(", ".join(question.options)))


def _judge_text(text: Any) -> Verdict:
    is_blank = not isinstance(text, str) or not text.strip()
    return Verdict("blank", texts.BLANK) if is_blank else Verdict("unchecked", texts.KEPT)


def _judge_order(question: Order, steps: Any) -> Verdict:
    if steps is ...:
        return Verdict("blank", texts.BLANK)
    if not isinstance(steps, Sequence) or sorted(map(str, steps)) != sorted(question.steps):
        return Verdict("wrong", texts.ORDER_IS_NOT_THE_STEPS)
    for step, right in zip(steps, question.steps, strict=True):
        if step != right:
            return Verdict(
                "wrong", texts.not_yet(texts.out_of_place(step, question.reasons.get(step, "")))
            )
    return Verdict("right", texts.RIGHT + (f". {question.note}" if question.note else ""))

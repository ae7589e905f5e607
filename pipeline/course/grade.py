"""Grades a class: each student's notebooks are run again on hosts that the student has not seen, and judged here.

A notebook with a general method is right on every host; a number that was typed in is right on the student's own host
only. The answers of a submission come from its process (``submissions``); whether they are right is decided in this
one, from the tables of the hidden hosts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.course import grade_texts as texts
from pipeline.course.check import judge_answer
from pipeline.course.given import Given
from pipeline.course.judge import Verdict, question_table, read_answer
from pipeline.course.question import (
    AnyQuestion,
    Choice,
    OpenQuestion,
    Order,
    Prediction,
    Question,
)
from pipeline.course.session import (
    LESSON_NUMBERS,
    Session,
    find_lesson,
    open_lesson,
)
from pipeline.course.submissions import (
    LIMIT_S,
    Grader,
    Rerun,
    Submission,
    find_submissions,
    lesson_of,
)
from pipeline.errors import Error

SCHEMA = {
    "student": pl.String, "lesson": pl.Int64, "question": pl.String, "tries": pl.Int64, "hosts_right": pl.Int64,
    "hosts": pl.Int64, "points": pl.Float64, "points_possible": pl.Float64, "note": pl.String,
}  # fmt: skip
"""Columns of the list of grades, one row per student and question."""


class GradeError(Error):
    """A class that cannot be graded; the text says why."""


@dataclass(frozen=True)
class Mark:
    """One student's answers to one question on all hidden hosts."""

    lesson: int
    key: str
    ask: str
    points: int
    tries: int
    """Answers to this question in one run of the notebook: the most on any host."""
    verdicts: tuple[Verdict | None, ...]
    """For each host, of the last answer; None without an answer."""
    answers: tuple[str, ...]
    """For each host, the last answer as text."""
    is_typed: bool
    """Whether the same number was given for hosts with different right answers."""

    @property
    def hosts(self) -> int:
        """Hosts on which the question has an answer."""
        return sum(verdict is None or verdict.kind != "unchecked" for verdict in self.verdicts)

    @property
    def hosts_right(self) -> int:
        """Hosts on which the last answer is right."""
        return sum(verdict is not None and verdict.kind == "right" for verdict in self.verdicts)

    @property
    def earned(self) -> float:
        """Points times the share of hosts."""
        return self.points * self.hosts_right / self.hosts if self.hosts else 0.0

    @property
    def note(self) -> str:
        """Typed in, not answered, or the most frequent hint."""
        if self.is_typed:
            return texts.TYPED
        hints = Counter(v.text for v in self.verdicts if v is not None and v.kind == "wrong")
        if hints:
            return hints.most_common(1)[0][0]
        return texts.NOT_ANSWERED if not self.tries else ""


@dataclass
class StudentGrade:
    """Everything about one student's submission."""

    student: str
    marks: list[Mark] = field(default_factory=list)
    texts: list[tuple[int, str, str]] = field(default_factory=list)
    """Lesson, question and answer of each question that is answered by a text, or by a prediction."""
    problems: list[str] = field(default_factory=list)

    @property
    def earned(self) -> float:
        """Points of all lessons."""
        return sum(mark.earned for mark in self.marks)

    @property
    def possible(self) -> int:
        """Points that full marks would be."""
        return sum(mark.points for mark in self.marks)


@dataclass(frozen=True)
class ClassGrades:
    """The grades of a class."""

    students: list[StudentGrade]
    hosts: int
    had_network: bool
    """Whether the system did not keep the submissions from the network."""

    def frame(self) -> pl.DataFrame:
        """One row per student and question, columns ``SCHEMA``."""
        rows = [
            {
                "student": grade.student,
                "lesson": mark.lesson,
                "question": mark.key,
                "tries": mark.tries,
                "hosts_right": mark.hosts_right,
                "hosts": mark.hosts,
                "points": mark.earned,
                "points_possible": float(mark.points),
                "note": mark.note,
            }
            for grade in self.students
            for mark in grade.marks
        ]
        return pl.DataFrame(rows, schema=SCHEMA)

    def slips(self) -> list[tuple[int, str, str, int]]:
        """Lesson, question, hint and number of students, the most frequent first."""
        counts = Counter(
            (mark.lesson, mark.key, mark.note)
            for grade in self.students
            for mark in grade.marks
            if mark.hosts_right < mark.hosts and mark.tries
        )
        return [
            (*slip, count) for slip, count in sorted(counts.items(), key=lambda x: (-x[1], x[0]))
        ]


def grade_class(
    folder: Path,
    hosts: Sequence[Mapping[str, str]],
    *,
    lesson: int | None = None,
    limit_s: float = LIMIT_S,
    workers: int = 2,
    progress: Callable[[str], None] | None = None,
) -> ClassGrades:
    """Grade every submission in a folder on hidden hosts.

    Parameters
    ----------
    folder : Path
        A folder for each student with notebooks, or notebooks with the students' names in theirs.
    hosts : sequence of mapping
        ``study``, ``raw`` and ``processed`` of each hidden host, ingested.
    lesson : int, optional
        Grade this lesson only.
    limit_s : float
        Seconds that one cell may take.
    workers : int
        Submissions that run at the same time.
    progress : callable, optional
        Called with the student's name after each submission.

    Raises
    ------
    GradeError
        The folder cannot be read or has no notebook.
    """
    submissions = submissions_in(folder, lesson)
    grader = Grader(hosts, limit_s)
    judge = Judge(hosts)
    grades = []
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        pending = {pool.submit(grader.rerun, each): each for each in submissions}
        for done in as_completed(pending):
            submission = pending[done]
            grades.append(judge.grade(submission, done.result()))
            if progress is not None:
                progress(submission.student)
    finally:
        grader.stop()
        pool.shutdown(cancel_futures=True)
    return ClassGrades(sorted(grades, key=lambda g: g.student), len(hosts), grader.had_network)


def submissions_in(folder: Path, lesson: int | None = None) -> list[Submission]:
    """The submissions in a folder; raises ``GradeError`` if there are none."""
    names = [find_lesson(number).name for number in LESSON_NUMBERS]
    try:
        submissions = find_submissions(folder, names, lesson)
    except OSError as error:
        raise GradeError(f"{folder}: cannot be read: {error.strerror or error}") from None
    if not submissions:
        what = "no notebook" if lesson is None else f"no notebook that opens lesson {lesson}"
        raise GradeError(f"{folder}: {what}; a folder for each student is expected")
    return submissions


class Judge:
    """Judges reported answers on hidden hosts; each lesson is opened once per host."""

    def __init__(self, hosts: Sequence[Mapping[str, str]]):
        self._hosts = list(hosts)
        self._sessions: dict[tuple[int, int], Session] = {}

    def given(self, lesson: int, host: int) -> Given:
        """What a lesson's answers are judged by on one host."""
        key = (lesson, host)
        if key not in self._sessions:
            self._sessions[key] = open_lesson(lesson, **self._hosts[host])
        return self._sessions[key].given

    def grade(self, submission: Submission, rerun: Rerun) -> StudentGrade:
        """Judge all answers of one submission."""
        grade = StudentGrade(submission.student)
        best: dict[int, list[Mark]] = {}
        for name in submission.notebooks:
            grade.problems += [f"{name}: {text}" for text in rerun.problems.get(name, [])]
            events = [rerun.answers.get((name, host), []) for host in range(len(self._hosts))]
            numbers = sorted({e["lesson"] for each in events for e in each if "lesson" in e})
            if not numbers:
                number = lesson_of(submission.folder / name)
                numbers = [] if number not in LESSON_NUMBERS else [number]
                grade.problems.append(f"{name}: {texts.OPENS_NO_LESSON}")
            if any(
                e["study"] != str(Path(host["raw"], host["study"]))
                for each, host in zip(events, self._hosts, strict=True)
                for e in each
            ):
                grade.problems.append(f"{name}: {texts.OTHER_STUDY}")
            for number in numbers:
                of_lesson = [[e for e in each if e.get("lesson") == number] for each in events]
                marks = self._marks(number, of_lesson)
                if number not in best or _earned(marks) > _earned(best[number]):
                    best[number] = marks
                grade.texts += _texts(number, of_lesson)
        grade.marks = [mark for number in sorted(best) for mark in best[number]]
        return grade

    def _marks(self, lesson: int, events: list[list[dict[str, Any]]]) -> list[Mark]:
        judged = [
            self._judge_host(self.given(lesson, host), of_host)
            for host, of_host in enumerate(events)
        ]
        marks = []
        for question in find_lesson(lesson).questions:
            if not isinstance(question, Question | Choice | Order):
                continue
            results = [of_host.get(question.key, (0, None, "")) for of_host in judged]
            rights = [_right(question, self.given(lesson, host)) for host in range(len(events))]
            verdicts = tuple(
                Verdict("unchecked", "") if right is None else verdict
                for (_, verdict, _), right in zip(results, rights, strict=True)
            )
            answers = tuple(answer for _, _, answer in results)
            is_wrong = any(v is not None and v.kind == "wrong" for v in verdicts)
            tries = max(count for count, _, _ in results)
            is_typed = is_wrong and _are_equal(answers) and len(set(rights) - {None}) > 1
            marks.append(
                Mark(
                    lesson,
                    question.key,
                    question.ask,
                    question.points,
                    tries,
                    verdicts,
                    answers,
                    is_typed,
                )
            )
        return marks

    def _judge_host(
        self, given: Given, events: Iterable[dict[str, Any]]
    ) -> dict[str, tuple[int, Verdict, str]]:
        """Key → number of answers, verdict on the last one, and that as text."""
        results: dict[str, tuple[int, Verdict, str]] = {}
        own: dict[str, float] = {}
        questions = {question.key: question for question in given.lesson.questions}
        for event in events:
            question = questions.get(event.get("key"))
            if question is None or "blank" in event or isinstance(question, Prediction):
                continue
            answer = answer_of(event)
            verdict = judge_answer(question, given, answer, own)
            count = results.get(question.key, (0, None, ""))[0] + 1
            results[question.key] = (count, verdict, answer_text(answer))
            own.pop(question.key, None)
            if verdict.kind == "wrong" and isinstance(question, Question):
                numbers = read_answer(answer, question.unit)
                if not isinstance(numbers, Verdict):
                    own[question.key] = numbers[0].value
        return results


class OtherType:
    """An answer of a type that no question asks for."""


def answer_of(event: Mapping[str, Any]) -> Any:
    """The answer that an event reports."""
    for kind in ("number", "text", "items"):
        if kind in event:
            return event[kind]
    return type(str(event.get("type", "object")), (OtherType,), {})()


def answer_text(answer: Any) -> str:
    """An answer for a page."""
    if isinstance(answer, float):
        return f"{answer:.6g}"
    if isinstance(answer, list):
        return ", ".join(answer)
    return answer if isinstance(answer, str) else type(answer).__name__


def _right(question: AnyQuestion, given: Given) -> float | str | None:
    """The right answer on one host, to see whether hosts differ; None where a host has none."""
    return question_table(question, given).right if isinstance(question, Question) else ""


def _texts(lesson: int, events: list[list[dict[str, Any]]]) -> list[tuple[int, str, str]]:
    """Texts and predictions, as given on the first host that has them."""
    questions: dict[str, AnyQuestion] = {q.key: q for q in find_lesson(lesson).questions}
    rows = {}
    for event in (event for of_host in events for event in of_host):
        question = questions.get(event.get("key"))
        if isinstance(question, OpenQuestion | Prediction) and "blank" not in event:
            rows.setdefault(question.key, (lesson, question.ask, answer_text(answer_of(event))))
    return list(rows.values())


def _are_equal(answers: Sequence[str]) -> bool:
    given = [answer for answer in answers if answer]
    return len(given) > 1 and len(set(given)) == 1


def _earned(marks: Iterable[Mark]) -> float:
    return sum(mark.earned for mark in marks)

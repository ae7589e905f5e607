"""The pages of a graded class: one for each student, and an overview with the commonest slips.

Everything that a student wrote, names of files included, is escaped; the pages hold no script.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, select_autoescape

from pipeline import files
from pipeline.course import grade_texts as texts
from pipeline.course.grade import ClassGrades, Mark, StudentGrade
from pipeline.course.session import find_lesson
from pipeline.escape import escape_page
from pipeline.report.index import TEMPLATES

TABLE = "grades.csv"
OVERVIEW = "index.html"
MAX_SLIPS = 30
"""Rows of the table of the commonest slips."""


def write_grades(grades: ClassGrades, out: Path) -> Path:
    """Write ``grades.csv``, a page for each student and ``index.html``; return the path of the last.

    Parameters
    ----------
    grades : ClassGrades
    out : Path
        Folder, made if it does not exist.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    frame = grades.frame()
    with files.write_atomically(out / TABLE) as part:
        frame.write_csv(part)
    for student in grades.students:
        lessons = [
            (f"Lesson {number}: {find_lesson(number).title}", list(marks))
            for number, marks in groupby(student.marks, key=lambda mark: mark.lesson)
        ]
        page = _render(grades, student=student, lessons=lessons)
        files.write_text(out / page_name(student.student), page)
    numbers = sorted({mark.lesson for student in grades.students for mark in student.marks})
    rows = [
        {
            "student": student.student,
            "href": quote(page_name(student.student)),
            "lessons": [_points(_of_lesson(student, number)) for number in numbers],
            "total": _points(student.marks),
            "problems": student.problems,
        }
        for student in grades.students
    ]
    page = _render(
        grades,
        students=rows,
        numbers=numbers,
        slips=grades.slips()[:MAX_SLIPS],
        network=texts.WITH_NETWORK if grades.had_network else texts.WITHOUT_NETWORK,
    )
    files.write_text(out / OVERVIEW, page)
    return out / OVERVIEW


def page_name(student: str) -> str:
    """File name of a student's page; cannot be that of the overview."""
    return f"student-{student}.html"


def _of_lesson(student: StudentGrade, number: int) -> list[Mark]:
    return [mark for mark in student.marks if mark.lesson == number]


def _points(marks: Iterable[Mark]) -> str:
    marks = list(marks)
    if not marks:
        return ""
    return f"{sum(mark.earned for mark in marks):.4g} of {sum(mark.points for mark in marks)}"


def _render(grades: ClassGrades, **values: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    text = environment.get_template("grades.html.j2").render(
        hosts=grades.hosts, style=style, texts=texts, **values
    )
    return escape_page(text.strip() + "\n")

"""What the page of the course lists of each lesson: question, time, outcomes, page, copy with blanks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.report import batch_texts as texts
from pipeline.report import lessons

PAGE = "course.html"
"""File name, in the folder of a study's pages."""


def student_copy_name(stem: str) -> str:
    """File name of the copy of a lesson with blanks, next to its page ``stem.html``."""
    return f"{stem}-student.ipynb"


def course_of(
    entries: Sequence[Mapping[str, Any]], needs: Mapping[str, str], notebooks: Path
) -> list[dict[str, Any]]:
    """The lessons of a study, in their order.

    Parameters
    ----------
    entries
        Of the pages of the study's lessons; ``href`` is relative to the folder of the report.
    needs
        Page id → what the page needs that the study does not have.
    notebooks
        Folder of the notebooks.
    """
    pages = {entry["notebook"]: entry for entry in entries}
    course = []
    for name in lessons.lesson_names(notebooks):
        lesson, entry = lessons.lesson_of(name), pages.get(name)
        href = None if entry is None else Path(entry["href"]).name
        course.append(
            {
                "page": name,
                "title": lessons.lesson_title(notebooks / f"{name}.ipynb"),
                "href": href,
                "student": href and student_copy_name(Path(href).stem),
                "error": entry and entry["error"],
                "needs": needs.get(name),
                "opening": lesson.opening if lesson else "",
                "minutes": lesson.minutes if lesson else None,
                "outcomes": lesson.outcomes if lesson else (),
            }
        )
    return course


def course_card(
    study: str, entries: Sequence[Mapping[str, Any]], course: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The card of the course on the index page, for its lessons that have a page."""
    minutes = [lesson["minutes"] for lesson in course if lesson["href"] and lesson["minutes"]]
    failed = sum(bool(entry["error"]) for entry in entries)
    return {
        "title": texts.COURSE_TITLE,
        "href": f"{study}/{PAGE}",
        "thumbnail": next((e["thumbnail"] for e in entries if e.get("thumbnail")), None),
        "key_figures": {"lessons": str(len(entries))}
        | ({"time": texts.duration(sum(minutes))} if minutes else {}),
        "error": texts.failed_lessons(failed) if failed else None,
        "problems": [problem for entry in entries for problem in entry["problems"]],
    }


def is_lesson(entry: Mapping[str, Any]) -> bool:
    """Whether a page is one of the course."""
    return str(entry["notebook"]).startswith(lessons.COURSE)

"""Print docs/teaching/ from the lessons: the guide's page of each lesson, and the exam bank.

Run by ``make docs``; a test compares the pages.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.course.exam import exam_bank
from pipeline.course.guide import lesson_page
from pipeline.course.session import LESSON_NUMBERS, open_lesson

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "teaching"
EXAM_COMMAND = "queuevisor --raw hosts course exam --study host-17"


def pages() -> Iterator[tuple[str, str]]:
    """File names in docs/teaching/ and their text, with the recorded study's numbers."""
    sessions = [open_lesson(number, raw=ROOT / "data" / "raw") for number in LESSON_NUMBERS]
    for session in sessions:
        yield f"lesson-{session.lesson.number:02d}.md", lesson_page(session)
    yield "exam.md", exam_bank(sessions, EXAM_COMMAND)


def main() -> None:
    """Write every page."""
    for name, text in pages():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

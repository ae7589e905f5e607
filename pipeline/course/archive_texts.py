"""What the archive of the course says of itself. Short, because it holds two texts."""

from __future__ import annotations

import html
from collections.abc import Sequence

from pipeline.course.question import Lesson


def readme(study: str, lessons: Sequence[Lesson]) -> str:
    """README.txt of the archive."""
    names = "\n".join(
        f"  {lesson.number:2d}  {lesson.title} ({lesson.minutes} min)" for lesson in lessons
    )
    return f"""Queuevisor: a course on the performance of virtual servers

Open index.html in a browser. The pages work without network and without Python: type an answer under a question, and
the page says whether it is right, or which mistake it is. Your answers stay in your browser.

  pages/{study}/course.html   the lessons
  notebooks/                  each lesson as a notebook with blanks; needs the project's Python package
  data/course/runs.parquet    the measurements of all recorded runs that the lessons use
  data/raw/{study}/           raw logs of the runs that the lessons open

Lessons

{names}

Lessons and data: CC-BY-4.0. Code: MIT. Please cite as CITATION.cff of the project says.
"""


def index_page(study: str) -> str:
    """The first page of the archive: leads to the page of the course at once."""
    address = html.escape(f"pages/{study}/course.html", quote=True)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="refresh" content="0; url={address}">\n<title>Queuevisor: the course</title>\n</head>\n'
        f'<body><p><a href="{address}">The course</a></p></body>\n</html>\n'
    )

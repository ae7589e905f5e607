"""The page of a small lesson with a question of each kind, without a kernel: its outputs are those of ``check``."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
import small_lesson

from pipeline.course import check as checks
from pipeline.course.question import Choice
from pipeline.report import page as pages

STUDY, PAGE = "a-study", "course/02_small"
CELLS = (
    ("X_guess", 'check.predict("X_guess", 20)', lambda c: c.predict("X_guess", 20)),
    ("X", '# answer\nX = 1765 / 120.85\n# end\ncheck("X", X)', lambda c: c("X", "14.605")),
    ("U", 'check("U", 0.52941)', lambda c: c("U", 0.52941)),
    ("D", 'check("D", 0.03625)', lambda c: c("D", 0.03625)),
    ("operations", 'check("operations", 52538)', lambda c: c("operations", 52538)),
    ("R_disk", 'check("R_disk", 0.1)', lambda c: c("R_disk", 0.1)),
    ("why", 'check.choose("why", "b")', lambda c: c.choose("why", "b")),
    ("way", 'check.order("way", steps)', lambda c: c.order("way", small_lesson.LESSON.question("way").steps)),
    ("because", 'check.say("because", "By the definition.")', lambda c: c.say("because", "By the definition.")),
    ("X_guess", 'check.reveal("X_guess")', lambda c: c.reveal("X_guess")),
)  # fmt: skip
"""Key, code, and the call of each code cell."""


def lesson_notebook() -> nbformat.NotebookNode:
    """The executed notebook of the lesson."""
    check = checks.Check(small_lesson.given())
    made = nbformat.v4.new_notebook(metadata={"queuevisor": {"code_open": True}})
    made.metadata.language_info = {"name": "python"}
    made.cells = [nbformat.v4.new_markdown_cell("# Lesson 2: three laws\n\n*How long?*")]
    for number, (key, code, call) in enumerate(CELLS, start=1):
        outputs: list[Any] = []

        def keep(data: dict[str, Any], raw: bool, outputs: list[Any] = outputs) -> None:
            outputs.append(nbformat.v4.new_output("display_data", data))

        with patch.object(checks, "display", keep):
            call(check)
        question = small_lesson.LESSON.question(key)
        text = f"**Question {number}** (`{key}`). {question.ask}"
        if isinstance(question, Choice):
            text += "\n\n" + "\n".join(
                f"- ({x}) {option}" for x, option in question.options.items()
            )
        made.cells += [
            nbformat.v4.new_markdown_cell(text),
            nbformat.v4.new_code_cell(code, outputs=outputs),
        ]
    return made


def write_lesson_page(folder: Path) -> Path:
    """Write the page and its scripts below ``folder``; the path of the page."""
    rendered = pages.render_page(
        lesson_notebook(),
        parameters={"study": STUDY},
        subject=STUDY,
        home="../index.html",
        assets="../assets",
        page_id=PAGE,
        student="course-02_small-student.ipynb",
    )
    path = folder / STUDY / "course-02_small.html"
    for name, text in {
        "assets/pages.js": "",
        **{f"assets/{k}": v for k, v in pages.scripts().items()},
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rendered.text, encoding="utf-8")
    return path

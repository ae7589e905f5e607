"""Every lesson, its cells executed in this process: solved, as the student's copy, and the copy filled."""

import contextlib
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest

from pipeline import charts
from pipeline.course.blanks import BLANK, REGION
from pipeline.course.check import Hint
from pipeline.course.question import OpenQuestion
from pipeline.course.session import find_lesson
from pipeline.course.student import student_copy

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "notebooks" / "course").glob("*.ipynb"))
MAX_CODE_LINES = 12


@dataclass
class Executed:
    """What the code cells of a notebook leave."""

    names: dict[str, Any] = field(default_factory=dict)
    blanks: list[Any] = field(default_factory=list)
    """Values of the blanks of the student's copy, in order."""
    error: Exception | None = None
    cell: int = 0
    """Number of the code cell that was executed last."""


@pytest.fixture(autouse=True, scope="module")
def no_pictures():
    """Charts are not drawn: the pages' tests do that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charts, "mime_bundle", lambda chart: ({"text/plain": ""}, {"queuevisor": {}}))
        yield


def execute(
    cells: list[str], answers: list[Any] | None = None, blanks: list[list[str]] | None = None
) -> Executed:
    """Execute code cells; ``answers`` fill the blanks, ``blanks`` are the names to keep after each cell."""
    done = Executed({"__name__": "__main__"})
    queue = iter(answers or [])
    done.names["__answer__"] = lambda: next(queue)
    with contextlib.redirect_stdout(io.StringIO()):
        for number, source in enumerate(cells):
            done.cell = number
            if answers is not None:
                source = source.replace(BLANK, "__answer__()")
            try:
                exec(compile(source, f"<cell {number}>", "exec"), done.names)
            except Exception as error:
                done.error = error
                return done
            done.blanks += [done.names[name] for name in (blanks[number] if blanks else [])]
    return done


def blank_names(source: str) -> list[str]:
    return re.findall(rf"^\s*(\w+) = {re.escape(BLANK)}$", source, re.M)


def code(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(
    scope="module",
    params=[pytest.param(p, id=p.stem, marks=pytest.mark.xdist_group(p.stem)) for p in LESSONS],
)
def lesson(request):
    """(notebook, its student's copy, the solved notebook executed)."""
    notebook = nbformat.read(request.param, as_version=4)
    copy = student_copy(notebook)
    kept = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    names = iter([blank_names(source) for source in code(copy)])
    blanks = [
        next(names) if cell in kept else [] for cell in notebook.cells if cell.cell_type == "code"
    ]
    return notebook, copy, execute(code(notebook), blanks=blanks)


def test_the_solved_lesson_is_right(lesson):
    notebook, _, solved = lesson
    assert solved.error is None, f"code cell {solved.cell}: {solved.error!r}"
    records = solved.names["check"].records
    number = int(re.search(r"open_lesson\((\d+)", "\n".join(code(notebook)))[1])
    questions = find_lesson(number).questions
    assert set(records) == {question.key for question in questions}
    assert {record.kind for record in records.values()} <= {"right", "unchecked"}
    judged = [q.key for q in questions if not isinstance(q, OpenQuestion) and hasattr(q, "points")]
    assert [key for key in judged if records[key].kind != "right"] == []


def test_the_copy_stops_at_its_first_blank(lesson):
    _, copy, _ = lesson
    cells = code(copy)
    executed = execute(cells)
    first = next(number for number, source in enumerate(cells) if BLANK in source)
    assert isinstance(executed.error, Hint) and executed.cell == first


def test_the_copy_filled_with_the_values_alone_is_right(lesson):
    _, copy, solved = lesson
    filled = execute(code(copy), answers=solved.blanks)
    assert filled.error is None, f"code cell {filled.cell}: {filled.error!r}"
    kinds = {key: record.kind for key, record in filled.names["check"].records.items()}
    assert kinds == {key: record.kind for key, record in solved.names["check"].records.items()}


def test_the_copy_holds_no_answer(lesson):
    notebook, copy, _ = lesson
    text = "\n".join(cell.source for cell in copy.cells)
    for cell in notebook.cells:
        for region in REGION.finditer(cell.source):
            assert region["body"].strip() not in text
    assert not any(cell.get("outputs") for cell in copy.cells)


def test_the_form_of_a_lesson(lesson):
    notebook, _, _ = lesson
    cells = notebook.cells
    assert 25 <= len(cells) <= 40
    shown = [
        c for c in cells if c.cell_type == "code" and "hidden" not in c.metadata.get("tags", [])
    ]
    long = [c.source for c in shown if len(c.source.strip().splitlines()) > MAX_CODE_LINES]
    assert long == []
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    text = "\n".join(c.source for c in cells)
    number = int(re.search(r"open_lesson\((\d+)", text)[1])
    lesson = find_lesson(number)
    assert cells[0].source.startswith(f"# Lesson {number}: ")
    assert [q.key for q in lesson.questions if q.ask not in text] == []
    assert "## What the books say" in text
    assert json.loads(json.dumps(notebook.metadata))["queuevisor"]["code_open"] is True

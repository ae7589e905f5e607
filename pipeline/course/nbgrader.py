"""A solved lesson as an assignment of nbgrader: each cell with a question in two, the answer and a locked test.

nbgrader's own commands make the students' version from it (``generate_assignment``) and run the locked tests in what
they hand in (``autograde``): a wrong answer raises ``Hint``, which fails the test. Metadata are those of nbgrader's
schema, version 3.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from pipeline import jsonschema_import  # noqa: F401 - before nbformat  # isort: skip
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from pipeline.course.blanks import BLANK, REGION, student_sources
from pipeline.course.question import AnyQuestion, Lesson, OpenQuestion
from pipeline.course.session import find_lesson
from pipeline.errors import Error

SCHEMA_VERSION = 3
ASSIGN = "# assign: {}\n"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


_BLANK_NAME = re.compile(rf"^\s*(\w+) = {re.escape(BLANK)}$", re.M)


class AssignmentError(Error):
    """A notebook that is no lesson of the course."""


def nbgrader_source(solved: NotebookNode) -> NotebookNode:
    """The instructor's version of an assignment of nbgrader.

    Parameters
    ----------
    solved : NotebookNode
        A solved lesson.

    Returns
    -------
    NotebookNode
        Answers stand between ``### BEGIN SOLUTION`` and ``### END SOLUTION``; a test has the points of its questions.

    Raises
    ------
    AssignmentError
        The notebook opens no lesson.
    """
    notebook = nbformat.from_dict(solved)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    match = re.search(r"open_lesson\(\s*(\d+)", "\n".join(sources))
    if match is None:
        raise AssignmentError("the notebook opens no lesson: `course.open_lesson(…)` is missing")
    lesson = find_lesson(int(match[1]))
    cells = []
    notebook.cells = [c for c in notebook.cells if "solution" not in c.metadata.get("tags", [])]
    blanks = iter(student_sources([c.source for c in notebook.cells if c.cell_type == "code"]))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            names = _BLANK_NAME.findall(next(blanks))
            cells += _split(cell, lesson, names) if names else [cell]
        else:
            cells.append(cell)
    notebook.cells = cells
    return notebook


def _split(cell: NotebookNode, lesson: Lesson, names: list[str]) -> list[NotebookNode]:
    """The cell up to its first check, and from there; ``names`` are what the answer has to assign."""
    line, keys = first_check(cell.source)
    if line is None:
        return [cell]
    lines = cell.source.splitlines(keepends=True)
    answer = ASSIGN.format(", ".join(names)) + REGION.sub(_marked, "".join(lines[:line]))
    test = "".join(lines[line:])
    questions = [lesson.question(key) for key in keys]
    by_hand = [q for q in questions if isinstance(q, OpenQuestion)]
    points = _points([q for q in questions if not isinstance(q, OpenQuestion)])
    cell.source = answer.rstrip("\n")
    cell.metadata["nbgrader"] = _metadata(f"{keys[0]}-answer", _points(by_hand), solution=True)
    tested = new_code_cell(test, metadata={"nbgrader": _metadata(keys[0], points, solution=False)})
    tested["id"] = f"{cell.get('id', keys[0])[:50]}-test"
    return [cell, tested]


def first_check(source: str) -> tuple[int | None, list[str]]:
    """Line (from 0) of the first statement that checks an answer, and the keys of all that are checked.

    Examples
    --------
    >>> first_check('X = 2\\ncheck("X", X)')
    (1, ['X'])
    """
    line, keys = None, []
    for statement in ast.parse(source).body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and _is_check(node.func) and node.args:
                line = statement.lineno - 1 if line is None else line
                keys.append(ast.literal_eval(node.args[0]))
    return line, keys


def _is_check(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute) and function.attr in (
        "choose",
        "order",
        "say",
        "predict",
    ):
        function = function.value
    return isinstance(function, ast.Name) and function.id == "check"


def _marked(region: re.Match[str]) -> str:
    indent = region["indent"]
    return f"{indent}{BEGIN}\n{region['body']}{indent}{END}\n"


def _points(questions: list[AnyQuestion]) -> int:
    return sum(getattr(question, "points", 0) for question in questions)


def _metadata(name: str, points: int, *, solution: bool) -> dict[str, Any]:
    """Of an answer (``solution``; graded by hand if it has points) or of a locked test."""
    graded = {"grade": True, "points": points} if points else {"grade": False}
    return graded | {
        "grade_id": name, "locked": not solution, "solution": solution, "task": False,
        "schema_version": SCHEMA_VERSION,
    }  # fmt: skip

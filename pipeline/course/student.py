"""The student's copy of a solved notebook: answers blank, outputs and cells tagged ``solution`` removed.

Short, because :mod:`blanks` does the work.
"""

from __future__ import annotations

from pathlib import Path

from pipeline import jsonschema_import  # noqa: F401 - before nbformat  # isort: skip
import nbformat
from nbformat import NotebookNode

from pipeline import files
from pipeline.course.blanks import student_sources


def student_copy(solved: NotebookNode) -> NotebookNode:
    """The student's copy of a solved notebook.

    Raises
    ------
    BlankError
        If an answer cannot be made blank.
    """
    copy = nbformat.from_dict(solved)
    copy.cells = [cell for cell in copy.cells if "solution" not in cell.metadata.get("tags", [])]
    code = [cell for cell in copy.cells if cell.cell_type == "code"]
    for cell, source in zip(code, student_sources([cell.source for cell in code]), strict=True):
        cell.source, cell.outputs, cell.execution_count = source, [], None
    return copy


def write_student_copy(solved: Path | str, student: Path | str) -> Path:
    """Write the student's copy of the notebook at ``solved``; returns the path written."""
    target = Path(student)
    target.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(target, student_copy_text(solved))
    return target


def student_copy_text(solved: Path | str) -> str:
    """The text of the student's copy of the notebook at ``solved``."""
    return nbformat.writes(student_copy(nbformat.read(solved, as_version=4))) + "\n"

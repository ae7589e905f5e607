"""nbgrader's source version of a lesson: answers marked, tests locked, points as the questions have them."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from pipeline.course.nbgrader import AssignmentError, first_check, nbgrader_source
from pipeline.course.question import OpenQuestion, Prediction
from pipeline.course.session import find_lesson
from pipeline.files import ROOT

REQUIRED = {"grade", "grade_id", "locked", "schema_version", "solution", "task"}
"""Keys of nbgrader's metadata, schema version 3; a graded cell has ``points``, too."""


@pytest.fixture(scope="module")
def source():
    path = ROOT / "notebooks/course/02_three_laws.ipynb"
    return nbgrader_source(nbformat.read(path, as_version=4))


def marked(notebook):
    return [cell for cell in notebook.cells if "nbgrader" in cell.metadata]


def test_metadata_are_those_of_the_schema(source):
    nbformat.validate(source)
    cells = marked(source)
    names = [cell.metadata.nbgrader.grade_id for cell in cells]
    assert len(names) == len(set(names))
    for cell in cells:
        own = cell.metadata.nbgrader
        assert set(own) - {"points"} == REQUIRED
        assert own.grade == ("points" in own)
        assert own.locked is not own.solution
        assert own.schema_version == 3 and own.task is False
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", own.grade_id)


def test_points_are_those_of_the_questions(source):
    questions = [q for q in find_lesson(2).questions if not isinstance(q, Prediction)]
    points = {
        c.metadata.nbgrader.grade_id: c.metadata.nbgrader.get("points") for c in marked(source)
    }
    for question in questions:
        by_hand = isinstance(question, OpenQuestion)
        assert points[question.key + ("-answer" if by_hand else "")] == question.points
    assert sum(filter(None, points.values())) == sum(question.points for question in questions)


def test_an_answer_and_its_test_are_in_cells_of_their_own(source):
    for cell in marked(source):
        if cell.metadata.nbgrader.solution:
            assert cell.source.startswith("# assign: ")
            begin, end = (
                cell.source.count("### BEGIN SOLUTION"),
                cell.source.count("### END SOLUTION"),
            )
            assert begin == end >= 1
            assert not re.search(r"^check[.(]", cell.source, re.M)
        else:
            assert cell.source.startswith("check") and "SOLUTION" not in cell.source
    assert not any("# answer" in cell.source for cell in source.cells)


def test_the_first_check_is_a_statement_of_its_own():
    text = "# answer\nx = 1\n# end\nfor key in ('a',):\n    check.choose('why', x)\ncheck('X', x)\nprint(x)"
    assert first_check(text) == (3, ["why", "X"])
    assert first_check("checked = 1") == (None, [])


def test_a_notebook_without_a_lesson_is_refused():
    with pytest.raises(AssignmentError, match="opens no lesson"):
        nbgrader_source(new_notebook(cells=[new_code_cell("x = 1")]))

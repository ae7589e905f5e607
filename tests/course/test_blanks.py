"""Blanks of the student's copy."""

import nbformat
import pytest

from pipeline.course.blanks import BlankError, student_sources
from pipeline.course.student import student_copy, write_student_copy


@pytest.mark.parametrize(
    ("source", "blanks"),
    [
        (
            "# answer\nb = a\nfor i in r:\n    b += i\nc, d = 1, 2\n# end\ncheck('b', b, c)",
            ["b", "c"],
        ),
        ("# answer\nif a:\n    R = 1\nelse:\n    R = 2\n# end\ncheck('R', R)", ["R"]),
        ("# answer\nx = [i for i in range(3)]\n# end\nprint(x)", ["x"]),
        ("# answer\nfirst = 1\ny = first\n# end\nprint(y)\nfirst = 2\nprint(first)", ["y"]),
        ("# answer\ndef f(z):\n    q = z\n    return q\n# end\nprint(f(1))", ["f"]),
        ("# answer\nn = 1\n# end\nn += 1\nprint(n)", ["n"]),
        ("# answer\nn = 1\n# end\nfor k in range(2):\n    n = n + k", ["n"]),
        ("# answer\nn = 1\n# end\nif a:\n    n = 2\nprint(n)", ["n"]),
    ],
)
def test_a_blank_stands_for_each_name_that_is_read_afterwards(source, blanks):
    (text,) = student_sources([source])
    lines = [line for line in text.splitlines() if "your answer" in line]
    assert [line.split(" = ")[0] for line in lines] == blanks
    assert source.split("# end\n")[1] in text


def test_a_name_that_a_later_cell_reads_is_a_blank():
    assert student_sources(["# answer\na = 1\nb = 2\n# end", "print(b)"]) == [
        "b = ...  # your answer",
        "print(b)",
    ]


@pytest.mark.parametrize(
    "source",
    ["# answer\nx = 1", "x = 1\n# end", "# answer\nprint(1)\n# end\n", "# answer\nx = 1\n# end"],
)
def test_a_region_that_cannot_be_blank_is_refused(source):
    with pytest.raises(BlankError):
        student_sources([source])


def test_the_student_s_copy_has_no_outputs_and_no_solution_cells(tmp_path):
    solved = nbformat.v4.new_notebook()
    solved.cells = [
        nbformat.v4.new_code_cell(
            "# answer\nx = 41\n# end\nprint(x)", outputs=[], execution_count=3
        ),
        nbformat.v4.new_markdown_cell("It is 41.", metadata={"tags": ["solution"]}),
    ]
    nbformat.write(solved, tmp_path / "solved.ipynb")
    written = write_student_copy(tmp_path / "solved.ipynb", tmp_path / "new" / "student.ipynb")
    (cell,) = nbformat.read(written, as_version=4).cells
    assert cell.source == "x = ...  # your answer\nprint(x)" and cell.execution_count is None
    nbformat.validate(student_copy(solved))

"""Notebooks run by papermill: parameters, failures, equal output for equal input."""

import json
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from pipeline.report.execute import UnknownParameter, check_parameters, execute, parameters_of

from .notebook_files import notebook, write

pytestmark = pytest.mark.xdist_group("report")


def test_parameters_are_known_with_their_help(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook())
    assert parameters_of(path) == {"study": "the study"}


def test_an_unknown_parameter_is_refused(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook("1"))
    check_parameters(path, {"study": "x"})
    with pytest.raises(UnknownParameter, match="no parameter sutdy; it has study"):
        execute(path, {"sutdy": "x"}, cwd=tmp_path)


def test_a_failing_cell_keeps_what_was_before_it_and_tells_the_error(tmp_path):
    path = write(
        tmp_path / "a.ipynb", notebook("print('before')", "raise ValueError('no\\nwindow')", "1")
    )
    executed = execute(path, {"study": "x"}, cwd=tmp_path)
    assert executed.error == "ValueError: no window"
    assert "before" in json.dumps(executed.notebook.cells)
    assert executed.traceback and "ValueError" in executed.traceback


def test_kernels_side_by_side_do_not_disturb_each_other(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook("print(study * 3)"))
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda s: execute(path, {"study": s}, cwd=tmp_path), "abc"))
    assert [d.error for d in done] == [None] * 3
    assert [d.notebook.cells[-1].outputs[0].text.strip() for d in done] == ["aaa", "bbb", "ccc"]


def test_an_executed_notebook_holds_no_time_and_no_random_id(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook("study"))
    first, second = (execute(path, {"study": "x"}, cwd=tmp_path).notebook for _ in range(2))
    assert nbformat.writes(first) == nbformat.writes(second)

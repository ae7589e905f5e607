"""Notebooks run by papermill: parameters, failures, equal output for equal input."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from notebook_files import CHILDREN, is_alive, notebook, write

from pipeline.report.execute import Stopped, execute, stop_all
from pipeline.report.parameters import (
    UnknownParameter,
    check_injected,
    check_parameters,
    parameters_of,
)

pytestmark = pytest.mark.xdist_group("report")


def test_the_parameters_of_a_notebook_with_their_defaults(tmp_path):
    cell = 'study: str = "s"  # the study\ndraws = 300\ntarget_ms: float = -0.5'
    path = write(tmp_path / "a.ipynb", notebook(parameters=cell))
    assert parameters_of(path) == {"study": "s", "draws": 300, "target_ms": -0.5}


def test_an_unknown_parameter_is_refused(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook("1"))
    check_parameters(path, {"study": "x"})
    with pytest.raises(UnknownParameter, match=r"no parameter sutdy .*; it has study"):
        execute(path, {"sutdy": "x"}, cwd=tmp_path)


def test_a_failing_cell_keeps_what_was_before_it_and_tells_the_error(tmp_path):
    path = write(
        tmp_path / "a.ipynb", notebook("print('before')", "raise ValueError('no\\nwindow')", "1")
    )
    executed = execute(path, {"study": "x"}, cwd=tmp_path)
    assert executed.error == "ValueError: no window"
    assert "before" in json.dumps(executed.notebook.cells)
    assert executed.traceback and "ValueError" in executed.traceback


def test_kernels_side_by_side_do_not_disturb_each_other(tmp_path, monkeypatch):
    temporary = tmp_path / ("t" * 100)  # too long a path for sockets
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    path = write(tmp_path / "a.ipynb", notebook("print(study * 3)"))
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda s: execute(path, {"study": s}, cwd=tmp_path), "abc"))
    assert [d.error for d in done] == [None] * 3
    assert [d.notebook.cells[-1].outputs[0].text.strip() for d in done] == ["aaa", "bbb", "ccc"]
    assert not list(temporary.iterdir())


def test_an_executed_notebook_holds_no_time_and_no_random_id(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook("study"))
    first, second = (execute(path, {"study": "x"}, cwd=tmp_path).notebook for _ in range(2))
    assert nbformat.writes(first) == nbformat.writes(second)


def test_a_notebook_that_hangs_is_stopped_with_its_children(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook(CHILDREN, "time.sleep(600)"))
    executed = execute(path, {"study": str(tmp_path / "pids")}, cwd=tmp_path, timeout_s=8)
    assert executed.error == "TimeoutError: stopped after 8 s"
    assert "before" in json.dumps(executed.notebook.cells), "outputs up to the time limit are kept"
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert [is_alive(pid) for pid in pids] == [False, False]


def test_all_notebooks_can_be_stopped_from_another_thread(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook(CHILDREN, "time.sleep(600)"))

    def stop() -> None:
        while not (tmp_path / "pids").exists():
            time.sleep(0.1)
        stop_all()

    threading.Thread(target=stop).start()
    with pytest.raises(Stopped):
        execute(path, {"study": str(tmp_path / "pids")}, cwd=tmp_path)
    time.sleep(0.2)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert [is_alive(pid) for pid in pids] == [False, False]


# -- parameters by plain papermill


@pytest.mark.parametrize(
    "cells",
    [
        ["x = 1", "print(x)"],
        ["study = 's'", "# Parameters\nstudy = 'x'\n", "setup()"],
        ["print(1)", "# Parameters\nother = 'x'\n"],  # run again by hand, out of order
        ["study = 's'", "# Parameters\nthis is no Python"],
    ],
)
def test_known_parameters_pass(cells):
    check_injected(["", *cells])


def test_a_parameter_that_papermill_injects_is_checked():
    with pytest.raises(
        UnknownParameter, match=r"no parameter rum \(did you mean run\?\); it has run, study"
    ):
        check_injected(
            ["", "run = 'r'\nstudy: str = 's'  # the study", "# Parameters\nrum = 'x'\n"]
        )


def test_plain_papermill_stops_at_an_unknown_parameter(tmp_path):
    cells = ["from pipeline.report import show\nshow.setup()", "print('after')"]
    path = write(tmp_path / "a.ipynb", notebook(*cells))

    def papermill(*parameters: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(path)]
        return subprocess.run(
            [*command, str(tmp_path / "out.ipynb"), *parameters],
            capture_output=True, text=True, timeout=120, env=os.environ,
        )  # fmt: skip

    refused = papermill("-p", "sutdy", "x")
    assert refused.returncode != 0
    assert "UnknownParameter: the notebook has no parameter sutdy" in refused.stderr
    assert "after" not in json.dumps(nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs)

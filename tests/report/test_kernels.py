"""Kernels forked from one process: as separate as others, and ended with their children and the report."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest
from notebook_files import CHILDREN, is_alive, notebook, write

from pipeline.report.execute import execute
from pipeline.report.kernels import forked_kernel, forked_kernels

pytestmark = [
    pytest.mark.xdist_group("report"),
    pytest.mark.skipif(
        "forkserver" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
    ),
]

STATE = """
import os, sys
sys.path.insert(0, study)
os.environ["A_NAME"] = study
print(os.getpgid(0) == os.getpid(), os.path.basename(os.getcwd()), os.environ.get("SET"), "__file__" in dir())
"""
REPORT = """
import os, sys, time
from pathlib import Path
from pipeline.report.kernels import forked_kernel, forked_kernels

if __name__ == "__main__":
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", sys.argv[1]]
    with forked_kernels(2):
        print(forked_kernel(command, cwd="/", environment=os.environ).pid, flush=True)
        time.sleep(600)
"""


@pytest.fixture(scope="module", autouse=True)
def report():
    """A report that is being made."""
    with forked_kernels(2):
        yield


def outputs(executed) -> str:
    assert executed.error is None, executed.traceback
    return "".join(o.text for cell in executed.notebook.cells for o in cell.get("outputs", []))


def ends(pid: int) -> bool:
    stop = time.monotonic() + 30
    while is_alive(pid) and time.monotonic() < stop:
        time.sleep(0.1)
    return not is_alive(pid)


def test_forked_kernels_share_no_state_and_have_the_folder_and_environment_of_the_caller(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("SET", "by the caller")
    cells = ["print(os.environ.get('A_NAME'), 'x' in sys.path)"]
    path = write(tmp_path / "a.ipynb", notebook("import os, sys", *cells, STATE, *cells))
    for name in ("x", "y"):
        text = outputs(execute(path, {"study": name}, cwd=tmp_path))
        own = f"True {tmp_path.name} by the caller False\n"
        assert text == f"None False\n{own}{name} {name == 'x'}\n"


def test_a_forked_kernel_has_imported_what_notebooks_use(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook("import sys\nprint('altair' in sys.modules)"))
    assert outputs(execute(path, {}, cwd=tmp_path)) == "True\n"


def test_a_forked_kernel_that_hangs_is_stopped_with_its_children(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook(CHILDREN, "time.sleep(600)"))
    executed = execute(path, {"study": str(tmp_path / "pids")}, cwd=tmp_path, timeout_s=5)
    assert executed.error == "TimeoutError: stopped after 5 s"
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert [is_alive(pid) for pid in pids] == [False, False]


def test_a_kernel_ends_with_its_report_even_if_that_is_killed(tmp_path):
    script = tmp_path / "report.py"
    script.write_text(REPORT)
    command = [sys.executable, str(script), str(tmp_path / "kernel.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        kernel = int(process.stdout.readline())
        assert is_alive(kernel)
        process.kill()
    assert ends(kernel)


def test_the_handle_of_a_kernel_tells_when_it_ends(tmp_path):
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", str(tmp_path / "kernel.json")]
    kernel = forked_kernel(command, cwd=str(tmp_path), environment=os.environ)
    assert kernel.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        kernel.wait(timeout=0)
    kernel.kill()
    assert kernel.wait(timeout=20) == -signal.SIGKILL
    kernel.terminate()  # nobody


def test_a_kernel_of_another_python_is_not_forked():
    assert forked_kernel(["python", "-m", "ipykernel_launcher"], cwd="/", environment={}) is None


def test_a_single_kernel_is_not_forked(tmp_path):
    command = [sys.executable, "-c", (
        "from pipeline.report.kernels import *\n"
        "with forked_kernels(1): print(forked_kernel([sys.executable, LAUNCHER], cwd='/', environment={}))"
    )]  # fmt: skip
    assert subprocess.run(command, capture_output=True, text=True).stdout == "None\n"

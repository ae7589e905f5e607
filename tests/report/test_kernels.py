"""Kernels forked from one process: as separate as others, and ended with their children and their server."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from notebook_files import CHILDREN, is_alive, notebook, write

from pipeline.report import kernels
from pipeline.report.execute import execute
from pipeline.report.kernels import ForkedKernel, KernelServer, forked_kernels

pytestmark = [
    pytest.mark.xdist_group("report"),
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="kernels are forked on Linux"),
]

STATE = """
import os, sys
sys.path.insert(0, study)
os.environ["A_NAME"] = study
print(os.getpgid(0) == os.getpid(), os.path.basename(os.getcwd()), os.environ.get("SET"), "__file__" in dir())
"""


@pytest.fixture(scope="module")
def server():
    """The running server of forked kernels."""
    with forked_kernels(2):
        yield kernels._server


def outputs(executed) -> str:
    assert executed.error is None, executed.traceback
    return "".join(o.text for cell in executed.notebook.cells for o in cell.get("outputs", []))


def test_forked_kernels_share_no_state_and_have_the_folder_and_environment_of_the_caller(
    tmp_path, server, monkeypatch
):
    monkeypatch.setenv("SET", "by the caller")
    cells = ["print(os.environ.get('A_NAME'), 'x' in sys.path)"]
    path = write(tmp_path / "a.ipynb", notebook("import os, sys", *cells, STATE, *cells))
    for name in ("x", "y"):
        text = outputs(execute(path, {"study": name}, cwd=tmp_path))
        own = f"True {tmp_path.name} by the caller False\n"
        assert text == f"None False\n{own}{name} {name == 'x'}\n"


def test_a_forked_kernel_has_imported_what_notebooks_use(tmp_path, server):
    path = write(tmp_path / "a.ipynb", notebook("import sys\nprint('altair' in sys.modules)"))
    assert outputs(execute(path, {}, cwd=tmp_path)) == "True\n"


def test_a_second_report_uses_the_server_and_does_not_end_it(server):
    with forked_kernels(2):
        assert kernels._server is server
    assert kernels._server is server and server._process.poll() is None


def test_the_server_has_no_thread_that_computes(server):
    tasks = Path(f"/proc/{server._process.pid}/task").iterdir()
    names = [(task / "comm").read_text().strip() for task in tasks]
    assert [name for name in names if name.startswith("polars-") and name[7:].isdigit()] == []


def test_a_forked_kernel_that_hangs_is_stopped_with_its_children(tmp_path, server):
    path = write(tmp_path / "a.ipynb", notebook(CHILDREN, "time.sleep(600)"))
    executed = execute(path, {"study": str(tmp_path / "pids")}, cwd=tmp_path, timeout_s=5)
    assert executed.error == "TimeoutError: stopped after 5 s"
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert [is_alive(pid) for pid in pids] == [False, False]


def test_without_its_server_a_kernel_is_started_as_usual(tmp_path, monkeypatch):
    server = KernelServer()
    server._process.kill()
    server._process.wait()
    monkeypatch.setattr(kernels, "_server", server)
    path = write(tmp_path / "a.ipynb", notebook("import sys\nprint('altair' in sys.modules)"))
    assert outputs(execute(path, {}, cwd=tmp_path)) == "False\n"


def test_kernels_end_with_the_server(tmp_path):
    command = ["python", "-m", "ipykernel_launcher", "-f", str(tmp_path / "kernel.json")]
    server = KernelServer()
    kernel = server.start(command, cwd=str(tmp_path), environment=os.environ)
    assert kernel.poll() is None
    assert is_alive(kernel.pid)
    server.close()
    assert kernel.wait(timeout=20) == 0
    assert not is_alive(kernel.pid)
    kernel.send_signal(signal.SIGTERM)  # to nobody


def test_a_single_kernel_is_not_forked(monkeypatch):
    monkeypatch.setattr(kernels, "_server", None)
    with forked_kernels(1):
        assert kernels._server is None
    monkeypatch.delattr(os, "pidfd_open")  # as on another system than Linux
    with forked_kernels(2):
        assert kernels._server is None
    assert kernels.forked_kernel(["python"], cwd="/", environment={}) is None


def test_the_handle_of_a_kernel_tells_when_it_ends():
    process = subprocess.Popen(["sleep", "600"])
    kernel = ForkedKernel(process.pid, os.pidfd_open(process.pid))
    with pytest.raises(subprocess.TimeoutExpired):
        kernel.wait(timeout=0)
    kernel.terminate()
    assert kernel.wait(timeout=20) == 0
    assert process.wait() == -signal.SIGTERM

"""Run one notebook with papermill, and report in one line why it failed."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import jsonschema_import  # noqa: F401 - before nbformat  # isort: skip
import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from pipeline.charts.theme import ONLY_SVG
from pipeline.errors import Error
from pipeline.report import TIMEOUT_S
from pipeline.report.kernels import forked_kernel
from pipeline.report.parameters import check_parameters

START_TIMEOUT_S = 120
SOCKET = "k"
"""First part of the names of a kernel's sockets; a number from 1 to 5 follows."""
MAX_SOCKET_PATH = 103
"""Bytes of the path of a socket: 107 on Linux, 103 on macOS (``sun_path`` with its NUL, ``man 7 unix``)."""


class Stopped(Error):  # noqa: N818 - no failure of the notebook
    """The notebook was ended by ``stop_all``: it has no result."""


@dataclass(frozen=True)
class Executed:
    """A notebook with its outputs, up to the failed cell if one failed."""

    notebook: NotebookNode
    error: str | None = None
    traceback: str | None = None


class _Execution:
    """The kernel of a running notebook, which another thread may end, and the notebook as far as it has run."""

    def __init__(self) -> None:
        self.notebook: NotebookNode | None = None
        self.reason: str | None = None
        self._kernel: int | None = None
        self._lock = threading.Lock()

    def started(self, kernel: int) -> None:
        """Note the process of the kernel; it is ended at once if that is due already."""
        with self._lock:
            self._kernel = kernel
            if self.reason is not None:
                self._kill()

    def end(self, reason: str) -> None:
        """End the kernel and the processes that it started."""
        with self._lock:
            self.reason = self.reason or reason
            self._kill()

    def _kill(self) -> None:
        if self._kernel is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._kernel, signal.SIGKILL)  # a kernel leads a process group


_running: set[_Execution] = set()
_STOPPED = "stopped"


def stop_all() -> None:
    """End every running notebook, its kernel and the processes of that: ``execute`` raises ``Stopped``."""
    for execution in list(_running):
        execution.end(_STOPPED)


class _Engine(NBClientEngine):
    """papermill's engine, with a kernel that can be ended, and the outputs of a notebook that was."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, execution: _Execution, **options: Any
    ) -> NotebookNode:
        class Kernel(AsyncKernelManager):
            async def _async_launch_kernel(self, kernel_cmd: list[str], **more: Any) -> None:
                more["env"] = {**more.get("env", os.environ), ONLY_SVG: "1"}
                provisioner = self.provisioner
                cwd = str(more.get("cwd") or Path.cwd())
                kernel = forked_kernel(kernel_cmd, cwd=cwd, environment=more["env"])
                if kernel is None:
                    await super()._async_launch_kernel(kernel_cmd, **more)
                else:
                    provisioner.process = kernel
                    provisioner.pid = provisioner.pgid = kernel.pid
                    self._reconcile_connection_info(provisioner.connection_info)
                execution.started(provisioner.pid)

        execution.notebook = nb_man.nb
        return PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=Kernel,
            startup_timeout=START_TIMEOUT_S,
            timeout=None,
            config=options["config"],
            extra_arguments=options["extra_arguments"],
        ).execute()


papermill_engines.register("queuevisor", _Engine)


def socket_parent() -> str | None:
    """A folder whose path is short enough for a kernel's sockets below it; None, for TCP, if there is none."""
    for folder in (tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp"):
        if folder and os.access(folder, os.W_OK):
            socket = Path(folder).absolute() / "qv-xxxxxxxx" / f"{SOCKET}-5"
            if len(os.fsencode(socket)) <= MAX_SOCKET_PATH:
                return folder
    return None


def execute(
    notebook: Path, parameters: Mapping[str, Any], *, cwd: Path, timeout_s: float = TIMEOUT_S
) -> Executed:
    """Run ``notebook`` with ``parameters`` in ``cwd``.

    A failed cell is no exception but ``Executed.error``; so is a notebook that was ended after ``timeout_s``. The
    kernel is reached through sockets in a folder of its own, because kernels that start in parallel compete for TCP
    ports and then read each other's messages ("Invalid Signature").

    Raises
    ------
    UnknownParameter
        The notebook does not have a parameter.
    Stopped
        ``stop_all`` was called.
    """
    check_parameters(notebook, parameters)
    execution = _Execution()
    _running.add(execution)
    timer = threading.Timer(timeout_s, execution.end, [f"stopped after {timeout_s:g} s"])
    timer.daemon = True
    timer.start()
    failure: Exception | None = None
    try:
        parent = socket_parent()
        with tempfile.TemporaryDirectory(
            prefix="qv-", dir=parent, ignore_cleanup_errors=True
        ) as folder:
            config = Config()
            config.KernelManager.connection_file = str(Path(folder) / "kernel.json")
            if parent is not None:
                config.KernelManager.transport = "ipc"
                config.KernelManager.ip = str(Path(folder) / SOCKET)
            with _quiet():
                papermill.execute_notebook(
                    str(notebook),
                    None,
                    parameters=dict(parameters),
                    engine_name="queuevisor",
                    kernel_name="python3",
                    progress_bar=False,
                    cwd=str(cwd),
                    config=config,
                    extra_arguments=["--IPKernelApp.log_level=50"],
                    execution=execution,
                )
    except Exception as error:  # a failed cell, a dead kernel: shown on the page
        failure = error
    finally:
        timer.cancel()
        _running.discard(execution)
    if execution.reason == _STOPPED:
        raise Stopped(str(notebook))
    if execution.notebook is None:  # not started
        execution.notebook = nbformat.read(notebook, as_version=4)
    executed = _stripped(execution.notebook)
    if execution.reason is not None:
        return Executed(executed, f"TimeoutError: {execution.reason}")
    if isinstance(failure, PapermillExecutionError):
        message = _one_line(f"{failure.ename}: {failure.evalue}")
        return Executed(executed, message, "\n".join(failure.traceback))
    if failure is not None:
        return Executed(executed, _one_line(f"{type(failure).__name__}: {failure}"))
    return Executed(executed)


def _stripped(notebook: NotebookNode) -> NotebookNode:
    """The notebook without papermill's times, random ids and error marks: equal input gives an equal notebook."""
    cells = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "papermill-error-cell-tag" in tags:
            continue
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cells.append(cell)
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place}"
    notebook.cells = cells
    notebook.metadata.pop("papermill", None)
    return notebook


def _one_line(text: str, max_length: int = 500) -> str:
    line = " ".join(
        "".join(c if c.isprintable() or c.isspace() else repr(c)[1:-1] for c in text).split()
    )
    return line if len(line) <= max_length else line[: max_length - 1] + "…"


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide papermill's log below ERROR, and ipykernel's and nbformat's warnings, which do not concern the notebook."""
    logging.getLogger("papermill").setLevel(logging.ERROR)
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

"""Kernels of a report, forked from one process that has imported what notebooks import.

A kernel's own start costs about two seconds of CPU time, nearly all of it imports. The server of Python's
``multiprocessing`` (``forkserver``) imports them once. It computes nothing, so that no thread of Polars or BLAS holds a
lock at a fork, for which the kernel would wait for ever. Each kernel leads a process group, and has its own folder and
environment, as one that Jupyter starts.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.process import BaseProcess

IMPORTED = (
    "ipykernel.kernelapp",
    "pipeline.report.show",
    "pipeline.report.tables.holdout",
    "pipeline.report.tables.what_if_curves",
    "pipeline.api.study",
    "pipeline.api.what_if",
    "pipeline.course.session",
)
"""What the notebooks of a report import, with what these import."""
LAUNCHER = "ipykernel_launcher"
"""The module that starts a kernel, in the command of Jupyter's kernel specification."""
MIN_KERNELS = 2
"""Fewer are started as usual: the server would save nothing."""

_reports = 0
"""Reports of this process that are being made with forked kernels."""


class ForkedKernel:
    """A kernel with the methods of ``subprocess.Popen`` that Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(self, process: BaseProcess):
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        """Exit code; None while the kernel runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the kernel has ended. Raises ``subprocess.TimeoutExpired``."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(LAUNCHER, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing where the kernel has ended."""
        if self.poll() is None and self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


@contextlib.contextmanager
def forked_kernels(count: int) -> Iterator[None]:
    """Fork the kernels that start inside, if that saves time for this number of kernels."""
    global _reports
    uses_fork = count >= MIN_KERNELS and "forkserver" in multiprocessing.get_all_start_methods()
    _reports += uses_fork
    try:
        yield
    finally:
        _reports -= uses_fork


def forked_kernel(
    command: Sequence[str], *, cwd: str, environment: Mapping[str, str]
) -> ForkedKernel | None:
    """A kernel that is forked; None where it is to be started as usual.

    Parameters
    ----------
    command
        Of Jupyter's kernel specification. One without ``LAUNCHER`` or of another Python is not forked.
    cwd
        Its folder.
    environment
        Its environment variables.
    """
    if not _reports or command[0] != sys.executable or LAUNCHER not in command:
        return None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", *IMPORTED])
    arguments = list(command[command.index(LAUNCHER) + 1 :])
    process = context.Process(target=_run_kernel, args=(arguments, cwd, dict(environment)))
    process.start()
    return ForkedKernel(process)


def _run_kernel(arguments: Sequence[str], cwd: str, environment: Mapping[str, str]) -> None:
    """Be a kernel, in the process that was forked for it."""
    from ipykernel.kernelapp import launch_new_instance

    os.setpgid(0, 0)
    threading.Thread(target=_end_with_report, daemon=True).start()
    gc.freeze()  # else a collection would copy every page that it shares with the server
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    os.environ.pop("JPY_PARENT_PID", None)  # the report's, and not that of its parent
    sys.argv = [LAUNCHER, *arguments]
    launch_new_instance()


def _end_with_report() -> None:
    """End this kernel and its children when the process of the report has ended."""
    report = multiprocessing.parent_process()
    assert report is not None
    report.join()
    os.killpg(0, signal.SIGKILL)

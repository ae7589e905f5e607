"""Kernels of a report, forked from one process that has imported what notebooks import.

A kernel's own start costs about two seconds of CPU time, nearly all of it imports. :func:`forked_kernels` starts a
process, with ``python -m pipeline.report.kernels``, that imports them once and forks a kernel per request. That process
computes nothing, so that no thread of Polars or BLAS holds a lock at a fork, for which the kernel would wait for ever.
Each kernel leads a process group, and has its own folder and environment, as one that Jupyter starts. Where a process
cannot be watched by a file descriptor (``os.pidfd_open``, Linux), kernels are started as usual.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
POLL_S = 0.1


class ForkedKernel:
    """A kernel that another process forked, with the methods of ``subprocess.Popen`` that Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, descriptor: int):
        self.pid = pid
        self._descriptor: int | None = descriptor

    def poll(self) -> int | None:
        """None while the kernel runs; 0 afterwards, as its exit code is not known."""
        if self._descriptor is None:
            return 0
        if not select.select([self._descriptor], [], [], 0)[0]:
            return None
        os.close(self._descriptor)
        self._descriptor = None
        return 0

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the kernel has ended. Raises ``subprocess.TimeoutExpired``."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(LAUNCHER, timeout or 0.0)
            time.sleep(POLL_S)
        return 0

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing where the kernel has ended."""
        if self.poll() is None and self._descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class KernelServer:
    """The process that forks kernels; it ends with this one, and its kernels with it."""

    def __init__(self) -> None:
        self._socket, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.report.kernels", str(other.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                cwd=Path(__file__).parents[2],  # where `python -m` finds this package
                start_new_session=True,  # Ctrl-C in a terminal is for this process alone
            )
        self._lock = threading.Lock()

    def start(
        self, command: Sequence[str], *, cwd: str, environment: Mapping[str, str]
    ) -> ForkedKernel | None:
        """Fork a kernel; None if the server has ended.

        Parameters
        ----------
        command
            Of Jupyter's kernel specification, with ``LAUNCHER``.
        cwd
            Its folder.
        environment
            Its environment variables.
        """
        arguments = list(command[command.index(LAUNCHER) + 1 :])
        request = {"arguments": arguments, "cwd": cwd, "environment": dict(environment)}
        try:
            with self._lock:
                self._socket.sendall(json.dumps(request).encode() + b"\n")
                answer, descriptors, _, _ = socket.recv_fds(self._socket, 64, 1)
        except OSError:
            return None
        return ForkedKernel(int(answer), descriptors[0]) if descriptors else None

    def close(self) -> None:
        """End the process and the kernels that still run."""
        self._socket.close()
        self._process.wait()


_server: KernelServer | None = None
_users = 0
"""Reports of this process that are being rendered with the server."""
_lock = threading.Lock()


@contextlib.contextmanager
def forked_kernels(kernels: int) -> Iterator[None]:
    """Fork the kernels that start inside; not for a single one, which would gain nothing."""
    global _server, _users
    if kernels < 2 or not _has_descriptors():
        yield
        return
    with _lock:
        _users += 1
        _server = _server or KernelServer()
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _server is not None:
                _server.close()
                _server = None


def _has_descriptors() -> bool:
    """Whether this system has file descriptors of processes."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):  # another system than Linux; an old kernel, a sandbox
        return False
    return True


def forked_kernel(
    command: Sequence[str], *, cwd: str, environment: Mapping[str, str]
) -> ForkedKernel | None:
    """A kernel of the running server, with arguments of ``KernelServer.start``.

    None without a server, and for another command than that of the kernel of this Python: it is then started as usual.
    """
    server = _server
    if server is None or command[0] != sys.executable or LAUNCHER not in command:
        return None
    return server.start(command, cwd=cwd, environment=environment)


# -- the process that forks ---------------------------------------------------------------------------------


def serve(connection: socket.socket) -> dict[str, Any] | None:
    """Fork a kernel for each request, until the other end of the connection is closed.

    Returns
    -------
    dict or None
        In a kernel its request, as soon as it is forked; None in the server, at the end.
    """
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # else collections in the kernels would copy every page
    running: set[int] = set()
    with connection.makefile("rb") as requests:
        for line in requests:
            running -= set(_ended())
            pid = os.fork()
            if pid == 0:
                os.setpgid(0, 0)
                connection.close()
                return json.loads(line)
            os.setpgid(pid, pid)  # here as well: its processes can be ended together from now on
            running.add(pid)
            descriptor = os.pidfd_open(pid)
            socket.send_fds(connection, [str(pid).encode()], [descriptor])
            os.close(descriptor)
    for pid in running - set(_ended()):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return None


def _ended() -> Iterator[int]:
    """The kernels that have ended since the last call."""
    with contextlib.suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            yield pid


def run_kernel(request: Mapping[str, Any]) -> None:
    """Be the kernel of a request, in the process that was forked for it."""
    from ipykernel.kernelapp import launch_new_instance

    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    os.environ["JPY_PARENT_PID"] = str(os.getppid())  # it ends when the server has ended
    sys.argv[1:] = request["arguments"]
    launch_new_instance()


def main() -> None:
    """Run the server, or a kernel in the process that it forked."""
    if Path(sys.path[0]) == Path.cwd():  # by `python -m`; it is not on the path of a kernel
        del sys.path[0]
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        run_kernel(request)


if __name__ == "__main__":
    main()

"""Runs commands on copies of the study: in a warm process, in one forked from it, with a time limit."""

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from unittest import mock

from fault_case import HANG, TRACEBACK, Case, Done, Outcome, remove_tree

MEMORY_BYTES = 8 << 30
"""Address space of a process that runs commands."""
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2


def run_command(copy_folder: Path, arguments: tuple[str, ...]) -> Done:
    """``queuevisor`` in this process: its exit code and what it writes, as a process of its own would."""
    from pipeline.cli import main

    out, err = copy_folder / "stdout", copy_folder / "stderr"
    folders = ("--raw", str(copy_folder / "raw"), "--processed", str(copy_folder / "processed"))
    argv = ["queuevisor", *folders, *(a.format(copy=copy_folder) for a in arguments)]
    environment = {"TMPDIR": str(copy_folder / "tmp")}
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.dict(os.environ, environment),
        mock.patch.object(tempfile, "tempdir", None),
        _redirected(1, out),
        _redirected(2, err),
    ):
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            traceback.print_exc()
            code = 1
    texts = (path.read_text(errors="replace") for path in (out, err))
    return Done(arguments, code, *texts)


@contextlib.contextmanager
def _redirected(number: int, path: Path) -> Iterator[None]:
    """Standard output or error, of this process and of its libraries, in a file."""
    kept = os.dup(number)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(handle, number)
    redirect = contextlib.redirect_stdout if number == 1 else contextlib.redirect_stderr
    try:
        with os.fdopen(handle, "w", errors="backslashreplace") as stream, redirect(stream):
            yield
    finally:
        os.dup2(kept, number)
        os.close(kept)


def drop_rights() -> None:
    """Let permission bits hold for this process, though it is root's: its capabilities to pass them are dropped."""
    if os.geteuid() != 0:
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    mask = ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH) & 0xFFFFFFFF
    if libc.capget(header, sets) == 0:
        for number in range(3):
            sets[number] &= mask
        if libc.capset(header, sets) == 0:
            return
    raise OSError(ctypes.get_errno(), "capset")


def limit_memory() -> None:
    """Let a command that reads without end fail, and not the machine."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextlib.contextmanager
def unlimited_memory() -> Iterator[None]:
    """Without the limit of this process, for one to be started: V8, which draws charts, reserves more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def work(connection: Connection, base: str, folder: str, without_rights: bool) -> None:
    """Run cases by their numbers as they come, and send their outcomes."""
    os.setsid()
    limit_memory()
    if without_rights:
        drop_rights()
    from run_faults import CasesOf  # the module that started this process

    cases = CasesOf(Path(base), Path(folder))
    with contextlib.suppress(
        EOFError, ConnectionError
    ):  # the process that started this one has ended
        while True:
            connection.send(cases.run(connection.recv()))


class Worker:
    """A process that runs cases one after the other; it is ended and started again where one does not end."""

    def __init__(self, base: Path, folder: Path):
        self._arguments = str(base), str(folder)
        self._without_rights: bool | None = None
        self._process: multiprocessing.process.BaseProcess | None = None

    def run(self, number: int, case: Case) -> Outcome:
        """The outcome of a case."""
        if self._process is None or self._without_rights != case.without_rights:
            self.stop()
            self._start(case.without_rights)
        started = time.monotonic()
        self._connection.send(number)
        try:
            if self._connection.poll(case.limit_s):
                return self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join(5)
            code = self._process.exitcode
            self._clean(number)
            return Outcome(case.name, case.group, TRACEBACK, f"process died, exit code {code}")
        self._clean(number)
        return Outcome(case.name, case.group, HANG, f"no end in {time.monotonic() - started:.0f} s")

    def _clean(self, number: int) -> None:
        """End the process and remove the copy that it worked on."""
        self.stop()
        remove_tree(Path(self._arguments[1]) / f"{number:04d}")

    def _start(self, without_rights: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=work, args=(other, *self._arguments, without_rights), daemon=False
        )
        self._process.start()
        other.close()
        self._without_rights = without_rights

    def stop(self) -> None:
        """End the process and its children."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._connection.close()
        self._process = None

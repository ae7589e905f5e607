"""What runs one student's notebooks again on hidden hosts, in a process of its own.

``submissions`` starts it and reads the events that it sends: JSON texts, judged by ``grade``. Notebooks run without a
kernel, cell by cell, each host in a new namespace; a cell that fails does not stop the next. Within the process Python
opens no connection, starts no program, sends no signal and changes no file outside of the submission's copy: that stops
accidents, not an attack (native code is not stopped).
"""

from __future__ import annotations

import ctypes
import gc
import io
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

MAX_TEXT = 10_000
"""Characters of an answer that are reported."""
MAX_ANSWERS = 1_000
"""Answers of one notebook on one host that are reported."""
MAX_FILE_BYTES = 200 << 20
"""Largest file that a notebook may write."""

FORBIDDEN = {
    "os.exec": "starts no other program",
    "os.fork": "starts no other process",
    "os.forkpty": "starts no other process",
    "os.kill": "sends no signal",
    "os.killpg": "sends no signal",
    "os.posix_spawn": "starts no other program",
    "os.spawn": "starts no other program",
    "os.system": "starts no other program",
    "pty.spawn": "starts no other program",
    "signal.pthread_kill": "sends no signal",
    "socket.bind": "has no network",
    "socket.connect": "has no network",
    "socket.getaddrinfo": "has no network",
    "socket.gethostbyname": "has no network",
    "socket.sendto": "has no network",
    "subprocess.Popen": "starts no other program",
}
"""Audit event of Python → what the grader does not do."""
CHANGES = {
    "os.chmod": 1, "os.chown": 1, "os.link": 2, "os.mkdir": 1, "os.remove": 1, "os.rename": 2, "os.rmdir": 1,
    "os.symlink": 2, "os.truncate": 1, "os.utime": 1, "shutil.rmtree": 1,
}  # fmt: skip
"""Audit event of Python that changes files → number of its paths."""
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
"""Flags of ``unshare(2)``."""
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Job:
    """What one process does."""

    tasks: list[tuple[str, int]]
    """Notebook and index of the host."""
    hosts: list[dict[str, str]]
    """``study``, ``raw``, ``processed`` of each host."""
    skipped: dict[str, list[int]]
    """Notebook → code cells that are left out."""
    writable: str
    folder: str
    """Below ``writable``: the copy of the submission."""
    limit_s: float
    """Of one cell."""
    memory_bytes: int


class TimeUp(BaseException):
    """The cell has taken its time; no ``Exception``, so that ``except Exception`` does not keep it."""


@dataclass
class Events:
    """Where events are reported: one JSON text each."""

    connection: Connection

    def send(self, kind: str, **values: Any) -> None:
        """Report an event."""
        self.connection.send_bytes(json.dumps({"event": kind, **values}).encode())


@dataclass
class Recorder:
    """Takes the place of a lesson's ``check``: reports each answer and judges none."""

    events: Events
    lesson: int
    study: str
    so_far: Callable[[], Any]
    """That of the lesson's own ``check``, which has no answers: its table is empty."""
    count: int = field(default=0)

    def __call__(self, key: str, answer: Any, *_: Any, **__: Any) -> None:
        """Report an answer to a question."""
        self._send("answer", key, answer)

    choose = order = say = predict = __call__

    def _send(self, kind: str, key: str, answer: Any) -> None:
        self.count += 1
        if self.count <= MAX_ANSWERS:
            self.events.send(
                kind, lesson=self.lesson, study=self.study, key=str(key)[:100], **plain(answer)
            )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_, **__: None  # reveal


def plain(answer: Any) -> dict[str, Any]:
    """An answer as plain data: ``blank``, ``number``, ``text``, ``items``, or the name of another ``type``.

    Examples
    --------
    >>> plain(0.25), plain("b"), plain(...)
    ({'number': 0.25}, {'text': 'b'}, {'blank': True})
    """
    if answer is ... or answer is None:
        return {"blank": True}
    if isinstance(answer, str):
        return {"text": answer[:MAX_TEXT]}
    if isinstance(answer, list | tuple) and all(isinstance(item, str) for item in answer):
        return {"items": [item[:MAX_TEXT] for item in answer[:100]]}
    try:
        return {"number": float(answer)}
    except Exception:  # whatever an object of the student's raises
        return {"type": type(answer).__name__[:100]}


class Session:
    """A lesson's session whose ``check`` is a recorder."""

    def __init__(self, session: Any, check: Recorder):
        self._session, self.check = session, check

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def forbid(folder: Path) -> None:
    """From now on Python code can use no network, no other process, and change no file outside of ``folder``."""
    inside = os.path.realpath(folder) + os.sep

    def is_inside(path: Any) -> bool:
        if isinstance(path, int):  # an open file
            return True
        full = os.path.realpath(os.fsdecode(path))
        return full == "/dev/null" or (full + os.sep).startswith(inside)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in FORBIDDEN:
            raise PermissionError(f"the grader {FORBIDDEN[event]}")
        if event == "open":
            path, _, flags = arguments
            paths: Iterable[Any] = [path] if (flags or 0) & WRITING else []
        else:
            paths = arguments[: CHANGES.get(event, 0)]
        for path in paths:
            if not is_inside(path):
                raise PermissionError("the grader writes no file outside of the working folder")

    sys.addaudithook(audit)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``TimeUp`` in the block after ``seconds``, and again every second until it ends."""

    def end(_: int, __: FrameType | None) -> None:
        raise TimeUp

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def code_cells(path: Path, parameters: dict[str, str]) -> list[str]:
    """Sources of the code cells; ``parameters`` are set after the first cell tagged so, else before all.

    Raises
    ------
    ValueError
        The file is no notebook.
    """
    from pipeline import jsonschema_import  # noqa: F401 - before nbformat  # isort: skip
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        sources = [str(cell.source) for cell in cells]
        tags = [cell.metadata.get("tags", []) for cell in cells]
    except Exception as error:  # nbformat raises many kinds
        raise ValueError(f"no notebook: {type(error).__name__}") from None
    place = next((number + 1 for number, names in enumerate(tags) if "parameters" in names), 0)
    assignments = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    if place:
        sources[place - 1] += "\n" + assignments
        return sources
    return [assignments + "\n" + sources[0], *sources[1:]] if sources else []


def one_line(error: BaseException, limit: float) -> str:
    """An exception in one line."""
    if isinstance(error, TimeUp):
        return f"stopped after {limit:g} s"
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Runner:
    """Runs notebooks in one IPython shell without a kernel."""

    def __init__(self, events: Events, folder: Path, limit_s: float):
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        from pipeline import charts, course
        from pipeline.charts.theme import SPEC_MIME

        config = Config()
        config.HistoryManager.enabled = False
        self._shell = InteractiveShell.instance(config=config)
        self._shell.display_formatter.format = lambda *_, **__: ({}, {})  # figures take long
        self._shell.showtraceback = self._shell.showsyntaxerror = lambda *_, **__: None
        charts.mime_bundle = lambda _: ({SPEC_MIME: {}}, {"queuevisor": {}})
        self._events, self._folder, self._limit_s = events, folder, limit_s
        self._open = course.open_lesson
        course.open_lesson = self._open_lesson

    def _open_lesson(self, number: int, *arguments: Any, **values: Any) -> Session:
        session = self._open(number, *arguments, **values)
        study = str(session.given.study)
        self._events.send("lesson", lesson=int(number), study=study)
        check = Recorder(self._events, int(number), study, session.check.so_far)
        return Session(session, check)

    def run(self, sources: list[str], skipped: set[int]) -> None:
        """Run the cells in a new namespace; ``skipped`` are left out, and each that takes too long is added."""
        self._forget()
        for number, source in enumerate(sources):
            if number in skipped:
                continue
            self._events.send("cell", cell=number)
            error: BaseException | None = None
            try:
                with time_limit(self._limit_s):
                    result = self._shell.run_cell(source)
                    error = result.error_before_exec or result.error_in_exec
            except BaseException as raised:  # the time was up within IPython itself
                error = raised
            if error is not None:
                text = one_line(error, self._limit_s)
                self._events.send("failed", cell=number, text=text)
            if isinstance(error, TimeUp):
                skipped.add(number)

    def _forget(self) -> None:
        """Drop the namespace, and modules of the student's that may keep numbers of another host."""
        self._shell.reset(new_session=False)
        os.chdir(self._folder)
        own = str(self._folder) + os.sep
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(own):
                del sys.modules[name]
        gc.collect()


def leave_network() -> bool:
    """Move this process into a network namespace of its own, which has no connection; False if that is refused."""
    try:
        unshare = ctypes.CDLL(None, use_errno=True).unshare
    except (AttributeError, OSError):  # not Linux
        return False
    return any(unshare(flags) == 0 for flags in (CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNET))


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def run_job(job: Job, connection: Connection) -> None:
    """Run all tasks of a job; the target of the process."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    sys.stdin = io.StringIO()
    events = Events(connection)
    events.send("ready", without_network=leave_network())
    home = Path(job.writable) / "home"
    home.mkdir(exist_ok=True)
    os.environ.clear()
    os.environ.update(ENVIRONMENT, HOME=str(home), TMPDIR=str(home), IPYTHONDIR=str(home))
    tempfile.tempdir = str(home)
    if sys.platform == "linux":  # elsewhere RLIMIT_DATA does not count all private memory
        _limit(resource.RLIMIT_DATA, job.memory_bytes)
    _limit(resource.RLIMIT_FSIZE, MAX_FILE_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    folder = Path(job.folder)
    runner = Runner(events, folder, job.limit_s)
    sys.path.append(str(folder))
    skipped = {name: set(cells) for name, cells in job.skipped.items()}
    forbid(Path(job.writable))
    for name, host in job.tasks:
        events.send("start", notebook=name, host=host)
        try:
            sources = code_cells(folder / name, job.hosts[host])
        except ValueError as error:
            events.send("failed", cell=None, text=str(error))
        else:
            runner.run(sources, skipped.setdefault(name, set()))
        events.send("end", notebook=name, host=host)
    os._exit(0)  # what a notebook has registered for the exit is not run

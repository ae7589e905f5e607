"""Submissions of a class: which notebook is whose, and what each answers when it is run again on hidden hosts."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.course import grade_texts as texts
from pipeline.course.rerun import Job, run_job
from pipeline.course.session import LESSON_NUMBERS

LIMIT_S = 30.0
"""Seconds that a cell may take."""
GRACE_S = 10.0
"""Seconds after which a process is ended that does not react to the end of a cell's time."""
START_S = 120.0
"""Seconds that the imports may take."""
MEMORY_BYTES = 4 << 30
"""Private memory of one submission."""
MAX_NOTEBOOK_BYTES = 20 << 20
"""Largest file of a submission that is copied."""
MAX_EVENT_BYTES = 50 << 20
"""Bytes of all events of one process."""
LEFT_OUT = (".ipynb_checkpoints", "__pycache__")
"""Folders that are not copied."""
MAX_RESTARTS = 5
"""Restarts of a submission whose process ends too soon."""
IMPORTED = [
    "IPython.core.interactiveshell", "nbformat", "pipeline.api", "pipeline.charts", "pipeline.course.rerun",
    "pipeline.course.runs", "pipeline.report.show",
]  # fmt: skip
"""Modules that are imported once, before the processes of the submissions are forked."""

_LESSON = re.compile(r"open_lesson\(\s*(?:number\s*=\s*)?(\d+)")


@dataclass(frozen=True)
class Submission:
    """The notebooks of one student."""

    student: str
    folder: Path
    notebooks: tuple[str, ...]
    """File names in ``folder``."""
    is_own_folder: bool
    """Whether everything in ``folder`` is the student's."""


@dataclass
class Rerun:
    """What a submission answered: events by notebook and host, and problems in words."""

    answers: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    """Notebook → problems, each in one line."""

    def add_problem(self, notebook: str, text: str) -> None:
        """Add a problem, if it is not there yet."""
        problems = self.problems.setdefault(notebook, [])
        if text not in problems:
            problems.append(text)


def find_submissions(
    folder: Path, names: Sequence[str] = (), lesson: int | None = None
) -> list[Submission]:
    """Submissions in ``folder``, by student.

    Parameters
    ----------
    folder : Path
        With a folder for each student, or with notebooks that have the student's name in theirs.
    names : sequence of str
        File names of lessons without suffix: what remains of a notebook's name is the student's.
    lesson : int, optional
        Only notebooks that open this lesson.

    Raises
    ------
    OSError
        The folder cannot be read.
    """
    submissions = []
    flat: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            notebooks = [p.name for p in sorted(path.glob("*.ipynb")) if _is_wanted(p, lesson)]
            if notebooks:
                submissions.append(Submission(path.name, path, tuple(notebooks), True))
        elif path.suffix == ".ipynb" and _is_wanted(path, lesson):
            flat.setdefault(student_name(path.stem, names), []).append(path.name)
    submissions += [
        Submission(student, folder, tuple(notebooks), False) for student, notebooks in flat.items()
    ]
    return sorted(submissions, key=lambda submission: submission.student)


def student_name(stem: str, names: Sequence[str]) -> str:
    """The student's name in the name of a notebook.

    Examples
    --------
    >>> student_name("02_three_laws-Ada_L", ["02_three_laws"])
    'Ada_L'
    """
    for name in sorted(names, key=len, reverse=True):
        if name in stem:
            return stem.replace(name, "", 1).strip("-_ .") or stem
    return stem


def lesson_of(path: Path) -> int | None:
    """The lesson that a notebook opens, by its text; None if it opens none or cannot be read."""
    try:
        text = files.read_regular_file(path, MAX_NOTEBOOK_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
    match = _LESSON.search(text)
    return int(match[1]) if match and len(match[1]) < 6 else None


def _is_wanted(path: Path, lesson: int | None) -> bool:
    return not path.name.startswith(".") and (lesson is None or lesson_of(path) == lesson)


class Grader:
    """Runs submissions on hosts, each in a process of its own.

    Parameters
    ----------
    hosts : sequence of mapping
        Parameters of a lesson's notebook for each host: ``study``, ``raw``, ``processed``.
    limit_s : float
        Time of a cell.
    """

    def __init__(self, hosts: Sequence[Mapping[str, str]], limit_s: float = LIMIT_S):
        self._hosts, self._limit_s = [dict(host) for host in hosts], limit_s
        self.had_network = False
        """Whether a process was not kept from the network by the system."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(IMPORTED)
        self._processes: set[BaseProcess] = set()
        self._lock = threading.Lock()
        self._is_stopped = False

    def stop(self) -> None:
        """End all processes; ``rerun`` then returns what it has."""
        with self._lock:
            self._is_stopped = True
            for process in self._processes:
                process.kill()

    def rerun(self, submission: Submission) -> Rerun:
        """Run the notebooks of one student on all hosts."""
        rerun = Rerun()
        with tempfile.TemporaryDirectory(prefix="qv-grade-", ignore_cleanup_errors=True) as folder:
            work = Path(folder) / "work"
            try:
                _copy(submission, work)
            except OSError as error:
                for name in submission.notebooks:
                    rerun.add_problem(name, texts.not_copied(error.strerror or str(error)))
                return rerun
            tasks = []
            for name in submission.notebooks:
                if (work / name).is_file():
                    tasks += [(name, host) for host in range(len(self._hosts))]
                else:
                    rerun.add_problem(name, texts.NOT_A_SMALL_FILE)
            self._run(tasks, Path(folder), work, rerun)
        return rerun

    def _run(self, tasks: list[tuple[str, int]], folder: Path, work: Path, rerun: Rerun) -> None:
        skipped: dict[str, list[int]] = {}
        restarts = 0
        while tasks and not self._is_stopped:
            progress = Progress(rerun, self._limit_s)
            reason = self._run_process(tasks, skipped, folder, work, progress)
            tasks = [task for task in tasks if task not in progress.ended]
            if not tasks or self._is_stopped:
                return
            name, _ = progress.task or tasks[0]
            restarts += 1
            if progress.cell is None or restarts > MAX_RESTARTS:
                for other in dict(tasks):
                    rerun.add_problem(other, texts.given_up(reason))
                return
            rerun.add_problem(name, texts.cell_problem(progress.cell, reason))
            skipped.setdefault(name, []).append(progress.cell)

    def _run_process(
        self,
        tasks: list[tuple[str, int]],
        skipped: dict[str, list[int]],
        folder: Path,
        work: Path,
        progress: Progress,
    ) -> str:
        """Run one process to its end; why it ended, for a person."""
        job = Job(tasks, self._hosts, skipped, str(folder), str(work), self._limit_s, MEMORY_BYTES)
        reading, writing = self._context.Pipe(duplex=False)
        process = self._context.Process(target=run_job, args=(job, writing), daemon=True)
        with self._lock:
            if self._is_stopped:
                return texts.STOPPED
            process.start()
            self._processes.add(process)
        writing.close()
        try:
            is_late = progress.follow(reading)
        finally:
            reading.close()
            _kill(process, after_s=0 if progress.is_late else 1)
            with self._lock:
                self._processes.discard(process)
        self.had_network |= progress.had_network
        if is_late:
            return texts.unresponsive(self._limit_s)
        if progress.task is None:
            return texts.not_started(process.exitcode)
        return texts.process_ended(process.exitcode)


class Progress:
    """How far a process has come, by its events."""

    def __init__(self, rerun: Rerun, limit_s: float):
        self.task: tuple[str, int] | None = None
        self.cell: int | None = None
        self.ended: set[tuple[str, int]] = set()
        self.is_late = False
        self.had_network = False
        self._rerun, self._limit_s = rerun, limit_s

    def follow(self, connection: Connection) -> bool:
        """Read events up to the end of the process; True if it did not react in time."""
        total = 0
        deadline = time.monotonic() + START_S
        while total < MAX_EVENT_BYTES and connection.poll(max(deadline - time.monotonic(), 0)):
            try:
                text = connection.recv_bytes(MAX_EVENT_BYTES)
            except (EOFError, OSError):  # an event that is too large ends it, too
                return False
            total += len(text)
            with suppress(ValueError):  # written by a student's code
                self.take(json.loads(text))
            deadline = time.monotonic() + self._limit_s + GRACE_S
        self.is_late = True
        return True

    def take(self, event: Any) -> None:
        """Take one event; one that ``rerun`` does not send is left out: code of a student may have sent it."""
        with suppress(KeyError, TypeError):
            self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "ready":
            self.had_network = not event["without_network"]
        elif kind == "start":
            self.task, self.cell = (event["notebook"], event["host"]), None
            self._rerun.answers[self.task] = []
        elif kind == "cell":
            self.cell = event["cell"]
        elif kind == "end" and self.task is not None:
            self.ended.add(self.task)
        elif kind == "failed" and self.task is not None:
            problem = str(event["text"])
            if event["cell"] is not None:
                problem = texts.cell_problem(event["cell"], problem)
            self._rerun.add_problem(self.task[0], problem)
        elif kind in ("lesson", "answer") and self.task is not None and _is_valid(event):
            self._rerun.answers[self.task].append(event)


def _is_valid(event: Mapping[str, Any]) -> bool:
    """Whether an event has the types that ``rerun`` sends."""
    types = {
        "study": str,
        "key": str,
        "number": int | float,
        "text": str,
        "items": list,
        "type": str,
    }
    return event["lesson"] in LESSON_NUMBERS and all(
        isinstance(event[name], kind) for name, kind in types.items() if name in event
    )


def _copy(submission: Submission, work: Path) -> None:
    """A copy of the notebooks and of what stands beside them; links and large files are left out."""

    def ignored(folder: str, names: list[str]) -> Iterator[str]:
        for name in names:
            path = Path(folder) / name
            is_wanted = path.is_dir() or _is_small_file(path)
            if path.is_symlink() or name in LEFT_OUT or not is_wanted:
                yield name

    if submission.is_own_folder:
        shutil.copytree(submission.folder, work, ignore=lambda *pair: set(ignored(*pair)))
        return
    work.mkdir()
    for name in submission.notebooks:
        if not set(ignored(str(submission.folder), [name])):
            shutil.copyfile(submission.folder / name, work / name)


def _is_small_file(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= MAX_NOTEBOOK_BYTES


def _kill(process: BaseProcess, after_s: float = 0.0) -> None:
    """End a process and what it started, unless it ends within ``after_s``."""
    process.join(after_s)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()

"""How long a class takes: hosts, copies, grading. Run by hand: ``python tests/course/class_of_30.py --students 30``.

Of eight students, five hand in the solved lesson, one typed-in numbers, one a wrong method, one an endless loop.
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from pipeline.course.grade import grade_class
from pipeline.course.hidden_hosts import hidden_hosts
from pipeline.course.hosts import write_class
from pipeline.course.question import Question
from pipeline.course.session import find_lesson, open_lesson
from pipeline.course.student import write_student_copy
from pipeline.files import ROOT

KINDS = ("general", "general", "general", "general", "general", "typed", "wrong", "loop")


def cpu_s() -> float:
    """CPU time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print how long the block takes."""
    begin, used = time.monotonic(), cpu_s()
    yield
    print(
        f"{name}: {time.monotonic() - begin:.0f} s, {cpu_s() - used:.0f} s of CPU time", flush=True
    )


def submission(kind: str, notebook: Path, lesson: int) -> nbformat.NotebookNode:
    """What a student of one kind hands in."""
    handed_in = nbformat.read(notebook, as_version=4)
    given = open_lesson(lesson).given
    questions = {q.key: q for q in given.lesson.questions if isinstance(q, Question)}
    for cell in handed_in.cells:
        if kind == "typed":
            cell.source = re.sub(
                r'check\("(\w+)", \w+\)',
                lambda call: f'check("{call[1]}", {questions[call[1]].right(given)!r})',
                cell.source,
            )
        elif kind == "wrong" and "# answer" in cell.source:
            cell.source = cell.source.replace(" / ", " * ", 1)
    if kind == "loop":
        handed_in.cells.insert(len(handed_in.cells) // 2, new_code_cell("while True:\n    pass"))
    return handed_in


def main() -> None:
    """Time a class and print what each kind of submission got."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--hosts", type=int, default=6)
    parser.add_argument("--lesson", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    names = [f"student-{number:02d}" for number in range(options.students)]
    notebook = ROOT / "notebooks/course" / f"{find_lesson(options.lesson).name}.ipynb"
    with tempfile.TemporaryDirectory() as folder, step("all"):
        home = Path(folder)
        with step(f"{len(names)} hosts"):
            write_class(names, home / "hosts", home / "teacher", 7, workers=options.workers)
        with step("copies"):
            for path in (ROOT / "notebooks/course").glob("[0-9][0-9]_*.ipynb"):
                write_student_copy(path, home / "student" / path.name)
        for number, name in enumerate(names):
            (home / "class" / name).mkdir(parents=True)
            handed_in = submission(KINDS[number % len(KINDS)], notebook, options.lesson)
            nbformat.write(handed_in, home / "class" / name / notebook.name)
        with step(f"{options.hosts} hidden hosts"):
            hosts = hidden_hosts(options.hosts, 8, home / "cache", workers=options.workers)
        with step(f"grading of {len(names)}"):
            graded = grade_class(home / "class", hosts, workers=options.workers)
    for kind, student in zip(KINDS, graded.students, strict=False):
        print(f"{kind}: {student.earned:.4g} of {student.possible}; {student.problems}")


if __name__ == "__main__":
    main()

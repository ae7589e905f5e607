"""The lessons of the course: which notebooks they are, and which runs each of them reads.

A lesson is a notebook ``course/NN_name.ipynb``. ``pipeline.course.lessons`` has what is not in the notebook: its
questions, its runs, and what the page of the course says of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipeline import api
from pipeline.files import ROOT
from pipeline.report import batch_texts as texts
from pipeline.report.parameters import parameters_of

if TYPE_CHECKING:
    from pipeline.course.question import Lesson

COURSE = "course/"
KEYS = ("server", "run", "virtual_server")
RUNS_TABLE = "runs.parquet"
"""In the folder of a study, in addition to its raw runs: runs of which lessons need only the numbers."""
RECORDED_TABLE = ROOT / "data" / "course" / RUNS_TABLE
"""The same of the recorded study."""


def lesson_names(notebooks: Path) -> list[str]:
    """The lessons in a folder of notebooks, in their order: ``course/01_name`` …"""
    files = sorted((notebooks / COURSE).glob("[0-9][0-9]_*.ipynb"))
    return [f"{COURSE}{path.stem}" for path in files]


@cache
def lesson_of(name: str) -> Lesson | None:
    """Questions, runs and outcomes of the lesson ``course/NN_name``; None if the package has none of that name."""
    stem = name.removeprefix(COURSE)
    module = f"pipeline.course.lessons.lesson_{stem[:2]}"
    try:
        lesson: Lesson = import_module(module).LESSON
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        return None
    return lesson if lesson.name == stem else None


def lesson_title(notebook: Path) -> str:
    """The heading of a lesson's notebook."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    heading = re.search(r"^# +(.+)$", text, flags=re.MULTILINE)
    return heading[1].strip() if heading else notebook.stem


def runs_of_lesson(name: str, notebooks: Path) -> list[tuple[str, str, str]]:
    """Server, run and virtual server of each run that a lesson names.

    A notebook without a lesson of the package names one run, by its parameters.
    """
    lesson = lesson_of(name)
    if lesson is None:
        defaults = parameters_of(notebooks / f"{name}.ipynb")
        parts = [str(defaults.get(key, "")) for key in KEYS]
        return [(parts[0], parts[1], parts[2])] if all(parts) else []
    names = [*lesson.runs.values(), *(run for family in lesson.families.values() for run in family)]
    return [_split(run) for run in dict.fromkeys(names)]


def _split(name: str) -> tuple[str, str, str]:
    server, run, virtual_server = name.split("/")
    return server, run, virtual_server


def lesson_needs(
    name: str, notebooks: Path, study: api.Study, runs: Iterable[api.Run]
) -> str | None:
    """What a lesson needs that a study does not have; None if nothing."""
    recorded = {
        (run.server, run.run, virtual_server)
        for run in runs
        for virtual_server in run.virtual_servers
    }
    missing = [run for run in runs_of_lesson(name, notebooks) if run not in recorded]
    if missing:
        in_table = _runs_in_table(study.path / RUNS_TABLE)
        missing = [run for run in missing if run not in in_table]
    return texts.needs_runs(missing) if missing else None


def lesson_inputs(study: api.Study) -> list[Path]:
    """Files that lessons read besides raw runs; they need not exist."""
    return [study.path / RUNS_TABLE, RECORDED_TABLE]


def _runs_in_table(path: Path) -> set[Sequence[str]]:
    return set(pl.read_parquet(path, columns=list(KEYS)).rows()) if path.is_file() else set()

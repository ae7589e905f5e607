"""The lessons of the course: which notebooks they are, and which runs each of them reads.

A lesson is a notebook ``course/NN_name.ipynb``. ``pipeline.course.lessons`` has what is not in the notebook: its
questions, its runs, and what the page of the course says of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipeline import api
from pipeline.course.runs import FILE, STORED
from pipeline.files import ROOT
from pipeline.report import batch_texts as texts
from pipeline.report.parameters import parameters_of

if TYPE_CHECKING:
    from pipeline.course.question import Lesson

COURSE = "course/"
KEYS = ("server", "run", "virtual_server")
RunName = tuple[str, str, str]
"""Server, run and virtual server."""


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


def roles_of_lesson(name: str, notebooks: Path) -> list[RunName]:
    """The runs whose logs a lesson may open.

    A notebook without a lesson of the package names one run, by its parameters.
    """
    lesson = lesson_of(name)
    if lesson is not None:
        return [_split(run) for run in dict.fromkeys(lesson.runs.values())]
    defaults = parameters_of(notebooks / f"{name}.ipynb")
    parts = [str(defaults.get(key, "")) for key in KEYS]
    return [(parts[0], parts[1], parts[2])] if all(parts) else []


def _families_of_lesson(name: str) -> list[RunName]:
    """The runs of which a lesson takes numbers from the runs table only."""
    lesson = lesson_of(name)
    families = lesson.families.values() if lesson else ()
    return [_split(run) for family in families for run in family]


def _split(name: str) -> RunName:
    server, run, virtual_server = name.split("/")
    return server, run, virtual_server


def lesson_needs(
    name: str, notebooks: Path, study: api.Study, runs: Iterable[api.Run]
) -> str | None:
    """What a lesson needs that a study does not have; None if nothing."""
    recorded = {(run.server, run.run, vs) for run in runs for vs in run.virtual_servers}
    named = dict.fromkeys([*roles_of_lesson(name, notebooks), *_families_of_lesson(name)])
    missing = [run for run in named if run not in recorded]
    if missing:
        in_table = _runs_in_table(study.path / FILE)
        missing = [run for run in missing if run not in in_table]
    return texts.needs_runs(missing) if missing else None


def lesson_inputs(name: str, study: api.Study) -> list[Path]:
    """Files that a lesson reads besides the logs of its runs; they need not exist."""
    manifests = [
        study.path / server / run / "run.json" for server, run, _ in _families_of_lesson(name)
    ]
    return [study.path / FILE, ROOT / STORED, *dict.fromkeys(manifests)]


def _runs_in_table(path: Path) -> set[RunName]:
    return set(pl.read_parquet(path, columns=list(KEYS)).rows()) if path.is_file() else set()

"""A lesson opened on a study: its runs, what it gives, and its ``check``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import polars as pl

from pipeline.course.check import Check
from pipeline.course.given import RUN_KEYS, Given, NoValue, Row
from pipeline.course.question import Lesson
from pipeline.errors import Error
from pipeline.evaluate.published import read_tables
from pipeline.files import ROOT, project_path

LESSON_NUMBERS = tuple(range(1, 11))


class UnknownLessonError(Error):
    """A lesson that the course does not have."""


def find_lesson(number: int) -> Lesson:
    """The lesson of that number.

    Raises
    ------
    UnknownLessonError
        If there is none.
    """
    name = f"pipeline.course.lessons.lesson_{number:02d}"
    if number not in LESSON_NUMBERS or importlib.util.find_spec(name) is None:
        raise UnknownLessonError(f"the course has no lesson {number}")
    return importlib.import_module(name).LESSON


class Session:
    """A lesson on one study: what :func:`open_lesson` returns."""

    def __init__(self, given: Given):
        self.given = given
        self.check = Check(given)

    @property
    def lesson(self) -> Lesson:
        """The lesson's questions and texts."""
        return self.given.lesson

    @property
    def runs(self) -> pl.DataFrame:
        """The runs table of the study: one row per server, run and virtual server."""
        return self.given.runs

    def run(self, role: str) -> Row:
        """The numbers of the run with that role: ``run("closed")["T_s"]``."""
        return self.given.run(role)

    def family(self, name: str) -> pl.DataFrame:
        """The rows of a family of runs, in their order."""
        keys = [
            dict(zip(RUN_KEYS, run.split("/"), strict=True)) for run in self.lesson.families[name]
        ]
        return pl.DataFrame(keys).join(self.runs, on=RUN_KEYS, how="left", maintain_order="left")

    def folder(self, role: str) -> Path:
        """The raw folder of the run with that role."""
        return self.given.folder(role)

    def value(self, symbol: str) -> float:
        """A given number by its symbol."""
        return self.given.value(symbol)

    def quantities(self) -> pl.DataFrame:
        """The given numbers: symbol, value (null where the study has none), unit, meaning."""
        rows = []
        for quantity in self.lesson.quantities:
            try:
                value = float(quantity.value(self.given))
            except (NoValue, ArithmeticError):
                value = None
            unit = "" if quantity.unit == "1" else quantity.unit
            rows.append((quantity.symbol, value, unit, quantity.meaning))
        schema = {"symbol": pl.String, "value": pl.Float64, "unit": pl.String, "meaning": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")


def open_lesson(
    number: int,
    *,
    study: str = "kvm-case-study",
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
    **runs: str,
) -> Session:
    """Open a lesson on a study.

    Parameters
    ----------
    number : int
        1 to 10.
    study, raw, processed
        The study's folder name, and the folders of raw studies and of their tables.
    **runs : str
        Role → ``server/run/virtual server`` in place of the lesson's own.

    Returns
    -------
    Session

    Raises
    ------
    UnknownLessonError
        If the course has no such lesson.

    Examples
    --------
    >>> lesson = open_lesson(2)  # doctest: +SKIP
    >>> lesson.run("closed")["X_per_s"]  # doctest: +SKIP
    """
    from pipeline.course.runs import runs_table

    lesson = find_lesson(number)
    raw = project_path(raw)
    published = raw if (raw / "published").is_dir() else ROOT / "data" / "raw"
    given = Given(
        lesson,
        runs_table(study, raw=raw, processed=project_path(processed)),
        {**lesson.runs, **runs},
        read_tables(published),
        raw / study,
    )
    return Session(given)

"""What right answers are computed from: rows of the runs table, the published tables, earlier answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.course.question import Lesson, Question
from pipeline.errors import Error

RUN_KEYS = ("server", "run", "virtual_server")


class NoValue(Error):  # noqa: N818 - a missing number, not a failure
    """A number that a run does not have; the text says which."""


class Row(Mapping[str, float]):
    """One run and virtual server of the runs table: column → number.

    Raises ``NoValue`` for a column without a value and ``KeyError`` for a column that the table does not have.
    """

    def __init__(self, values: Mapping[str, object]):
        self._values = dict(values)

    @property
    def name(self) -> str:
        """``server/run/virtual server``."""
        return "/".join(str(self._values[key]) for key in RUN_KEYS)

    def __getitem__(self, column: str):
        value = self._values[column]
        if value is None:
            raise NoValue(f"{self.name} has no {column}")
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True)
class Given:
    """What is given to one lesson on one study.

    Attributes
    ----------
    lesson
    runs
        The runs table of the study: one row per server, run and virtual server.
    names
        Role → ``server/run/virtual server``; those of the lesson, or others.
    paper
        The published tables.
    study
        The study's folder.
    own
        Answers of the student that take the place of right ones in ``answer``.
    """

    lesson: Lesson
    runs: pl.DataFrame
    names: Mapping[str, str]
    paper: pl.DataFrame
    study: Path
    own: Mapping[str, float] = field(default_factory=dict)
    tables: dict[Question, Any] = field(default_factory=dict, repr=False, compare=False)
    """Question → its numbers that are computed already: some are simulations."""

    def run(self, role: str) -> Row:
        """The row of the run with that role in the lesson."""
        return self._row(self.names[role])

    def _row(self, name: str) -> Row:
        if name not in self._rows:
            raise NoValue(f"{self.study.name} has no run {name}")
        return self._rows[name]

    @cached_property
    def _rows(self) -> dict[str, Row]:
        return {row.name: row for row in map(Row, self.runs.iter_rows(named=True))}

    def family(self, name: str, column: str) -> np.ndarray:
        """A column of the runs of a family, in their order."""
        return np.array([self._row(run)[column] for run in self.lesson.families[name]], float)

    def value(self, symbol: str) -> float:
        """A given quantity by its symbol."""
        quantity = next((q for q in self.lesson.quantities if q.symbol == symbol), None)
        if quantity is None:
            raise KeyError(f"lesson {self.lesson.number} gives no {symbol!r}")
        return quantity.value(self)

    def answer(self, key: str) -> float:
        """The right answer to an earlier question; the student's own where an error is carried forward."""
        if key in self.own:
            return self.own[key]
        return self.lesson.question(key).right(self)

    def folder(self, role: str) -> Path:
        """The raw folder of a run."""
        server, run, _ = self.names[role].split("/")
        return self.study / server / run

    def with_own(self, own: Mapping[str, float]) -> Given:
        """The same with answers of the student."""
        return replace(self, own=dict(own), tables={})


def right_value(question: Question, given: Given) -> float | None:
    """The right answer; None where the study has no value.

    A value that is not finite is none: a host may have no solution.
    """
    try:
        value = float(question.right(given))
    except (NoValue, ArithmeticError):
        return None
    return value if math.isfinite(value) else None


def slip_values(question: Question, given: Given) -> list[tuple[float, str]]:
    """The values of the question's slips that have one, with their hints."""
    values = []
    for formula, hint in question.slips:
        try:
            value = float(formula(given))
        except (NoValue, ArithmeticError):
            continue
        if math.isfinite(value):
            values.append((value, hint))
    return values

"""Reports of load generators: lines of known forms in a known order, several reports in one log.

A form is a regular expression with named groups, and its place (``rank``) in the report. A report begins
where the rank falls, or where a line of the same rank comes again; the same line twice in a row is told
twice. Lines of rank None (messages, interval lines) may stand anywhere.

Example:
    >>> from pipeline.parse.log import log_of
    >>> forms = (Form("total", 1, r"^total (?P<n>[0-9]+)$"), Form("mean", 2, r"^mean (?P<ms>[0-9]+)$"))
    >>> read = read_forms(log_of("total 3\\nmean 9\\ntotal 4\\n", "x.log").body(), forms)
    >>> read.marks.select("line", "form", "report").rows()
    [(1, 'total', 1), (2, 'mean', 1), (3, 'total', 2)]
    >>> read.reports(["total"]).select("report", "line", "last", "total.n", "mean.ms").rows()
    [(1, 1, 2, '3', '9'), (2, 3, 3, '4', None)]
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import polars as pl

TWICE = "told twice in one report"


@dataclass(frozen=True)
class Form:
    """How one line of a report looks. Of lines that fit several forms the first form counts."""

    name: str
    rank: int | None
    pattern: str
    again: bool = False
    """Whether it may come several times in one report; the last one then counts."""


@dataclass(frozen=True)
class Read:
    """Lines told apart. ``marks``: line, text, form (null: none fits), rank, report, twice."""

    marks: pl.DataFrame
    forms: tuple[Form, ...]

    def lines(self, form: str) -> pl.DataFrame:
        """The lines of a form with its groups as texts: line, report, group…"""
        pattern = next(f.pattern for f in self.forms if f.name == form)
        names = list(re.compile(pattern).groupindex)
        kept = self.marks.filter((pl.col("form") == form) & ~pl.col("twice"))
        if not names:
            return kept.select("line", "report")
        groups = pl.col("text").str.extract_groups(pattern).struct.field(*names)
        return kept.select("line", "report", groups)

    def reports(self, telling: Collection[str]) -> pl.DataFrame:
        """One row a report that has one of the forms ``telling``.

        Columns: report, line and last (its first and last line), ``has_<form>``, and every group of the
        ranked forms as text, ``<form>.<group>``; of a form that comes again the last one.
        """
        groups, has = _fields(self.forms)
        return (
            self.marks.lazy()
            .filter(pl.col("rank").is_not_null() & ~pl.col("twice"))
            .select("line", "report", "form", *groups)
            .group_by("report", maintain_order=True)
            .agg(
                pl.col("form").is_in(list(telling)).any().alias("tells"),
                pl.col("line").max().alias("last"),
                pl.col("line").min(),
                *has,
                pl.exclude("report", "line", "form").drop_nulls().last(),
            )
            .filter("tells")
            .drop("tells")
            .sort("report")
            .collect(engine="in-memory")
        )


def read_forms(body: pl.DataFrame, forms: tuple[Form, ...]) -> Read:
    """Tell the lines of ``body`` (line, text) apart."""
    text = pl.col("text")
    which = _which(forms)
    ranks = {form.name: form.rank for form in forms}
    again = [form.name for form in forms if form.again]
    marks = (
        body.lazy()
        .select("line", "text", form=which)
        .with_columns(
            rank=pl.col("form").replace_strict(ranks, default=None, return_dtype=pl.Int64)
        )
        .collect(engine="in-memory")
    )
    before = pl.col("rank").shift()
    doubled = (text == text.shift()) & (pl.col("line") == pl.col("line").shift() + 1)
    stays = (pl.col("rank") == before) & ~pl.col("form").is_in(again)
    ranked = (
        marks.lazy()
        .filter(pl.col("rank").is_not_null())
        .select(
            "line",
            twice=stays & doubled,
            begins=before.is_null() | (pl.col("rank") < before) | (stays & ~doubled),
        )
    )
    marks = (
        marks.lazy()
        .join(ranked, on="line", how="left", maintain_order="left")
        .with_columns(pl.col("twice", "begins").fill_null(False))
        .with_columns(report=pl.col("begins").cast(pl.Int64).cum_sum())
        .drop("begins")
        .collect(engine="in-memory")
    )
    return Read(marks, forms)


@cache
def _which(forms: tuple[Form, ...]) -> pl.Expr:
    """The name of the first form that a line fits."""
    text = pl.col("text")
    return pl.coalesce(
        *(pl.when(text.str.contains(form.pattern)).then(pl.lit(form.name)) for form in forms)
    )


@cache
def _fields(forms: tuple[Form, ...]) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """Every group of the ranked forms, where a line is of that form; whether a report has a form."""
    ranked = [form for form in forms if form.rank is not None]
    groups = [
        pl.when(pl.col("form") == form.name)
        .then(pl.col("text").str.extract_groups(form.pattern).struct.field(group))
        .alias(f"{form.name}.{group}")
        for form in ranked
        for group in re.compile(form.pattern).groupindex
    ]
    has = [pl.col("form").eq(form.name).any().alias(f"has_{form.name}") for form in ranked]
    return groups, has

"""Reports of load generators: lines of known forms in a known order, several reports in one log.

A form is a regular expression with named groups, and its place (``rank``) in the report. A report begins
where the rank falls, or where a line of the same rank comes again; the same line twice in a row is told
twice. Lines of rank None (messages, interval lines) may stand anywhere.

Example:
    >>> from pipeline.parse.log import log_of
    >>> forms = (Form("total", 1, r"^total (?P<n>\\d+)$"), Form("mean", 2, r"^mean (?P<ms>\\d+)$"))
    >>> read = read_forms(log_of("total 3\\nmean 9\\ntotal 4\\n", "x.log").body(), forms)
    >>> read.marks.select("line", "form", "report").rows()
    [(1, 'total', 1), (2, 'mean', 1), (3, 'total', 2)]
    >>> read.fields("total").rows()
    [(1, '3'), (2, '4')]
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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

    def fields(self, form: str) -> pl.DataFrame:
        """One row a report that has the form: report, group…"""
        return self.lines(form).drop("line").unique("report", keep="last", maintain_order=True)


def read_forms(body: pl.DataFrame, forms: tuple[Form, ...]) -> Read:
    """Tell the lines of ``body`` (line, text) apart."""
    text = pl.col("text")
    which = pl.coalesce(
        *(pl.when(text.str.contains(form.pattern)).then(pl.lit(form.name)) for form in forms)
    )
    ranks = {form.name: form.rank for form in forms}
    again = [form.name for form in forms if form.again]
    marks = body.select("line", "text", form=which).with_columns(
        rank=pl.col("form").replace_strict(ranks, default=None, return_dtype=pl.Int64)
    )
    ranked = marks.filter(pl.col("rank").is_not_null()).with_columns(
        before=pl.col("rank").shift(),
        doubled=(text == text.shift()) & (pl.col("line") == pl.col("line").shift() + 1),
        may_again=pl.col("form").is_in(again),
    )
    falls = pl.col("rank") < pl.col("before")
    stays = (pl.col("rank") == pl.col("before")) & ~pl.col("may_again")
    ranked = ranked.select(
        "line",
        twice=(stays & pl.col("doubled")).fill_null(False),
        begins=(pl.col("before").is_null() | falls | (stays & ~pl.col("doubled"))).fill_null(True),
    )
    marks = (
        marks.join(ranked, on="line", how="left", maintain_order="left")
        .with_columns(pl.col("twice", "begins").fill_null(False))
        .with_columns(report=pl.col("begins").cast(pl.Int64).cum_sum())
        .drop("begins")
    )
    return Read(marks, forms)

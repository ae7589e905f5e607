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

from pipeline.parse.errors import UnknownFormError
from pipeline.parse.expressions import first_of
from pipeline.parse.log import Log, judged

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


def accounts(
    log: Log, tool: str, read: Read, reports: pl.DataFrame, *, weak: str = ""
) -> tuple[pl.Series, pl.Series, pl.DataFrame]:
    """The line numbers of records (of reports, and interval lines) and of headers, and the rejects.

    Raises ``UnknownFormError`` where no line has a form, or none but ``weak``, which others print too.
    """
    marks = read.marks
    known = marks.filter(pl.col("form").is_not_null() & ~pl.col("twice"))
    unknown = f"no line that {tool} prints"
    if marks.height and not known.filter(pl.col("form") != weak).height:
        raise UnknownFormError(log.file, unknown, int(marks["line"][0]))
    is_record = (
        pl.col("rank").is_not_null() & pl.col("report").is_in(reports["report"].implode())
    ) | pl.col("form").is_in(["interval", "old_interval"])
    reason = first_of((pl.col("twice"), TWICE), (pl.col("form").is_null(), unknown))
    _, rejects = judged(marks, reason)
    return known.filter(is_record)["line"], known.filter(~is_record)["line"], rejects


def warnings_of(
    log: Log,
    tool: str,
    read: Read,
    reports: pl.DataFrame,
    *,
    is_message: pl.Expr,
    is_start: pl.Expr,
) -> list[str]:
    """What the tool said about itself, each message once, and where it was started without a report."""
    said = (
        read.marks.filter((pl.col("form") == "message") & is_message)
        .group_by(pl.col("text").str.strip_chars(), maintain_order=True)
        .agg(pl.col("line").min(), pl.len().alias("n"))
        .sort("line")
    )
    warnings = [
        f"{log.file}:{line}: {text}{'' if n == 1 else f' ({n} times)'}"
        for text, line, n in said.rows()
    ]
    lost = (
        read.marks.filter(is_start)
        .unique("report", keep="first", maintain_order=True)
        .join(reports, on="report", how="anti", maintain_order="left")
    )
    for line in lost["line"]:
        warnings.append(f"{log.file}:{line}: {tool} was started, but there is no report")
    if log.unterminated:
        warnings.append(
            f"{log.file}:{log.lines.height}: the last line has no end: the log may be cut off"
        )
    return warnings


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

"""Reports of load generators: lines that match templates in a fixed order, several reports in one log.

A template is a regular expression with named groups and its position (``rank``) in the report. A report starts
where the rank decreases, or where a rank is repeated; two equal lines in a row are duplicates. Lines of rank None
(messages, interval lines) may occur anywhere.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> templates = (
    ...     LineTemplate("total", 1, r"^total (?P<n>[0-9]+)$"),
    ...     LineTemplate("mean", 2, r"^mean (?P<ms>[0-9]+)$"),
    ... )
    >>> parsed = match_templates(log_from_text("total 3\\nmean 9\\ntotal 4\\n", "x.log").body(), templates)
    >>> parsed.classified.select("line", "template", "report").rows()
    [(1, 'total', 1), (2, 'mean', 1), (3, 'total', 2)]
    >>> parsed.reports(["total"]).select("report", "line", "last", "total.n", "mean.ms").rows()
    [(1, 1, 2, '3', '9'), (2, 3, 3, '4', None)]
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of
from pipeline.parse.log import Log
from pipeline.parse.parsed import split_rejects


@dataclass(frozen=True)
class LineTemplate:
    """One line of a report. A line that matches several templates has the first one."""

    name: str
    rank: int | None
    pattern: str
    repeats: bool = False
    """Whether it may occur several times in one report; the last line then counts."""


@dataclass(frozen=True)
class ParsedReport:
    """Classified lines: line, text, template (null: none matches), rank, report, is_duplicate."""

    classified: pl.DataFrame
    templates: tuple[LineTemplate, ...]

    def lines(self, template: str) -> pl.DataFrame:
        """The lines of a template with its groups as text: line, report, groups."""
        pattern = next(t.pattern for t in self.templates if t.name == template)
        names = list(re.compile(pattern).groupindex)
        kept = self.classified.filter((pl.col("template") == template) & ~pl.col("is_duplicate"))
        if not names:
            return kept.select("line", "report")
        groups = pl.col("text").str.extract_groups(pattern).struct.field(*names)
        return kept.select("line", "report", groups)

    def reports(self, required: Collection[str]) -> pl.DataFrame:
        """One row per report that has one of the templates ``required``.

        Columns: report, line and last (its first and last line), ``has_<template>``, and every group of the
        ranked templates as text, ``<template>.<group>``; the last one of repeated lines.
        """
        groups, has = _group_exprs(self.templates)
        return (
            self.classified.lazy()
            .filter(pl.col("rank").is_not_null() & ~pl.col("is_duplicate"))
            .select("line", "report", "template", *groups)
            .group_by("report", maintain_order=True)
            .agg(
                pl.col("template").is_in(list(required)).any().alias("has_required"),
                pl.col("line").max().alias("last"),
                pl.col("line").min(),
                *has,
                pl.exclude("report", "line", "template").drop_nulls().last(),
            )
            .filter("has_required")
            .drop("has_required")
            .sort("report")
            .collect(engine="in-memory")
        )


def account_lines(
    log: Log,
    tool: str,
    parsed: ParsedReport,
    reports: pl.DataFrame,
    *,
    intervals: Collection[str],
    ambiguous: str = "",
    has_other_records: bool = False,
) -> tuple[pl.Series, pl.Series, pl.DataFrame]:
    """Line numbers of records (reports, and the templates ``intervals``) and of headers, and the rejects.

    Raises ``UnknownFormatError`` if no line matches a template other than ``ambiguous``, which other programs print
    too, unless the log ``has_other_records``.
    """
    classified = parsed.classified
    matched = classified.filter(pl.col("template").is_not_null() & ~pl.col("is_duplicate"))
    has_records = has_other_records or matched.filter(pl.col("template") != ambiguous).height > 0
    if classified.height and not has_records:
        raise UnknownFormatError(log.file, texts.not_a_line_of(tool), int(classified["line"][0]))
    is_record = (
        pl.col("rank").is_not_null() & pl.col("report").is_in(reports["report"].implode())
    ) | pl.col("template").is_in(list(intervals))
    reason = first_of(
        (pl.col("is_duplicate"), texts.DUPLICATE_IN_REPORT),
        (pl.col("template").is_null(), texts.NOT_READ),
    )
    _, rejects = split_rejects(classified, reason)
    return matched.filter(is_record)["line"], matched.filter(~is_record)["line"], rejects


def collect_warnings(
    log: Log,
    tool: str,
    parsed: ParsedReport,
    reports: pl.DataFrame,
    *,
    is_message: pl.Expr,
    is_start: pl.Expr,
) -> list[str]:
    """Messages of the tool, each once, and starts without a report."""
    messages = (
        parsed.classified.filter((pl.col("template") == "message") & is_message)
        .group_by(pl.col("text").str.strip_chars(), maintain_order=True)
        .agg(pl.col("line").min(), pl.len().alias("n"))
        .sort("line")
    )
    warnings = [
        f"{log.file}:{line}: {text}{'' if n == 1 else f' ({n} times)'}"
        for text, line, n in messages.rows()
    ]
    unfinished = (
        parsed.classified.filter(is_start)
        .unique("report", keep="first", maintain_order=True)
        .join(reports, on="report", how="anti", maintain_order="left")
    )
    for line in unfinished["line"]:
        warnings.append(f"{log.file}:{line}: {texts.no_report(tool)}")
    if log.unterminated:
        warnings.append(f"{log.file}:{log.lines.height}: {texts.UNTERMINATED}")
    return warnings


def match_templates(body: pl.DataFrame, templates: tuple[LineTemplate, ...]) -> ParsedReport:
    """Classify the lines of ``body`` (line, text)."""
    text = pl.col("text")
    template_name = _template_expr(templates)
    ranks = {template.name: template.rank for template in templates}
    repeats = [template.name for template in templates if template.repeats]
    classified = (
        body.lazy()
        .select("line", "text", template=template_name)
        .with_columns(
            rank=pl.col("template").replace_strict(ranks, default=None, return_dtype=pl.Int64)
        )
        .collect(engine="in-memory")
    )
    before = pl.col("rank").shift()
    is_repeated = (text == text.shift()) & (pl.col("line") == pl.col("line").shift() + 1)
    same_rank = (pl.col("rank") == before) & ~pl.col("template").is_in(repeats)
    ranked = (
        classified.lazy()
        .filter(pl.col("rank").is_not_null())
        .select(
            "line",
            is_duplicate=same_rank & is_repeated,
            begins=before.is_null() | (pl.col("rank") < before) | (same_rank & ~is_repeated),
        )
    )
    classified = (
        classified.lazy()
        .join(ranked, on="line", how="left", maintain_order="left")
        .with_columns(pl.col("is_duplicate", "begins").fill_null(False))
        .with_columns(report=pl.col("begins").cast(pl.Int64).cum_sum())
        .drop("begins")
        .collect(engine="in-memory")
    )
    return ParsedReport(classified, templates)


@cache
def _template_expr(templates: tuple[LineTemplate, ...]) -> pl.Expr:
    """Name of the first template that a line matches."""
    text = pl.col("text")
    return pl.coalesce(
        *(
            pl.when(text.str.contains(template.pattern)).then(pl.lit(template.name))
            for template in templates
        )
    )


@cache
def _group_exprs(templates: tuple[LineTemplate, ...]) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """Every group of the ranked templates, on lines of that template; whether a report has a template."""
    ranked = [template for template in templates if template.rank is not None]
    groups = [
        pl.when(pl.col("template") == template.name)
        .then(pl.col("text").str.extract_groups(template.pattern).struct.field(group))
        .alias(f"{template.name}.{group}")
        for template in ranked
        for group in re.compile(template.pattern).groupindex
    ]
    has = [
        pl.col("template").eq(template.name).any().alias(f"has_{template.name}")
        for template in ranked
    ]
    return groups, has

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

import numpy as np
import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of
from pipeline.parse.log import Log
from pipeline.parse.reader import is_fast

MIN_LINES_BY_KEY = 5000
"""Lines from which on it is faster to search only for templates that may begin as a line does."""


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

    def above(self, first: int | None) -> ParsedReport:
        """The lines above the one with number ``first``; None: none of them."""
        count = 0 if first is None else self.classified["line"].search_sorted(first)
        return ParsedReport(self.classified.head(count), self.templates)

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
        ranked templates as text, ``<template>.<group>``; those of the last one of repeated lines.
        """
        ranked = self.classified.filter(pl.col("rank").is_not_null() & ~pl.col("is_duplicate"))
        report = ranked["report"].to_numpy()
        starts = np.flatnonzero(np.diff(report, prepend=-1))
        ends = np.append(starts[1:], report.size)[: starts.size] - 1
        templates = [template for template in self.templates if template.rank is not None]
        names = pl.Series([template.name for template in templates])
        codes = ranked["template"].replace_strict(
            names, pl.Series(range(len(templates)), dtype=pl.Int64), return_dtype=pl.Int64
        )
        places = np.full((starts.size, len(templates)), -1, dtype=np.int64)
        # places increase along the lines, so that the maximum is the last one
        at = np.repeat(np.arange(starts.size), ends - starts + 1)
        np.maximum.at(places, (at, codes.to_numpy()), np.arange(report.size))
        has = places >= 0
        text = ranked["text"]
        columns = {}
        for number, template in enumerate(templates):
            index = pl.Series(places[:, number])
            columns[f"has_{template.name}"] = pl.Series(has[:, number])
            columns[template.name] = text.gather(index.set(index < 0, None))
        lines = ranked["line"]
        reports = pl.DataFrame(
            {"report": report[starts], "line": lines.gather(starts), "last": lines.gather(ends)}
            | columns
        )
        is_required = [template.name in required for template in templates]
        reports = reports.filter(pl.Series(has[:, is_required].any(axis=1)))
        return reports.select(
            "report",
            "line",
            "last",
            *(f"has_{template.name}" for template in templates),
            *_group_exprs(self.templates),
        )


class ReportReader:
    """What the reports of all pieces of a log have in common: accounting of lines, messages, warnings.

    Parameters
    ----------
    file : str
    tool : str
    intervals : collection of str
        Templates that are records without a report.
    ambiguous : str
        Template of lines that other programs print, too.
    """

    def __init__(self, file: str, tool: str, intervals: Collection[str], ambiguous: str = ""):
        self.file, self.tool = file, tool
        self._intervals, self._ambiguous = list(intervals), ambiguous
        self._first_line: int | None = None
        self._has_records = False
        self._messages: dict[str, list[int]] = {}
        self._unfinished: list[int] = []
        self._unterminated: int | None = None

    def account_lines(
        self, parsed: ParsedReport, reports: pl.DataFrame, *, has_other_records: bool = False
    ) -> tuple[pl.Series, pl.Series, pl.DataFrame]:
        """Line numbers of records (reports and intervals) and of headers, and the rejects."""
        classified = parsed.classified
        if self._first_line is None and classified.height:
            self._first_line = int(classified["line"][0])
        template = pl.col("template")
        is_rejected = classified.select(template.is_null() | pl.col("is_duplicate")).to_series()
        matched = classified.filter(~is_rejected)
        if not self._has_records:
            is_sure = (matched["template"] != self._ambiguous).any()
            self._has_records = has_other_records or bool(is_sure)
        is_record = matched.select(
            (pl.col("rank").is_not_null() & pl.col("report").is_in(reports["report"].implode()))
            | template.is_in(self._intervals)
        ).to_series()
        reason = first_of(
            (pl.col("is_duplicate"), texts.DUPLICATE_IN_REPORT),
            (template.is_null(), texts.NOT_READ),
        )
        rejects = classified.filter(is_rejected).select("line", reason=reason)
        return matched.filter(is_record)["line"], matched.filter(~is_record)["line"], rejects

    def check(self) -> None:
        """Raise ``UnknownFormatError`` if no line of the log matches a template that only the tool has."""
        if self._first_line is not None and not self._has_records:
            raise UnknownFormatError(self.file, texts.not_a_line_of(self.tool), self._first_line)

    def note_warnings(
        self,
        log: Log,
        parsed: ParsedReport,
        reports: pl.DataFrame,
        *,
        is_message: pl.Expr,
        is_start: pl.Expr,
    ) -> None:
        """Keep messages of the tool, each once, and starts without a report."""
        messages = (
            parsed.classified.filter((pl.col("template") == "message") & is_message)
            .group_by(pl.col("text").str.strip_chars(), maintain_order=True)
            .agg(pl.col("line").min(), pl.len().alias("n"))
            .sort("line")
        )
        for text, line, count in messages.rows():
            self._messages.setdefault(text, [line, 0])[1] += count
        starts = parsed.classified.filter(is_start).unique(
            "report", keep="first", maintain_order=True
        )
        unfinished = starts.join(reports, on="report", how="anti", maintain_order="left")
        self._unfinished += unfinished["line"].to_list()
        if log.unterminated:
            self._unterminated = log.last_line

    def warnings(self) -> list[str]:
        """Warnings about the log."""
        warnings = [
            f"{self.file}:{line}: {text}{'' if count == 1 else f' ({count} times)'}"
            for text, (line, count) in self._messages.items()
        ]
        for line in self._unfinished:
            warnings.append(f"{self.file}:{line}: {texts.no_report(self.tool)}")
        if self._unterminated is not None:
            warnings.append(f"{self.file}:{self._unterminated}: {texts.UNTERMINATED}")
        return warnings


def match_templates(body: pl.DataFrame, templates: tuple[LineTemplate, ...]) -> ParsedReport:
    """Classify the lines of ``body`` (line, text)."""
    text = body["text"]
    codes = template_codes(text, templates)
    names = pl.Series([template.name for template in templates], dtype=pl.String)
    no_rank = -1
    ranks = np.array([no_rank if t.rank is None else t.rank for t in templates] + [no_rank])[codes]
    places = np.flatnonzero(ranks != no_rank)
    rank, code, line = ranks[places], codes[places], body["line"].to_numpy()[places]
    is_same = np.zeros(places.size, dtype=bool)
    is_same[1:] = rank[1:] == rank[:-1]
    is_same &= ~np.array([template.repeats for template in templates] + [False])[code]
    # lines of one rank behind each other are rare
    second = np.flatnonzero(is_same)
    is_equal = text.gather(places[second]) == text.gather(places[second - 1])
    is_repeated = np.zeros(places.size, dtype=bool)
    is_repeated[second] = is_equal.to_numpy() & (line[second] == line[second - 1] + 1)
    begins = is_same & ~is_repeated
    begins[:1] = True
    begins[1:] |= rank[1:] < rank[:-1]
    reports = np.zeros(text.len(), dtype=np.int64)
    reports[places] = begins
    is_duplicate = np.zeros(text.len(), dtype=bool)
    is_duplicate[places] = is_repeated
    code_of, rank_of = pl.Series(codes), pl.Series(ranks, dtype=pl.Int64)
    classified = pl.DataFrame(
        {
            "line": body["line"],
            "text": text,
            "template": names.gather(code_of.cast(pl.Int64).set(code_of < 0, None)),
            "rank": rank_of.set(rank_of < 0, None),
            "is_duplicate": is_duplicate,
            "report": np.cumsum(reports),
        }
    )
    return ParsedReport(classified, templates)


def template_codes(text: pl.Series, templates: tuple[LineTemplate, ...]) -> np.ndarray:
    """Place in ``templates`` of the first one that each line matches, -1 for none (Int16)."""
    if text.len() < MIN_LINES_BY_KEY or not is_fast():
        every = tuple(range(len(templates)))
        return _first_matches(text, templates, every).to_numpy()
    key = text.str.strip_chars_start().str.head(2)
    keys = key.unique()
    candidates = [
        tuple(n for n, t in enumerate(templates) if _may_begin(t.pattern, start))
        for start in keys.to_list()
    ]
    groups = list(dict.fromkeys(candidates))
    group_of = {start: groups.index(c) for start, c in zip(keys, candidates, strict=True)}
    group = key.replace_strict(group_of, return_dtype=pl.Int16).to_numpy()
    codes = np.full(text.len(), -1, dtype=np.int16)
    for number, templates_of_group in enumerate(groups):
        places = np.flatnonzero(group == number)
        part = text.gather(places)
        for code in templates_of_group:
            is_match = part.str.contains(templates[code].pattern)
            matches = is_match.to_numpy()
            codes[places[matches]] = code
            places, part = places[~matches], part.filter(~is_match)
            if not places.size:
                break
    return codes


def _first_matches(
    text: pl.Series, templates: tuple[LineTemplate, ...], numbers: tuple[int, ...]
) -> pl.Series:
    """The first of the templates with these numbers that each line matches, -1 for none."""
    return text.to_frame("text").select(_code_expr(templates, numbers)).to_series()


@cache
def _code_expr(templates: tuple[LineTemplate, ...], numbers: tuple[int, ...]) -> pl.Expr:
    text = pl.col("text")
    return pl.coalesce(
        *(
            pl.when(text.str.contains(templates[n].pattern)).then(pl.lit(n, pl.Int16))
            for n in numbers
        ),
        pl.lit(-1, pl.Int16),
    )


@cache
def _may_begin(pattern: str, start: str) -> bool:
    """Whether a line whose first two characters, behind blanks, are ``start`` may match."""
    if start[:1] == "[" and not re.search(r"\\\[|\\S|\[\^|(?<!\\)\.", pattern):
        return False
    literal = re.match(r"\^(?:\\s\*)?((?:[A-Za-z0-9 ,:/]|\\[\[\]()^.])*)(.?)", pattern)
    if literal is None or "|^" in pattern:
        return True
    first = literal[1].replace("\\", "")
    if literal[2] in ("?", "*", "{", "+", "|"):
        first = first[:-1] if literal[2] != "|" else ""
    first = first[:2]
    return start[: len(first)] == first


@cache
def _group_exprs(templates: tuple[LineTemplate, ...]) -> list[pl.Expr]:
    """Every group of the ranked templates, of the column with the lines of that template."""
    return [
        pl.col(template.name)
        .str.extract_groups(template.pattern)
        .struct.field(group)
        .alias(f"{template.name}.{group}")
        for template in templates
        if template.rank is not None
        for group in re.compile(template.pattern).groupindex
    ]

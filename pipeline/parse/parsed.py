"""The result of a parser: tables, rejects and line accounting.

``to_parsed`` turns a parser's frames into a ``Parsed`` and checks the line accounting: every line is exactly
one of a record line, a header (column names, blank lines and sentinels too) or a reject.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipeline import tables
from pipeline.parse import texts
from pipeline.parse.errors import AccountingError
from pipeline.parse.log import Log, is_blank
from pipeline.parse.redaction import without_secrets
from pipeline.redact import redact_line

STARTED_WITHOUT_RECORDS = ("general",)
"""Kinds whose headers alone are a whole log: a server that had nothing to log."""
NO_LINES = pl.Series(dtype=pl.Int64)


@dataclass(frozen=True)
class Parsed:
    """The result of a parser.

    ``tables`` have the schemas of ``pipeline.tables`` without study, server, run and role; the
    first is the main table of the kind. ``record_lines + headers + rejects.height == lines`` always.
    """

    kind: str
    file: str
    lines: int
    snapshots: int
    tables: dict[str, pl.DataFrame]
    record_lines: int
    headers: int
    rejects: pl.DataFrame = field(default_factory=lambda: tables.empty(tables.REJECTS))
    warnings: list[str] = field(default_factory=list)
    damage: tuple[str, ...] = ()
    """Those of ``warnings`` that say that the end of the log is lost, or that its numbers cannot be."""
    unread: tuple[int, str] | None = None
    """Line and reason if no line is a record, although the log has more than sentinels and blank lines."""

    def summary(self) -> dict:
        """Counts and warnings, as ``queuevisor parse`` prints them."""
        return {
            "kind": self.kind,
            "file": self.file,
            "lines": self.lines,
            "snapshots": self.snapshots,
            "rows": {name: frame.height for name, frame in self.tables.items()},
            "record_lines": self.record_lines,
            "headers": self.headers,
            "rejects": self.rejects.height,
            "warnings": list(self.warnings),
        }


def split_rejects(frame: pl.DataFrame, reason: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines of ``frame`` whose ``reason`` is null, and the other lines as rejects with the reason."""
    # without this pl.format, of which reasons are made, panics at an empty chunk before others (Polars 2.1)
    frame = frame.rechunk()
    reasons = frame.select("line", reason=reason)
    return frame.filter(reasons["reason"].is_null()), reasons.drop_nulls()


def select_table_columns(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """``frame`` with the columns that the table of that name has."""
    return frame.select(name for name in tables.STORED[table].columns if name in frame.columns)


def to_parsed(
    log: Log,
    kind: str,
    frames: Mapping[str, pl.DataFrame],
    *,
    records: pl.Series,
    rejects: pl.DataFrame,
    headers: pl.Series = NO_LINES,
    snapshots: int = 0,
    warnings: Iterable[str] = (),
) -> Parsed:
    """The result of a parser, with its line accounting checked.

    Parameters
    ----------
    log : Log
        The log as it was read.
    kind : str
    frames : mapping of str to polars.DataFrame
        Rows by table; converted with :func:`pipeline.tables.conform`.
    records, headers : polars.Series
        Line numbers. Sentinels and blank lines in neither are headers.
    rejects : polars.DataFrame
        ``line`` and ``reason``.
    snapshots : int
    warnings : iterable of str

    Raises
    ------
    AccountingError
        If a line is in none, or in more than one, of records, headers and rejects.
    """
    roles = np.zeros(log.lines.height + 1, dtype=np.int64)
    for role, numbers in ((1, records), (1 << 21, headers), (1 << 42, rejects["line"])):
        np.add.at(roles, numbers.cast(pl.Int64).to_numpy(), role)
    free = log.lines.filter(
        pl.col("sentinel").is_in(["T", "GAP", "END"]).fill_null(False) | is_blank(pl.col("text"))
    )["line"].to_numpy()
    free = free[roles[free] == 0]
    roles[free] = 1 << 21
    wrong = np.flatnonzero(~np.isin(roles[1:], (1, 1 << 21, 1 << 42))) + 1
    if roles[0] or wrong.size:
        line = int(wrong[0]) if wrong.size else 0
        raise AccountingError(log.file, texts.line_not_accounted(kind, int(roles[line])), line)
    with_text = rejects.select(pl.col("line").cast(pl.Int64), "reason").sort("line")
    with_text = with_text.join(log.original_lines(), on="line", how="left", maintain_order="left")
    unread = None
    if not (roles == 1).any():
        if with_text.height:
            unread = with_text.select("line", "reason").row(0)
        elif headers.len() and kind not in STARTED_WITHOUT_RECORDS:
            unread = int(headers.min()), texts.ONLY_HEADERS
    result = Parsed(
        kind=kind,
        file=log.file,
        lines=log.lines.height,
        snapshots=snapshots,
        tables={
            name: without_secrets(tables.conform(frame, tables.STORED[name]))
            for name, frame in frames.items()
        },
        record_lines=int(np.count_nonzero(roles == 1)),
        headers=int(np.count_nonzero(roles == 1 << 21)),
        rejects=without_secrets(
            tables.conform(with_text.with_columns(file=pl.lit(log.file)), tables.REJECTS)
        ),
        warnings=[*log.warnings, *map(redact_line, warnings)],
        damage=log.damage,
        unread=unread,
    )
    if result.record_lines + result.headers + result.rejects.height != result.lines:
        raise AccountingError(log.file, texts.counts_differ(kind))
    return result

"""The result of a parser: tables, rejects and line accounting.

``to_parsed`` turns a parser's frames into a ``Parsed`` and checks the line accounting: every line is exactly
one of a record line, a header (column names, blank lines and sentinels too) or a reject.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

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
_NO_REJECTS = tables.empty(tables.REJECTS)
_IS_FREE = pl.col("sentinel").is_in(["T", "GAP", "END"]).fill_null(False) | is_blank(pl.col("text"))
"""Whether a line that no parser names is a header."""


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
    if reasons["reason"].null_count() == frame.height:
        return frame, reasons.clear()
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
    more_records: int = 0,
    warnings: Iterable[str] = (),
    damage: Iterable[str] = (),
) -> Parsed:
    """The result of a parser for a log or a piece of one, with its line accounting checked.

    Parameters
    ----------
    log : Log
        The log, or the piece of it, as it was read.
    kind : str
    frames : mapping of str to polars.DataFrame
        Rows by table; converted with :func:`pipeline.tables.conform`.
    records, headers : polars.Series
        Line numbers. Sentinels and blank lines in neither are headers.
    rejects : polars.DataFrame
        ``line`` and ``reason``.
    snapshots : int
    more_records : int
        Number of record lines that ``log`` does not have.
    warnings, damage : iterable of str
        Of the parser, in addition to those of the log; ``damage`` also are warnings.

    Raises
    ------
    AccountingError
        If a line is in none, or in more than one, of records, headers and rejects.
    """
    lines = log.lines["line"].to_numpy()
    roles = np.zeros(lines.size, dtype=np.int64)
    for role, numbers in ((1, records), (1 << 21, headers), (1 << 42, rejects["line"])):
        _add_role(roles, lines, numbers.cast(pl.Int64).to_numpy(), role, log, kind)
    free = np.flatnonzero(roles == 0)
    if free.size:
        roles[free[log.lines[free].select(_IS_FREE).to_series().to_numpy()]] = 1 << 21
    is_record, is_header = roles == 1, roles == 1 << 21
    wrong = np.flatnonzero(~(is_record | is_header | (roles == 1 << 42)))
    if wrong.size:
        line, role = int(lines[wrong[0]]), int(roles[wrong[0]])
        raise AccountingError(log.file, texts.line_not_accounted(kind, role), line)
    rejected = _NO_REJECTS if rejects.is_empty() else _with_text(rejects, log)
    unread = None
    if not is_record.any() and not more_records:
        if rejected.height:
            unread = rejected.select("line", "reason").row(0)
        elif headers.len() and kind not in STARTED_WITHOUT_RECORDS:
            unread = int(headers.min()), texts.ONLY_HEADERS
    result = Parsed(
        kind=kind,
        file=log.file,
        lines=lines.size + more_records,
        snapshots=snapshots,
        tables={
            name: without_secrets(tables.conform(frame, tables.STORED[name]))
            for name, frame in frames.items()
        },
        record_lines=int(np.count_nonzero(is_record)) + more_records,
        headers=int(np.count_nonzero(is_header)),
        rejects=rejected,
        warnings=[*log.warnings, *damage, *map(redact_line, warnings)],
        damage=(*log.damage, *damage),
        unread=unread,
    )
    if result.record_lines + result.headers + result.rejects.height != result.lines:
        raise AccountingError(log.file, texts.counts_differ(kind))
    return result


def _with_text(rejects: pl.DataFrame, log: Log) -> pl.DataFrame:
    """Rejects as rows of their table, with the text of the lines."""
    rejected = rejects.select(pl.col("line").cast(pl.Int64), "reason").sort("line")
    rejected = rejected.join(log.original_lines(), on="line", how="left", maintain_order="left")
    rejected = rejected.with_columns(file=pl.lit(log.file))
    return without_secrets(tables.conform(rejected, tables.REJECTS))


def _add_role(
    roles: np.ndarray, lines: np.ndarray, numbers: np.ndarray, role: int, log: Log, kind: str
) -> None:
    """Add ``role`` to the places of the line ``numbers`` in ``lines``, which are in order."""
    places = np.searchsorted(lines, numbers)
    is_missing = places >= lines.size
    is_missing[~is_missing] = lines[places[~is_missing]] != numbers[~is_missing]
    if is_missing.any():
        line = int(numbers[is_missing][0])
        raise AccountingError(log.file, texts.line_not_accounted(kind, 0), line)
    np.add.at(roles, places, role)


def joined_summary(summaries: Iterable[dict]) -> dict:
    """The summaries of the pieces of a log as that of the log.

    Examples
    --------
    >>> piece = {"kind": "top", "lines": 2, "rows": {"top_summary": 1}, "warnings": []}
    >>> joined_summary([piece, piece])
    {'kind': 'top', 'lines': 4, 'rows': {'top_summary': 2}, 'warnings': []}
    """
    first, *others = summaries
    whole = first
    for summary in others:
        rows = {name: whole["rows"].get(name, 0) + n for name, n in summary["rows"].items()}
        counts = {name: whole[name] + n for name, n in summary.items() if isinstance(n, int)}
        whole = {**summary, **counts, "rows": {**whole["rows"], **rows}}
    return whole


def joined(pieces: Iterable[Parsed]) -> Parsed:
    """The pieces of a log as one result.

    Parameters
    ----------
    pieces : iterable of Parsed
        At least one, in order. The last one has the warnings, the damage and ``unread`` of the whole log.

    Returns
    -------
    Parsed
    """
    every = list(pieces)
    last = every[-1]
    if len(every) == 1:
        return last
    names = list(dict.fromkeys(name for piece in every for name in piece.tables))
    return replace(
        last,
        lines=sum(piece.lines for piece in every),
        snapshots=sum(piece.snapshots for piece in every),
        record_lines=sum(piece.record_lines for piece in every),
        headers=sum(piece.headers for piece in every),
        tables={
            name: pl.concat([piece.tables[name] for piece in every if name in piece.tables])
            for name in names
        },
        rejects=pl.concat([piece.rejects for piece in every]),
    )

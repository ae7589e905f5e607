"""One log of a run to rows of its tables: from its beginning, or from where it was read the last time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import parse, tables
from pipeline.errors import Error
from pipeline.ingest import texts
from pipeline.ingest.grown_logs import GrownLog, GrownLogs
from pipeline.ingest.table_files import TableFiles
from pipeline.parse.parsed import Parsed, joined_summary
from pipeline.parse.redaction import without_values
from pipeline.parse.rotated import Segments
from pipeline.parse.stated import stated_pieces
from pipeline.raw import Log, Run, keeps_sql

MAX_VIEWED_LINES = 1 << 14
"""Lines of a log whose text may stay in memory until the tables are written, as the tables have views of it."""


class ContinuedError(Error):
    """A log that was read on from the last time cannot be read: what it gives from its beginning must be known."""


class LogReading:
    """Reads one file of a log of a run.

    Parameters
    ----------
    files : TableFiles
        To which rows are added.
    run : Run
    log : Log
    path : Path
        One of its files.
    options : dict
        Of the parser.
    max_expanded_bytes : int
    earlier : GrownLogs
        How far logs were read the last time.

    Attributes
    ----------
    summaries : list of dict
        ``Parsed.summary`` of each piece whose rows were added.
    lines : int
        Number of lines so far.
    grown : GrownLog or None
        What is to be kept for the next time.
    """

    def __init__(
        self,
        files: TableFiles,
        run: Run,
        log: Log,
        path: Path,
        options: Mapping[str, Any],
        max_expanded_bytes: int,
        earlier: GrownLogs,
    ):
        self.name, self._log, self._path = run.name_of(path), log, path
        self.summaries: list[dict[str, Any]] = []
        self.lines = 0
        self.grown: GrownLog | None = None
        self.continued: str | None = None
        """A sentence, if only what is new was read."""
        self._files, self._options, self._earlier = files, options, earlier
        self._max_expanded_bytes = max_expanded_bytes
        self._info = run.log_info(path)
        self._keeps_values = keeps_sql(run)
        self._rows: dict[str, list[int]] = {}
        self._kept_options = {
            "kind": log.kind,
            "role": log.role,
            "keeps_values": self._keeps_values,
            **{name: None if value is None else str(value) for name, value in options.items()},
        }
        # rows of the other segments, and names and times in run.json, change those of a log
        self._can_grow = len(log.files) == 1 and not self._info.devices and not self._info.has_times

    def read(self, segments: Segments) -> Parsed:
        """Add the rows of all pieces; the last piece, with the warnings of the log.

        Raises
        ------
        ParseError
            If the log cannot be read; some rows may have been added.
        ContinuedError
            If that is so, but some rows are those of the last time.
        OSError
            If a table cannot be written.
        """
        before = None
        if self._can_grow:
            before = self._earlier.log(self.name, self._kept_options)
        if before is not None:
            try:
                return self._read(segments, before)
            except OSError:
                raise
            except Exception as error:  # what was kept may be of any form
                if self.summaries:
                    raise ContinuedError from error
        return self._read(segments, None)

    def _read(self, segments: Segments, before: GrownLog | None) -> Parsed:
        notes = parse.Notes(None if before is None else before.part)
        pieces = parse.pieces_with_sentinels(
            self._log.kind,
            self._path,
            name=self.name,
            max_expanded_bytes=self._max_expanded_bytes,
            notes=notes if self._can_grow else None,
            **self._options,
        )
        rows: dict[str, list[int]] = {}
        parsed = None
        for parsed in segments.numbered(self.name, stated_pieces(pieces, self._info)):
            if before is not None and not self.summaries:
                self._copy_rows(before)
            rows = {table: list(counts) for table, counts in self._rows.items()}
            self._add_rows(parsed)
        assert parsed is not None
        if notes.part is not None:
            summary = joined_summary(self.summaries[:-1]) | {"warnings": []}
            self.grown = GrownLog(self._kept_options, notes.size, summary, rows, notes.part)
        if before is not None and notes.size > before.size:
            self.continued = texts.continued(self.name, notes.size - before.size, notes.size)
        return parsed

    def _copy_rows(self, before: GrownLog) -> None:
        """Add the rows of pieces that need not be read again."""
        for table, (first, count) in before.rows.items():
            self._count(table, count)
            self._files.add_stored(table, self._earlier.tables[table], first, count)
        self.lines += before.summary["lines"]
        self.summaries.append(dict(before.summary))

    def _add_rows(self, parsed: Parsed) -> None:
        """Add the rows of a piece."""
        self.lines += parsed.lines
        for table, frame in {**parsed.tables, tables.REJECTS.name: parsed.rejects}.items():
            if frame.height:
                if not self._keeps_values:
                    frame = without_values(frame, parsed.kind)
                self._count(table, frame.height)
                is_part = self.lines > MAX_VIEWED_LINES
                self._files.add(table, frame, self._log.role, is_part=is_part)
        self.summaries.append(parsed.summary())

    def _count(self, table: str, rows: int) -> None:
        """Count rows before they are added."""
        counts = self._rows.setdefault(table, [self._files.count(table), 0])
        counts[1] += rows

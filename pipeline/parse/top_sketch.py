"""A piece of a log of top whose rows are known by their places only, and the table of these rows.

Lines that surely are rows are found in the bytes of the piece. All other lines, and the first one of each run of rows,
make a small ``Log``, on which the parser of top works as on all lines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from pipeline.parse import ascii_fields, top_tokens
from pipeline.parse.log import Log
from pipeline.parse.parsed import NO_LINES
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import is_fast
from pipeline.parse.tokens import PAD, Text
from pipeline.parse.top_columns import ColumnHeader
from pipeline.parse.top_rows import flag_spliced, read_rows

MIN_BYTES = 1 << 13
"""Of a piece; a shorter one is faster without."""
MAX_OTHER_SHARE = 0.2
"""Of the rows, that are not in the usual form."""
MAX_PID = (1 << 36) - 1
NO_REJECTS = pl.DataFrame(schema={"line": pl.Int64, "reason": pl.String})


@dataclass(frozen=True)
class Rows:
    """The rows of a piece."""

    table: pl.DataFrame
    rejects: pl.DataFrame
    more_lines: pl.Series
    """Of ``top_rows.read_rows``."""
    records: pl.Series
    """Lines of ``log`` that are rows of ``table``."""
    log: Log
    """The lines that are not in ``count``."""
    count: int = 0
    """Number of rows that are not among the lines of ``log``."""


@dataclass(frozen=True)
class Sketch:
    """The lines of a piece.

    ``rows``: numbers (from 0) of the lines of ``text`` that surely are rows. ``log`` has the other lines, and the first
    one of each run of rows.
    """

    text: Text
    first_line: int
    rows: np.ndarray
    first_bytes: np.ndarray
    """The first eight bytes of each of ``rows`` as a number."""
    is_run_start: np.ndarray
    """Whether each of ``rows`` begins a run."""
    log: Log

    @classmethod
    def of(cls, piece: Piece) -> Sketch | None:
        """The sketch of a piece; None if all its lines have to be read."""
        data = piece.data
        if data is None or len(data) < max(MIN_BYTES, 8) or not is_fast():
            return None
        if not data.isascii() or any(byte in data for byte in (b"\0", b"\r", b"\x1b")):
            return None
        text = Text(data)
        unterminated = not data.endswith(b"\n")
        packed = text.eight_bytes_at(text.line_starts)
        is_row = ascii_fields.begin_with_number(packed)
        first, second = packed & np.uint64(0xFF), packed & np.uint64(0xFF00)
        # may be column names after the number of a window
        is_row &= (first - np.uint64(ord("1")) > 3) | (second != ascii_fields.BLANK << 8)
        is_row[-1] &= not unterminated
        rows = np.flatnonzero(is_row)
        is_run_start = np.ones(rows.size, dtype=bool)
        is_run_start[1:] = rows[1:] != rows[:-1] + 1
        is_kept = ~is_row
        is_kept[rows[is_run_start]] = True
        log = piece.log_of(
            _lines(text, np.flatnonzero(is_kept), piece.first_line),
            piece.first_line + is_row.size - 1,
            has_marks=bool((first == ord("#")).any()),
            unterminated=unterminated,
        )
        return cls(text, piece.first_line, rows, packed[rows], is_run_start, log)

    def full_log(self) -> Log:
        """All lines."""
        body = self.text.data[PAD : self.text.line_ends[-1]]
        texts = pl.Series("text", [body.decode("ascii")]).str.split("\n").explode()
        numbers = pl.int_range(self.first_line, self.log.last_line + 1, eager=True)
        lines = pl.DataFrame({"line": numbers.cast(pl.Int64), "text": texts})
        lines = lines.join(
            self.log.lines.select("line", "sentinel"),
            on="line",
            how="left",
            maintain_order="left",
        ).join_asof(self.log.lines.select("line", "tick"), on="line", strategy="backward")
        return replace(self.log, lines=lines)

    def repeats_pid(self, lines: pl.DataFrame) -> bool:
        """Whether a process id stands twice in a section; ``lines`` of ``log`` have ``section``."""
        is_run = pl.col("line").is_in(self._run_lines().implode())
        lines = lines.filter(pl.col("what") == "row")
        others = lines.filter(~is_run).select(
            "section", pid=pl.col("text").str.extract(r"^\s*([0-9]+)\s")
        )
        others = others.drop_nulls().with_columns(pl.col("pid").cast(pl.Int64, strict=False))
        if others.filter(pl.col("pid").is_null() | (pl.col("pid") > MAX_PID)).height:
            return True
        run = np.cumsum(self.is_run_start) - 1
        sections = lines.filter(is_run)["section"].to_numpy()[run]
        pids = ascii_fields.first_numbers(self.first_bytes)
        if others.height:
            sections = np.concatenate((sections, others["section"].to_numpy()))
            pids = np.concatenate((pids, others["pid"].to_numpy()))
        return _has_repeated(sections, pids)

    def _run_lines(self) -> pl.Series:
        """Numbers of the first lines of runs."""
        return pl.Series("line", self.rows[self.is_run_start] + self.first_line, dtype=pl.Int64)

    def read(self, lines: pl.DataFrame, names: dict[str, ColumnHeader]) -> Rows | None:
        """The rows of the piece; None if ``full_log`` is to be read.

        Parameters
        ----------
        lines : polars.DataFrame
            Those of ``log`` with type, snapshot and section (``top_snapshots.NumberedLines``).
        names : dict of str to ColumnHeader
        """
        if any(header.window is not None for header in names.values()):
            return None
        runs = self._runs(lines)
        run = np.cumsum(self.is_run_start) - 1
        parts = []
        is_read = np.zeros(self.rows.size, dtype=bool)
        for title in runs["title"].drop_nulls().unique(maintain_order=True):
            layout = top_tokens.layout_of(title, names[title])
            if layout is None:
                continue
            at = np.flatnonzero((runs["title"] == title).fill_null(False).to_numpy()[run])
            places = self.rows[at]
            columns, is_good = top_tokens.read(
                self.text, self.text.line_starts[places], self.text.line_ends[places], layout
            )
            is_read[at] = is_good
            if not is_good.any():
                continue
            part = pl.DataFrame(
                {
                    "line": places + self.first_line,
                    "snapshot": runs["snapshot"].to_numpy()[run[at]],
                    **columns,
                }
            )
            parts.append(part if is_good.all() else part.filter(pl.Series(is_good)))
        others = self.rows.size - np.count_nonzero(is_read)
        if not parts or others > MAX_OTHER_SHARE * self.rows.size:
            return None
        table = pl.concat(parts, how="diagonal") if len(parts) > 1 else parts[0]
        table = flag_spliced(table.with_columns(flags=pl.lit(None, pl.String)))
        return self._with_others(table, lines, names, runs, run, ~is_read)

    def _runs(self, lines: pl.DataFrame) -> pl.DataFrame:
        """``snapshot``, ``section`` and ``title`` of each run; the title is null where its section has none."""
        titles = lines.filter(pl.col("what") == "names").select(
            "line", title="text", title_section="section"
        )
        runs = lines.filter(pl.col("line").is_in(self._run_lines().implode()))
        runs = runs.select("line", "snapshot", "section").join_asof(
            titles, on="line", strategy="backward"
        )
        is_under = pl.col("title_section") == pl.col("section")
        return runs.with_columns(title=pl.when(is_under).then("title"))

    def _with_others(
        self,
        table: pl.DataFrame,
        lines: pl.DataFrame,
        names: dict[str, ColumnHeader],
        runs: pl.DataFrame,
        run: np.ndarray,
        is_other: np.ndarray,
    ) -> Rows | None:
        """The rows that are read, and all others; None if a process stands twice in a snapshot."""
        is_run = pl.col("line").is_in(self._run_lines().implode())
        lines = lines.filter(~is_run)
        kept = self.log.lines.filter(~is_run)
        at = np.flatnonzero(is_other)
        if at.size:
            others = _lines(self.text, self.rows[at], self.first_line)
            others = others.hstack(runs.select("snapshot", "section")[run[at]])
            others = others.with_columns(what=pl.lit("row"), is_row=pl.lit(True))
            lines = pl.concat([lines, others], how="diagonal").sort("line")
            kept = pl.concat([kept, others.select("line", "text")], how="diagonal").sort("line")
        log = replace(self.log, lines=kept)
        rows = Rows(table, NO_REJECTS, NO_LINES, NO_LINES, log, table.height)
        if (lines["what"] == "row").any():
            careful, rejects, more_lines = read_rows(lines, names, log)
            if careful.height:
                table = pl.concat([table, careful], how="diagonal").sort("line")
            rows = replace(
                rows, table=table, rejects=rejects, more_lines=more_lines, records=careful["line"]
            )
        if _has_repeated(table["snapshot"].to_numpy(), table["pid"].to_numpy()):
            return None
        return rows


def _has_repeated(groups: np.ndarray, numbers: np.ndarray) -> bool:
    """Whether a number of up to ``MAX_PID`` stands twice in a group."""
    if not groups.size:
        return False
    keys = np.sort(((groups - groups.min()).astype(np.int64) << 36) + numbers)
    return bool((keys[1:] == keys[:-1]).any())


def _lines(text: Text, numbers: np.ndarray, first_line: int) -> pl.DataFrame:
    """``line`` and ``text`` of some lines, as copies: they may be kept longer than the piece."""
    places = zip(text.line_starts[numbers].tolist(), text.line_ends[numbers].tolist(), strict=True)
    texts = [text.data[start:end].decode("ascii") for start, end in places]
    return pl.DataFrame(
        {"line": numbers + first_line, "text": pl.Series(texts, dtype=pl.String)},
        schema_overrides={"line": pl.Int64},
    )

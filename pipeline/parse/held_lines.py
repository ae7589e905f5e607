"""Lines at the end of a piece that can only be read together with those of the next one.

A statement of several lines or a report may end in a later piece: its lines are held back and read as if they were
the first ones of the next piece.

Example:
    >>> from pipeline.parse.log import LogReader
    >>> reader, held = LogReader("x.log"), HeldLines()
    >>> log = held.hold(held.joined(reader.read("a\\nb\\n")), 2)
    >>> log.lines["line"].to_list(), held.joined(reader.read("c\\n")).lines["line"].to_list()
    ([1], [2, 3])
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.parse.log import Log


class HeldLines:
    """The lines that are held back, at first none."""

    def __init__(self) -> None:
        self._lines: pl.DataFrame | None = None

    def joined(self, log: Log) -> Log:
        """``log``, the next piece, with the held lines in front; they are held no more."""
        held, self._lines = self._lines, None
        if held is None:
            return log
        lines = pl.concat([held, _with_ends(log)])
        ends = None if (lines["end"] == "\n").all() else lines["end"]
        return replace(log, lines=lines.drop("end"), line_ends=ends)

    def text_with(self, data: bytes, first_line: int) -> tuple[bytes, int] | None:
        """``data``, the text of the next piece, with the held lines in front, and the number of its first line; None
        if an end of a line is not LF. The lines are still held.
        """
        held = self._lines
        if held is None:
            return data, first_line
        if not (held["end"] == "\n").all():
            return None
        return "".join(f"{text}\n" for text in held["text"]).encode() + data, int(held["line"][0])

    def hold_instead(self, lines: pl.DataFrame | None) -> None:
        """Hold these (``line`` and ``text``), whose ends are LF, instead of those that are held."""
        self._lines = None
        if lines is not None and lines.height:
            nothing = {"sentinel": pl.String, "tick": pl.Int64}
            self._lines = lines.with_columns(
                *(pl.lit(None, dtype).alias(name) for name, dtype in nothing.items()),
                end=pl.lit("\n"),
            )

    def hold(self, log: Log, first: int | None) -> Log:
        """``log`` without its lines from number ``first`` on, which are held; None: without any line."""
        count = 0 if first is None else log.lines["line"].search_sorted(first)
        if count == log.lines.height:
            return log
        self._lines = _with_ends(log).slice(count)
        ends = None if log.line_ends is None else log.line_ends.head(count)
        return replace(log, lines=log.lines.head(count), line_ends=ends, unterminated=False)


def _with_ends(log: Log) -> pl.DataFrame:
    ends = pl.lit("\n") if log.line_ends is None else log.line_ends
    return log.lines.with_columns(end=ends)

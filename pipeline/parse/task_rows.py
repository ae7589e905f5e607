"""Lines of processes and threads of a tasks.log, read by NumPy where they are in the collectors' form.

A line is read here if its fields are separated by one blank, its numbers are within their limits, and nothing in it is
escaped. A snapshot is read here if all its lines ``p``, ``i`` and ``t`` are such, and none is repeated; the lines of
other snapshots are read by their patterns.

Example:
    >>> FORMS["i"].names[:3]
    ('pid', 'starttime_ticks', 'read_chars_bytes')
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.parse.task_records import CPU_TIMES, LINE_FORMATS, TEXT_FIELDS
from pipeline.parse.tokens import BACKSLASH, DASH, PlainPiece, repeated


@dataclass(frozen=True)
class Form:
    """Fields of a type of line that is read by NumPy; the last one is the rest of the line if ``has_text``."""

    names: tuple[str, ...]
    keys: tuple[str, ...]
    """Fields that are never ``-``; with the snapshot they identify a line."""
    has_text: bool


FORMS = {
    "p": Form(LINE_FORMATS["p"][0], ("pid", "starttime_ticks"), has_text=True),
    "i": Form(LINE_FORMATS["i"][0], ("pid", "starttime_ticks"), has_text=False),
    "t": Form(LINE_FORMATS["t"][0], ("pid", "tid", "starttime_ticks"), has_text=True),
}
_CHARACTERS = pl.Series([chr(code) for code in range(128)])
_IS_LETTER = np.array([chr(code).isalpha() for code in range(128)])


def is_candidate(plain: PlainPiece) -> np.ndarray:
    """Which lines are of the types that are read by NumPy."""
    return np.logical_or.reduce([plain.text.begins_with(f"{kind} ".encode()) for kind in FORMS])


def read_rows(
    plain: PlainPiece, ticks: pl.DataFrame, max_cpu_ticks: int
) -> tuple[dict[str, pl.DataFrame], np.ndarray]:
    """Rows by type of line, and which lines are to be read by their patterns.

    Parameters
    ----------
    plain : PlainPiece
    ticks : polars.DataFrame
        ``line`` and ``tick`` of the sentinels of the piece (``Log.ticks``).
    max_cpu_ticks : int
        The most that one process can have used.
    """
    tick_lines = ticks["line"].to_numpy() - plain.first_line
    bad_snapshots = np.zeros(tick_lines.size + 1, np.bool_)
    bad_snapshots[0] = True  # above the first sentinel
    rows = {kind: _Rows(plain, kind, form, tick_lines) for kind, form in FORMS.items()}
    for of_kind in rows.values():
        of_kind.note_bad(bad_snapshots, max_cpu_ticks)
    is_other = np.zeros(plain.text.line_ends.size, np.bool_)
    frames = {}
    for kind, of_kind in rows.items():
        is_other[of_kind.lines[bad_snapshots[of_kind.snapshots]]] = True
        frames[kind] = of_kind.frame(~bad_snapshots, ticks["tick"])
    return frames, is_other


def thread_lines(plain: PlainPiece, but_pids: Iterable[int], ticks: pl.DataFrame) -> np.ndarray:
    """Lines of threads, but for those of some processes."""
    is_wanted = plain.text.begins_with(b"t ") & plain.is_terminated
    is_wanted[: ticks["line"][0] - plain.first_line if ticks.height else None] = False
    lines = np.flatnonzero(is_wanted)
    pids = plain.text.first_words(plain.text.line_starts[lines] + 2)
    is_first = np.append(True, pids[1:] != pids[:-1]) if pids.size else np.empty(0, np.bool_)
    others = [int.from_bytes(str(pid).encode()[:8], "little") for pid in but_pids]
    is_other = ~np.isin(pids[is_first], np.array(others, np.uint64))
    return lines[is_other[np.cumsum(is_first) - 1]]


class _Rows:
    """The lines of one type."""

    def __init__(self, plain: PlainPiece, kind: str, form: Form, tick_lines: np.ndarray):
        self._plain, self._form = plain, form
        text, separators = plain.text, plain.separators
        self.lines = np.flatnonzero(text.begins_with(f"{kind} ".encode()))
        self.snapshots = np.searchsorted(tick_lines, self.lines, "right")
        """Place of each line's snapshot, 0 above the first sentinel."""
        self._line_ends = text.line_ends[self.lines]
        counts = separators.counts[self.lines]
        width = len(form.names) + 1
        has_width = counts >= width if form.has_text else counts == width
        self._is_good = has_width & plain.is_terminated[self.lines]
        numbers = separators.firsts[self.lines] + np.arange(width + 1)[:, None]
        if not has_width.all():
            numbers = np.minimum(numbers, separators.places.size - 1)
        places = separators.places[numbers]
        self._starts, self._ends = places[:-1] + 1, places[1:]

    def note_bad(self, bad_snapshots: np.ndarray, max_cpu_ticks: int) -> None:
        """Mark the snapshots with a line that is not in the form, and those with a repeated line."""
        text, form, is_good = self._plain.text, self._form, self._is_good
        starts, ends = self._starts, self._ends
        if not self.lines.size:
            self._values = np.empty((0, 0), np.int64)
            self._is_null = None
            return
        lengths = ends - starts
        is_good &= (lengths > 0).all(axis=0)
        if not form.has_text:
            is_good &= ends[-1] == self._line_ends
        if b"\\" in self._plain.piece.data:  # type: ignore[operator]
            is_good &= ~np.isin(self.lines, text.lines_with(BACKSLASH))
        if "state" in form.names:
            at = form.names.index("state") + 1
            states = text.characters[starts[at]]
            is_good &= (lengths[at] == 1) & (_IS_LETTER[states & 127] | (states == DASH))
        numbers = [at for at, name in enumerate(form.names, 1) if name not in TEXT_FIELDS]
        values, are_numbers = text.numbers(starts[numbers].ravel(), ends[numbers].ravel())
        self._values = values.reshape(len(numbers), -1)
        are_numbers = are_numbers.reshape(len(numbers), -1)
        self._is_null = None
        if not are_numbers.all():
            is_dash = (lengths[numbers] == 1) & (text.characters[starts[numbers]] == DASH)
            is_dash[[numbers.index(form.names.index(key) + 1) for key in form.keys]] = False
            is_good &= (are_numbers | is_dash).all(axis=0)
            self._values[is_dash] = 0
            self._is_null = is_dash
        for row, at in enumerate(numbers):
            if form.names[at - 1] in CPU_TIMES:
                is_good &= self._values[row] <= max_cpu_ticks
        bad_snapshots[self.snapshots[~is_good]] = True
        keys = [self._values[numbers.index(form.names.index(key) + 1)] for key in form.keys]
        bad_snapshots[self.snapshots[repeated(self.snapshots, keys)]] = True

    def frame(self, good_snapshots: np.ndarray, tick_numbers: pl.Series) -> pl.DataFrame:
        """The rows of good snapshots."""
        is_kept = good_snapshots[self.snapshots]
        kept = slice(None) if is_kept.all() else is_kept
        if not self.lines.size:
            kept = slice(None)
        lines = self.lines[kept].astype(np.int64) + self._plain.first_line
        columns = {
            "line": pl.Series(lines),
            "tick": tick_numbers.gather(self.snapshots[kept] - 1),
        }
        at_number = 0
        for at, name in enumerate(self._form.names, 1):
            if name == "state":
                codes = self._plain.text.characters[self._starts[at][kept]].astype(np.uint32)
                column = _CHARACTERS.gather(codes)
                if (codes == DASH).any():
                    column = column.replace("-", None)
            elif name in TEXT_FIELDS:
                column = self._plain.text.texts(self._starts[at][kept], self._line_ends[kept])
            elif not self.lines.size:
                column = pl.Series(dtype=pl.Int64)
            else:
                column = pl.Series(np.ascontiguousarray(self._values[at_number][kept]))
                if self._is_null is not None and self._is_null[at_number][kept].any():
                    column = column.set(pl.Series(self._is_null[at_number][kept]), None)
                at_number += 1
            columns[name] = column
        return pl.DataFrame(columns)

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
from pipeline.parse.tokens import BACKSLASH, DASH, PlainPiece, Separators, repeated


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
_IS_STATE = np.array([chr(code).isalpha() or code == DASH for code in range(128)])
LINES_AT_ONCE = 1 << 14
"""Lines whose fields are read at once: they stay in the processor's cache."""


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
    text = plain.text
    tick_lines = ticks["line"].to_numpy() - plain.first_line
    bad_snapshots = np.zeros(tick_lines.size + 1, np.bool_)
    bad_snapshots[0] = True  # above the first sentinel
    rows = {kind: _Rows(plain, kind, form, tick_lines) for kind, form in FORMS.items()}
    for first in range(0, text.line_ends.size, LINES_AT_ONCE):
        stop = min(first + LINES_AT_ONCE, text.line_ends.size)
        separators = text.separators(first, stop)
        for of_kind in rows.values():
            of_kind.read(separators, first, stop, max_cpu_ticks)
    for of_kind in rows.values():
        of_kind.note_bad(bad_snapshots)
    is_other = np.zeros(text.line_ends.size, np.bool_)
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
        text = plain.text
        self.lines = np.flatnonzero(text.begins_with(f"{kind} ".encode()))
        bounds = np.concatenate(([0], np.searchsorted(self.lines, tick_lines), [self.lines.size]))
        self.snapshots = np.repeat(np.arange(bounds.size - 1), np.diff(bounds))
        """Place of each line's snapshot, 0 above the first sentinel."""
        self._is_good = plain.is_terminated[self.lines]
        numbers = [name for name in form.names if name not in TEXT_FIELDS]
        self._values = {name: np.empty(self.lines.size, np.int64) for name in numbers}
        self._is_null: dict[str, np.ndarray] = {}
        self._states = np.empty(self.lines.size, np.uint8)
        self._text_starts = np.empty(self.lines.size, np.int64)

    def read(self, separators: Separators, first: int, stop: int, max_cpu_ticks: int) -> None:
        """Read those of the lines ``first`` to ``stop``, of which ``separators`` are."""
        text, names = self._plain.text, self._form.names
        part = slice(*np.searchsorted(self.lines, (first, stop)))
        lines = self.lines[part] - first
        if not lines.size:
            return
        is_good = self._is_good[part]
        counts, firsts = separators.counts[lines], separators.firsts[lines]
        width = len(names) + 1
        has_width = counts >= width if self._form.has_text else counts == width
        if not has_width.all():
            is_good &= has_width
            firsts = np.minimum(firsts, separators.places.size - 1 - width)
        begins = separators.places[firsts + 1]
        for at, name in enumerate(names, 2):
            ends = separators.places[firsts + at]
            lengths = ends - begins
            lengths -= 1
            if lengths.min() <= 0:
                is_good &= lengths > 0
                lengths = np.maximum(lengths, 1)
            if name == "state":
                states = self._states[part] = text.characters[ends - 1]
                is_good &= (lengths == 1) & _IS_STATE[states]
            elif name in TEXT_FIELDS:
                self._text_starts[part] = begins + 1
            else:
                values, are_numbers = text.column(ends, lengths)
                if are_numbers is not None:
                    is_null = ~are_numbers
                    if name not in self._form.keys:
                        is_null &= (lengths == 1) & (text.characters[ends - 1] == DASH)
                        self._null_mask(name)[part] = is_null
                        values[is_null] = 0
                        is_good &= are_numbers | is_null
                    else:
                        is_good &= are_numbers
                if name in CPU_TIMES and values.max() > max_cpu_ticks:
                    is_good &= values <= max_cpu_ticks
                self._values[name][part] = values
            begins = ends

    def _null_mask(self, name: str) -> np.ndarray:
        """Which values of a field are null."""
        return self._is_null.setdefault(name, np.zeros(self.lines.size, np.bool_))

    def note_bad(self, bad_snapshots: np.ndarray) -> None:
        """Mark the snapshots with a line that is not in the form, and those with a repeated line."""
        if b"\\" in self._plain.piece.data:  # type: ignore[operator]
            self._is_good &= ~np.isin(self.lines, self._plain.text.lines_with(BACKSLASH))
        if not self._is_good.all():
            bad_snapshots[self.snapshots[~self._is_good]] = True
        keys = [self._values[key] for key in self._form.keys]
        bad_snapshots[self.snapshots[repeated(self.snapshots, keys)]] = True

    def frame(self, good_snapshots: np.ndarray, tick_numbers: pl.Series) -> pl.DataFrame:
        """The rows of good snapshots."""
        is_kept = good_snapshots[self.snapshots]
        kept = slice(None) if is_kept.all() else is_kept
        columns = {
            "line": pl.Series(self.lines[kept].astype(np.int64) + self._plain.first_line),
            "tick": tick_numbers.gather(self.snapshots[kept] - 1),
        }
        for name in self._form.names:
            if name == "state":
                codes = self._states[kept]
                column = _CHARACTERS.gather(codes.astype(np.uint32))
                if (codes == DASH).any():
                    column = column.replace("-", None)
            elif name in TEXT_FIELDS:
                ends = self._plain.text.line_ends[self.lines[kept]]
                column = self._plain.text.texts(self._text_starts[kept], ends)
            else:
                column = pl.Series(self._values[name][kept])
                if name in self._is_null and self._is_null[name][kept].any():
                    column = column.set(pl.Series(self._is_null[name][kept]), None)
            columns[name] = column
        return pl.DataFrame(columns)

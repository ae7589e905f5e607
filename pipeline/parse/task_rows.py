"""Lines of CPUs, processes and threads of a tasks.log, read by NumPy where they are in the collectors' form.

A line is read here if its fields are separated by one blank, its numbers are within their limits, and nothing in it is
escaped. A snapshot is read here if all its lines ``cpu``, ``p``, ``i`` and ``t`` are such, and none is repeated; the
lines of other snapshots are read by their patterns.

Example:
    >>> FORMS["i"].names[:3]
    ('pid', 'starttime_ticks', 'read_chars_bytes')
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.parse.task_records import ALL_STATES, CPU_TIMES, LINE_FORMATS, TEXT_FIELDS
from pipeline.parse.tokens import (
    BACKSLASH,
    BLANK,
    DASH,
    PlainPiece,
    Separators,
    Text,
    repeated,
)


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
CPU_FIELDS = LINE_FORMATS["cpu"][0]
MIN_CPU_FIELDS = 5
"""A name and the first four states."""
KINDS = ("cpu", *FORMS)
"""Types of lines that are read by NumPy."""
_CHARACTERS = pl.Series([chr(code) for code in range(128)])
_IS_STATE = np.array([chr(code).isalpha() or code == DASH for code in range(128)])
LINES_AT_ONCE = 1 << 14
"""Lines whose fields are read at once: they stay in the processor's cache."""


def lines_of(plain: PlainPiece, kind: str) -> np.ndarray:
    """Which lines are of a type; of type ``cpu``, also those that only begin like one."""
    text = plain.text
    if kind in FORMS:
        return text.begins_with(f"{kind} ".encode())
    is_like = text.begins_with(b"cp")
    is_like[is_like] = text.has_at(text.line_starts[is_like], b"cpu")
    return is_like


def read_rows(
    plain: PlainPiece, kinds: Sequence[str], ticks: pl.DataFrame, max_cpu_ticks: int
) -> tuple[dict[str, pl.DataFrame], np.ndarray]:
    """Rows by type of line, and which lines are to be read by their patterns.

    Parameters
    ----------
    plain : PlainPiece
    kinds : sequence of str
        The types to read, of ``KINDS``.
    ticks : polars.DataFrame
        ``line`` and ``tick`` of the sentinels of the piece (``Log.ticks``).
    max_cpu_ticks : int
        The most that one process can have used.
    """
    text = plain.text
    tick_lines = ticks["line"].to_numpy() - plain.first_line
    bad_snapshots = np.zeros(tick_lines.size + 1, np.bool_)
    bad_snapshots[0] = True  # above the first sentinel
    rows = {
        kind: _Rows(plain, kind, FORMS[kind], tick_lines, max_cpu_ticks)
        if kind in FORMS
        else _CpuRows(plain, tick_lines)
        for kind in kinds
    }
    for first in range(0, text.line_ends.size, LINES_AT_ONCE):
        stop = min(first + LINES_AT_ONCE, text.line_ends.size)
        separators = text.separators(first, stop)
        for of_kind in rows.values():
            part = slice(*np.searchsorted(of_kind.lines, (first, stop)))
            if part.start < part.stop:
                of_kind.read(separators, of_kind.lines[part] - first, part)
    for of_kind in rows.values():
        of_kind.note_bad(bad_snapshots)
    is_other = np.zeros(text.line_ends.size, np.bool_)
    frames = {}
    for kind, of_kind in rows.items():
        is_other[of_kind.lines[bad_snapshots[of_kind.snapshots]]] = True
        frames[kind] = of_kind.frame(~bad_snapshots, ticks["tick"])
    return frames, is_other


def thread_lines(plain: PlainPiece, but_pids: Iterable[int], first: int = 0) -> np.ndarray:
    """Lines of threads from line ``first`` on, but for those of some processes."""
    is_wanted = plain.text.begins_with(b"t ") & plain.is_terminated
    is_wanted[:first] = False
    lines = np.flatnonzero(is_wanted)
    pids = plain.text.first_words(plain.text.line_starts[lines] + 2)
    is_first = np.append(True, pids[1:] != pids[:-1]) if pids.size else np.empty(0, np.bool_)
    others = [int.from_bytes(str(pid).encode()[:8], "little") for pid in but_pids]
    is_other = ~np.isin(pids[is_first], np.array(others, np.uint64))
    return lines[:0] if not is_other.any() else lines[is_other[np.cumsum(is_first) - 1]]


def max_total_ticks(plain: PlainPiece) -> int | None:
    """The largest sum of all states by the ``cpu`` lines, 0 without any; None if it has to be found by patterns.

    Of a piece that begins with a sentinel.
    """
    text = plain.text
    lines = np.flatnonzero(lines_of(plain, "cpu"))
    lines = lines[text.has_at(text.line_starts[lines], b"cpu ")]
    if not lines.size:
        return 0
    snapshots = np.searchsorted(np.flatnonzero(text.begins_with(b"#T")), lines)
    if not (snapshots[1:] > snapshots[:-1]).all():
        return None
    bounds = zip(text.line_starts[lines].tolist(), text.line_ends[lines].tolist(), strict=True)
    cpus = Text(b"\n".join(text.data[start:end] for start, end in bounds))
    fields = cpus.fields()
    width = int(fields.counts[0])
    if not MIN_CPU_FIELDS <= width <= len(CPU_FIELDS) or (fields.counts != width).any():
        return None
    values, are_numbers = cpus.numbers(fields.starts, fields.ends)
    if not are_numbers.reshape(-1, width)[:, 1:].all():
        return None
    return int(values.reshape(-1, width)[:, 1 : 1 + len(ALL_STATES)].sum(axis=1).max())


class _Lines:
    """The lines of one type, and which of them are in the form that is read."""

    def __init__(self, plain: PlainPiece, kind: str, tick_lines: np.ndarray):
        self._plain = plain
        self.lines = np.flatnonzero(lines_of(plain, kind))
        bounds = np.concatenate(([0], np.searchsorted(self.lines, tick_lines), [self.lines.size]))
        self.snapshots = np.repeat(np.arange(bounds.size - 1), np.diff(bounds))
        """Place of each line's snapshot, 0 above the first sentinel."""
        self._is_good = plain.is_terminated[self.lines]

    def _note_bad(self, bad_snapshots: np.ndarray, keys: list[np.ndarray]) -> None:
        """Mark the snapshots with a line that is not in the form, and those with a repeated line."""
        if not self._is_good.all():
            bad_snapshots[self.snapshots[~self._is_good]] = True
        bad_snapshots[self.snapshots[repeated(self.snapshots, keys)]] = True

    def _kept(self, good_snapshots: np.ndarray) -> np.ndarray | slice:
        """Places of the lines of good snapshots."""
        is_kept = good_snapshots[self.snapshots]
        return slice(None) if is_kept.all() else is_kept

    def _numbers(self, kept: np.ndarray | slice, ticks: pl.Series) -> dict[str, pl.Series]:
        """Numbers of the lines and of their sentinels."""
        return {
            "line": pl.Series(self.lines[kept].astype(np.int64) + self._plain.first_line),
            "tick": ticks.gather(self.snapshots[kept] - 1),
        }


class _CpuRows(_Lines):
    """The lines of CPUs: as many numbers as the first one has, two blanks in front of those of all CPUs."""

    def __init__(self, plain: PlainPiece, tick_lines: np.ndarray):
        super().__init__(plain, "cpu", tick_lines)
        self._width = 0
        self._numbers_of_cpus = np.empty(self.lines.size, np.int64)
        self._name_ends = np.empty(self.lines.size, np.int64)
        self._values: list[np.ndarray] = []

    def read(self, separators: Separators, lines: np.ndarray, part: slice) -> None:
        """Read the lines ``part``, which are ``lines`` of those of ``separators``."""
        text, is_good, places = self._plain.text, self._is_good[part], separators.places
        counts, firsts = separators.counts[lines], separators.firsts[lines]
        begins, name_ends = places[firsts], places[firsts + 1]
        self._name_ends[part] = name_ends
        has_two = text.characters[name_ends + 1] == BLANK
        counts = counts - has_two
        firsts = firsts + has_two
        if not self._values:
            self._width = min(max(int(counts[0]), MIN_CPU_FIELDS), len(CPU_FIELDS))
            self._values = [
                np.empty(self.lines.size, np.int64) for _ in CPU_FIELDS[1 : self._width]
            ]
        is_good &= counts == self._width
        lengths = name_ends - begins - 1 - len("cpu")
        is_good &= lengths >= 0
        values, are_numbers = text.column(name_ends, np.maximum(lengths, 1))
        if are_numbers is not None:
            values[lengths == 0] = -1
            is_good &= are_numbers | (lengths == 0)
        self._numbers_of_cpus[part] = values
        firsts = np.minimum(firsts, places.size - 1 - self._width)
        begins = places[firsts + 1]
        for at, column in enumerate(self._values, 2):
            ends = places[firsts + at]
            lengths = ends - begins - 1
            is_good &= lengths > 0
            column[part], are_numbers = text.column(ends, np.maximum(lengths, 1))
            if are_numbers is not None:
                is_good &= are_numbers
            begins = ends

    def note_bad(self, bad_snapshots: np.ndarray) -> None:
        """Mark the snapshots with a line that is not in the form, and those with a repeated line."""
        self._note_bad(bad_snapshots, [self._numbers_of_cpus])

    def frame(self, good_snapshots: np.ndarray, ticks: pl.Series) -> pl.DataFrame:
        """The rows of good snapshots."""
        kept = self._kept(good_snapshots)
        text = self._plain.text
        columns = self._numbers(kept, ticks)
        columns["cpu"] = text.texts(text.line_starts[self.lines[kept]], self._name_ends[kept])
        none = pl.Series(dtype=pl.Int64).extend_constant(None, columns["line"].len())
        for at, name in enumerate(CPU_FIELDS[1:]):
            columns[name] = pl.Series(self._values[at][kept]) if at < len(self._values) else none
        return pl.DataFrame(columns)


class _Rows(_Lines):
    """The lines of one of ``FORMS``."""

    def __init__(
        self,
        plain: PlainPiece,
        kind: str,
        form: Form,
        tick_lines: np.ndarray,
        max_cpu_ticks: int,
    ):
        super().__init__(plain, kind, tick_lines)
        self._form, self._max_cpu_ticks = form, max_cpu_ticks
        numbers = [name for name in form.names if name not in TEXT_FIELDS]
        self._values = {name: np.empty(self.lines.size, np.int64) for name in numbers}
        self._is_null: dict[str, np.ndarray] = {}
        self._states = np.empty(self.lines.size, np.uint8)
        self._text_starts = np.empty(self.lines.size, np.int64)

    def read(self, separators: Separators, lines: np.ndarray, part: slice) -> None:
        """Read the lines ``part``, which are ``lines`` of those of ``separators``."""
        text, names = self._plain.text, self._form.names
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
                if name in CPU_TIMES and values.max() > self._max_cpu_ticks:
                    is_good &= values <= self._max_cpu_ticks
                self._values[name][part] = values
            begins = ends

    def _null_mask(self, name: str) -> np.ndarray:
        """Which values of a field are null."""
        return self._is_null.setdefault(name, np.zeros(self.lines.size, np.bool_))

    def note_bad(self, bad_snapshots: np.ndarray) -> None:
        """Mark the snapshots with a line that is not in the form, and those with a repeated line."""
        if b"\\" in self._plain.piece.data:  # type: ignore[operator]
            self._is_good &= ~np.isin(self.lines, self._plain.text.lines_with(BACKSLASH))
        self._note_bad(bad_snapshots, [self._values[key] for key in self._form.keys])

    def frame(self, good_snapshots: np.ndarray, ticks: pl.Series) -> pl.DataFrame:
        """The rows of good snapshots."""
        kept = self._kept(good_snapshots)
        columns = self._numbers(kept, ticks)
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

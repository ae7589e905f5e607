"""Column names of top and the patterns of their fields, in all languages.

Columns are found by their names, not by their position; the last one takes the rest of the line.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.top_languages import COLUMN_NAMES, canonical_names

INTEGER = r"-?[0-9]+"
NUMBER = r"[0-9]{1,10}"
SIZE = r"[0-9][0-9.,]*[kmgtpeKMGTPE]?|\?"
PERCENT = r"[0-9][0-9.,]*%?|\?"
STATE = r"[A-Za-z](?:W?[<N]?|\s[<N])"
TOKEN = r"[^ \t]+"
TIME = r"[0-9][0-9:.,wdh+]*|\?"

COLUMNS = {
    "PID": ("pid", NUMBER),
    "PPID": ("ppid", NUMBER),
    "TGID": ("tgid", NUMBER),
    "USER": ("user", TOKEN),
    "PR": ("priority", r"-?[0-9]+|[rR][tT]"),
    "NI": ("nice", INTEGER),
    "VIRT": ("virtual_bytes", SIZE),
    "VSZ": ("virtual_bytes", SIZE),
    "RES": ("resident_bytes", SIZE),
    "RSS": ("resident_bytes", SIZE),
    "SHR": ("shared_bytes", SIZE),
    "S": ("state", r"[A-Za-z?]"),
    "STATUS": ("state", STATE),
    "STAT": ("state", STATE),
    "%CPU": ("cpu_percent", PERCENT),
    "%MEM": ("memory_percent", PERCENT),
    "%VSZ": ("memory_percent", PERCENT),
    "TIME+": ("cpu_time", TIME),
    "TIME": ("cpu_time", TIME),
    "COMMAND": ("command", ".*"),
}
"""Columns that are read: column of the table and pattern."""

PREFERRED = {"TIME": "TIME+", "RSS": "RES"}
"""Columns that are not read if another one has the same quantity."""

OPAQUE_INTEGERS = {
    "UID", "RUID", "SUID", "GID", "PGRP", "TPGID", "SID", "nTH", "P", "CPU", "OOMa", "OOMs", "NU",
}  # fmt: skip
"""Columns that are not read and have whole numbers: they delimit a command that is not the last column."""

WINDOWS = ("1", "2", "3", "4")
"""Number before the column names where top shows all its windows (``A``)."""

TEXT_COLUMNS = {"COMMAND", "ENVIRON", "CGROUPS", "SUPGIDS", "SUPGRPS", "CGNAME", "EXE", "WCHAN"}
"""Columns whose text may have blanks."""


def has_names(text: pl.Expr) -> pl.Expr:
    """Whether a line has at least three known column names."""
    names = text.str.extract_all(r"\S+")
    count = names.list.eval(pl.element().is_in(sorted(COLUMN_NAMES))).list.sum()
    return count >= 3


@dataclass(frozen=True)
class ColumnHeader:
    """A line of column names; ``unknown`` are columns without a known name.

    ``window`` is the number before the names where top shows all its windows.
    """

    columns: tuple[str, ...]
    problem: str | None = None
    unknown: tuple[str, ...] = ()
    window: int | None = None

    def regex(self, *, lenient: bool = False) -> str:
        """Pattern of a row under these names; its groups are the columns that are read.

        ``lenient`` accepts user names with blanks.
        """
        parts: list[str] = []
        taken = self._taken()
        last = len(self.columns) - 1
        for at, name in enumerate(self.columns):
            group = f"?P<{COLUMNS[name][0]}>" if at in taken else "?:"
            parts.append(f"({group}{self._pattern(name, at == last, lenient)})")
        # plain blanks and a single way to match, so that one pass over a row finds all fields
        head = r"[ \t]+".join(parts[:-1])
        if self.columns[-1] in TEXT_COLUMNS:
            return rf"^[ \t]*{head}(?:[ \t]+{parts[-1]}?)?$"
        return rf"^[ \t]*{head}[ \t]+{parts[-1]}[ \t]*$"

    def _pattern(self, name: str, is_last: bool, lenient: bool) -> str:
        if name in TEXT_COLUMNS:
            return r"[^ \t].*" if is_last else ".*?"
        if lenient and name in ("USER", "RUSER", "SUSER", "GROUP"):
            return r"[^ \t]+(?: [^ \t]+)*?"
        if name in COLUMNS:
            return COLUMNS[name][1]
        return INTEGER if name in OPAQUE_INTEGERS else TOKEN

    def _taken(self) -> set[int]:
        """Positions of the columns that are read."""
        places: dict[str, int] = {}
        for at, name in enumerate(self.columns):
            if name in COLUMNS and PREFERRED.get(name) not in self.columns:
                places.setdefault(COLUMNS[name][0], at)
        return set(places.values())


def parse_header(text: str) -> ColumnHeader:
    """The columns of a line of column names, or its problem."""
    # BusyBox marks the column it sorts by with ^
    names = text.replace("^", " ").split()
    window = int(names.pop(0)) if names[0] in WINDOWS else None
    columns, unknown = canonical_names(names)
    if "PID" not in columns:
        return ColumnHeader(columns, texts.NAMES_WITHOUT_PID)
    has_marks = any(not any(map(str.isalnum, name)) for name in unknown)
    if unknown and ("COMMAND" not in names or has_marks or not "".join(unknown).isascii()):
        return ColumnHeader(columns, texts.unknown_language(unknown))
    repeated = {name for name in columns if columns.count(name) > 1 and name not in unknown}
    if repeated:
        return ColumnHeader(columns, texts.duplicate_names(sorted(repeated)))
    if sum(name in COLUMNS for name in columns) < 2:
        return ColumnHeader(columns, texts.NAMES_OF_NO_TABLE)
    return ColumnHeader(columns, unknown=unknown, window=window)


class Headers:
    """The lines of column names of a log, piece by piece."""

    def __init__(self) -> None:
        self.names: dict[str, ColumnHeader] = {}
        self._has_rows = False
        self._unknown: tuple[int, str] | None = None
        """First line of names in an unknown language, and its problem."""
        self._unknown_words: tuple[int, str] | None = None
        """First line of unknown words above a row."""
        self._last: pl.DataFrame | None = None

    def add(self, lines: pl.DataFrame) -> None:
        """Read the next lines (``top_lines.classify``)."""
        name_lines = lines.filter(pl.col("what") == "names").select("line", "text")
        for text in name_lines["text"].unique().to_list():
            if text not in self.names:
                self.names[text] = parse_header(text)
        if self._has_valid():
            return
        self._has_rows = self._has_rows or (lines["what"] == "row").any()
        for line, text in name_lines.rows():
            if "language" in (self.names[text].problem or "") and self._unknown is None:
                self._unknown = line, self.names[text].problem or ""
        lines = lines.select("line", "text", "what")
        lines = lines if self._last is None else pl.concat([self._last, lines])
        self._last = lines.tail(1)
        self._unknown_words = self._unknown_words or _words_above_row(lines)

    def _has_valid(self) -> bool:
        return any(header.problem is None for header in self.names.values())

    def check(self, file: str) -> None:
        """Raise ``UnknownFormatError`` if there are rows but no valid line of names."""
        if self._has_valid() or not self._has_rows:
            return
        if self._unknown is not None:
            raise UnknownFormatError(file, self._unknown[1], self._unknown[0])
        if self._unknown_words is not None:
            line, text = self._unknown_words
            raise UnknownFormatError(file, texts.unknown_language(text.split()), line)


def _words_above_row(lines: pl.DataFrame) -> tuple[int, str] | None:
    """The first line of unknown words above a row: column names in another alphabet."""
    before_row = lines.filter(
        pl.col("what").is_null()
        & (pl.col("what").shift(-1) == "row")
        & (pl.col("text").str.extract_all(r"\S+").list.len() >= 5)
        & ~pl.col("text").str.contains(r"[0-9]")
    )
    return before_row.select("line", "text").row(0) if before_row.height else None

"""A log as numbered lines, with its sentinels and snapshots.

``read_log`` turns a file into a ``Log``: a frame of numbered lines. The file may be compressed (gzip,
Zstandard), have a byte order mark, CRLF or CR line ends, NUL bytes, bytes that are not UTF-8 or an
unterminated last line, or be empty. Sentinel lines of the collectors are recognized::

    #T <epoch_ns> <monotonic_ns> <seq> <boot_id>     before each snapshot
    #GAP <reason>                                    part of the recording is missing
    #END <reason>                                    the last line of a complete log

Problems of single lines become rejects and warnings. A file that cannot be used as a whole raises
``ParseError`` (or a subclass) with the file and, if known, the line; parsers raise nothing else.

Example:
    >>> log = log_from_text("Tasks:   3 total\\n#END stopped\\n", "top.log")
    >>> log.lines.select("line", "text", "sentinel").rows()
    [(1, 'Tasks:   3 total', None), (2, '#END stopped', 'END')]
    >>> log.ended
    'stopped'
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from pipeline import files, tables
from pipeline.parse import limits, texts
from pipeline.parse.decompress import decode, decompress
from pipeline.parse.errors import UnreadableError
from pipeline.parse.expressions import first_of, to_int64

TICK = r"^#T (?P<epoch_ns>[0-9]+) (?P<monotonic_ns>[0-9]+) (?P<seq>[0-9]+) (?P<boot_id>\S+)\s*$"

_GAP = r"(?:missed [0-9]+ ticks?|the disk was full)"
GAP_WITHOUT_RESTART = rf"^#GAP {_GAP}(?:; {_GAP})*$"
"""Gaps during which the tool was not restarted: the snapshot after one is an interval."""

SENTINEL_COLUMNS = ("time", "monotonic_ns", "seq", "boot_id")
TICKS_SCHEMA = pl.Schema(
    {
        "tick": pl.Int64,
        "line": pl.Int64,
        "time": tables.UTC_NS,
        "monotonic_ns": pl.Int64,
        "seq": pl.Int64,
        "boot_id": pl.String,
        "is_start": pl.Boolean,
    }
)


@dataclass(frozen=True)
class Log:
    """A log as numbered lines.

    ``lines`` has the columns

    - ``line``: number, from 1;
    - ``text``: the line without its line end;
    - ``sentinel``: ``T``, ``GAP`` or ``END`` for a sentinel, ``bad`` for a malformed
      ``#T`` line, null for all other lines;
    - ``tick``: number of ``#T`` lines up to this line, minus 1; null before the first one.

    ``ticks`` has one row per ``#T`` (its time is null if it is malformed), with ``is_start`` true
    where the tick does not continue the one before: at the start of the log, after a ``#GAP`` in which the
    tool may have been restarted, and where ``seq`` or the boot changes.
    """

    file: str
    lines: pl.DataFrame
    ticks: pl.DataFrame
    unterminated: bool = False
    ended: str | None = None
    warnings: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    """Those of ``warnings`` about a missing end of the log."""
    line_ends: pl.Series | None = None
    """The end of each line in the file, and an empty text for an unterminated one; None if every end is LF."""
    prefixes: pl.DataFrame | None = None
    """``line`` and ``prefix`` (null where a line had none) if a prefix was removed (``prefixes``)."""
    escaped: pl.DataFrame | None = None
    """``line`` and ``text`` of the lines from which escape codes were removed, as they are in the file; None if there
    are none, or if a terminal or a tool for one wrote them."""

    @property
    def has_sentinels(self) -> bool:
        """Whether the log has ``#T`` lines, which give the times."""
        return self.ticks.height > 0

    @property
    def is_unterminated_line(self) -> pl.Expr:
        """Whether a line is unterminated (the last one of the log) and may lack characters."""
        return pl.lit(self.unterminated) & (pl.col("line") == self.lines.height)

    def body(self) -> pl.DataFrame:
        """The lines without sentinels and blank lines; malformed sentinels are included."""
        return self.lines.filter(
            (pl.col("sentinel").is_null() | (pl.col("sentinel") == "bad"))
            & ~is_blank(pl.col("text"))
        )

    def original_lines(self) -> pl.DataFrame:
        """``line`` and ``text`` as they are in the file, with their prefixes."""
        lines = self.lines.select("line", "text")
        if self.prefixes is None:
            return lines
        whole = pl.concat_str("prefix", "text", ignore_nulls=True)
        joined = lines.join(self.prefixes, on="line", how="left", maintain_order="left")
        return joined.select("line", text=whole)

    def with_timestamps(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` (with ``tick``) with ``SENTINEL_COLUMNS``; null without sentinels."""
        stamps = self.ticks.select("tick", *SENTINEL_COLUMNS)
        return frame.join(stamps, on="tick", how="left", maintain_order="left")


def is_blank(text: pl.Expr) -> pl.Expr:
    """Whether a line is empty or white space."""
    return text.str.strip_chars() == ""


# ------------------------------------------------------------------------------------------- bytes


def read_log(
    path: str | Path,
    *,
    name: str | None = None,
    max_expanded_bytes: int = limits.MAX_EXPANDED_BYTES,
) -> Log:
    """Read a log.

    Parameters
    ----------
    path : path
        The file. Compression is recognized by its first bytes, not by its name.
    name : str, optional
        Its name in messages and rejects (default: the path).
    max_expanded_bytes : int
        Longest text, after decompression.

    Raises
    ------
    UnreadableError
        If the file cannot be read, is no regular file, has another compression, or is too large: its text, one of its
        lines, or its tables for the available memory.
    """
    name = str(path) if name is None else name
    budget = limits.Budget(max_expanded_bytes)
    try:
        with files.open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            budget.check_length(size, name)
            raw = file.read() if size else file.read(budget.text_bytes + 1)  # a pipe has no size
    except OSError as error:
        raise UnreadableError(name, error.strerror or str(error)) from error
    except ValueError as error:  # a NUL in the path
        raise UnreadableError(name, str(error)) from error
    data, warnings = decompress(raw, name, budget.text_bytes)
    budget.check_text(data, name)
    log = log_from_text(data, name, warnings=warnings)
    lost = tuple(text for text in warnings if not text.endswith(texts.AS_PLAIN_TEXT))
    return replace(log, damage=(*lost, *log.damage))


# ------------------------------------------------------------------------------------------- lines


def log_from_text(data: bytes | str, name: str, *, warnings: Iterable[str] = ()) -> Log:
    """The log with the content ``data``. Line ends are LF, CRLF, CR CR LF (of terminals) and CR."""
    messages = list(warnings)
    if isinstance(data, bytes):
        data, more = decode(data, name)
        messages += more
    escaped = None
    if "\x1b" in data:
        escaped, data = data, _without_escapes(data, name)
        escaped = _escaped_lines(escaped, data)
    line_ends = None
    if "\r" in data:
        line_ends = LINE_END.findall(data)
        data = re.sub(r"\r+\n", "\n", data).replace("\r", "\n")
    unterminated = bool(data) and not data.endswith("\n")
    body = data if unterminated else data[:-1]
    line_texts = (
        pl.Series("text", [body] if data else [], dtype=pl.String).str.split("\n").explode()
    )
    if not data or data.isspace():
        messages.append(f"{name}: {texts.BLANK if data else texts.EMPTY}")
    if "\0" in data:
        first = data.count("\n", 0, data.index("\0")) + 1
        messages.append(f"{name}:{first}: {texts.NUL_IN_LOG}")
    lines = pl.DataFrame(
        {
            "line": pl.int_range(1, line_texts.len() + 1, dtype=pl.Int64, eager=True),
            "text": line_texts,
        }
    )
    has_marks = data.startswith("#") or "\n#" in data
    log = _with_sentinels(lines, name, has_marks, unterminated, messages)
    log = replace(log, escaped=escaped)
    if line_ends is None:
        return log
    ends = pl.Series("end", line_ends + [""] * unterminated, dtype=pl.String)
    return replace(log, line_ends=ends)


ESCAPE = re.compile(
    r"\x1b(?:"
    r"\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"  # CSI: colours, modes, cursor
    r"|\][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # OSC: titles, links
    r"|[PX^_][^\x1b\n]*\x1b\\"  # DCS, SOS, PM, APC
    r"|[ -/]+[0-~]"  # character sets
    r"|[0-Z\\^-~]"  # keypad, saved cursor, reset
    r")[\x0e\x0f]?"
)
"""Control sequences of terminals (ECMA-48), and shifts to other character sets."""

CURSOR_FINALS = "ABCDEFGHIZ`adefPX@LMST"
"""Last letters of CSI sequences that put, move or remove text on the screen."""


def _without_escapes(data: str, name: str) -> str:
    """``data`` without the sequences that carry no text; an error for those that place text within a line."""
    for match in ESCAPE.finditer(data):
        if (match["final"] or " ") not in CURSOR_FINALS:
            continue
        start = max(data.rfind("\n", 0, match.start()), data.rfind("\r", 0, match.start())) + 1
        end = data.find("\n", match.end())
        before = ESCAPE.sub("", data[start : match.start()]).strip()
        after = ESCAPE.sub("", data[match.end() : end if end >= 0 else None]).strip()
        if before and after:
            line = data.count("\n", 0, match.start()) + 1
            raise UnreadableError(name, texts.CURSOR_MOVEMENTS, line)
    return ESCAPE.sub("", data)


LINE_END = re.compile(r"\r+\n|\r|\n")
GREP_COLOR = re.compile(r"\x1b\[[0-9;]*m\x1b\[K")
MIN_COLORED_SHARE = 1 / 3
"""A log of which this share of the lines begins or ends with an escape code went through a terminal."""


def _escaped_lines(data: str, bare: str) -> pl.DataFrame | None:
    """``Log.escaped`` of a log (``data``), of which ``bare`` is left."""
    if GREP_COLOR.search(data):
        return None
    lines, bare_lines = LINE_END.split(data), LINE_END.split(bare)
    if len(lines) != len(bare_lines):
        return None
    numbered = [(number, text) for number, text in enumerate(lines, 1) if "\x1b" in text]
    colored = 0
    for _, text in numbered:
        spans = [match.span() for match in ESCAPE.finditer(text)]
        colored += bool(spans) and (spans[0][0] == 0 or spans[-1][1] == len(text))
    if colored >= MIN_COLORED_SHARE * sum(not text.isspace() for text in bare_lines if text):
        return None
    return pl.DataFrame(numbered, schema={"line": pl.Int64, "text": pl.String}, orient="row")


def with_stripped_lines(log: Log, lines: pl.DataFrame, prefixes: pl.DataFrame) -> Log:
    """``log`` with other texts of its lines, in which sentinels are looked for, and the removed prefixes."""
    has_marks = lines["text"].str.starts_with("#").any()
    before = _with_sentinels(log.lines.select("line", "text"), log.file, True, log.unterminated, [])
    warnings = [text for text in log.warnings if text not in before.warnings]
    stripped = _with_sentinels(lines, log.file, has_marks, log.unterminated, warnings)
    of_file = [text for text in log.damage if text not in before.damage]
    damage = (*of_file, *stripped.damage)
    return replace(
        stripped,
        damage=damage,
        line_ends=log.line_ends,
        prefixes=prefixes,
        escaped=log.escaped,
    )


def _with_sentinels(
    lines: pl.DataFrame, name: str, has_marks: bool, unterminated: bool, messages: list[str]
) -> Log:
    """The log of numbered lines, with its sentinels and the warnings about them."""
    marks = _parse_sentinels(lines if has_marks else lines.clear(), unterminated)
    ticks, more = _parse_ticks(marks, name)
    messages += more
    ends = marks.filter(pl.col("sentinel") == "END")
    ended = ends["text"][-1][4:].strip() if ends.height else None
    damage = ()
    if ticks.height and ended is None:
        damage = (f"{name}: {texts.NO_END}",)
        messages += damage
    for line, text in marks.filter(pl.col("sentinel") == "GAP").select("line", "text").rows():
        messages.append(f"{name}:{line}: {texts.gap(text[4:].strip())}")
    lines = lines.join(
        marks.select("line", "sentinel"), on="line", how="left", maintain_order="left"
    ).join_asof(ticks.select("line", "tick"), on="line", strategy="backward")
    return Log(name, lines, ticks, unterminated, ended, tuple(messages), damage)


def _parse_sentinels(lines: pl.DataFrame, unterminated: bool) -> pl.DataFrame:
    """Sentinel lines: line, text, sentinel, epoch_ns, monotonic_ns, seq, boot_id."""
    text = pl.col("text")
    numbers = pl.col("epoch_ns", "monotonic_ns", "seq")
    is_cut = pl.lit(unterminated) & (pl.col("line") == lines.height)
    is_whole = pl.all_horizontal(numbers.is_not_null()) & ~is_cut
    return (
        lines.filter(text.str.contains(r"^#(T|GAP|END)(\s|$)"))
        .with_columns(text.str.extract_groups(TICK).struct.unnest())
        .with_columns(to_int64(numbers))
        .with_columns(
            sentinel=first_of(
                (text.str.contains(r"^#T") & is_whole, "T"),
                (text.str.contains(r"^#T"), "bad"),
                otherwise=text.str.extract(r"^#(GAP|END)"),
            )
        )
    )


def _parse_ticks(marks: pl.DataFrame, name: str) -> tuple[pl.DataFrame, list[str]]:
    """One row per ``#T``, and warnings about their order. Two equal ``#T`` lines in a row are one."""
    if not (marks["sentinel"] == "T").any():
        return pl.DataFrame(schema=TICKS_SCHEMA), []
    warnings = [
        f"{name}:{line}: {texts.TICK_WITHOUT_TIME}"
        for line in marks.filter(pl.col("sentinel") == "bad")["line"]
    ]
    is_tick = pl.col("sentinel").is_in(["T", "bad"])
    is_repeated = (pl.col("text") == pl.col("text").shift()) & (
        pl.col("line") == pl.col("line").shift() + 1
    )
    is_gap = (pl.col("sentinel") == "GAP") & ~pl.col("text").str.contains(GAP_WITHOUT_RESTART)
    after_gap = is_gap.cum_sum()
    ticks = (
        marks.with_columns(after_gap=after_gap, is_repeated=is_repeated.fill_null(False))
        .filter(is_tick & ~pl.col("is_repeated"))
        .with_columns(
            good=pl.col("sentinel") == "T",
            known_seq=pl.col("seq").forward_fill(),
            known_boot=pl.col("boot_id").forward_fill(),
        )
        .with_columns(
            seq_again=pl.col("seq") <= pl.col("known_seq").shift(),
            boot_again=pl.col("boot_id") != pl.col("known_boot").shift(),
            gap=pl.col("after_gap") != pl.col("after_gap").shift(),
        )
        .select(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("tick"),
            "line",
            pl.when("good").then(pl.col("epoch_ns")).cast(tables.UTC_NS).alias("time"),
            pl.when("good").then(pl.col("monotonic_ns", "seq", "boot_id")),
            (
                pl.any_horizontal("seq_again", "boot_again", "gap").fill_null(False)
                | (pl.int_range(pl.len()) == 0)
            ).alias("is_start"),
            "seq_again",
        )
    )
    for line, seq in ticks.filter("seq_again").select("line", "seq").rows():
        warnings.append(f"{name}:{line}: {texts.repeated_tick(seq)}")
    for line in ticks.filter(pl.col("time") < pl.col("time").shift())["line"]:
        warnings.append(f"{name}:{line}: {texts.CLOCK_BACK}")
    return ticks.drop("seq_again"), warnings


# --------------------------------------------------------------------------------------- snapshots


def with_snapshot(
    log: Log, lines: pl.DataFrame, recognized: pl.DataFrame, own_starts: pl.Series
) -> tuple[pl.DataFrame, int]:
    """``lines`` with ``snapshot``, and the number of snapshots.

    ``own_starts`` are the lines with which the tool starts a snapshot. A ``#T`` starts one, and the first
    start of the tool after it is the same snapshot; each further one is another. ``recognized`` lines before the
    first start are a snapshot without its head.
    """
    starts = pl.concat(
        [
            log.ticks.select("line", is_tick=pl.lit(True)),
            pl.DataFrame({"line": own_starts.cast(pl.Int64)}).with_columns(is_tick=pl.lit(False)),
        ]
    ).sort("line")
    follows_tick = pl.col("is_tick").shift().fill_null(False)
    starts = starts.filter(pl.col("is_tick") | ~follows_tick)
    first = starts["line"].min()
    headless = recognized.height > 0 and (first is None or recognized["line"][0] < first)
    starts = starts.with_columns(snapshot=pl.int_range(pl.len(), dtype=pl.Int64) + int(headless))
    recognized = recognized.select("line").join_asof(
        starts.select("line", "snapshot"), on="line", strategy="backward"
    )
    lines = lines.join_asof(recognized, on="line", strategy="backward")
    return lines.with_columns(pl.col("snapshot").fill_null(0)), starts.height + int(headless)


def snapshot_by_repetition(key: pl.Expr | str) -> pl.Expr:
    """Snapshot of each row in a log without separators: a repeated ``key`` starts a snapshot."""
    return pl.int_range(pl.len(), dtype=pl.Int64).over(key, order_by="line").cum_max()

"""A log as lines, and what a parser hands back: the floor that every parser stands on.

``read_log`` turns a file into a ``Log``: a frame of numbered lines, whatever the file went through
(gzip, Zstandard, a byte order mark, CRLF or lone CR line ends, NUL bytes, bytes that are not
UTF-8, a last line without its end, nothing at all), with the recording's own sentinel lines told
apart::

    #T <epoch_ns> <monotonic_ns> <seq> <boot_id>     before each snapshot
    #GAP <reason>                                    something was lost here
    #END <reason>                                    the last line of a log that ended in good order

``to_parsed`` turns a parser's frames into a ``Parsed`` and checks the books: every line is a record
line, a header (column names, blank lines and sentinels too) or a reject, and exactly one of them.

What is wrong with single lines becomes rejects and warnings. A file that cannot be used as a whole
raises ``ParseError`` (one of its children), which names the file and, where there is one, the
line; parsers raise nothing else.

Example:
    >>> log = log_from_text("Tasks:   3 total\\n#END stopped\\n", "top.log")
    >>> log.lines.select("line", "text", "sentinel").rows()
    [(1, 'Tasks:   3 total', None), (2, '#END stopped', 'END')]
    >>> log.ended
    'stopped'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from pipeline import tables
from pipeline.parse import texts
from pipeline.parse.decompress import decode, decompress
from pipeline.parse.errors import AccountingError, UnreadableError
from pipeline.parse.expressions import first_of, to_int64

NO_LINES = pl.Series(dtype=pl.Int64)

TICK = r"^#T (?P<epoch_ns>[0-9]+) (?P<monotonic_ns>[0-9]+) (?P<seq>[0-9]+) (?P<boot_id>\S+)\s*$"

_GAP = r"(?:missed [0-9]+ ticks?|the disk was full)"
GAP_WITHOUT_RESTART = rf"^#GAP {_GAP}(?:; {_GAP})*$"
"""Gaps of the collectors' in which the tool itself went on: the snapshot after one is an interval."""

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
    - ``text``: the line without its end;
    - ``sentinel``: ``T``, ``GAP`` or ``END`` for a sentinel, ``bad`` for what begins like ``#T``
      and is not one, null for all other lines;
    - ``tick``: how many ``#T`` stand above (or are) this line, minus 1; null above the first one.

    ``ticks`` has one row a ``#T`` (a broken one too: its time is null), with ``is_start`` true
    where no tick precedes in good order: at the head of the log, after a ``#GAP`` in which the tool
    may have been started anew, and where ``seq`` or the boot starts anew.
    """

    file: str
    lines: pl.DataFrame
    ticks: pl.DataFrame
    unterminated: bool = False
    ended: str | None = None
    warnings: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    """Those of ``warnings`` that say that the end of the log is lost."""

    @property
    def has_sentinels(self) -> bool:
        """Whether the recording's own ``#T`` lines give the time."""
        return self.ticks.height > 0

    @property
    def is_unterminated_line(self) -> pl.Expr:
        """Whether a line is the last one of a log that ends within it: it may lack characters."""
        return pl.lit(self.unterminated) & (pl.col("line") == self.lines.height)

    def body(self) -> pl.DataFrame:
        """The lines that a parser has to judge: no sentinels, no blank lines (broken sentinels
        stay).
        """
        return self.lines.filter(
            (pl.col("sentinel").is_null() | (pl.col("sentinel") == "bad"))
            & ~is_blank(pl.col("text"))
        )

    def with_timestamps(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` (which has ``tick``) with the sentinels' ``SENTINEL_COLUMNS``; null without
        sentinels.
        """
        stamps = self.ticks.select("tick", *SENTINEL_COLUMNS)
        return frame.join(stamps, on="tick", how="left", maintain_order="left")


@dataclass(frozen=True)
class Parsed:
    """What a parser hands back.

    ``tables`` are in the forms of ``pipeline.tables`` without study, server, run and role; the
    first is the kind's main table. ``record_lines + headers + rejects.height == lines`` always.
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
    """Those of ``warnings`` that say that the end of the log is lost."""

    def summary(self) -> dict:
        """What ``queuevisor parse`` prints (design.md, section 6)."""
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


def is_blank(text: pl.Expr) -> pl.Expr:
    """Whether a line holds nothing but white space."""
    return text.str.strip_chars() == ""


# ------------------------------------------------------------------------------------------- bytes


def read_log(path: str | Path, *, name: str | None = None) -> Log:
    """The log at ``path``; ``name`` is what messages and rejects call it (default: the path).

    Whether a file is compressed is told by its first bytes, not by its name.
    """
    name = str(path) if name is None else name
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise UnreadableError(name, error.strerror or str(error)) from error
    except ValueError as error:  # a NUL in the path
        raise UnreadableError(name, str(error)) from error
    data, warnings = decompress(raw, name)
    log = log_from_text(data, name, warnings=warnings)
    lost = tuple(text for text in warnings if not text.endswith(texts.AS_PLAIN_TEXT))
    return replace(log, damage=(*lost, *log.damage))


# ------------------------------------------------------------------------------------------- lines


def log_from_text(data: bytes | str, name: str, *, warnings: Iterable[str] = ()) -> Log:
    """The log in ``data``. LF, CRLF, CR CR LF (a terminal's) and lone CR all end a line."""
    messages = list(warnings)
    if isinstance(data, bytes):
        data, more = decode(data, name)
        messages += more
    if "\r" in data:
        data = re.sub(r"\r+\n", "\n", data).replace("\r", "\n")
    unterminated = bool(data) and not data.endswith("\n")
    body = data if unterminated else data[:-1]
    line_texts = (
        pl.Series("text", [body] if data else [], dtype=pl.String).str.split("\n").explode()
    )
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
    """The sentinel lines with their fields: line, text, sentinel, epoch_ns, monotonic_ns, seq,
    boot_id.
    """
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
    """One row a ``#T``, and warnings about their order. A ``#T`` doubled on the spot is one."""
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


# ---------------------------------------------------------------------------------------- prefixes

_CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_FRACTION = r"(?:[.,][0-9]+)?"
_ZONE = r"(?:Z| ?[+-][0-9]{2}:?[0-9]{2})?"
_DAY = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}{_FRACTION}{_ZONE}"
_MONTH = rf"(?:<[0-9]{{1,3}}>)?[A-Z][a-z]{{2}} [ 0-9][0-9] {_CLOCK}{_FRACTION}"
_SENDER = r"\S+ [^\s:\[]+(?:\[[0-9]+\])?:"
PREFIXES = tuple(
    rf"^{prefix} "
    for prefix in (
        rf"{_DAY} {_SENDER}",
        rf"{_MONTH} {_SENDER}",
        rf"{_DAY} std(?:out|err) [FP]",
        _DAY,
        _MONTH,
        rf"\[{_DAY}\]",
        rf"\[{_MONTH}\]",
        r"[0-9]{10}[.][0-9]{1,9}",
    )
)
"""What loggers write before each line: syslog and journal (with sender), containers, ``ts``, brackets."""


def strip_prefixes(log: Log) -> Log:
    """``log`` without what a logger wrote before each line, if it did so before most of them.

    The text of rejects stays as it is in the file: ``to_parsed`` is to be given the log as it was.
    """
    sample = [
        text for text in log.lines["text"].head(200).to_list() if text.strip() and text[0] != "#"
    ]
    for prefix in PREFIXES:
        if 2 * sum(re.match(prefix, text) is not None for text in sample) > len(sample):
            text = pl.col("text").str.replace(prefix, "")
            return replace(log, lines=log.lines.with_columns(text=text))
    return log


# --------------------------------------------------------------------------------------- snapshots


def with_snapshot(
    log: Log, lines: pl.DataFrame, known: pl.DataFrame, own_starts: pl.Series
) -> tuple[pl.DataFrame, int]:
    """``lines`` with their ``snapshot``, and how many there are, counted among the ``known`` lines.

    ``own_starts`` are the lines with which the tool itself begins a snapshot. A ``#T`` begins one,
    and the first of the tool's own beginnings after it is the same one; every further one counts by
    itself. Rows above the first beginning of all are a snapshot that lost its head.
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
    headless = known.height > 0 and (first is None or known["line"][0] < first)
    starts = starts.with_columns(snapshot=pl.int_range(pl.len(), dtype=pl.Int64) + int(headless))
    known = known.select("line").join_asof(
        starts.select("line", "snapshot"), on="line", strategy="backward"
    )
    lines = lines.join_asof(known, on="line", strategy="backward")
    return lines.with_columns(pl.col("snapshot").fill_null(0)), starts.height + int(headless)


def snapshot_by_repetition(key: pl.Expr | str) -> pl.Expr:
    """The snapshot of each row where only the rows tell: a new one begins when a ``key`` comes again."""
    return pl.int_range(pl.len(), dtype=pl.Int64).over(key, order_by="line").cum_max()


def split_rejects(frame: pl.DataFrame, reason: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines of ``frame`` that nothing speaks against, and the others as rejects with the reason."""
    # without this pl.format, of which reasons are made, panics at an empty chunk before others (Polars 2.1)
    frame = frame.rechunk()
    reasons = frame.select("line", reason=reason)
    return frame.filter(reasons["reason"].is_null()), reasons.drop_nulls()


def select_table_columns(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """``frame`` without its working columns: only those that the table of that name has."""
    return frame.select(name for name in tables.STORED[table].columns if name in frame.columns)


# -------------------------------------------------------------------------------------- accounting


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
    """The parser's result, its books checked.

    ``records`` and ``headers`` are line numbers; ``rejects`` has ``line`` and ``reason``.
    Sentinels and blank lines that none of them claims are headers. ``frames`` are brought into the
    forms of ``pipeline.tables`` (a column that a frame lacks becomes null, one too many is an
    error).
    """
    roles = np.zeros(log.lines.height + 1, dtype=np.int64)
    for role, numbers in ((1, records), (1 << 21, headers), (1 << 42, rejects["line"])):
        np.add.at(roles, numbers.cast(pl.Int64).to_numpy(), role)
    free = (
        strip_prefixes(log)
        .lines.filter(
            pl.col("sentinel").is_in(["T", "GAP", "END"]).fill_null(False)
            | is_blank(pl.col("text"))
        )["line"]
        .to_numpy()
    )
    free = free[roles[free] == 0]
    roles[free] = 1 << 21
    wrong = np.flatnonzero(~np.isin(roles[1:], (1, 1 << 21, 1 << 42))) + 1
    if roles[0] or wrong.size:
        line = int(wrong[0]) if wrong.size else 0
        raise AccountingError(log.file, texts.line_not_accounted(kind, int(roles[line])), line)
    with_text = rejects.select(pl.col("line").cast(pl.Int64), "reason").sort("line")
    with_text = with_text.join(
        log.lines.select("line", "text"), on="line", how="left", maintain_order="left"
    )
    result = Parsed(
        kind=kind,
        file=log.file,
        lines=log.lines.height,
        snapshots=snapshots,
        tables={name: tables.conform(frame, tables.STORED[name]) for name, frame in frames.items()},
        record_lines=int(np.count_nonzero(roles == 1)),
        headers=int(np.count_nonzero(roles == 1 << 21)),
        rejects=tables.conform(with_text.with_columns(file=pl.lit(log.file)), tables.REJECTS),
        warnings=[*log.warnings, *warnings],
        damage=log.damage,
    )
    if result.record_lines + result.headers + result.rejects.height != result.lines:
        raise AccountingError(log.file, texts.counts_differ(kind))
    return result

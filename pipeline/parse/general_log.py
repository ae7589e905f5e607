r"""general.log: the general query log of MySQL 5.0 to 8 and of MariaDB, one row per command.

Three forms of a head, the first line of a command; ``→`` is a tab::

    2026-11-22T09:23:50.053934Z→    2 Query→SELECT 1         MySQL 5.7 and later: UTC or with an offset
    261122  9:23:50→     2 Query→SELECT 1                    MySQL up to 5.6, MariaDB: server's time zone
    →→     2 Query→SELECT 1                                  the same, in the second of the head above

Older servers write blanks for tabs. Further lines up to the next head belong to the statement, if the command
takes one (``TEXT_COMMANDS``) and up to a line that is certainly none of it: a line of the server's error log, of a
crash's report or of the slow query log, or a damaged head. The three lines of a server's start
(``…, Version: … started with:``, ``Tcp port: …``, ``Time  Id Command Argument``) are headers; no time is inherited
across them or across a damaged head.

A CR in a statement is kept, and so are escape codes, unless the log was colored for a terminal.
Where every line ends with CRLF, that is the file's line end and not the statement's.

Table ``requests`` (columns and units: docs/reference/tables.md), ``log`` = ``general``
    ``time`` UTC, resolution 1 s in the older forms; ``connection`` the Id; ``command`` Query, Execute, Connect …;
    ``target`` the statement with its line breaks, null where there is none.

``flags``
    unknown-command   a command that is not in COMMANDS
    no-time           no time in it or in a head before it, or an invalid time; ``time`` is null
    zone-assumed      a time without a zone and no ``tz`` given: UTC assumed
    clock-ambiguous   the hour that occurs twice at the end of daylight saving time
    clock-missing     the hour that does not exist at its start; ``time`` is null
    clock-set-back    the time is a minute or more before that of the head above
    head-inside       the statement contains the first line of another command, or that of a server's start: its own
                      end is lost
    unterminated      the last line is unterminated: the statement may be truncated

Caveats
    - The server writes the head before the command runs: ``COMMIT`` is logged before it is done.
    - Under load heads are out of order by about a second, because threads write concurrently.
    - A statement with a line that looks like a head is read as two commands.
    - Lines before the first head (the end of a statement in a truncated log) are rejects, as are lines below a
      command without a statement (Quit, Connect, Ping …) and below a damaged head.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> text = "261122  9:23:50\t    2 Query\tBEGIN\n\t\t    2 Query\tSELECT c\nFROM t\n"
    >>> parse(log_from_text(text, "general.log"), tz="UTC").tables["requests"].select("line", "target").rows()
    [(1, 'BEGIN'), (2, 'SELECT c\nFROM t')]
"""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl

from pipeline.parse import texts, timestamps
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, join_flags
from pipeline.parse.general_heads import HEAD, HEAD_INSIDE, NOTHING, STAMP_START, TEXT, mark_lines
from pipeline.parse.general_times import GeneralTimes, with_stamps
from pipeline.parse.general_tokens import Commands
from pipeline.parse.held_lines import HeldLines
from pipeline.parse.log import Log, is_blank
from pipeline.parse.parsed import NO_LINES, Parsed, to_parsed
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import read_whole
from pipeline.parse.sources import lines_of_others

INDENT_LINES = 100
"""Lines in the first of which blanks in front of all lines are looked for."""


def parse(log: Log, *, tz: str | None = None, **_options: object) -> Parsed:
    """Parse a general query log. ``tz`` is the time zone of times without an offset."""
    return read_whole(Reader(log.file, tz=tz), log)


class Reader:
    """Reads a general log piece by piece (:mod:`reader`): the last command of each, which may go on, with the next one.

    From the first CR on the log is one piece: what a CR is depends on all ends of lines (``_with_gaps``).
    """

    START = re.compile(
        rb"^(?:[0-9]{4}-[0-9][0-9]-[0-9][0-9][T ][0-9:.]+(?:Z|[-+][0-9:]+)?|[0-9]{6} [ 0-9][0-9:]{7})?[\t ]*\t"
        rb"[\t ]*[0-9]+ [A-Z][A-Za-z ]+\t",
        re.MULTILINE,
    )
    NEEDS_SURVEY = True

    def __init__(self, file: str, *, tz: str | None = None, **_options: object):
        self.file = file
        self._held = HeldLines()
        self._times = GeneralTimes(file, tz)
        self._head_lines = 0
        self._indent: str | None = None
        """Blanks in front of every line so far; None: not decided, empty: there are none."""
        self._is_timed = False
        self._heads = 0
        self._ends_above = 0
        """Number of lines above a command in the pieces that were read, none of which has a CR."""
        self._refusal: dict[str, bool] = {"slow": False, "error": False}
        self._first_reject: int | None = None

    def survey(self, piece: Piece) -> None:
        """Whether the same blanks stand in front of every line."""
        if (piece.is_first and piece.is_last) or self._indent == "":
            return
        if self._indent is None and piece.data is not None and _has_no_indent(piece.data[:4096]):
            self._indent = ""
            return
        self._see_indent(piece.log)

    def _see_indent(self, log: Log) -> None:
        """Take account of the blanks in front of some lines: they are removed if a head with a time follows them."""
        if self._indent is None:
            above = log.lines["text"].head(INDENT_LINES - self._head_lines)
            first = next((text for text in above if text.strip()), None)
            self._head_lines += above.len()
            if first is None:
                if self._head_lines >= INDENT_LINES:
                    self._indent = ""
                return
            self._indent = first[: len(first) - len(first.lstrip(" \t"))]
        if self._indent:
            text = pl.col("text")
            is_everywhere, is_timed = log.lines.select(
                a=(is_blank(text) | text.str.starts_with(self._indent)).all(),
                b=text.str.strip_prefix(self._indent).str.contains(rf"^{STAMP_START}\s").any(),
            ).row(0)
            self._is_timed = self._is_timed or is_timed
            if not is_everywhere:
                self._indent = ""

    def read(self, piece: Piece) -> Parsed:
        """The commands that end in a piece."""
        commands = self._usual_commands(piece)
        if commands is not None:
            return self._read_commands(commands, piece)
        is_whole = piece.is_first and piece.is_last
        log = _with_escapes(piece.log)
        if is_whole:
            self._see_indent(log)
        if self._indent and self._is_timed:
            text = pl.col("text").str.strip_prefix(self._indent)
            log = replace(log, lines=log.lines.with_columns(text))
        log = self._held.joined(log)
        if log.line_ends is not None and not piece.is_last:
            log = self._held.hold(log, None)
        lines = _classify(log, self._ends_above, is_whole=is_whole)
        if not piece.is_last:
            begins = lines.filter(pl.col("begins").is_not_null())["line"]
            first = self._times.held_line(_heads(lines), begins[-1] if begins.len() else None)
            log = self._held.hold(log, first)
            lines = lines.head(0 if first is None else lines["line"].search_sorted(first))
        heads = self._times.with_times(_heads(lines), lines["era"][-1] if lines.height else 0)
        is_of_command = pl.any_horizontal("is_head", "is_more")
        rows = _rows(log, heads, lines.filter("is_more"))
        records = lines.filter(is_of_command)["line"]
        return self._parsed(piece, log, lines.filter(~is_of_command), rows, records=records)

    def _usual_commands(self, piece: Piece) -> Commands | None:
        """The commands of the piece by NumPy; None if it has to be read by patterns."""
        is_whole = piece.is_first and piece.is_last
        if piece.data is None or (is_whole and not _has_no_indent(piece.data)):
            return None
        held = self._held.text_with(piece.data, piece.first_line)
        return None if held is None or (self._indent and self._is_timed) else Commands.of(*held)

    def _read_commands(self, commands: Commands, piece: Piece) -> Parsed:
        last_line, is_unterminated = commands.last_line, not commands.is_terminated
        held = None
        if not piece.is_last:
            first = self._times.held_line(commands.heads, commands.openers["line"][-1])
            assert first is not None
            held = commands.cut(first)
        self._held.hold_instead(held)
        others = commands.other_lines()
        log = piece.log_of(
            others.select("line", "text"), last_line, has_marks=False, unterminated=is_unterminated
        )
        heads = self._times.with_times(commands.heads, commands.last_era)
        statements = commands.statements()
        rows = _request_rows(
            log,
            heads.with_columns(last=commands.last_lines),
            statements,
            commands.have_heads_inside(statements),
        )
        more = commands.stop - others.height
        return self._parsed(piece, log, others, rows, records=NO_LINES, more_records=more)

    def _parsed(
        self,
        piece: Piece,
        log: Log,
        others: pl.DataFrame,
        rows: pl.DataFrame,
        *,
        records: pl.Series,
        more_records: int = 0,
    ) -> Parsed:
        """The result for ``rows`` of ``requests`` and the lines that are of no command."""
        is_header = pl.any_horizontal("is_banner", "is_sentinel")
        rejects = others.filter(~is_header & ~is_blank(pl.col("text"))).select(
            "line",
            reason=first_of(
                (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
                (pl.col("is_of_other"), texts.OTHER_PREFIX),
                (pl.col("is_error_log"), texts.ERROR_LOG_LINE),
                (pl.col("is_slow_log"), texts.SLOW_LOG_LINE),
                (pl.col("is_damaged"), texts.DAMAGED_HEAD),
                (pl.col("opener") == NOTHING, texts.BEFORE_FIRST_COMMAND),
                otherwise=texts.NOT_STATEMENT_TEXT,
            ),
        )
        self._count(others, rows, rejects)
        if piece.is_last and self._first_reject is not None and not self._heads:
            raise UnknownFormatError(self.file, self._why_refused(), self._first_reject)
        return to_parsed(
            log,
            "general",
            {"requests": rows},
            records=records,
            more_records=more_records,
            headers=others.filter(is_header)["line"],
            rejects=rejects,
        )

    def _count(self, others: pl.DataFrame, rows: pl.DataFrame, rejects: pl.DataFrame) -> None:
        """Keep what the pieces say about the log."""
        self._heads += rows.height
        self._ends_above += int((rows["line"] > 1).sum())
        if rejects.height and self._first_reject is None:
            self._first_reject = int(rejects["line"][0])
        if not self._heads:
            self._refusal["slow"] |= bool(others["is_slow_log"].any())
            self._refusal["error"] |= bool(others["is_error_log"].any())

    def _why_refused(self) -> str:
        """What a file without a command is."""
        if self._refusal["slow"]:
            return texts.SLOW_QUERY_LOG
        return texts.SERVER_ERROR_LOG if self._refusal["error"] else texts.NOT_GENERAL_LOG

    def finish(self) -> tuple[list[str], list[str]]:
        """Warnings about times."""
        return self._times.warnings(), []


def _has_no_indent(data: bytes) -> bool:
    """Whether no blanks may stand in front of every line."""
    return b" " < data.lstrip(b"\n")[:1] < b"\x7f"


def _with_escapes(log: Log) -> Log:
    """``log`` with the escape codes in its statements, which are data, unless they hide a head."""
    if log.escaped is None:
        return log
    lines = log.lines.join(
        log.escaped.rename({"text": "whole"}),
        on="line",
        how="left",
        maintain_order="left",
    )
    text, whole = pl.col("text"), pl.col("whole")
    if log.prefixes is not None:
        lines = lines.join(log.prefixes, on="line", how="left", maintain_order="left")
        prefix = pl.col("prefix").fill_null("")
        lines = lines.with_columns(
            pl.when(whole.str.starts_with(prefix)).then(whole.str.strip_prefix(prefix))
        )
    is_data = (whole.str.contains(HEAD) | ~text.str.contains(HEAD)) & ~is_blank(text)
    lines = lines.with_columns(text=pl.coalesce(pl.when(is_data).then(whole), text))
    return replace(log, lines=lines.select(log.lines.columns))


def _classify(log: Log, ends_above: int, *, is_whole: bool) -> pl.DataFrame:
    """Every line with its type and the number of its block (a head and the lines that follow it).

    ``ends_above``: number of lines above a command in earlier pieces; ``is_whole``: there are no other pieces.

    Sentinels are recognized only in a log that has ``#T`` lines: elsewhere ``#END`` is a comment in a statement.
    """
    sentinel = pl.lit(log.has_sentinels) & pl.col("sentinel").is_in(["T", "GAP", "END"])
    lines = _with_line_ends(log, is_whole=is_whole)
    lines = lines.with_columns(is_sentinel=sentinel.fill_null(False))
    lines = mark_lines(lines, log.is_unterminated_line, lines_of_others(log))
    lines = _with_gaps(lines, ends_above)
    lines = lines.with_columns(opener=pl.col("begins").forward_fill().fill_null(NOTHING))
    is_apart = pl.any_horizontal("is_sentinel", "is_of_other")
    is_more = (pl.col("opener") == TEXT) & pl.col("begins").is_null() & ~is_apart
    return lines.with_columns(
        block=pl.col("begins").is_not_null().cum_sum(),
        is_more=is_more,
        era=pl.any_horizontal("is_banner", "is_damaged").cum_sum(),
    )


def _with_line_ends(log: Log, *, is_whole: bool) -> pl.DataFrame:
    """The lines with their ``end`` and whether a CR that is no line end of the file stands before them."""
    ends = log.line_ends
    is_without_lf = is_whole and ends is not None and not ends.str.contains("\n").any()
    if ends is None or is_without_lf:
        return log.lines.with_columns(end=pl.lit("\n"), follows_cr=pl.lit(False))
    return log.lines.with_columns(end=ends, follows_cr=(ends.shift() == "\r").fill_null(False))


def _with_gaps(lines: pl.DataFrame, ends_above: int) -> pl.DataFrame:
    """``lines`` with what separates each from the line above it (``gap``), and the CR at its end (``cr``).

    CRs before LF are characters of a statement in a file whose commands end with LF, and line ends in one whose
    commands end, for the most part, with CRLF.
    """
    if (lines["end"] == "\n").all():
        return lines.with_columns(gap=pl.lit("\n"), cr=pl.lit(""))
    is_last = pl.col("is_head").shift(-1).fill_null(True)
    last_ends = lines.filter(is_last)["end"]
    if lines.height and lines["line"][0] > 1:
        ends_above += int(lines["is_head"][0])
    is_crlf = 2 * last_ends.str.ends_with("\r\n").sum() > last_ends.len() + ends_above
    end = (
        pl.when(pl.col("end").str.ends_with("\n") & pl.lit(is_crlf))
        .then(pl.lit("\n"))
        .otherwise("end")
    )
    gap = end.shift().fill_null("\n")
    cr = pl.when(end.str.ends_with("\n")).then(end.str.strip_chars_end("\n")).otherwise(pl.lit(""))
    return lines.with_columns(gap=gap, cr=cr)


def _heads(lines: pl.DataFrame) -> pl.DataFrame:
    """The heads among the lines, with the groups of ``HEAD`` and the columns of ``with_stamps``."""
    heads = lines.filter("is_head").select(
        "line", "block", "era", "cr", "head", (pl.col("begins") == TEXT).alias("has_text")
    )
    return with_stamps(heads.unnest("head"))


def _rows(log: Log, heads: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """Heads and their continuation lines as rows of ``requests``."""
    heads = heads.with_columns(
        pl.col("connection").cast(pl.Int64),
        pl.coalesce("command", "other").alias("command"),
        is_other=pl.col("other").is_not_null(),
    )
    first = pl.coalesce("argument", "padded", "rest", pl.lit(""))
    single = pl.when("has_text").then(pl.concat_str(first, "cr")).otherwise(first)
    text = pl.concat_str("gap", "text")
    added = more.group_by("block", maintain_order=True).agg(
        text.str.join("").alias("more"),
        pl.col("cr").last().alias("more_cr"),
        pl.col("line").last().alias("last"),
    )
    heads = heads.join(added, on="block", how="left", maintain_order="left")
    whole_text = pl.concat_str(first, "more", "more_cr").str.strip_chars_end("\n")
    target = pl.when(pl.col("more").is_not_null()).then(whole_text).otherwise(single)
    heads = heads.with_columns(last=pl.coalesce("last", "line"))
    statement = pl.concat_str(first, "more", ignore_nulls=True)
    result = heads.select(target=target, has_head_inside=statement.str.contains(HEAD_INSIDE))
    return _request_rows(log, heads, result["target"], result["has_head_inside"])


def _request_rows(
    log: Log, heads: pl.DataFrame, target: pl.Series, has_head_inside: pl.Series
) -> pl.DataFrame:
    """Rows of ``requests`` for heads with times and the number of their ``last`` line."""
    flags = (
        (pl.col("is_other"), "unknown-command"),
        (pl.col("time").is_null(), "no-time"),
        (pl.col("assumed"), "zone-assumed"),
        *(
            (pl.col("clock_flags").str.contains(name, literal=True), name)
            for name in (timestamps.AMBIGUOUS, timestamps.MISSING, timestamps.SET_BACK)
        ),
        (pl.lit(has_head_inside), "head-inside"),
        ((pl.col("last") == log.last_line) & pl.lit(log.unterminated), "unterminated"),
    )
    holds = heads.select(condition.alias(name) for condition, name in flags)
    flags = [(pl.lit(column), column.name) for column in holds if column.any()]
    return heads.select(
        pl.lit("general").alias("log"),
        "line",
        "time",
        "connection",
        "command",
        target=pl.when(target != "").then(pl.lit(target)),
        flags=join_flags(flags) if flags else pl.lit(None, pl.String),
    )

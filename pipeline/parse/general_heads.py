r"""Lines of a general log: heads (a time, the number of a connection and a command), and those that are no statement.

Example:
    >>> lines = pl.DataFrame({"line": [1], "text": ["\t\t    2 Query\tSELECT c"]})
    >>> lines = lines.with_columns(is_sentinel=pl.lit(False), follows_cr=pl.lit(False))
    >>> marked = mark_lines(lines, pl.lit(False), pl.Series(dtype=pl.Int64))
    >>> marked["begins"].item(), marked["head"].struct.field("argument").item()
    ('text', 'SELECT c')
"""

from __future__ import annotations

import polars as pl

from pipeline.parse.expressions import first_of, to_int64

TEXT, NO_TEXT, NOTHING, OTHER = "text", "no text", "nothing", "other"
"""What may follow on a line with which something begins."""
MARKS = ("is_banner", "is_error_log", "is_slow_log", "is_damaged", "is_of_other")
COMMANDS = (
    "Sleep", "Quit", "Init DB", "Query", "Field List", "Create DB", "Drop DB", "Refresh", "Shutdown",
    "Statistics", "Processlist", "Connect Out", "Connect", "Kill", "Debug", "Ping", "Time",
    "Delayed insert", "Change user", "Binlog Dump GTID", "Binlog Dump", "Table Dump",
    "Register Slave", "Register Replica", "Prepare", "Execute", "Long Data", "Close stmt",
    "Reset stmt", "Set option", "Fetch", "Daemon", "Reset Connection", "Reset connection",
    "Slave_worker", "Slave_IO", "Slave_SQL", "Bulk_execute", "Bulk execute", "Multi", "Error",
    "Subscribe Group Replication Stream", "Group Replication Data Stream subscription", "Clone", "clone",
)  # fmt: skip
"""Command names of MySQL and MariaDB (``command_name``); a name stands before its own prefixes."""

TEXT_COMMANDS = (
    "Query", "Prepare", "Execute", "Bulk_execute", "Bulk execute", "Multi", "Daemon",
    "Slave_worker", "Slave_IO", "Slave_SQL",
)  # fmt: skip
"""Commands with a statement, which may have several lines; so may a command that is not in ``COMMANDS``."""

KNOWN = "|".join(COMMANDS)
_WHAT = (
    rf"(?:(?P<command>{KNOWN})(?:\t(?P<argument>.*)| +(?P<padded>.*))?"
    r"|(?P<other>[A-Z][A-Za-z_ ]{1,40})\t(?P<rest>.*))"
)
HEAD = (
    r"^(?:"
    r"(?P<day>[0-9]{4}-[0-9][0-9]-[0-9][0-9])[T ](?P<clock>[0-9][0-9]:[0-9][0-9]:[0-9][0-9](?:\.[0-9]{1,9})?)"
    r"(?:(?P<zulu>Z)|(?P<sign>[+-])(?P<hours>[0-9][0-9]):?(?P<minutes>[0-9][0-9]))?\s+"
    r"|(?P<short>[0-9]{6} [ 0-9][0-9]:[0-9][0-9]:[0-9][0-9])\s+"
    r"|\t\t *| {16,}"
    rf")(?P<connection>[0-9]+) {_WHAT}$"
)
STAMP = (
    r"^(?:(?P<day>[0-9]{4}-[0-9][0-9]-[0-9][0-9])[T ]"
    r"(?P<clock>[0-9][0-9]:[0-9][0-9]:[0-9][0-9](?:\.[0-9]{1,9})?)"
    r"(?:(?P<zulu>Z)|(?P<sign>[+-])(?P<hours>[0-9][0-9]):?(?P<minutes>[0-9][0-9]))?"
    r"|(?P<short>[0-9]{6} [ 0-9][0-9]:[0-9][0-9]:[0-9][0-9]))$"
)
"""The time of a head."""
_ID = r"(?: {4,}[0-9]+| {3}[0-9]{2,}| {2}[0-9]{3,}| [0-9]{4,}|[0-9]{5,})"
UNTIMED_HEAD = rf"^[\t ]*\t{_ID} (?:{KNOWN})(?:\t|\s*$| {{2,}})"
"""A head without a time, with fewer tabs before it than ``HEAD`` asks for; servers pad the Id to 5 or more."""

STAMP_START = (
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][ 0-9][0-9]:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?|[0-9]{6} [ 0-9][0-9]:[0-9]{2}:[0-9]{2})"
)
ERROR_LOG_LINE = (
    rf"^{STAMP_START}\s+(?:[0-9]+\s+|0x[0-9a-f]+\s+)?(?:\[[A-Z][A-Za-z]+\]|mysqld_safe |InnoDB: )"
    r"|^InnoDB: |^\S*(?:mysqld|mariadbd)\S*: [A-Z]?[a-z]+ |^Version: '.*'  socket: '"
    r"|^(?:[0-9][-0-9:.TZ ]+(?:UTC )?- )?\S*(?:mysqld|mariadbd)\S* got (?:signal [0-9]+|exception 0x[0-9a-f]+) ?;"
)
"""A line of the error log of MySQL or MariaDB, or the first of a crash's report."""

DAMAGED_HEAD = (
    rf"^[-+0-9:.TZ]+(?: [0-9:.Z]+)?[\t ]+[0-9]+ (?:{KNOWN})(?:\t|\s*$| {{2,}})"
    rf"|^\S{{1,40}}(?: [ 0-9]\S{{0,20}})?\t +[0-9]+ (?:{KNOWN})\t"
    rf"|^ *[0-9]+ (?:{KNOWN})\t|^{STAMP_START}\t +\S"
)
"""The rest of a head: a part of its time, or of its connection's number before a command and a tab."""
CUT_HEAD = (
    r"^(?:[0-9]{4}-[0-9]{2}-[-0-9]{0,3}[T ]?[0-9:.]*[-+0-9:Z]*|[0-9]{6} [ 0-9][0-9:]*)\t?\s*$"
)
"""An unterminated last line that is the beginning of a head."""
COMMENT = r"^(?:--|#)"
"""The first characters of a comment in a statement, which no head begins with."""

HEAD_INSIDE = (
    rf".[0-9]Z?\t[\t ]*[0-9]+ (?:{KNOWN})\t|, Version: [0-9][^\n]* started with:\s*(?:\n|$)"
)
"""A head or the line of a server's start that follows a truncated statement without a line break."""

SLOW_LOG_LINE = rf"^# (?:Time: {STAMP_START}\s*$|User@Host: .*\[.*@|Query_time: [0-9])"
"""A line of the slow query log, which may be written to the same file."""

STARTED = r"^(?:/.*|[A-Za-z]:.*|\S+), Version: .+ started with:\s*$"
PORT = r"^(?:Tcp|TCP) [Pp]ort: .*(?:Unix socket|Named Pipe)"
COLUMNS = r"^Time\s+Id\s+Command\s+Argument\s*$"


def mark_lines(lines: pl.DataFrame, is_cut: pl.Expr, of_others: pl.Series) -> pl.DataFrame:
    """What each line is by itself.

    Parameters
    ----------
    lines : polars.DataFrame
        ``line``, ``text``, ``is_sentinel``, and ``follows_cr``: a CR that is no line end of the file is before it.
    is_cut : polars.Expr
        Whether it is the unterminated last line of the log.
    of_others : polars.Series
        Numbers of the lines of other programs.

    Returns
    -------
    polars.DataFrame
        With ``is_head``, ``head`` (groups of ``HEAD``), ``is_banner`` (of a server's start), ``is_error_log``,
        ``is_slow_log``, ``is_damaged`` (the rest of a head), ``is_of_other``, and ``begins``: what may follow on the
        line (a text, no text, nothing, other), null for a line that may belong to one above it.
    """
    text, head = pl.col("text"), pl.col("head")
    lines = lines.with_columns(head=text.str.extract_groups(HEAD))
    lines = lines.with_columns(
        is_head=to_int64(head.struct.field("connection")).is_not_null() & ~pl.col("follows_cr")
    )
    lines = _with_untimed_heads(lines)
    # Only the other lines are searched for these: they are few, or each may begin with few letters.
    free = ~pl.any_horizontal("is_head", "is_sentinel", "follows_cr")
    rest = lines.filter(free).select(
        "line",
        is_banner=text.str.contains(STARTED) | text.str.contains(PORT) | text.str.contains(COLUMNS),
        is_error_log=text.str.contains(ERROR_LOG_LINE),
        is_slow_log=text.str.contains(SLOW_LOG_LINE),
        is_damaged=(text.str.contains(DAMAGED_HEAD) & ~text.str.contains(COMMENT))
        | (is_cut & text.str.contains(CUT_HEAD)),
        is_of_other=pl.col("line").is_in(of_others.implode()),
    )
    lines = lines.join(rest, on="line", how="left", maintain_order="left")
    lines = lines.with_columns(pl.col(MARKS).fill_null(False))
    command = head.struct.field("command")
    begins = first_of(
        (pl.col("is_head") & (command.is_null() | command.is_in(TEXT_COMMANDS)), TEXT),
        (pl.col("is_head"), NO_TEXT),
        (pl.col("is_banner"), NOTHING),
        (pl.any_horizontal("is_error_log", "is_slow_log", "is_damaged"), OTHER),
    )
    return lines.with_columns(begins=begins)


def _with_untimed_heads(lines: pl.DataFrame) -> pl.DataFrame:
    """``lines`` with ``UNTIMED_HEAD`` lines as heads: read as if two tabs stood before them."""
    is_untimed = ~pl.any_horizontal("is_head", "is_sentinel", "follows_cr") & pl.col(
        "text"
    ).str.contains(UNTIMED_HEAD)
    untimed = lines.filter(is_untimed).select(
        "line",
        again=(pl.lit("\t\t") + pl.col("text").str.strip_chars_start("\t ")).str.extract_groups(
            HEAD
        ),
    )
    if not untimed.height:
        return lines
    again = pl.col("again").struct.field("connection")
    lines = lines.join(untimed, on="line", how="left", maintain_order="left")
    is_again = to_int64(again).is_not_null()
    return lines.with_columns(
        is_head=pl.col("is_head") | is_again,
        head=pl.when(is_again).then("again").otherwise("head"),
    ).drop("again")

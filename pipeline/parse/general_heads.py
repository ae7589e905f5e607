r"""Heads of a general log: the first lines of commands, with a time, the number of a connection and a command.

Example:
    >>> head = match_heads(pl.Series("text", ["\t\t    2 Query\tSELECT c"]))
    >>> head.struct.field("connection").item(), head.struct.field("argument").item()
    ('2', 'SELECT c')
"""

from __future__ import annotations

import polars as pl

from pipeline.parse.reader import is_fast

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

_KNOWN = "|".join(COMMANDS)
_WHAT = (
    rf"(?:(?P<command>{_KNOWN})(?:\t(?P<argument>.*)| +(?P<padded>.*))?"
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
MIN_LINES_BY_TABS = 1000
"""Lines from which on it is faster to read the usual heads without groups."""


def match_heads(text: pl.Series) -> pl.Series:
    """The groups of ``HEAD`` for each line.

    Most heads have a time or none, a number, a command of ``COMMANDS`` and a tab: these are split at their tabs, which
    is faster.
    """
    by_groups = pl.col("text").str.extract_groups(HEAD).alias("head")
    frame = text.to_frame("text")
    if text.len() < MIN_LINES_BY_TABS or not is_fast():
        return frame.select(by_groups).to_series()
    # the text before the first tab, or before the first two, and what follows
    above = pl.col("text").str.splitn("\t", 2).struct
    rest = above.field("field_1")
    frame = frame.select(
        "text",
        stamp=above.field("field_0"),
        rest=pl.when(above.field("field_0") == "")
        .then(rest.str.strip_prefix("\t"))
        .otherwise(rest),
    )
    what = pl.col("rest").str.splitn("\t", 2).struct
    fields = frame.select(
        "stamp",
        is_head=pl.col("text").str.contains(HEAD),
        number=what.field("field_0").str.strip_chars_start(" ").str.splitn(" ", 2),
        argument=what.field("field_1"),
    )
    number = pl.col("number").struct
    fields = fields.select(
        "stamp",
        "argument",
        "is_head",
        connection=number.field("field_0"),
        command=number.field("field_1"),
    )
    stamps = fields["stamp"].unique().to_frame()
    stamps = stamps.with_columns(pl.col("stamp").str.extract_groups(STAMP).struct.unnest())
    is_stamp = pl.any_horizontal(pl.col("day", "short").is_not_null()) | (pl.col("stamp") == "")
    stamps = stamps.with_columns(is_stamp=is_stamp)
    fields = fields.join(stamps, on="stamp", how="left", maintain_order="left", nulls_equal=True)
    is_usual = fields.select(
        pl.col("is_head")
        & pl.col("is_stamp")
        & pl.col("command").is_in(COMMANDS)
        & pl.col("argument").is_not_null()
        & pl.col("connection").str.contains("^[0-9]+$")
    ).to_series()
    is_usual = is_usual.fill_null(False)
    names = pl.Series([""], dtype=pl.String).str.extract_groups(HEAD).struct.fields
    usual = fields.select(
        pl.col(name) if name in fields.columns else pl.lit(None, pl.String).alias(name)
        for name in names
    )
    if not is_usual.all():
        place = pl.int_range(pl.len(), dtype=pl.Int64).alias("place")
        others = frame.select(place, "text").filter(~is_usual)
        others = others.select("place", by_groups).unnest("head")
        usual = usual.with_columns(place).filter(is_usual).select("place", *names)
        usual = pl.concat([usual, others]).sort("place").drop("place")
    return usual.to_struct("head")

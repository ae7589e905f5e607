"""Which device a line of block counters belongs to: by path, by major and minor number, by a name beside or above it.

Example:
    >>> body = pl.DataFrame({"line": [1, 2, 3], "text": ["vdb:", " 1 2 3", "pgpgin 11 22"]})
    >>> lines, titles = named_lines(body)
    >>> lines.select("line", "device", "numbers").rows(), titles.rows()
    ([(2, 'vdb', '1 2 3'), (3, None, 'pgpgin 11 22')], [(1, 'vdb')])
"""

from __future__ import annotations

import polars as pl

from pipeline.parse.expressions import first_of

_SEVERAL = (
    "loop|ram|dm-|md|md_d|sr|scd|fd|nbd|rbd|zram|zd|drbd|bcache|pmem|nullb|mtdblock|ublkb|mmcblk"
)
DEVICE = (
    r"(?:(?:sd|hd|vd|xvd|ub|dasd|emcpower|fio|rssd)[a-z]{1,3}[0-9]*"
    rf"|(?:{_SEVERAL})[0-9]+(?:p[0-9]+|boot[0-9]+|rpmb)?"
    r"|nvme[0-9]+(?:c[0-9]+)?n[0-9]+(?:p[0-9]+)?|md_[A-Za-z][\w.-]*"
    r"|(?:cciss|ida|rd|etherd|sx8|i2o)[/!][\w.-]+)"
)
"""Names that the kernel gives to block devices."""

WHOLE = (
    rf"^(?:{_SEVERAL})[0-9]+$|^nvme[0-9]+(?:c[0-9]+)?n[0-9]+$|[/!](?:c[0-9]+d|e[0-9]+[.])[0-9]+$"
)
"""Names that end in a digit and are no partitions."""

_FILE = rf"(?:\S*/sys/\S*/stat|\S*\bblock/\S+/stat|(?:\S*/)?{DEVICE}/stat|\S*\bdiskstats)"
_SHELL = r"(?:\S.*)?[#$%>+]\s+(?:sudo\s+)?(?:cat|head|tail|grep)(?:\s+[^\s/]+)*"
"""A command that a shell shows: below its prompt, or after ``+`` of ``set -x``."""
_NAME = rf"(?:/dev/|/sys/block/|/sys/class/block/)?{DEVICE}"
IOSTAT = r"^Device:?\s.*(?:tps|r/s|rrqm/s|[kM]B_read/s|Blk_read/s)"
"""The column names of iostat."""
TITLE = (
    rf"^\s*(?:{_SHELL}\s+|[#=*>+-]+\s*|\[|(?:[Dd]evice|[Dd]isk|[Dd]ev|[Dd]rive)[:=]?\s+)?"
    rf"({_FILE}|{_NAME})\]?\s*:?\s*(?:<?[=#*-]+)?\s*$"
)
"""A line with nothing but the file or the name of a device, or the command that prints the file: it belongs to the
line below it."""

BEFORE = rf"^\s*({_FILE}|{_NAME})(?::|\s)\s*(.*)$"
DISKSTATS = r"^([0-9]{1,4})\s+([0-9]{1,7})\s+([A-Za-z_][^\s:]*)\s+(.*)$"


def is_partition(device: pl.Expr) -> pl.Expr:
    """Whether a device is a partition by its name."""
    return device.str.contains(r"[0-9]$") & ~device.str.contains(WHOLE)


def is_iostat_row() -> pl.Expr:
    """Whether a line (``line``, ``text``) is in a table of iostat: its column names, and rows without a gap."""
    text = pl.col("text")
    continues = text.str.contains(r"^[A-Za-z]\S*[^\s:]\s+[0-9]") & (
        pl.col("line") == pl.col("line").shift() + 1
    )
    begins = first_of((text.str.contains(IOSTAT), True), (~continues.fill_null(False), False))
    return begins.forward_fill().fill_null(False)


def named_lines(body: pl.DataFrame, above: str | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines with their device, and those that only name one.

    Parameters
    ----------
    body : polars.DataFrame
        ``line`` and ``text``, blank lines left out.
    above : str, optional
        What the line above the first one names.

    Returns
    -------
    (polars.DataFrame, polars.DataFrame)
        The other lines with ``device`` (null: no name), ``major_minor`` and ``numbers`` (the text after the name);
        ``line`` and ``title`` of the lines that only name a device.
    """
    text = pl.col("text")
    body = body.with_columns(title=text.str.extract(TITLE))
    body = body.with_columns(above=pl.col("title").shift(fill_value=above))
    titles = body.filter(pl.col("title").is_not_null()).select("line", "title")
    before = text.str.extract_groups(BEFORE).struct
    lines = body.filter(pl.col("title").is_null()).with_columns(
        source=before.field("1"), rest=before.field("2")
    )
    lines = lines.with_columns(rest=pl.coalesce("rest", "text").str.strip_chars())
    of_list = pl.col("source").str.ends_with("diskstats")
    diskstats = pl.col("rest").str.extract_groups(DISKSTATS).struct
    lines = lines.with_columns(
        pl.when(pl.col("source").is_null() | of_list).then(diskstats.field(str(group))).alias(name)
        for group, name in enumerate(("major", "minor", "name", "after"), 1)
    )
    device = first_of(
        (pl.col("name").is_not_null(), pl.col("name")),
        (~of_list, _in_path(pl.col("source"))),
        (
            pl.col("source").is_null() & pl.col("rest").str.contains("^[-0-9]"),
            _in_path(pl.col("above")),
        ),
    )
    return lines.with_columns(
        device=device.str.replace_all("!", "/", literal=True),
        major_minor=pl.concat_str("major", "minor", separator=":"),
        numbers=pl.coalesce("after", "rest"),
    ), titles


def _in_path(path: pl.Expr) -> pl.Expr:
    """The device in ``/sys/block/vda/stat``, ``vda/stat``, ``/dev/vda`` and ``vda``; null in ``/proc/diskstats``."""
    name = path.str.replace(r"/stat$", "").str.replace(r"^.*/(block|dev)/", "")
    is_slashed = name.str.contains(rf"^{DEVICE}$")
    name = pl.when(is_slashed).then(name).otherwise(name.str.extract(r"([^/]+)$"))
    return pl.when(~path.str.ends_with("diskstats")).then(name)

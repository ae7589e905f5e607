"""Counters of block devices: /sys/block/DEV/stat and /proc/diskstats.

Formats, one line per device and snapshot:

- ``grep -H '' /sys/block/*/stat`` (the collectors' form): ``/sys/block/vda/stat:   26438 …``;
- ``vda: 26438 …`` and ``vda 26438 …``;
- a name or a path on a line of its own (``vda``, ``vda:``, ``==> /sys/block/vda/stat <==``, a shell's
  ``+ cat /sys/block/vda/stat``), the numbers on the next;
- /proc/diskstats: ``253 0 vda 26438 …``, with the file's name before it too;
- the bare line of ``cat /sys/block/vda/stat``, in a log in which no line has a name: the device is then called ``?``.

A name is what stands in a path or after two numbers, elsewhere what the kernel calls block devices (``DEVICE``);
``pgpgin 11 22 33 44`` is no device, nor are rows
below iostat's column names. The kernel prints 11 fields, 15 (discards, since 4.18), 17 (flushes, since 5.5) or
more; before 2.6.25 partitions have 4 (reads, read sectors, writes, write sectors), and then all of them. What is not
printed is null. A line with a negative counter is a reject; a negative number of requests in flight (a fault of
old kernels) is null.

A snapshot starts with ``#T`` or with a line that says when (:mod:`pipeline.parse.stamps`); the last of these may also
follow its snapshot. A repeated device starts one where the log has neither, or not enough of them; its time is
then that in front of its first line (``ts``, a logger), or null. Local times need ``tz``, times of day ``date``.

Columns and units: ``pipeline.tables.BLOCK``. The counters are as printed: sectors are 512 bytes,
and the ``_ms`` fields are 32 bits wide (49.7 days; ``time_in_queue_ms`` at depth 64 wraps in 19
hours); ``measure`` unwraps them where it subtracts. ``io_ticks_ms`` is sampled by
Linux 5.0 to 6.9. If the last line is unterminated its last number may lack digits: it is null, and ``fields`` may
be too small. Disks, their partitions and devices stacked on them are all rows: do not add them.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> row = "   1 0 8 1 2 0 16 3 0 4 4"
    >>> parsed = parse(log_from_text(f"/sys/block/vda/stat:{row}\\n", "block.log"))
    >>> parsed.tables["block"].select("device", "reads", "write_sectors", "fields").rows()
    [('vda', 1, 16, 11)]
"""

from __future__ import annotations

import polars as pl

from pipeline.parse import texts
from pipeline.parse.block_devices import IOSTAT, is_iostat_row, is_partition, named_lines
from pipeline.parse.block_times import Snapshots, split_snapshots
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.log import Log
from pipeline.parse.parsed import Parsed, select_table_columns, split_rejects, to_parsed
from pipeline.parse.stamps import read_stamps
from pipeline.parse.timestamps import Day

FIELDS = (
    "reads",
    "reads_merged",
    "read_sectors",
    "read_ms",
    "writes",
    "writes_merged",
    "write_sectors",
    "write_ms",
    "in_flight",
    "io_ticks_ms",
    "time_in_queue_ms",
    "discards",
    "discards_merged",
    "discard_sectors",
    "discard_ms",
    "flushes",
    "flush_ms",
)
OLD_PARTITION_FIELDS = ("reads", "read_sectors", "writes", "write_sectors")
LAST_FIELD = {4: "write_sectors", 11: "time_in_queue_ms", 15: "discard_ms", 17: "flush_ms"}
"""How many fields kernels print, and the last one of each form."""
FIELD_COUNTS = tuple(LAST_FIELD)

NAMELESS = "?"
"""Name of a device where the log has none."""

BARE_FIELD_COUNTS = (11, 15, 17)
MAX_IN_FLIGHT = 2**31 - 1
"""Old kernels print a negative number of requests in flight as a large one."""

VMSTAT = r"^procs\s*-+.*memory|^\s*r\s+b\s+swpd|^disk-\s*-+reads"


def parse(log: Log, *, date: Day = None, tz: str | None = None, **_options: object) -> Parsed:
    """Parse block counters into the table ``block``. ``date`` and ``tz`` are those of times in the log without them."""
    body = log.body()
    stamps = read_stamps(body, date=date, tz=tz, file=log.file)
    named, titles = named_lines(
        body.with_columns(is_iostat=is_iostat_row()).join(
            stamps.frame, on="line", how="anti", maintain_order="left"
        )
    )
    good, bad = _split_devices(_with_counters(named), log)
    if not good.height and bad.height:
        _refuse_other_tools(log, body)
    snapshots = split_snapshots(log, good, stamps.frame, date=date, tz=tz)
    frame = select_table_columns(snapshots.rows, "block")
    return to_parsed(
        log,
        "block",
        {"block": frame},
        records=snapshots.rows["line"],
        headers=pl.concat([stamps.frame["line"], titles]),
        rejects=pl.concat([bad, snapshots.duplicates]),
        snapshots=snapshots.count,
        warnings=[*stamps.warnings, *_warnings(log, snapshots)],
    )


def _refuse_other_tools(log: Log, body: pl.DataFrame) -> None:
    """Raise ``UnknownFormatError`` for the output of iostat and vmstat, which have columns of other units."""
    for tool, header in (("iostat", rf"^avg-cpu: |{IOSTAT}"), ("vmstat", VMSTAT)):
        lines = body.filter(pl.col("text").str.contains(header))["line"]
        if lines.len():
            raise UnknownFormatError(log.file, texts.not_block_but(tool), int(lines[0]))


def _with_counters(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with ``fields`` (their number) and the counters in their columns."""
    frame = frame.with_columns(printed=pl.col("numbers").str.extract_all(r"\S+"))
    frame = frame.with_columns(fields=pl.col("printed").list.len().cast(pl.Int64))
    is_old = pl.col("fields") == len(OLD_PARTITION_FIELDS)

    def value(names: tuple[str, ...], name: str) -> pl.Expr | None:
        if name not in names:
            return None
        return to_int64(pl.col("printed").list.get(names.index(name), null_on_oob=True))

    return frame.with_columns(
        pl.when(is_old)
        .then(value(OLD_PARTITION_FIELDS, name))
        .otherwise(value(FIELDS, name))
        .alias(name)
        for name in FIELDS
    )


def _split_devices(frame: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The valid lines of devices, and the other lines with the reason."""
    has_numbers = pl.col("numbers").str.contains(r"^-?[0-9]+(?:\s+-?[0-9]+)*$")
    is_number = has_numbers & ~pl.col("is_iostat")
    read = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int64) for name in FIELDS)
    negative = pl.any_horizontal(pl.col(name) < 0 for name in FIELDS if name != "in_flight")
    is_last = log.is_unterminated_line
    is_named = pl.col("device").is_not_null()
    is_known = pl.col("fields").is_in(FIELD_COUNTS) | (pl.col("fields") > len(FIELDS))
    is_bare_stat = pl.col("fields").is_in(BARE_FIELD_COUNTS)
    # the last five of vmstat's 17 numbers are shares of the CPU's time
    shares = pl.sum_horizontal(
        "discards_merged", "discard_sectors", "discard_ms", "flushes", "flush_ms"
    )
    is_bare_17 = ~is_named & is_number & (pl.col("fields") == len(FIELDS))
    is_vmstat = is_bare_17 & shares.is_between(99, 101).filter(is_bare_17).all()
    has_names = (is_named & is_number & is_known).any()
    is_old = is_named & (pl.col("fields") == len(OLD_PARTITION_FIELDS))
    # partitions of a kernel have 4 fields or the disks' number, never both
    of_partition = is_named & is_number & is_partition(pl.col("device"))
    has_new_partition = (
        of_partition & is_known & (pl.col("fields") != len(OLD_PARTITION_FIELDS))
    ).any()
    # a last line without its end may lack fields: it has to have as many as its device's line before
    above = pl.col("fields").shift().over("device", order_by="line")
    max_fields = pl.col("fields").filter(is_known & ~is_last).max().fill_null(pl.col("fields"))
    is_like_others = (pl.col("fields") == max_fields) & (
        pl.col("fields") != len(OLD_PARTITION_FIELDS)
    )
    is_usual = pl.when(above.is_null()).then(is_like_others).otherwise(pl.col("fields") == above)
    reason = first_of(
        (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
        (is_last & (pl.lit(log.has_sentinels) | ~is_known | ~is_usual), texts.TRUNCATED),
        (~is_number, texts.NOT_DEVICE_LINE),
        (~is_known, pl.format(texts.DEVICE_FIELD_COUNT, "fields")),
        ((~is_named & ~is_bare_stat) | is_vmstat, texts.NOT_DEVICE_LINE),
        (~is_named & has_names, texts.NUMBERS_WITHOUT_NAME),
        (is_old & (~of_partition | has_new_partition), texts.FOUR_FIELDS),
        (read != pl.min_horizontal("fields", pl.lit(len(FIELDS))), texts.TOO_LARGE),
        (negative, texts.NEGATIVE_COUNTER),
    )  # fmt: skip
    good, bad = split_rejects(frame, reason)
    # without its line end a number may lack digits: the last one is then not known
    last = (
        pl.when(~is_last | (pl.col("fields") != count)).then(pl.col(name))
        for count, name in LAST_FIELD.items()
    )
    return good.with_columns(last).with_columns(
        pl.col("device").fill_null(NAMELESS),
        in_flight_printed="in_flight",
        in_flight=pl.when(pl.col("in_flight").is_between(0, MAX_IN_FLIGHT)).then("in_flight"),
    ), bad


def _warnings(log: Log, snapshots: Snapshots) -> list[str]:
    rows = snapshots.rows
    warnings = list(snapshots.warnings)
    if (rows["device"] == NAMELESS).any():
        warnings.append(f"{log.file}: {texts.nameless_device(NAMELESS)}")
    if rows.height and rows["fields"].max() > len(FIELDS):
        warnings.append(f"{log.file}: {texts.more_fields(len(FIELDS))}")
    impossible = rows.filter(
        pl.col("in_flight_printed").is_not_null() & pl.col("in_flight").is_null()
    )
    if impossible.height:
        warnings.append(
            f"{log.file}:{impossible['line'][0]}: {texts.in_flight_unknown(impossible.height)}"
        )
    if log.unterminated and rows.height and rows["line"][-1] == log.lines.height:
        warnings.append(f"{log.file}:{log.lines.height}: {texts.LAST_NUMBER_UNKNOWN}")
    return warnings

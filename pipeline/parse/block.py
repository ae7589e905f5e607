"""Counters of block devices: /sys/block/DEV/stat and /proc/diskstats.

Formats, one line per device and snapshot:

- ``grep -H '' /sys/block/*/stat`` (the collectors' form): ``/sys/block/vda/stat:   26438 …``;
- ``vda: 26438 …`` and ``vda 26438 …``;
- ``head`` or ``tail`` of several files, and a path on a line of its own: ``==> /sys/block/vda/stat <==``;
- /proc/diskstats: ``253 0 vda 26438 …``, with the file's name before it too;
- the bare line of ``cat /sys/block/vda/stat``: the device is then called ``?``.

The kernel prints 4 fields (partitions before 2.6.25: reads, read sectors, writes, write sectors),
11, 15 (discards, since 4.18), 17 (flushes, since 5.5) or more; what it does not print is null.

A snapshot starts with ``#T`` or with a line ``TS <epoch seconds>``. In a log without either, a repeated device
starts a snapshot, and there are no times.

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

from pipeline import tables
from pipeline.parse import texts
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.log import Log, snapshot_by_repetition, with_snapshot
from pipeline.parse.parsed import Parsed, select_table_columns, split_rejects, to_parsed
from pipeline.parse.prefixes import strip_prefixes

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

PATH_BEFORE = r"^\s*(\S*/(?:stat|diskstats)|[A-Za-z][^\s:]*):(.*)$"
PATH_ALONE = r"^\s*(?:==>\s+)?(\S*/(?:stat|diskstats)):?(?:\s+<==)?\s*$"
STAMP = r"^TS\s+([0-9]{9,10})(\.[0-9]+)?\s*$"


def parse(log: Log, **_options: object) -> Parsed:
    """Parse block counters into the table ``block``. ``date`` and ``tz`` are not used."""
    body = strip_prefixes(log).body()
    stamps = _stamps(body)
    titles = body.filter(pl.col("text").str.contains(PATH_ALONE))
    good, bad = _rows(body.join(stamps, on="line", how="anti"), titles, log)
    has_clock = log.has_sentinels or stamps.height > 0
    if has_clock:
        good, snapshots = with_snapshot(log, good, good, stamps["line"])
    else:
        good = good.with_columns(snapshot=snapshot_by_repetition("device"))
        snapshots = good["snapshot"][-1] + 1 if good.height else 0
    is_duplicate = ~pl.struct("snapshot", "device").is_first_distinct() & pl.lit(has_clock)
    duplicate = (
        is_duplicate & (pl.col("device") != NAMELESS),
        pl.format(texts.DUPLICATE_DEVICE, "device"),
    )
    good, duplicates = split_rejects(good, first_of(duplicate))
    frame = select_table_columns(_with_times(log, good, stamps), "block")
    return to_parsed(
        log,
        "block",
        {"block": frame},
        records=good["line"],
        headers=pl.concat([stamps["line"], titles["line"]]),
        rejects=pl.concat([bad, duplicates]),
        snapshots=snapshots,
        warnings=_warnings(log, good, stamps),
    )


def _stamps(body: pl.DataFrame) -> pl.DataFrame:
    """The lines ``TS <epoch seconds>``: line, time."""
    parts = pl.col("text").str.extract_groups(STAMP).struct
    nanoseconds = parts.field("2").str.slice(1).fill_null("").str.slice(0, 9).str.pad_end(9, "0")
    epoch_ns = parts.field("1").cast(pl.Int64) * 1_000_000_000 + nanoseconds.cast(pl.Int64)
    return body.select("line", time=epoch_ns.cast(tables.UTC_NS)).drop_nulls()


def _rows(body: pl.DataFrame, titles: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines of devices with their counters, and the other lines with the reason."""
    before = pl.col("text").str.extract_groups(PATH_BEFORE).struct
    named = (
        body.join(titles, on="line", how="anti", maintain_order="left")
        .with_columns(path=before.field("1"), rest=before.field("2"))
        .with_columns(rest=pl.coalesce("rest", "text").str.strip_chars())
    )
    is_free = pl.col("path").is_null() | pl.col("path").str.ends_with("diskstats")
    named = named.with_columns(free=pl.when(is_free).then("rest"))
    if titles.height:
        title = titles.select("line", title=pl.col("text").str.extract(PATH_ALONE))
        named = named.join_asof(title, on="line", strategy="backward")
        named = named.with_columns(path=pl.coalesce("path", "title")).drop("title")
    diskstats = (
        pl.col("free").str.extract_groups(r"^([0-9]+)\s+([0-9]+)\s+([A-Za-z]\S*)\s+(.*)$").struct
    )
    leading = pl.col("free").str.extract_groups(r"^([A-Za-z]\S*)\s+(.*)$").struct
    in_path = pl.col("path").str.extract(r"([^/]+)(?:/stat)?$")
    frame = named.with_columns(
        device=pl.coalesce(
            diskstats.field("3"),
            leading.field("1"),
            pl.when(~pl.col("path").str.ends_with("diskstats")).then(in_path),
            pl.lit(NAMELESS),
        ).str.replace_all("!", "/", literal=True),
        major_minor=diskstats.field("1") + ":" + diskstats.field("2"),
        numbers=pl.coalesce(diskstats.field("4"), leading.field("2"), "rest"),
    ).with_columns(printed=pl.col("numbers").str.extract_all(r"\S+"))
    frame = frame.with_columns(fields=pl.col("printed").list.len().cast(pl.Int64))
    return _split_devices(_with_counters(frame), log)


def _with_counters(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with the counters in their columns, by the number of fields."""
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
    read = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int64) for name in FIELDS)
    is_last = log.is_unterminated_line
    is_known = pl.col("fields").is_in(FIELD_COUNTS) | (pl.col("fields") > len(FIELDS))
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
        (~pl.col("numbers").str.contains(r"^[-0-9\s]+$"), texts.NOT_DEVICE_LINE),
        (~is_known, pl.format(texts.DEVICE_FIELD_COUNT, "fields")),
        (read != pl.min_horizontal("fields", pl.lit(len(FIELDS))),
         texts.TOO_LARGE),
    )  # fmt: skip
    good, bad = split_rejects(frame, reason)
    # without its line end a number may lack digits: the last one is then not known
    last = (
        pl.when(~is_last | (pl.col("fields") != count)).then(pl.col(name))
        for count, name in LAST_FIELD.items()
    )
    return good.with_columns(last), bad


def _with_times(log: Log, rows: pl.DataFrame, stamps: pl.DataFrame) -> pl.DataFrame:
    if log.has_sentinels or not stamps.height:
        return log.with_timestamps(rows)
    return rows.join_asof(stamps, on="line", strategy="backward")


def _warnings(log: Log, rows: pl.DataFrame, stamps: pl.DataFrame) -> list[str]:
    warnings = []
    if rows.height and not log.has_sentinels and not stamps.height:
        warnings.append(f"{log.file}: {texts.NO_TIMES}")
    if (rows["device"] == NAMELESS).any():
        warnings.append(f"{log.file}: {texts.nameless_device(NAMELESS)}")
    if rows.height and rows["fields"].max() > len(FIELDS):
        warnings.append(f"{log.file}: {texts.more_fields(len(FIELDS))}")
    if log.unterminated and rows.height and rows["line"][-1] == log.lines.height:
        warnings.append(f"{log.file}:{log.lines.height}: {texts.LAST_NUMBER_UNKNOWN}")
    return warnings

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

from dataclasses import dataclass

import polars as pl

from pipeline.parse import texts
from pipeline.parse.block_devices import IOSTAT, is_iostat_row, is_partition, named_lines
from pipeline.parse.block_rows import StatLines
from pipeline.parse.block_times import Snapshots, split_by_sentinels, split_snapshots
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.log import SENTINEL_COLUMNS, Log, SnapshotsBefore
from pipeline.parse.parsed import (
    NO_LINES,
    Parsed,
    select_table_columns,
    split_rejects,
    to_parsed,
)
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import read_whole
from pipeline.parse.stamps import find_stamps, resolve_stamps
from pipeline.parse.timestamps import Day, Times

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

NO_BODY = pl.DataFrame(schema={"line": pl.Int64, "text": pl.String})
NO_REJECTS = pl.DataFrame(schema={"line": pl.Int64, "reason": pl.String})

VMSTAT = r"^procs\s*-+.*memory|^\s*r\s+b\s+swpd|^disk-\s*-+reads"


def parse(log: Log, *, date: Day = None, tz: str | None = None, **_options: object) -> Parsed:
    """Parse block counters into the table ``block``. ``date`` and ``tz`` are those of times in the log without them."""
    return read_whole(Reader(log.file, date=date, tz=tz), log)


class Reader:
    """Reads block counters piece by piece (:class:`pipeline.parse.reader.Reader`); without sentinels as one piece."""

    START = None
    NEEDS_SURVEY = True
    SURVEYED = ("_facts", "_stamps", "_surveyed")

    def __init__(self, file: str, *, date: Day = None, tz: str | None = None, **_options: object):
        self.file = file
        self._options = {"date": date, "tz": tz}
        self._facts = Facts()
        self._stamps: list[pl.DataFrame] = []
        self._times: Times | None = None
        self._surveyed: Lines | None = None
        self._surveyed_stats: StatLines | None = None
        self._devices: tuple[tuple[bytes, ...], pl.DataFrame | None] | None = None
        self._above: Lines | None = None
        self._before = SnapshotsBefore()
        self._refusal = Refusal()
        self._warnings: list[str] = []
        self._has_nameless = self._has_more_fields = False
        self._in_flight: tuple[int, int] | None = None
        """How many numbers of requests in flight are not known, and the line of the first one."""

    def survey(self, piece: Piece) -> None:
        """Which forms of lines the log has, and the lines that say when."""
        self._surveyed_stats = stats = StatLines.of(piece)
        devices = None if stats is None else self._devices_of(stats)
        if devices is not None:
            self._facts.add_devices(devices)
            self._surveyed = None  # no line of it names a device for the next one, or says when
            if not piece.is_last:
                stats.plain.piece.skip(stats.plain.text.line_ends.size)
            return
        self._surveyed_stats = None
        lines = self._surveyed = Lines(piece, self._surveyed)
        self._facts.add(lines)
        if lines.stamps.height or not self._stamps:
            self._stamps.append(lines.stamps)

    def read(self, piece: Piece) -> Parsed:
        """The table of the piece."""
        if self._times is None:
            stamps = pl.concat(self._stamps or [find_stamps(NO_BODY)])
            self._times = resolve_stamps(stamps, file=self.file, **self._options)
            self._warnings += self._times.warnings
        log, parsed = self._read_stats(piece)
        if parsed is not None:
            return parsed
        lines, self._surveyed = self._surveyed, None
        if lines is None or lines.piece is not piece:
            lines = Lines(piece, self._above, log)
        self._above = lines
        log = lines.log
        good, bad = split_devices(lines.frame, log, self._facts)
        self._refusal.check(lines, good, bad)
        if log.has_sentinels:
            snapshots, self._before = split_by_sentinels(
                log, good, lines.stamps["line"], self._before
            )
        else:
            snapshots = split_snapshots(log, good, self._times.frame, **self._options)
        self._note(log, snapshots)
        return to_parsed(
            log,
            "block",
            {"block": select_table_columns(snapshots.rows, "block")},
            records=snapshots.rows["line"],
            headers=pl.concat([lines.stamps["line"], lines.titles["line"]]),
            rejects=pl.concat([bad, snapshots.duplicates]),
            snapshots=snapshots.count,
        )

    def facts(self) -> object:
        """What the survey says about the pieces so far (``grown.GrowingReader``)."""
        return None if any(stamps.height for stamps in self._stamps) else self._facts

    def _devices_of(self, stats: StatLines) -> pl.DataFrame | None:
        """``_devices``, for most pieces those of the one before."""
        if self._devices is None or self._devices[0] != stats.names:
            self._devices = stats.names, _devices(stats)
        return self._devices[1]

    def _read_stats(self, piece: Piece) -> tuple[Log | None, Parsed | None]:
        """The piece read by NumPy; None if it has to be read by patterns, and its log if it was made."""
        stats, self._surveyed_stats = self._surveyed_stats, None
        if self._surveyed is not None and self._surveyed.piece is piece:
            return None, None
        if stats is None or stats.plain.piece is not piece:
            stats = StatLines.of(piece)
        devices = None if stats is None else self._devices_of(stats)
        if stats is None or devices is None:
            return None, None
        counters = stats.counters(BARE_FIELD_COUNTS)
        if counters is None:
            return None, None
        log = stats.plain.log_of(stats.is_mark)
        snapshots = stats.snapshots(log)
        in_flight = counters.values[FIELDS.index("in_flight")]
        if snapshots is None or (in_flight > MAX_IN_FLIGHT).any():
            return stats.plain.with_lines(log, ~stats.is_mark), None
        columns = counters.columns(FIELDS)
        rows = pl.DataFrame(
            {
                "line": stats.line_numbers,
                "snapshot": snapshots + (self._before.count - 1),
                "device": devices["device"].gather(stats.devices),
                "major_minor": devices["major_minor"].gather(stats.devices),
                **columns,
                "fields": counters.counts,
            }
        )
        times = log.ticks.select(SENTINEL_COLUMNS)[snapshots - 1]
        self._before = SnapshotsBefore(self._before.count + log.ticks.height, ends_with_tick=True)
        self._above = None
        self._refusal.is_needed = False
        parsed = to_parsed(
            log,
            "block",
            {"block": select_table_columns(rows.hstack(times), "block")},
            records=NO_LINES,
            rejects=NO_REJECTS,
            more_records=rows.height,
            snapshots=log.ticks.height,
        )
        return log, parsed

    def finish(self) -> tuple[list[str], list[str]]:
        """Warnings about times, names and fields."""
        warnings = list(self._warnings)
        if self._has_nameless:
            warnings.append(f"{self.file}: {texts.nameless_device(NAMELESS)}")
        if self._has_more_fields:
            warnings.append(f"{self.file}: {texts.more_fields(len(FIELDS))}")
        if self._in_flight:
            count, line = self._in_flight
            warnings.append(f"{self.file}:{line}: {texts.in_flight_unknown(count)}")
        if self._last_number_line:
            warnings.append(f"{self.file}:{self._last_number_line}: {texts.LAST_NUMBER_UNKNOWN}")
        return warnings, []

    _last_number_line = 0

    def _note(self, log: Log, snapshots: Snapshots) -> None:
        """Keep what is to be warned of."""
        rows = snapshots.rows
        self._warnings += snapshots.warnings
        if rows.is_empty():
            return
        self._has_nameless = self._has_nameless or (rows["device"] == NAMELESS).any()
        self._has_more_fields = self._has_more_fields or rows["fields"].max() > len(FIELDS)  # type: ignore[operator]
        if rows["in_flight"].null_count():
            unknown = rows.filter(
                pl.col("in_flight_printed").is_not_null() & pl.col("in_flight").is_null()
            )["line"]
            if unknown.len():
                count, line = self._in_flight or (0, int(unknown[0]))
                self._in_flight = count + unknown.len(), line
        if log.unterminated and rows["line"][-1] == log.last_line:
            self._last_number_line = log.last_line


class Lines:
    """The lines of a piece: of devices, those that only name one, and those that say when.

    Parameters
    ----------
    piece : Piece
    above : Lines, optional
        Of the piece before.
    log : Log, optional
        Of the piece, if it was made.
    """

    def __init__(self, piece: Piece, above: Lines | None, log: Log | None = None):
        self.piece, self.log = piece, log or piece.log
        self.body = self.log.body()
        last_text = above.last_text if above else None
        last_title = above.last_title if above else None
        self.stamps = find_stamps(self.body, last_text)
        body = self.body.with_columns(is_iostat=is_iostat_row())
        if self.stamps.height:
            body = body.join(self.stamps, on="line", how="anti", maintain_order="left")
        named, self.titles = named_lines(body, last_title)
        self.frame = _with_counters(named)
        self.last_text = self.body["text"][-1] if self.body.height else last_text
        """Text of the last line."""
        self.last_title = last_title
        """What the last line names, if it only names a device."""
        if body.height:
            is_title = self.titles.height and self.titles["line"][-1] == body["line"][-1]
            self.last_title = self.titles["title"][-1] if is_title else None


@dataclass
class Facts:
    """Which forms of lines a log has; they decide what other lines are."""

    has_names: bool = False
    """Whether a line has numbers and the name of their device."""
    are_shares: bool = True
    """Whether the last five of 17 numbers without a name always add up to 100, as vmstat's shares of the CPU's time."""
    has_new_partition: bool = False
    """Whether the line of a partition has as many fields as that of a disk."""

    def add(self, lines: Lines) -> None:
        """What the next piece says."""
        named = IS_NAMED & IS_NUMBER
        is_known = IS_KNOWN & (pl.col("fields") != len(OLD_PARTITION_FIELDS))
        shares = pl.sum_horizontal(
            "discards_merged", "discard_sectors", "discard_ms", "flushes", "flush_ms"
        )
        has_names, are_shares, has_new_partition = lines.frame.select(
            names=(named & IS_KNOWN).any(),
            shares=shares.is_between(99, 101).filter(IS_BARE_17).all(),
            partition=(named & is_partition(pl.col("device")) & is_known).any(),
        ).row(0)
        self.has_names = self.has_names or has_names
        self.are_shares = self.are_shares and are_shares
        self.has_new_partition = self.has_new_partition or has_new_partition

    def add_devices(self, devices: pl.DataFrame) -> None:
        """What lines of ``_devices`` say, each of which has a name and more than four numbers."""
        self.has_names = True
        self.has_new_partition = self.has_new_partition or devices["is_partition"].any()


class Refusal:
    """Refuses the output of iostat and vmstat, which have columns of other units, where no line is a device's."""

    def __init__(self):
        self.is_needed = True
        """Whether no line of a device was read so far."""
        self._has_bad = False
        self._first: dict[str, int] = {}

    def check(self, lines: Lines, good: pl.DataFrame, bad: pl.DataFrame) -> None:
        """Raise ``UnknownFormatError`` after the last piece.

        Parameters
        ----------
        lines : Lines
            Of the next piece.
        good, bad : polars.DataFrame
            Its lines of devices, and its rejects.
        """
        self.is_needed = self.is_needed and not good.height
        self._has_bad = self._has_bad or bad.height > 0
        if not self.is_needed:
            return
        for tool, header in (("iostat", rf"^avg-cpu: |{IOSTAT}"), ("vmstat", VMSTAT)):
            numbers = lines.body.filter(pl.col("text").str.contains(header))["line"]
            if numbers.len():
                self._first.setdefault(tool, int(numbers[0]))
        if lines.piece.is_last and self._has_bad:
            for tool in ("iostat", "vmstat"):
                if tool in self._first:
                    raise UnknownFormatError(
                        lines.log.file, texts.not_block_but(tool), self._first[tool]
                    )


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


IS_NAMED = pl.col("device").is_not_null()
IS_NUMBER = pl.col("numbers").str.contains(r"^-?[0-9]+(?:\s+-?[0-9]+)*$") & ~pl.col("is_iostat")
IS_KNOWN = pl.col("fields").is_in(FIELD_COUNTS) | (pl.col("fields") > len(FIELDS))
IS_BARE_17 = ~IS_NAMED & IS_NUMBER & (pl.col("fields") == len(FIELDS))
"""What a line is; ``Lines.frame``."""


def _devices(stats: StatLines) -> pl.DataFrame | None:
    """``device`` and ``is_partition`` of each of the files; None if a line of one has not the form of its kind."""
    body = stats.examples.with_columns(is_iostat=is_iostat_row())
    named, titles = named_lines(body)
    is_strict = IS_NAMED & IS_NUMBER & pl.col("fields").is_in(BARE_FIELD_COUNTS)
    devices = _with_counters(named).select(
        "device",
        "major_minor",
        is_partition=is_partition(pl.col("device")),
        is_strict=is_strict,
    )
    is_sure = (
        not titles.height and devices["is_strict"].all() and devices["device"].is_unique().all()
    )
    return devices if is_sure else None


def split_devices(frame: pl.DataFrame, log: Log, facts: Facts) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The valid lines of devices (``Lines.frame``), and the other lines with the reason."""
    read = pl.sum_horizontal(pl.col(name).is_not_null().cast(pl.Int64) for name in FIELDS)
    negative = pl.any_horizontal(pl.col(name) < 0 for name in FIELDS if name != "in_flight")
    is_last = log.is_unterminated_line
    is_bare_stat = pl.col("fields").is_in(BARE_FIELD_COUNTS)
    is_vmstat = IS_BARE_17 & facts.are_shares
    # partitions of a kernel have 4 fields or the disks' number, never both
    is_old = IS_NAMED & (pl.col("fields") == len(OLD_PARTITION_FIELDS))
    of_partition = IS_NAMED & IS_NUMBER & is_partition(pl.col("device"))
    # a last line without its end may lack fields: it has to have as many as its device's line before
    above = pl.col("fields").shift().over("device", order_by="line")
    max_fields = pl.col("fields").filter(IS_KNOWN & ~is_last).max().fill_null(pl.col("fields"))
    is_like_others = (pl.col("fields") == max_fields) & (
        pl.col("fields") != len(OLD_PARTITION_FIELDS)
    )
    is_usual = pl.when(above.is_null()).then(is_like_others).otherwise(pl.col("fields") == above)
    is_cut = is_last & (pl.lit(log.has_sentinels) | ~IS_KNOWN | ~is_usual)
    reason = first_of(
        (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
        (is_cut if log.unterminated else pl.lit(False), texts.TRUNCATED),
        (~IS_NUMBER, texts.NOT_DEVICE_LINE),
        (~IS_KNOWN, pl.format(texts.DEVICE_FIELD_COUNT, "fields")),
        ((~IS_NAMED & ~is_bare_stat) | is_vmstat, texts.NOT_DEVICE_LINE),
        (~IS_NAMED & facts.has_names, texts.NUMBERS_WITHOUT_NAME),
        (is_old & (~of_partition | facts.has_new_partition), texts.FOUR_FIELDS),
        (read != pl.min_horizontal("fields", pl.lit(len(FIELDS))), texts.TOO_LARGE),
        (negative, texts.NEGATIVE_COUNTER),
    )  # fmt: skip
    good, bad = split_rejects(frame, reason)
    if log.unterminated:
        # without its line end a number may lack digits: the last one is then not known
        good = good.with_columns(
            pl.when(~is_last | (pl.col("fields") != count)).then(pl.col(name))
            for count, name in LAST_FIELD.items()
        )
    return good.with_columns(
        pl.col("device").fill_null(NAMELESS),
        in_flight_printed="in_flight",
        in_flight=pl.when(pl.col("in_flight").is_between(0, MAX_IN_FLIGHT)).then("in_flight"),
    ), bad

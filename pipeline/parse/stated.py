"""What run.json states about a log that its own text does not say: names of devices, times of snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import polars as pl

from pipeline import tables
from pipeline.parse import texts
from pipeline.parse.block import NAMELESS
from pipeline.parse.parsed import Parsed, joined
from pipeline.parse.sentinels import SentinelReader
from pipeline.raw import LogInfo

_MISSING_TIMES = (texts.NO_TIMES, texts.NO_DATE, texts.NO_CLOCK)


def with_stated(parsed: Parsed, info: LogInfo) -> Parsed:
    """``parsed`` with the devices and times of ``info``.

    Parameters
    ----------
    parsed : Parsed
        A whole log or one segment; its first snapshot has the number 0.
    info : LogInfo
        A value that the log has itself is kept.

    Returns
    -------
    Parsed
        Without the warnings about what ``info`` supplies.

    Examples
    --------
    >>> from pipeline.parse import log_from_text, parse_log
    >>> log = log_from_text("1 0 8 1 2 0 16 3 0 4 4\\n9 0 9 9 9 0 99 9 0 9 9\\n", "block.log")
    >>> info = LogInfo(devices=("sda",), snapshot_times_ns=(1, 60_000_000_001))
    >>> named = with_stated(parse_log("block", log), info)
    >>> named.tables["block"].select("device", pl.col("time").dt.epoch("ns")).rows()
    [('sda', 1), ('sda', 60000000001)]
    """
    frames, warnings, snapshots = dict(parsed.tables), list(parsed.warnings), parsed.snapshots
    if info.devices and "block" in frames and _is_nameless(frames["block"], len(info.devices)):
        frames["block"] = _with_devices(frames["block"], info.devices)
        snapshots = parsed.snapshots // len(info.devices)
        nameless = texts.nameless_device(NAMELESS)
        warnings = [text for text in warnings if not text.endswith(nameless)]
    if info.has_times:
        frames = {name: _with_times(frame, info) for name, frame in frames.items()}
        warnings = [text for text in warnings if not text.endswith(_MISSING_TIMES)]
    return replace(parsed, tables=frames, warnings=warnings, snapshots=snapshots)


def stated_pieces(
    pieces: Iterable[tuple[Parsed, SentinelReader]], info: LogInfo
) -> Iterator[tuple[Parsed, SentinelReader]]:
    """The pieces of a log (``parse.pieces_with_sentinels``) with the devices and times of ``info``.

    A log whose devices are stated becomes one piece: whether it has no name at all is known at its end.
    """
    if info.devices:
        every = list(pieces)
        pieces = [(joined(parsed for parsed, _ in every), every[-1][1])]
    for parsed, sentinels in pieces:
        yield with_stated(parsed, info), sentinels


def _is_nameless(block: pl.DataFrame, devices: int) -> bool:
    """Whether no line of the log has a name, and the lines are whole snapshots of that many devices."""
    return bool((block["device"] == NAMELESS).all()) and block.height % devices == 0


def _with_devices(block: pl.DataFrame, devices: tuple[str, ...]) -> pl.DataFrame:
    number = pl.int_range(block.height, dtype=pl.Int64, eager=True)
    names = pl.Series("device", devices, dtype=pl.String).gather(number % len(devices))
    return block.with_columns(names, (number // len(devices)).alias("snapshot"))


def _with_times(frame: pl.DataFrame, info: LogInfo) -> pl.DataFrame:
    """``frame`` with a time for each snapshot that has none."""
    if not {"snapshot", "time"} <= set(frame.columns):
        return frame
    numbers = frame["snapshot"].drop_nulls().unique().sort()
    times = pl.DataFrame(
        {"snapshot": numbers, "stated": [info.time_ns(number) for number in numbers]},
        schema={"snapshot": frame.schema["snapshot"], "stated": pl.Int64},
    )
    stated = frame.join(times, on="snapshot", how="left", maintain_order="left")
    return stated.with_columns(time=pl.coalesce("time", pl.col("stated").cast(tables.UTC_NS))).drop(
        "stated"
    )

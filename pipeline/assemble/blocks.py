"""Counters of block devices that were saved by hand: before and after the load, with or without names."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from pipeline import parse
from pipeline.assemble import disks, texts
from pipeline.assemble.clocks import align, span_of
from pipeline.assemble.plan import Choices, Question
from pipeline.assemble.signals import Place
from pipeline.assemble.sources import AssembleError, Machine, Source
from pipeline.assemble.timing import NS, Timing, block_signal
from pipeline.parse.block import NAMELESS
from pipeline.parse.stated import with_stated
from pipeline.raw import HOST, LogInfo

COUNTERS = (
    "reads", "reads_merged", "read_sectors", "read_ms", "writes", "writes_merged", "write_sectors", "write_ms",
    "io_ticks_ms", "time_in_queue_ms",
)  # fmt: skip
MIN_LOOP = 5
"""Lines without a name that grow in every counter are one disk's from this number on, or if they are two."""
ONLY_DISK = "disk"
"""Name of a machine's disk where it has one and no log names it."""


@dataclass(frozen=True)
class BlockFile:
    """One file of counters, its tables, and what run.json states about it."""

    source: Source
    parsed: parse.Parsed
    info: LogInfo

    @property
    def rows(self) -> pl.DataFrame:
        """Its rows, named and timed."""
        return with_stated(self.parsed, self.info).tables["block"]


def block_files(
    machine: Machine, timing: Timing, choices: Choices
) -> tuple[list[BlockFile], list[Question], list[str]]:
    """The files of counters of a machine in the order of their readings, with names of devices and times.

    Returns
    -------
    files : list of BlockFile
    questions : list of Question
        Names of devices that are needed.
    reasons : list of str
        How times were inferred; empty where the log has them.
    """
    files, questions = [], []
    for source in machine.of_kind("block"):
        parsed = parse.parse_log("block", source.log, date=machine.zone.date, tz=machine.zone.tz)
        named, question = _devices(machine, source, parsed.tables["block"], choices)
        files.append(BlockFile(source, parsed, LogInfo(devices=named)))
        questions += [question] if question else []
    if questions or not files:
        return files, questions, []
    if any(file.rows["time"].null_count() == 0 for file in files):
        return files, [], []
    files = sorted(files, key=_age)
    files, reasons = _with_times(files, machine, timing)
    return files, [], reasons


def all_rows(files: list[BlockFile]) -> pl.DataFrame:
    """The rows of all files, snapshots numbered through."""
    frames, count = [], 0
    for file in files:
        rows = file.rows
        frames.append(rows.with_columns(pl.col("snapshot") + count))
        count += int(rows["snapshot"].max() or 0) + 1
    return pl.concat(frames) if frames else pl.DataFrame()


def _devices(
    machine: Machine, source: Source, rows: pl.DataFrame, choices: Choices
) -> tuple[tuple[str, ...], Question | None]:
    """Names for the lines of a file without names; a question where they are needed and not given."""
    if rows.is_empty() or (rows["device"] != NAMELESS).any():
        return (), None
    given = choices.devices.get(machine.role, ())
    in_name = re.search(disks.IN_FILE_NAME, source.path.name.lower())
    if given:
        if rows.height % len(given) == 0:
            return given, None
        if len(given) == 1 or in_name is None:
            raise AssembleError(texts.devices_misfit(source.path, rows.height, len(given)))
    is_only_file = len(machine.of_kind("block")) == 1
    if rows.height == 1 or (is_only_file and _is_one_device(rows)):
        return (in_name[1] if in_name else ONLY_DISK,), None
    option = "--devices" if machine.role == HOST else f"--devices {machine.role}="
    return (), Question(option, texts.nameless_lines(source.path, rows.height))


def _is_one_device(rows: pl.DataFrame) -> bool:
    """Whether the lines are one disk's at several times: no counter decreases from line to line.

    Two lines of one file are its readings before and after, since one reading of two disks would be of no use.
    """
    return (rows.height == 2 or rows.height >= MIN_LOOP) and all(
        (rows[name].drop_nulls().diff().drop_nulls() >= 0).all() for name in COUNTERS
    )


def _age(file: BlockFile) -> float:
    """Sum of the counters of a file's first snapshot: of two files of one machine the later one has the larger."""
    first = file.rows.filter(pl.col("snapshot") == 0)
    sectors = pl.sum_horizontal("read_sectors", "write_sectors").sum()
    return float(first.select(sectors).item() or 0)


def _with_times(
    files: list[BlockFile], machine: Machine, timing: Timing
) -> tuple[list[BlockFile], list[str]]:
    """``files`` with a time for every snapshot: of two, the window's ends."""
    window = timing.local_window(machine.role)
    rows = all_rows(files)
    counts = [int(file.rows["snapshot"].max() or 0) + 1 for file in files]
    of_device = rows.group_by("device").agg(pl.col("snapshot").n_unique())["snapshot"]
    if window is None or of_device.max() in (None, 1):
        return files, []
    start_ns, end_ns = (round(each * NS) for each in window)
    if of_device.max() == 2:  # type: ignore[operator]
        first = rows.group_by("device").agg(pl.col("snapshot").min())["snapshot"].to_list()
        times_ns = [start_ns if number in first else end_ns for number in range(sum(counts))]
        reason = texts.AT_WINDOW_ENDS
    else:
        nearby = span_of(machine.frame("top_summary"))
        place = Place(window[0], timing.uncertainty_s.get(machine.role, 1.0), "")
        ticks = align(block_signal(rows), nearby, place, window[1] - window[0])
        if ticks is not None:
            step_ns = ticks.interval_s * NS
            times_ns = [
                round(ticks.start_s * NS + step_ns * number) for number in range(sum(counts))
            ]
            reason = ticks.reason
        else:
            times_ns = [int(each) for each in np.linspace(start_ns, end_ns, sum(counts))]
            reason = texts.SPREAD_OVER_WINDOW
    timed, position = [], 0
    for file, count in zip(files, counts, strict=True):
        times = tuple(times_ns[position : position + count])
        timed.append(replace(file, info=replace(file.info, snapshot_times_ns=times)))
        position += count
    return timed, [reason]

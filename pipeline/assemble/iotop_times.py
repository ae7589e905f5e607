"""Times of iotop's snapshots where its log prints none (without ``-t``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.assemble import disks, iterations, texts
from pipeline.assemble.clocks import align, moment_ns, span_of
from pipeline.assemble.plan import Choices
from pipeline.assemble.signals import Array, Place
from pipeline.assemble.sources import AssembleError, Machine
from pipeline.assemble.timing import NS, Timing, bytes_signal
from pipeline.raw import HOST

MIN_SHARE = 0.8
"""Of the bytes that the disks counted iotop has to show so much, or at most its inverse."""
MIN_COUNTED_BYTES = 1e6


@dataclass(frozen=True)
class IotopTimes:
    """What run.json states about a log of iotop, and how it was inferred; or what has to be asked."""

    info: dict[str, Any]
    value: str = ""
    reason: str = ""
    option: str = ""
    """Empty, or the option that gives what could not be inferred; then ``reason`` is the question."""


def infer_iotop_times(
    machine: Machine, timing: Timing, choices: Choices, date: str, block: pl.DataFrame
) -> IotopTimes:
    """Times of the snapshots of a machine's only log of iotop.

    By the clock and interval that are given; else by the bytes that the disks counted (:mod:`iterations`); else, and on
    the host, where the disks of several layers count the same bytes, equal iterations, placed by the rise of I/O or by
    their number.
    """
    role, tz = machine.role, machine.zone.tz or "UTC"
    start_s, interval_s = read_iotop_times(choices.iotop.get(role), date, tz)
    if start_s is not None:
        return _equal(start_s, interval_s or 1.0, 0.0, texts.GIVEN, tz)
    totals = machine.frame("iotop_totals")
    frame = machine.frame("iotop_tasks") if totals.is_empty() else totals
    window, log = timing.local_window(role), span_of(machine.frame("top_summary"))
    place = None if window is None else Place(window[0], timing.uncertainty_s.get(role, 1.0), "")
    length_s = None if window is None else window[1] - window[0]
    ticks = align(bytes_signal(frame), log, place, length_s, interval_s)
    rates, counted = _actual_rates(frame), _counted_bytes(block)
    share = None
    if role != HOST and interval_s is None and rates is not None and counted is not None:
        share = None if ticks is None else float(rates.sum()) * ticks.interval_s / counted
        if window is not None:
            span = None if log is None else (log.start_s, log.end_s)
            times_s = iterations.snapshot_times_s(rates, window, counted, span)
            if times_s is not None:
                info = {"snapshot_times_ns": [round(each * NS) for each in times_s.tolist()]}
                return IotopTimes(info, *texts.unequal_iterations(times_s.tolist()))
    if ticks is None:
        question = texts.which_iotop_times(role)
        return IotopTimes({}, reason=question, option=f"--iotop {role}=HH:MM:SS/SECONDS")
    if share is not None and not MIN_SHARE <= share <= 1 / MIN_SHARE:
        question = texts.irregular_iotop(role, ticks.interval_s, share)
        return IotopTimes({}, reason=question, option=f"--iotop {role}=/SECONDS")
    return _equal(ticks.start_s, ticks.interval_s, ticks.uncertainty_s, ticks.reason, tz)


def _equal(
    start_s: float, interval_s: float, uncertainty_s: float, reason: str, tz: str
) -> IotopTimes:
    info = {"start_ns": round(start_s * NS), "interval_s": round(interval_s, 6)}
    value = texts.ticks(start_s, interval_s, tz)
    return IotopTimes(info, value, texts.with_uncertainty(reason, uncertainty_s))


def read_iotop_times(given: str | None, date: str, tz: str) -> tuple[float | None, float | None]:
    """Start and interval of ``HH:MM:SS/SECONDS``; either may be missing.

    Parameters
    ----------
    given : str or None
        The value of ``--iotop``.
    date, tz : str
        The day and time zone of the clock.

    Returns
    -------
    tuple of float or None
        Seconds since 1970, and seconds.

    Raises
    ------
    AssembleError
        If the clock is no time or the interval is not above 0 to 3600.

    Examples
    --------
    >>> read_iotop_times("01:00:00/1.5", "1970-01-01", "UTC")
    (3600.0, 1.5)
    """
    if given is None:
        return None, None
    clock, _, interval = given.partition("/")
    try:
        start_s = moment_ns(clock, date, tz) / NS if clock else None
        interval_s = float(interval) if interval else None
    except (AssembleError, ValueError):
        raise AssembleError(texts.bad_iotop(given)) from None
    if interval_s is not None and not 0 < interval_s <= 3600:
        raise AssembleError(texts.bad_iotop(given))
    return start_s, interval_s


def _counted_bytes(block: pl.DataFrame) -> float | None:
    """Bytes that whole disks moved between their first and last readings; None if too few to compare."""
    if block.is_empty():
        return None
    counted = sum(
        disk.bytes_moved for disk in disks.growths(block) if disks.is_whole_disk(disk.device)
    )
    return counted if counted >= MIN_COUNTED_BYTES else None


def _actual_rates(frame: pl.DataFrame) -> Array | None:
    """Bytes per second of all disks by iteration; None where iotop does not print them."""
    columns = ("actual_read_bytes_per_s", "actual_write_bytes_per_s")
    if not set(columns) <= set(frame.columns):
        return None
    rates = pl.sum_horizontal(pl.col(columns).fill_null(0.0))
    return frame.sort("snapshot").select(rates).to_series().to_numpy()

"""The window of the load and the clocks of the machines, by the rise of CPU time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from pipeline.assemble import processes, texts
from pipeline.assemble.clocks import Span, day_shift, moment_ns, span_of
from pipeline.assemble.load import Load
from pipeline.assemble.plan import Choices
from pipeline.assemble.signals import (
    Place,
    Signal,
    event_signal,
    place_window,
    times_s,
    total_signal,
)
from pipeline.assemble.sources import AssembleError, Machine
from pipeline.raw import HOST

NS = 1_000_000_000
MAX_SAME_CLOCK_S = 2.0
"""Clocks that differ by less are taken for one: machines usually follow one time server."""
MIN_IDLE_S = 10.0
MIN_READINGS = 4
"""A log with fewer has readings before and after the load and no idle time."""
TIMED = ("top_summary", "iotop_totals", "iotop_tasks", "task_processes", "block")


@dataclass
class Timing:
    """The window by the reference clock, and each machine's offset from it."""

    reference: str
    windows: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Guest with a load → start and end, seconds since 1970 by the reference clock."""
    reasons: dict[str, str] = field(default_factory=dict)
    uncertainty_s: dict[str, float] = field(default_factory=dict)
    """Machine → uncertainty of its clock against the reference."""
    offsets_s: dict[str, float] = field(default_factory=dict)
    """Machine → its clock minus the reference."""
    is_window_given: bool = False

    @property
    def window(self) -> tuple[float, float] | None:
        """From the start of the first load to the end of the last."""
        if not self.windows:
            return None
        starts, ends = zip(*self.windows.values(), strict=True)
        return min(starts), max(ends)

    def local_window(self, role: str) -> tuple[float, float] | None:
        """``window`` by the clock of a machine."""
        if self.window is None:
            return None
        offset_s = self.offsets_s.get(role, 0.0)
        return self.window[0] + offset_s, self.window[1] + offset_s


def guest_signals(machine: Machine, pattern: str | None, load: Load) -> list[Signal]:
    """What rises in a guest with its load, the best first: requests in the server's log, then its CPU time."""
    signals = []
    requests = machine.frame("requests")
    if not requests.is_empty():
        signal = event_signal(requests["time"], texts.requests_of(requests["log"][0]))
        counted = 0 if signal is None else signal.growth
        # a web server logs one line per request: another number is that of other clients
        is_web = requests["log"][0] == "access"
        if signal and (not is_web or counted >= 0.9 * (load.completions or 0)):
            signals.append(signal)
    rows = machine.frame("top_processes")
    if pattern and not rows.is_empty():
        own = rows.filter(~pl.col("is_thread") & pl.col("command").str.contains(pattern))
        signal = total_signal(
            own, machine.frame("top_summary"), texts.cpu_of(pattern, machine.role)
        )
        signals += [signal] if signal else []
    return signals


def qemu_signals(host: Machine) -> list[Signal]:
    """CPU time of each QEMU process on the host."""
    rows = host.frame("top_processes")
    if rows.is_empty():
        return []
    own, ticks = processes.qemu_rows(rows), host.frame("top_summary")
    signals = [
        total_signal(own.filter(pl.col("pid") == pid), ticks, texts.cpu_of(f"QEMU {pid}", HOST))
        for pid in own["pid"].unique().sort()
    ]
    return [signal for signal in signals if signal is not None and signal.growth > 0]


def infer_timing(
    machines: dict[str, Machine],
    loads: dict[str, Load],
    patterns: dict[str, str | None],
    choices: Choices,
    date: str,
) -> Timing:
    """Where each load is, and how far the machines' clocks are apart.

    Parameters
    ----------
    machines : dict of str to Machine
        By role, without the client.
    loads : dict of str to Load
        By guest.
    patterns : dict of str to str or None
        The guest's server processes.
    choices : Choices
    date : str
        Day of ``choices.start`` and ``choices.end``.

    Returns
    -------
    Timing
        Without a window where the logs do not say where it is.
    """
    host = machines.get(HOST)
    is_host_timed = host is not None and machine_span(host) is not None
    timing = Timing(HOST if is_host_timed else next(iter(loads), HOST))
    qemu = qemu_signals(host) if host is not None and is_host_timed else []
    for name, load in loads.items():
        machine = machines.get(name)
        signals = [] if machine is None else guest_signals(machine, patterns.get(name), load)
        guest = _first_place(signals, load.duration_s)
        own = _best_match(qemu, guest, load.duration_s)
        _set_clock(timing, name, guest, own)
        place = guest or own
        if place is not None and load.duration_s:
            start_s = place.start_s - (timing.offsets_s[name] if place is guest else 0.0)
            timing.windows[name] = (start_s, start_s + load.duration_s)
            timing.reasons[name] = texts.window_reason(
                load.duration_s, load.tool, place.signal, place.uncertainty_s
            )
            timing.uncertainty_s.setdefault(HOST, place.uncertainty_s)
            timing.uncertainty_s[name] = max(
                timing.uncertainty_s.get(name, 0.0), place.uncertainty_s
            )
    for name in machines:
        timing.offsets_s.setdefault(name, 0.0)
    _set_given_window(timing, loads, choices, date, machines)
    return timing


def _first_place(signals: list[Signal], length_s: float | None) -> Place | None:
    """The place by the first signal that tells, unless the next one contradicts it by more than a minute."""
    places = [place for each in signals if length_s and (place := place_window(each, length_s))]
    if len(places) > 1 and abs(places[0].start_s - places[1].start_s) > 60:
        return places[1]
    return places[0] if places else None


def _best_match(signals: list[Signal], guest: Place | None, length_s: float | None) -> Place | None:
    """Of the QEMUs the one whose CPU time rises where the guest's does; without a guest the one that rises most."""
    if not length_s:
        return None
    placed = [(signal, place) for signal in signals if (place := place_window(signal, length_s))]
    if not placed:
        return None

    def rank(item: tuple[Signal, Place]) -> tuple[bool, float]:
        signal, place = item
        grown = float(signal.between(place.start_s, place.start_s + length_s))
        is_apart = guest is not None and abs(place.start_s - guest.start_s) > MAX_SAME_CLOCK_S
        return is_apart, -grown

    return min(placed, key=rank)[1]


def _set_clock(timing: Timing, name: str, guest: Place | None, own: Place | None) -> None:
    """The offset of a guest's clock from the host's."""
    if guest is None or own is None or timing.reference == name:
        timing.offsets_s[name] = 0.0
        return
    uncertainty_s = guest.uncertainty_s + own.uncertainty_s
    apart_s = guest.start_s - own.start_s
    is_same = abs(apart_s) <= max(MAX_SAME_CLOCK_S, 2 * uncertainty_s)
    timing.offsets_s[name] = 0.0 if is_same else apart_s
    timing.uncertainty_s[name] = uncertainty_s


def _set_given_window(
    timing: Timing,
    loads: dict[str, Load],
    choices: Choices,
    date: str,
    machines: dict[str, Machine],
) -> None:
    if choices.start is None and choices.end is None:
        return
    host = machines.get(HOST) or next(iter(machines.values()))
    tz = host.zone.tz or "UTC"
    start_s, end_s = (
        None if text is None else moment_ns(text, date, tz) / NS
        for text in (choices.start, choices.end)
    )
    for name, load in loads.items():
        length_s = load.duration_s
        if start_s is not None and end_s is not None:
            window = (start_s, end_s)
        elif length_s is None:
            raise AssembleError(texts.BOTH_ENDS)
        else:
            window = (
                (start_s, start_s + length_s) if start_s is not None else (end_s - length_s, end_s)
            )  # type: ignore[operator]
        if window[1] <= window[0]:
            raise AssembleError(texts.REVERSED_WINDOW)
        timing.windows[name], timing.reasons[name] = window, texts.GIVEN
    timing.is_window_given = True


def machine_span(machine: Machine) -> Span | None:
    """Span of the first log of a machine that has times."""
    for table in TIMED:
        frame = machine.frame(table)
        span = None if frame.is_empty() else span_of(frame)
        if span is not None:
            return span
    return None


def idle_before(
    machines: dict[str, Machine], blocks: Mapping[str, pl.DataFrame], timing: Timing
) -> tuple[float, float] | None:
    """The idle time before the load by the reference clock, where every log of every machine has it.

    Parameters
    ----------
    machines : dict of str to Machine
        By role, without the client.
    blocks : mapping of str to polars.DataFrame
        Table ``block`` by role, with its times.
    timing : Timing

    Returns
    -------
    tuple of float or None
        Start and end; None where a log begins less than ``MIN_IDLE_S`` before the load.
    """
    if timing.window is None:
        return None
    starts_s = []
    for role, machine in machines.items():
        offset_s = timing.offsets_s.get(role, 0.0)
        for frame in (machine.frame("top_summary"), machine.frame("iotop_totals"), blocks[role]):
            span = span_of(frame)
            is_sampled = not frame.is_empty() and frame["time"].n_unique() > MIN_READINGS
            if span is None or not is_sampled:
                return None
            starts_s.append(span.start_s - offset_s)
    margin_s = 1.0 + max(timing.uncertainty_s.values(), default=0.0)
    start_s, end_s = max(starts_s), timing.window[0] - margin_s
    return (start_s, end_s) if end_s - start_s >= MIN_IDLE_S else None


def bytes_signal(frame: pl.DataFrame) -> Signal:
    """Bytes that a log of iotop reports, by number of snapshot."""
    numbers = range(int(frame["snapshot"].max() or 0) + 1)  # type: ignore[arg-type]
    rates = pl.sum_horizontal(
        pl.col(name).fill_null(0.0) for name in ("read_bytes_per_s", "write_bytes_per_s")
    )
    sums = pl.sum_horizontal(pl.col(name).fill_null(0.0) for name in ("read_bytes", "write_bytes"))
    of_snapshot = frame.group_by("snapshot").agg(rates.sum().alias("rate"), sums.sum().alias("sum"))
    every = pl.DataFrame({"snapshot": pl.Series(numbers, dtype=frame.schema["snapshot"])})
    ordered = every.join(of_snapshot, on="snapshot", how="left", maintain_order="left").fill_null(0)
    accumulated = ordered["sum"].cum_max() if ordered["sum"].sum() else ordered["rate"].cum_sum()
    return Signal(
        every["snapshot"].to_numpy().astype(float), accumulated.to_numpy(), "I/O of iotop"
    )


def block_signal(frame: pl.DataFrame) -> Signal:
    """Busy time of all devices by number of snapshot."""
    ordered = frame.group_by("snapshot").agg(pl.col("io_ticks_ms").fill_null(0).sum()).sort("snapshot")  # fmt: skip
    busy = ordered["io_ticks_ms"].cast(pl.Float64).cum_max().to_numpy() / 1e3
    return Signal(
        ordered["snapshot"].to_numpy().astype(float), busy, "busy time of the disks", 0.01
    )


def date_shift(machine: Machine) -> int:
    """Days by which iotop's times have to be moved to overlap top's: one may begin before midnight."""
    top, iotop = (span_of(machine.frame(table)) for table in ("top_summary", "iotop_totals"))
    if top is None:
        return 0
    if iotop is None:
        iotop = span_of(machine.frame("iotop_tasks"))
    return 0 if iotop is None else day_shift(iotop, top)


def top_growth(machine: Machine, pattern: str, window: tuple[float, float]) -> float | None:
    """CPU time of the processes of a pattern in a window by the machine's clock; None without a log of top."""
    rows = machine.frame("top_processes")
    if rows.is_empty():
        return None
    own = rows.filter(~pl.col("is_thread") & pl.col("command").str.contains(pattern))
    signal = total_signal(own, times_s(machine.frame("top_summary")), "")
    return None if signal is None else float(signal.between(*window))

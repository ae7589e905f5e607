"""Texts of the table of a run's environment: items and values."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.measure.kernel_counters import CpuQuota
from pipeline.units import format_short

STEAL = "steal"
PRESSURE = "pressure"
SAMPLED = "sampled: it exceeds the time that requests were in the disk"
MAYBE_SAMPLED = (
    "may be sampled (Linux 5.0 to 6.9 without the fix); it does not exceed the time of its requests"
)


def _percent(share: float) -> str:
    return f"{format_short(100 * share)} %"


def steal(share: float) -> str:
    """Share of the CPU time that was stolen."""
    return f"{_percent(share)} of the CPU time"


def pressure(resource: str) -> str:
    """Item: pressure of a resource."""
    return f"{PRESSURE}, {resource}"


def pressure_shares(shares: Mapping[str, float]) -> str:
    """Shares of the time in which some or all tasks waited."""
    who = {"some": "some tasks waited", "full": "all tasks waited"}
    return ", ".join(f"{who[kind]} {_percent(share)} of the time" for kind, share in shares.items())


def not_recorded(reason: str) -> str:
    """Value: not recorded, and why."""
    return f"not recorded ({reason})"


def quota(path: str) -> str:
    """Item: the CPU quota of a cgroup."""
    return f"CPU quota of cgroup {path}"


def quota_use(use: CpuQuota) -> str:
    """A CPU quota, and how often it was used up."""
    cpus = "" if use.cpus is None else f"{format_short(use.cpus)} CPUs, "
    return (
        f"{cpus}used up in {_percent(use.throttled_share)} of {use.periods:,.0f} periods, "
        f"{format_short(use.throttled_s)} s of waiting"
    )


def halt_polling(virtual_server: str) -> str:
    """Item: halt polling."""
    return f"halt polling, {virtual_server}"


def polled(poll_ns: int, polled_and_qemu_s: tuple[float, float] | str) -> str:
    """Setting and CPU time of halt polling, or why that is missing."""
    if poll_ns == 0:
        return "off"
    setting = f"up to {poll_ns / 1000:g} µs"
    if isinstance(polled_and_qemu_s, str):
        return f"{setting}; CPU time {not_recorded(polled_and_qemu_s)}"
    polled_s, qemu_s = polled_and_qemu_s
    return f"{setting}; {format_short(polled_s)} s of QEMU's {format_short(qemu_s)} s of CPU time"


def io_ticks(device: str) -> str:
    """Item: io_ticks of a disk."""
    return f"io_ticks of {device}"


def delays(virtual_server: str) -> str:
    """Item: delay accounting."""
    return f"delay accounting, {virtual_server}"


def older_processes(since_s: float, older: int, processes: int) -> str:
    """Processes that started before delay accounting was switched on."""
    return (
        f"switched on {since_s:,.0f} s after boot; {older} of {processes} processes started before: their waits for a "
        "disk are not in iotop's IO column"
    )

"""Sentences about service demands that a user reads: flags, reasons for a missing value, warnings of the regression."""

from __future__ import annotations

NO_BACKGROUND = "no idle baseline: the background is not subtracted"
NO_GUEST_MODE = "emulation has no guest mode: guest_time is 0"
NO_GUEST_TIME = "tasks.log has no guest_time of the vCPU threads"
GUEST_TIME_ZERO = "guest_time is 0: the host's kernel does not account for it"
ROLES = {
    "vcpu": "a vCPU",
    "emulator": "the main loop",
    "iothread": "an I/O thread",
    "worker": "a worker",
    "vhost": "vhost",
}
"""Role of a QEMU thread → its description."""


def no_demand(station: str) -> str:
    """A station whose demand was not computed."""
    return f"no demand at {station}"


def background_not_in_interval(reason: str) -> str:
    """The idle baseline is too short for a time series."""
    return f"{reason}: intervals do not include the variation of the background"


def no_thread(virtual_server: str, role: str) -> str:
    """No thread of a QEMU process has this role."""
    return f"no thread of {virtual_server}'s QEMU is recognized as {ROLES[role]}"


def unnamed_threads(reason: str) -> str:
    """QEMU was started without thread names."""
    return f"{reason}: its threads have no names (-name …,debug-threads=on)"


def no_load_of_class(name: str) -> str:
    """A class without any throughput."""
    return f"{name}: no run has a load of this class, so its demand is 0"


def narrow_load_range(name: str, low: float, high: float) -> str:
    """Loads too similar to separate demand and background."""
    return (
        f"{name}: the loads range only from {low:.3g} to {high:.3g} per second: "
        "demand and background cannot be separated"
    )


def collinear_loads(condition_number: float) -> str:
    """Loads of the classes rise and fall together."""
    return (
        f"the loads of the classes are collinear (condition number {condition_number:.0f}): "
        "only the sum of their demands is determined"
    )

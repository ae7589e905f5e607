"""Sentences and headings of the page *Published studies*."""

from __future__ import annotations

from pipeline.units import format_number, format_percent, format_short

PLATFORMS = {"native": "bare machine", "kvm": "KVM guest", "qemu": "QEMU without KVM"}

CPU_ALONE = "CPU alone, constant demand"
CPU_RISING = "CPU alone, rising demand"
SINGLE_SERVER = "delay and single server"
RISING_RATE = "delay and station, rate ∝ n^γ"
MEASURED = "measured"
UPPER_BOUND = "bound: 1 / largest X"

SERIES = {"is_measured": "measured", "population": "threads, N"}
STATIONS = {
    "demand_ms": "demand at 290 threads (ms)",
    "low_ms": "95 % CI: low (ms)",
    "high_ms": "high (ms)",
    "demand_of_single_ms": "with one customer (ms)",
    "exponent": "γ (95 % CI)",
    "max_error": "largest error of X",
    "reduced_chi_squared": "χ² per degree of freedom",
}
LEVELS = {
    "population": "threads, N",
    "X_per_s": "X (1/s)",
    "R_ms": "R (ms)",
    "little_error": "(N / X − R) / R",
    "busy": "CPU utilization",
    "demand_ms": "CPU demand D (ms)",
    "error_constant": "error of X, constant D",
    "error_rising": "error of X, rising D",
}
PRINTED = {
    "computed": "computed here",
    "agrees": "agrees within rounding",
    "measured": "measured by the author",
    "error": "error of the model",
}
FACTORS = {
    "native": "native",
    "value": "virtualized",
    "ratio": "performance / native",
    "low": "95 % CI: low",
    "high": "high",
    "reason": "why no interval",
}
CONSOLIDATION = {
    "vcpus_per_guest": "virtual CPUs per guest",
    "threads_per_guest": "threads per guest",
    "time_s": "time (s)",
    "expected_s": "expected without loss (s)",
    "ratio": "time / expected",
}

RECORDINGS = (
    (
        "CPU time of QEMU's threads: vhost, iothreads, emulator, each virtual CPU",
        "a thread that serves one transaction at a time uses one CPU whole: 3.1 % of the host's 32",
        "tasks.log of the host, t and v lines",
    ),
    (
        "time in interrupts and softirqs of each CPU of host and guest",
        "one virtual CPU that handles all interrupts of a network device with one queue",
        "tasks.log, cpuN lines (irq, softirq)",
    ),
    (
        "time that tasks and virtual CPUs wait for a CPU, and halt polling",
        "virtual CPUs that sleep and are woken for every packet",
        "tasks.log of the host, k lines (pressure, kvm); steal in the guest",
    ),
    (
        "state of the server's threads in the guest",
        "290 threads that sleep while CPUs are idle: locks or the network, not the CPU",
        "tasks.log of the guest, t lines (state)",
    ),
    (
        "lock waits in the database and in the guest's kernel",
        "a lock that is held 0.18 ms per transaction",
        "not recorded: performance_schema of MySQL, perf lock",
    ),
    (
        "interrupts by source, packets, exits from the guest",
        "fewer interrupts per transaction as X rises: why the station's rate rises",
        "not recorded: /proc/interrupts, /proc/net/dev, kvm_stat",
    ),
)
"""What would have to be recorded to find the station: quantity, what it would show, where the collectors have it."""


def kvm_answer(max_error: float, demand_ms: float, low_ms: float, high_ms: float) -> str:
    """The verdict on MySQL under KVM where a station is missing."""
    return (
        f"MySQL under KVM: the model of the CPU is wrong, X is up to {format_percent(max_error, sign=False)} too high. "
        f"A serial station is missing, of about {format_short(demand_ms, 2)} ms per transaction "
        f"(at 290 threads {format_number(demand_ms)} ms, 95 %: {format_number(low_ms)} to {format_number(high_ms)})."
    )


def outcome_answer(subject: str, outcome: str) -> str:
    """The verdict on a sweep in which no station is missing, or none can be named."""
    return f"{subject}: {outcome}."


def native_answer(rise: float, max_error: float, saturated: float, first: int) -> str:
    """The verdict on MySQL on the bare machine."""
    return (
        f"MySQL on the bare machine: no station is missing at the maximum, the CPU is full; its demand rises "
        f"{format_number(rise)} times. With it, X is within {format_percent(saturated, sign=False)} from {first} "
        f"threads on, and up to {format_percent(max_error, sign=False)} too high below."
    )


def printed_answer(wrong: int, count: int, low: float, high: float) -> str:
    """The verdict on the printed models."""
    return (
        f"Printed M/M/1, M/M/m and closed models: {wrong} of {count} printed values are wrong; the others are "
        f"reproduced, but the models miss the measured response times by {format_percent(low)} to "
        f"{format_percent(high)}."
    )


DEMAND_AND_RATE = {
    "measured": "D, 290 over 10 threads",
    "by_slope": "by the slope",
    "interval": "95 % interval",
}

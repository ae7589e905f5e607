"""Texts of the checks of the environment: names, messages and flags.

A module of its own because ``texts`` is near the limit of a module's length.
"""

from __future__ import annotations

from pipeline.units import format_short

MEMORY_PRESSURE = {"guest": "memory pressure in the guest", "host": "memory pressure on the host"}
STEAL = {"guest": "steal in the guest", "host": "steal on the host"}
CPU_QUOTA = {"guest": "CPU quota in the guest", "host": "CPU quota on the host"}
HALT_POLLING = "halt polling of KVM"
PHYSICAL_HOST = "the host is a physical machine"
CLIENT_CPU = "CPU of the load generator"
CLIENT_FILES = "open files of the load generator"

RULE_QUOTA = (
    "passed: within the tolerance, or study.json states a CPU quota of the server; failed: outside"
)


def percent(share: float) -> str:
    """A share in percent."""
    return f"{format_short(100 * share)} %"


def steal(machine: str, share: float) -> str:
    """Message and flag of steal."""
    return f"steal took {percent(share)} of the {machine}'s CPU time"


def throttled(path: str, cpus: float | None, share: float, seconds: float) -> str:
    """Message of a throttled CPU quota."""
    quota = "" if cpus is None else f" of {format_short(cpus)} CPUs"
    return (
        f"cgroup {path}: the quota{quota} was used up in {percent(share)} of the periods; its threads waited "
        f"{format_short(seconds)} s in total"
    )


def planned_quota(quota: float) -> str:
    """Part of a message: the quota is part of the study's plan."""
    return f"; study.json states a quota of {format_short(quota)} CPUs, which the model contains"


def throttled_flag(machine: str, share: float) -> str:
    """Flag of a throttled CPU quota."""
    return f"a CPU quota on the {machine} was used up in {percent(share)} of its periods"


def halt_polling(poll_ns: int, polled_s: float, qemu_s: float) -> str:
    """Message of halt polling with its counters."""
    return (
        f"halt_poll_ns is {poll_ns:,}: {format_short(polled_s)} s of QEMU's {format_short(qemu_s)} s of CPU time were "
        "polling"
    )


def halt_polling_flag(share: float) -> str:
    """Flag of halt polling."""
    return f"{percent(share)} of QEMU's CPU time is halt polling"


def unknown_polling(poll_ns: int, reason: str) -> str:
    """Reason: halt polling without its counters."""
    return (
        f"halt_poll_ns is {poll_ns:,}: QEMU's CPU time contains polling for work, and how much is unknown ({reason}); "
        "0 in /sys/module/kvm/parameters/halt_poll_ns switches it off"
    )


def nested(vm: str | None, container: str | None) -> str:
    """Message of a host that is a guest or a container."""
    kinds = [
        *([f"a virtual machine ({vm})"] if vm else []),
        *([f"a container ({container})"] if container else []),
    ]
    return (
        f"the host is itself {' and '.join(kinds)}: its CPU speed, steal and disks depend on a machine that is not "
        "recorded"
    )


def memory_pressure(machine: str, share: float) -> str:
    """Message and flag of memory pressure."""
    return f"tasks on the {machine} waited for memory in {percent(share)} of the time"


def client_cpu(cpu_percent: float) -> str:
    """Message and flag of a load generator that had too little CPU."""
    return (
        f"httperf used {format_short(cpu_percent)} % of a CPU: it polls all the time, so it waited for a CPU in the "
        "rest, and its times contain that"
    )


def client_cpu_flag(cpu_percent: float) -> str:
    """Flag of a load generator that had too little CPU."""
    return f"the load generator got {format_short(cpu_percent)} % of a CPU"


def no_free_file(connections: int, limit: int | None) -> str:
    """Message of connections without a free file descriptor."""
    limited = "" if limit is None else f"; the limit of open files is {limit:,} (ulimit -n)"
    return f"{connections:,} connections had no free file descriptor{limited}"


def no_free_file_flag(connections: int) -> str:
    """Flag of connections without a free file descriptor."""
    return f"{connections:,} connections without a free file descriptor at the client"


def few_files(population: int, limit: int) -> str:
    """Message and flag of more threads than open files."""
    return f"{population:,} threads of the client with a limit of {limit:,} open files (ulimit -n)"

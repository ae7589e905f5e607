"""Titles of charts and names of stations that the Python API gives, and the messages of its errors."""

from __future__ import annotations

from collections.abc import Iterable


def vcpus(count: float) -> str:
    """Name of a guest's CPUs."""
    return "vCPU" if count == 1 else f"{count:g} vCPUs"


def cpu_limit_station(cpus: float) -> str:
    """Name of the station that is all CPU time of the host's guests."""
    return f"host CPU limit ({cpus:g} CPU, all guests)"


def response_parts(virtual_server: str) -> str:
    """Title of the chart of residence times."""
    return f"Where a request's time goes: {virtual_server}"


def models_vs_client(virtual_server: str) -> str:
    """Title of the chart of modelled and measured response times."""
    return f"Response time of the {virtual_server}: models and client"


def throughput(virtual_server: str) -> str:
    """Title of the chart of completed requests."""
    return f"Throughput of the {virtual_server}"


def server_cpu(virtual_server: str, step_s: float) -> str:
    """Title of the chart of the processes' CPU time."""
    return f"CPU time in the guest: processes of the {virtual_server} (TIME+ of top, means of {step_s:g} s)"


def threads(virtual_server: str, step_s: float) -> str:
    """Title of the chart of the QEMU threads' CPU time."""
    return f"CPU time on the host: QEMU threads of the {virtual_server} (task counters, means of {step_s:g} s)"


def disks(virtual_server: str) -> str:
    """Title of the chart of disk utilization."""
    return f"Disk utilization and requests in flight: {virtual_server} (io_ticks)"


UTILIZATION = "Utilization of the stations"
CPU_AXIS = "CPU used (CPUs)"
RATE_AXIS = "requests/s"


def unknown_name(kind: str, name: str, names: Iterable[str]) -> str:
    """Error: something that the study or the run does not have; ``names``: the nearest first."""
    return f"unknown {kind} {name!r}; choose from {', '.join(names) or 'none'}"


def step_not_positive(step_s: float) -> str:
    """Error: a time step of no length."""
    return f"step_s must be above 0 (got {step_s:g})"


def no_thread_of_role(virtual_server: str, role: str, roles: Iterable[str]) -> str:
    """Error: no thread of QEMU has the role, by the log or by its name."""
    return (
        f"no {role} thread of {virtual_server}: neither tasks.log nor the names of QEMU's threads give that role; "
        f"roles: {', '.join(roles) or 'none'}"
    )

"""Titles of charts and names of stations that the Python API gives, and the messages of its errors."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.raw import Workload


def vcpus(count: float) -> str:
    """Name of a guest's CPUs."""
    return "vCPU" if count == 1 else f"{count:g} vCPUs"


def server_processes_only(cpus: str) -> str:
    """Name of CPUs of which only the server's own use was measured."""
    return f"{cpus} (server's processes only)"


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


def panel_titles(request: str, step_s: float) -> tuple[str, ...]:
    """Titles of the panels over time."""
    return (
        f"Throughput ({request}s/s)",
        f"CPU in the guest: the server's processes (CPUs, means of {step_s:g} s)",
        f"CPU on the host: QEMU's threads (CPUs, means of {step_s:g} s)",
        "Disk utilization",
        "Requests in the disk, waiting or served",
    )


ZOOM_HINT = "Drag over the strip to zoom all panels; double-click it to see the whole time again."


def over_time(virtual_server: str) -> str:
    """Title of the chart of everything over time."""
    return f"{virtual_server[:1].upper()}{virtual_server[1:]} over time"


def disks(virtual_server: str) -> str:
    """Title of the chart of disk utilization."""
    return f"Disk utilization and requests in flight: {virtual_server} (io_ticks)"


SEVERAL_LOADS = "several loads"
STUDY_HEADINGS = ("server", "load", "runs", "held out", "problems")
RUN_HEADINGS = ("virtual server", "load", "R (client)", "X (client)", "model usable")


def study_extent(runs: int) -> str:
    """How many runs a study has, after its title."""
    return ": 1 run" if runs == 1 else f": {runs} runs"


def run_length(seconds: float) -> str:
    """How long the load of a run lasted, after its id."""
    return f": {seconds:.0f} s of load"


def workload_text(work: Workload) -> str:
    """The load of a virtual server: ``16 threads``, ``5/s even``."""
    if work.kind == "open":
        return f"{work.rate_per_s:g}/s {work.arrivals or ''}".strip()
    return f"{work.population} threads"


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


def not_a_number_of_threads(threads: float) -> str:
    """Error: no whole number of threads."""
    return f"threads must be a whole number from 1 on (got {threads:g})"


def not_a_think_time(think_time_s: float) -> str:
    """Error: a negative or infinite think time."""
    return f"think_time_s must be a number from 0 on (got {think_time_s:g})"


def not_a_rate(rate_per_s: float) -> str:
    """Error: no rate of arrivals."""
    return f"rate_per_s must be a number above 0 (got {rate_per_s:g})"


def other_kind(virtual_server: str, server: str, kind: str) -> str:
    """Error: a closed load for a model of open loads, or the other way round."""
    loads = "qv.closed(threads)" if kind == "closed" else "qv.poisson(rate) or qv.even(rate)"
    return f"the model of {virtual_server} on {server} was fitted to {kind} loads; give {loads}"


def extrapolated(load: str, low: float, high: float, kind: str) -> str:
    """Warning: a load below or above all that were measured."""
    unit = "threads" if kind == "closed" else "requests/s"
    return f"{load}: outside the range of the fit ({low:g} to {high:g} {unit})"


def no_such_arrivals(arrivals: str) -> str:
    """Warning: a spacing of arrivals that no run of the fit has."""
    return f"no run of the fit has {arrivals} arrivals: those of a Poisson stream are assumed"


def saturated(load: str) -> str:
    """Warning: a load without a steady state."""
    return f"{load}: more than the server can do; the response time has no bound"

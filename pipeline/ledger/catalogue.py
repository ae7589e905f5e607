"""The catalogue: every quantity of the ledger, its unit, equation, inputs, LaTeX, and the one function that gives it.

A quantity may depend on *choices* (equation 9 by which throughput, equation 10 with whose utilization, the background
kept or off, section IV as a sum or nested); it has a value for each combination. Two combinations have names, the
*variants*: ``as-printed`` (every choice as the paper prints it, the signs of equations 4 and 5 apart) and
``corrected``, in which closed workloads are solved as closed (MVA). They are defined in docs/background/variants.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from pipeline import equations as eq
from pipeline.ledger import texts
from pipeline.ledger.interval_value import IntervalValue, exact, propagate, unavailable
from pipeline.measure.disks import DISKS, Disk

if TYPE_CHECKING:
    from pipeline.ledger.evaluation import Evaluation

AS_PRINTED = "as-printed"
CORRECTED = "corrected"
KEPT, OFF = "kept", "off"
SERVICE = "service-demand"

CHOICES: dict[str, tuple[str, ...]] = {
    "demand": eq.DEMAND_VARIANTS,
    "denominator": eq.DENOMINATORS,
    "background": (KEPT, OFF),
    "sum": ("sum", "nested"),
}
"""Columns of the ledger, and what may stand in them."""

VARIANTS: dict[str, dict[str, str]] = {
    AS_PRINTED: {"demand": AS_PRINTED, "denominator": "own", "background": KEPT, "sum": "sum"},
    CORRECTED: {"demand": SERVICE, "denominator": "total", "background": OFF, "sum": "nested"},
}

ALL = "all"
"""Stands for all quantities of a virtual server."""
X_MVA = "X_mva"
"""The throughput of the closed model; in the ledger an X_req by equation MVA."""

ROUNDING = 0.005
"""A share that exceeds 1 by less is iotop's rounding and its clock, not write-back."""

Choice = dict[str, str]
Compute = Callable[["Evaluation", Choice], IntervalValue]


@dataclass(frozen=True)
class Entry:
    """One quantity."""

    symbol: str
    unit: str
    equation: str
    """The paper's number, or ``ours: …``, or ``client``."""
    label: str
    latex: str
    compute: Compute
    inputs: tuple[str, ...] = ()
    """The quantities that it is computed from."""
    choices: tuple[str, ...] = ()
    """The columns of ``CHOICES`` that its value depends on (``variant``: one value for each variant)."""
    source: str = ""
    """Tables and columns it is measured by; else its inputs."""
    formula: str = ""
    """LaTeX; ``<symbol>`` stands for a quantity, ``<symbol:kept>`` for it with the background kept."""
    corrected: str = ""
    """The formula of the corrected variant, where it is another."""
    part: str = ""
    """Result of the closed model that is its value in the corrected variant of a closed workload."""
    shown: bool = True
    """Whether tables of the equations show it."""

    @property
    def is_of_the_paper(self) -> bool:
        """Whether one of the paper's equations defines it."""
        return self.equation.isdigit() or self.equation == "IV"

    def options(self, choice: str) -> tuple[str, ...]:
        """What may be chosen of one of its ``choices``."""
        if choice == "variant":
            return tuple(VARIANTS)
        # per operation the share cancels, so that equation 8 has no version of its own for it
        return (SERVICE, AS_PRINTED) if self.equation == "8" and choice == "demand" else CHOICES[choice]  # fmt: skip


def _measured(name: str) -> Compute:
    """What was counted over the load; with the background off, less what an idle machine would have counted."""

    def compute(e: Evaluation, c: Choice) -> IntervalValue:
        return e.increase(name) if c["background"] == KEPT else e.net_of_background(name)

    return compute


def _propagate(equation: Callable, *symbols: str) -> Compute:
    return lambda e, c: propagate(equation, *(e.get(symbol, c) for symbol in symbols))


def _sectors(equation: Callable, name: str) -> Compute:
    return lambda e, c: propagate(equation, exact(0.0), _measured(name)(e, c))


def _share_demand(c: Choice) -> Choice:
    return {**c, "demand": SERVICE if c["demand"] == SERVICE else AS_PRINTED}


def _disk_entries(d: Disk) -> list[Entry]:
    where = "guest" if d == "vdisk" else "host"
    disk = "the guest's disk" if d == "vdisk" else "the host's disk"
    block, background = f"{where} block", ("background",)

    def utilization(e: Evaluation, c: Choice) -> IntervalValue:
        value = propagate(eq.disk_utilization, e.get(f"T_{d}", c), e.get("T", c))
        if value.value is not None and value.value > 1:
            return value.with_flags(texts.UTILIZATION_ABOVE_1)
        return value

    def share(e: Evaluation, c: Choice) -> IntervalValue:
        if c["demand"] == SERVICE and not e.is_shared(d):
            return exact(1.0)
        ratio = propagate(eq.server_share, e.get(f"IO_{d}_req", c), e.get(f"IO_{d}_total", c))
        if ratio.value is not None and ratio.value > 1 + ROUNDING:
            return ratio.with_flags(texts.share_capped(ratio.value))
        return ratio

    def demand(e: Evaluation, c: Choice) -> IntervalValue:
        return propagate(
            eq.disk_demand,
            e.get(f"U_{d}_req", _share_demand(c)),
            variant=c["demand"],
            requests_per_s=e.get("X_req", c),
            operations_per_s=e.get(f"X_{d}_total", c),
            share=e.get(f"share_{d}", _share_demand(c)),
        )

    def residence(e: Evaluation, c: Choice) -> IntervalValue:
        # Work of neighbours delays, background or not: `total` is all that the disk did.
        busy = (
            e.get(f"U_{d}_req", _share_demand(c))
            if c["denominator"] == "own"
            else e.get(f"U_{d}_total", {"background": KEPT})
        )
        return propagate(eq.disk_residence_time, e.get(f"D_{d}_req", c), busy)

    return [
        Entry(
            f"IO_{d}_task", "bytes", "7", f"bytes that one task moved at {disk}", f"IO_{{{d},tid}}",
            _per_subject, source=f"{where} iotop_tasks", shown=False,
        ),
        Entry(
            f"T_{d}", "s", "3", f"time with a request in {disk}", f"T_{{{d}}}", _measured(d),
            (), background, f"{block}.io_ticks_ms",
        ),
        Entry(
            f"U_{d}_total", "1", "3", f"utilization of {disk}", f"U_{{{d},total}}", utilization,
            (f"T_{d}", "T"), background, formula=rf"\frac{{<T_{d}>}}{{<T>}}",
        ),
        Entry(
            f"Read_{d}_total", "bytes", "4", f"bytes read from {disk}", f"Read_{{{d},total}}",
            _sectors(eq.bytes_read, f"{d}_read"), (), background, f"{block}.read_sectors",
        ),
        Entry(
            f"Write_{d}_total", "bytes", "5", f"bytes written to {disk}", f"Write_{{{d},total}}",
            _sectors(eq.bytes_written, f"{d}_written"), (), background, f"{block}.write_sectors",
        ),
        Entry(
            f"IO_{d}_total", "bytes", "6", f"bytes that {disk} moved", f"IO_{{{d},total}}",
            _propagate(eq.bytes_transferred, f"Read_{d}_total", f"Write_{d}_total"),
            (f"Read_{d}_total", f"Write_{d}_total"), background,
            formula=f"<Read_{d}_total> + <Write_{d}_total>",
        ),
        Entry(
            f"IO_{d}_req", "bytes", "7", f"bytes that the server's tasks moved at {disk}", f"IO_{{{d},req}}",
            _measured(f"{d}_bytes"), (f"IO_{d}_task",), background,
        ),
        Entry(
            f"share_{d}", "1", "8", f"the server's share of {disk}: iotop's, or 1 where no other uses it",
            f"share_{{{d}}}", share, (f"IO_{d}_req", f"IO_{d}_total"), ("demand", "background"),
        ),
        Entry(
            f"U_{d}_req", "1", "8", f"utilization of {disk} by the server", f"U_{{{d},req}}",
            lambda e, c: propagate(
                eq.server_disk_utilization, e.get(f"share_{d}", c), e.get(f"U_{d}_total", c)
            ),
            (f"share_{d}", f"U_{d}_total"), ("demand", "background"),
            formula=rf"\min(\frac{{<IO_{d}_req>}}{{<IO_{d}_total>}}, 1) \cdot <U_{d}_total>",
            corrected=f"<share_{d}> \\cdot <U_{d}_total>",
        ),
        Entry(
            f"X_{d}_total", "operations/s", "9", f"operations of {disk} per second", f"X_{{{d},total}}",
            lambda e, c: propagate(eq.throughput, _measured(f"{d}_operations")(e, c), e.get("T", c)),
            ("T",), background, f"{block}.reads, writes, T",
        ),
        Entry(
            f"D_{d}_req", "s", "9", f"service demand at {disk}", f"D_{{{d},req}}", demand,
            (f"U_{d}_req", "X_req", f"X_{d}_total", f"share_{d}"), ("demand", "background"),
            f"U_{d}_req, X_req or X_{d}_total",
            formula=rf"\frac{{<U_{d}_req>}}{{<X_{d}_total>}}", corrected=rf"\frac{{<U_{d}_req>}}{{<X_req>}}",
        ),
        Entry(
            f"R_{d}", "s", "10", f"residence time at {disk}", f"R_{{{d}}}", residence,
            (f"D_{d}_req", f"U_{d}_req", f"U_{d}_total"), ("demand", "denominator", "background"),
            formula=rf"\frac{{<D_{d}_req>}}{{1 - <U_{d}_req>}}",
            corrected=rf"\frac{{<D_{d}_req>}}{{1 - <U_{d}_total:kept>}}", part=d,
        ),
        Entry(
            f"L_{d}", "requests", "ours: mean in flight", f"mean number of requests in {disk}", f"L_{{{d}}}",
            lambda e, c: propagate(eq.disk_utilization, e.increase(f"{d}_queue"), e.get("T", c)), ("T",),
            source=f"{block}.time_in_queue_ms, T",
        ),
    ]  # fmt: skip


def _per_subject(e: Evaluation, c: Choice) -> IntervalValue:
    return unavailable(texts.ONE_ROW_PER_SUBJECT)


def _response(e: Evaluation, c: Choice) -> IntervalValue:
    variant = "as-printed" if c["sum"] == "sum" else "nested"
    parts = (e.get(symbol, c) for symbol in ("R_cpu", "R_vdisk", "R_disk"))
    return propagate(eq.response_time, *parts, variant=variant)


def _error(e: Evaluation, c: Choice) -> IntervalValue:
    modelled, measured = e.of_variant("R_req", c["variant"]), e.get("R_client", c)
    return propagate(eq.relative_error, modelled, measured)


_QEMU = "host task_processes.utime_ticks, stime_ticks"
_CLIENT = "client summary"

ENTRIES = [
    Entry(
        "lambda_total", "requests", "2", "requests completed, measured by the client", r"\lambda_{total}",
        lambda e, c: e.requests, source="client.completions",
    ),
    Entry(
        "lambda_log", "requests", "ours: count", "requests in the server's own log", r"\lambda_{log}",
        lambda e, c: e.requests_logged, source="requests",
    ),
    Entry(
        "T", "s", "3", "length of the load", "T", lambda e, c: e.length, source="run.json window"
    ),
    Entry(
        "T_cpu_process", "s", "1", "CPU time of one of the server's processes", "T_{cpu,pid}",
        _per_subject, source="guest top_processes.cpu_time_s", shown=False,
    ),
    Entry(
        "T_cpu_idle", "s", "1", "CPU time of the server's processes in the idle baseline", "T_{cpu,idle}",
        lambda e, c: e.idle_increase("guest_cpu"), source="guest top_processes.cpu_time_s", shown=False,
    ),
    Entry(
        "T_cpu", "s", "1", "CPU time of the server's processes", "T_{cpu}", _measured("guest_cpu"),
        ("T_cpu_process", "T_cpu_idle"), ("background",),
        formula=r"\sum_i T_{cpu,pid_i}",
        corrected=r"<T_cpu:kept> - \frac{T}{T_{before}} <T_cpu_idle>",
    ),
    Entry(
        "T_cpu_kernel", "s", "ours: task counters", "the same by the task counters", "T_{cpu,kernel}",
        lambda e, c: e.increase("kernel_cpu"), source="guest task_processes.utime_ticks, stime_ticks",
    ),
    Entry(
        "U_vcpu", "1", "ours: Utilization Law", "utilization of the guest's CPUs by the server's processes",
        "U_{vcpu}", lambda e, c: propagate(eq.cpu_utilization, e.get("T_cpu", c), e.get("T", c), e.guest_cpus),
        ("T_cpu", "T"), ("background",), "T_cpu, T, cpus of facts.json",
    ),
    Entry(
        "T_qemu", "s", "ours: host CPU", "CPU time of the virtual server's QEMU on the host", "T_{qemu}",
        _measured("host_cpu"), (), ("background",), _QEMU,
    ),
    Entry(
        "U_qemu", "CPUs", "ours: host CPU", "host CPUs that QEMU kept busy", "U_{qemu}",
        _propagate(eq.cpu_utilization, "T_qemu", "T"), ("T_qemu", "T"), ("background",),
    ),
    Entry(
        "D_qemu", "s", "ours: host CPU", "CPU time of QEMU per request", "D_{qemu}",
        _propagate(eq.cpu_residence_time, "T_qemu", "lambda_total"), ("T_qemu", "lambda_total"), ("background",),
        formula=r"\frac{<T_qemu>}{<lambda_total>}",
    ),
    Entry(
        "R_cpu", "s", "2", "CPU time of the server's processes per request", "R_{cpu}",
        _propagate(eq.cpu_residence_time, "T_cpu", "lambda_total"), ("T_cpu", "lambda_total"), ("background",),
        formula=r"\frac{<T_cpu>}{<lambda_total>}", part="cpu",
    ),
    *(entry for d in DISKS for entry in _disk_entries(d)),
    Entry(
        "X_req", "requests/s", "10", "throughput", "X_{req}", _propagate(eq.throughput, "lambda_total", "T"),
        ("lambda_total", "T"), formula=r"\frac{<lambda_total>}{<T>}", part="throughput",
    ),
    Entry(
        "R_req", "s", "IV", "response time of a request", "R_{req}", _response, ("R_cpu", "R_vdisk", "R_disk"),
        ("demand", "denominator", "background", "sum"),
        formula="<R_cpu> + <R_vdisk> + <R_disk>", corrected=r"<R_cpu> + \max(<R_vdisk>, <R_disk>)",
        part="response",
    ),
    Entry(
        "X_client", "requests/s", "client", "throughput, measured by the client", "X_{client}",
        lambda e, c: e.client("throughput_per_s", "throughput"), source=_CLIENT,
    ),
    Entry(
        "R_client", "s", "client", "mean response time, measured by the client", "R_{client}",
        lambda e, c: e.client("response_time_mean_s", "response time"), source=_CLIENT,
    ),
    Entry(
        "N_client", "requests", "ours: Little's law", "mean number of requests in the system", "N_{client}",
        lambda e, c: propagate(eq.population_from_response_time, e.get("R_client", c), e.get("X_client", c)),
        ("X_client", "R_client"),
    ),
    Entry(
        "error_R", "1", "ours: model against client", "relative error of R_req", r"\epsilon_R",
        _error, ("R_req", "R_client"), ("variant",),
    ),
]  # fmt: skip

CATALOGUE: dict[str, Entry] = {entry.symbol: entry for entry in ENTRIES}
"""Symbol → its entry, in the order of the equations."""

_INPUTS = {symbol: set(entry.inputs) for symbol, entry in CATALOGUE.items()} | {X_MVA: {"R_req"}}
ORDER = tuple(TopologicalSorter(_INPUTS).static_order())
"""All quantities, inputs before what is computed from them."""


def dependents_of(roots: Iterable[str]) -> set[str]:
    """``roots`` and all that is computed from them; all quantities if one of them is ``ALL``."""
    dependents = set(roots)
    if ALL in dependents:
        return set(ORDER)
    unknown = dependents - set(ORDER)
    if unknown:
        raise KeyError(f"the catalogue has no {', '.join(sorted(unknown))}")
    for symbol in ORDER:
        if _INPUTS[symbol] & dependents:
            dependents.add(symbol)
    return dependents


TIMED = dependents_of(
    entry.symbol for entry in ENTRIES if not entry.inputs and not entry.source.startswith("client")
)
"""Quantities that depend on the window or on the time of a snapshot: all but those of the client's report alone."""

"""The catalogue applied to one virtual server in one run: a number for each quantity and combination of choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np

from pipeline import equations as eq
from pipeline.ledger import texts
from pipeline.ledger.catalogue import (
    CATALOGUE,
    CORRECTED,
    KEPT,
    VARIANTS,
    Choice,
    Entry,
)
from pipeline.ledger.interval_value import IntervalValue, exact, from_bounds, propagate, unavailable
from pipeline.measure import texts as measure_texts
from pipeline.measure.clients import ClientResult, client_result
from pipeline.measure.counters import BoundedValue
from pipeline.measure.disks import DISKS, Disk, is_shared
from pipeline.measure.virtual_server import RunCounters, value_or_reason
from pipeline.network.closed import mean_value_analysis

MVA_INPUTS = ("R_cpu", "D_vdisk_req", "D_disk_req")
QEMU_SYMBOLS = ("T_qemu", "U_qemu")
"""What there is of a virtual server without a load."""


@dataclass(frozen=True)
class Row:
    """One row of the ledger without the columns of its run."""

    entry: Entry
    number: IntervalValue
    equation: str
    variant: str | None = None
    choice: Choice = field(default_factory=dict)
    source: str = ""
    subject: str | None = None


class Evaluation:
    """Quantities of one virtual server; each is computed once, when it is first used."""

    def __init__(self, counters: RunCounters):
        self.counters = counters
        self.work = counters.server.workload
        self.length = exact(counters.window.duration_s)
        self._cache: dict[tuple, IntervalValue] = {}

    # -- what is measured --------------------------------------------------------------------------------

    def increase(self, name: str) -> IntervalValue:
        """Increase of a counter over the load (``RunCounters.increase``), or the reason why it is missing."""
        return _quantity(lambda: self.counters.increase(name))

    def idle_increase(self, name: str) -> IntervalValue:
        """What was counted in the idle baseline, scaled to its length."""
        return _quantity(lambda: self.counters.idle_increase(name))

    def net_of_background(self, name: str) -> IntervalValue:
        """``increase`` net of the background: the idle rate times the length of the load."""
        used, idle, before = (
            self.increase(name),
            self.idle_increase(name),
            self.counters.run.idle_before,
        )
        if idle.value_low_high is None or before is None:
            return IntervalValue(None, tuple(dict.fromkeys((*used.flags, *idle.flags))))
        # the value alone: a background that is taken off lowers where it is high, so its own ends do not go along
        taken = exact(float(idle.value_low_high[0]), *idle.flags)
        off = propagate(eq.net_of_background, used, taken, exact(before.duration_s), self.length)
        if off.value == 0 and used.value:
            return off.with_flags(texts.BACKGROUND_ABOVE_LOAD)
        return off

    def is_shared(self, disk: Disk) -> bool:
        """Whether another virtual server uses the same disk."""
        return is_shared(self.counters.tables, self.counters.server, disk)

    @cached_property
    def _client(self) -> ClientResult | str:
        return value_or_reason(lambda: client_result(self.counters.client()))

    def client(self, name: str, name_in_text: str = "") -> IntervalValue:
        """A number of the client's report (``ClientResult``)."""
        result = self._client
        if isinstance(result, str):
            return unavailable(result)
        return _optional(getattr(result, name), texts.not_printed(name_in_text))

    @property
    def requests(self) -> IntervalValue:
        """λ_total, with the flags of the client's summary."""
        flags = () if isinstance(self._client, str) else self._client.flags
        return self.client("completions").with_flags(*flags)

    @property
    def requests_logged(self) -> IntervalValue:
        """User requests in the server's own log."""
        count = value_or_reason(self.counters.requests_logged)
        return unavailable(count) if isinstance(count, str) else exact(count)

    @property
    def guest_cpus(self) -> IntervalValue:
        """Number of CPUs of the guest."""
        role = self.counters.server.role
        cpus = self.counters.run.facts(role).get("cpus")
        return _optional(cpus, measure_texts.no_fact(role, "cpus"))

    # -- what is computed --------------------------------------------------------------------------------

    def get(self, symbol: str, choice: Choice | None = None) -> IntervalValue:
        """A quantity, by those of ``choice`` that it depends on."""
        entry = CATALOGUE[symbol]
        chosen = {name: (choice or {})[name] for name in entry.choices}
        key = (symbol, *chosen.values())
        if key not in self._cache:
            self._cache[key] = entry.compute(self, chosen)
        return self._cache[key]

    def of_variant(self, symbol: str, variant: str) -> IntervalValue:
        """A quantity as one of the variants has it."""
        if variant == CORRECTED and self._is_closed and CATALOGUE[symbol].part:
            return self._solved(CATALOGUE[symbol].part)
        return self.get(symbol, VARIANTS[variant])

    @property
    def _is_closed(self) -> bool:
        return self.work is not None and self.work.kind == "closed"

    def _solved(self, part: str) -> IntervalValue:
        work = self.work
        if work is None or work.population is None:
            return unavailable(texts.NO_POPULATION)
        off = VARIANTS[CORRECTED]
        solved = propagate(
            _closed, *(self.get(symbol, off) for symbol in MVA_INPUTS),
            population=work.population, think_time_s=work.think_time_s or 0.0, part=part,
        )  # fmt: skip
        return solved.with_flags(
            *(
                texts.neighbour_not_modelled(neighbour.name)
                for neighbour in self.counters.neighbours()
                if neighbour.workload is not None
            )
        )

    # -- rows --------------------------------------------------------------------------------------------

    def rows(self) -> Iterator[Row]:
        """All rows, in the order of the equations."""
        for entry in CATALOGUE.values():
            if entry.symbol == "T_cpu_process":
                yield from self._process_rows(entry)
            elif entry.symbol.endswith("_task"):
                yield from self._task_rows(entry)
            else:
                yield from self._rows_of(entry)

    def qemu_rows(self) -> Iterator[Row]:
        """Of a virtual server without a load: what its QEMU cost the host."""
        for symbol in QEMU_SYMBOLS:
            entry = CATALOGUE[symbol]
            yield Row(entry, self.get(symbol, {"background": KEPT}), entry.equation, None,
                      {"background": KEPT}, _source(entry))  # fmt: skip

    def _rows_of(self, entry: Entry) -> Iterator[Row]:
        names = entry.choices
        solved = bool(entry.part) and self._is_closed
        for values in product(*(entry.options(name) for name in names)):
            choice = dict(zip(names, values, strict=True))
            variant = choice.pop("variant", None) or _variant_of(choice)
            if solved and variant == CORRECTED:
                variant = None
            number = self.get(entry.symbol, {**choice, **({"variant": variant} if variant else {})})
            yield Row(entry, number, entry.equation, variant, choice, _source(entry))
        if solved:
            choice = {k: v for k, v in VARIANTS[CORRECTED].items() if k in names}
            choice.pop("denominator", None)
            number = self._solved(entry.part)
            yield Row(entry, number, "MVA", CORRECTED, choice, ", ".join(MVA_INPUTS))

    def _recording_flags(self, name: str) -> tuple[str, ...]:
        flags = value_or_reason(lambda: self.counters.recording_flags(name))
        return () if isinstance(flags, str) else flags

    def _process_rows(self, entry: Entry) -> Iterator[Row]:
        processes = value_or_reason(self.counters.processes)
        of_log = self._recording_flags("guest_cpu")
        for row in [] if isinstance(processes, str) else processes.iter_rows(named=True):
            flags = [
                *([texts.STARTED_IN_WINDOW] if row["started_in_window"] else []),
                *([texts.EXITED_IN_WINDOW] if row["exited_in_window"] else []),
                *of_log,
            ]
            number = from_bounds(row["cpu_time_s"], row["low_s"], row["high_s"], *flags)
            subject = texts.process_subject(row["pid"], row["pid_generation"])
            yield Row(entry, number, entry.equation, source=entry.source, subject=subject)

    def _task_rows(self, entry: Entry) -> Iterator[Row]:
        disk = next(d for d in DISKS if entry.symbol == f"IO_{d}_task")
        tasks = value_or_reason(lambda: self.counters.tasks(disk))
        of_log = self._recording_flags(f"{disk}_bytes")
        for row in [] if isinstance(tasks, str) else tasks.iter_rows(named=True):
            total = row["read_bytes"] + row["written_bytes"]
            low = max(0.0, total - row["uncertain_bytes"])
            number = from_bounds(total, low, total + row["uncertain_bytes"], *of_log)
            yield Row(entry, number, entry.equation, source=entry.source, subject=f"task {row['task']}")  # fmt: skip


def _source(entry: Entry) -> str:
    return entry.source or ", ".join(entry.inputs)


def _variant_of(choice: Choice) -> str | None:
    for name, chosen in VARIANTS.items():
        if choice and all(chosen[key] == value for key, value in choice.items()):
            return name
    return None


def _quantity(measure: Callable[[], BoundedValue]) -> IntervalValue:
    number = value_or_reason(measure)
    if isinstance(number, str):
        return unavailable(number)
    return from_bounds(number.value, number.low, number.high, *number.flags)


def _optional(value: float | None, reason: str) -> IntervalValue:
    return unavailable(reason) if value is None else exact(value)


def _closed(
    cpu_s: np.ndarray,
    vdisk_s: np.ndarray,
    disk_s: np.ndarray,
    *,
    population: int,
    think_time_s: float,
    part: str,
) -> np.ndarray:
    """One figure of the closed model: queues at the CPU, the physical disk, and the virtualization layer above it."""
    figures = []
    for demands in eq.closed_stations(cpu_s, vdisk_s, disk_s):
        solution = mean_value_analysis(demands, population, think_time_s)
        cpu, disk, layer = solution.residence_times
        figures.append(
            {
                "cpu": cpu,
                "vdisk": disk + layer,
                "disk": disk,
                "response": solution.response_time,
                "throughput": solution.throughput,
            }[part]
        )
    return np.array(figures)

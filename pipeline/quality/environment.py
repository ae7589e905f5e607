"""Checks of what surrounds a run: steal, CPU quotas, halt polling, nesting, memory pressure, the load generator.

A check is made only where its source was recorded and says something: a machine without steal or without a CPU quota
has no row. None of them sets a flag on a number of the ledger: the numbers are what they say, but the model lacks what
the check found, or another machine's share is in them.

Sources: steal, ``man 5 proc``; quotas, Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst; halt
polling, Documentation/virt/kvm/halt-polling.rst; pressure, Documentation/accounting/psi.rst; httperf polls, so its CPU
utilization is close to 100 % unless other processes interfere: ``man httperf``, miscellaneous section.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.measure.cpu_limit import CpuLimit
from pipeline.measure.kernel_counters import (
    CpuQuota,
    cpu_quotas,
    halt_polling,
    has_kernel_counters,
    pressure_share,
    steal_share,
)
from pipeline.measure.processes import own_process_rows
from pipeline.measure.run_tables import RunTables
from pipeline.measure.window import MissingData
from pipeline.quality import environment_texts as texts
from pipeline.quality.check import (
    INCONCLUSIVE,
    PASSED,
    Check,
    Result,
    exact_result,
    not_evaluated,
)
from pipeline.quality.recording import GUEST
from pipeline.quality.texts import RULE_EXACT
from pipeline.raw import CLIENT, HOST, VirtualServer, Window

MAX_STEAL = 0.01
"""Share of a machine's CPU time that may be stolen."""
MAX_THROTTLED = 0.01
"""Share of the periods in which a CPU quota may be used up."""
MAX_POLLING = 0.05
"""Share of QEMU's CPU time that may be halt polling."""
MAX_MEMORY_PRESSURE = 0.01
"""Share of the time in which tasks may wait for memory."""
MIN_CLIENT_CPU_PERCENT = 90.0
"""httperf polls, so it uses a whole CPU if it gets one."""
CLIENT_FILES = 16
"""Files that a load generator has open besides its connections."""


def check_environment(
    tables: RunTables,
    server: VirtualServer,
    window: Window,
    limit: CpuLimit,
    client: dict | None,
) -> Iterator[Check]:
    """The checks of one virtual server's machines; ``client``: the summary row of its load generator."""
    for machine, role in ((GUEST, server.role), (HOST, HOST)):
        if role == HOST and tables.run.is_host_itself(server.role):
            continue
        yield from check_steal(tables, machine, role, window)
        if has_kernel_counters(tables, role):
            yield from _check_quotas(tables, server, machine, role, window, limit)
            yield from _check_memory(tables, machine, role, window)
    yield from check_halt_polling(tables, server, window)
    yield from check_physical_host(tables.run.facts(HOST))
    if client is not None:
        yield from check_client_cpu(client)
        yield from check_client_files(
            client, server, tables.run.facts(CLIENT).get("open_file_limit")
        )


def _value_or_none(measure: Callable[[], float]) -> float | None:
    try:
        return measure()
    except MissingData:
        return None


def _percent_check(
    name: str,
    share: float,
    maximum: float,
    message: str,
    flag: str,
    *,
    rule: str = RULE_EXACT,
    result: Result | None = None,
) -> Check:
    return Check(
        name, result or exact_result(share, 0, maximum), message, (), 100 * share, 0.0, 100 * maximum, "%", flag,
        rule=rule,
    )  # fmt: skip


def check_steal(tables: RunTables, machine: str, role: str, window: Window) -> Iterator[Check]:
    """A row if steal is above its limit; a machine without a hypervisor, or under TCG, has none."""
    share = _value_or_none(lambda: steal_share(tables, role, window))
    if share is not None and share > MAX_STEAL:
        text = texts.steal(machine, share)
        yield _percent_check(texts.STEAL[machine], share, MAX_STEAL, text, text)


def _check_quotas(
    tables: RunTables,
    server: VirtualServer,
    machine: str,
    role: str,
    window: Window,
    limit: CpuLimit,
) -> Iterator[Check]:
    name = texts.CPU_QUOTA[machine]
    try:
        rows = own_process_rows(tables, server, role)
        quotas = list(cpu_quotas(tables, role, window, rows["pid"].unique()))
    except MissingData as reason:
        yield not_evaluated(name, str(reason), ())
        return
    if quotas:
        yield check_quotas(name, machine, quotas, limit.quota if role == HOST else None)


def check_quotas(name: str, machine: str, quotas: list[CpuQuota], planned: float | None) -> Check:
    """Whether the tightest of some CPU quotas was used up; ``planned``: the quota in study.json."""
    worst = max(quotas, key=lambda quota: quota.throttled_share)
    share = worst.throttled_share
    message = texts.throttled(worst.path, worst.cpus, share, worst.throttled_s)
    result = None
    if planned is not None:
        result, message = PASSED, message + texts.planned_quota(planned)
    flag = texts.throttled_flag(machine, share)
    return _percent_check(
        name, share, MAX_THROTTLED, message, flag, rule=texts.RULE_QUOTA, result=result
    )


def _check_memory(tables: RunTables, machine: str, role: str, window: Window) -> Iterator[Check]:
    share = _value_or_none(lambda: pressure_share(tables, role, "memory", window))
    if share is not None and share > MAX_MEMORY_PRESSURE:
        text = texts.memory_pressure(machine, share)
        yield _percent_check(texts.MEMORY_PRESSURE[machine], share, MAX_MEMORY_PRESSURE, text, text)


def check_halt_polling(tables: RunTables, server: VirtualServer, window: Window) -> Iterator[Check]:
    """The share of polling in QEMU's CPU time, where KVM polls: a vCPU without work keeps its CPU for that time."""
    facts = tables.run.facts(HOST)
    poll_ns = facts.get("halt_poll_ns")
    if tables.run.accelerator != "kvm" or not isinstance(poll_ns, int) or poll_ns <= 0:
        return
    name = texts.HALT_POLLING
    try:
        polled_s, qemu_s = halt_polling(tables, server, window)
    except MissingData as reason:
        recorded = facts.get("kernel_counters")
        why = recorded.get("kvm") if isinstance(recorded, dict) else None
        yield not_evaluated(name, texts.unknown_polling(poll_ns, str(why or reason)), ())
        return
    share = polled_s / qemu_s if qemu_s > 0 else 0.0
    message = texts.halt_polling(poll_ns, polled_s, qemu_s)
    yield _percent_check(name, share, MAX_POLLING, message, texts.halt_polling_flag(share))


def check_physical_host(facts: dict) -> Iterator[Check]:
    """A row if the host is itself a guest or runs in a container: inconclusive, as its effect is unknown."""
    recorded = facts.get("virtualization")
    recorded = recorded if isinstance(recorded, dict) else {}
    vm, container = (
        kind if isinstance(kind, str) and kind != "none" else None
        for kind in (recorded.get("vm"), recorded.get("container"))
    )
    if vm or container:
        yield Check(texts.PHYSICAL_HOST, INCONCLUSIVE, texts.nested(vm, container), ())


def check_client_cpu(client: dict) -> Iterator[Check]:
    """A row if httperf got less than a whole CPU."""
    parts = [client["cpu_user_percent"], client["cpu_system_percent"]]
    if None in parts:
        return
    used = sum(parts)
    if used < MIN_CLIENT_CPU_PERCENT:
        yield Check(
            texts.CLIENT_CPU, exact_result(used, 100.0, 100.0 - MIN_CLIENT_CPU_PERCENT), texts.client_cpu(used), (),
            used, 100.0, 100.0 - MIN_CLIENT_CPU_PERCENT, "%", texts.client_cpu_flag(used),
        )  # fmt: skip


def check_client_files(client: dict, server: VirtualServer, limits: object) -> Iterator[Check]:
    """A row if the client had too few file descriptors: by its errors, or by its threads and ``ulimit -n``."""
    soft = limits[0] if isinstance(limits, list) and limits else None
    soft = soft if isinstance(soft, int) else None
    refused = client["errors_fd_unavailable"]
    population = server.workload.population if server.workload is not None else None
    name = texts.CLIENT_FILES
    if refused:
        yield Check(
            name, exact_result(refused, 0, 0), texts.no_free_file(refused, soft), (), float(refused), 0.0, 0.0,
            "connections", texts.no_free_file_flag(refused),
        )  # fmt: skip
    elif population and soft is not None and population + CLIENT_FILES > soft:
        text = texts.few_files(population, soft)
        yield Check(name, exact_result(population, 0, soft - CLIENT_FILES), text, (), float(population), 0.0,
                    float(soft - CLIENT_FILES), "threads", text)  # fmt: skip

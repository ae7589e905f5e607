"""Which instruments of a run agree: top, iotop and block against the kernel's counters in tasks.log.

The paper's quantities come from top, iotop and /sys/block. tasks.log samples the kernel's own counters beside
them. ``instruments`` compares, over the load's window, every quantity that two of them measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from pipeline.bundle import CLIENT, HOST, VirtualServer, Window
from pipeline.measure.disks import DISKS, Disk, jiffy_s, of_device, place_of, server_iotop_rows
from pipeline.measure.processes import qemu_rows, server_rows
from pipeline.measure.run_tables import RunTables, ticks_per_s
from pipeline.measure.window import Unmeasured, load_window
from pipeline.validate import cpu_pairs, disk_pairs
from pipeline.validate.comparison import difference
from pipeline.validate.cpu_pairs import Clocks
from pipeline.validate.disk_pairs import Direction
from pipeline.validate.envelope import Envelope
from pipeline.validate.pairs import Comparison, Found, Pair, compared

INSTRUMENTS = pl.Schema(
    {
        "role": pl.String,
        "virtual_server": pl.String,
        "what": pl.String,
        "subject": pl.String,
        "unit": pl.String,
        "one": pl.String,
        "one_value": pl.Float64,
        "one_resolution": pl.Float64,
        "other": pl.String,
        "other_value": pl.Float64,
        "other_resolution": pl.Float64,
        "relation": pl.String,
        "difference": pl.Float64,
        "verdict": pl.String,
        "sentence": pl.String,
        "affects": pl.String,
    }
)
"""A row a pair: on which machine; about which virtual server (null: the whole machine) and subject (a pid);
both instruments, their values, and half the width of what each leaves open, snapshots' times included; ``relation``
(``equal``, or ``at most``: the first measures a part of the second); their difference (for ``at most``, the
excess); ``verdict`` (``comparison.judge``); a sentence; and what of the ledger is computed from the first, separated
by blanks (empty where nothing is: a delay by the task counters, iotop's Actual line)."""

TOP, KERNEL = "top, TIME+", "task counters"
IOTOP, PROC_IO, BLOCK = "iotop, rates × intervals", "task counters, /proc/PID/io", "block, sectors"

SERVER_CPU = Pair("CPU time of the server's processes", "s", TOP, KERNEL, ("T_cpu_process",))
PROCESS_CPU = Pair("CPU time of one process", "s", TOP, KERNEL, ("T_cpu_process",))
QEMU_CPU = Pair("CPU time of QEMU", "s", TOP, KERNEL, ("T_qemu",))
WHOLE_CPU = Pair("share of all CPUs that was busy", "1", "top, %Cpu", "/proc/stat", ())
TASKS_SHOWN = Pair("tasks", "tasks", "top, its count", "top, its rows", ("T_cpu_process",))
GUEST_CPU = Pair(
    "CPU time of the guest, and what its QEMU got",
    "s", "guest, /proc/stat", "host, task counters of QEMU", ("T_cpu_process",), "at most",
)  # fmt: skip


def instruments(tables: RunTables, envelope: Envelope) -> pl.DataFrame:
    """Every comparison of a run, form ``INSTRUMENTS``: machine by machine, host first.

    What cannot be compared has the verdict ``missing`` and says why. Without a window there is nothing to compare.
    """
    rows = [_row(found) for found in comparisons(tables, envelope)]
    return pl.DataFrame(rows, schema=INSTRUMENTS)


def comparisons(tables: RunTables, envelope: Envelope) -> list[Comparison]:
    """The same as records."""
    run = tables.run
    if run.window is None:
        return []
    servers = [run.virtual_servers[name] for name in sorted(run.virtual_servers)]
    found: list[Comparison] = []
    roles = [role for role in run.roles if role not in (CLIENT, HOST)]
    for role in [HOST, *roles]:
        found += _machine(tables, role, run.window)
        for server in servers:
            window = load_window(run, server)
            if role == HOST:
                found += _on_host(tables, server, window, envelope)
            elif server.role == role:
                found += _in_guest(tables, server, window)
    return found


def _row(found: Comparison) -> dict[str, str | float | None]:
    pair, both = found.pair, found.found
    numbers: dict[str, float | None] = {}
    for name in ("one", "other"):
        reading = None if both is None else getattr(both, name)
        numbers[f"{name}_value"] = None if reading is None else reading.value
        numbers[f"{name}_resolution"] = (
            None if reading is None else (reading.high - reading.low) / 2
        )
    return {
        "role": found.role,
        "virtual_server": found.virtual_server,
        "what": pair.what,
        "subject": found.subject,
        "unit": pair.unit,
        "one": pair.one,
        "other": pair.other,
        **numbers,
        "relation": pair.relation,
        "difference": None if both is None else difference(both.one, both.other, pair.relation),
        "verdict": found.verdict,
        "sentence": found.sentence(),
        "affects": " ".join(pair.affects),
    }


# -- whole machines -----------------------------------------------------------------------------------------


def _machine(tables: RunTables, role: str, window: Window) -> Iterator[Comparison]:
    facts = tables.run.facts(role)

    def shown() -> Found:
        if facts.get("only") is not None:
            raise Unmeasured("top was asked for some of the machine's processes only")
        return cpu_pairs.tasks_shown(
            tables.sampled("top_summary", role), tables.sampled("top_processes", role), window
        )

    yield from compared(role, None, WHOLE_CPU, lambda: cpu_pairs.whole_cpu(
        tables.sampled("top_summary", role), tables.sampled("cpus", role), window, _clocks(tables, role)
    ))  # fmt: skip
    yield from compared(role, None, TASKS_SHOWN, shown)
    for direction in DIRECTIONS:
        bytes_of = (f"IO_{'disk' if role == HOST else 'vdisk'}_task",)

        def sums(direction: Direction = direction) -> Found:
            if facts.get("only") is not None:
                raise Unmeasured("iotop's rows were cut to some of the machine's tasks")
            return disk_pairs.totals_against_rows(
                tables.sampled("iotop_tasks", role), tables.sampled("iotop_totals", role), window, direction
            )  # fmt: skip

        def actual(direction: Direction = direction) -> Found:
            if facts.get("devices") is not None:
                raise Unmeasured("block.log holds some of the machine's disks only")
            return disk_pairs.actual_against_disks(
                tables.sampled("iotop_totals", role), tables.sampled("block", role), _disks(facts),
                window, facts.get("interval_s"), direction,
            )  # fmt: skip

        words = DIRECTIONS[direction]
        yield from compared(role, None, Pair(
            f"bytes {words} by all tasks", "bytes", "iotop, Total", "iotop, sum of its rows", bytes_of
        ), sums)  # fmt: skip
        yield from compared(role, None, Pair(
            f"bytes {words} by all disks", "bytes", "iotop, Actual", BLOCK, ()
        ), actual)  # fmt: skip


DIRECTIONS: dict[Direction, str] = {"read": "read", "write": "written"}


def _clocks(tables: RunTables, role: str) -> Clocks:
    facts = tables.run.facts(role)
    hertz = ticks_per_s(tables.run, role)
    return Clocks(hertz, facts.get("interval_s"), float(facts.get("cpus") or 1))


def _disks(facts: dict) -> list[str]:
    """Disks of a machine that lie under no other of its devices, so that each byte counts once."""
    known = facts.get("block_devices")
    if not isinstance(known, list):
        raise Unmeasured("facts.json does not tell disks from what lies on them")
    return [
        one["name"]
        for one in known
        if not one.get("slaves") and not one.get("loop_file") and one.get("size_bytes")
    ]


# -- one virtual server -------------------------------------------------------------------------------------


def _in_guest(tables: RunTables, server: VirtualServer, window: Window) -> Iterator[Comparison]:
    role, pattern = server.role, server.server_processes

    def counters() -> pl.DataFrame:
        return server_rows(tables, server, "task_processes")

    yield from _cpu(tables, server, role, SERVER_CPU, counters, window, pattern or "")
    yield from _disk(tables, server, role, "vdisk", counters, window)


def _on_host(
    tables: RunTables, server: VirtualServer, window: Window, envelope: Envelope
) -> Iterator[Comparison]:
    name = server.name

    def counters() -> pl.DataFrame:
        return qemu_rows(tables, server)

    yield from _cpu(tables, server, HOST, QEMU_CPU, counters, window, "")
    is_guest = not tables.run.is_host_itself(server.role)
    if is_guest:
        yield from compared(HOST, name, GUEST_CPU, lambda: cpu_pairs.guest_against_host(
            tables.sampled("cpus", server.role), counters(), window,
            _clocks(tables, server.role), _clocks(tables, HOST), quota=envelope.quota,
        ))  # fmt: skip
    yield from _disk(tables, server, HOST, "disk", counters, window)
    if is_guest:
        yield from _both_disks(tables, server, window)


def _cpu(
    tables: RunTables,
    server: VirtualServer,
    role: str,
    pair: Pair,
    counters: Callable[[], pl.DataFrame],
    window: Window,
    pattern: str,
) -> Iterator[Comparison]:
    """CPU time by top and by the counters: the sum, then process by process."""

    def both() -> tuple[Found, list[Found]]:
        kernel = counters()
        top = tables.sampled("top_processes", role)
        if not pattern:  # QEMU's name may be cut in top; its pid is known
            top = top.filter(pl.col("pid").is_in(kernel["pid"].unique().implode()))
        return cpu_pairs.process_times(
            top, tables.sampled("top_summary", role), kernel, tables.sampled("task_processes", role),
            window, _clocks(tables, role), pattern,
        )  # fmt: skip

    yield from compared(role, server.name, pair, lambda: both()[0])
    if pair is SERVER_CPU:
        each = compared(role, server.name, PROCESS_CPU, lambda: both()[1])
        yield from (found for found in each if found.found is not None)


def _disk(
    tables: RunTables,
    server: VirtualServer,
    role: str,
    disk: Disk,
    counters: Callable[[], pl.DataFrame],
    window: Window,
) -> Iterator[Comparison]:
    """Bytes by iotop, by the counters and by the disk; the disk's busy time and its queue."""
    name, facts = server.name, tables.run.facts(role)
    whose = "QEMU" if role == HOST else "the server's processes"
    asked = facts.get("interval_s")
    alone = role == HOST and _alone(tables, server)

    def told() -> str:
        return place_of(server, disk)[1]

    for direction, words in DIRECTIONS.items():
        what, own = f"bytes {words} by {whose}", (f"IO_{disk}_task",)
        yield from compared(role, name, Pair(what, "bytes", IOTOP, PROC_IO, own), lambda d=direction: (
            disk_pairs.against_counters(
                server_iotop_rows(tables, role, server), tables.sampled("iotop_tasks", role),
                tables.sampled("iotop_totals", role), counters(),
                tables.sampled("task_processes", role), window, asked, d,
            )
        ))  # fmt: skip
        pair = Pair(
            f"{what}, and by the disk",
            "bytes",
            IOTOP,
            BLOCK,
            own,
            "equal" if alone else "at most",
        )
        yield from compared(role, name, pair, lambda d=direction: disk_pairs.against_disk(
            server_iotop_rows(tables, role, server), tables.sampled("iotop_totals", role),
            tables.sampled("block", role), told(), window, asked, d,
        ))  # fmt: skip
    busy = Pair(
        "time the disk was busy, and its requests' time in it", "s",
        "block, io_ticks", "block, time_in_queue", (f"T_{disk}",), "at most",
    )  # fmt: skip
    yield from compared(role, name, busy, lambda: disk_pairs.busy_against_queue(
        tables.sampled("block", role), told(), window,
        jiffy_s(tables.sampled("block", role), facts.get("kernel_hz")),
    ))  # fmt: skip
    waited = Pair(
        f"time {whose} waited for a disk, and all requests' time in it", "s",
        "task counters, blkio delay", "block, time_in_queue", (), "at most",
    )  # fmt: skip

    def delays() -> Found:
        if facts.get("delay_accounting") is False:
            raise Unmeasured(f"delay accounting is off on {role}")
        threads = tables.sampled("tasks", role)
        mine = threads.filter(pl.col("pid").is_in(counters()["pid"].unique().implode()))
        return disk_pairs.delay_against_queue(
            mine, threads, tables.sampled("block", role), told(), window, _clocks(tables, role).ticks_per_s
        )  # fmt: skip

    yield from compared(role, name, waited, delays)


def _alone(tables: RunTables, server: VirtualServer) -> bool:
    """Whether the host's disk is this virtual server's alone: a file's loop device, or a volume, of its own."""
    run = tables.run
    others = [o for o in run.virtual_servers.values() if o.name != server.name]
    known = run.facts(HOST).get("block_devices")
    mine = (
        [d for d in known if d.get("name") == server.host_disk] if isinstance(known, list) else []
    )
    own = bool(mine) and bool(mine[0].get("loop_file") or mine[0].get("dm_name"))
    return own and all(other.host_disk != server.host_disk for other in others)


def _both_disks(tables: RunTables, server: VirtualServer, window: Window) -> Iterator[Comparison]:
    """What the guest's disk counted, and the host's under it."""
    relation = "equal" if _alone(tables, server) else "at most"
    for direction, words in DIRECTIONS.items():
        what = f"bytes {words} {'from' if direction == 'read' else 'to'} the disk"
        pair = Pair(what, "bytes", "guest, block", "host, block", ("T_vdisk", "T_disk"), relation)

        def both(direction: Direction = direction) -> Found:
            guest, host = (
                of_device(tables.sampled("block", role), device)
                for role, device in (place_of(server, disk) for disk in DISKS)
            )
            return disk_pairs.guest_against_host(guest, host, window, direction)

        yield from compared(HOST, server.name, pair, both)

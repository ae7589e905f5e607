"""What is wrong with a run, or should be doubted."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipeline.bundle import CLIENT, VirtualServer
from pipeline.charts import number as cell
from pipeline.report.frames.numbers import KEPT, qemu_share, value_of
from pipeline.report.frames.run import TITLES, RunData


def df_clocks(data: RunData) -> pl.DataFrame:
    """Clocks: ``role``, ``offset_ms`` (its clock minus the client's), ``uncertainty_ms``."""
    return pl.DataFrame(
        [
            {
                "role": role.name,
                "offset_ms": None if role.clock_offset_ns is None else role.clock_offset_ns / 1e6,
                "uncertainty_ms": None
                if role.clock_uncertainty_ns is None
                else role.clock_uncertainty_ns / 1e6,
            }
            for role in data.run.roles.values()
        ],
        schema={"role": pl.String, "offset_ms": pl.Float64, "uncertainty_ms": pl.Float64},
    )


SAMPLED = ("top_summary", "iotop_totals", "block", "task_processes")


def df_sampling(data: RunData) -> pl.DataFrame:
    """How regularly each log was sampled in the load's window.

    Columns: ``role``, ``table``, ``snapshots`` in the window, ``median_s`` between two of them, ``longest_s``,
    ``late`` (text: why this is doubtful, or empty).
    """
    window = data.run.window
    rows = []
    for role in data.run.roles:
        if role == CLIENT:
            continue
        offset = data.run.clock_offset_ns(role) or 0
        asked = data.run.facts(role).get("interval_s")
        for table in SAMPLED:
            frame = data.rows(table, role)
            if frame.is_empty():
                rows.append((role, table, 0, None, None, "no rows"))
                continue
            at = (
                frame.select(ns=pl.col("time").dt.epoch("ns") - offset)
                .drop_nulls()
                .unique()
                .sort("ns")
            )
            if window is not None:
                at = at.filter(pl.col("ns").is_between(window.start_ns, window.end_ns))
            steps = at["ns"].diff().drop_nulls() / 1e9
            median, longest = steps.median(), steps.max()
            doubt = ""
            if median is None or longest is None:
                doubt = "fewer than two snapshots in the window"
            elif longest > 2.5 * median:
                doubt = f"a gap of {longest:.1f} s"
            elif asked and median > 2 * asked:
                doubt = f"a snapshot every {median:.1f} s, asked for every {asked:g} s"
            rows.append((role, table, at.height, median, longest, doubt))
    return pl.DataFrame(
        rows,
        schema={
            "role": pl.String,
            "table": pl.String,
            "snapshots": pl.Int64,
            "median_s": pl.Float64,
            "longest_s": pl.Float64,
            "doubt": pl.String,
        },
        orient="row",
    )


def df_rejects(data: RunData) -> pl.DataFrame:
    """Lines that were not read: ``file``, ``reason``, ``lines`` (how many), ``first`` (line), ``text`` (of it)."""
    return (
        data.rows("rejects")
        .sort("file", "line")
        .group_by("file", "reason", maintain_order=True)
        .agg(
            lines=pl.len().cast(pl.Int64), first=pl.col("line").first(), text=pl.col("text").first()
        )
    )


def doubts(data: RunData) -> list[str]:
    """Sentences on what is wrong with the run or should be doubted, the gravest first."""
    found = [*data.run.problems(), *data.ingest_problems]
    rejected = df_rejects(data)
    if not rejected.is_empty():
        total = int(rejected["lines"].sum())
        found.append(
            f"{total:,} {'line' if total == 1 else 'lines'} could not be read (see the table below)"
        )
    for row in df_sampling(data).filter(pl.col("doubt") != "").iter_rows(named=True):
        found.append(f"{row['role']}, {row['table']}: {row['doubt']}")
    for row in df_clocks(data).iter_rows(named=True):
        if row["role"] != CLIENT and row["offset_ms"] is None:
            found.append(f"the clock of {row['role']} was not compared with the client's")
    frame = data.ledger
    for vs in data.loaded:
        name = data.title(vs.name)
        flagged = frame.filter(
            (pl.col("virtual_server") == vs.name) & pl.col("flags").is_not_null()
        )
        told: dict[str, str] = {}
        for row in flagged.iter_rows(named=True):
            for flag in row["flags"].split("; "):
                told.setdefault(flag, row["quantity"])
        found += [f"{name}, {quantity}: {flag}" for flag, quantity in told.items()]
    found += _gates(data)
    return list(dict.fromkeys(found))


def df_missing(data: RunData) -> pl.DataFrame:
    """Numbers that the run lacks and why: ``virtual_server``, ``why``, ``quantities`` (text)."""
    lost = data.ledger.filter(pl.col("value").is_null())
    return (
        lost.group_by(
            pl.col("virtual_server").replace(TITLES),
            why=pl.col("flags").fill_null("no reason given"),
            maintain_order=True,
        )
        .agg(quantities=pl.col("quantity").unique(maintain_order=True).str.join(", "))
        .sort("virtual_server", maintain_order=True)
    )


def df_gates(data: RunData) -> pl.DataFrame:
    """The same quantity by two instruments, and whether they agree.

    Columns: ``virtual_server``, ``what``, ``one``, ``other`` (numbers), ``verdict`` (agrees, possible, or why not).
    """
    rows = []
    for vs in data.loaded:
        mine = data.ledger.filter(pl.col("virtual_server") == vs.name)
        for what, one, other, slack in _pairs(data, mine, vs):
            if one is None or other is None:
                verdict = "cannot be compared: one is missing"
            elif abs(one - other) <= slack:
                verdict = "possible" if what == AT_MOST else "agrees"
            elif what == AT_MOST:
                verdict = (
                    "the guest counts more than the host gave: without a steal clock it counts time "
                    "in which its vCPU did not run"
                )
            else:
                verdict = f"differs by {abs(one - other) / max(abs(one), 1e-12):.0%}"
            rows.append((data.title(vs.name), what, one, other, verdict))
    return pl.DataFrame(
        rows,
        schema={
            "virtual_server": pl.String,
            "what": pl.String,
            "one": pl.Float64,
            "other": pl.Float64,
            "verdict": pl.String,
        },
        orient="row",
    )


AT_MOST = "CPU time (s): of the server by its guest, of its whole QEMU by the host"
"""Not two measurements of one quantity: the first can only be a part of the second."""


def _pairs(
    data: RunData, mine: pl.DataFrame, vs: VirtualServer
) -> Iterator[tuple[str, float | None, float | None, float]]:
    """What is compared, two measurements of it, and how far they may lie apart."""

    def number(quantity: str, reading: str | None = None) -> float | None:
        return value_of(mine, vs.name, quantity, reading)

    counted = number("lambda_total", "client")
    yield (
        "requests: by the client, in the server's own log",
        counted,
        number("lambda_total", "server-log"),
        max(2.0, 0.01 * (counted or 0.0)),
    )
    printed = number("X_client")
    yield (
        "requests a second: as the client prints it, λ_total / T",
        printed,
        number("X_req"),
        0.02 * (printed or 0.0),
    )
    used, steps = number("T_cpu", KEPT), mine.filter(pl.col("quantity") == "T_cpu_process").height
    yield (
        "CPU time (s): TIME+ of top, the kernel's task counters",
        used,
        number("T_cpu_witness", "task counters"),
        max(0.03 * (used or 0.0), 0.03 * steps),
    )
    share = qemu_share(data, vs)[0]
    length = number("T")
    if used is not None and share is not None and length:
        yield (
            AT_MOST,
            used,
            share * length,
            max(0.0, share * length - used) + 0.02 * used,
        )
    work = vs.workload
    if work is not None and work.kind == "closed" and work.population:
        inside = number("N_client")
        yield (
            "requests in the system: X R by the client (Little's law), threads",
            inside,
            float(work.population),
            0.05 * work.population,
        )


def _gates(data: RunData) -> list[str]:
    """Sentences on measurements that should agree and do not."""
    broken = df_gates(data).filter(~pl.col("verdict").is_in(["agrees", "possible"]))
    return [
        f"{row['virtual_server']}, {row['what']}: {cell(row['one'])} and {cell(row['other'])}; {row['verdict']}"
        for row in broken.iter_rows(named=True)
    ]

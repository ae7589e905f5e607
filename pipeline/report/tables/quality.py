"""What is wrong with a run, or should be doubted."""

from __future__ import annotations

import polars as pl

from pipeline.api import CLIENT, FLAG_PREFIX, HOST, RunData
from pipeline.report.tables.run import same_machine_text
from pipeline.tables import floats, of_rows, texts
from pipeline.units import format_number, format_short


def df_clocks(data: RunData) -> pl.DataFrame:
    """Clocks: ``role``, ``offset_ms`` (its clock minus the client's), ``uncertainty_ms``."""
    roles = data.run.roles.values()
    rows = [(r.name, _ms(r.clock_offset_ns), _ms(r.clock_uncertainty_ns)) for r in roles]
    return of_rows(rows, texts("role") | floats("offset_ms", "uncertainty_ms"))


def _ms(ns: int | None) -> float | None:
    return None if ns is None else ns / 1e6


SAMPLED = ("top_summary", "iotop_totals", "block", "task_processes")


def df_sampling(data: RunData) -> pl.DataFrame:
    """How regularly each log was sampled in the load's window.

    Columns: ``role``, ``table``, ``snapshots`` in the window, ``median_s`` between two of them, ``longest_s``,
    ``warning`` (text: what is irregular, or empty).
    """
    window = data.run.window
    rows = []
    for role in data.run.roles:
        if role == CLIENT:
            continue
        offset = data.run.clock_offset_ns(role) or 0
        asked = data.run.facts(role).get("interval_s")
        for table in SAMPLED:
            frame = data.table(table, role)
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
    counted = texts("role", "table") | {"snapshots": pl.Int64}
    return of_rows(rows, counted | floats("median_s", "longest_s") | texts("doubt"))


def df_rejects(data: RunData) -> pl.DataFrame:
    """Lines that were not read: ``file``, ``reason``, ``lines`` (how many), ``first`` (line), ``text`` (of it)."""
    return (
        data.table("rejects")
        .sort("file", "line")
        .group_by("file", "reason", maintain_order=True)
        .agg(
            lines=pl.len().cast(pl.Int64), first=pl.col("line").first(), text=pl.col("text").first()
        )
    )


def warnings(data: RunData) -> list[str]:
    """Sentences on what is wrong with the run or should be doubted, the gravest first."""
    found = [*data.run.problems(), *data.ingest_problems]
    if same := same_machine_text(data):
        found.append(same)
    if total := int(df_rejects(data)["lines"].sum()):
        found.append(
            f"{total:,} {'line' if total == 1 else 'lines'} could not be read (see the table below)"
        )
    for row in df_sampling(data).filter(pl.col("doubt") != "").iter_rows(named=True):
        found.append(f"{row['role']}, {row['table']}: {row['doubt']}")
    for row in df_clocks(data).iter_rows(named=True):
        if row["role"] != CLIENT and row["offset_ms"] is None:
            found.append(f"the clock of {row['role']} was not compared with the client's")
    for vs in data.loaded:
        name = data.title(vs.name)
        told: dict[str, str] = {}
        for row in data.ledger.filter(virtual_server=vs.name).iter_rows(named=True):
            for flag in row["flags"] or ():
                if not flag.startswith(FLAG_PREFIX):
                    told.setdefault(flag, row["quantity"])
        found += [f"{name}, {quantity}: {flag}" for flag, quantity in told.items()]
    found += _disagreements(data)
    return list(dict.fromkeys(found))


def df_missing(data: RunData) -> pl.DataFrame:
    """Numbers that the run lacks and why: ``virtual_server``, ``why``, ``quantities`` (text)."""
    lost = data.ledger.filter(pl.col("value").is_null())
    return (
        lost.group_by(
            pl.col("virtual_server").replace(data.titles),
            why=pl.col("flags").list.join("; ").fill_null("no reason given"),
            maintain_order=True,
        )
        .agg(quantities=pl.col("quantity").unique(maintain_order=True).str.join(", "))
        .sort("virtual_server", maintain_order=True)
    )


def df_cross_checks(data: RunData) -> pl.DataFrame:
    """Counted twice: the same quantity by two instruments, machine by machine; single processes left out.

    Columns: ``where`` (a role, and a virtual server where it is about one), ``what``, ``one`` and ``other`` (each
    instrument, its number and the number's resolution, as text), ``outcome`` (agree, within resolution, disagree),
    ``remark`` (by how much and why).
    """
    return _compared(data, pl.col("subject").is_null() & (pl.col("outcome") != "missing"))


def df_process_cross_checks(data: RunData) -> pl.DataFrame:
    """CPU time of each of the server's processes by two instruments, form of ``df_cross_checks``."""
    return _compared(data, pl.col("subject").is_not_null())


def df_not_cross_checked(data: RunData) -> pl.DataFrame:
    """What could not be compared: ``where``, ``what``, ``why``."""
    lost = data.cross_checks.filter(pl.col("outcome") == "missing")
    return lost.select(
        where=_where(), what=pl.col("quantity"), why=pl.col("message").str.strip_prefix(LOST)
    )


LOST = "cannot be compared: "


def _where() -> pl.Expr:
    about = pl.col("virtual_server")
    same = about.is_null() | (about == pl.col("role"))
    return pl.when(same).then("role").otherwise(pl.format("{}: {}", "role", about))


def _compared(data: RunData, chosen: pl.Expr) -> pl.DataFrame:
    rows = []
    for row in data.cross_checks.filter(chosen).with_columns(where=_where()).iter_rows(named=True):
        unit, factor = SHOWN_BYTES if row["unit"] == "bytes" else (row["unit"], 1.0)
        unit = "" if unit in ("1", "tasks") else f" {unit}"
        sides = [
            f"{row[f'source_{side}']}: {format_number(factor * row[f'value_{side}'])} ± "
            f"{format_short(factor * row[f'uncertainty_{side}'], 2)}{unit}"
            for side in ("a", "b")
        ]
        what = row["quantity"] + (f" ({row['subject']})" if row["subject"] else "")
        rows.append((row["where"], what, *sides, row["outcome"], row["message"]))
    return of_rows(rows, texts("where", "what", "one", "other", "outcome", "remark"))


SHOWN_BYTES = ("MB", 1e-6)


def _disagreements(data: RunData) -> list[str]:
    """Sentences on instruments that should agree and do not, of what had a load and of whole machines."""
    loaded = [vs.name for vs in data.loaded]
    roles = [HOST, *(vs.role for vs in data.loaded)]
    apart = data.cross_checks.filter(
        pl.col("subject").is_null()
        & (pl.col("outcome") == "disagree")
        & (pl.col("virtual_server").is_in(loaded) | pl.col("virtual_server").is_null())
        & pl.col("role").is_in(roles)
    ).with_columns(where=_where())
    return [
        f"{row['where']}, {row['quantity']} ({row['source_a']} against {row['source_b']}): {row['message']}"
        for row in apart.iter_rows(named=True)
    ]

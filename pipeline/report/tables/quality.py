"""Data quality of a run: clocks, sampling, rejected lines, missing numbers, cross-checks, warnings."""

from __future__ import annotations

from typing import Any

import polars as pl

from pipeline.api import (
    CLIENT,
    FAILED,
    FLAG_PREFIX,
    HOST,
    INFERRED_FLAGS,
    NO_HOST,
    NOT_EVALUATED,
    TIMES,
    RunData,
)
from pipeline.report import run_texts
from pipeline.report import texts as page_texts
from pipeline.report.show import escape_markdown
from pipeline.report.tables.checks import model_check_result
from pipeline.report.tables.run import same_machine_text
from pipeline.tables import floats, of_rows, texts
from pipeline.units import format_number, format_short


def df_clocks(data: RunData) -> pl.DataFrame:
    """Clock offsets: ``role``, ``offset_ms`` (its clock minus the client's), ``uncertainty_ms``."""
    roles = data.run.roles.values()
    rows = [(r.name, _ms(r.clock_offset_ns), _ms(r.clock_uncertainty_ns)) for r in roles]
    return of_rows(rows, texts("role") | floats("offset_ms", "uncertainty_ms"))


def _ms(ns: int | None) -> float | None:
    return None if ns is None else ns / 1e6


SAMPLED = ("top_summary", "iotop_totals", "block", "task_processes")


def df_sampling(data: RunData) -> pl.DataFrame:
    """Regularity of each log's sampling in the load's window.

    Columns: ``role``, ``table``, ``snapshots`` in the window, ``median_s`` between two of them, ``longest_s``,
    ``warning`` (text, or empty).
    """
    window = data.run.window
    rows = []
    for role in data.run.roles:
        if role == CLIENT:
            continue
        offset = data.run.clock_offset_ns(role) or 0
        requested_s = data.run.facts(role).get("interval_s")
        for table in SAMPLED:
            frame = data.table(table, role)
            if frame.is_empty() and data.run.is_imported:
                continue  # such a run has the logs that a person happened to record
            if frame.is_empty():
                rows.append((role, table, 0, None, None, page_texts.NO_ROWS))
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
            warning = ""
            if median is None or longest is None:
                warning = page_texts.FEW_SNAPSHOTS
            elif longest > 2.5 * median:
                warning = page_texts.sampling_gap(longest)
            elif requested_s and median > 2 * requested_s:
                warning = page_texts.sampling_slow(median, requested_s)
            rows.append((role, table, at.height, median, longest, warning))
    schema = texts("role", "table") | {"snapshots": pl.Int64}
    return of_rows(rows, schema | floats("median_s", "longest_s") | texts("warning"))


def df_rejects(data: RunData) -> pl.DataFrame:
    """Lines that were not read: ``file``, ``reason``, ``lines`` (count), ``first`` (line), ``text`` (of it)."""
    return (
        data.table("rejects")
        .sort("file", "line")
        .group_by("file", "reason", maintain_order=True)
        .agg(
            lines=pl.len().cast(pl.Int64), first=pl.col("line").first(), text=pl.col("text").first()
        )
    )


def warnings(data: RunData) -> list[str]:
    """What is wrong with the run's files, clocks, sampling and numbers, a sentence each, files first."""
    sentences = [*data.run.problems(), *data.ingest_problems]
    if same := same_machine_text(data):
        sentences.append(same)
    if total := int(df_rejects(data)["lines"].sum()):
        sentences.append(page_texts.rejected_lines(total))
    for row in df_sampling(data).filter(pl.col("warning") != "").iter_rows(named=True):
        sentences.append(f"{row['role']}, {row['table']}: {row['warning']}")
    for row in df_clocks(data).iter_rows(named=True):
        if row["role"] != CLIENT and row["offset_ms"] is None:
            sentences.append(page_texts.unknown_clock(row["role"]))
    for vs in data.loaded:
        name = data.title(vs.name)
        quantity_of: dict[str, str] = {}
        numbers = data.ledger.filter(virtual_server=vs.name)
        if data.run.is_imported:
            numbers = numbers.drop_nulls("value")
            times = data.checks.filter(virtual_server=vs.name, check=TIMES)
            sentences += [f"{name}, {TIMES}: {text}" for text in times["message"]]
        for row in numbers.iter_rows(named=True):
            for flag in row["flags"] or ():
                if flag != NO_HOST and not flag.startswith((FLAG_PREFIX, *INFERRED_FLAGS)):
                    quantity_of.setdefault(flag, row["quantity"])
        sentences += [f"{name}, {quantity}: {flag}" for flag, quantity in quantity_of.items()]
    sentences += _disagreements(data)
    return list(dict.fromkeys(sentences))


def warnings_text(data: RunData) -> str:
    """Failed checks that no model check names; the number of warnings, the first ones and links, as Markdown."""
    of_run = warnings(data)
    shown = [escape_markdown(run_texts.cut(text)) for text in of_run[: run_texts.MAX_WARNINGS]]
    parts = _failed_checks(data)
    if of_run:
        parts.append(run_texts.warnings_head(len(of_run), shown))
    return "\n\n".join(parts)


def _failed_checks(data: RunData) -> list[str]:
    """Of each virtual server whose model cannot be judged, as Markdown: its failed checks are in no headline."""
    parts = []
    for vs in data.loaded:
        failed = data.checks.filter(virtual_server=vs.name, result=FAILED)
        if failed.height and model_check_result(data, vs.name) == NOT_EVALUATED:
            flags = failed.select(pl.coalesce(pl.col("flag").replace("", None), "check"))
            title = data.title(vs.name) if len(data.loaded) > 1 else ""
            parts.append(
                run_texts.failed_head(title, [escape_markdown(t) for (t,) in flags.rows()])
            )
    return parts


def warnings_callout(data: RunData) -> dict[str, Any]:
    """The arguments of ``show.callout`` for all warnings of a run."""
    of_run = warnings(data)
    kind, lines = ("warning", of_run) if of_run else ("good", page_texts.NO_WARNINGS)
    return {"kind": kind, "lines": lines, "title": run_texts.warnings_title(len(of_run))}


def df_missing(data: RunData) -> pl.DataFrame:
    """Missing numbers: ``virtual_server``, ``reason``, ``quantities`` (text)."""
    missing = data.ledger.filter(pl.col("value").is_null())
    return (
        missing.group_by(
            pl.col("virtual_server").replace(data.titles),
            reason=pl.col("flags").list.join("; ").fill_null(page_texts.NO_REASON),
            maintain_order=True,
        )
        .agg(quantities=pl.col("quantity").unique(maintain_order=True).str.join(", "))
        .sort("virtual_server", maintain_order=True)
    )


def df_cross_checks(data: RunData) -> pl.DataFrame:
    """Quantities that two sources measured, machine by machine, without those of single processes.

    Columns: ``machine`` (a role, and a virtual server where it is about one), ``quantity``, ``source_a`` and
    ``source_b`` (each source, its number and resolution, as text), ``outcome`` (agree, within resolution, disagree),
    ``message`` (the difference and its reason).
    """
    return _cross_checks(data, pl.col("subject").is_null() & (pl.col("outcome") != "not evaluated"))


def df_process_cross_checks(data: RunData) -> pl.DataFrame:
    """CPU time of each of the server's processes by two sources, columns of ``df_cross_checks``."""
    return _cross_checks(data, pl.col("subject").is_not_null())


def df_not_cross_checked(data: RunData) -> pl.DataFrame:
    """Quantities that were not compared: ``machine``, ``quantity``, ``reason``."""
    missing = data.cross_checks.filter(pl.col("outcome") == "not evaluated")
    return missing.select(machine=_machine(), quantity="quantity", reason="message")


def _machine() -> pl.Expr:
    name = pl.col("virtual_server")
    is_own = name.is_null() | (name == pl.col("role"))
    return pl.when(is_own).then("role").otherwise(pl.format("{}: {}", "role", name))


def _cross_checks(data: RunData, chosen: pl.Expr) -> pl.DataFrame:
    rows = []
    for row in (
        data.cross_checks.filter(chosen).with_columns(machine=_machine()).iter_rows(named=True)
    ):
        unit, factor = MEGABYTES if row["unit"] == "bytes" else (row["unit"], 1.0)
        unit = "" if unit in ("1", "tasks") else f" {unit}"
        sides = [
            f"{row[f'source_{side}']}: {format_number(factor * row[f'value_{side}'])} ± "
            f"{format_short(factor * row[f'uncertainty_{side}'], 2)}{unit}"
            for side in ("a", "b")
        ]
        quantity = row["quantity"] + (f" ({row['subject']})" if row["subject"] else "")
        rows.append((row["machine"], quantity, *sides, row["outcome"], row["message"]))
    names = ("machine", "quantity", "source_a", "source_b", "outcome", "message")
    return of_rows(rows, texts(*names))


MEGABYTES = ("MB", 1e-6)


def _disagreements(data: RunData) -> list[str]:
    """Cross-checks that disagree, of loaded virtual servers and of whole machines, a sentence each."""
    loaded = [vs.name for vs in data.loaded]
    roles = [HOST, *(vs.role for vs in data.loaded)]
    disagreeing = data.cross_checks.filter(
        pl.col("subject").is_null()
        & (pl.col("outcome") == "disagree")
        & (pl.col("virtual_server").is_in(loaded) | pl.col("virtual_server").is_null())
        & pl.col("role").is_in(roles)
    ).with_columns(machine=_machine())
    return [
        f"{row['machine']}, {row['quantity']} ({row['source_a']} and {row['source_b']}): {row['message']}"
        for row in disagreeing.iter_rows(named=True)
    ]

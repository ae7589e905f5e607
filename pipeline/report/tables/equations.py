"""Numbers of the ledger by equation; residence times, utilizations, and R of the variants and the client."""

from __future__ import annotations

import math

import polars as pl

from pipeline.api import (
    AS_PRINTED,
    CATALOGUE,
    CORRECTED,
    VARIANTS,
    HostCpu,
    LedgerView,
    RunData,
)
from pipeline.report import run_texts
from pipeline.report import texts as page_texts
from pipeline.tables import of_rows, texts
from pipeline.units import display_unit, format_short

ENDS = ("value", "low", "high")


def df_side_by_side(data: RunData, *equations: str) -> pl.DataFrame:
    """The two named variants side by side, for the given equations or for all.

    Columns: ``virtual_server`` (where several had a load), ``equation``, ``quantity``, ``as_printed``,
    ``corrected`` (numbers with their confidence intervals, as text), ``unit``, ``note`` (the numbers' flags, where
    there are any). Times of one request are in milliseconds, bytes in MB.
    """
    rows = []
    for vs in data.loaded:
        numbers = LedgerView(data.ledger, vs.name)
        for entry in CATALOGUE.values():
            if not (entry.shown and entry.is_of_the_paper) or (
                equations and entry.equation not in equations
            ):
                continue
            sides = [numbers.of_equation(entry, variant) for variant in VARIANTS]
            unit, factor = display_unit(entry.symbol, entry.unit)
            flags = dict.fromkeys(flag for row in sides if row for flag in row["flags"] or ())
            values = [interval_text(row, factor) for row in sides]
            rows.append((vs.name, entry.equation, entry.symbol, *values, unit, "; ".join(flags)))
    form = texts(
        "virtual_server", "equation", "quantity", "as_printed", "corrected", "unit", "note"
    )
    frame = data.drop_single_server(of_rows(rows, form))
    return frame if (frame["note"] != "").any() else frame.drop("note")


def interval_text(row: dict | None, factor: float) -> str:
    """``value [low, high]`` of a ledger row with a 95 % interval, else the value; – for null."""
    if row is None or row["value"] is None:
        return "–"
    text = format_short(row["value"] * factor, 4)
    # A resolution interval must not look like a confidence interval.
    if row.get("interval") != "95 %" or row["low"] is None or row["high"] is None:
        return text
    low, high = (format_short(row[end] * factor, 4) for end in ("low", "high"))
    return text if low == text == high else f"{text} [{low}, {high}]"


def df_process_cpu(data: RunData) -> pl.DataFrame:
    """CPU time of each of the servers' processes: ``virtual_server``, ``subject``, ``value``, ``unit``, ``flags``."""
    rows = data.ledger.filter(pl.col("quantity") == "T_cpu_process")
    return rows.select(
        pl.col("virtual_server").replace(data.titles),
        "subject",
        "value",
        "unit",
        pl.col("flags").list.join("; "),
    )


def df_variants(data: RunData, quantity: str) -> pl.DataFrame:
    """One quantity in every variant.

    Columns: ``virtual_server``, ``variant``, the choices that it depends on, ``value``, ``low``, ``high``, ``unit``,
    ``flags`` (text).
    """
    frame = data.ledger.filter((pl.col("quantity") == quantity) & pl.col("subject").is_null())
    return frame.select(
        pl.col("virtual_server").replace(data.titles),
        "variant",
        *CATALOGUE[quantity].choices,
        *ENDS,
        "unit",
        pl.col("flags").list.join("; "),
    )


# -- CPU time on the host ----------------------------------------------------------------------------------


def df_host_cpu(host: HostCpu) -> pl.DataFrame:
    """CPU time of the host per request, background subtracted, one row per station.

    Columns: ``station`` (its title), ``seconds`` (of the load), ``per_request_ms``, ``low_ms``, ``high_ms``,
    ``share`` (of all of QEMU), ``missing`` (reason for a null). No rows where nothing was measured.
    """
    return host.frame.with_columns(pl.col("station").replace(page_texts.CPU_STATIONS))


def host_cpu_text(host: HostCpu) -> list[str]:
    """Warnings, CPU use of the guests, and how long a request would wait for a CPU, a sentence each."""
    sentences = [f"{flag[:1].upper()}{flag[1:]}." for flag in host.flags]
    if host.demand_s is None:
        return sentences
    text = page_texts.guest_cpu_use(host.cpus, host.used_cpus, host.demand_s)
    if host.wait_s is not None:
        is_unstable = math.isinf(host.wait_s)
        text += page_texts.UNSTABLE_CPU_QUEUE if is_unstable else page_texts.cpu_wait(host.wait_s)
    return [*sentences, text]


# -- sentences ---------------------------------------------------------------------------------------------


def residence_caption(data: RunData, virtual_server: str) -> str:
    """What the bars of ``df_residence`` are, as Markdown."""
    workload = data.run.virtual_servers[virtual_server].workload
    return run_texts.residence_caption(is_closed=workload is not None and workload.kind == "closed")


def client_text(data: RunData, virtual_server: str) -> list[str]:
    """Sentences that compare each variant with the client, and Little's law for a closed workload."""
    work = data.run.virtual_servers[virtual_server].workload
    numbers = LedgerView(data.ledger, virtual_server)
    measured = numbers.value("R_client")
    if measured is None:
        return [page_texts.NO_CLIENT_TIME, *_logged_text(data, virtual_server)]
    sentences = []
    for variant in (AS_PRINTED, CORRECTED):
        row = numbers.row("R_req", variant)
        value, low, high = (row[name] for name in ENDS)
        if value is None:
            sentences.append(page_texts.missing_variant(variant))
            continue
        is_inside = low is not None and high is not None and low <= measured <= high
        sentences.append(page_texts.variant_vs_client(variant, value, measured, is_inside))
    throughput = numbers.value("X_req")
    if work is not None and work.kind == "closed" and work.population and throughput:
        response = work.population / throughput - (work.think_time_s or 0.0)
        sentences.append(page_texts.little(work.population, throughput, response, measured))
    return [*sentences, *_logged_text(data, virtual_server)]


def _logged_text(data: RunData, virtual_server: str) -> list[str]:
    """A sentence on the response times in the server's own log, if it has them."""
    rows = data.logged_response_times.filter(virtual_server=virtual_server)
    return [page_texts.logged_times(row) for row in rows.iter_rows(named=True)]

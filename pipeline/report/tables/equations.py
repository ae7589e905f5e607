"""The ledger's numbers: of each equation, of where the time goes, of model and client."""

from __future__ import annotations

import polars as pl

from pipeline.api import AS_PRINTED, CATALOGUE, CORRECTED, KEPT, VARIANTS, LedgerView, RunData
from pipeline.tables import floats, of_rows, texts
from pipeline.units import format_short

SHOWN = {"s": ("ms", 1e3), "bytes": ("MB", 1e-6)}
"""Units that tables show in others: the time of one request, and bytes."""

ENDS = ("value", "low", "high")
UNITS = {"1": "", "operations/s": "ops/s", "requests/s": "req/s"}
"""Units as tables print them."""


def df_side_by_side(data: RunData, *equations: str) -> pl.DataFrame:
    """The two named sets beside each other, of some equations or of all.

    Columns: ``virtual_server`` (where several had a load), ``equation``, ``quantity``, ``as_printed``,
    ``corrected`` (numbers with their intervals, as text), ``unit``, ``remark`` (why a number is missing or
    doubtful, where any is). Times of one request are in milliseconds, bytes in MB.
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
            unit, factor = SHOWN.get(entry.unit, (entry.unit, 1.0))
            if entry.unit == "s" and not entry.symbol.startswith(("R_", "D_")):
                unit, factor = "s", 1.0
            flags = dict.fromkeys(flag for row in sides if row for flag in row["flags"] or ())
            told = [interval_text(row, factor) for row in sides]
            unit = UNITS.get(unit, unit)
            rows.append((vs.name, entry.equation, entry.symbol, *told, unit, "; ".join(flags)))
    form = texts(
        "virtual_server", "equation", "quantity", "as_printed", "corrected", "unit", "remark"
    )
    frame = data.drop_single_server(of_rows(rows, form))
    return frame if (frame["remark"] != "").any() else frame.drop("remark")


def interval_text(row: dict | None, factor: float) -> str:
    """``value [low, high]`` of a ledger row with a 95 % interval, else the value; – where it is missing."""
    if row is None or row["value"] is None:
        return "–"
    text = format_short(row["value"] * factor, 4)
    # What the instruments' resolution leaves is no confidence interval, and must not look like one.
    if row.get("interval") != "95 %" or row["low"] is None or row["high"] is None:
        return text
    low, high = (format_short(row[end] * factor, 4) for end in ("low", "high"))
    return text if low == text == high else f"{text} [{low}, {high}]"


def df_variants(data: RunData, quantity: str) -> pl.DataFrame:
    """One quantity by every choice.

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


def df_residence(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Bars of ``charts.residence_time``: ``bar``, ``part``, ``value_ms``; the two sets, then what the client measured.

    The corrected set nests: the host's disk is inside the guest's, and what is left of it is the virtualization
    layer's own part (R_vdisk − R_disk).
    """
    numbers = LedgerView(data.ledger, virtual_server)

    def part(name: str, variant: str | None) -> float | None:
        value = numbers.value(name, variant)
        return None if value is None else value * 1e3

    rows: list[tuple[str, str, float | None]] = [
        (AS_PRINTED, name, part(name, AS_PRINTED)) for name in ("R_cpu", "R_vdisk", "R_disk")
    ]
    virtual, physical = part("R_vdisk", CORRECTED), part("R_disk", CORRECTED)
    layer = None if virtual is None or physical is None else max(0.0, virtual - physical)
    rows += [
        (CORRECTED, "R_cpu", part("R_cpu", CORRECTED)),
        (CORRECTED, "R_vdisk − R_disk", layer),
        (CORRECTED, "R_disk", physical),
    ]
    rows.append(("client", "as measured", part("R_client", None)))
    return of_rows(rows, texts("bar", "part") | floats("value_ms"))


def df_model_vs_client(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Rows of ``charts.model_against_client``: ``who``, ``value``, ``low``, ``high`` (ms), ``is_client``."""
    numbers = LedgerView(data.ledger, virtual_server)
    rows = []
    for who, quantity, variant, is_client in (
        ("client", "R_client", None, True),
        (AS_PRINTED, "R_req", AS_PRINTED, False),
        (CORRECTED, "R_req", CORRECTED, False),
    ):
        row = numbers.row(quantity, variant)
        ends = [None if row[k] is None else row[k] * 1e3 for k in ENDS]
        rows.append((who, *ends, is_client))
    return of_rows(rows, texts("who") | floats(*ENDS) | {"is_client": pl.Boolean})


def df_stations(data: RunData) -> pl.DataFrame:
    """How busy each station was under the load: ``station``, ``utilization``, ``low``, ``high``.

    For each loaded virtual server its guest's CPUs (T_cpu over T and their number), its virtual disk and the
    host's disk under it (equation 3, background kept: what is busy is busy, whoever asked); and the CPU that the
    host gives to all of them, with what every QEMU used of it by the task counters.
    """
    rows = []
    for vs in data.loaded:
        numbers = LedgerView(data.ledger, vs.name)
        cpus = data.run.facts(vs.role).get("cpus") or 1
        for quantity, words in (
            ("U_vcpu", f"{'vCPU' if cpus == 1 else f'{cpus} vCPUs'} (server)"),
            ("U_vdisk_total", f"guest's disk {vs.virtual_disk}"),
            ("U_disk_total", f"host's disk {vs.host_disk}"),
        ):
            row = numbers.row(quantity, background=KEPT)
            rows.append((f"{vs.name}: {words}", *(row[k] for k in ENDS)))
    given = data.cpus
    used = [LedgerView(data.ledger, name).row("U_qemu", background=KEPT) for name in data.titles]
    ends = [[row["value"] if row[k] is None else row[k] for row in used] for k in ENDS]
    told = [sum(of_all) / given if of_all and None not in of_all else None for of_all in ends]
    rows.append((f"host: {given:g} CPU for every QEMU", *told))
    return of_rows(rows, texts("station") | floats("utilization", "low", "high"))


# -- in words ----------------------------------------------------------------------------------------------


def busiest(stations: pl.DataFrame) -> tuple[str, float] | None:
    """The busiest of ``df_stations`` and its utilization; None where none was measured."""
    known = stations.filter(pl.col("utilization").is_finite()).sort(
        "utilization", descending=True, maintain_order=True
    )
    return None if known.is_empty() else (known["station"][0], known["utilization"][0])


def bottleneck_text(stations: pl.DataFrame) -> str:
    """A sentence of Markdown on the busiest station; no text from a log is in it unescaped."""
    top = busiest(stations)
    if top is None:
        return "No utilization could be measured, so no bottleneck can be named."
    name, share = f"`{top[0].replace('`', '')}`", top[1]
    if share >= 1:
        return (
            f"{name} was busy all the time ({format_short(share * 100)} %): it is saturated, and sets the throughput. "
            "(Above 100 % by more than its interval, its counter is not to be trusted.)"
        )
    if share <= 0:
        return "Nothing was busy."
    return (
        f"{name} is the busiest, {format_short(share * 100)} % of the time. If a request's demand stayed the same, the "
        f"throughput could grow at most {format_short(1 / share)} times before it is full."
    )


def client_text(data: RunData, virtual_server: str) -> list[str]:
    """Sentences that compare each set of readings with the client, and Little's law for a closed workload."""
    vs = data.run.virtual_servers[virtual_server]
    numbers = LedgerView(data.ledger, virtual_server)
    measured = numbers.value("R_client")
    if measured is None:
        return ["The client's response time is missing, so the model cannot be checked here."]
    found = []
    for name in (AS_PRINTED, CORRECTED):
        row = numbers.row("R_req", name)
        if row["value"] is None:
            found.append(f"**{name}**: missing.")
            continue
        ratio = row["value"] / measured
        low, high = row["low"], row["high"]
        inside = low is not None and high is not None and low <= measured <= high
        size = f"{format_short(ratio)} times" if ratio >= 1 else f"{format_short(ratio * 100)} % of"
        covered = "lies" if inside else "does not lie"
        found.append(
            f"**{name}**: {format_short(row['value'] * 1e3)} ms, {size} the client's "
            f"{format_short(measured * 1e3)} ms. The "
            f"client's time {covered} in the interval that the instruments' resolution leaves."
        )
    work = vs.workload
    throughput = numbers.value("X_req")
    if work is not None and work.kind == "closed" and work.population and throughput:
        fixed = work.population / throughput - (work.think_time_s or 0.0)
        found.append(
            f"Little's law needs no model: {work.population} threads and {format_short(throughput)} requests a "
            f"second leave {format_short(fixed * 1e3)} ms for each. The client says {format_short(measured * 1e3)} ms."
        )
    return found

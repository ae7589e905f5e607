"""The ledger's numbers: of each equation, of where the time goes, of model and client."""

from __future__ import annotations

import polars as pl

from pipeline.bundle import VirtualServer
from pipeline.charts import short
from pipeline.report.frames.run import RunData
from pipeline.validate.envelope import envelope_of


def value_of(
    frame: pl.DataFrame,
    virtual_server: str,
    quantity: str,
    reading: str | None = None,
    *,
    column: str = "value",
) -> float | None:
    """One number of a ledger frame; None where it is missing or not there."""
    chosen = frame.filter(
        pl.col("virtual_server") == virtual_server,
        pl.col("quantity") == quantity,
        pl.col("reading").eq_missing(reading),
    )
    return None if chosen.is_empty() else chosen[column][0]


def flags_of(
    frame: pl.DataFrame, virtual_server: str, quantity: str, reading: str | None = None
) -> str:
    """The flags of one number, or why it is not there."""
    found = value_of(frame, virtual_server, quantity, reading, column="flags")
    return str(found) if found else ""


KEPT, OFF = "background kept", "background off"

AS_PRINTED, CORRECTED = "as-printed", "corrected"

SHOWN = {"s": ("ms", 1e3), "bytes": ("MB", 1e-6)}
"""Units that tables show in others: the time of one request, and bytes."""


def _readings() -> list[tuple[str, str, str | None, str | None]]:
    """Equation, quantity, and the reading that each of the two named sets takes of it."""
    rows: list[tuple[str, str, str | None, str | None]] = [
        ("1", "T_cpu", KEPT, OFF),
        ("2", "lambda_total", "client", "client"),
        ("2", "R_cpu", KEPT, OFF),
        ("3", "T", None, None),
    ]
    for disk in ("vdisk", "disk"):
        rows += [
            ("3", f"T_{disk}", KEPT, OFF),
            ("3", f"U_{disk}_total", KEPT, OFF),
            ("4", f"Read_{disk}_total", KEPT, OFF),
            ("5", f"Write_{disk}_total", KEPT, OFF),
            ("6", f"IO_{disk}_total", KEPT, OFF),
            ("7", f"IO_{disk}_req", KEPT, OFF),
            ("8", f"share_{disk}", KEPT, OFF),
            ("8", f"U_{disk}_req", KEPT, OFF),
            ("9", f"X_{disk}_total", KEPT, OFF),
            ("9", f"D_{disk}_req", f"as-printed / {KEPT}", f"service-demand / {OFF}"),
        ]
    rows += [
        ("10", "X_req", AS_PRINTED, CORRECTED),
        ("10", "R_vdisk", AS_PRINTED, CORRECTED),
        ("10", "R_disk", AS_PRINTED, CORRECTED),
        ("IV", "R_req", AS_PRINTED, CORRECTED),
    ]
    return rows


READINGS = _readings()

UNITS = {"1": "", "operations/s": "ops/s", "requests/s": "req/s"}
"""Units as tables print them."""

EQUATION_OF = {quantity: equation for equation, quantity, _, _ in READINGS}


def df_side_by_side(data: RunData, *equations: str) -> pl.DataFrame:
    """The two named sets beside each other, of some equations or of all.

    Columns: ``virtual_server`` (where several had a load), ``equation``, ``quantity``, ``as_printed``,
    ``corrected`` (numbers with their intervals, as text), ``unit``, ``remark`` (why a number is missing or
    doubtful, where any is). Times of one request are in milliseconds, bytes in MB.
    """
    rows = []
    for vs in data.loaded:
        mine = data.ledger.filter(pl.col("virtual_server") == vs.name)
        for equation, quantity, printed, corrected in READINGS:
            if equations and equation not in equations:
                continue
            left, right = (_row(mine, quantity, reading) for reading in (printed, corrected))
            if left is None and right is None:
                continue
            known = left or right
            unit, factor = SHOWN.get(known["unit"], (known["unit"], 1.0))
            if known["unit"] == "s" and not quantity.startswith(("R_", "D_")):
                unit, factor = "s", 1.0
            remarks = dict.fromkeys(
                flag
                for row in (left, right)
                if row and row["flags"]
                for flag in row["flags"].split("; ")
            )
            rows.append(
                {
                    "virtual_server": vs.name,
                    "equation": equation,
                    "quantity": quantity,
                    "as_printed": interval_text(left, factor),
                    "corrected": interval_text(right, factor),
                    "unit": UNITS.get(unit, unit),
                    "remark": "; ".join(remarks),
                }
            )
    names = ("virtual_server", "equation", "quantity", "as_printed", "corrected", "unit", "remark")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))
    needless = [] if len(data.loaded) > 1 else ["virtual_server"]
    return frame.drop([*needless, *([] if (frame["remark"] != "").any() else ["remark"])])


def _row(mine: pl.DataFrame, quantity: str, reading: str | None) -> dict | None:
    chosen = mine.filter(
        pl.col("quantity") == quantity,
        pl.col("reading").eq_missing(reading),
        pl.col("subject").is_null(),
    )
    return None if chosen.is_empty() else chosen.row(0, named=True)


def interval_text(row: dict | None, factor: float = 1.0, digits: int = 4) -> str:
    """``value [low, high]`` of a ledger row with a 95 % interval, else the value; – where it is missing."""
    if row is None or row["value"] is None:
        return "–"
    text = short(row["value"] * factor, digits)
    # What the instruments' resolution leaves is no confidence interval, and must not look like one.
    if row.get("interval") != "95 %" or row["low"] is None or row["high"] is None:
        return text
    low, high = (short(row[end] * factor, digits) for end in ("low", "high"))
    return text if low == text == high else f"{text} [{low}, {high}]"


def df_readings(data: RunData, quantity: str) -> pl.DataFrame:
    """Every reading of one quantity.

    Columns: ``virtual_server``, ``reading``, ``value``, ``low``, ``high``, ``unit``, ``flags``.
    """
    frame = data.ledger.filter((pl.col("quantity") == quantity) & pl.col("subject").is_null())
    return frame.select(
        "virtual_server", "reading", "value", "low", "high", "unit", "flags"
    ).with_columns(pl.col("virtual_server").replace(data.titles))


def df_residence(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Bars of ``charts.residence``: ``bar``, ``part``, ``value_ms``; the two sets, then what the client measured.

    The corrected set nests: the host's disk is inside the guest's, and what is left of it is the virtualization
    layer's own part (R_vdisk − R_disk).
    """
    mine = data.ledger.filter(pl.col("virtual_server") == virtual_server)

    def part(name: str, reading: str) -> float | None:
        value = value_of(mine, virtual_server, name, reading)
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
    measured = value_of(mine, virtual_server, "R_client")
    rows.append(("client", "as measured", None if measured is None else measured * 1e3))
    return pl.DataFrame(
        rows, schema={"bar": pl.String, "part": pl.String, "value_ms": pl.Float64}, orient="row"
    )


def df_against_client(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Rows of ``charts.model_against_client``: ``who``, ``value``, ``low``, ``high`` (ms), ``is_client``."""
    mine = data.ledger.filter(pl.col("virtual_server") == virtual_server)
    rows = []
    for who, quantity, reading, is_client in (
        ("client", "R_client", None, True),
        (AS_PRINTED, "R_req", AS_PRINTED, False),
        (CORRECTED, "R_req", CORRECTED, False),
    ):
        row = _row(mine, quantity, reading)
        ends = [
            None if row is None or row[k] is None else row[k] * 1e3
            for k in ("value", "low", "high")
        ]
        rows.append((who, *ends, is_client))
    return pl.DataFrame(
        rows,
        schema={
            "who": pl.String,
            "value": pl.Float64,
            "low": pl.Float64,
            "high": pl.Float64,
            "is_client": pl.Boolean,
        },
        orient="row",
    )


def df_stations(data: RunData) -> pl.DataFrame:
    """How busy each station was under the load: ``station``, ``utilization``, ``low``, ``high``.

    For each loaded virtual server its guest's CPUs (T_cpu over T and their number), its virtual disk and the
    host's disk under it (equation 3, background kept: what is busy is busy, whoever asked); and the CPU that the
    host gives to all of them, with what every QEMU used of it by the task counters.
    """
    rows = []
    for vs in data.loaded:
        mine = data.ledger.filter(pl.col("virtual_server") == vs.name)
        cpus = data.run.facts(vs.role).get("cpus") or 1
        busy = _row(mine, "U_vcpu", KEPT)
        rows.append(
            (
                f"{vs.name}: {'vCPU' if cpus == 1 else f'{cpus} vCPUs'} (server)",
                *(None if busy is None else busy[k] for k in ("value", "low", "high")),
            )
        )
        for disk, words in (
            ("vdisk", f"guest's disk {vs.virtual_disk}"),
            ("disk", f"host's disk {vs.host_disk}"),
        ):
            row = _row(mine, f"U_{disk}_total", KEPT)
            rows.append(
                (
                    f"{vs.name}: {words}",
                    *(None if row is None else row[k] for k in ("value", "low", "high")),
                )
            )
    given, words = _cpus_given(data)
    shares = [qemu_share(data, vs) for vs in data.run.virtual_servers.values()]
    ends = [
        sum(known) / given
        if len(known := [s[k] for s in shares if s[k] is not None]) == len(shares)
        else None
        for k in range(3)
    ]
    rows.append((f"host: {words} for every QEMU", *(ends if shares else (None, None, None))))
    return pl.DataFrame(
        rows,
        schema={
            "station": pl.String,
            "utilization": pl.Float64,
            "low": pl.Float64,
            "high": pl.Float64,
        },
        orient="row",
    )


def _cpus_given(data: RunData) -> tuple[float, str]:
    """How many CPUs the host gives to its virtual servers, and that in words."""
    given = envelope_of(data.study, data.run).cpus
    return given, "1 CPU" if given == 1 else f"{given:g} CPU"


def qemu_share(data: RunData, vs: VirtualServer) -> tuple[float | None, float | None, float | None]:
    """CPUs that a virtual server's QEMU kept busy (``U_qemu`` of the ledger): value, low, high."""
    row = _row(data.ledger.filter(pl.col("virtual_server") == vs.name), "U_qemu", "task counters")
    if row is None or row["value"] is None:
        return None, None, None
    return tuple(row["value"] if row[k] is None else row[k] for k in ("value", "low", "high"))


# -- in words ----------------------------------------------------------------------------------------------


def busiest(stations: pl.DataFrame) -> tuple[str, float] | None:
    """The busiest of ``df_stations`` and its utilization; None where none was measured."""
    known = stations.filter(pl.col("utilization").is_finite()).sort(
        "utilization", descending=True, maintain_order=True
    )
    return None if known.is_empty() else (known["station"][0], known["utilization"][0])


def bottleneck_words(stations: pl.DataFrame) -> str:
    """A sentence of Markdown on the busiest station; no text from a log is in it unescaped."""
    top = busiest(stations)
    if top is None:
        return "No utilization could be measured, so no bottleneck can be named."
    name, share = f"`{top[0].replace('`', '')}`", top[1]
    if share >= 1:
        return (
            f"{name} was busy all the time ({short(share * 100)} %): it is saturated, and sets the throughput. "
            "(Above 100 % by more than its interval, its counter is not to be trusted.)"
        )
    if share <= 0:
        return "Nothing was busy."
    return (
        f"{name} is the busiest, {short(share * 100)} % of the time. If a request's demand stayed the same, the "
        f"throughput could grow at most {short(1 / share)} times before it is full."
    )


def client_words(data: RunData, virtual_server: str) -> list[str]:
    """Sentences that compare each set of readings with the client, and Little's law for a closed workload."""
    vs = data.run.virtual_servers[virtual_server]
    mine = data.ledger.filter(pl.col("virtual_server") == virtual_server)
    measured = value_of(mine, virtual_server, "R_client")
    if measured is None:
        return ["The client's response time is missing, so the model cannot be checked here."]
    found = []
    for name in (AS_PRINTED, CORRECTED):
        row = _row(mine, "R_req", name)
        if row is None or row["value"] is None:
            found.append(f"**{name}**: missing.")
            continue
        ratio = row["value"] / measured
        inside = (
            row["low"] is not None
            and row["high"] is not None
            and row["low"] <= measured <= row["high"]
        )
        size = (
            f"{short(ratio)} times the client's {short(measured * 1e3)} ms"
            if ratio >= 1
            else f"{short(ratio * 100)} % of the client's {short(measured * 1e3)} ms"
        )
        covered = "lies" if inside else "does not lie"
        found.append(
            f"**{name}**: {short(row['value'] * 1e3)} ms, {size}. The client's time {covered} in the "
            "interval that the instruments' resolution leaves."
        )
    work = vs.workload
    throughput = value_of(mine, virtual_server, "X_req")
    if work is not None and work.kind == "closed" and work.population and throughput:
        fixed = work.population / throughput - (work.think_time_s or 0.0)
        found.append(
            f"Little's law needs no model: {work.population} threads and {short(throughput)} requests a "
            f"second leave {short(fixed * 1e3)} ms for each. The client says {short(measured * 1e3)} ms."
        )
    return found

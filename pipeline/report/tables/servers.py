"""A study as a whole: the case study's runs on every server, in the layout of the paper's tables."""

from __future__ import annotations

import polars as pl

from pipeline.api import StudyData, choice_text, value_of
from pipeline.evaluate.server_ratio import PUBLISHED, SOURCES
from pipeline.report.tables.equations import AS_PRINTED, CORRECTED
from pipeline.report.tables.hardware import hardware_items
from pipeline.tables import floats, of_rows, texts
from pipeline.units import format_short

COLUMNS = ("R_cpu", "R_vdisk", "R_disk", "R_req", "X")


def df_tables(data: StudyData) -> pl.DataFrame:
    """Tables I and II for every source, a row a source, server and virtual server.

    Columns: ``source`` (a key of ``SOURCES``), ``server``, ``virtual_server``, then ``R_cpu``, ``R_vdisk``,
    ``R_disk``, ``R_req`` (ms) and ``X`` (requests a second). The client knows only the last two.
    """
    rows = []
    for row in data.published.iter_rows(named=True):
        parts = [row[name] for name in ("r_cpu_ms", "r_vdisk_ms", "r_disk_ms")]
        rows.append(
            (
                PUBLISHED,
                row["server"],
                row["virtual_server"],
                *parts,
                sum(parts),
                row["x_req_per_s"],
            )
        )
    for (server, virtual), run in data.runs.items():
        for source in (AS_PRINTED, CORRECTED):
            times = [_ms(value_of(run.ledger, virtual, name, source)) for name in COLUMNS[:-1]]
            rate = value_of(run.ledger, virtual, "X_req", source)
            rows.append((source, server, virtual, *times, rate))
        response, rate = (value_of(run.ledger, virtual, name) for name in ("R_client", "X_client"))
        rows.append(("client", server, virtual, None, None, None, _ms(response), rate))
    return of_rows(rows, texts("source", "server", "virtual_server") | floats(*COLUMNS))


def _ms(value_s: float | None) -> float | None:
    return None if value_s is None else value_s * 1e3


def df_layout(data: StudyData, tables: pl.DataFrame, server: str) -> pl.DataFrame:
    """One table in the paper's own layout, published beside ours.

    Columns: ``virtual servers``, ``numbers`` (whose), then the paper's: R_cpu, R_vdisk, R_disk (ms), X (req/s).
    """
    order = list(SOURCES)
    return (
        tables.filter((pl.col("server") == server) & (pl.col("source") != "client"))
        .with_columns(
            rank=pl.col("source").replace_strict(order, range(len(order))),
            kind=_order(data),
        )
        .sort("kind", "rank")
        .select(
            pl.col("virtual_server").replace(data.titles).alias("virtual servers"),
            pl.col("source").replace(SOURCES).alias("numbers"),
            *(pl.col(name).alias(f"{name} (ms)") for name in COLUMNS[:3]),
            pl.col("X").alias("X (req/s)"),
        )
    )


def _order(data: StudyData) -> pl.Expr:
    """The place of a virtual server in the study's order."""
    names = data.study.ordered(data.titles)
    return pl.col("virtual_server").replace_strict(names, range(len(names)), default=len(names))


def df_comparison(
    tables: pl.DataFrame, virtual_server: str, sources: tuple[str, ...]
) -> pl.DataFrame:
    """Rows of ``charts.server_comparison``: ``source``, ``server``, ``quantity``, ``value``."""
    return (
        tables.filter(
            (pl.col("virtual_server") == virtual_server) & pl.col("source").is_in(sources)
        )
        .unpivot(
            ["R_cpu", "R_vdisk", "R_disk", "X"],
            index=["source", "server"],
            variable_name="quantity",
        )
        .with_columns(pl.col("source").replace(SOURCES))
    )


def df_ratios(data: StudyData, tables: pl.DataFrame, better: str, worse: str) -> pl.DataFrame:
    """The worse server's numbers as multiples of the better one's: ``virtual_server``, ``source``, the columns."""
    keys = ["source", "virtual_server"]
    one, other = (
        tables.filter(pl.col("server") == server).drop("server") for server in (better, worse)
    )
    return (
        other.join(one, on=keys, suffix="_one", maintain_order="left")
        .sort(_order(data), maintain_order=True)
        .select(
            pl.col("virtual_server").replace(data.titles),
            pl.col("source").replace(SOURCES),
            *(
                pl.when(pl.col(f"{name}_one") > 0)
                .then(pl.col(name) / pl.col(f"{name}_one"))
                .alias(name)
                for name in COLUMNS
            ),
        )
    )


def df_rank(data: StudyData, better: str, worse: str) -> pl.DataFrame:
    """Every variant of R_req on both servers: does it rank them, and is it right?

    Columns: ``virtual_server``, ``variant``, ``better_ms``, ``worse_ms``, ``ratio``, ``ranks`` (the better server
    comes out faster), ``off_better``, ``off_worse`` (R_req over the client's response time). Readings without a
    value on both are left out.
    """
    rows = []
    for virtual in data.virtual_servers:
        if (better, virtual) not in data.runs or (worse, virtual) not in data.runs:
            continue
        left, right = data.runs[better, virtual].ledger, data.runs[worse, virtual].ledger
        clients = [_ms(value_of(side, virtual, "R_client")) for side in (left, right)]
        sides = [_response_times(side, virtual) for side in (left, right)]
        for variant in sides[0]:
            one, other = (_ms(side.get(variant)) for side in sides)
            if one is None or other is None:
                continue
            offs = [
                model / client if client else None
                for model, client in zip((one, other), clients, strict=True)
            ]
            rows.append(
                (virtual, variant, one, other, other / one if one else None, one < other, *offs)
            )
    times = texts("virtual_server", "variant") | floats("better_ms", "worse_ms", "ratio")
    return of_rows(rows, times | {"ranks": pl.Boolean} | floats("off_better", "off_worse"))


def _response_times(ledger: pl.DataFrame, virtual: str) -> dict[str, float | None]:
    """R_req by variant or choices (text); an empty text for none."""
    rows = ledger.filter((pl.col("virtual_server") == virtual) & (pl.col("quantity") == "R_req"))
    return {choice_text(row): row["value"] for row in rows.iter_rows(named=True)}


def df_colocated(data: StudyData) -> pl.DataFrame:
    """What a virtual server alone on its host makes of a request, and what both at once make of it.

    Columns: ``server``, ``virtual_server``, then for the client's response time and for the corrected model's
    (ms): ``client_alone``, ``client_together``, ``client_ratio``, ``model_alone``, ``model_together``,
    ``model_ratio``.
    """
    rows = []
    for server, both in data.colocated.items():
        for vs in both.loaded:
            alone = data.runs.get((server, vs.name))
            if alone is None:
                continue
            row: list[str | float | None] = [server, data.study.title_of(vs.name)]
            for quantity, variant in (("R_client", None), ("R_req", CORRECTED)):
                one, two = (
                    _ms(value_of(run.ledger, vs.name, quantity, variant)) for run in (alone, both)
                )
                row += [one, two, two / one if one and two is not None else None]
            rows.append(row)
    times = [
        f"{who}_{what}" for who in ("client", "model") for what in ("alone", "together", "ratio")
    ]
    return of_rows(rows, texts("server", "virtual_server") | floats(*times))


def df_spread(rank: pl.DataFrame, better: str, worse: str) -> pl.DataFrame:
    """Rows of ``charts.ratio_strip``: how far each variant lies from the client, a group a server."""
    parts = [
        rank.select(
            group=pl.lit(f"{server} server"),
            variant="variant",
            value=column,
            named=pl.col("variant").is_in([AS_PRINTED, CORRECTED]),
        )
        for server, column in ((better, "off_better"), (worse, "off_worse"))
    ]
    return pl.concat(parts)


def df_servers(data: StudyData) -> pl.DataFrame:
    """What the servers are: ``what``, then a column a recorded server (text)."""
    titles: dict[str, dict[str, str]] = {}
    for server in data.servers:
        known = data.study.entry("servers", server)
        told = {"title": str(known.get("title", ""))}
        told |= dict(hardware_items(known.get("envelope")))
        told["guests run by"] = str(known.get("accelerator", ""))
        titles[server] = told
    keys = list(dict.fromkeys(key for told in titles.values() for key in told))
    return pl.DataFrame(
        {"what": keys}
        | {server: [told.get(key, "") for key in keys] for server, told in titles.items()}
    )


# -- in words ----------------------------------------------------------------------------------------------


def study_key_figures(faster: pl.DataFrame, better: str, worse: str) -> dict[str, str]:
    """The few numbers at the top of the page: how many times longer a request takes on the weaker server.

    ``faster``: form ``SERVER_RATIO``. An interval is told instead of its middle.
    """
    told = {}
    for row in faster.filter(
        pl.col("quantity") == "R_req", pl.col("ratio").is_not_null()
    ).iter_rows(named=True):
        if row["source"] not in (SOURCES["client"], SOURCES[PUBLISHED]):
            continue
        whose = "by the client" if row["source"] == SOURCES["client"] else "published"
        interval = f"{format_short(row['low'], 2)} to {format_short(row['high'], 2)}"
        much = format_short(row["ratio"]) if row["low"] is None else interval
        told[f"{row['virtual_server']}, {worse} / {better}, {whose}"] = f"{much} times"
    return told


def server_differences_text(ratios: pl.DataFrame) -> list[str]:
    """Sentences of Markdown on where the servers differ most, for each source that knows the parts."""
    found = []
    for row in ratios.iter_rows(named=True):
        parts = {n: row[n] for n in ("R_cpu", "R_vdisk", "R_disk") if row[n] is not None}
        if not parts:
            continue
        most = max(parts, key=lambda name: parts[name])
        found.append(
            f"- {row['virtual_server']}, {row['source']}: most at {_SYMBOLS[most]} "
            f"({format_short(parts[most])} times), a request in all {format_short(row['R_req'])} times."
        )
    return ["\n".join(found)] if found else []


_SYMBOLS = {"R_cpu": "$R_{cpu}$", "R_vdisk": "$R_{vdisk}$", "R_disk": "$R_{disk}$"}


def rank_text(mine: pl.DataFrame, name: str) -> list[str]:
    """Sentences on how many variants pass the paper's test, and how far they lie from the client."""
    if mine.is_empty():
        return [
            f"The {name} has no variant with a value on both servers, so there is nothing to rank."
        ]
    passed, count = int(mine["ranks"].sum()), mine.height
    offs = pl.concat([mine["off_better"], mine["off_worse"]]).drop_nulls()
    offs = offs.filter(offs > 0)
    text = f"**{passed} of {count}** variants of the {name}'s response time pass the test"
    if offs.is_empty():
        return [text + "; there is no client's time to hold them against."]
    least, most = float(offs.min()), float(offs.max())
    near = mine.filter(
        pl.all_horizontal(pl.col("off_better", "off_worse").is_between(0.8, 1.25))
    ).height
    return [
        f"{text}. Against the client they range from {format_short(least)} to {format_short(most)} times the measured "
        f"time, a factor of {format_short(most / least)} between them; {near} of {count} lie within a quarter of it on "
        "both servers."
    ]

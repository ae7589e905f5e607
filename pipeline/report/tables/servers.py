"""Comparison of two servers: the case study's runs, in the layout of the paper's tables and as ratios."""

from __future__ import annotations

import polars as pl

from pipeline.api import AS_PRINTED, CORRECTED, HOST, StudyData, choice_text, value_of
from pipeline.api.paper_tables import COLUMNS, server_order, to_ms
from pipeline.evaluate.server_ratio import PUBLISHED, SOURCES
from pipeline.report import texts as page_texts
from pipeline.report.tables.hardware import hardware_items, setting_items
from pipeline.report.tables.server_ratio import speed_up_text
from pipeline.tables import floats, of_rows, texts
from pipeline.units import format_short


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
    """The worse server's numbers divided by the better one's: ``virtual_server``, ``source``, ``COLUMNS``."""
    keys = ["source", "virtual_server"]
    better_rows, worse_rows = (
        tables.filter(pl.col("server") == server).drop("server") for server in (better, worse)
    )
    return (
        worse_rows.join(better_rows, on=keys, suffix="_better", maintain_order="left")
        .sort(server_order(data), maintain_order=True)
        .select(
            pl.col("virtual_server").replace(data.titles),
            pl.col("source").replace(SOURCES),
            *(
                pl.when(pl.col(f"{name}_better") > 0)
                .then(pl.col(name) / pl.col(f"{name}_better"))
                .alias(name)
                for name in COLUMNS
            ),
        )
    )


def df_rank(data: StudyData, better: str, worse: str) -> pl.DataFrame:
    """Every variant of R_req on both servers: whether it ranks them correctly, and its ratio to the client.

    Columns: ``virtual_server``, ``variant``, ``better_ms``, ``worse_ms``, ``ratio``, ``ranks`` (whether the better
    server is faster), ``off_better``, ``off_worse`` (R_req / the client's response time). Variants without a value on
    both servers are left out.
    """
    rows = []
    for virtual in data.virtual_servers:
        if (better, virtual) not in data.case_study_runs or (
            worse,
            virtual,
        ) not in data.case_study_runs:
            continue
        ledgers = [data.case_study_runs[server, virtual].ledger for server in (better, worse)]
        clients = [to_ms(value_of(ledger, virtual, "R_client")) for ledger in ledgers]
        sides = [_response_times(ledger, virtual) for ledger in ledgers]
        for variant in sides[0]:
            better_ms, worse_ms = (to_ms(side.get(variant)) for side in sides)
            if better_ms is None or worse_ms is None:
                continue
            offs = [
                model / client if client else None
                for model, client in zip((better_ms, worse_ms), clients, strict=True)
            ]
            ratio = worse_ms / better_ms if better_ms else None
            rows.append((virtual, variant, better_ms, worse_ms, ratio, better_ms < worse_ms, *offs))
    times = texts("virtual_server", "variant") | floats("better_ms", "worse_ms", "ratio")
    return of_rows(rows, times | {"ranks": pl.Boolean} | floats("off_better", "off_worse"))


def _response_times(ledger: pl.DataFrame, virtual: str) -> dict[str, float | None]:
    """R_req by variant or choices (text); an empty text for none."""
    rows = ledger.filter((pl.col("virtual_server") == virtual) & (pl.col("quantity") == "R_req"))
    return {choice_text(row): row["value"] for row in rows.iter_rows(named=True)}


def df_colocated(data: StudyData) -> pl.DataFrame:
    """Response times of a virtual server alone on its host and co-located.

    Columns: ``server``, ``virtual_server``, then for the client's response time and for the corrected variant's (ms):
    ``client_alone``, ``client_together``, ``client_ratio``, ``model_alone``, ``model_together``, ``model_ratio``.
    """
    rows = []
    for server, both in data.colocated.items():
        for vs in both.loaded:
            alone = data.case_study_runs.get((server, vs.name))
            if alone is None:
                continue
            row: list[str | float | None] = [server, data.study.title_of(vs.name)]
            for quantity, variant in (("R_client", None), ("R_req", CORRECTED)):
                alone_ms, both_ms = (
                    to_ms(value_of(run.ledger, vs.name, quantity, variant)) for run in (alone, both)
                )
                ratio = both_ms / alone_ms if alone_ms and both_ms is not None else None
                row += [alone_ms, both_ms, ratio]
            rows.append(row)
    times = [
        f"{source}_{value}"
        for source in ("client", "model")
        for value in ("alone", "together", "ratio")
    ]
    return of_rows(rows, texts("server", "virtual_server") | floats(*times))


def df_spread(rank: pl.DataFrame, better: str, worse: str) -> pl.DataFrame:
    """Rows of ``charts.ratio_strip``: the ratio of each variant to the client, one group per server."""
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
    """Hardware of the servers: ``item``, then one column per recorded server (text).

    Settings of the hosts' CPUs, from facts.json of the case study's runs, have a row where the servers differ in them.
    """
    items: dict[str, dict[str, str]] = {}
    for server in data.servers:
        entry = data.study.entry("servers", server)
        items[server] = (
            {"title": str(entry.get("title", ""))}
            | dict(hardware_items(entry.get("envelope")))
            | {"accelerator": str(entry.get("accelerator", ""))}
        )
    for name, by_server in _differing_settings(data).items():
        for server, text in by_server.items():
            items[server][name] = text
    names = list(dict.fromkeys(name for of_server in items.values() for name in of_server))
    return pl.DataFrame(
        {"item": names}
        | {server: [values.get(name, "") for name in names] for server, values in items.items()}
    )


def _differing_settings(data: StudyData) -> dict[str, dict[str, str]]:
    """Setting → server → its value, of those settings that every server has recorded and in which they differ.

    A server whose runs differ has all its values.
    """
    recorded: dict[str, dict[str, set[str]]] = {}
    for (server, _), run in data.case_study_runs.items():
        for name, text in setting_items(run.run.facts(HOST)):
            recorded.setdefault(name, {}).setdefault(server, set()).add(text)
    settings = {
        name: {server: " / ".join(sorted(values)) for server, values in by_server.items()}
        for name, by_server in recorded.items()
        if set(by_server) == set(data.servers)
    }
    return {name: values for name, values in settings.items() if len({*values.values()}) > 1}


# -- sentences ---------------------------------------------------------------------------------------------


def study_key_figures(ratios: pl.DataFrame, better: str, worse: str) -> dict[str, str]:
    """The page's key figures: how many times longer a request takes on the weaker server.

    ``ratios``: schema ``SERVER_RATIO``. The interval is shown where there is one, not its middle.
    """
    figures = {}
    for row in ratios.filter(
        pl.col("quantity") == "R_req", pl.col("ratio").is_not_null()
    ).iter_rows(named=True):
        if row["source"] not in (SOURCES["client"], SOURCES[PUBLISHED]):
            continue
        source = "client" if row["source"] == SOURCES["client"] else "published"
        interval = f"{format_short(row['low'], 2)} to {format_short(row['high'], 2)}"
        ratio = format_short(row["ratio"]) if row["low"] is None else interval
        figures[f"{row['virtual_server']}, R {worse} / {better}, {source}"] = f"{ratio}×"
    return figures


def study_headline(
    ratios: pl.DataFrame, rank: pl.DataFrame, better: str, worse: str
) -> tuple[list[str], str]:
    """The answer of the page and its kind: the faster server as clients measured it, and what the paper's test shows.

    ``ratios``: schema ``SERVER_RATIO``; ``rank``: the rows of ``df_rank``.
    """
    rows = ratios.filter(
        pl.col("quantity") == "R_req",
        pl.col("source") == SOURCES["client"],
        pl.col("ratio").is_not_null(),
    ).to_dicts()
    parts = [
        page_texts.response_speed_up(row["virtual_server"], speed_up_text(row, better, worse))
        for row in rows
    ]
    text = "; ".join(parts)
    sentences = [f"{text[:1].upper()}{text[1:]}."] if parts else [page_texts.NO_CLIENT_RATIO]
    offs = pl.concat([rank["off_better"], rank["off_worse"]]).drop_nulls()
    offs = offs.filter(offs > 0)
    if not offs.is_empty():
        passed = int(rank["ranks"].sum())
        sentences.append(
            page_texts.rank_answer(passed, rank.height, float(offs.min()), float(offs.max()))
        )
    is_clear = bool(rows) and all(row["low"] is not None and row["low"] > 1 for row in rows)
    return sentences, "good" if is_clear else "warning"


def server_differences_text(ratios: pl.DataFrame) -> list[str]:
    """Markdown: where the servers differ most, one line per virtual server and source that has the parts."""
    lines = []
    for row in ratios.iter_rows(named=True):
        parts = {
            name: row[name] for name in ("R_cpu", "R_vdisk", "R_disk") if row[name] is not None
        }
        if not parts:
            continue
        part = max(parts, key=lambda name: parts[name])
        lines.append(
            page_texts.largest_ratio(
                row["virtual_server"], row["source"], _SYMBOLS[part], parts[part], row["R_req"]
            )
        )
    return ["\n".join(lines)] if lines else []


_SYMBOLS = {"R_cpu": "$R_{cpu}$", "R_vdisk": "$R_{vdisk}$", "R_disk": "$R_{disk}$"}


def rank_text(rank: pl.DataFrame, virtual_server: str) -> list[str]:
    """How many variants pass the paper's test, and how far they lie from the client's response time.

    ``rank``: the rows of ``df_rank`` of one virtual server; ``virtual_server``: its title.
    """
    if rank.is_empty():
        return [page_texts.nothing_to_rank(virtual_server)]
    passed, count = int(rank["ranks"].sum()), rank.height
    ratios = pl.concat([rank["off_better"], rank["off_worse"]]).drop_nulls()
    ratios = ratios.filter(ratios > 0)
    text = page_texts.passed_rank_test(passed, count, virtual_server)
    if ratios.is_empty():
        return [text + page_texts.NO_CLIENT_TO_COMPARE]
    is_near = pl.all_horizontal(pl.col("off_better", "off_worse").is_between(0.8, 1.25))
    near = rank.filter(is_near).height
    low, high = float(ratios.min()), float(ratios.max())
    return [text + page_texts.variants_vs_client(low, high, near, count)]

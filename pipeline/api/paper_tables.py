"""Tables I and II of the paper: published numbers next to those of a study's case study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from pipeline.evaluate.server_ratio import PUBLISHED, SOURCES
from pipeline.ledger.catalogue import AS_PRINTED, CORRECTED
from pipeline.ledger.lookup import value_of
from pipeline.tables import floats, of_rows, texts

if TYPE_CHECKING:
    from pipeline.api.study import StudyData

COLUMNS = ("R_cpu", "R_vdisk", "R_disk", "R_req", "X")


def df_tables(data: StudyData) -> pl.DataFrame:
    """Tables I and II, one row per source, server and virtual server.

    Columns: ``source`` (a key of ``SOURCES``), ``server``, ``virtual_server``, then ``R_cpu``, ``R_vdisk``,
    ``R_disk``, ``R_req`` (ms) and ``X`` (requests/s). The client measures only the last two.
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
    for (server, virtual), run in data.case_study_runs.items():
        for source in (AS_PRINTED, CORRECTED):
            times = [to_ms(value_of(run.ledger, virtual, name, source)) for name in COLUMNS[:-1]]
            rate = value_of(run.ledger, virtual, "X_req", source)
            rows.append((source, server, virtual, *times, rate))
        response, rate = (value_of(run.ledger, virtual, name) for name in ("R_client", "X_client"))
        rows.append(("client", server, virtual, None, None, None, to_ms(response), rate))
    return of_rows(rows, texts("source", "server", "virtual_server") | floats(*COLUMNS))


def to_ms(value_s: float | None) -> float | None:
    """Seconds as milliseconds; None stays None."""
    return None if value_s is None else value_s * 1e3


def df_layout(data: StudyData, tables: pl.DataFrame, server: str) -> pl.DataFrame:
    """One table in the paper's layout, published and recorded numbers.

    Columns: ``virtual servers``, ``source``, then the paper's: R_cpu, R_vdisk, R_disk (ms), X (req/s).
    """
    order = list(SOURCES)
    return (
        tables.filter((pl.col("server") == server) & (pl.col("source") != "client"))
        .with_columns(
            rank=pl.col("source").replace_strict(order, range(len(order))),
            kind=server_order(data),
        )
        .sort("kind", "rank")
        .select(
            pl.col("virtual_server").replace(data.titles).alias("virtual servers"),
            pl.col("source").replace(SOURCES).alias("source"),
            *(pl.col(name).alias(f"{name} (ms)") for name in COLUMNS[:3]),
            pl.col("X").alias("X (req/s)"),
        )
    )


def server_order(data: StudyData) -> pl.Expr:
    """Position of a virtual server in the study's order."""
    names = data.study.ordered(data.titles)
    return pl.col("virtual_server").replace_strict(names, range(len(names)), default=len(names))


def df_paper_tables(data: StudyData) -> pl.DataFrame:
    """The tables of every server in the paper's layout, one below the other, with the column ``server`` in front."""
    tables = df_tables(data)
    parts = [
        df_layout(data, tables, server).select(pl.lit(server).alias("server"), pl.all())
        for server in data.servers
    ]
    return pl.concat(parts)

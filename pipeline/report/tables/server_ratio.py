"""Speed-up of the better of two servers over the other: table and sentences."""

from __future__ import annotations

import polars as pl

from pipeline.api import StudyData
from pipeline.evaluate.server_ratio import CLIENT, FROM_DEMANDS
from pipeline.report import texts as page_texts


def df_server_ratio(data: StudyData, better: str, worse: str) -> pl.DataFrame:
    """Every comparison of the two servers, schema ``SERVER_RATIO``; virtual servers by their titles."""
    frame = data.server_ratio(better, worse)
    return frame.with_columns(pl.col("virtual_server").replace(data.titles))


def server_ratio_text(frame: pl.DataFrame, better: str, worse: str) -> list[str]:
    """One sentence per virtual server: the ratio of the client's response times, and those of the demands.

    ``frame``: schema ``SERVER_RATIO``.
    """
    sentences = []
    for name in frame["virtual_server"].unique(maintain_order=True):
        rows = frame.filter((pl.col("virtual_server") == name) & pl.col("ratio").is_not_null())
        responses = rows.filter((pl.col("quantity") == "R_req") & (pl.col("source") == CLIENT))
        parts = [
            page_texts.response_speed_up(name, speed_up_text(row, better, worse))
            for row in responses.iter_rows(named=True)
        ]
        demands = rows.filter(pl.col("source") == FROM_DEMANDS)
        parts += [
            f"{page_texts.DEMANDS[row['quantity']]}: {speed_up_text(row, better, worse)}"
            for row in demands.iter_rows(named=True)
        ]
        if parts:
            sentences.append("; ".join(parts) + ".")
    return sentences


def speed_up_text(row: dict, better: str, worse: str) -> str:
    """A row of ``SERVER_RATIO``: which server is faster, and its speed-up with the 95 % interval."""
    return page_texts.speed_up(better, worse, row["ratio"], row["low"], row["high"])

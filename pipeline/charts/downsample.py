"""Reduce the number of points of a chart, with a sentence that states it. Short, because only the outline is kept."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipeline.charts.theme import MAX_ROWS


def min_max_downsample(
    frame: pl.DataFrame, x: str, y: str, by: Sequence[str] = (), *, limit: int = MAX_ROWS
) -> tuple[pl.DataFrame, str]:
    """At most ``limit`` rows of ``frame`` that draw the same outline, and a sentence that states the reduction.

    Each series (``by``) is divided along ``x`` into bins of equally many rows; of each bin the rows with the
    minimum and the maximum of ``y`` are kept, so that no peak is lost. A frame within the limit is returned
    sorted by series and ``x``, with an empty sentence. A bin keeps a row without ``y`` only if it has no
    other, so that gaps remain.
    """
    by = list(by)
    frame = frame.sort([*by, x], maintain_order=True)
    if frame.height <= limit:
        return frame, ""
    series = max(1, frame.select(by).n_unique() if by else 1)
    bins = max(1, limit // (2 * series))
    numbered = frame.with_row_index("_row").with_columns(
        _rank=(pl.int_range(pl.len()) * bins // pl.len()).over(by or pl.lit(0)),
    )
    value = pl.col(y).fill_nan(None)
    keep = numbered.group_by([*by, "_rank"], maintain_order=True).agg(
        low=pl.col("_row").get(value.arg_min().fill_null(0)),
        high=pl.col("_row").get(value.arg_max().fill_null(0)),
    )
    rows = keep["low"].append(keep["high"]).unique().sort()
    thinned = frame[rows.to_list()]
    text = f"{frame.height:,} points, drawn as {thinned.height:,}: minimum and maximum of every bin"
    return thinned, text

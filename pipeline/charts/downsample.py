"""Fewer points for a picture, and never without saying so."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipeline.charts.theme import MAX_ROWS


def min_max_downsample(
    frame: pl.DataFrame, x: str, y: str, by: Sequence[str] = (), *, limit: int = MAX_ROWS
) -> tuple[pl.DataFrame, str]:
    """At most ``limit`` rows of ``frame`` that draw the same outline, and a sentence that says what was done.

    Each series (``by``) is cut along ``x`` into stretches of equally many rows; of each the rows with the
    least and the greatest ``y`` stay, so that no peak is lost. A short frame comes back as it is, in order of
    series and ``x``, with an empty sentence. Rows whose ``y`` is missing stay out of the choice; a stretch
    that has no other keeps one of them, so that a gap stays a gap.
    """
    by = list(by)
    frame = frame.sort([*by, x], maintain_order=True)
    if frame.height <= limit:
        return frame, ""
    series = max(1, frame.select(by).n_unique() if by else 1)
    stretches = max(1, limit // (2 * series))
    numbered = frame.with_row_index("_row").with_columns(
        _rank=(pl.int_range(pl.len()) * stretches // pl.len()).over(by or pl.lit(0)),
    )
    value = pl.col(y).fill_nan(None)
    keep = numbered.group_by([*by, "_rank"], maintain_order=True).agg(
        low=pl.col("_row").get(value.arg_min().fill_null(0)),
        high=pl.col("_row").get(value.arg_max().fill_null(0)),
    )
    rows = keep["low"].append(keep["high"]).unique().sort()
    thinned = frame[rows.to_list()]
    text = (
        f"{frame.height:,} points, drawn as {thinned.height:,}: least and greatest of every stretch"
    )
    return thinned, text

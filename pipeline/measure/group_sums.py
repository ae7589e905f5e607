"""Sums by group that are the same on every computer, because Polars does not fix the order in which it adds.

The order of ``group_by`` depends on the number of threads and, in large frames, on the process. A sum of floats in
another order may differ in its last digit, and with it every number that is computed from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl


def sum_by_group(frame: pl.DataFrame, keys: Sequence[str], **values: pl.Expr) -> pl.DataFrame:
    """Sums by ``keys``, added in the order of the rows.

    Parameters
    ----------
    frame
        Its groups keep the order of their first rows.
    keys
        Columns that make a group; null is a key, too.
    **values
        Name of the sum → what is added; null and no row count as 0.

    Returns
    -------
    DataFrame
        Columns ``keys`` and the sums, Float64.

    Examples
    --------
    >>> frame = pl.DataFrame({"task": [7, 3, 7], "bytes": [1.0, 2.0, 3.0]})
    >>> sum_by_group(frame, ["task"], total=pl.col("bytes")).rows()
    [(7, 4.0), (3, 2.0)]
    """
    added = frame.select(
        *keys, *(value.cast(pl.Float64).alias(name) for name, value in values.items())
    )
    groups = added.select(keys).unique(keep="first", maintain_order=True).with_row_index("group")
    rows = added.join(groups, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
    sums = {
        name: np.bincount(rows["group"], weights=rows[name].fill_null(0.0), minlength=groups.height)
        for name in values
    }
    return groups.drop("group").with_columns(
        pl.Series(name, total, pl.Float64) for name, total in sums.items()
    )

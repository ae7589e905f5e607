"""Two runs side by side, number by number of their ledgers; short, because the ledgers hold the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from pipeline.ledger.catalogue import CHOICES
from pipeline.tables import floats, texts

if TYPE_CHECKING:
    from pipeline.api.run import RunData

KEYS = ("virtual_server", "quantity", "equation", "variant", *CHOICES, "unit")
"""What makes two rows of a ledger the same number; a null equals a null."""

RUN_COMPARISON = pl.Schema(texts(*KEYS) | floats("a", "b", "ratio"))
"""One row per number of the ledgers of two runs: its value in both (null where missing) and ``ratio`` = b / a (null
where a value is missing or a is 0). Rows about one process or task are left out: their numbers differ by run."""


def compare_runs(a: RunData, b: RunData) -> pl.DataFrame:
    """The ledgers of two runs, joined. Schema: ``RUN_COMPARISON``."""
    sides = [
        run.ledger.filter(pl.col("subject").is_null()).select(*KEYS, pl.col("value").alias(name))
        for name, run in (("a", a), ("b", b))
    ]
    both = sides[0].join(
        sides[1], on=KEYS, how="full", coalesce=True, nulls_equal=True,
        maintain_order="left_right", validate="1:1",
    )  # fmt: skip
    ratio = pl.when(pl.col("a") != 0).then(pl.col("b") / pl.col("a"))
    return both.with_columns(ratio=ratio).select(RUN_COMPARISON.names())

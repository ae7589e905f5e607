"""Logs of fifteen seconds, one snapshot per second, made by hand."""

import polars as pl

from pipeline.measure.counters import BoundedValue
from pipeline.measure.window import NS_PER_S
from pipeline.quality.agreement import Measurement
from pipeline.quality.cpu import ClockRates
from pipeline.raw import Window

LOAD = Window(2 * NS_PER_S, 12 * NS_PER_S)


SECONDS = range(15)


def exactly(value: float) -> BoundedValue:
    return BoundedValue(value, value, value)


def ticks(*seconds: float) -> pl.DataFrame:
    return pl.DataFrame(
        {"snapshot": range(len(seconds)), "client_ns": [int(s * NS_PER_S) for s in seconds]},
        schema={"snapshot": pl.Int64, "client_ns": pl.Int64},
    )


EVERY_SECOND = ticks(*SECONDS)


RATES = ClockRates(100.0, 1.0)


def kernel(used: dict[int, list[float | None]], parent: int = 1, children=None) -> pl.DataFrame:
    rows = [
        (
            second,
            pid,
            parent if pid != parent else 0,
            round(value * 100),
            (children or {}).get((pid, second), 0),
        )
        for pid, values in used.items()
        for second, value in zip(SECONDS, values, strict=True)
        if value is not None
    ]
    return pl.DataFrame(
        rows,
        schema={
            "snapshot": pl.Int64,
            "pid": pl.Int64,
            "ppid": pl.Int64,
            "utime_ticks": pl.Int64,
            "child_utime_ticks": pl.Int64,
        },
        orient="row",
    ).with_columns(
        starttime_ticks=pl.col("pid") * 10,
        stime_ticks=pl.lit(0),
        child_stime_ticks=pl.lit(0),
        client_ns=pl.col("snapshot") * NS_PER_S,
    )  # fmt: skip


def ends(found: Measurement) -> tuple[BoundedValue, BoundedValue]:
    return found.a, found.b

"""How the verdicts depend on the average that is taken over a load's runs.

Demand curves are fitted to logarithms, so a prediction speaks of the typical run; R is convex in the demand, so the
mean over runs lies above it, the more the nearer to saturation. A true model is therefore judged too quick by the mean,
less so by the geometric mean, and not at all by the median, which scatters most with few runs. Loads are judged by the
geometric mean, and the verdicts by the others are shown beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import polars as pl

from pipeline.validate.replicates import typical, typical_interval
from pipeline.validate.verdict import attributed_share, score

AVERAGES: dict[str, Callable[[list[float]], float]] = {
    "mean": np.mean,
    "geometric mean": typical,
    "median": np.median,
}

SURE = 1.96
"""Standard errors on either side of a 95 % interval."""

BY_AVERAGE = pl.Schema(
    {
        "average": pl.String,
        "server": pl.String,
        "virtual_server": pl.String,
        "load": pl.String,
        "kind": pl.String,
        "alone": pl.Boolean,
        "runs": pl.Int64,
        "X_measured_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "error_X": pl.Float64,
        "R_measured_ms": pl.Float64,
        "typical_low_ms": pl.Float64,
        "typical_high_ms": pl.Float64,
        "R_ms": pl.Float64,
        "error_R": pl.Float64,
        "explained": pl.Float64,
        "explained_low": pl.Float64,
        "explained_high": pl.Float64,
        "judged": pl.String,
    }
)
"""One row an average and load held out. ``alone``: whether no other virtual server was loaded. X and R: the average
over the runs of what was measured, and of what is predicted for each. ``typical_``: where the typical R lies (95 %),
null for one run and where the server did not keep up in some. ``explained``: the share of the miss of R that the runs'
own demands account for, with its 95 % interval by how sure they are. Null where R has no bound."""

KEYS = ("server", "virtual_server", "load", "kind", "alone")


def judged_by_average(budget_of_runs: pl.DataFrame) -> pl.DataFrame:
    """Every load held out, from its runs (form ``BUDGET``), judged by each average. Schema: ``BY_AVERAGE``."""
    rows = [
        {"average": name, **dict(zip(KEYS, keys, strict=True)), **_judged(runs.to_dicts(), average)}
        for name, average in AVERAGES.items()
        for keys, runs in budget_of_runs.group_by(KEYS, maintain_order=True)
    ]
    return pl.DataFrame(rows, schema=BY_AVERAGE, orient="row")


def _judged(
    rows: list[dict], average: Callable[[list[float]], float]
) -> dict[str, float | str | None]:
    def over_runs(values: Iterable[float | None]) -> float | None:
        some = list(values)
        return None if None in some else float(average(some))

    names = ("X_per_s", "X_measured_per_s", "predicted_ms", "measured_ms", "utilization")
    columns = {name: [row[name] for row in rows] for name in names}
    *x, predicted, measured, utilization = (over_runs(each) for each in columns.values())
    r = predicted, measured
    # 0 where no step has a bound
    owns = [row["measured_ms"] - row["unexplained_ms"] or None for row in rows]
    own = over_runs(owns)
    # runs err independently; one without an error leaves their average without one
    errors = [row["unexplained_error_ms"] for row in rows]
    wide = None
    if own is not None and None not in errors:
        wide = SURE * own * float(np.linalg.norm(np.divide(errors, owns))) / len(rows)
    found = score(rows[0]["kind"], x, r, own, utilization)
    low, high = _share_interval(r, own, wide)
    kept_up = all(row["kept_up"] for row in rows)
    typical_r = (kept_up and typical_interval(columns["measured_ms"])) or (None, None)
    return {
        "runs": len(rows),
        "X_measured_per_s": x[1],
        "X_per_s": x[0],
        "error_X": found.error_x,
        "R_measured_ms": measured,
        "typical_low_ms": typical_r[0],
        "typical_high_ms": typical_r[1],
        "R_ms": predicted,
        "error_R": found.error_r,
        "explained": found.explained,
        "explained_low": low,
        "explained_high": high,
        "judged": found.judged,
    }


def _share_interval(
    r: tuple[float | None, float], own: float, wide: float | None
) -> tuple[float | None, float | None]:
    """Where the attributed share lies if R by the runs' own demands is sure to ``wide``."""
    if wide is None or r[0] is None:
        return None, None
    miss, left = r[1] - r[0], abs(r[1] - own)
    return attributed_share(miss, left + wide), attributed_share(miss, max(left - wide, 0.0))

"""How the verdicts depend on the average that is taken over a load's runs.

Demand curves are fitted to logarithms, so a prediction speaks of the typical run; R is convex in the demand, so the
mean over runs lies above it, the more the nearer to saturation. A true model is therefore judged too quick by the mean,
less so by the geometric mean, and not at all by the median, which scatters most with few runs. Loads are judged by the
geometric mean, and the verdicts by the others are shown beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import polars as pl

from pipeline.validate.observation import Observation
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
over the runs of what was measured, and of what is predicted for each; ``typical_``: where the typical R lies (95 %), null
for one run and where the server did not keep up in some. ``explained``: the share of the miss of R that
the runs' own demands account for, with its 95 % interval by how sure they are. Null where R has no bound."""

Place = tuple[str, str, str]
"""Server, virtual server and load in words."""


def judged_by_average(
    observations: Iterable[Observation],
    budget_of_runs: pl.DataFrame,
    utilizations: Mapping[Place, float],
) -> pl.DataFrame:
    """Every load held out, judged by each average over its runs. Schema: ``BY_AVERAGE``.

    ``budget_of_runs``: form ``validate.budget.BUDGET``; ``utilizations``: as predicted, of open loads that were there
    alone.
    """
    seen = {(one.server, one.run, one.virtual_server): one for one in observations}
    loads: dict[tuple[Place, bool], list[tuple[Observation, dict]]] = {}
    for row in budget_of_runs.iter_rows(named=True):
        one = seen[row["server"], row["run"], row["virtual_server"]]
        place = (one.server, one.virtual_server, one.load.words)
        loads.setdefault((place, one.alone), []).append((one, row))
    rows = []
    for name, average in AVERAGES.items():
        for (place, alone), runs in loads.items():
            keys = dict(zip(("server", "virtual_server", "load"), place, strict=True))
            figures = _judged(runs, average, utilizations.get(place) if alone else None)
            rows.append({"average": name, **keys, "alone": alone, "runs": len(runs), **figures})
    return pl.DataFrame(rows, schema=BY_AVERAGE, orient="row")


def _judged(
    runs: list[tuple[Observation, dict]],
    average: Callable[[list[float]], float],
    utilization: float | None,
) -> dict[str, float | str | None]:
    def over_runs(values: Iterable[float | None]) -> float | None:
        some = list(values)
        return None if None in some else float(average(some))

    rows = [row for _, row in runs]
    x = over_runs(row["X_per_s"] for row in rows), over_runs(o.throughput_per_s for o, _ in runs)
    r = over_runs(row["predicted_ms"] for row in rows), over_runs(r["measured_ms"] for r in rows)
    # 0 where no step has a bound
    owns = [row["measured_ms"] - row["unexplained_ms"] or None for row in rows]
    own = over_runs(owns)
    # runs err independently; one without an error leaves their average without one
    errors = [row["unexplained_error_ms"] for row in rows]
    wide = None
    if own is not None and None not in errors:
        wide = SURE * own * float(np.linalg.norm(np.divide(errors, owns))) / len(rows)
    found = score(runs[0][0].load.kind, x, r, own, utilization)
    low, high = _share_interval(r, own, wide)
    times = [row["measured_ms"] for row in rows]
    broken = any(one.saturated for one, _ in runs)
    typical_low, typical_high = (not broken and typical_interval(times)) or (None, None)
    return {
        "X_measured_per_s": x[1],
        "X_per_s": x[0],
        "error_X": found.error_x,
        "R_measured_ms": r[1],
        "typical_low_ms": typical_low,
        "typical_high_ms": typical_high,
        "R_ms": r[0],
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

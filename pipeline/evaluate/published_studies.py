"""Measurements and models of other authors (data/raw/published), and what the project's equations give for them.

Sources and the meaning of every column: data/raw/published/README.md. :mod:`published` has the paper's own numbers,
:mod:`missing_station` the verdict on a sweep over populations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from pipeline import equations as eq
from pipeline.distributions import t_quantile
from pipeline.evaluate import texts
from pipeline.evaluate.published import read_published
from pipeline.network.model import Network
from pipeline.network.service import erlang_c
from pipeline.network.solve import solve

PLATFORMS = ("native", "kvm")
PROCESSORS = 32
"""Hardware threads of the machine of Felter et al., and virtual CPUs of its guest."""
FILES = (
    "felter_mysql.csv",
    "influence_factors.csv",
    "consolidation.csv",
    "touloupas_mm1.csv",
    "touloupas_mmm.csv",
    "touloupas_closed.csv",
    "touloupas_closed_stations.csv",
)
"""What the functions of this module read."""


# -- MySQL, native and KVM -----------------------------------------------------------------------------------


def read_mysql(raw: Path | str, level: float = 0.95) -> pl.DataFrame:
    """MySQL under sysbench on the bare machine and in a KVM guest, one row per platform and number of threads.

    Parameters
    ----------
    raw
        The folder that has ``published`` in it.
    level
        Of the interval of X.

    Returns
    -------
    DataFrame
        ``platform``, ``population``, ``X_per_s``, ``X_sd_per_s`` (of the mean of the runs), ``X_half_per_s`` (half
        width of its interval, by Student's t), ``R_ms``, ``busy`` (0 to 1); ``little_ms`` = N / X, ``little_error`` =
        (N / X − R) / R, ``demand_ms`` = busy × 32 / X, the CPU time of a transaction.
    """
    frame = read_published(raw, "felter_mysql.csv")
    busy = pl.col("host_cpu_busy_percent") / 100
    sd = frame["X_sd_per_s"] / frame["runs"].sqrt()
    quantile = t_quantile(0.5 + level / 2, frame["runs"].to_numpy() - 1.0)
    return frame.select(
        "platform",
        pl.col("X_per_s", "R_ms"),
        population="threads",
        X_sd_per_s=sd,
        X_half_per_s=sd * pl.Series(quantile),
        busy=busy,
        little_ms=pl.col("threads") / pl.col("X_per_s") * 1e3,
        little_error=pl.col("threads") / pl.col("X_per_s") * 1e3 / pl.col("R_ms") - 1,
        demand_ms=busy * PROCESSORS / pl.col("X_per_s") * 1e3,
    )


def demand_rise(rows: pl.DataFrame) -> tuple[float, float, float]:
    """CPU demand of the highest over that of the lowest level of a platform, with its interval.

    The interval is what the spread of X leaves: that of the CPU utilization is not printed.
    """
    rise = float(rows["demand_ms"][-1] / rows["demand_ms"][0])
    relative = (rows["X_half_per_s"] / rows["X_per_s"]).to_numpy()
    half = float(np.hypot(relative[0], relative[-1]))
    return rise, rise * float(np.exp(-half)), rise * float(np.exp(half))


# -- models printed with their measurements -----------------------------------------------------------------

PRINTED = pl.Schema(
    {
        "model": pl.String,
        "quantity": pl.String,
        "unit": pl.String,
        "printed": pl.Float64,
        "computed": pl.Float64,
        "agrees": pl.Boolean,
        "measured": pl.Float64,
        "error": pl.Float64,
    }
)
"""One row per printed model and quantity. ``computed``: by the project's solver from the printed inputs. ``agrees``:
whether the rounding of the printed inputs and of the printed value explains their difference. ``error``: (computed −
measured) / measured."""


def check_open_models(raw: Path | str) -> pl.DataFrame:
    """Compute the printed M/M/1 and M/M/m models; schema: ``PRINTED``. Times include the printed factor."""
    rows = []
    for name in ("touloupas_mm1.csv", "touloupas_mmm.csv"):
        for row in read_published(raw, name, infer_schema=False).iter_rows(named=True):
            rows += _check_open_model(row)
    return pl.DataFrame(rows, schema=PRINTED, orient="row")


OPEN_QUANTITIES = {
    "rho": ("ρ", ""),
    "p_wait": ("P(wait)", ""),
    "mean_jobs": ("E[n]", ""),
    "mean_jobs_queue": ("E[nq]", ""),
    "mean_response_ms": ("E[r]", "ms"),
    "mean_wait_ms": ("E[w]", "ms"),
}
"""Column of the files → symbol and unit."""


def _check_open_model(row: dict[str, str]) -> list[tuple]:
    servers, factor = int(row.get("servers", 1)), float(row["time_factor"])
    rate, service_rate = float(row["arrivals_per_s"]), float(row["service_rate_per_s"])
    value = _solve_open(servers, rate, service_rate, factor)
    # every quantity rises with the load: the printed rates are rounded to 1 per second
    low = _solve_open(servers, rate - 0.5, service_rate + 0.5, factor)
    high = _solve_open(servers, rate + 0.5, service_rate - 0.5, factor)
    model = f"M/M/{servers}"
    rows = []
    for column, (quantity, unit) in OPEN_QUANTITIES.items():
        if column not in row:
            continue
        agrees = _agrees(low[column], high[column], row[column])
        measured = float(row["measured_response_ms"]) if column == "mean_response_ms" else None
        error = None if measured is None else float(eq.relative_error(value[column], measured))
        printed = float(row[column])
        rows.append((model, quantity, unit, printed, value[column], agrees, measured, error))
    return rows


def _solve_open(servers: int, rate: float, service_rate: float, factor: float) -> dict[str, float]:
    """The quantities of ``OPEN_QUANTITIES`` of an M/M/m queue, times multiplied by ``factor``."""
    service_s = 1 / service_rate
    solution = solve(
        Network.from_dict(
            {
                "stations": [{"name": "server", "kind": "queue", "servers": servers}],
                "classes": [{"name": "requests", "kind": "open", "rate": rate}],
                "demands": {"server": {"requests": service_s}},
            }
        )
    )
    response_s = float(solution.response_times[0])
    return {
        "rho": float(solution.utilizations[0, 0]),
        "p_wait": float(erlang_c(servers, rate * service_s)),
        "mean_jobs": float(solution.queue_lengths[0, 0]),
        "mean_jobs_queue": rate * (response_s - service_s),
        "mean_response_ms": response_s * factor * 1e3,
        "mean_wait_ms": (response_s - service_s) * factor * 1e3,
    }


def _half_unit(printed: str) -> float:
    """Half a unit of the last digit of a printed number."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])


def _agrees(low: float, high: float, printed: str) -> bool:
    """Whether a printed number, before it was rounded, can have been between ``low`` and ``high``."""
    half = _half_unit(printed) * (1 + 1e-9)
    return low - half <= float(printed) <= high + half


def closed_network(raw: Path | str, rounding: float = 0.0) -> Network:
    """The printed closed network, one station for each of the copies of a station.

    Parameters
    ----------
    raw
        The folder that has ``published`` in it.
    rounding
        Added to each printed service time, in half units of its last digit: -1 to 1 are the times it can stand for.

    Returns
    -------
    Network
        One closed class; demand D = V S, seconds.
    """
    (population,) = read_published(raw, "touloupas_closed.csv")["population"]
    stations, demands = [], {}
    printed = read_published(raw, "touloupas_closed_stations.csv", infer_schema=False)
    for row in printed.iter_rows(named=True):
        service_ms = float(row["service_ms"]) + rounding * _half_unit(row["service_ms"])
        visits = float(row["visits_numerator"]) / float(row["visits_denominator"])
        for copy in range(1, int(row["copies"]) + 1):
            name = row["station"] if row["copies"] == "1" else f"{row['station']} {copy}"
            servers = {} if row["kind"] == "delay" else {"servers": int(row["servers"])}
            stations.append({"name": name, "kind": row["kind"], **servers})
            demands[name] = {"requests": visits * service_ms / 1e3}
    customers = {"name": "requests", "kind": "closed", "population": population}
    return Network.from_dict({"stations": stations, "classes": [customers], "demands": demands})


def check_closed_model(raw: Path | str) -> pl.DataFrame:
    """Solve the printed closed network exactly; schema: ``PRINTED``. The report prints no measured value beside it."""
    (row,) = read_published(raw, "touloupas_closed.csv", infer_schema=False).iter_rows(named=True)
    solutions = [solve(closed_network(raw, rounding)) for rounding in (0, 1, -1)]
    x, *x_range = (float(s.throughput[0]) for s in solutions)
    r, *r_range = (float(s.response_times[0]) * 1e3 for s in solutions)
    model = f"closed, N = {row['population']}"
    return pl.DataFrame(
        [
            (model, name, unit, float(text), value, _agrees(*sorted(ends), text), None, None)
            for name, unit, text, value, ends in (
                ("X", "1/s", row["throughput_per_s"], x, x_range),
                ("R", "ms", row["response_ms"], r, r_range),
            )
        ],
        schema=PRINTED,
        orient="row",
    )


def list_printed_errors(raw: Path | str) -> pl.DataFrame:
    """What cannot be as printed, by other printed numbers of the same model and more than their rounding.

    Returns
    -------
    DataFrame
        ``model``, ``quantity``, ``unit``, ``printed``, ``right``, ``reason``.
    """
    rows = [
        {**row, "right": row["computed"], "reason": texts.WRONG_QUEUE}
        for row in check_open_models(raw).filter(~pl.col("agrees")).iter_rows(named=True)
    ]
    for row in check_closed_model(raw).filter(~pl.col("agrees")).iter_rows(named=True):
        (population, x) = read_published(raw, "touloupas_closed.csv").row(0)[:2]
        rows.append({**row, "right": population / x * 1e3, "reason": texts.WRONG_LITTLE})
    columns = ["model", "quantity", "unit", "printed", "right", "reason"]
    return pl.DataFrame(rows, infer_schema_length=None).select(columns)


# -- influence factors ---------------------------------------------------------------------------------------


def compare_platforms(raw: Path | str, level: float = 0.95) -> pl.DataFrame:
    """Performance under KVM and under QEMU without KVM relative to the bare machine, by benchmark.

    Parameters
    ----------
    raw
        The folder that has ``published`` in it.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        ``source``, ``benchmark``, ``setting``, ``quantity``, ``unit``, ``platform``, ``native``, ``value`` (means of
        what is printed), ``ratio`` (performance, native is 1: the ratio of rates, or of times inverted), ``low``,
        ``high`` (where three or more runs are printed, by Student's t; the native value is taken as it is), ``reason``
        (why there is no interval).
    """
    frame = read_published(raw, "influence_factors.csv").with_columns(
        pl.col("setting").fill_null("")
    )
    keys = ["source", "benchmark", "setting", "quantity", "unit", "is_higher_better"]
    native = frame.filter(platform="native").select(*keys, native="value")
    rows = []
    others = frame.filter(pl.col("platform") != "native").join(
        native, on=keys, maintain_order="left"
    )
    for group, values in others.group_by([*keys, "platform"], maintain_order=True):
        base, x = values["native"][0], values["value"].to_numpy()
        ratios = x / base if group[5] else base / x
        low = high = None
        if len(x) > 2:
            half = t_quantile(0.5 + level / 2, len(x) - 1) * ratios.std(ddof=1) / np.sqrt(len(x))
            low, high = float(ratios.mean() - half), float(ratios.mean() + half)
        rows.append(
            {
                **dict(zip([*keys, "platform"], group, strict=True)),
                "native": base,
                "value": float(x.mean()),
                "ratio": float(ratios.mean()),
                "low": low,
                "high": high,
                "reason": None if len(x) > 2 else texts.ONE_PRINTED_VALUE,
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def compare_consolidation(raw: Path | str) -> pl.DataFrame:
    """One against three guests on a host: the file's columns, and ``ratio`` to the time expected without loss."""
    frame = read_published(raw, "consolidation.csv")
    alone = frame.filter(guests=1)["time_s"][0]
    expected = pl.col("ideal_time_s").fill_null(alone)
    return frame.with_columns(expected_s=expected, ratio=pl.col("time_s") / expected)

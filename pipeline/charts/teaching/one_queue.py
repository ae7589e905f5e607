"""Lesson 3: response time of one queue over its utilization, and how far simulated means scatter about it."""

from __future__ import annotations

from functools import lru_cache

import altair as alt
import numpy as np
import polars as pl

from pipeline.charts.teaching.live import DECIMALS, PANEL, live_figure, number, slider, text_line
from pipeline.charts.theme import BLUE, GREY, VERMILION
from pipeline.network.gg1 import pollaczek_khinchine, waiting_times
from pipeline.units import format_short

UTILIZATIONS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
SEEDS, REQUESTS = 30, 10_000
"""Of the simulated means: seeds 0 to 29 at each utilization, requests of each run."""
MAX_RATIO = 36
"""Upper end of the axis of R/D."""
SERVICE_SCV = [round(0.1 * step, 1) for step in range(41)]
GRID = [round(0.01 * step, 2) for step in range(99)]


def one_queue() -> alt.VConcatChart:
    """R/D of M/G/1 over U by Pollaczek and Khinchine's formula, with sliders for c² of the service times and for U.

    Grey: means of simulated M/M/1 queues (c² = 1), one point per seed and utilization.

    Returns
    -------
    VConcatChart
    """
    means = simulated_means()
    rows = [{"scv": scv, "u": GRID, "ratio": response_ratio(GRID, scv)} for scv in SERVICE_SCV]
    curves = alt.Chart(alt.NamedData("curves")).transform_filter("abs(datum.scv - scv) < 1e-6")
    curve = curves.transform_flatten(["u", "ratio"])
    at = curve.transform_filter("abs(datum.u - utilization) < 1e-6")
    x = (
        alt.X("u:Q", title="utilization U")
        .scale(domain=[0, 1], nice=False)
        .axis(grid=True, format="%", tickCount=5)
    )
    y = alt.Y("ratio:Q", title="response time over service time, R/D").scale(
        domain=[0, MAX_RATIO], nice=False
    ).axis(grid=True)  # fmt: skip
    tooltip = [
        alt.Tooltip("u:Q", title="U", format=".0%"),
        alt.Tooltip("ratio:Q", title="R/D", format=DECIMALS),
    ]
    points = alt.Chart(alt.NamedData("means"))
    panel = alt.layer(
        points.mark_point(size=22, filled=True, color=GREY, opacity=0.4, clip=True).encode(
            x=x, y=y, tooltip=["seed:Q", *tooltip]
        ),
        curve.mark_line(color=BLUE, strokeWidth=2.5, clip=True).encode(x=x, y=y, tooltip=tooltip),
        at.mark_point(size=130, filled=True, opacity=1, color=VERMILION, clip=True).encode(x=x, y=y, tooltip=tooltip),
    ).properties(width=PANEL, height=320)  # fmt: skip
    spread = scatter(means)
    lines = [
        text_line(
            at,
            "'U = ' + format(datum.u, '.0%') + ', c² = ' + format(scv, '.2~r')"
            f" + ': R = ' + {number('datum.ratio', 'D')} "
            f" + ', of which ' + {number('datum.ratio - 1', 'D')} + ' is waiting'",
        ),
        text_line(
            alt.Chart(alt.InlineData(values=spread.to_dicts())).transform_filter("abs(datum.u - utilization) < 1e-6"),
            f"'{SEEDS} simulated M/M/1 queues of {REQUESTS:,} requests: R from ' + {number('datum.low')}"
            f" + ' to ' + {number('datum.high', 'D')}",
        ),
    ]  # fmt: skip
    title = "Response time of one queue"
    busiest = spread.row(-1, named=True)
    return live_figure(
        lines,
        [panel],
        [
            slider("utilization", "Utilization U", 0.9, (0, 0.95), 0.05),
            slider("scv", "c² of the service times", 1, (0, 4), 0.1),
        ],
        title=title,
        description=(
            f"{title} over its utilization, in units of the service time: R/D is 2 at 50 % and 10 at 90 % for"
            f" exponential services. {means.height} grey points, the means of {REQUESTS:,} simulated requests each, fan"
            f" out to the right: at {busiest['u']:.0%} they lie between {format_short(busiest['low'])} and"
            f" {format_short(busiest['high'])}. Sliders change c² of the service times and the utilization."
        ),
        datasets={"curves": rows, "means": means.to_dicts()},
    )


def response_ratio(utilization: list[float], service_scv: float) -> list[float]:
    """R/D of M/G/1 at each utilization below 1."""
    wait = pollaczek_khinchine(utilization, 1.0, service_scv)
    return (1 + wait).round(5).tolist()


@lru_cache(maxsize=1)
def simulated_means() -> pl.DataFrame:
    """Mean R/D of simulated M/M/1 queues: ``u``, ``seed``, ``ratio``; ``REQUESTS`` each, from an empty queue.

    Each seed draws its gaps first, then its services (``default_rng``), the same ones at every utilization up to the
    rate.
    """
    gaps, services = np.empty((SEEDS, REQUESTS)), np.empty((SEEDS, REQUESTS))
    for seed in range(SEEDS):
        draws = np.random.default_rng(seed)
        gaps[seed] = draws.exponential(size=REQUESTS)
        services[seed] = draws.exponential(size=REQUESTS)
    return pl.concat(
        pl.DataFrame(
            {
                "seed": range(SEEDS),
                "ratio": (waiting_times(gaps / utilization, services) + services).mean(axis=-1),
            }
        ).with_columns(u=pl.lit(utilization))
        for utilization in UTILIZATIONS
    )


def scatter(means: pl.DataFrame) -> pl.DataFrame:
    """Smallest and largest mean at each utilization: ``u``, ``low``, ``high``."""
    return (
        means.group_by("u", maintain_order=True)
        .agg(low=pl.col("ratio").min(), high=pl.col("ratio").max())
        .sort("u")
    )

"""Curves of a closed load that lessons 8 and 9 share: R(N) and X(N) by MVA, their asymptotes and the knee N*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from pipeline.charts.teaching.live import DECIMALS, PANEL
from pipeline.charts.theme import BLUE, GREY, ORANGE, VERMILION
from pipeline.network.closed import sweep_populations

MAX_THREADS = 32
STATIONS = ("CPU", "virtualization layer", "host's disk")
ASYMPTOTE = {"color": ORANGE, "strokeDash": [6, 3], "strokeWidth": 1.5}


def station_demands_s(run: Mapping[str, Any]) -> list[float]:
    """Service demands of a run at ``STATIONS``, background subtracted, in seconds.

    ``run``: a row of the runs table with ``R_cpu_net_s``, ``D_vdisk_net_s`` and ``D_disk_net_s``.
    """
    layer = run["D_vdisk_net_s"] - run["D_disk_net_s"]
    return [run["R_cpu_net_s"], max(layer, 0.0), run["D_disk_net_s"]]


def closed_curves(demands_s: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    """MVA of closed networks without think time, for 1 to ``MAX_THREADS`` customers.

    Parameters
    ----------
    demands_s : array_like, shape (n, K)
        Demands of each network's stations, seconds.

    Returns
    -------
    list of dict
        Of each network: lists ``N``, ``R`` (ms), ``X`` (1/s); ``total`` and ``largest``, ΣD and D_max in ms, from
        which the asymptotes follow.
    """
    demands = np.asarray(demands_s, float)
    swept = sweep_populations(demands, MAX_THREADS)
    return [
        {
            "N": list(range(1, MAX_THREADS + 1)),
            "R": (1e3 * response[1:]).round(5).tolist(),
            "X": throughput[1:].round(5).tolist(),
            "total": float(1e3 * row.sum()),
            "largest": float(1e3 * row.max()),
        }
        for row, response, throughput in zip(
            demands, swept.response_times, swept.throughput, strict=True
        )
    ]


def closed_panels(chosen: alt.Chart, points: alt.Chart, above: Sequence[Any] = ()) -> list[Any]:
    """The panels of R and X over N for the single row of ``chosen``, with asymptotes, N* and recorded ``points``.

    ``chosen``: a row of :func:`closed_curves`; ``points``: ``N``, ``R`` (ms), ``X`` (1/s), ``run``; ``above``: layers
    added to the panel of R.
    """
    curve = chosen.transform_flatten(["N", "R", "X"])
    corners = f"[1, min({MAX_THREADS}, datum.total / datum.largest), {MAX_THREADS}]"
    asymptotes = (
        chosen.transform_calculate(N=corners)
        .transform_flatten(["N"])
        .transform_calculate(
            R_least="max(datum.total, datum.N * datum.largest)",
            X_most="1000 * min(1 / datum.largest, datum.N / datum.total)",
        )
    )
    knee = chosen.transform_calculate(N="datum.total / datum.largest")
    x = (
        alt.X("N:Q", title="threads N")
        .scale(domain=[0, MAX_THREADS + 1], nice=False)
        .axis(grid=True, tickCount=8)
    )
    tooltip = [
        "run:N",
        alt.Tooltip("N:Q", title="threads"),
        alt.Tooltip("R:Q", title="R (ms)", format=DECIMALS),
        alt.Tooltip("X:Q", title="X (1/s)", format=DECIMALS),
    ]

    def panel(
        name: str, title: str, bound: str, height: int, layers: Sequence[Any]
    ) -> alt.LayerChart:
        y = alt.Y(f"{name}:Q", title=title).scale(zero=True).axis(grid=True)
        return alt.layer(
            knee.mark_rule(color=GREY, strokeDash=[2, 3], strokeWidth=1.5).encode(x=x),
            asymptotes.mark_line(**ASYMPTOTE).encode(x=x, y=alt.Y(f"{bound}:Q", title=title)),
            curve.mark_line(color=BLUE, strokeWidth=2.5).encode(x=x, y=y, tooltip=tooltip[1:]),
            points.mark_point(size=80, filled=True, opacity=1, color=VERMILION, shape="diamond").encode(
                x=x, y=y, tooltip=tooltip
            ),
            *layers,
        ).properties(width=PANEL, height=height)  # fmt: skip

    name = knee.mark_text(align="left", baseline="top", dx=4, dy=2, fontSize=11, text="N*").encode(
        x=x, y=alt.value(0)
    )
    return [
        panel("R", "response time R (ms)", "R_least", 230, [name, *above]),
        panel("X", "throughput X (1/s)", "X_most", 170, []),
    ]


def recorded_points(runs: pl.DataFrame) -> pl.DataFrame:
    """Recorded runs as points: ``run``, ``N`` threads, ``R`` (ms) and ``X`` (1/s) of the client."""
    return runs.select(
        "run", N=pl.col("threads"), R=pl.col("R_client_s") * 1e3, X=pl.col("X_client_per_s")
    )

"""Lesson 9: a closed load on other hardware: MVA, asymptotes, N* and a target of the response time."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.teaching.closed_curves import (
    MAX_THREADS,
    closed_curves,
    closed_panels,
    recorded_points,
    station_demands_s,
)
from pipeline.charts.teaching.live import ONCE, live_figure, number, slider, text_line
from pipeline.charts.theme import INK, VERMILION
from pipeline.units import format_short

SPEEDS = [0.5 + 0.25 * step for step in range(15)]
"""Positions of the sliders of the CPU's and the disk's speed: 0.5 to 4 times today's."""


def closed_what_if(runs: pl.DataFrame, *, target_ms: float = 600.0) -> alt.VConcatChart:
    """R(N) and X(N) of one run's demands on a faster or slower CPU and host's disk.

    The virtualization layer keeps its demand. Dashed: the asymptotic bounds, which meet at N*.

    Parameters
    ----------
    runs : DataFrame
        One row of the runs table with a closed load: ``run``, ``threads``, ``R_client_s``, ``X_client_per_s``,
        ``R_cpu_net_s``, ``D_vdisk_net_s``, ``D_disk_net_s``.
    target_ms : float
        Where the slider of the mean response time to be kept begins.

    Returns
    -------
    VConcatChart

    Raises
    ------
    ValueError
        Unless there is exactly one row.
    """
    if runs.height != 1:
        raise ValueError(f"one run is expected (got {runs.height})")
    run = runs.row(0, named=True)
    cpu, layer, disk = station_demands_s(run)
    positions = [(cpu_speed, disk_speed) for cpu_speed in SPEEDS for disk_speed in SPEEDS]
    curves = closed_curves([[cpu / fast, layer, disk / quick] for fast, quick in positions])
    rows = [
        {"cpu_speed": fast, "disk_speed": quick, **curve}
        for (fast, quick), curve in zip(positions, curves, strict=True)
    ]
    every = alt.Chart(alt.NamedData("curves"))
    chosen = every.transform_filter(
        "datum.cpu_speed == cpu_speed && datum.disk_speed == disk_speed"
    )
    points = alt.Chart(
        alt.InlineData(values=theme.json_ready(recorded_points(runs)).to_dicts())
    ).transform_calculate(run=f"'{run['run']}, as recorded'")
    once = alt.Chart(ONCE)
    target = (
        once.transform_calculate(R="target")
        .mark_rule(color=VERMILION, strokeDash=[8, 3, 2, 3], strokeWidth=1.5)
        .encode(y="R:Q")
    )
    marker = (
        once.transform_calculate(N="threads")
        .mark_rule(color=INK, strokeWidth=1.5)
        .encode(x=alt.X("N:Q"))
    )
    flat = chosen.transform_flatten(["N", "R", "X"])
    at = flat.transform_filter("datum.N == threads")
    kept = flat.transform_calculate(within="datum.R <= target ? datum.N : 0").transform_aggregate(
        most="max(within)"
    )
    today = every.transform_filter("datum.cpu_speed == 1 && datum.disk_speed == 1")
    before = today.transform_flatten(["N", "R"]).transform_filter("datum.N == threads")
    lines = [
        text_line(
            at,
            f"threads + (threads == 1 ? ' thread' : ' threads') + ': R ' + {number('datum.R', 'ms', digits=4)}"
            f" + ', X ' + {number('datum.X', digits=4)} + '/s'",
        ),
        text_line(
            before, f"'On today\\'s hardware: R ' + {number('datum.R', 'ms', digits=4)}"
        ),
        text_line(
            kept,
            f"datum.most == 0 ? 'R is above ' + {number('target', 'ms')} + ' even with one thread'"
            f" : 'R stays within ' + {number('target', 'ms')} + (datum.most == {MAX_THREADS}"
            f" ? ' with {MAX_THREADS} threads, too' : ' with up to ' + datum.most"
            " + (datum.most == 1 ? ' thread' : ' threads'))",
        ),
        text_line(
            chosen,
            f"'N* = ' + {number('datum.total / datum.largest')} + ', X never above '"
            f" + {number('1000 / datum.largest')} + '/s'",
        ),
    ]  # fmt: skip
    threads = int(run["threads"])
    first = rows[positions.index((1.0, 1.0))]
    title = "What if the hardware were faster?"
    return live_figure(
        lines,
        closed_panels(chosen, points, [target, marker]),
        [
            slider("cpu_speed", "CPU speed", 1, (SPEEDS[0], SPEEDS[-1]), 0.25, "×"),
            slider("disk_speed", "Disk speed", 1, (SPEEDS[0], SPEEDS[-1]), 0.25, "×"),
            slider("threads", "Threads", threads, (1, MAX_THREADS), 1),
            slider("target", "Mean R at most", target_ms, (target_ms / 20, target_ms * 3), target_ms / 60, "ms"),
        ],
        title=title,
        description=(
            f"{title} Response time and throughput over 1 to {MAX_THREADS} threads from the demands of {run['run']}:"
            f" R of {threads} threads {format_short(first['R'][threads - 1], 4)} ms by MVA, X never above"
            f" {format_short(1e3 / first['largest'])}/s, N* {format_short(first['total'] / first['largest'])}. Sliders"
            " change the speed of CPU and disk, the threads and the target."
        ),
        datasets={"curves": rows},
    )  # fmt: skip

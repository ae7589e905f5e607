"""Lesson 7: the published throughput of a closed load against the bounds of the published demands."""

from __future__ import annotations

import altair as alt
import numpy as np
import polars as pl

from pipeline.charts.teaching.live import (
    DECIMALS,
    PANEL,
    live_figure,
    menu,
    number,
    slider,
    text_line,
)
from pipeline.charts.theme import BLUE, SKY, VERMILION
from pipeline.evaluate.published import derive_quantities
from pipeline.network.bounds import balanced
from pipeline.network.closed import sweep_populations

POPULATIONS = np.arange(1, 33)
THINK_TIMES_MS = np.arange(0, 401, 5)
DEMANDS = ("r_cpu_ms", "d_vdisk_ms", "d_disk_ms")
"""Published or derived demands of one transaction at the three stations, ms."""


def audit(
    tables: pl.DataFrame, *, virtual_server: str = "db", threads: int = 16
) -> alt.VConcatChart:
    """X over the number of threads that the published demands allow, and the published X, for a think time.

    The band lies between the balanced job bounds, the curve is the exact solution (MVA). The disks' demands are those
    behind the published residence times by equation 10.

    Parameters
    ----------
    tables : DataFrame
        Tables I and II (``evaluate.published.read_tables``).
    virtual_server : str
        The one with a closed load.
    threads : int
        Of that load.

    Returns
    -------
    VConcatChart
    """
    servers = published_servers(tables, virtual_server, threads)
    curves = [
        {"server": server["server"], "Z": think_ms} | allowed_throughput(server, think_ms)
        for server in servers
        for think_ms in THINK_TIMES_MS.tolist()
    ]
    highest = max(max(curve["high"]) for curve in curves)
    names = [server["server"] for server in servers]
    chosen = alt.Chart(alt.NamedData("curves")).transform_filter(
        "datum.server == server && datum.Z == think_ms"
    )
    curve = chosen.transform_flatten(["N", "low", "high", "exact"])
    points = alt.Chart(
        alt.InlineData(values=[{name: s[name] for name in ("server", "N", "X")} for s in servers])
    ).transform_filter("datum.server == server")
    x = (
        alt.X("N:Q", title="threads N")
        .scale(domain=[0, 33], nice=False)
        .axis(grid=True, tickCount=8)
    )
    y = alt.Y("exact:Q", title="throughput X (1/s)").scale(domain=[0, highest]).axis(grid=True)
    tooltip = [
        alt.Tooltip("N:Q", title="threads"),
        alt.Tooltip("low:Q", title="X at least", format=DECIMALS),
        alt.Tooltip("exact:Q", title="X by MVA", format=DECIMALS),
        alt.Tooltip("high:Q", title="X at most", format=DECIMALS),
    ]
    panel = alt.layer(
        curve.mark_area(color=SKY, opacity=0.45).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", tooltip=tooltip),
        curve.mark_line(color=BLUE, strokeWidth=2.5).encode(x=x, y=y, tooltip=tooltip),
        points.mark_point(size=130, filled=True, opacity=1, color=VERMILION, shape="diamond").encode(x=x, y="X:Q"),
        points.transform_calculate(text=f"'published: ' + {number('datum.X')} + '/s'")
        .mark_text(dy=18, color=VERMILION).encode(x=x, y="X:Q", text="text:N"),
    ).properties(width=PANEL, height=280)  # fmt: skip
    at = curve.transform_filter(f"datum.N == {threads}").transform_lookup(
        lookup="server",
        from_=alt.LookupData(
            data=alt.InlineData(values=[{"server": s["server"], "X": s["X"]} for s in servers]),
            key="server",
            fields=["X"],
        ),
    )
    lines = [
        text_line(
            at,
            f"'{threads} threads with a think time of ' + {number('think_ms', 'ms')}"
            f" + ': X from ' + {number('datum.low')}"
            f" + ' to ' + {number('datum.high')} + '/s, exactly ' + {number('datum.exact')} + '/s'",
        ),
        text_line(
            at,
            f"'Published: ' + {number('datum.X')} + '/s, ' + (datum.X < datum.low ? 'below the band.'"
            " : datum.X > datum.high ? 'above the band.' : 'within the band.')",
        ),
        text_line(
            curve.transform_filter("datum.N == 1"),
            f"'One thread: ' + {number('datum.exact')} + '/s'",
        ),
    ]  # fmt: skip
    title = "What the published times allow"
    first, idle = servers[0], curves[0]
    place = threads - 1
    return live_figure(
        lines,
        [panel],
        [
            menu("server", "Physical server", names),
            slider("think_ms", "Think time Z", 0, (0, int(THINK_TIMES_MS[-1])), 5, "ms"),
        ],
        title=title,
        description=(
            f"{title}: throughput over the number of threads. {first['server']} server, {threads} threads without"
            f" think time: at least {idle['low'][place]:.4g}/s, at most {idle['high'][place]:.4g}/s; published"
            f" {first['X']:g}/s. Sliders change the think time and the server."
        ),
        datasets={"curves": curves},
    )


def published_servers(tables: pl.DataFrame, virtual_server: str, threads: int) -> list[dict]:
    """One row per physical server: ``server``, ``demands_s``, ``N``, published ``X`` (1/s)."""
    workload = {"virtual_server": [virtual_server], "kind": ["closed"], "threads": [threads]}
    derived = derive_quantities(
        tables.filter(pl.col("virtual_server") == virtual_server), pl.DataFrame(workload)
    )
    return [
        {
            "server": row["server"],
            "demands_s": [row[name] / 1e3 for name in DEMANDS],
            "N": threads,
            "X": row["x_req_per_s"],
        }
        for row in derived.iter_rows(named=True)
    ]


def allowed_throughput(server: dict, think_ms: float) -> dict[str, list]:
    """Balanced job bounds ``low`` and ``high`` of X (1/s) and the exact X at each ``N``."""
    think_s = think_ms / 1e3
    bounds = balanced(server["demands_s"], POPULATIONS, think_s)
    exact = sweep_populations(server["demands_s"], int(POPULATIONS[-1]), think_s).throughput[1:]
    return {
        "N": POPULATIONS.tolist(),
        "low": bounds.x_lower.round(6).tolist(),
        "high": bounds.x_upper.round(6).tolist(),
        "exact": exact.round(6).tolist(),
    }

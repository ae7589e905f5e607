"""Lesson 8: Mean Value Analysis from the demands of one run, against the recorded runs of its sweep."""

from __future__ import annotations

import altair as alt
import numpy as np
import polars as pl

from pipeline.charts import theme
from pipeline.charts.teaching.closed_curves import (
    closed_curves,
    closed_panels,
    recorded_points,
    station_demands_s,
)
from pipeline.charts.teaching.live import live_figure, menu, number, slider, text_line
from pipeline.charts.titles import empty_chart
from pipeline.units import format_short

FACTORS = [round(0.5 + 0.05 * step, 2) for step in range(21)]
"""Positions of the slider: factors of the CPU's demand."""


def closed(runs: pl.DataFrame) -> alt.VConcatChart | alt.Chart:
    """R(N) and X(N) by MVA from the demands of a sweep's lightest run, with the sweep's recorded runs.

    A slider multiplies the demand of the CPU; a menu chooses the sweep. Dashed: the asymptotic bounds.

    Parameters
    ----------
    runs : DataFrame
        Rows of the runs table of one virtual server with a closed load: ``server``, ``run`` (``db-04-sweep-2`` is the
        run of 4 threads of ``sweep-2``), ``threads``, ``R_client_s``, ``X_client_per_s``, ``R_cpu_net_s``,
        ``D_vdisk_net_s``, ``D_disk_net_s``. Rows without one of them are left out.

    Returns
    -------
    VConcatChart or Chart
    """
    title = "MVA against the recorded runs"
    frame = sweeps(runs)
    if frame.is_empty():
        return empty_chart(title)
    names = frame["sweep"].unique(maintain_order=True).to_list()
    rows = [row for name in names for row in _rows(name, frame.filter(pl.col("sweep") == name))]
    # by name, since Altair copies inline data again and again
    chosen = alt.Chart(alt.NamedData("curves")).transform_filter(
        "datum.sweep == sweep && abs(datum.factor - cpu_factor) < 1e-6"
    )
    recorded = recorded_points(frame).with_columns(frame["sweep"])
    points = alt.InlineData(values=theme.json_ready(recorded).to_dicts())
    drawn = alt.Chart(points).transform_filter("datum.sweep == sweep")
    modelled = (
        chosen.transform_flatten(["N", "R"])
        .transform_calculate(key="datum.sweep + '/' + datum.N")
        .transform_lookup(
            lookup="key",
            from_=alt.LookupData(
                data=alt.InlineData(
                    values=[{"key": f"{r['sweep']}/{r['N']:g}", "measured": r["R"]} for r in recorded.to_dicts()]
                ),
                key="key",
                fields=["measured"],
            ),
        )
        .transform_filter("isValid(datum.measured)")
    )  # fmt: skip
    heaviest = modelled.transform_window(
        place="row_number()", sort=[alt.SortField("N", order="descending")]
    ).transform_filter("datum.place == 1")
    lines = [
        text_line(
            chosen,
            f"'Demands of ' + datum.run + ': CPU ' + {number('datum.cpu')} + ', layer ' + {number('datum.layer')}"
            f" + ', disk ' + {number('datum.disk', 'ms')}",
        ),
        text_line(
            chosen,
            f"'N* = ' + {number('datum.total / datum.largest')} + ', X never above '"
            f" + {number('1000 / datum.largest')} + '/s'",
        ),
        text_line(
            heaviest,
            f"datum.N + ' threads: R by MVA ' + {number('datum.R', 'ms', digits=4)} + ', recorded '"
            f" + {number('datum.measured', 'ms', digits=4)}"
            " + ' (' + format(datum.R / datum.measured - 1, '+.1%') + ')'",
        ),
    ]
    first = next(row for row in rows if row["factor"] == 1)
    return live_figure(
        lines,
        closed_panels(chosen, drawn),
        [
            menu("sweep", "Recorded runs", names),
            slider("cpu_factor", "CPU demand", 1, (FACTORS[0], FACTORS[-1]), 0.05, "×"),
        ],
        title=title,
        description=(
            f"{title}: response time and throughput over 1 to 32 threads. From {first['run']}: R of one thread"
            f" {format_short(first['R'][0])} ms, of 32 {format_short(first['R'][-1])} ms; X never above"
            f" {format_short(1e3 / first['largest'])}/s. A menu chooses among {len(names)} sweeps; a slider multiplies"
            " the CPU's demand."
        ),
        datasets={"curves": rows},
    )


def sweeps(runs: pl.DataFrame) -> pl.DataFrame:
    """Runs that have every value, with ``sweep``, the part of their name that runs of one sweep share."""
    demands = ("R_cpu_net_s", "D_vdisk_net_s", "D_disk_net_s")
    name = pl.col("run").str.replace(r"^\D*\d+-", "")
    if runs["server"].n_unique() > 1:
        name = pl.format("{}, {}", "server", name)
    return (
        runs.drop_nulls(["threads", "R_client_s", "X_client_per_s", *demands])
        .with_columns(sweep=name)
        .sort("threads", maintain_order=True)
    )


def _rows(name: str, sweep: pl.DataFrame) -> list[dict]:
    """Curves of a sweep, one per position of the slider, from the demands of its run with the fewest threads."""
    lightest = sweep.row(0, named=True)
    cpu, layer, disk = station_demands_s(lightest)
    grid = np.array([[cpu * factor, layer, disk] for factor in FACTORS])
    return [
        {
            "sweep": name,
            "run": lightest["run"],
            "factor": factor,
            "cpu": 1e3 * cpu * factor,
            "layer": 1e3 * layer,
            "disk": 1e3 * disk,
            **curve,
        }
        for factor, curve in zip(FACTORS, closed_curves(grid), strict=True)
    ]

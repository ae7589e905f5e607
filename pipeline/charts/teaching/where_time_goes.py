"""Lesson 1: where a request's time goes, one run at a time, and the use of each resource meanwhile."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.teaching.live import DECIMALS, PANEL, live_figure, menu, number, text_line
from pipeline.charts.theme import BLUE, GREEN, INK, ORANGE
from pipeline.charts.titles import empty_chart
from pipeline.units import format_short

PARTS = {
    "CPU": BLUE,
    "virtualization layer": ORANGE,
    "host's disk": GREEN,
    "in none of them": "#C4C8CF",
}
"""Part of a request's time → its colour."""

RESOURCES = {
    "guest's CPU": ("U_vcpu", None),
    "guest's disk": ("U_vdisk_total", "N_vdisk"),
    "host's CPU, all of QEMU": ("U_qemu", None),
    "host's disk": ("U_disk_total", "N_disk"),
}
"""Resource → columns of its utilization and of the mean number of requests in it (queue and service)."""

NOT_RECORDED = "not recorded"


def where_time_goes(runs: pl.DataFrame) -> alt.VConcatChart | alt.Chart:
    """The client's time of a request in four parts, for the run of a menu, and that run's USE table.

    The parts are service demands: CPU, virtualization layer (the guest's disk less the host's), the host's disk. The
    fourth is the client's time less these: waiting, and work that no counter of the server records. Where the host's
    disk was busy longer than the guest's, which contains it, the layer has no value and is left out.

    Parameters
    ----------
    runs : DataFrame
        Rows of the runs table, in the order of the menu: ``server``, ``run``, ``virtual_server``, ``R_client_s``,
        ``R_cpu_s``, ``D_vdisk_s``, ``D_disk_s``, ``U_vcpu``, ``U_vdisk_total``, ``U_qemu``, ``U_disk_total``,
        ``N_vdisk``, ``N_disk``, ``rate_per_s``, ``threads``. Rows without a time of the client are left out.

    Returns
    -------
    VConcatChart or Chart
    """
    title = "Where does a request's time go?"
    several = runs["server"].n_unique() > 1
    measured = runs.filter(pl.col("R_client_s") > 0).with_columns(label=_run_name(several))
    if measured.is_empty():
        return empty_chart(title)
    labels = measured["label"].to_list()
    parts = time_parts(measured)
    rows = alt.Chart(alt.InlineData(values=theme.json_ready(parts).to_dicts())).transform_calculate(
        is_chosen="datum.label == run"
    )
    chosen = rows.transform_filter("datum.is_chosen")
    colour = alt.Color("part:N", sort=list(PARTS), title=None).scale(
        domain=list(PARTS), range=list(PARTS.values())
    ).legend(orient="top", columns=2)  # fmt: skip
    stack = alt.Order("place:Q")
    tooltip = [
        "label:N",
        "part:N",
        alt.Tooltip("ms:Q", format=DECIMALS),
        alt.Tooltip("share:Q", format=".1%"),
    ]
    time = alt.X(
        "ms:Q", stack="zero", title="time of one request (ms); the line: as the client saw it"
    )
    bar = alt.layer(
        chosen.mark_bar(height=34, stroke="white").encode(
            x=time.axis(grid=True), color=colour, order=stack, tooltip=tooltip
        ),
        chosen.transform_filter("datum.part == 'CPU'")
        .mark_tick(color=INK, thickness=3, height=44).encode(x="client_ms:Q"),
    ).properties(width=PANEL, height=46)  # fmt: skip
    overview = (
        rows.mark_bar(height=11)
        .encode(
            y=alt.Y("label:N", sort=labels, title=None).axis(labelLimit=150),
            x=alt.X("share:Q", stack="zero", title="share of the request's time").axis(format="%"),
            opacity=alt.condition("datum.is_chosen", alt.value(1), alt.value(0.45)),
            color=colour, order=stack, tooltip=tooltip,
        )
        .properties(width=PANEL, height=alt.Step(16))
    )  # fmt: skip
    totals = chosen.transform_joinaggregate(total="sum(ms)")
    rest = totals.transform_filter("datum.part == 'in none of them'")
    lines = [
        text_line(
            totals.transform_filter("datum.part == 'CPU'"),
            f"'The client waited ' + {number('datum.client_ms', 'ms')}"
            f" + ' per request. The CPU worked ' + {number('datum.ms', 'ms')}"
            " + ' of it (' + format(datum.share, '.0%') + ').'",
        ),
        text_line(
            rest,
            f"isValid(datum.ms) ? 'In none of the three parts: ' + {number('datum.ms', 'ms')}"
            " + ' (' + format(datum.share, '.0%') + ').'"
            f" : 'The parts are ' + {number('datum.total - datum.client_ms', 'ms')}"
            " + ' more than the client waited: part of the work is done after the reply.'",
        ),
    ]
    first = parts.filter(pl.col("label") == labels[0])
    values = ", ".join(
        f"{r['part']} {format_short(r['ms'])} ms" for r in first.iter_rows(named=True)
    )
    return live_figure(
        lines,
        [bar, _use_table(measured), overview],
        [menu("run", "Run", labels, measured.select(_menu_text()).to_series().to_list())],
        title=title,
        description=f"{title} {labels[0]}: {values}. A menu chooses among {len(labels)} runs.",
    )  # fmt: skip


def _run_name(with_server: bool) -> pl.Expr:
    """Name of a run, with the physical server if there are several."""
    return pl.format("{}/{}", "server", "run") if with_server else pl.col("run")


def _menu_text() -> pl.Expr:
    """Text of a run in the menu, with its load."""
    load = (
        pl.when(pl.col("threads").is_not_null())
        .then(pl.format("{} threads", pl.col("threads").cast(pl.Int64)))
        .when(pl.col("rate_per_s").is_not_null())
        .then(
            pl.format("{} requests/s", pl.col("rate_per_s").map_elements(format_short, pl.String))
        )
        .otherwise(pl.lit("load not recorded"))
    )
    return pl.format("{}: {}", "label", load)


def time_parts(runs: pl.DataFrame) -> pl.DataFrame:
    """One row per run and part: ``label``, ``part``, ``place``, ``ms``, ``share`` of ``client_ms``; null: no value.

    ``runs``: as for :func:`where_time_goes`, with ``label``.
    """
    layer = pl.col("D_vdisk_s") - pl.col("D_disk_s")
    demands = {
        "CPU": pl.col("R_cpu_s"),
        "virtualization layer": pl.when(layer >= 0).then(layer),
        "host's disk": pl.col("D_disk_s"),
    }
    rest = pl.col("R_client_s") - pl.col("R_cpu_s") - pl.max_horizontal("D_vdisk_s", "D_disk_s")
    parts = {**demands, "in none of them": pl.when(rest >= 0).then(rest)}
    return pl.concat(
        runs.select(
            "label",
            part=pl.lit(part),
            place=pl.lit(place),
            ms=seconds * 1e3,
            share=seconds / pl.col("R_client_s"),
            client_ms=pl.col("R_client_s") * 1e3,
        )
        for place, (part, seconds) in enumerate(parts.items())
    )


def _use_table(runs: pl.DataFrame) -> alt.LayerChart:
    """Utilization, queue and errors of each resource of the chosen run, as text."""
    columns = ["utilization", "requests in it", "errors"]
    cells = [
        {"label": row["label"], "resource": resource, "column": column, "text": text}
        for row in runs.iter_rows(named=True)
        for resource, (used, queue) in RESOURCES.items()
        for column, text in zip(columns, _texts(row[used], row[queue] if queue else None), strict=True)
    ]  # fmt: skip
    table = alt.Chart(alt.InlineData(values=cells)).transform_filter("datum.label == run")
    return (
        alt.layer(
            table.mark_rect(fill="#F3F4F6", stroke="white"),
            table.mark_text(fontSize=12, color=INK).encode(text="text:N"),
        )
        .encode(
            x=alt.X("column:N", sort=columns, title=None).axis(
                orient="top", labelAngle=0, labelOverlap=False, labelLimit=90
            ),
            y=alt.Y("resource:N", sort=list(RESOURCES), title=None).axis(labelLimit=150),
        )
        .properties(width=PANEL, height=alt.Step(24))
    )


def _texts(used: float | None, queue: float | None) -> list[str]:
    """Cells of a resource; the errors of a device are in no log that is recorded."""
    return [
        NOT_RECORDED if used is None else f"{100 * used:.1f} %",
        NOT_RECORDED if queue is None else format_short(queue),
        NOT_RECORDED,
    ]

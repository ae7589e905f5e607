"""Lesson 10: response times by repetition, and how sure a mean of n runs is, without and with repetitions as blocks."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.teaching.live import (
    DECIMALS,
    PANEL,
    live_figure,
    menu,
    number,
    slider,
    text_line,
)
from pipeline.charts.theme import CATEGORIES
from pipeline.charts.titles import empty_chart
from pipeline.distributions import t_quantile
from pipeline.units import format_short

MAX_RUNS = 12
KEPT, OFF = "as recorded", "repetition taken off"
"""The positions of the menu: the response times, and those less the mean of their repetition, on logarithms."""
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "triangle-right")


def repetitions(runs: pl.DataFrame) -> alt.VConcatChart | alt.Chart:
    """R by repetition, one line per load, and the 95 % interval of each load's mean for a number of runs.

    A menu takes the repetitions off: on logarithms, each response time less the mean of its repetition plus the mean
    of all. A slider sets the number n of runs of the intervals, which are those of Student's t on logarithms with the
    standard deviation of the recorded runs: of each load by itself, or, with the repetitions taken off, that of the
    residuals of all loads.

    Parameters
    ----------
    runs : DataFrame
        Rows of the runs table: ``run`` (``web-021-even-3`` is the third repetition of ``web-021-even``),
        ``R_client_s``. Repetitions that not every load has are left out.

    Returns
    -------
    VConcatChart or Chart
    """
    title = "The same loads, repeated"
    shown = by_repetition(runs)
    if shown.is_empty():
        return empty_chart(title)
    loads = shown["load"].unique(maintain_order=True).to_list()
    colours = [CATEGORIES[place % len(CATEGORIES)] for place in range(len(loads))]
    colour = (
        alt.Color("load:N", sort=loads, title=None)
        .scale(domain=loads, range=colours)
        .legend(columns=2)
    )
    shape = alt.Shape("load:N", sort=loads, title=None).scale(
        domain=loads, range=[SHAPES[place % len(SHAPES)] for place in range(len(loads))]
    )
    low, high = shown["ms"].min(), shown["ms"].max()
    scale = alt.Scale(type="log", domain=[low / 1.3, high * 1.3], nice=False)
    rows = alt.Chart(alt.InlineData(values=theme.json_ready(shown).to_dicts())).transform_filter(
        "datum.mode == mode"
    )
    tooltip = ["load:N", "repetition:O", alt.Tooltip("ms:Q", title="R (ms)", format=DECIMALS)]
    base = rows.encode(
        x=alt.X("repetition:O", title="repetition").axis(labelAngle=0),
        y=alt.Y("ms:Q", title="R (ms), logarithmic", scale=scale).axis(
            grid=True, tickCount=5, format="~r"
        ),
        color=colour,
    )
    lines = alt.layer(
        base.mark_line(),
        base.mark_point(size=70, filled=True, opacity=1).encode(shape=shape, tooltip=tooltip),
    ).properties(width=PANEL, height=220)
    intervals = interval_inputs(shown)
    sure = (
        alt.Chart(alt.InlineData(values=intervals.to_dicts()))
        .transform_filter("datum.mode == mode && datum.n == n")
        .transform_calculate(half="datum.t * datum.sd / sqrt(n)")
        .transform_calculate(
            ms="exp(datum.mean)",
            low="exp(datum.mean - datum.half)",
            high="exp(datum.mean + datum.half)",
        )
    )
    wide = alt.Scale(type="log", domain=[low / 3, high * 3], nice=False, clamp=True)
    bounds = [
        "load:N",
        *(alt.Tooltip(f"{name}:Q", format=DECIMALS) for name in ("low", "ms", "high")),
    ]
    y = alt.Y("load:N", sort=loads, title=None).axis(labelLimit=150)
    x = alt.X("ms:Q", title="mean R and its 95 % interval (ms), logarithmic", scale=wide).axis(
        grid=True, tickCount=5, format="~r"
    )
    panel = alt.layer(
        sure.mark_rule(strokeWidth=2.5).encode(
            x=alt.X("low:Q", scale=wide), x2="high:Q", y=y, color=colour
        ),
        sure.mark_point(size=90, filled=True, opacity=1).encode(
            x=x, y=y, color=colour, shape=shape, tooltip=bounds
        ),
    ).properties(width=PANEL, height=alt.Step(26))
    widest = sure.transform_window(
        place="row_number()", sort=[alt.SortField("half", order="descending")]
    ).transform_filter("datum.place == 1")
    texts = [
        text_line(
            widest,
            f"n + ' runs, ' + datum.load + ': ' + {number('datum.ms', 'ms')} + ', 95 % interval '"
            f" + {number('datum.low')} + ' to ' + {number('datum.high', 'ms')}",
        ),
        text_line(
            widest,
            "'Its upper end is ' + format(datum.high / datum.low, ',.3~r') + ' times its lower end (t = '"
            " + format(datum.t, '.2f') + ', ' + datum.degrees + ' degrees of freedom)'",
        ),
    ]
    recorded = shown["repetition"].n_unique()
    return live_figure(
        texts,
        [lines, panel],
        [menu("mode", "Response times", [KEPT, OFF]), slider("n", "Number of runs n", recorded, (2, MAX_RUNS), 1)],
        title=title,
        description=(
            f"{title}: response times of {len(loads)} loads over {recorded} repetitions, from"
            f" {format_short(low)} to {format_short(high)} ms, and the 95 % interval of each load's geometric mean. A"
            " menu takes the repetitions off, a slider sets the number of runs of the intervals."
        ),
    )  # fmt: skip


def by_repetition(runs: pl.DataFrame) -> pl.DataFrame:
    """``load``, ``repetition``, ``mode``, ``ms``: each response time as recorded and with its repetition taken off."""
    frame = (
        runs.filter(pl.col("R_client_s") > 0)
        .select(
            load=pl.col("run").str.replace(r"-\d$", ""),
            repetition=pl.col("run").str.extract(r"-(\d)$").cast(pl.Int64).fill_null(1),
            log=(pl.col("R_client_s") * 1e3).log(),
        )
        .filter(pl.len().over("repetition") == pl.col("load").n_unique())
    )
    off = pl.col("log") - pl.col("log").mean().over("repetition") + pl.col("log").mean()
    return pl.concat(
        frame.select("load", "repetition", mode=pl.lit(mode), ms=value.exp())
        for mode, value in ((KEPT, pl.col("log")), (OFF, off))
    )


def interval_inputs(shown: pl.DataFrame) -> pl.DataFrame:
    """What the intervals need: ``mode``, ``load``, ``n``, ``mean`` and ``sd`` of logarithms, ``degrees``, ``t``."""
    logs = shown.with_columns(log=pl.col("ms").log())
    loads, recorded = logs["load"].n_unique(), logs["repetition"].n_unique()
    groups = logs.group_by("mode", "load", maintain_order=True).agg(
        mean=pl.col("log").mean(),
        sd=pl.col("log").std(),
        squares=pl.col("log").var() * (pl.len() - 1),
    )
    if loads > 1:
        # residuals of loads and blocks have (loads - 1) (repetitions - 1) degrees of freedom
        variance = pl.col("squares").sum().over("mode") / ((loads - 1) * (recorded - 1))
        is_off = pl.col("mode") == OFF
        groups = groups.with_columns(sd=pl.when(is_off).then(variance.sqrt()).otherwise("sd"))
    counts = pl.DataFrame({"n": range(2, MAX_RUNS + 1)})
    blocks = pl.when(pl.col("mode") == OFF).then(max(loads - 1, 1)).otherwise(1)
    frame = groups.drop("squares").join(counts, how="cross")
    frame = frame.with_columns(degrees=blocks * (pl.col("n") - 1))
    quantiles = t_quantile(0.975, frame["degrees"].to_numpy())
    return frame.with_columns(t=pl.Series(quantiles))

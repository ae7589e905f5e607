"""Lesson 2: Little's law as one area, cut into rows (time in the system) and columns (number in the system)."""

from __future__ import annotations

import altair as alt
import numpy as np
import polars as pl

from pipeline.charts import theme
from pipeline.charts.teaching.live import ONCE, PANEL, live_figure, number, slider, text_line
from pipeline.charts.theme import BLUE, INK, ORANGE, SKY
from pipeline.network.gg1 import waiting_times

SEED, COUNT, RATE_PER_S, SERVICE_S = 11, 24, 2.0, 0.4
"""Of the example: draws, requests, arrivals per second and mean service time of a single queue."""


def example_requests(seed: int = SEED, count: int = COUNT) -> pl.DataFrame:
    """Requests of a simulated single-server queue: ``arrival_s``, ``completion_s``, from an empty system at 0.

    Parameters
    ----------
    seed : int
        Of the draws of exponential gaps and service times.
    count : int
        Number of requests.

    Returns
    -------
    DataFrame
    """
    draws = np.random.default_rng(seed)
    gaps = draws.exponential(1 / RATE_PER_S, count)
    services = draws.exponential(SERVICE_S, count)
    arrivals = np.cumsum(gaps)
    return pl.DataFrame(
        {
            "arrival_s": arrivals,
            "completion_s": arrivals + waiting_times(gaps, services) + services,
        }
    )


def littles_law(requests: pl.DataFrame) -> alt.VConcatChart:
    """Requests as bars over time, the number in the system below them, and N = X R up to the end of a window.

    N X R and the difference are those of the window from 0 to the slider: N is the area over the window's length, X the
    completions over it, R the mean time of those completed. The difference is the area of the requests that the end
    of the window cuts, over its length.

    Parameters
    ----------
    requests : DataFrame
        ``arrival_s``, ``completion_s``: seconds from the start, when the system is empty.

    Returns
    -------
    VConcatChart
    """
    ordered = requests.select("arrival_s", "completion_s").sort("arrival_s")
    ordered = ordered.with_columns(request=pl.int_range(1, pl.len() + 1))
    last_s = float(ordered["completion_s"].max())
    end_s = float(np.ceil(last_s * 2) / 2)
    x = (
        alt.X("arrival_s:Q", title="time (s)")
        .scale(domain=[0, end_s], nice=False)
        .axis(grid=True, tickCount=6)
    )
    start_s = round(0.4 * end_s, 1)

    rows = alt.Chart(alt.InlineData(values=theme.json_ready(ordered).to_dicts()))
    inside = rows.transform_filter("datum.arrival_s < end").transform_calculate(
        until="min(datum.completion_s, end)",
        kind="datum.completion_s <= end ? 'completed' : 'cut by the window'",
    )
    y = alt.Y("request:O", title="request").axis(
        values=[1, 5, 10, 15, 20, 25, 30], labelOverlap=True
    )
    kinds = alt.Color("kind:N", title=None).scale(
        domain=["completed", "cut by the window"], range=[BLUE, ORANGE]
    ).legend(orient="top", columns=1)  # fmt: skip
    rule = (
        alt.Chart(ONCE).transform_calculate(arrival_s="end").mark_rule(color=INK, strokeWidth=1.5)
    )
    bars = alt.layer(
        rows.mark_bar(height=2, color="#C4C8CF").encode(x=x, x2="completion_s:Q", y=y),
        inside.mark_bar(height=8).encode(x=x, x2="until:Q", y=y, color=kinds),
        rule.encode(x=x),
    ).properties(width=PANEL, height=alt.Step(10))

    numbers = number_in_system(ordered)
    steps = alt.Chart(alt.InlineData(values=theme.json_ready(numbers).to_dicts())).transform_filter(
        "datum.from_s < end"
    )
    columns = alt.layer(
        steps.transform_calculate(until="min(datum.until_s, end)", zero="0")
        .mark_rect(color=SKY, stroke="white", strokeWidth=0.5)
        .encode(
            x=alt.X("from_s:Q", title="time (s)")
            .scale(domain=[0, end_s], nice=False)
            .axis(tickCount=6),
            x2="until:Q",
            y=alt.Y("number:Q", title="number in the system")
            .scale(domain=[0, int(numbers["number"].max())])
            .axis(tickMinStep=1, grid=True),
            y2="zero:Q",
        ),
        rule.encode(x=x),
    ).properties(width=PANEL, height=110)

    sums = (
        inside.transform_calculate(
            area="datum.until - datum.arrival_s",
            is_completed="datum.completion_s <= end ? 1 : 0",
        )
        .transform_calculate(whole="datum.is_completed * datum.area")
        .transform_aggregate(area="sum(area)", completed="sum(is_completed)", whole="sum(whole)")
        .transform_calculate(N="datum.area / end", X="datum.completed / end")
        .transform_calculate(R="datum.completed > 0 ? datum.whole / datum.completed : 0")
        .transform_calculate(difference="datum.N - datum.X * datum.R")
    )
    lines = [
        text_line(
            sums,
            f"'N = ' + {number('datum.area', 's')} + ' / ' + {number('end', 's')} + ' = ' + {number('datum.N')}",
        ),
        text_line(
            sums,
            "datum.completed == 0 ? 'No request is completed yet.' :"
            f" 'X = ' + datum.completed + ' / ' + {number('end', 's')} + ' = ' + {number('datum.X')}"
            f" + '/s, R = ' + {number('datum.R', 's')} + ', X R = ' + {number('datum.X * datum.R')}",
        ),
        text_line(
            sums,
            "datum.difference < 1e-9 ? 'N − X R = 0: the window cuts no request.'"
            f" : 'N − X R = ' + {number('datum.difference')}"
            " + ': the requests that the end of the window cuts.'",
        ),
    ]
    title = "Little's law: one area, cut in two ways"
    return live_figure(
        lines,
        [bars, columns],
        [slider("end", "End of the window", start_s, (0.5, end_s), 0.1, "s")],
        title=title,
        description=(
            f"{title}. {ordered.height} requests as bars from arrival to completion, and the number in the system over"
            f" time, which is the same area. A slider moves the end of the window from 0.5 to {end_s:g} s; the text"
            " gives N, X, R and N − X R."
        ),
    )


def number_in_system(requests: pl.DataFrame) -> pl.DataFrame:
    """One row per time between two events: ``from_s``, ``until_s``, ``number`` in the system, above 0."""
    events = pl.concat(
        requests.select(from_s=pl.col(name), change=pl.lit(change, pl.Int64))
        for name, change in (("arrival_s", 1), ("completion_s", -1))
    ).sort("from_s")
    return events.select(
        "from_s", until_s=pl.col("from_s").shift(-1), number=pl.col("change").cum_sum()
    ).filter(pl.col("number") > 0)

"""Lesson 10: the interaction of two factors, on the response times and on their logarithms."""

from __future__ import annotations

import altair as alt
import numpy as np
import polars as pl

from pipeline.charts import theme
from pipeline.charts.teaching.live import DECIMALS, PANEL, live_figure, menu, text_line
from pipeline.charts.theme import BLUE, VERMILION
from pipeline.charts.titles import empty_chart

LINEAR, LOGARITHMIC = "R", "log R"
ALONE, LOADED = "neighbour idle", "neighbour loaded"


def interaction(runs: pl.DataFrame) -> alt.VConcatChart | alt.Chart:
    """R of a 2² design, physical server by neighbour, as lines that are parallel where the factors do not interact.

    A menu changes between R and log R. A run is beside a loaded neighbour if its name begins with ``both``.

    Parameters
    ----------
    runs : DataFrame
        Rows of the runs table of one virtual server: ``server`` (two), ``run``, ``R_client_s``; as many runs in each of
        the four cells.

    Returns
    -------
    VConcatChart or Chart

    Raises
    ------
    ValueError
        Unless there are two servers and as many runs in each cell.
    """
    title = "Do server and neighbour interact?"
    cells = design_cells(runs)
    if cells.is_empty():
        return empty_chart(title)
    sizes = cells.group_by("server", "neighbour").len()
    if sizes.height != 4 or sizes["len"].n_unique() != 1:
        raise ValueError("four cells with as many runs in each are expected")
    servers = cells["server"].unique(maintain_order=True).to_list()
    rows = alt.Chart(alt.InlineData(values=theme.json_ready(cells).to_dicts())).transform_calculate(
        shown=f"scale == '{LOGARITHMIC}' ? log(datum.ms) : datum.ms"
    )
    low, high = float(cells["ms"].min()) / 1.2, float(cells["ms"].max()) * 1.2
    is_log = f"scale == '{LOGARITHMIC}'"
    y = alt.Y(
        "shown:Q",
        title="R (ms)",
        scale=alt.Scale(
            zero=False,
            nice=False,
            domainMin=alt.ExprRef(f"{is_log} ? {np.log(low)} : 0"),
            domainMax=alt.ExprRef(f"{is_log} ? {np.log(high)} : {high}"),
        ),
    ).axis(
        grid=True, tickCount=6,
        labelExpr=f"{is_log} ? format(exp(datum.value), '.2~r') : format(datum.value, '~r')",
    )  # fmt: skip
    x = alt.X("neighbour:N", sort=[ALONE, LOADED], title=None).axis(labelAngle=0)
    colour = alt.Color("server:N", title="physical server").scale(
        domain=servers, range=[BLUE, VERMILION]
    )
    shape = alt.Shape("server:N", title="physical server").scale(
        domain=servers, range=["circle", "square"]
    )
    panel = alt.layer(
        rows.transform_aggregate(shown="mean(shown)", groupby=["server", "neighbour"])
        .mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour),
        rows.mark_point(size=80, filled=True, opacity=0.9).encode(
            x=x, y=y, color=colour, shape=shape,
            tooltip=["run:N", "server:N", "neighbour:N", alt.Tooltip("ms:Q", title="R (ms)", format=DECIMALS)],
        ),
    ).properties(width=PANEL, height=260)  # fmt: skip
    y = responses(cells)
    shares = [
        {"scale": scale, **variation_shares(values)}
        for scale, values in ((LINEAR, y), (LOGARITHMIC, np.log(y)))
    ]
    chosen = alt.Chart(alt.InlineData(values=shares)).transform_filter("datum.scale == scale")

    def percent(name: str) -> str:
        return f"format(datum.{name}, '.1%')"

    lines = [
        text_line(
            chosen,
            f"'The interaction explains ' + {percent('both')} + ' of the variation of ' + scale",
        ),
        text_line(
            chosen,
            f"'Server ' + {percent('server')} + ', neighbour ' + {percent('neighbour')}"
            f" + ', error ' + {percent('error')}",
        ),
    ]  # fmt: skip
    return live_figure(
        lines,
        [panel],
        [menu("scale", "Scale", [LINEAR, LOGARITHMIC])],
        title=title,
        description=(
            f"{title} Mean response times of two servers with an idle and a loaded neighbour. The interaction explains"
            f" {shares[0]['both']:.1%} of the variation of R and {shares[1]['both']:.1%} of that of log R, where the"
            " lines are nearly parallel. A menu changes the scale."
        ),
    )


def design_cells(runs: pl.DataFrame) -> pl.DataFrame:
    """``server``, ``neighbour``, ``run``, ``ms``: the runs of the design, the idle neighbour first."""
    is_loaded = pl.col("run").str.starts_with("both")
    return (
        runs.filter(pl.col("R_client_s") > 0)
        .select(
            "server",
            "run",
            neighbour=pl.when(is_loaded).then(pl.lit(LOADED)).otherwise(pl.lit(ALONE)),
            ms=pl.col("R_client_s") * 1e3,
        )
        .sort(pl.col("neighbour") == LOADED, maintain_order=True)
    )


def responses(cells: pl.DataFrame) -> np.ndarray:
    """Milliseconds of :func:`design_cells`, (server, neighbour, run)."""
    ordered = cells.sort("server", pl.col("neighbour") == LOADED, maintain_order=True)
    return ordered["ms"].to_numpy().reshape(2, 2, -1)


def variation_shares(y: np.ndarray) -> dict[str, float]:
    """Shares of the variation that ``server``, ``neighbour``, ``both`` and the ``error`` explain.

    Parameters
    ----------
    y : ndarray
        Responses on the scale of the analysis, (server, neighbour, run).

    Returns
    -------
    dict of str to float
        They add up to 1.

    Examples
    --------
    >>> variation_shares(np.array([[[1.0, 1.0], [2.0, 2.0]], [[3.0, 3.0], [4.0, 4.0]]]))["server"]
    0.8
    """
    cell = y.mean(axis=2, keepdims=True)
    server = cell.mean(axis=1, keepdims=True) - y.mean()
    neighbour = cell.mean(axis=0, keepdims=True) - y.mean()
    both = cell - y.mean() - server - neighbour
    parts = {"server": server, "neighbour": neighbour, "both": both, "error": y - cell}
    squares = {name: (np.broadcast_to(part, y.shape) ** 2).sum() for name, part in parts.items()}
    return {name: float(square / sum(squares.values())) for name, square in squares.items()}

"""Lesson 4: how evenness of arrivals changes the wait, and the bursts of httperf's stream."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from pipeline.charts.teaching.live import (
    DECIMALS,
    ONCE,
    PANEL,
    live_figure,
    menu,
    number,
    slider,
    text_line,
)
from pipeline.charts.theme import BLUE, GREEN, GREY, ORANGE, VERMILION
from pipeline.measure.arrivals import HTTPERF, interarrival_s
from pipeline.network.gg1 import (
    gi_m_1,
    interarrival_transform,
    kramer_langenbach_belz,
    pollaczek_khinchine,
)
from pipeline.units import format_short

ARRIVAL_SCV = [round(0.1 * step, 1) for step in range(41)]
UTILIZATIONS = [round(0.01 * step, 2) for step in range(96)]
MAX_WAIT = 20
"""Upper end of the axis of W/S."""
RATES_PER_S = (26, 8, 16, 20, 21, 40, 50, 80, 110)
"""Rates of the menu, the first of them first; those of the recorded runs."""
SECONDS = 60
WINDOWS_S = range(1, 21)
STEP_S, DRAWN_STEPS = 0.1, 5
"""Between the starts of two windows; every fifth one is drawn."""


def arrivals() -> alt.VConcatChart:
    """Mean wait over U for arrivals of a chosen c_a², and httperf's exponential stream counted in windows.

    Above: W/S of G/M/1 by Krämer and Langenbach-Belz's approximation, with the exact waits of D/M/1 and M/M/1 as
    points. Below: arrivals per second in each window of the first minute of the stream that httperf always sends,
    scaled to a rate.

    Returns
    -------
    VConcatChart
    """
    curves = [{"scv": scv, "u": UTILIZATIONS, "wait": approximate_wait(scv)} for scv in ARRIVAL_SCV]
    exact = exact_waits()
    chosen = alt.Chart(alt.NamedData("curves")).transform_filter("abs(datum.scv - scv) < 1e-6")
    curve = chosen.transform_flatten(["u", "wait"])
    at = curve.transform_filter("abs(datum.u - utilization) < 1e-6")
    x = (
        alt.X("u:Q", title="utilization U")
        .scale(domain=[0, 1], nice=False)
        .axis(grid=True, format="%", tickCount=5)
    )
    y = (
        alt.Y("wait:Q", title="wait over service time, W/S")
        .scale(domain=[0, MAX_WAIT], nice=False)
        .axis(grid=True)
    )
    tooltip = [
        alt.Tooltip("u:Q", title="U", format=".0%"),
        alt.Tooltip("wait:Q", title="W/S", format=DECIMALS),
    ]
    kinds = ["D/M/1: even", "M/M/1: Poisson"]
    points = alt.Chart(alt.NamedData("exact"))
    drawn = points.transform_filter("datum.shown")
    waits = alt.layer(
        drawn.mark_point(size=55, filled=True, opacity=1, clip=True).encode(
            x=x, y=y, tooltip=["kind:N", *tooltip],
            color=alt.Color("kind:N", title=None).scale(domain=kinds, range=[GREEN, ORANGE]),
            shape=alt.Shape("kind:N", title=None).scale(domain=kinds, range=["square", "triangle-up"]),
        ),
        curve.mark_line(color=BLUE, strokeWidth=2.5, clip=True).encode(x=x, y=y, tooltip=tooltip),
        at.mark_point(size=130, filled=True, opacity=1, color=VERMILION, clip=True).encode(x=x, y=y),
    ).properties(width=PANEL, height=260)  # fmt: skip
    compared = points.transform_filter("abs(datum.u - utilization) < 1e-6").transform_pivot(
        "kind", groupby=["u"], value="wait"
    )
    lines = [
        text_line(
            at,
            "'U = ' + format(datum.u, '.0%') + ', c_a² = ' + format(scv, '.2~r')"
            f" + ': W = ' + {number('datum.wait', 'S')} + ' (Krämer and Langenbach-Belz)'",
        ),
        text_line(
            compared.transform_calculate(even=f"datum['{kinds[0]}']", poisson=f"datum['{kinds[1]}']"),
            f"'Exactly: D/M/1 ' + {number('datum.even', 'S')} + ', M/M/1 ' + {number('datum.poisson', 'S')}"
            " + (datum.poisson > 0 ? ': even arrivals keep ' + format(datum.even / datum.poisson, '.0%')"
            " + ' of the wait' : '')",
        ),
        text_line(
            alt.Chart(alt.NamedData("counts")).transform_filter(_COUNTED),
            f"'Busiest ' + window_s + ' s of httperf\\'s stream at ' + rate + '/s: ' + {number('datum.highest')}"
            " + '/s, from ' + datum.busiest + ' s on'",
        ),
    ]  # fmt: skip
    counts = [
        {"rate": rate, "window": window, **counted(rate, window)}
        for rate in RATES_PER_S
        for window in WINDOWS_S
    ]
    begin = next(row for row in counts if row["rate"] == RATES_PER_S[0] and row["window"] == 10)
    title = "Even, random and bursty arrivals"
    return live_figure(
        lines,
        [waits, _stream()],
        [
            slider("scv", "c_a² of the arrivals", 0, (0, 4), 0.1),
            slider("utilization", "Utilization U", 0.5, (0, 0.95), 0.05),
            menu("rate", "Rate of httperf's stream", RATES_PER_S, [f"{rate}/s" for rate in RATES_PER_S]),
            slider("window_s", "Window of the counts", 10, (WINDOWS_S[0], WINDOWS_S[-1]), 1, "s"),
        ],
        title=title,
        description=(
            f"{title}. Above, the mean wait over the utilization for a chosen c_a², with points of D/M/1 and M/M/1: at"
            " 50 % they are 0.255 and 1 service times. Below, httperf's stream of exponential gaps counted in windows:"
            f" at {begin['rate']}/s its busiest ten seconds have {format_short(begin['highest'])}/s."
        ),
        datasets={"curves": curves, "counts": counts, "exact": exact},
    )  # fmt: skip


_COUNTED = "datum.rate == rate && datum.window == window_s"


def _stream() -> alt.LayerChart:
    """Arrivals per second in a window that slides over httperf's stream."""
    rows = alt.Chart(alt.NamedData("counts")).transform_filter(_COUNTED)
    series = (
        rows.transform_flatten(["per_s"])
        .transform_window(place="row_number()")
        .transform_calculate(second=f"(datum.place - 1) * {DRAWN_STEPS * STEP_S}")
    )
    asked_rate = alt.Chart(ONCE).transform_calculate(per_s="rate")
    x = (
        alt.X("second:Q", title="start of the window (s)")
        .scale(domain=[0, SECONDS], nice=False)
        .axis(grid=True)
    )
    y = alt.Y("per_s:Q", title="arrivals per second").scale(zero=True).axis(grid=True)
    tooltip = ["second:Q", alt.Tooltip("per_s:Q", title="arrivals per second", format=DECIMALS)]
    return alt.layer(
        series.mark_line(color=BLUE, interpolate="step-after", strokeWidth=2).encode(x=x, y=y, tooltip=tooltip),
        asked_rate.mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1.5).encode(y="per_s:Q"),
        rows.transform_calculate(second="datum.busiest", per_s="datum.highest")
        .mark_point(size=110, filled=True, opacity=1, color=VERMILION).encode(x=x, y=y),
    ).properties(width=PANEL, height=170)  # fmt: skip


def approximate_wait(arrival_scv: float) -> list[float]:
    """W/S of G/M/1 at ``UTILIZATIONS`` by Krämer and Langenbach-Belz."""
    return kramer_langenbach_belz(UTILIZATIONS, 1.0, 1, arrival_scv, 1.0).round(5).tolist()


def exact_waits() -> list[dict[str, Any]]:
    """W/S of D/M/1 and M/M/1: ``kind``, ``u``, ``wait``, and whether the point is drawn (``shown``)."""
    return [
        {"kind": kind, "u": u, "wait": round(wait, 6), "shown": step % 10 == 0 and step > 0}
        for step, u in enumerate(UTILIZATIONS)
        for kind, wait in (
            ("D/M/1: even", gi_m_1(interarrival_transform(u, 0.0), u, 1.0) if u else 0.0),
            ("M/M/1: Poisson", float(pollaczek_khinchine(u, 1.0, 1.0))),
        )
    ]


def counted(rate_per_s: int, window_s: int) -> dict[str, Any]:
    """Arrivals of httperf's stream in windows that lie in its first minute.

    Parameters
    ----------
    rate_per_s : int
        Rate asked of httperf.
    window_s : int
        Length of a window, seconds.

    Returns
    -------
    dict
        List ``per_s``, arrivals per second in windows that begin at 0 s and every ``DRAWN_STEPS`` × ``STEP_S`` s later;
        ``busiest``, the start of the window with the highest one, to ``STEP_S``, and that one, ``highest``.
    """
    gaps = interarrival_s(HTTPERF, rate_per_s, 2 * SECONDS * rate_per_s)
    times = np.cumsum(gaps)
    if times[-1] < SECONDS:
        raise ValueError(f"the stream ends after {times[-1]:.1f} s")
    starts = np.arange(round((SECONDS - window_s) / STEP_S) + 1) * STEP_S
    counts = np.searchsorted(times, starts + window_s) - np.searchsorted(times, starts)
    busiest = int(counts.argmax())
    return {
        "per_s": (counts[::DRAWN_STEPS] / window_s).round(3).tolist(),
        "busiest": round(float(starts[busiest]), 1),
        "highest": float(counts[busiest] / window_s),
    }

"""Chart of the response time of one open queue over its arrival rate, with sliders that need no kernel."""

from __future__ import annotations

import altair as alt

from pipeline.charts import theme
from pipeline.charts.theme import VERMILION, WIDTH
from pipeline.charts.titles import chart_title
from pipeline.units import format_number


def single_queue(demand_s: float, rate_per_s: float, *, title: str) -> alt.LayerChart:
    """R = D / (1 − U) over the rate of arrivals, with sliders for D and for the rate that need no kernel.

    ``demand_s`` and ``rate_per_s`` set where the sliders begin; the point is at the rate of its slider, and has no
    value from 1/D on, where the queue has no steady state. The curve ends before that rate.
    """
    start_ms = max(demand_s * 1e3, 1e-3)
    max_rate = max(1.6 / demand_s, 1.2 * rate_per_s) if demand_s > 0 else 2 * rate_per_s + 1
    slider = alt.param(
        name="demand_ms",
        value=start_ms,
        bind=alt.binding_range(
            min=start_ms / 5, max=start_ms * 5, step=start_ms / 50, name="demand D (ms): "
        ),
    )
    rate_slider = alt.param(
        name="rate_per_s",
        value=rate_per_s,
        bind=alt.binding_range(
            min=0, max=max_rate, step=float(f"{max_rate / 200:.1g}"), name="rate (requests/s): "
        ),
    )
    calculated = (
        alt.Chart(alt.sequence(0, 1, 0.005, as_="part"))
        .transform_calculate(rate=f"datum.part * {max_rate}")
        .transform_calculate(u="datum.rate * demand_ms / 1000")
        .transform_filter("datum.u < 0.985")
        .transform_calculate(response="demand_ms / (1 - datum.u)")
    )
    curve = calculated.mark_line(color=theme.BLUE, strokeWidth=2.5, clip=True).encode(
        x=alt.X("rate:Q", title="requests/s").scale(domain=[0, max_rate]).axis(grid=True),
        y=alt.Y("response:Q", title="response time R (ms)").scale(
            domain=[0, start_ms * 10], clamp=False
        ),
    )
    chosen = (
        alt.Chart(alt.Data(values=[{}]))
        .transform_calculate(rate="rate_per_s", u="rate_per_s * demand_ms / 1000")
        .transform_calculate(response="demand_ms / (1 - datum.u)")
    )
    point = (
        chosen.transform_filter("datum.u < 1")
        .mark_point(size=130, filled=True, color=VERMILION, opacity=1, clip=True)
        .encode(x="rate:Q", y="response:Q", tooltip=["rate:Q", "response:Q"])
    )
    answers = [
        chosen.transform_calculate(text=text)
        .mark_text(align="left", baseline="top", fontSize=13)
        .encode(x=alt.value(8), y=alt.value(6 + 18 * row), text="text:N")
        for row, text in enumerate(
            (
                "'U = ' + format(datum.u, '.1%')",
                "datum.u < 1 ? 'R = ' + format(datum.response, ',.3~r') + ' ms' : 'no steady state'",
            )
        )
    ]
    return (
        alt.layer(curve, point, *answers)
        .add_params(slider, rate_slider)
        .properties(
            width=WIDTH - 60,
            height=240,
            title=chart_title(title),
            description=(
                f"{title}: response time of a queue with demand {format_number(start_ms)} ms over the rate of"
                f" arrivals; at {format_number(rate_per_s)} requests/s it is"
                f" {format_number(start_ms / max(1e-9, 1 - rate_per_s * demand_s))} ms, and it grows without"
                f" bound towards {format_number(1 / demand_s if demand_s > 0 else None)} requests/s."
            ),
        )
    )

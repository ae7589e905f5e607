"""Draw the figures of docs/background/ into docs/images/, from the model's own functions and the recorded study.

Nothing is typed here that a function or the study gives. Run by ``make docs``, after the study was ingested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import altair as alt
import numpy as np
import polars as pl
import vl_convert

from pipeline import api
from pipeline.charts.theme import BLUE, GREY, INK, ORANGE, VERMILION, json_ready, with_theme
from pipeline.measure import arrivals
from pipeline.measure.load import Load
from pipeline.measure.time_series import load_series
from pipeline.model.colocation import HostModels, max_min_share
from pipeline.model.fit import (
    cpu_utilization,
    log_residuals,
    recording_batches,
    uncontended_demands,
)
from pipeline.model.observation import Deployment, Observation
from pipeline.network.closed import sweep_populations
from pipeline.network.gg1 import kramer_langenbach_belz, waiting_times
from pipeline.network.service import erlang_c

ROOT = Path(__file__).parent.parent
IMAGES = Path(__file__).parent / "images"
STUDY = "kvm-case-study"
WIDTH, HEIGHT = 460, 220

FIGURES: dict[str, Callable[[Recorded], alt.TopLevelMixin]] = {}
"""File name without suffix → the function that draws it."""


@dataclass(frozen=True)
class Recorded:
    """The recorded study and the models fitted to it, each computed when first used."""

    raw: Path = ROOT / "data/raw"
    processed: Path = ROOT / "data/processed"

    @cached_property
    def holdout(self) -> api.HoldoutData:
        """Every run observed, the models fitted, the errors decomposed."""
        return api.open_holdout(STUDY, raw=self.raw, processed=self.processed)

    @property
    def observations(self) -> list[Observation]:
        """One per virtual server under load and run."""
        return self.holdout.observations

    @property
    def models(self) -> dict[Deployment, HostModels]:
        """The calibrated models by server and virtual server."""
        return self.holdout.models

    def of(self, place: Deployment, *, alone: bool = True) -> list[Observation]:
        """The observations of a virtual server, loaded alone or with others; no saturated ones."""
        return [
            o
            for o in self.observations
            if o.deployment == place and o.is_alone == alone and not o.is_saturated
        ]

    def observation(self, server: str, run: str) -> Observation:
        """The first observation of a run."""
        return next(o for o in self.observations if (o.server, o.run) == (server, run))

    def series(self, server: str, run: str, virtual_server: str, length_s: float) -> pl.DataFrame:
        """Busy time and completions in windows of one run's load, the background subtracted from ``host_cpu``."""
        run_data = api.open_run(STUDY, server, run, raw=self.raw, processed=self.processed)
        counters = run_data.counters(virtual_server)
        frame = load_series(counters, length_s).frame
        idle = counters.idle_increase_per_s("host_cpu")
        return frame.with_columns(
            net=pl.col("host_cpu") - idle * pl.col("length_s"), idle=pl.lit(idle)
        )


def figure(function: Callable[[Recorded], alt.TopLevelMixin]) -> Callable:
    """Register a figure by its function's name."""
    FIGURES[function.__name__.replace("_", "-")] = function
    return function


def x_axis(field: str, title: str, **options: object) -> alt.X:
    """A quantitative x axis."""
    return alt.X(f"{field}:Q", title=title, **options)


def y_axis(field: str, title: str, **options: object) -> alt.Y:
    """A quantitative y axis."""
    return alt.Y(f"{field}:Q", title=title, **options)


def lines(
    series: dict[str, tuple[Iterable[float], Iterable[float]]],
    x: alt.X,
    y: alt.Y,
    *,
    legend: bool = False,
) -> alt.Chart | alt.LayerChart:
    """Named lines, with their names at their ends or, where these coincide, dashes and a legend."""
    frame = pl.concat(
        pl.DataFrame({"series": name, "x": np.asarray(xs, float), "y": np.asarray(ys, float)})
        for name, (xs, ys) in series.items()
    ).filter(pl.col("y").is_finite())
    base = alt.Chart(json_ready(frame))
    if legend:
        color = alt.Color("series:N", title=None, sort=list(series))
        color = color.legend(symbolType="stroke", symbolStrokeWidth=3)
        dash = alt.StrokeDash("series:N", sort=list(series), legend=None)
        return base.mark_line().encode(x=x, y=y, color=color, strokeDash=dash)
    last = alt.Chart(json_ready(frame.group_by("series", maintain_order=True).last()))
    color = alt.Color("series:N", sort=list(series), legend=None)
    names = last.mark_text(align="left", dx=5).encode(x=x, y=y, text="series:N", color=color)
    return alt.layer(base.mark_line().encode(x=x, y=y, color=color), names)


@figure
def model_service_demand(data: Recorded) -> alt.LayerChart:
    """Section 1: busy time over completions, slope D."""
    server, run = "first", "web-050-poisson"
    frame = data.series(server, run, "web", 2.0).filter(pl.col("completions") > 0)
    demand = data.observation(server, run).run_demands.demand("host_cpu").value_s
    idle = frame["idle"][0] * frame["length_s"][0]
    most = float(frame["completions"].max()) * 1.05
    line = pl.DataFrame({"completions": [0.0, most], "host_cpu": [idle, idle + demand * most]})
    x = x_axis("completions", "requests completed in 2 s")
    y = y_axis("host_cpu", "CPU time of QEMU in 2 s (s)", scale=alt.Scale(zero=True))
    points = alt.Chart(json_ready(frame.select("completions", "host_cpu"))).mark_point(
        filled=True, size=50, color=BLUE, opacity=0.8
    )
    fitted = alt.Chart(json_ready(line)).mark_line(color=VERMILION)
    return alt.layer(points.encode(x=x, y=y), fitted.encode(x=x, y=y)).properties(
        title=alt.Title(
            f"Service demand: {demand * 1e3:.1f} ms of CPU per request",
            subtitle=f"{server} / {run}; intercept: the background of the idle baseline",
        )
    )


@figure
def model_littles_law(data: Recorded) -> alt.VConcatChart:
    """Section 2: the area under n(t) is the sum of the response times."""
    arrival = np.array([0.5, 1.0, 1.8, 3.6, 4.0, 4.3, 6.5])
    service = np.array([1.4, 0.9, 0.7, 1.2, 0.8, 0.9, 1.1])
    waited = waiting_times(np.diff(arrival, prepend=0.0), service)
    leave = arrival + waited + service
    rows = pl.DataFrame({"request": np.arange(1, 8), "from": arrival, "to": leave})
    moments = np.sort(np.concatenate((arrival, leave)))
    inside = [float((arrival <= t).sum() - (leave <= t).sum()) for t in moments]
    steps = pl.DataFrame({"t": [0.0, *moments], "n": [0.0, *inside]})
    scale = alt.Scale(domain=[0, 9])
    stays = (
        alt.Chart(json_ready(rows))
        .mark_bar(height=10, color=BLUE)
        .encode(x=x_axis("from", "", scale=scale), x2="to:Q", y=alt.Y("request:O", title="request"))
        .properties(height=110, width=WIDTH)
    )
    number = (
        alt.Chart(json_ready(steps))
        .mark_area(interpolate="step-after", color=ORANGE, opacity=0.7)
        .encode(
            x=x_axis("t", "time (s)", scale=scale),
            y=y_axis("n", "requests in the system", stack=None),
        )
        .properties(height=110, width=WIDTH)
    )
    total = float((leave - arrival).sum())
    return alt.vconcat(stays, number, spacing=8).properties(
        title=f"Sum of the response times = area under n(t) = {total:.1f} s"
    )


@figure
def model_open_closed(data: Recorded) -> alt.LayerChart:
    """Section 3: the same demands, open and closed."""
    demands = np.array([0.040, 0.020])
    swept = sweep_populations(demands, 16)
    rate = np.linspace(0.1, 24.2, 120)
    opened = (demands / (1 - rate[:, None] * demands)).sum(axis=1) * 1e3
    x = x_axis("x", "throughput X (1/s)")
    y = y_axis("y", "response time R (ms)", scale=alt.Scale(domain=[0, 700], clamp=True))
    closed = pl.DataFrame(
        {"x": swept.throughput[1:], "y": swept.response_times[1:] * 1e3, "n": np.arange(1, 17)}
    )
    dots = alt.Chart(json_ready(closed)).mark_point(filled=True, size=45, color=VERMILION)
    ends = alt.Chart(json_ready(closed.filter(pl.col("n").is_in([1, 4, 8, 16])))).mark_text(
        align="right", dx=-8, dy=-4, color=VERMILION
    )
    return alt.layer(
        alt.Chart(json_ready(pl.DataFrame({"x": rate, "y": opened}).filter(pl.col("y") < 700)))
        .mark_line(color=BLUE)
        .encode(x=x, y=y),
        dots.encode(x=x, y=y),
        ends.transform_calculate(name="'N = ' + datum.n").encode(x=x, y=y, text="name:N"),
        alt.Chart(json_ready(pl.DataFrame({"x": [22.0], "y": [560.0]})))
        .mark_text(text="open: R = Σ D/(1 − U)", color=BLUE, align="right")
        .encode(x="x:Q", y="y:Q"),
    ).properties(title="Open and closed, two stations with D = 40 and 20 ms")


@figure
def model_arrival_variability(data: Recorded) -> alt.LayerChart:
    """Section 4: Krämer and Langenbach-Belz."""
    busy = np.linspace(0.02, 0.85, 80)
    names = {"even (c² = 0)": 0.0, "Poisson (c² = 1)": 1.0, "bursty (c² = 4)": 4.0}
    curves = {
        name: (busy, kramer_langenbach_belz(busy, 1.0, 1, scv, 1.0)) for name, scv in names.items()
    }
    return lines(
        curves,
        x_axis("x", "utilization U"),
        y_axis("y", "mean wait / mean service time", scale=alt.Scale(domain=[0, 15], clamp=True)),
    ).properties(title="Mean wait by variability of arrivals, exponential service")


@figure
def model_arrival_trace(data: Recorded) -> alt.VConcatChart:
    """Section 4: httperf's sequence at 26 requests per second, and Lindley's recursion over it."""
    rate, service_s = 26.0, 0.032
    gaps = arrivals.interarrival_s(arrivals.HTTPERF, rate, 1600)
    assert gaps is not None
    at = np.cumsum(gaps)
    waited = waiting_times(gaps, np.full(len(gaps), service_s)) * 1e3
    at, waited = at[at < 60], waited[at < 60]
    counts = np.bincount(at.astype(int), minlength=60)
    smooth = np.append(np.convolve(counts, np.ones(10) / 10, mode="valid"), [np.nan] * 9)
    seconds = pl.DataFrame(
        {"t": np.arange(60) + 0.5, "middle": np.arange(60) + 5.0, "n": counts, "mean": smooth}
    )
    scale = alt.Scale(domain=[0, 60], nice=False, padding=0)
    bars = alt.Chart(json_ready(seconds)).mark_bar(color=BLUE, opacity=0.45, width=5)
    mean = alt.Chart(json_ready(seconds)).mark_line(color=INK)
    requested_rate = alt.Chart(json_ready(pl.DataFrame({"n": [rate]}))).mark_rule(
        strokeDash=[4, 4], color=VERMILION
    )
    upper = alt.layer(
        bars.encode(x=x_axis("t", "", scale=scale), y=y_axis("n", "arrivals per s")),
        mean.encode(x=x_axis("middle", "", scale=scale), y=y_axis("mean", "arrivals per s")),
        requested_rate.encode(y=y_axis("n", "arrivals per s")),
    ).properties(width=WIDTH, height=110)
    thin = pl.DataFrame({"t": at, "wait": waited}).gather_every(2)
    lower = (
        alt.Chart(json_ready(thin))
        .mark_line(color=ORANGE)
        .encode(x=x_axis("t", "time (s)", scale=scale), y=y_axis("wait", "wait (ms)"))
        .properties(width=WIDTH, height=110)
    )
    return alt.vconcat(upper, lower, spacing=8).properties(
        title=alt.Title(
            f"httperf's sequence at {rate:g}/s, and the wait at {service_s * 1e3:g} ms per request",
            subtitle="line: mean over ten seconds; dashed: the requested rate",
        )
    )


@figure
def model_processors(data: Recorded) -> alt.LayerChart:
    """Section 4: Erlang C."""
    busy = np.linspace(0.02, 0.94, 80)
    curves = {
        f"{m} processor{'s' if m > 1 else ''}": (busy, erlang_c(m, m * busy) / (m * (1 - busy)))
        for m in (1, 2, 4)
    }
    return lines(
        curves,
        x_axis("x", "utilization per processor", scale=alt.Scale(domain=[0, 1])),
        y_axis("y", "mean wait / mean service time", scale=alt.Scale(domain=[0, 15], clamp=True)),
    ).properties(title="Mean wait for one of m processors, Poisson arrivals")


@figure
def model_host_and_guest(data: Recorded) -> alt.Chart:
    """Section 5: the same request, seen from the guest and from the host."""
    names = {
        "vdisk": "guest's disk (contains the host's)",
        "disk": "host's disk",
        "host_cpu": "host: CPU of the whole QEMU",
        "guest_cpu": "guest: CPU of the server's processes",
    }
    found = data.observation("first", "web-050-even").run_demands
    rows = pl.DataFrame(
        {
            "what": list(names.values()),
            "ms": [found.demand(name).value_s * 1e3 for name in names],
            "device": ["disk", "disk", "CPU", "CPU"],
        }
    )
    base = alt.Chart(json_ready(rows)).encode(
        y=alt.Y("what:N", sort=list(names.values()), title=None).axis(labelLimit=260),
        x=x_axis("ms", "ms per request"),
    )
    bars = base.mark_bar().encode(color=alt.Color("device:N", legend=None))
    text = base.mark_text(align="left", dx=4).encode(text=alt.Text("ms:Q", format=".1f"))
    return alt.layer(bars, text).properties(
        title="Busy time per request from both sides (first / web-050-even)", width=320, height=130
    )


@figure
def model_load_curve(data: Recorded) -> alt.LayerChart:
    """Section 6: measured demands over the load, and the curve."""
    place = ("first", "web")
    model = data.models[place].alone.point_estimate()
    runs = [o for o in data.of(place) if o.load.arrivals == "even"]
    points = pl.DataFrame(
        {
            "x": [o.load.level for o in runs],
            "y": [float(uncontended_demands(o)["cpu"][0]) * 1e3 for o in runs],
            "runs": ["held out" if o.held_out else "fitted" for o in runs],
        }
    )
    seconds = float(np.median([o.load.duration_s for o in runs]))
    rates = np.linspace(min(points["x"]), max(points["x"]), 60)
    demand = [
        float(
            model.demands_at(
                Load("open", rate_per_s=r, arrivals="even", duration_s=seconds), np.array([r])
            )["cpu"][0]
        )
        * 1e3
        for r in rates
    ]
    x = x_axis("x", "requests per second")
    y = y_axis("y", "CPU demand (ms)", scale=alt.Scale(zero=True))
    return alt.layer(
        alt.Chart(json_ready(pl.DataFrame({"x": rates, "y": demand})))
        .mark_line(color=VERMILION)
        .encode(x=x, y=y),
        alt.Chart(json_ready(points))
        .mark_point(filled=True, size=55, opacity=0.8)
        .encode(
            x=x, y=y, shape=alt.Shape("runs:N", title=None), color=alt.Color("runs:N", title=None)
        ),
    ).properties(title=f"D(n, U) of the first web server, for loads of {seconds:.0f} s")


@figure
def model_batches(data: Recorded) -> alt.LayerChart:
    """Section 6: residuals of the demand by recording batch."""
    place = ("first", "db")
    group = next(g for g in data.holdout.deployment_runs if g.deployment == place)
    off = np.exp(log_residuals(data.models[place].alone.cpu, group.fitted_runs))
    batch = recording_batches(group.fitted_runs)
    order = {
        b: i + 1
        for i, b in enumerate(
            sorted(
                set(batch),
                key=lambda b: min(
                    o.window.start_ns
                    for o, c in zip(group.fitted_runs, batch, strict=True)
                    if c == b
                ),
            )
        )
    }
    rows = pl.DataFrame({"batch": [order[b] for b in batch], "ratio": off})
    x = alt.X("batch:O", title="recording batch, in order of time").axis(labelAngle=0)
    y = y_axis(
        "ratio",
        "CPU demand / curve, logarithmic",
        scale=alt.Scale(type="log", nice=False, padding=8),
    )
    points = alt.Chart(json_ready(rows)).mark_point(filled=True, size=45, opacity=0.7, color=BLUE)
    means = rows.group_by("batch", maintain_order=True).agg(pl.col("ratio").log().mean().exp())
    ticks = alt.Chart(json_ready(means)).mark_tick(color=VERMILION, thickness=3, width=26)
    one = alt.Chart(json_ready(pl.DataFrame({"ratio": [1.0]}))).mark_rule(
        strokeDash=[4, 4], color=GREY
    )
    y = y.axis(values=[0.7, 0.8, 0.9, 1, 1.2, 1.4], format="~g")
    return alt.layer(one.encode(y=y), points.encode(x=x, y=y), ticks.encode(x=x, y=y)).properties(
        title=alt.Title(
            "First database: runs by batch", subtitle="bars: geometric mean of the batch"
        ),
        width=WIDTH,
    )


@figure
def model_reply(data: Recorded) -> alt.Chart:
    """Section 6: the parts of the predicted R of the first web server, even arrivals."""
    model = data.models["first", "web"].alone.point_estimate()
    resources = model.resources
    rows = []
    for rate in np.linspace(5, 125, 49):
        load = Load("open", rate_per_s=float(rate), arrivals="even", duration_s=60.0)
        response = float(model.predict(load).response_time_s[0])
        demands = model.demands_at(load, np.array([rate]))
        before = (
            float(demands["pre_reply"][0]) * resources.slowdown * model.calibration.pre_reply_factor
        )
        disk = float(demands["vdisk"][0])
        parts = {
            "CPU before the reply": before,
            "guest's disk": disk,
            "waiting": response - before - disk,
        }
        rows += [
            {"rate": rate, "part": name, "ms": value * 1e3, "order": i}
            for i, (name, value) in enumerate(parts.items())
        ]
    frame = pl.DataFrame(rows)
    return (
        alt.Chart(json_ready(frame))
        .mark_area(opacity=0.85)
        .encode(
            x=x_axis(
                "rate", "requests per second, evenly spaced", scale=alt.Scale(domain=[0, 125])
            ),
            y=y_axis("ms", "response time (ms)"),
            color=alt.Color(
                "part:N", title=None, sort=["CPU before the reply", "guest's disk", "waiting"]
            ),
            order="order:Q",
        )
        .properties(title="Predicted response time of the first web server")
    )


@figure
def model_quota(data: Recorded) -> alt.LayerChart:
    """Section 6: the second database by both readings of its quota."""
    place = ("second", "db")
    model = data.models[place].alone.point_estimate()
    runs = data.of(place)
    seconds = float(np.median([o.load.duration_s for o in runs]))
    threads = np.arange(1, 33)
    curves = {}
    for name, switch in (("budget", True), ("slower CPU", False)):
        answers = [
            replace(model, quota_as_budget=switch).predict(
                Load("closed", population=int(n), duration_s=seconds)
            )
            for n in threads
        ]
        curves[name] = (threads, [float(a.response_time_s[0]) for a in answers])
    measured = pl.DataFrame(
        {"x": [o.load.level for o in runs], "y": [o.response_time_s for o in runs]}
    )
    x = x_axis("x", "threads, logarithmic", scale=alt.Scale(type="log", domain=[1, 50])).axis(
        values=[1, 2, 4, 8, 16, 32]
    )
    y = y_axis("y", "R (s), logarithmic", scale=alt.Scale(type="log", nice=False, padding=8)).axis(
        values=[0.2, 0.5, 1, 2, 5, 10], format="~g"
    )
    points = alt.Chart(json_ready(measured)).mark_point(
        filled=True, size=40, color=INK, opacity=0.7
    )
    return alt.layer(lines(curves, x, y, legend=True), points.encode(x=x, y=y)).properties(
        title="Second database (quota of half a CPU); points: measured"
    )


@figure
def model_interference(data: Recorded) -> alt.LayerChart:
    """Section 7: CPU demand over the curve's, alone and co-located with the loaded database."""
    rows = []
    for server in data.holdout.study.servers:
        place = (server, "web")
        curve = data.models[place].alone.cpu
        for alone in (True, False):
            for o in data.of(place, alone=alone):
                said = float(curve.at(o.run_demands.completions, cpu_utilization(o))[0])
                rows.append(
                    {
                        "load": f"{server} web, " + ("alone" if alone else "with the database"),
                        "ratio": float(uncontended_demands(o)["cpu"][0]) / said,
                        "alone": alone,
                    }
                )
    frame = pl.DataFrame(rows)
    y = alt.Y("load:N", title=None, sort=None).axis(labelLimit=260)
    x = x_axis(
        "ratio",
        "CPU demand / curve, logarithmic",
        scale=alt.Scale(type="log", nice=False, padding=12),
    ).axis(values=[0.6, 0.8, 1, 1.2, 1.5, 2, 2.5], format="~g")
    points = alt.Chart(json_ready(frame)).mark_point(filled=True, size=50, opacity=0.6)
    means = frame.group_by("load", maintain_order=True).agg(pl.col("ratio").log().mean().exp())
    ticks = alt.Chart(json_ready(means)).mark_tick(color=VERMILION, thickness=3, height=22)
    return alt.layer(
        points.encode(x=x, y=y, color=alt.Color("alone:N", legend=None)), ticks.encode(x=x, y=y)
    ).properties(title="Interference; bars: geometric mean", height=150, width=320)


@figure
def model_max_min(data: Recorded) -> alt.LayerChart:
    """Section 7: max-min fair shares."""
    wanted = np.linspace(0, 1, 60)
    shares = np.array([max_min_share([w, 0.2, 0.5], 1.0) for w in wanted])
    names = ["guest a", "b, wants 0.2", "c, wants 0.5"]
    return lines(
        {name: (wanted, shares[:, i]) for i, name in enumerate(names)},
        x_axis("x", "CPUs that guest a wants", scale=alt.Scale(domain=[0, 1])),
        y_axis("y", "CPUs given"),
        legend=True,
    ).properties(title="Max-min fair shares of one CPU")


@figure
def model_bootstrap(data: Recorded) -> alt.VConcatChart:
    """Section 8: a series of windows, and the draws of its demand."""
    frame = data.series("first", "db-16-a", "db", 1.0)
    demand = data.observation("first", "db-16-a").run_demands.demand("host_cpu")
    upper = (
        alt.Chart(json_ready(frame.select("start_s", "host_cpu")))
        .mark_line(color=BLUE)
        .encode(x=x_axis("start_s", "time (s)"), y=y_axis("host_cpu", "CPU s in 1 s"))
        .properties(width=WIDTH, height=90)
    )
    counts, edges = np.histogram(demand.draws_s * 1e3, 24)
    bins = pl.DataFrame({"from": edges[:-1], "to": edges[1:], "n": counts})
    bars = (
        alt.Chart(json_ready(bins))
        .mark_bar(color=ORANGE, stroke="white")
        .encode(
            x=x_axis("from", "CPU demand (ms)", scale=alt.Scale(zero=False)),
            x2="to:Q",
            y=y_axis("n", "draws"),
            y2=alt.datum(0),
        )
    )
    ends = pl.DataFrame({"x": [demand.low_s * 1e3, demand.high_s * 1e3]})
    rules = alt.Chart(json_ready(ends)).mark_rule(color=VERMILION, strokeWidth=2).encode(x="x:Q")
    lower = alt.layer(bars, rules).properties(width=WIDTH, height=110)
    return alt.vconcat(upper, lower, spacing=12).properties(
        title=f"{len(demand.draws_s)} draws of the demand of first / db-16-a; red: 95 % interval"
    )


@figure
def model_regression(data: Recorded) -> alt.LayerChart:
    """Section 9: utilization over throughput, with the regression lines."""
    points, curves = [], {}
    for group in data.holdout.deployment_runs:
        if group.server != "first":
            continue
        virtual, runs = group.virtual_server, group.fitted_runs
        rates = np.array([o.throughput_per_s for o in runs])
        busy = np.array(
            [o.run_demands.demand("host_cpu").busy_s / o.run_demands.length_s for o in runs]
        )
        fitted = api.regress_demand(group, "host_cpu")
        # transactions cost about ten times as much as web requests: one axis for both
        scale = 1.0 if virtual == "web" else 5.0
        label = virtual if scale == 1 else f"{virtual} (X × {scale:g})"
        points.append(pl.DataFrame({"x": rates * scale, "y": busy, "load": label}))
        ends = np.array([0.0, rates.max()])
        curves[label] = (ends * scale, fitted.background + fitted.demands_s[virtual] * ends)
    frame = pl.concat(points)
    x, y = x_axis("x", "throughput (1/s)"), y_axis("y", "CPU utilization (QEMU)")
    dots = alt.Chart(json_ready(frame)).mark_point(filled=True, size=45, opacity=0.7)
    return alt.layer(
        dots.encode(x=x, y=y, color=alt.Color("load:N", sort=list(curves), legend=None)),
        lines(curves, x, y),
    ).properties(title="Regression over the runs of the first server")


@figure
def model_kalman(data: Recorded) -> alt.LayerChart:
    """Section 9: the demand within the run of the first web server in which it changes most."""

    runs = [o for o in data.of(("first", "web")) if o.load.level >= 50]
    tracks = [api.track_demand(data.holdout, o.server, o.run)[0] for o in runs]
    best = max(
        range(len(runs)),
        key=lambda i: np.ptp(tracks[i]["value"].to_numpy()) / tracks[i]["value"].mean(),
    )
    run, rows = runs[best], tracks[best]
    base = alt.Chart(json_ready(rows))
    x = x_axis("start_s", "time (s)")
    most = float(rows["window"].quantile(0.98)) * 1.1
    y = alt.Scale(domain=[0, most], clamp=True)
    return alt.layer(
        base.mark_area(opacity=0.2, color=BLUE).encode(
            x=x, y=y_axis("low", "", scale=y), y2="high:Q"
        ),
        base.mark_line(color=BLUE).encode(x=x, y=y_axis("value", "")),
        base.mark_point(filled=True, size=25, color=INK, opacity=0.6).encode(
            x=x, y=y_axis("window", "CPU demand (ms)")
        ),
    ).properties(
        title=alt.Title(
            f"CPU demand within {run.server} / {run.run}",
            subtitle="points: windows of 2 s; band: 95 %",
        )
    )


@figure
def evaluation_decomposition(data: Recorded) -> alt.LayerChart:
    """Evaluation: the error decomposition of one held-out run."""
    row = data.holdout.error_decomposition.filter(
        server="second", virtual_server="web", run="web-021-poisson"
    ).row(0, named=True)
    names = list(row)
    steps = names[names.index("predicted_ms") + 1 : names.index("measured_ms")]
    parts, at = [("predicted", 0.0, row["predicted_ms"])], row["predicted_ms"]
    for name in steps:
        if "error" in name or row[name] is None:
            continue
        label = (
            "residual"
            if name.startswith("unexplained")
            else name.removesuffix("_ms").replace("_", " ")
        )
        parts.append((label, at, at + row[name]))
        at += row[name]
    parts.append(("measured", 0.0, row["measured_ms"]))
    frame = pl.DataFrame(parts, schema=["part", "low", "high"], orient="row").with_columns(
        total=pl.col("low") == 0, value=pl.col("high") - pl.col("low")
    )
    base = alt.Chart(json_ready(frame)).encode(
        y=alt.Y("part:N", sort=[p[0] for p in parts], title=None),
        x=x_axis("low", "response time (ms)"),
    )
    bars = base.mark_bar().encode(
        x2="high:Q", color=alt.Color("total:N", legend=None, scale=alt.Scale(range=[ORANGE, BLUE]))
    )
    text = (
        base.mark_text(align="left", dx=4)
        .encode(x=x_axis("end", ""), text="label:N")
        .transform_calculate(
            end="max(datum.low, datum.high)",
            label="format(datum.value, datum.total ? '.1f' : '+.1f')",
        )
    )
    return alt.layer(bars, text).properties(
        title=f"Error decomposition: second / {row['run']} (ms)", width=360, height=180
    )


def svg(chart: alt.TopLevelMixin) -> str:
    """The chart as SVG, in the reports' theme."""
    spec = with_theme(chart)
    spec["config"]["view"] = {
        **spec["config"]["view"],
        "continuousWidth": WIDTH,
        "continuousHeight": HEIGHT,
    }
    return vl_convert.vegalite_to_svg(spec)


def main() -> None:
    """Draw every figure."""
    data = Recorded()
    IMAGES.mkdir(exist_ok=True)
    for name, draw in FIGURES.items():
        (IMAGES / f"{name}.svg").write_text(svg(draw(data)))


if __name__ == "__main__":
    main()

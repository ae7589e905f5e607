"""One example of every chart, with the frames that it is drawn from."""

import datetime as dt

import altair as alt
import polars as pl

from pipeline import charts

HOSTILE = "<script>alert(1)</script>"
START = dt.datetime(2026, 11, 22, 23, 59, 30, tzinfo=dt.UTC)


def over_time(points: int = 60, series: tuple[str, ...] = ("vda", "loop1")) -> pl.DataFrame:
    rows = [
        (START + dt.timedelta(seconds=i), name, (i % 7) / 10 + number / 20)
        for number, name in enumerate(series)
        for i in range(points)
    ]
    return pl.DataFrame(rows, schema=["time", "series", "value"], orient="row")


SPANS = pl.DataFrame(
    {
        "name": ["before", "load"],
        "start": [START, START + dt.timedelta(seconds=20)],
        "end": [START + dt.timedelta(seconds=15), START + dt.timedelta(seconds=55)],
    }
)
RESIDENCE = pl.DataFrame(
    [
        ("as-printed", "R_cpu", 3.8),
        ("as-printed", "R_vdisk", 9.7),
        ("as-printed", "R_disk", 2.2),
        ("corrected", "R_cpu", 3.6),
        ("corrected", "R_vdisk − R_disk", 7.5),
        ("corrected", "R_disk", 2.2),
        ("client", "as measured", 11.0),
    ],
    schema=["stack", "component", "value_ms"],
    orient="row",
)
COMPARISON = pl.DataFrame(
    [
        (source, server, quantity, value)
        for source in ("published", "recorded here")
        for server in ("first", "second")
        for quantity, value in (("R_cpu", 1.0), ("R_vdisk", 2.0), ("R_disk", 3.0), ("X", 5.0))
    ],
    schema=["source", "server", "quantity", "value"],
    orient="row",
)
CLIENT = pl.DataFrame(
    {
        "source": ["client (httperf)", "as-printed", "corrected"],
        "value": [5.6, 11.0, 9.0],
        "low": [None, 10.0, 8.0],
        "high": [None, 12.0, 10.0],
        "is_client": [True, False, False],
    }
)
STATIONS = pl.DataFrame(
    {
        "station": ["vCPU", "vda", "loop1"],
        "utilization": [0.4, 0.83, 1.04],
        "low": [0.38, None, None],
        "high": [0.42, None, None],
    }
)
VARIANTS = pl.DataFrame(
    {
        "variant": ["service-demand", "as-printed", "per-operation"],
        "value": [5.5, 1.2, 0.3],
        "low": [5.0, None, None],
        "high": [6.0, None, None],
    }
)


STRIP = pl.DataFrame(
    {
        "group": ["first", "first", "second"],
        "variant": ["as-printed", "corrected", "another"],
        "value": [0.06, 0.9, 1.3],
        "named": [True, True, False],
    }
)

PREDICTED = pl.DataFrame(
    [
        (who, size, value, value and value * 0.9, value and value * 1.1, fitted)
        for who, scale in (("measured", 10.0), ("host", 11.0), ("linear baseline", None))
        for size, fitted in ((1.0, True), (2.0, False), (4.0, True))
        for value in [scale and scale * size]
    ],
    schema=["source", "size", "value", "low", "high", "fitted"],
    orient="row",
)
DEMANDS = pl.DataFrame(
    {"run": ["a", "b"], "value": [5.0, 6.0], "low": [4.8, 5.7], "high": [5.2, 6.4]}
).with_columns(role_in_fit=pl.lit("fitted"))
TRACK = pl.DataFrame(
    {"start_s": [0.0, 2.0, 4.0], "window": [5.0, None, 7.0], "value": [5.5, 6.0, 6.5]}
).with_columns(low=pl.col("value") - 1, high=pl.col("value") + 1)
NEIGHBOUR_CPU = pl.DataFrame(
    {
        "deployment": [HOSTILE, HOSTILE, "web"],
        "run": ["a", "b", "c"],
        "neighbour_cpu_percent": [6.0, 7.5, 9.0],
        "relative_demand": [0.8, 1.0, 1.3],
        "role_in_fit": ["fitted", "held out", "held out"],
    }
)
DEMAND_CHANGES = pl.DataFrame(
    {
        "sweep": [HOSTILE, "web, even", "db"],
        "station": ["CPU", "disk", "CPU"],
        "ratio": [0.6, 1.02, None],
        "low": [0.5, 0.9, None],
        "high": [0.7, 1.15, None],
        "verdict": ["refuted", "not refuted", "not tested"],
    }
)
PREDICTOR_ERRORS = pl.DataFrame(
    {
        "setting": ["held-out loads", "held-out loads", "other server", "other server"],
        "predictor": ["queueing model", HOSTILE, "queueing model", HOSTILE],
        "error": [9.0, 12.0, 32.0, None],
        "low": [5.5, 7.0, 23.0, None],
        "high": [27.0, None, 42.0, None],
    }
)
LEARNING_CURVES = pl.DataFrame(
    {
        "panel": ["web server"] * 4 + ["database"],
        "training_runs": [10, 45, 10, 45, 10],
        "predictor": ["queueing model"] * 2 + ["neural net"] * 2 + ["neural net"],
        "error": [39.0, 10.0, 53.0, 18.0, 14.0],
        "low": [30.0, 10.0, 40.0, 8.0, 12.0],
        "high": [50.0, 10.0, None, 22.0, 15.0],
    }
)


SWEEP = pl.DataFrame(
    [
        (source, measured, n, x, x * 0.9 if measured else None, x * 1.1 if measured else None)
        for source, measured in (("measured", True), (HOSTILE, False), ("another model", False))
        for n, x in ((10, 100.0), (20, 180.0), (40, 210.0))
    ],
    schema=["source", "is_measured", "population", "value", "low", "high"],
    orient="row",
)


def every_figure() -> dict[str, alt.TopLevelMixin]:
    disks = over_time().with_columns(utilization="value", queue_length=pl.col("value") * 3)
    return {
        "timeline": charts.timeline(
            over_time(),
            value="value",
            axis="CPU (cores)",
            title="CPU",
            spans=SPANS,
            legend="process",
        ),
        "timelines": charts.timelines(
            [
                charts.Panel(over_time(), "CPU (CPUs)"),
                charts.Panel(disks, "Utilization", "utilization", 1.0, True),
                charts.Panel(over_time(0), "Nothing"),
            ],
            title="Over time",
            spans=SPANS,
        ),
        "residence_time": charts.residence_time(RESIDENCE, title="Where does the time go?"),
        "server_comparison": charts.server_comparison(COMPARISON, title="Figure 6"),
        "model_against_client": charts.model_against_client(CLIENT, title="Model against client"),
        "utilization": charts.utilization(STATIONS, title="Which station is busiest?"),
        "variants": charts.variants(VARIANTS, title="D in three variants", axis="D (ms)"),
        "variants_log": charts.variants(VARIANTS, title="D", axis="D (ms)", log=True),
        "variants_in_groups": charts.variants(
            VARIANTS.with_columns(group=pl.lit("first")), title="D", axis="D (ms)"
        ),
        "ratio_strip": charts.ratio_strip(STRIP, title="Every variant", axis="model / client"),
        "single_queue": charts.single_queue(0.0056, 60, title="One queue"),
        "predictions": charts.predictions(
            PREDICTED, title="Predicted", axis="response time (ms)", load_axis="threads"
        ),
        "demand_runs": charts.demand_runs(DEMANDS, title="CPU demand"),
        "demand_track": charts.demand_track(
            TRACK, title="Within a run", subtitle="drift 0.4 ms/√s"
        ),
        "demand_vs_neighbour_cpu": charts.demand_vs_neighbour_cpu(
            NEIGHBOUR_CPU, title="Demand and neighbours' CPU"
        ),
        "demand_changes": charts.demand_changes(DEMAND_CHANGES, title="Demand over the load"),
        "over_population": charts.over_population(SWEEP, title="X over N", axis="X (1/s)"),
        "predictor_errors": charts.predictor_errors(PREDICTOR_ERRORS, title="Errors"),
        "learning_curves": charts.learning_curves(LEARNING_CURVES, title="Errors by training runs"),
        "empty_chart": charts.empty_chart("Nothing"),
    }


FIGURES = every_figure()

"""Is the model true? A study's predictions and budgets as its page shows them; nothing shown yet.

``open_holdout`` observes every run of a study; the functions here take what it gives, and so do those of
:mod:`pipeline.report.tables.demands`.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from pipeline.api import Deployment, HoldoutData, MissingData
from pipeline.evaluate.acceptance import (
    ATTRIBUTED,
    MAX_UTILIZATION,
    NOT_SCORED,
    OUTCOMES,
    OUTSIDE_TOLERANCE,
    WITHIN_TOLERANCE,
)
from pipeline.evaluate.holdout import (
    HOST_MODEL,
    HOST_MODEL_CALIBRATED,
    LINEAR,
    PREDICTORS,
    ablate_model,
    summarize_predictors,
)
from pipeline.evaluate.parametric_bootstrap import bootstrap_verdicts
from pipeline.evaluate.transfer import transfer
from pipeline.units import format_percent, format_short

HELD_OUT_HEADINGS = {
    "virtual_server": "guest",
    "X measured": "X",
    "error X": "error",
    "R measured": "R",
    "R, 95 %": "95 %",
    "R model": "model",
    "error R": "error",
    "attributed": "share",
    "line R": "line",
}
"""Short ones: a table that is wider than the page is scrolled."""
DECOMPOSITION_HEADINGS = {
    "virtual_server": "guest",
    "predicted_ms": "predicted",
    "arrivals_ms": "arrivals",
    "cpu_demand_ms": "CPU",
    "disk_demand_ms": "disks",
    "contention_ms": "others",
    "contention_timing_ms": "course",
    "residual_ms": "rest",
    "residual_se_ms": "±",
    "measured_ms": "measured",
    "error_ms": "miss",
}

LOAD = ["server", "virtual_server", "load"]
BESIDE = pl.when("is_alone").then(pl.lit("")).otherwise(pl.lit(", both"))
"""What follows a load in words when the other virtual server had one too."""


def deployment_text(data: HoldoutData, place: Deployment) -> str:
    """``web server of the first server``."""
    return f"{data.study.title_of(place[1])} of the {place[0]} server"


def load_axis(data: HoldoutData, place: Deployment) -> str:
    """What the loads of ``df_predicted`` count."""
    if data.kinds[place] == "closed":
        return "threads"
    evenly = any(
        one.deployment == place and one.load.arrivals == "even" for one in data.observations
    )
    return "requests a second" + (", evenly spaced" if evenly else "")


def df_predicted(data: HoldoutData, place: Deployment, quantity: str) -> pl.DataFrame:
    """What was measured and what predictors say over the load, for ``charts.predictions``; R in ms, or X.

    Columns: ``who``, ``size``, ``value``, ``low``, ``high``, ``fitted``. Evenly spaced arrivals where there are some.
    """
    mine = _of(data.predictions, place)
    evenly = mine.filter(pl.col("load").str.ends_with("even"))
    mine = mine if evenly.is_empty() else evenly
    unit = {"R": "ms", "X": "per_s"}[quantity]
    ours = HOST_MODEL_CALIBRATED if data.kinds[place] == "open" else HOST_MODEL
    names = [ours, LINEAR, *(p.name for p in PREDICTORS if not p.name.startswith(HOST_MODEL))]
    names = list(dict.fromkeys(names))
    columns = {
        "who": "predictor",
        "size": "level",
        "value": f"{quantity}_{unit}",
        "low": f"{quantity}_low_{unit}",
        "high": f"{quantity}_high_{unit}",
        "fitted": ~pl.col("held_out"),
    }
    told = mine.filter(pl.col("predictor").is_in(names)).select(**columns)
    real = mine.unique("load", maintain_order=True).select(
        who=pl.lit("measured"),
        size="level",
        value=f"{quantity}_measured_{unit}",
        fitted=columns["fitted"],
    )
    rank = {name: i for i, name in enumerate(["measured", *names])}
    order = pl.col("who").replace_strict(rank, default=99)
    return pl.concat([real, told], how="diagonal").sort(order, "size")


def df_held_out(data: HoldoutData) -> pl.DataFrame:
    """Every load held out: X in requests a second, R in ms, of the typical run (geometric mean), and where that lies.

    The verdict by it, and by the mean over the runs; the error of the straight line; how much of a miss is attributed,
    with where that lies by how sure the runs' demands are. For open loads the calibrated model, for closed ones the one
    from the logs alone.
    """
    keys = [*LOAD, "is_alone"]
    by_mean = data.outcomes_by_average.filter(average="mean").select(*keys, by_mean="outcome")
    line = data.predictions.filter(predictor=LINEAR).select(*LOAD, line="error_R")
    found = (
        data.outcomes_by_average.filter(average="geometric mean")
        .join(by_mean, on=keys)
        .join(line.with_columns(is_alone=True), on=keys, how="left", maintain_order="left")
        .sort(~pl.col("is_alone"), maintain_order=True)
    )
    return found.select(
        "server",
        "virtual_server",
        pl.col("load") + BESIDE,
        "outcome",
        pl.col("by_mean").alias("by the mean"),
        pl.col("X_measured_per_s").alias("X measured"),
        pl.col("X_per_s").alias("X model"),
        _percents("error_X", "error X"),
        pl.col("R_measured_ms").alias("R measured"),
        _texts(_span, "R, 95 %", "R_measured_low_ms", "R_measured_high_ms"),
        pl.col("R_ms").alias("R model"),
        _percents("error_R", "error R"),
        _texts(_share, "attributed", "attributed", "attributed_low", "attributed_high"),
        _percents("line", "line R"),
    )


def df_bootstrap(data: HoldoutData, studies: int, seed: int = 0) -> pl.DataFrame:
    """How often each load held out, of one virtual server, would be judged what if the model were true.

    ``studies`` samples (``parametric_bootstrap.BOOTSTRAP_VERDICTS``); ``bootstrap_text`` sums them up.
    """
    return bootstrap_verdicts(data.observations, studies, seed=seed)


def df_bootstrap_by_load(drawn: pl.DataFrame, held_out: pl.DataFrame) -> pl.DataFrame:
    """The verdicts on each load, in percent of the drawn studies, beside the recorded one's; a true model's error of R.

    Its median over the studies, against a load's typical run and against the mean over its runs.
    """
    shares = drawn.group_by(LOAD, maintain_order=True).agg(
        *(
            ((pl.col("outcome") == judged).mean() * 100).round().cast(pl.Int64).alias(judged)
            for judged in OUTCOMES
        ),
        *(
            pl.col(name).median().alias(title)
            for name, title in (("error_R", "error"), ("error_R_vs_arithmetic_mean", "of the mean"))
        ),
    )
    shares = shares.with_columns(map(_percents, ("error", "of the mean")))
    return shares.join(held_out.select(*LOAD, pl.col("outcome").alias("here")), on=LOAD, how="left")


def bootstrap_text(drawn: pl.DataFrame, held_out: pl.DataFrame) -> str:
    """What a true model would miss in a study like this one, and what ours missed."""
    if drawn.is_empty():
        return "The runs fitted to are too few to say what runs differ by: no study can be drawn."
    missed = drawn.group_by("sample").agg((pl.col("outcome") == OUTSIDE_TOLERANCE).sum())["outcome"]
    here = held_out.join(drawn.select(LOAD).unique(), on=LOAD, how="semi")["outcome"]
    inside = [judged for judged in here if judged != NOT_SCORED]
    return (
        f"If the model were true, {format_short(float(missed.mean()), 2)} of these {len(inside)} loads would "
        f"be missed on the average of {len(missed)} drawn studies, and none in "
        f"{format_percent(float((missed == 0).mean()), sign=False)} of them; "
        f"here it is {inside.count(OUTSIDE_TOLERANCE)}."
    )


def df_averages(data: HoldoutData) -> pl.DataFrame:
    """How many loads are judged what, by the average that is taken over a load's runs, and which are missed."""
    missed = pl.col("outcome") == OUTSIDE_TOLERANCE
    words = pl.concat_str("server", "virtual_server", "load", separator=" ")
    return data.outcomes_by_average.group_by("average", maintain_order=True).agg(
        *((pl.col("outcome") == verdict).sum().alias(verdict) for verdict in OUTCOMES),
        pl.concat_str(words, BESIDE).filter(missed).str.join("; ").alias("which"),
    )


def df_summary(data: HoldoutData) -> pl.DataFrame:
    """Mean errors of every predictor over the loads held out, up to 90 % of saturation."""
    errors = {
        "mean_abs_error_X": "error of X",
        "mean_abs_error_R": "error of R",
        "max_abs_error_R": "worst of R",
    }
    return _in_percent(summarize_predictors(data.predictions, MAX_UTILIZATION), errors)


def linear_baseline_text(data: HoldoutData) -> list[str]:
    """A sentence for each virtual server whose best own prediction of R is worse than the straight line's."""
    said = []
    frame = summarize_predictors(data.predictions, MAX_UTILIZATION)
    for place in data.deployments:
        mine = _of(frame, place)
        errors = dict(zip(mine["predictor"], mine["mean_abs_error_R"], strict=True))
        ours = errors.get(HOST_MODEL_CALIBRATED, errors.get(HOST_MODEL))
        if ours is not None and errors.get(LINEAR) is not None and ours > errors[LINEAR]:
            said.append(
                f"The straight line wins for the {deployment_text(data, place)}: its mean error of R over the "
                f"loads held out is {format_percent(errors[LINEAR], sign=False)}, "
                f"our model's {format_percent(ours, sign=False)}."
            )
    return said


def df_ablation(data: HoldoutData) -> pl.DataFrame:
    """What each correction is worth, as percentages."""
    errors = {
        "error_X": "error of X",
        "error_R": "error of R",
        "error_R_run_demands": "with the run's own demands",
    }
    return _in_percent(ablate_model(data.observations, MAX_UTILIZATION), errors)


def df_error_decomposition(data: HoldoutData) -> pl.DataFrame:
    """The budget of every run held out (ms)."""
    inputs = ("load", "kind", "is_alone", "kept_up", "utilization", "X_measured_per_s", "X_per_s")
    return data.error_decomposition.drop(inputs).with_columns(_percents("attributed", sign=False))


def df_transfer(data: HoldoutData) -> pl.DataFrame:
    """The weaker servers predicted from the first by their envelopes; no rows with one server."""
    servers = data.study.servers
    frames = []
    for target in servers[1:]:
        try:
            frames.append(transfer(data.observations, data.models, data.study, servers[0], target))
        except MissingData:
            continue
    if not frames:
        return pl.DataFrame()
    return pl.concat(frames).with_columns(map(_percents, ("error_X", "error_R")))


def df_colocated(data: HoldoutData) -> pl.DataFrame:
    """Runs with several loads, predicted from runs with one, and with what company does (X in 1/s, R in ms)."""
    return data.colocated.select(
        "server",
        "run",
        pl.when("held_out").then(pl.lit("held out")).otherwise(pl.lit("fitted to")).alias("used"),
        "virtual_server",
        "load",
        pl.col("R_measured_ms").alias("R measured"),
        pl.col("R_alone_ms").alias("R from runs with one load"),
        _percents("error_R_alone", "error"),
        pl.col("R_ms").alias("R with company"),
        _percents("error_R", "error with company"),
        pl.col("demand_inflation").alias("CPU demand, times"),
    )


def holdout_key_figures(held_out: pl.DataFrame) -> dict[str, str]:
    """Loads held out, and how they were judged by the typical run and by the mean, for the page's head."""
    inside = held_out.filter(pl.col("outcome") != NOT_SCORED)
    judged, by_mean = inside["outcome"].to_list(), inside["by the mean"].to_list()
    return {
        "loads held out": str(len(held_out)),
        "near enough": f"{judged.count(WITHIN_TOLERANCE)} of {len(judged)}",
        "missed, but explained": str(judged.count(ATTRIBUTED)),
        "missed": str(judged.count(OUTSIDE_TOLERANCE)),
        "missed by the mean": str(by_mean.count(OUTSIDE_TOLERANCE)),
    }


def _of(frame: pl.DataFrame, place: Deployment) -> pl.DataFrame:
    return frame.filter((pl.col("server") == place[0]) & (pl.col("virtual_server") == place[1]))


def _span(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{format_short(low)}–{format_short(high)}"


def _share(value: float | None, low: float | None, high: float | None) -> str | None:
    told = format_percent(value, sign=False)
    if told is None or low is None or high is None:
        return told
    return f"{told} ({100 * low:.0f}–{100 * high:.0f})"


def _in_percent(frame: pl.DataFrame, errors: dict[str, str]) -> pl.DataFrame:
    """``frame`` with its columns ``errors`` as percentages, which are never negative, under their titles."""
    return frame.with_columns(_percents(name, sign=False) for name in errors).rename(errors)


def _percents(name: str, title: str | None = None, *, sign: bool = True) -> pl.Expr:
    return (
        pl.col(name)
        .map_elements(lambda x: format_percent(x, sign=sign), pl.String)
        .alias(title or name)
    )


def _texts(words: Callable[..., str | None], title: str, *columns: str) -> pl.Expr:
    """A column of texts made from several numbers of a row."""
    return pl.struct(columns).map_elements(lambda row: words(*row.values()), pl.String).alias(title)

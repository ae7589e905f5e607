"""Model evaluation: predictions of held-out loads, their outcomes and error decomposition, as a page shows them.

The functions take the :class:`pipeline.api.HoldoutData` of a study, as :mod:`pipeline.report.tables.demands` does.
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
from pipeline.report import texts as page_texts
from pipeline.units import format_percent, format_short

LOAD = ["server", "virtual_server", "load"]
COLOCATED = pl.when("is_alone").then(pl.lit("")).otherwise(pl.lit(", co-located"))
"""Suffix of a load's text if another virtual server had a load as well."""


def deployment_text(data: HoldoutData, place: Deployment) -> str:
    """``web server of the first server``."""
    return f"{data.study.title_of(place[1])} of the {place[0]} server"


def load_axis(data: HoldoutData, place: Deployment) -> str:
    """Title of the load axis of ``df_predicted``."""
    if data.kinds[place] == "closed":
        return "threads"
    is_even = any(
        observation.deployment == place and observation.load.arrivals == "even"
        for observation in data.observations
    )
    return "requests/s" + (", evenly spaced" if is_even else "")


def df_predicted(data: HoldoutData, place: Deployment, quantity: str) -> pl.DataFrame:
    """Measured and predicted R (ms) or X (1/s) over the load, for ``charts.predictions``.

    Columns: ``source`` (``measured`` or a predictor), ``size``, ``value``, ``low``, ``high``, ``fitted``. Only loads
    with evenly spaced arrivals, where there are any.
    """
    rows = _of(data.predictions, place)
    even = rows.filter(pl.col("load").str.ends_with("even"))
    rows = rows if even.is_empty() else even
    unit = {"R": "ms", "X": "per_s"}[quantity]
    model = HOST_MODEL_CALIBRATED if data.kinds[place] == "open" else HOST_MODEL
    names = [model, LINEAR, *(p.name for p in PREDICTORS if not p.name.startswith(HOST_MODEL))]
    names = list(dict.fromkeys(names))
    columns = {
        "source": "predictor",
        "size": "level",
        "value": f"{quantity}_{unit}",
        "low": f"{quantity}_low_{unit}",
        "high": f"{quantity}_high_{unit}",
        "fitted": ~pl.col("held_out"),
    }
    predicted = rows.filter(pl.col("predictor").is_in(names)).select(**columns)
    measured = rows.unique("load", maintain_order=True).select(
        source=pl.lit("measured"),
        size="level",
        value=f"{quantity}_measured_{unit}",
        fitted=columns["fitted"],
    )
    rank = {name: i for i, name in enumerate(["measured", *names])}
    order = pl.col("source").replace_strict(rank, default=99)
    return pl.concat([measured, predicted], how="diagonal").sort(order, "size")


def df_held_out(data: HoldoutData) -> pl.DataFrame:
    """Every held-out load with its outcome, by its typical run (geometric mean over its runs).

    Columns: ``server``, ``virtual_server``, ``load``, ``outcome``, ``outcome_by_mean`` (with the arithmetic mean),
    ``X_measured``, ``X_model`` (1/s), ``error_X``, ``R_measured`` (ms), ``R_interval`` (95 %), ``R_model`` (ms),
    ``error_R``, ``share`` (of the error that is attributed to inputs, with its 95 % interval), ``error_R_linear`` (of
    the linear baseline). Open loads by the calibrated model, closed ones by the model from the logs only.
    """
    keys = [*LOAD, "is_alone"]
    by_mean = data.outcomes_by_average.filter(average="mean").select(
        *keys, outcome_by_mean="outcome"
    )
    linear = data.predictions.filter(predictor=LINEAR).select(*LOAD, linear="error_R")
    loads = (
        data.outcomes_by_average.filter(average="geometric mean")
        .join(by_mean, on=keys)
        .join(linear.with_columns(is_alone=True), on=keys, how="left", maintain_order="left")
        .sort(~pl.col("is_alone"), maintain_order=True)
    )
    return loads.select(
        "server",
        "virtual_server",
        pl.col("load") + COLOCATED,
        "outcome",
        "outcome_by_mean",
        pl.col("X_measured_per_s").alias("X_measured"),
        pl.col("X_per_s").alias("X_model"),
        _percents("error_X"),
        pl.col("R_measured_ms").alias("R_measured"),
        _texts(_span, "R_interval", "R_measured_low_ms", "R_measured_high_ms"),
        pl.col("R_ms").alias("R_model"),
        _percents("error_R"),
        _texts(_share, "share", "attributed", "attributed_low", "attributed_high"),
        _percents("linear", "error_R_linear"),
    )


def df_bootstrap(data: HoldoutData, studies: int, seed: int = 0) -> pl.DataFrame:
    """Outcomes of held-out loads in studies that are drawn from the fitted model.

    ``studies`` are drawn; one row per study and load, schema ``evaluate.parametric_bootstrap.BOOTSTRAP_VERDICTS``.
    ``bootstrap_text`` sums them up.
    """
    return bootstrap_verdicts(data.observations, studies, seed=seed)


def df_bootstrap_by_load(drawn: pl.DataFrame, held_out: pl.DataFrame) -> pl.DataFrame:
    """Outcomes of each load in percent of the drawn studies, compared with the recorded study's.

    ``error_R`` and ``error_R_vs_arithmetic_mean``: the correct model's median error of R over the drawn studies,
    against the typical run of a load and against the arithmetic mean over its runs. ``outcome_here``: that of the
    recorded study.
    """
    shares = drawn.group_by(LOAD, maintain_order=True).agg(
        *(
            ((pl.col("outcome") == outcome).mean() * 100).round().cast(pl.Int64).alias(outcome)
            for outcome in OUTCOMES
        ),
        pl.col("error_R", "error_R_vs_arithmetic_mean").median(),
    )
    shares = shares.with_columns(map(_percents, ("error_R", "error_R_vs_arithmetic_mean")))
    recorded_outcomes = held_out.select(*LOAD, outcome_here="outcome")
    return shares.join(recorded_outcomes, on=LOAD, how="left")


def bootstrap_text(drawn: pl.DataFrame, held_out: pl.DataFrame) -> str:
    """How many loads would be outside tolerance if the model were correct, and how many are."""
    if drawn.is_empty():
        return page_texts.TOO_FEW_RUNS
    outside = drawn.group_by("sample").agg((pl.col("outcome") == OUTSIDE_TOLERANCE).sum())[
        "outcome"
    ]
    recorded_outcomes = held_out.join(drawn.select(LOAD).unique(), on=LOAD, how="semi")["outcome"]
    scored = [outcome for outcome in recorded_outcomes if outcome != NOT_SCORED]
    return page_texts.bootstrap(
        float(outside.mean()),
        len(scored),
        len(outside),
        float((outside == 0).mean()),
        scored.count(OUTSIDE_TOLERANCE),
    )


def df_averages(data: HoldoutData) -> pl.DataFrame:
    """Number of loads per outcome, by the average over a load's runs; ``loads``: those outside tolerance."""
    is_outside = pl.col("outcome") == OUTSIDE_TOLERANCE
    load = pl.concat_str("server", "virtual_server", "load", separator=" ")
    return data.outcomes_by_average.group_by("average", maintain_order=True).agg(
        *((pl.col("outcome") == outcome).sum().alias(outcome) for outcome in OUTCOMES),
        pl.concat_str(load, COLOCATED).filter(is_outside).str.join("; ").alias("loads"),
    )


def df_summary(data: HoldoutData) -> pl.DataFrame:
    """Mean errors of every predictor over the held-out loads, up to ``MAX_UTILIZATION``."""
    errors = ("mean_abs_error_X", "mean_abs_error_R", "max_abs_error_R")
    return _in_percent(summarize_predictors(data.predictions, MAX_UTILIZATION), errors)


def linear_baseline_text(data: HoldoutData) -> list[str]:
    """A sentence for each virtual server where the linear baseline predicts R better than the host model."""
    sentences = []
    frame = summarize_predictors(data.predictions, MAX_UTILIZATION)
    for place in data.deployments:
        rows = _of(frame, place)
        errors = dict(zip(rows["predictor"], rows["mean_abs_error_R"], strict=True))
        model, linear = (
            errors.get(HOST_MODEL_CALIBRATED, errors.get(HOST_MODEL)),
            errors.get(LINEAR),
        )
        if model is not None and linear is not None and model > linear:
            name = deployment_text(data, place)
            sentences.append(page_texts.linear_baseline_is_better(name, linear, model))
    return sentences


def df_ablation(data: HoldoutData) -> pl.DataFrame:
    """Errors of the host model, complete and with one correction switched off, as percentages."""
    errors = ("error_X", "error_R", "error_R_run_demands")
    return _in_percent(ablate_model(data.observations, MAX_UTILIZATION), errors)


def df_error_decomposition(data: HoldoutData) -> pl.DataFrame:
    """Error decomposition of every held-out run, in ms; ``attributed`` (the share) as percentage."""
    inputs = ("load", "kind", "is_alone", "kept_up", "utilization", "X_measured_per_s", "X_per_s")
    return data.error_decomposition.drop(inputs).with_columns(_percents("attributed", sign=False))


def df_transfer(data: HoldoutData) -> pl.DataFrame:
    """Each further server predicted from the first by the ratio of their resources; no rows with one server."""
    source, *targets = data.study.servers
    frames = []
    for target in targets:
        try:
            frames.append(transfer(data.observations, data.models, data.study, source, target))
        except MissingData:
            continue
    if not frames:
        return pl.DataFrame()
    return pl.concat(frames).with_columns(map(_percents, ("error_X", "error_R")))


def df_colocated(data: HoldoutData) -> pl.DataFrame:
    """Runs with several loads, predicted from runs with one load, without and with interference.

    Columns: ``server``, ``run``, ``role_in_fit``, ``virtual_server``, ``load``, ``R_measured``, ``R_alone`` (ms),
    ``error_R_alone``, ``R_interference`` (ms), ``error_R``, ``demand_inflation`` (CPU demand, co-located / alone).
    """
    return data.colocated.select(
        "server",
        "run",
        role_in_fit=pl.when("held_out")
        .then(pl.lit(page_texts.HELD_OUT))
        .otherwise(pl.lit(page_texts.FITTED)),
        virtual_server="virtual_server",
        load="load",
        R_measured="R_measured_ms",
        R_alone="R_alone_ms",
        error_R_alone=_percents("error_R_alone"),
        R_interference="R_ms",
        error_R=_percents("error_R"),
        demand_inflation="demand_inflation",
    )


def holdout_key_figures(held_out: pl.DataFrame) -> dict[str, str]:
    """Number of held-out loads, and their outcomes by the typical run and by the mean, for the page's head."""
    scored = held_out.filter(pl.col("outcome") != NOT_SCORED)
    outcomes, by_mean = scored["outcome"].to_list(), scored["outcome_by_mean"].to_list()
    return {
        "held-out loads": str(len(held_out)),
        "within tolerance": f"{outcomes.count(WITHIN_TOLERANCE)} of {len(outcomes)}",
        "attributed to inputs": str(outcomes.count(ATTRIBUTED)),
        "outside tolerance": str(outcomes.count(OUTSIDE_TOLERANCE)),
        "outside tolerance by the mean": str(by_mean.count(OUTSIDE_TOLERANCE)),
    }


def headline(data: HoldoutData, held_out: pl.DataFrame) -> tuple[list[str], str]:
    """The answer of the page: outcomes and errors of the held-out loads; and the kind of the answer."""
    scored = held_out.filter(pl.col("outcome") != NOT_SCORED)
    if scored.is_empty():
        return [page_texts.NOTHING_HELD_OUT], "warning"
    outcomes = scored["outcome"].to_list()
    within, attributed, outside = (
        outcomes.count(outcome) for outcome in (WITHIN_TOLERANCE, ATTRIBUTED, OUTSIDE_TOLERANCE)
    )
    loads = data.outcomes_by_average.filter(pl.col("outcome") != NOT_SCORED)
    errors = loads.filter(average="geometric mean")["error_R"].abs()
    sentences = [
        page_texts.holdout_answer(within, len(outcomes), attributed, outside),
        page_texts.median_error(float(errors.median())),  # type: ignore[arg-type]
    ]
    return sentences, "good" if within + attributed == len(outcomes) else "warning"


def _of(frame: pl.DataFrame, place: Deployment) -> pl.DataFrame:
    return frame.filter((pl.col("server") == place[0]) & (pl.col("virtual_server") == place[1]))


def _span(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{format_short(low)}–{format_short(high)}"


def _share(value: float | None, low: float | None, high: float | None) -> str | None:
    share = format_percent(value, sign=False)
    if share is None or low is None or high is None:
        return share
    return f"{share} ({100 * low:.0f}–{100 * high:.0f})"


def _in_percent(frame: pl.DataFrame, errors: tuple[str, ...]) -> pl.DataFrame:
    """``frame`` with its columns ``errors``, which are never negative, as percentages."""
    return frame.with_columns(_percents(name, sign=False) for name in errors)


def _percents(name: str, title: str | None = None, *, sign: bool = True) -> pl.Expr:
    return (
        pl.col(name)
        .map_elements(lambda x: format_percent(x, sign=sign), pl.String)
        .alias(title or name)
    )


def _texts(text: Callable[..., str | None], title: str, *columns: str) -> pl.Expr:
    """A column of texts made from several numbers of a row."""
    return pl.struct(columns).map_elements(lambda row: text(*row.values()), pl.String).alias(title)

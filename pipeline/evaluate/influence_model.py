"""What the host model predicts of a designed experiment, from the logs alone: no response time is used.

Two predictions per run. *Common demands*: the model knows the CPU quota, the loads of all virtual servers and their
arrivals; its demand curves are fitted to all runs of the experiment, so a factor that changes the demand is unknown to
it. *Own demands*: demands, background and the neighbours' CPU use are those of the run itself, so only the model's
form can be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from pipeline.evaluate import texts
from pipeline.evaluate.acceptance import MIN_ATTRIBUTED_SHARE, attributed_share, finite
from pipeline.evaluate.influence import Experiment
from pipeline.evaluate.influence_effects import LEVEL, response_effects
from pipeline.factors.texts import BEYOND_NOISE, WITHIN_NOISE
from pipeline.measure.window import MissingData
from pipeline.model.colocation import solve_cpu_sharing
from pipeline.model.fit import CURVES, fit_host, resources_of, with_run_demands
from pipeline.model.host import HostModel, HostResources
from pipeline.model.observation import Observation
from pipeline.model.prediction import Prediction

PREDICTED = pl.Schema(
    {
        "server": pl.String,
        "run": pl.String,
        **dict.fromkeys(
            ("R_ms", "X_per_s", "D_cpu_ms", "D_vdisk_ms", "D_disk_ms", "R_own_ms", "X_own_per_s"),
            pl.Float64,
        ),
    }
)
"""One row per run: predictions with common demands, then R and X with the run's own demands. R and X are null where the
model says that the load exceeds the capacity, and the latter two where the run lacks a demand."""

CURVE_OF = {"D_cpu_ms": "cpu", "D_vdisk_ms": "vdisk", "D_disk_ms": "disk"}
"""Response → the curve of the model that is its demand."""

Key = tuple[str, str]
"""Server and run."""


def fit_common(observations: Sequence[Observation]) -> dict[str, HostModel]:
    """The model of each virtual server, fitted to its runs on all servers; those without a run to fit are left out.

    The background, and the CPU use of neighbours without a load, are means over the runs.
    """
    models = {}
    for name in dict.fromkeys(each.virtual_server for each in observations):
        runs = [each for each in observations if each.virtual_server == name and has_demands(each)]
        with suppress(MissingData):
            model = fit_host(runs, with_draws=False).point_estimate()
            idle = [run.neighbour_cpu for run in runs if run.is_alone]
            neighbours = float(np.mean(idle)) if idle else 0.0
            models[name] = replace(
                model, resources=replace(model.resources, neighbour_cpus_at_fit=neighbours)
            )
    return models


def predict_runs(observations: Sequence[Observation], virtual_server: str) -> pl.DataFrame:
    """Predict every run of a virtual server twice. Schema: ``PREDICTED``.

    Parameters
    ----------
    observations
        Of the experiment's runs: those of the virtual server, and of its neighbours where they have a load.
    virtual_server
        The one that is measured.
    """
    models = fit_common(observations)
    if virtual_server not in models:
        return pl.DataFrame(schema=PREDICTED)
    by_run: dict[Key, dict[str, Observation]] = {}
    for each in observations:
        by_run.setdefault((each.server, each.run), {})[each.virtual_server] = each
    rows = [
        _predict_run(guests, virtual_server, models)
        for guests in by_run.values()
        if virtual_server in guests
    ]
    return pl.DataFrame(rows, schema=PREDICTED, orient="row")


def _predict_run(
    guests: Mapping[str, Observation], name: str, models: Mapping[str, HostModel]
) -> dict[str, object]:
    run = guests[name]
    model = replace(models[name], resources=_common_resources(guests, name, models))
    common = model.predict(run.load)
    demands = model.demands_at(run.load, common.throughput_per_s)
    row: dict[str, object] = {
        "server": run.server,
        "run": run.run,
        **{column: finite(demands[curve][0] * 1e3) for column, curve in CURVE_OF.items()},
    }
    row["R_ms"], row["X_per_s"] = _bounded(common, run)
    if has_demands(run):
        own = with_run_demands(run, models[name]).predict(run.load)
        row["R_own_ms"], row["X_own_per_s"] = _bounded(own, run)
    return row


def _bounded(prediction: Prediction, run: Observation) -> tuple[float | None, float | None]:
    """R (ms) and X (1/s); None where R exceeds the run's length: no request would be completed."""
    r_s, x_per_s = prediction.response_time_s[0], prediction.throughput_per_s[0]
    if not r_s <= run.run_demands.length_s:
        return None, None
    return finite(r_s * 1e3), finite(x_per_s)


def has_demands(run: Observation) -> bool:
    """Whether a run has a demand above 0 at every station of the model.

    It is 0 where the use under load is no larger than that of the idle baseline, so that the demand is unknown.
    """
    demands = run.run_demands.demands
    return all(name in demands and demands[name].value_s > 0 for name in CURVES.values())


def _common_resources(
    guests: Mapping[str, Observation], name: str, models: Mapping[str, HostModel]
) -> HostResources:
    """Resources of a virtual server in a run, by the common models of all that have a load.

    Where a neighbour with a load has no model, its CPU use is the measured one.
    """
    run = guests[name]
    others = [each for each in guests if each != name]
    placed = {
        each: replace(models[each], resources=replace(models[each].resources, capacity_cpus=run.capacity_cpus))
        for each in guests
        if each in models
    }  # fmt: skip
    if run.is_alone:
        return placed[name].resources
    if not others or any(each not in placed for each in others):
        return replace(
            placed[name].resources, neighbour_cpus_at_fit=resources_of(run).neighbour_cpus_at_fit
        )
    shares = solve_cpu_sharing([(placed[each], guests[each].load) for each in (name, *others)])
    return shares[0]


# -- effects of the predictions, beside the measured ones -----------------------------------------------------

OWN = {"R_ms": "R_own_ms", "X_per_s": "X_own_per_s"}
"""Response → its prediction with the run's own demands."""

MIN_EFFECT = 0.05
"""Relative effect below which none is compared: httperf prints rates with one decimal."""

COMPARED = pl.Schema(
    {
        "response": pl.String,
        "effect": pl.String,
        "is_ratio": pl.Boolean,
        "runs": pl.Int64,
        "measured": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "verdict": pl.String,
        "predicted": pl.Float64,
        "predicted_own": pl.Float64,
        "unexplained": pl.Float64,
        "unexplained_low": pl.Float64,
        "unexplained_high": pl.Float64,
        "unexplained_own": pl.Float64,
        "unexplained_own_low": pl.Float64,
        "unexplained_own_high": pl.Float64,
        "outcome": pl.String,
    }
)
"""One row per response and effect; ratios or differences as in ``EFFECTS``. ``predicted``: the same effect on the
predictions with common demands; ``predicted_own``: with each run's own. ``unexplained``: the effect on measured over
(or minus) predicted, with its interval. ``runs``: those with a measured and a predicted value."""


def compare_effects(
    experiment: Experiment,
    frame: pl.DataFrame,
    predicted: pl.DataFrame,
    response: str,
    *,
    level: float = LEVEL,
) -> pl.DataFrame:
    """Compare the effects on a response with those that the model predicts.

    Effects are linear in the logarithms (or the values), so the effect on measured over predicted is the measured
    effect over the predicted one, and its interval is that of a difference in the same runs.

    Parameters
    ----------
    experiment, frame
        As of :func:`pipeline.evaluate.influence_effects.response_effects`.
    predicted
        Of :func:`predict_runs`.
    response
        A column of both frames.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        Schema ``COMPARED``.

    Raises
    ------
    MissingData
        The runs with a measured and a predicted value do not separate the effects.
    """
    own = OWN.get(response)
    joined = frame.select("server", "run", measured=response).join(
        predicted.select(
            "server",
            "run",
            common=response,
            own=pl.lit(None, pl.Float64) if own is None else pl.col(own),
        ),
        on=["server", "run"],
        how="left",
        maintain_order="left",
    )
    fitted = _effects_on(experiment, frame, response, joined, "common", level)
    measured, by_common, unexplained = fitted
    by_own: dict[str, dict] = {}
    unexplained_own: dict[str, dict] = {}
    if joined["own"].is_not_null().any():
        with suppress(MissingData):
            _, by_own, unexplained_own = _effects_on(
                experiment, frame, response, joined, "own", level
            )
    rows = []
    for effect, row in measured.items():
        if row["value"] is None:
            continue  # not estimated
        common_gap, own_gap = unexplained.get(effect, {}), unexplained_own.get(effect, {})
        rows.append(
            {
                "response": response,
                "effect": effect,
                "is_ratio": row["is_ratio"],
                "runs": joined.drop_nulls(["measured", "common"]).height,
                "measured": row["value"],
                "low": row["low"],
                "high": row["high"],
                "verdict": row["verdict"],
                "predicted": by_common.get(effect, {}).get("value"),
                "predicted_own": by_own.get(effect, {}).get("value"),
                **_interval("unexplained", common_gap),
                **_interval("unexplained_own", own_gap),
                "outcome": classify_effect(row, common_gap, own_gap),
            }
        )
    return pl.DataFrame(rows, schema=COMPARED, orient="row")


def _effects_on(
    experiment: Experiment,
    frame: pl.DataFrame,
    response: str,
    joined: pl.DataFrame,
    prediction: str,
    level: float,
) -> tuple[dict[str, dict], dict[str, dict], dict[str, dict]]:
    """Rows of ``EFFECTS`` by effect: of the measured values, the predicted ones, and measured over predicted."""
    both = pl.col("measured").is_not_null() & pl.col(prediction).is_not_null()
    measured, predicted = (pl.when(both).then(pl.col(n)) for n in ("measured", prediction))
    has_ratio = bool(
        joined.filter(both).select((pl.min_horizontal("measured", prediction) > 0).all()).item()
    )
    gap = measured / predicted if has_ratio else measured - predicted
    tables = (
        response_effects(
            experiment,
            frame,
            response,
            values=joined.select(values).to_series(),
            is_ratio=has_ratio,
            level=level,
        ).table
        for values in (measured, predicted, gap)
    )
    return tuple({row["effect"]: row for row in t.iter_rows(named=True)} for t in tables)  # type: ignore[return-value]


def _interval(name: str, row: Mapping[str, Any]) -> dict[str, float | None]:
    return {
        name: row.get("value"),
        f"{name}_low": row.get("low"),
        f"{name}_high": row.get("high"),
    }


def classify_effect(
    measured: Mapping[str, Any], unexplained: Mapping[str, Any], unexplained_own: Mapping[str, Any]
) -> str:
    """Whether the model predicts an effect, by rows of ``EFFECTS``.

    An effect is predicted if what the model leaves unexplained is within noise, or if the model accounts for
    ``MIN_ATTRIBUTED_SHARE`` of it. Effects below ``MIN_EFFECT``, measured and unexplained, are small.

    Parameters
    ----------
    measured
        The effect.
    unexplained, unexplained_own
        The effect on measured over predicted, with common demands and with each run's own; empty without a prediction.
    """
    if unexplained.get("low") is None:
        return texts.NO_PREDICTION
    if measured["verdict"] != BEYOND_NOISE:
        is_within = unexplained["verdict"] != BEYOND_NOISE or _is_small(unexplained)
        return WITHIN_NOISE if is_within else texts.NOT_MEASURED
    if _is_small(measured) and _is_small(unexplained):
        return texts.SMALL
    if _is_explained(measured, unexplained):
        return texts.PREDICTED
    if unexplained_own.get("low") is not None and _is_explained(measured, unexplained_own):
        return texts.GIVEN_DEMAND
    return texts.NOT_IN_MODEL


def _is_small(row: Mapping[str, Any]) -> bool:
    """Whether a ratio is so near to 1 that the digits of the client's report decide it."""
    return bool(row["is_ratio"]) and abs(np.log(row["value"])) < np.log1p(MIN_EFFECT)


def _is_explained(measured: Mapping[str, Any], unexplained: Mapping[str, Any]) -> bool:
    if unexplained["verdict"] == WITHIN_NOISE:
        return True
    effect, rest = measured["value"], unexplained["value"]
    if measured["is_ratio"]:
        effect, rest = np.log(effect), np.log(rest)
    return (attributed_share(effect, rest) or 0.0) >= MIN_ATTRIBUTED_SHARE

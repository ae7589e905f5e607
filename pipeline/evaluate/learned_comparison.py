"""Learned predictors, the queueing model and the linear baseline on the same runs, scored at the same loads.

Every predictor is fitted to the same training runs, and predicts loads of which no run is among them: the held-out
loads of the study, and the loads of another server. The queueing model and the linear baseline have one fit per server,
the learned predictors one for all servers in training, with the servers' resources as features.

A load is scored by its typical run, the geometric mean over its replications. A load at which a run was saturated has
no steady state, and is not scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate import texts
from pipeline.evaluate.learned import (
    LEARNED,
    NEURAL_NET,
    features,
    fit_learned,
)
from pipeline.evaluate.replication import geometric_mean
from pipeline.evaluate.texts import LINEAR, QUEUEING
from pipeline.evaluate.transfer import transfer
from pipeline.measure.load import Load
from pipeline.measure.window import MissingData
from pipeline.model.baselines import fit_linear_baseline
from pipeline.model.colocation import HostModels
from pipeline.model.fit import fit_host, group_by_deployment
from pipeline.model.host import HostModel
from pipeline.model.observation import Observation
from pipeline.model.prediction import Prediction
from pipeline.raw import Study

Array = NDArray[np.float64]

SEEDS = 10
"""Neural nets, which differ in the start of their weights."""
NOT_LEARNED = (QUEUEING, LINEAR)
MAX_ERROR = 1e15
"""An infinite error in a quantile, where infinity would interpolate to no number."""
MAX_FINITE_ERROR = 1e9
"""A larger quantile is infinite."""


# -- what is fitted, and what is predicted ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ScoredLoad:
    """A load of a virtual server on a server, and its replications, none of which is a training run."""

    setting: str
    """``texts.WITHIN_RANGE``, ``texts.BEYOND_RANGE``, or :func:`texts.other_server`."""
    load: Load
    runs: tuple[Observation, ...]

    @property
    def server(self) -> str:
        """The server that the runs were recorded on."""
        return self.runs[0].server

    @property
    def virtual_server(self) -> str:
        """The virtual server under load."""
        return self.runs[0].virtual_server

    @property
    def response_time_s(self) -> float:
        """R of the typical run."""
        return geometric_mean(run.response_time_s for run in self.runs)

    @property
    def throughput_per_s(self) -> float:
        """X of the typical run."""
        return geometric_mean(run.throughput_per_s for run in self.runs)


@dataclass(frozen=True, eq=False)
class Task:
    """Training runs of one virtual server, and the loads to predict from them."""

    name: str
    """``texts.HELD_OUT_LOADS`` or :func:`texts.other_server`."""
    virtual_server: str
    training: tuple[Observation, ...]
    loads: tuple[ScoredLoad, ...]


def prediction_tasks(observations: Sequence[Observation]) -> list[Task]:
    """The tasks of a study: held-out loads of each virtual server, and each server from each other one.

    Training runs are those with one virtual server loaded, not held out, in steady state. Loads on another server are
    all of its loads: none of its runs is a training run.
    """
    groups = group_by_deployment(observations)
    tasks = []
    for key in sorted({(group.virtual_server, group.all_runs[0].load.kind) for group in groups}):
        alike = [g for g in groups if (g.virtual_server, g.all_runs[0].load.kind) == key]
        held_out = []
        for group in alike:
            levels = [run.load.level for run in group.fitted_runs]
            for load, is_held_out, runs in group.by_load():
                if is_held_out and levels and _is_steady(runs):
                    is_within = min(levels) <= load.level <= max(levels)
                    setting = texts.WITHIN_RANGE if is_within else texts.BEYOND_RANGE
                    held = tuple(run for run in runs if run.held_out)
                    held_out.append(ScoredLoad(setting, load, held))
        training = tuple(run for group in alike for run in group.fitted_runs)
        if held_out:
            tasks.append(Task(texts.HELD_OUT_LOADS, key[0], training, tuple(held_out)))
        for source, target in permutations(alike, 2):
            setting = texts.other_server(source.server, target.server)
            loads = tuple(
                ScoredLoad(setting, load, tuple(runs))
                for load, _, runs in target.by_load()
                if _is_steady(runs)
            )
            if source.fitted_runs and loads:
                tasks.append(Task(setting, key[0], source.fitted_runs, loads))
    return sorted(tasks, key=lambda task: task.name != texts.HELD_OUT_LOADS)  # held-out loads first


def saturated_loads(observations: Sequence[Observation]) -> list[str]:
    """Held-out loads that are not scored, since a run of them was saturated: ``140/s even of web on first``."""
    return [
        texts.load_of(load.label, group.virtual_server, group.server)
        for group in group_by_deployment(observations)
        for load, is_held_out, runs in group.by_load()
        if is_held_out and not _is_steady(runs)
    ]


def _is_steady(runs: Sequence[Observation]) -> bool:
    return not any(run.load.kind == "open" and run.is_saturated for run in runs)


# -- predictions -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions of loads by predictor, shape (seeds, loads); one seed for all but the neural net."""

    loads: tuple[ScoredLoad, ...]
    response_s: Mapping[str, Array]
    """R, seconds; infinite where the predictor has no finite R, or no model at all."""
    throughput_per_s: Mapping[str, Array]
    """X of closed loads; NaN for open loads, whose X below saturation is the load itself."""

    def where(self, is_wanted: Callable[[ScoredLoad], bool]) -> Predicted:
        """The predictions of some of the loads."""
        columns = [i for i, load in enumerate(self.loads) if is_wanted(load)]
        return Predicted(
            tuple(self.loads[i] for i in columns),
            {name: values[:, columns] for name, values in self.response_s.items()},
            {name: values[:, columns] for name, values in self.throughput_per_s.items()},
        )


def predict_task(
    task: Task,
    study: Study,
    training: Sequence[Observation] | None = None,
    *,
    learned: Sequence[str] = LEARNED,
    seeds: Sequence[int] = tuple(range(SEEDS)),
    with_throughput: bool = True,
) -> Predicted:
    """Fit every predictor to the training runs and predict the task's loads.

    Parameters
    ----------
    task
        The loads.
    study
        States the resources of the servers.
    training
        Training runs, some of ``task.training``; all of them if None.
    learned
        The learned predictors, none without scikit-learn.
    seeds
        Of the neural nets.
    with_throughput
        Whether X of closed loads is predicted, too.
    """
    runs = task.training if training is None else training
    response = {
        QUEUEING: _queueing_model(runs, task.loads, study),
        LINEAR: _linear_baseline(runs, task.loads),
    }
    pairs = {name: np.array(values)[None] for name, values in response.items()}
    response_s = {name: values[..., 1] for name, values in pairs.items()}
    throughput = {name: values[..., 0] for name, values in pairs.items()}
    rows = [_features(run, run.load, study) for run in runs]
    load_rows = [_features(load.runs[0], load.load, study) for load in task.loads]
    is_closed = runs[0].load.kind == "closed"
    quantities = [(response_s, [run.response_time_s for run in runs])]
    if is_closed and with_throughput:
        quantities.append((throughput, [run.throughput_per_s for run in runs]))
    for name in learned:
        used = seeds if name == NEURAL_NET else seeds[:1]
        for values, measured in quantities:
            values[name] = np.array(
                [fit_learned(name, rows, measured, seed)(load_rows) for seed in used]
            )
        if name not in throughput:
            throughput[name] = np.full_like(response_s[name], np.nan)
    if not is_closed:
        throughput = {name: np.full_like(values, np.nan) for name, values in throughput.items()}
    return Predicted(task.loads, response_s, throughput)


def join_predictions(parts: Sequence[Predicted]) -> Predicted:
    """The predictions of several tasks by the same predictors."""

    def joined(quantity: str) -> dict[str, Array]:
        names = list(getattr(parts[0], quantity)) if parts else []
        return {
            name: np.concatenate([getattr(part, quantity)[name] for part in parts], axis=1)
            for name in names
        }

    loads = tuple(load for part in parts for load in part.loads)
    return Predicted(loads, joined("response_s"), joined("throughput_per_s"))


def quantile_errors(predicted: Array, measured: Array, q: float) -> Array:
    """Quantile over loads of the absolute relative error, by linear interpolation; infinite where it cannot be given.

    Parameters
    ----------
    predicted
        Shape (seeds, …, loads); infinite without a finite prediction.
    measured
        Shape (…, loads).
    q
        0.5 for the median.

    Returns
    -------
    ndarray
        Shape (seeds, …).

    Examples
    --------
    >>> quantile_errors(np.array([[1.1, 2.0, np.inf]]), np.array([1.0, 1.0, 1.0]), 0.5)
    array([1.])
    """
    errors = np.minimum(np.abs(predicted / measured - 1), MAX_ERROR)
    quantiles = np.quantile(errors, q, axis=-1)
    return np.where(quantiles > MAX_FINITE_ERROR, np.inf, quantiles)


def _features(run: Observation, load: Load, study: Study) -> dict[str, float]:
    return features(load, study, run.server, run.virtual_server, run.capacity_cpus)


def _queueing_model(
    training: Sequence[Observation], loads: Sequence[ScoredLoad], study: Study
) -> list[tuple[float, float]]:
    """X and R of each load by the host model of its server, or by the model of another server and the resources.

    Calibrated for open loads, from the logs alone for closed ones, as the held-out loads are evaluated elsewhere.
    """
    models: dict[str, HostModel] = {}
    for server in sorted({run.server for run in training}):
        runs = [run for run in training if run.server == server]
        is_open = runs[0].load.kind == "open"
        with suppress(MissingData):  # a run lacks a demand: no prediction
            models[server] = fit_host(runs, calibrated=is_open, with_draws=False).point_estimate()
    transferred = _transferred(training, loads, study, models)
    return [
        _point(models[load.server].predict(load.load))
        if load.server in models
        else transferred.get((load.server, load.load.label), (np.nan, np.inf))
        for load in loads
    ]


def _transferred(
    training: Sequence[Observation],
    loads: Sequence[ScoredLoad],
    study: Study,
    models: Mapping[str, HostModel],
) -> dict[tuple[str, str], tuple[float, float]]:
    """(server, load) → X and R of loads on servers without a model; empty where resources are not stated."""
    predicted: dict[tuple[str, str], tuple[float, float]] = {}
    if not models:
        return predicted
    source, model = next(iter(models.items()))
    host_models = {(source, training[0].virtual_server): HostModels(model, model)}
    for target in sorted({load.server for load in loads} - {run.server for run in training}):
        runs = [run for load in loads if load.server == target for run in load.runs]
        with suppress(MissingData):
            rows = transfer([*training, *runs], host_models, study, source, target)
            for row in rows.iter_rows(named=True):
                r_s = np.inf if row["R_ms"] is None else row["R_ms"] / 1e3
                predicted[target, row["load"]] = (row["X_per_s"], r_s)
    return predicted


def _linear_baseline(
    training: Sequence[Observation], loads: Sequence[ScoredLoad]
) -> list[tuple[float, float]]:
    """X and R of each load by the line of its server; by that of the other server where it has no training run."""
    lines = {
        server: fit_linear_baseline([run for run in training if run.server == server])
        for server in sorted({run.server for run in training})
    }
    other = next(iter(lines.values()))
    return [_point(lines.get(load.server, other)(load.load)) for load in loads]


def _point(prediction: Prediction) -> tuple[float, float]:
    return float(prediction.throughput_per_s[0]), float(prediction.response_time_s[0])

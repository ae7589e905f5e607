"""Virtual servers co-located on one host: shares of its CPU, and interference (noisy neighbours).

One algorithm shares the host's CPU, for scenarios, for predictions of co-located runs and for their error
decomposition: a virtual server uses what it would use given the use of the others, at most its max-min fair share
(Bertsekas and Gallager, Data Networks, 2nd ed. 1992, page 526). The kernel's fair scheduler does the same: no task gets
more than its demand, and the rest is shared evenly.

Interference is what a loaded neighbour does beyond the CPU time that it uses. Guests share caches (under emulation also
translation tables), so a request costs more CPU time; and the scheduler's wake-up preemption changes how much of it
comes before the reply. Both factors are fitted to runs with loaded neighbours that are not held out; 1 without such
runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.measure.load import Load
from pipeline.measure.window import MissingData
from pipeline.model.closed_response import LoadRows, Rows, fixed_points
from pipeline.model.fit import (
    CURVES,
    cpu_utilization,
    fit_calibration,
    fit_host,
    group_by_deployment,
    steady_state_runs,
    uncontended_demands,
)
from pipeline.model.host import HostModel, HostResources
from pipeline.model.observation import Deployment, Observation

Array = NDArray[np.float64]

MIN_SHIFT_SE = 2.0
"""Standard errors by which the CPU demand must differ for interference: runs vary in any case."""


@dataclass(frozen=True, eq=False)
class HostModels:
    """The calibrated models of a virtual server on one server."""

    alone: HostModel
    """Fitted to runs with one load; CPU shares are computed from it."""
    colocated: HostModel
    """The same with interference, for X and R with loaded neighbours."""

    def point_estimate(self) -> HostModels:
        """The models without their draws."""
        return HostModels(self.alone.point_estimate(), self.colocated.point_estimate())

    def with_run_variation(self, seed: int = 0) -> HostModels:
        """The models for a new run; each draw has the same variation in both."""
        return HostModels(
            self.alone.with_run_variation(seed), self.colocated.with_run_variation(seed)
        )


def fit_deployments(observations: Sequence[Observation]) -> dict[Deployment, HostModels]:
    """Fit the models of every deployment, draws included; deployments without a run to fit to are left out.

    Interference is fitted to co-located runs that are not held out.
    """
    models = {}
    for group in group_by_deployment(observations):
        with suppress(MissingData):
            alone = fit_host(group.fitted_runs, calibrated=True)
            colocated = [
                run
                for run in observations
                if run.deployment == group.deployment and not run.is_alone
            ]
            models[group.deployment] = HostModels(alone, with_interference(alone, colocated))
    return models


def with_interference(model: HostModel, runs: Sequence[Observation]) -> HostModel:
    """The model of a virtual server for runs in which its neighbours are loaded.

    If the CPU demand differs by more than ``MIN_SHIFT_SE`` standard errors of ``run_sd``, every demand is scaled by
    its geometric mean inflation in these runs. The factor on work before the reply is calibrated with the runs' own
    demands. Only open loads count. Raises ``MissingData``.

    Parameters
    ----------
    model
        Fitted to runs with this load alone.
    runs
        Runs of this virtual server with loaded neighbours; held-out ones are not used.
    """
    used = steady_state_runs([run for run in runs if run.load.kind == "open" and not run.held_out])
    if not used:
        return model
    factors = {name: demand_inflation(model, used, name) for name in CURVES}
    threshold = MIN_SHIFT_SE * model.run_sd / np.sqrt(len(used))
    curves = {}
    if abs(np.log(factors["cpu"])) > threshold:
        curves = {name: getattr(model, name).scaled(factor) for name, factor in factors.items()}
    bounds = {"pre_reply_factor": (model.calibration.pre_reply_factor, 0.2, 2.0)}
    return replace(model, **curves, calibration=fit_calibration(model, bounds, used))


def demand_inflation(model: HostModel, runs: Sequence[Observation], name: str) -> float:
    """Geometric mean over runs of a demand over the model's; ``name`` is one of ``CURVES``. Raises ``MissingData``."""
    curve = getattr(model, name)
    logs = []
    for run in runs:
        modelled_s = float(curve.at(run.run_demands.completions, cpu_utilization(run))[0])
        measured_s = float(uncontended_demands(run)[name][0])
        if modelled_s > 0 and measured_s > 0:
            logs.append(np.log(measured_s / modelled_s))
    return float(np.exp(np.mean(logs))) if logs else 1.0


def max_min_share(wanted: ArrayLike, capacity: ArrayLike) -> Array:
    """Max-min fair shares of a capacity.

    Parameters
    ----------
    wanted
        Shape (…, guests).
    capacity
        Shape (…).

    Returns
    -------
    ndarray
        Shape of ``wanted``.
    """
    demands = np.asarray(wanted, float)
    shares, remaining = np.empty_like(demands), np.asarray(capacity, float)
    order = np.argsort(demands, axis=-1, kind="stable")
    ascending = np.take_along_axis(demands, order, axis=-1)
    for i in range(demands.shape[-1]):
        share = np.minimum(ascending[..., i], remaining / (demands.shape[-1] - i))
        np.put_along_axis(shares, order[..., i : i + 1], share[..., None], axis=-1)
        remaining = remaining - share
    return shares


def solve_cpu_sharing(guests: Sequence[tuple[HostModel, Load]]) -> list[HostResources]:
    """Resources of each virtual server of a host under its load while the others are under theirs, by point estimates.

    See :func:`share_cpu`, for a single host.
    """
    models = [replace(m, resources=HostResources.stack([m.resources])) for m, _ in guests]
    shares = share_cpu(models, [LoadRows.of([load]) for _, load in guests])
    return [share.unstack()[0] for share in shares]


def share_cpu(models: Sequence[HostModel], loads: Sequence[LoadRows]) -> list[HostResources]:
    """Resources of each virtual server of several hosts, one per row, by point estimates.

    The use of each depends on that of the others: a fixed point.

    Parameters
    ----------
    models
        Of each virtual server. The ``resources`` are columns, those without loaded neighbours; their capacity is the
        host's.
    loads
        Of each virtual server, with as many rows.

    Returns
    -------
    list of HostResources
        Of each virtual server, columns.
    """
    models = [model.point_estimate() for model in models]

    def resources_given(used: Array, i: int, rows: Rows) -> HostResources:
        alone = models[i].resources.at(rows)
        capacity = models[0].resources.capacity_cpus[rows][:, 0]
        unlimited_own = used.copy()
        unlimited_own[:, i] = np.inf
        others = np.minimum(used.sum(axis=1) - used[:, i], capacity)
        return replace(
            alone,
            neighbour_cpus_at_fit=others[:, None] * alone.cpu_speed,
            guaranteed_cpus=max_min_share(unlimited_own, capacity)[:, i : i + 1],
        )

    def cpus_given(used: Array, rows: Rows) -> Array:
        wanted = [
            model.cpus_used(load.at(rows), resources_given(used, i, rows))[:, 0]
            for i, (model, load) in enumerate(zip(models, loads, strict=True))
        ]
        return max_min_share(
            np.stack(wanted, axis=1), models[0].resources.capacity_cpus[rows][:, 0]
        )

    background = np.concatenate([model.resources.background_cpus for model in models], axis=1)
    used = fixed_points(cpus_given, background)
    return [resources_given(used, i, slice(None)) for i in range(len(models))]


def models_when_colocated(
    observations: Iterable[Observation], models: Mapping[Deployment, HostModels]
) -> dict[str, list[tuple[HostModels, Observation]]]:
    """Co-located runs: ``server/run`` → the models, with the resources of the run, and observation of each guest.

    Runs with a virtual server that has no model are left out.
    """
    by_run: dict[str, list[Observation]] = {}
    for observation in observations:
        if not observation.is_alone:
            by_run.setdefault(observation.path, []).append(observation)
    colocated = {}
    for path, guests in sorted(by_run.items()):
        fitted_models = [models.get(observation.deployment) for observation in guests]
        if None in fitted_models:
            continue
        shares = solve_cpu_sharing(
            [
                (each.alone, observation.load)
                for each, observation in zip(fitted_models, guests, strict=True)
            ]
        )
        colocated[path] = [
            (
                HostModels(*(replace(m, resources=share) for m in (each.alone, each.colocated))),
                observation,
            )
            for each, share, observation in zip(fitted_models, shares, guests, strict=True)
        ]
    return colocated

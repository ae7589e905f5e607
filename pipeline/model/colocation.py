"""Virtual servers beside each other on one host: what each finds there, and what it then answers.

This is the one algorithm by which the host's CPU is shared; *What if*, the predictions of runs in which several virtual
servers had loads, and their error decompositions use it. A virtual server takes what it would take where the others
take what they do, and no more than max-min fairness gives it (Bertsekas and Gallager, Data Networks, 2nd ed. 1992,
page 526), as the kernel's fair scheduler does: nobody gets more than he wants, and what is left over is shared evenly
among those who want more.

And what a loaded neighbour does beyond the CPU time that it takes: two guests share caches, and on an emulator its
tables: a request costs more CPU time beside a busy neighbour than alone, which no law of queueing says. And less or
more of that time may be in the reply's way than when it is alone, since the kernel favours whoever slept. Both are
learned from runs in which the neighbours had loads and that are not held out, and are 1 where there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.measure.load import Load
from pipeline.measure.window import MissingData
from pipeline.model.fit import (
    CURVES,
    cpu_utilization,
    fit_calibration,
    fit_host,
    group_by_deployment,
    steady_state_runs,
    uncontended_demands,
)
from pipeline.model.host import HostModel, HostResources, fixed_point
from pipeline.model.observation import Deployment, Observation

Array = NDArray[np.float64]

MIN_SHIFT_SE = 2.0
"""Standard errors by which the CPU demand must have moved: runs differ from each other in any case."""


@dataclass(frozen=True, eq=False)
class HostModels:
    """A virtual server's calibrated model on one server."""

    alone: HostModel
    """Fitted to runs with one load; what it takes of the CPU is computed by this one in any case."""
    colocated: HostModel
    """The same with interference, for R and X beside loaded neighbours."""

    def point_estimate(self) -> HostModels:
        """The same without draws, for speed."""
        return HostModels(self.alone.point_estimate(), self.colocated.point_estimate())

    def with_run_variation(self, seed: int = 0) -> HostModels:
        """The same for a run not seen yet, each draw with the same scatter of the demands in both."""
        return HostModels(
            self.alone.with_run_variation(seed), self.colocated.with_run_variation(seed)
        )


def fit_deployments(observations: Sequence[Observation]) -> dict[Deployment, HostModels]:
    """The model of every virtual server on every server that has runs to fit to, its draws included.

    Interference is learned from runs with several loads that are not held out.
    """
    found = {}
    for group in group_by_deployment(observations):
        with suppress(MissingData):
            alone = fit_host(group.fitted_runs, calibrated=True)
            several = [
                one
                for one in observations
                if one.deployment == group.deployment and not one.is_alone
            ]
            found[group.deployment] = HostModels(alone, with_interference(alone, several))
    return found


def with_interference(model: HostModel, runs: Sequence[Observation]) -> HostModel:
    """The model of a virtual server, fitted to runs with its load alone, for runs in which the neighbours have loads.

    ``runs``: this virtual server's, with its neighbours loaded; those held out are not looked at. If the CPU demand is
    moved beyond what single runs of one load differ by, the model's ``run_sd``, all demands are: each by the
    geometric mean of what it was in these runs over what the model says of their load. The work before the reply is
    calibrated with the runs' own demands (open loads). Raises ``MissingData``.
    """
    used = steady_state_runs([one for one in runs if one.load.kind == "open" and not one.held_out])
    if not used:
        return model
    factors = {name: demand_inflation(model, used, name) for name in CURVES}
    chance = MIN_SHIFT_SE * model.run_sd / np.sqrt(len(used))
    curves = {}
    if abs(np.log(factors["cpu"])) > chance:
        curves = {name: getattr(model, name).scaled(factor) for name, factor in factors.items()}
    bounds = {"pre_reply_factor": (model.calibration.pre_reply_factor, 0.2, 2.0)}
    return replace(model, **curves, calibration=fit_calibration(model, bounds, used))


def demand_inflation(model: HostModel, runs: Sequence[Observation], name: str) -> float:
    """By what factor a demand, one of ``CURVES``, is larger in these runs than the model says.

    Raises ``MissingData``.
    """
    curve = getattr(model, name)
    logs = []
    for one in runs:
        said = float(curve.at(one.run_demands.completions, cpu_utilization(one))[0])
        found = float(uncontended_demands(one)[name][0])
        if said > 0 and found > 0:
            logs.append(np.log(found / said))
    return float(np.exp(np.mean(logs))) if logs else 1.0


def max_min_share(wanted: ArrayLike, capacity: float) -> Array:
    """Max-min fair shares of a capacity: what is wanted, up to the level at which all is given away."""
    wants = np.asarray(wanted, float)
    shares, left = np.empty_like(wants), capacity
    for waiting, i in zip(range(len(wants), 0, -1), np.argsort(wants, kind="stable"), strict=True):
        shares[i] = min(wants[i], left / waiting)
        left -= shares[i]
    return shares


def solve_cpu_sharing(guests: Sequence[tuple[HostModel, Load]]) -> list[HostResources]:
    """What each virtual server of a host finds under its load, the others under theirs; by the models' estimates.

    Each one's use of the CPU follows from the others' and theirs from its: the fixed point. ``resources`` of each
    model say what there is alone; their capacity is the host's.
    """
    models = [model.point_estimate() for model, _ in guests]
    capacity = models[0].resources.capacity_cpus

    def found(used: Array, i: int) -> HostResources:
        alone = models[i].resources
        greedy = np.where(np.arange(len(used)) == i, np.inf, used)
        others = min(used.sum() - used[i], capacity)
        return replace(
            alone,
            neighbour_cpus_at_fit=float(others * alone.cpu_speed),
            guaranteed_cpus=float(max_min_share(greedy, capacity)[i]),
        )

    def taken(used: Array) -> Array:
        wanted = [
            float(model.cpus_used(load, found(used, i))[0])
            for i, (model, (_, load)) in enumerate(zip(models, guests, strict=True))
        ]
        return max_min_share(wanted, capacity)

    used = fixed_point(taken, np.array([model.resources.background_cpus for model in models]))
    return [found(used, i) for i in range(len(models))]


def models_when_colocated(
    observations: Iterable[Observation], models: Mapping[Deployment, HostModels]
) -> dict[str, list[tuple[HostModels, Observation]]]:
    """Runs with several loads: ``server/run`` → each loaded virtual server, with its models in what it finds there."""
    runs: dict[str, list[Observation]] = {}
    for one in observations:
        if not one.is_alone:
            runs.setdefault(one.path, []).append(one)
    found = {}
    for path, mine in sorted(runs.items()):
        fitted = [models.get(one.deployment) for one in mine]
        if None in fitted:
            continue
        shares = solve_cpu_sharing(
            [(each.alone, one.load) for each, one in zip(fitted, mine, strict=True)]
        )
        found[path] = [
            (
                HostModels(*(replace(m, resources=share) for m in (each.alone, each.colocated))),
                one,
            )
            for each, share, one in zip(fitted, shares, mine, strict=True)
        ]
    return found

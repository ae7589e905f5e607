"""Fitting the host model to runs: demand curves from the logs, and what the logs do not tell from the client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pipeline.demands.load_curve import Batches, DemandCurve, constant, fit_curve
from pipeline.measure.load import Load
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.model.host import Calibration, HostModel, HostResources
from pipeline.model.observation import Deployment, Observation, arrival_scv, capacity, stack_demands

Array = NDArray[np.float64]

CURVES = {"cpu": "host_cpu", "pre_reply": "guest_cpu", "vdisk": "vdisk", "disk": "disk"}
"""The model's curves, and the stations whose demands they are."""
MIN_RUNS = 3
"""Runs under open load that calibration needs, which has two parameters; and runs whose scatter can be told."""
MAX_BATCH_GAP_S = 900.0
"""Runs further apart than this do not share the machine's pace. Runs of a sweep follow each other within minutes, with
held-out ones between those that are fitted to; other virtual servers' sweeps lie between two sweeps."""
MEDIAN_ABS_NORMAL = 0.6745
"""The median of a normal error's size, in standard deviations."""
MODEL_ERROR_SD = 0.05
"""What the form alone may be off by in a run, logarithm of R; a run whose R is less sure than that counts less."""


def fit_host(
    observations: Sequence[Observation],
    *,
    load_dependent: bool = True,
    calibrated: bool = False,
    **switches: bool,
) -> HostModel:
    """Fit the model to runs in which the virtual server was loaded alone. Raises ``MissingData``.

    ``switches``: corrections of the :class:`HostModel` to leave out, by its fields' names.
    Runs in which the server did not keep up with an open load tell nothing of its steady state and are left out.
    """
    used = steady_state_runs(observations)
    if not used:
        raise MissingData("no run to fit the model to")
    requests = expected_requests(used)
    busy = expected_utilizations(used)
    demands, batches = [uncontended_demands(one) for one in used], recording_batches(used)
    curves = {
        name: fit_curve(
            np.array([own[name] for own in demands]),
            requests,
            busy,
            batches,
            load_dependent=load_dependent,
        )
        for name in CURVES
    }
    cpu: DemandCurve = curves["cpu"]
    missed = log_residuals(cpu, used)
    freedom = max(1, len(used) - len(cpu.terms))
    model = HostModel(
        **curves,
        resources=HostResources(
            capacity(used),
            background_cpus_at_fit=float(
                np.mean([resources_of(one).background_cpus_at_fit for one in used])
            ),
            neighbour_cpus_at_fit=float(np.mean([one.neighbour_cpu for one in used])),
        ),
        arrival_scv=lambda load: arrival_scv(used, load),
        run_sd=float(np.sqrt((missed**2).sum() / freedom)),
        **switches,
    )
    return replace(model, calibration=calibrate(model, used)) if calibrated else model


def expected_requests(observations: Sequence[Observation]) -> Array:
    """How many requests each run would have had whatever they cost: what a cold start is shared by.

    Under an open load that is what came. Under a closed load the number is no cause: where requests took long, fewer
    were completed, and a demand that falls with their number would explain any scatter by itself. There it is the
    run's length that counts, at the mean throughput of all runs.
    """
    done = np.array([one.run_demands.completions for one in observations])
    length = np.array([one.run_demands.length_s for one in observations])
    closed = np.array([one.load.kind == "closed" for one in observations])
    if not closed.any():
        return done
    return np.where(closed, length * (done[closed] / length[closed]).mean(), done)


def expected_utilizations(observations: Sequence[Observation]) -> Array:
    """How busy the guests' CPU share is under each run's load: the mean over the runs of that load.

    A run in which requests took longer was busier for it. Its own utilization would say that slow requests find the
    CPU busy and hide that requests which find it idle take longer.
    """
    loads = [(one.load.kind, one.load.level, one.load.arrivals) for one in observations]
    busy = np.array([min(cpu_utilization(one), 1.0) for one in observations])
    return np.array([busy[[other == load for other in loads]].mean() for load in loads])


def log_residuals(cpu: DemandCurve, observations: Sequence[Observation]) -> Array:
    """log(a run's own CPU demand / the curve's at its load), shape (runs,)."""
    loads = zip(expected_requests(observations), expected_utilizations(observations), strict=True)
    curve = np.array([cpu.at(n, u)[0] for n, u in loads])
    return np.log(stack_demands(observations, CURVES["cpu"])[:, 0] / curve)


def recording_batches(observations: Sequence[Observation]) -> Batches:
    """Which runs were recorded one after another, by their windows; a number a batch, shape (runs,)."""
    windows = [one.window for one in observations]
    batches = np.arange(len(windows))
    known = [i for i, window in enumerate(windows) if window is not None]
    known.sort(key=lambda i: windows[i].start_ns)
    for before, after in pairwise(known):
        if windows[after].start_ns - windows[before].end_ns <= MAX_BATCH_GAP_S * NS_PER_S:
            batches[after] = batches[before]
    return batches


def uncontended_demands(one: Observation) -> dict[str, Array]:
    """The curves' demands that a run's logs show, each with its draws, as they would be without neighbours.

    A guest without a steal clock counts the time that its neighbours took as its own: that stretch is taken off its
    CPU times, and off what its disk times hold beyond the host's disk. Raises ``MissingData``.
    """
    found = {
        name: np.concatenate(([d.value_s], d.draws_s))
        for name, d in ((name, one.run_demands.demand(station)) for name, station in CURVES.items())
    }
    if not one.has_steal_clock:
        stretch = resources_of(one).slowdown
        layer = np.maximum(found["vdisk"] - found["disk"], 0)
        found["pre_reply"] = found["pre_reply"] / stretch
        found["vdisk"] = found["vdisk"] - layer + layer / stretch
    return found


def run_curves(one: Observation) -> dict[str, DemandCurve]:
    """The demands that this very run's logs show, the same at every load. Raises ``MissingData``."""
    return {name: constant(draws) for name, draws in uncontended_demands(one).items()}


def model_of_run(one: Observation) -> HostModel:
    """The model of a single run, from its logs alone. Raises ``MissingData``."""
    return HostModel(
        **run_curves(one),
        resources=resources_of(one),
        arrival_scv=lambda load: arrival_scv([one], load),
    )


def with_run_demands(one: Observation, like: HostModel) -> HostModel:
    """The model with the demands and resources that this very run's logs show, without draws, else like ``like``."""
    own = replace(like, **run_curves(one), resources=resources_of(one), run_sd=0.0)
    return own.point_estimate()


def response_with_run_demands_s(one: Observation, like: HostModel) -> float:
    """R of a run by the demands and resources that its own logs show, seconds."""
    return float(with_run_demands(one, like).predict(one.load).response_time_s[0])


def resources_of(one: Observation) -> HostResources:
    """What the host gave in a run."""
    idle = one.run_demands.demand("host_cpu").background_per_s
    return HostResources(
        one.capacity_cpus, background_cpus_at_fit=idle, neighbour_cpus_at_fit=one.neighbour_cpu
    )


def calibrate(like: HostModel, observations: Sequence[Observation]) -> Calibration:
    """The shape under which the client's mean response times at these loads are met best (open loads only).

    Each run is taken with its own demands, so that what is fitted is the model's form and not a run's pace.
    """
    used = [one for one in observations if one.load.kind == "open"]
    if len(used) < MIN_RUNS:
        return like.calibration
    weights = MODEL_ERROR_SD / np.hypot(
        MODEL_ERROR_SD, [log_r_sensitivity(one, with_run_demands(one, like)) for one in used]
    )
    # a loss by which one run in which the machine stumbled does not bend the rest
    bounds = {"service_scv": (0.5, 0.0, 8.0), "arrival_scv_gain": (0.2, 0.0, 1.0)}
    robust = {"loss": "soft_l1", "f_scale": 0.1}
    return fit_calibration(like, bounds, used, weights, **robust)


def fit_calibration(
    like: HostModel,
    bounds: Mapping[str, tuple[float, float, float]],
    observations: Sequence[Observation],
    weights: Array | float = 1.0,
    **options: Any,
) -> Calibration:
    """The shape by which runs, each with its own demands, are met best.

    ``bounds``: the numbers to fit with where to start, the least and the most; ``options``: of ``least_squares``.
    """

    def calibration(numbers: Array) -> Calibration:
        return replace(like.calibration, **dict(zip(bounds, map(float, numbers), strict=True)))

    models = [with_run_demands(one, like) for one in observations]
    starts, least, most = zip(*bounds.values(), strict=True)
    best = least_squares(
        lambda numbers: weights * log_r_errors(calibration(numbers), models, observations),
        starts,
        bounds=(least, most),
        **options,
    )
    return calibration(best.x)


def log_r_sensitivity(one: Observation, model: HostModel) -> float:
    """By how much log R moves as the run's own CPU demand moves by its standard error: near saturation a good deal."""
    demand, *draws = uncontended_demands(one)["cpu"]
    error = float(np.std(draws) / demand) if draws and demand > 0 else 0.0
    moved = [replace(model, cpu=model.cpu.scaled(1 + by)) for by in (error, -error)]
    slow, quick = log_r_errors(model.calibration, moved, [one, one])
    return float(abs(slow - quick)) / 2


def log_r_errors(
    calibration: Calibration, models: Sequence[HostModel], observations: Sequence[Observation]
) -> Array:
    """log(R modelled / R measured) of runs, each by its own model with this shape; an R without a bound is 1,000 s."""
    found = [
        replace(model, calibration=calibration).predict(one.load).response_time_s[0]
        for model, one in zip(models, observations, strict=True)
    ]
    return np.log(np.minimum(found, 1e3) / [one.response_time_s for one in observations])


def model_error_sd(model: HostModel, observations: Sequence[Observation]) -> float | None:
    """What the model says of a run from the run's own demands scatters by: standard deviation of log R.

    By the median of the errors' sizes, which one run near saturation does not move. None with fewer than three runs,
    or where a run has no demand of its own.
    """
    used = steady_state_runs(observations)
    if len(used) < MIN_RUNS:
        return None
    errors = log_r_errors(model.calibration, [with_run_demands(one, model) for one in used], used)
    return float(np.median(np.abs(errors)) / MEDIAN_ABS_NORMAL)


def steady_state_runs(observations: Sequence[Observation]) -> list[Observation]:
    """The runs that can be fitted to: all under closed loads, and open loads that the server kept up with."""
    kept = [one for one in observations if one.load.kind == "closed" or not one.is_saturated]
    return kept or list(observations)


def cpu_utilization(one: Observation) -> float:
    """How busy the guests' CPU share was, background and the other guests included."""
    used = one.run_demands.demand("host_cpu").busy_s / one.run_demands.length_s + one.neighbour_cpu
    return used / one.capacity_cpus


@dataclass(frozen=True)
class DeploymentRuns:
    """One virtual server on one server, loaded alone: what is fitted to, and all that there is."""

    server: str
    virtual_server: str
    fitted_runs: tuple[Observation, ...]
    all_runs: tuple[Observation, ...]

    @property
    def deployment(self) -> Deployment:
        """Server and virtual server."""
        return self.server, self.virtual_server

    def by_load(self) -> Iterator[tuple[Load, bool, list[Observation]]]:
        """Each load once, from little to much, with its repetitions, and whether it is held out."""

        def key(one: Observation) -> tuple[float, str]:
            return (one.load.level, one.load.arrivals or "")

        for _, some in groupby(sorted(self.all_runs, key=key), key):
            runs = list(some)
            yield runs[0].load, any(one.held_out for one in runs), runs


def group_by_deployment(observations: Iterable[Observation]) -> list[DeploymentRuns]:
    """The study by server and virtual server; runs with several loads are not in it."""
    alone = [one for one in observations if one.is_alone]
    found = []
    for place in sorted({one.deployment for one in alone}):
        mine = tuple(one for one in alone if one.deployment == place)
        fitted = tuple(steady_state_runs([one for one in mine if not one.held_out]))
        found.append(DeploymentRuns(*place, fitted, mine))
    return found

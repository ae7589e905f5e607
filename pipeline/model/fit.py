"""Fit the host model to runs: demand curves from the logs, calibration from the client's response times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pipeline.demands.load_curve import Batches, DemandCurve, constant, fit_curve
from pipeline.measure.load import Load
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.model import texts
from pipeline.model.host import (
    Calibration,
    HostModel,
    HostResources,
    OpenDemands,
    respond_open,
)
from pipeline.model.observation import Deployment, Observation, arrival_scv, stack_demands
from pipeline.model.stored import decode, encode, result_key, stored_or_computed

Array = NDArray[np.float64]

CURVES = {"cpu": "host_cpu", "pre_reply": "guest_cpu", "vdisk": "vdisk", "disk": "disk"}
"""The model's curves → the stations whose demands they are."""
MIN_RUNS = 3
"""Runs under open load that calibration of two parameters needs, and runs that a standard deviation needs."""
MAX_BATCH_GAP_S = 900.0
"""Longest pause between two runs of a batch. Runs of a sweep follow each other within minutes."""
MEDIAN_ABS_NORMAL = 0.6745
"""Median of the absolute value of a standard normal variable."""
MODEL_ERROR_SD = 0.05
"""Standard deviation of log R that the model's form adds: a run whose R is less certain gets less weight."""


def fit_host(
    observations: Sequence[Observation],
    *,
    load_dependent: bool = True,
    calibrated: bool = False,
    with_draws: bool = True,
    **switches: bool,
) -> HostModel:
    """Fit the model to runs in which the virtual server was loaded alone.

    The fit is stored, and read if the runs are the same, where they have a folder for it (``Observation.results``).

    Parameters
    ----------
    observations
        Runs of one deployment. Saturated runs under open load have no steady state and are left out.
    load_dependent
        Whether demands may depend on the load.
    calibrated
        Whether the client's response times calibrate the model; from the logs alone if not.
    with_draws
        Whether the curves are fitted to every draw; the point estimate only, and not stored, if not.
    **switches
        Corrections to leave out, by the boolean fields of :class:`HostModel`.

    Raises
    ------
    MissingData
        Without a run, or where a run lacks a demand.
    """
    used = tuple(steady_state_runs(observations))
    if not used:
        raise MissingData(texts.NO_RUN_TO_FIT)
    options = {"load_dependent": load_dependent, "calibrated": calibrated, **switches}
    folder = used[0].results
    if not with_draws or folder is None:
        return _fit(used, with_draws=with_draws, **options)

    def compute() -> dict[str, Any]:
        model = _fit(used, **options)
        curves = {name: encode(getattr(model, name)) for name in CURVES}
        return {"curves": curves, "calibration": encode(model.calibration)}

    label = "calibrated" if calibrated else "logs-only"
    without = [name for name, value in options.items() if not value and name != "calibrated"]
    path = (
        folder
        / "fits"
        / "/".join(used[0].deployment)
        / f"{'-without-'.join([label, *without])}.json"
    )
    fit = stored_or_computed(path, result_key([run.digest for run in used], options), compute)
    curves = {name: decode(DemandCurve, curve) for name, curve in fit["curves"].items()}
    return _assemble(used, curves, decode(Calibration, fit["calibration"]), **switches)


def _fit(
    used: tuple[Observation, ...],
    *,
    load_dependent: bool,
    calibrated: bool,
    with_draws: bool = True,
    **switches: bool,
) -> HostModel:
    curves = dict(_fit_curves(used, load_dependent, with_draws))
    model = _assemble(used, curves, Calibration(), **switches)
    return replace(model, calibration=calibrate(model, used)) if calibrated else model


@lru_cache(maxsize=16)
def _fit_curves(
    used: tuple[Observation, ...], load_dependent: bool, with_draws: bool
) -> Mapping[str, DemandCurve]:
    requests = expected_requests(used)
    utilizations = expected_utilizations(used)
    demands, batches = [uncontended_demands(run) for run in used], recording_batches(used)
    columns = slice(None) if with_draws else slice(1)
    return {
        name: fit_curve(
            np.array([run_demands[name][columns] for run_demands in demands]),
            requests,
            utilizations,
            batches,
            load_dependent=load_dependent,
        )
        for name in CURVES
    }


def _assemble(
    used: Sequence[Observation],
    curves: Mapping[str, DemandCurve],
    calibration: Calibration,
    **switches: bool,
) -> HostModel:
    """The model of curves that were fitted to these runs."""
    cpu = curves["cpu"]
    residuals = log_residuals(cpu, used)
    degrees_of_freedom = max(1, len(used) - len(cpu.terms))
    return HostModel(
        **curves,
        resources=HostResources(
            used[0].capacity_cpus,
            background_cpus_at_fit=float(
                np.mean([resources_of(run).background_cpus_at_fit for run in used])
            ),
            neighbour_cpus_at_fit=float(np.mean([run.neighbour_cpu for run in used])),
        ),
        arrival_scv=lambda load: arrival_scv(used, load),
        calibration=calibration,
        run_sd=float(np.sqrt((residuals**2).sum() / degrees_of_freedom)),
        **switches,
    )


def expected_requests(observations: Sequence[Observation]) -> Array:
    """Number of requests per run that a cold start is divided by, shape (runs,).

    Open loads: the completed requests. Closed loads: the run's length times the mean throughput of all runs. There
    completions depend on the demand, and a demand that decreases with them would explain any variation.
    """
    completions = np.array([run.run_demands.completions for run in observations])
    length_s = np.array([run.run_demands.length_s for run in observations])
    is_closed = np.array([run.load.kind == "closed" for run in observations])
    if not is_closed.any():
        return completions
    return np.where(
        is_closed, length_s * (completions[is_closed] / length_s[is_closed]).mean(), completions
    )


def expected_utilizations(observations: Sequence[Observation]) -> Array:
    """Utilization of the guests' CPUs under each run's load: the mean over the runs of that load, shape (runs,).

    The utilization of a single run rises with its demand, which would hide that requests which find the CPU idle take
    longer.
    """
    loads = [(run.load.kind, run.load.level, run.load.arrivals) for run in observations]
    utilizations = np.array([min(cpu_utilization(run), 1.0) for run in observations])
    return np.array([utilizations[[each == load for each in loads]].mean() for load in loads])


def log_residuals(cpu: DemandCurve, observations: Sequence[Observation]) -> Array:
    """log(CPU demand of a run / the curve at its load), shape (runs,)."""
    load_points = zip(
        expected_requests(observations), expected_utilizations(observations), strict=True
    )
    curve = np.array([cpu.at(n, u)[0] for n, u in load_points])
    return np.log(stack_demands(observations, CURVES["cpu"])[:, 0] / curve)


def recording_batches(observations: Sequence[Observation]) -> Batches:
    """The batch of each run, a number, shape (runs,): runs recorded at most ``MAX_BATCH_GAP_S`` apart share one."""
    windows = [run.window for run in observations]
    batches = np.arange(len(windows))
    in_time_order = [i for i, window in enumerate(windows) if window is not None]
    in_time_order.sort(key=lambda i: windows[i].start_ns)
    for previous, current in pairwise(in_time_order):
        if windows[current].start_ns - windows[previous].end_ns <= MAX_BATCH_GAP_S * NS_PER_S:
            batches[current] = batches[previous]
    return batches


def uncontended_demands(run: Observation) -> dict[str, Array]:
    """Demands of a run by the names of the curves, shape (1 + draws,), as they would be without neighbours.

    A guest without a steal clock counts time that its neighbours took as its own. The slowdown is divided out of its
    CPU times and of the part of its disk times beyond the host's disk. Raises ``MissingData``.
    """
    demands = {
        name: np.concatenate(([d.value_s], d.draws_s))
        for name, d in ((name, run.run_demands.demand(station)) for name, station in CURVES.items())
    }
    if not run.has_steal_clock:
        slowdown = resources_of(run).slowdown
        layer = np.maximum(demands["vdisk"] - demands["disk"], 0)
        demands["pre_reply"] = demands["pre_reply"] / slowdown
        demands["vdisk"] = demands["vdisk"] - layer + layer / slowdown
    return demands


def run_curves(run: Observation) -> dict[str, DemandCurve]:
    """Demands of a single run, the same at every load. Raises ``MissingData``."""
    return {name: constant(draws) for name, draws in uncontended_demands(run).items()}


def model_of_run(run: Observation) -> HostModel:
    """The model of a single run from its logs alone. Raises ``MissingData``."""
    return HostModel(
        **run_curves(run),
        resources=resources_of(run),
        arrival_scv=lambda load: arrival_scv([run], load),
    )


def with_run_demands(run: Observation, model: HostModel) -> HostModel:
    """``model`` with the demands and resources of one run, as a point estimate."""
    with_demands = replace(model, **run_curves(run), resources=resources_of(run), run_sd=0.0)
    return with_demands.point_estimate()


def response_with_run_demands_s(run: Observation, model: HostModel) -> float:
    """R of a run's load by the demands and resources of the run itself, seconds."""
    return float(with_run_demands(run, model).predict(run.load).response_time_s[0])


def resources_of(run: Observation) -> HostResources:
    """Resources of the host in a run."""
    background_cpus = run.run_demands.demand("host_cpu").background_per_s
    return HostResources(
        run.capacity_cpus,
        background_cpus_at_fit=background_cpus,
        neighbour_cpus_at_fit=run.neighbour_cpu,
    )


def calibrate(model: HostModel, observations: Sequence[Observation]) -> Calibration:
    """Fit the calibration to the client's mean response times under open load.

    Each run is modelled with its own demands, so that the model's form is fitted and not the variation of demands.
    Unchanged with fewer than ``MIN_RUNS`` runs.
    """
    used = [run for run in observations if run.load.kind == "open"]
    if len(used) < MIN_RUNS:
        return model.calibration
    weights = MODEL_ERROR_SD / np.hypot(
        MODEL_ERROR_SD, [log_r_sensitivity(run, with_run_demands(run, model)) for run in used]
    )
    # a robust loss: one outlying run has little influence
    bounds = {"service_scv": (0.5, 0.0, 8.0), "arrival_scv_gain": (0.2, 0.0, 1.0)}
    robust = {"loss": "soft_l1", "f_scale": 0.1}
    return fit_calibration(model, bounds, used, weights, **robust)


def fit_calibration(
    model: HostModel,
    bounds: Mapping[str, tuple[float, float, float]],
    observations: Sequence[Observation],
    weights: Array | float = 1.0,
    **options: Any,
) -> Calibration:
    """Fit parameters of the calibration by least squares of log R, each run with its own demands.

    Parameters
    ----------
    model
        Its calibration gives the other parameters.
    bounds
        Parameter → start, minimum, maximum.
    observations
        Runs under open load with measured response times.
    weights
        Of the residuals, shape (runs,).
    **options
        Of ``scipy.optimize.least_squares``.
    """

    def calibration(parameters: Array) -> Calibration:
        return replace(model.calibration, **dict(zip(bounds, map(float, parameters), strict=True)))

    models = [with_run_demands(run, model) for run in observations]
    demands = OpenDemands.stack(
        [m.open_demands(run.load, m.resources) for m, run in zip(models, observations, strict=True)]
    )

    def errors(parameters: Array) -> Array:
        modelled_s = respond_open(demands, calibration(parameters)).response_time_s
        return weights * log_errors(modelled_s, observations)

    starts, low, high = zip(*bounds.values(), strict=True)
    best = least_squares(errors, starts, bounds=(low, high), **options)
    return calibration(best.x)


def log_r_sensitivity(run: Observation, model: HostModel) -> float:
    """Change of log R for a change of the run's CPU demand by its standard error; large near saturation."""
    demand, *draws = uncontended_demands(run)["cpu"]
    relative_se = float(np.std(draws) / demand) if draws and demand > 0 else 0.0
    shifted = [
        replace(model, cpu=model.cpu.scaled(1 + shift)) for shift in (relative_se, -relative_se)
    ]
    slower, faster = log_r_errors(model.calibration, shifted, [run, run])
    return float(abs(slower - faster)) / 2


def log_r_errors(
    calibration: Calibration, models: Sequence[HostModel], observations: Sequence[Observation]
) -> Array:
    """log(R modelled / R measured) per run, each by its own model."""
    modelled_s = [
        replace(model, calibration=calibration).predict(run.load).response_time_s[0]
        for model, run in zip(models, observations, strict=True)
    ]
    return log_errors(modelled_s, observations)


def log_errors(modelled_s: Array | Sequence[float], observations: Sequence[Observation]) -> Array:
    """log(R modelled / R measured) per run; an unbounded R counts as 1,000 s."""
    return np.log(np.minimum(modelled_s, 1e3) / [run.response_time_s for run in observations])


def model_error_sd(model: HostModel, observations: Sequence[Observation]) -> float | None:
    """Standard deviation of the error of log R where each run is modelled with its own demands.

    A robust estimate from the median absolute error. None with fewer than ``MIN_RUNS`` runs. Raises ``MissingData``
    where a run lacks a demand.
    """
    used = steady_state_runs(observations)
    if len(used) < MIN_RUNS:
        return None
    errors = log_r_errors(model.calibration, [with_run_demands(run, model) for run in used], used)
    return float(np.median(np.abs(errors)) / MEDIAN_ABS_NORMAL)


def steady_state_runs(observations: Sequence[Observation]) -> list[Observation]:
    """Runs that can be fitted to: closed loads, and open loads without saturation; all if none remains."""
    steady = [run for run in observations if run.load.kind == "closed" or not run.is_saturated]
    return steady or list(observations)


def cpu_utilization(run: Observation) -> float:
    """Utilization of the guests' CPUs in a run, background and neighbours included."""
    cpus_used = (
        run.run_demands.demand("host_cpu").busy_s / run.run_demands.length_s + run.neighbour_cpu
    )
    return cpus_used / run.capacity_cpus


@dataclass(frozen=True)
class DeploymentRuns:
    """Runs of one virtual server on one server, loaded alone."""

    server: str
    virtual_server: str
    fitted_runs: tuple[Observation, ...]
    all_runs: tuple[Observation, ...]

    @property
    def deployment(self) -> Deployment:
        """The server and the virtual server."""
        return self.server, self.virtual_server

    def by_load(self) -> Iterator[tuple[Load, bool, list[Observation]]]:
        """Each load, whether it is held out, and its replications; loads in ascending order."""

        def key(run: Observation) -> tuple[float, str]:
            return (run.load.level, run.load.arrivals or "")

        for _, replications in groupby(sorted(self.all_runs, key=key), key):
            runs = list(replications)
            yield runs[0].load, any(run.held_out for run in runs), runs


def group_by_deployment(observations: Iterable[Observation]) -> list[DeploymentRuns]:
    """Runs loaded alone by server and virtual server, sorted."""
    alone = [run for run in observations if run.is_alone]
    groups = []
    for deployment in sorted({run.deployment for run in alone}):
        runs = tuple(run for run in alone if run.deployment == deployment)
        fitted_runs = tuple(steady_state_runs([run for run in runs if not run.held_out]))
        groups.append(DeploymentRuns(*deployment, fitted_runs, runs))
    return groups

"""The model of one virtual server on one server, fitted to the runs of a study: X and R of any load."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline import ingest
from pipeline.api import texts
from pipeline.api.what_if import current_load, usable
from pipeline.errors import Error
from pipeline.measure.load import Load
from pipeline.model.colocation import HostModels
from pipeline.model.fit import fit_host
from pipeline.model.observation import Observation, observe_study
from pipeline.model.scenario import Scenario
from pipeline.raw import RawRunError, Run, Study, nearest


def closed(threads: int, think_time_s: float = 0.0) -> Load:
    """A closed load: so many threads, each of which waits for its reply and thinks before its next request.

    Parameters
    ----------
    threads : int
        From 1 on.
    think_time_s : float, optional
        Seconds.

    Raises
    ------
    Error
        For fewer than one thread or a negative think time.

    Examples
    --------
    >>> import pipeline as qv
    >>> qv.closed(16).label
    '16 threads'
    """
    if threads < 1 or threads != int(threads):
        raise Error(texts.not_a_number_of_threads(threads))
    if not 0 <= think_time_s < math.inf:
        raise Error(texts.not_a_think_time(think_time_s))
    return Load("closed", population=int(threads), think_time_s=float(think_time_s))


def poisson(rate_per_s: float) -> Load:
    """An open load whose requests arrive as a Poisson stream.

    Raises ``Error`` for a rate that is not above 0.

    Examples
    --------
    >>> import pipeline as qv
    >>> qv.poisson(20).label
    '20/s poisson'
    """
    return _open(rate_per_s, "poisson")


def even(rate_per_s: float) -> Load:
    """An open load whose requests arrive at equal intervals (httperf's ``--rate``).

    Raises ``Error`` for a rate that is not above 0.

    Examples
    --------
    >>> import pipeline as qv
    >>> qv.even(5).label
    '5/s even'
    """
    return _open(rate_per_s, "even")


def _open(rate_per_s: float, arrivals: str) -> Load:
    if not 0 < rate_per_s < math.inf:
        raise Error(texts.not_a_rate(rate_per_s))
    return Load("open", rate_per_s=float(rate_per_s), arrivals=arrivals)


@dataclass(frozen=True)
class LoadPrediction:
    """Predicted X and R of one load, with 95 % intervals for a new run."""

    load: Load
    response_ms: float
    """Mean response time; infinite where the load saturates the server."""
    response_low_ms: float
    response_high_ms: float
    throughput_per_s: float | None
    """None where the load saturates the server: no steady state."""
    throughput_low_per_s: float | None
    throughput_high_per_s: float | None
    cpu_utilization: float
    """CPU that the virtual server uses over what it can get; saturated from 1 on."""
    is_extrapolated: bool
    """Whether the load is outside the range of the loads that the model was fitted to."""
    warnings: tuple[str, ...] = ()
    """Why the prediction is less certain than its interval says."""


@dataclass(frozen=True)
class FittedModel:
    """The host model of one virtual server on one server, without loaded neighbours; made by ``study.fit``.

    The same model as of the page *What-if analysis*: demands by the logs of the runs that are not held out, calibrated
    with their response times. An example is at ``StudyData.fit``.
    """

    server: str
    virtual_server: str
    scenario: Scenario = field(repr=False)
    observations: tuple[Observation, ...] = field(repr=False)
    """The runs that the model was fitted to."""
    missing: tuple[str, ...] = ()
    """Runs that could not be read or observed, with the reason."""

    @property
    def load(self) -> Load:
        """The current load of the virtual server, that of the case study."""
        return self.scenario.load

    @property
    def levels(self) -> tuple[float, float]:
        """The lowest and the highest level that the model was fitted to: requests per second, or threads."""
        measured = [observation.load.level for observation in self.observations]
        return min(measured), max(measured)

    def predict(self, load: Load) -> LoadPrediction:
        """Predict X and R of a load.

        Parameters
        ----------
        load : Load
            From :func:`closed`, :func:`poisson` or :func:`even`, or ``model.load``. It lasts as long as the current
            load: what is cold at the start weighs more in a short run.

        Raises
        ------
        Error
            The load is open and the model was fitted to closed loads, or the other way round.
        """
        template = self.scenario.load
        if load.kind != template.kind:
            raise Error(texts.other_kind(self.virtual_server, self.server, template.kind))
        load = replace(load, duration_s=template.duration_s)
        prediction = self.scenario.predict(load)
        response, throughput = prediction.response_time, prediction.throughput
        resources = self.scenario.resources_at(load)
        utilization = self.scenario.models.alone.utilization(load, resources)[0]
        low, high = self.levels
        is_inside = low <= load.level <= high
        warnings = [] if is_inside else [texts.extrapolated(load.label, low, high, load.kind)]
        spacings = {observation.load.arrivals for observation in self.observations}
        if load.kind == "open" and load.arrivals not in spacings:
            warnings.append(texts.no_such_arrivals(load.arrivals or ""))
        rates = [float(limit) for limit in (throughput.value, throughput.low, throughput.high)]
        if not math.isfinite(response.value):
            warnings.insert(0, texts.saturated(load.label))
            rates = [None] * 3
        return LoadPrediction(
            load,
            *(1e3 * float(limit) for limit in (response.value, response.low, response.high)),
            *rates,
            float(utilization),
            not is_inside,
            tuple(warnings),
        )


def fit_model(study: Study, processed: Path, server: str, virtual_server: str) -> FittedModel:
    """Fit the model of a virtual server to the runs of a study; they are ingested first if needed.

    Raises ``RawRunError`` for an unknown server or virtual server, ``MissingData`` where no run can be fitted to.
    """
    if server not in study.servers:
        message = texts.unknown_name("server", server, nearest(server, study.servers))
        raise RawRunError(message, study.path)
    runs = study.runs(server)
    names = study.ordered(name for run in runs for name in _loaded(run))
    if virtual_server not in names:
        message = texts.unknown_name(
            "virtual server", virtual_server, nearest(virtual_server, names)
        )
        raise RawRunError(message, study.path)
    named = study.case_study.get(virtual_server)
    used = [
        run
        for run in runs
        if _loaded(run) == [virtual_server]
        and (f"{server}/{run.run}" not in study.held_out or run.run == named)
    ]
    readable, reasons = ingest.ingest_readable(used, processed)
    observations, not_observed = observe_study(study, processed, runs=readable)
    missing = [f"{run}: {reason}" for run, reason in (reasons | not_observed).items()]
    fitted = usable(observations)
    model = fit_host(fitted, calibrated=True)
    models = HostModels(model, model).with_run_variation()
    load = current_load(study, observations, (server, virtual_server))
    scenario = Scenario(models, load)
    return FittedModel(server, virtual_server, scenario, tuple(fitted), tuple(missing))


def _loaded(run: Run) -> list[str]:
    """The virtual servers of a run with a load."""
    return [name for name, vs in run.virtual_servers.items() if vs.workload is not None]

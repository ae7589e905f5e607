"""All runs of a study as observations: predictions of held-out loads, and the fitted model of each virtual server."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline import ingest
from pipeline.evaluate.acceptance import score_by_average
from pipeline.evaluate.demand_and_rate import demand_and_rate
from pipeline.evaluate.error_decomposition import decompose_errors
from pipeline.evaluate.holdout import predict_loads
from pipeline.evaluate.transfer import colocated_runs
from pipeline.files import project_path
from pipeline.model.colocation import HostModels, fit_deployments
from pipeline.model.fit import DeploymentRuns, group_by_deployment
from pipeline.model.observation import STUDY_DRAWS, Deployment, Observation, observe_study
from pipeline.raw import RawRunError, Study, find_study


@dataclass(frozen=True)
class HoldoutData:
    """The observations of a study's runs and what is computed from them; each is computed when first read."""

    study: Study
    processed: Path
    observations: list[Observation] = field(repr=False)
    not_observed: dict[str, str]
    """``server/run/virtual server`` → why it has no observation."""

    @cached_property
    def predictions(self) -> pl.DataFrame:
        """X and R by every predictor at every load (``evaluate.holdout.PREDICTIONS``)."""
        return predict_loads(self.observations)

    @cached_property
    def models(self) -> dict[Deployment, HostModels]:
        """(server, virtual server) → its calibrated models."""
        return fit_deployments(self.observations)

    @cached_property
    def error_decomposition(self) -> pl.DataFrame:
        """The error of R of each held-out run by cause (``evaluate.error_decomposition``)."""
        return decompose_errors(self.observations, self.models)

    @cached_property
    def colocated(self) -> pl.DataFrame:
        """Runs with several loads, predicted from runs with one (``evaluate.transfer``)."""
        return colocated_runs(self.observations, self.models)

    @cached_property
    def demand_and_rate(self) -> pl.DataFrame:
        """Whether demands depend on the load, by sweep and station (``evaluate.demand_and_rate``)."""
        return demand_and_rate(self.observations)

    @cached_property
    def outcomes_by_average(self) -> pl.DataFrame:
        """The outcome of each held-out load by the average taken over its runs (``evaluate.acceptance``)."""
        return score_by_average(self.error_decomposition)

    @cached_property
    def deployment_runs(self) -> list[DeploymentRuns]:
        """The runs by server and virtual server, of those that were loaded alone."""
        return group_by_deployment(self.observations)

    @cached_property
    def kinds(self) -> dict[Deployment, str]:
        """(server, virtual server) → the kind of its load: ``open`` or ``closed``."""
        return {group.deployment: group.all_runs[0].load.kind for group in self.deployment_runs}

    @property
    def deployments(self) -> list[Deployment]:
        """(server, virtual server) of those that were loaded alone on their host."""
        return list(self.kinds)


def open_holdout(
    study: str,
    *,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
    draws: int = STUDY_DRAWS,
) -> HoldoutData:
    """Observe every run of a study; runs are ingested first if needed.

    Parameters
    ----------
    study : str
        Name of the folder below ``raw``.
    raw, processed : path, optional
        Folders of the raw runs and of the tidy tables.
    draws : int, optional
        Bootstrap draws of each demand.

    Returns
    -------
    HoldoutData

    Raises
    ------
    RawRunError
        There is no such study, or none of its runs has a load that could be observed.

    Examples
    --------
    >>> import pipeline as qv
    >>> qv.open_holdout("kvm-case-study").predictions           # doctest: +SKIP
    """
    raw, processed = project_path(raw), project_path(processed)
    manifest = find_study(raw, study)
    runs, reasons = ingest.ingest_readable(manifest.runs(), processed)
    observations, not_observed = observe_study(manifest, processed, runs=runs, draws=draws)
    data = HoldoutData(manifest, processed, observations, reasons | not_observed)
    if not data.kinds:
        raise RawRunError(f"no run of {study} has a load that could be observed", raw)
    return data

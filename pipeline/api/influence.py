"""The designed experiments of a study: what its runs measured, effects of the factors, and what the model predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline import ingest
from pipeline.evaluate.influence import RESPONSES, Experiment, list_experiments, measure_runs
from pipeline.evaluate.influence_effects import (
    EFFECTS,
    LEVEL,
    NOISE,
    ResponseEffects,
    describe_noise,
    main_effects,
    response_effects,
)
from pipeline.evaluate.influence_model import COMPARED, PREDICTED, compare_effects, predict_runs
from pipeline.files import project_path
from pipeline.measure.window import MissingData
from pipeline.model.observation import STUDY_DRAWS, Observation, observe_study
from pipeline.raw import RawRunError, Study, find_study, nearest


@dataclass(frozen=True)
class ExperimentData:
    """The designed experiment on one virtual server; each frame is computed when first read."""

    experiment: Experiment
    runs: pl.DataFrame = field(repr=False)
    """One row per planned run (:func:`pipeline.evaluate.influence.measure_runs`)."""
    observations: list[Observation] = field(repr=False)
    """Of all runs of the study."""
    level: float = LEVEL

    @property
    def recorded(self) -> int:
        """Number of planned runs that are on disk."""
        return int(self.runs["is_recorded"].sum())

    @cached_property
    def _fits(self) -> dict[str, ResponseEffects | str]:
        """Response → its effects, or why there are none."""
        return {
            response: self._fit(response)
            for response in RESPONSES
            if self.runs[response].is_not_null().any()
        }

    def _fit(self, response: str) -> ResponseEffects | str:
        try:
            return response_effects(self.experiment, self.runs, response, level=self.level)
        except MissingData as reason:
            return str(reason)

    @property
    def fits(self) -> Mapping[str, ResponseEffects]:
        """Response → its effects and noise."""
        return {name: fit for name, fit in self._fits.items() if isinstance(fit, ResponseEffects)}

    @property
    def missing(self) -> dict[str, str]:
        """Response → why it has no effects."""
        return {name: fit for name, fit in self._fits.items() if isinstance(fit, str)}

    @property
    def effects(self) -> pl.DataFrame:
        """Effects on every response (``evaluate.influence_effects.EFFECTS``)."""
        return pl.concat([pl.DataFrame(schema=EFFECTS), *(f.table for f in self.fits.values())])

    @property
    def confounded(self) -> dict[str, list[str]]:
        """Factor → factors (``-`` before the opposite sign) whose effect the recorded runs do not separate from its."""
        rows = self.effects.filter(pl.col("factors").list.len() == 1).select("effect", "aliases")
        pairs = {effect: main_effects(aliases) for effect, aliases in rows.iter_rows()}
        return {effect: aliases for effect, aliases in pairs.items() if aliases}

    @property
    def noise(self) -> pl.DataFrame:
        """The noise of every response (``evaluate.influence_effects.NOISE``)."""
        rows = [describe_noise(self.experiment, self.runs, fit) for fit in self.fits.values()]
        return pl.DataFrame(rows, schema=NOISE, orient="row")

    @cached_property
    def predicted(self) -> pl.DataFrame:
        """Predictions of the host model for every run (``evaluate.influence_model.PREDICTED``)."""
        return predict_runs(self.observations, self.experiment.virtual_server)

    @cached_property
    def compared(self) -> pl.DataFrame:
        """Effects measured and predicted (``evaluate.influence_model.COMPARED``)."""
        frames = [pl.DataFrame(schema=COMPARED)]
        for response in self.fits:
            if response not in PREDICTED:
                continue
            try:
                frames.append(
                    compare_effects(
                        self.experiment, self.runs, self.predicted, response, level=self.level
                    )
                )
            except MissingData:
                continue  # no run has a prediction
        return pl.concat(frames)

    def adjusted(self, response: str, covariates: list[str]) -> ResponseEffects:
        """The effects on a response, adjusted for covariates. Raises ``MissingData``."""
        return response_effects(
            self.experiment, self.runs, response, covariates=covariates, level=self.level
        )


@dataclass(frozen=True)
class InfluenceData:
    """The designed experiments of a study."""

    study: Study
    experiments: list[ExperimentData]

    def __getitem__(self, virtual_server: str) -> ExperimentData:
        for each in self.experiments:
            if each.experiment.virtual_server == virtual_server:
                return each
        raise KeyError(virtual_server)


def open_influence(
    study: str,
    virtual_server: str = "",
    *,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
    level: float = LEVEL,
    draws: int = STUDY_DRAWS,
) -> InfluenceData:
    """Observe the recorded runs of a study's designed experiments; runs are ingested first if needed.

    Parameters
    ----------
    study : str
        Name of the folder below ``raw``; its study.json has ``factors``.
    virtual_server : str, optional
        Only the experiment that measures this virtual server.
    raw, processed : path, optional
        Folders of the raw runs and of the tidy tables.
    level : float, optional
        Of the intervals of the effects.
    draws : int, optional
        Bootstrap draws of each demand.

    Returns
    -------
    InfluenceData

    Raises
    ------
    RawRunError
        There is no such study, it plans no designed experiment, or none of its runs is recorded.

    Examples
    --------
    >>> import pipeline as qv
    >>> qv.open_influence("influence-factors")["web"].effects           # doctest: +SKIP
    """
    raw, processed = project_path(raw), project_path(processed)
    manifest = find_study(raw, study)
    experiments = list_experiments(manifest)
    if not experiments:
        raise RawRunError(f"study.json of {study} plans no runs with levels of factors", raw)
    names = [each.virtual_server for each in experiments]
    if virtual_server and virtual_server not in names:
        choices = ", ".join(nearest(virtual_server, names))
        raise RawRunError(f"no experiment measures {virtual_server!r}; choose from {choices}", raw)
    planned = {(run.server, run.run) for each in experiments for run in each.planned}
    recorded = [run for run in manifest.runs() if (run.server, run.run) in planned]
    if not recorded:
        raise RawRunError(f"no planned run of {study} is recorded", raw)
    runs, failed = ingest.ingest_readable(recorded, processed)
    observations, not_observed = observe_study(manifest, processed, runs=runs, draws=draws)
    data = [
        ExperimentData(
            each,
            measure_runs(each, recorded, observations, failed | not_observed, processed),
            observations,
            level,
        )
        for each in experiments
        if virtual_server in ("", each.virtual_server)
    ]
    return InfluenceData(manifest, data)

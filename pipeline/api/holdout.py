"""A study whose every run was observed: predictions of the loads held out, and the model of each virtual server."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline import ingest
from pipeline.evaluate.acceptance import judged_by_average
from pipeline.evaluate.error_decomposition import budgets
from pipeline.evaluate.holdout import predictions
from pipeline.evaluate.transfer import together
from pipeline.files import project_path
from pipeline.model.colocation import HostModels, fit_places
from pipeline.model.fit import Group, groups
from pipeline.model.observation import STUDY_DRAWS, Deployment, Observation, observe_study
from pipeline.raw import RawRunError, Study, find_study


@dataclass(frozen=True)
class HoldoutData:
    """A study with all that its runs say, computed when first asked for."""

    study: Study
    processed: Path
    observations: list[Observation] = field(repr=False)
    lost: dict[str, str]

    @cached_property
    def predictions(self) -> pl.DataFrame:
        """Form ``validate.prediction.PREDICTIONS``."""
        return predictions(self.observations)

    @cached_property
    def models(self) -> dict[Deployment, HostModels]:
        """The calibrated models, by server and virtual server."""
        return fit_places(self.observations)

    @cached_property
    def budgets(self) -> pl.DataFrame:
        """Form ``validate.budget.BUDGET``."""
        return budgets(self.observations, self.models)

    @cached_property
    def beside(self) -> pl.DataFrame:
        """Form ``validate.across.TOGETHER``."""
        return together(self.observations, self.models)

    @cached_property
    def by_average(self) -> pl.DataFrame:
        """Form ``validate.verdict.BY_AVERAGE``."""
        return judged_by_average(self.budgets)

    @cached_property
    def groups(self) -> list[Group]:
        """The runs by server and virtual server, of those that were loaded alone."""
        return groups(self.observations)

    @cached_property
    def kinds(self) -> dict[Deployment, str]:
        """The kind of load of each place: ``open`` or ``closed``."""
        return {group.deployment: group.everything[0].load.kind for group in self.groups}

    @property
    def places(self) -> list[Deployment]:
        """Server and virtual server, of those that were loaded alone."""
        return list(self.kinds)


def open_holdout(
    study: str,
    *,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
    draws: int = STUDY_DRAWS,
) -> HoldoutData:
    """A study, all its runs ingested and observed. ``RawRunError`` if there is no such study."""
    raw, processed = project_path(raw), project_path(processed)
    known = find_study(raw, study)
    ingest.ensure_ingested(known.runs(), processed)
    data = HoldoutData(known, processed, *observe_study(known, processed, draws=draws))
    if not data.kinds:
        raise RawRunError(f"no run of {study} has a load that could be observed", raw)
    return data

"""A study: the runs of its case study on every server."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipeline import ingest
from pipeline.api import texts as api_texts
from pipeline.api.compare import compare_runs
from pipeline.api.html import study_html
from pipeline.api.paper_tables import df_paper_tables
from pipeline.api.run import RunData
from pipeline.api.runs import response_times, runs_of_study
from pipeline.evaluate import published
from pipeline.evaluate.server_ratio import server_ratio
from pipeline.files import project_path
from pipeline.raw import RawRunError, Study, find_study, nearest, read_study

if TYPE_CHECKING:
    from pipeline.api.fit import FittedModel


@dataclass(frozen=True)
class CaseStudy:
    """The runs of the case study (the paper's Tables I and II) that could be ingested."""

    runs: dict[tuple[str, str], RunData]
    """(server, virtual server) → its run, alone on the host."""
    colocated: dict[str, RunData]
    """Server → the run in which several virtual servers had a load."""
    missing: list[str]
    """Runs that are missing or could not be read, with the reason."""


@dataclass(frozen=True)
class StudyData:
    """A study: its recorded runs and its case study. A run is ingested when it is first used."""

    study: Study
    raw: Path
    processed: Path
    _models: dict[tuple[str, str], FittedModel] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def runs(self) -> pl.DataFrame:
        """The recorded runs, one row each, ingested or not. Schema: ``api.runs.STUDY_RUNS``."""
        return runs_of_study(self.study, self.processed)

    @property
    def response_times(self) -> pl.DataFrame:
        """What the client measured under every load, one row each. Schema: ``runs.RESPONSE_TIMES``.

        Every run of the study is ingested first if needed.
        """
        return response_times(self.study, self.processed)

    def fit(self, server: str, virtual_server: str) -> FittedModel:
        """The model of a virtual server on a server, fitted to its runs when first asked for.

        The runs are ingested first if needed. Held-out runs, and runs with another load beside, are not used.

        Raises ``RawRunError`` for an unknown server or virtual server, ``MissingData`` where no run can be fitted to.

        Examples
        --------
        >>> import pipeline as qv
        >>> model = qv.open_study("kvm-case-study").fit("first", "db")
        >>> predicted = model.predict(qv.closed(16))
        >>> f"R {predicted.response_ms:.0f} ms, X {predicted.throughput_per_s:.1f}/s"
        'R 898 ms, X 17.8/s'
        >>> model.predict(qv.closed(64)).warnings
        ('64 threads: outside the range of the fit (1 to 16 threads)',)
        """
        from pipeline.api.fit import fit_model  # SciPy: not for a study whose tables are read

        if (server, virtual_server) not in self._models:
            fitted = fit_model(self.study, self.processed, server, virtual_server)
            self._models[server, virtual_server] = fitted
        return self._models[server, virtual_server]

    def tables(self) -> pl.DataFrame:
        """Tables I and II in the paper's layout: published numbers, and the two variants of the case study's runs.

        Columns: ``server``, ``virtual servers``, ``source``, ``R_cpu (ms)``, ``R_vdisk (ms)``, ``R_disk (ms)``,
        ``X (req/s)``. :func:`write_frame` makes CSV, LaTeX or a spreadsheet of it.

        Examples
        --------
        >>> import pipeline as qv
        >>> tables = qv.open_study("kvm-case-study").tables()
        >>> tables.row(0)
        ('first', 'web server', 'published', 0.75, 0.33, 1.6, 5.0)
        """
        return df_paper_tables(self)

    def compare(self, a: str, b: str) -> pl.DataFrame:
        """Two servers, or two runs, side by side.

        Parameters
        ----------
        a, b : str
            Two servers of the case study, the better one first, or two runs (``"server/run"``).

        Returns
        -------
        polars.DataFrame
            Of servers: how many times the first is better, with 95 % intervals, schema
            ``evaluate.server_ratio.SERVER_RATIO``. Of runs: every number of the two ledgers with its ratio b / a,
            schema ``compare.RUN_COMPARISON``.

        Raises
        ------
        RawRunError
            There is no such server or run.

        Examples
        --------
        >>> import pipeline as qv
        >>> study = qv.open_study("kvm-case-study")
        >>> runs = study.compare("first/db-16-a", "second/db-16-a")
        >>> runs.filter(quantity="R_client").select("a", "b").row(0)
        (1.08986, 2.91656)
        """
        if "/" in a and "/" in b:
            return compare_runs(self[a], self[b])
        for name in (a, b):
            if name not in self.servers:
                message = api_texts.unknown_name("server", name, nearest(name, self.servers))
                raise RawRunError(message, self.study.path)
        return self.server_ratio(a, b)

    def __getitem__(self, name: str) -> RunData:
        """The run ``server/run``, ingested first if needed; ``RawRunError``, with the nearest names, without one."""
        run = self.study.find_run(name)
        ingest.ensure_ingested([run], self.processed)
        return RunData(self.study, run, self.processed)

    def _repr_html_(self) -> str:
        return study_html(self)

    __iter__ = None
    """Not iterable: the names are in ``runs``."""

    @cached_property
    def case_study(self) -> CaseStudy:
        """The runs of the case study, ingested when first read."""
        return _open_case_study(self.study, self.processed)

    @property
    def case_study_runs(self) -> dict[tuple[str, str], RunData]:
        """(server, virtual server) → its run of the case study, alone on the host."""
        return self.case_study.runs

    @property
    def colocated(self) -> dict[str, RunData]:
        """Server → the run of the case study in which several virtual servers had a load."""
        return self.case_study.colocated

    @property
    def missing(self) -> list[str]:
        """Runs of the case study that are missing or could not be read, with the reason."""
        return self.case_study.missing

    @property
    def servers(self) -> list[str]:
        """The physical servers that have a run of the case study, in the study's order."""
        recorded = {server for server, _ in self.case_study_runs}
        return [server for server in self.study.servers if server in recorded]

    @property
    def virtual_servers(self) -> list[str]:
        """The virtual servers of the case study, in the study's order."""
        return self.study.ordered(virtual for _, virtual in self.case_study_runs)

    @property
    def titles(self) -> dict[str, str]:
        """Name → display name of each virtual server of the study."""
        names = [
            *self.study.case_study,
            *(vs for run in self.colocated.values() for vs in run.titles),
        ]
        return {name: self.study.title_of(name) for name in names}

    @property
    def published(self) -> pl.DataFrame:
        """Tables I and II of the paper, of the servers and virtual servers that have the same names here."""
        return published.read_tables(self.raw).filter(
            pl.col("server").is_in(self.study.servers)
            & pl.col("virtual_server").is_in(list(self.study.case_study))
        )

    def server_ratio(self, better: str, worse: str) -> pl.DataFrame:
        """How many times ``better`` is better than ``worse``, schema ``evaluate.server_ratio.SERVER_RATIO``."""
        runs = {place: data.run for place, data in self.case_study_runs.items()}
        return server_ratio(self.study, runs, self.published, self.processed, better, worse)


def open_study(
    study: str | Path, *, raw: str | Path = "data/raw", processed: str | Path = "data/processed"
) -> StudyData:
    """Open a study; its runs are ingested when they are first used.

    Parameters
    ----------
    study : str or path
        Name of a folder below ``raw``, or the path of a study's folder anywhere.
    raw, processed : path, optional
        Folders of the raw runs and of the tidy tables.

    Returns
    -------
    StudyData

    Raises
    ------
    RawRunError
        There is no such study; the message names those that there are.

    Examples
    --------
    >>> import pipeline as qv
    >>> study = qv.open_study("kvm-case-study")
    >>> study.runs.height
    160
    >>> study["first/db-16-a"].run.id
    'kvm-case-study/first/db-16-a'
    """
    raw, processed = project_path(raw), project_path(processed)
    folder = project_path(study)
    is_name = (raw / study / "study.json").is_file() and (raw / study).parent == raw
    if not is_name and (folder / "study.json").is_file():
        return StudyData(read_study(folder.absolute()), folder.absolute().parent, processed)
    return StudyData(find_study(raw, str(study)), raw, processed)


def _open_case_study(study: Study, processed: Path) -> CaseStudy:
    """The runs that study.json names under ``case_study``, on each server, ingested."""
    runs: dict[tuple[str, str], RunData] = {}
    colocated: dict[str, RunData] = {}
    missing = []
    for key, name in study.case_study.items():
        for server in study.servers:
            recorded = next(iter(study.runs(server, name)), None)
            if recorded is None:
                missing.append(f"{server}/{name}: no such run")
                continue
            try:
                ingest.ensure_ingested([recorded], processed)
            except ingest.IngestError as error:
                missing.append(f"{server}/{name}: {error}")
                continue
            run = RunData(study, recorded, processed)
            if len(run.loaded) > 1:
                colocated[server] = run
            elif key in run.run.virtual_servers:
                runs[server, key] = run
            else:
                missing.append(
                    f"{server}/{name}: study.json names it as the run of {key}, which has no load in it"
                )
    return CaseStudy(runs, colocated, missing)


def two_servers(data: StudyData) -> tuple[str, str]:
    """The first two servers of a study with a virtual server in common.

    Raises ``RawRunError`` if there are no two.
    """
    runs_by_server = Counter(virtual for _, virtual in data.case_study_runs)
    shared = [
        server
        for server in data.servers
        if any(
            runs_by_server[vs] > 1 and (server, vs) in data.case_study_runs
            for vs in data.virtual_servers
        )
    ]
    if len(shared) < 2:
        why = "; ".join(data.missing) or "study.json names no run in case_study"
        raise RawRunError(
            f"no virtual server has a run of the case study on two servers, so no servers can be compared: {why}",
            data.study.path / "study.json",
        )
    return shared[0], shared[1]

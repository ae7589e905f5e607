"""A study: the runs of its case study on every server."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline import ingest
from pipeline.api.run import RunData
from pipeline.evaluate import published
from pipeline.evaluate.server_ratio import server_ratio
from pipeline.files import project_path
from pipeline.raw import RawRunError, Study, find_study


@dataclass(frozen=True)
class StudyData:
    """A study with the runs of its case study."""

    study: Study
    raw: Path
    runs: dict[tuple[str, str], RunData]
    """(server, virtual server) → its run of the case study, alone on the host."""
    colocated: dict[str, RunData]
    """Server → the run of the case study in which several virtual servers had a load."""
    missing: list[str]
    """Runs of the case study that are missing or could not be read, with the reason."""

    @property
    def servers(self) -> list[str]:
        """The physical servers that have a run of the case study, in the study's order."""
        recorded = {server for server, _ in self.runs}
        return [server for server in self.study.servers if server in recorded]

    @property
    def virtual_servers(self) -> list[str]:
        """The virtual servers of the case study, in the study's order."""
        return self.study.ordered(virtual for _, virtual in self.runs)

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
        runs = {place: data.run for place, data in self.runs.items()}
        processed = next((data.processed for data in self.runs.values()), Path())
        return server_ratio(self.study, runs, self.published, processed, better, worse)


def open_study(
    study: str, *, raw: str | Path = "data/raw", processed: str | Path = "data/processed"
) -> StudyData:
    """Open a study; the runs of its case study are ingested first if needed.

    Parameters
    ----------
    study : str
        Name of the folder below ``raw``.
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
    >>> study = qv.open_study("kvm-case-study")             # doctest: +SKIP
    >>> study.runs["first", "db"].ledger                    # doctest: +SKIP
    >>> study.server_ratio("first", "second")               # doctest: +SKIP
    """
    raw, processed = project_path(raw), project_path(processed)
    manifest = find_study(raw, study)
    runs: dict[tuple[str, str], RunData] = {}
    colocated: dict[str, RunData] = {}
    missing = []
    for key, name in manifest.case_study.items():
        for server in manifest.servers:
            try:
                recorded = ingest.ensure_ingested_run(raw, processed, study, server, name)
            except (RawRunError, ingest.IngestError) as error:
                missing.append(f"{server}/{name}: {error}")
                continue
            run = RunData(manifest, recorded, processed)
            if len(run.loaded) > 1:
                colocated[server] = run
            elif key in run.run.virtual_servers:
                runs[server, key] = run
            else:
                missing.append(
                    f"{server}/{name}: study.json names it as the run of {key}, which has no load in it"
                )
    return StudyData(manifest, raw, runs, colocated, missing)


def two_servers(data: StudyData) -> tuple[str, str]:
    """The first two servers of a study with a virtual server in common.

    Raises ``RawRunError`` if there are no two.
    """
    runs_by_server = Counter(virtual for _, virtual in data.runs)
    shared = [
        server
        for server in data.servers
        if any(runs_by_server[vs] > 1 and (server, vs) in data.runs for vs in data.virtual_servers)
    ]
    if len(shared) < 2:
        why = "; ".join(data.missing) or "study.json names no run in case_study"
        raise RawRunError(
            f"no virtual server has a run of the case study on two servers, so no servers can be compared: {why}",
            data.study.path / "study.json",
        )
    return shared[0], shared[1]

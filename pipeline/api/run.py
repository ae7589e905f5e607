"""One run with its tables, ledger, checks, and the model against the client."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline import ingest, ledger
from pipeline.evaluate.single_run import evaluate_run
from pipeline.files import project_path
from pipeline.measure.cpu_limit import cpu_limit
from pipeline.measure.run_tables import RunTables
from pipeline.measure.virtual_server import RunCounters
from pipeline.quality.assess import check_run, flag_failed_checks
from pipeline.quality.cross_check import cross_check_run
from pipeline.raw import Run, Study, VirtualServer, find_study


@dataclass(frozen=True)
class RunData:
    """One run: its stored tables, ledger, checks and model; each is computed when first read.

    Examples
    --------
    >>> import pipeline as qv
    >>> run = qv.open_run("kvm-case-study", "first", "db-16-a")   # doctest: +SKIP
    >>> run.table("top_processes", role="db").height               # doctest: +SKIP
    >>> run.ledger.filter(quantity="R_disk")                       # doctest: +SKIP
    """

    study: Study
    run: Run
    processed: Path

    def table(self, name: str, role: str | None = None) -> pl.DataFrame:
        """A tidy table of this run (docs/reference/tables.md), of one role or of all; no rows where its log is missing.

        Parameters
        ----------
        name : str
            Name of the table, for example ``"top_processes"``.
        role : str, optional
            Machine that was recorded: ``"host"``, ``"client"`` or a virtual server's role.

        Returns
        -------
        polars.DataFrame
        """
        return RunTables(self.run, self.processed).table(name, role)

    @cached_property
    def ingest_problems(self) -> list[str]:
        """Problems and warnings of the logs, as found when the run was ingested."""
        manifest = ingest.manifest(self.processed, self.run.study, self.run.server, self.run.run)
        return [
            sentence
            for row in manifest.iter_rows(named=True)
            for key in ("problems", "warnings")
            for sentence in row[key]
        ]

    @cached_property
    def cross_checks(self) -> pl.DataFrame:
        """One row per quantity that two sources measured, and whether they agree (``quality.cross_check``)."""
        return cross_check_run(RunTables(self.run, self.processed), cpu_limit(self.study, self.run))

    @cached_property
    def checks(self) -> pl.DataFrame:
        """The quality checks of every loaded virtual server, one row each (``quality.check.CHECKS``)."""
        return check_run(self.run, self.study, self.processed, self._unmarked, self.cross_checks)

    @cached_property
    def ledger(self) -> pl.DataFrame:
        """Every number of the equations with its interval, variant and flags (``tables.LEDGER``)."""
        return flag_failed_checks(self._unmarked, self.checks)

    @cached_property
    def model_results(self) -> pl.DataFrame:
        """X and R of the host model against the client, one row per loaded virtual server (``evaluate.single_run``)."""
        return evaluate_run(self.study, self.run, self.processed, self.checks)

    @cached_property
    def _unmarked(self) -> pl.DataFrame:
        return ledger.run_ledger(self.run, self.processed)

    @property
    def cpus(self) -> float:
        """CPUs that the host's guests may use together."""
        return cpu_limit(self.study, self.run).cpus

    def counters(self, virtual_server: str) -> RunCounters:
        """The counters of one virtual server of the run, on the client's clock."""
        return RunCounters(self.run, self.run.virtual_servers[virtual_server], self.processed)

    def drop_single_server(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` without its column ``virtual_server`` if only one had a load."""
        return frame if len(self.loaded) > 1 else frame.drop("virtual_server")

    @property
    def loaded(self) -> list[VirtualServer]:
        """The virtual servers with a load in this run, in the study's order."""
        servers = {n: s for n, s in self.run.virtual_servers.items() if s.workload is not None}
        return [servers[name] for name in self.study.ordered(servers)]

    def title(self, virtual_server: str) -> str:
        """The display name of a virtual server."""
        return self.study.title_of(virtual_server)

    @property
    def titles(self) -> dict[str, str]:
        """Name → display name of each virtual server of the run."""
        return {name: self.title(name) for name in self.run.virtual_servers}


def open_run(
    study: str,
    server: str,
    run: str,
    *,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
) -> RunData:
    """Open one recorded run; it is ingested first if its tables are missing or stale.

    Parameters
    ----------
    study, server, run : str
        Names of the folders below ``raw``.
    raw, processed : path, optional
        Folders of the raw runs and of the tidy tables; relative ones also from below the repository.

    Returns
    -------
    RunData

    Raises
    ------
    RawRunError
        There is no such run; the message names the nearest.
    IngestError
        The run cannot be ingested.

    Examples
    --------
    >>> import pipeline as qv
    >>> qv.open_run("kvm-case-study", "first", "web-005-a").checks      # doctest: +SKIP
    """
    raw, processed = project_path(raw), project_path(processed)
    recorded = ingest.ensure_ingested_run(raw, processed, study, server, run)
    return RunData(find_study(raw, study), recorded, processed)

"""One run with what the pipeline computes of it: tables, ledger, checks and the model beside the client."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline import ingest, ledger
from pipeline.evaluate.single_run import run_model
from pipeline.files import project_path
from pipeline.measure.cpu_limit import cpu_limit
from pipeline.measure.run_tables import RunTables
from pipeline.measure.virtual_server import RunCounters
from pipeline.quality.assess import mark, run_gate
from pipeline.quality.cross_check import instruments
from pipeline.raw import Run, Study, VirtualServer, find_study


@dataclass(frozen=True)
class RunData:
    """One run with what the pipeline knows of it; tables are read when they are first asked for."""

    study: Study
    run: Run
    processed: Path

    def rows(self, table: str, role: str | None = None) -> pl.DataFrame:
        """A stored table of this run, of one role or of all; no rows where the log is missing."""
        return RunTables(self.run, self.processed).table(table, role)

    @cached_property
    def ingest_problems(self) -> list[str]:
        """What could not be read when the run was ingested, a sentence each."""
        books = ingest.manifest(self.processed, self.run.study, self.run.server, self.run.run)
        return [
            sentence
            for row in books.iter_rows(named=True)
            for key in ("problems", "warnings")
            for sentence in row[key]
        ]

    @cached_property
    def instruments(self) -> pl.DataFrame:
        """Every quantity that two instruments measured, form ``validate.instruments.INSTRUMENTS``."""
        return instruments(RunTables(self.run, self.processed), cpu_limit(self.study, self.run))

    @cached_property
    def checks(self) -> pl.DataFrame:
        """The gate's checks of every loaded virtual server, form ``validate.checks.CHECKS``."""
        return run_gate(self.run, self.study, self.processed, self._unmarked, self.instruments)

    @cached_property
    def ledger(self) -> pl.DataFrame:
        """The run's ledger, form ``tables.LEDGER``, with the gate's marks among its flags."""
        return mark(self._unmarked, self.checks)

    @cached_property
    def modelled(self) -> pl.DataFrame:
        """Our model of every loaded virtual server beside the client, form ``validate.run_model.RUN_MODEL``."""
        return run_model(self.study, self.run, self.processed, self.checks)

    @cached_property
    def _unmarked(self) -> pl.DataFrame:
        return ledger.run_ledger(self.run, self.processed)

    @property
    def cpus(self) -> float:
        """CPUs that the host's guests may use together."""
        return cpu_limit(self.study, self.run).cpus

    def counters(self, virtual_server: str) -> RunCounters:
        """What was counted for a virtual server of the run."""
        return RunCounters(self.run, self.run.virtual_servers[virtual_server], self.processed)

    def told_apart(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` without its column ``virtual_server`` where one alone had a load."""
        return frame if len(self.loaded) > 1 else frame.drop("virtual_server")

    @property
    def loaded(self) -> list[VirtualServer]:
        """The virtual servers that had a load in this run, in the study's order."""
        servers = {n: s for n, s in self.run.virtual_servers.items() if s.workload is not None}
        return [servers[name] for name in self.study.ordered(servers)]

    def title(self, virtual_server: str) -> str:
        """A virtual server in words."""
        return self.study.title_of(virtual_server)

    @property
    def titles(self) -> dict[str, str]:
        """Each virtual server of the run in words."""
        return {name: self.title(name) for name in self.run.virtual_servers}


def open_run(
    study: str,
    server: str,
    run: str,
    *,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
) -> RunData:
    """One run, ingested if it was not yet. ``RawRunError`` names the nearest where there is none."""
    raw, processed = project_path(raw), project_path(processed)
    found = ingest.ensure_ingested_run(raw, processed, study, server, run)
    return RunData(find_study(raw, study), found, processed)

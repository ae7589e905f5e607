"""One run with its tables, ledger, checks, and the model against the client."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipeline import ingest, ledger
from pipeline.api import texts as api_texts
from pipeline.api.html import run_html
from pipeline.api.timeline import df_qemu_threads
from pipeline.api.writers import df_writers
from pipeline.demands.service_demand import RunDemands, estimate_demands
from pipeline.evaluate.single_run import evaluate_run
from pipeline.files import project_path
from pipeline.measure.cpu_limit import cpu_limit
from pipeline.measure.logged_times import PERCENTILES, has_logged_times, logged_times
from pipeline.measure.run_tables import RunTables
from pipeline.measure.virtual_server import STATIONS, RunCounters, value_or_reason
from pipeline.measure.window import MissingData
from pipeline.quality.assess import check_run, flag_failed_checks
from pipeline.quality.check import failed_first
from pipeline.quality.cross_check import cross_check_run
from pipeline.raw import (
    HOST,
    RawRunError,
    Run,
    Study,
    VirtualServer,
    find_run,
    find_study,
    nearest,
    read_study,
)
from pipeline.tables import floats, of_rows, texts

if TYPE_CHECKING:
    from pipeline.api.plot import RunPlots

WARNINGS = pl.Schema(
    texts("virtual_server", "subject", "quantity", "variant")
    | floats("value")
    | texts("unit", "flag")
)
"""One row per flag of a row of the ledger: the number, and the warning or the reason why it is null."""

LOGGED_RESPONSE_TIMES = (
    texts("virtual_server")
    | {"requests": pl.Int64, "untimed": pl.Int64}
    | floats("mean_ms", *(f"p{percentile}_ms" for percentile in PERCENTILES), "resolution_ms")
)
"""``requests``: with a response time; ``untimed``: without one; ``p95_ms``: 95 % of the requests took at most so long;
``resolution_ms``: the unit of the log."""

DEMANDS = (
    texts("virtual_server", "station")
    | floats("value_ms", "low_ms", "high_ms", "background_ms")
    | {"flags": pl.List(pl.String)}
)
"""One row per station of a virtual server: its service demand per request with the 95 % interval of a bootstrap; the
station's background time per request, which the demand does not contain, null without an idle baseline; warnings, or
the reason of a null. Stations: ``guest_cpu`` (the server's processes), ``host_cpu`` (the whole QEMU), ``vdisk`` (the
guest's disk), ``disk`` (the host's disk under it)."""


@dataclass(frozen=True)
class RunData:
    """One run: its stored tables, ledger, checks and model; each is computed when first read.

    Examples
    --------
    >>> import pipeline as qv
    >>> run = qv.open_run("kvm-case-study", "first", "db-16-a")
    >>> run.table("top_processes", role="db").height
    8501
    >>> run.ledger.filter(quantity="R_client")["value"].round(3).to_list()
    [1.09]
    >>> run.demands.filter(station="host_cpu")["value_ms"].round(3).to_list()
    [57.655]
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
        """The quality checks of every loaded virtual server, failed ones first (``quality.check.CHECKS``)."""
        checks = check_run(self.run, self.study, self.processed, self._unmarked, self.cross_checks)
        return failed_first(checks)

    @cached_property
    def demands(self) -> pl.DataFrame:
        """Service demands of every loaded virtual server, one row per station. Schema: ``DEMANDS``."""
        rows = []
        for vs in self.loaded:
            estimate = value_or_reason(lambda vs=vs: estimate_demands(self.counters(vs.name)))
            rows += [_demand_row(self.run, vs.name, station, estimate) for station in STATIONS]
        return of_rows(rows, DEMANDS)

    @cached_property
    def ledger(self) -> pl.DataFrame:
        """Every number of the equations with its interval, variant and flags (``tables.LEDGER``)."""
        return flag_failed_checks(self._unmarked, self.checks)

    @property
    def warnings(self) -> pl.DataFrame:
        """The flags of the ledger, one row per number and flag. Schema: ``WARNINGS``."""
        flags = self.ledger.with_columns(flag="flags").explode("flag").drop_nulls("flag")
        return flags.select(WARNINGS.names())

    def top_writers(self, role: str = HOST) -> pl.DataFrame:
        """Processes of a machine by the bytes that they wrote under the load. Schema: ``writers.WRITERS``.

        Raises ``MissingData`` without iotop's log of that role.

        Examples
        --------
        >>> import pipeline as qv
        >>> run = qv.open_run("kvm-case-study/first/db-16-a")
        >>> run.top_writers("db").select("process", "is_collector").rows()[:3]
        [('mariadbd', False), ('{no such process}', False), ('python3', True)]
        """
        return df_writers(self, role)

    @cached_property
    def model_results(self) -> pl.DataFrame:
        """X and R of the host model against the client, one row per loaded virtual server (``evaluate.single_run``)."""
        return evaluate_run(self.study, self.run, self.processed, self.checks)

    @cached_property
    def _unmarked(self) -> pl.DataFrame:
        return ledger.run_ledger(self.run, self.processed)

    @cached_property
    def logged_response_times(self) -> pl.DataFrame:
        """Response times in the servers' own logs, over the load. Schema: ``LOGGED_RESPONSE_TIMES``.

        One row per loaded virtual server whose access log has them.
        """
        tables, rows = RunTables(self.run, self.processed), []
        for vs in self.loaded:
            if not has_logged_times(tables, vs):
                continue
            times = value_or_reason(lambda vs=vs: logged_times(tables, vs))
            if isinstance(times, str):
                continue
            times_s = (times.mean_s.value, *times.percentiles_s.values(), times.resolution_s)
            counts = (int(times.requests.value), times.untimed)
            rows.append((vs.name, *counts, *(1e3 * time_s for time_s in times_s)))
        return of_rows(rows, LOGGED_RESPONSE_TIMES)

    @property
    def cpus(self) -> float:
        """CPUs that the host's guests may use together."""
        return cpu_limit(self.study, self.run).cpus

    def counters(self, virtual_server: str) -> RunCounters:
        """The counters of one virtual server of the run, on the client's clock."""
        return RunCounters(self.run, self.run.virtual_servers[virtual_server], self.processed)

    def _repr_html_(self) -> str:
        return run_html(self)

    def drop_single_server(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` without its column ``virtual_server`` if only one had a load."""
        return frame if len(self.loaded) > 1 else frame.drop("virtual_server")

    def threads(
        self, virtual_server: str | None = None, *, step_s: float = 1.0, role: str | None = None
    ) -> pl.DataFrame:
        """CPU of QEMU's threads on the host over time. Schema: ``timeline.THREADS``.

        Parameters
        ----------
        virtual_server : str, optional
            By default the first with a load.
        step_s : float, optional
            Means over so long, seconds; not below the interval of the task counters.
        role : str, optional
            Only threads of that role, for example ``"vcpu"``.

        Raises
        ------
        MissingData
            Without task counters of the host, or where no thread has the role.

        Examples
        --------
        >>> import pipeline as qv
        >>> vcpu = qv.open_run("kvm-case-study/second/db-16-a").threads("db", role="vcpu")
        >>> vcpu["thread"].unique().to_list(), vcpu.height
        (['CPU 0/TCG'], 159)
        """
        name = self.virtual_server(virtual_server)
        frame = df_qemu_threads(self, name, step_s)
        if role is None:
            return frame
        roles = frame["thread_role"].drop_nulls().unique().sort()
        if role not in roles:
            raise MissingData(api_texts.no_thread_of_role(name, role, roles))
        return frame.filter(pl.col("thread_role") == role)

    @property
    def plot(self) -> RunPlots:
        """Charts of the run (:class:`RunPlots`), for example ``run.plot.utilization()``."""
        from pipeline.api.plot import RunPlots  # Altair: not for a run whose tables are read

        return RunPlots(self)

    def virtual_server(self, name: str | None = None) -> str:
        """``name``, or the first virtual server with a load; ``RawRunError`` if the run has none of that name."""
        if name is None and self.loaded:
            return self.loaded[0].name
        if name not in self.run.virtual_servers:
            names = list(self.run.virtual_servers)
            message = api_texts.unknown_name("virtual server", name or "", nearest(name, names))
            raise RawRunError(message, self.run.path)
        return name

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


def _demand_row(
    run: Run, virtual_server: str, station: str, estimate: RunDemands | str
) -> tuple[object, ...]:
    """A row of ``DEMANDS``; ``estimate``: the run's demands, or why there are none."""
    keys = (virtual_server, station)
    if isinstance(estimate, str):
        return (*keys, None, None, None, None, [estimate])
    demand = estimate.demands.get(station)
    if demand is None:
        return (*keys, None, None, None, None, [estimate.missing[station]])
    times_ms = [1e3 * time_s for time_s in (demand.value_s, demand.low_s, demand.high_s)]
    background_ms = None
    if run.idle_before is not None:
        background_ms = 1e3 * demand.background_per_s / estimate.throughput_per_s
    return (*keys, *times_ms, background_ms, list(demand.flags))


def open_run(
    study: str | Path,
    server: str | None = None,
    run: str | None = None,
    *,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
) -> RunData:
    """Open one recorded run; it is ingested first if its tables are missing or stale.

    Parameters
    ----------
    study, server, run : str
        Names of the folders below ``raw``. Instead of three names: ``"study/server/run"``, or the path of a run's
        folder, whose study may have no study.json.
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
    >>> qv.open_run("kvm-case-study/first/web-005-a").checks["result"][0]
    'inconclusive'
    >>> qv.open_run("kvm-case-study", "first", "web-005-a").run.id
    'kvm-case-study/first/web-005-a'
    """
    raw, processed = project_path(raw), project_path(processed)
    folder = project_path(study)
    if server is None and (folder / "run.json").is_file():
        manifest = read_study(folder.absolute().parents[1])
        recorded = manifest.find_run(f"{folder.absolute().parent.name}/{folder.name}")
    else:
        run_id = "/".join(str(name) for name in (study, server, run) if name is not None)
        names = (*run_id.split("/", 2), "", "")[:3]
        recorded, manifest = find_run(raw, *names), find_study(raw, names[0])
    ingest.ensure_ingested([recorded], processed)
    return RunData(manifest, recorded, processed)

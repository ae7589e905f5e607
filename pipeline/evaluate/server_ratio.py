"""Ratio of two servers, quantity by quantity, with confidence intervals over replications."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import ingest
from pipeline import ledger as ledgers
from pipeline.evaluate.replication import Ratio, geometric_mean_ratio
from pipeline.evaluate.texts import PRINTED_WITHOUT_INTERVAL, SOURCES
from pipeline.ledger.catalogue import AS_PRINTED, CORRECTED
from pipeline.ledger.lookup import value_of
from pipeline.measure.window import MissingData
from pipeline.model.observation import Observation, observe
from pipeline.raw import RawRunError, Run, Study, Workload
from pipeline.tables import floats, of_rows, texts

Array = NDArray[np.float64]

PUBLISHED = "published"
CLIENT = SOURCES["client"]
FROM_DEMANDS = SOURCES["demands"]

STATIONS = {
    "D_guest_cpu": "guest_cpu",
    "D_host_cpu": "host_cpu",
    "D_vdisk": "vdisk",
    "D_disk": "disk",
}
"""Quantity → the station whose service demand it is."""

SERVER_RATIO = pl.Schema(
    texts("virtual_server", "quantity", "source")
    | floats("ratio", "low", "high")
    | texts("runs", "note")
)
"""One row per quantity and source: the ratio worse / better of a time, better / worse of a throughput, so that above 1
the better server is better; its 95 % interval; the number of runs of that load (better, worse), and a note."""


@dataclass(frozen=True)
class _Replications:
    """Observations and ledgers of the replications of one load on one server."""

    observations: list[Observation]
    ledgers: list[pl.DataFrame]


def server_ratio(
    study: Study,
    runs: Mapping[tuple[str, str], Run],
    published: pl.DataFrame,
    processed: Path,
    better: str,
    worse: str,
) -> pl.DataFrame:
    """Compare two servers at the loads of the case study.

    Parameters
    ----------
    study
        All its runs with the load of the case study on a virtual server alone on its host are replications.
    runs
        (server, virtual server) → the run of the case study.
    published
        The paper's Tables I and II (:func:`pipeline.evaluate.published.read_tables`).
    processed
        Folder of the ingested tables.
    better, worse
        The two servers.

    Returns
    -------
    DataFrame
        Schema ``SERVER_RATIO``.
    """
    rows = []
    for virtual in study.ordered(name for _, name in runs):
        rows += list(_published(published, virtual, better, worse))
        if (better, virtual) in runs and (worse, virtual) in runs:
            sides = [
                _replications(study, runs[server, virtual], virtual, processed)
                for server in (better, worse)
            ]
            rows += list(_recorded(virtual, *sides))
    return of_rows(rows, SERVER_RATIO)


def replications(study: Study, run: Run, virtual: str) -> list[Run]:
    """Runs of the study on the server of ``run`` with its load on ``virtual``, alone on its host."""
    load = run.virtual_servers[virtual].workload
    runs = []
    for each in study.runs(run.server):
        loaded = [s for s in each.virtual_servers.values() if s.workload is not None]
        if [s.name for s in loaded] == [virtual] and _load(loaded[0].workload) == _load(load):
            runs.append(each)
    return runs


def _load(work: Workload | None) -> tuple | None:
    if work is None:
        return None
    return (work.kind, work.rate_per_s, work.arrivals, work.population, work.think_time_s)


def _replications(study: Study, run: Run, virtual: str, processed: Path) -> _Replications:
    observations, run_ledgers = [], []
    for each in replications(study, run, virtual):
        try:
            ingest.ensure_ingested([each], processed)
            observations.append(observe(study, each, each.virtual_servers[virtual], processed))
        except (MissingData, ingest.IngestError, RawRunError):
            continue  # a run without the client's report or its window is not a replication
        run_ledgers.append(ledgers.run_ledger(each, processed))
    return _Replications(observations, run_ledgers)


def _published(tables: pl.DataFrame, virtual: str, better: str, worse: str) -> Iterator[tuple]:
    values = {}
    for row in tables.filter(pl.col("virtual_server") == virtual).iter_rows(named=True):
        values[row["server"]] = sum(row[f"r_{part}_ms"] for part in ("cpu", "vdisk", "disk"))
    if better in values and worse in values and values[better] > 0:
        ratio = values[worse] / values[better]
        note = PRINTED_WITHOUT_INTERVAL
        yield _row(virtual, "R_req", SOURCES[PUBLISHED], Ratio(ratio, None, None, (1, 1), note))


def _recorded(virtual: str, better: _Replications, worse: _Replications) -> Iterator[tuple]:
    responses, throughputs = (
        [[np.array([getattr(run, name)]) for run in side.observations] for side in (better, worse)]
        for name in ("response_time_s", "throughput_per_s")
    )
    yield _compare(virtual, "R_req", CLIENT, *responses)
    if any(run.load.kind == "closed" for run in better.observations):
        yield _compare(virtual, "X_req", CLIENT, *reversed(throughputs))
    for quantity, station in STATIONS.items():
        sides = [[_draws(run, station) for run in side.observations] for side in (better, worse)]
        yield _compare(virtual, quantity, FROM_DEMANDS, *sides)
    for variant in (AS_PRINTED, CORRECTED):
        for quantity in ("R_cpu", "R_vdisk", "R_disk", "R_req"):
            sides = [
                [
                    _number(value_of(run_ledger, virtual, quantity, variant))
                    for run_ledger in side.ledgers
                ]
                for side in (better, worse)
            ]
            yield _compare(virtual, quantity, SOURCES[variant], *sides)


def _draws(run: Observation, station: str) -> Array:
    demand = run.run_demands.demands.get(station)
    return _number(None) if demand is None else np.append(demand.value_s, demand.draws_s)


def _number(value: float | None) -> Array:
    return np.array([np.nan if value is None else value])


def _compare(
    virtual: str, quantity: str, source: str, below: list[Array], above: list[Array]
) -> tuple:
    """``above`` / ``below``; the seed depends on the comparison only."""
    seed = crc32(f"{virtual}/{quantity}/{source}".encode())
    try:
        ratio = geometric_mean_ratio(above, below, seed=seed)
    except MissingData as reason:
        return (virtual, quantity, source, *[None] * 4, str(reason))
    return _row(virtual, quantity, source, ratio)


def _row(virtual: str, quantity: str, source: str, ratio: Ratio) -> tuple:
    run_counts = f"{ratio.runs[1]}, {ratio.runs[0]}"
    values = (ratio.value, ratio.low, ratio.high, run_counts, ratio.note)
    return (virtual, quantity, source, *values)

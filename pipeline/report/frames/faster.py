"""How many times the better server is faster, quantity by quantity, with intervals over repeated runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import ingest, ledger
from pipeline.evaluate.replication import Ratio, ratio
from pipeline.measure.window import Unmeasured
from pipeline.model.observation import Observation, observe
from pipeline.raw import RawRunError, Run, Workload
from pipeline.report.frames.numbers import AS_PRINTED, CORRECTED, value_of
from pipeline.report.frames.of_rows import floats, of_rows, texts
from pipeline.report.frames.study import PUBLISHED, SOURCES, StudyData, published_tables
from pipeline.units import format_short

Array = NDArray[np.float64]

DEMANDS = {
    "D_guest_cpu": ("guest_cpu", "the CPU time of its processes in the guest"),
    "D_host_cpu": ("host_cpu", "the CPU time of its whole virtual machine"),
    "D_vdisk": ("vdisk", "the time at the guest's disk"),
    "D_disk": ("disk", "the time at the host's disk"),
}
"""Quantity → the station of ``demands.law`` whose demand it is, and that demand in words."""
LAW = "recorded here, demands"
CLIENT = SOURCES["client"]

FASTER = pl.Schema(
    texts("virtual_server", "quantity", "source")
    | floats("times", "low", "high")
    | texts("runs", "remark")
)
"""One row a quantity and source: how many times better the better server is (a time: how many times shorter; a
throughput: how many times greater), its 95 % interval, how many runs of that load (better, worse), and doubts."""


@dataclass(frozen=True)
class _Repeated:
    """What the repetitions of one load on one server say: an observation and a ledger a run."""

    observations: list[Observation]
    ledgers: list[pl.DataFrame]


def df_faster(data: StudyData, better: str, worse: str) -> pl.DataFrame:
    """Every comparison of the two servers that the case study's loads allow. Form: ``FASTER``.

    All runs of the study with the case study's very load on a virtual server that is alone are repetitions.
    """
    rows = []
    for virtual in data.virtual_servers:
        rows += list(_published(data, virtual, better, worse))
        if (better, virtual) in data.runs and (worse, virtual) in data.runs:
            sides = [_repeated(data, server, virtual) for server in (better, worse)]
            rows += list(_recorded(virtual, *sides))
    return of_rows(rows, FASTER).with_columns(pl.col("virtual_server").replace(data.titles))


def faster_words(frame: pl.DataFrame, better: str, worse: str) -> list[str]:
    """A sentence a virtual server on what the client saw, and on the demands behind it."""
    said = []
    for name in frame["virtual_server"].unique(maintain_order=True):
        mine = frame.filter((pl.col("virtual_server") == name) & pl.col("times").is_not_null())
        seen = mine.filter((pl.col("quantity") == "R_req") & (pl.col("source") == CLIENT))
        parts = [
            f"For a request to the {name}, the client says: {times_words(row, better, worse)}"
            for row in seen.iter_rows(named=True)
        ]
        demands = mine.filter(pl.col("source") == LAW)
        parts += [
            f"by {DEMANDS[row['quantity']][1]}: {times_words(row, better, worse)}"
            for row in demands.iter_rows(named=True)
        ]
        if parts:
            said.append("; ".join(parts) + ".")
    return said


def times_words(row: dict, better: str, worse: str) -> str:
    """A row of ``FASTER`` in words: "the first server is 2.1 to 2.6 times faster"."""
    times, low, high = row["times"], row["low"], row["high"]
    if low is None or high is None:
        who, much = (better, times) if times >= 1 else (worse, 1 / times)
        return f"the {who} server is {format_short(much, 2)} times faster, how surely is not known"
    if low <= 1 <= high:
        return (
            f"which server is faster cannot be told ({format_short(low, 2)} to {format_short(high, 2)} times "
            f"the {worse} server's speed)"
        )
    who = better if low > 1 else worse
    least, most = (low, high) if low > 1 else (1 / high, 1 / low)
    return f"the {who} server is {format_short(least, 2)} to {format_short(most, 2)} times faster"


def repetitions(data: StudyData, server: str, virtual: str) -> list[Run]:
    """The runs of the study on ``server`` with the load that the case study has on ``virtual``, alone on its host."""
    load = data.runs[server, virtual].run.virtual_servers[virtual].workload
    found = []
    for run in data.study.runs(server):
        loaded = [s for s in run.virtual_servers.values() if s.workload is not None]
        if [s.name for s in loaded] == [virtual] and _load(loaded[0].workload) == _load(load):
            found.append(run)
    return found


def _load(work: Workload | None) -> tuple | None:
    if work is None:
        return None
    return (work.kind, work.rate_per_s, work.arrivals, work.population, work.think_time_s)


def _repeated(data: StudyData, server: str, virtual: str) -> _Repeated:
    processed: Path = data.runs[server, virtual].processed
    observations, ledgers = [], []
    for run in repetitions(data, server, virtual):
        try:
            ingest.ensure([run], processed)
            observations.append(observe(data.study, run, run.virtual_servers[virtual], processed))
        except (Unmeasured, ingest.IngestError, RawRunError):
            continue  # a run that lacks the client's report or its window is no repetition
        ledgers.append(ledger.run_ledger(run, processed))
    return _Repeated(observations, ledgers)


def _published(data: StudyData, virtual: str, better: str, worse: str) -> Iterator[tuple]:
    tables = published_tables(data).filter(pl.col("virtual_server") == virtual)
    values = {}
    for row in tables.iter_rows(named=True):
        values[row["server"]] = sum(row[f"r_{part}_ms"] for part in ("cpu", "vdisk", "disk"))
    if better in values and worse in values and values[better] > 0:
        times = values[worse] / values[better]
        remark = "printed without an interval"
        yield _row(virtual, "R_req", SOURCES[PUBLISHED], Ratio(times, None, None, (1, 1), remark))


def _recorded(virtual: str, better: _Repeated, worse: _Repeated) -> Iterator[tuple]:
    responses, throughputs = (
        [[np.array([getattr(one, name)]) for one in side.observations] for side in (better, worse)]
        for name in ("response_time_s", "throughput_per_s")
    )
    yield _compared(virtual, "R_req", CLIENT, *responses)
    if any(one.load.kind == "closed" for one in better.observations):
        yield _compared(virtual, "X_req", CLIENT, *reversed(throughputs))
    for quantity, (station, _) in DEMANDS.items():
        sides = [[_draws(one, station) for one in side.observations] for side in (better, worse)]
        yield _compared(virtual, quantity, LAW, *sides)
    for reading in (AS_PRINTED, CORRECTED):
        for quantity in ("R_cpu", "R_vdisk", "R_disk", "R_req"):
            sides = [
                [_number(value_of(book, virtual, quantity, reading)) for book in side.ledgers]
                for side in (better, worse)
            ]
            yield _compared(virtual, quantity, SOURCES[reading], *sides)


def _draws(one: Observation, station: str) -> Array:
    demand = one.estimate.demands.get(station)
    return _number(None) if demand is None else np.append(demand.value_s, demand.draws_s)


def _number(value: float | None) -> Array:
    return np.array([np.nan if value is None else value])


def _compared(
    virtual: str, quantity: str, source: str, below: list[Array], above: list[Array]
) -> tuple:
    """``above`` over ``below``; the same comparison gives the same draws, whatever else is computed."""
    seed = crc32(f"{virtual}/{quantity}/{source}".encode())
    try:
        found = ratio(above, below, seed=seed)
    except Unmeasured as reason:
        return (virtual, quantity, source, *[None] * 4, str(reason))
    return _row(virtual, quantity, source, found)


def _row(virtual: str, quantity: str, source: str, found: Ratio) -> tuple:
    counted = f"{found.runs[1]}, {found.runs[0]}"
    values = (found.value, found.low, found.high, counted, found.remark)
    return (virtual, quantity, source, *values)

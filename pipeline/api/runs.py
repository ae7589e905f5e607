"""Recorded runs as a whole: list and select them, read them into tidy tables, compute their ledgers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from pipeline import ingest
from pipeline.api.texts import workload_text
from pipeline.measure.clients import client_result, client_rows
from pipeline.measure.run_tables import RunTables
from pipeline.measure.virtual_server import value_or_reason
from pipeline.raw import (
    RawRunError,
    Run,
    Study,
    Workload,
    check_study_names,
    find_differences,
    find_studies,
    find_unreadable_folders,
    hash_files,
    select_runs,
)
from pipeline.raw import write_checksums as write_run_checksums
from pipeline.raw.texts import IS_UNREADABLE
from pipeline.tables import floats, texts

RUNS = pl.Schema(
    {
        "run": pl.String,
        "purpose": pl.String,
        "held out": pl.String,
        "length_s": pl.Float64,
        "load": pl.String,
        "logs": pl.Int64,
        "problems": pl.Int64,
    }
)
"""One row per recorded run, as the command line lists them; ``run`` is ``study/server/run``."""

STUDY_RUNS = pl.Schema(
    {
        "server": pl.String,
        "run": pl.String,
        "load": pl.String,
        "virtual_servers": pl.List(pl.String),
        "kind": pl.String,
        "level": pl.Float64,
        "length_s": pl.Float64,
        "held_out": pl.Boolean,
        "purpose": pl.String,
        "logs": pl.Int64,
        "problems": pl.Int64,
        "warnings": pl.Int64,
    }
)
"""One row per recorded run of a study: ``virtual_servers`` are those with a load; ``kind`` (``open`` or ``closed``)
and ``level`` (requests per second or threads) are null where there is not exactly one load; ``held_out``: no model
is fitted to it; ``problems``: of its files; ``warnings``: of its ingest, null where it is not ingested."""


def runs_of_study(
    study: Study, processed: Path | None = None, runs: Iterable[Run] | None = None
) -> pl.DataFrame:
    """The recorded runs of a study, ingested or not; with ``runs`` only these. Schema: ``STUDY_RUNS``."""
    warnings: dict[tuple[str, str], int] = {}
    if processed is not None:
        manifest = ingest.manifest(processed, study.name)
        columns = manifest.select("server", "run", pl.col("warnings").list.len())
        warnings = {(server, run): count for server, run, count in columns.iter_rows()}
    rows = []
    for run in study.runs() if runs is None else runs:
        loads = {
            name: server.workload
            for name, server in sorted(run.virtual_servers.items())
            if server.workload is not None
        }
        load = next(iter(loads.values())) if len(loads) == 1 else None
        rows.append(
            {
                "server": run.server,
                "run": run.run,
                "load": load_text(run),
                "virtual_servers": list(loads),
                "kind": load and load.kind,
                "level": load and _level(load),
                "length_s": None if run.window is None else round(run.window.duration_s, 1),
                "held_out": f"{run.server}/{run.run}" in study.held_out,
                "purpose": study.purpose(run.server, run.run),
                "logs": len(run.logs()),
                "problems": len(run.problems()),
                "warnings": warnings.get((run.server, run.run)),
            }
        )
        run.forget_files()
    return pl.DataFrame(rows, schema=STUDY_RUNS)


RESPONSE_TIMES = pl.Schema(
    texts("server", "virtual_server", "run", "load", "kind")
    | floats("level")
    | {"is_alone": pl.Boolean, "held_out": pl.Boolean}
    | floats("R_client_ms", "X_client_per_s")
    | {"flags": pl.List(pl.String)}
)
"""One row per load of a study: what its client measured. ``level``: requests per second or threads; ``is_alone``:
whether no other virtual server of the run had a load; ``flags``: warnings, or the reason of a null."""


def response_times(study: Study, processed: Path) -> pl.DataFrame:
    """Mean response time and throughput of every load of a study, by its clients' logs. Schema: ``RESPONSE_TIMES``."""
    runs = study.runs()
    _, reasons = ingest.ingest_readable(runs, processed)
    rows = []
    for run in runs:
        unread = reasons.get(f"{run.server}/{run.run}")
        tables = RunTables(run, processed)
        loads = {name: vs for name, vs in run.virtual_servers.items() if vs.workload is not None}
        for name in study.ordered(loads):
            work = loads[name].workload
            result = unread or value_or_reason(
                lambda t=tables, vs=loads[name]: client_result(client_rows(t, vs))
            )
            row = {
                "server": run.server, "virtual_server": name, "run": run.run, "load": workload_text(work),
                "kind": work.kind, "level": _level(work), "is_alone": len(loads) == 1,
                "held_out": f"{run.server}/{run.run}" in study.held_out,
            }  # fmt: skip
            if isinstance(result, str):
                rows.append(row | {"flags": [result]})
                continue
            response_s = result.response_time_mean_s
            rows.append(
                row
                | {
                    "R_client_ms": None if response_s is None else 1e3 * response_s,
                    "X_client_per_s": result.throughput_per_s,
                    "flags": list(result.flags),
                }
            )
    return pl.DataFrame(rows, schema=RESPONSE_TIMES).sort(
        pl.col("server").replace_strict(study.servers, range(len(study.servers))),
        "virtual_server", "level", "load", "run", maintain_order=True,
    )  # fmt: skip


def list_runs(raw: Path | str, runs: Iterable[Run] | None = None) -> pl.DataFrame:
    """One row per run below ``raw``: id, load, duration, number of problems of its files. Schema: ``RUNS``.

    With ``runs`` only these, which are not read again.
    """
    by_study = _by_study(select_runs(raw) if runs is None else runs)
    frames = [
        runs_of_study(study, runs=by_study.get(study.name, ())).select(
            run=pl.concat_str(pl.lit(study.name), "server", "run", separator="/"),
            purpose=pl.col("purpose").fill_null(""),
            held_out=pl.when("held_out").then(pl.lit("yes")).otherwise(pl.lit("")),
            length_s="length_s",
            load="load",
            logs="logs",
            problems="problems",
        )
        for study in find_studies(raw)
    ]
    return pl.concat(frames).rename({"held_out": "held out"}) if frames else RUNS.to_frame()


def load_text(run: Run) -> str:
    """The load of each loaded virtual server: ``db 16 threads, web 5/s even``; empty without any."""
    return ", ".join(
        f"{name} {workload_text(server.workload)}"
        for name, server in sorted(run.virtual_servers.items())
        if server.workload is not None
    )


def _level(work: Workload) -> float | None:
    return work.rate_per_s if work.kind == "open" else work.population


def _by_study(runs: Iterable[Run]) -> dict[str, list[Run]]:
    studies: dict[str, list[Run]] = {}
    for run in runs:
        studies.setdefault(run.study, []).append(run)
    return studies


def find_problems(
    raw: Path | str, ids: Iterable[str] = (), runs: Iterable[Run] | None = None
) -> list[str]:
    """Problems of the studies and runs below ``raw``: one sentence per problem, with its file.

    ``ids`` as in ``select_runs``; with them only those runs and their studies. ``runs`` are these runs, where they
    have been read.
    """
    selectors = tuple(ids)
    selected = _by_study(select_runs(raw, selectors) if runs is None else runs)
    sentences = [] if selectors else [f"{raw}: {sentence}" for sentence in check_study_names(raw)]
    sentences += find_unreadable_folders(raw, selectors)
    for study in find_studies(raw):
        if selectors and study.name not in selected:
            continue
        sentences += [f"{study.path}/{sentence}" for sentence in study.problems()]
        for run in selected.get(study.name, ()):
            sentences += [f"{run.path}/{sentence}" for sentence in run.problems()]
    return sentences


CHECKSUMS = pl.Schema(
    {"run": pl.String, "files": pl.Int64, "differences": pl.List(pl.String), "problem": pl.String}
)
"""One row per run: the files with a checksum in its run.json (null without checksums), what differs from them (one
sentence per file), and why no checksums could be written."""


def verify_checksums(raw: Path | str, ids: Iterable[str] = ()) -> pl.DataFrame:
    """The logs and facts.json of runs compared with the checksums in run.json. Schema: ``CHECKSUMS``.

    ``ids`` as in ``select_runs``.
    """
    rows = []
    for run in select_runs(raw, ids):
        checksums = run.checksums
        hashes = {} if checksums is None else hash_files(run)
        differences = find_differences(run, hashes)
        named = {sentence.partition(":")[0] for sentence in differences}
        unread = [n for n in checksums or () if not hashes.get(n) and n not in named]
        differences += [f"{name}: {IS_UNREADABLE}" for name in unread]
        # without a run.json that can be read nothing is verified
        differences += [] if run.manifest else run.manifest_issues
        count = None if checksums is None else len(checksums)
        rows.append({"run": run.id, "files": count, "differences": differences, "problem": None})
    return pl.DataFrame(rows, schema=CHECKSUMS)


def write_checksums(raw: Path | str, ids: Iterable[str] = ()) -> pl.DataFrame:
    """Write the checksums of the logs and facts.json of runs into their run.json. Schema: ``CHECKSUMS``.

    ``differences`` are those from the checksums that were there before. ``ids`` as in ``select_runs``.
    """
    rows = []
    for run in select_runs(raw, ids):
        row = {"run": run.id, "files": None, "differences": [], "problem": None}
        try:
            hashes = write_run_checksums(run)
            row |= {"files": len(hashes), "differences": find_differences(run, hashes)}
        except RawRunError as error:
            row["problem"] = str(error)
        rows.append(row)
    return pl.DataFrame(rows, schema=CHECKSUMS)


def ingest_runs(
    runs: Iterable[Run],
    processed: Path | str,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[dict], None] | None = None,
    max_expanded_bytes: int | None = None,
) -> pl.DataFrame:
    """Read runs into tidy Parquet tables below ``processed``; unchanged runs are skipped.

    Returns one row per run: status, rows, rejected lines, problems (``ingest.MANIFEST_SCHEMA``). A log
    whose text is longer than ``max_expanded_bytes`` (64 GB) is not read.
    """
    return ingest.ingest(
        runs,
        processed,
        workers=workers,
        scheduler=scheduler,
        progress=progress,
        max_expanded_bytes=max_expanded_bytes,
    )

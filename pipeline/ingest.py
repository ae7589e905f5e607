"""Runs to Parquet: every log of a run parsed and stored, whole or not at all, and only when something changed.

::

    data/processed/<table>/study=<study>/server=<server>/run=<run>/<key>.parquet
    data/processed/.manifest/study=<study>/server=<server>/run=<run>/manifest.json

The tables are ``tables.STORED``; their rows also have ``role``, and study, server and run by the folders' names.
A table without rows has no file. A run is there when its manifest is: the manifest is written last, by renaming,
and names the files that are valid, so a reader sees a run as it was or as it is, never half of it. ``key`` is
a hash of the run's files and of the parsers' code: a run whose key is the same is skipped.

A log that cannot be read is a problem of the run (``problems`` of its ``runs`` rows and of the manifest); the
other logs and the other runs are still done. The same runs give the same bytes with any number of workers.

Example
-------
>>> from pipeline import bundle, ingest                                          # doctest: +SKIP
>>> ingest.ingest(bundle.select("data/raw"), "data/processed", workers=2)        # doctest: +SKIP
>>> ingest.load("client", "data/processed", study="kvm-case-study")              # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from pipeline import bundle, parse, tables

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows
    fcntl = None  # type: ignore[assignment]

MANIFEST_FORMAT = "queuevisor-ingested/1"
MANIFESTS = ".manifest"
STAGING = ".staging"
ROW_GROUP = 1 << 17
COMPRESSION = "zstd"

STATUSES = ("ingested", "unchanged", "failed")

MANIFEST_SCHEMA = pl.Schema(
    {
        "study": pl.String,
        "server": pl.String,
        "run": pl.String,
        "status": pl.String,
        "key": pl.String,
        "logs": pl.Int64,
        "rows": pl.Int64,
        "rejects": pl.Int64,
        "problems": pl.List(pl.String),
        "warnings": pl.List(pl.String),
    }
)
"""What ``ingest`` gives back, one row a run: how it went, how much there is, what was wrong."""

LOGS_SCHEMA = pl.Schema(
    {
        "study": pl.String,
        "server": pl.String,
        "run": pl.String,
        "role": pl.String,
        "kind": pl.String,
        "file": pl.String,
        "lines": pl.Int64,
        "snapshots": pl.Int64,
        "record_lines": pl.Int64,
        "headers": pl.Int64,
        "rejects": pl.Int64,
    }
)
"""The books of every log that was read: record_lines + headers + rejects = lines."""

Progress = Callable[[dict[str, Any]], None]
"""Called with a run's manifest row (MANIFEST_SCHEMA) as soon as the run is done, in any order."""


class IngestError(Exception):
    """Processed data that is not there, or cannot be made; the text says what to do."""


# --- what a run's tables depend on


@cache
def code_version() -> str:
    """A hash of the code that makes the tables: another parser, another key."""
    here = Path(__file__).parent
    rooms = [*(here / "parse").glob("*.py"), *(here / "bundle").glob("*.py")]
    files = [*sorted(rooms), *(here / name for name in ("tables.py", "units.py", "ingest.py"))]
    digest = hashlib.sha256(pl.__version__.encode())
    for path in files:
        if path.is_file():
            digest.update(b"\0" + path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def key_of(run: bundle.Run) -> str:
    """A hash of all that the run's tables come from: its name, its files and the parsers' code."""
    digest = hashlib.sha256(f"{code_version()}\0{run.id}".encode())
    # Not only the files that are read: a file that is not (`top.log.1`) is a problem that is told.
    digest.update("\0".join(run.problems()).encode())
    for path in run.files():
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"\0{run.name_of(path)}\0{content}".encode())
    return digest.hexdigest()


# --- one run to frames


@dataclass
class _Outcome:
    """A run as frames, and what is to be told about it."""

    frames: dict[str, pl.DataFrame]
    logs: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def frames_of(run: bundle.Run) -> _Outcome:
    """Parse every log of the run; what cannot be read becomes a problem."""
    parts: dict[str, list[pl.DataFrame]] = {}
    outcome = _Outcome({}, problems=run.problems())
    for log in run.logs():
        for parsed in _parsed(run, log):
            _take(outcome, parts, log.role, parsed)
    for name in tables.STORED:
        if name in parts:
            frame = pl.concat(parts[name], rechunk=True)
            outcome.frames[name] = frame.select(stored_schema(name).names())
    described = _described(run, outcome.problems)
    if described.height:
        outcome.frames[tables.RUNS.name] = described
    return outcome


def _parsed(run: bundle.Run, log: bundle.Log) -> Iterator[parse.Parsed | parse.ParseError]:
    """The log parsed, piece by piece if it was rotated."""
    files = [(path, run.name_of(path)) for path in log.files]
    return parse.parse_pieces(log.kind, files, **_options(run, log))


def _take(
    outcome: _Outcome,
    parts: dict[str, list[pl.DataFrame]],
    role: str,
    parsed: parse.Parsed | parse.ParseError,
) -> None:
    """Add one file's tables to ``parts`` and its books to ``outcome``."""
    if isinstance(parsed, parse.ParseError):
        name = parsed.file
        outcome.problems.append(f"{name}: not read: {_without(name, str(parsed))}")
        return
    summary = parsed.summary()
    books = {name: summary[name] for name in LOGS_SCHEMA if name in summary}
    outcome.logs.append({"role": role, **books})
    outcome.warnings += parsed.warnings
    if parsed.rejects.height and not parsed.record_lines:
        first = parsed.rejects.row(0, named=True)
        outcome.problems.append(
            f"{parsed.file}: no line of it could be read; line {first['line']}: {first['reason']}"
        )
    for name, frame in {**parsed.tables, tables.REJECTS.name: parsed.rejects}.items():
        if frame.height:
            parts.setdefault(name, []).append(frame.with_columns(role=pl.lit(role)))


def _without(name: str, text: str) -> str:
    """``text`` without the file's name before it: ``host/top.log:3: …`` → ``line 3: …``."""
    rest = text.removeprefix(name).removeprefix(":")
    number, colon, more = rest.partition(":")
    return f"line {number}:{more}" if colon and number.isdigit() else rest.strip()


def _options(run: bundle.Run, log: bundle.Log) -> dict[str, Any]:
    """What the run knows that the log may not say: day, time zone, the tool's version."""
    role, facts = run.roles.get(log.role), run.facts(log.role)
    zones = (role.time_zone if role else None, facts.get("time_zone"))
    tz = next((zone for zone in zones if isinstance(zone, str) and _is_zone(zone)), None)
    known = (dict(role.tools) if role else {}, facts.get("tools"))
    versions = [t[log.kind] for t in known if isinstance(t, dict) and log.kind in t]
    version = next((v for v in versions if isinstance(v, str)), None)
    begin = run.before or run.window
    date = None
    if begin is not None and tz is not None:
        here = begin.start_ns + (run.clock_offset_ns(log.role) or 0)
        try:
            date = dt.datetime.fromtimestamp(here / 1e9, ZoneInfo(tz)).date()
        except (OverflowError, OSError, ValueError):
            date = None
    return {"date": date, "tz": tz, "tool_version": version}


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _described(run: bundle.Run, problems: list[str]) -> pl.DataFrame:
    """The run's rows of ``runs``, one a virtual server."""
    host = run.roles.get(bundle.HOST)
    rows = []
    for server in run.virtual_servers.values():
        guest, work = run.roles.get(server.role), server.workload
        load = work.window if work is not None else None
        window, before = run.window, run.before
        rows.append(
            {
                "virtual_server": server.name,
                "role": server.role,
                "accelerator": run.accelerator,
                "window_start": window and window.start_ns,
                "window_end": window and window.end_ns,
                "before_start": before and before.start_ns,
                "before_end": before and before.end_ns,
                "workload": work and work.kind,
                "rate_per_s": work and work.rate_per_s,
                "arrivals": work and work.arrivals,
                "population": work and work.population,
                "think_time_s": work and work.think_time_s,
                "request": work and work.request,
                "client_log": work and work.log,
                "load_start": load and load.start_ns,
                "load_end": load and load.end_ns,
                "server_processes": server.server_processes,
                "qemu_process": server.qemu_process,
                "virtual_disk": server.virtual_disk,
                "host_disk": server.host_disk,
                "guest_clock_offset_ns": guest and guest.clock_offset_ns,
                "guest_clock_uncertainty_ns": guest and guest.clock_uncertainty_ns,
                "host_clock_offset_ns": host and host.clock_offset_ns,
                "host_clock_uncertainty_ns": host and host.clock_uncertainty_ns,
                "problems": "\n".join(problems) or None,
            }
        )
    schema = tables.polars_schema(tables.RUNS)
    plain = {n: pl.Int64 if d == tables.UTC_NS else d for n, d in schema.items()}
    frame = pl.DataFrame(rows, schema=plain, orient="row").sort("virtual_server")
    return tables.conform(frame, tables.RUNS)


def stored_schema(table: str) -> pl.Schema:
    """The columns of a stored table's files: the table's own, and ``role``."""
    schema = tables.polars_schema(tables.STORED[table])
    return schema if "role" in schema else pl.Schema({"role": pl.String, **schema})


# --- one run to files


def _partition(names: tuple[str, str, str]) -> Path:
    return Path(*(f"{key}={name}" for key, name in zip(tables.RUN_KEYS, names, strict=True)))


@contextlib.contextmanager
def _locked(processed: Path, partition: Path) -> Iterator[Path]:
    """The run's staging folder, empty, ours alone: two notebooks may ingest one run at once."""
    staging = processed / STAGING / partition
    staging.mkdir(parents=True, exist_ok=True)
    with (staging / "lock").open("w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        _empty(staging)
        try:
            yield staging
        finally:
            _empty(staging)


def _empty(staging: Path) -> None:
    for left in staging.glob("*.parquet"):
        left.unlink()


def _read_manifest(processed: Path, partition: Path) -> dict[str, Any] | None:
    """The run's manifest, None if it is not ingested (or its files are not as they were written)."""
    path = processed / MANIFESTS / partition / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != MANIFEST_FORMAT:
            return None
        for table, file in manifest["tables"].items():
            found = processed / table / partition / f"{manifest['key']}.parquet"
            if found.stat().st_size != file["bytes"]:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest


def _ingest_run(run: bundle.Run, processed: Path, force: bool) -> dict[str, Any]:
    """Ingest one run; its manifest row. What goes wrong is told in the row."""
    names = (run.study, run.server, run.run)
    row: dict[str, Any] = dict(zip(tables.RUN_KEYS, names, strict=True))
    try:
        strange = [name for name in names if not bundle.is_plain(name)]
        if strange:
            raise IngestError(f"not a plain name: {json.dumps(strange[0])}")
        partition = _partition(names)
        with _locked(processed, partition) as staging:
            key = key_of(run)
            manifest = _read_manifest(processed, partition)
            if force or manifest is None or manifest["key"] != key:
                manifest = _store(frames_of(run), key, processed, partition, staging)
                status = "ingested"
            else:
                status = "unchanged"
        return {**row, "status": status, **_row_of(manifest)}
    except (IngestError, OSError, pl.exceptions.PolarsError) as error:
        what = str(error) if isinstance(error, IngestError) else f"{type(error).__name__}: {error}"
        return _failed(run, what)


def _failed(run: bundle.Run, problem: str) -> dict[str, Any]:
    names = {"study": run.study, "server": run.server, "run": run.run}
    nothing = {"key": None, "logs": 0, "rows": 0, "rejects": 0}
    return {**names, "status": "failed", **nothing, "problems": [problem], "warnings": []}


def _store(
    outcome: _Outcome, key: str, processed: Path, partition: Path, staging: Path
) -> dict[str, Any]:
    """Write the frames under a temporary name, rename them all, then the manifest that names them."""
    files: dict[str, dict[str, int]] = {}
    for table, frame in outcome.frames.items():
        path = staging / f"{table}.parquet"
        _write(frame, path)
        files[table] = {"rows": frame.height, "bytes": path.stat().st_size}
    for table in files:
        folder = processed / table / partition
        folder.mkdir(parents=True, exist_ok=True)
        (staging / f"{table}.parquet").replace(folder / f"{key}.parquet")
    manifest = {
        "format": MANIFEST_FORMAT,
        "key": key,
        "tables": files,
        "logs": outcome.logs,
        "problems": outcome.problems,
        "warnings": outcome.warnings,
    }
    folder = processed / MANIFESTS / partition
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "manifest.json.new"
    temporary.write_text(
        json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    temporary.replace(folder / "manifest.json")
    _sweep(processed, partition, dict.fromkeys(files, key))
    return manifest


def _write(frame: pl.DataFrame, path: Path) -> None:
    """Bytes that depend on the rows alone."""
    frame.rechunk().write_parquet(path, compression=COMPRESSION, row_group_size=ROW_GROUP)


def _sweep(processed: Path, partition: Path, valid: dict[str, str]) -> None:
    """Remove the run's files that its manifest does not name."""
    for table in tables.STORED:
        folder = processed / table / partition
        for path in sorted(folder.glob("*.parquet")):
            if path.stem != valid.get(table):
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty, or not there
            folder.rmdir()


def _row_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest as the rest of a row of MANIFEST_SCHEMA."""
    files = manifest["tables"]
    return {
        "key": manifest["key"],
        "logs": len(manifest["logs"]),
        "rows": sum(file["rows"] for file in files.values()),
        "rejects": files.get(tables.REJECTS.name, {}).get("rows", 0),
        "problems": manifest["problems"],
        "warnings": manifest["warnings"],
    }


# --- many runs


def ingest(
    runs: Iterable[bundle.Run],
    processed: Path | str,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> pl.DataFrame:
    """Ingest ``runs`` into ``processed``; one row a run (MANIFEST_SCHEMA), in the order given.

    ``workers`` > 1 uses that many processes, ``scheduler`` the address of a dask scheduler (which must see
    the same folders) instead. ``force`` also ingests what has not changed. A run that fails is a row of
    status ``failed`` and does not stop the others.
    """
    chosen = list(runs)
    processed = Path(processed).absolute()
    try:
        processed.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IngestError(f"{processed}: cannot be made: {error.strerror or error}") from error
    if workers < 1:
        raise IngestError(f"workers must be 1 or more, not {workers}")
    tasks = [(run, processed, force) for run in chosen]
    if scheduler is not None:
        done = _on_cluster(tasks, scheduler)
    elif workers > 1 and len(tasks) > 1:
        done = _in_processes(tasks, min(workers, len(tasks)))
    else:
        done = ((number, _ingest_run(*task)) for number, task in enumerate(tasks))
    rows: dict[int, dict[str, Any]] = {}
    for number, row in done:
        rows[number] = row
        if progress is not None:
            progress(row)
    return pl.DataFrame(
        [rows[number] for number in range(len(tasks))], schema=MANIFEST_SCHEMA, orient="row"
    )


_Task = tuple[bundle.Run, Path, bool]


def _in_processes(tasks: list[_Task], workers: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tasks' rows as they are done, by processes that are started anew (never forked)."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    with _environment("POLARS_MAX_THREADS", str(threads)):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            numbers = {pool.submit(_ingest_run, *task): n for n, task in enumerate(tasks)}
            for future in as_completed(numbers):
                yield numbers[future], _result(future, tasks[numbers[future]][0])


def _on_cluster(tasks: list[_Task], address: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tasks' rows as they are done, by the workers of a dask scheduler."""
    try:
        from distributed import Client
        from distributed import as_completed as as_done
    except ImportError as error:
        raise IngestError(
            "a scheduler needs dask, which is not installed: pip install 'distributed'"
        ) from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise IngestError(f"no dask scheduler answers at {address}: {error}") from error
    with client:
        numbers = {
            client.submit(_ingest_run, *task, pure=False, retries=1): n
            for n, task in enumerate(tasks)
        }
        for future in as_done(list(numbers)):
            number = numbers[future]
            yield number, _result(future, tasks[number][0])


def _result(future: Any, run: bundle.Run) -> dict[str, Any]:
    """A task's row; a worker that died (out of memory, killed) is told in one."""
    try:
        return future.result()
    except Exception as error:
        return _failed(run, f"the worker died: {type(error).__name__}: {error}".strip())


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def ensure(runs: Iterable[bundle.Run], processed: Path | str, *, workers: int = 1) -> pl.DataFrame:
    """Ingest those of ``runs`` that are not in ``processed`` yet, or have changed: a notebook's first line.

    Gives what ``ingest`` gives. Raises ``IngestError`` if none of them could be ingested; where some could,
    the others are rows of status ``failed``, and asking for their tables is an ``IngestError``.
    """
    rows = ingest(runs, processed, workers=workers)
    failed = rows.filter(pl.col("status") == "failed")
    if failed.height and failed.height == rows.height:
        row = failed.row(0, named=True)
        name = "/".join(row[key] for key in tables.RUN_KEYS)
        raise IngestError(f"{name} cannot be ingested: {'; '.join(row['problems'])}")
    return rows


def ensure_run(
    raw: Path | str, processed: Path | str, study: str, server: str, run: str
) -> bundle.Run:
    """The run of that name, ingested. ``BundleError`` names the nearest where there is none."""
    found = bundle.get(raw, study, server, run)
    ensure([found], processed)
    return found


# --- reading what was stored


def ingested(
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
) -> list[tuple[str, str, str]]:
    """study, server and run of everything that is stored, in the order of the names."""
    return [names for names, _ in _manifests(Path(processed), study, server, run)]


def manifest(
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
) -> pl.DataFrame:
    """One row a stored run (MANIFEST_SCHEMA): how much there is, and what was wrong."""
    rows = [
        {**dict(zip(tables.RUN_KEYS, names, strict=True)), "status": "ingested", **_row_of(found)}
        for names, found in _manifests(Path(processed), study, server, run)
    ]
    return pl.DataFrame(rows, schema=MANIFEST_SCHEMA, orient="row")


def logs(
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
) -> pl.DataFrame:
    """The books of every log that was read (LOGS_SCHEMA)."""
    rows = [
        {**dict(zip(tables.RUN_KEYS, names, strict=True)), **log}
        for names, found in _manifests(Path(processed), study, server, run)
        for log in found["logs"]
    ]
    return pl.DataFrame(rows, schema=LOGS_SCHEMA, orient="row")


def scan(
    table: str,
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
    role: str | None = None,
) -> pl.LazyFrame:
    """A stored table, lazily: study, server, run, role and the table's columns.

    Without rows it is empty and in form. A ``run`` that is named and not ingested is an ``IngestError``.
    A lazy query may lose the rows' order; ``load`` keeps it.
    """
    parts = [
        pl.scan_parquet(path, hive_partitioning=False).select(_selected(table, names))
        for names, path in _files(table, Path(processed), study, server, run)
    ]
    frame = pl.concat(parts) if parts else pl.LazyFrame(schema=loaded_schema(table))
    return frame if role is None else frame.filter(pl.col("role") == role)


def load(
    table: str,
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
    role: str | None = None,
) -> pl.DataFrame:
    """A stored table in memory, in a stable order: by study, server, run, role, then as logged."""
    parts = []
    for names, path in _files(table, Path(processed), study, server, run):
        part = pl.read_parquet(path, hive_partitioning=False).select(_selected(table, names))
        parts.append(part if role is None else part.filter(pl.col("role") == role))
    return pl.concat(parts) if parts else pl.DataFrame(schema=loaded_schema(table))


def loaded_schema(table: str) -> pl.Schema:
    """The columns that ``scan`` and ``load`` give: RUN_KEYS, ``role`` and the table's own."""
    keys = dict.fromkeys(tables.RUN_KEYS, pl.String)
    return pl.Schema({**keys, **stored_schema(_known(table))})


def _selected(table: str, names: tuple[str, str, str]) -> list[pl.Expr]:
    keys = [pl.lit(name).alias(key) for key, name in zip(tables.RUN_KEYS, names, strict=True)]
    return [*keys, *(pl.col(name) for name in stored_schema(table).names())]


def _known(table: str) -> str:
    if table not in tables.STORED:
        raise IngestError(f"no table is called {table!r}; there are {', '.join(tables.STORED)}")
    return table


def _files(
    table: str, processed: Path, study: str | None, server: str | None, run: str | None
) -> Iterator[tuple[tuple[str, str, str], Path]]:
    """The valid files of a table, by study, server and run."""
    _known(table)
    found = list(_manifests(processed, study, server, run))
    if run is not None and not found:
        wanted = "/".join(name for name in (study, server, run) if name is not None)
        raise IngestError(
            f"{wanted} is not in {processed}; ingest it first: queuevisor ingest {wanted}"
        )
    for names, manifest in found:
        if table in manifest["tables"]:
            yield names, processed / table / _partition(names) / f"{manifest['key']}.parquet"


def _manifests(
    processed: Path, study: str | None, server: str | None, run: str | None
) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """Every stored run that is named, with its manifest."""
    root = processed / MANIFESTS
    for path in sorted(root.glob("study=*/server=*/run=*/manifest.json")):
        partition = path.parent.relative_to(root)
        names = tuple(part.partition("=")[2] for part in partition.parts)
        wanted = zip((study, server, run), names, strict=True)
        if all(want is None or want == name for want, name in wanted):
            found = _read_manifest(processed, partition)
            if found is not None:
                yield (names[0], names[1], names[2]), found


def forget(processed: Path | str) -> None:
    """Remove everything that ``ingest`` has made; the next ingest makes it again."""
    processed = Path(processed)
    for name in (MANIFESTS, STAGING, *tables.STORED):
        shutil.rmtree(processed / name, ignore_errors=True)

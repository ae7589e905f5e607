"""Simulated hosts for a class: one study for each student, with the runs that the lessons name.

A host's folder is a study like the recorded one: the lessons run on it with other ``study`` and ``raw``. It has raw
logs of ``host_plan.RAW_RUNS``, the runs whose logs a lesson opens, and the runs table of all runs (``runs.parquet``).
The rows of runs with logs are measured from these logs, as of any recorded run. The other runs are simulated in the
same way, without logs: their rows lack what only a log has, which is null (top's and httperf's own numbers, the counts
of access.log, ticks of threads).

The true demands are returned, or written to the teacher's folder, never into the folder that is handed out.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import zstandard

from pipeline import files, ingest
from pipeline.course import texts
from pipeline.course.host_plan import FIRST, RAW_RUNS, SECOND, Host, draw_host
from pipeline.course.run_columns import RUNS
from pipeline.course.runs import FILE, run_digests, run_rows, store
from pipeline.course.session import LESSON_NUMBERS, find_lesson
from pipeline.course.simulated_rows import simulated_rows
from pipeline.errors import Error
from pipeline.raw import is_safe_name, read_study
from pipeline.synthetic.event_history import RunHistory
from pipeline.synthetic.ground_truth import ground_truth
from pipeline.synthetic.raw_run_text import render_run_files, to_json
from pipeline.synthetic.study import FIRST_RUN_NS, RUN_SPACING_NS, study_manifest
from pipeline.tables import conform, polars_schema
from pipeline.workers import worker_pool

TRUTH_FORMAT = "queuevisor-course-truth/1"
LIST_FILE = "hosts.csv"
"""In the teacher's folder: name and host."""
CASE_STUDY = {"web": "web-005-a", "db": "db-16-a"}

RunKey = tuple[str, str]
Progress = Callable[[str], None]


class HostError(Error):
    """A host or a class that cannot be written."""


def lesson_runs() -> list[RunKey]:
    """Server and run of all runs that the lessons name, sorted."""
    names = {(server, run) for server, run in RAW_RUNS}
    for lesson in map(find_lesson, LESSON_NUMBERS):
        for runs in (lesson.runs.values(), *lesson.families.values()):
            names |= {tuple(name.split("/")[:2]) for name in runs}
    return sorted(names)


def simulate_rows(host: Host, study: str, keys: Iterable[RunKey]) -> list[dict[str, Any]]:
    """Rows of the runs table of some runs of a host, without logs."""
    return [
        row for server, run in keys for row in simulated_rows(host.simulate(server, run), study)
    ]


def runs_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as a runs table: form and order of ``runs.compute_runs_table``."""
    frame = conform(pl.DataFrame(rows, schema=polars_schema(RUNS)), RUNS)
    return frame.sort("server", "virtual_server", "run")


def write_host(
    folder: Path | str,
    seed: int,
    runs: Collection[RunKey] | None = None,
    processed: Path | None = None,
) -> dict[str, Any]:
    """Simulate one host and write it as a study.

    Parameters
    ----------
    folder : path
        New folder; its name is the study's. It appears when it is complete.
    seed : int
        The same seed writes the same bytes.
    runs : collection of (server, run), optional
        The runs to simulate, by default ``lesson_runs()``; those of ``RAW_RUNS`` with logs.
    processed : path, optional
        Where the tables of the runs with logs are kept; by default they are removed.

    Returns
    -------
    dict
        The truth: demands of the virtual servers, factors of the second server, and by run the factor of its CPU
        times and, of runs with logs, ``synthetic.ground_truth``. Seconds and ratios.

    Raises
    ------
    HostError
        If the name is no name of a study, or the folder is not empty.
    OSError
        It cannot be written.

    Examples
    --------
    >>> truth = write_host("hosts/host-01", seed=7)  # doctest: +SKIP
    >>> truth["virtual_servers"]["web"]["cpu_s"]  # doctest: +SKIP
    """
    folder = Path(folder)
    if not is_safe_name(folder.name):
        raise HostError(texts.unsafe_study_name(folder.name))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HostError(texts.folder_not_empty(folder))
    host = draw_host(seed)
    keys = lesson_runs() if runs is None else sorted(runs)
    with_logs = [key for key in RAW_RUNS if key in keys]
    truth = _truth(host, folder.name, keys)
    with tempfile.TemporaryDirectory(prefix="queuevisor-host-") as temporary:
        path, processed = Path(temporary, folder.name), processed or Path(temporary, "processed")
        path.mkdir()
        for number, (server, run) in enumerate(with_logs):
            history = host.simulate(server, run)
            _write_packed(history, path, FIRST_RUN_NS + number * RUN_SPACING_NS)
            truth["runs"][f"{server}/{run}"] |= ground_truth(history)
        files.write_text(
            path / "study.json", to_json(_study_manifest(host, folder.name, with_logs))
        )
        study = read_study(path)
        recorded = study.runs()
        ingest.ensure_ingested(recorded, processed)
        rows = [row for run in recorded for row in run_rows(run, processed)]
        rows += simulate_rows(host, folder.name, (key for key in keys if key not in with_logs))
        store(runs_frame(rows), path / FILE, run_digests(study))
        with files.create_folder(folder) as part:
            shutil.copytree(path, part, dirs_exist_ok=True)
    return truth


def write_class(
    names: Sequence[str],
    out: Path | str,
    teacher_folder: Path | str,
    seed: int,
    *,
    workers: int = 1,
    runs: Collection[RunKey] | None = None,
    processed: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write one host for each name.

    Parameters
    ----------
    names : sequence of str
        Names of the students, in any script; blanks around them and empty ones are dropped.
    out : path
        Folder of the hosts, ``host-01``, ``host-02``, …, in the order of the names: it is handed out.
    teacher_folder : path
        Folder for ``hosts.csv`` (name, host) and ``truth/host-01.json``, …; not inside ``out``.
    seed : int
        The same names and seed write the same bytes, with any number of workers.
    workers : int
        Number of worker processes.
    runs : collection of (server, run), optional
    processed : path, optional
        As of :func:`write_host`.
    progress : callable, optional
        Called with a host's name when it is written.

    Returns
    -------
    Path
        The list ``hosts.csv``.

    Raises
    ------
    HostError
        Without names, with a name twice, if a host's folder is not empty, or the teacher's folder is handed out.
    OSError
        Something cannot be written.

    Examples
    --------
    >>> write_class(["Ada", "Agner"], "hosts", "teacher", seed=7, workers=2)  # doctest: +SKIP
    """
    students = _students(names)
    out, teacher = Path(out).absolute(), Path(teacher_folder).absolute()
    if teacher.resolve().is_relative_to(out.resolve()):
        raise HostError(texts.inside_handout(teacher_folder, out))
    digits = max(2, len(str(len(students))))
    hosts = [f"host-{number:0{digits}d}" for number in range(1, len(students) + 1)]
    for name in hosts:
        if (out / name).exists():
            raise HostError(texts.folder_not_empty(out / name))
    (teacher / "truth").mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    seeds = [host_seed(seed, number) for number in range(len(hosts))]
    written = _write_hosts(out, dict(zip(hosts, seeds, strict=True)), runs, processed, workers)
    for name, truth in written:
        files.write_text(teacher / "truth" / f"{name}.json", json.dumps(truth, indent=1) + "\n")
        if progress is not None:
            progress(name)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("name", "host"))
    writer.writerows(zip(students, hosts, strict=True))
    files.write_text(teacher / LIST_FILE, table.getvalue())
    return teacher / LIST_FILE


def host_seed(seed: int, number: int) -> int:
    """Seed of one host of a class."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _students(names: Sequence[str]) -> list[str]:
    students = [name.strip() for name in names if name.strip()]
    if not students:
        raise HostError(texts.NO_NAMES)
    for name in students:
        if students.count(name) > 1:
            raise HostError(texts.repeated_name(name))
    return students


def _write_hosts(
    out: Path,
    seeds: dict[str, int],
    runs: Collection[RunKey] | None,
    processed: Path | None,
    workers: int,
) -> Iterator[tuple[str, dict[str, Any]]]:
    if min(workers, len(seeds)) <= 1:
        for name, seed in seeds.items():
            yield name, write_host(out / name, seed, runs, processed)
        return
    with worker_pool(min(workers, len(seeds))) as pool:
        futures = {
            pool.submit(write_host, out / name, seed, runs, processed): name
            for name, seed in seeds.items()
        }
        for future in as_completed(futures):
            yield futures[future], future.result()


def _write_packed(history: RunHistory, study: Path, started_ns: int) -> None:
    """Write one raw run below the study's folder, its logs packed as recorded ones are; run.json last."""
    folder = study / history.server / history.run
    contents = render_run_files(history, study.name, started_ns)
    manifest = json.loads(contents.pop("run.json"))
    packer = zstandard.ZstdCompressor(level=9)
    packed: dict[str, bytes] = {}
    for name, text in contents.items():
        is_log = name.endswith(".log") and not name.startswith("client/")
        packed[f"{name}.zst" if is_log else name] = (
            packer.compress(text.encode()) if is_log else text.encode()
        )
    for name, content in packed.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    digests = {name: hashlib.sha256(packed[name]).hexdigest() for name in sorted(packed)}
    files.write_text(folder / "run.json", to_json(manifest | {"sha256": digests}))


def _study_manifest(host: Host, study: str, with_logs: list[RunKey]) -> dict[str, Any]:
    """study.json: the two servers and the runs with logs."""
    plan = host.plan(*RAW_RUNS[0])
    both = replace(plan, servers={name: host.server(name) for name in (FIRST, SECOND)})
    manifest = study_manifest([both], study)
    runs: dict[str, dict[str, Any]] = {}
    for server, run in with_logs:
        of_run = study_manifest([host.plan(server, run)], study)["runs"][server]
        runs.setdefault(server, {}).update(of_run)
    case_study = {name: run for name, run in CASE_STUDY.items() if (FIRST, run) in with_logs}
    return manifest | {"runs": runs, "case_study": case_study}


def _truth(host: Host, study: str, keys: list[RunKey]) -> dict[str, Any]:
    return {
        "format": TRUTH_FORMAT,
        "study": study,
        "seed": host.seed,
        "virtual_servers": {"web": asdict(host.web), "db": asdict(host.db)},
        "second": {"cpu_times": host.cpu_factor, "disk_times": host.disk_factor},
        "neighbour_cpu_times": host.neighbour_factors,
        "runs": {
            f"{server}/{run}": {"cpu_times": host.plan(server, run).servers[server].cpu_times}
            for server, run in keys
        },
    }

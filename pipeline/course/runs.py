"""The runs table of a study: what the lessons ask about, one row per run and virtual server.

The recorded study's table is stored as data/course/runs.parquet, because its ledgers take two minutes; that of a
simulated host stands in its folder as runs.parquet; any other study's is computed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl

from pipeline import files, ingest
from pipeline.course.run_columns import RUNS, LedgerQuantities, row_of
from pipeline.files import project_path
from pipeline.ledger import run_ledger
from pipeline.measure.virtual_server import RunCounters
from pipeline.measure.window import MissingData
from pipeline.raw import Run, Study
from pipeline.tables import conform, polars_schema

FILE = "runs.parquet"
STORED = f"data/course/{FILE}"
"""The table of the recorded study."""
DIGESTS = "queuevisor_run_digests"
"""Key of the file's metadata: ``server/run`` → start of the SHA-256 of its run.json, which has those of its logs."""
DIGEST_LENGTH = 16
ROWS_PER_GROUP = 1_000_000


def runs_table(
    study: str | Path,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
) -> pl.DataFrame:
    """The runs table of a study, schema ``run_columns.RUNS``.

    Taken from ``runs.parquet`` in the study's folder if there is one, else from data/course/runs.parquet if that has
    every run of the study in the same state, else computed.

    Parameters
    ----------
    study : str or path
        Name of a folder below ``raw``, or the path of a study's folder.
    raw, processed : path, optional
        Folders of the raw runs and of the ingested tables.

    Returns
    -------
    polars.DataFrame
        One row per server, run and virtual server; SI units, null where the run has no value.

    Raises
    ------
    RawRunError
        There is no such study.
    IngestError
        None of its runs can be read.

    Examples
    --------
    >>> frame = runs_table("kvm-case-study")
    >>> run = frame.row(by_predicate=(pl.col("run") == "db-16-a") & (pl.col("R_client_s") < 2), named=True)
    >>> run["lambda_total"], run["R_client_s"]
    (1765.0, 1.08986)
    """
    from pipeline.api import open_study  # takes long

    opened = open_study(study, raw=raw, processed=processed)
    own = opened.study.path / FILE
    if own.is_file():
        return conform(pl.read_parquet(own), RUNS)
    stored = project_path(STORED)
    if stored.is_file() and _has_all_runs(stored, opened.study):
        return conform(pl.read_parquet(stored), RUNS).join(
            pl.DataFrame([(run.server, run.run) for run in opened.study.runs()], ["server", "run"], orient="row"),
            on=["server", "run"], how="semi",
        )  # fmt: skip
    return compute_runs_table(opened.study, opened.processed)


def compute_runs_table(
    study: Study, processed: Path | str, progress: Callable[[str], None] | None = None
) -> pl.DataFrame:
    """Compute the runs table from the ledgers and tables of a study's runs, which are ingested first if needed.

    Parameters
    ----------
    study : Study
    processed : path
        Folder of the ingested tables.
    progress : callable, optional
        Called with ``server/run`` after each run.

    Returns
    -------
    polars.DataFrame
        Schema ``run_columns.RUNS``, by server, virtual server and run. A run that cannot be read has no rows.

    Raises
    ------
    IngestError
        None of the runs can be read.
    """
    readable, _ = ingest.ingest_readable(study.runs(), processed)
    rows = []
    for run in readable:
        rows += run_rows(run, processed)
        if progress is not None:
            progress(f"{run.server}/{run.run}")
    return conform(pl.DataFrame(rows, schema=polars_schema(RUNS)), RUNS).sort(
        "server", "virtual_server", "run"
    )


def run_rows(run: Run, processed: Path | str) -> list[dict[str, float | str | None]]:
    """The rows of one ingested run, one per virtual server."""
    frame = run_ledger(run, processed)
    rows: list[dict[str, float | str | None]] = []
    for name, server in sorted(run.virtual_servers.items()):
        try:
            counters = RunCounters(run, server, processed)
        except MissingData:  # no window
            counters = None
        names = {"server": run.server, "run": run.run, "virtual_server": name}
        rows.append(names | row_of(LedgerQuantities(frame, name), counters))
    return rows


def write_runs_table(
    study: str | Path = "kvm-case-study",
    path: str | Path | None = None,
    *,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Compute the runs table of a study and write it as Parquet; the same runs give the same bytes.

    Parameters
    ----------
    study : str or path
    path : path, optional
        The file to write, by default the one that :func:`runs_table` reads for the recorded study.
    raw, processed : path, optional
    progress : callable, optional
        Called with ``server/run`` after each run.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    RawRunError, IngestError
        As of :func:`runs_table`.
    OSError
        The file cannot be written.
    """
    from pipeline.api import open_study  # takes long

    opened = open_study(study, raw=raw, processed=processed)
    frame = compute_runs_table(opened.study, opened.processed, progress)
    return store(frame, project_path(path or STORED), run_digests(opened.study))


def store(frame: pl.DataFrame, path: Path, digests: dict[str, str]) -> Path:
    """Write a runs table with the digests of the runs that it was made from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.write_atomically(path) as part:
        frame.write_parquet(
            part, compression="zstd", row_group_size=ROWS_PER_GROUP,
            metadata={DIGESTS: json.dumps(digests, sort_keys=True)},
        )  # fmt: skip
    return path


def run_digests(study: Study) -> dict[str, str]:
    """``server/run`` → digest of its run.json."""
    return {
        f"{run.server}/{run.run}": hashlib.sha256(
            files.read_regular_file(run.path / "run.json")
        ).hexdigest()[:DIGEST_LENGTH]
        for run in study.runs()
    }


def _has_all_runs(stored: Path, study: Study) -> bool:
    """Whether a stored table has every run of the study, in the state that is on disk."""
    digests = json.loads(pl.read_parquet_metadata(stored).get(DIGESTS, "{}"))
    present = run_digests(study)
    return bool(present) and all(digests.get(name) == digest for name, digest in present.items())

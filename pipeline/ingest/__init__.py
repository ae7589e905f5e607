"""Ingest runs: parse all logs of a run and store their tables as Parquet, atomically and only after a change.

::

    data/processed/<table>/study=<study>/server=<server>/run=<run>/<key>.parquet
    data/processed/.manifest/study=<study>/server=<server>/run=<run>/manifest.json

The tables are ``tables.STORED``; their rows also have ``role``, and study, server and run by the names of the
folders. A table without rows has no file. A run is stored if its manifest is: the manifest is renamed into place
last and lists the valid files with their SHA-256, so a reader sees either the old or the new state of a run, and no
damaged file. ``key`` is the fingerprint, a hash of the run's files and of the parsers' code: a run with the same key
is skipped, without a right to write. Files whose status in the file system is that of the last time are not read for
it. Damaged tables are written again.

A log that cannot be read is a problem of the run (``problems`` in its ``runs`` rows and in the manifest); other
logs and runs are ingested. The same runs give the same bytes with any number of workers.

:mod:`parallel`    ingest many runs
:mod:`fingerprint` hash of a run's files and of the parsers
:mod:`file_status` status of a run's files in the file system
:mod:`parse_run`   all logs of one run to tables, ``log_reading``, ``grown_logs``
:mod:`consistency` manifests against logs
:mod:`writer`      store tables
:mod:`stored`      manifests of stored runs, verified
:mod:`reader`      read stored tables
:mod:`schema`      schemas of the manifest and of line counts
:mod:`texts`       problems and errors

Example
-------
>>> from pipeline import ingest, raw                                             # doctest: +SKIP
>>> ingest.ingest(raw.select_runs("data/raw"), "data/processed", workers=2)      # doctest: +SKIP
>>> ingest.load("client", "data/processed", study="kvm-case-study")              # doctest: +SKIP
"""

from pipeline.ingest.parallel import (
    ensure_ingested,
    ensure_ingested_run,
    ingest,
    ingest_readable,
)
from pipeline.ingest.parse_run import parse_run
from pipeline.ingest.reader import clear, list_ingested, load, loaded_schema, logs, manifest, scan
from pipeline.ingest.schema import MANIFEST_SCHEMA, IngestError

__all__ = [
    "MANIFEST_SCHEMA",
    "IngestError",
    "clear",
    "ensure_ingested",
    "ensure_ingested_run",
    "ingest",
    "ingest_readable",
    "list_ingested",
    "load",
    "loaded_schema",
    "logs",
    "manifest",
    "parse_run",
    "scan",
]

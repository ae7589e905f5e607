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
>>> from pipeline import ingest, raw                                             # doctest: +SKIP
>>> ingest.ingest(raw.select_runs("data/raw"), "data/processed", workers=2)      # doctest: +SKIP
>>> ingest.load("client", "data/processed", study="kvm-case-study")              # doctest: +SKIP
"""

from pipeline.ingest.parallel import ensure_ingested, ensure_ingested_run, ingest
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
    "list_ingested",
    "load",
    "loaded_schema",
    "logs",
    "manifest",
    "parse_run",
    "scan",
]

"""Hidden hosts: simulated hosts that a class is graded on, kept in a folder so that they are written once per seed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline import files, ingest
from pipeline.course.hosts import host_seed, write_class
from pipeline.raw import read_study

HIDDEN = 1_000_000
"""Place of the hidden hosts among the seeds of a class; no class has as many students."""


def hidden_hosts(
    count: int,
    seed: int,
    folder: Path,
    *,
    workers: int = 1,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, str]]:
    """Write and ingest hidden hosts, unless they are in ``folder``.

    Their true demands are not kept, so that no notebook can read them.

    Parameters
    ----------
    count, seed : int
        The same numbers give the same hosts; none of them is one of a class with this seed.
    folder : Path
        Where hidden hosts of all seeds are kept.
    workers : int
        Number of worker processes.
    progress : callable, optional
        Called with the name of each host that is written.

    Returns
    -------
    list of dict
        ``study``, ``raw`` and ``processed`` of each host: parameters of a lesson's notebook.
    """
    own = folder / f"seed-{seed}-hosts-{count}"
    raw, processed = own / "raw", own / "processed"
    if not own.is_dir():
        names = [str(number) for number in range(count)]
        with files.create_folder(own) as part, tempfile.TemporaryDirectory() as truth:
            seed_of_all = host_seed(seed, HIDDEN)
            write_class(
                names,
                part / "raw",
                truth,
                seed_of_all,
                workers=workers,
                processed=part / processed.name,
                progress=progress,
            )
    hosts = sorted(path.name for path in raw.iterdir())
    runs = [run for name in hosts for run in read_study(raw / name).runs()]
    ingest.ensure_ingested(runs, processed, workers=workers)
    return [{"study": name, "raw": str(raw), "processed": str(processed)} for name in hosts]

"""A dask scheduler and two worker processes on this machine, reached over TCP as on a cluster; once a test session."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def small_cluster(workers: int) -> Iterator[str]:
    """The scheduler's address. A worker that is killed is started again, as by ``dask worker`` with its nanny."""
    import dask
    from distributed import LocalCluster

    # workers import the package and the tests' functions from here
    paths = [str(ROOT), str(ROOT / "tests" / "helpers"), os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(paths), "POLARS_MAX_THREADS": "1"}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        with (
            # how long the scheduler waits for a killed worker that has a result
            dask.config.set({"distributed.comm.timeouts.connect": "2s"}),
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tcp://",
                dashboard_address=":0",
                memory_limit=0,
                silence_logs=50,
            ) as cluster,
        ):
            yield cluster.scheduler_address
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

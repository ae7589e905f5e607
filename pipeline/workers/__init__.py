"""Many tasks: one after the other in this process, in worker processes, or by the workers of a dask scheduler.

:mod:`tasks`     where the tasks run, and their results
:mod:`processes` worker processes of this machine
:mod:`cluster`   the workers of a dask scheduler, which may be on other machines
:mod:`same`      whether a worker of a cluster has the same code and sees the same files
:mod:`texts`     errors

Short, because it only imports what ``ingest``, ``api`` and ``report`` use::

    for number, result in run_tasks(function, [(1,), (2,)], workers=2, if_lost=lambda number, reason: None):
        ...
"""

from pipeline.workers.cluster import ClusterError
from pipeline.workers.processes import worker_pool
from pipeline.workers.same import other_files, same_folders
from pipeline.workers.tasks import run_tasks

__all__ = [
    "ClusterError",
    "other_files",
    "run_tasks",
    "same_folders",
    "worker_pool",
]

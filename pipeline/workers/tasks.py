"""Run a function on many arguments, and give the results as they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from pipeline.errors import Error
from pipeline.workers import texts
from pipeline.workers.cluster import Check, run_on_cluster
from pipeline.workers.processes import run_in_processes

Result = TypeVar("Result")


class WorkersError(Error, ValueError):
    """A number of workers that cannot be."""


def run_tasks(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    *,
    if_lost: Callable[[int, str], Result],
    workers: int = 1,
    scheduler: str | None = None,
    checks: Sequence[Check] = (),
) -> Iterator[tuple[int, Result]]:
    """Call ``function`` with the arguments of each task.

    A worker that is ended from outside (by the kernel, for memory; with its machine) costs its task a retry, and no
    other task its result.

    Parameters
    ----------
    function : callable
        Function of a module; it and its arguments are sent to the workers. Its exceptions are raised here.
    tasks : sequence of tuple
        The arguments of each call.
    if_lost : callable
        Gives the result of a task, from its number and a reason, whose worker was ended each time that it was tried.
    workers : int
        Number of worker processes; with 1, or one task, the tasks run in this process.
    scheduler : str, optional
        Address of a dask scheduler; its workers run the tasks instead.
    checks : sequence of callable
        Called on each worker of the scheduler before its first task: sentences on what it sees otherwise.

    Yields
    ------
    tuple
        Number of the task, from 0, and its result, in the order in which they are done.

    Raises
    ------
    WorkersError
        ``workers`` is less than 1.
    ClusterError
        The scheduler or its workers do not answer, or differ from this machine.

    Examples
    --------
    >>> dict(run_tasks(divmod, [(7, 2), (9, 3)], if_lost=lambda number, reason: (0, 0)))
    {0: (3, 1), 1: (3, 0)}
    """
    if workers < 1:
        raise WorkersError(texts.too_few_workers(workers))
    if scheduler is not None:
        return run_on_cluster(function, tasks, scheduler, if_lost=if_lost, checks=checks)
    if workers > 1 and len(tasks) > 1:
        return run_in_processes(function, tasks, min(workers, len(tasks)), if_lost=if_lost)
    return ((number, function(*task)) for number, task in enumerate(tasks))

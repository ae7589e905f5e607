"""The workers of a dask scheduler. ``distributed`` is imported when it is used."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from pipeline.errors import Error
from pipeline.workers import texts
from pipeline.workers.same import other_versions, versions

CONNECT_TIMEOUT_S = 10
"""How long to try to reach the scheduler."""
WORKERS_TIMEOUT_S = 30.0
"""How long the scheduler may have no worker: at the start, and while tasks wait."""
POLL_S = 1.0

Check = Callable[[], list[str]]
"""What a worker sees otherwise than the client, one sentence each."""
Result = TypeVar("Result")


class ClusterError(Error):
    """A scheduler that does not answer, has no workers, or workers that differ from this machine."""


def run_on_cluster(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    address: str,
    *,
    if_lost: Callable[[int, str], Result],
    checks: Sequence[Check] = (),
) -> Iterator[tuple[int, Result]]:
    """The tasks' results as they are done; arguments and errors as of ``run_tasks``.

    dask gives a task whose worker was ended to another one, three times. A worker that joins later is checked as well.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise ClusterError(texts.NO_DASK) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its errors are reported here
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(texts.no_scheduler(address, error)) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKERS_TIMEOUT_S)
        except TimeoutError as error:
            raise ClusterError(texts.no_workers(address, WORKERS_TIMEOUT_S)) from error
        task = _Checked(function, versions(), tuple(checks))
        _check_workers(client, task)
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        numbers = {
            client.submit(task, *arguments, pure=False): number
            for number, arguments in enumerate(tasks)
        }
        for future in numbers:
            future.add_done_callback(done.put)
        while numbers:
            future = _next_done(done, client, address)
            number = numbers.pop(future)
            try:
                result = future.result()
            except KilledWorker as error:
                times, worker = error.allowed_failures + 1, error.last_worker.address
                result = if_lost(number, texts.killed(times, worker))
            except CancelledError as error:
                raise ClusterError(texts.scheduler_ended(address)) from error
            future.release()  # the result on the cluster
            yield number, result


def _next_done(done: queue.SimpleQueue, client: Any, address: str) -> Any:
    """The next finished future; ``ClusterError`` where the scheduler has no worker for ``WORKERS_TIMEOUT_S``."""
    without_since = None
    while True:
        try:
            return done.get(timeout=POLL_S)
        except queue.Empty:
            pass
        try:
            has_workers = bool(client.nthreads())
        except (OSError, TimeoutError) as error:
            raise ClusterError(texts.scheduler_ended(address)) from error
        if has_workers:
            without_since = None
            continue
        without_since = without_since or time.monotonic()
        if time.monotonic() - without_since > WORKERS_TIMEOUT_S:
            raise ClusterError(texts.no_workers(address, WORKERS_TIMEOUT_S))


def _check_workers(client: Any, task: _Checked) -> None:
    """Raise ``ClusterError`` that names every worker that differs, and how."""
    sentences = []
    answers = client.run(task.differences, on_error="return")
    for worker, answer in sorted(answers.items()):
        if isinstance(answer, BaseException):
            answer = [texts.not_installed(answer)]
        if answer:
            sentences.append(texts.of_worker(worker, answer))
    if sentences:
        raise ClusterError(texts.workers_differ(sentences))


class _Checked:
    """A function that a worker calls only if it has the same versions and passes the checks."""

    def __init__(
        self, function: Callable[..., Any], client: dict[str, str], checks: tuple[Check, ...]
    ):
        self._function, self._client, self._checks = function, client, checks

    def differences(self) -> list[str]:
        """What differs on this worker: one sentence each."""
        sentences = other_versions(self._client)
        return sentences + [sentence for check in self._checks for sentence in check()]

    def __call__(self, *arguments: Any) -> Any:
        """The function's result; ``ClusterError`` on a worker that differs."""
        if sentences := self.differences():
            from distributed import get_worker

            worker = texts.of_worker(get_worker().address, sentences)
            raise ClusterError(texts.workers_differ([worker]))
        return self._function(*arguments)

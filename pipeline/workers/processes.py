"""Worker processes of this machine, which end with the process that started them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from types import FrameType
from typing import Any, TypeVar

from pipeline.workers import texts

Result = TypeVar("Result")


def run_in_processes(
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    workers: int,
    *,
    if_lost: Callable[[int, str], Result],
) -> Iterator[tuple[int, Result]]:
    """The tasks' results as they are done; arguments as of ``run_tasks``.

    A worker that is ended from outside takes the tasks of all workers with it. They are done again one at a time; the
    task whose worker is ended again is lost.
    """
    threads = max(1, (os.cpu_count() or 1) // workers)
    waiting, interrupted = deque(range(len(tasks))), deque[int]()
    with _environment("POLARS_MAX_THREADS", str(threads)):
        while waiting or interrupted:
            size, queue = (workers, waiting) if waiting else (1, interrupted)
            running: dict[Future[Result], int] = {}
            try:
                with worker_pool(size) as pool:
                    while queue or running:
                        while queue and len(running) < size:
                            number = queue.popleft()
                            running[pool.submit(function, *tasks[number])] = number
                        for future in wait(running, return_when=FIRST_COMPLETED).done:
                            result = future.result()
                            yield running.pop(future), result
            except BrokenProcessPool:
                if queue is waiting:
                    interrupted.extend(sorted(running.values()))
                else:
                    (number,) = running.values()
                    yield number, if_lost(number, texts.WORKER_ENDED)


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Worker processes that end when this process does; spawned, not forked, because Polars has threads."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    """Let a worker remove its temporary files when it is ended, and end when its parent process has."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _exit)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


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

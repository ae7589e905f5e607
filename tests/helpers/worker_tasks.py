"""Functions that tests give to workers: a worker imports them by their names."""

import os
import time
from pathlib import Path
from types import SimpleNamespace


def square(number):
    return number * number


def killed_always(number):
    """Task 1 ends with dask's error for a task that ended four workers; they are not ended, which would take long."""
    if number == 1:
        from distributed import KilledWorker

        raise KilledWorker("task", SimpleNamespace(address="tcp://192.0.2.1:1"), 3)
    return number


def slow(folder, number):
    """Writes its process id to the folder, and takes a while."""
    Path(folder, f"pid-{number}").write_text(str(os.getpid()))
    time.sleep(0.4)
    return number


def other_folder():
    return ["/data: other content on the worker"]

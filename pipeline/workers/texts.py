"""Errors of worker processes and clusters; short, because each of them is one sentence."""

NO_DASK = (
    "--scheduler needs dask.distributed, which is not installed: pip install 'queuevisor[cluster]'"
)
WORKER_ENDED = "its worker process was ended twice from outside (not enough memory?)"
NO_FOLDER = "no such folder"
NO_FILE = "no such file"
OTHER_CONTENT = "other content"


def too_few_workers(workers: int) -> str:
    """Error: a wrong argument."""
    return f"workers must be 1 or more (got {workers})"


def no_scheduler(address: str, error: object) -> str:
    """Error: a dask scheduler that cannot be reached."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"no dask scheduler at {address} ({reason}); start one with `dask scheduler`, or correct --scheduler"


def scheduler_ended(address: str) -> str:
    """Error: a dask scheduler that is no longer reached."""
    return (
        f"the dask scheduler {address} has ended or is no longer reached; what is done is kept: start it again, and "
        "repeat the command"
    )


def no_workers(address: str, seconds: float) -> str:
    """Error: a dask scheduler without workers."""
    return (
        f"no worker of the dask scheduler {address} answers within {seconds:g} s: "
        f"start one with `dask worker {address}`"
    )


def workers_differ(sentences: list[str]) -> str:
    """Error: workers with other code or other files."""
    return (
        "workers of the cluster differ from this machine: "
        + "; ".join(sentences)
        + ". They need the same versions and the same folders (docs/how-to/cluster.md)"
    )


def of_worker(worker: str, sentences: list[str]) -> str:
    """What differs on one worker."""
    return f"{worker}: {', '.join(sentences)}"


def not_installed(error: object) -> str:
    """A worker that cannot import the package."""
    return f"cannot run Queuevisor ({error}): install the same version in the worker's environment"


def other_version(what: str, worker: str | None, client: str | None) -> str:
    """A worker with another version."""
    return f"{what} {worker or 'missing'} instead of {client or 'none'}"


def other_file(path: object, reason: str) -> str:
    """A file or folder that a worker sees otherwise."""
    return f"{path}: {reason} on the worker"


def killed(times: int, worker: str) -> str:
    """A task of a cluster without a result, because its workers were ended; the last one was ``worker``."""
    return f"its worker was ended {times} times, last {worker} (not enough memory?)"

"""Run one notebook with papermill, and report in one line why it failed."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from pipeline.errors import Error

CELL_TIMEOUT_S = 600
START_TIMEOUT_S = 120


class UnknownParameter(Error, ValueError):  # noqa: N818 - a refusal, worded as one
    """A notebook was given a parameter that it does not have."""


@dataclass(frozen=True)
class Executed:
    """A notebook with its outputs, up to the failed cell if one failed."""

    notebook: NotebookNode
    error: str | None = None
    traceback: str | None = None


def parameters_of(notebook: Path) -> dict[str, str]:
    """The notebook's parameters → their comments."""
    with _quiet():
        parameters = papermill.inspect_notebook(str(notebook))
    return {name: entry["help"] for name, entry in parameters.items()}


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Raise ``UnknownParameter`` for parameters that the notebook does not have (papermill only warns)."""
    names = parameters_of(notebook)
    unknown = sorted(set(parameters) - set(names))
    if unknown:
        raise UnknownParameter(
            f"{notebook.name} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(names)) or 'none'}"
        )


def execute(notebook: Path, parameters: Mapping[str, Any], *, cwd: Path) -> Executed:
    """Run ``notebook`` with ``parameters`` in ``cwd``.

    A failed cell is no exception but ``Executed.error``; an unknown parameter is ``UnknownParameter``. The kernel is
    reached through sockets in a folder of its own, because kernels that start in parallel compete for TCP ports and
    then read each other's messages ("Invalid Signature").
    """
    check_parameters(notebook, parameters)
    with tempfile.TemporaryDirectory(prefix="qv-", ignore_cleanup_errors=True) as folder:
        output = Path(folder) / "out.ipynb"
        config = Config()
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = str(Path(folder) / "k")
        failure: PapermillExecutionError | None = None
        try:
            with _quiet():
                papermill.execute_notebook(
                    str(notebook),
                    str(output),
                    parameters=dict(parameters),
                    kernel_name="python3",
                    progress_bar=False,
                    request_save_on_cell_execute=False,
                    start_timeout=START_TIMEOUT_S,
                    execution_timeout=CELL_TIMEOUT_S,
                    cwd=str(cwd),
                    config=config,
                    extra_arguments=["--IPKernelApp.log_level=50"],
                )
        except PapermillExecutionError as error:
            failure = error
        except Exception as error:  # a dead kernel, a time-out: shown on the page
            executed = _stripped(output if output.exists() else notebook)
            return Executed(executed, _one_line(f"{type(error).__name__}: {error}"))
        executed = _stripped(output)
    if failure is None:
        return Executed(executed)
    message = _one_line(f"{failure.ename}: {failure.evalue}")
    return Executed(executed, message, "\n".join(failure.traceback))


def _stripped(path: Path) -> NotebookNode:
    """The notebook without papermill's times, random ids and error marks: equal input gives an equal notebook."""
    notebook = nbformat.read(path, as_version=4)
    cells = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "papermill-error-cell-tag" in tags:
            continue
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cells.append(cell)
    for place, cell in enumerate(cells):
        cell["id"] = f"cell-{place}"
    notebook.cells = cells
    notebook.metadata.pop("papermill", None)
    return notebook


def _one_line(text: str, max_length: int = 500) -> str:
    line = " ".join(
        "".join(c if c.isprintable() or c.isspace() else repr(c)[1:-1] for c in text).split()
    )
    return line if len(line) <= max_length else line[: max_length - 1] + "…"


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide papermill's log below ERROR, and ipykernel's and nbformat's warnings, which do not concern the notebook."""
    logging.getLogger("papermill").setLevel(logging.ERROR)
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

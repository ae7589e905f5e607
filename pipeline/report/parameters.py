"""The parameters of a notebook: the assignments of its cell tagged ``parameters``.

papermill only warns of a parameter that a notebook does not have. ``check_parameters`` refuses it before the notebook
runs, ``check_injected`` within it, so that plain papermill refuses it as well.
"""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.errors import Error

INJECTED = "# Parameters"
"""First line of the cell that papermill adds after the cell tagged ``parameters``."""


class UnknownParameter(Error, ValueError):  # noqa: N818 - a refusal, worded as one
    """A notebook was given a parameter that it does not have."""


def parameters_of(notebook: Path) -> dict[str, Any]:
    """The notebook's parameters → their default values; empty without a cell tagged ``parameters``."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if "parameters" in cell["metadata"].get("tags", []):
            return _assignments("".join(cell["source"])) or {}
    return {}


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Raise ``UnknownParameter`` for parameters that the notebook does not have."""
    _check(notebook.name, list(parameters), list(parameters_of(notebook)))


def check_injected(cells: Sequence[str]) -> None:
    """Raise ``UnknownParameter`` if papermill's cell assigns a name that the cell before it does not have.

    Parameters
    ----------
    cells
        The code that was run, in order (IPython's ``In``).
    """
    for defaults, given in pairwise(cells):
        if given.startswith(INJECTED):
            names, own = _assignments(given), _assignments(defaults)
            if names is not None and own is not None:
                _check("the notebook", list(names), list(own))
            return


def _check(notebook: str, names: Sequence[str], own: Sequence[str]) -> None:
    unknown = sorted(set(names) - set(own))
    if unknown:
        near = difflib.get_close_matches(unknown[0], own, n=1)
        raise UnknownParameter(
            f"{notebook} has no parameter {', '.join(unknown)}"
            + (f" (did you mean {near[0]}?)" if near else "")
            + f"; it has {', '.join(sorted(own)) or 'none'}"
        )


def _assignments(source: str) -> dict[str, Any] | None:
    """Name → value of a cell that holds nothing but assignments of constants; None for another cell."""
    values: dict[str, Any] = {}
    try:
        for node in ast.parse(source).body:
            match node:
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    values[name] = ast.literal_eval(value)
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    values[name] = ast.literal_eval(value)
                case _:
                    return None
    except (SyntaxError, ValueError):
        return None
    return values

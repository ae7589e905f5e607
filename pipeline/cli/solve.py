"""``queuevisor solve``: a queueing network model, by the method that fits or the one asked for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import print_error, progress, usage_error
from pipeline.escape import escape_controls

if TYPE_CHECKING:  # SciPy is slow to import: not for the other commands
    from pipeline.api import Network, Solution


class Method(StrEnum):
    """Ways to solve a model, see pipeline/network/solve.py."""

    EXACT = "exact"
    SCHWEITZER = "schweitzer"
    LINEARIZER = "linearizer"
    BOUNDS = "bounds"
    SIMULATION = "simulation"


class Form(StrEnum):
    """Forms of the answer."""

    TABLE = "table"
    JSON = "json"


def solve_model(
    model: Annotated[
        Path, typer.Argument(help="A queuevisor-network/1 file, or JMT's JMVA (.jmva, .xml).")
    ],
    method: Annotated[
        Method,
        typer.Option(
            help="exact falls back to linearizer, with a warning, if the model is too large."
        ),
    ] = Method.EXACT,
    form: Annotated[Form, typer.Option("--format", help="Output format.")] = Form.TABLE,
    replications: Annotated[
        int, typer.Option(min=2, max=1000, help="Replications of a simulation.")
    ] = 10,
    length: Annotated[
        int, typer.Option(min=10, max=10_000_000, help="Customers measured per replication.")
    ] = 5_000,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**32 - 1, help="Seed of the first replication; the next add one each."
        ),
    ] = 1,
    export: Annotated[
        Path | None,
        typer.Option(help="Write the model to this file (.json, or .jmva for JMT) and exit."),
    ] = None,
) -> None:
    """Solve a queueing network: throughput, response time, utilization, queue length, residence time.

    Exact for open, closed and mixed product-form networks. An approximate solution has exact: false and a warning
    that names the method. An overloaded station is an error that states the largest rate it can serve.

    Example: queuevisor solve host.json --format json
    """
    import json

    from pipeline.api import ModelError, read_model, write_model

    try:
        network = read_model(model)
        if export is not None:
            for loss in write_model(network, export):
                print_error(one_line(f"{export.name}: {loss}"))
            return
        solution = _solve(network, method.value, replications, length, seed)
    except ModelError as error:
        raise usage_error(one_line(str(error))) from None
    except MemoryError:
        raise usage_error(
            f"{model}: not enough memory for this model; use --method linearizer"
        ) from None
    if form is Form.JSON:
        typer.echo(json.dumps(solution.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        print_solution(solution)


def _solve(network: Network, method: str, replications: int, length: int, seed: int) -> Solution:
    from pipeline.api import solve

    if method != "simulation":
        return solve(network, method)
    with progress("simulation", replications) as step:
        return solve(
            network, method, replications=replications, length=length, seed=seed, progress=step
        )


def one_line(text: str) -> str:
    """``text`` as one line, whatever names it quotes."""
    return escape_controls(text).replace("\n", "\\n").replace("\t", "\\t")


def print_solution(solution: Solution) -> None:
    """Print the solution as tables: classes, stations, bounds, warnings."""
    import polars as pl

    from pipeline.cli.tabulate import show

    document = solution.to_dict()
    kind = "exact solution" if solution.exact else f"approximate: {solution.method}"
    kind = {"bounds": "bounds", "simulation": "simulation, 95 % intervals"}.get(
        solution.method, kind
    )
    typer.echo(f"{kind}; times in seconds, rates per second (or in the model's own unit of time)")
    if document["classes"]:
        rows = [{"class": name} | row for name, row in document["classes"].items()]
        show(pl.DataFrame(rows, infer_schema_length=None), "classes")
        rows = [
            {"station": station, "class": name} | row
            for station, by_class in document["stations"].items()
            for name, row in by_class.items()
        ]
        show(pl.DataFrame(rows, infer_schema_length=None), "stations")
    for family, listed in document["bounds"].items():
        show(pl.DataFrame(listed, infer_schema_length=None), family)
    if "knee" in document:
        typer.echo(f"knee: N* = {document['knee']:.6g} customers")
    if document.get("simulation"):
        record = document["simulation"]
        seeds = f"{record['seeds'][0]} to {record['seeds'][-1]}"
        typer.echo(
            f"{record['engine']}: {record['replications']} runs of {record['horizon_s']:.6g} "
            f"({record['warm_up_s']:.6g} of it warm-up), seeds {seeds}, {record['customers']} customers"
        )
    for warning in solution.warnings:
        print_error(one_line(f"warning: {warning}"))

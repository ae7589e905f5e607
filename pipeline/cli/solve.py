"""``queuevisor solve``: a queueing network model, by the method that fits or the one asked for."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import polars as pl
import typer

from pipeline.cli.say import complain, printable, progress, refusal
from pipeline.cli.tabulate import show

if TYPE_CHECKING:  # SciPy takes its time: the other commands shall not wait for it
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
        typer.Option(help="exact turns to linearizer where it is too large, and says so."),
    ] = Method.EXACT,
    form: Annotated[Form, typer.Option("--format", help="Form of the answer.")] = Form.TABLE,
    replications: Annotated[int, typer.Option(min=2, max=1000, help="Runs of a simulation.")] = 10,
    length: Annotated[
        int, typer.Option(min=10, max=10_000_000, help="Customers measured in each run.")
    ] = 5_000,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, help="Seed of the first run; the next has one more."),
    ] = 1,
    export: Annotated[
        Path | None,
        typer.Option(help="Write the model here instead of solving it: .json, or .jmva for JMT."),
    ] = None,
) -> None:
    """Solve a queueing network: throughput, response time, utilization, queue length, residence time.

    Exact for open, closed and mixed networks of product form. Whatever is approximate says so (exact: false,
    and a warning that names the method). An overloaded station is an error that names the largest rate.

    Example: queuevisor solve host.json --format json
    """
    from pipeline.api import ModelError, read_model, write_model

    try:
        network = read_model(model)
        if export is not None:
            for loss in write_model(network, export):
                complain(one_line(f"{export.name}: {loss}"))
            return
        solution = _solve(network, method.value, replications, length, seed)
    except ModelError as error:
        raise refusal(one_line(str(error))) from None
    except MemoryError:
        raise refusal(f"{model}: there is not enough memory for this model") from None
    if form is Form.JSON:
        typer.echo(json.dumps(solution.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        tell(solution)


def _solve(network: Network, method: str, replications: int, length: int, seed: int) -> Solution:
    from pipeline.api import solve

    if method != "simulation":
        return solve(network, method)
    with progress("simulation", replications) as step:
        return solve(
            network, method, replications=replications, length=length, seed=seed, progress=step
        )


def one_line(text: str) -> str:
    """An error is one line, whatever names it quotes."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def tell(solution: Solution) -> None:
    """Print tables for people: classes, stations, bounds, and what to beware of."""
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
        complain(one_line(f"warning: {warning}"))

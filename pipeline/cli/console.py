"""Output of the commands: errors and progress go to standard error, results to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.units import escape_controls

Step = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """Folders that every command shares."""

    raw: Path
    processed: Path


def print_error(text: str) -> None:
    """Print one line on standard error; text from logs and manifests cannot move the cursor."""
    print(f"queuevisor: {escape_controls(text)}", file=sys.stderr)


def usage_error(text: str) -> typer.Exit:
    """The exit (code 2) of a command that can do nothing, its reason printed on standard error."""
    print_error(text)
    return typer.Exit(2)


@contextmanager
def progress(what: str, total: int) -> Iterator[Step]:
    """Show a bar on a terminal, plain lines elsewhere; yields the function to call after each step."""
    console = Console(stderr=True)
    done = 0
    if not console.is_terminal:

        def line(text: str) -> None:
            nonlocal done
            done += 1
            print(f"{what} {done}/{total} {escape_controls(text)}", file=sys.stderr, flush=True)

        yield line
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[last]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=total, last="")
        yield lambda text: bar.update(task, advance=1, last=escape(escape_controls(text)))

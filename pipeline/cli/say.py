"""What a command says: complaints and progress go to standard error, results to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Step = Callable[[str], None]


def complain(text: str) -> None:
    """One line on standard error; text from logs and manifests cannot move the cursor."""
    print(f"queuevisor: {printable(text)}", file=sys.stderr)


def refusal(text: str) -> typer.Exit:
    """What a command raises that can do nothing at all: exit code 2, with the reason on standard error."""
    complain(text)
    return typer.Exit(2)


def printable(text: str) -> str:
    """``text`` with control characters made visible: a terminal obeys them, and logs are hostile."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


@contextmanager
def progress(what: str, total: int) -> Iterator[Step]:
    """A bar on a terminal, plain lines elsewhere; yields the function that one finished step calls."""
    console = Console(stderr=True)
    done = 0
    if not console.is_terminal:

        def line(text: str) -> None:
            nonlocal done
            done += 1
            print(f"{what} {done}/{total} {printable(text)}", file=sys.stderr, flush=True)

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
        yield lambda text: bar.update(task, advance=1, last=escape(printable(text)))

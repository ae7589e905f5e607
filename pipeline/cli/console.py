"""Output of the commands: errors and progress go to standard error, results to standard output."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from pipeline.escape import escape_controls

if TYPE_CHECKING:  # slow to import: not for help
    from rich.progress import Progress


@dataclass(frozen=True)
class Settings:
    """Folders that every command shares."""

    raw: Path
    processed: Path
    max_expanded_bytes: int | None = None
    """Longest text of a log that is read; 64 GB if None."""


def print_line(text: str) -> None:
    """Print a line on standard output; names of files and texts of manifests cannot move the cursor."""
    typer.echo(escape_controls(text))


def print_error(text: str) -> None:
    """Print one line on standard error; text from logs and manifests cannot move the cursor."""
    print(f"queuevisor: {escape_controls(text)}", file=sys.stderr)


def usage_error(text: str) -> typer.Exit:
    """The exit (code 2) of a command that can do nothing, its reason printed on standard error."""
    print_error(text)
    return typer.Exit(2)


class Steps:
    """The steps of a command: a bar on a terminal, a line per step elsewhere."""

    def __init__(self, what: str, total: int, noun: str, bar: Progress | None):
        self._what, self._noun, self._bar = what, noun, bar
        self._total, self._done, self._unchanged = total, 0, 0
        self._task = None if bar is None else bar.add_task(what, total=total, last="")

    def __call__(self, text: str, *, keep: bool = False) -> None:
        """One step is done; with ``keep`` the text stays on a terminal as well."""
        self._done += 1
        line = f"{self._what} {self._done}/{self._total} {escape_controls(text)}"
        if self._bar is None:
            print(line, file=sys.stderr, flush=True)
            return
        from rich.markup import escape

        if keep:
            self._bar.console.print(escape(line), highlight=False, soft_wrap=True)
        self._bar.update(self._task, advance=1, last=escape(escape_controls(text)))

    def unchanged(self) -> None:
        """A step that has nothing to do: it is counted, and left out of the time that remains."""
        self._unchanged += 1
        self._total -= 1
        if self._bar is not None:
            self._bar.update(self._task, total=self._total)

    def summarize(self) -> None:
        """Print how many steps had nothing to do, if any."""
        if self._unchanged:
            noun = self._noun if self._unchanged == 1 else f"{self._noun}s"
            print(
                f"{self._what}: {self._unchanged:,} {noun} unchanged", file=sys.stderr, flush=True
            )


@contextmanager
def progress(what: str, total: int, noun: str = "step") -> Iterator[Steps]:
    """Show a bar on a terminal, plain lines elsewhere; yields the function to call after each step."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        steps = Steps(what, total, noun, None)
        yield steps
    else:
        from pipeline.cli.bar import bar

        with bar(console) as shown:
            steps = Steps(what, total, noun, shown)
            yield steps
    steps.summarize()


@contextmanager
def progress_of_bytes(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on a terminal, nothing elsewhere; yields the function to call with the bytes read and all bytes."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(escape_controls(what), total=None)
        yield lambda read, size: bar.update(task, completed=read, total=size)


class Interrupted(KeyboardInterrupt):
    """The process got SIGINT, SIGTERM or SIGHUP. Attribute: ``number`` of the signal."""

    def __init__(self, number: int):
        self.number = number
        super().__init__(f"signal {number}")


SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


KEPT = "what is done is kept, and the same command goes on from there"
NOTHING_WRITTEN = "nothing was written"


@contextmanager
def orderly_exit(consequence: str = KEPT) -> Iterator[None]:
    """Within this block a signal to end is an exception, so that temporary files and child processes are removed.

    The exit code is 128 and the number of the signal: 130 for SIGINT, 143 for SIGTERM. A second signal ends the process
    at once.
    """

    def interrupt(number: int, _: FrameType | None) -> None:
        for each in replaced:
            signal.signal(each, signal.SIG_DFL)
        if processes := sys.modules.get("multiprocessing"):  # else there is no worker
            for worker in processes.active_children():
                worker.terminate()
        raise Interrupted(number)

    replaced = {each: signal.getsignal(each) for each in SIGNALS}
    replaced = {each: was for each, was in replaced.items() if was is not signal.SIG_IGN}
    for each in replaced:
        signal.signal(each, interrupt)
    try:
        yield
    except Interrupted as interrupted:
        print_error(f"interrupted; {consequence}")
        raise typer.Exit(128 + interrupted.number) from None
    finally:
        for each, was in replaced.items():
            signal.signal(each, was)

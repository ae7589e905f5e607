"""The bar of the steps of a command on a terminal.

A module of its own because :mod:`rich.progress` is slow to import.
"""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """Steps per minute."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{60 * speed:.3g}/min" if speed else "")


def bar(console: Console) -> Progress:
    """A bar whose tasks have a field ``last``: what the last step says."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        _Rate(),
        TextColumn("[dim]{task.fields[last]}"),
        console=console,
    )

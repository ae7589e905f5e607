"""Options that commands share: the folders, also after the command's name; names that must exist; sizes."""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import storage
from pipeline.cli.console import Settings, usage_error
from pipeline.files import MAX_EXPANDED_BYTES

SIZE_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_size(text: str | int) -> int:
    """A number of bytes, in decimal units; raises ``typer.BadParameter``.

    Examples
    --------
    >>> parse_size("1.5 GB")
    1500000000
    """
    pattern = r"(\d{1,15}(?:\.\d{1,15})?)\s*([KMGT]?B?)"
    match = re.fullmatch(pattern, str(text).strip().upper(), re.ASCII)
    unit = f"{match[2].removesuffix('B')}B" if match else "B"
    size = round(float(match[1]) * SIZE_UNITS[unit]) if match else 0
    if not 0 < size < 2**63:
        raise typer.BadParameter(f"{text!r} is no size; use for example 500MB or 64GB")
    return size


MaxExpanded = Annotated[
    int,
    typer.Option(
        "--max-expanded",
        parser=parse_size,
        metavar="SIZE",
        show_default=f"{MAX_EXPANDED_BYTES // 10**9}GB",
        help="Refuse a log whose text, after decompression, is longer: 500MB, 64GB.",
    ),
]
"""For commands that read logs; its default is ``MAX_EXPANDED_BYTES``."""

Workers = Annotated[int, typer.Option(min=1, help="Number of worker processes.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Use the workers of this dask scheduler instead: tcp://host:8786 (docs/how-to/cluster.md).",
    ),
]
"""For commands whose work is many tasks."""

MAX_NAMES = 8
"""Names that a message lists; of more, the nearest."""

PANEL = "Folders"
FOLDERS = {
    "raw": "Folder or URL of the raw runs (default: data/raw, or QUEUEVISOR_RAW).",
    "processed": "Folder or URL of the tidy tables (default: data/processed, or QUEUEVISOR_PROCESSED).",
}


def with_folders(command: Callable[..., None], *, is_writer: bool = False) -> Callable[..., None]:
    """``command`` with the options --raw and --processed, which are those of ``queuevisor`` itself.

    A command that takes a ``context`` reads the folder of the raw runs, so it must exist, unless it ``is_writer``: else
    exit code 2. The
    others accept the options, as ``queuevisor`` does before their names, and do not show them.
    """
    signature = inspect.signature(command, eval_str=True)
    is_reader = "context" in signature.parameters

    @functools.wraps(command)
    def run(*, raw: Path | None, processed: Path | None, **values: Any) -> None:
        if is_reader:
            context: typer.Context = values["context"]
            settings: Settings = context.obj
            settings = replace(
                settings, raw=raw or settings.raw, processed=processed or settings.processed
            )
            settings = with_local_folders(settings, command.__name__)
            context.obj = settings
            if not is_writer:
                check_raw_folder(settings.raw)
        command(**values)

    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                Path | None,
                typer.Option(
                    help=text,
                    rich_help_panel=PANEL,
                    hidden=not is_reader,
                    parser=parse_location,
                    metavar="PATH",
                ),
            ],
        )
        for name, text in FOLDERS.items()
    ]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *added])
    run.__annotations__ = {
        name: parameter.annotation for name, parameter in run.__signature__.parameters.items()
    }
    return run


def parse_location(text: str | Path) -> Path | str:
    """The value of --raw or --processed: a folder, or the URL of object storage."""
    return str(text) if storage.is_url(text) else Path(text)


WITH_URLS = {
    "list_runs": "runs",
    "ingest_runs": "ingest",
    "print_ledger": "ledger",
    "make_report": "report",
}
"""Function → name of the commands that read object storage."""


def with_local_folders(settings: Settings, command: str | None) -> Settings:
    """``settings`` with folders of this machine: a URL's mirror, in which the raw folder has no logs yet.

    Exit code 2 for a ``command`` that reads folders only.
    """
    urls = [each for each in (settings.raw, settings.processed) if isinstance(each, str)]
    if not urls:
        return settings
    if command not in WITH_URLS:
        names = ", ".join(WITH_URLS.values())
        raise usage_error(f"{urls[0]}: only the commands {names} read object storage")
    raw, processed = (
        storage.open_mirror(each) if isinstance(each, str) else None
        for each in (settings.raw, settings.processed)
    )
    if raw is not None and not raw.fetch(has_logs=False):
        raise usage_error(f"{raw.url}: nothing is stored there; correct --raw or QUEUEVISOR_RAW")
    return replace(
        settings,
        raw=settings.raw if raw is None else raw.folder,
        processed=settings.processed if processed is None else processed.folder,
    )


def check_raw_folder(raw: Path) -> None:
    """Exit with code 2 if the folder of raw runs does not exist or cannot be listed."""
    try:
        with os.scandir(raw):
            return
    except FileNotFoundError:
        reason = (
            "folder of raw runs does not exist; call queuevisor in the project's folder, or give"
        )
    except OSError as error:
        reason = f"folder of raw runs cannot be read: {error.strerror or error}; give"
    raise usage_error(f"{raw}: {reason} the folder with --raw or QUEUEVISOR_RAW")


def check_names(option: str, names: Sequence[str], choices: Sequence[str]) -> None:
    """Exit with code 2 if one of ``names`` is not among ``choices``; the message lists them, the nearest first."""
    for name in names:
        if name not in choices:
            noun = option.strip("-").removesuffix("s")
            raise usage_error(f"{option} {name}: no such {noun}; {choices_text(name, choices)}")


def choices_text(name: str, choices: Sequence[str]) -> str:
    """``choose from`` all of a few ``choices``, or the ``nearest`` of more.

    Examples
    --------
    >>> choices_text("corected", ["as-printed", "corrected"])
    'choose from corrected, as-printed'
    """

    import difflib

    def similarity(choice: str) -> float:
        return difflib.SequenceMatcher(None, name.lower(), choice.lower()).ratio()

    ordered = sorted(choices, key=similarity, reverse=True)
    if len(ordered) <= MAX_NAMES:
        return f"choose from {', '.join(ordered)}"
    return f"nearest of {len(ordered)}: {', '.join(ordered[:MAX_NAMES])}"

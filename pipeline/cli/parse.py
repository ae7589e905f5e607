"""``queuevisor parse``: one log into tidy tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import api
from pipeline.api.formats import check_writable
from pipeline.cli.console import (
    NOTHING_WRITTEN,
    orderly_exit,
    print_error,
    progress_of_bytes,
    usage_error,
)
from pipeline.cli.options import MaxExpanded
from pipeline.escape import escape_json
from pipeline.files import MAX_EXPANDED_BYTES

if TYPE_CHECKING:  # slow to import: not for help
    from pipeline.api import Parsed

Kind = StrEnum("Kind", {name: name for name in (api.AUTO, *api.KINDS)})

SUFFIXES = (".parquet", ".csv", ".ndjson")


def write_pieces(pieces: Iterable[Parsed], out: Path | None) -> tuple[dict[str, Any], Parsed]:
    """Write the main table to ``out`` and every other next to it as STEM.TABLE.SUFFIX, rejects too, piece by piece.

    Returns the summary of the whole log and its last piece.
    """
    from pipeline.api.export import FrameWriter

    summaries = []
    writers: dict[str, FrameWriter] = {}
    with contextlib.ExitStack() as files:
        for piece in pieces:
            summaries.append(piece.summary())
            if out is None:
                continue
            frames = {**piece.tables, "rejects": piece.rejects}
            for name, frame in frames.items():
                if name not in writers:
                    path = out.with_name(f"{out.stem}.{name}{out.suffix}") if writers else out
                    writers[name] = files.enter_context(FrameWriter(path, frame.schema))
                writers[name].write(frame)
        for writer in writers.values():
            writer.close()
    return api.joined_summary(summaries), piece


def parse_log(
    kind: Annotated[
        Kind,
        typer.Argument(help="Kind of log; auto: by its content; block also reads /proc/diskstats."),
    ],
    file: Annotated[Path, typer.Argument(help="The log; .gz and .zst are decompressed.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write the main table here: .parquet, .csv or .ndjson."),
    ] = None,
    date: Annotated[
        str | None, typer.Option(help="First day of a log without dates, YYYY-MM-DD.")
    ] = None,
    tz: Annotated[
        str | None, typer.Option(help="Time zone of the machine, e.g. Europe/Berlin.")
    ] = None,
    tool_version: Annotated[
        str | None,
        typer.Option(help="Version of the tool; rows with its known faults are flagged."),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Format of an access log: Apache's LogFormat or nginx's log_format, or a name such as vhost_combined.",
        ),
    ] = None,
    max_expanded: MaxExpanded = MAX_EXPANDED_BYTES,
) -> None:
    """Read one log into tidy tables; print the number of lines read and rejected as JSON.

    The log is read in pieces: memory does not grow with it. Other tables of the log and the rejected lines are written
    next to OUT as STEM.TABLE.SUFFIX. Exit code 2 if no line could be read; rejected lines alone are no failure.

    Example: queuevisor parse top top.log -o top.parquet --date 2015-06-01 --tz Asia/Shanghai
    """
    import json

    if log_format is not None and kind.value != "access":
        raise usage_error("--format is for access logs")
    if out is not None:
        if out.suffix not in SUFFIXES:
            raise usage_error(f"{out}: unsupported suffix; use {', '.join(SUFFIXES)}")
        check_writable(out)
    try:
        with (
            orderly_exit(NOTHING_WRITTEN),
            progress_of_bytes(f"parse {file.name}") as progress,
        ):
            pieces = api.parse_pieces(
                kind.value,
                file,
                max_expanded_bytes=max_expanded,
                progress=progress,
                date=date,
                tz=tz,
                tool_version=tool_version,
                log_format=log_format,
            )
            summary, last = write_pieces(pieces, out)
    except api.ParseError as error:
        raise usage_error(str(error)) from None
    typer.echo(escape_json(json.dumps(summary, ensure_ascii=False)))
    if last.unread:
        line, reason = last.unread
        print_error(f"{file}, line {line}: {reason}; no line is a record of {last.kind}")
        raise typer.Exit(2)

"""``queuevisor parse``: one log into tidy tables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import api
from pipeline.api.formats import check_writable
from pipeline.cli.console import print_error, usage_error
from pipeline.cli.options import MaxExpanded
from pipeline.escape import escape_json
from pipeline.files import MAX_EXPANDED_BYTES

if TYPE_CHECKING:  # slow to import: not for help
    from pipeline.api import Parsed

Kind = StrEnum("Kind", {name: name for name in (api.AUTO, *api.KINDS)})

SUFFIXES = (".parquet", ".csv", ".ndjson")


def write_tables(parsed: Parsed, out: Path) -> None:
    """Write the main table to ``out`` and every other next to it as STEM.TABLE.SUFFIX, rejects too."""
    from pipeline.api.export import write_frame

    main, *others = parsed.tables
    write_frame(parsed.tables[main], out)
    for table in others:
        write_frame(parsed.tables[table], out.with_name(f"{out.stem}.{table}{out.suffix}"))
    write_frame(parsed.rejects, out.with_name(f"{out.stem}.rejects{out.suffix}"))


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

    Other tables of the log and the rejected lines are written next to OUT as STEM.TABLE.SUFFIX. Exit code 2 if no
    line could be read; rejected lines alone are no failure.

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
        parsed = api.parse_file(
            kind.value,
            file,
            max_expanded_bytes=max_expanded,
            date=date,
            tz=tz,
            tool_version=tool_version,
            log_format=log_format,
        )
    except api.ParseError as error:
        raise usage_error(str(error)) from None
    typer.echo(escape_json(json.dumps(parsed.summary(), ensure_ascii=False)))
    if parsed.unread:
        line, reason = parsed.unread
        print_error(f"{file}, line {line}: {reason}; no line is a record of {parsed.kind}")
    if out is not None:
        write_tables(parsed, out)
    if parsed.unread:
        raise typer.Exit(2)

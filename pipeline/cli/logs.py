"""``queuevisor parse``: one log, whatever it is, into tidy tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from pipeline import files
from pipeline.api import KINDS, Parsed, ParseError, parse
from pipeline.cli.say import complain, refusal

Kind = StrEnum("Kind", {name: name for name in KINDS})

WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: frame.write_csv(path),
    ".ndjson": lambda frame, path: frame.write_ndjson(path),
}


def write_whole(frame: pl.DataFrame, path: Path) -> None:
    """Write ``frame`` in the form that the suffix names."""
    with files.whole(path) as part:
        WRITERS[path.suffix](frame, part)


def write_tables(parsed: Parsed, out: Path) -> None:
    """Write the main table to ``out`` and every other beside it as STEM.TABLE.SUFFIX, rejects too."""
    main, *others = parsed.tables
    write_whole(parsed.tables[main], out)
    for table in others:
        write_whole(parsed.tables[table], out.with_name(f"{out.stem}.{table}{out.suffix}"))
    write_whole(parsed.rejects, out.with_name(f"{out.stem}.rejects{out.suffix}"))


def parse_log(
    kind: Annotated[
        Kind, typer.Argument(help="What wrote the log; block takes /proc/diskstats too.")
    ],
    file: Annotated[Path, typer.Argument(help="The log; .gz and .zst are read as they are.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write the main table here: .parquet, .csv or .ndjson."),
    ] = None,
    date: Annotated[
        str | None, typer.Option(help="Day on which a log without dates begins, YYYY-MM-DD.")
    ] = None,
    tz: Annotated[
        str | None, typer.Option(help="Time zone it was written in, e.g. Europe/Berlin.")
    ] = None,
    tool_version: Annotated[
        str | None,
        typer.Option(help="Version of the tool, so that its known faults are flagged."),
    ] = None,
) -> None:
    """Read one log into tidy tables; print what was read, and what was not, as JSON.

    Other tables of the log stand beside OUT as STEM.TABLE.SUFFIX, the rejected lines too. Rejected lines are
    reported and are no failure, unless no line at all could be read.

    Example: queuevisor parse top top.log -o top.parquet --date 2015-06-01 --tz Asia/Shanghai
    """
    if out is not None and out.suffix not in WRITERS:
        raise refusal(f"{out}: the suffix says the form, one of {', '.join(WRITERS)}")
    if out is not None and not out.parent.is_dir():
        raise refusal(f"{out.parent}: no such folder")
    try:
        parsed = parse(kind.value, file, date=date, tz=tz, tool_version=tool_version)
    except ParseError as error:
        raise refusal(str(error)) from None
    typer.echo(json.dumps(parsed.summary(), ensure_ascii=False))
    if parsed.rejects.height and not parsed.record_lines:
        first = parsed.rejects.row(0, named=True)
        complain(
            f"{file}, line {first['line']}: {first['reason']}; no line of it is a record of {kind.value}"
        )
    if out is not None:
        try:
            write_tables(parsed, out)
        except OSError as error:
            raise refusal(f"{out}: cannot be written: {error.strerror or error}") from None
    if parsed.rejects.height and not parsed.record_lines:
        raise typer.Exit(2)

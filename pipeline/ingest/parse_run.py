"""One run to tables: every log is parsed; logs that cannot be read are problems of the run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from pipeline import parse, tables
from pipeline.ingest import texts
from pipeline.ingest.consistency import find_contradictions
from pipeline.ingest.grown_logs import GrownLog, GrownLogs
from pipeline.ingest.log_reading import ContinuedError, LogReading
from pipeline.ingest.schema import LOGS_SCHEMA
from pipeline.ingest.table_files import TableFiles
from pipeline.parse import rotated
from pipeline.parse.parsed import joined_summary
from pipeline.parse.reader import is_fast
from pipeline.raw import HOST, Log, Run, find_differences, hash_files
from pipeline.raw.manifest import is_time_zone

SERVER_LOGS = ("access", "general")
"""Logs that are empty where the server had no request."""


@dataclass
class ParsedRun:
    """The tables of a run, line counts of its logs, problems and warnings.

    Problems: what is wrong with the files. Warnings: what a parser says of data that are lost or doubtful.
    """

    tables: TableFiles
    logs: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused_text_bytes: int | None = None
    """Of logs that were too large: when more than this is allowed, another one can be read (``parse.LimitError``)."""
    grown: dict[str, GrownLog] = field(default_factory=dict)
    """Logs that can be read on when they have grown, by name."""
    continued: list[str] = field(default_factory=list)
    """One sentence for each log of which only what is new was read."""

    @property
    def frames(self) -> dict[str, pl.DataFrame]:
        """The tables by name, in memory: those of ``pipeline.tables.STORED`` that have rows, with ``role``."""
        return self.tables.frames()


def parse_run(
    run: Run,
    hashes: Mapping[str, str] | None = None,
    max_expanded_bytes: int = parse.MAX_EXPANDED_BYTES,
    folder: Path | None = None,
    earlier: GrownLogs | None = None,
) -> ParsedRun:
    """Parse every log of a run.

    A log that cannot be read is a problem of the run; the other logs are parsed.

    Parameters
    ----------
    run : Run
    hashes : mapping, optional
        SHA-256 of the run's files by name (``raw.hash_files``), to be compared with the checksums in run.json;
        without it, the files are read for them.
    max_expanded_bytes : int
        Longest text of a log, after decompression.
    folder : path, optional
        Where long tables are written while the logs are read; without it, all are in memory.
    earlier : GrownLogs, optional
        How far logs were read the last time; those that have only grown are read on from there.

    Returns
    -------
    ParsedRun

    Raises
    ------
    OSError
        If a long table cannot be written.
    """
    failures: dict[str, parse.ParseError] = {}
    if earlier is None or not is_fast():
        earlier = GrownLogs()
    while True:
        parsed_run = ParsedRun(TableFiles(folder), problems=run.problems())
        try:
            late = _add_logs(parsed_run, run, max_expanded_bytes, failures, earlier)
            if late is None:
                _finish(parsed_run, run, hashes)
                return parsed_run
        except BaseException:
            parsed_run.tables.abandon()
            raise
        parsed_run.tables.abandon()
        failures |= late
        earlier = GrownLogs()


def _add_logs(
    parsed_run: ParsedRun,
    run: Run,
    max_expanded_bytes: int,
    failures: Mapping[str, parse.ParseError],
    earlier: GrownLogs,
) -> dict[str, parse.ParseError] | None:
    """Add all logs but those of ``failures``.

    Of a log that turns out to be unreadable after some of its rows were added, name and error are returned: nothing
    of it is to be stored. The dictionary is empty if a log that was read on has to be read from its beginning.
    """
    for log in run.logs():
        segments = rotated.Segments()
        for path in log.files:
            name, info = run.name_of(path), run.log_info(path)
            if name in failures:
                _add_failure(parsed_run, name, failures[name])
                continue
            options = _options(run, log)
            if info.date is not None:
                options["date"] = info.date
            reading = LogReading(
                parsed_run.tables, run, log, path, options, max_expanded_bytes, earlier
            )
            try:
                parsed = reading.read(segments)
            except ContinuedError:
                return {}
            except parse.ParseError as error:
                if reading.summaries:
                    return {name: error}
                _add_failure(parsed_run, name, error)
                continue
            if reading.grown is not None:
                parsed_run.grown[name] = reading.grown
            if reading.continued is not None:
                parsed_run.continued.append(reading.continued)
            summary = joined_summary(reading.summaries)
            counts = {column: summary[column] for column in LOGS_SCHEMA if column in summary}
            parsed_run.logs.append({"role": log.role, **counts})
            warnings = [*parsed.warnings, *segments.warnings]
            _add_findings(parsed_run, parsed, warnings, reading.lines)
    return None


def _add_failure(parsed_run: ParsedRun, name: str, error: parse.ParseError) -> None:
    """Add a log that cannot be read."""
    parsed_run.problems.append(texts.not_read(name, _without_file_name(name, str(error))))
    if isinstance(error, parse.LimitError):
        sizes = (parsed_run.refused_text_bytes, error.text_bytes)
        parsed_run.refused_text_bytes = min(size for size in sizes if size is not None)


def _add_findings(
    parsed_run: ParsedRun, parsed: parse.Parsed, warnings: list[str], lines: int
) -> None:
    """Add what the last piece of a log of ``lines`` says about the whole of it."""
    parsed_run.problems += parsed.damage
    if lines or parsed.kind not in SERVER_LOGS:
        parsed_run.warnings += [
            text
            for text in warnings
            if text not in parsed.damage and not parse.is_note(text, parsed.file)
        ]
    if parsed.unread:
        parsed_run.problems.append(texts.no_record(parsed.file, *parsed.unread))


def _finish(parsed_run: ParsedRun, run: Run, hashes: Mapping[str, str] | None) -> None:
    """Compare the tables with the manifests, and add the table of the run's virtual servers."""
    if run.checksums is not None:
        parsed_run.problems += find_differences(run, hash_files(run) if hashes is None else hashes)
    parsed_run.problems += find_contradictions(run, parsed_run.tables.lazy())
    described = _run_rows(run, parsed_run.problems)
    if described.height:
        parsed_run.tables.add(tables.RUNS.name, described)


def _without_file_name(name: str, text: str) -> str:
    """``text`` without the leading file name: ``host/top.log:3: …`` → ``line 3: …``."""
    rest = text.removeprefix(name).removeprefix(":")
    number, colon, more = rest.partition(":")
    return f"line {number}:{more}" if colon and number.isdigit() else rest.strip()


def _options(run: Run, log: Log) -> dict[str, Any]:
    """Parser options from the manifests: date, time zone, the tool's version and the access log's format."""
    role, facts = run.roles.get(log.role), run.facts(log.role)
    zones = (role.time_zone if role else None, facts.get("time_zone"))
    tz = next((zone for zone in zones if zone and is_time_zone(zone)), None)
    tool_versions = (dict(role.tools) if role else {}, facts.get("tools"))
    versions = [t[log.kind] for t in tool_versions if isinstance(t, dict) and log.kind in t]
    version = next((v for v in versions if isinstance(v, str)), None)
    begin = run.idle_before or run.window
    date = None
    if begin is not None and tz is not None:
        local_ns = begin.start_ns + (run.clock_offset_ns(log.role) or 0)
        try:
            date = dt.datetime.fromtimestamp(local_ns / 1e9, ZoneInfo(tz)).date()
        except (OverflowError, OSError, ValueError):
            date = None
    servers = run.virtual_servers.values()
    formats = (server.access_format for server in servers if server.role == log.role)
    log_format = next((text for text in formats if text is not None), None)
    return {"date": date, "tz": tz, "tool_version": version, "log_format": log_format}


def _run_rows(run: Run, problems: list[str]) -> pl.DataFrame:
    """The run's rows of table ``runs``, one per virtual server."""
    host = run.roles.get(HOST)
    rows = []
    for server in run.virtual_servers.values():
        guest, work = run.roles.get(server.role), server.workload
        load = work.window if work is not None else None
        window, before = run.window, run.idle_before
        rows.append(
            {
                "virtual_server": server.name,
                "role": server.role,
                "accelerator": run.accelerator,
                "window_start": window and window.start_ns,
                "window_end": window and window.end_ns,
                "before_start": before and before.start_ns,
                "before_end": before and before.end_ns,
                "workload": work and work.kind,
                "rate_per_s": work and work.rate_per_s,
                "arrivals": work and work.arrivals,
                "population": work and work.population,
                "think_time_s": work and work.think_time_s,
                "request": work and work.request,
                "client_log": work and work.log,
                "load_start": load and load.start_ns,
                "load_end": load and load.end_ns,
                "server_processes": server.server_processes,
                "qemu_process": server.qemu_process,
                "virtual_disk": server.virtual_disk,
                "host_disk": server.host_disk,
                "guest_clock_offset_ns": guest and guest.clock_offset_ns,
                "guest_clock_uncertainty_ns": guest and guest.clock_uncertainty_ns,
                "host_clock_offset_ns": host and host.clock_offset_ns,
                "host_clock_uncertainty_ns": host and host.clock_uncertainty_ns,
                "problems": "\n".join(problems) or None,
            }
        )
    schema = tables.polars_schema(tables.RUNS)
    plain = {n: pl.Int64 if d == tables.UTC_NS else d for n, d in schema.items()}
    frame = pl.DataFrame(rows, schema=plain, orient="row").sort("virtual_server")
    return tables.conform(frame, tables.RUNS)

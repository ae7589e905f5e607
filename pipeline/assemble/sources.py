"""The files that a user has: which log each is by its content, and its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from pipeline import parse
from pipeline.assemble import texts
from pipeline.errors import Error
from pipeline.raw import CLIENT, HOST, log_kind

SAMPLED = ("top", "iotop", "block", "tasks")
SERVER_LOGS = ("access", "general")
REPORTS = ("httperf", "sysbench")
ROLE_OF = {
    **dict.fromkeys(SAMPLED, "--host or --guest"),
    **dict.fromkeys(SERVER_LOGS, "--guest"),
    **dict.fromkeys(REPORTS, "--client"),
}
"""Kind of log → the options that take it."""
FACTS = "facts.json"


class AssembleError(Error):
    """Logs that a run cannot be made of; the message says what to give."""


@dataclass(frozen=True)
class Source:
    """One file that a user has."""

    role: str
    kind: str
    path: Path
    log: parse.Log = field(repr=False, compare=False)

    @property
    def has_sentinels(self) -> bool:
        """Whether a collector wrote it: then it has exact times."""
        return self.log.has_sentinels


@dataclass(frozen=True)
class Zone:
    """How the times of day of a machine are read."""

    date: str | None = None
    tz: str | None = None


class Machine:
    """All logs of one role, parsed when they are first used."""

    def __init__(self, role: str, sources: Iterable[Source], zone: Zone):
        self.role, self.sources, self.zone = role, tuple(sources), zone

    def of_kind(self, kind: str) -> list[Source]:
        """The files of one kind, in the order of their text."""
        return [source for source in self.sources if source.kind == kind]

    def frame(self, table: str) -> pl.DataFrame:
        """A table of all files together; no rows where there are none."""
        frames = [
            parsed.tables[table]
            for results in self.parsed.values()
            for parsed in results
            if table in parsed.tables
        ]
        return pl.concat(frames) if frames else pl.DataFrame()

    @cached_property
    def parsed(self) -> dict[str, list[parse.Parsed]]:
        """The result of every file by kind of log, snapshots numbered through the files of a kind."""
        results = {}
        for kind in dict.fromkeys(source.kind for source in self.sources):
            files = [(source.path, source.path.name) for source in self.of_kind(kind)]
            parsed = parse.parse_segments(kind, files, date=self.zone.date, tz=self.zone.tz)
            results[kind] = [_or_raise(item) for item in parsed]
        return results


def _or_raise(item: parse.Parsed | parse.ParseError) -> parse.Parsed:
    if isinstance(item, parse.ParseError):
        raise AssembleError(str(item))
    return item


def read_sources(
    files: Mapping[str, Iterable[Path]], *, max_expanded_bytes: int = parse.MAX_EXPANDED_BYTES
) -> tuple[list[Source], dict[str, Path], list[str]]:
    """Recognize files by their content.

    Parameters
    ----------
    files : mapping of str to iterable of Path
        Role (``host``, ``client``, or the name of a guest) → files, or folders with logs.
    max_expanded_bytes : int
        Longest text of a log, after decompression.

    Returns
    -------
    sources : list of Source
    facts : dict of str to Path
        Role → facts.json of a folder that a collector recorded.
    notes : list of str
        What was left out, and why.

    Raises
    ------
    AssembleError
        If a file cannot be read, is no log that is read here, or belongs to another role.
    """
    sources, facts, notes = [], {}, []
    for role, paths in files.items():
        for path in paths:
            if not path.is_dir():
                sources.append(_source(role, path, max_expanded_bytes))
                continue
            logs = sorted(each for each in path.iterdir() if log_kind(each.name) is not None)
            if not logs:
                raise AssembleError(texts.no_logs_in(path))
            for each in logs:
                source = _source_or_note(role, each, max_expanded_bytes, notes)
                sources += [source] if source else []
            if (path / FACTS).is_file():
                facts[role] = path / FACTS
    seen: set[Path] = set()
    for source in sources:
        problem = _role_problem(source)
        if problem is None and source.path.resolve() in seen:
            problem = texts.given_twice(source.path)
        if problem:
            raise AssembleError(problem)
        seen.add(source.path.resolve())
    return sources, facts, notes


def _source(role: str, path: Path, max_expanded_bytes: int) -> Source:
    try:
        log = parse.read_log(path, max_expanded_bytes=max_expanded_bytes)
        return Source(role, parse.recognized_kind(log), path, log)
    except parse.ParseError as error:
        raise AssembleError(str(error)) from None


def _source_or_note(
    role: str, path: Path, max_expanded_bytes: int, notes: list[str]
) -> Source | None:
    """A log of a folder; one that is empty or no log is left out with a note."""
    try:
        return _source(role, path, max_expanded_bytes)
    except AssembleError as error:
        notes.append(texts.ignored(str(error)))
        return None


def _role_problem(source: Source) -> str | None:
    options = ROLE_OF[source.kind]
    option = {HOST: "--host", CLIENT: "--client"}.get(source.role, "--guest")
    if option in options:
        return None
    name = parse.recognize(source.log).description
    return texts.wrong_role(source.path, name, option, options)

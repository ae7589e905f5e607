"""The logs of a run on disk: names, kinds, compression, segments of rotated logs."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from pipeline import files
from pipeline.raw import texts
from pipeline.raw.manifest import is_inside, json_quote
from pipeline.raw.records import KINDS, SUFFIXES, Log, is_safe_name

_SEGMENT = re.compile(r"(.+)\.([0-9]{5,9})\.log", re.ASCII)


def strip_compression_suffix(name: str) -> str:
    """A log's name without ``.gz`` or ``.zst``."""
    return name.removesuffix(".zst").removesuffix(".gz")


def split_segment_name(base: str) -> tuple[str, int | None]:
    """The log that a file (without ``.gz`` or ``.zst``) belongs to, and its number as a segment.

    ``top.00002.log`` → (``top.log``, 2); a log that was not rotated has no number: (``top.log``, None).
    """
    match = _SEGMENT.fullmatch(base)
    return (f"{match[1]}.log", int(match[2])) if match else (base, None)


def log_kind(name: str) -> str | None:
    """The kind of log by the name of a file: ``db/general.log.zst`` → ``general``; None if it is no log."""
    base, _ = split_segment_name(strip_compression_suffix(name.rsplit("/", 1)[-1]))
    kind = KINDS.get(base)
    if kind is None and base.endswith(".log"):
        # `httperf-web.log`: several loads of one tool, side by side
        kind = next(
            (k for f, k in KINDS.items() if base.startswith(f.removesuffix(".log") + "-")), None
        )
    return kind


def is_file(path: Path) -> bool:
    """Whether it is a regular file; False, too, where a folder above it cannot be searched."""
    try:
        return path.is_file()
    except OSError:
        return False


def folder_problem(path: Path) -> str | None:
    """Why a folder cannot be listed or its files not be opened, None if both is possible."""
    try:
        os.scandir(path).close()
        if not os.access(path, os.X_OK):  # the right to search
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        return texts.not_readable(error)
    return None


def find_roles(run: Path) -> tuple[list[str], list[str]]:
    """Names of the folders of machines in a run's folder, and problems of the other folders."""
    if problem := folder_problem(run):
        return [], [f".: {problem}"]
    # links last: of two names of one folder its own is read
    folders = sorted(filter(os.path.isdir, run.iterdir()), key=lambda f: (f.is_symlink(), f))
    roles: dict[str, str] = {}
    issues = []
    for folder in folders:
        if not is_safe_name(folder.name):
            issues.append(f"{json_quote(folder.name)}: {texts.UNSAFE_FOLDER}")
        elif not is_inside(folder, run):
            issues.append(f"{folder.name}: {texts.LINK_OUT}")
        elif roles.setdefault(os.path.realpath(folder), folder.name) != folder.name:
            issues.append(f"{folder.name}: {texts.LINK_TO_ROLE}")
    return sorted(roles.values()), sorted(issues)


def find_logs(run: Path, roles: Iterable[str]) -> tuple[list[Log], list[str]]:
    """Find the logs of a run.

    Parameters
    ----------
    run : Path
        The run's folder.
    roles : iterable of str
        Folders below it whose logs are wanted.

    Returns
    -------
    logs : list of Log
        By role, then by name.
    issues : list of str
        Problems of files and folders, each beginning with the path below ``run``.
    """
    logs: list[Log] = []
    issues: list[str] = []
    for role in roles:
        of_log: dict[str, dict[int | None, list[tuple[int, Path]]]] = {}
        if problem := folder_problem(run / role):
            issues.append(f"{role}: {problem}")
            continue
        for path in sorted((run / role).iterdir()):
            base = strip_compression_suffix(path.name)
            if problem := _file_problem(path):
                issues.append(f"{role}/{json_quote(path.name)[1:-1]}: {problem}")
            elif log_kind(path.name) is not None:
                rank = SUFFIXES.index(path.name.removeprefix(base)) if path.name != base else 0
                log, number = split_segment_name(base)
                of_log.setdefault(log, {}).setdefault(number, []).append((rank, path))
        for base in sorted(of_log):
            log, log_issues = _assemble_log(role, base, of_log[base])
            logs.append(log)
            issues += log_issues
    return logs, issues


def _file_problem(path: Path) -> str | None:
    """Why a file in a role's folder is not read as a log; None also for a file that is no log by its name."""
    if log_kind(path.name) is None:
        return texts.NOT_A_LOG if ".log" in path.name else None
    if not is_safe_name(path.name):
        return texts.UNSAFE_FILE
    if path.is_symlink() and not is_inside(path, path.parent):
        return texts.LINK_OUT
    if not is_file(path):
        return texts.NOT_A_FILE
    try:
        with files.open_regular(path):
            return None
    except OSError as error:
        return texts.not_readable(error)


def _assemble_log(
    role: str, base: str, of_log: dict[int | None, list[tuple[int, Path]]]
) -> tuple[Log, list[str]]:
    """The log called ``base`` from its files by segment number, and its problems."""
    issues = []
    chosen = {}
    for number, ranked in of_log.items():
        (_, chosen[number]), *others = sorted(ranked)
        exists = texts.also_exists(chosen[number].name)
        issues += [f"{role}/{path.name}: {exists}" for _, path in others]
    unrotated = chosen.pop(None, None)
    kind = str(log_kind(base))
    if not chosen:
        assert unrotated is not None
        return Log(role, kind, unrotated, f"{role}/{unrotated.name}"), issues
    if unrotated is not None:
        issues.append(f"{role}/{unrotated.name}: {texts.SEGMENTS_EXIST}")
    issues += _missing_segments(role, base, sorted(chosen))
    segments = tuple(chosen[number] for number in sorted(chosen))
    return Log(role, kind, segments[0], f"{role}/{base}", segments), issues


def _missing_segments(role: str, base: str, numbers: list[int]) -> list[str]:
    """One problem for each gap in the numbers of segments."""
    issues = []
    for previous, following in pairwise([0, *numbers]):
        if following - previous > 1:
            first, last = (
                f"{role}/{base.removesuffix('.log')}.{number:05d}.log"
                for number in (previous + 1, following - 1)
            )
            names = first if first == last else f"{first} to {last.rsplit('/')[-1]}"
            issues.append(f"{names}: {texts.MISSING_SEGMENT}")
    return issues

"""Checksums of the logs and facts.json of a run, which run.json has under ``sha256``."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterator, Mapping
from json.decoder import scanstring
from pathlib import Path

from pipeline import files
from pipeline.raw import texts
from pipeline.raw.manifest import MAX_MANIFEST_BYTES
from pipeline.raw.records import RawRunError
from pipeline.raw.run import Run

KEY = "sha256"
UNREADABLE = ""
"""In the place of the checksum of a file that cannot be read, which is a problem of its own."""
_SPACE = re.compile(r"[ \t\r\n]*")


def sha256(path: Path) -> str:
    """SHA-256 of a regular file as it is stored, 64 hexadecimal digits; ``UNREADABLE`` if it cannot be read."""
    try:
        with files.open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return UNREADABLE


def hash_files(run: Run, hashes: Mapping[str, str] | None = None) -> dict[str, str]:
    """SHA-256 of every file that the run's tables come from, run.json included, by its path below the folder.

    ``hashes`` are those of files that need not be read, as they have not changed.
    """
    names = {run.name_of(path): path for path in run.files()}
    unchanged = hashes or {}
    return {name: unchanged.get(name) or sha256(path) for name, path in names.items()}


def find_differences(run: Run, hashes: Mapping[str, str]) -> list[str]:
    """Files that are not those of the checksums in run.json: changed, missing, or not listed.

    Parameters
    ----------
    run : Run
    hashes : mapping
        As of :func:`hash_files`.

    Returns
    -------
    list of str
        One sentence per file, which it starts with; empty where run.json has no checksums.
    """
    checksums = run.checksums
    if checksums is None:
        return []
    sentences = [
        f"{name}: {texts.NOT_LISTED if name not in checksums else texts.CHANGED}"
        for name, digest in hashes.items()
        if name != "run.json" and digest != UNREADABLE and checksums.get(name) != digest
    ]
    lost = [name for name in checksums if name not in hashes and _is_lost(run.path / name)]
    return sentences + [f"{name}: {texts.LOST}" for name in lost]


def _is_lost(path: Path) -> bool:
    """Whether there is no such file; False where its folder cannot be searched, which is a problem of its own."""
    try:
        return not path.exists()
    except OSError:
        return False


def write_checksums(run: Run) -> dict[str, str]:
    """Write the checksums of a run's files into its run.json; the rest of its text stays as it is.

    Returns
    -------
    dict
        The checksums, as they are in run.json now.

    Raises
    ------
    RawRunError
        If run.json cannot be read or written, or a log or facts.json cannot be read.
    """
    hashes = dict(sorted(hash_files(run).items()))
    hashes.pop("run.json", None)
    problem = next(iter(run.manifest_issues), None)
    if problem is None and UNREADABLE in hashes.values():
        name = next(name for name, digest in hashes.items() if digest == UNREADABLE)
        problem = f"{name} {texts.IS_UNREADABLE}"
    path = run.path / "run.json"
    try:
        if problem is None:
            text = files.read_regular_file(path, MAX_MANIFEST_BYTES).decode("utf-8")
            mode = stat.S_IMODE(path.stat().st_mode)
            files.write_text(path, with_member(text, KEY, hashes), mode)
    except (OSError, ValueError) as error:
        problem = str(error)
    if problem is not None:
        raise RawRunError(texts.no_checksums_written(run.id, problem))
    return hashes


def with_member(text: str, key: str, value: Mapping[str, str]) -> str:
    """The text of a JSON object with ``key`` set to ``value``, last if it is new; the other text is unchanged.

    Raises ``ValueError`` if ``text`` is not an object.

    Examples
    --------
    >>> with_member('{"a": 1.50}', "sha256", {"host/top.log": "00"})
    '{"a": 1.50, "sha256": {"host/top.log": "00"}}'
    """
    start = text.index("{") + 1
    space = text[start : _skip(text, start)]
    indent = space.rpartition("\n")[2] if "\n" in space else None
    encoded = json.dumps(value, indent=indent, ensure_ascii=False)
    if indent is not None:
        encoded = encoded.replace("\n", "\n" + indent)
    end = start
    for name, value_start, end in _members(text, start):
        if name == key:
            return text[:value_start] + encoded + text[end:]
    comma = "" if end == start else "," + (space or " ")
    return f"{text[:end]}{comma}{json.dumps(key)}: {encoded}{text[end:]}"


def _members(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """Key, start and end of the value of each member of the object whose first member starts at ``start``."""
    decoder = json.JSONDecoder()
    position = _skip(text, start)
    while text[position] == '"':
        key, position = scanstring(text, position + 1)
        value_start = _skip(text, _skip(text, position) + 1)  # after the colon
        _, end = decoder.raw_decode(text, value_start)
        yield key, value_start, end
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return position if match is None else match.end()

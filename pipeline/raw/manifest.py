"""JSON manifests: typed access that records every problem as a sentence instead of raising."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from pipeline import files
from pipeline.raw import texts
from pipeline.raw.records import INT64, Window, is_safe_name
from pipeline.redact import redact_line

MAX_MANIFEST_BYTES = 16 << 20
"""Size of run.json and study.json: 10,000 snapshots without a time take 0.2 MB."""
MAX_FACTS_BYTES = 1 << 20
"""Size of facts.json; the largest of the recorded study is 3 kB."""
MAX_DEPTH = 16
"""Objects and lists inside one another; the formats have at most 6."""
MAX_WINDOW_NS = 31 * 86_400 * 10**9
"""Length of a window: a month."""
MAX_PATTERNS = 1024
"""Patterns whose problem is kept in memory: runs of a study have the same few."""
MAX_PATTERN_LENGTH = 4_096
"""Characters of a regular expression."""
MAX_ISSUES = 100
"""Problems of one manifest that are listed one by one."""


def is_inside(path: Path, root: Path) -> bool:
    """Whether ``path``, all links followed, lies in the folder ``root``."""
    try:
        if path.parent == root and path.name != ".." and not path.is_symlink():
            return True  # without a look at each folder above
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False


def read_json(
    path: Path, name: str, root: Path, max_bytes: int = MAX_MANIFEST_BYTES
) -> tuple[dict[str, Any], list[str]]:
    """The object in a regular file of at most ``max_bytes``, empty if it cannot be read, and its problems.

    A link out of the folder ``root`` is not followed. A value that no manifest may hold (text that is not valid
    Unicode, a number that is not finite, objects nested too deep) becomes None, with a problem that names its key.
    """
    if not is_inside(path, root):
        return {}, [f"{name}: {texts.LINK_OUT}"]
    issues: list[str] = []

    def object_of(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in items:
            if key in seen:
                issues.append(f"{name}: {texts.duplicate_key(json_quote(key))}")
            seen[key] = value
        return seen

    def reject_constant(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    try:
        raw = files.read_regular_file(path, max_bytes)
    except FileNotFoundError:
        # a link to nothing exists, and says that a file is expected
        return {}, [f"{name}: {texts.NOT_A_FILE if path.is_symlink() else texts.MISSING}"]
    except OSError as error:
        is_other = error.errno in (errno.EINVAL, errno.EISDIR)
        return {}, [f"{name}: {texts.NOT_A_FILE if is_other else texts.not_readable(error)}"]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return {}, [f"{name}, line {line}: {texts.not_utf8(error.start + 1)}"]
    try:
        value = json.loads(text, object_pairs_hook=object_of, parse_constant=reject_constant)
    except json.JSONDecodeError as error:
        return {}, [
            f"{name}, line {error.lineno}, column {error.colno}: {texts.not_json(error.msg)}"
        ]
    except RecursionError:
        return {}, [f"{name}: {texts.not_json(texts.TOO_DEEP)}"]
    except ValueError as error:
        return {}, [f"{name}: {texts.not_json(error)}"]
    if not isinstance(value, dict):
        return {}, [f"{name}, line 1: {texts.must_be(texts.OBJECT, type(value).__name__)}"]
    if not _is_usable(value):
        issues += [f"{name}: {issue}" for issue in _drop_unusable(value)]
    return value, bounded(name, issues)


def _is_usable(top: dict[str, Any]) -> bool:
    """Whether ``_drop_unusable`` finds nothing; faster, as no path of a value is made."""
    containers: list[Any] = [top]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for container in containers:
            if isinstance(container, dict):
                if not all(map(_is_unicode, container)):
                    return False
                values = container.values()
            else:
                values = container
            for value in values:
                kind = type(value)
                if kind is dict or kind is list:
                    inner.append(value)
                elif (kind is str and not _is_unicode(value)) or (
                    kind is float and not math.isfinite(value)
                ):
                    return False
        if not inner:
            return True
        containers = inner
    return False


def _drop_unusable(top: dict[str, Any]) -> Iterator[str]:
    """Replace values that no manifest may hold by None, without recursion; one sentence per value."""
    pending: list[tuple[dict[str, Any] | list[Any], str, int]] = [(top, "", 1)]
    while pending:
        parent, where, depth = pending.pop()
        if isinstance(parent, dict):
            for key in [key for key in parent if not _is_unicode(key)]:
                del parent[key]
                yield f"{json_path(where, key)} {texts.NOT_UNICODE}"
        items = list(parent.items() if isinstance(parent, dict) else enumerate(parent))
        for key, value in items:
            problem = None
            if isinstance(value, dict | list):
                if depth < MAX_DEPTH:
                    if value:
                        pending.append((value, json_path(where, str(key)), depth + 1))
                    continue
                problem = texts.IS_TOO_DEEP
            elif isinstance(value, str):
                problem = None if _is_unicode(value) else texts.NOT_UNICODE
            elif isinstance(value, float):
                problem = None if math.isfinite(value) else texts.NOT_FINITE
            if problem is not None:
                parent[key] = None  # type: ignore[index]
                yield f"{json_path(where, str(key))} {problem}"


def _is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogate, which JSON can write and no encoding can."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def bounded(name: str, issues: list[str]) -> list[str]:
    """The first ``MAX_ISSUES`` issues and the number of the others."""
    if len(issues) <= MAX_ISSUES:
        return issues
    return [*issues[:MAX_ISSUES], f"{name}: {texts.more_issues(len(issues) - MAX_ISSUES)}"]


def json_quote(value: object) -> str:
    """``value`` as JSON in ASCII for a message: one line of at most 80 characters, without secrets."""
    text = redact_line(json.dumps(value, ensure_ascii=True, default=str))
    return text if len(text) <= 80 else text[:77] + '..."'


def abbreviate(names: list[str]) -> str:
    """The first three names and their number."""
    shown = ", ".join(json_quote(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} … ({len(names)} in total)"


class ManifestReader:
    """Typed access to parsed JSON: an invalid value gives None and is added to ``issues``."""

    def __init__(self, name: str, issues: list[str]):
        self.name, self.issues = name, issues

    def add_issue(self, where: str, message: str) -> None:
        """Record that the value at ``where`` has a problem."""
        self.issues.append(f"{self.name}: {where} {message}")

    def get(
        self,
        parent: Mapping[str, Any],
        where: str,
        key: str,
        required: bool,
        expected: str = "",
        is_valid: Callable[[Any], bool] | None = None,
    ) -> Any:
        """The value unchanged; None, with an issue, if it is required and missing or is not valid."""
        value = parent.get(key)
        if value is None:
            if required:
                self.add_issue(json_path(where, key), texts.IS_MISSING)
        elif is_valid is not None and not is_valid(value):
            self.add_issue(json_path(where, key), texts.must_be(expected, json_quote(value)))
            return None
        return value

    def text(
        self,
        parent: Mapping[str, Any],
        where: str,
        key: str,
        *,
        required: bool = False,
        choices: tuple[str, ...] | None = None,
    ) -> str | None:
        """Text, one of ``choices`` where given."""
        value = self.get(
            parent, where, key, required, texts.STRING, lambda value: isinstance(value, str)
        )
        if value is not None and choices is not None and value not in choices:
            self.add_issue(
                json_path(where, key),
                texts.must_be(texts.one_of(choices), json_quote(value)),
            )
            return None
        return value

    def safe_name(
        self, parent: Mapping[str, Any], where: str, key: str, *, required: bool = False
    ) -> str | None:
        """A safe name (``is_safe_name``)."""
        value = self.text(parent, where, key, required=required)
        if value is not None and not is_safe_name(value):
            self.add_issue(json_path(where, key), texts.unsafe_name(json_quote(value)))
            return None
        return value

    def pattern(self, parent: Mapping[str, Any], where: str, key: str) -> str | None:
        """A regular expression that Polars runs, and that does not match every text."""
        value = self.text(parent, where, key)
        problem = None if value is None else pattern_problem(value)
        if problem is not None:
            self.add_issue(json_path(where, key), problem)
            return None
        return value

    def device(self, parent: Mapping[str, Any], where: str, key: str) -> str | None:
        """The name of a block device as /sys/block has it: ``vda``, ``cciss!c0d0``."""
        value = self.text(parent, where, key)
        if value is not None and not is_safe_name(value.replace("!", "_")):
            self.add_issue(json_path(where, key), texts.must_be(texts.DEVICE, json_quote(value)))
            return None
        return value

    def time_zone(self, parent: Mapping[str, Any], where: str, key: str) -> str | None:
        """The name of a time zone."""
        value = self.text(parent, where, key)
        if value and not is_time_zone(value):
            self.add_issue(json_path(where, key), texts.must_be(texts.TIME_ZONE, json_quote(value)))
            return None
        return value

    def integer(
        self,
        parent: Mapping[str, Any],
        where: str,
        key: str,
        *,
        required: bool = False,
        low: int = -INT64,
        high: int = INT64 - 1,
    ) -> int | None:
        """A whole number from ``low`` to ``high``, within 64 bits."""
        expected = texts.whole_number(
            None if low == -INT64 else low, None if high == INT64 - 1 else high
        )

        def is_valid(value: Any) -> bool:
            return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

        return self.get(parent, where, key, required, expected, is_valid)

    def number(
        self,
        parent: Mapping[str, Any],
        where: str,
        key: str,
        *,
        required: bool = False,
        high: float,
        positive: bool = False,
    ) -> float | None:
        """A number of 0 (or, if ``positive``, more than 0) to ``high``."""

        def is_valid(value: Any) -> bool:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return is_number and 0 <= value <= high and not (positive and value == 0)

        expected = texts.number(high, positive=positive)
        value = self.get(parent, where, key, required, expected, is_valid)
        return None if value is None else float(value)

    def object(
        self, parent: Mapping[str, Any], where: str, key: str, *, required: bool = False
    ) -> dict[str, Any] | None:
        """An object."""
        return self.get(
            parent, where, key, required, texts.OBJECT, lambda value: isinstance(value, dict)
        )

    def texts(self, parent: Mapping[str, Any], where: str, key: str) -> dict[str, str]:
        """An object of texts; values that are null are left out."""
        where, result = json_path(where, key), {}
        for name, value in (self.object(parent, where.rpartition(".")[0], key) or {}).items():
            if isinstance(value, str):
                result[name] = value
            elif value is not None:
                self.add_issue(
                    json_path(where, name), texts.must_be(texts.STRING, json_quote(value))
                )
        return result

    def window(
        self, parent: Mapping[str, Any], where: str, key: str, *, required: bool
    ) -> Window | None:
        """A span with start and end."""
        value = self.object(parent, where, key, required=required)
        return None if value is None else self.window_of(value, json_path(where, key))

    def window_of(self, value: Mapping[str, Any], where: str) -> Window | None:
        """The span of an object with start and end."""
        start = self.integer(value, where, "start_ns", required=True, low=0)
        end = self.integer(value, where, "end_ns", required=True, low=0)
        if start is None or end is None:
            return None
        if end <= start:
            self.add_issue(where, texts.reversed_window(start, end))
            return None
        if end - start > MAX_WINDOW_NS:
            self.add_issue(where, texts.long_window((end - start) / 1e9, MAX_WINDOW_NS / 1e9))
            return None
        return Window(start, end)


@lru_cache(MAX_PATTERNS)
def pattern_problem(pattern: str) -> str | None:
    r"""Why Polars' engine, which has no look-around and no back-references, cannot select processes by a pattern.

    Parameters
    ----------
    pattern : str
        A regular expression.

    Returns
    -------
    str or None
        What follows the pattern's name in one line; None if there is no problem.

    Examples
    --------
    >>> pattern_problem(r"^apache2\Z")
    'is not a valid regular expression: unrecognized escape sequence'
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        return texts.bad_pattern(texts.longer_than(MAX_PATTERN_LENGTH))
    try:
        if pl.Series([""]).str.contains(pattern)[0]:
            return texts.MATCHES_EVERYTHING
    except pl.exceptions.PolarsError as error:
        # "regex error: REASON"; or a drawing of the pattern, with something before each line, and "error: REASON"
        lines = str(error).split("\n")
        reason = next((line for line in lines if line.startswith("error: ")), lines[0])
        return texts.bad_pattern(reason.removeprefix("regex ").removeprefix("error: "))
    return None


def is_time_zone(name: str) -> bool:
    """Whether a name is one of the time zones of this machine."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def json_path(where: str, key: str) -> str:
    """Path of ``key`` inside ``where``: ``roles.web.hostname``."""
    key = key if is_safe_name(key) else json_quote(key)
    return f"{where}.{key}" if where else key


def format_issue(name: str, manifest: Mapping[str, Any], expected: str) -> str:
    """The problem of a manifest with another format or without one."""
    if "format" not in manifest:
        return f"{name}: {texts.other_format(None, expected)}"
    return f"{name}: {texts.other_format(json_quote(manifest['format']), expected)}"

"""JSON from a manifest, with every fault as a sentence instead of an exception."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.raw.records import INT64, Window, is_safe_name

LINK_OUT = "a link out of its folder; it is not read"


def is_inside(path: Path, root: Path) -> bool:
    """Whether ``path``, all links followed, lies in the folder ``root``."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False


def read_json(path: Path, name: str, root: Path) -> tuple[dict[str, Any], list[str]]:
    """The object in ``path`` and what is wrong with it; an empty one if it cannot be read.

    A link out of the folder ``root`` is not followed.
    """
    if not is_inside(path, root):
        return {}, [f"{name}: {LINK_OUT}"]
    twice: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in items:
            if key in seen:
                twice.append(f"{name}: the key {quoted(key)} stands twice in one object")
            seen[key] = value
        return seen

    def constant(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    if path.exists() and not path.is_file():  # a pipe would be waited for
        return {}, [f"{name}: not a file; it is not read"]
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}, [f"{name}: missing"]
    except OSError as error:
        return {}, [f"{name}: cannot be read: {error.strerror or error}"]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return {}, [f"{name}, line {line}: not UTF-8 text (byte {error.start + 1} of the file)"]
    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        return {}, [f"{name}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}"]
    except RecursionError:
        return {}, [f"{name}: not JSON: nested too deep"]
    except ValueError as error:
        return {}, [f"{name}: not JSON: {error}"]
    if not isinstance(value, dict):
        return {}, [f"{name}, line 1: an object was expected, not {type(value).__name__}"]
    return value, twice


def quoted(value: object) -> str:
    """``value`` for a sentence: one line, no control characters, not endless."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 80 else text[:77] + '..."'


def listed(names: list[str]) -> str:
    """The first few names, and how many there are."""
    few = ", ".join(quoted(name) for name in names[:3])
    return few if len(names) <= 3 else f"{few} … ({len(names)} in all)"


class Reader:
    """Typed access to parsed JSON; what is not as it should be becomes a sentence and a None."""

    def __init__(self, name: str, faults: list[str]):
        self.name, self.faults = name, faults

    def fault(self, where: str, what: str) -> None:
        """Write one sentence down."""
        self.faults.append(f"{self.name}: {where} {what}")

    def get(
        self,
        parent: Mapping[str, Any],
        where: str,
        key: str,
        need: bool,
        what: str = "",
        fits: Callable[[Any], bool] | None = None,
    ) -> Any:
        """The value as it stands; None and a fault where it is needed and missing, or is no ``what``: does not fit."""
        value = parent.get(key)
        if value is None:
            if need:
                self.fault(at(where, key), "is missing")
        elif fits is not None and not fits(value):
            self.fault(at(where, key), f"should be {what}, not {quoted(value)}")
            return None
        return value

    def text(
        self,
        parent: Mapping[str, Any],
        where: str,
        key: str,
        *,
        need: bool = False,
        among: tuple[str, ...] | None = None,
    ) -> str | None:
        """Text, one of ``among`` where given."""
        value = self.get(parent, where, key, need, "text", lambda said: isinstance(said, str))
        if value is not None and among is not None and value not in among:
            self.fault(at(where, key), f"should be one of {', '.join(among)}, not {quoted(value)}")
            return None
        return value

    def name_of(
        self, parent: Mapping[str, Any], where: str, key: str, *, need: bool = False
    ) -> str | None:
        """A plain name (``is_safe_name``)."""
        value = self.text(parent, where, key, need=need)
        if value is not None and not is_safe_name(value):
            self.fault(at(where, key), f"is not a plain name: {quoted(value)}")
            return None
        return value

    def pattern(self, parent: Mapping[str, Any], where: str, key: str) -> str | None:
        """A regular expression that compiles."""
        value = self.text(parent, where, key)
        if value is not None:
            try:
                re.compile(value)
            except (re.error, OverflowError, RecursionError) as error:
                self.fault(at(where, key), f"is not a regular expression: {error}")
                return None
        return value

    def integer(
        self,
        parent: Mapping[str, Any],
        where: str,
        key: str,
        *,
        need: bool = False,
        low: int = -INT64,
        high: int = INT64 - 1,
    ) -> int | None:
        """A whole number from ``low`` to ``high``, which fits 64 bits."""
        least = "" if low == -INT64 else f" of {low} or more"
        most = "" if high == INT64 - 1 else f", at most {high}"

        def fits(said: Any) -> bool:
            return isinstance(said, int) and not isinstance(said, bool) and low <= said <= high

        return self.get(parent, where, key, need, f"a whole number{least}{most}", fits)

    def number(
        self,
        parent: Mapping[str, Any],
        where: str,
        key: str,
        *,
        need: bool = False,
        high: float,
        positive: bool = False,
    ) -> float | None:
        """A number of 0 (or, if ``positive``, more than 0) to ``high``."""
        least = "more than 0" if positive else "0 or more"

        def fits(said: Any) -> bool:
            is_number = isinstance(said, int | float) and not isinstance(said, bool)
            return is_number and 0 <= said <= high and not (positive and said == 0)

        what = f"a number of {least}, at most {high:g}"
        value = self.get(parent, where, key, need, what, fits)
        return None if value is None else float(value)

    def object(
        self, parent: Mapping[str, Any], where: str, key: str, *, need: bool = False
    ) -> dict[str, Any] | None:
        """An object."""
        return self.get(parent, where, key, need, "an object", lambda said: isinstance(said, dict))

    def window(
        self, parent: Mapping[str, Any], where: str, key: str, *, need: bool
    ) -> Window | None:
        """A span with start and end."""
        value = self.object(parent, where, key, need=need)
        return None if value is None else self.window_of(value, at(where, key))

    def window_of(self, value: Mapping[str, Any], where: str) -> Window | None:
        """The span that an object tells."""
        start = self.integer(value, where, "start_ns", need=True, low=0)
        end = self.integer(value, where, "end_ns", need=True, low=0)
        if start is None or end is None:
            return None
        if end <= start:
            self.fault(where, f"ends ({end}) before it starts ({start})")
            return None
        return Window(start, end)


def at(where: str, key: str) -> str:
    """``key`` inside ``where``, for a sentence: ``roles.web.hostname``."""
    key = key if is_safe_name(key) else quoted(key)
    return f"{where}.{key}" if where else key


def format_fault(name: str, manifest: Mapping[str, Any], wanted: str) -> str:
    """The sentence for a manifest of another format, or of none."""
    if "format" not in manifest:
        return f"{name}: format is missing; {wanted} was expected"
    return f"{name}: format is {quoted(manifest['format'])}; this version reads {wanted}"

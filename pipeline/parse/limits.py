"""Limits of what is read: the length of a log's text and of its lines, and the memory that its tables need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.files import MAX_EXPANDED_BYTES
from pipeline.parse import texts
from pipeline.parse.errors import LimitError, UnreadableError

try:
    import resource
except ImportError:  # pragma: no cover - not on Windows
    resource = None  # type: ignore[assignment]

MAX_LINE_BYTES = 16 * 10**6
CACHED_BYTES = 1 << 18
"""Length of the texts that are searched at once: they stay in the processor's cache."""
MEMORY_PER_BYTE, MEMORY_PER_LINE = 8, 600
"""Memory per byte and per line of a log while it is parsed.

Measured: 10 to 13 times the text of recorded logs, up to 770 bytes per line of logs with lines of two characters.
"""
SMALL_BYTES = 32 << 20
"""A log that needs less is not compared with the available memory: the process itself needs more."""


@dataclass(frozen=True)
class Budget:
    """What a log may take, as of one moment."""

    expanded_bytes: int = MAX_EXPANDED_BYTES

    @cached_property
    def memory_bytes(self) -> int | None:
        """Memory that is available; None where the system does not state it."""
        return available_memory_bytes()

    @property
    def text_bytes(self) -> int:
        """Longest text that is within both."""
        if self.memory_bytes is None:
            return self.expanded_bytes
        return min(self.expanded_bytes, self.memory_bytes // MEMORY_PER_BYTE)

    def check_expanded(self, count: int, name: str) -> None:
        """Raise ``LimitError`` for a text of ``count`` bytes that is too long, whatever the memory."""
        if count > self.expanded_bytes:
            raise LimitError(name, texts.too_large(self.expanded_bytes), self.expanded_bytes)

    def check_length(self, count: int, name: str) -> None:
        """Raise ``LimitError`` for a text of ``count`` bytes, or of more that were not read, to be read as a whole."""
        self.check_expanded(count, name)
        self._check_memory(name, count, 0)

    def check_lines(self, data: bytes | bytearray, name: str, first_line: int = 1) -> None:
        """Raise ``UnreadableError`` if a line is too long; the text begins with line ``first_line``."""
        start = 0
        while len(data) - start > MAX_LINE_BYTES:
            end = last_line_end(data, start, start + MAX_LINE_BYTES + 1)
            if end < 0:
                line = data.count(b"\n", 0, start) + first_line
                raise UnreadableError(name, texts.line_too_long(MAX_LINE_BYTES), line)
            start = end + 1

    def check_text(self, data: bytes, name: str) -> None:
        """Raise ``LimitError`` if a log's text is too large, or ``UnreadableError`` if it has too long a line."""
        self.check_length(len(data), name)
        self.check_lines(data, name)
        self._check_memory(name, len(data), max(line_feeds(data), data.count(b"\r")))

    def _check_memory(self, name: str, count: int, lines: int) -> None:
        needed = MEMORY_PER_BYTE * count + MEMORY_PER_LINE * lines
        if needed < SMALL_BYTES or self.memory_bytes is None:
            return
        if needed > self.memory_bytes:
            message = texts.not_enough_memory(count, needed, self.memory_bytes)
            raise LimitError(name, message, needed // MEMORY_PER_BYTE)


def line_feeds(data: bytes) -> int:
    """Number of line feeds in a text; ``bytes.count`` takes three times as long for lines of usual length."""
    characters = np.frombuffer(data, np.uint8)
    parts = (characters[at : at + CACHED_BYTES] for at in range(0, characters.size, CACHED_BYTES))
    return sum(int(np.count_nonzero(part == ord("\n"))) for part in parts)


def last_line_end(data: bytes | bytearray, start: int, end: int) -> int:
    """Place of the last LF or CR in a part of ``data``, -1 if it has none."""
    return max(data.rfind(b"\n", start, end), data.rfind(b"\r", start, end))


def available_memory_bytes(root: Path = Path("/")) -> int | None:
    """Memory that this process can still use without swapping.

    The least of MemAvailable, of what the limits of its control group and of those above leave (version 1 and 2; cached
    files that can be dropped count as available), and of what ``ulimit -v`` leaves.

    Parameters
    ----------
    root : Path
        Folder of ``proc`` and ``sys``.

    Returns
    -------
    int or None
        Bytes; None where the system does not state it.
    """
    amounts = list(_of_groups(root))
    if match := re.search(r"MemAvailable: +(\d+) kB", _read(root / "proc/meminfo")):
        amounts.append(int(match[1]) * 1024)
    if resource is not None:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        used = re.search(r"VmSize:\s+(\d+) kB", _read(root / "proc/self/status"))
        if limit != resource.RLIM_INFINITY and used:
            amounts.append(limit - int(used[1]) * 1024)
    return max(0, min(amounts)) if amounts else None


def _of_groups(root: Path) -> Iterator[int]:
    """Memory that each control group of this process with a limit can still use."""
    for entry in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (*entry.split(":", 2), "", "")[:3]
        if not controllers:
            base, limit, usage, cached = "", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            base, limit, usage, cached = (
                "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
            )  # fmt: skip
        else:
            continue
        group = PurePosixPath("/", path)
        for each in (group, *group.parents):
            folder = root / "sys/fs/cgroup" / base / str(each).lstrip("/")
            numbers = [_read(folder / name).strip() for name in (limit, usage)]
            if all(number.isdecimal() for number in numbers):  # the limit may be `max`
                stat = re.search(rf"^{cached} (\d+)$", _read(folder / "memory.stat"), re.MULTILINE)
                yield int(numbers[0]) - int(numbers[1]) + (int(stat[1]) if stat else 0)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

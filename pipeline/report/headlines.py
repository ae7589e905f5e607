"""A page's few most important numbers, told by what they are of."""

from __future__ import annotations

import html
from collections.abc import Mapping

Lines = list[tuple[str, str]]

LONG, LONGEST = 18, 28
"""A value of more letters than these takes the room of two, and of three."""


def by_subject(numbers: Mapping[str, str]) -> list[tuple[str, Lines]]:
    """``web server: throughput`` stands as ``throughput`` under ``web server``; what is of no one, under nothing.

    In the order in which subjects come first, the nameless one last: it is of the whole page.
    """
    found: dict[str, Lines] = {}
    for name, value in numbers.items():
        subject, colon, rest = name.partition(": ")
        found.setdefault(subject if colon else "", []).append((rest if colon else name, value))
    whole = found.pop("", None)
    return [*found.items(), *([("", whole)] if whole else [])]


def strip(numbers: Mapping[str, str]) -> str:
    """The strip of a page, as HTML."""
    parts = []
    for subject, lines in by_subject(numbers):
        items = "".join(
            f"<div{_room(value)}><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
            for name, value in lines
        )
        named = f"<p>{html.escape(subject)}</p>" if subject else ""
        parts.append(f"{named}<dl>{items}</dl>")
    return f'<div class="headlines">{"".join(parts)}</div>'


def _room(value: str) -> str:
    if len(value) <= LONG:
        return ""
    return ' class="longest"' if len(value) > LONGEST else ' class="long"'

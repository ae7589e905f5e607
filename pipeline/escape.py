"""Characters that a terminal or a browser would obey, made visible: names and texts of logs are printed, not trusted.

Short, because every command needs these three functions before it imports anything else.
"""

from __future__ import annotations

import json
import re


def escape_controls(text: str) -> str:
    """``text`` with control characters made visible: a terminal would obey them."""
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def escape_page(text: str) -> str:
    """``text`` of a page with control characters, and those that change its direction, made visible."""
    return _UNSEEN.sub(lambda match: ascii(match[0])[1:-1], text)


def escape_json(document: str) -> str:
    """JSON with every character that a terminal would obey as its escape; the values are the same."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in document)

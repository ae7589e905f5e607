"""Warnings that are notes: nothing that the log holds is lost or doubtful.

``queuevisor parse`` prints them with the others; ``queuevisor ingest`` does not, and they are no reason for its exit
code 1.
"""

from __future__ import annotations

import re

from pipeline.parse import texts

_ANY = "\0"
"""Stands for what a text says of one log."""
TEXTS = (
    texts.NOT_COMPRESSED,
    texts.TIMES_OF_PREFIX,
    texts.DELAY_ACCOUNTING_OFF,
    texts.unknown_columns([_ANY]),
    texts.unknown_variable(_ANY),
    texts.nameless_device(_ANY),
    texts.ambiguous_hour(_ANY),
)

_TEXT = "|".join(re.escape(text).replace(re.escape(_ANY), ".*") for text in TEXTS)
_TICKS = r"missed [0-9]{1,2} ticks?"
"""Fewer than 100: a longer gap is a warning."""
_MISSED = rf"{_TICKS}(?:; {_TICKS})*"
_NOTE = re.compile(
    rf"(?:{_TEXT}|{re.escape(texts.gap(_ANY)).replace(re.escape(_ANY), _MISSED)}"
    rf"|{re.escape(texts.more_fields(0)).replace('0', '[0-9]+')})"
)


def is_note(warning: str, file: str) -> bool:
    """Whether a warning of the log ``file`` says of nothing that it is lost or doubtful.

    Ticks that the collector missed are a note: counters go on, and the next snapshot covers a longer interval.

    Examples
    --------
    >>> is_note("web/block.log:9: gap in the recording: missed 2 ticks", "web/block.log")
    True
    >>> is_note("web/block.log:9: gap in the recording: the tool was restarted", "web/block.log")
    False
    """
    text = re.sub(r"^:?\d*: ", "", warning.removeprefix(file))
    return _NOTE.fullmatch(text) is not None

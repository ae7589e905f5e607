"""Which warnings are notes: nothing is lost or doubtful."""

import pytest

from pipeline.parse import is_note, texts

NOTES = [
    texts.NOT_COMPRESSED,
    texts.DELAY_ACCOUNTING_OFF,
    texts.unknown_columns(["nTH", "P"]),
    texts.more_fields(17),
    texts.gap("missed 41 ticks"),
    texts.gap("missed 1 tick; missed 2 ticks"),
]
WARNINGS = [
    texts.UTC_ASSUMED,
    texts.UNTERMINATED,
    texts.CLOCK_BACK,
    texts.EMPTY,
    texts.gap("the disk was full"),
    texts.gap("missed 1 tick; the tool was restarted"),
    texts.gap("missed 100 ticks"),
    texts.spliced_rows(3),
    texts.not_readable("Permission denied", 9, 2),
    texts.more_fields(17) + " and lost",
    "httperf: connection failed with unexpected error 113",
    texts.several_sources(["a: " + texts.NOT_COMPRESSED, "b"]),
]


@pytest.mark.parametrize("place", ["", ":12"])
def test_what_loses_nothing_is_a_note(place):
    for text in NOTES:
        assert is_note(f"host/a.log{place}: {text}", "host/a.log"), text
    for text in WARNINGS:
        assert not is_note(f"host/a.log{place}: {text}", "host/a.log"), text

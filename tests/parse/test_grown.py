"""A log that has grown is read from its last piece on, with the same result."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_logs import log_of
from test_pieces import assert_same

from pipeline import parse
from pipeline.parse.grown import ReadPart
from pipeline.parse.pieces import TextSource

PIECES = {"top": 3000, "tasks": 1000, "block": 700, "iotop": 1000}


KINDS = ("top", "tasks", "block", "iotop")
LOGS = {kind: log_of(kind, range(1, 25)) for kind in KINDS}


def read(kind, data, before=None, *, piece_bytes=None, **given):
    """The pieces of a log, and what is kept for the next time."""
    notes = parse.Notes(before)
    source = TextSource.of_bytes(data, "x.log")
    pieces = notes.pieces(source, parse._start(kind), piece_bytes or PIECES[kind])
    parsed = list(parse.parse_text(kind, pieces, notes=notes, **given))
    if notes.part is not None:  # as a file holds it
        notes.part = ReadPart(**json.loads(json.dumps(asdict(notes.part))))
    return parsed, notes.part


def assert_continued(kind, *texts, **given):
    """Each text is read on where the last piece of the one before began, as if it were read as a whole."""
    earlier, part = read(kind, texts[0], **given)
    assert part is not None
    earlier.pop()
    for data in texts[1:]:
        pieces, next_part = read(kind, data, part, **given)
        assert pieces[0].lines < parse.joined([*earlier, *pieces]).lines
        whole, part = read(kind, data, **given)
        assert_same(parse.joined(whole), parse.joined([*earlier, *pieces]))
        assert (next_part.sha256, next_part.places) == (part.sha256, part.places)
        assert (next_part.facts, next_part.records) == (part.facts, part.records)
        earlier += pieces[:-1]


def assert_anew(kind, before, data, **given):
    part = read(kind, before, **given)[1]
    with pytest.raises(parse.ParseError):
        read(kind, data, part, **given)


@settings(deadline=None, max_examples=6)
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_a_log_that_was_cut_anywhere_is_read_on(kind, data):
    text = LOGS[kind]
    cuts = st.lists(st.integers(len(text) // 3, len(text)), min_size=2, max_size=3)
    assert_continued(kind, *(text[:cut] for cut in sorted(data.draw(cuts))))


@pytest.mark.parametrize("kind", KINDS)
def test_ends_gaps_and_restarts_may_follow(kind):
    text, rest = LOGS[kind], log_of(kind, range(1, 9), pid=70)
    more = (
        b"#END stopped\n",
        b"#GAP restart of the tool\n" + rest,
        rest.replace(b" b\n", b" c\n"),
        log_of(kind, range(80, 84)).replace(b"#T ", b"#T 1") + log_of(kind, range(120, 124)),
    )
    assert_continued(kind, text, *(text + b"".join(more[: n + 1]) for n in range(len(more))))


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_of_which_the_beginning_is_other_is_read_anew(kind):
    text = LOGS[kind]
    assert_anew(kind, text, text[: len(text) // 2])
    assert_anew(kind, text, text[:100] + b"9" + text[101:] * 2)
    assert_anew(kind, text, text + b"#T 90000000000 90 90 b\n\x1b[7m\n")


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_without_sentinels_or_with_cr_is_not_kept(kind):
    text = LOGS[kind]
    assert read(kind, text.replace(b"\n", b"\r\n"))[1] is None
    assert read(kind, text, piece_bytes=1 << 20)[1] is None
    if kind != "tasks":
        bare = b"".join(line for line in text.splitlines(True) if not line.startswith(b"#"))
        assert read(kind, bare)[1] is None


def test_what_the_rest_says_about_the_beginning_is_noticed():
    top = LOGS["top"]
    names = (
        b"  PID USER      PR  NI  %CPU     TIME+ COMMAND\n   7 root      20   0   6.2   0:01.01 x\n"
    )
    assert_anew("top", top, top + b"#T 90000000000 90 90 b\n" + names)
    iotop = LOGS["iotop"]
    assert_anew(
        "iotop",
        iotop,
        iotop
        + b"#T 90000000000 90 90 b\n"
        + b"  Total DISK READ:       0.00 B/s | Total DISK WRITE:       0.00 B/s\n",
    )
    block = LOGS["block"]
    odd = b"#T 90000000000 90 90 b\n/sys/block/sda1/stat: 1 2 3 4 5 6 7 8 9 10 11\n"
    assert_anew("block", block, block + odd)


def test_the_limit_of_counters_matters_where_one_was_above_it():
    text = LOGS["tasks"]
    later = log_of("tasks", range(80, 84), ticks=10**9)
    assert_continued("tasks", text, text + later)
    spoiled = text.replace(b"p 10 44 1 S 3 5 40 ", b"p 10 44 1 S 3 99999999999 40 ")
    assert parse.joined(read("tasks", spoiled)[0]).rejects.height == 1
    assert_anew("tasks", spoiled, spoiled + later)


def test_roles_of_threads_are_recorded_or_there_are_none():
    guest = b"".join(
        line for line in LOGS["tasks"].splitlines(True) if line[:2] not in (b"v ", b"c ")
    )
    assert_continued("tasks", guest[:-500], guest)
    assert_anew("tasks", guest, guest + LOGS["tasks"])
    old = b"".join(line for line in LOGS["tasks"].splitlines(True) if line[:2] != b"v ")
    assert read("tasks", old)[1] is None


def test_no_secret_is_kept():
    text = LOGS["tasks"].replace(b"guest=web", b"guest=web --password=hunter2")
    part = read("tasks", text)[1]
    assert part is not None
    assert "hunter2" not in json.dumps(asdict(part))
    assert_continued("tasks", text[: len(text) // 2], text)

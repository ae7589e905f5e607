"""A log read in pieces gives the same as one read as a whole."""

import gzip
import random

import damage
import polars as pl
import pytest
import zstandard
from golden import goldens, options

from pipeline import parse
from pipeline.parse import KINDS
from pipeline.parse.pieces import Pieces, TextSource

GOLDENS = [(kind, path) for kind in KINDS for path in goldens(kind)]
STREAMED = [kind for kind in KINDS if parse._reader_class(kind) is not None]


def outcome(kind, data, piece_bytes, name="x.log", **given):
    """The result of a log read in pieces of that length, or the text of its error."""
    pieces = Pieces(TextSource.of_bytes(data, name), parse._start(kind), piece_bytes)
    try:
        return parse.joined(parse.parse_text(kind, pieces, **given))
    except parse.AccountingError:
        raise
    except parse.ParseError as error:
        return str(error)


def assert_same(whole, pieces):
    """Every table, reject, count, warning and flag is the same."""
    if isinstance(whole, str) or isinstance(pieces, str):
        assert pieces == whole
        return
    assert pieces.summary() == whole.summary()
    assert (pieces.damage, pieces.unread) == (whole.damage, whole.unread)
    assert pieces.rejects.rows() == whole.rejects.rows()
    assert list(pieces.tables) == list(whole.tables)
    for name, frame in whole.tables.items():
        assert pieces.tables[name].schema == frame.schema
        assert pieces.tables[name].equals(frame, null_equal=True), name


@pytest.mark.parametrize(("kind", "path"), GOLDENS, ids=lambda value: getattr(value, "name", value))
def test_a_log_in_pieces_gives_what_the_whole_log_gives(kind, path):
    if kind not in STREAMED:
        pytest.skip("read as one piece")
    data, given = path.read_bytes(), options(path)
    whole = outcome(kind, data, 1 << 30, **given)
    for piece_bytes in (1, 150, 700, 5000):
        assert_same(whole, outcome(kind, data, piece_bytes, **given))


def texts_of(data, start=None, piece_bytes=1):
    pieces = []
    for piece in Pieces(TextSource.of_bytes(data, "x.log"), start, piece_bytes):
        pieces.append(piece.data)
        _ = piece.log
    return pieces


def test_a_log_with_sentinels_is_cut_between_snapshots_only():
    data = b"a\n#T 1 1 1 b\nx\n#T 1 1 1 b\n#T 1 1 1 b\n#GAP x\n#T 2 2 2 b\n#END s\n"
    assert texts_of(data) == [
        b"a\n#T 1 1 1 b\nx\n",
        b"#T 1 1 1 b\n#T 1 1 1 b\n#GAP x\n",
        b"#T 2 2 2 b\n#END s\n",
    ]
    assert texts_of(data, piece_bytes=40) == [
        b"a\n#T 1 1 1 b\nx\n",
        b"#T 1 1 1 b\n#T 1 1 1 b\n#GAP x\n",
        b"#T 2 2 2 b\n#END s\n",
    ]
    assert texts_of(data, piece_bytes=len(data) - 1) == [data[:-18], data[-18:]]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("piece_bytes", [1, 1000, 1 << 20])
def test_the_lines_of_all_pieces_are_those_of_the_log(pack, piece_bytes):
    lines = [f"#T {n} {n} {n} b\r\n  {'x' * (n % 7)} ä\0\r\n" for n in range(1, 300)]
    data = ("\ufeff" + "".join(lines) + "#GAP restart\n#T 5 5 5 b\r\ncut").encode()
    whole = parse.log_from_text(data, "x.log")
    logs = [
        piece.log for piece in Pieces(TextSource.of_bytes(pack(data), "x.log"), None, piece_bytes)
    ]
    # the byte order mark hides the first #T
    assert len(logs) == {1: 299, 1000: len(logs), 1 << 20: 1}[piece_bytes]
    assert pl.concat([log.lines for log in logs]).equals(whole.lines)
    assert pl.concat([log.ticks for log in logs]).equals(whole.ticks)
    assert pl.concat([log.line_ends for log in logs]).equals(whole.line_ends)
    assert logs[-1].warnings == whole.warnings and logs[-1].damage == whole.damage
    assert logs[-1].unterminated and whole.unterminated
    assert [log.warnings for log in logs[:-1]] == [()] * (len(logs) - 1)


FAST = [(kind, path) for kind in ("tasks", "block", "iotop") for path in goldens(kind)]


@pytest.mark.parametrize(("kind", "path"), FAST, ids=lambda value: getattr(value, "name", value))
def test_lines_read_by_numpy_are_those_read_by_patterns(kind, path, monkeypatch):
    logs = [path.read_bytes()]
    rng = random.Random(f"fast {path.name}")
    logs += [damage.damaged_log(logs[0], logs, rng) for _ in range(3)]
    for data in logs:
        for piece_bytes in (300, 1 << 30):
            monkeypatch.setenv("QUEUEVISOR_CAREFUL", "1")
            careful = outcome(kind, data, piece_bytes)
            monkeypatch.delenv("QUEUEVISOR_CAREFUL")
            assert_same(careful, outcome(kind, data, piece_bytes))


STAT = "/sys/block/vda/stat:  7300 0 8 1 2123456789 0 16 3 0 4 4"
ODD_LINES = [
    "/sys/block/sda1/stat: 1 2 3 4",
    "/sys/block/vdb/stat:x/sda1/stat 1 2 3 4 5 6 7 8 9 10 11",
    "/sys/block/vdb/stat: # cat sda1",
    "/sys/block/vdb/stat: 1 2 3 4 5 6 7 8 9 10 99999999999999999999",
    "/sys/block/vdb/stat: 1 2 3 4 5 6 7 8 4294967295 10 11",
    "/sys/block/a b/stat: 1 2 3 4 5 6 7 8 9 10 11",
    "/sys/block/cciss!c0d0p1/stat:123456789 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
    "1795383360.5",
    STAT,
    "#T 3 bad",
]


ODD_LINES = [("block", STAT, odd) for odd in ODD_LINES]
DISKSTATS = " 254       0 vda 7300 0 8 1 2123456789 0 16 3 0 4 4"
ODD_LINES += [
    ("block", DISKSTATS, odd)
    for odd in (
        " 254       1 vda1 1 2 3 4",
        " 254      16 vdb 1 2 3 4 5 6 7 8 4294967295 10 11",
        " 254      16 vdb 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
        "254 16 vdb 1 2 3 4 5 6 7 8 9 10 11",
        " 254      16 vda 1 2 3 4 5 6 7 8 9 10 11",  # another device of that name
        " 104       0 cciss/c0d0 1 2 3 4 5 6 7 8 9 10 11",
        " 104       0 cciss!c0d0 1 2 3 4 5 6 7 8 9 10 11",
        " 259       0 nvme0n1p12 1 2 3 4 5 6 7 8 9 10 11",
        " 259       0 a_name_that_is_longer_than_others 1 2 3 4 5 6 7 8 9 10 11",
        " 254      16 9vdb 1 2 3 4 5 6 7 8 9 10 11",
        " 254      16 vdb",
        STAT,
        DISKSTATS,
        "1795383360.5",
        "#T 3 bad",
    )
]
TASKS = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nt 8 9 70 S 1 30 4 - 0 worker"
ODD_LINES += [
    ("tasks", TASKS, odd)
    for odd in (
        "cpu1 1 2 3 4 5 6 7 8 9 10",
        "cpu1  1 2 3 4 5 6 7 8 9 10",
        "cpu1 1 2 3 4 5 6 7",
        "cpu1 1 2 3",
        "cpu1 1 2 3 4 5 6 7 8 9 10 11",
        "cpu1 1 2 3 4 5 6 7 8 9 99999999999999999999",
        "cpu  1 2 3 4 5 6 7 8 99 100",
        "cpu00 1 2 3 4 5 6 7 8 9 10",
        "cpu",
        "cpux 1 2 3 4 5 6 7 8 9 10",
        "t 8 9 70 S 1 30 4 - 0 worker",
        "t 8 10 70 S 1 30000 4 - 0 worker",
        "t 8 10 70 S 1 -- 4 - 0  CPU 0/KVM",
        "t 8 10 70 SS 1 3 4 5 0 worker",
        "t 8 10 70 - 1 3  4 5 0 worker",
        "c 8 70 /usr/bin/qemu-kvm -name guest=web",
        "v 8 9 70 emulator - command web",
        "#T 3 bad",
    )
]


@pytest.mark.parametrize(("kind", "usual", "odd"), ODD_LINES)
def test_an_odd_line_among_counters_changes_no_other(kind, usual, odd, monkeypatch):
    ticks = [f"#T {n}000000000 {n} {n} b\n{usual}\n" for n in range(1, 5)]
    data = (ticks[0] + ticks[1] + odd + "\n" + "".join(ticks[2:])).encode()
    monkeypatch.setenv("QUEUEVISOR_CAREFUL", "1")
    careful = outcome(kind, data, 1 << 30)
    monkeypatch.delenv("QUEUEVISOR_CAREFUL")
    assert next(iter(careful.tables.values())).height >= 3
    for piece_bytes in (1, 1 << 30):
        assert_same(careful, outcome(kind, data, piece_bytes))

"""Logs as lines: whatever the file went through, every line is there and every line is counted."""

import gzip
from datetime import UTC, datetime

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parse
from pipeline.parse.prefixes import strip_prefixes

TEXT = "".join(f"line {n} {'x' * (n % 70)} é\n" for n in range(4000))
PACKERS = {"gz": gzip.compress, "zst": zstandard.compress}
T0 = "#T 1795383360000000000 51000000000 0 b0\n"
T1 = "#T 1795383361000000000 52000000000 1 b0\n"


def texts(log):
    return log.lines["text"].to_list()


def book(log, records=(), headers=(), rejects=()):
    """A parsed log with that line accounting."""
    return parse.to_parsed(
        log,
        "block",
        {},
        records=pl.Series(list(records), dtype=pl.Int64),
        headers=pl.Series(list(headers), dtype=pl.Int64),
        rejects=pl.DataFrame(
            {"line": list(rejects), "reason": ["why"] * len(rejects)},
            schema={"line": pl.Int64, "reason": pl.String},
        ),
        snapshots=0,
    )


# ----------------------------------------------------------------------------------- bytes to lines


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\r\nb\r\n", ["a", "b"]),
        (b"a\rb\rc", ["a", "b", "c"]),
        (b"a\rb\nc\r\n", ["a", "b", "c"]),
        (b"\xef\xbb\xbfa\n", ["a"]),
        ("é€\n漢".encode("utf-16"), ["é€", "漢"]),
        ("Tasks: 9\nb".encode("utf-16"), ["Tasks: 9", "b"]),
        (b"a\0b\n", ["a\0b"]),
        (b"a\x0bb\x0cc\x85\xe2\x80\xa8d\n", ["a\x0bb\x0cc\ufffd\u2028d"]),
        (b"a\xffb\n", ["a\ufffdb"]),
    ],
)
def test_lines(data, lines):
    log = parse.log_from_text(data, "x.log")
    assert texts(log) == lines
    assert log.lines["line"].to_list() == list(range(1, len(lines) + 1))
    assert log.unterminated == (bool(data) and not data.endswith((b"\n", b"\r", b"\n\0")))


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        (b"a\nb\xff\n", "x.log:2", "not UTF-8"),
        (b"a\nb\n\0\n", "x.log:3", "NUL"),
        (b"\xff\xfea", "x.log", "UTF-16"),
    ],
)
def test_invalid_bytes_give_a_warning_with_the_line(data, where, what):
    (warning,) = parse.log_from_text(data, "x.log").warnings
    assert warning.startswith(where) and what in warning


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_logs(tmp_path, suffix):
    pack = PACKERS[suffix]
    path = tmp_path / f"top.log.{suffix}"
    path.write_bytes(pack(TEXT.encode()))
    log = parse.read_log(path, name="host/top.log")
    assert (texts(log), log.file, log.warnings) == (TEXT.split("\n")[:-1], "host/top.log", ())

    path.write_bytes(pack(TEXT.encode()) + pack(b"second member\n"))
    assert texts(parse.read_log(path))[-1] == "second member"

    path.write_bytes(pack(TEXT.encode()) + b"\0\0\0\0")
    assert not parse.read_log(path).warnings

    path.write_bytes(pack(TEXT.encode()) + b"garbage")
    (warning,) = parse.read_log(path).warnings
    assert "7 bytes after" in warning

    path.rename(tmp_path / "misnamed.log")
    assert len(texts(parse.read_log(tmp_path / "misnamed.log"))) == 4000


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_cut_or_damaged_stream_is_read_as_far_as_it_goes(tmp_path, suffix):
    path = tmp_path / f"top.log.{suffix}"
    whole = PACKERS[suffix](TEXT.encode() * 30)
    path.write_bytes(whole[: len(whole) * 3 // 4])
    log = parse.read_log(path)
    assert "truncated" in log.warnings[0]
    assert TEXT.startswith("\n".join(texts(log)[:3999]))
    path.write_bytes(whole[:40] + b"\xff" * 40 + whole[80:])
    log = parse.read_log(path)
    assert log.warnings
    for at in range(2, len(whole), 1 + len(whole) // 40):
        path.write_bytes(whole[:at])
        parse.read_log(path)


def test_plain_text_named_gz_is_read_with_a_warning(tmp_path):
    path = tmp_path / "top.log.gz"
    path.write_bytes(b"plain\n")
    log = parse.read_log(path, name="top.log.gz")
    assert texts(log) == ["plain"] and "not compressed" in log.warnings[0]


def test_what_cannot_be_read_is_an_error_that_names_the_file(tmp_path):
    for path in (tmp_path / "missing.log", tmp_path, "nul\0"):
        with pytest.raises(parse.UnreadableError) as caught:
            parse.read_log(path, name="host/top.log")
        assert caught.value.file == "host/top.log" and str(caught.value).startswith(
            "host/top.log: "
        )
    (tmp_path / "top.log").write_bytes(b"\xfd7zXZ\0...")
    with pytest.raises(parse.ParseError, match="compressed with xz"):
        parse.read_log(tmp_path / "top.log")


# --------------------------------------------------------------------------------------- sentinels


def test_ticks():
    log = parse.log_from_text(
        f"{T0}a\n{T1}b\n#GAP disk full\n{T1.replace(' 1 b0', ' 4 b0')}c\n#END SIGTERM\n", "x.log"
    )
    assert log.ticks["time"].to_list()[0] == datetime(2026, 11, 22, 21, 36, tzinfo=UTC)
    assert log.ticks["monotonic_ns"].to_list() == [51_000_000_000, 52_000_000_000, 52_000_000_000]
    assert log.ticks["seq"].to_list() == [0, 1, 4]
    assert log.ticks["is_start"].to_list() == [True, False, True]
    assert log.lines["tick"].to_list() == [0, 0, 1, 1, 1, 2, 2, 2]
    assert log.lines["sentinel"].to_list() == ["T", None, "T", None, "GAP", "T", None, "END"]
    assert (log.ended, log.has_sentinels) == ("SIGTERM", True)
    assert log.warnings == ("x.log:5: gap in the recording: disk full",)


@pytest.mark.parametrize(
    ("text", "starts", "what"),
    [
        (f"{T0}a\n{T1}", [True, False], "no #END"),
        (f"{T0}a\n{T1}b\n{T0}c\n#END x\n", [True, False, True], "repeated or out of order"),
        (f"{T0}a\n{T1.replace('b0', 'b1')}#END x\n", [True, True], None),
        (f"{T0}a\n#T 17 y\nb\n{T1}#END x\n", [True, False, False], "malformed #T line"),
        (f"{T0}a\n#T 99999999999999999999 1 1 b0\n#END x\n", [True, False], "malformed #T line"),
        (f"{T0}{T0}a\n#END x\n", [True], None),
        (
            f"{T0}a\n{T1.replace('1795383361', '1795383300')}#END x\n",
            [True, False],
            "went backwards",
        ),
        (f"{T0}a\n{T1[:-1]}", [True, False], "malformed #T line"),
    ],
)
def test_ticks_out_of_order(text, starts, what):
    log = parse.log_from_text(text, "x.log")
    assert log.ticks["is_start"].to_list() == starts
    assert (any(what in warning for warning in log.warnings)) if what else not log.warnings
    assert book(log, rejects=log.body()["line"].to_list()).lines == log.lines.height


def test_the_time_after_a_broken_sentinel_is_unknown_not_the_one_before():
    log = parse.log_from_text(f"{T0}a\n#T 17 y\nb\n", "x.log")
    assert log.with_timestamps(log.body())["time"].to_list()[1:] == [None, None]


def test_a_hash_in_a_log_without_ticks_is_a_line_like_others():
    log = parse.log_from_text("#Tabelle\n#T oh\n", "x.log")
    assert not log.has_sentinels and log.ticks.height == 0
    assert log.body()["line"].to_list() == [1, 2] and not log.warnings[1:]


# ---------------------------------------------------------------------------------------- accounts


def test_line_accounting():
    log = parse.log_from_text(f"{T0}a\n\nb\nc\n#END x\n", "x.log")
    parsed = book(log, records=[2], headers=[4], rejects=[5])
    assert parsed.summary() == {
        "kind": "block",
        "file": "x.log",
        "lines": 6,
        "snapshots": 0,
        "rows": {},
        "record_lines": 1,
        "headers": 4,
        "rejects": 1,
        "warnings": [],
    }
    assert parsed.rejects.rows() == [("x.log", 5, "why", "c")]


@pytest.mark.parametrize(
    ("claims", "line"),
    [
        ({"records": [2], "headers": [4]}, 5),
        ({"records": [2, 2], "headers": [4, 5]}, 2),
        ({"records": [2, 4], "headers": [4], "rejects": [5]}, 4),
        ({"records": [2, 4, 5], "rejects": [5]}, 5),
    ],
)
def test_a_line_lost_or_counted_twice_is_our_fault_and_raised(claims, line):
    log = parse.log_from_text(f"{T0}a\n\nb\nc\n#END x\n", "x.log")
    with pytest.raises(parse.AccountingError) as caught:
        book(log, **claims)
    assert caught.value.line == line


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.sampled_from(
            ["a\n", "\n", " \t\n", "\r\n", "\r", T0, T1, "#GAP\n", "#END x\n", "#T 1\n", "é\0", "b"]
        )
    )
)
def test_any_mixture_is_counted(pieces):
    log = parse.log_from_text("".join(pieces), "x.log")
    parsed = book(log, rejects=log.body()["line"].to_list())
    assert (
        parsed.record_lines + parsed.headers + parsed.rejects.height
        == parsed.lines
        == log.lines.height
    )


# ---------------------------------------------------------------------------------------- prefixes


@pytest.mark.parametrize(
    "prefix",
    [
        "Nov 22 21:57:16 host top[12]: ",
        "Nov  2 21:57:16 host top: ",
        "Nov 22 21:57:16 ",
        "2024-02-29T10:00:00+01:00 host iotop[9]: ",
        "2024-02-29 10:00:00.123 ",
        "2024-02-29T10:00:00Z ",
        "[2024-02-29 10:00:00] ",
        "<30>Nov 22 21:57:16.123456 host top[12]: ",
        "2024-02-29T10:00:00.123456789Z stdout F ",
        "1709200800.123 ",
    ],
)
def test_what_loggers_write_before_lines(prefix):
    rows = ("  8   0 sda 1 2 3 4 5 6 7 8 9 10 11", "", "   8   1 sdb 1 2 3 4 5 6 7 8 9 10 11")
    log = parse.log_from_text("".join(f"{prefix}{row}\n" for row in rows) + "odd\n", "x.log")
    bare = strip_prefixes(log, "block")
    assert texts(bare) == [*rows, "odd"]
    assert bare.body()["line"].to_list() == [1, 3, 4]
    parsed = parse.parse_log("block", log)
    assert parsed.tables["block"]["device"].to_list() == ["sda", "sdb"]
    assert (parsed.headers, parsed.rejects["text"].to_list()) == (1, ["odd"])


def test_a_date_in_few_lines_is_no_prefix():
    row = "  8   0 sda 1 2 3 4 5 6 7 8 9 10 11\n"
    log = parse.log_from_text(f"{row}Nov 22 21:57:16 {row}{row}{row}", "x.log")
    assert texts(strip_prefixes(log, "block")) == texts(log)


def test_kinds():
    assert set(parse.KINDS) == {
        "top",
        "iotop",
        "block",
        "tasks",
        "httperf",
        "sysbench",
        "access",
        "general",
    }
    with pytest.raises(ValueError, match="choose from top, iotop"):
        parse.parse_file("vmstat", "x")


def test_line_ends_are_kept_where_they_are_not_all_lf():
    def ends(data):
        line_ends = parse.log_from_text(data, "x").line_ends
        return line_ends if line_ends is None else line_ends.to_list()

    assert ends("a\nb") is None
    assert ends("a\r\nb\rc\r\r\nd\n\re") == ["\r\n", "\r", "\r\r\n", "\n", "\r", ""]
    for data in ("a\r\nb", "\r", "\r\r\n", "a\r\rb\n"):
        assert len(ends(data)) == parse.log_from_text(data, "x").lines.height


# -------------------------------------------------------------------------- escapes, empty, wide characters


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("\x1b[H\x1b[2J\x1b(B\x1b[ma b\x1b(B\x1b[m\x1b[39;49m\x1b[K\nc\n", ["a b", "c"]),
        ("\x1b[1;31ma\x1b[0m \x1b[4mb\x1b[24m\n", ["a b"]),
        ("\x1b]0;a title\x07a\x1b]8;;x\x1b\\ b\n", ["a b"]),
        ("\x1b[?25l\x1b=a\x1b>\x1b7 b\x1b8\x0f\n", ["a b"]),
        ("\x1b[6;1Ha b\x1b[K\n", ["a b"]),
    ],
)
def test_escape_codes_carry_no_text(text, lines):
    assert texts(parse.log_from_text(text, "x.log")) == lines


@pytest.mark.parametrize("code", ["\x1b[10C", "\x1b[3;40H", "\x1b[2A", "\x1b[7G", "\x1b[4P"])
def test_codes_that_place_text_within_a_line_are_refused(code):
    with pytest.raises(parse.UnreadableError, match="move the cursor") as caught:
        parse.log_from_text(f"a\nb{code}c\n", "x.log")
    assert caught.value.line == 2


def test_an_empty_file_says_so():
    for kind in parse.KINDS:
        parsed = parse.parse_log(kind, parse.log_from_text(b"", "x.log"))
        assert parsed.lines == parsed.record_lines == parsed.rejects.height == 0
        assert "x.log: the file is empty" in parsed.warnings and parsed.unread is None


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_wide_characters_without_a_mark_are_refused(codec):
    with pytest.raises(parse.UnreadableError, match="iconv"):
        parse.log_from_text("Tasks:  90 total\nNov é\n".encode(codec), "x.log")


def test_blocks_of_nuls_are_no_wide_characters():
    log = parse.log_from_text(b"a\n" + b"\0" * 5000 + b"\nb\n", "x.log")
    assert log.lines.height == 3


def test_no_record_is_one_case_wherever_the_lines_are_counted():
    names = "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n"
    ticks = f"{T0}\n{T1}#END stopped\n"
    for kind, text, line in (
        ("top", names, 1),
        ("block", "TS 1795383360.004\nTS 1795383361.004\n", 1),
        ("block", "\nodd\n", 2),
        ("top", ticks, None),
        ("iotop", "\n\n", None),
    ):
        try:
            unread = parse.parse_log(kind, parse.log_from_text(text, "x.log")).unread
        except parse.UnknownFormatError as error:
            unread = (error.line, str(error))
        assert (unread and unread[0]) == line, (kind, text)

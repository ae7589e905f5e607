"""Apache's access log: goldens, round trips, cuts, and the request counts being exact."""

import datetime as dt
import json

import polars as pl
import pytest
from golden import (
    expected,
    goldens,
    lines_of,
    options,
    parse_or_refuse,
    plain,
    random_lines,
    read,
    values,
    with_each_line_repeated,
    without_each_line,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parse, tables

SMALL = """\
10.0.0.9 - - [22/Nov/2026:21:36:00 +0100] "GET /a HTTP/1.1" 200 10 "-" "x\\"y"
::1 - j d [22/Nov/2026:21:36:01 +0000] "-" 408 -
"""


def requests(text):
    return parse.parse_log("access", parse.log_from_text(text, "x.log")).tables["requests"]


@pytest.mark.parametrize("path", goldens("access"), ids=lambda p: p.stem)
def test_golden(path):
    assert json.loads(json.dumps(plain(read("access", path), options(path)))) == expected(path)


def test_offsets_are_brought_to_utc_and_the_impossible_is_null():
    offsets = ["+0000", "-0330", "+1400", "+2460", "+0099"]
    lines = [f'h - - [01/Jan/2026:00:00:00 {o}] "GET / HTTP/1.1" 200 1\n' for o in offsets]
    rows = requests("".join(lines))
    assert rows["time"].dt.to_string("%F %T").to_list() == [
        "2026-01-01 00:00:00", "2026-01-01 03:30:00", "2025-12-31 10:00:00", None, None
    ]  # fmt: skip
    assert rows["flags"].to_list() == [None, None, None, "no-time", "no-time"]
    far = requests('h - - [01/Jan/9999:00:00:00 +0000] "GET / HTTP/1.1" 200 1\n')
    assert far["flags"].to_list() == ["no-time"]


@pytest.mark.parametrize(
    ("request_line", "command", "target", "protocol", "flags"),
    [
        ("GET / HTTP/1.1", "GET", "/", "HTTP/1.1", None),
        ("GET /uno dos HTTP/1.0", "GET", "/uno dos", "HTTP/1.0", None),
        ("GET /", "GET", "/", None, "no-protocol"),
        ("PRI * HTTP/2.0", "PRI", "*", "HTTP/2.0", None),
        ("GET /x HTTP/2", "GET", "/x", "HTTP/2", None),
        ("M-SEARCH * HTTP/1.1", "M-SEARCH", "*", "HTTP/1.1", None),
        ("-", None, None, None, "no-request"),
        ("", None, None, None, "no-request"),
        (r"\x16\x03\x01\x02", None, r"\x16\x03\x01\x02", None, "malformed-request"),
        ("GET", None, "GET", None, "malformed-request"),
        ("hello there", None, "hello there", None, "malformed-request"),
        (r"GET /a\"b\\ HTTP/1.1", "GET", r"/a\"b\\", "HTTP/1.1", None),
    ],
)
def test_request_lines(request_line, command, target, protocol, flags):
    text = f'192.0.2.1 - - [22/Nov/2026:21:36:00 +0000] "{request_line}" 400 226\n'
    got = requests(text).select("command", "target", "protocol", "flags").row(0)
    assert got == (command, target, protocol, flags)


@pytest.mark.parametrize(
    "line",
    [
        "",
        '192.0.2.1 - - [22/Nov/2026:21:36:00 +0000] "GET / HTTP/1.1" 20 5',
        '192.0.2.1 - - [22/Nov/2026:21:36:00 +0000] "GET / HTTP/1.1" 2000 5',
        '192.0.2.1 - - [22/Nov/2026:21:36:00 +0000] "GET / HTTP/1.1" 200',
        '192.0.2.1 - - [22/Nov/2026:21:36:00 +0000] "GET / HTTP/1.1" 200 -5',
        '192.0.2.1 - - [22/Nov/2026:21:36:00 +0000] "GET / HTTP/1.1" 200 99999999999999999999',
        '192.0.2.1 - - [22/Nov/2026:21:36:00] "GET / HTTP/1.1" 200 5',
        '192.0.2.1 - - "GET / HTTP/1.1" 200 5',
        "#T 12 x",
    ],
)
def test_what_is_no_record_is_a_reject(line):
    good = '192.0.2.1 - - [22/Nov/2026:21:36:00 +0000] "GET / HTTP/1.1" 200 5\n'
    parsed = parse.parse_log("access", parse.log_from_text(good + line + "\n" + good, "x.log"))
    assert parsed.record_lines == 2
    assert parsed.rejects["line"].to_list() == ([2] if line else [])


def test_a_file_of_another_kind_is_refused_with_its_line():
    with pytest.raises(parse.UnknownFormatError, match=r"x\.log:2:"):
        parse.parse_log("access", parse.log_from_text("\ntop - 10:00:00 up 1 day\n", "x.log"))


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_log_is_an_empty_table(data):
    parsed = parse.parse_log("access", parse.log_from_text(data, "x.log"))
    assert parsed.tables["requests"].equals(tables.empty(tables.REQUESTS))
    assert parsed.headers == parsed.lines


def test_crlf_bom_and_a_missing_last_end():
    plain_rows = requests(SMALL)
    assert values(requests(("\ufeff" + SMALL.replace("\n", "\r\n")).encode())) == values(plain_rows)
    cut = requests(SMALL[:-1])
    assert cut["flags"].to_list() == [None, "no-request unterminated"]


# --- faults


def test_cut_at_every_byte_keeps_every_whole_line():
    whole = values(requests(SMALL))
    data = SMALL.encode()
    for end in range(len(data)):
        parsed = parse_or_refuse("access", data[:end])
        done = data[:end].count(b"\n")
        if parsed is None:
            assert done == 0  # nothing but the cut line, and that is no record
            continue
        rows = parsed.tables["requests"]
        assert values(rows.head(done)) == whole[:done]
        if rows.height > done:
            assert rows.height == done + 1 and "unterminated" in rows["flags"][-1]


@pytest.mark.parametrize("path", goldens("access"), ids=lambda p: p.stem)
def test_a_line_dropped_or_doubled_changes_that_row_alone(path):
    text = path.read_text()
    rows = requests(text)
    at = dict(zip(rows["line"], values(rows), strict=True))
    for number, less in without_each_line(text):
        left = [row for line, row in at.items() if line != number + 1]
        assert values(parse_or_refuse("access", less).tables["requests"]) == left
    for number, more in with_each_line_repeated(text):
        twice = [row for line, row in at.items() for _ in range(1 + (line == number + 1))]
        parsed = parse_or_refuse("access", more)
        assert values(parsed.tables["requests"]) == twice
        assert parsed.lines == len(lines_of(more))


# --- print and parse

TOKEN = st.text("abcxyzABC0123456789.-_:%/~?&=+", min_size=1, max_size=12)
TEXT = st.text("abcXYZ 0123()[];,/.-'<>\"\\é", max_size=20).map(
    lambda s: s.replace("\\", "\\\\").replace('"', '\\"')
)
ROWS = st.fixed_dictionaries(
    {
        "client": st.ip_addresses().map(str)
        | st.from_regex(r"[a-z][a-z0-9-]{0,5}(\.[a-z]{2,5})?", fullmatch=True),
        "user": st.none() | st.text("abcdef", min_size=1, max_size=6),
        "time": st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2200, 1, 1)).map(
            lambda t: t.replace(microsecond=0)
        ),
        "offset": st.integers(-14 * 60, 14 * 60),
        "command": st.sampled_from(["GET", "POST", "OPTIONS", "M-SEARCH"]),
        "target": TOKEN,
        "protocol": st.sampled_from(["HTTP/1.0", "HTTP/1.1", "HTTP/2"]),
        "status": st.integers(100, 599),
        "response_bytes": st.none() | st.integers(0, 2**40),
        "referer": st.none() | TEXT.filter(lambda s: s != "-"),
        "user_agent": st.none() | TEXT.filter(lambda s: s != "-"),
    }
)


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def printed(row, combined):
    sign, offset = "-" if row["offset"] < 0 else "+", abs(row["offset"])
    local = row["time"] + dt.timedelta(minutes=row["offset"])
    month = MONTHS[local.month - 1]
    stamp = f"{local.day:02}/{month}/{local.year}:{local:%H:%M:%S}"
    line = (
        f"{row['client']} - {row['user'] or '-'} [{stamp} {sign}{offset // 60:02}{offset % 60:02}] "
        f'"{row["command"]} {row["target"]} {row["protocol"]}" {row["status"]} '
        f"{'-' if row['response_bytes'] is None else row['response_bytes']}"
    )
    if combined:
        agents = ("-" if row[key] is None else row[key] for key in ("referer", "user_agent"))
        line += "".join(f' "{text}"' for text in agents)
    return line + "\n"


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5), st.booleans())
def test_what_is_printed_is_read_back(rows, combined):
    parsed = parse.parse_log(
        "access", parse.log_from_text("".join(printed(r, combined) for r in rows), "x")
    )
    assert parsed.rejects.height == 0
    got = parsed.tables["requests"].with_columns(
        pl.col("time").dt.replace_time_zone(None).dt.cast_time_unit("us")
    )
    keys = [
        k for k in rows[0] if k != "offset" and (combined or k not in ("referer", "user_agent"))
    ]
    assert got.select(keys).to_dicts() == [{k: row[k] for k in keys} for row in rows]


PIECES = ["a", "é", " ", "-", "0", '"', "\\", "[", "]", "\n", "\r", "\0", "#T 1 2 3 b", "::1 - - ",
          "[22/Nov/2026:21:36:00 +0000] ", '"GET / HTTP/1.1"', " 200 5", ' "-" "-"', "/", "+9999"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(random_lines(PIECES))
def test_any_text_is_accounted_for(text):
    parse_or_refuse("access", text)


def test_quotes_that_old_apaches_did_not_escape():
    head = "192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "
    spliced = head + '"GET /spl' + head + '"GET / HTTP/1.1" 200 5'
    text = f'{head}"GET /a"b"c HTTP/1.0" 200 2326\n{head}"GET / HTTP/1.0" 200 5\n{spliced}\n'
    frame = parse.parse_log("access", parse.log_from_text(text, "x.log"))
    rows = frame.tables["requests"].select("line", "target", "status", "flags").rows()
    assert rows == [(1, '/a"b"c', 200, "unescaped-quote"), (2, "/", 200, None)]
    assert frame.rejects["line"].to_list() == [3]

"""Every golden log of every kind with every kind of damage: no other exception, no line without accounting.

The tests of each kind check the results; here are the invariants of all kinds. Files that end within a line:
``make fuzz`` tries every byte of every log, these tests every byte of short logs and the line ends of others.
Interrupted recordings are tried at every byte of every log, all of them in one log.
"""

import re

import polars as pl
import pytest
from cuts import CONTEXT, around_line_ends
from damage import SAMPLED
from golden import GOLDEN, options
from invariants import check_log, find_violation

from pipeline import parse

LOGS = sorted(path for kind in parse.KINDS for path in (GOLDEN / kind).glob("*.log"))
STAMPS = {"monotonic_ns", "seq", "boot_id"}
UNSURE = {
    "iotop_totals": ["resolution_bytes"],
    "task_processes": ["command_line", "virtual_server_name"],
    "tasks": ["virtual_server_name"],
}
"""Columns that come from another line of the log, which may be cut."""

BARE = ("top", "iotop", "block")
"""Kinds that come through a logger."""

SHORT_BYTES = 600
CASES = sorted((GOLDEN.parent / "parse" / "cases").glob("*/*.log"))

every_log = pytest.mark.parametrize("path", LOGS, ids=lambda p: f"{p.parent.name}-{p.stem}")


def check(kind, data, given, what):
    outcome = check_log(kind, data, given)
    assert outcome.violation is None, (what, outcome.violation)


def test_polars_has_one_thread_here():
    assert pl.thread_pool_size() == 1


@every_log
def test_a_file_that_ends_anywhere(path):
    data, given = path.read_bytes(), options(path)
    every = range(len(data) + 1)
    places = every if len(data) <= SHORT_BYTES else around_line_ends(data.decode())
    for at in places:
        cut = data[:at] if len(data) <= SHORT_BYTES else data.decode()[:at].encode()
        check(path.parent.name, cut, given, at)


@every_log
def test_each_line_dropped_doubled_and_spliced(path):
    kind, given = path.parent.name, options(path)
    lines = path.read_bytes().splitlines(keepends=True)
    count = len(lines)
    for at, line in enumerate(lines):
        other = (at * 7 + 3) % count
        half = line[: len(line) // 2]
        rest = lines[:at] + lines[at + 1 :]
        if at % 2:  # each line has two of the four, since a log of a report takes seconds
            check(kind, b"".join(rest), given, f"without line {at + 1}")
            check(kind, b"".join([*lines[:at], line, *lines[at:]]), given, f"line {at + 1} twice")
            continue
        moved = b"".join([*rest[:other], line, *rest[other:]])
        check(kind, moved, given, f"line {at + 1} as line {other + 1}")
        joined = b"".join([*lines[:at], half + lines[other], *lines[at + 1 :]])
        check(kind, joined, given, f"half of line {at + 1} and line {other + 1}")


@every_log
def test_a_recording_cut_off_at_every_byte_that_went_on(path):
    """All beginnings of the log, one behind another: what whole lines say stays what it was."""
    kind, given = path.parent.name, options(path)
    text = path.read_bytes().decode()
    whole = parse.parse_log(kind, parse.log_from_text(text, "x.log"), **given)
    parts, places, line = [], [], 0
    for at in range(1, len(text) + 1):
        head = "" if kind not in SAMPLED or "#T" in text else f"#T {at}000000000 {at} 0 b{at}\n"
        boots = re.sub(r"^(#T \d+ \d+ \d+ \S+)$", rf"\1-{at}", text[:at], flags=re.M)
        part = head + boots + "\n" * (text[at - 1] != "\n")
        count = part.count("\n")
        places += [(line + n, n - bool(head), n < count) for n in range(1, count + 1)]
        line += count
        parts.append(part)
    parsed = parse.parse_log(kind, parse.log_from_text("".join(parts), "x.log"), **given)
    assert find_violation(parsed, "".join(parts).encode()) is None
    if kind not in SAMPLED:  # reports and statements go on where the part before was cut
        return
    first = max(1, text[: max(0, text.find("#T"))].count("\n") + 1)
    where = pl.DataFrame(places, schema=["line", "of_whole", "is_whole"], orient="row")
    for name, frame in parsed.tables.items():
        got = frame.join(where, on="line").filter("is_whole").drop("line")
        kept = whole.tables[name].drop("snapshot").rename({"line": "of_whole"})
        # lines above the first sentinel of all now have one above them
        got = got.filter(pl.col("of_whole") >= first)
        unsure = {"line", *UNSURE.get(name, ())}
        both = got.join(kept, on="of_whole", how="left", suffix="_whole", maintain_order="left")
        for column in set(frame.columns) - CONTEXT - STAMPS - unsure:
            differs = both.filter(
                pl.col(column).is_not_null() & pl.col(column).ne_missing(pl.col(f"{column}_whole"))
            )
            assert not differs.height, (name, column, differs.head(2).to_dicts())


def same(path, data, *, may_have_times=False):
    """Whether the bytes give what the golden log gives; ``may_have_times``: also times that it lacks."""
    kind, given = path.parent.name, options(path)
    whole = parse.parse_file(kind, path, name="x.log", **given)
    other = parse.parse_log(kind, parse.log_from_text(data, "x.log"), **given)
    assert [r[:3] for r in other.rejects.rows()] == [r[:3] for r in whole.rejects.rows()]
    for name, frame in whole.tables.items():
        lacks = may_have_times and "time" in frame.columns and frame["time"].null_count()
        without = ["time"] if lacks else []
        assert other.tables[name].drop(without).equals(frame.drop(without))


@every_log
def test_a_byte_order_mark_and_crlf_change_nothing(path):
    same(path, b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    "prefix",
    [
        b"Nov 22 21:57:16 host run[12]: ",
        b"2024-02-29T10:00:00.123+0100 host run: ",
        b"1709200800.5 ",
    ],
)
@pytest.mark.parametrize(
    "path", [p for p in LOGS if p.parent.name in BARE], ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_what_a_logger_wrote_before_each_line_changes_nothing(path, prefix):
    """But its times, where the log has none."""
    data = path.read_bytes()
    if b"#T" in data or data.startswith(b"Nov "):
        pytest.skip("the collectors' own lines, or a prefix already")
    same(
        path,
        b"".join(prefix + line for line in data.splitlines(keepends=True)),
        may_have_times=True,
    )


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_what_the_fuzzing_found_stays_mended(path):
    check(path.parent.name, path.read_bytes(), {}, path.name)

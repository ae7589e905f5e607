"""Text in front of lines: whatever a logger, grep or a quotation wrote there, the tables are those of the bare log."""

import datetime as dt
import re

import pytest

from pipeline import parse
from pipeline.parse.line_shapes import SHAPES, shape_of
from pipeline.parse.prefixes import find_prefix, prefix_times, strip_prefixes

LOGS = {
    "top": """\
top - 21:36:00 up 2 days,  3:04,  1 user,  load average: 0.31, 0.20, 0.10
Tasks:  90 total,   1 running,  89 sleeping,   0 stopped,   0 zombie
%Cpu(s):  7.0 us,  3.0 sy,  0.0 ni, 90.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st

    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND
    812 qemu      20   0 2262544 988.8m  27896 S  41.0   4.1   0:31.59 qemu-system-x86
""",
    "iotop": """\
Total DISK READ :       0.00 B/s | Total DISK WRITE :     365.81 K/s
Actual DISK READ:       0.00 B/s | Actual DISK WRITE:      12.00 K/s
    TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND
   6787 be/4 mysql       0.00 B/s  365.81 K/s  0.00 %  2.16 % mariadbd
""",
    "block": "   8       0 vda 101 2 3001 40 50 6 701 80 0 90 121\n   8      16 vdb 7 0 8 9 0 0 0 0 0 9 9\n",
    "general": """\
261122  9:00:00\t    4 Connect\tann@localhost on shop
\t\t    4 Query\tSELECT c
  FROM t
\t\t    4 Quit\t
""",
    "access": '192.0.2.9 - ann [22/Nov/2026:21:36:00 +0000] "GET /a HTTP/1.1" 200 12\n',
    "sysbench": "[ 1s ] thds: 4 tps: 90.00 qps: 1800.00 (r/w/o: 1260.00/360.00/180.00) lat (ms,95%): 52.00"
    " err/s: 0.00 reconn/s: 0.00\n",
}
PREFIXES = [
    "Nov 22 21:57:16 db1 bench[77]: ",
    "<30>Nov  2 21:57:16 db1 top: ",
    "<30>1 2026-11-22T21:36:00.123+01:00 host1 app 123 ID47 - ",
    "2026-11-22T21:36:00.123456789Z stdout F ",
    "app-1  | ",
    "[pod/web-5d4f/nginx] ",
    "[2026-11-22 21:36:00] ",
    "2026/11/22 21:36:00 ",
    "Sun Nov 22 21:36:00 2026 ",
    "1795383360.004 ",
    "> ",
    "+",
    "worker7 | ",
    "host.txt:",
    "host.txt:12:",
    "[   12.345678] ",
    "00:00:01 INFO worker-3 : ",
]


def rows(kind, text):
    parsed = parse.parse_log(kind, parse.log_from_text(text, "x.log"))
    return [
        frame.drop("time", "flags", strict=False).rows() for frame in parsed.tables.values()
    ], parsed.rejects.height


@pytest.mark.parametrize("kind", LOGS)
def test_every_prefix_of_every_kind(kind):
    bare = rows(kind, LOGS[kind])
    assert bare[1] == 0
    for prefix in PREFIXES:
        if kind == "iotop" and prefix.startswith("00:00:01"):
            continue  # a time of day with no date is iotop's own
        text = "".join(f"{prefix}{line}" for line in LOGS[kind].splitlines(keepends=True))
        assert rows(kind, text) == bare, prefix
        assert rows(kind, re.sub(r"(?m) +$", "", text) if kind != "general" else text) == bare


@pytest.mark.parametrize("kind", LOGS)
def test_a_log_without_prefix_is_left_alone(kind):
    log = parse.log_from_text(LOGS[kind], "x.log")
    assert strip_prefixes(log, kind) is log


def test_counters_and_names_in_the_prefix_may_differ():
    lines = LOGS["top"].splitlines()
    for prefixes in (
        [f"{n}: " for n in range(95, 102)],
        [f"Nov {n:2} 09:{n:02}:00 db{n} top[{n * 1000}]: " for n in range(5, 12)],
        [f"[pod/web-{name}/nginx] " for name in ("5d4f", "a1", "77", "zz9", "q", "r2")],
    ):
        text = "".join(f"{prefix}{line}\n" for prefix, line in zip(prefixes, lines, strict=False))
        assert rows("top", text) == rows("top", LOGS["top"])


def test_rejects_show_the_line_as_it_is_in_the_file():
    text = "".join(f"app-1  | {line}\n" for line in [*LOGS["top"].splitlines(), "odd"])
    parsed = parse.parse_log("top", parse.log_from_text(text, "x.log"))
    assert parsed.rejects.select("line", "text").rows() == [(7, "app-1  | odd")]


def test_warnings_about_sentinels_are_those_of_the_bare_log():
    text = "#T 1795383360000000000 51000000000 0 b\n" + LOGS["block"]
    bare = parse.parse_log("block", parse.log_from_text(text, "x.log"))
    text = text.replace("\n   8", "\n> app-1  |    8")
    parsed = parse.parse_log("block", parse.log_from_text(text, "x.log"))
    assert (parsed.warnings, parsed.damage) == (bare.warnings, bare.damage)


def test_sentinels_behind_a_prefix():
    text = "#T 1795383360000000000 51000000000 0 b\n" + LOGS["block"] + "#END stopped\n"
    text = "".join(f"block.log:{line}\n" for line in text.splitlines())
    parsed = parse.parse_log("block", parse.log_from_text(text, "x.log"))
    stamp = dt.datetime(2026, 11, 22, 21, 36, tzinfo=dt.UTC)
    assert parsed.tables["block"]["time"].to_list() == [stamp, stamp]
    assert (parsed.headers, parsed.rejects.height, parsed.warnings) == (2, 0, [])


@pytest.mark.parametrize(
    ("prefix", "date", "time", "local"),
    [
        ("2026-11-22T21:36:00.25Z ", None, "2026-11-22 21:36:00.250", None),
        ("2026-11-22 21:36:00,5+01:30 ", None, "2026-11-22 20:06:00.500", None),
        ("[2026-11-22 21:36:00] ", None, None, "2026-11-22 21:36:00.000"),
        ("2026/11/22 21:36:00 ", None, None, "2026-11-22 21:36:00.000"),
        ("[22/Nov/2026:21:36:00 -0100] ", None, "2026-11-22 22:36:00.000", None),
        ("Sun Nov 22 21:36:00 2026 ", None, None, "2026-11-22 21:36:00.000"),
        ("Nov 22 21:36:00 h qv[4]: ", dt.date(2026, 11, 1), None, "2026-11-22 21:36:00.000"),
        ("1795383360.004 ", None, "2026-11-22 21:36:00.004", None),
        ("Nov 22 21:36:00 h qv[4]: ", None, None, None),
        ("2026-02-30 21:36:00 ", None, None, None),
        ("app-1  | ", None, None, None),
    ],
)
def test_dates_and_times_in_prefixes(prefix, date, time, local):
    log = parse.log_from_text(f"{prefix}{LOGS['block'].splitlines()[0]}\n", "x.log")
    frame = prefix_times(strip_prefixes(log, "block"), date)
    shown = [frame[name].dt.to_string("%F %T%.3f").to_list() for name in ("time", "local")]
    assert shown == [[time], [local]] if time or local else frame.is_empty()


def test_a_logger_dates_the_snapshots_of_a_log_without_dates():
    text = "".join(f"2026-11-22T20:36:00.5Z {line}\n" for line in LOGS["top"].splitlines())
    log = parse.log_from_text(text, "x.log")
    stamp = dt.datetime(2026, 11, 22, 20, 36, 0, 500_000, tzinfo=dt.UTC)
    frame = parse.parse_log("top", log).tables["top_processes"]
    assert frame["time"].to_list() == [stamp]
    own = parse.parse_log("top", log, date="2026-11-22", tz="Europe/Berlin").tables["top_processes"]
    assert own["time"].to_list() == [stamp.replace(microsecond=0)]
    text = "".join(f"[2026-11-22 21:36:00] {line}\n" for line in LOGS["iotop"].splitlines())
    parsed = parse.parse_log("iotop", parse.log_from_text(text, "x.log"), tz="Europe/Berlin")
    assert parsed.tables["iotop_tasks"]["time"].to_list() == [stamp.replace(microsecond=0)]


def test_the_time_in_front_of_iotops_lines_is_its_own():
    text = "".join(f"21:36:00 {line}\n" for line in LOGS["iotop"].splitlines())
    assert find_prefix(text.splitlines(), "iotop") is None


@pytest.mark.parametrize("kind", SHAPES)
def test_a_shape_of_one_kind_is_no_shape_of_another(kind):
    for other, text in LOGS.items():
        for line in text.splitlines():
            if line.strip() and re.match(shape_of(kind), line):
                assert other == kind, line

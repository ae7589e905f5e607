"""iotop: goldens by program and option, rows printed and read back, cuts, dropped and doubled lines."""

import json

import polars as pl
import pytest
from cuts import around_line_ends, check_cut, rows_by_line
from golden import (
    expected,
    goldens,
    options,
    parse_or_refuse,
    plain,
    random_lines,
    read,
    with_each_line_repeated,
    without_each_line,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import parse
from pipeline.parse import texts

SMALL = """\
#T 1795383360000000000 51000000000 0 b
Total DISK READ:       511.97 K/s | Total DISK WRITE:        63.99 K/s
Current DISK READ:       0.50 K/s | Current DISK WRITE:       0.00 K/s
  TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND
  281 be/3 root        0.00 K/s   63.99 K/s  0.00 %  1.80 % [jbd2/vda1-8]
#T 1795383361000000000 52000000000 1 b
Total DISK READ:         0.00 K/s | Total DISK WRITE:         0.00 K/s
#END x
"""
NAMES = "  TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND\n"
ROW = "  281 be/3 root        0.00 K/s   63.99 K/s  0.00 %  1.80 % [jbd2/vda1-8]\n"
TOTAL = "Total DISK READ: 0.00 B/s | Total DISK WRITE: 2.24 M/s\n"
C_TOTAL = "  Total DISK READ:    0.00 B/s |   Total DISK WRITE:    0.00 B/s\n"


def parsed(text, **given):
    return parse.parse_log("iotop", parse.log_from_text(text, "x.log"), **given)


def tasks(text, **given):
    return parsed(text, **given).tables["iotop_tasks"]


@pytest.mark.parametrize("path", goldens("iotop"), ids=lambda p: p.stem)
def test_golden(path):
    assert json.loads(json.dumps(plain(read("iotop", path), options(path)))) == expected(path)


# -------------------------------------------------------------------------------------------- rows


@pytest.mark.parametrize(
    ("printed", "rate", "step"),
    [
        ("63.99 K/s", 63.99 * 1024, 10.24),
        ("1023.98 B/s", 1023.98, 0.01),
        ("2.24 M/s", 2.24 * 2**20, 10485.76),
        ("2,24 M/s", 2.24 * 2**20, 10485.76),
        ("1.00 G/s", 2**30, 10737418.24),
        ("3.50 T/s", 3.5 * 2**40, 0.01 * 2**40),
        ("1.00 P/s", 2**50, 0.01 * 2**50),
    ],
)
def test_rates_and_their_resolution(printed, rate, step):
    row = tasks(NAMES + ROW.replace("63.99 K/s", printed).replace("0.00 K/s", "0.00 B/s")).row(
        0, named=True
    )
    assert row["write_bytes_per_s"] == pytest.approx(rate, rel=1e-12)
    assert row["resolution_bytes"] == pytest.approx(step, rel=1e-9)
    assert row["write_bytes"] is None


def test_accumulated_numbers_are_no_rates():
    row = tasks(NAMES + ROW.replace("K/s", "K  ")).row(0, named=True)
    assert (row["write_bytes"], row["write_bytes_per_s"]) == (pytest.approx(63.99 * 1024), None)


def test_processes_and_threads_have_their_own_columns():
    assert tasks(NAMES + ROW).select("tid", "pid").rows() == [(281, None)]
    assert tasks(NAMES.replace("TID", "PID") + ROW).select("tid", "pid").rows() == [(None, 281)]


def test_without_names_the_number_is_taken_for_a_tid_with_a_warning():
    result = parsed(TOTAL + ROW)
    assert result.tables["iotop_tasks"]["tid"].to_list() == [281]
    assert any("no column names" in warning for warning in result.warnings)


def test_delay_accounting_off_is_null_and_never_zero():
    row = ROW.replace("  0.00 %  1.80 %", " ?unavailable? ")
    assert tasks(NAMES + row).select("swapin_percent", "io_percent").rows() == [(None, None)]
    warning_line = (
        "Warning: task_delayacct is 0, enable by: echo 1 > /proc/sys/kernel/task_delayacct\n"
    )
    assert tasks(warning_line + C_TOTAL + ROW).select("swapin_percent", "io_percent").rows() == [
        (None, None)
    ]


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("b'{}'", "[jbd2/vda1-8]"),
        ("b'{}", "[jbd2/vda1-8]"),
        ('b"{}"', "[jbd2/vda1-8]"),
        ("b'{} it\\'s\\\\'", "[jbd2/vda1-8] it's\\"),
    ],
)
def test_bytes_literals(line, command):
    frame = tasks(
        NAMES + line.format("10:00:00 " + ROW.strip("\n")) + "\n", date="2024-01-01", tz="UTC"
    )
    assert frame["command"].to_list() == [command]
    assert frame["time"].dt.to_string("%T").to_list() == ["10:00:00"]


def test_a_line_like_names_with_a_word_that_is_none_is_refused_with_its_rows():
    result = parsed(TOTAL + NAMES.replace("PRIO", "PRIORIDAD") + ROW)
    assert result.rejects["line"].to_list() == [2, 3] and result.tables["iotop_tasks"].height == 0


# --------------------------------------------------------------------------------------- snapshots


def test_a_total_line_begins_a_snapshot_even_without_rows():
    result = parsed(TOTAL * 3)
    assert result.tables["iotop_totals"]["snapshot"].to_list() == [0, 1, 2]
    assert result.tables["iotop_totals"]["is_interval"].to_list() == [False, True, True]


def test_sentinels_begin_snapshots_that_have_no_row_at_all():
    text = SMALL.replace(
        "Total DISK READ:         0.00 K/s | Total DISK WRITE:         0.00 K/s\n", ""
    )
    result = parsed(text)
    assert (result.snapshots, result.tables["iotop_totals"].height) == (2, 1)


def test_a_lost_total_line_does_not_join_two_snapshots():
    actual = "Actual DISK READ:       0.00 B/s | Actual DISK WRITE:       0.00 B/s\n"
    frame = tasks(TOTAL + actual + NAMES + ROW + actual + NAMES + ROW)
    assert frame["snapshot"].to_list() == [0, 1]


def test_midnight():
    lines = "".join(f"{clock} {ROW}" for clock in ("23:59:59", "00:00:00", "00:00:01"))
    times = (
        tasks(lines, date="2023-12-31", tz="Asia/Kolkata")["time"].dt.to_string("%F %T").to_list()
    )
    assert times == ["2023-12-31 18:29:59", "2023-12-31 18:30:00", "2023-12-31 18:30:01"]


# ------------------------------------------------------------------------------ the tool's own faults


@pytest.mark.parametrize(
    ("total", "version", "flag"),
    [
        (C_TOTAL, "iotop 1.23", "maybe-leader-sum"),
        (C_TOTAL, None, "maybe-leader-sum"),
        (C_TOTAL, "iotop-c 1.27", None),
        (TOTAL, "iotop 0.6", None),
        (TOTAL, None, None),
    ],
)
def test_leaders_of_the_c_program(total, version, flag):
    result = parsed(total + ROW + ROW.replace("281", "282"), tool_version=version)
    assert result.tables["iotop_tasks"]["flags"].to_list() == [flag, None]
    assert result.tables["iotop_totals"]["flags"].to_list() == ["may-count-twice" if flag else None]


def test_processes_of_the_c_program_have_no_flag():
    frame = tasks(C_TOTAL + NAMES.replace("TID", "PID") + ROW, tool_version="1.23")
    assert frame["flags"].to_list() == [None]


# ------------------------------------------------------------------------------------ printed, read back

TASK = st.fixed_dictionaries(
    {
        "id": st.integers(1, 2**22),
        "priority": st.sampled_from(["be/4", "rt/0", "idle", "?sys", "?err"]),
        "user": st.sampled_from(["root", "{none}", "www-data", "x"]),
        "read": st.integers(0, 10**7),
        "write": st.integers(0, 10**7),
        "io": st.one_of(st.none(), st.integers(0, 9999)),
        "command": st.sampled_from(
            ["[kworker/0:1]", "a --b=c  d", "{no such process}", "0.00 % 0.00 % x"]
        ),
    }
)


def printed(task, *, accumulated, point, clock, c):
    size = "B  " if accumulated and c else "B" if accumulated else "B/s"
    read, write = (f"{task[name] / 100:.2f} {size}" for name in ("read", "write"))
    delay = " ?unavailable? "
    if task["io"] is not None:
        io = f"{task['io'] / 100:.2f} %"
        delay = f"0.00 % {io}" if c else f"{'0.00 %':>7} {io:>7}"
    text = f"{task['id']:7d} {task['priority']:>4} {task['user']:<8} {read:>11} {write:>11} {delay}"
    return clock + text.replace(".", point) + f" {task['command']}\n"


@settings(deadline=None, max_examples=25)
@given(
    st.lists(TASK, max_size=6, unique_by=lambda task: task["id"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "10:20:30 "]),
    st.sampled_from(".,"),
)
def test_rows_printed_are_read_back(rows, accumulated, process, c, clock, point):
    clock = "" if c else clock
    head = clock + (C_TOTAL if c else TOTAL) + NAMES.replace("TID", "PID" if process else "TID")
    text = head + "".join(
        printed(row, accumulated=accumulated, point=point, clock=clock, c=c) for row in rows
    )
    result = parsed(text, date="2024-01-01", tz="UTC")
    assert not result.rejects.height, result.rejects.rows()
    unit = "" if accumulated else "_per_s"
    assert result.tables["iotop_tasks"].select(
        "pid" if process else "tid",
        "priority",
        "user",
        f"read_bytes{unit}",
        f"write_bytes{unit}",
        "io_percent",
        "command",
    ).rows() == [
        (
            row["id"],
            row["priority"],
            row["user"],
            row["read"] / 100,
            row["write"] / 100,
            None if row["io"] is None else row["io"] / 100,
            row["command"],
        )
        for row in rows
    ]


# ---------------------------------------------------------------------------- cut, dropped, doubled, mixed


A_FEW = [
    path
    for path in goldens("iotop")
    if path.stem.startswith(("c_1.23_t", "py_0.6_", "py3", "tr", "py_0.6-git_a"))
]


def test_cut_at_every_byte():
    short = SMALL.replace("        ", " ").replace("     ", " ").replace("000000000", "0")
    for text in (short, TOTAL + ROW):
        whole = rows_by_line(parsed(text))
        for at in range(len(text)):
            check_cut("iotop", text, at, whole)


@pytest.mark.parametrize("path", A_FEW, ids=lambda p: p.stem)
def test_cut_around_every_line_end(path):
    text, given = path.read_text(), options(path)
    whole = rows_by_line(read("iotop", path))
    for at in around_line_ends(text):
        check_cut("iotop", text, at, whole, **given)


@pytest.mark.parametrize("path", A_FEW, ids=lambda p: p.stem)
def test_a_line_dropped_or_doubled_spoils_no_other_row(path):
    text, given = path.read_text(), options(path)

    def known(frame):
        return set(frame.select("priority", "command", "write_bytes_per_s", "write_bytes").rows())

    whole = known(read("iotop", path).tables["iotop_tasks"])
    for number, less in without_each_line(text):
        result = parse_or_refuse("iotop", less, **given)
        after = known(result.tables["iotop_tasks"])
        assert len(after - whole) <= 1 and len(whole - after) <= 1 + result.rejects.height, number
    for number, more in with_each_line_repeated(text):
        frame = parse_or_refuse("iotop", more, **given).tables["iotop_tasks"]
        key = pl.struct("snapshot", "tid", "pid").is_duplicated().any()
        assert frame.select(key).item() is not True, number
        assert known(frame) <= whole, number


PIECES = [
    *SMALL.splitlines(keepends=True), TOTAL, C_TOTAL, NAMES, ROW, "10:00:00 " + ROW, "b'" + ROW, "10:00:00 ",
    "Total DISK READ", "\n", "\r", "\0", "  12 ", "?unavailable?", "#GAP\n", "DISK READ DISK WRITE\n", "é",
]  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(random_lines(PIECES))
def test_any_mixture_is_read_or_refused(text):
    parse_or_refuse("iotop", text)


@pytest.mark.parametrize("line", [TOTAL.replace("/s\n", "\n"), C_TOTAL.replace("/s\n", "\n")])
def test_a_total_that_lost_its_last_per_second_is_no_sum(line):
    assert line.count("/s") == 1
    result = parsed(line + NAMES + ROW)
    assert not result.tables["iotop_totals"].height
    assert result.rejects["reason"].to_list() == [texts.MIXED_SIZES]


# ------------------------------------------------------------------------------------------- half-read lines


def test_the_line_about_delay_accounting_is_iotops():
    line = "CONFIG_TASK_DELAY_ACCT not enabled in kernel, cannot determine SWAPIN and IO %\n"
    result = parsed(TOTAL + NAMES + line + ROW.replace("0.00 %  1.80 %", "?unavailable?"))
    row = result.tables["iotop_tasks"].row(0, named=True)
    assert (row["swapin_percent"], row["io_percent"]) == (None, None)
    assert f"x.log: {texts.DELAY_ACCOUNTING_OFF}" in result.warnings
    assert (result.headers, result.rejects.is_empty()) == (2, True)


def test_a_rate_beside_an_accumulated_value_is_a_reject():
    result = parsed(TOTAL + NAMES + ROW.replace("63.99 K/s", "63.99 K  "))
    assert result.rejects.select("line", "reason").rows() == [(3, texts.MIXED_SIZES)]


@pytest.mark.parametrize("other", [ROW, TOTAL])
def test_another_line_within_a_command_is_flagged(other):
    result = parsed(TOTAL + NAMES + ROW.rstrip("\n") + "      " + other)
    assert result.tables["iotop_tasks"]["flags"].to_list() == ["spliced"]
    assert any("1 commands" in warning for warning in result.warnings)


def test_escapes_of_byte_literals():
    literal = "b'" + ROW.rstrip("\n").replace("[jbd2/vda1-8]", r"caf\xc3\xa9 \xff\'x\'") + "\n"
    assert tasks(TOTAL + NAMES + literal)["command"].to_list() == ["café \ufffd'x'"]

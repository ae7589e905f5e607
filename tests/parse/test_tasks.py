"""tasks.log: goldens, the grammar of raw-run.md printed and read back, cuts, doubled lines."""

import json

import pytest
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

from pipeline import parse, tables
from pipeline.parse import texts

SMALL = """\
#T 1795383360000000000 51000000000 0 b
cpu  120 0 80 5000 9 0 1 0 7 0
p 8 44 1 S 1 9 4 0 0 2 7 512 a\\nb
i 8 44 9 8 1 2 4096 8192 0
t 8 8 44 S 0 9 4 - 7 a
c 8 44 a --b
x 9 45 denied
k cgroup pid 8 /a b\\nc
#END SIGTERM
"""
TABLES = ("tasks", "task_processes", "cpus", "kernel_counters")


def parsed(text):
    return parse.parse_log("tasks", parse.log_from_text(text, "x.log"))


@pytest.mark.parametrize("path", goldens("tasks"), ids=lambda p: p.stem)
def test_golden(path):
    assert json.loads(json.dumps(plain(read("tasks", path), options(path)))) == expected(path)


def test_a_value_that_the_kernel_did_not_give_is_null_and_never_zero():
    text = SMALL.replace("9 4 0 0 2 7 512", "9 4 - - - - -").replace("8192", "-")
    row = parsed(text).tables["task_processes"].row(0, named=True)
    assert [row[k] for k in ("child_utime_ticks", "guest_time_ticks", "resident_pages")] == [
        None
    ] * 3
    assert (row["read_bytes"], row["write_bytes"]) == (4096, None)
    assert row["comm"] == "a\nb"


def test_a_process_is_known_by_boot_pid_and_start():
    text = (
        "#T 1000000000000000000 1 0 one\nc 8 44 first\np 8 44 1 S 1 9 4 0 0 2 7 5 a\n"
        "#T 1000000001000000000 2 1 one\np 8 44 1 S 1 9 4 0 0 2 7 5 a\np 8 45 1 S 1 9 4 0 0 2 7 5 a\n"
        "#T 1000000002000000000 3 2 one\nc 8 44 second\np 8 44 1 S 1 9 4 0 0 2 7 5 a\n"
        "#T 1000000003000000000 1 3 two\np 8 44 1 S 1 9 4 0 0 2 7 5 a\n#END x\n"
    )
    rows = (
        parsed(text).tables["task_processes"].select("snapshot", "starttime_ticks", "command_line")
    )
    assert rows.rows() == [
        (0, 44, "first"), (1, 44, "first"), (1, 45, None), (2, 44, "second"), (3, 44, None)
    ]  # fmt: skip


def test_counters_of_the_kernel_are_one_row_each():
    rows = parsed(SMALL.replace("pid 8 ", "nr_throttled - ")).tables["kernel_counters"]
    assert rows.select("line", "source", "name", "value", "subject").rows() == [
        (8, "cgroup", "nr_throttled", None, "/a b\nc")
    ]


def test_counters_without_their_process_line_are_kept():
    text = "#T 1000000000000000000 1 0 one\ni 8 44 1 2 3 4 5 6 7\np 9 44 1 S 1 9 4 0 0 2 7 5 a\n#END x\n"
    rows = parsed(text).tables["task_processes"].select("line", "pid", "write_bytes", "utime_ticks")
    assert rows.rows() == [(2, 8, 6, None), (3, 9, None, 9)]


def test_a_thread_belongs_to_a_virtual_server_from_when_that_was_found_until_it_ends():
    got = read("tasks", next(p for p in goldens("tasks") if p.stem == "vms"))
    told = ("virtual_server_name", "task_role", "task_role_id")
    rows = got.tables["tasks"].select("snapshot", "tid", *told).rows()
    assert rows == [
        (0, 705, "web", "vhost", "812"), (0, 812, "web", "emulator", None),
        (0, 815, "web", "vcpu", "0"), (0, 820, "web", "worker", None),
        (0, 900, None, "emulator", None), (0, 902, None, None, None),
        (1, 705, "web", "vhost", "812"), (1, 812, "web", "emulator", None),
        (1, 815, "web", "vcpu", "0"), (1, 830, "web", "vcpu", "1"),
        (1, 900, "a b\\c", "emulator", None), (1, 902, "a b\\c", "iothread", "io-a"),
        (2, 812, None, None, None), (2, 990, "web", "emulator", None),
    ]  # fmt: skip
    of = got.tables["task_processes"].filter(pid=812).select("snapshot", "virtual_server_name")
    assert of.rows() == [(0, "web"), (1, "web"), (2, None)], "the number is another process's then"


OLDER = """\
#T 1000000000000000000 1 0 one
p 812 44 1 S 1 9 4 0 0 2 7 5 qemu-system-x86
t 705 705 40 S 0 1 1 0 0 vhost-812
t 812 812 44 S 0 1 1 0 0 qemu-system-x86
t 812 813 45 S 0 1 1 0 0 call_rcu
t 812 815 45 S 0 1 1 0 0 CPU 0/KVM
t 812 816 45 S 0 1 1 0 0 IO iothread0
t 812 817 45 S 0 1 1 0 0 worker
t 900 900 50 S 0 1 1 0 0 kvm
t 900 901 50 S 0 1 1 0 0 kvm
t 31 31 20 S 0 1 1 0 0 CPU 0/KVM
t 32 32 20 S 0 1 1 0 0 vhost-31
c 812 44 /usr/bin/qemu-system-x86_64 -name guest=web,debug-threads=on -m 512
c 900 50 kvm -m 512
c 31 20 python3 -name guest=web
#END x
"""


def test_a_log_without_v_lines_has_roles_by_names_and_command_lines():
    tables = parsed(OLDER).tables
    told = ("virtual_server_name", "task_role", "task_role_id")
    assert tables["tasks"].select("tid", *told).rows() == [
        (705, "web", "vhost", "812"), (812, "web", "emulator", None), (813, "web", "emulator", None),
        (815, "web", "vcpu", "0"), (816, "web", "iothread", "iothread0"), (817, "web", "worker", None),
        (900, None, "emulator", None), (901, None, None, None),  # its threads have no names
        (31, None, None, None), (32, None, None, None),  # no virtual machine
    ]  # fmt: skip
    assert tables["task_processes"].select("pid", "virtual_server_name").rows() == [(812, "web")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("p 8 44 1 S 1 9 4 0 0 2 7 512", texts.malformed_record("p")),
        ("p 8 44 1 S 1 9 4 0 0 2 7 x a", texts.malformed_record("p")),
        ("p - 44 1 S 1 9 4 0 0 2 7 5 a", texts.malformed_record("p")),
        ("t 8 9 44 S 0 -9 4 0 7 a", texts.malformed_record("t")),
        ("t 8 9 44 SS 0 9 4 0 7 a", texts.malformed_record("t")),
        ("i 9 44 9 8 1 2 4096 8192", texts.malformed_record("i")),
        ("i 9 44 9 8 1 2 4096 8192 0 0", texts.malformed_record("i")),
        (
            "i 9 44 9 8 1 2 4096 99999999999999999999 0",
            texts.TOO_LARGE,
        ),
        ("k cgroup pid x /a", texts.malformed_record("k")),
        ("k cgroup pid 8", texts.malformed_record("k")),
        ("k cgroup pid 8 /a b\\nc", texts.DUPLICATE_IN_SNAPSHOT),
        ("cpu1 1 2 3", texts.malformed_record("cpu")),
        ("cpux 1 2 3 4", texts.UNKNOWN_RECORD),
        ("intr 1 2", texts.UNKNOWN_RECORD),
        ("t 8 9 44 S 0 9 4 0 7 a\0b", texts.NUL_BYTES),
        ("t 8 8 44 S 0 1 1 1 1 a", texts.DUPLICATE_IN_SNAPSHOT),
        ("v 8 8 44 vcpu 0 web", texts.malformed_record("v")),
        ("v 8 8 - vcpu 0 thread web", texts.malformed_record("v")),
        ("#T 12", texts.MALFORMED_TICK),
    ],
)
def test_what_is_no_record_is_a_reject_with_its_reason(line, reason):
    got = parsed(SMALL.replace("#END", line + "\n#END"))
    assert got.rejects.select("line", "reason", "text").rows() == [(9, reason, line)]


@pytest.mark.parametrize("ticks", [10_421, 2**53, 2**62, 2**63 - 1, 2**64])
def test_cpu_time_that_cannot_be_is_a_reject_and_the_log_is_damaged(ticks):
    # the cpu line has 5,210 ticks of all CPUs together
    got = parsed(SMALL.replace("p 8 44 1 S 1 9 ", f"p 8 44 1 S 1 {ticks} "))
    assert got.rejects["line"].to_list() == [3]
    assert [text.endswith("line 3") for text in got.damage] == [True]
    assert not parsed(SMALL.replace("p 8 44 1 S 1 9 ", "p 8 44 1 S 1 10420 ")).damage


def test_more_cpu_columns_than_are_known_do_no_harm():
    got = parsed(
        "#T 1000000000000000000 1 0 b\ncpu0 1 2 3 4 5 6 7 8 9 10 11 12\ncpu1 1 2 3 4\n#END x\n"
    )
    rows = got.tables["cpus"].select("cpu", "idle_ticks", "steal_ticks", "guest_nice_ticks").rows()
    assert rows == [("cpu0", 4, 8, 10), ("cpu1", 4, None, None)]


def test_a_log_without_sentinels_is_refused_and_an_empty_one_is_empty():
    with pytest.raises(parse.UnknownFormatError, match=r"x\.log:2: .*#T"):
        parsed("\np 8 44 1 S 1 9 4 0 0 2 7 512 a\n")
    for data in ("", "\n", "#END\n"):
        got = parsed(data)
        assert [got.tables[name].height for name in TABLES] == [0] * 4


# --- faults


def rows_by_line(got):
    """Where a thing was told (its first line) → the table's row, without line and snapshot."""
    return {
        (name, row["line"]): {k: v for k, v in row.items() if k not in ("line", "snapshot")}
        for name in TABLES
        for row in got.tables[name].to_dicts()
    }


def test_cut_at_every_byte_keeps_every_whole_line():
    whole = parsed(SMALL)
    for end in range(len(SMALL)):
        cut = parse_or_refuse("tasks", SMALL[:end])
        if cut is None:
            assert SMALL[:end].count("\n") == 0
            continue
        done = SMALL[:end].count("\n")
        for name in ("tasks", "cpus"):
            lines = whole.tables[name]["line"]
            assert cut.tables[name]["line"].to_list() == lines.filter(lines <= done).to_list()
        assert cut.tables["task_processes"].height == (1 if done >= 3 else 0)
        rest = SMALL[:end].rsplit("\n", 1)[-1]
        if rest and not rest.startswith("#END"):
            assert cut.rejects["line"].to_list() == [done + 1]


@pytest.mark.parametrize("path", goldens("tasks"), ids=lambda p: p.stem)
def test_a_line_dropped_or_doubled_invents_nothing(path):
    text = path.read_text()
    whole = parsed(text)
    known = {json.dumps([n, r], default=str) for (n, _), r in rows_by_line(whole).items()}
    for _, less in without_each_line(text):
        got = parse_or_refuse("tasks", less)
        assert got.record_lines >= whole.record_lines - 19  # at most a snapshot, if its #T is lost
    for _, more in with_each_line_repeated(text):
        got = parse_or_refuse("tasks", more)
        now = {json.dumps([n, r], default=str) for (n, _), r in rows_by_line(got).items()}
        assert now >= known or got.rejects.height > whole.rejects.height


# --- print and parse

COUNT = st.none() | st.integers(0, 2**53)
NAME = st.text("abcXYZ ()/\\\n\t\r<>é0", max_size=15)
PROCESS = st.tuples(st.sampled_from("RSDZ"), *[COUNT] * 8, NAME)
ROWS = st.dictionaries(
    st.tuples(st.integers(1, 2**22), st.integers(0, 2**40)),
    st.tuples(PROCESS, st.none() | st.tuples(*[COUNT] * 7), st.none() | NAME),
    max_size=4,
)


def told(value):
    if isinstance(value, str):
        for raw, escaped in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
            value = value.replace(raw, escaped)
        return value
    return "-" if value is None else str(value)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_what_is_printed_is_read_back(processes):
    lines = ["#T 1795383360000000000 51000000000 0 b"]
    for (pid, start), (process, io, command) in processes.items():
        state, *counts, name = process
        words = [pid, start, 1, state, *counts, name]
        lines.append(" ".join(["p", *map(told, words)]))
        if io is not None:
            lines.append(" ".join(["i", *map(told, [pid, start, *io])]))
        if command is not None:
            lines.append(f"c {pid} {start} {told(command)}")
    got = parsed("\n".join([*lines, "#END x", ""]))
    assert got.rejects.height == 0
    rows = got.tables["task_processes"].drop(*tables.TASKS.columns.keys() & {
        "snapshot", "line", "time", "monotonic_ns", "seq", "boot_id"}).rows()  # fmt: skip
    assert rows == [
        (pid, start, 1, *process, command, *(io or [None] * 7), None)
        for (pid, start), (process, io, command) in processes.items()
    ]


PIECES = ["p", "i", "t", "c", "v", "x", "cpu", " ", " 8", " 44", " S", " -", "\n", "\r", "\0", "\\", "\\n", "é",
          "#T 1000000000000000000 1 0 b\n", "#GAP g\n", "#END\n", "#T", "cpu0 1 2 3 4\n",
          "t 8 8 44 S 0 9 4 - 7 a\n", "v 8 8 44 vcpu 0 thread a\n", "p 8 44 1 S 1 9 4 0 0 2 7 512 a\n"]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(random_lines(PIECES))
def test_any_text_is_accounted_for(text):
    parse_or_refuse("tasks", text)

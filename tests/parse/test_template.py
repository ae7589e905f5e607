"""The template of docs/how-to/add-a-parser.md, registered for the test and put through what every parser is."""

import doctest
import importlib.util
import json
import sys
from pathlib import Path

import pytest
from cuts import check_cut, rows_by_line
from golden import (
    expected,
    options,
    parse_or_refuse,
    plain,
    random_lines,
    read,
    values,
    with_each_line_repeated,
    without_each_line,
)
from hypothesis import given

from pipeline import parse, tables

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "vmstat_parser"
GOLDEN = FOLDER / "procps_4.0.2.log"
NAMES = " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st\n"
SAMPLED = (
    f"#T 1795383360000000000 51000000000 0 b\n{NAMES}"
    " 5  0      0 18259876 637880 5094068    0    0   305  1075  735 10390 65 15 20  0  0\n"
    "#T 1795383361000000000 52000000000 1 b\n"
    " 8  0      0 18259876 637880 5094068    0    0     0  1600  895 21492 83 17  0  0  0\n"
    "#GAP vmstat ended\n"
    "#T 1795383364000000000 55000000000 4 b\n"
    f"{NAMES} 9  1      0 18148712 637888 5096800    0    0   305  1075  735 10390 65 15 20  0  0\n"
    "#END stopped\n"
)


def load(name: str, path: Path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True, scope="module")
def registered():
    with pytest.MonkeyPatch.context() as patch:
        table = load("vmstat_table", FOLDER / "table.py").VMSTAT
        patch.setitem(tables.STORED, "vmstat", table)
        module = load("pipeline.parse.vmstat", FOLDER / "vmstat.py")
        patch.setitem(sys.modules, "pipeline.parse.vmstat", module)
        patch.setitem(parse.KINDS, "vmstat", "vmstat")
        yield


def rows(text: str):
    return parse.parse_log("vmstat", parse.log_from_text(text, "x.log")).tables["vmstat"]


def test_golden():
    assert json.loads(json.dumps(plain(read("vmstat", GOLDEN), options(GOLDEN)))) == expected(
        GOLDEN
    )


def test_example_in_the_docstring():
    assert doctest.testmod(sys.modules["pipeline.parse.vmstat"]).failed == 0


def test_units_come_from_vmstats_kib():
    (row,) = rows(NAMES + "1 2 3 4 5 6 7 8 9 10 11 12 13 14 71 1 2\n").to_dicts()
    assert row["free_bytes"] == 4096 and row["write_bytes_per_s"] == 10240
    assert (row["runnable"], row["context_switches_per_s"], row["cpu_steal_percent"]) == (1, 12, 2)
    assert row["cpu_guest_percent"] is None and row["time"] is None


def test_active_memory_and_guest_time():
    names = NAMES.replace("  buff  cache", " inact active").replace(" st", " st gu")
    title = "--procs-- ---memory--- ---swap-- -----io---- -system-- ----cpu----\n"
    (row,) = rows(title + names + "1 2 3 4 5 6 7 8 9 10 11 12 13 14 60 1 2 10\n").to_dicts()
    assert (row["inactive_bytes"], row["active_bytes"], row["cpu_guest_percent"]) == (
        5120,
        6144,
        10,
    )
    assert row["cache_bytes"] is None


def test_sentinels_give_times_and_the_first_row_after_a_start_is_no_interval():
    frame = rows(SAMPLED)
    assert frame["seq"].to_list() == [0, 1, 4] and frame["time"].null_count() == 0
    assert frame["is_interval"].to_list() == [False, True, False]


def test_another_form_is_refused():
    with pytest.raises(parse.UnknownFormatError):
        rows("disk- ------------reads------------\n       total merged sectors      ms\n")


@pytest.mark.parametrize("text", [GOLDEN.read_text(), SAMPLED], ids=["bare", "sentinels"])
def test_cut_at_every_byte(text):
    whole = rows_by_line(parse.parse_log("vmstat", parse.log_from_text(text, "x.log")))
    for at in range(len(text)):
        check_cut("vmstat", text, at, whole)


@pytest.mark.parametrize("text", [GOLDEN.read_text(), SAMPLED], ids=["bare", "sentinels"])
def test_a_line_dropped_or_doubled_changes_no_other_row(text):
    def measured(frame):
        return set(values(frame.drop("time", "monotonic_ns", "seq", "boot_id", "is_interval")))

    whole = measured(rows(text))
    for _, changed in (*without_each_line(text), *with_each_line_repeated(text)):
        parsed = parse_or_refuse("vmstat", changed)
        assert parsed is None or measured(parsed.tables["vmstat"]) <= whole


PIECES = [NAMES, *SAMPLED.splitlines(keepends=True), "procs ---\n", " 1", "\r", "\0", "é", "9" * 20]


@given(random_lines(PIECES))
def test_any_mixture_is_read_or_refused(text):
    parse_or_refuse("vmstat", text)

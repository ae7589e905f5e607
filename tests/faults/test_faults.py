"""A sample of each kind of fault (`make faults` tries all), and the judge that decides what became of one."""

from dataclasses import replace

import pytest
from fault_case import FAILURES, Case, Done
from fault_judge import crash_of, judge, read_ledger
from fault_study import WEB, Copy
from run_faults import CasesOf, all_cases, prepare

SAMPLE = (
    "log/cut/simulated/first/web/host/tasks.log/0.3",
    "log/bit flipped in the compressed file/simulated/first/web/host/block.log/0",
    "run.json/window of 1 ns",
    "host/facts.json/clock_ticks_per_s=200",
    "tables/zeros/tasks",
    "file type/host/top.log is a FIFO",
)
LEDGER = (("ledger", "--format", "csv"),)
HEAD = "study,server,run,virtual_server,subject,quantity,value,unit,low,high,interval,equation,variant,demand,"
HEAD += "denominator,background,sum,source,flags\n"


@pytest.fixture(scope="module")
def cases_of(tmp_path_factory) -> CasesOf:
    base = tmp_path_factory.mktemp("base")
    prepare(base, (WEB,))
    return CasesOf(base, tmp_path_factory.mktemp("copies"), check_lost=False)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_fault_leaves_numbers_the_same_or_marked(name, cases_of):
    case = next(case for case in all_cases() if case.name == name)
    outcome = cases_of.run_case(replace(case, commands=LEDGER), "copy")
    assert outcome.outcome not in FAILURES, outcome


def test_names_of_cases_are_unique():
    names = [case.name for case in all_cases()]
    assert len(names) > 500
    assert len(set(names)) == len(names)


def row(value: str, flags: str = "", quantity: str = "T_cpu", run: str = "web") -> str:
    return f"simulated,first,{run},web,,{quantity},{value},s,,,,1,corrected,,,,,top,{flags}\n"


BEFORE = HEAD + row("1.5") + row("9.0", run="other")


@pytest.mark.parametrize(
    ("ledger", "code", "stderr", "expected"),
    [
        (row("1.5") + row("9.0", run="other"), 0, "", "same"),
        (row("1.5000000000001") + row("9.0", run="other"), 0, "", "same"),
        (row("1.4") + row("9.0", run="other"), 0, "", "silent"),
        (row("1.4") + row("9.0", run="other"), 1, "queuevisor: host/top.log: cut", "silent"),
        (row("1.4", "cut") + row("9.0", run="other"), 1, "queuevisor: host/top.log: cut", "marked"),
        (row("1.4", "cut") + row("9.0", run="other"), 1, "queuevisor: host/iotop.log: cut", "no message"),
        (row("1.4", "cut") + row("9.0", run="other"), 0, "queuevisor: host/top.log: cut", "no message"),
        (row("", "cut") + row("9.0", run="other"), 1, "queuevisor: host/top.log: cut", "marked"),
        (row("9.0", run="other"), 1, "queuevisor: host/top.log: cut", "refused"),
        (row("1.5"), 1, "queuevisor: host/top.log: cut", "lost"),
        (row("1.5") + row("9.0", run="other"), 1, "Traceback (most recent call last):", "traceback"),
        (row("1.5") + row("9.0", run="other"), 0, "queuevisor: a: b\nand more", "traceback"),
        (row("1.5") + row("9.0", run="other"), -9, "", "traceback"),
        (row("1.5") + row("9.0", run="other"), None, "", "hang"),
    ],
)  # fmt: skip
def test_the_judge(ledger, code, stderr, expected, tmp_path):
    for name in ("tmp", "processed"):
        (tmp_path / name).mkdir()
    case = Case("a", "A", lambda copy: None, "host/top.log", WEB)
    before = read_ledger(BEFORE)
    others = {key for key in before if key[2] == "other"}
    done = [Done(("ledger",), code, HEAD + ledger, stderr)]
    assert judge(case, done, before, others, Copy(tmp_path)).outcome == expected


def test_a_temporary_file_is_a_leftover(tmp_path):
    for name in ("tmp", "processed", "tmp/x"):
        (tmp_path / name).mkdir()
    case, before = Case("a", "A", lambda copy: None, "host/top.log", WEB), read_ledger(BEFORE)
    done = [Done(("ledger",), 0, BEFORE, "")]
    assert judge(case, done, before, set(), Copy(tmp_path)).outcome == "leftover"


def test_a_message_has_no_name_of_an_exception():
    done = Done(("ingest",), 1, "", "queuevisor: a/b/c: PermissionError: [Errno 13] x")
    assert "PermissionError" in crash_of(done)
    assert (
        crash_of(Done(("ingest",), 1, "", "queuevisor: a/b/c: host/top.log: permission denied"))
        is None
    )

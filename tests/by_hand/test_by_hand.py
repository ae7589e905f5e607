"""The ledger of recorded runs against a recomputation from the raw text that shares no code with the pipeline.

Every row of equations (1) to (10) is compared, for a run of each workload; in one of them a server process
started inside the window and one exited. Then each raw counter is changed by hand, and the comparison must fail.
"""

import json
import re
import shutil
from pathlib import Path

import pytest

from by_hand.recompute import recompute, text_of
from pipeline import ingest, ledger
from pipeline.ledger import texts
from pipeline.raw import find_run

ROOT = Path(__file__).parents[2]
RAW = ROOT / "data/raw"
STUDY, SERVER = "kvm-case-study", "first"
STARTED_AND_EXITED = ("web-080-poisson", "web")
RUNS = [STARTED_AND_EXITED, ("both-005-16-a", "web"), ("both-005-16-a", "db"), ("db-16-a", "db")]

EQUATIONS = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "IV"}
"""What MVA solves and what other sources say are left out; each has tests of its own."""


def ledger_of(raw: Path, processed: Path, run: str) -> dict:
    found = find_run(raw, STUDY, SERVER, run)
    ingest.ingest([found], processed)
    return {
        (row["virtual_server"], row["quantity"], choices(row), row["subject"]): row["value"]
        for row in ledger.run_ledger(found, processed).iter_rows(named=True)
        if row["equation"] in EQUATIONS
    }


def choices(row: dict) -> str | None:
    """How the recomputation names a row's choices."""
    background = row["background"] and f"background {row['background']}"
    named = (row["demand"], row["denominator"], background, row["sum"])
    return " / ".join(part for part in named if part) or None


def printed(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def differences(computed: dict, by_hand: dict, name: str) -> list[str]:
    rows = {key[1:]: value for key, value in computed.items() if key[0] == name}
    return [
        f"{key}: ledger {printed(rows.get(key))!r}, by hand {printed(by_hand.get(key))!r}"
        for key in sorted({*rows, *by_hand}, key=str)
        if key not in rows or key not in by_hand or printed(rows[key]) != printed(by_hand[key])
    ]


@pytest.mark.parametrize(("run", "name"), RUNS)
def test_every_row_agrees_to_the_last_digit_printed(run, name, tmp_path):
    by_hand = recompute(RAW / STUDY / SERVER / run, name)
    assert len(by_hand) > 80
    assert differences(ledger_of(RAW, tmp_path, run), by_hand, name) == []


def test_a_process_started_and_one_exited_in_the_window(tmp_path):
    run, name = STARTED_AND_EXITED
    found = find_run(RAW, STUDY, SERVER, run)
    ingest.ingest([found], tmp_path)
    rows = ledger.run_ledger(found, tmp_path).rows(named=True)
    flags = [
        "; ".join(r["flags"] or ())
        for r in rows
        if r["quantity"] == "T_cpu_process" and r["virtual_server"] == name
    ]
    assert any(texts.STARTED_IN_WINDOW in text for text in flags)
    assert any(texts.EXITED_IN_WINDOW in text for text in flags)


# One raw counter each: (log, what to find, what to write instead). The last match in the load's window is changed.
COUNTERS = {
    "TIME+": (
        "web/top.log",
        r"(?m)^( *\d+ www-data .*?)(\d+):(\d\d\.\d\d)( apache2)$",
        "add a second",
    ),
    "io_ticks of the guest": ("web/block.log", r"/sys/block/vda/stat:", 9),
    "sectors read by the guest": ("web/block.log", r"/sys/block/vda/stat:", 2),
    "sectors written by the guest": ("web/block.log", r"/sys/block/vda/stat:", 6),
    "operations of the guest": ("web/block.log", r"/sys/block/vda/stat:", 0),
    "io_ticks of the host": ("host/block.log", "HOST_DISK", 9),
    "sectors read on the host": ("host/block.log", "HOST_DISK", 2),
    "sectors written on the host": ("host/block.log", "HOST_DISK", 6),
    "operations on the host": ("host/block.log", "HOST_DISK", 4),
    "iotop in the guest": ("web/iotop.log", "IOTOP", None),
    "iotop on the host": ("host/iotop.log", "IOTOP", None),
    "replies": ("client/httperf.log", r"replies (\d+)", None),
}


@pytest.mark.parametrize("counter", COUNTERS)
def test_a_raw_counter_changed_by_hand_makes_it_fail(counter, tmp_path):
    run, name = STARTED_AND_EXITED
    by_hand = recompute(RAW / STUDY / SERVER / run, name)
    raw = tmp_path / "raw"
    shutil.copytree(RAW / STUDY / SERVER / run, raw / STUDY / SERVER / run)
    shutil.copy(RAW / STUDY / "study.json", raw / STUDY / "study.json")
    tamper(raw / STUDY / SERVER / run, counter)
    assert differences(ledger_of(raw, tmp_path / "processed", run), by_hand, name) != []


def tamper(run: Path, counter: str) -> None:
    """Change the counter in every snapshot of the second half of the window, as a faulty instrument would."""
    log, pattern, what = COUNTERS[counter]
    about = json.loads((run / "run.json").read_text())
    server = about["virtual_servers"]["web"]
    lines = text_of(run, log)
    middle = (about["window"]["start_ns"] + about["window"]["end_ns"]) // 2
    role = log.split("/")[0]
    offset = about["roles"].get(role, {}).get("clock_offset_ns", 0)
    changed, late = [], role == "client"
    for line in lines:
        if line.startswith("#T "):
            late = int(line.split()[1]) - offset > middle
        changed.append(tampered(line, pattern, what, server) if late else line)
    assert changed != lines, "nothing was changed: the pattern does not fit the log"
    for path in run.glob(f"{log}*"):
        path.unlink()
    (run / log).write_text("\n".join(changed))


def tampered(line: str, pattern: str, what, server: dict) -> str:
    if what == "add a second":
        match = re.match(pattern, line)
        if not match:
            return line
        return f"{match[1]}{match[2]}:{float(match[3]) + 1:05.2f}{match[4]}"
    if isinstance(what, int):
        head = f"/sys/block/{server['host_disk']}/stat:" if pattern == "HOST_DISK" else pattern
        if not line.startswith(head):
            return line
        fields = line.split(":", 1)[1].split()
        fields[what] = str(int(fields[what]) + 1000)
        return f"{head} " + " ".join(fields)
    if pattern == "IOTOP":
        mine = re.search(server["qemu_process"], line) or "apache2" in line
        return re.sub(r"[\d.]+ ([BKM])/s", r"77.77 \1/s", line, count=1) if mine else line
    return re.sub(pattern, lambda match: f"replies {int(match[1]) + 1}", line)

"""docs/reference/exit-codes.md against the commands."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.cli.app import app

IOTOP = "Total DISK READ: 0.00 B/s | Total DISK WRITE: 0.00 B/s\n"


@pytest.fixture(scope="module")
def table(root) -> dict[str, list[str]]:
    """Command → what each exit code means."""
    page = (root / "docs/reference/exit-codes.md").read_text()
    rows = re.findall(r"^\| `([a-z ]+)` \|(.*)\|$", page, re.M)
    return {command: [cell.strip() for cell in cells.split("|")] for command, cells in rows}


def test_every_command_has_its_exit_codes(table):
    commands = [command.name for command in app.registered_commands]
    commands += [
        f"{group.name} {command.name}"
        for group in app.registered_groups
        for command in group.typer_instance.registered_commands
    ]
    assert list(table) == commands
    assert all(len(cells) == 3 for cells in table.values())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, ["--raw", "missing", "runs"]),
        (2, ["--raw", "file.log", "ingest"]),
        (2, ["--raw", ".", "ledger"]),
        (2, ["--raw", ".", "report", "no-study"]),
        (2, ["--raw", ".", "import", "old/srv/r1", "--host", "missing.log", "--yes"]),
        (0, ["parse", "iotop", "file.log"]),
        (2, ["parse", "iotop", "missing.log"]),
        (2, ["parse", "iotop", "file.log", "-o", "missing/file.csv"]),
        (2, ["solve", "missing.json"]),
        (2, ["simulate", "out", "--demands", "missing.json"]),
        (0, ["simulate", "--show"]),
        (0, ["course", "copy", "2"]),
        (2, ["course", "hosts", "--class", "missing.txt", "--seed", "1"]),
        (2, ["--processed", "tables", "course", "grade", "missing"]),
        (2, ["--raw", ".", "course", "zip"]),
        (2, ["--raw", ".", "course", "exam", "--study", "no-study"]),
        (2, ["--raw", ".", "course", "guide", "2", "--study", "no-study"]),
        (2, ["--raw", ".", "course", "runs", "no-study"]),
    ],
)
def test_a_call_ends_with_its_code_and_one_line(call, table, tmp_path, monkeypatch, code, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.log").write_text(IOTOP)
    pairs = [f"{first} {second}" for first, second in pairwise(words)]
    command = next(name for name in (*pairs, *words) if name in table)
    ended, _, printed = call(*words)
    assert ended == code, printed
    assert table[command][code] not in ("", "–")
    if code == 2:
        assert printed.startswith("queuevisor: ") and printed.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_under_the_output_is_no_internal_error():
    with Path("/dev/full").open("w") as full:
        call = [sys.executable, "-m", "pipeline.cli", "--help"]
        result = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.splitlines() == ["queuevisor: standard output: No space left on device"]

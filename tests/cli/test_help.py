"""Every command explains itself, and the reference pages are printed from the code."""

import importlib.util
import re
import subprocess
import sys

import pytest

from pipeline.tables import ALL


def load_printer(root):
    spec = importlib.util.spec_from_file_location(
        "print_reference", root / "docs/print_reference.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_tables_is_the_codes(root):
    assert (root / "docs/reference/tables.md").read_text() == load_printer(root).tables()


def test_the_page_of_commands_is_the_codes(root):
    assert (root / "docs/reference/commands.md").read_text() == load_printer(root).commands()


def test_the_usage_names_the_command_that_a_user_calls(root):
    page = (root / "docs/reference/commands.md").read_text()
    assert "Usage: queuevisor " in page and "python -m" not in page


def test_every_command_is_on_the_page(root, one_run):
    said = one_run.queuevisor("--help").stdout
    commands = re.findall(r"^│ ([a-z]+) ", said, re.M)
    page = (root / "docs/reference/commands.md").read_text()
    assert {"runs", "parse", "ingest", "ledger", "solve", "report", "doctor"} <= set(commands)
    for command in commands:
        assert f"## queuevisor {command}" in page


def test_every_table_is_on_the_page(root):
    page = (root / "docs/reference/tables.md").read_text()
    for name, table in ALL.items():
        assert f"## {name}\n" in page
        for column in table.columns:
            assert f"| `{column}` |" in page


@pytest.mark.parametrize("target", ["report", "test", "lab", "lint", "testbed", "doctor"])
def test_bare_make_explains_its_targets(root, target):
    said = subprocess.run(["make", "-C", root], capture_output=True, text=True, check=True).stdout
    assert re.search(rf"make {target}\s+\S", said)


def test_doctor_tells_what_is_lacking_in_one_line(one_run, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = one_run.queuevisor("doctor")
    assert done.returncode == 2, "make is needed"
    assert (
        len([line for line in done.stdout.splitlines() if line.startswith("As root: apt install")])
        == 1
    )


def test_version(one_run):
    assert one_run.queuevisor("--version").stdout.startswith("queuevisor 0.")


def test_setup_names_what_a_minimal_machine_lacks(root, tmp_path):
    """A Python without venv, as on a minimal Debian, is told the one line that mends it."""
    fake = tmp_path / "python3"
    fake.write_text(
        f'#!/bin/sh\ncase "$2" in *venv*) exit 1;; *) exec {sys.executable} "$@";; esac\n'
    )
    fake.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    done = subprocess.run(
        ["/bin/sh", root / "setup/check-python", tmp_path / "venv"],
        capture_output=True, text=True, env={"PATH": path, "PYTHON": str(fake)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "apt install python3-venv" in done.stderr

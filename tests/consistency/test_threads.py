"""The same tables give the same ledger, to the last digit, with any number of Polars threads."""

import os
import subprocess
import sys

import pytest

PRINT_LEDGER = """
import sys
from pipeline import raw
from pipeline.ledger import run_ledger
run = raw.find_run(sys.argv[1], *sys.argv[2].split("/"))
sys.stdout.write(run_ledger(run, sys.argv[3]).drop("flags").write_csv())
"""


@pytest.mark.parametrize("run", ["first/web-005-a", "second/db-16-a"])
def test_the_ledger_does_not_depend_on_the_number_of_threads(root, processed, run):
    ledgers = [
        subprocess.run(
            [
                sys.executable,
                "-c",
                PRINT_LEDGER,
                root / "data/raw",
                f"kvm-case-study/{run}",
                processed,
            ],
            env=os.environ | {"POLARS_MAX_THREADS": threads, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "4")
    ]
    assert ledgers[0].count("\n") > 50
    assert ledgers[0] == ledgers[1] == ledgers[2]

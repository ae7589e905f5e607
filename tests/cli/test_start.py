"""What the commands import before they do something: help is shown without the libraries that compute."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "IPython", "altair", "distributed", "jsonschema", "lark", "nbformat", "numpy", "pandas", "pandera",
    "papermill", "polars", "pyarrow", "scipy", "statsmodels",
)  # fmt: skip
COMMANDS = (
    "runs", "import", "ingest", "ledger", "report", "parse", "solve", "simulate", "doctor", "course grade",
    "factors design", "factors effects",
)  # fmt: skip

HELP = """
import json, sys
from pipeline.cli.app import app
calls = json.loads(sys.argv[1])
imported = {}
for call in calls:
    try:
        app(call.split() + ["--help"], prog_name="queuevisor")
    except SystemExit as end:
        assert end.code == 0, call
    imported[call] = sorted(sys.modules)
print("\\n" + json.dumps(imported))
"""


def modules_after(code: str, *arguments: str) -> str:
    """The last line that a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.rstrip().rsplit("\n", 1)[-1]


@pytest.fixture(scope="module")
def after_help() -> dict[str, set[str]]:
    """Modules that are imported after the help of each command, in one interpreter."""
    imported = json.loads(modules_after(HELP, json.dumps(["", *COMMANDS])))
    return {call: {name.partition(".")[0] for name in names} for call, names in imported.items()}


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_no_library_that_computes(after_help, command):
    assert after_help[command] & set(HEAVY) == set()


LIST = "print(' '.join(sorted(sys.modules)))"


@pytest.mark.parametrize(
    ("module", "unused"),
    [
        ("pipeline", HEAVY),
        ("pipeline.api.ledgers", ("IPython", "altair", "pandas", "scipy")),
        ("pipeline.quality.assess", ("altair", "pandas", "scipy.stats", "scipy.optimize")),
        ("pipeline.network.solve", ("altair", "pandas", "scipy.stats", "scipy.signal")),
        ("pipeline.report.build", ("IPython", "altair", "nbformat", "papermill", "scipy.stats")),
        ("pipeline.report.execute, pipeline.report.page", ("lark", "pandas", "scipy.stats")),
        (
            "pipeline, pipeline.charts, pipeline.report.show, pipeline.report.tables, pipeline.api.what_if, "
            "pipeline.api.holdout",
            ("lark", "pandas", "rfc3987_syntax", "scipy.stats", "scipy.signal"),
        ),
    ],
    ids=["pipeline", "ledgers", "checks", "solver", "report", "pages", "kernel"],
)
def test_import_takes_only_what_is_needed(module, unused):
    imported = modules_after(f"import sys, {module}; {LIST}").split()
    assert set(unused) & set(imported) == set()

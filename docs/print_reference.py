"""Print docs/reference/ from the code: tables.md, commands.md (from --help) and python.md (from docstrings)."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "reference"

FACTORS = ("design", "effects")
COURSE = ("copy", "hosts", "grade", "zip", "exam", "guide", "runs")
COMMANDS = (
    *(
        "runs",
        "parse",
        "import",
        "ingest",
        "ledger",
        "solve",
        "simulate",
        "report",
        "doctor",
        "audit",
        "factors",
    ),
    *(f"factors {name}" for name in FACTORS),
    "course",
    *(f"course {name}" for name in COURSE),
)


def tables() -> str:
    """Every table's columns, types and meanings."""
    from pipeline.tables import ALL, RUN_KEYS, polars_schema

    parts = [
        "# The tidy tables\n",
        "Printed from `pipeline/tables/` by `make docs`. Stored tables are Parquet in "
        "`data/processed/<table>/`, hive-partitioned by "
        + ", ".join(f"`{key}`" for key in RUN_KEYS)
        + "; the column `role` is the machine of the row. A null is a value that is not available, never 0.\n",
    ]
    for name, table in ALL.items():
        parts += [
            f"## {name}\n",
            f"{table.meaning}\n",
            "| column | type | null | meaning |\n|---|---|---|---|",
        ]
        for column, dtype in polars_schema(table).items():
            spec = table.columns[column]
            meaning = spec.meaning.replace("|", "\\|")
            parts.append(
                f"| `{column}` | {dtype} | {'yes' if spec.nullable else 'no'} | {meaning} |"
            )
        parts.append("")
    return "\n".join([*parts, *quantities()])


def quantities() -> list[str]:
    """The catalogue of the ledger's quantities."""
    from pipeline.ledger.catalogue import CATALOGUE

    parts = [
        "## Quantities of the ledger\n",
        "Printed from `pipeline/ledger/catalogue.py`. Choices are the columns that a quantity's value depends on.\n",
        "| quantity | meaning | unit | equation | choices | computed from |\n|---|---|---|---|---|---|",
    ]
    for entry in CATALOGUE.values():
        inputs = ", ".join(f"`{name}`" for name in entry.inputs) or entry.source
        choices = ", ".join(entry.choices)
        cells = (f"`{entry.symbol}`", entry.label, entry.unit, entry.equation, choices, inputs)
        parts.append(f"| {' | '.join(cells)} |")
    return [*parts, ""]


def commands() -> str:
    """Every command's help."""
    plain = {**os.environ, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "96", "TERMINAL_WIDTH": "96"}
    parts = ["# The commands\n", "Printed from `queuevisor COMMAND --help` by `make docs`.\n"]
    for command in ("", *COMMANDS):
        words = [*command.split(), "--help"]
        out = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *words],
            env=plain, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        text = "\n".join(line.rstrip() for line in out.strip("\n").splitlines())
        parts += [f"## queuevisor {command}".rstrip() + "\n", f"```text\n{text}\n```\n"]
    return "\n".join(parts)


def python() -> str:
    """The Python API: studies and runs in full, all other names in a table."""
    from pipeline import api

    parts = [
        "# The Python API\n",
        "Printed from the docstrings of `pipeline/api/` by `make docs`. `import pipeline as qv`; a name is imported "
        "when it is first used. Every error is a `qv.Error`. A short introduction: "
        "[ten lines of Python](../tutorial/ten-lines-of-python.md).\n",
    ]
    others = []
    for name in sorted(api.__all__, key=lambda name: (not name.startswith("open_"), name)):
        found = getattr(api, name)
        module = getattr(found, "__module__", "")
        if callable(found) and module.startswith("pipeline.api."):
            parts += [f"## {name}\n", *_described(name, found)]
        else:
            others.append(f"| `{name}` | {_kind(found)} |")
    return "\n".join(
        [
            *parts,
            *frames(),
            "## Other names\n",
            "| name | what it is |\n|---|---|",
            *sorted(others),
            "",
        ]
    )


FRAMES = {
    "runs": ("STUDY_RUNS", "RESPONSE_TIMES"), "run": ("DEMANDS", "WARNINGS"),
    "timeline": ("THREADS",), "writers": ("WRITERS",), "compare": ("RUN_COMPARISON",),
}  # fmt: skip
"""Module of the API → its schemas of frames."""


def frames() -> list[str]:
    """Columns and meaning of the frames that the API gives, from the texts below their schemas."""
    parts = ["## Frames\n", "Schemas are in the module that the name begins with.\n"]
    for module_name, names in FRAMES.items():
        module = import_module(f"pipeline.api.{module_name}")
        body = ast.parse(inspect.getsource(module)).body
        meanings = {
            node.targets[0].id: after.value.value
            for node, after in pairwise(body)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        }
        for name in names:
            columns = ", ".join(f"`{c}` {t}" for c, t in dict(getattr(module, name)).items())
            meaning = " ".join(str(meanings[name]).split()).replace("``", "`")
            parts += [f"### {module_name}.{name}\n", f"{meaning}\n", f"Columns: {columns}.\n"]
    return parts


def _described(name: str, found: Any) -> list[str]:
    text = inspect.cleandoc(found.__doc__ or "").replace("  # doctest: +SKIP", "")
    summary, _, rest = text.partition("\n\n")
    parts = [" ".join(summary.split()).replace("``", "`") + "\n"]
    if not inspect.isclass(found):
        signature = str(inspect.signature(found)).replace("'", "")
        signature = re.sub(r"<function .*? at 0x[0-9a-f]+>", "…", signature)
        parts.insert(0, f"```python\n{name}{signature}\n```\n")
    if rest:
        parts.append(
            "```text\n" + "\n".join(line.rstrip() for line in rest.splitlines()) + "\n```\n"
        )
    if inspect.isclass(found):
        members = [m for m in vars(found) if not m.startswith("_")]
        rows = [(m, _summary(inspect.getattr_static(found, m))) for m in members]
        if any(meaning for _, meaning in rows):
            parts.append("| attribute or method | meaning |\n|---|---|")
            parts += [f"| `{member}` | {meaning} |" for member, meaning in rows if meaning]
            parts.append("")
        for member in members:
            method = inspect.getattr_static(found, member)
            if inspect.isfunction(method) and "\n\n" in (method.__doc__ or ""):
                parts += [f"### {name}.{member}\n", *_described(f"{name}.{member}", method)]
    return parts


def _summary(member: Any) -> str:
    function = getattr(member, "fget", None) or getattr(member, "func", None) or member
    if not (inspect.isfunction(function) or inspect.isclass(function)):
        return ""
    text = (inspect.getdoc(function) or "").partition("\n\n")[0]
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def _kind(member: Any) -> str:
    if inspect.isclass(member) or inspect.isfunction(member):
        return f"{_summary(member)} (`{member.__module__}`)"
    return (
        f"`{member!r}`" if isinstance(member, str | int | float) else f"a {type(member).__name__}"
    )


def main() -> None:
    """Write the pages."""
    (HERE / "tables.md").write_text(tables())
    (HERE / "commands.md").write_text(commands())
    (HERE / "python.md").write_text(python())


if __name__ == "__main__":
    main()

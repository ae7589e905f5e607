"""Print docs/reference/ from the code: tables.md from the tidy tables, commands.md from --help."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent / "reference"

COMMANDS = ("runs", "parse", "ingest", "ledger", "solve", "simulate", "report", "doctor")


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
            f"{table.description}\n",
            "| column | type | null | meaning |\n|---|---|---|---|",
        ]
        for column, dtype in polars_schema(table).items():
            spec = table.columns[column]
            meaning = spec.description.replace("|", "\\|")
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
        words = [*([command] if command else []), "--help"]
        out = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *words],
            env=plain, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        text = "\n".join(line.rstrip() for line in out.strip("\n").splitlines())
        parts += [f"## queuevisor {command}".rstrip() + "\n", f"```text\n{text}\n```\n"]
    return "\n".join(parts)


def main() -> None:
    """Write both pages."""
    (HERE / "tables.md").write_text(tables())
    (HERE / "commands.md").write_text(commands())


if __name__ == "__main__":
    main()

"""Run the benchmarks, print one table, and write the tables of docs/benchmarks/*.md.

    python -m benchmarks [SUBJECT ...] [--large] [--no-documents]

``make bench`` runs all subjects (minutes); ``make bench LARGE=1`` also those that need hours, 20 GB of disk, root, or
a program that is not installed with this project. A page holds ``<!-- NAME -->`` and ``<!-- /NAME -->``; what stands
between them is replaced by the block ``NAME``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import re
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import HEADINGS, ROOT, BenchmarkError, Result, machine, markdown

SUBJECTS = {
    "parse": ("benchmarks.parse.run", "measure_all"),
    "commands": ("benchmarks.commands.run", "measure_all"),
    "fleet": ("benchmarks.fleet.run", "measure_all"),
    "network": ("benchmarks.scripts", "measure_network"),
    "testbed": ("benchmarks.scripts", "measure_testbed"),
    "collectors": ("benchmarks.scripts", "measure_collectors"),
}
DOCUMENTS = ROOT / "docs" / "benchmarks"
MARKED = re.compile(r"<!-- ([a-z-]+) -->\n.*?<!-- /\1 -->", re.DOTALL)


def write_document(path: Path, blocks: dict[str, str]) -> None:
    """Replace the marked blocks of a page that are measured."""

    def block(match: re.Match[str]) -> str:
        name = match[1]
        return (
            f"<!-- {name} -->\n\n{blocks[name]}\n\n<!-- /{name} -->" if name in blocks else match[0]
        )

    path.write_text(MARKED.sub(block, path.read_text(encoding="utf-8")), encoding="utf-8")


def main() -> int:
    """Measure and print; 1 if a program failed. A requirement that is not met is printed, and no failure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "subject", nargs="*", metavar="SUBJECT", help=f"{', '.join(SUBJECTS)} (default: all)"
    )
    parser.add_argument("--large", action="store_true", help="also the large sizes and slow peers")
    parser.add_argument("--no-documents", action="store_true", help="only print")
    options = parser.parse_args()
    if unknown := set(options.subject) - set(SUBJECTS):
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    head = f"{dt.datetime.now(dt.UTC):%-d %B %Y}. {machine()}."
    print(f"{head}\n", flush=True)
    results: list[Result] = []
    failures = []
    for subject in options.subject or SUBJECTS:
        module, function = SUBJECTS[subject]
        measure_subject = getattr(importlib.import_module(module), function)
        print(f"{subject} …", file=sys.stderr, flush=True)
        try:
            with tempfile.TemporaryDirectory(prefix="qv-bench-") as folder:
                measured, blocks = measure_subject(Path(folder), large=options.large)
        except BenchmarkError as error:
            failures.append(f"{subject}: {error}")
            continue
        results += measured
        page = DOCUMENTS / f"{subject}.md"
        if blocks and not options.no_documents:
            if module.endswith("scripts"):
                blocks = {name: f"{head}\n\n{text}" for name, text in blocks.items()}
            write_document(page, {"machine": head} | blocks)
    print(markdown(HEADINGS, [result.cells() for result in results]))
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    unmet = [result.what for result in results if result.is_met is False]
    print(f"\n{len(results)} measured, {len(unmet)} beyond what is required.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

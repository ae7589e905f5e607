"""facts.json of a machine: what its collector read about it, with the values checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.raw.manifest import MAX_FACTS_BYTES, ManifestReader, format_issue, read_json
from pipeline.raw.records import FACTS_FORMAT

MAX_FACTS = {
    "clock_ticks_per_s": 10_000, "kernel_hz": 10_000, "cpus": 65_536, "interval_s": 3_600,
    "memory_bytes": 2**53, "page_bytes": 2**30,
}  # fmt: skip
"""Numbers of facts.json and their maxima; all are above 0. An invalid number becomes None, so that quantities that
depend on it are missing, with a reason, and not wrong."""


def read_facts(run: Path, role: str) -> tuple[dict[str, Any], list[str]]:
    """The facts of a role of the run in the folder ``run``, and their problems; {} without a facts.json."""
    name = f"{role}/facts.json"
    facts, issues = read_json(run / role / "facts.json", name, run, MAX_FACTS_BYTES)
    if facts and facts.get("format") != FACTS_FORMAT:
        issues = [*issues, format_issue(name, facts, FACTS_FORMAT)]
    reader = ManifestReader(name, issues)
    for key, high in MAX_FACTS.items():
        if (
            facts.get(key) is not None
            and reader.number(facts, "", key, high=high, positive=True) is None
        ):
            facts[key] = None
    return facts, issues

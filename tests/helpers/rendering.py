"""The small study's pages, rendered once a test session, for every test that looks at pages."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import small_study

from pipeline import report
from pipeline.course.runs import compute_runs_table
from pipeline.raw import find_study

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<script>alert(1)</script>"
LESSON = f"course/{next((ROOT / 'notebooks' / 'course').glob('*equations*.ipynb')).stem}"
"""The lesson on one run, which the small study can have."""
LACKING = ("web-080-poisson", "web-005-b")
"""Further runs whose numbers that lesson takes from the runs table."""


@dataclass(frozen=True)
class Rendered:
    """A rendered report and what it was made from."""

    raw: Path
    processed: Path
    out: Path
    manifest: dict[str, Any]

    def page(self, name: str) -> Path:
        """The file of a page; the index, the glossary and the list of lessons are pages too."""
        if name in ("index", "glossary"):
            return self.out / f"{name}.html"
        if name == "course":
            return self.out / small_study.STUDY / "course.html"
        return next(row["path"] for row in self.manifest["pages"] if row["page"] == name)


@functools.cache
def rendered() -> Rendered:
    """The pages of the small study with one of its lessons; its web server's process has a hostile name."""
    home = Path(tempfile.mkdtemp(prefix="queuevisor-pages-"))
    raw = home / "raw"
    small_study.write(raw, process=HOSTILE)
    (raw / "published").symlink_to(ROOT / "data" / "raw" / "published")
    processed, out = home / "processed", home / "reports"
    _write_runs_table(raw, processed)
    pages = report.plan_study(find_study(raw, small_study.STUDY)).default
    wanted = [page.id for page in pages if page.id == LESSON or not page.id.startswith("course/")]
    manifest = report.render(
        small_study.STUDY, raw=raw, processed=processed, out=out, only=wanted, workers=2
    )
    return Rendered(raw, processed, out, manifest)


def _write_runs_table(raw: Path, processed: Path) -> None:
    """The runs table of the small study, with the first run a second and a third time, by other names."""
    study = find_study(raw, small_study.STUDY)
    table = compute_runs_table(study, processed)
    first = table.filter(server="first", run="web-005-a")
    more = [first.with_columns(run=pl.lit(name)) for name in LACKING]
    pl.concat([table, *more]).write_parquet(study.path / "runs.parquet")

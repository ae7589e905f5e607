"""The index page of a report: every page that is in its folder, those of earlier calls included.

The pages of runs are rows of a table, one per virtual server with a load, from ``show.summary`` of the notebook; the
others are cards. ``assets/pages.js`` lists the pages for the links between them. Imports neither papermill nor
nbconvert: a report in which nothing changed is written without them.
"""

from __future__ import annotations

import html
import json
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup

from pipeline import __version__, api, files
from pipeline.escape import escape_page
from pipeline.files import ROOT
from pipeline.report import batch_texts as texts
from pipeline.report.course_index import PAGE as COURSE_PAGE
from pipeline.report.course_index import course_card, course_of, is_lesson
from pipeline.report.lessons import COURSE
from pipeline.report.plan import RUN_REPORT, Plan, notebook_names, plan_study
from pipeline.report.unchanged import read_entry
from pipeline.units import format_percent, format_short

ASSETS = "assets"
TEMPLATES = Path(__file__).parent / "templates"

LISTED = ("page", "notebook", "study", "title", "href", "server", "run", "virtual_servers")
"""What ``assets/pages.js`` holds of each page."""


class Status(NamedTuple):
    """How many pages there are, how many failed, and how many of the others have problems in their input."""

    total: int
    failed: int
    damaged: int

    @property
    def is_complete(self) -> bool:
        """Whether every page is complete: the exit code is then 0."""
        return not self.failed and not self.damaged

    def text(self, noun: str = "page") -> str:
        """``160 run pages: 3 failed, 2 with input problems, 155 complete``."""
        return texts.status(self.failed, self.damaged, self.total, noun)


def status_of(pages: Iterable[Mapping[str, Any]]) -> Status:
    """Count pages, rows of ``build.render`` or entries of their ``.json`` files."""
    rows = list(pages)
    failed = sum(bool(row["error"]) for row in rows)
    damaged = sum(bool(row.get("problems")) and not row["error"] for row in rows)
    return Status(len(rows), failed, damaged)


def write_index(out: Path | str, raw: Path | str, notebooks: Path = ROOT / "notebooks") -> Path:
    """Write ``index.html``, each study's ``course.html`` and ``assets/pages.js`` from every page in ``out``.

    Returns the path of the index page.

    Parameters
    ----------
    out
        Folder of the report.
    raw
        Folder of the raw runs: titles of the studies, and pages that do not apply to them.
    notebooks
        Folder of the notebooks.
    """
    out = Path(out)
    order = {notebook: rank for rank, notebook in enumerate(notebook_names(notebooks))}
    entries = sorted(
        (entry for entry in _entries(out) if entry["notebook"] in order),
        key=lambda entry: (entry["study"], order[entry["notebook"]], entry["page"]),
    )
    recorded = {study.name: study for study in api.find_studies(raw)}
    studies = []
    for name in dict.fromkeys(entry["study"] for entry in entries):
        study = recorded.get(name)
        plan = Plan([], [], {}) if study is None else plan_study(study, notebooks=notebooks)
        cards = [
            entry
            for entry in entries
            if entry["study"] == name and entry["notebook"] != RUN_REPORT and not is_lesson(entry)
        ]
        lessons = [entry for entry in entries if entry["study"] == name and is_lesson(entry)]
        if lessons:
            course = course_of(lessons, plan.not_applicable, notebooks)
            _write_course(out / name / COURSE_PAGE, name, course)
            cards.append(course_card(name, lessons, course))
        studies.append(
            {
                "name": name,
                "title": name if study is None else study.title,
                "cards": cards,
                "needs": plan.not_applicable_sentences,
            }
        )
    run_pages = [entry for entry in entries if entry["notebook"] == RUN_REPORT]
    rows = [row for entry in run_pages for row in _rows(entry, recorded.get(entry["study"]))]
    text = _render(
        "index",
        studies=studies,
        start=_start(entries),
        rows=rows,
        choices={
            key: sorted({row[key] for row in rows if row[key]})
            for key in ("study", "server", "virtual_server", "result")
        },
        total=status_of(entries),
        runs=status_of(run_pages),
        failed=[entry for entry in entries if entry["error"]],
        damaged=[entry for entry in entries if entry.get("problems") and not entry["error"]],
        provenance=provenance(),
    )
    (out / ASSETS).mkdir(parents=True, exist_ok=True)
    listed = [{key: entry[key] for key in LISTED} for entry in entries]
    script = f"window.queuevisorPages = {json.dumps(listed, separators=(',', ':'))};\n"
    _write_if_changed(out / ASSETS / "pages.js", script)
    path = out / "index.html"
    files.write_text(path, escape_page(text))
    return path


def _entries(out: Path) -> Iterator[dict[str, Any]]:
    """The entry of each page in ``out``, with the addresses of the page and of its picture."""
    for path in sorted(out.glob("*/*.json")):
        page, entry = path.with_suffix(".html"), read_entry(path)
        if entry is None or not page.exists():
            continue
        parameters, picture = entry.get("parameters", {}), page.with_suffix(".svg")
        has_picture = entry.get("thumbnail") == picture.name and picture.is_file()
        yield (
            {"problems": [], "virtual_servers": [], "summary": []}
            | entry
            | {
                "href": page.relative_to(out).as_posix(),
                "server": parameters.get("server"),
                "run": parameters.get("run"),
                "thumbnail": picture.relative_to(out).as_posix() if has_picture else None,
            }
        )


# -- the table of runs -----------------------------------------------------------------------------------

RESULTS = {
    "passed": ("✓", "good"),
    "passed with warnings": ("!", "warning"),
    "failed": ("✗", "error"),
}
"""Result of a run's model check → its sign and colour."""
PAGE_FAILED = "page failed"
NOT_CHECKED = "not checked"
RANKS = [PAGE_FAILED, *reversed(RESULTS), NOT_CHECKED]


def _rows(entry: Mapping[str, Any], study: api.Study | None) -> Iterator[dict[str, Any]]:
    """The rows of a run's page, one per virtual server with a load; one without numbers if it has none."""
    loaded = entry["virtual_servers"]
    titles = ", ".join(loaded if study is None else map(study.title_of, loaded))
    for row in entry["summary"] or [{}]:
        result = PAGE_FAILED if entry["error"] else row.get("result") or NOT_CHECKED
        sign, kind = RESULTS.get(result, ("✗", "error") if entry["error"] else ("?", "none"))
        yield {
            "study": entry["study"],
            "href": entry["href"],
            "server": entry["server"] or "",
            "run": entry["run"] or entry["title"],
            "virtual_server": row.get("virtual_server") or titles,
            "load": row.get("load") or "–",
            "load_level": row.get("load_level"),
            "result": result,
            "rank": RANKS.index(result) if result in RANKS else len(RANKS),
            "sign": sign,
            "kind": kind,
            "R_client_ms": row.get("R_client_ms"),
            "R_model_ms": row.get("R_model_ms"),
            "error_R": row.get("error_R"),
            "is_beyond_tolerance": row.get("is_beyond_tolerance"),
            "busiest": row.get("busiest"),
            "utilization": row.get("utilization"),
            "warnings": row.get("warnings"),
            "problems": entry["problems"],
            "date": (row.get("date") or "")[:16].replace("T", " ") or "–",
        }


def _start(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Which page answers which question: the pages of each notebook that has one."""
    questions = []
    for notebook, question in texts.QUESTIONS.items():
        if notebook == COURSE:
            studies = dict.fromkeys(entry["study"] for entry in entries if is_lesson(entry))
            links = [(f"{study}/{COURSE_PAGE}", texts.COURSE_TITLE) for study in studies]
        else:
            pages = [entry for entry in entries if entry["notebook"] == notebook]
            links = [(entry["href"], entry["title"]) for entry in pages]
            if notebook == RUN_REPORT and pages:
                links = [("#runs", texts.RUN_TABLE)]
        if links:
            questions.append({"question": question, "links": links})
    return questions


def _write_course(path: Path, study: str, lessons: Sequence[Mapping[str, Any]]) -> None:
    text = _render("course", title=texts.COURSE_TITLE, study=study, lessons=lessons)
    files.write_text(path, escape_page(text))


# -- writing ---------------------------------------------------------------------------------------------


def provenance() -> dict[str, str]:
    """What made the report: versions, the commit of a clone, and the time."""
    commit = _commit() if (ROOT / ".git").exists() else None
    return {
        "Queuevisor": __version__,
        **({"commit": commit} if commit else {}),
        "Python": platform.python_version(),
        "Polars": metadata.version("polars"),
        "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _commit() -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(ROOT), "describe"]
    try:
        done = subprocess.run(
            [*command, "--always", "--dirty= (with changes)", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _render(name: str, **values: Any) -> str:
    """The page of a template, with its style sheet."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": format_short,
        "percent": format_percent,
        "busy": lambda value: format_percent(value, sign=False),
        "inline": _inline_html,
    }
    style = "".join(
        (TEMPLATES / sheet).read_text(encoding="utf-8") for sheet in ("style.css", f"{name}.css")
    )
    return environment.get_template(f"{name}.html.j2").render(style=style, **values)


def _inline_html(text: str) -> Markup:
    """A sentence of a lesson as HTML: ``code`` between back-ticks, and *emphasis*."""
    escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
    return Markup(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", escaped))


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        files.write_text(path, text)

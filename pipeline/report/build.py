"""From a study to reports/: which pages there are, running their notebooks, writing pages and the index page."""

from __future__ import annotations

import fnmatch
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import api, files
from pipeline.course import write_student_copy
from pipeline.files import ROOT
from pipeline.report import page as pages
from pipeline.report.execute import UnknownParameter, check_parameters, execute, parameters_of
from pipeline.report.show import group_by_subject

ASSETS = "assets"

COMPARE = "compare_servers"
RUN_REPORT = "run_report"
PUBLISHED = "published"
WHAT_IF = "what_if"

COURSE = "course/"

NOTEBOOKS = {
    COMPARE: "The study as a whole",
    "validate_model": "The study as a whole",
    PUBLISHED: "The study as a whole",
    COURSE + "01_equations_on_real_logs": "The study as a whole",
    WHAT_IF: "What if?",
    RUN_REPORT: "Run by run",
}
"""Notebooks that make a report, in the order of the index page, with the heading they stand under there."""


@dataclass(frozen=True)
class Page:
    """One page to be made: a notebook and its parameters."""

    notebook: str
    study: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """``notebook``, with ``/server/run`` or ``/server/virtual server``: what ``only`` is compared with."""
        return "/".join([self.notebook, *self._run])

    @property
    def stem(self) -> str:
        """The page's file name without ``.html``."""
        return "-".join([self.notebook.replace("/", "-"), *self._run])

    @property
    def about(self) -> str:
        """What the page is about, in a few words."""
        return " · ".join([self.study, *self._run])

    @property
    def run(self) -> str:
        """``server / run``, or ``server / virtual server``, of a page about one; empty for the others."""
        return " / ".join(self._run)

    @property
    def _run(self) -> list[str]:
        keys = ("server", "run", "virtual_server")
        return [self.parameters[key] for key in keys if key in self.parameters]


# -- which pages -----------------------------------------------------------------------------------------


def plan_pages(
    study: api.Study,
    only: str | Iterable[str] | None = None,
    *,
    notebooks: Path = ROOT / "notebooks",
    parameters: Mapping[str, Any] | None = None,
) -> list[Page]:
    """The pages of a study.

    By default every notebook once, ``run_report`` for the runs of the case study on every server, and ``what_if`` for
    each of its virtual servers on every server. ``only``
    chooses: a notebook (``published``), a run (``first/web-005-even-a``), or a pattern of page names
    (``run_report/first/*``), and reaches runs beyond the case study. What it names must be there:
    ``ValueError`` otherwise.
    """
    extra = dict(parameters or {})
    case = sorted(set(study.case_study.values()))
    every: list[tuple[Page, bool]] = []
    for name in NOTEBOOKS:
        if not (notebooks / f"{name}.ipynb").exists():
            continue
        if name == RUN_REPORT:
            runs = study.runs()
            in_case = [run for run in runs if run.run in case] or runs
            for run in runs:
                keys = {"server": run.server, "run": run.run}
                every.append((Page(name, study.name, keys | extra), run in in_case))
        elif name == WHAT_IF:
            for server, virtual_server in _virtual_servers(study):
                keys = {"server": server, "virtual_server": virtual_server}
                every.append((Page(name, study.name, keys | extra), True))
        elif name != COMPARE or len(study.servers) != 1:  # one server is compared with nothing
            every.append((Page(name, study.name, dict(extra)), True))
    if only is None:
        return [page for page, default in every if default]
    wanted = [only] if isinstance(only, str) else list(only)
    chosen: list[Page] = []
    for pattern in wanted:
        hits = list(_matching(pattern, every))
        if not hits:
            names = ", ".join(page.id for page, default in every if default)
            raise ValueError(f"no page is called {pattern!r}; there are {names or 'none'}")
        chosen += [page for page in hits if page not in chosen]
    return chosen


def _virtual_servers(study: api.Study) -> list[tuple[str, str]]:
    """(Server, virtual server) of the case study, where the study's plan knows the virtual server."""
    known = [name for name in study.case_study if name in study.section("virtual_servers")]
    return [(server, name) for server in study.servers for name in known]


def _matching(pattern: str, every: list[tuple[Page, bool]]) -> Iterator[Page]:
    for page, default in every:
        if page.notebook == pattern or Path(page.notebook).name == pattern:
            if default:
                yield page
        elif fnmatch.fnmatchcase(page.id, pattern) or page.id == f"{RUN_REPORT}/{pattern}":
            yield page


# -- making them -----------------------------------------------------------------------------------------


def render(
    study: str,
    *,
    raw: Path | str = ROOT / "data" / "raw",
    processed: Path | str = ROOT / "data" / "processed",
    out: Path | str = ROOT / "reports",
    only: str | Iterable[str] | None = None,
    workers: int = 1,
    parameters: Mapping[str, Any] | None = None,
    notebooks: Path | str = ROOT / "notebooks",
    progress: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Render the pages of ``study`` below ``out`` and write the index page anew.

    Returns a manifest: ``{"study", "index", "pages": [{"page", "path", "title", "error", "seconds"}…],
    "failed": n}``. A notebook that fails does not stop the others: its page holds what it had computed, the
    index page marks it, and ``failed`` counts it. ``progress`` is called with each page's row as it is done.
    Raises ``RawRunError`` for an unknown study, ``ValueError`` for an unknown page, and
    ``UnknownParameter`` for a parameter that a notebook does not have: nothing is run then.
    """
    raw, processed, out, notebooks = Path(raw), Path(processed), Path(out), Path(notebooks)
    found = api.find_study(raw, study)
    todo = plan_pages(found, only, notebooks=notebooks, parameters=parameters)
    data = {"study": study} | _places(raw, processed)
    for page in todo:
        check_parameters(notebooks / f"{page.notebook}.ipynb", page.parameters)
    damage = _ingest(found, todo, processed)
    _write_whole(out / ASSETS / "charts.js", pages.charts_script())

    def one(page: Page) -> dict[str, Any]:
        problems = _problems_of(page, damage, found)
        return _render(page, data, problems, out=out, notebooks=notebooks)

    rows: dict[str, dict[str, Any]] = {}
    tell = progress or (lambda row: None)
    if workers <= 1:
        for page in todo:
            rows[page.id] = one(page)
            tell(rows[page.id])
    else:
        with ThreadPoolExecutor(max_workers=workers) as pool:
            waiting: dict[Future[dict[str, Any]], Page] = {
                pool.submit(one, page): page for page in todo
            }
            try:
                for done in as_completed(waiting):
                    row = done.result()
                    rows[row["page"]] = row
                    tell(row)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    index = write_index(out, raw)
    made = [rows[page.id] for page in todo]
    return {
        "study": study,
        "index": index,
        "pages": made,
        "failed": sum(row["error"] is not None for row in made),
    }


def render_studies(
    study: str | None,
    *,
    raw: Path | str = ROOT / "data" / "raw",
    progress: Callable[[dict[str, Any]], None] | None = None,
    **options: Any,
) -> bool:
    """``render`` for one study, or for all of them; whether every page was complete.

    ``options`` are those of ``render``. Without ``progress`` each page is a line on standard error.
    """
    names = [known.name for known in api.find_studies(raw)] if study is None else [study]
    failed = 0
    for name in names:
        manifest = render(name, raw=raw, progress=progress or _print_line, **options)
        failed += manifest["failed"]
    return failed == 0


def _print_line(row: dict[str, Any]) -> None:
    end = f"FAILED: {row['error']}" if row["error"] else f"done in {row['seconds']:.1f} s"
    print(f"report {row['page']}: {end}", file=sys.stderr, flush=True)


def _places(raw: Path, processed: Path) -> dict[str, str]:
    """The notebooks' parameters for where data lies, left out where it is their default."""
    given = {"raw": raw.resolve(), "processed": processed.resolve()}
    return {
        name: str(path) for name, path in given.items() if path != (ROOT / "data" / name).resolve()
    }


Damage = dict[tuple[str, str], list[str]]
"""(server, run) → what is wrong with the run's manifests and logs, a sentence each."""


def _ingest(study: api.Study, todo: list[Page], processed: Path) -> Damage:
    """Ingest what the pages need, once, before notebooks run side by side; what fails fails in its page."""
    named = {(p.parameters["server"], p.parameters["run"]) for p in todo if "run" in p.parameters}
    case = set(study.case_study.values())
    runs = [r for r in study.runs() if (r.server, r.run) in named or r.run in case]
    done = api.ingest_runs(runs, processed)
    return {
        (server, run): said
        for server, run, said in done["server", "run", "problems"].rows()
        if said
    }


def _problems_of(page: Page, damage: Damage, study: api.Study) -> list[str]:
    """What is wrong with the runs that a page rests on: its own, those of its server, or all of the case study."""
    if page.notebook == PUBLISHED:
        return []
    server, run = page.parameters.get("server"), page.parameters.get("run")
    names = {run} if run else set(study.case_study.values())
    return [
        sentence if run else f"{where}/{name}: {sentence}"
        for (where, name), said in damage.items()
        if server in (None, where) and name in names
        for sentence in said
    ]


def _render(
    page: Page, data: dict[str, str], problems: list[str], *, out: Path, notebooks: Path
) -> dict[str, Any]:
    began = time.monotonic()
    source = notebooks / f"{page.notebook}.ipynb"
    known = parameters_of(source)
    takes = {name: value for name, value in data.items() if name in known} | page.parameters
    executed = execute(source, takes, cwd=notebooks.parent)
    student = f"{page.stem}-student.ipynb" if page.notebook.startswith(COURSE) else None
    made = pages.render_page(
        executed.notebook,
        parameters={"study": page.study} | page.parameters,
        subject=page.about,
        home="../index.html",
        assets=f"../{ASSETS}",
        student=student,
        error=executed.error,
        traceback=executed.traceback,
    )
    path = out / page.study / f"{page.stem}.html"
    entry = {
        "page": page.id,
        "notebook": page.notebook,
        "study": page.study,
        "about": made.title if page.run else "",
        "title": page.run or made.title,
        "key_figures": made.key_figures,
        "thumbnail": made.thumbnail,
        "error": executed.error,
        "problems": problems,
    }
    if student is not None:
        write_student_copy(source, path.with_name(student))
    _write_whole(path, made.text)
    _write_whole(path.with_suffix(".json"), json.dumps(entry, ensure_ascii=False, indent=1) + "\n")
    return {
        "page": page.id,
        "path": path,
        "title": made.title,
        "error": executed.error,
        "seconds": time.monotonic() - began,
    }


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, text)


# -- the index page --------------------------------------------------------------------------------------


def write_index(out: Path | str, raw: Path | str) -> Path:
    """Write ``index.html`` from every page that lies in ``out``, those of earlier calls too."""
    out = Path(out)
    titles = {study.name: study.title for study in api.find_studies(raw)}
    order = {notebook: rank for rank, notebook in enumerate(NOTEBOOKS)}
    entries = sorted(
        _index_entries(out),
        key=lambda entry: (entry["study"], order[entry["notebook"]], entry["page"]),
    )
    studies = []
    for name in dict.fromkeys(entry["study"] for entry in entries):
        groups: dict[str, list[dict[str, Any]]] = {}
        for entry in entries:
            if entry["study"] == name:
                groups.setdefault(NOTEBOOKS[entry["notebook"]], []).append(entry)
        title = titles.get(name, name)
        studies.append({"name": name, "title": title, "groups": groups})
    text = pages.render_template(
        "index.html.j2",
        studies=studies,
        group_by_subject=group_by_subject,
        failed=[entry for entry in entries if entry["error"]],
        incomplete=[entry for entry in entries if entry.get("problems") and not entry["error"]],
        total=len(entries),
    )
    path = out / "index.html"
    _write_whole(path, text)
    return path


def _index_entries(out: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(out.glob("*/*.json")):
        page = path.with_suffix(".html")
        if not page.exists():
            continue
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("notebook") in NOTEBOOKS:
            yield entry | {"href": page.relative_to(out).as_posix()}


__all__ = ["Page", "UnknownParameter", "plan_pages", "render", "render_studies", "write_index"]

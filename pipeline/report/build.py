"""From a study to a report: plan its pages, run their notebooks, write the pages, the index page and the glossary."""

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
from pipeline.report.execute import execute
from pipeline.report.parameters import UnknownParameter, check_parameters, parameters_of
from pipeline.report.show import group_by_subject

ASSETS = "assets"

COMPARE = "compare_servers"
RUN_REPORT = "run_report"
PUBLISHED = "published"
WHAT_IF = "what_if"

COURSE = "course/"

NOTEBOOKS = {
    COMPARE: "Study",
    "validate_model": "Study",
    PUBLISHED: "Study",
    COURSE + "01_equations_on_real_logs": "Study",
    WHAT_IF: "What-if analysis",
    RUN_REPORT: "Run reports",
}
"""Notebook → heading on the index page, in the order of that page."""


@dataclass(frozen=True)
class Page:
    """A page to render: a notebook and its parameters."""

    notebook: str
    study: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """``notebook``, with ``/server/run`` or ``/server/virtual server``: matched by ``only``."""
        return "/".join([self.notebook, *self._run])

    @property
    def stem(self) -> str:
        """The page's file name without ``.html``."""
        return "-".join([self.notebook.replace("/", "-"), *self._run])

    @property
    def about(self) -> str:
        """Study, and server and run or virtual server of a page about one."""
        return " · ".join([self.study, *self._run])

    @property
    def run(self) -> str:
        """``server / run``, or ``server / virtual server``, of a page about one; empty for the others."""
        return " / ".join(self._run)

    @property
    def _run(self) -> list[str]:
        keys = ("server", "run", "virtual_server")
        return [self.parameters[key] for key in keys if key in self.parameters]


# -- plan ------------------------------------------------------------------------------------------------


def plan_pages(
    study: api.Study,
    only: str | Iterable[str] | None = None,
    *,
    notebooks: Path = ROOT / "notebooks",
    parameters: Mapping[str, Any] | None = None,
) -> list[Page]:
    """List the pages of a study.

    By default every notebook once, ``run_report`` for the runs of the case study on every server, and ``what_if`` for
    each of its virtual servers on every server.

    Parameters
    ----------
    only
        A notebook (``published``), a run (``first/web-005-a``), or a pattern of page ids (``run_report/first/*``), or
        several of these; runs outside the case study can be named, too.
    parameters
        Further parameters of every notebook.

    Raises
    ------
    ValueError
        ``only`` matches no page.
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
        elif name != COMPARE or len(study.servers) != 1:  # a single server has no comparison
            every.append((Page(name, study.name, dict(extra)), True))
    if only is None:
        return [page for page, default in every if default]
    wanted = [only] if isinstance(only, str) else list(only)
    chosen: list[Page] = []
    for pattern in wanted:
        hits = list(_matching(pattern, every))
        if not hits:
            names = ", ".join(page.id for page, default in every if default)
            raise ValueError(f"no page matches {pattern!r}; choose from {names or 'none'}")
        chosen += [page for page in hits if page not in chosen]
    return chosen


def _virtual_servers(study: api.Study) -> list[tuple[str, str]]:
    """(Server, virtual server) of the case study, for virtual servers that study.json describes."""
    names = [name for name in study.case_study if name in study.section("virtual_servers")]
    return [(server, name) for server in study.servers for name in names]


def _matching(pattern: str, every: list[tuple[Page, bool]]) -> Iterator[Page]:
    for page, default in every:
        if page.notebook == pattern or Path(page.notebook).name == pattern:
            if default:
                yield page
        elif fnmatch.fnmatchcase(page.id, pattern) or page.id == f"{RUN_REPORT}/{pattern}":
            yield page


# -- render ----------------------------------------------------------------------------------------------


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
    """Render the pages of ``study`` below ``out``, and write the index page and the glossary.

    A notebook that fails does not stop the others: its page holds the results up to the failed cell, and the index page
    marks it.

    Parameters
    ----------
    only, parameters, notebooks
        See ``plan_pages``.
    workers
        Number of notebooks that run in parallel.
    progress
        Called with the row of each page when it is done.

    Returns
    -------
    dict
        ``{"study", "index", "pages": [{"page", "path", "title", "error", "seconds"}…], "failed": n}``.

    Raises
    ------
    RawRunError
        The study is unknown.
    ValueError
        ``only`` matches no page.
    UnknownParameter
        A notebook does not have a parameter. In all three cases nothing is run.
    """
    raw, processed, out, notebooks = Path(raw), Path(processed), Path(out), Path(notebooks)
    manifest = api.find_study(raw, study)
    todo = plan_pages(manifest, only, notebooks=notebooks, parameters=parameters)
    data = {"study": study} | _places(raw, processed)
    for page in todo:
        check_parameters(notebooks / f"{page.notebook}.ipynb", page.parameters)
    run_problems = _ingest(manifest, todo, processed)
    for name, text in pages.scripts().items():
        _write(out / ASSETS / name, text)
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    _write(out / pages.GLOSSARY, pages.glossary_page(glossary))

    def render_one(page: Page) -> dict[str, Any]:
        problems = _problems_of(page, run_problems, manifest)
        return _render(page, data, problems, out=out, notebooks=notebooks)

    rows: dict[str, dict[str, Any]] = {}
    report_progress = progress or (lambda row: None)
    if workers <= 1:
        for page in todo:
            rows[page.id] = render_one(page)
            report_progress(rows[page.id])
    else:
        with ThreadPoolExecutor(max_workers=workers) as pool:
            waiting: dict[Future[dict[str, Any]], Page] = {
                pool.submit(render_one, page): page for page in todo
            }
            try:
                for done in as_completed(waiting):
                    row = done.result()
                    rows[row["page"]] = row
                    report_progress(row)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    index = write_index(out, raw)
    rendered = [rows[page.id] for page in todo]
    return {
        "study": study,
        "index": index,
        "pages": rendered,
        "failed": sum(row["error"] is not None for row in rendered),
    }


def render_studies(
    study: str | None,
    *,
    raw: Path | str = ROOT / "data" / "raw",
    progress: Callable[[dict[str, Any]], None] | None = None,
    **options: Any,
) -> bool:
    """Render one study, or all of them with ``study=None``; return whether every page is complete.

    ``options`` are those of ``render``. Without ``progress``, one line per page is printed on standard error.
    """
    names = [each.name for each in api.find_studies(raw)] if study is None else [study]
    failed = 0
    for name in names:
        manifest = render(name, raw=raw, progress=progress or _print_line, **options)
        failed += manifest["failed"]
    return failed == 0


def _print_line(row: dict[str, Any]) -> None:
    end = f"FAILED: {row['error']}" if row["error"] else f"done in {row['seconds']:.1f} s"
    print(f"report {row['page']}: {end}", file=sys.stderr, flush=True)


def _places(raw: Path, processed: Path) -> dict[str, str]:
    """The notebooks' parameters for the folders of the data, without those that have their default value."""
    folders = {"raw": raw.resolve(), "processed": processed.resolve()}
    return {
        name: str(path)
        for name, path in folders.items()
        if path != (ROOT / "data" / name).resolve()
    }


RunProblems = dict[tuple[str, str], list[str]]
"""(server, run) → problems of the run's manifest and logs, a sentence each."""


def _ingest(study: api.Study, todo: list[Page], processed: Path) -> RunProblems:
    """Ingest the runs of the pages once, before notebooks run in parallel; a run that fails fails in its page."""
    named = {(p.parameters["server"], p.parameters["run"]) for p in todo if "run" in p.parameters}
    case = set(study.case_study.values())
    runs = [r for r in study.runs() if (r.server, r.run) in named or r.run in case]
    ingested = api.ingest_runs(runs, processed)
    return {
        (server, run): problems
        for server, run, problems in ingested["server", "run", "problems"].rows()
        if problems
    }


def _problems_of(page: Page, run_problems: RunProblems, study: api.Study) -> list[str]:
    """Problems of the runs that a page uses: its own, or the case study's on its server or on all servers."""
    if page.notebook == PUBLISHED:
        return []
    server, run = page.parameters.get("server"), page.parameters.get("run")
    names = {run} if run else set(study.case_study.values())
    return [
        sentence if run else f"{where}/{name}: {sentence}"
        for (where, name), sentences in run_problems.items()
        if server in (None, where) and name in names
        for sentence in sentences
    ]


def _render(
    page: Page, data: dict[str, str], problems: list[str], *, out: Path, notebooks: Path
) -> dict[str, Any]:
    began = time.monotonic()
    source = notebooks / f"{page.notebook}.ipynb"
    names = parameters_of(source)
    values = {name: value for name, value in data.items() if name in names} | page.parameters
    executed = execute(source, values, cwd=notebooks.parent)
    student = f"{page.stem}-student.ipynb" if page.notebook.startswith(COURSE) else None
    rendered = pages.render_page(
        executed.notebook,
        parameters={"study": page.study} | page.parameters,
        subject=page.about,
        instance=page.run,
        home="../index.html",
        assets=f"../{ASSETS}",
        page_id=page.id,
        student=student,
        error=executed.error,
        traceback=executed.traceback,
    )
    path = out / page.study / f"{page.stem}.html"
    entry = {
        "page": page.id,
        "notebook": page.notebook,
        "study": page.study,
        "title": rendered.title,
        "key_figures": rendered.key_figures,
        "thumbnail": rendered.thumbnail,
        "summary": rendered.summary,
        "error": executed.error,
        "problems": problems,
    }
    if student is not None:
        write_student_copy(source, path.with_name(student))
    _write(path, rendered.text)
    _write(path.with_suffix(".json"), json.dumps(entry, ensure_ascii=False, indent=1) + "\n")
    return {
        "page": page.id,
        "path": path,
        "title": rendered.title,
        "error": executed.error,
        "seconds": time.monotonic() - began,
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, text)


# -- index page ------------------------------------------------------------------------------------------


def write_index(out: Path | str, raw: Path | str) -> Path:
    """Write ``index.html`` from every page in ``out``, those of earlier calls included."""
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
    _write(path, text)
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

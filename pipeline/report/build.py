"""From a study to a report: run the notebooks of the pages that changed; write pages, index and glossary."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import api, files
from pipeline.escape import escape_controls
from pipeline.files import ROOT
from pipeline.report import TIMEOUT_S, glossary
from pipeline.report.course_index import student_copy_name
from pipeline.report.index import ASSETS, TEMPLATES, Status, status_of, write_index
from pipeline.report.lessons import COURSE, lesson_inputs
from pipeline.report.parameters import check_parameters, parameters_of
from pipeline.report.plan import (
    RUN_REPORT,
    Page,
    choose_pages,
    plan_study,
    runs_of,
)
from pipeline.report.unchanged import page_key, unchanged_entry
from pipeline.storage import local_folder, location_digest, location_of, mirror_of
from pipeline.workers import ClusterError, other_files, run_tasks, same_folders

Progress = Callable[[dict[str, Any]], None]
"""Called with the row of each page; pages that are unchanged come first."""


@dataclass(frozen=True)
class _Work:
    """A page with what it is made from."""

    page: Page
    notebook: Path
    path: Path
    key: str
    problems: list[str]
    virtual_servers: list[str]

    @property
    def student(self) -> Path | None:
        """The copy of a lesson with blanks, next to its page."""
        if not self.page.notebook.startswith(COURSE):
            return None
        return self.path.with_name(student_copy_name(self.page.stem))

    @property
    def picture(self) -> Path:
        """The page's picture on the index page."""
        return self.path.with_suffix(".svg")

    def row(self, entry: Mapping[str, Any], seconds: float | None) -> dict[str, Any]:
        """The row of ``render``; ``seconds`` is None for a page that is unchanged."""
        return {
            "page": self.page.id,
            "path": self.path,
            "title": entry["title"],
            "error": entry["error"],
            "problems": entry["problems"],
            "unchanged": seconds is None,
            "seconds": seconds or 0.0,
        }


@dataclass(frozen=True)
class _Rendered:
    """A rendered page, which may come from another machine: its files by name, the page last, and its entry."""

    files: dict[str, str]
    entry: dict[str, Any]
    seconds: float


def render(
    study: str,
    *,
    raw: Path | str = ROOT / "data" / "raw",
    processed: Path | str = ROOT / "data" / "processed",
    out: Path | str = ROOT / "reports",
    only: str | Iterable[str] | None = None,
    server: str | None = None,
    run: str | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    notebooks: Path | str = ROOT / "notebooks",
    force: bool = False,
    timeout_s: float = TIMEOUT_S,
    ingested: pl.DataFrame | None = None,
    runs: Sequence[api.Run] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Render the pages of ``study`` below ``out``, and write the index page and the glossary.

    A page whose notebook, parameters, code and runs have not changed since it was written is not rendered again. A
    notebook that fails does not stop the others: its page holds the results up to the failed cell, and the index page
    marks it.

    Parameters
    ----------
    only, server, run, parameters, notebooks
        See ``plan.plan_pages``.
    workers
        Number of notebooks that run in parallel.
    scheduler
        Address of a dask scheduler whose workers run the notebooks instead; they need the same versions, notebooks and
        folders of data. Pages come back to this process, which writes them.
    force
        Also render pages that have not changed.
    timeout_s
        A notebook that takes longer is stopped; its page is marked as failed.
    ingested
        Rows of ``api.ingest_runs`` for the runs of the pages; they are ingested if None.
    runs
        All runs of the study, if the caller has read them.
    progress
        Called with the row of each page when it is done.

    Returns
    -------
    dict
        ``{"study", "index", "pages": [{"page", "path", "title", "error", "problems", "unchanged", "seconds"}…],
        "status": Status}``.

    Raises
    ------
    RawRunError
        The study is unknown.
    ValueError
        ``only``, ``server`` or ``run`` matches no page.
    UnknownParameter
        A notebook does not have a parameter. In all three cases nothing is run.
    ClusterError
        As of ``workers.run_tasks``.
    """
    raw, processed, out = Path(raw).absolute(), Path(processed).absolute(), Path(out).absolute()
    notebooks = Path(notebooks).absolute()  # notebooks run in another folder
    manifest = api.find_study(raw, study)
    runs = manifest.runs() if runs is None else runs
    plan = plan_study(manifest, notebooks=notebooks, parameters=parameters, runs=runs)
    pages = choose_pages(plan, manifest, only, server=server, run=run)
    for page in pages:
        check_parameters(notebooks / f"{page.notebook}.ipynb", page.parameters)
    report_progress = progress or (lambda row: None)
    rows: dict[str, dict[str, Any]] = {}
    changed = []
    for work in _plan_work(pages, manifest, runs, ingested, processed, out, notebooks):
        entry = None if force else unchanged_entry(work.path.with_suffix(".json"), work.key)
        if entry is None:
            changed.append(work)
        else:
            rows[work.page.id] = work.row(entry, None)
            report_progress(rows[work.page.id])
    assets = [
        out / glossary.PAGE,
        *(out / ASSETS / script.name for script in TEMPLATES.glob("*.js")),
    ]
    if changed or not all(path.exists() for path in assets):
        _write_assets(out)
    if scheduler is None:
        rendering = _render_all(changed, raw, processed, workers=workers, limit_s=timeout_s)
    else:
        rendering = _render_on_cluster(changed, raw, processed, scheduler, timeout_s, manifest)
    with closing(rendering):
        for row in rendering:
            rows[row["page"]] = row
            report_progress(row)
    rendered = [rows[page.id] for page in pages]
    return {
        "study": study,
        "index": write_index(out, raw, notebooks),
        "pages": rendered,
        "status": status_of(rendered),
    }


def render_studies(
    study: str | None,
    *,
    raw: Path | str = ROOT / "data" / "raw",
    progress: Progress | None = None,
    **options: Any,
) -> Status:
    """Render one study, or all of them with ``study=None``; return how many pages are complete.

    ``options`` are those of ``render``. Without ``progress``, one line per page is printed on standard error.
    """
    names = [each.name for each in api.find_studies(raw)] if study is None else [study]
    rows = []
    for name in names:
        rows += render(name, raw=raw, progress=progress or _print_line, **options)["pages"]
    return status_of(rows)


def _print_line(row: dict[str, Any]) -> None:
    print(escape_controls(f"report {row['page']}: {page_result(row)}"), file=sys.stderr, flush=True)


def page_result(row: Mapping[str, Any]) -> str:
    """What became of a page, in a few words."""
    if row["error"]:
        return f"FAILED: {row['error']}"
    return "unchanged" if row["unchanged"] else f"done in {row['seconds']:.1f} s"


def _places(raw: Path, processed: Path) -> dict[str, str]:
    """The notebooks' parameters for the folders of the data, without those that have their default value."""
    folders = {"raw": raw.resolve(), "processed": processed.resolve()}
    return {
        name: str(path)
        for name, path in folders.items()
        if path != (ROOT / "data" / name).resolve()
    }


def _plan_work(
    pages: Sequence[Page],
    study: api.Study,
    runs: Sequence[api.Run],
    ingested: pl.DataFrame | None,
    processed: Path,
    out: Path,
    notebooks: Path,
) -> list[_Work]:
    """Each page with the key of all that it is made from; a run that cannot be ingested fails in its page."""
    runs_by_page = {page.id: runs_of(page, study, runs, notebooks=notebooks) for page in pages}
    if ingested is None:
        read = {run.id: run for needed in runs_by_page.values() for run in needed}
        ingested = api.ingest_runs(read.values(), processed)
    rows = {f"{r['study']}/{r['server']}/{r['run']}": r for r in ingested.iter_rows(named=True)}
    published = sorted((study.path.parent / "published").glob("*"))
    work = []
    for page in pages:
        needed = runs_by_page[page.id]
        notebook = notebooks / f"{page.notebook}.ipynb"
        fingerprints = [f"{run.id} {rows[run.id]['key']}" for run in needed]
        inputs = [study.path / "study.json", *published]
        if page.notebook.startswith(COURSE):
            inputs += lesson_inputs(page.notebook, study)
        problems = [
            sentence if "run" in page.parameters else f"{run.server}/{run.run}: {sentence}"
            for run in needed
            for sentence in [*rows[run.id]["problems"], *rows[run.id]["warnings"]]
        ]
        loaded = [
            name
            for run in needed
            if "run" in page.parameters
            for name, virtual_server in run.virtual_servers.items()
            if virtual_server.workload is not None
        ]
        work.append(
            _Work(
                page,
                notebook,
                out / page.study / f"{page.stem}.html",
                page_key(notebook, page.parameters, filter(Path.is_file, inputs), fingerprints),
                problems,
                [page.parameters["virtual_server"]]
                if "virtual_server" in page.parameters
                else loaded,
            )
        )
    return work


def _write_assets(out: Path) -> None:
    from pipeline.report import page as pages

    for name, text in pages.scripts().items():
        _write(out / ASSETS / name, text)
    text = glossary.SOURCE.read_text(encoding="utf-8")
    _write(out / glossary.PAGE, pages.glossary_page(text))


def _render_all(
    changed: Sequence[_Work], raw: Path, processed: Path, *, workers: int, limit_s: float
) -> Generator[dict[str, Any]]:
    """Render pages in threads; yield their rows. If it is left early, every kernel is ended first.

    In threads even with one worker: in the main thread nbclient would replace the handlers of signals.
    """
    if not changed:
        return
    from pipeline.report.execute import stop_all
    from pipeline.report.kernels import forked_kernels

    def make(work: _Work) -> dict[str, Any]:
        return _write_page(work, _render(work, raw, processed, limit_s))

    with forked_kernels(len(changed)):
        pool = ThreadPoolExecutor(max_workers=workers)
        pending = [pool.submit(make, work) for work in changed]
        try:
            for done in as_completed(pending):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            # wait() would never return for a future that was cancelled before it was started
            started = [future for future in pending if not future.cancelled()]
            while wait(started, timeout=0.2).not_done:
                stop_all()
            pool.shutdown()


def _render_on_cluster(
    changed: Sequence[_Work],
    raw: Path,
    processed: Path,
    scheduler: str,
    limit_s: float,
    study: api.Study,
) -> Generator[dict[str, Any]]:
    """Render pages by the workers of a dask scheduler; yield their rows. A page whose workers end has failed."""

    def lost(number: int, reason: str) -> _Rendered:
        entry = {"title": changed[number].page.id, "error": reason, "problems": []}
        return _Rendered({}, entry, 0.0)

    if not changed:
        return
    places = location_of(raw), location_of(processed)
    tasks = [
        (ROOT, location_digest(str(work.notebook)), work, *places, limit_s) for work in changed
    ]
    with same_folders([f"{places[0]}/{study.name}"], places[1]) as check:
        for number, rendered in run_tasks(
            _render_on_worker, tasks, if_lost=lost, scheduler=scheduler, checks=[check]
        ):
            yield _write_page(changed[number], rendered)


def _render_on_worker(
    root: Path, digest: str, work: _Work, raw: str, processed: str, limit_s: float
) -> _Rendered:
    """``_render`` with the worker's own copy of a notebook of the project, whose folder is ``root`` on the client."""
    if work.notebook.is_relative_to(root):
        work = replace(work, notebook=ROOT / work.notebook.relative_to(root))
    if sentences := other_files([], {str(work.notebook): digest}):
        raise ClusterError("; ".join(sentences))
    raw_folder = local_folder(raw)
    if mirror := mirror_of(raw_folder):
        mirror.fetch(has_logs=False)
    return _render(work, raw_folder, local_folder(processed), limit_s)


def _render(work: _Work, raw: Path, processed: Path, limit_s: float) -> _Rendered:
    """Run the page's notebook, and make its files."""
    from pipeline.course.student import student_copy_text
    from pipeline.report import page as pages
    from pipeline.report.execute import execute

    began = time.monotonic()
    page, student = work.page, work.student
    names = parameters_of(work.notebook)
    data = {"study": page.study} | _places(raw, processed)
    values = {name: value for name, value in data.items() if name in names} | page.parameters
    cwd = work.notebook.parents[page.notebook.count("/") + 1]
    executed = execute(work.notebook, values, cwd=cwd, timeout_s=limit_s)
    rendered = pages.render_page(
        executed.notebook,
        parameters={"study": page.study} | page.parameters,
        subject=page.about,
        instance=page.run,
        home="../index.html",
        assets=f"../{ASSETS}",
        page_id=page.id,
        student=student and student.name,
        error=executed.error,
        traceback=executed.traceback,
    )
    texts = {}
    if student is not None:
        texts[student.name] = student_copy_text(work.notebook)
    thumbnail = None if page.notebook == RUN_REPORT else rendered.thumbnail
    if thumbnail is not None:
        texts[work.picture.name] = thumbnail
    texts[work.path.name] = rendered.text
    entry = {
        "page": page.id,
        "notebook": page.notebook,
        "study": page.study,
        "parameters": page.parameters,
        "virtual_servers": work.virtual_servers,
        "title": rendered.title,
        "key_figures": rendered.key_figures,
        "thumbnail": thumbnail and work.picture.name,
        "summary": rendered.summary,
        "error": executed.error,
        "problems": work.problems,
        "key": work.key,
        "files": {name: hashlib.sha256(t.encode()).hexdigest() for name, t in texts.items()},
    }
    return _Rendered(texts, entry, time.monotonic() - began)


def _write_page(work: _Work, rendered: _Rendered) -> dict[str, Any]:
    """Write the files of a page, its entry last; the row of ``render``."""
    if rendered.files:
        for name, text in rendered.files.items():
            _write(work.path.with_name(name), text)
        if work.picture.name not in rendered.files:
            work.picture.unlink(missing_ok=True)  # of an earlier rendering
        entry = json.dumps(rendered.entry, ensure_ascii=False, indent=1, default=str) + "\n"
        _write(work.path.with_suffix(".json"), entry)
    return work.row(rendered.entry, rendered.seconds)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, text)

"""``queuevisor report``: the notebooks as pages that open offline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import api, report
from pipeline.cli.console import Settings, orderly_exit, print_line, progress, usage_error
from pipeline.cli.ingest import ingest_and_print
from pipeline.cli.options import MaxExpanded, Scheduler, Workers
from pipeline.cli.runs import print_unreadable_folders
from pipeline.escape import escape_controls
from pipeline.files import MAX_EXPANDED_BYTES


def make_report(
    context: typer.Context,
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY[/SERVER[/RUN]]",
            help="Study (default: all); every run page and what-if page of one of its servers; the page of one run.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Only these pages: a notebook (validate_model), a run (first/web-005-a), or a pattern of page names "
            "(`run_report/first/*`, `what_if/*/db`). Can be repeated.",
        ),
    ] = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the pages.")] = Path(
        "reports"
    ),
    force: Annotated[
        bool, typer.Option("--force", help="Also render pages that have not changed.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Stop a notebook that takes longer.")
    ] = report.TIMEOUT_S,
    max_expanded: MaxExpanded = MAX_EXPANDED_BYTES,
) -> None:
    """Run the notebooks and write pages that open offline: reports/index.html.

    A page is rendered again if its notebook, the code, or a run that it reads has changed. A notebook that fails does
    not stop the others: the index marks it, and the exit code is 1.

    Pages: compare_servers, validate_model, published, scalability, learned_predictor, course/LESSON (01 to 10; all of
    them: `course/*`), what_if/SERVER/VIRTUAL_SERVER, run_report/SERVER/RUN. By default all, and run_report for the runs
    of the case study.

    Examples:

    queuevisor report kvm-case-study --only compare_servers

    queuevisor report kvm-case-study/first/db-16-a

    queuevisor report kvm-case-study --only 'run_report/*' --workers 2
    """
    settings: Settings = replace(context.obj, max_expanded_bytes=max_expanded)
    wanted = _choose(settings.raw, study, only)
    _check_writable(out)
    has_unreadable = print_unreadable_folders(settings.raw, [study] if study else ())
    with orderly_exit():
        is_complete = _render(wanted, settings, out, only, workers, scheduler, force, timeout)
    print_line(f"{out / 'index.html'}")
    if has_unreadable or not is_complete:
        raise typer.Exit(1)


class _Wanted:
    """The wanted pages of one study, and the runs that they read."""

    def __init__(self, study: api.Study, server: str | None, run: str | None, only: Any):
        self.study, self.server, self.run = study, server, run
        self.all_runs = runs = study.runs()
        plan = report.plan_study(study, runs=runs)
        self.pages = report.choose_pages(plan, study, only or None, server=server, run=run)
        self.not_applicable = [] if only or server else plan.not_applicable_sentences
        needed = {r.id: r for page in self.pages for r in report.runs_of(page, study, runs)}
        self.runs = list(needed.values())


def _choose(raw: Path, selector: str | None, only: list[str] | None) -> list[_Wanted]:
    """The wanted pages by study; exit code 2 if there is no such study, server, run or page."""
    studies = {study.name: study for study in api.find_studies(raw)}
    prefix = raw.as_posix().rstrip("/") + "/"
    parts = (selector or "").removeprefix(prefix).strip("/").split("/")
    name, server, run, *more = [*parts, None, None] if len(parts) < 3 else parts
    if not studies or more != [None] * len(more) or (name and name not in studies):
        names = ", ".join(studies) or "none"
        raise usage_error(f"{raw}: no study {selector!r}; choose from {names}")
    wanted, errors = [], []
    for study in [studies[name]] if name else studies.values():
        try:
            wanted.append(_Wanted(study, server, run, only))
        except ValueError as error:
            errors.append(str(error))
    if not wanted:
        raise usage_error("; ".join(errors))
    return wanted


def _check_writable(out: Path) -> None:
    """Exit code 2 if no file can be written into the folder."""
    import tempfile

    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise usage_error(f"{out}: cannot be written: {error.strerror or error}") from None


def _render(
    wanted: list[_Wanted],
    settings: Settings,
    out: Path,
    only: list[str] | None,
    workers: int,
    scheduler: str | None,
    force: bool,
    timeout_s: float,
) -> bool:
    """Ingest the runs, render the pages, print what became of them; whether all are complete."""
    runs = [run for each in wanted for run in each.runs]
    ingested = ingest_and_print(runs, settings, workers=workers, scheduler=scheduler)
    rows: list[dict[str, Any]] = []
    with progress("report", sum(len(each.pages) for each in wanted), "page") as step:

        def report_page(row: dict[str, Any]) -> None:
            rows.append(row)
            if row["unchanged"]:
                step.unchanged()
            else:
                step(f"{row['page']} {report.page_result(row)}", keep=bool(row["error"]))

        for each in wanted:
            report.render(
                each.study.name,
                raw=settings.raw,
                processed=settings.processed,
                out=out,
                only=only or None,
                server=each.server,
                run=each.run,
                workers=workers,
                scheduler=scheduler,
                force=force,
                timeout_s=timeout_s,
                ingested=ingested,
                runs=each.all_runs,
                progress=report_page,
            )
    for each in wanted:
        for sentence in each.not_applicable:
            typer.echo(escape_controls(f"report: {each.study.name}: {sentence}"), err=True)
    status = report.status_of(rows)
    typer.echo(f"report: {status.text()}", err=True)
    return status.is_complete

"""``queuevisor report``: the notebooks as pages that open offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline import api
from pipeline.cli.console import Settings, progress, usage_error
from pipeline.cli.ingest import Workers, ingest_with_progress


def make_report(
    context: typer.Context,
    study: Annotated[str | None, typer.Argument(help="Study (default: all).")] = None,
    only: Annotated[
        str | None,
        typer.Option(help="Only this notebook, run, or pattern, e.g. run_report/first/*."),
    ] = None,
    workers: Workers = 1,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the pages.")] = Path(
        "reports"
    ),
) -> None:
    """Run the notebooks and write pages that open offline: reports/index.html.

    A notebook that fails does not stop the others: the index marks it, and the exit code is 1.

    Example: queuevisor report kvm-case-study --only compare_servers
    """
    from pipeline import report  # papermill and nbconvert take a second to import

    settings: Settings = context.obj
    studies = {each.name: each for each in api.find_studies(settings.raw)}
    if not studies or study not in (None, *studies):
        raise usage_error(
            f"{settings.raw}: no study {study!r}; there are: {', '.join(studies) or 'none'}"
        )
    chosen = [each for name, each in studies.items() if study in (None, name)]
    try:
        pages = [page for each in chosen for page in report.plan_pages(each, only)]
    except ValueError as error:
        raise usage_error(str(error)) from None
    runs = [run for run in api.find_runs(settings.raw) if study in (None, run.study)]
    is_complete = ingest_with_progress(runs, settings, workers=workers)
    with progress("report", len(pages)) as step:
        all_done = report.render_studies(
            study,
            raw=settings.raw,
            processed=settings.processed,
            out=out,
            only=only,
            workers=workers,
            progress=lambda row: step(_page_line(row)),
        )
    typer.echo(f"{out / 'index.html'}")
    if not (all_done and is_complete):
        raise typer.Exit(1)


def _page_line(row: dict[str, object]) -> str:
    if row["error"]:
        return f"{row['page']} FAILED: {row['error']}"
    return f"{row['page']} done in {row['seconds']:.1f} s"

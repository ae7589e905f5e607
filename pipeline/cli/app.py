"""The command line's root: options that every command shares, and the way out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline import __version__
from pipeline.api import IngestError, ParseError, RawRunError
from pipeline.cli import doctor, logs, simulate, solve, studies
from pipeline.cli.say import complain

app = typer.Typer(
    name="queuevisor",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Where does a request's time go on a KVM virtual server, how much more can it take,
and can the answer be believed?

Raw logs of a host and its guests become tidy tables (`ingest`), the paper's equations with every
intermediate number (`ledger`), and pages that open offline (`report`).

Start with `queuevisor runs` to see what is recorded, then `queuevisor report`.
""",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"queuevisor {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    raw: Annotated[
        Path, typer.Option(envvar="QUEUEVISOR_RAW", help="Folder of the recorded studies.")
    ] = Path("data/raw"),
    processed: Annotated[
        Path, typer.Option(envvar="QUEUEVISOR_PROCESSED", help="Folder of the tidy tables.")
    ] = Path("data/processed"),
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep the shared options for the command that follows."""
    context.obj = studies.Settings(raw, processed)


for name, command in {
    "runs": studies.list_runs,
    "ingest": studies.ingest_runs,
    "ledger": studies.print_ledger,
    "report": studies.make_report,
    "parse": logs.parse_log,
    "solve": solve.solve_model,
    "simulate": simulate.simulate_study,
    "doctor": doctor.doctor,
}.items():
    app.command(name)(command)


def main() -> None:
    """Run ``queuevisor``; what is known to go wrong is one clear line and exit code 2."""
    try:
        app(prog_name="queuevisor")  # also as `python -m pipeline.cli`
    except (RawRunError, IngestError, ParseError) as error:
        complain(str(error))
        sys.exit(2)
    except BrokenPipeError:  # the reader (`| head`) has seen enough
        sys.stderr.close()
        sys.exit(0)

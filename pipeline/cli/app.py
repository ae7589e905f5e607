"""The command ``queuevisor``: shared options, the list of commands, exit codes of errors."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated, TypeGuard

import typer

from pipeline import __version__
from pipeline.cli import (
    audit,
    course,
    doctor,
    factors,
    import_logs,
    ingest,
    ledger,
    parse,
    report,
    runs,
    simulate,
    solve,
)
from pipeline.cli.console import Settings, print_error
from pipeline.cli.options import parse_location, with_folders, with_local_folders
from pipeline.errors import DEBUG, Error, is_debugging

app = typer.Typer(
    name="queuevisor",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Where does a request's time go on a KVM virtual server, how much more can it take,
and how accurate is the answer?

Raw logs of a host and its guests become tidy tables (`ingest`), the equations of the model with
every intermediate number (`ledger`), and pages that open offline (`report`).

Examples: `queuevisor runs` lists what is recorded; `queuevisor report` writes the pages.
""",
)


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"queuevisor {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    raw: Annotated[
        Path,
        typer.Option(
            envvar="QUEUEVISOR_RAW",
            help="Folder of the raw runs, or the URL of object storage: s3://bucket/raw.",
            parser=parse_location,
            metavar="PATH",
        ),
    ] = Path("data/raw"),
    processed: Annotated[
        Path,
        typer.Option(
            envvar="QUEUEVISOR_PROCESSED",
            help="Folder or URL of the tidy tables.",
            parser=parse_location,
            metavar="PATH",
        ),
    ] = Path("data/processed"),
    debug: Annotated[
        bool, typer.Option("--debug", envvar=DEBUG, help="Show the traceback of an internal error.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep the shared options for the command that follows."""
    if debug:
        os.environ[DEBUG] = "1"  # worker processes, too
    context.obj = Settings(raw, processed)
    if context.invoked_subcommand == "course":
        context.obj = with_local_folders(context.obj, None)


for name, command in {
    "runs": runs.list_runs,
    "import": import_logs.import_logs,
    "ingest": ingest.ingest_runs,
    "ledger": ledger.print_ledger,
    "report": report.make_report,
    "parse": parse.parse_log,
    "audit": audit.audit_table,
    "solve": solve.solve_model,
    "simulate": simulate.simulate_study,
    "doctor": doctor.doctor,
}.items():
    is_import = name == "import"
    cls = import_logs.ImportCommand if is_import else None
    app.command(name, cls=cls)(with_folders(command, is_writer=is_import))
app.add_typer(factors.app, name="factors")
app.add_typer(course.app, name="course")


def main() -> None:
    """Run ``queuevisor``; any error is one line on standard error and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without µ must not end a command
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="queuevisor")  # also as `python -m pipeline.cli`
    except Error as error:
        print_error(str(error))
        sys.exit(2)
    except BrokenPipeError:  # the process that reads the output (`| head`) has ended
        _discard_output()
        sys.exit(0)
    except Exception as error:
        if is_debugging():
            raise
        print_error(_unexpected(error))
        if _is_of_output(error):
            _discard_output()
        sys.exit(2)


def _discard_output() -> None:
    """Else Python writes what is left, and its own message, at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_of_output(error: Exception) -> TypeGuard[OSError]:
    """Whether standard output cannot be written; errors of other files have their name."""
    return (
        isinstance(error, OSError)
        and error.filename is None
        and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO)
    )


def _unexpected(error: Exception) -> str:
    """One line about an exception that no command expects."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror or error}"
    if _is_of_output(error):
        return f"standard output: {error.strerror}"
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = " ".join(str(error).split())
    return f"internal error: {type(error).__name__}: {text}; please report it, with --debug for the traceback"

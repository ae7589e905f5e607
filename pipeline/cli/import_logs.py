"""``queuevisor import``: a raw run of logs that were recorded by hand."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from pipeline import api
from pipeline.cli.console import (
    NOTHING_WRITTEN,
    Settings,
    orderly_exit,
    print_error,
    print_line,
    usage_error,
)
from pipeline.cli.options import MaxExpanded
from pipeline.files import MAX_EXPANDED_BYTES

if TYPE_CHECKING:  # typer brings its own
    import click

LISTS = ("--host", "--guest", "--client")
"""Options that take all words up to the next option."""
GUEST_NAME = (
    "a name of letters, digits, '.', '_' and '-' is expected before the files; not host or client"
)


class ImportCommand(TyperCommand):
    """A command whose options ``LISTS`` take several words: ``--guest db a.log b.log``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse ``args`` with each word of a list as an option of its own."""
        return super().parse_args(ctx, split_lists(args))


def split_lists(args: Iterable[str]) -> list[str]:
    """``args`` with each option of ``LISTS`` repeated for each of its values; a guest's name is put before its files.

    Examples
    --------
    >>> split_lists(["out", "--host", "a", "b", "--guest", "db", "c", "--yes"])
    ['out', '--host=a', '--host=b', '--guest=db=c', '--yes']
    """
    option, name, result = None, None, []
    for word in args:
        if word.startswith("-") and word != "-":
            option, name = (word, None) if word in LISTS else (None, None)
            if option == "--guest":
                name = ""
            if option is None:
                result.append(word)
        elif option is None:
            result.append(word)
        elif name == "" and "=" not in word:
            name = word
        else:
            result.append(f"{option}={name}={word}" if name else f"{option}={word}")
    return result


def import_logs(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Argument(
            help="The run's new folder: STUDY/SERVER/RUN below the folder of the raw runs, or a path that ends so."
        ),
    ],
    host: Annotated[
        list[str] | None, typer.Option(metavar="FILE…", help="Logs of the host, or its folder.")
    ] = None,
    guest: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME FILE…", help="Logs of a guest, or its folder; once per guest."),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE…",
            help="Reports of httperf or sysbench; with several guests maybe GUEST=FILE.",
        ),
    ] = None,
    cpus: Annotated[
        list[str] | None, typer.Option(metavar="N", help="CPUs of the host; of a guest: db=2.")
    ] = None,
    date: Annotated[
        str | None, typer.Option(help="First day of logs without a date, YYYY-MM-DD.")
    ] = None,
    tz: Annotated[
        list[str] | None,
        typer.Option(metavar="ZONE", help="Time zone of the machines; of one: db=Asia/Shanghai."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Start of the load by the host's clock: HH:MM:SS, or with a date."),
    ] = None,
    end: Annotated[str | None, typer.Option(help="Its end.")] = None,
    server_processes: Annotated[
        list[str] | None,
        typer.Option(metavar="GUEST=REGEX", help="Names of the server's processes in a guest."),
    ] = None,
    qemu: Annotated[
        list[str] | None,
        typer.Option(metavar="GUEST=REGEX", help="Command line of a guest's QEMU on the host."),
    ] = None,
    disk: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GUEST=vda:sda", help="A guest's virtual disk, and the host's disk under it."
        ),
    ] = None,
    devices: Annotated[
        list[str] | None,
        typer.Option(
            metavar="sda,sdb", help="Devices of counters without names, host's; a guest's: db=vda."
        ),
    ] = None,
    iotop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE=HH:MM:SS/S", help="Time of iotop's first snapshot, and its delay."
        ),
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Option(metavar="GUEST=LOAD", help="closed:16, open:5, open:5:poisson."),
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(metavar="kvm|tcg", help="How the guests ran.")
    ] = None,
    max_expanded: MaxExpanded = MAX_EXPANDED_BYTES,
    yes: Annotated[bool, typer.Option("--yes", help="Accept what is proposed.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")
    ] = False,
) -> None:
    """Make a run of logs that were recorded by hand with top, iotop, cat /sys/block/*/stat and a load generator.

    OUT comes first. Each file's kind is recognized by its content. The window of the load, the clocks, the server's
    processes, QEMU and the disks are inferred and shown; each can be given instead. Files are copied as they are. Exit
    code 2 if something is needed that the logs do not say.

    Examples:

    queuevisor import old/srv/r1 --host top.log iotop.log stat.before stat.after --guest db db/*.log
    --client sysbench.log --date 2015-06-01 --tz Asia/Shanghai --cpus 4

    queuevisor import old/srv/r2 --host rec/host --guest web rec/web --client httperf.log --dry-run
    """
    settings: Settings = context.obj
    path = _run_folder(out, settings.raw)
    try:
        names = api.run_names(path)
        files, clients = _files(host, guest, client)
        sources, facts, notes = api.read_sources(files, max_expanded_bytes=max_expanded)
        choices = api.Choices(
            cpus={role: _count(text) for role, text in _keyed("--cpus", cpus, "host").items()},
            date=date,
            tz=_keyed("--tz", tz, ""),
            server_processes=_keyed("--server-processes", server_processes, None),
            qemu=_keyed("--qemu", qemu, None),
            disks={name: _disks(text) for name, text in _keyed("--disk", disk, None).items()},
            workloads=_keyed("--workload", workload, ""),
            accelerator=accelerator,
            start=start,
            end=end,
            devices={
                role: _devices(text) for role, text in _keyed("--devices", devices, "host").items()
            },
            iotop=_keyed("--iotop", iotop, None),
            clients=clients,
        )
        if accelerator not in (None, "kvm", "tcg"):
            raise usage_error("--accelerator: choose from kvm, tcg")

        def propose(given: Any) -> Any:
            return api.propose(names, sources, given, facts, notes)

        plan = _answered(propose, choices, yes=yes)
        _show(plan)
        if dry_run:
            print_line(f"not written: {path}")
            return
        if sys.stdin.isatty() and not yes:
            typer.confirm("Write this run?", default=True, abort=True)
        with orderly_exit(NOTHING_WRITTEN):
            written = api.write_plan(plan, path)
        for each in written:
            print_line(f"wrote {each}")
    except api.AssembleError as error:
        raise usage_error(str(error)) from None
    print_line(f"next: {_next_command(path, settings.raw)}")


def _answered(propose: Callable[[Any], Any], choices: Any, *, yes: bool) -> Any:
    """The plan without questions: asked on a terminal, else an error that names the options."""
    plan = propose(choices)
    is_terminal = sys.stdin.isatty() and not yes
    while plan.questions:
        open_questions = [
            q for q in plan.questions if not (yes and q.default and _option(q) in _ASKED)
        ]
        if open_questions and not is_terminal:
            _show(plan)
            needed = "; ".join(f"{q.option} ({q.text})" for q in open_questions)
            raise usage_error(f"the logs do not say: {needed}")
        question = plan.questions[0]
        if _option(question) not in _ASKED:
            _show(plan)
            raise usage_error(f"the logs do not say: {question.option} ({question.text})")
        answer = question.default
        if is_terminal:
            answer = typer.prompt(question.text, default=question.default)
        role = question.option.partition(" ")[2].rstrip("=") or "host"
        choices = _ASKED[_option(question)](choices, answer, role)
        plan = propose(choices)
    return plan


def _option(question: Any) -> str:
    """The option that answers a question, without its role."""
    return question.option.partition(" ")[0]


_ASKED: dict[str, Callable[[Any, str, str], Any]] = {
    "--date": lambda choices, text, _: replace(choices, date=text),
    "--tz": lambda choices, text, _: replace(choices, tz={**choices.tz, "": text}),
    "--cpus": lambda choices, text, role: replace(
        choices, cpus={**choices.cpus, role: _count(text)}
    ),
    "--start": lambda choices, text, _: replace(choices, start=text),
    "--devices": lambda choices, text, role: replace(
        choices, devices={**choices.devices, role: _devices(text)}
    ),
}
"""Questions that are asked on a terminal, and where their answer goes."""


def _show(plan: Any) -> None:
    """Print what was inferred, and how."""
    width = max((len(each.subject) for each in plan.inferences), default=0)
    for each in plan.inferences:
        reason = f"   [{each.reason}]" if each.reason else ""
        print_line(f"{each.subject:<{width}}  {each.value}{reason}")
    for note in plan.notes:
        print_error(note)


def _run_folder(out: Path, raw: Path) -> Path:
    """The run's folder: ``out`` itself if it is below ``raw`` or has more than three parts, else below ``raw``."""
    is_relative = not out.is_absolute() and len(out.parts) == 3 and not str(out).startswith(".")
    return raw / out if is_relative else out


def _next_command(path: Path, raw: Path) -> str:
    """The command that makes the run's page, as it can be typed in this folder."""
    study, server, run = path.parts[-3:]
    folder = path.parent.parent.parent
    is_default = folder.resolve() == Path("data/raw").resolve()
    option = [] if is_default else ["--raw", str(folder)]
    page = f"run_report/{server}/{run}"
    return shlex.join([*_program(sys.argv[0]), *option, "report", "--only", page, study])


def _program(called: str) -> list[str]:
    """This program as it was called: by its path from this folder, or by its name."""
    path = Path(called)
    if path.parts[-3:] == ("pipeline", "cli", "__main__.py"):
        return [_relative(Path(sys.executable)), "-m", "pipeline.cli"]
    is_path = path.name == "queuevisor" and path.is_file() and os.sep in called
    return [_relative(path) if is_path else "queuevisor"]


def _relative(path: Path) -> str:
    """``path`` without this folder, if it is below it."""
    absolute = path.absolute()  # a link to an interpreter is not followed
    is_below = absolute.is_relative_to(Path.cwd())
    return str(absolute.relative_to(Path.cwd()) if is_below else absolute)


def _files(
    host: list[str] | None, guest: list[str] | None, client: list[str] | None
) -> tuple[dict[str, list[Path]], dict[str, str]]:
    """Files by role, and the guest of each client's report that states one."""
    files: dict[str, list[Path]] = {}
    clients: dict[str, str] = {}
    for text in host or ():
        files.setdefault("host", []).append(Path(text))
    for text in guest or ():
        name, equals, path = text.partition("=")
        if not equals:
            raise usage_error(f"--guest {name}: no file; use --guest NAME FILE…")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) or name in ("host", "client"):
            raise usage_error(f"--guest {name}: {GUEST_NAME}")
        files.setdefault(name, []).append(Path(path))
    for text in client or ():
        name, equals, path = text.partition("=")
        if equals and not Path(text).exists():
            clients[path] = name
            text = path
        files.setdefault("client", []).append(Path(text))
    return files, clients


def _keyed(option: str, texts: list[str] | None, default: str | None) -> dict[str, str]:
    """``KEY=VALUE`` by key; a value without a key has the key ``default``, which is an error if it is None."""
    values = {}
    for text in texts or ():
        match = re.match(r"([A-Za-z0-9_][A-Za-z0-9._-]*)=(.*)", text)
        if match is None and default is None:
            raise usage_error(f"{option} {text}: use {option} GUEST=VALUE")
        key, value = (match[1], match[2]) if match else (default or "", text)
        values[key] = value
    return values


def _count(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 65_536:
        raise usage_error(f"--cpus {text}: a number of CPUs is expected, as 4 or db=2")
    return int(text)


def _devices(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^,\s]+", text))


def _disks(text: str) -> tuple[str, str]:
    virtual, colon, physical = text.partition(":")
    if not (colon and virtual and physical):
        raise usage_error(f"--disk {text}: use GUEST=VIRTUAL:HOST, for example db=vda:sda")
    return virtual, physical

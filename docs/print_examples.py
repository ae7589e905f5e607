"""Run the commands and the Python of README, tutorial, how-to and background/factors.md, and print what they show.

Blocks are fenced, and the word after the fence says what is done with them:

- ``console``: lines with ``$`` are commands (``>`` continues one), the lines below each one its output; a line ``…``
  stands for any lines;
- ``sh``: commands whose output is not shown;
- ``python``: run in one namespace per page; a ``text`` block that follows is what it prints;
- ``python excerpt``: a part of a file, only parsed;
- ``text``, ``json``: not run.

Commands that cannot run everywhere are in ``NOT_RUN`` with the reason; of those, the options are checked against the
program's help, and targets of ``make`` against the Makefile. ``make docs`` writes the outputs, a test compares them.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
LANGUAGES = {"console", "sh", "python", "python excerpt", "text", "json"}
LEFT_OUT = "…"
MAX_SECONDS = 300

PACKAGES = {"zstdcat": "zstd"}
"""Programs that a page may use though not every machine has them, and the Debian package of each."""

NOT_RUN: dict[str, str] = {
    r"make report": "installs packages, then renders every page",
    r"make test": "runs the tests that run this",
    r"make lab": "opens JupyterLab and waits",
    r"make docs": "prints the pages that are read here",
    r"(sudo )?make testbed": "records for hours, as root",
    r"make fuzz .*": "runs for as long as it is given",
    r"make check": "runs the tests that run this",
    r"(sudo )?python3 testbed/testbed\.py .*": "builds or starts virtual machines, as root",
    r"virsh .*": "needs a host with libvirt",
    r"ps -ww .*": "shows a KVM host's processes",
    r"sysbench .*": "needs a database server",
    r"sh collectors/agent/collect check": "its exit code says what this machine lacks",
    r"python3 collectors/client/record_experiment\.py .*": "connects to a host and its guests",
    r"collectors/agent/collect run .*": "records this machine; tests/collectors does",
    r"tail -n 4 /tmp/try/.*": "reads what the command before recorded",
    r"rm -r /tmp/raw/.*": "removes a recorded run",
    r"\.venv/bin/queuevisor runs my-study.*": "lists the reader's own study",
    r"rm -r (data/raw/my-study .*|reports)": "removes the reader's own study and its pages",
    r"\.venv/bin/queuevisor parse access access\.log .*": "reads a log of the reader's own",
    r"\.venv/bin/queuevisor --raw /tmp/raw .*": "reads a study that was recorded as root",
    r"\.venv/bin/queuevisor --raw old-runs report .*": "renders a page, as the tutorial does",
    r"\.venv/bin/queuevisor ledger my-study .*": "reads a study of the reader's own",
    r"\.venv/bin/python -m pytest .*": "runs tests",
    r"\.venv/bin/python tests/parse/golden\.py .*": "writes golden files",
    r"apt install .*": "needs root and the network",
    r"\.venv/bin/dask (scheduler|worker) .*": "waits for tasks; tests/workers starts both",
    r"\.venv/bin/queuevisor .*--scheduler tcp://.*": "needs a cluster; tests/workers has one",
    r"\.venv/bin/queuevisor --raw s3://.*": "needs object storage; tests/storage has one",
    r"(helm|kubectl) .*": "needs a Kubernetes cluster",
    r"make doctor": "installs packages",
    r"service .*": "starts or stops a server, as root",
    r"mariadb .*": "needs a database server",
    r"rm /var/lib/mysql/.*": "removes a file of a database server",
    r"sh collectors/agent/collect check --only .*": "its exit code says whether a process matches",
    r"\.venv/bin/queuevisor (report my-experiment .*|runs my-experiment)": "reads a study of the reader's own",
    r"\.venv/bin/queuevisor (report|ledger) my-study/my-(host|server)/.*": "reads a run of the reader's own",
}
"""Pattern of a whole command → why it is not run."""


class ExampleError(Exception):
    """A block of a page does not do what the page shows; says the page, the line and what happened."""


class MissingProgramError(Exception):
    """A program that not every machine has; says the package."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    indent: str
    lines: list[str]

    def at(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass
class Workspace:
    """A folder with the project's layout, tables of its own, and the commands in ``.venv/bin``."""

    folder: Path
    namespace: dict = field(default_factory=dict)

    def prepare(self) -> None:
        """Fill the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in (
            "collectors",
            "notebooks",
            "docs",
            "testbed",
            "Makefile",
            "benchmarks",
            "tests",
            "pipeline",
        ):
            (self.folder / name).symlink_to(ROOT / name)
        (self.folder / "data/raw").mkdir(parents=True)
        for study in ("kvm-case-study", "published"):
            (self.folder / "data/raw" / study).symlink_to(ROOT / "data/raw" / study)
        shutil.copy(ROOT / "tests/golden/top/procps_3.2.8_centos6.log", self.folder / "old-top.log")
        programs = self.folder / ".venv/bin"
        programs.mkdir(parents=True)
        self._program(programs / "queuevisor", "-m pipeline.cli")
        self._program(programs / "papermill", "-m papermill")
        self._program(programs / "python", "")

    def _program(self, path: Path, arguments: str) -> None:
        path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        path.chmod(0o755)

    def environment(self) -> dict[str, str]:
        """Of a command: this project's code, plain output of a fixed width."""
        fixed = {
            "PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1",
            "TERM": "dumb", "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        return {**os.environ, **fixed}

    def run(self, command: str, at: str) -> str:
        """Run a command and return what it prints on stdout; ``ExampleError`` if it fails."""
        program = command.split()[0]
        if program in PACKAGES and not shutil.which(program):
            raise MissingProgramError(f"{program} is missing (apt install {PACKAGES[program]})")
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.folder, env=self.environment(), timeout=MAX_SECONDS,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ExampleError(
                f"{at}: {command}: exit code {done.returncode}\n{done.stderr[-2000:]}"
            )
        return done.stdout

    def run_python(self, code: str, at: str) -> str:
        """Run Python in the page's namespace and return what it prints."""
        printed = io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(printed):
            try:
                exec(compile(code, at, "exec"), self.namespace)
            except Exception as error:
                raise ExampleError(f"{at}: {type(error).__name__}: {error}") from error
        return printed.getvalue()


def pages() -> list[Path]:
    """The pages whose blocks are run."""
    return [
        ROOT / "README.md",
        *sorted((ROOT / "docs/tutorial").glob("*.md")),
        *sorted((ROOT / "docs/how-to").glob("*.md")),
        ROOT / "docs/background/factors.md",
    ]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page; ``ExampleError`` for an indented block or an unknown language."""
    opened: Block | None = None
    before = ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = re.fullmatch(r"( *)```(.*)", line)
        if opened is None and fence:
            opened = Block(page, number, fence[2].strip(), fence[1], [])
            if opened.language not in LANGUAGES:
                raise ExampleError(f"{opened.at()}: unknown kind of block '{opened.language}'")
        elif opened is not None and fence and not fence[2]:
            yield opened
            opened = None
        elif opened is not None:
            opened.lines.append(line.removeprefix(opened.indent))
        elif (
            re.match(r" {4,}\S", line)
            and not before.strip()
            and not re.match(r" +([-*]|\d+\.) ", line)
        ):
            raise ExampleError(f"{page.relative_to(ROOT)}:{number}: an indented block; use a fence")
        before = line


def commands(lines: list[str]) -> Iterator[str]:
    """The commands of a ``sh`` block, continued lines joined."""
    joined = "\n".join(lines).replace("\\\n", " ")
    yield from (line for line in joined.splitlines() if line.strip() and not line.startswith("#"))


def without_comment(command: str) -> str:
    """A command without the remark behind it."""
    return re.sub(r"\s+#\s.*$", "", command).strip()


def reason_not_run(command: str) -> str | None:
    """Why a command is not run; None if it is."""
    for pattern, reason in NOT_RUN.items():
        if re.fullmatch(pattern, without_comment(command)):
            return reason
    return None


def check_options(command: str, at: str) -> None:
    """Hold a command that is not run against its program: targets of ``make``, subcommands and long options."""
    words = shlex.split(without_comment(command), comments=True)
    words = words[1:] if words[0] == "sudo" else words
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        if words[1] not in targets:
            raise ExampleError(f"{at}: make has no target {words[1]}")
        return
    program = [
        sys.executable if words[0] in ("python3", ".venv/bin/python") else words[0],
        *words[1:2],
    ]
    rest = words[2:]
    if words[0] == ".venv/bin/queuevisor":
        program, rest = [sys.executable, "-m", "pipeline.cli"], words[1:]
    elif words[0] == "collectors/agent/collect":
        program, rest = words[:1], words[1:]
    elif words[0] not in ("python3", "sh"):
        return
    subcommand = [word for word in rest if re.fullmatch(r"[a-z]+", word)][:1]
    texts = [_help((*program, *ask)) for ask in (["--help"], [*subcommand, "--help"])]
    for option in (
        word.split("=")[0].strip("[]") for word in rest if word.strip("[]").startswith("-")
    ):
        if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", " ".join(texts)):
            raise ExampleError(f"{at}: {command}: no option {option} in the help")


@cache
def _help(command: tuple[str, ...]) -> str:
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
        "TERMINAL_WIDTH": "200",
        "NO_COLOR": "1",
    }
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def tidy(text: str) -> list[str]:
    """Lines without trailing blanks, none empty at the ends."""
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether the page shows what was printed; ``…`` alone on a line stands for any lines."""
    parts = "\n".join(shown).split(f"\n{LEFT_OUT}")
    pattern = r"(\n.*)*".join(re.escape(part) for part in parts)
    return re.fullmatch(pattern, "\n".join(printed)) is not None


def shortened(shown: list[str], printed: list[str]) -> list[str]:
    """``printed``, with as many lines at the start and the end as the page shows around its ``…``."""
    if LEFT_OUT not in shown:
        return printed
    first = shown.index(LEFT_OUT)
    last = len(shown) - first - 1
    if first + last >= len(printed):
        return printed
    return [*printed[:first], LEFT_OUT, *(printed[-last:] if last else [])]


def run_page(page: Path, workspace: Workspace, *, write: bool = False) -> str:
    """Run a page's blocks in order; the page's text with the outputs as printed now if ``write``.

    Raises ``ExampleError`` where a command fails or, without ``write``, prints something else than the page shows.
    """
    workspace.namespace.clear()
    text = page.read_text().splitlines()
    replaced: list[tuple[int, int, list[str]]] = []
    printed: list[str] | None = None

    def compare(shown: list[str], got: list[str], at: str) -> list[str]:
        if not write and not matches(shown, got):
            raise ExampleError(
                f"{at}: prints\n" + "\n".join(got) + "\nbut the page shows\n" + "\n".join(shown)
            )
        return shortened(shown, got)

    for block in blocks(page):
        at, body = block.at(), "\n".join(block.lines)
        if block.language == "text" and printed is not None:
            new = compare(block.lines, printed, at)
            replaced.append((block.line, len(block.lines), [block.indent + line for line in new]))
        printed = None
        if block.language == "python":
            printed = tidy(workspace.run_python(body, at))
        elif block.language == "python excerpt":
            ast.parse(body.replace("…", "..."))
        elif block.language == "sh":
            for command in commands(block.lines):
                _run_or_check(command, workspace, at)
        elif block.language == "console":
            new = []
            for command, shown in sessions(block.lines):
                got = _run_or_check(command, workspace, at)
                typed = command.replace("\n", "\n> ").splitlines()
                new += [
                    f"$ {typed[0]}",
                    *typed[1:],
                    *(shown if got is None else compare(shown, tidy(got), at)),
                ]
            replaced.append((block.line, len(block.lines), [block.indent + line for line in new]))
    for line, count, new in reversed(replaced):
        text[line : line + count] = new
    return "\n".join(text) + "\n"


def sessions(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Command and output of a ``console`` block, in turn."""
    command, shown = None, []
    for line in lines:
        if line.startswith("$ "):
            if command is not None:
                yield command, tidy("\n".join(shown))
            command, shown = line[2:], []
        elif line.startswith("> ") and command is not None and not shown:
            command += "\n" + line[2:]
        else:
            shown.append(line)
    if command is not None:
        yield command, tidy("\n".join(shown))


def _run_or_check(command: str, workspace: Workspace, at: str) -> str | None:
    if reason_not_run(command) is not None:
        check_options(command, at)
        return None
    return workspace.run(command, at)


def main() -> None:
    """Write the outputs into every page."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "queuevisor")
        workspace.prepare()
        for page in pages():
            new = run_page(page, workspace, write=True)
            if new != page.read_text():
                page.write_text(new)


if __name__ == "__main__":
    main()

"""Planted text and links: secrets that nothing may hold, formulas, escape codes, markup."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import polars as pl
from fault_case import LEAK, LOST, OVERWRITTEN, SAME, TRACEBACK, Case, Outcome
from fault_judge import crash_of
from fault_study import WEB, Copy
from fault_worker import run_command
from killed import LIMIT_S, finish, start_program

from pipeline.files import ROOT

SECRETS = tuple(f"Zq{number:02d}xVw7kPlanted" for number in range(1, 13))
PLANTED = (
    ("host/tasks.log", "task", "mysqld --password={0}"),
    ("host/iotop.log", "iotop", "mysql -u root -p{1} -h db"),
    ("host/tasks.log", "task", "curl -u admin:{2} https://example.org/"),
    ("web/access.log", "target", "/login?user=a&token={3}"),
    ("web/access.log", "referer", "http://admin:{4}@example.org/"),
    ("web/access.log", "agent", "x Authorization: Bearer {5}"),
    ("web/top.log", "line", "SET PASSWORD FOR 'app'@'%' = '{6}'"),
    ("web/top.log", "line", "CREATE USER app IDENTIFIED BY '{7}'"),
    ("run.json", "commands", "--mysql-password={8}"),
    ("host/facts.json", "commands", "--api-key={9}"),
    ("host/tasks.log", "task", "env AWS_SECRET_ACCESS_KEY={10} app"),
    ("web/block.log", "line", "password={11} is no device"),
)
"""File, place in it, and text around each secret."""

HOSTILE = (
    "=HYPERLINK(1)", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\x1b]0;title\x07", "\x1b[2J", "\x9b2J",
    "<script>alert(1)</script>", "</style><img src=x onerror=alert(1)>", "\u202etxt.exe",
)  # fmt: skip
"""Names of processes and clients."""
SUFFIXES = ("csv", "json", "ndjson", "parquet", "tex", "xlsx", "txt")
FORMULA = ("=", "+", "@", "\t", "\r")
"""First characters of a cell that a spreadsheet evaluates; `-` only before anything but a number."""
CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {0x09, 0x0A, 0x0D}


def cases() -> Iterator[Case]:
    """Planted text in a recording, and what is written from it."""

    def case(name: str, program: Callable[[Copy], Outcome], **options: object) -> Case:
        full = f"planted/{name}"
        return Case(
            full,
            "G",
            lambda copy: None,
            program=partial(program, name=full),
            limit_s=LIMIT_S,
            **options,
        )

    yield case("12 secrets in tables and exports", _secrets)
    yield case("12 secrets on a page", _secrets_on_page)
    yield case("secrets in command lines, recorded here", _recorded)
    yield case("formulas, escape codes, markup in exports", _hostile)
    yield case("markup on a page", _hostile_page)
    yield case("link at ledger -o", _planted_link, ingested=True)
    yield case("link at parse -o", _planted_parse_link)
    yield case("link at the lock of a run", _planted_lock)


def _plant(copy: Copy, name: str, place: str, text: str) -> None:
    """Put a text into a log or a manifest of the run, where a process or a client would."""
    if place == "commands":
        copy.edit_json(name, lambda manifest: manifest["commands"].update(planted=["app", text]))
        return
    data = text.encode()

    def change(log: bytes) -> bytes:
        lines = log.split(b"\n")
        if place == "task":  # the command line of a process that tasks.log follows
            at = next(n for n, line in enumerate(lines) if line.startswith(b"c ") and n > 3)
            head = b" ".join(lines[at].split(b" ")[:3])
            lines.insert(at + 1, head + b" " + data)
        elif place == "iotop":
            at = max(n for n, line in enumerate(lines) if b"qemu-system" in line)
            lines.insert(
                at + 1, b"31999 be/4 root       64.00 K/s    0.00 K/s  0.00 %  0.10 % " + data
            )
        elif place == "line":
            lines.insert(len(lines) // 2, data)
        else:
            field = {"target": 1, "referer": 3, "agent": 5}[place]
            for at in (len(lines) // 2, len(lines) // 2 + 1):
                parts = lines[at].split(b'"')
                parts[field] = b"GET " + data + b" HTTP/1.1" if field == 1 else data
                lines[at] = b'"'.join(parts)
        return b"\n".join(lines)

    copy.edit_log(name, change)


def texts_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file below a folder with its text: tables and workbooks unpacked, others as they are."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = str(path.relative_to(folder))
        if path.suffix == ".parquet":
            yield name, pl.read_parquet(path, hive_partitioning=False).write_ndjson()
        elif path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield f"{name}!{member}", archive.read(member).decode(errors="replace")
        else:
            yield name, path.read_bytes().decode(errors="replace")


def _write_exports(copy: Copy) -> tuple[str, list[str]]:
    """Write the ledger in every form, and every log as a table; the terminal's text and what went wrong."""
    out = copy.folder / "out"
    out.mkdir()
    printed, problems = "", []
    commands = [
        ("ingest",),
        ("runs",),
        ("ledger",),
        ("ledger", "--wide"),
        ("ledger", "--format", "csv"),
    ]
    commands += [("ledger", "-o", str(out / f"ledger.{suffix}")) for suffix in SUFFIXES]
    for path in sorted(copy.run.glob("*/*.log*")):
        if path.parent.name != "client":
            target = out / f"{path.parent.name}-{path.name.split('.')[0]}.csv"
            commands.append(
                (
                    "parse",
                    "auto",
                    str(path),
                    "-o",
                    str(target),
                    "--date",
                    "2026-01-15",
                    "--tz",
                    "UTC",
                )
            )
    for arguments in commands:
        done = run_command(copy.folder, arguments)
        printed += done.stdout + done.stderr
        if arguments[0] != "parse" and (problem := crash_of(done)):
            problems.append(problem)
    return printed, problems


def _search(copy: Copy, name: str, printed: str, *folders: Path) -> Outcome:
    written = [("terminal", printed)]
    for folder in folders:
        written += texts_in(folder)
    hits = sorted(
        {
            f"{number + 1} in {place}"
            for place, text in written
            for number, s in enumerate(SECRETS)
            if s in text
        }
    )
    if hits:
        numbers = sorted({int(hit.split()[0]) for hit in hits})
        return Outcome(name, "G", LEAK, f"secrets {numbers}: {', '.join(hits[:6])}")
    return Outcome(name, "G", SAME, f"{len(written)} files and parts searched")


def _plant_secrets(copy: Copy) -> None:
    for name, place, text in PLANTED:
        _plant(copy, name, place, text.format(*SECRETS))


def _secrets(copy: Copy, name: str) -> Outcome:
    _plant_secrets(copy)
    printed, _ = _write_exports(copy)
    return _search(copy, name, printed, copy.processed, copy.folder / "out")


def _page(copy: Copy) -> str:
    """Render the run's page; what the command prints."""
    done = finish(start_program(copy, ("report", WEB, "-o", str(copy.folder / "pages"))), "report")
    return done.stdout + done.stderr


def _secrets_on_page(copy: Copy, name: str) -> Outcome:
    _plant_secrets(copy)
    printed = _page(copy)
    pages = list((copy.folder / "pages").rglob("*.html"))
    if len(pages) < 2:
        return Outcome(name, "G", LOST, f"no page: {printed[-300:]}")
    return _search(copy, name, printed, copy.folder / "pages")


def _recorded(copy: Copy, name: str) -> Outcome:
    """Record this machine for some seconds, with processes whose command lines hold secrets."""
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    lines = [
        ["--password=" + SECRETS[0]], ["--mysql-password", SECRETS[1]], ["PGPASSWORD=" + SECRETS[2]],
        ["https://user:" + SECRETS[3] + "@example.org/"], ["--token", SECRETS[4]], ["api_key=" + SECRETS[5]],
    ]  # fmt: skip
    processes = [subprocess.Popen([*sleeper, "faults-sleeper", *line]) for line in lines]
    out = copy.folder / "recording"
    collect = ROOT / "collectors/agent/collect"
    try:
        done = subprocess.run(
            [str(collect), "run", "--out", str(out), "--seconds", "3", "--only", "faults-sleeper"],
            capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": ""},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return Outcome(name, "G", LOST, str(error))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    text = "\n".join(text for _, text in texts_in(out)) if out.exists() else ""
    if "faults-sleeper" not in text:
        return Outcome(
            name, "G", LOST, f"nothing was recorded: exit {done.returncode}, {done.stderr[-200:]}"
        )
    outcome = _search(copy, name, done.stdout + done.stderr, out)
    modes = [p.name for p in [out, *out.rglob("*")] if p.stat().st_mode & 0o077]
    if outcome.outcome == SAME and modes:
        return Outcome(name, "G", LEAK, f"readable for others: {', '.join(modes[:4])}")
    return outcome


def _plant_hostile(copy: Copy) -> None:
    for text in HOSTILE:
        _plant(copy, "host/tasks.log", "task", text)
        _plant(copy, "host/iotop.log", "iotop", text)
        _plant(copy, "web/top.log", "line", text)
        if '"' not in text:
            _plant(copy, "web/access.log", "agent", text)
    # processes of the server itself: their names are in the ledger's notes and on pages
    copy.edit_log("web/top.log", lambda log: log.replace(b" kthreadd", b" =cmd()\x1b[2J<b>x"))


def _hostile(copy: Copy, name: str) -> Outcome:
    _plant_hostile(copy)
    printed, problems = _write_exports(copy)
    if problems:
        return Outcome(name, "G", TRACEBACK, problems[0])
    if controls := sorted({hex(ord(c)) for c in printed if ord(c) in CONTROLS}):
        return Outcome(
            name, "G", LEAK, f"control characters on the terminal: {', '.join(controls)}"
        )
    hits = []
    for place, text in texts_in(copy.folder / "out"):
        if place.endswith(".csv"):
            import csv

            cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
            hits += [f"{place}: {cell[:30]!r}" for cell in cells if _is_formula(cell)]
        elif "xl/worksheets" in place and "<f>" in text:
            hits.append(f"{place}: a formula")
        if not place.endswith((".csv", ".parquet", ".json", ".ndjson")):
            hits += [f"{place}: control" for c in set(text) if ord(c) in CONTROLS][:1]
    if hits:
        return Outcome(name, "G", LEAK, f"{len(hits)} cells: {', '.join(hits[:4])}")
    return Outcome(name, "G", SAME)


def _is_formula(cell: str) -> bool:
    if cell.startswith("-"):
        try:
            float(cell)
        except ValueError:
            return cell != "-" and not cell.startswith("- ")
        return False
    return cell.startswith(FORMULA)


def _hostile_page(copy: Copy, name: str) -> Outcome:
    _plant_hostile(copy)
    printed = _page(copy)
    hits = []
    for place, text in texts_in(copy.folder / "pages"):
        if place.endswith(".html"):
            hits += [
                f"{place}: {m}"
                for m in ("<script>alert(1)", "<img src=x", "<b>x", "\x1b")
                if m in text
            ]
    if not (copy.folder / "pages").exists():
        return Outcome(name, "G", LOST, printed[-300:])
    return Outcome(name, "G", LEAK if hits else SAME, ", ".join(hits[:4]))


def _link(copy: Copy, at: Path) -> Path:
    """A file of somebody else, and a link to it that he has planted."""
    target = copy.folder / "of-somebody-else"
    target.write_text("precious")
    at.parent.mkdir(parents=True, exist_ok=True)
    at.symlink_to(target)
    return target


def _kept(name: str, target: Path) -> Outcome:
    is_kept = target.read_text() == "precious" and target.stat().st_size == 8
    return Outcome(name, "G", SAME if is_kept else OVERWRITTEN)


def _planted_link(copy: Copy, name: str) -> Outcome:
    target = _link(copy, copy.folder / "out/ledger.csv")
    run_command(copy.folder, ("ledger", "-o", str(copy.folder / "out/ledger.csv")))
    return _kept(name, target)


def _planted_parse_link(copy: Copy, name: str) -> Outcome:
    target = _link(copy, copy.folder / "out/top.csv")
    arguments = (
        "parse",
        "top",
        str(copy.log("web/top.log")),
        "-o",
        str(copy.folder / "out/top.csv"),
    )
    run_command(copy.folder, (*arguments, "--date", "2026-01-15", "--tz", "UTC"))
    return _kept(name, target)


def _planted_lock(copy: Copy, name: str) -> Outcome:
    target = _link(copy, copy.processed / ".staging" / copy.tables_of() / "lock")
    run_command(copy.folder, ("ingest",))
    return _kept(name, target)

"""Twelve secrets where a recording can meet one: none is in what it writes, nor in tables and exports."""

import subprocess
import sys

from planted_secrets import SECRETS, find_secrets
from typer.testing import CliRunner

from pipeline.cli.app import app

from ..helpers import needs_top
from .recorder import plan_for, read_log, record

SUFFIXES = ("csv", "json", "ndjson", "parquet", "tex", "xlsx")
WORDS = (
    ["--password=" + SECRETS[0]], ["mysql", "-u", "root", "-p" + SECRETS[1]], ["PGPASSWORD=" + SECRETS[2], "psql"],
    ["https://me:" + SECRETS[3] + "@host/"], ["-e", "ALTER USER a IDENTIFIED BY '" + SECRETS[4] + "'"],
)  # fmt: skip
"""Arguments of processes."""
GENERAL = (
    "261122  9:23:50\t    22 Query\tSELECT c1 FROM t WHERE a = 'x\n{9} y' AND id=5\n"
    "\t\t    22 Query\tSET PASSWORD FOR 'a'@'b' = PASSWORD('{10}')\n\t\t    22 Query\tCOMMIT\n"
)
ACCESS = (
    '192.0.2.1 - - [22/Nov/2026:09:23:50 +0000] "GET /a?token={7} HTTP/1.1" 200 5 "http://h/?q={8}" "x"\n'
)  # fmt: skip


@needs_top
def test_no_planted_secret_is_kept(folder):
    for name, text in (("general.log", GENERAL), ("access.log", ACCESS)):
        (folder / f"new-{name}").write_text(text.format(*SECRETS))
    (folder / "token").write_text(SECRETS[6] + "\n")
    script = "cat new-access.log >> access.log; cat new-general.log >> general.log; echo $0 $1 $TOKEN; sleep 2"
    load = ["sh", "-c", f"cd {folder}; {script}", "--mysql-password=" + SECRETS[5], "${TOKEN}"]
    plan = plan_for(folder, load)
    (folder / "general.log").write_text("")
    plan["loads"]["web"]["env"] = {"TOKEN": {"file": str(folder / "token")}}
    plan["roles"]["web"]["logs"]["general.log"] = str(folder / "general.log")
    plan["roles"]["host"]["only"] = "qv-planted"
    plan["notes"] = ["password: " + SECRETS[11]]
    sleeper = [sys.executable, "-c", "import time; time.sleep(90)", "qv-planted"]
    processes = [subprocess.Popen([*sleeper, *words]) for words in WORDS]
    try:
        p = record(folder, plan)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    run = folder / "first" / "r1"
    assert run.is_dir(), p.stderr
    processed, out = folder / "processed", folder / "out"
    out.mkdir()
    printed = p.stdout + p.stderr
    name = f"{folder.name}/first/r1"
    folders = ["--raw", str(folder.parent), "--processed", str(processed)]
    for words in (
        ["ingest", name],
        ["runs", name],
        *(["ledger", name, "-o", str(out / f"l.{s}")] for s in SUFFIXES),
    ):
        printed += CliRunner().invoke(app, [*folders, *words]).output
    (out / "printed.txt").write_text(printed)
    assert find_secrets(folder / "first", processed, out) == []
    assert {path.suffix[1:] for path in out.glob("l.*")} == set(SUFFIXES)

    # what holds no secret is there
    tasks = read_log(run / "host" / "tasks.log")
    assert tasks.count("qv-planted") == len(WORDS) and tasks.count("[redacted]") >= len(WORDS)
    assert "GET /a?token=" in read_log(run / "web" / "access.log")
    general = read_log(run / "web" / "general.log")
    assert "SELECT c1 FROM t WHERE a = ? AND id=?" in general and general.count(" 22 Query\t") == 3
    assert (
        "--mysql-password=[redacted] [redacted] [redacted]"
        in (run / "client" / "sysbench.log").read_text()
    )
    assert "${TOKEN}" in (run / "run.json").read_text()
    private = [path for path in (run, *run.rglob("*")) if path.stat().st_mode & 0o077]
    assert private == []

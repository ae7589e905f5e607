"""Files and folders without rights: only their own numbers are lost, and a reader needs no right to write."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from fault_case import Case
from fault_study import Copy

LOGS = ("host/top.log", "web/tasks.log", "client/httperf.log")
MANIFESTS = ("run.json", "host/facts.json", "study.json")
LEDGER = ("ledger", "--format", "csv")
NO_RIGHTS, NO_SEARCH, READ_ONLY = 0, 0o444, 0o555


def cases() -> Iterator[Case]:
    """Faults of permission bits."""

    def case(name: str, damage: object, file: str, **options: object) -> Case:
        return Case(f"rights/{name}", "D", damage, file, without_rights=True, **options)

    for log in LOGS:
        yield case(f"none to {log}", partial(_log, name=log), log, others=True)
    for name in MANIFESTS:
        yield case(f"none to {name}", partial(_manifest, name=name), name, others=True)
    folders = {
        "a role's folder": ("{run}/host", "host"),
        "the run's folder": ("{run}", "run"),
        "the server's folder": ("{run}/..", "first"),
        "the study's folder": ("{run}/../..", "simulated"),
    }
    for name, (path, file) in folders.items():
        for kind, mode in (("none", NO_RIGHTS), ("no search", NO_SEARCH)):
            yield case(
                f"{kind} to {name}", partial(_folder, path=path, mode=mode), file,
                others=file != "simulated",  # the other run is in the same study
            )  # fmt: skip
    yield case("raw runs read-only", partial(_tree, path="raw"), "raw", must_stay=True)
    yield case("tables read-only, none stored", partial(_tree, path="processed"), "processed")
    stored = {
        "tables read-only, up to date": (partial(_tree, path="processed"), "processed"),
        "tables read-only, out of date": (_out_of_date, "processed"),
        "none to the tables": (partial(_folder, path="{processed}"), "processed"),
        "none to the manifests": (partial(_folder, path="{processed}/.manifest"), "manifest"),
        "none to a table's folder": (partial(_folder, path="{processed}/tasks"), "tasks"),
        "none to a table": (_table, "tasks"),
        "none to a manifest": (_stored_manifest, "manifest"),
    }
    for name, (damage, file) in stored.items():
        yield case(name, damage, file, ingested=True, must_stay="up to date" in name)
    for command, out in (("ledger", "ledger.csv"), ("report", "pages")):
        commands = ((command, "-o", f"{{copy}}/closed/{out}"), LEDGER)
        name = f"none to the folder of {command} -o"
        yield case(name, _closed_folder, "closed", ingested=True, must_stay=True, commands=commands)


def _log(copy: Copy, name: str) -> None:
    copy.log(name).chmod(NO_RIGHTS)


def _manifest(copy: Copy, name: str) -> None:
    copy.manifest(name).chmod(NO_RIGHTS)


def _folder(copy: Copy, path: str, mode: int = NO_RIGHTS) -> None:
    Path(path.format(run=copy.run, processed=copy.processed)).resolve().chmod(mode)


def _tree(copy: Copy, path: str) -> None:
    """Every folder below ``path`` is read-only."""
    top = copy.folder / path
    for folder in sorted([top, *(p for p in top.rglob("*") if p.is_dir())], reverse=True):
        folder.chmod(READ_ONLY)


def _out_of_date(copy: Copy) -> None:
    copy.add_request()
    _tree(copy, "processed")


def _table(copy: Copy) -> None:
    copy.stored("tasks").chmod(NO_RIGHTS)


def _stored_manifest(copy: Copy) -> None:
    copy.stored_manifest().chmod(NO_RIGHTS)


def _closed_folder(copy: Copy) -> None:
    folder = copy.folder / "closed"
    folder.mkdir(mode=READ_ONLY)

"""The fingerprint changes with the code, and fails where code is missing."""

import re

import pytest

from pipeline import ingest
from pipeline.ingest import fingerprint
from pipeline.raw import find_runs


def test_new_parsers_make_new_tables(raw, processed, monkeypatch):
    runs = find_runs(raw, run="db-1")
    ingest.ingest(runs, processed)
    monkeypatch.setattr(fingerprint, "code_version", lambda: "another")
    assert ingest.ingest(runs, processed)["status"].to_list() == ["ingested"]


def test_fingerprint_fails_without_a_listed_package(tmp_path):
    package = tmp_path / "pipeline"
    for name in ("parse/top.py", "parse/deeper/more.py", "units.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("1")
    before = fingerprint.code_version(package, ("parse", "units.py"))
    fingerprint.code_version.cache_clear()
    (package / "parse/deeper/more.py").write_text("2")
    assert fingerprint.code_version(package, ("parse", "units.py")) != before
    (package / "empty").mkdir()
    for lost in ("raw", "redact.py", "empty"):
        with pytest.raises(ingest.IngestError, match=lost):
            fingerprint.code_version(package, ("parse", lost))


def test_fingerprint_covers_every_module_that_the_parsers_import(root):
    """Names without an influence on the tables: paths, atomic writes, exceptions, where files lie, who ingests."""
    listed = {name.removesuffix(".py") for name in fingerprint.CODE}
    imported = set()
    for package in ("parse", "raw", "ingest", "tables"):
        for path in (root / "pipeline" / package).rglob("*.py"):
            imported |= set(re.findall(r"^\s*from pipeline\.(\w+)", path.read_text(), re.M))
            for names in re.findall(r"^\s*from pipeline import (.+)$", path.read_text(), re.M):
                imported |= {name.split()[0] for name in names.split("#")[0].split(", ")}
    assert imported - listed <= {"files", "errors", "storage", "workers"}

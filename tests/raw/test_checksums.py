"""Checksums of logs and facts.json in run.json: written, compared, and what a difference says."""

import json
import shutil
import stat

import pytest
from raw_runs import the_run, write_study_logs
from typer.testing import CliRunner

from pipeline import api
from pipeline.cli.app import app
from pipeline.raw import find_differences, find_runs, hash_files
from pipeline.raw.checksums import with_member

HOST_TOP, GENERAL, SYSBENCH = "host/top.log", "db/general.log.zst", "client/sysbench.log.gz"


def test_all_shipped_runs_verify(root):
    runs = find_runs(root / "data/raw")
    assert len(runs) >= 160 and all(run.checksums for run in runs)
    assert [line for run in runs for line in find_differences(run, hash_files(run))] == []


@pytest.fixture
def folder(raw):
    """A run with checksums, and a segmented log."""
    folder = raw / "pair/first/both-a"
    write_study_logs(folder)
    (folder / "web/top.log").rename(folder / "web/top.00001.log")
    (folder / "web/top.00002.log").write_text("#END stopped\n")
    (folder / "run.json").chmod(0o640)
    (row,) = api.write_checksums(raw, ["pair"]).to_dicts()
    assert row == {"run": "pair/first/both-a", "files": 21, "differences": [], "problem": None}
    assert stat.S_IMODE((folder / "run.json").stat().st_mode) == 0o640
    return folder


def differences(raw):
    (row,) = api.verify_checksums(raw).to_dicts()
    return row["differences"]


def flip_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (lambda f: None, []),
        (lambda f: flip_bit(f / HOST_TOP), [(HOST_TOP, "differs")]),
        (lambda f: flip_bit(f / GENERAL), [(GENERAL, "differs")]),
        (lambda f: flip_bit(f / SYSBENCH), [(SYSBENCH, "differs")]),
        (lambda f: flip_bit(f / "host/facts.json"), [("host/facts.json", "differs")]),
        (lambda f: shutil.copy(f / "db/top.log", f / HOST_TOP), [(HOST_TOP, "differs")]),
        (lambda f: (f / "web/top.00002.log").unlink(), [("web/top.00002.log", "does not exist")]),
        (lambda f: (f / HOST_TOP).unlink(), [(HOST_TOP, "does not exist")]),
        (lambda f: (f / "host/access.log").write_text(""), [("host/access.log", "has no checksum")]),
    ],
)  # fmt: skip
def test_a_file_that_is_not_the_recorded_one_is_named(raw, folder, damage, names):
    damage(folder)
    lines = differences(raw)
    assert len(lines) == len(names), lines
    for line, (name, what) in zip(lines, names, strict=True):
        assert line.startswith(f"{name}: {what}"), line


def test_a_run_without_checksums_is_told_apart(raw):
    assert api.verify_checksums(raw).select("files", "differences").row(0) == (None, [])
    assert the_run(raw).checksums is None


def test_the_command_verifies_and_writes(raw, folder):
    def call(*words):
        done = CliRunner().invoke(app, ["--raw", str(raw), "runs", *words])
        return done.exit_code, done.stdout, done.stderr

    assert call("--verify")[0] == 0
    flip_bit(folder / HOST_TOP)
    code, _, errors = call("--verify")
    assert code == 1 and errors.count("\n") == 1 and f"both-a/{HOST_TOP}: differs" in errors
    assert call("--write-checksums")[0] == 2
    code, output, errors = call("pair", "--write-checksums")
    assert code == 0 and "21 files" in output and HOST_TOP in errors
    assert call("--verify")[0] == 0


@pytest.mark.parametrize("value", [3, {"../x": "0" * 64}, {"host/top.log": "0" * 63}, {"a": 1}])
def test_invalid_checksums_are_problems(raw, value):
    path = raw / "pair/first/both-a/run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sha256": value}))
    assert any("run.json: sha256" in problem for problem in the_run(raw).problems())


TEXTS = [
    ('{\n  "a": 1.50,\n  "b": [1,2]\n}\n', '{\n  "a": 1.50,\n  "b": [1,2],\n  "sha256": {\n    "h/t": "0"\n  }\n}\n'),
    ('{"sha256": {"x/y":"1"},"a" : "}"}', '{"sha256": {"h/t": "0"},"a" : "}"}'),
    ("{}", '{"sha256": {"h/t": "0"}}'),
    ('\ufeff{ "a": {"sha256": 1} }', '\ufeff{ "a": {"sha256": 1}, "sha256": {"h/t": "0"} }'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_the_rest_of_the_text_stays(text, expected):
    assert with_member(text, "sha256", {"h/t": "0"}) == expected

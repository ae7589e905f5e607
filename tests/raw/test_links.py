"""Nothing is read through a link out of a run, and nothing is written through a link."""

import json
import os
import shutil

import polars as pl
import pytest
from raw_runs import FACTS, RUN, STUDY
from typer.testing import CliRunner

from pipeline import ingest
from pipeline.cli.app import app
from pipeline.raw import find_run, find_studies

SECRET = "-- a file that is none of the run's --\n"


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw/pair/first/both-a"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.log").write_text(SECRET)
    (tmp_path / "outside" / "facts.json").write_text(json.dumps(FACTS))
    for role in ("host", "web", "db", "client"):
        (folder / role).mkdir(parents=True)
        (folder / role / "facts.json").write_text(json.dumps({**FACTS, "role": role}))
    (folder / "run.json").write_text(json.dumps(RUN))
    (tmp_path / "raw/pair/study.json").write_text(json.dumps(STUDY))
    return tmp_path / "raw"


def run_of(raw):
    return find_run(raw, "pair", "first", "both-a")


@pytest.mark.parametrize("relative", [True, False])
def test_a_log_that_is_a_link_out_of_the_run_is_refused(raw, relative):
    target = "../../../../../outside/secret.log" if relative else raw.parent / "outside/secret.log"
    (raw / "pair/first/both-a/host/top.log").symlink_to(target)
    run = run_of(raw)
    assert run.log("host", "top") is None
    assert [
        p
        for p in run.problems()
        if p.startswith("host/top.log: link to a place outside its folder")
    ]
    assert all(path.name != "top.log" for path in run.files())


def test_the_text_of_another_file_does_not_reach_a_table(raw, tmp_path):
    (raw / "pair/first/both-a/host/top.log").symlink_to(raw.parent / "outside/secret.log")
    ingest.ingest([run_of(raw)], tmp_path / "processed")
    for path in (tmp_path / "processed").rglob("*.parquet"):
        assert SECRET.strip() not in str(pl.read_parquet(path).to_dicts()), path


@pytest.mark.parametrize("name", ["web", "web/facts.json", "run.json"])
def test_folders_and_manifests_that_are_links_out_of_the_run(raw, name):
    outside = raw.parent / "outside"
    (outside / "run.json").write_text(json.dumps(RUN))
    (outside / "top.log").write_text("top - 00:00:00 up\n")
    here = raw / "pair/first/both-a" / name
    if here.is_dir():
        (here / "facts.json").unlink()
        here.rmdir()
    else:
        here.unlink()
    here.symlink_to(outside if name == "web" else outside / here.name)
    run = run_of(raw)
    assert [
        p for p in run.problems() if p.startswith(f"{name}: link to a place outside its folder")
    ]
    if name == "run.json":
        assert run.manifest == {}
    else:
        assert run.log("web", "top") is None and run.facts("web") == {}


@pytest.mark.parametrize("target", ["db", "../../second/both-a/web"])
def test_a_folder_that_is_a_link_to_another_roles_is_not_read(raw, target):
    folder = raw / "pair/first/both-a"
    (folder / "db/top.log").write_text("top - 00:00:00 up\n")
    shutil.copytree(folder, raw / "pair/second/both-a")
    shutil.rmtree(folder / "web")
    (folder / "web").symlink_to(target)
    run = run_of(raw)
    assert [p for p in run.problems() if p.startswith("web: link to")], run.problems()
    assert run.log("web", "top") is None and run.log("db", "top") is not None
    assert run.facts("web") == {}


def test_a_log_that_is_a_link_to_another_roles_is_not_read(raw):
    folder = raw / "pair/first/both-a"
    (folder / "db/top.log").write_text("top - 00:00:00 up\n")
    (folder / "web/top.log").symlink_to("../db/top.log")
    assert run_of(raw).log("web", "top") is None


def test_study_json_that_is_a_link_out_of_its_study(raw):
    (raw.parent / "outside/study.json").write_text(json.dumps(STUDY))
    (raw / "pair/study.json").unlink()
    (raw / "pair/study.json").symlink_to(raw.parent / "outside/study.json")
    (study,) = find_studies(raw)
    assert study.manifest == {} and "link to a place outside its folder" in study.problems()[0]


@pytest.mark.parametrize("name", ["run.json", "web/facts.json"])
def test_a_pipe_in_the_place_of_a_manifest_is_not_waited_for(raw, name):
    here = raw / "pair/first/both-a" / name
    here.unlink()
    os.mkfifo(here)
    assert f"{name}: not a regular file; not read" in run_of(raw).problems()


def test_a_manifest_that_is_a_link_out_is_none_of_the_runs_files(raw):
    facts = raw / "pair/first/both-a/web/facts.json"
    facts.unlink()
    facts.symlink_to(raw.parent / "outside/facts.json")
    assert facts not in run_of(raw).files()


def test_a_loop_of_links_is_refused(raw):
    loop = raw / "pair/first/both-a/host/top.log"
    loop.symlink_to(loop)
    assert run_of(raw).log("host", "top") is None


def test_links_inside_a_run_and_a_run_that_is_a_link_are_read(raw):
    """A run may lie on another disk, and one log may have two names."""
    folder = raw / "pair/first/both-a"
    (folder / "host/old").write_text("top - 00:00:00 up\n")
    (folder / "host/top.log").symlink_to("old")
    moved = raw.parent / "elsewhere"
    folder.rename(moved)
    folder.symlink_to(moved)
    assert run_of(raw).log("host", "top") is not None


def planted(folder, *names):
    """Links to a precious file under every name that a careless writer would take."""
    precious = folder.parent / "precious"
    precious.write_text("precious\n")
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).symlink_to(precious)
    return precious


@pytest.mark.parametrize("form", ["csv", "json", "latex", "xlsx"])
def test_ledger_is_not_written_through_a_link(raw, tmp_path, form):
    out = tmp_path / "shared" / f"ledger.{form}"
    names = (out.name, f".{out.name}.tmp", f".{out.name}.tmp.xlsx")
    precious = planted(out.parent, *names)
    options = ["--raw", str(raw), "--processed", str(tmp_path / "processed")]
    done = CliRunner().invoke(app, [*options, "ledger", "pair", "--format", form, "-o", str(out)])
    assert done.exit_code in (0, 1), done.output
    assert precious.read_text() == "precious\n"
    assert out.is_file() and not out.is_symlink()

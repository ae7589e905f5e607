"""``queuevisor runs``: recorded runs, problems of their files, exit codes."""

import json

import pytest

from pipeline.api import list_runs

COMMANDS = ("runs", "ingest", "ledger", "report", "parse", "solve", "simulate", "doctor")


def test_runs_lists_what_is_recorded(one_run):
    done = one_run.queuevisor("runs")
    assert done.returncode == 0, done.stderr
    assert "kvm-case-study/first/web-005-a" in done.stdout
    assert "5/s even" in done.stdout


def test_runs_takes_ids_and_patterns(tmp_path, call):
    for name in ("one/srv/db-1", "one/srv/web-1", "two/srv/db-1"):
        write_run(tmp_path, name)
    whole = call("--raw", tmp_path, "runs")
    assert (whole[0], *counts(whole[1])) == (1, 1, 1, 1)
    assert all(f"{name}/run.json" in whole[2] for name in ("one/srv/web-1", "two/srv/db-1"))
    code, output, errors = call("--raw", tmp_path, "runs", "one/srv/d*", "one/srv/db-1")
    assert (code, *counts(output)) == (1, 1, 0, 0)
    assert "one/srv/db-1/" in errors and "web-1" not in errors and "two/" not in errors
    code, output, errors = call("--raw", tmp_path, "runs", "two")
    assert counts(output) == (0, 0, 1) and "one/" not in errors
    code, output, errors = call("--raw", tmp_path, "runs", "one/srv/nosuch")
    assert (code, output) == (2, "") and "nosuch" in errors


def write_run(raw, name):
    """A run without a log."""
    study, server, run = name.split("/")
    manifest = {"format": "queuevisor-run/1", "study": study, "server": server, "run": run}
    (raw / name).mkdir(parents=True)
    (raw / name / "run.json").write_text(json.dumps(manifest))


def counts(output):
    names = ("one/srv/db-1", "one/srv/web-1", "two/srv/db-1")
    return tuple(output.count(name) for name in names)


def test_what_a_run_is_for_does_not_repeat_that_it_is_held_out(own_run):
    about = json.loads((own_run.raw / "kvm-case-study/study.json").read_text())
    del about["runs"]["first"]["web-005-a"]["purpose"]
    about["held_out"] = ["first/web-005-a"]
    (own_run.raw / "kvm-case-study/study.json").write_text(json.dumps(about))
    row = list_runs(own_run.raw).row(0, named=True)
    assert (row["purpose"], row["held out"]) == ("", "yes")


def test_an_empty_folder_is_said_and_exit_code_2(tmp_path, one_run):
    for words in (["runs"], ["ingest"], ["ledger"]):
        done = type(one_run)(tmp_path, tmp_path / "p").queuevisor(*words)
        assert done.returncode == 2
        assert "no recorded run" in done.stderr


def test_no_such_folder_is_one_line(tmp_path, one_run):
    done = type(one_run)(tmp_path / "nowhere", tmp_path).queuevisor("runs")
    assert done.returncode == 2
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["runs", "ingest", "ledger", "report"])
def test_outside_the_project_the_message_names_the_option_and_the_variable(
    tmp_path, call, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    code, output, errors = call(command)
    assert (code, output) == (2, "")
    for name in ("data/raw", "--raw", "QUEUEVISOR_RAW", "project's folder"):
        assert name in errors
    assert errors.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_folders_before_and_after_the_command_and_in_the_environment(one_run, call, monkeypatch):
    expected = call("--raw", one_run.raw, "runs")
    assert expected[0] == 0 and "web-005-a" in expected[1]
    assert call("runs", "--raw", one_run.raw) == expected
    assert call("--raw", "/nowhere", "runs", f"--raw={one_run.raw}") == expected
    monkeypatch.setenv("QUEUEVISOR_RAW", str(one_run.raw))
    assert call("runs") == expected
    assert call("runs", "--raw", "/nowhere")[0] == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_folders(call, command):
    code, _, errors = call(command, "--raw", "/nowhere", "--processed", "/nowhere", "--help")
    assert code == 0, errors


def test_a_damaged_manifest_is_named_with_its_line(own_run):
    (own_run.run / "run.json").write_text('{"format": "queuevisor-run/1",\n "study": oops}')
    done = own_run.queuevisor("runs")
    assert done.returncode == 1
    assert "run.json, line 2" in done.stderr

"""``queuevisor solve``, as people and programs call it."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli.solve import solve_model

app = typer.Typer()
app.callback()(lambda: None)  # a program with commands, as the whole one is
app.command("solve")(solve_model)

RUN = CliRunner()
MODEL = {
    "format": "queuevisor-network/1",
    "stations": [{"name": "cpu", "kind": "queue"}, {"name": "disk", "kind": "queue"}],
    "classes": [{"name": "db", "kind": "closed", "population": 16, "think_time": 0.0}],
    "demands": {"cpu": {"db": 0.02}, "disk": {"db": 0.005}},
}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(MODEL))
    return path


def call(*arguments):
    return RUN.invoke(app, ["solve", *map(str, arguments)])


def test_json(model):
    result = call(model, "--format", "json")
    assert result.exit_code == 0
    assert result.stderr == ""
    answer = json.loads(result.stdout)
    assert list(answer) == ["method", "exact", "classes", "stations", "bounds", "knee", "warnings"]
    assert answer["exact"] is True
    assert answer["classes"]["db"]["throughput"] == pytest.approx(50, rel=1e-6)
    assert set(answer["stations"]["cpu"]["db"]) == {"utilization", "queue_length", "residence_time"}


def test_table(model):
    result = call(model)
    assert result.exit_code == 0
    for word in ("exact", "throughput", "cpu", "disk", "db", "knee"):
        assert word in result.stdout


@pytest.mark.parametrize("method", ["exact", "schweitzer", "linearizer", "bounds"])
@pytest.mark.parametrize("form", ["table", "json"])
def test_methods(model, method, form):
    result = call(model, "--method", method, "--format", form)
    assert result.exit_code == 0
    if form == "json":
        answer = json.loads(result.stdout)
        assert answer["method"] == method
        assert answer["exact"] is (method == "exact")
        if method == "bounds":
            assert [row["population"] for row in answer["bounds"]["aba"]] == list(range(1, 17))


def test_simulation_records_its_seeds(model):
    result = call(
        model, "--method", "simulation", "--format", "json",
        "--replications", 2, "--length", 50, "--seed", 7,
    )  # fmt: skip
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["simulation"]["seeds"] == [7, 8]
    assert "response_time_p95" in answer["classes"]["db"]
    assert "simulation 2/2" in result.stderr
    assert call(model, "--method", "simulation", "--replications", 2, "--length", 50).exit_code == 0


def test_there_and_back_through_jmva(model, tmp_path):
    out = tmp_path / "model.jmva"
    assert call(model, "--export", out).exit_code == 0
    assert json.loads(call(out, "--format", "json").stdout) == json.loads(
        call(model, "--format", "json").stdout
    )
    again = tmp_path / "again.json"
    assert call(out, "--export", again).exit_code == 0
    assert json.loads(again.read_text())["demands"] == MODEL["demands"]


def test_warnings_reach_people(tmp_path):
    path = tmp_path / "large.json"
    large = json.loads(json.dumps(MODEL))
    large["classes"][0]["population"] = 10**9
    path.write_text(json.dumps(large))
    result = call(path)
    assert result.exit_code == 0
    assert "approximate: linearizer" in result.stdout
    assert "too large for the exact solution" in result.stderr
    assert json.loads(call(path, "--format", "json").stdout)["exact"] is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[]", "must be an object"),
        (json.dumps(MODEL).replace("0.005", "-0.005"), "demands.disk.db"),
        (json.dumps(MODEL).replace("0.005", "NaN"), "NaN"),
        (json.dumps(MODEL).replace('"disk"', '"cpu"'), 'duplicate key "cpu"'),
        (json.dumps(MODEL).replace('"name": "disk"', '"name": "cpu"'), "stations[1].name"),
        (
            json.dumps(MODEL).replace('"disk"', '"di\\u001b[2Jsk\\nx"').replace("0.005", "-1"),
            "demands.",
        ),
    ],
)
def test_hostile_files(tmp_path, text, message):
    path = tmp_path / "model.json"
    path.write_text(text)
    for form in ("table", "json"):
        result = call(path, "--format", form)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert "\x1b" not in result.stderr


def test_overload(tmp_path):
    path = tmp_path / "open.json"
    path.write_text(json.dumps(MODEL | {"classes": [{"name": "db", "kind": "open", "rate": 60}]}))
    result = call(path)
    assert result.exit_code == 2
    assert "'cpu'" in result.stderr
    assert "below 50" in result.stderr


def test_wrong_calls(model, tmp_path):
    assert call(model, "--method", "magic").exit_code == 2
    assert call(tmp_path / "none.json").exit_code == 2
    assert call(model, "--export", tmp_path / "model.doc").exit_code == 2


def test_other_commands_do_not_wait_for_scipy():
    check = "import sys, pipeline.cli.solve; print('scipy' in sys.modules or 'ciw' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

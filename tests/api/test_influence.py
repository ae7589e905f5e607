"""The designed experiment of a simulated study whose second host takes twice the CPU time: effects, model, page."""

import json
import shutil

import pytest

from pipeline import api
from pipeline.charts import influence_diagram
from pipeline.evaluate import texts
from pipeline.files import ROOT
from pipeline.raw import RawRunError
from pipeline.report.plan import plan_study
from pipeline.report.tables import influence
from pipeline.synthetic.plan import Load, Plan, Server, VirtualServer
from pipeline.synthetic.study import write_study

FACTORS = {
    "host": {"title": "Host", "branch": "virtualization type", "levels": ["fast", "slow"]},
    "visits": {"unit": "1/s", "branch": "workload", "levels": [10, 20]},
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Two factors, two replicates, no blocks."""
    folder = tmp_path_factory.mktemp("designed") / "raw"
    plan = Plan(
        {"shop": VirtualServer("shop", "open", cpu_s=0.008, disk_operations=1.0)},
        {"low": {"shop": Load(rate_per_s=10)}, "high": {"shop": Load(rate_per_s=20)}},
        servers={"fast": Server("fast"), "slow": Server("slow", cpu_times=2.0)},
        seconds=20.0,
        before_seconds=10.0,
    )
    write_study(plan, folder / "market", seed=5, replications=2)
    plan_factors(folder / "market", "ab")
    return folder


def plan_factors(study, replicates):
    """Write factors and levels into study.json; a run that is not recorded for each replicate beyond the second."""
    path = study / "study.json"
    manifest = json.loads(path.read_text())
    manifest |= {"factors": FACTORS, "case_study": {}, "held_out": []}
    manifest["runs"] = {
        server: {
            f"{name}-{letter}": {
                "purpose": "factors",
                "virtual_server": "shop",
                "levels": {"host": server, "visits": rate},
                "replicate": replicates.index(letter) + 1,
            }
            for name, rate in (("low", 10), ("high", 20))
            for letter in replicates
        }
        for server in ("fast", "slow")
    }
    path.write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def processed(raw):
    return raw.parent / "processed"


@pytest.fixture(scope="module")
def data(raw, processed):
    return api.open_influence("market", raw=raw, processed=processed, draws=50)


def effect(data, response, name):
    (each,) = data.experiments
    return each.effects.filter(response=response, effect=name).row(0, named=True)


def test_the_planted_ratio_of_cpu_times_is_the_effect_on_the_cpu_demand(data):
    row = effect(data, "D_cpu_ms", "host")
    assert row["low"] < 2.0 < row["high"] and row["verdict"] == texts.BEYOND_NOISE
    assert effect(data, "D_disk_ms", "host")["verdict"] != texts.BEYOND_NOISE
    row = effect(data, "X_per_s", "visits")
    assert row["value"] == pytest.approx(2.0, rel=0.1)
    assert data["shop"].recorded == 8 and influence.warnings(data) == []


def test_the_model_knows_the_rate_and_with_the_demand_the_host(data):
    rows = {
        (row["response"], row["effect"]): row for row in data["shop"].compared.iter_rows(named=True)
    }
    assert rows["X_per_s", "visits"]["outcome"] == texts.PREDICTED
    assert rows["X_per_s", "visits"]["predicted"] == pytest.approx(2.0)
    host = rows["R_ms", "host"]
    assert host["predicted"] == pytest.approx(1.0, abs=0.05)
    assert host["outcome"] == texts.GIVEN_DEMAND
    assert host["predicted_own"] > 1.2
    assert rows["D_cpu_ms", "host"]["outcome"] == texts.NOT_IN_MODEL


def test_every_cell_of_the_notebook_runs_on_another_study(raw, processed, data, capsys):
    cells = json.loads((ROOT / "notebooks" / "influence_factors.ipynb").read_text())["cells"]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names = {"study": "market", "raw": raw, "processed": processed, "virtual_server": ""}
    names |= {"level": 0.95, "draws": 50}
    for code in codes[1:]:
        exec(compile(code, "influence_factors", "exec"), names)
    shown = capsys.readouterr().out
    assert "8 of 8" in shown and "Host (×" in shown
    (answer,) = influence.headline(data)[0]
    assert "of 2 factors" in answer


def test_a_table_names_factors_levels_and_units(data):
    (each,) = data.experiments
    table = influence.df_effects(each, ("R_ms",))
    assert set(table["levels"]) == {"fast → slow", "10 1/s → 20 1/s"}
    drawing = influence_diagram(
        influence.leaves(each), list(influence.METRICS.values()), title="Factors"
    )
    assert "Host (fast → slow): R ×" in drawing.description
    runs = influence.df_runs(each)
    assert runs.height == 8 and set(runs["host"]) == {"fast", "slow"}


def test_a_study_without_replicates_and_one_that_is_incomplete(raw, processed):
    single = raw / "market-once"
    shutil.copytree(raw / "market", single)
    for path in single.rglob("run.json"):
        path.write_text(path.read_text().replace('"study": "market"', '"study": "market-once"'))
    plan_factors(single, "a")
    data = api.open_influence("market-once", raw=raw, processed=processed, draws=50)
    (each,) = data.experiments
    assert each.fits["R_ms"].degrees_of_freedom == 0
    assert each.noise.filter(response="R_ms")["replicates"].item() is None
    plan_factors(single, "abc")
    data = api.open_influence("market-once", raw=raw, processed=processed, draws=50)
    assert data["shop"].recorded == 8 and data["shop"].runs.height == 12
    assert any("8 of 12 planned runs" in line for line in influence.warnings(data))


def test_its_pages_are_that_of_the_factors_and_on_request_those_of_the_runs(raw):
    (study,) = [each for each in api.find_studies(raw) if each.name == "market"]
    plan = plan_study(study)
    assert [page.id for page in plan.default] == ["influence_factors"]
    assert sum(page.notebook == "run_report" for page in plan.pages) == 8


def test_what_cannot_be_opened_is_an_error_that_says_so(raw, processed, tmp_path):
    with pytest.raises(RawRunError, match="choose from shop"):
        api.open_influence("market", "shp", raw=raw, processed=processed)
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "study.json").write_text('{"format": "queuevisor-study/1", "study": "bare"}')
    with pytest.raises(RawRunError, match="no runs with levels"):
        api.open_influence("bare", raw=tmp_path, processed=processed)

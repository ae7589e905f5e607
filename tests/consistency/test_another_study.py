"""Names of the recorded study are nowhere in the code: a study with other names gets pages of its own numbers."""

import json
import shutil

import polars as pl
import pytest

from pipeline import api, report
from pipeline.files import project_path
from pipeline.raw import RawRunError, find_studies
from pipeline.report import tables
from pipeline.synthetic.plan import Load, Plan, Server, VirtualServer
from pipeline.synthetic.study import write_study

TITLES = {"shop": "Shop front", "orders": "SQL of orders"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Two servers, called neither first nor second, with virtual servers called neither web nor db."""
    folder = tmp_path_factory.mktemp("another") / "raw"
    plan = Plan(
        {
            "shop": VirtualServer("shop", "open", cpu_s=0.010, disk_operations=1.0),
            "orders": VirtualServer("orders", "closed", cpu_s=0.020, disk_operations=1.0),
        },
        {"visits": {"shop": Load(rate_per_s=20)}, "sales": {"orders": Load(threads=4)}},
        servers={"alpha": Server("alpha"), "beta": Server("beta", cpu_times=2.0)},
        seconds=30.0,
    )
    write_study(plan, folder / "market", seed=5)
    path = folder / "market" / "study.json"
    manifest = json.loads(path.read_text())
    for name, title in TITLES.items():
        manifest["virtual_servers"][name]["title"] = title
    path.write_text(json.dumps(manifest))
    shutil.copytree(project_path("data/raw/published"), folder / "published")
    return folder


@pytest.fixture(scope="module")
def data(raw):
    return api.open_study("market", raw=raw, processed=raw.parent / "processed")


def test_a_virtual_server_goes_by_its_title_in_study_json(raw, data):
    assert data.titles == {"shop": "shop front", "orders": "SQL of orders"}
    run = next(iter(data.case_study_runs.values()))
    assert run.title("shop") == "shop front"
    study = find_studies(raw)[0]
    assert study.title_of("unplanned") == "unplanned"
    assert study.ordered(["unplanned", "orders", "shop", "orders"]) == [
        *(name for name in study.manifest["virtual_servers"]), "unplanned",
    ]  # fmt: skip


def test_the_comparison_is_of_the_study_s_own_servers(data):
    assert api.two_servers(data) == ("alpha", "beta")
    frame = tables.df_tables(data)
    assert set(frame["server"]) == {"alpha", "beta"}
    assert set(frame["virtual_server"]) == {"shop", "orders"}
    assert set(frame["source"]) == {"as-printed", "corrected", "client"}, (
        "nothing published is theirs"
    )
    measured = frame.filter(pl.col("source") == "client")
    assert measured["R_req"].null_count() == measured["X"].null_count() == 0
    layout = tables.df_layout(data, frame, "alpha")
    assert set(layout["virtual servers"]) == {"shop front", "SQL of orders"}
    assert layout["R_cpu (ms)"].null_count() == 0
    ratios = tables.df_ratios(data, frame, "alpha", "beta")
    assert ratios.height == 6


@pytest.mark.report
@pytest.mark.xdist_group("report")
def test_the_page_of_two_servers_shows_them(raw, tmp_path):
    made = report.render(
        "market", raw=raw, processed=raw.parent / "processed", out=tmp_path, only="compare_servers"
    )
    (page,) = made["pages"]
    assert page["error"] is None
    text = page["path"].read_text(encoding="utf-8")
    for title in ("Table I: performance of the alpha", "Table II: performance of the beta",
                  "Figure 6: the shop front", "Figure 7: the SQL of orders"):  # fmt: skip
        assert title in text
    card = json.loads(page["path"].with_suffix(".json").read_text())
    assert card["key_figures"] and all("beta / alpha" in name for name in card["key_figures"])
    assert card["problems"] == []


def test_a_comparison_without_runs_is_an_error(raw, data, tmp_path):
    study = tmp_path / "market"
    study.mkdir()
    shutil.copy(raw / "market" / "study.json", study)
    for server in (None, "alpha"):
        if server:
            shutil.copytree(raw / "market" / server, study / server)
        less = api.open_study("market", raw=tmp_path, processed=data.processed)
        with pytest.raises(RawRunError, match="no servers can be compared"):
            api.two_servers(less)


def test_a_study_of_one_server_has_no_page_that_compares(raw, tmp_path):
    shutil.copytree(raw / "market" / "alpha", tmp_path / "alone" / "alpha")
    shutil.copy(raw / "market" / "study.json", tmp_path / "alone")
    (study,) = find_studies(tmp_path)
    names = [page.id for page in report.plan_pages(study)]
    assert "compare_servers" not in names and "validate_model" not in names
    assert "what_if/alpha/shop" in names, "no load is held out, and there is no second server"

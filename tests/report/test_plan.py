"""Which pages a study has, which of them are wanted, and which runs they read."""

import json
import re
import shutil
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import polars as pl
import pytest
import small_study
from notebook_files import notebook, write

from pipeline.files import ROOT, project_path
from pipeline.raw import find_studies
from pipeline.report import lessons, plan


@dataclass(frozen=True)
class Lesson:
    """What the plan reads of a lesson."""

    runs: dict[str, str]
    families: dict[str, tuple[str, ...]] = field(default_factory=dict)


ONE_RUN = "course/01_one_run"
TWO_RUNS = "course/02_two_runs"
LESSONS = {
    TWO_RUNS: Lesson(
        {"open": "first/web-005-a/web"}, {"web": ("first/web-005-a/web", "second/web-005-h/web")}
    )
}


@pytest.fixture
def books(tmp_path, monkeypatch):
    """A folder with a notebook of each page, and two lessons: one names its run by parameters."""
    folder = tmp_path / "books"
    published = plan.PUBLISHED, plan.PUBLISHED_STUDIES
    names = (plan.COMPARE, plan.VALIDATE, *published, plan.WHAT_IF, plan.RUN_REPORT)
    keys = {"server": "first", "run": "web-005-a", "virtual_server": "web"}
    parameters = "\n".join(f'{key}: str = "{value}"' for key, value in keys.items())
    for name in (*names, ONE_RUN, TWO_RUNS):
        write(folder / f"{name}.ipynb", notebook(parameters=parameters))
    write(folder / "course" / "student" / "01_one_run.ipynb", notebook())
    monkeypatch.setattr(lessons, "lesson_of", LESSONS.get)
    return folder


def plan_study(study):
    return plan.plan_study(study, notebooks=study.path.parents[1] / "books")


def plan_pages(study, *patterns, **options):
    return plan.plan_pages(study, *patterns, notebooks=study.path.parents[1] / "books", **options)


def runs_of(page, study, runs):
    return plan.runs_of(page, study, runs, notebooks=study.path.parents[1] / "books")


def ids(pages) -> list[str]:
    return [page.id for page in pages]


@pytest.fixture
def study(tmp_path, books):
    """A study of two servers; a run each of the web server and of the database, and one that is held out."""
    home = small_study.write(tmp_path / "raw")
    (home.parent / "published").symlink_to(project_path("data/raw/published"))
    return find_studies(home.parent)[0]


RUNS = [
    f"run_report/{server}/{run}"
    for server in ("first", "second")
    for run in ("db-16-a", "web-005-a", "web-005-h")
]
WHAT_IF = [f"what_if/{server}/{vs}" for server in ("first", "second") for vs in ("web", "db")]
STUDY = ["compare_servers", "validate_model", "published", "published_studies", ONE_RUN, TWO_RUNS]


def test_the_case_study_has_pages_of_its_own_and_other_runs_wait_to_be_asked_for(study):
    made = plan_study(study)
    assert ids(made.pages) == [*STUDY, *WHAT_IF, *RUNS]
    assert ids(made.default) == [*STUDY, *WHAT_IF, *(run for run in RUNS if "-h" not in run)]
    assert made.not_applicable == {}


def test_the_page_of_what_if_is_of_a_server_and_a_virtual_server(study):
    page = plan_pages(study, "what_if/second/db")[0]
    assert page.parameters == {"server": "second", "virtual_server": "db"}
    assert page.stem == "what_if-second-db"


@pytest.mark.parametrize(
    ("only", "pages"),
    [
        ("published", ["published"]),
        ("01_one_run", [ONE_RUN]),
        ("course/*", [ONE_RUN, TWO_RUNS]),
        ("first/web-005-h", ["run_report/first/web-005-h"]),
        ("run_report/*/web-*h", ["run_report/first/web-005-h", "run_report/second/web-005-h"]),
        (["published", "second/web-005-a"], ["published", "run_report/second/web-005-a"]),
    ],
)
def test_only_chooses_pages(study, only, pages):
    assert ids(plan_pages(study, only)) == pages


def test_a_server_or_a_run_chooses_pages(study):
    assert ids(plan_pages(study, server="second")) == [*WHAT_IF[2:], *RUNS[3:]]
    assert ids(plan_pages(study, server="second", run="web-005-h")) == [RUNS[5]]
    assert ids(plan_pages(study, "what_if", server="second")) == WHAT_IF[2:]
    assert ids(plan_pages(study, "run_report/*/db*", server="second")) == [RUNS[3]]
    for names in ({"server": "third"}, {"server": "first", "run": "web-005-b"}):
        with pytest.raises(ValueError, match="choose from first"):
            plan_pages(study, **names)
    with pytest.raises(ValueError, match="no page matches"):
        plan_pages(study, "run_report/first/*", server="second")


def test_learned_predictors_need_held_out_loads(study, books):
    write(books / f"{plan.LEARNED}.ipynb", notebook())
    assert plan.LEARNED in ids(plan_study(study).default)
    assert needs(study, held_out=[])[plan.LEARNED] == plan.texts.NEEDS_HELD_OUT


def test_scalability_needs_a_sweep_or_a_series(study, books):
    write(books / f"{plan.SCALABILITY}.ipynb", notebook())
    assert plan_study(study).not_applicable[plan.SCALABILITY] == plan.texts.NEEDS_SWEEP
    (run,) = [run for run in study.runs() if run.id.endswith("first/db-16-a")]
    (web,) = [run for run in study.runs() if run.id.endswith("first/web-005-a")]

    def needs_of(*runs):
        planned = plan.plan_study(study, notebooks=books, runs=runs)
        return planned.not_applicable.get(plan.SCALABILITY)

    def with_load(run, loads):
        servers = {
            name: replace(server, name=name, workload=replace(server.workload, **change))
            for name, (server, change) in loads.items()
        }
        return SimpleNamespace(server=run.server, run=run.run, id=run.id, virtual_servers=servers)

    db, httpd = run.virtual_servers["db"], web.virtual_servers["web"]
    sweep = [with_load(run, {"db": (db, {"population": n})}) for n in (1, 2, 4, 8)]
    assert needs_of(*sweep) is None
    assert needs_of(*sweep[:3]) == plan.texts.NEEDS_SWEEP
    series = [
        with_load(web, {f"web{i}": (httpd, {}) for i in range(1, count + 1)}) for count in (1, 2)
    ]
    assert needs_of(*series) is None
    unequal = with_load(web, {"web1": (httpd, {}), "web2": (httpd, {"rate_per_s": 99.0})})
    assert needs_of(series[0], unequal) == plan.texts.NEEDS_SWEEP


def test_page_names_stay_in_their_folder(study):
    for one in plan_pages(study, "run_report/*/*"):
        assert re.fullmatch(r"[\w.-]+", one.stem)


def needs(study, **manifest) -> dict[str, str]:
    """The pages that do not apply, by page, after a change of study.json."""
    return plan_study(replace(study, manifest=study.manifest | manifest)).not_applicable


def test_pages_that_do_not_apply_need_something(study, tmp_path):
    assert needs(study, held_out=[]) == {"validate_model": plan.texts.NEEDS_HELD_OUT}
    assert needs(study, held_out=["first/no-such-run"]) == {
        "validate_model": plan.texts.NEEDS_HELD_OUT
    }
    every_web = ["first/web-005-a", "first/web-005-h"]
    assert list(needs(study, held_out=every_web)) == ["what_if/first/web"]
    # no run of one load on both servers
    shutil.rmtree(study.path / "second" / "web-005-a")
    shutil.rmtree(study.path / "second" / "db-16-a")
    missing = needs(study)
    assert missing["compare_servers"] == plan.texts.NEEDS_COMMON_RUN
    assert set(missing) == {"compare_servers", "what_if/second/db", "what_if/second/web"}
    # one server, not the lessons'; other names than the paper's; then no paper
    shutil.rmtree(study.path / "first")
    (study.path / "second").rename(study.path / "third")
    missing = needs(study)
    assert missing["compare_servers"] == plan.texts.NEEDS_TWO_SERVERS
    assert missing["published"] == plan.texts.NEEDS_PUBLISHED_NAMES
    assert missing["published_studies"] == plan.texts.NEEDS_PUBLISHED_NAMES
    assert missing[ONE_RUN] == "the run first/web-005-a with web"
    assert missing[TWO_RUNS] == "the run first/web-005-a with web, and 1 more run"
    runs = [("first", "web-005-a", "web"), ("second", "web-005-h", "web")]
    table = pl.DataFrame(runs, schema=["server", "run", "virtual_server"], orient="row")
    table.write_parquet(study.path / "runs.parquet")
    assert not {ONE_RUN, TWO_RUNS} & set(needs(study)), "the table of runs has them"
    (study.path.parent / "published").unlink()
    assert needs(study)["published"] == plan.texts.NEEDS_PUBLISHED
    assert needs(study)["published_studies"] == plan.texts.NEEDS_PUBLISHED_STUDIES
    with pytest.raises(ValueError, match=r"^compare_servers needs two servers$"):
        plan_pages(study, "compare_servers")


def test_what_if_needs_a_virtual_server_under_qemu(study):
    """A server on a machine without a host has no host model."""
    for run in study.runs("first"):
        path = run.path / "run.json"
        manifest = json.loads(path.read_text())
        del manifest["virtual_servers"]["db"]["qemu_process"]
        path.write_text(json.dumps(manifest))
    assert needs(study)["what_if/first/db"] == plan.texts.needs_qemu("db")
    assert "what_if/second/db" not in needs(study)


def test_a_page_reads_the_runs_that_it_is_computed_from(study):
    runs = study.runs()

    def read(name: str) -> list[str]:
        return [f"{r.server}/{r.run}" for r in runs_of(plan_pages(study, name)[0], study, runs)]

    every = [f"{r.server}/{r.run}" for r in runs]
    assert len(every) == 6
    assert read("first/web-005-h") == ["first/web-005-h"]
    assert read(ONE_RUN) == ["first/web-005-a"]
    assert read(TWO_RUNS) == ["first/web-005-a"], "of the others it takes numbers only"
    assert read("published") == []
    assert read("published_studies") == []
    assert read("compare_servers") == every, "web-005-h has the load of the case study"
    assert read("validate_model") == read("what_if/first/db") == every
    path = study.path / "first" / "web-005-h" / "run.json"
    path.write_text(path.read_text().replace('"rate_per_s": 5.0', '"rate_per_s": 7.0'))
    runs = study.runs()
    assert read("compare_servers") == [name for name in every if name != "first/web-005-h"]
    assert read("validate_model") == every


def test_every_lesson_applies_to_the_recorded_study():
    studies = find_studies(ROOT / "data" / "raw")
    recorded = next(each for each in studies if each.name == "kvm-case-study")
    made = plan.plan_study(recorded)
    names = lessons.lesson_names(ROOT / "notebooks")
    assert names
    assert [page for page in ids(made.pages) if page.startswith("course/")] == names


def test_lessons_that_do_not_apply_are_one_sentence():
    what = {"compare_servers": "two servers", "course/01_a": "x", "course/02_b": "y"}
    sentences = plan.Plan([], [], what).not_applicable_sentences
    assert sentences == ["compare_servers needs two servers", plan.texts.lessons_need(2)]
    only_one = plan.Plan([], [], {"course/01_a": "the run first/a with web"})
    assert only_one.not_applicable_sentences == ["course/01_a needs the run first/a with web"]

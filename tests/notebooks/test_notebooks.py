"""The notebooks: in order as files, runnable by plain papermill, and right for any run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import polars as pl
import pytest
import small_study
from rendering import LESSON

from pipeline import api, report
from pipeline.course.texts import UNCHECKED
from pipeline.quality.check import RESULTS
from pipeline.report import tables, texts
from pipeline.report.execute import execute
from pipeline.units import format_short

ROOT = Path(__file__).resolve().parents[2]
DERIVED = {"student", ".ipynb_checkpoints"}
"""Folders that make lab and JupyterLab write."""
NOTEBOOKS = sorted(
    path for path in (ROOT / "notebooks").rglob("*.ipynb") if not DERIVED & set(path.parts)
)
NAMES = [path.relative_to(ROOT / "notebooks").with_suffix("").as_posix() for path in NOTEBOOKS]

pytestmark = [pytest.mark.report, pytest.mark.xdist_group("report")]


# -- as files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_is_stripped(path):
    made = nbformat.read(path, as_version=4)
    nbformat.validate(made)
    assert set(made.metadata) <= {"kernelspec", "language_info", "queuevisor"}
    for cell in made.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_has_one_cell_of_plain_annotated_parameters(path):
    made = nbformat.read(path, as_version=4)
    cells = [c for c in made.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1
    for line in cells[0].source.splitlines():
        assert re.fullmatch(
            r'\w+: (str|int|float|bool) = ("[^"]*"|[\d.]+|True|False)  # .+', line
        ), line
    parameters = papermill.inspect_notebook(str(path))
    assert parameters and all(entry["help"] for entry in parameters.values())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_a_notebook_names_no_machine_and_stays_thin(path):
    made = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in made.cells)
    assert not re.search(r"/(home|root|work|tmp|Users)/", text)
    assert made.cells[0].cell_type == "markdown" and made.cells[0].source.startswith("# ")
    if "course" not in path.parts:
        assert not re.search(r"^(def|class) (?!row)", text, re.M), "functions live in the package"


LINK = re.compile(r"\]\(((?:\.\./)+docs/[^)]+)\)")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_links_of_a_notebook_lead_into_the_documentation(path):
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    for address in LINK.findall(text):
        file, _, anchor = address.partition("#")
        document = (path.parent / file).resolve()
        assert document.is_file(), address
        assert not anchor or f'<a id="{anchor}"></a>' in document.read_text(), address


# -- by plain papermill ------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [".", "notebooks"])
def test_plain_papermill_renders_one_run(rendered, tmp_path, folder):
    out = tmp_path / "out.ipynb"
    parameters = {
        "study": small_study.STUDY,
        "server": "second",
        "run": "web-005-a",
        "raw": str(rendered.raw),
        "processed": str(rendered.processed),
    }
    given = [word for name, value in parameters.items() for word in ("-p", name, value)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "papermill", "--no-progress-bar"),
            os.path.relpath(ROOT / "notebooks" / "run_report.ipynb", ROOT / folder),
            str(out),
            *given,
        ],
        cwd=ROOT / folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    made = nbformat.read(out, as_version=4)
    bundles = [o.data for c in made.cells for o in c.get("outputs", []) if "data" in o]
    pictures = [data for data in bundles if "image/svg+xml" in data]
    charts = [data for data in pictures if "application/vnd.vegalite.v6+json" in data]
    assert all({"image/png", "text/plain"} <= set(chart) for chart in charts)
    # where the time goes, utilization, timelines; and the drawing of the network
    assert (len(charts), len(pictures)) == (3, 4)


# -- what the pages say ------------------------------------------------------------------------------------


def test_every_page_of_the_small_study_is_complete(rendered):
    assert [(row["page"], row["error"]) for row in rendered.manifest["pages"] if row["error"]] == []
    pages = {row["page"] for row in rendered.manifest["pages"]}
    assert pages == {
        "compare_servers",
        "validate_model",
        "published",
        "learned_predictor",
        "published_studies",
        LESSON,
        *(f"what_if/{s}/{v}" for s in ("first", "second") for v in ("db", "web")),
        *(f"run_report/{s}/{r}" for s in ("first", "second") for r in ("db-16-a", "web-005-a")),
    }


def test_no_page_asks_for_anything_outside(rendered):
    for path in rendered.out.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        addresses = re.findall(r"""(?:src|href)\s*=\s*["']([^"']+)""", text)
        assert [a for a in addresses if re.match(r"(?:https?:)?//", a)] == []
        assert "<script>alert" not in text


def test_a_page_of_a_run_shows_every_equation_and_both_readings(rendered):
    text = rendered.page("run_report/first/db-16-a").read_text(encoding="utf-8")
    for number in range(1, 11):
        assert (
            re.search(rf"[Ee]quations? .{{0,12}}\({number}\)", text)
            or f'<td class="s">{number}</td>' in text
        )
    assert "as-printed" in text and "corrected" in text
    sections = (
        "where-does-a-request-s-time-go",
        "how-busy-is-each-station",
        "the-model",
        "measurements-over-time",
        "equations-with-the-numbers-of-this-run",
        "data-quality",
        "quality-checks",
        "ledger",
    )
    places = [text.index('class="headline'), *(text.index(f'id="{s}"') for s in sections)]
    assert places == sorted(places)
    first_fold = re.search(r"<details[^>]*>\s*<summary>\s*<h2", text).start()
    assert places[5] < first_fold < places[6]
    assert "db/general.log: missing" in text


def test_headlines_of_a_run_are_its_ledger_s(rendered):
    card = json.loads(rendered.page("run_report/first/web-005-a").with_suffix(".json").read_text())
    assert card["key_figures"]["throughput, client"] == "5 /s"
    assert card["key_figures"]["response time, client"] == "5.6 ms"


def test_the_key_figures_are_of_the_model_that_the_verdict_is_about(rendered):
    data = api.open_run(
        small_study.STUDY, "first", "db-16-a", raw=rendered.raw, processed=rendered.processed
    )
    (row,) = data.model_results.iter_rows(named=True)
    key = tables.run_key_figures(data)
    for name, symbol, unit, end in (
        ("response time", "R", "ms", "_ms"),
        ("throughput", "X", "/s", "_per_s"),
    ):
        low, high = (format_short(row[f"{symbol}_{side}{end}"]) for side in ("low", "high"))
        value = format_short(row[f"{symbol}{end}"])
        assert key[f"{name}, host model (95 %)"] == f"{value} ({low} to {high}) {unit}"
        assert key[f"{name}, client"] == f"{format_short(row[f'{symbol}_client{end}'])} {unit}"
    assert key["model check"] == texts.MODEL_CHECKS[row["usable"]]
    assert not {"model, as-printed", "model, corrected"} & set(key)
    parts = tables.df_residence(data, "db").filter(pl.col("stack") == "host model")
    assert parts["value_ms"].sum() == pytest.approx(row["R_ms"], rel=1e-6)


def test_the_first_sentences_of_a_page_answer_for_its_run(rendered):
    data = api.open_run(
        small_study.STUDY, "first", "web-005-a", raw=rendered.raw, processed=rendered.processed
    )
    sentences, kind = tables.headline(data)
    text = rendered.page("run_report/first/web-005-a").read_text(encoding="utf-8")
    assert f'class="headline {kind}"' in text
    first = text.index(sentences[0])
    assert first < text.index('class="key-figures"') and "5 HTTP requests/s at 5.6" in sentences[0]
    busiest = max(s.utilization for s in tables.stations(data) if s.utilization is not None)
    assert f"{100 * busiest:.0f}\N{NO-BREAK SPACE}%" in sentences[1]


def test_the_index_gets_one_row_per_virtual_server_with_a_load(rendered):
    data = api.open_run(
        small_study.STUDY, "first", "db-16-a", raw=rendered.raw, processed=rendered.processed
    )
    frame = tables.df_summary(data)
    assert frame.schema == tables.SUMMARY
    (row,) = frame.iter_rows(named=True)
    (model,) = data.model_results.iter_rows(named=True)
    assert (row["server"], row["run"]) == ("first", "db-16-a")
    assert (row["load"], row["load_level"]) == ("16 threads", 16.0)
    assert row["R_model_ms"] == model["R_ms"] and row["error_R"] == model["error_R"]
    assert row["R_client_ms"] == pytest.approx(model["R_client_ms"])
    assert row["warnings"] == len(tables.warnings(data)) > 0
    utilizations = {s.name: s.utilization for s in tables.stations(data)}
    assert row["utilization"] == utilizations[row["busiest"]]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["date"])


def test_a_page_counts_every_result_and_says_the_rule(rendered):
    data = api.open_run(
        small_study.STUDY, "first", "web-005-a", raw=rendered.raw, processed=rendered.processed
    )
    checks = tables.df_checks(data)
    counted = dict(checks.group_by("result").len().iter_rows())
    counts = tables.model_check_text(data, "web")[-1]
    assert counts == "checks of this run: " + ", ".join(
        f"{counted.get(result, 0)} {result}" for result in RESULTS
    )
    assert sum(counted.values()) == checks.height
    for result, measured, rule in checks.select("result", "measured", "rule").rows():
        assert (rule == "") == (result == "not evaluated"), (result, measured, rule)
    text = rendered.page("run_report/first/web-005-a").read_text(encoding="utf-8")
    assert counts in text and "every check" not in text


def test_resolution_never_looks_like_a_confidence_interval(rendered):
    """The ledger's bounds are what instruments leave open: no bracket on the page holds them."""
    data = api.open_run(
        small_study.STUDY, "first", "web-005-a", raw=rendered.raw, processed=rendered.processed
    )
    sides = tables.df_side_by_side(data)
    assert not sides["as_printed"].str.contains(r"\[").any()
    text = rendered.page("run_report/first/web-005-a").read_text(encoding="utf-8")
    assert "source A (± resolution)" in text and "resolution: low" in text


def test_a_log_that_is_missing_takes_only_its_own_numbers(tmp_path):
    raw = tmp_path / "raw"
    home = small_study.write(raw)
    (home / "first" / "web-005-a" / "host" / "iotop.log").unlink()
    (home / "first" / "web-005-a" / "web" / "access.log").unlink()
    manifest = report.render(
        small_study.STUDY,
        raw=raw,
        processed=tmp_path / "processed",
        out=tmp_path / "out",
        only="first/web-005-a",
    )
    assert manifest["status"].failed == 0
    text = manifest["pages"][0]["path"].read_text(encoding="utf-8")
    assert "host/iotop.log: missing" in text and "web/access.log: missing" in text
    assert "no data: Throughput" in text
    assert "without R_disk" in text
    assert "Missing numbers of this run" in text
    lost = re.search(
        r"<t[dh][^>]*>host has no rows of iotop_totals</t[dh]><td[^>]*>([^<]*)</td>", text
    )[1]
    assert {"IO_disk_req", "D_disk_req", "R_disk", "R_req"} <= set(lost.split(", "))
    assert "R_cpu" not in lost and "R_vdisk" not in lost


def test_a_run_that_is_not_there_fails_in_its_page_and_names_the_nearest(tmp_path, rendered):
    executed = execute(
        ROOT / "notebooks" / "run_report.ipynb",
        {
            "study": small_study.STUDY,
            "server": "first",
            "run": "web-005-b",
            "raw": str(rendered.raw),
        }
        | {"processed": str(tmp_path / "processed")},
        cwd=ROOT,
    )
    assert "web-005-a" in executed.error


# -- the course --------------------------------------------------------------------------------------------


def course_parameters(rendered, **more: str) -> dict[str, str]:
    return {
        "study": small_study.STUDY,
        "raw": str(rendered.raw),
        "processed": str(rendered.processed),
    } | more


@pytest.mark.parametrize(
    "which",
    [
        {"server": "second", "run": "web-005-a", "virtual_server": "web"},
        {"server": "first", "run": "db-16-a", "virtual_server": "db"},
    ],
    ids=["web", "db"],
)
def test_the_solved_lesson_is_right_on_any_run(rendered, which):
    executed = execute(
        ROOT / "notebooks" / f"{LESSON}.ipynb", course_parameters(rendered, **which), cwd=ROOT
    )
    assert executed.error is None, executed.traceback
    cells = json.dumps(executed.notebook.cells)
    assert cells.count("verdict right") >= 20
    assert cells.count(f"{UNCHECKED}</p>") <= 1, "no thread of the small study is without a name"


def test_the_student_s_copy_runs_up_to_its_first_blank(rendered, tmp_path):
    student = rendered.page(LESSON).with_name(f"{rendered.page(LESSON).stem}-student.ipynb")
    copy = tmp_path / "student.ipynb"
    shutil.copy(student, copy)
    executed = execute(copy, course_parameters(rendered), cwd=ROOT)
    assert executed.error.startswith("Hint: D_disk_inside: ")
    assert "verdict right" not in json.dumps(executed.notebook.cells)


# -- explore -----------------------------------------------------------------------------------------------


def test_the_notebook_to_explore_runs_by_plain_papermill(tmp_path):
    small_study.write(tmp_path / "raw")
    out = tmp_path / "explore"
    made = papermill.execute_notebook(
        ROOT / "notebooks" / "explore.ipynb",
        tmp_path / "out.ipynb",
        {
            "study_name": str(tmp_path / "raw" / small_study.STUDY), "run_name": "first/web-005-a",
            "virtual_server": "web", "processed": str(tmp_path / "processed"), "out": str(out),
        },
        cwd=ROOT, progress_bar=False,
    )  # fmt: skip
    assert {path.name for path in out.iterdir()} == {
        "ledger.xlsx",
        "demands.tex",
        "utilization.svg",
    }
    bundles = [o.data for c in made.cells for o in c.get("outputs", []) if "data" in o]
    assert sum("image/svg+xml" in data for data in bundles) == 2
    text = json.dumps([c.outputs for c in made.cells if c.cell_type == "code"])
    assert re.search(r"measured in this run: R = (6|5\.6) ms", text)
    assert "10/s" in text and "outside the" in text


def test_the_first_visible_cell_opens_a_study_or_a_run():
    for name in ("explore", "run_report", "compare_servers", "validate_model", "what_if"):
        cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
        shown = [
            cell.source
            for cell in cells
            if cell.cell_type == "code" and not {"hidden", "parameters"} & set(cell.metadata.get("tags", []))
        ]  # fmt: skip
        assert re.search(r"^(study|run|data) = qv\.open_\w+\(", shown[0], re.M), name

"""The machinery of reports: what is shown is escaped, what fails is marked, the same input gives the same bytes."""

import base64
import datetime as dt
import json
import re
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nbformat
import polars as pl
import pytest

from pipeline import report
from pipeline.files import project_path
from pipeline.raw import RawRunError, find_studies
from pipeline.report import build, page, show
from pipeline.report.execute import UnknownParameter, check_parameters, execute, parameters_of

HOSTILE = "<script>alert(1)</script>"

pytestmark = pytest.mark.xdist_group("report")


def notebook(
    *cells: str, parameters: str = 'study: str = "s"  # the study'
) -> nbformat.NotebookNode:
    """A notebook of a title, a parameters cell and code cells; a cell that starts with # is Markdown."""
    made = nbformat.v4.new_notebook()
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made.metadata.language_info = {"name": "python"}
    made.cells = [
        nbformat.v4.new_markdown_cell("# A title\n\nWith $R_{cpu} = \\frac{T}{n}$."),
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *(
            nbformat.v4.new_markdown_cell(cell)
            if cell.startswith("#")
            else nbformat.v4.new_code_cell(textwrap.dedent(cell).strip())
            for cell in cells
        ),
    ]
    return made


def write(path: Path, made: nbformat.NotebookNode) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)
    return path


CHART = """
import polars as pl
from pipeline import charts
from pipeline.report import show
show.setup()
frame = pl.DataFrame({"variant": ["<script>alert(1)</script>", "b"], "value": [1.0, 2.0],
                      "low": [None, None], "high": [None, None]})
show.key_figures({"one": "1", "<b>two</b>": "2"})
show.figure(charts.variants(frame, title="A chart", axis="ms"), "A *caption*.", frame)
"""


# -- what is shown ---------------------------------------------------------------------------------------


def test_tables_escape_every_text_and_show_what_is_missing():
    frame = pl.DataFrame({HOSTILE: [HOSTILE, None], "n": [1.5, None]})
    text = show.table_html(frame, caption=HOSTILE, headings={"n": "<n>"})
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 3
    assert "–" in text and "&lt;n&gt;" in text


def test_a_list_of_texts_is_one_cell():
    text = show.table_html(pl.DataFrame({"flags": [["a", HOSTILE], None, []]}))
    assert "a; &lt;script&gt;" in text and text.count("<td") == 3


def test_a_long_table_says_how_many_rows_it_left_out():
    text = show.table_html(pl.DataFrame({"n": range(1000)}), limit=10)
    assert text.count("<tr>") == 11
    assert "990 more rows" in text


def test_a_table_that_would_not_fit_is_set_smaller():
    """By what its cells hold: a dozen of short columns fit, a few long ones do not."""
    short = pl.DataFrame({str(k): [k] for k in range(12)})
    long = pl.DataFrame({f"a heading of some length {k}": [k] for k in range(6)})
    texts = pl.DataFrame({str(k): ["forty letters that are broken over lines"] for k in range(4)})
    assert ["small" in show.table_html(frame) for frame in (short, long, texts)] == [
        False,
        True,
        False,
    ]
    assert "small" not in show.table_html(long, headings=dict.fromkeys(long.columns, ""))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (12345, "12,345"),
        (0.000751234, "0.0007512"),
        (5.0, "5"),
        ("a", "a"),
    ],
)
def test_cells(value, text):
    assert show.cell_text(value) == text


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "[x](javascript:alert(1))",
        "![x](http://example.org/a.png)",
        "**bold** $x$ `code`",
        "a\n# heading",
        "<img src=x onerror=alert(1)>",
        "http://example.org/",
    ],
)
def test_text_from_logs_stays_text_in_markdown(text):
    shown = page.markdown_html(show.escape_markdown(text), trusted=False)
    assert not re.search(r"<(script|img|a|strong|code|math|h1)\b", shown)
    words = re.sub(r"<[^>]*>", "", shown)
    assert "alert" not in text or "alert" in words


def test_markdown_of_outputs_cannot_hold_html_and_that_of_cells_can():
    assert "<b>" not in page.markdown_html("<b>x</b>", trusted=False)
    assert "<b>x</b>" in page.markdown_html("<b>x</b>", trusted=True)
    assert "javascript:" not in page.markdown_html("[x](javascript:alert(1))", trusted=True)


def test_equations_become_mathml():
    text = page.markdown_html("$$T_{cpu} = \\sum_i T_{cpu,pid_i}$$ and $R_{vdisk}$", trusted=True)
    assert text.count("<math") == 2 and "$" not in text
    assert "<mtext>cpu</mtext>" in text
    assert "http" not in text


def test_an_equation_that_cannot_be_read_is_shown_as_it_is():
    assert "<code>" in page.markdown_html("$\\frac{$", trusted=True)


def test_json_in_a_page_cannot_end_its_script():
    text = show.json_for_script({"a": "</script><script>alert(1)</script>&"})
    assert "<" not in text and ">" not in text
    assert json.loads(text) == {"a": "</script><script>alert(1)</script>&"}


# -- running ---------------------------------------------------------------------------------------------


def test_parameters_are_known_with_their_help(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook())
    assert parameters_of(path) == {"study": "the study"}


def test_an_unknown_parameter_is_refused(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook("1"))
    check_parameters(path, {"study": "x"})
    with pytest.raises(UnknownParameter, match="no parameter sutdy; it has study"):
        execute(path, {"sutdy": "x"}, cwd=tmp_path)


def test_a_failing_cell_keeps_what_was_before_it_and_tells_the_error(tmp_path):
    path = write(
        tmp_path / "a.ipynb", notebook("print('before')", "raise ValueError('no\\nwindow')", "1")
    )
    executed = execute(path, {"study": "x"}, cwd=tmp_path)
    assert executed.error == "ValueError: no window"
    assert "before" in json.dumps(executed.notebook.cells)
    assert executed.traceback and "ValueError" in executed.traceback


def test_kernels_side_by_side_do_not_disturb_each_other(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook("print(study * 3)"))
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda s: execute(path, {"study": s}, cwd=tmp_path), "abc"))
    assert [d.error for d in done] == [None] * 3
    assert [d.notebook.cells[-1].outputs[0].text.strip() for d in done] == ["aaa", "bbb", "ccc"]


def test_an_executed_notebook_holds_no_time_and_no_random_id(tmp_path):
    path = write(tmp_path / "a.ipynb", notebook("study"))
    first, second = (execute(path, {"study": "x"}, cwd=tmp_path).notebook for _ in range(2))
    assert nbformat.writes(first) == nbformat.writes(second)


# -- one page --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def charted(tmp_path_factory) -> page.RenderedPage:
    folder = tmp_path_factory.mktemp("charted")
    path = write(
        folder / "a.ipynb", notebook(CHART, "## A section", f'print("{HOSTILE}")', "frame")
    )
    executed = execute(path, {"study": "x"}, cwd=folder)
    assert executed.error is None, executed.traceback
    return page.render_page(
        executed.notebook,
        parameters={"study": HOSTILE},
        subject=HOSTILE,
        home="../index.html",
        assets="../assets",
    )


def outside_addresses(text: str) -> list[str]:
    """Addresses in a page that a browser might fetch from elsewhere."""
    found = re.findall(r"""(?:src|href|action|data|poster|srcset)\s*=\s*["']?([^"'\s>]+)""", text)
    found += re.findall(r"url\(([^)]*)\)|@import\s+([^;]*)", text)
    flat = [a if isinstance(a, str) else "".join(a) for a in found]
    return [a for a in flat if re.match(r"(?:[a-z]+:)?//|https?:", a.strip("'\""))]


def test_a_page_asks_for_nothing_outside(charted):
    assert outside_addresses(charted.text) == []
    assert "default-src 'none'" in charted.text
    assert not re.search(r"mathjax|require\.min|cdn|unpkg", charted.text, re.I)


def test_hostile_text_cannot_run_in_a_page(charted):
    assert "<script>alert" not in charted.text
    scripts = re.findall(r"<script([^>]*)>", charted.text)
    running = [s for s in scripts if 'type="application/json"' not in s]
    assert len(scripts) == 2 and len(running) == 1
    assert 'src="../assets/charts.js"' in running[0]


def test_a_figure_has_alternative_text_a_caption_and_its_numbers(charted):
    figure = re.search(r'<figure class="chart">.*?</figure>', charted.text, re.S)[0]
    alt = re.search(r'alt="([^"]*)"', figure)[1]
    assert alt.startswith("A chart (ms).") and "b: 2" in alt
    assert "<em>caption</em>" in figure
    assert "data:image/svg+xml;base64," in figure
    spec = json.loads(re.search(r"<script[^>]*>(.*?)</script>", figure, re.S)[1])
    assert "vega-lite/v6" in spec["$schema"]
    assert "Data (2 rows)" in charted.text
    assert "No description" not in charted.text


def test_a_page_knows_its_headlines_thumbnail_and_sections(charted):
    assert charted.key_figures == {"one": "1", "<b>two</b>": "2"}
    assert list(charted.key_figures) == ["one", "<b>two</b>"]
    picture = base64.b64decode(charted.thumbnail.split(",", 1)[1]).decode()
    assert picture.startswith("<svg")
    assert charted.title == "A title"
    assert '<a href="#a-section">A section</a>' in charted.text
    assert "<b>two</b>" not in charted.text


def test_parameters_and_errors_of_a_page_are_escaped():
    made = page.render_page(
        notebook(),
        parameters={"study": HOSTILE},
        subject=HOSTILE,
        home="../index.html",
        assets="../assets",
        error=f"ValueError: {HOSTILE}",
        traceback=f"\x1b[31m{HOSTILE}\x1b[0m",
    )
    assert "<script>alert" not in made.text and "\x1b" not in made.text
    assert "FAILED" in made.text


# -- a whole report ----------------------------------------------------------------------------------------


@pytest.fixture
def raw(tmp_path) -> Path:
    """A folder with a study without runs: enough for notebooks that read nothing."""
    home = tmp_path / "raw" / "a-study"
    home.mkdir(parents=True)
    (home / "study.json").write_text(
        json.dumps({"format": "queuevisor-study/1", "study": "a-study", "title": HOSTILE})
    )
    return home.parent


@pytest.fixture
def books(tmp_path) -> Path:
    """Notebooks: one good, one that fails."""
    folder = tmp_path / "books"
    write(folder / "compare_servers.ipynb", notebook(CHART))
    write(folder / "published.ipynb", notebook(f'raise ValueError("{HOSTILE}")'))
    return folder


def render(raw: Path, books: Path, **options):
    here = raw.parent
    return report.render(
        "a-study",
        raw=raw,
        processed=here / "processed",
        out=here / "out",
        notebooks=books,
        **options,
    )


def test_a_failing_notebook_is_marked_and_the_others_are_done(raw, books, capsys):
    told = []
    manifest = render(raw, books, workers=2, progress=told.append)
    assert manifest["failed"] == 1
    assert [row["page"] for row in manifest["pages"]] == ["compare_servers", "published"]
    assert sorted(row["page"] for row in told) == ["compare_servers", "published"]
    out = raw.parent / "out"
    index = manifest["index"].read_text()
    assert "1 of 2 pages FAILED" in index
    assert "ValueError: &lt;script&gt;" in index and "<script" not in index
    assert "FAILED" in (out / "a-study" / "published.html").read_text()
    assert "A chart" in (out / "a-study" / "compare_servers.html").read_text()
    assert outside_addresses(index) == []
    # Mended and rendered alone: the mark goes, the other page stays in the index.
    write(books / "published.ipynb", notebook("1"))
    manifest = render(raw, books, only="published")
    assert manifest["failed"] == 0
    index = manifest["index"].read_text()
    assert "FAILED" not in index and "2 pages, all complete" in index


def test_a_page_of_a_broken_run_is_marked_in_the_index_and_not_complete(raw, books):
    """The page itself renders; that its run.json is broken stands on the index page."""
    run = raw / "a-study" / "first" / "web-1"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"format": "queuevisor-run/1",\n "study": oops}')
    write(
        books / "run_report.ipynb",
        notebook("1", parameters='server: str = "s"  # the server\nrun: str = "r"  # the run'),
    )
    write(books / "published.ipynb", notebook("1"))
    manifest = render(raw, books)
    assert manifest["failed"] == 0
    index = manifest["index"].read_text()
    assert "all complete" not in index
    assert "1 of 2 pages: input is missing or damaged" in index
    assert "run.json, line 2" in index and index.count("INCOMPLETE INPUT") == 1
    card = json.loads((raw.parent / "out/a-study/run_report-first-web-1.json").read_text())
    assert card["problems"][0].startswith("run.json, line 2")


def test_make_says_whether_all_pages_are_complete(raw, books, capsys):
    places = {"processed": raw.parent / "processed", "out": raw.parent / "out", "notebooks": books}
    assert report.render_studies(None, raw=raw, **places) is False
    told = capsys.readouterr().err
    assert "report published: FAILED: ValueError" in told and "report compare_servers: done" in told
    assert report.render_studies("a-study", raw=raw, only="compare_servers", **places) is True


def test_the_same_input_gives_the_same_bytes(raw, books):
    out = raw.parent / "out"
    files = (
        "a-study/compare_servers.html",
        "a-study/compare_servers.json",
        "index.html",
        "assets/charts.js",
    )
    once = [
        (render(raw, books), [(out / name).read_bytes() for name in files])[1] for _ in range(2)
    ]
    assert once[0] == once[1]
    assert str(raw.parent).encode() not in once[0][2]


def test_nothing_is_run_when_the_call_is_wrong(raw, books):
    with pytest.raises(UnknownParameter, match="has no parameter servre"):
        render(raw, books, parameters={"servre": "first"})
    with pytest.raises(ValueError, match="no page is called 'publshed'"):
        render(raw, books, only="publshed")
    with pytest.raises(RawRunError, match="unknown study 'b'"):
        report.render("b", raw=raw, out=raw.parent / "out")
    assert not (raw.parent / "out").exists()


def test_no_partial_file_stays_behind(raw, books):
    render(raw, books, only="compare_servers")
    assert list((raw.parent / "out").rglob(".*")) == []


def test_a_dead_kernel_is_a_failed_page(raw, books):
    write(books / "published.ipynb", notebook("import os", "os._exit(3)"))
    manifest = render(raw, books, only="published")
    assert manifest["failed"] == 1
    assert "DeadKernel" in manifest["pages"][0]["error"]


# -- which pages -------------------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path):
    home = tmp_path / "raw" / "many"
    for server in ("first", "second"):
        for run in ("web-005-a", "db-16-a", "db-01-sweep"):
            (home / server / run).mkdir(parents=True)
    case = {"web": "web-005-a", "db": "db-16-a"}
    manifest = {"format": "queuevisor-study/1", "study": "many", "servers": {}, "case_study": case}
    (home / "study.json").write_text(json.dumps(manifest))
    return find_studies(home.parent)[0]


def ids(pages) -> list[str]:
    return [p.id for p in pages]


def test_the_case_study_has_pages_of_its_own_and_other_runs_wait_to_be_asked_for(study):
    every = ids(build.plan_pages(study))
    assert every[:4] == [
        "compare_servers",
        "validate_model",
        "published",
        "course/01_equations_on_real_logs",
    ]
    assert every[4:] == [
        f"run_report/{server}/{run}"
        for server in ("first", "second")
        for run in ("db-16-a", "web-005-a")
    ]


def test_each_virtual_server_has_a_page_of_what_if_on_each_server(study):
    manifest = study.manifest | {"virtual_servers": {"web": {}, "db": {}}}
    known = replace(study, manifest=manifest)
    every = [f"what_if/{s}/{v}" for s in ("first", "second") for v in ("web", "db")]
    assert ids(build.plan_pages(known, "what_if")) == every
    assert set(every) <= set(ids(build.plan_pages(known)))
    page = build.plan_pages(known, "what_if/second/db")[0]
    assert page.parameters == {"server": "second", "virtual_server": "db"}
    assert page.stem == "what_if-second-db"


@pytest.mark.parametrize(
    ("only", "pages"),
    [
        ("published", ["published"]),
        ("01_equations_on_real_logs", ["course/01_equations_on_real_logs"]),
        ("first/db-01-sweep", ["run_report/first/db-01-sweep"]),
        ("run_report/*/db-01-*", ["run_report/first/db-01-sweep", "run_report/second/db-01-sweep"]),
        (["published", "second/web-005-a"], ["published", "run_report/second/web-005-a"]),
    ],
)
def test_only_chooses_pages(study, only, pages):
    assert ids(build.plan_pages(study, only)) == pages


def test_page_names_stay_in_their_folder(study):
    for one in build.plan_pages(study, "run_report/*/*"):
        assert re.fullmatch(r"[\w.-]+", one.stem)


# -- places ------------------------------------------------------------------------------------------------


def test_a_notebook_finds_the_project_from_its_root_and_from_below(tmp_path):
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "notebooks" / "course").mkdir(parents=True)
    for start in (tmp_path, tmp_path / "notebooks", tmp_path / "notebooks" / "course"):
        assert project_path("data/raw", start) == tmp_path / "data" / "raw"
    assert project_path("/elsewhere", tmp_path) == Path("/elsewhere")
    assert project_path("data/nowhere", tmp_path).is_absolute()


def test_times_of_day_do_not_enter_a_page(charted):
    today = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
    assert today not in re.sub(r"base64,[^\"]*", "", charted.text)

"""Pages name files that exist, link to headings that exist, and hold what the scripts print."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for folder in ("docs", "data/raw", "collectors", "testbed", "benchmarks", "notebooks", ".")
    for page in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")
    if not {".venv", "node_modules"} & set(page.parts)
)
DATED = ("docs/notes", "docs/decisions", "CHANGELOG.md")
"""They say what was, and may name what is no more."""
MAX_WORDS = {"docs/background/model.md": 2500, "docs/background/evaluation.md": 1200}
MAX_FIGURE_BYTES = 60_000


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {slug(h) for h in headings} | set(re.findall(r'<a id="([^"]+)"></a>', text))


def test_links_to_a_heading_find_it():
    broken = []
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            there = (page.parent / target).resolve() if target else page
            if there.suffix == ".md" and anchor not in anchors(there):
                broken.append(f"{name(page)}: {target}#{anchor}")
    assert broken == []


def test_pages_name_files_that_exist():
    missing = []
    for page in PAGES:
        if name(page).startswith((*DATED, "docs/how-to/add-a", "CONTRIBUTING.md")):
            continue
        for path in re.findall(
            r"`((?:pipeline|collectors|testbed|docs|tests|notebooks)/[\w/.-]+)`", page.read_text()
        ):
            if not (ROOT / path).exists():
                missing.append(f"{name(page)}: {path}")
    assert missing == []


@pytest.mark.parametrize("page", MAX_WORDS)
def test_background_stays_short(page):
    assert len((ROOT / page).read_text().split()) <= MAX_WORDS[page]


def glossary() -> list[tuple[str, str, str]]:
    lines = (ROOT / "docs/glossary.md").read_text().splitlines()
    return [
        re.fullmatch(r'- <a id="([^"]+)"></a>\*\*(.+?)\*\*: (.+)', line).groups()
        for line in lines
        if line.startswith("- ")
    ]


def test_glossary_is_sorted_and_has_one_line_per_term():
    ids = [anchor for anchor, _, _ in glossary()]
    assert ids == sorted(set(ids))
    for anchor, term, _ in glossary():
        said = term.lower().replace("²", "2").replace("λ", "lambda")
        assert anchor == re.sub(r"[^a-z0-9]+", "-", said).strip("-"), term


@pytest.mark.parametrize("folder", ["docs/background", "docs/tutorial"])
def test_pages_link_the_glossary(folder):
    for page in (ROOT / folder).glob("*.md"):
        assert "glossary.md#" in page.read_text() or "glossary.md)" in page.read_text(), page


def test_every_figure_is_small_and_on_a_page(script):
    figures = script("print_figures").FIGURES
    shown = "".join(page.read_text() for page in PAGES)
    for figure in figures:
        path = ROOT / f"docs/images/{figure}.svg"
        assert path.stat().st_size < MAX_FIGURE_BYTES, figure
        assert f"images/{figure}.svg)" in shown, figure
    assert {p.stem for p in (ROOT / "docs/images").glob("*.svg")} == set(figures)


def test_every_block_of_results_is_printed(script):
    results = script("print_results")
    used = set()
    for page in results.PAGES:
        for found in results.MARKED.finditer(page.read_text()):
            assert len(found[0].splitlines()) > 4, f"{name(page)}: {found[1]} is empty: make docs"
            used.add(found[1])
    assert used == set(results.BLOCKS)


def test_a_table_is_printed_as_markdown(script):
    import polars as pl

    frame = pl.DataFrame({"a": ["x|y"], "b": [0.123456]})
    assert (
        script("print_results").markdown_table(frame, {"b": "B"})
        == "| a | B |\n| --- | ---: |\n| x\\|y | 0.1235 |"
    )


@pytest.mark.parametrize(
    "figure",
    [
        "model-littles-law",
        "model-open-closed",
        "model-arrival-variability",
        "model-arrival-trace",
        "model-processors",
        "model-max-min",
    ],
)
def test_a_figure_that_needs_no_study_is_drawn(script, figure):
    figures = script("print_figures")
    assert figures.svg(figures.FIGURES[figure](None)).startswith("<svg")


@pytest.mark.parametrize("name_of", ["print_figures", "print_results", "print_reference"])
def test_scripts_use_names_that_exist(root, script, name_of):
    import ast
    import types

    module = script(name_of)
    unknown = []
    for node in ast.walk(ast.parse((root / f"docs/{name_of}.py").read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = getattr(module, node.value.id, None)
            if isinstance(owner, types.ModuleType) and not hasattr(owner, node.attr):
                unknown.append(f"{node.value.id}.{node.attr}, line {node.lineno}")
    assert unknown == []

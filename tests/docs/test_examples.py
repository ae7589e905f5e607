"""The commands and the Python of README, tutorial and how-to run, and print what the pages show."""

from pathlib import Path

import pytest


def page_names() -> list[str]:
    root = Path(__file__).parents[2]
    folders = ("docs/tutorial", "docs/how-to")
    return [
        "README.md",
        *(f"{f}/{p.name}" for f in folders for p in sorted((root / f).glob("*.md"))),
        "docs/background/factors.md",
    ]


@pytest.mark.report
@pytest.mark.xdist_group("examples")
@pytest.mark.parametrize("name", page_names())
def test_a_page_does_what_it_shows(examples, workspace, root, name):
    try:
        examples.run_page(root / name, workspace)
    except examples.MissingProgramError as missing:
        pytest.skip(str(missing))


def test_every_page_is_run(examples, root):
    assert [str(page.relative_to(root)) for page in examples.pages()] == page_names()


@pytest.fixture
def page(examples, tmp_path, monkeypatch):
    """A function that runs a page with the given text."""
    monkeypatch.setattr(examples, "ROOT", tmp_path)
    (tmp_path / "Makefile").write_text("report: x\n")
    workspace = examples.Workspace(tmp_path)

    def run(text: str, *, write: bool = False) -> str:
        path = tmp_path / "page.md"
        path.write_text(text)
        return examples.run_page(path, workspace, write=write)

    return run


@pytest.mark.parametrize(
    "text",
    [
        "```sh\nno-such-program --now\n```",
        "```sh\ntrue\nfalse\n```",
        "```console\n$ echo one\ntwo\n```",
        "```python\nraise ValueError(1)\n```",
        "```python\nprint(1)\n```\n\n```text\n2\n```",
        "```sh\nmake repot\n```",
        "```python excerpt\ndef f(:\n```",
        "    true\n",
        "```\ntrue\n```",
    ],
)
def test_a_block_that_is_wrong_is_refused(examples, page, text):
    with pytest.raises((examples.ExampleError, SyntaxError)):
        page("# A page\n\n" + text + "\n")


def test_output_is_compared_and_written(page):
    text = (
        "# A page\n\n```console\n$ seq 5\n1\n…\n5\n```\n\n"
        "```python\nx = 1\n```\n\n```python\nprint(x)\n```\n\n```text\n1\n```\n"
    )
    assert page(text) == text
    assert page(text.replace("$ seq 5", "$ seq 7"), write=True) == text.replace(
        "$ seq 5", "$ seq 7"
    ).replace("\n5\n", "\n7\n")


def test_a_target_that_is_not_run_must_exist(page):
    page("# A page\n\n```sh\nmake report        # everything\n```\n")

"""The page of the Python API is the code's, and its examples run."""

import doctest
from importlib import import_module
from pkgutil import walk_packages

import pytest

from pipeline import api


def test_the_page_of_the_api_is_the_codes(root, script):
    assert (root / "docs/reference/python.md").read_text() == script("print_reference").python()


def examples_of_the_api() -> list[doctest.DocTest]:
    """The examples of every docstring of the package, by name."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [import_module(m.name) for m in walk_packages(api.__path__, "pipeline.api.")]
    tests = [test for module in modules for test in finder.find(module, module.__name__)]
    return [test for test in tests if test.examples]


@pytest.mark.report
@pytest.mark.xdist_group("examples")
@pytest.mark.parametrize("example", examples_of_the_api(), ids=lambda test: test.name)
def test_an_example_of_the_api_prints_what_it_shows(workspace, example, monkeypatch):
    (workspace.folder / "data/processed").mkdir(exist_ok=True)
    monkeypatch.chdir(workspace.folder)
    lines: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    assert runner.run(example, out=lines.append).failed == 0, "".join(lines)


def test_what_an_analyst_uses_has_an_example():
    names = {test.name.removeprefix("pipeline.api.") for test in examples_of_the_api()}
    assert names >= {
        "study.open_study", "study.StudyData.fit", "study.StudyData.tables", "study.StudyData.compare",
        "run.open_run", "run.RunData", "run.RunData.threads", "run.RunData.top_writers",
        "plot.RunPlots", "fit.closed", "fit.poisson", "fit.even", "export.write_frame",
    }  # fmt: skip

"""The page of the Python API is the code's, and its examples run."""

import doctest
import inspect

import pytest

from pipeline import api

NOT_RUN = {"open_holdout": "observes a whole study: minutes where its tables are not there"}


def test_the_page_of_the_api_is_the_codes(root, script):
    assert (root / "docs/reference/python.md").read_text() == script("print_reference").python()


def described() -> list[str]:
    found = {name: getattr(api, name) for name in api.__all__ if name not in NOT_RUN}
    return [
        name
        for name, value in found.items()
        if getattr(value, "__module__", "").startswith("pipeline.api.")
        and ">>> " in (inspect.getdoc(value) or "")
    ]


@pytest.mark.report
@pytest.mark.xdist_group("examples")
@pytest.mark.parametrize("name", described())
def test_an_example_of_the_api_runs(workspace, name, monkeypatch):
    monkeypatch.chdir(workspace.folder)
    text = inspect.getdoc(getattr(api, name))
    module = inspect.getmodule(getattr(api, name))
    namespace = dict(vars(module))
    for example in doctest.DocTestParser().get_examples(text):
        exec(example.source.replace("# doctest: +SKIP", ""), namespace)

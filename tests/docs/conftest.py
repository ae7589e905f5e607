"""The scripts that print docs/, as modules."""

import importlib.util
import sys

import pytest


@pytest.fixture(scope="session")
def script(root):
    """A function that loads ``docs/NAME.py``."""

    def load(name: str):
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, root / f"docs/{name}.py")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        return sys.modules[name]

    return load


@pytest.fixture(scope="session")
def examples(script):
    """The module that runs the examples of pages."""
    return script("print_examples")


@pytest.fixture(scope="session")
def workspace(examples, tmp_path_factory):
    """A folder with the project's layout, in which examples run."""
    made = examples.Workspace(tmp_path_factory.mktemp("docs") / "queuevisor")
    made.prepare()
    return made

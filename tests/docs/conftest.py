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

"""Both parts run under Python 3.6 without installing anything; the names of their modules differ."""

import ast
import glob
import os
import sys

import pytest

from .helpers import COLLECTORS

PROGRAMS = sorted(glob.glob(os.path.join(COLLECTORS, "*", "*.py")))
MODULES = {
    part: {os.path.basename(p)[:-3] for p in PROGRAMS if os.path.dirname(p).endswith(part)}
    for part in ("agent", "client")
}


@pytest.mark.parametrize("path", PROGRAMS, ids=os.path.basename)
def test_modules_parse_as_python_3_6_and_import_only_the_standard_library(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    tree = ast.parse(text, feature_version=(3, 6))
    assert "capture_output" not in text, "3.7"
    assert "text=True" not in text, "3.7"
    imported = {
        (n.module or "").split(".")[0] if isinstance(n, ast.ImportFrom) else a.name.split(".")[0]
        for n in ast.walk(tree)
        if isinstance(n, (ast.Import, ast.ImportFrom))
        for a in n.names
    }
    own_modules = set(MODULES["agent"])
    if os.path.dirname(path).endswith("client"):
        own_modules |= MODULES["client"]
    assert imported <= set(sys.stdlib_module_names) | own_modules


def test_agent_and_client_have_no_module_name_in_common():
    """Both are on the client's path."""
    assert not MODULES["agent"] & MODULES["client"]
